//! A backup: the journal's committed bytes, the newest snapshot, the content store and the evidence files, with a manifest of
//! their hashes.
//!
//! [`backup`] copies while the store is in use; [`restore`] brings a backup into an empty folder and proves it.
//! The rest of the index is left out: it is rebuilt from the journal.

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
pub(super) use manifest::MAX_MANIFEST_BYTES;
pub use manifest::{Manifest, ManifestFile};
pub use restore::restore;
pub(super) use restore::{read_manifest, settle_restored};
pub(super) use tally::Tally;

use super::{
    content::ContentStore,
    event::Entry,
    folder::{check_format, content_dir, index_dir, io, journal_dir, snapshot_dir, sync_dir, write_new},
    journal::{self, Begin, Head, Journal, hash_at, segments, verify},
    port::{Counts, StoreError},
    settings::Settings,
    sled::Index,
    snapshot::{self, Snapshot},
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
    let copied = copy_state(data, target, copy)?;
    let sources = parts(data)?;
    let total = copied.bytes + sources.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let mut done = 0;
    let mut files = Vec::new();
    for file in &copied.files {
        let (bytes, sha256) = hash_file(file)?;
        done += bytes;
        progress(done, total);
        files.push(ManifestFile { path: relative(target, file)?, bytes, sha256 });
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

/// A journal that was copied and verified, with the newest snapshot it reaches.
#[derive(Debug)]
pub(super) struct Copied {
    /// Its end.
    pub head: Head,
    /// What it amounts to.
    pub counts: Counts,
    /// The copied files.
    pub files: Vec<PathBuf>,
    /// Their bytes.
    pub bytes: u64,
}

/// Brings a file that is not written to any more into the copy.
pub(super) type Take = fn(&Path, &Path) -> Result<(), StoreError>;

/// Copies the bytes.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    copy_hashed(from, to).map(drop)
}

/// Copies the journal and the newest snapshot of the store in `data` below `target` until the copy verifies: the store may
/// be writing to the newest segment, sealing older ones and making snapshots. An unfinished tail of the copy is cleared.
pub(super) fn copy_state(data: &Path, target: &Path, take: Take) -> Result<Copied, StoreError> {
    let mut last_error = None;
    for _ in 0..MAX_COPIES {
        match try_to_copy(data, target, take) {
            Err(error @ StoreError::Damaged { .. }) => last_error = Some(error),
            // A segment was sealed, or a snapshot replaced, between being listed and being copied.
            Err(StoreError::Io { doing, source }) if source.kind() == std_io::ErrorKind::NotFound => {
                last_error = Some(StoreError::Io { doing, source });
            }
            copied => return copied,
        }
    }
    Err(last_error.unwrap_or_else(|| StoreError::Refused("the journal could not be copied".into())))
}

fn try_to_copy(data: &Path, target: &Path, take: Take) -> Result<Copied, StoreError> {
    let to = journal_dir(target);
    for part in [&to, &snapshot_dir(target)] {
        if part.exists() {
            fs::remove_dir_all(part).map_err(io(|| format!("replacing {}", part.display())))?;
        }
        fs::create_dir_all(part).map_err(io(|| format!("making {}", part.display())))?;
    }
    // Before the journal, which then reaches at least as far.
    let snapshot = copy_snapshot(data, target, take)?;
    copy_segments(&journal_dir(data), &to, take)?;
    let mut tally = Tally::default();
    let verified = verify(&to, &mut |head, payload| {
        tally.add(head.seq, &Entry::decode(head.seq, payload)?.event);
        Ok(())
    })?;
    Journal::settle(&to, &verified)?;
    let (first, head) = (verified.first, verified.head);
    drop(Journal::resume(&to, EMPTY_SEGMENT_BYTES, verified)?);
    if let Some(snapshot) = &snapshot
        && hash_at(&to, snapshot.head().seq)? != Some(snapshot.head().hash)
    {
        let what = "it does not belong to the journal beside it".to_owned();
        return Err(StoreError::Damaged { path: snapshot.path().display().to_string(), what });
    }
    // What has left the journal only the index still counts.
    let counts = if first.seq == 0 { tally.counts() } else { counts_over(data, target, head)? };
    let mut files = journal::files(&to)?;
    files.extend(snapshot.map(|snapshot| snapshot.path().to_owned()));
    let bytes = files.iter().map(|file| fs::metadata(file).map_or(0, |about| about.len())).sum();
    Ok(Copied { head, counts, files, bytes })
}

/// Brings the newest snapshot that is whole into the copy.
fn copy_snapshot(data: &Path, target: &Path, take: Take) -> Result<Option<Snapshot>, StoreError> {
    for (seq, path) in snapshot::newest(data)? {
        let to = snapshot::place(target, seq);
        take(&path, &to)?;
        match Snapshot::open(&to, 0).and_then(|copied| copied.prove().map(|()| copied)) {
            Ok(copied) => return Ok(Some(copied)),
            Err(StoreError::Damaged { .. }) => {
                fs::remove_file(&to).map_err(io(|| format!("removing {}", to.display())))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// What the copied journal amounts to, counted by an index over the copied snapshot.
fn counts_over(data: &Path, target: &Path, head: Head) -> Result<Counts, StoreError> {
    // What the index writes goes with it; in the backup belongs only what the store has.
    let scratch = target.join(".scratch");
    let content = ContentStore::open(&scratch)?.over(&content_dir(data));
    let counts = Index::open(target, content, &Settings::default())?.fit(head)?.counts()?;
    for folder in [index_dir(target), scratch] {
        fs::remove_dir_all(&folder).map_err(io(|| format!("removing {}", folder.display())))?;
    }
    Ok(counts)
}

/// Brings the segments as they are by now into the copy. The newest is always copied: the store writes to it, and the
/// copy's end is cleared.
fn copy_segments(from: &Path, to: &Path, take: Take) -> Result<(), StoreError> {
    let begin = Begin::of(from)?;
    if begin.head.seq > 0 {
        begin.write(to)?;
    }
    let segments = segments(from)?;
    for (index, segment) in segments.iter().enumerate() {
        let target = to.join(segment.path.file_name().unwrap_or_default());
        let take = if index + 1 == segments.len() { copy } else { take };
        take(&segment.path, &target)?;
    }
    Ok(())
}

pub(super) fn relative(root: &Path, path: &Path) -> Result<String, StoreError> {
    let relative = path.strip_prefix(root).ok().and_then(Path::to_str).map(|path| path.replace('\\', "/"));
    relative.ok_or_else(|| StoreError::Refused(format!("{} has no name that can be written down", path.display())))
}
