//! What lives went through, so that a simulator that has lost its teeth shows.

use std::{collections::BTreeMap, fmt};

use crate::store::disk::simulated::{Disk, Fault, Operation};

/// What must have happened in enough lives.
const EXPECTED: [&str; 20] = [
    "acknowledged",
    "bodies let go of",
    "clean ends",
    "duplicates acknowledged",
    "failed openings",
    "fenced",
    "flipped bits refused",
    "indexes set aside",
    "killed processes",
    "power cuts",
    "power cuts while opening",
    "refused",
    "resumed",
    "sealed segments",
    "settled at once",
    "snapshots made",
    "snapshots set aside",
    "torn tails dropped",
    "unacknowledged and whole",
    "unanswered and durable",
];

/// Every operation that can fail, with what it fails by.
const FAULTS: [(Operation, &[Fault]); 9] = {
    use Fault::{Broken, Full, PowerCut, Slow};
    let writing: &[Fault] = &[Full, Broken, PowerCut];
    [
        (Operation::Create, writing),
        (Operation::Write, writing),
        (Operation::Sync, &[Full, Broken, PowerCut, Slow]),
        (Operation::MakeFolder, writing),
        (Operation::Rename, writing),
        (Operation::Remove, writing),
        (Operation::SyncFolder, &[Full, Broken, PowerCut, Slow]),
        (Operation::Table, writing),
        (Operation::Read, &[Broken]),
    ]
};

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    counts: BTreeMap<&'static str, u64>,
    met: BTreeMap<(Operation, Fault), u64>,
    /// How the journals ended, mixed: two lives that differ in anything differ in it.
    ends: u64,
}

impl Counters {
    /// Counts something.
    pub fn count(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    /// Takes over the faults that were met, and where the journal ended.
    pub fn end(&mut self, disk: &Disk, hash: &[u8; 32]) {
        self.met = disk.met();
        self.ends = hash.iter().fold(disk.operations(), |mixed, &byte| mixed.rotate_left(7) ^ u64::from(byte));
    }

    /// Adds those of another life.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.counts {
            self.count(what, *times);
        }
        for (fault, times) in &other.met {
            *self.met.entry(*fault).or_default() += times;
        }
        self.ends ^= other.ends;
    }

    /// Panics when something did not happen at all.
    pub fn assert_all(&self) {
        for what in EXPECTED {
            assert!(self.counts.get(what).is_some_and(|&count| count > 0), "it never came to: {what}");
        }
        for (operation, faults) in FAULTS {
            for &fault in faults {
                assert!(self.met.contains_key(&(operation, fault)), "{operation:?} never met {fault:?}");
            }
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().map(|(what, count)| format!("{count} {what}"));
        let faults = self.met.iter().map(|((operation, fault), count)| format!("{operation:?}/{fault:?} {count}"));
        let faults = faults.collect::<Vec<_>>().join(", ");
        write!(f, "{}; faults met: {faults}", counts.collect::<Vec<_>>().join(", "))
    }
}
