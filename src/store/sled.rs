//! The store on one machine: the journal is the truth, the index can be rebuilt from it.
//!
//! [`SledStore`] hands every command to one writer thread. The writer decides it against the index and the changes of
//! the group that are not applied yet, journals the event, syncs once for the whole group, applies the group to sled in
//! one batch with the sequence it reaches, and only then answers. Reads go to the index at once, so they see what is durable.
//!
//! The index is layers: changes in sled over a snapshot. When there are many, the [`Compactor`](compactor::Compactor) puts an
//! empty layer on top and merges the others into the next snapshot. sled's own `flush` is no sync of the disk; nothing here
//! relies on it.

mod apply;
mod compactor;
mod decide;
mod delta;
mod filter;
mod index;
mod keeper;
mod keys;
mod layers;
mod pace;
mod query;
mod table;
mod view;
mod writer;

use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, sync::Arc, thread::JoinHandle, time::Duration};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::{compactor::Compactor, keeper::Keeper, view::View};
use super::{
    content::{ContentStore, Hold, SweepReport},
    event,
    folder::{Folder, content_dir, journal_dir},
    journal::{self, Head, Sealer},
    port::{
        Act, Batch, Change, ClaimSpec, Counts, Cursor, Due, Filter, HitRow, HostLease, Lease, LeaseRef, MAX_AT_ONCE,
        MarksDelta, Outcome, Page, Receipt, RemarksDelta, Settled, Store, StoreError, StoredListing,
    },
    record::JournalRecord,
    settings::Settings,
};
use crate::model::{AccountName, Capture, CaptureId, Clock, Decision, Hit, HitId, ListingId, Mark, MarkId, Timestamp};

pub(super) use decide::{Answer, Command};
pub(super) use index::{Index, set_aside};
pub(super) use writer::{Job, Writer};

/// Most changes handed out in one call, whatever is asked for.
const MAX_CHANGES: usize = 10_000;

/// The store in a data folder, held by this process until it is dropped.
#[derive(Debug)]
pub struct SledStore {
    folder: Folder,
    settings: Settings,
    clock: Arc<dyn Clock>,
    index: Arc<Index>,
    commands: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    sealer: Option<Sealer>,
    compactor: Option<Compactor>,
    keeper: Option<Keeper>,
}

impl SledStore {
    /// Opens the data folder, or makes it. Verifies the whole journal; an index that is missing, behind or broken
    /// is brought up to it.
    ///
    /// # Errors
    /// When another process holds the folder, a newer program wrote it, the journal is damaged, or the disk says no.
    pub fn open(dir: &Path, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let settings = settings.clamped();
        let (folder, mut writer) = open_parts(dir, &settings, &clock)?;
        let index = Arc::clone(writer.index());
        let sealer = settings.seal.then(|| Sealer::start(dir)).transpose()?;
        let compactor = Compactor::start(Arc::clone(&index))?;
        writer.ring(sealer.as_ref().and_then(Sealer::bell), compactor.bell());
        let (sender, receiver) = mpsc::channel(settings.queue);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(receiver))
            .map_err(super::folder::io(|| "starting the store's writer".to_owned()))?;
        let keeper = Some(Keeper::start(dir, Arc::clone(&index), Arc::clone(&clock), &settings)?);
        let (commands, writer, compactor) = (Some(sender), Some(thread), Some(compactor));
        Ok(Self { folder, settings, clock, index, commands, writer, sealer, compactor, keeper })
    }

    /// Like [`open`](Self::open), with nothing going on in other threads: the caller serves the writer. What is returned
    /// only reads.
    #[cfg(test)]
    pub(super) fn open_alone(
        dir: &Path,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Writer), StoreError> {
        let settings = settings.clamped();
        let (folder, writer) = open_parts(dir, &settings, &clock)?;
        let index = Arc::clone(writer.index());
        let (sealer, compactor, keeper) = (None, None, None);
        let store = Self { folder, settings, clock, index, commands: None, writer: None, sealer, compactor, keeper };
        Ok((store, writer))
    }

    /// The content store beside the journal.
    pub fn content(&self) -> &ContentStore {
        self.index.content()
    }

    /// Seals every full segment of the journal by now, where a background thread would soon, and returns how many those
    /// were. Does nothing when the settings say that segments stay raw.
    ///
    /// # Errors
    /// When a segment does not fit together, or the disk says no; nothing is lost then.
    pub fn seal(&self) -> Result<u64, StoreError> {
        self.sealer.as_ref().map_or(Ok(0), Sealer::seal_now)
    }

    /// Makes a snapshot of everything by now, where a background thread would once enough has changed. Returns the sequence
    /// it reaches; none when nothing was changed since the last.
    ///
    /// # Errors
    /// When the disk says no; nothing is lost then.
    pub fn snapshot(&self) -> Result<Option<u64>, StoreError> {
        self.index.merge_now()
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// What is held, and why.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn holds(&self) -> Result<BTreeMap<String, Hold>, StoreError> {
        self.view()?.holds()
    }

    /// Shows every listing of the archive, in the order of their ids.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn each_listing(&self, show: &mut dyn FnMut(StoredListing)) -> Result<(), StoreError> {
        self.index.each_listing(show)
    }

    /// Lets go of bodies that neither hits nor holds nor the index need and nobody put in `retain_days` days; in a `trial`
    /// says only which would go. The store may be in use meanwhile.
    ///
    /// # Errors
    /// When the journal cannot be read, or the disk says no.
    pub fn sweep(&self, retain_days: u32, trial: bool) -> Result<SweepReport, StoreError> {
        keeper::sweep(self.root(), &self.index, self.clock.now(), retain_days, trial)
    }

    /// Hands every record of the journal with a sequence in `range` to `visit`, byte for byte; stops at its durable end.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged, or `visit` failed.
    pub fn records(
        &self,
        range: RangeInclusive<u64>,
        visit: &mut dyn FnMut(JournalRecord<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let end = self.view()?.meta().counts.seq.min(*range.end());
        if *range.start() > end {
            return Ok(());
        }
        journal::read_whole(&journal_dir(self.root()), *range.start()..=end, &mut |head, bytes| {
            visit(JournalRecord { seq: head.seq, hash: head.hash, bytes })
        })
    }

    /// How far the index reaches, and its counters.
    pub(super) fn standing(&self) -> Result<(Head, Counts), StoreError> {
        Ok((self.index.applied()?, self.index.counts()?))
    }

    async fn ask(&self, command: Command) -> Result<Answer, StoreError> {
        let ended = || StoreError::Stopped("the writer has ended; start again".into());
        let (answer, answered) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or_else(ended)?;
        commands.send(Job { command, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn ask_bool(&self, command: Command) -> Result<bool, StoreError> {
        match self.ask(command).await? {
            Answer::Held(held) => Ok(held),
            other => Err(other.unexpected()),
        }
    }

    async fn ask_leases(&self, command: Command) -> Result<Vec<Lease>, StoreError> {
        match self.ask(command).await? {
            Answer::Leases(leases) => Ok(leases),
            other => Err(other.unexpected()),
        }
    }

    async fn ask_outcome(&self, command: Command) -> Result<Outcome, StoreError> {
        match self.ask(command).await? {
            Answer::Outcome(outcome) => Ok(outcome),
            other => Err(other.unexpected()),
        }
    }

    fn view(&self) -> Result<View<'_>, StoreError> {
        View::new(&self.index, self.settings.inline_bytes)
    }
}

/// The data folder, held, and the writer of what is in it.
fn open_parts(dir: &Path, settings: &Settings, clock: &Arc<dyn Clock>) -> Result<(Folder, Writer), StoreError> {
    let folder = Folder::open(dir)?;
    let content = ContentStore::open(&content_dir(dir))?;
    Ok((folder, Writer::open(dir, content, settings, Arc::clone(clock))?))
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Everything that writes ends before the folder is let go of.
        self.keeper = None;
        self.commands = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
        // Before the folder's lock goes.
        self.compactor = None;
        self.sealer = None;
    }
}

#[async_trait]
impl Store for SledStore {
    async fn apply(&self, batch: Batch) -> Result<Receipt, StoreError> {
        let writes = event::settle(&batch.writes)?;
        match self.ask(Command::Apply { actor: batch.actor, writes }).await? {
            Answer::Receipt(receipt) => Ok(receipt),
            other => Err(other.unexpected()),
        }
    }

    async fn claim(&self, spec: &ClaimSpec) -> Result<Vec<Lease>, StoreError> {
        self.ask_leases(Command::Claim(spec.clone())).await
    }

    async fn claim_among(
        &self,
        ids: &[HitId],
        worker: &AccountName,
        max: usize,
        ttl: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let ids = ids.iter().take(MAX_AT_ONCE).copied().collect();
        self.ask_leases(Command::ClaimAmong { ids, worker: worker.clone(), max, ttl }).await
    }

    async fn settle(&self, act: &Act) -> Result<Settled, StoreError> {
        match self.ask(Command::Settle(act.clone())).await? {
            Answer::Settled(settled) => Ok(settled),
            other => Err(other.unexpected()),
        }
    }

    async fn claim_one(&self, hit: HitId, worker: &AccountName, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let leases = self.ask_leases(Command::ClaimOne { hit, worker: worker.clone(), ttl }).await?;
        Ok(leases.into_iter().next())
    }

    async fn renew(&self, lease: &LeaseRef, ttl: Duration) -> Result<bool, StoreError> {
        self.ask_bool(Command::Renew { lease: lease.clone(), ttl }).await
    }

    async fn complete(&self, lease: &LeaseRef, decision: Decision) -> Result<Outcome, StoreError> {
        self.ask_outcome(Command::Complete { lease: lease.clone(), decision }).await
    }

    async fn reopen(&self, hit: HitId, decision: Decision) -> Result<Outcome, StoreError> {
        self.ask_outcome(Command::Reopen { hit, decision }).await
    }

    async fn release(&self, lease: &LeaseRef, not_before: Option<Timestamp>) -> Result<bool, StoreError> {
        self.ask_bool(Command::Release { lease: lease.clone(), not_before }).await
    }

    async fn expire(&self, limit: usize) -> Result<usize, StoreError> {
        match self.ask(Command::Expire { limit }).await? {
            Answer::Ended(count) => Ok(count),
            other => Err(other.unexpected()),
        }
    }

    async fn page(&self, filter: &Filter, cursor: Option<Cursor>, n: usize) -> Result<Page, StoreError> {
        query::page(&self.view()?, filter, cursor, n, &query::Bounds::new(self.clock.now(), self.settings.scan_limit))
    }

    async fn rows(&self, ids: &[HitId]) -> Result<Vec<HitRow>, StoreError> {
        query::rows(&self.view()?, ids.iter().take(MAX_AT_ONCE), self.clock.now())
    }

    async fn hit(&self, id: HitId) -> Result<Option<Hit>, StoreError> {
        self.view()?.get(&keys::hit(id))
    }

    async fn listing(&self, id: &ListingId) -> Result<Option<StoredListing>, StoreError> {
        self.view()?.get(&keys::listing(id))
    }

    async fn capture(&self, id: &CaptureId) -> Result<Option<Capture>, StoreError> {
        self.view()?.get(&keys::capture(id))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.view()?.meta().counts)
    }

    async fn marks_since(&self, generation: u64) -> Result<MarksDelta, StoreError> {
        query::marks_since(&self.view()?, generation)
    }

    async fn mark(&self, id: &MarkId) -> Result<Option<Mark>, StoreError> {
        query::mark(&self.view()?, id)
    }

    async fn remarks_since(&self, generation: u64) -> Result<RemarksDelta, StoreError> {
        query::remarks_since(&self.view()?, generation)
    }

    async fn due(&self, limit: usize) -> Result<Vec<Due>, StoreError> {
        query::due(&self.view()?, self.clock.now(), limit)
    }

    async fn next_due(&self, schedule: &str) -> Result<Option<Timestamp>, StoreError> {
        self.view()?.get(&keys::schedule(schedule))
    }

    async fn claim_hosts(&self, hosts: &[String], worker: &str, ttl: Duration) -> Result<Vec<HostLease>, StoreError> {
        match self.ask(Command::ClaimHosts { hosts: hosts.to_vec(), worker: worker.to_owned(), ttl }).await? {
            Answer::Hosts(leases) => Ok(leases),
            other => Err(other.unexpected()),
        }
    }

    async fn host_done(&self, lease: &HostLease, next_at: Timestamp) -> Result<bool, StoreError> {
        self.ask_bool(Command::HostDone { lease: lease.clone(), next_at }).await
    }

    async fn changes_since(&self, seq: u64, n: usize) -> Result<Vec<Change>, StoreError> {
        let newest = self.view()?.meta().counts.seq;
        let end = newest.min(seq.saturating_add(n.min(MAX_CHANGES) as u64));
        let mut changes = Vec::new();
        if seq < end {
            journal::read(&journal_dir(self.root()), seq + 1..=end, &mut |head, payload| {
                changes.push(event::change(head.seq, payload)?);
                Ok(())
            })?;
        }
        Ok(changes)
    }
}
