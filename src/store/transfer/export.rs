//! Writing the lines.

use std::{io::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{BodyLine, ENTRY, EntryLine, FORMAT, Footer, Header, KIND, TransferReport};
use crate::store::{
    backup::{Progress, Tally},
    content::{ContentStore, References},
    event::{CODEC_JSON, Entry},
    folder::{check_format, content_dir, io, journal_dir},
    journal::{Head, hex, read, read_synced},
    port::StoreError,
};

/// Writes the store in `data` to `out`. The store may be in use meanwhile; everything it had acknowledged before the call
/// is in the export. `progress` hears entries written, and how many there are.
///
/// # Errors
/// When `data` holds no store, its journal or a cited body is damaged, or `out` cannot be written.
pub fn export(data: &Path, out: impl Write, progress: Progress<'_>) -> Result<TransferReport, StoreError> {
    if !check_format(data)? {
        return Err(StoreError::Refused(format!("{} holds no store: name its data folder", data.display())));
    }
    let (mut tally, mut references) = (Tally::default(), References::default());
    read(&journal_dir(data), 1..=u64::MAX, &mut |head, payload| {
        let entry = Entry::decode(head.seq, payload)?;
        tally.add(head.seq, &entry.event);
        references.add(head, &entry);
        Ok(())
    })?;
    let content = ContentStore::existing(&content_dir(data));
    let mut needed: Vec<&String> = references.cited.keys().chain(references.holds.keys()).collect();
    needed.sort_unstable();
    needed.dedup();
    let (present, missing): (Vec<&String>, Vec<&String>) = needed.into_iter().partition(|hash| content.has(hash));
    let head = references.head;
    let mut lines = Lines { out, hasher: Sha256::new() };
    let header = Header {
        kind: KIND.to_owned(),
        format: FORMAT,
        seq: head.seq,
        hash: hex(&head.hash),
        bodies: present.len() as u64,
        missing: missing.into_iter().cloned().collect(),
        counts: tally.counts(),
    };
    lines.value(&header)?;
    write_entries(data, head, &mut lines, progress)?;
    for hash in present {
        let body = content.get(hash)?.ok_or_else(|| StoreError::Damaged {
            path: content_dir(data).display().to_string(),
            what: format!("the body {hash} went away meanwhile"),
        })?;
        lines.value(&BodyLine { body: hash.clone(), base64: STANDARD.encode(body) })?;
    }
    lines.finish(header)
}

fn write_entries(
    data: &Path,
    until: Head,
    lines: &mut Lines<impl Write>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut last = Head::START;
    if until.seq > 0 {
        read_synced(&journal_dir(data), 1..=until.seq, &mut |head, synced, payload| {
            last = *head;
            progress(head.seq, until.seq);
            lines.entry(&EntryLine { seq: head.seq, synced, hash: hex(&head.hash) }, payload)
        })?;
    }
    if last == until {
        return Ok(());
    }
    let what = format!("it ended at sequence {} a moment ago and now ends at {}", until.seq, last.seq);
    Err(StoreError::Damaged { path: journal_dir(data).display().to_string(), what })
}

/// Lines going out, and the hash of them.
struct Lines<W> {
    out: W,
    hasher: Sha256,
}

impl<W: Write> Lines<W> {
    fn value(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let json = serde_json::to_vec(value).map_err(|error| StoreError::Refused(error.to_string()))?;
        self.bytes(&json)?;
        self.bytes(b"\n")
    }

    fn entry(&mut self, line: &EntryLine, payload: &[u8]) -> Result<(), StoreError> {
        let entry = match payload.split_first() {
            Some((&CODEC_JSON, entry)) if !entry.contains(&b'\n') => entry,
            _ => return Err(StoreError::Refused(format!("sequence {} is no line of JSON", line.seq))),
        };
        let json = serde_json::to_vec(line).map_err(|error| StoreError::Refused(error.to_string()))?;
        // The entry takes its place before the brace that ends the line.
        self.bytes(json.strip_suffix(b"}").unwrap_or(&json))?;
        [ENTRY, entry, b"}\n"].into_iter().try_for_each(|part| self.bytes(part))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(io(|| "writing the export".to_owned()))
    }

    fn finish(mut self, header: Header) -> Result<TransferReport, StoreError> {
        let Header { seq, hash, bodies, missing, counts, .. } = header;
        let sha256 = hex(&self.hasher.clone().finalize());
        self.value(&Footer { end: seq, hash: hash.clone(), sha256: sha256.clone() })?;
        self.out.flush().map_err(io(|| "writing the export".to_owned()))?;
        Ok(TransferReport { seq, hash, bodies, missing, counts, sha256 })
    }
}
