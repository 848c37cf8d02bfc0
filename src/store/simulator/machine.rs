//! The store as one process has it open: the real one, without threads.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    model::{Clock, ManualClock, Timestamp},
    store::{
        journal::Head,
        port::StoreError,
        settings::Settings,
        sled::{Answer, Command, Index, Job, SledStore, Writer},
    },
};

/// The store's data folder: two folders that are not there at first.
pub const ROOT: &str = "/srv/markwarden";

/// A clock that remembers what it told.
#[derive(Debug)]
struct Told {
    clock: Arc<ManualClock>,
    times: Mutex<Vec<Timestamp>>,
}

impl Told {
    fn take(&self) -> Vec<Timestamp> {
        std::mem::take(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for Told {
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        now
    }
}

/// A command that the writer took.
#[derive(Debug)]
pub struct Taken {
    pub command: Command,
    /// The time it was decided by; none when it was not.
    pub at: Option<Timestamp>,
    pub result: Result<Answer, StoreError>,
}

/// A running process.
#[derive(Debug)]
pub struct Machine {
    pub store: SledStore,
    writer: Writer,
    told: Arc<Told>,
}

impl Machine {
    pub fn open(settings: &Settings, clock: &Arc<ManualClock>) -> Result<Self, StoreError> {
        let told = Arc::new(Told { clock: Arc::clone(clock), times: Mutex::default() });
        let clock: Arc<dyn Clock> = Arc::<Told>::clone(&told);
        let (store, mut writer) = SledStore::open_alone(Path::new(ROOT), settings, clock)?;
        writer.hurry();
        Ok(Self { store, writer, told })
    }

    /// The newest record that the writer knows to be durable.
    pub fn head(&self) -> Head {
        self.writer.head()
    }

    pub fn index(&self) -> &Index {
        self.writer.index()
    }

    /// Whether the index has learned everything that is durable.
    pub fn is_up_to_date(&self) -> bool {
        self.index().applied().unwrap() == self.head()
    }

    /// Serves one group: as many of `commands` as the writer takes.
    pub fn serve(&mut self, commands: &mut VecDeque<Command>) -> Vec<Taken> {
        let mut waiting = Vec::new();
        let mut next = || {
            let command = commands.pop_front()?;
            let (answer, answered) = oneshot::channel();
            waiting.push((command.clone(), answered));
            Some(Job { command, answer })
        };
        self.told.take();
        if let Some(first) = next() {
            self.writer.serve(first, &mut next);
        }
        let times = self.told.take();
        let taken = waiting.into_iter().enumerate().map(|(place, (command, mut answered))| Taken {
            command,
            at: times.get(place).copied(),
            result: answered.try_recv().expect("the writer answers everything it takes"),
        });
        taken.collect()
    }
}
