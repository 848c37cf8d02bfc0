//! What every engine is asked, and how a peer is asked: by one writer that shares a transaction among those who wait, as the
//! store's own writer does.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use markwarden::{
    model::{Hit, HitId, Listing, ListingId, NewHit},
    store::{Cursor, LeaseRef},
};

/// Memory for pages, the same for all.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How long a reviewer holds a hit.
pub const TTL: Duration = Duration::from_secs(600);
const QUEUE: usize = 1024;

/// What is asked for durably.
pub enum Command {
    /// Listings, new or seen again.
    Listings(Vec<(ListingId, Listing)>),
    /// Hits, each once for its dedupe key.
    Hits(Vec<NewHit>),
    /// The worker's own hit, or the first that nobody holds.
    Claim(String),
    /// Ends a lease by dismissing its hit.
    Decide(LeaseRef),
}

/// What came of it.
pub enum Answer {
    Written,
    Claimed(Option<Box<(Hit, LeaseRef)>>),
    Decided(bool),
}

/// Open hits, of one platform or of all.
pub struct Asked {
    pub platform: Option<String>,
    pub after: Option<Cursor>,
    pub count: usize,
}

/// An engine, open.
pub trait Engine: Send + Sync {
    /// Does it durably.
    fn ask(&self, command: Command) -> Answer;

    /// Hits in queue order, whole, with who holds them; and where the next page begins.
    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>);

    /// Does now what it would do by itself when it is left alone.
    fn settle(&self) {}
}

/// One transaction of a peer.
pub trait Transactions: Send + 'static {
    /// Does all of it, durably, together.
    fn run(&mut self, group: &[Command]) -> Vec<Answer>;
}

/// How a peer reads while its writer writes.
pub trait Pages: Send + Sync {
    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>);
}

type Job = (Command, SyncSender<Answer>);

/// A peer behind one writer.
pub struct Peer {
    jobs: Option<SyncSender<Job>>,
    pages: Box<dyn Pages>,
    writer: Option<JoinHandle<()>>,
}

impl Peer {
    /// A peer whose transactions take up to `group` commands.
    pub fn new(transactions: impl Transactions, pages: impl Pages + 'static, group: usize) -> Self {
        let (jobs, waiting) = sync_channel(QUEUE);
        let writer = Some(std::thread::spawn(move || write(transactions, &waiting, group)));
        Self { jobs: Some(jobs), pages: Box::new(pages), writer }
    }
}

fn write(mut transactions: impl Transactions, waiting: &Receiver<Job>, group: usize) {
    while let Ok(first) = waiting.recv() {
        let (commands, answers): (Vec<_>, Vec<_>) =
            std::iter::once(first).chain(waiting.try_iter().take(group - 1)).unzip();
        for (to, answer) in answers.into_iter().zip(transactions.run(&commands)) {
            to.send(answer).unwrap();
        }
    }
}

impl Engine for Peer {
    fn ask(&self, command: Command) -> Answer {
        let (to, answer) = sync_channel(1);
        self.jobs.as_ref().unwrap().send((command, to)).unwrap();
        answer.recv().unwrap()
    }

    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>) {
        self.pages.page(asked)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.jobs = None;
        self.writer.take().unwrap().join().unwrap();
    }
}

/// Engines by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Markwarden,
    Redb,
    Sqlite,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Markwarden, Self::Redb, Self::Sqlite];

    pub fn name(self) -> &'static str {
        match self {
            Self::Markwarden => "markwarden",
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
        }
    }

    /// Opens the engine's data in `dir`, or makes it; a peer puts up to `group` commands into one transaction.
    pub fn open(self, dir: &Path, group: usize) -> Box<dyn Engine> {
        match self {
            Self::Markwarden => Box::new(crate::own::open(dir)),
            Self::Redb => Box::new(crate::redb_peer::open(dir, group)),
            Self::Sqlite => Box::new(crate::sqlite_peer::open(dir, group)),
        }
    }

    /// Copies the whole to `target`, as the engine's own means allow.
    pub fn backup(self, dir: &Path, target: &Path) {
        match self {
            Self::Markwarden => crate::own::backup(dir, target),
            Self::Redb => crate::redb_peer::backup(dir, target),
            Self::Sqlite => crate::sqlite_peer::backup(dir, target),
        }
    }

    /// Brings a backup into `dir` and has the engine check all of it.
    pub fn restore(self, saved: &Path, dir: &Path) {
        match self {
            Self::Markwarden => crate::own::restore(saved, dir),
            Self::Redb => crate::redb_peer::restore(saved, dir),
            Self::Sqlite => crate::sqlite_peer::restore(saved, dir),
        }
    }
}

/// A decision as all engines take it.
pub fn dismissal(lease: &LeaseRef) -> markwarden::model::Decision {
    use markwarden::model::{Decision, Reason, Timestamp, Verdict};
    Decision {
        verdict: Verdict::Dismiss,
        reason: Reason::CommonWord,
        by: lease.worker.clone(),
        at: Timestamp::now(),
        note: String::new(),
        looked_ms: 900,
        second: false,
        act: None,
        precedent: None,
    }
}

/// A hit as peers keep it: what the store keeps.
pub fn queued(id: u64, what: NewHit) -> Hit {
    Hit { id: HitId(id), what, state: markwarden::model::HitState::Open, decisions: Vec::new() }
}

/// Copies a closed file durably.
pub fn copy_file(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
    std::fs::File::open(to).unwrap().sync_all().unwrap();
    std::fs::File::open(to.parent().unwrap()).unwrap().sync_all().unwrap();
}
