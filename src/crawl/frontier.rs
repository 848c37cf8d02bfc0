//! What a run still has to visit, kept so that a killed run goes on where it was.
//!
//! One append-only log a profile: a record for each address added and for each one done, each with
//! its checksum. An address is in the file before it is visited, and done only after its result was
//! accepted; so a run that is killed repeats at most what was on the way. In memory stand a
//! fingerprint an address and the queue: its front in full, its rest as steps from place to place in the log.

mod log;
mod rest;

pub(super) use log::MAX_ASK_BYTES;

use std::{
    borrow::Cow,
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::Arc,
    time::Duration,
};

use log::{Log, Record};
use rest::Rest;
use tokio::time::Instant;

/// Addresses of a lane that stand in memory in full.
const FRONT: usize = 1024;
/// Longest time what was written may wait to be synced to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Why the frontier cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FrontierError {
    /// The disk said no.
    #[error("{doing} the frontier {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The log.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process crawls this profile.
    #[error("the frontier {path} is in use: this profile is being crawled already")]
    InUse {
        /// The log.
        path: String,
    },
    /// Not a log of this program, or of a newer one.
    #[error("{path} is no frontier this program can read; remove it to begin the crawl anew")]
    Unknown {
        /// The log.
        path: String,
    },
}

/// What an address is visited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A page: a list or a listing.
    Page,
    /// A sitemap, or an index of sitemaps.
    Sitemap,
    /// A page of a query's answers: which, as JSON.
    Query(Arc<str>),
}

impl Purpose {
    /// Under which key an address is known that is visited for this: one endpoint answers many questions.
    fn key<'a>(&self, of_address: &'a str) -> Cow<'a, str> {
        match self {
            Self::Query(ask) => Cow::Owned(format!("{of_address}\n{ask}")),
            Self::Page | Self::Sitemap => Cow::Borrowed(of_address),
        }
    }
}

/// An address to visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the log.
    pub id: u64,
    /// Steps from where the run began.
    pub depth: u16,
    /// What for.
    pub purpose: Purpose,
    /// The address, canonical.
    pub url: String,
}

/// The addresses of one profile's run.
#[derive(Debug)]
pub struct Frontier {
    log: Log,
    seen: HashSet<u64, Plain>,
    hasher: RandomState,
    lanes: Vec<Lane>,
    next_id: u64,
    resumed: u64,
    synced: Instant,
}

/// The queue of one host.
#[derive(Debug, Default)]
struct Lane {
    front: VecDeque<Entry>,
    /// What follows, in the log.
    rest: Rest,
}

impl Frontier {
    /// Opens or creates the log; `place_of` says which of `lanes` hosts an address belongs to, if still any, and
    /// under which key it is known.
    ///
    /// # Errors
    /// When the log cannot be used.
    pub fn open(
        path: &Path,
        lanes: usize,
        place_of: impl Fn(&str) -> Option<(usize, String)>,
    ) -> Result<Self, FrontierError> {
        let (log, done) = Log::open(path)?;
        let mut frontier = Self {
            log,
            seen: HashSet::default(),
            hasher: RandomState::new(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            next_id: 0,
            resumed: 0,
            synced: Instant::now(),
        };
        frontier.replay(&done, place_of)?;
        Ok(frontier)
    }

    /// Queues again what was added and is not done.
    fn replay(
        &mut self,
        done: &HashSet<u64>,
        place_of: impl Fn(&str) -> Option<(usize, String)>,
    ) -> Result<(), FrontierError> {
        let mut at = self.log.start();
        while let Some((record, next)) = self.log.read(at)? {
            if let Record::Added { depth, purpose, url } = record {
                let id = self.next_id;
                self.next_id += 1;
                if let Some((lane, key)) = place_of(&url) {
                    self.seen.insert(self.hasher.hash_one(&*purpose.key(&key)));
                    if let Some(lane) = self.lanes.get_mut(lane).filter(|_| !done.contains(&id)) {
                        lane.push((id, at), || Entry { id, depth, purpose, url });
                        self.resumed += 1;
                    }
                }
            }
            at = next;
        }
        Ok(())
    }

    /// How many addresses wait, of all hosts.
    pub fn left(&self) -> u64 {
        self.lanes.iter().map(|lane| (lane.front.len() + lane.rest.len()) as u64).sum()
    }

    /// How many addresses an earlier, interrupted run had left.
    pub fn resumed(&self) -> u64 {
        self.resumed
    }

    /// Whether an address was added under `key` before.
    pub fn knows(&self, key: &str) -> bool {
        self.seen.contains(&self.hasher.hash_one(key))
    }

    /// Adds the address `url` under `key`; false when it is known.
    pub fn add(&mut self, lane: usize, depth: u16, purpose: Purpose, url: &str, key: &str) -> bool {
        if !self.seen.insert(self.hasher.hash_one(&*purpose.key(key))) {
            return false;
        }
        let id = self.next_id;
        self.next_id += 1;
        let at = self.log.append_added(depth, &purpose, url);
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.push((id, at), || Entry { id, depth, purpose, url: url.to_owned() });
        }
        true
    }

    /// Adds an address that was visited already, under another: a redirect's end.
    pub fn add_done(&mut self, url: &str, key: &str) {
        if self.seen.insert(self.hasher.hash_one(key)) {
            let id = self.next_id;
            self.next_id += 1;
            self.log.append_added(0, &Purpose::Page, url);
            self.log.append_done(id);
        }
    }

    /// The next address of a lane; all that was recorded before is in the file when this returns.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn next(&mut self, lane: usize) -> Result<Option<Entry>, FrontierError> {
        self.write()?;
        let Some(lane) = self.lanes.get_mut(lane) else { return Ok(None) };
        if lane.front.is_empty() {
            for _ in 0..FRONT.min(lane.rest.len()) {
                let Some((id, at)) = lane.rest.pop() else { break };
                if let Some((Record::Added { depth, purpose, url }, _)) = self.log.read(at)? {
                    lane.front.push_back(Entry { id, depth, purpose, url });
                }
            }
        }
        Ok(lane.front.pop_front())
    }

    /// Puts an address back that could not be visited now.
    pub fn put_back(&mut self, lane: usize, entry: Entry) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.front.push_front(entry);
        }
    }

    /// Records that an address is done.
    pub fn done(&mut self, id: u64) {
        self.log.append_done(id);
    }

    /// How many addresses of a lane wait.
    pub fn waiting(&self, lane: usize) -> u64 {
        self.lanes.get(lane).map_or(0, |lane| (lane.front.len() + lane.rest.len()) as u64)
    }

    /// Writes what is buffered, and syncs from time to time.
    fn write(&mut self) -> Result<(), FrontierError> {
        self.log.write()?;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.log.sync()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Leaves the log for the next run to go on with.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(mut self) -> Result<(), FrontierError> {
        self.log.write()?;
        self.log.sync()
    }

    /// Removes the log: the run is complete.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn finish(self) -> Result<(), FrontierError> {
        self.log.remove()
    }
}

impl Lane {
    fn push(&mut self, (id, at): (u64, u64), entry: impl FnOnce() -> Entry) {
        if self.rest.is_empty() && self.front.len() < FRONT {
            self.front.push_back(entry());
        } else {
            self.rest.push(id, at);
        }
    }
}

/// Fingerprints are hashes already.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl BuildHasher for Plain {
    type Hasher = PlainHasher;
    fn build_hasher(&self) -> PlainHasher {
        PlainHasher(0)
    }
}

#[derive(Debug)]
struct PlainHasher(u64);

impl std::hash::Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn here(url: &str) -> Option<(usize, String)> {
        Some((0, url.to_owned()))
    }

    fn add(frontier: &mut Frontier, url: &str) -> bool {
        frontier.add(0, 7, Purpose::Page, url, url)
    }

    fn open(path: &Path) -> Frontier {
        Frontier::open(path, 1, here).unwrap()
    }

    fn rest(frontier: &mut Frontier) -> Vec<String> {
        std::iter::from_fn(|| frontier.next(0).unwrap()).map(|entry| entry.url).collect()
    }

    #[test]
    fn what_is_not_done_comes_again_and_what_is_done_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let mut first = open(&path);
        for url in ["a", "b", "c"] {
            assert!(add(&mut first, url));
        }
        assert!(!add(&mut first, "a"));
        let a = first.next(0).unwrap().unwrap();
        first.next(0).unwrap();
        first.done(a.id);
        first.add_done("z", "z");
        first.keep().unwrap();
        let mut second = open(&path);
        assert_eq!(second.resumed(), 2);
        assert!(second.knows("z") && !add(&mut second, "b"));
        let entry = second.next(0).unwrap().unwrap();
        assert_eq!((entry.url.as_str(), entry.depth), ("b", 7));
        assert_eq!(rest(&mut second), ["c"]);
    }

    #[test]
    fn a_killed_run_repeats_at_most_what_was_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let mut first = open(&path);
        for n in 0..3000 {
            add(&mut first, &format!("http://h/{n}"));
        }
        for _ in 0..2000 {
            let entry = first.next(0).unwrap().unwrap();
            first.done(entry.id);
        }
        let on_the_way = first.next(0).unwrap().unwrap();
        // Nothing is flushed on drop: what is in memory only is lost, as by a kill.
        drop(first);
        let mut second = open(&path);
        assert_eq!(second.resumed(), 1000);
        assert_eq!(second.next(0).unwrap().unwrap().url, on_the_way.url);
        let urls = rest(&mut second);
        assert_eq!((urls.len(), urls.last().unwrap().as_str()), (999, "http://h/2999"));
    }

    #[test]
    fn one_endpoint_is_asked_many_questions_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let ask = |text: &str| Purpose::Query(text.into());
        let mut first = open(&path);
        assert!(first.add(0, 0, ask("{\"page\":0}"), "http://h/api", "http://h/api"));
        assert!(first.add(0, 0, ask("{\"page\":1}"), "http://h/api", "http://h/api"));
        assert!(!first.add(0, 0, ask("{\"page\":1}"), "http://h/api", "http://h/api"));
        first.keep().unwrap();
        let mut second = open(&path);
        assert!(!second.add(0, 0, ask("{\"page\":0}"), "http://h/api", "http://h/api"));
        assert!(add(&mut second, "http://h/api"));
        let purposes: Vec<Purpose> =
            std::iter::from_fn(|| second.next(0).unwrap()).map(|entry| entry.purpose).collect();
        assert_eq!(purposes, [ask("{\"page\":0}"), ask("{\"page\":1}"), Purpose::Page]);
    }

    #[test]
    fn a_finished_run_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let mut frontier = open(&path);
        add(&mut frontier, "a");
        frontier.finish().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn one_profile_is_crawled_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let _first = open(&path);
        assert!(matches!(Frontier::open(&path, 1, here), Err(FrontierError::InUse { .. })));
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        std::fs::write(&path, "something else entirely").unwrap();
        assert!(matches!(Frontier::open(&path, 1, here), Err(FrontierError::Unknown { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"something else entirely");
    }

    #[test]
    fn an_address_of_a_host_no_longer_crawled_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let mut first = open(&path);
        add(&mut first, "http://old/");
        first.keep().unwrap();
        assert_eq!(Frontier::open(&path, 1, |_| None).unwrap().resumed(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_log_cut_or_changed_anywhere_is_opened_up_to_there(cut in 0_usize..400, flip in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("f.log");
            let mut first = open(&path);
            for n in 0..10 {
                add(&mut first, &format!("http://h/{n}"));
            }
            first.keep().unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            let cut = 8 + cut % (bytes.len() - 8);
            if flip { bytes[cut] ^= 0x40 } else { bytes.truncate(cut) }
            std::fs::write(&path, &bytes).unwrap();
            let mut second = open(&path);
            let urls = rest(&mut second);
            let in_order = urls.iter().enumerate().all(|(n, url)| *url == format!("http://h/{n}"));
            prop_assert!(urls.len() < 10 && in_order);
            prop_assert!(add(&mut second, "http://h/new"));
            second.keep().unwrap();
            prop_assert_eq!(rest(&mut open(&path)).len(), urls.len() + 1);
        }
    }
}
