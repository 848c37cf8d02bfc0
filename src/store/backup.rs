//! A backup: the journal's committed bytes, the content store and the evidence files, with a manifest of their hashes.
//!
//! [`backup`] copies while the store is in use; [`restore`] brings a backup into an empty folder and proves it.
//! The index is left out: it is rebuilt from the journal.

mod copy;
mod restore;
mod tally;

use std::{
    fs, io as std_io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub(super) use copy::{files_below, hash_file};
pub use restore::restore;
pub(super) use tally::Tally;

use self::copy::copy_hashed;
use super::{
    event::Entry,
    folder::{check_format, io, journal_dir, sync_dir, write_format, write_new},
    journal::{Head, Journal, Verified, hex, segments, verify},
    port::{Counts, StoreError},
};

const MANIFEST: &str = "manifest.json";
/// The newest manifest this program reads, and the one it writes.
const FORMAT: u32 = 2;
/// How often a segment is copied again because the store was writing to it.
const MAX_COPIES: u32 = 5;
/// The segment of a journal that has none yet.
const EMPTY_SEGMENT_BYTES: u64 = 64 * 1024;
/// The parts that are copied beside the journal. Bodies and records are only ever added, so what the copied journal
/// cites is there when they are copied after it.
/// Signed checkpoints are copied, the key that signs them is not.
const PARTS: [&str; 3] = ["content", "evidence", "ledger/checkpoints"];

/// Told while copying: bytes done, bytes known of.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The newest sequence in its journal.
    pub seq: u64,
    /// The hash of that record.
    pub hash: String,
    /// What the journal amounts to.
    pub counts: Counts,
    /// SHA-256 of the manifest: kept elsewhere, it proves the whole backup.
    pub manifest_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    seq: u64,
    hash: String,
    counts: Counts,
    files: Vec<ManifestFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ManifestFile {
    path: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    fn report(&self, manifest_sha256: String) -> BackupReport {
        BackupReport {
            files: self.files.len() as u64,
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            seq: self.seq,
            hash: self.hash.clone(),
            counts: self.counts,
            manifest_sha256,
        }
    }
}

/// Copies the store in `data` to `target`, which must be empty or absent. The store may be in use meanwhile; everything it
/// had acknowledged before the call is in the backup.
///
/// # Errors
/// When `data` holds no store, its journal is damaged, `target` is not empty, or the disk says no.
pub fn backup(data: &Path, target: &Path, progress: Progress<'_>) -> Result<BackupReport, StoreError> {
    if !check_format(data)? {
        return Err(StoreError::Refused(format!("{} holds no store: name its data folder", data.display())));
    }
    make_empty(target)?;
    let sources = sources(data)?;
    let total = sources.iter().map(|(_, bytes)| bytes).sum();
    let mut done = 0;
    let verified = copy_journal(&journal_dir(data), &journal_dir(target))?;
    let mut tally = Tally::default();
    verify(&journal_dir(target), &mut |head, payload| {
        tally.add(head.seq, &Entry::decode(head.seq, payload)?.event);
        Ok(())
    })?;
    let mut files = Vec::new();
    for segment in segments(&journal_dir(target))? {
        let (bytes, sha256) = hash_file(&segment.path)?;
        done += bytes;
        progress(done, total);
        files.push(ManifestFile { path: relative(target, &segment.path)?, bytes, sha256 });
    }
    for (source, _) in sources.iter().filter(|(source, _)| !source.starts_with(journal_dir(data))) {
        let path = relative(data, source)?;
        let (bytes, sha256) = copy_hashed(source, &target.join(&path))?;
        done += bytes;
        progress(done, total);
        files.push(ManifestFile { path, bytes, sha256 });
    }
    let Head { seq, hash } = verified.head;
    let manifest = Manifest { format: FORMAT, seq, hash: hex(&hash), counts: tally.counts(), files };
    let json = serde_json::to_vec_pretty(&manifest).map_err(|error| StoreError::Refused(error.to_string()))?;
    write_new(&target.join(MANIFEST), &json)?;
    Ok(manifest.report(hash_file(&target.join(MANIFEST))?.1))
}

/// Makes the folder; refuses one that holds something.
pub(super) fn make_empty(target: &Path) -> Result<(), StoreError> {
    let doing = || format!("making {}", target.display());
    fs::create_dir_all(target).map_err(io(doing))?;
    if fs::read_dir(target).map_err(io(doing))?.next().is_some() {
        let target = target.display();
        return Err(StoreError::Refused(format!("{target} is not empty: name a folder that is new or empty")));
    }
    sync_dir(target)
}

/// What there is to copy by now, with sizes.
fn sources(data: &Path) -> Result<Vec<(PathBuf, u64)>, StoreError> {
    let mut sources = Vec::new();
    for segment in segments(&journal_dir(data))? {
        // It may be sealed meanwhile; the size serves only the progress.
        let size = fs::metadata(&segment.path).map_or(0, |about| about.len());
        sources.push((segment.path, size));
    }
    for part in PARTS {
        sources.extend(files_below(&data.join(part))?);
    }
    Ok(sources)
}

/// Copies the segments until the copy verifies: the store may be writing to the newest, and sealing older ones. An unfinished tail of the copy
/// is cleared.
fn copy_journal(from: &Path, to: &Path) -> Result<Verified, StoreError> {
    let mut last_error = None;
    for _ in 0..MAX_COPIES {
        match copy_segments(from, to).and_then(|()| verify(to, &mut |_, _| Ok(()))) {
            Ok(verified) => {
                Journal::settle(to, &verified)?;
                drop(Journal::resume(to, EMPTY_SEGMENT_BYTES, verified.clone())?);
                return Ok(verified);
            }
            Err(error @ StoreError::Damaged { .. }) => last_error = Some(error),
            // A segment was sealed between being listed and being copied.
            Err(StoreError::Io { doing, source }) if source.kind() == std_io::ErrorKind::NotFound => {
                last_error = Some(StoreError::Io { doing, source });
            }
            Err(error) => return Err(error),
        }
    }
    Err(last_error.unwrap_or_else(|| StoreError::Refused("the journal could not be copied".into())))
}

/// Copies the segments as they are by now, into a folder of their own.
fn copy_segments(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(io(|| format!("replacing {}", to.display())))?;
    }
    fs::create_dir_all(to).map_err(io(|| format!("making {}", to.display())))?;
    for segment in segments(from)? {
        copy_hashed(&segment.path, &to.join(segment.path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> Result<String, StoreError> {
    let relative = path.strip_prefix(root).ok().and_then(Path::to_str).map(|path| path.replace('\\', "/"));
    relative.ok_or_else(|| StoreError::Refused(format!("{} has no name that can be written down", path.display())))
}

/// Writes the format file last: without it a half restored folder is no store.
pub(super) fn finish_folder(target: &Path) -> Result<(), StoreError> {
    write_format(target)
}
