//! Letting old segments leave the journal for a backup, and bringing them back.
//!
//! A segment may go when both kept snapshots reach behind it, every record of it is whole, and the backup has the very same
//! bytes. The journal then says where it begins and which record comes before: the chain of hashes goes on in the backup.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    backup::{Manifest, ManifestFile, Progress, check_store, copy_hashed, hash_file, read_manifest, relative},
    folder::{io, journal_dir, sync_dir},
    journal::{Begin, Head, Segment, hash_at, prove_sealed, segments, verify_chain},
    port::StoreError,
    snapshot::{self, Snapshot},
};

/// What left the journal, or came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrimReport {
    /// How many segments; in a trial, how many would.
    pub segments: u64,
    /// The bytes they have.
    pub bytes: u64,
    /// The sequence behind which the journal begins now; 0 when it is whole.
    pub begins_behind: u64,
    /// Why it was not more.
    pub because: String,
}

/// A backup that segments may leave for.
pub trait Kept {
    /// As the person named it.
    fn name(&self) -> &str;

    /// What it holds.
    fn manifest(&self) -> &Manifest;

    /// Whether it has this very file: read again, and hashed.
    ///
    /// # Errors
    /// When the place cannot be read at all.
    fn has(&self, file: &ManifestFile) -> Result<bool, StoreError>;

    /// Brings a file durably to `target`, which is not there, and compares its hash.
    ///
    /// # Errors
    /// When the backup's file is missing or another, or the disk says no.
    fn fetch(&self, file: &ManifestFile, target: &Path) -> Result<(), StoreError>;
}

/// A backup in a folder of its own.
#[derive(Debug)]
pub struct KeptInFolder {
    root: PathBuf,
    name: String,
    manifest: Manifest,
}

impl KeptInFolder {
    /// The backup in `root`.
    ///
    /// # Errors
    /// When there is none, or it is damaged or newer.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let name = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()).display().to_string();
        Ok(Self { root: root.to_owned(), name, manifest: read_manifest(root)? })
    }
}

impl Kept for KeptInFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn has(&self, file: &ManifestFile) -> Result<bool, StoreError> {
        let path = self.root.join(&file.path);
        Ok(path.is_file() && hash_file(&path)? == (file.bytes, file.sha256.clone()))
    }

    fn fetch(&self, file: &ManifestFile, target: &Path) -> Result<(), StoreError> {
        let source = self.root.join(&file.path);
        if copy_hashed(&source, target)? == (file.bytes, file.sha256.clone()) {
            return Ok(());
        }
        fs::remove_file(target).map_err(io(|| format!("removing {}", target.display())))?;
        let what = "it is not what the backup's manifest says".to_owned();
        Err(StoreError::Damaged { path: source.display().to_string(), what })
    }
}

/// Lets the oldest segments of the journal in `data` go that `kept` has; in a `trial` says only which would. The store may
/// be in use meanwhile. `progress` hears segments looked at, and how many there are.
///
/// # Errors
/// When `data` holds no store or no snapshot, a segment that should go is damaged, the backup cannot be read, or the disk
/// says no. Nothing has left then that the backup does not have.
pub fn trim(data: &Path, kept: &dyn Kept, trial: bool, progress: Progress<'_>) -> Result<TrimReport, StoreError> {
    check_store(data)?;
    let dir = journal_dir(data);
    let covered = covered(data)?;
    let all = segments(&dir)?;
    let mut report =
        TrimReport { segments: 0, bytes: 0, begins_behind: Begin::of(&dir)?.head.seq, because: String::new() };
    let mut last = None;
    for (segment, following) in all.iter().zip(all.iter().skip(1)) {
        let end = following.start()?;
        progress(report.segments, all.len() as u64);
        match may_go(data, segment, end, covered, kept)? {
            Ok(bytes) => {
                report.segments += 1;
                report.bytes += bytes;
                last = Some((following.number, end));
            }
            Err(because) => {
                report.because = because;
                break;
            }
        }
    }
    let Some((number, head)) = last else { return Ok(report) };
    report.begins_behind = head.seq;
    if !trial {
        // First the journal begins later, then what comes before may go: a kill between leaves files nobody reads.
        Begin { number, head, kept_in: kept.name().to_owned() }.write(&dir)?;
        for segment in all.iter().filter(|segment| segment.number < number) {
            fs::remove_file(&segment.path).map_err(io(|| format!("removing {}", segment.path.display())))?;
        }
        sync_dir(&dir)?;
    }
    Ok(report)
}

/// The bytes of a segment that ends at `end` when it may go, or why not.
fn may_go(
    data: &Path,
    segment: &Segment,
    end: Head,
    covered: u64,
    kept: &dyn Kept,
) -> Result<Result<u64, String>, StoreError> {
    if !segment.sealed {
        return Ok(Err(format!("segment {} is not sealed yet", segment.number)));
    }
    if end.seq > covered {
        return Ok(Err(format!(
            "the snapshots reach sequence {covered}, segment {} ends at {}",
            segment.number, end.seq
        )));
    }
    let (bytes, sha256) = hash_file(&segment.path)?;
    let file = ManifestFile { path: relative(data, &segment.path)?, bytes, sha256 };
    if !kept.manifest().files.contains(&file) || !kept.has(&file)? {
        return Ok(Err(format!("{} does not have segment {} as it is here", kept.name(), segment.number)));
    }
    match prove_sealed(&journal_dir(data), segment.number - 1)?.and_then(|proved| proved.damage) {
        Some(damage) => Err(damage),
        None => Ok(Ok(bytes)),
    }
}

/// How far every snapshot that is kept reaches, each proved and held against the journal.
fn covered(data: &Path) -> Result<u64, StoreError> {
    let mut covered = None;
    for (_, path) in snapshot::newest(data)? {
        let snapshot = Snapshot::open(&path, 0)?;
        snapshot.prove()?;
        let head = snapshot.head();
        if hash_at(&journal_dir(data), head.seq)? != Some(head.hash) {
            let what = "it does not belong to this journal".to_owned();
            return Err(StoreError::Damaged { path: path.display().to_string(), what });
        }
        covered = Some(covered.map_or(head.seq, |least: u64| least.min(head.seq)));
    }
    covered.ok_or_else(|| {
        StoreError::NotYet(
            "there is no snapshot yet, without which the journal must be whole: one is made once a day while the store is open, \
             and whenever much has changed"
                .into(),
        )
    })
}

/// Brings the segments back that have left the journal in `data` for `kept`, as many as it has in a row, and proves that
/// they lead to where the journal begins.
///
/// # Errors
/// When nothing has left, `kept` has none of them, they do not fit, or the disk says no. The journal is as before then.
pub fn bring_back(data: &Path, kept: &dyn Kept, progress: Progress<'_>) -> Result<TrimReport, StoreError> {
    check_store(data)?;
    let dir = journal_dir(data);
    let begin = Begin::of(&dir)?;
    if begin.number == 1 {
        return Err(StoreError::NotYet("nothing has left the journal: it is whole".into()));
    }
    let number_of = |path: &str| path.strip_prefix("journal/")?.strip_suffix(".zst")?.parse().ok();
    let places: HashMap<u64, &ManifestFile> =
        kept.manifest().files.iter().filter_map(|file| Some((number_of(&file.path)?, file))).collect();
    let (mut number, mut bytes) = (begin.number, 0);
    while let Some(file) = places.get(&(number - 1)) {
        let target = data.join(&file.path);
        if target.exists() {
            // Left over from a trimming that was interrupted, or from here.
            fs::remove_file(&target).map_err(io(|| format!("replacing {}", target.display())))?;
        }
        kept.fetch(file, &target)?;
        bytes += file.bytes;
        progress(begin.number - number, begin.number - 1);
        number -= 1;
    }
    let because =
        if number == 1 { String::new() } else { format!("{} does not have segment {}", kept.name(), number - 1) };
    if number == begin.number {
        return Err(StoreError::NotYet(format!("nothing came back: {because}")));
    }
    let head = verify_chain(&dir, number..begin.number, begin.head)?;
    Begin { number, head, kept_in: begin.kept_in }.write(&dir)?;
    Ok(TrimReport { segments: begin.number - number, bytes, begins_behind: head.seq, because })
}
