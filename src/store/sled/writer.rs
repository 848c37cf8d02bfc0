//! The one thread that writes: decides, journals, syncs, applies, answers, in that order.

use std::{
    path::Path,
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    apply::apply,
    decide::{Answer, Command, decide},
    index::Index,
    view::View,
};
use crate::{
    model::Clock,
    store::{
        content::ContentStore,
        event::Entry,
        folder::journal_dir,
        journal::{Journal, check},
        port::StoreError,
        settings::Settings,
    },
};

/// A group is closed when it has this many bytes, however many commands wait.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;
/// How long a store that failed to write is left alone before the next command tries again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A command and where its answer goes.
#[derive(Debug)]
pub(in crate::store) struct Job {
    pub command: Command,
    pub answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// An answer that waits for the group's sync.
type Waiting = (oneshot::Sender<Result<Answer, StoreError>>, Result<Answer, StoreError>);

/// Holds the journal. After a failure nothing is written before a later command finds that it can be again.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    journal: Journal,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    full: Option<SyncSender<()>>,
    stopped: Option<Stop>,
    patience: Duration,
}

#[derive(Debug)]
struct Stop {
    why: String,
    since: Instant,
}

impl Writer {
    /// Brings the index in `root` up to the journal and opens both, the journal for writing. The caller holds the folder.
    pub fn open(
        root: &Path,
        content: ContentStore,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let dir = journal_dir(root);
        // Nothing is written before the journal is known to be whole, and none of it before the index agrees.
        let verified = check(&dir)?;
        let index = Index::open(root, content, settings)?;
        index.refuse_if_ahead(verified.head)?;
        // What was read may still stand in memory only: a process was killed between writing and syncing. The index
        // must not learn what a power cut could take back.
        Journal::settle(&dir, &verified)?;
        let index = index.fit(verified.head)?;
        let journal = Journal::resume(&dir, settings.segment_bytes, verified)?;
        let index = Arc::new(index);
        let settings = settings.clone();
        Ok(Self { journal, index, clock, settings, full: None, stopped: None, patience: PATIENCE })
    }

    /// The index it writes to.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Has the next command after a failure try again at once, so that a test need not wait.
    #[cfg(test)]
    pub fn hurry(&mut self) {
        self.patience = Duration::ZERO;
    }

    /// The newest durable record.
    #[cfg(test)]
    pub fn head(&self) -> crate::store::journal::Head {
        self.journal.head()
    }

    /// Rings `segment` from now on when a segment is full, `index` when a snapshot is due. Whoever listens is never waited for.
    pub fn ring(&mut self, segment: Option<SyncSender<()>>, index: Option<SyncSender<()>>) {
        self.journal.ring(segment);
        self.full = index;
    }

    /// Serves until every sender is gone.
    pub fn run(mut self, mut commands: mpsc::Receiver<Job>) {
        while let Some(first) = commands.blocking_recv() {
            self.serve(first, &mut || commands.try_recv().ok());
        }
    }

    /// Serves one group: `first` and what `more` has by now.
    pub fn serve(&mut self, first: Job, more: &mut dyn FnMut() -> Option<Job>) {
        if let Some(why) = self.still_stopped() {
            return refuse(first.answer, &why);
        }
        let mut waiting = Vec::new();
        if let Err(error) = self.write_group(first, more, &mut waiting) {
            let why = error.to_string();
            tracing::error!(%error, "the store stops writing; reads go on");
            for (answer, _) in waiting {
                refuse(answer, &why);
            }
            self.stopped = Some(Stop { why, since: Instant::now() });
            return;
        }
        for (answer, result) in waiting {
            // Who asked may have gone; what was done stands.
            drop(answer.send(result));
        }
    }

    /// After a failure, tries to go on once in a while; says why it cannot.
    fn still_stopped(&mut self) -> Option<String> {
        let stop = self.stopped.as_mut()?;
        if stop.since.elapsed() < self.patience {
            return Some(stop.why.clone());
        }
        let again = self.journal.go_on().and_then(|()| self.index.follow(self.journal.head()));
        match again {
            Ok(()) => {
                tracing::info!(seq = self.journal.head().seq, "the store writes again");
                self.stopped = None;
                None
            }
            Err(error) => {
                let why = error.to_string();
                self.stopped = Some(Stop { why: why.clone(), since: Instant::now() });
                Some(why)
            }
        }
    }

    fn write_group(
        &mut self,
        first: Job,
        more: &mut dyn FnMut() -> Option<Job>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), StoreError> {
        let index = Arc::clone(&self.index);
        let _entered = index.enter();
        let mut view = match View::new(&index, self.settings.inline_bytes) {
            Ok(view) => view,
            Err(error) => {
                waiting.push((first.answer, Err(StoreError::Stopped(error.to_string()))));
                return Err(error);
            }
        };
        let mut next = Some(first);
        while let Some(job) = next {
            let result = self.take(&mut view, job.command);
            let (result, fatal) = match result {
                Ok(result) => (result, None),
                Err(error) => (Err(StoreError::Stopped(error.to_string())), Some(error)),
            };
            waiting.push((job.answer, result));
            if let Some(error) = fatal {
                return Err(error);
            }
            let full = waiting.len() >= self.settings.group || self.journal.staged_bytes() >= MAX_GROUP_BYTES;
            next = if full { None } else { more() };
        }
        if self.journal.staged_bytes() == 0 {
            return Ok(());
        }
        self.journal.commit()?;
        view.commit(self.journal.head())?;
        if let Some(full) = self.full.as_ref().filter(|_| index.is_full()) {
            full.try_send(()).ok();
        }
        Ok(())
    }

    /// Decides and stages one command. The outer error ends all writing, the inner one is this command's answer.
    fn take(&mut self, view: &mut View<'_>, command: Command) -> Result<Result<Answer, StoreError>, StoreError> {
        let now = self.clock.now();
        let (entry, mut answer) = match decide(view, now, self.settings.scan_limit, command) {
            Ok(decided) => match decided.event {
                Some((actor, event)) => (Entry { at: now, actor, event }, decided.answer),
                None => return Ok(Ok(decided.answer)),
            },
            Err(refused @ StoreError::Refused(_)) => return Ok(Err(refused)),
            Err(fatal) => return Err(fatal),
        };
        let seq = match entry.encode().and_then(|payload| self.journal.stage(&payload)) {
            Ok(seq) => seq,
            Err(refused @ StoreError::Refused(_)) => return Ok(Err(refused)),
            Err(fatal) => return Err(fatal),
        };
        apply(view, &entry)?;
        if let Answer::Receipt(receipt) = &mut answer {
            receipt.seq = seq;
        }
        Ok(Ok(answer))
    }
}

fn refuse(answer: oneshot::Sender<Result<Answer, StoreError>>, why: &str) {
    drop(answer.send(Err(StoreError::Stopped(why.to_owned()))));
}
