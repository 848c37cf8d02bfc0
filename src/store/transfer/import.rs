//! Reading the lines into an empty folder, and proving that nothing is missing.

use std::{
    fs,
    io::{BufRead, Read},
    path::Path,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{BodyLine, ENTRY, EntryLine, FORMAT, Footer, Header, KIND, TransferReport};
use crate::{
    model::SystemClock,
    store::{
        backup::{Progress, make_empty},
        content::{ContentStore, MAX_BODY_BYTES},
        event::CODEC_JSON,
        folder::{content_dir, format_file, io, journal_dir, write_format},
        journal::{Journal, MAX_PAYLOAD_BYTES, hex, verify},
        port::StoreError,
        settings::Settings,
        sled::SledStore,
    },
};

/// The longest line that is read: the largest body in base64, which is longer than the largest entry, and its fields.
pub(super) const MAX_LINE_BYTES: usize = MAX_BODY_BYTES / 3 * 4 + MAX_PAYLOAD_BYTES;
/// Entries that share one sync of the disk; the folder is no store before the end.
const GROUP_BYTES: usize = 256 * 1024;

/// Makes a store in `target`, which must be empty or absent, of the lines of an export. Every entry's hash is compared
/// as it is written; then the store is opened and its sequence, last hash and counters are held against the header.
///
/// # Errors
/// When the export is damaged, cut short or of a newer format, `target` is not empty, or the disk says no. What was
/// written until then is no store and can be removed.
pub fn import(
    lines: impl BufRead,
    target: &Path,
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<TransferReport, StoreError> {
    let mut lines = Lines { source: lines, number: 0, hasher: Sha256::new(), line: Vec::new() };
    let header = lines.header()?;
    make_empty(target)?;
    let settings = settings.clamped();
    let dir = journal_dir(target);
    fs::create_dir_all(&dir).map_err(io(|| format!("making {}", dir.display())))?;
    let mut journal = Journal::resume(&dir, settings.segment_bytes, verify(&dir, &mut |_, _| Ok(()))?)?;
    for seq in 1..=header.seq {
        lines.entry(seq, &mut journal)?;
        if journal.staged_bytes() >= GROUP_BYTES {
            journal.commit()?;
        }
        progress(seq, header.seq);
    }
    journal.commit()?;
    if hex(&journal.head().hash) != header.hash {
        return Err(lines.damaged("the entries do not end with the hash in the header"));
    }
    drop(journal);
    fs::create_dir_all(content_dir(target)).map_err(io(|| format!("making {}", content_dir(target).display())))?;
    let content = ContentStore::open(&content_dir(target))?;
    for _ in 0..header.bodies {
        lines.body(&content)?;
    }
    let sha256 = lines.footer(&header)?;
    write_format(target)?;
    if let Err(error) = prove(target, &settings, &header) {
        fs::remove_file(format_file(target)).map_err(io(|| format!("withdrawing {}", target.display())))?;
        return Err(error);
    }
    let Header { seq, hash, bodies, missing, counts, .. } = header;
    Ok(TransferReport { seq, hash, bodies, missing, counts, sha256 })
}

fn prove(target: &Path, settings: &Settings, header: &Header) -> Result<(), StoreError> {
    let (head, counts) = SledStore::open(target, settings, Arc::new(SystemClock))?.standing()?;
    if (head.seq, hex(&head.hash)) == (header.seq, header.hash.clone()) && counts == header.counts {
        return Ok(());
    }
    let what = format!(
        "the imported store ends at sequence {} with {counts:?}, the export says {} and {:?}",
        head.seq, header.seq, header.counts
    );
    Err(StoreError::Damaged { path: target.display().to_string(), what })
}

/// Lines coming in, and the hash of those before.
struct Lines<R> {
    source: R,
    number: u64,
    hasher: Sha256,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: format!("export, line {}", self.number), what: what.into() }
    }

    /// Reads the next line, without its end.
    fn next(&mut self) -> Result<(), StoreError> {
        self.hasher.update(&self.line);
        self.line.clear();
        self.number += 1;
        let limit = MAX_LINE_BYTES as u64;
        let read = (&mut self.source).take(limit).read_until(b'\n', &mut self.line);
        read.map_err(io(|| "reading the export".to_owned()))?;
        match self.line.last() {
            Some(b'\n') => Ok(()),
            _ if self.line.len() == MAX_LINE_BYTES => {
                Err(self.damaged(format!("it has {MAX_LINE_BYTES} bytes or more, which no line of an export has")))
            }
            _ => Err(self.damaged("the export ends here, before its last line")),
        }
    }

    fn parsed<T: DeserializeOwned>(&mut self, what: &str) -> Result<T, StoreError> {
        self.next()?;
        serde_json::from_slice(&self.line).map_err(|error| self.damaged(format!("it is no {what}: {error}")))
    }

    fn header(&mut self) -> Result<Header, StoreError> {
        let value: serde_json::Value = self.parsed("header of an export")?;
        if value.get("kind").and_then(serde_json::Value::as_str) != Some(KIND) {
            return Err(self.damaged(format!("it does not begin with `\"kind\":\"{KIND}\"`")));
        }
        let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(StoreError::Newer { path: "export, line 1".into(), found, supported: FORMAT });
        }
        serde_json::from_value(value).map_err(|error| self.damaged(format!("it is no header of an export: {error}")))
    }

    fn entry(&mut self, seq: u64, journal: &mut Journal) -> Result<(), StoreError> {
        self.next()?;
        let Some((fields, entry)) = split(&self.line) else {
            return Err(
                self.damaged(format!("sequence {seq} is expected: its fields, then the entry as it was written"))
            );
        };
        let fields: EntryLine = serde_json::from_slice(&fields)
            .map_err(|error| self.damaged(format!("sequence {seq} is expected: {error}")))?;
        if fields.seq != seq || fields.synced >= seq {
            return Err(self.damaged(format!("sequence {seq} is expected, it says {}", fields.seq)));
        }
        let head = journal.stage_again(fields.synced, &entry)?;
        if hex(&head.hash) != fields.hash {
            return Err(self.damaged(format!("sequence {seq} does not have the hash it says")));
        }
        Ok(())
    }

    fn body(&mut self, content: &ContentStore) -> Result<(), StoreError> {
        let BodyLine { body, base64 } = self.parsed("body")?;
        let bytes = STANDARD.decode(base64).map_err(|error| self.damaged(format!("it is no base64: {error}")))?;
        let found = content.put(&bytes)?;
        if found != body {
            return Err(self.damaged(format!("its body has the hash {found}, it says {body:.80}")));
        }
        Ok(())
    }

    fn footer(&mut self, header: &Header) -> Result<String, StoreError> {
        let footer: Footer = self.parsed("footer")?;
        let sha256 = hex(&self.hasher.clone().finalize());
        if footer.sha256 != sha256 {
            return Err(
                self.damaged(format!("the lines before it have the hash {sha256}, it says {:.80}", footer.sha256))
            );
        }
        if footer.end != header.seq || footer.hash != header.hash {
            return Err(self.damaged("it does not end where the header says"));
        }
        self.line.clear();
        let mut more = [0];
        let read = self.source.read(&mut more).map_err(io(|| "reading the export".to_owned()))?;
        if read > 0 { Err(self.damaged("something stands behind it")) } else { Ok(sha256) }
    }
}

/// The fields of an entry's line as JSON, and the entry as a journal's payload.
fn split(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = line.strip_suffix(b"}\n")?;
    // The fields before it are numbers and hex digits: the first one is the one.
    let at = memmem::find(line, ENTRY)?;
    let fields = [line.get(..at)?, b"}"].concat();
    let payload = [&[CODEC_JSON], line.get(at + ENTRY.len()..)?].concat();
    Some((fields, payload))
}
