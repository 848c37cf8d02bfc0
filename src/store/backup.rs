//! A backup: the journal's committed bytes, the content store and the evidence files, with a manifest of their hashes.
//!
//! [`backup`] copies while the store is in use; [`restore`] brings a backup into an empty folder and proves it.
//! The index is left out: it is rebuilt from the journal.

mod copy;
mod manifest;
mod restore;
mod tally;

use std::{
    fs, io as std_io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub(super) use copy::{copy_hashed, files_below, hash_file};
pub(super) use manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestFile};
pub use restore::restore;
pub(super) use restore::settle_restored;
pub(super) use tally::Tally;

use super::{
    event::Entry,
    folder::{check_format, io, journal_dir, sync_dir, write_new},
    journal::{Head, Journal, segments, verify},
    port::{Counts, StoreError},
};

const MANIFEST: &str = "manifest.json";
/// How often a segment is copied again because the store was writing to it.
const MAX_COPIES: u32 = 5;
/// The segment of a journal that has none yet.
const EMPTY_SEGMENT_BYTES: u64 = 64 * 1024;
/// The parts that are copied beside the journal. Bodies and records are only ever added, so what the copied journal
/// cites is there when they are copied after it.
/// Signed checkpoints are copied, the key that signs them is not.
pub(super) const PARTS: [&str; 3] = ["content", "evidence", "ledger/checkpoints"];

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

/// Copies the store in `data` to `target`, which must be empty or absent. The store may be in use meanwhile; everything it
/// had acknowledged before the call is in the backup.
///
/// # Errors
/// When `data` holds no store, its journal is damaged, `target` is not empty, or the disk says no.
pub fn backup(data: &Path, target: &Path, progress: Progress<'_>) -> Result<BackupReport, StoreError> {
    check_store(data)?;
    make_empty(target)?;
    let copied = copy_journal(&journal_dir(data), &journal_dir(target), copy)?;
    let sources = parts(data)?;
    let total = copied.bytes + sources.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let mut done = 0;
    let mut files = Vec::new();
    for segment in segments(&journal_dir(target))? {
        let (bytes, sha256) = hash_file(&segment.path)?;
        done += bytes;
        progress(done, total);
        files.push(ManifestFile { path: relative(target, &segment.path)?, bytes, sha256 });
    }
    for (source, _) in &sources {
        let path = relative(data, source)?;
        let (bytes, sha256) = copy_hashed(source, &target.join(&path))?;
        done += bytes;
        progress(done, total);
        files.push(ManifestFile { path, bytes, sha256 });
    }
    let manifest = Manifest::new(&copied, files);
    write_new(&target.join(MANIFEST), &manifest.to_json()?)?;
    Ok(manifest.report(hash_file(&target.join(MANIFEST))?.1))
}

/// Refuses a folder without a store.
pub(super) fn check_store(data: &Path) -> Result<(), StoreError> {
    if check_format(data)? {
        return Ok(());
    }
    Err(StoreError::Refused(format!("{} holds no store: name its data folder", data.display())))
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

/// What there is to copy beside the journal by now, with sizes. Ask after the journal is copied: what it cites is there then.
pub(super) fn parts(data: &Path) -> Result<Vec<(PathBuf, u64)>, StoreError> {
    let mut files = Vec::new();
    for part in PARTS {
        files.extend(files_below(&data.join(part))?);
    }
    Ok(files)
}

/// A journal that was copied and verified.
#[derive(Debug)]
pub(super) struct Copied {
    /// Its end.
    pub head: Head,
    /// What it amounts to.
    pub counts: Counts,
    /// The bytes of its segments.
    pub bytes: u64,
}

/// Brings a segment that is not written to any more into the copy.
pub(super) type Take = fn(&Path, &Path) -> Result<(), StoreError>;

/// Copies the bytes.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    copy_hashed(from, to).map(drop)
}

/// Copies the segments until the copy verifies: the store may be writing to the newest, and sealing older ones. An unfinished tail of the copy
/// is cleared.
pub(super) fn copy_journal(from: &Path, to: &Path, take: Take) -> Result<Copied, StoreError> {
    let mut last_error = None;
    for _ in 0..MAX_COPIES {
        let mut tally = Tally::default();
        let copied = copy_segments(from, to, take).and_then(|bytes| {
            let verified = verify(to, &mut |head, payload| {
                tally.add(head.seq, &Entry::decode(head.seq, payload)?.event);
                Ok(())
            })?;
            Ok((verified, bytes))
        });
        match copied {
            Ok((verified, bytes)) => {
                Journal::settle(to, &verified)?;
                let head = verified.head;
                drop(Journal::resume(to, EMPTY_SEGMENT_BYTES, verified)?);
                return Ok(Copied { head, counts: tally.counts(), bytes });
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

/// Brings the segments as they are by now into a folder of their own; returns their bytes. The newest is always copied:
/// the store writes to it, and the copy's end is cleared.
fn copy_segments(from: &Path, to: &Path, take: Take) -> Result<u64, StoreError> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(io(|| format!("replacing {}", to.display())))?;
    }
    fs::create_dir_all(to).map_err(io(|| format!("making {}", to.display())))?;
    let segments = segments(from)?;
    let mut bytes = 0;
    for (index, segment) in segments.iter().enumerate() {
        let target = to.join(segment.path.file_name().unwrap_or_default());
        let take = if index + 1 == segments.len() { copy } else { take };
        take(&segment.path, &target)?;
        bytes += fs::metadata(&target).map_or(0, |about| about.len());
    }
    Ok(bytes)
}

pub(super) fn relative(root: &Path, path: &Path) -> Result<String, StoreError> {
    let relative = path.strip_prefix(root).ok().and_then(Path::to_str).map(|path| path.replace('\\', "/"));
    relative.ok_or_else(|| StoreError::Refused(format!("{} has no name that can be written down", path.display())))
}
