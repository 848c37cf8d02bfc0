//! The keeper: while a store is open it looks for rot, a few bodies and one sealed segment a minute, the snapshot once a day;
//! and once a day it lets go of the bodies that the policy names.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{index::Index, view::View};
use crate::{
    model::{Clock, Timestamp},
    store::{
        content::{References, Sweep, SweepReport},
        folder::{io, journal_dir},
        journal::{Begin, Head, prove_sealed},
        port::StoreError,
        settings::Settings,
    },
};

const ROUND_EVERY: Duration = Duration::from_secs(60);
const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts keeping the store in `data`; the first round is a minute later.
    pub fn start(
        data: &Path,
        index: Arc<Index>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = mpsc::channel();
        let mut rounds = Rounds {
            data: data.to_owned(),
            index,
            clock,
            scrub_bodies: settings.scrub_bodies,
            retain_days: settings.retain_days,
            segment: 0,
            proved: None,
            swept: None,
        };
        let keep = move || {
            while stopped.recv_timeout(ROUND_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = rounds.run() {
                    tracing::warn!(%error, "cannot look after the store");
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-keeper".into())
            .spawn(keep)
            .map_err(io(|| "starting the store's keeper".to_owned()))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's keeper ended by a panic");
        }
    }
}

#[derive(Debug)]
struct Rounds {
    data: PathBuf,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    scrub_bodies: usize,
    retain_days: u32,
    /// The sealed segment that was proved last.
    segment: u64,
    /// When the snapshot was proved.
    proved: Option<Timestamp>,
    swept: Option<Timestamp>,
}

impl Rounds {
    fn run(&mut self) -> Result<(), StoreError> {
        if self.scrub_bodies > 0 {
            for hash in self.index.content().scrub(self.scrub_bodies)?.damaged {
                tracing::error!(hash, "a body is damaged: bring its file back from a backup");
            }
            self.prove_segment()?;
        }
        let now = self.clock.now();
        let due = |last: Option<Timestamp>| last.is_none_or(|last| now.duration_since(last) >= DAY);
        if self.scrub_bodies > 0 && due(self.proved) {
            self.proved = Some(now);
            self.index.prove_snapshot()?;
        }
        if self.retain_days > 0 && due(self.swept) {
            let report = sweep(&self.data, &self.index, now, self.retain_days, false)?;
            tracing::info!(removed = report.removed, bytes = report.removed_bytes, "let go of bodies nobody needs");
            self.swept = Some(now);
        }
        Ok(())
    }

    fn prove_segment(&mut self) -> Result<(), StoreError> {
        let proved = prove_sealed(&journal_dir(&self.data), self.segment)?;
        self.segment = proved.as_ref().map_or(0, |proved| proved.number);
        if let Some(error) = proved.and_then(|proved| proved.damage) {
            tracing::error!(%error, "a sealed segment of the journal is damaged");
        }
        Ok(())
    }
}

/// What the index says about bodies, where the journal cannot say it any more. It may know more than it says it does, and
/// counts that twice: a body is kept then, never let go of.
fn references(index: &Index) -> Result<References, StoreError> {
    let mut references = References { head: index.applied()?, ..References::default() };
    references.holds = View::new(index, usize::MAX)?.holds()?;
    index.each_hit(&mut |hit| {
        if let Some(hash) = hit.what.evidence {
            *references.cited.entry(hash).or_default() += 1;
        }
    })?;
    Ok(references)
}

/// Lets go of bodies that nobody needs; in a `trial` only says which.
pub(super) fn sweep(
    data: &Path,
    index: &Index,
    now: Timestamp,
    retain_days: u32,
    trial: bool,
) -> Result<SweepReport, StoreError> {
    let indexed = index.bodies()?;
    let whole = Begin::of(&journal_dir(data))?.head == Head::START;
    let known = if whole { References::default() } else { references(index)? };
    index.content().sweep(&Sweep { data, known, indexed: &indexed, now: now.into(), retain_days, trial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ManualClock, SystemClock},
        store::{MIN_RETAIN_DAYS, SledStore},
    };

    #[test]
    fn a_round_scrubs_a_few_bodies_and_sweeps_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path(), &Settings::default(), Arc::new(SystemClock)).unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let mut rounds = Rounds {
            data: dir.path().to_owned(),
            index: Arc::clone(&store.index),
            clock: Arc::<ManualClock>::clone(&clock),
            scrub_bodies: 1,
            retain_days: MIN_RETAIN_DAYS,
            segment: 0,
            proved: None,
            swept: None,
        };
        let hash = store.content().put(b"nobody needs it").unwrap();
        rounds.run().unwrap();
        assert!(store.content().get(&hash).unwrap().is_some(), "it is young");
        for (hours, there) in [(23, true), (24, false)] {
            clock.advance(jiff::SignedDuration::from_hours(hours));
            rounds.run().unwrap();
            assert_eq!(store.content().get(&hash).unwrap().is_some(), there, "after {hours} hours more");
        }
        rounds.retain_days = 0;
        let kept = store.content().put(b"kept for good").unwrap();
        clock.advance(jiff::SignedDuration::from_hours(24 * 3650));
        rounds.run().unwrap();
        assert!(store.content().get(&kept).unwrap().is_some());
    }
}
