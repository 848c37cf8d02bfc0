//! Letting go of bodies that nobody needs: not cited or held by the journal, not used by the index, and old enough.
//!
//! A body first leaves its place, then the journal is read to its end once more, and only then it is gone: who cites a
//! body meanwhile and put it first finds it absent and writes it anew, and who cited it without gets it back.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::PoisonError,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{ContentStore, References};
use crate::store::{
    disk,
    folder::io,
    port::{StoreError, is_sha256},
};

/// Where bodies wait while they leave; hidden, so that neither backup nor doctor looks into it.
const LEAVING: &str = ".leaving";
/// No body younger than this goes, whatever is asked for: whoever put it may be about to cite it.
pub const MIN_RETAIN_DAYS: u32 = 1;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of each body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// Bodies that hits cite.
    pub cited: u64,
    /// Bodies that are held and not cited.
    pub held: u64,
    /// Bodies that only the index uses.
    pub indexed: u64,
    /// Bodies nobody needs that are younger than the policy says.
    pub young: u64,
    /// Bodies that went, or in a trial would.
    pub removed: u64,
    /// The bytes they had on disk.
    pub removed_bytes: u64,
}

/// What to let go of.
#[derive(Debug)]
pub(in crate::store) struct Sweep<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// What is known of references before the journal is read: nothing, unless its oldest segments have left.
    pub known: References,
    /// Bodies the index uses.
    pub indexed: &'a HashSet<String>,
    /// The time.
    pub now: SystemTime,
    /// How old a body must be.
    pub retain_days: u32,
    /// Whether to say only what would go.
    pub trial: bool,
}

impl ContentStore {
    /// Lets go of bodies.
    pub(in crate::store) fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweepReport, StoreError> {
        let _only = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let mut references = sweep.known.clone();
        references.read_on(sweep.data)?;
        let oldest = DAY.checked_mul(sweep.retain_days.max(MIN_RETAIN_DAYS)).and_then(|age| sweep.now.checked_sub(age));
        let mut report = SweepReport::default();
        let mut leaving = Vec::new();
        for hash in self.hashes_after("", usize::MAX)? {
            let count = if references.cited.contains_key(&hash) {
                &mut report.cited
            } else if references.holds.contains_key(&hash) {
                &mut report.held
            } else if sweep.indexed.contains(&hash) {
                &mut report.indexed
            } else {
                match self.take_out(&hash, oldest, sweep.trial)? {
                    Some(bytes) => {
                        leaving.push((hash, bytes));
                        continue;
                    }
                    None => &mut report.young,
                }
            };
            *count += 1;
        }
        if !sweep.trial {
            references.read_on(sweep.data)?;
        }
        for (hash, bytes) in leaving {
            if !sweep.trial && references.needs(&hash) {
                self.bring_back(&hash)?;
                report.cited += 1;
                continue;
            }
            if !sweep.trial {
                let path = self.leaving().join(&hash);
                disk::remove(&path).map_err(io(|| format!("removing {}", path.display())))?;
            }
            report.removed += 1;
            report.removed_bytes += bytes;
        }
        Ok(report)
    }

    /// Brings back what was leaving when the process ended.
    pub(super) fn bring_all_back(&self) -> Result<(), StoreError> {
        let dir = self.leaving();
        if !disk::exists(&dir) {
            return Ok(());
        }
        for name in disk::names(&dir).map_err(io(|| format!("listing {}", dir.display())))? {
            if is_sha256(&name) {
                self.bring_back(&name)?;
            }
        }
        Ok(())
    }

    fn leaving(&self) -> PathBuf {
        self.root.with_file_name(LEAVING)
    }

    /// Takes a body older than `oldest` out of its place and says how large it was; none when it is younger. Nobody puts
    /// the same body meanwhile.
    fn take_out(&self, hash: &str, oldest: Option<SystemTime>, trial: bool) -> Result<Option<u64>, StoreError> {
        let path = self.path(hash)?;
        let doing = || format!("letting go of {}", path.display());
        let _alone = self.alone();
        let (bytes, modified) = disk::about(&path).map_err(io(doing))?;
        if oldest.is_none_or(|oldest| modified > oldest) {
            return Ok(None);
        }
        if !trial {
            let dir = self.leaving();
            disk::make_folders(&dir).and_then(|()| disk::rename(&path, &dir.join(hash))).map_err(io(doing))?;
        }
        Ok(Some(bytes))
    }

    fn bring_back(&self, hash: &str) -> Result<(), StoreError> {
        let (from, to) = (self.leaving().join(hash), self.path(hash)?);
        let doing = || format!("bringing {} back", to.display());
        self.make_folders(&to)?;
        // Over a body that was put anew meanwhile: the same bytes.
        disk::rename(&from, &to).map_err(io(doing))?;
        self.unsettle(&to);
        self.settle(&to)
    }
}
