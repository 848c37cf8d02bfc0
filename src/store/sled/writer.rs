//! The one thread that writes: decides, journals, syncs, applies, answers, in that order.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{
    apply::apply,
    decide::{Answer, Command, decide},
    index::Index,
    view::View,
};
use crate::{
    model::Clock,
    store::{event::Entry, journal::Journal, port::StoreError, settings::Settings},
};

/// A group is closed when it has this many bytes, however many commands wait.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// A command and where its answer goes.
#[derive(Debug)]
pub(super) struct Job {
    pub command: Command,
    pub answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// An answer that waits for the group's sync.
type Waiting = (oneshot::Sender<Result<Answer, StoreError>>, Result<Answer, StoreError>);

/// Holds the journal; after a failure nothing is written any more.
#[derive(Debug)]
pub(super) struct Writer {
    journal: Journal,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    stopped: Option<String>,
}

impl Writer {
    pub fn new(journal: Journal, index: Arc<Index>, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self { journal, index, clock, settings: settings.clone(), stopped: None }
    }

    /// Serves until every sender is gone.
    pub fn run(mut self, mut commands: mpsc::Receiver<Job>) {
        while let Some(first) = commands.blocking_recv() {
            match &self.stopped {
                Some(why) => refuse(first.answer, why),
                None => self.serve(first, &mut commands),
            }
        }
    }

    /// Serves one group: `first` and what else waits by now.
    fn serve(&mut self, first: Job, commands: &mut mpsc::Receiver<Job>) {
        let mut waiting = Vec::new();
        if let Err(error) = self.write_group(first, commands, &mut waiting) {
            let why = error.to_string();
            tracing::error!(%error, "the store stops writing; reads go on");
            for (answer, _) in waiting {
                refuse(answer, &why);
            }
            self.stopped = Some(why);
            return;
        }
        for (answer, result) in waiting {
            // Who asked may have gone; what was done stands.
            drop(answer.send(result));
        }
    }

    fn write_group(
        &mut self,
        first: Job,
        commands: &mut mpsc::Receiver<Job>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), StoreError> {
        let index = Arc::clone(&self.index);
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
            next = if full { None } else { commands.try_recv().ok() };
        }
        if self.journal.staged_bytes() == 0 {
            return Ok(());
        }
        self.journal.commit()?;
        view.commit(self.journal.head())
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
