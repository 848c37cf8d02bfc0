//! The disk, the process that has the store open, and what must be true of it.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    check, client,
    counters::Counters,
    machine::{Machine, ROOT, Taken},
    model::{Model, changed},
};
use crate::{
    model::{Clock, ManualClock, Timestamp},
    store::{
        disk::{
            self,
            simulated::{Disk, InPlace},
        },
        folder::{journal_dir, snapshot_dir},
        journal::{self, Head, Sealer, verify},
        port::{Outcome, StoreError},
        settings::Settings,
        sled::{Answer, Command},
        snapshot,
    },
};

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The power goes, and comes back.
    PowerCut,
    /// It is killed; the system goes on.
    Killed,
    /// It ends by itself.
    Clean,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub disk: Arc<Disk>,
    pub clock: Arc<ManualClock>,
    pub model: Model,
    pub counters: Counters,
    settings: Settings,
    machine: Option<Machine>,
    /// The newest record that must be there.
    known: Head,
    /// What was decided behind it and never answered: a part of it may come to light, from its beginning.
    unsure: Vec<(Timestamp, Command)>,
    stopped: bool,
    bodies: BTreeMap<String, Vec<u8>>,
    telling: bool,
    _in_place: InPlace,
}

/// When every world begins.
fn beginning() -> Timestamp {
    "2026-03-15T12:00:00Z".parse().unwrap()
}

impl World {
    /// An empty disk.
    pub fn new(seed: u64, settings: Settings, telling: bool) -> Self {
        // Names of temporary files are drawn from the thread's own chance.
        fastrand::seed(seed);
        let clock = Arc::new(ManualClock::new(beginning()));
        let disk = Disk::new(seed, Arc::clone(&clock));
        let in_place = disk.put_in_place();
        Self {
            disk,
            clock,
            model: Model::new(beginning()),
            counters: Counters::default(),
            settings,
            machine: None,
            known: Head::START,
            unsure: Vec::new(),
            stopped: false,
            bodies: client::bodies(),
            telling,
            _in_place: in_place,
        }
    }

    /// Tells what happens, where that was asked for.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.telling {
            eprintln!("{:>6} {} {}", self.disk.operations(), self.clock.now(), what());
        }
    }

    /// The process that has the store open.
    pub fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("the store is open")
    }

    /// The journal's newest record.
    pub fn known(&self) -> Head {
        self.known
    }

    /// Whether the store's last try to write failed.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Sends commands all at once, and returns what was acknowledged.
    pub fn send(&mut self, commands: impl IntoIterator<Item = Command>) -> Vec<(Command, Answer)> {
        let commands: Vec<_> = commands.into_iter().filter(|command| self.provide(command)).collect();
        let mut queue = VecDeque::from(commands);
        let mut acknowledged = Vec::new();
        while !queue.is_empty() && !self.disk.is_off() {
            let failures = self.disk.failures();
            let taken = self.machine.as_mut().expect("the store is open").serve(&mut queue);
            for each in &taken {
                self.tell(|| format!("{:?} -> {:?}", each.command, each.result));
            }
            if taken.iter().any(|taken| matches!(taken.result, Err(StoreError::Stopped(_)))) {
                assert!(self.disk.failures() > failures, "the store stopped, though the disk did as it was told");
            }
            self.learn(&taken);
            acknowledged.extend(taken.into_iter().filter_map(|taken| Some((taken.command, taken.result.ok()?))));
        }
        acknowledged
    }

    /// Puts the bodies a command cites; without them nobody sends it.
    fn provide(&mut self, command: &Command) -> bool {
        client::cited(command).iter().all(|hash| {
            // What is no hash is sent all the same, and refused.
            let Some(body) = self.bodies.get(hash) else { return true };
            let failures = self.disk.failures();
            let put = self.machine().store.content().put(body);
            self.tell(|| format!("put {hash:.8} -> {put:?}"));
            self.explained(put, failures).is_some()
        })
    }

    /// A failure needs a fault of the disk.
    fn explained<T>(&self, result: Result<T, StoreError>, failures: u64) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let fault = self.disk.is_off() || self.disk.failures() > failures;
                assert!(fault, "the disk did as it was told, and still: {error}");
                assert!(matches!(error, StoreError::Io { .. }), "a fault of the disk was taken for more: {error}");
                None
            }
        }
    }

    /// Holds what the writer said against the model.
    fn learn(&mut self, taken: &[Taken]) {
        let head = self.machine().head();
        let stopped = taken.iter().any(|taken| matches!(taken.result, Err(StoreError::Stopped(_))));
        let decided: Vec<_> = taken.iter().filter_map(|taken| Some((taken.at?, taken))).collect();
        if !decided.is_empty() {
            // The writer was able to clear what it had not acknowledged; it must never come to light now.
            self.unsure.clear();
            self.counters.count("resumed", u64::from(self.stopped));
        }
        if stopped {
            let all = taken.iter().all(|taken| matches!(taken.result, Err(StoreError::Stopped(_))));
            assert!(all, "a part of a group was acknowledged: {taken:?}");
        }
        if stopped && head == self.known {
            self.unsure.extend(decided.iter().map(|(at, taken)| (*at, taken.command.clone())));
        } else {
            let mut seq = self.known.seq;
            for (at, taken) in decided {
                let expected = self.model.decide(at, &taken.command);
                seq += u64::from(changed(&expected));
                if stopped {
                    self.counters.count("unanswered and durable", 1);
                } else {
                    self.count(&expected);
                    assert_same(taken, expected, seq);
                }
            }
            assert_eq!(head.seq, seq, "what changed something has a record, and nothing else");
            self.known = head;
        }
        self.stopped = stopped;
        if stopped && !self.disk.is_off() {
            check::reads_go_on(self);
        }
    }

    fn count(&mut self, answer: &Result<Answer, StoreError>) {
        self.counters.count(if answer.is_ok() { "acknowledged" } else { "refused" }, 1);
        match answer {
            Ok(Answer::Outcome(Outcome::Fenced) | Answer::Held(false)) => self.counters.count("fenced", 1),
            Ok(Answer::Outcome(Outcome::AlreadyDone)) => self.counters.count("duplicates acknowledged", 1),
            Ok(Answer::Settled(settled)) => {
                self.counters.count("settled at once", u64::from(settled.new > 1));
                self.counters.count("fenced", settled.left.len() as u64);
            }
            Ok(Answer::Receipt(receipt)) => {
                let again = receipt.hits.iter().filter(|hit| !hit.new).count();
                self.counters.count("duplicates acknowledged", again as u64);
            }
            _ => {}
        }
    }

    /// Ends the process.
    pub fn end(&mut self, how: End) {
        self.tell(|| format!("the process ends: {how:?}"));
        self.machine = None;
        self.stopped = false;
        match how {
            End::PowerCut => {
                self.counters.count("power cuts", 1);
                self.disk.cut_power();
            }
            End::Killed => {
                self.counters.count("killed processes", 1);
                self.disk.end_process();
            }
            End::Clean => self.counters.count("clean ends", 1),
        }
    }

    /// Starts a process, which may fail only by the disk's fault; says whether it has the store open.
    pub fn open(&mut self) -> bool {
        if !self.unsure.is_empty() {
            let tail = self.disk.quietly(|| verify(&journal_dir(Path::new(ROOT)), &mut |_, _| Ok(())));
            self.counters.count("torn tails dropped", u64::from(tail.is_ok_and(|verified| verified.tail)));
        }
        let (aside, snapshots) = (self.set_aside(), self.snapshots_set_aside());
        let failures = self.disk.failures();
        let opened = Machine::open(&self.settings, &self.clock);
        self.tell(|| format!("opening -> {:?}", opened.as_ref().map(|machine| machine.head().seq)));
        let Some(machine) = self.explained(opened, failures) else {
            self.counters.count("failed openings", 1);
            return false;
        };
        self.machine = Some(machine);
        self.counters.count("indexes set aside", u64::from(self.set_aside() > aside));
        let spoilt = self.snapshots_set_aside().saturating_sub(snapshots);
        self.counters.count("snapshots set aside", spoilt);
        self.come_to_light();
        check::all(self);
        true
    }

    /// What opening the store comes to; it is closed again.
    pub fn try_open(&self) -> Result<(), StoreError> {
        Machine::open(&self.settings, &self.clock).map(drop)
    }

    /// What the model must make of what was found.
    fn come_to_light(&mut self) {
        let (head, known) = (self.machine().head(), self.known);
        assert!(head.seq >= known.seq, "sequence {} was acknowledged, the journal ends at {}", known.seq, head.seq);
        let hash = self.disk.quietly(|| journal::hash_at(&journal_dir(Path::new(ROOT)), known.seq)).unwrap();
        assert_eq!(hash, Some(known.hash), "the record {} is not the one that was acknowledged", known.seq);
        let mut found = head.seq - known.seq;
        self.counters.count("unacknowledged and whole", found);
        for (at, command) in std::mem::take(&mut self.unsure) {
            if found > 0 && changed(&self.model.decide(at, &command)) {
                found -= 1;
            }
        }
        assert_eq!(found, 0, "something came to light that nobody asked for");
        self.known = head;
    }

    /// How many indexes were set aside so far.
    fn set_aside(&self) -> u64 {
        (1..).take_while(|n| self.disk.has(&Path::new(ROOT).join(format!("index.bad.{n}")))).last().unwrap_or(0)
    }

    /// How many snapshots lie there under another name because they could not be used.
    fn snapshots_set_aside(&self) -> u64 {
        let names = self.disk.quietly(|| disk::names(&snapshot_dir(Path::new(ROOT)))).unwrap_or_default();
        names.iter().filter(|name| name.ends_with(".snap.bad")).count() as u64
    }

    /// The newest snapshot's file.
    pub fn newest_snapshot(&self) -> Option<PathBuf> {
        self.disk.quietly(|| snapshot::newest(Path::new(ROOT))).ok()?.into_iter().next().map(|(_, path)| path)
    }

    /// Lets the sealer go over the journal once; says whether it got to the end.
    pub fn seal(&mut self) -> bool {
        let failures = self.disk.failures();
        let sealed = Sealer::pass_once(Path::new(ROOT));
        self.tell(|| format!("sealing -> {sealed:?}"));
        let sealed = self.explained(sealed, failures);
        self.counters.count("sealed segments", sealed.unwrap_or(0));
        sealed.is_some()
    }

    /// Makes a snapshot; says whether that went well.
    pub fn snapshot(&mut self) -> bool {
        let failures = self.disk.failures();
        let made = self.machine().index().merge_now();
        self.tell(|| format!("making a snapshot -> {made:?}"));
        let made = self.explained(made, failures);
        self.counters.count("snapshots made", u64::from(made.is_some_and(|made| made.is_some())));
        made.is_some()
    }

    /// Lets go of the bodies that nobody needs; says whether that went well.
    pub fn sweep(&mut self) -> bool {
        let failures = self.disk.failures();
        let swept = self.machine().store.sweep(1, false);
        self.tell(|| format!("sweeping -> {swept:?}"));
        let swept = self.explained(swept, failures);
        self.counters.count("bodies let go of", swept.as_ref().map_or(0, |report| report.removed));
        swept.is_some()
    }

    /// The body with this hash, as it was put.
    pub fn body(&self, hash: &str) -> &[u8] {
        &self.bodies[hash]
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Holds an answer against the model's, which does not count sequences as the journal does.
fn assert_same(taken: &Taken, mut expected: Result<Answer, StoreError>, seq: u64) {
    if let Ok(Answer::Receipt(receipt)) = &mut expected {
        receipt.seq = seq;
    }
    match (&taken.result, &expected) {
        (Ok(answer), Ok(expected)) => assert_eq!(answer, expected, "{:?}", taken.command),
        (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected.to_string(), "{:?}", taken.command),
        _ => panic!("{taken:?}, expected {expected:?}"),
    }
}
