//! Books kept beside store and model, so that a mistake both share shows: who holds what until when, which hits came,
//! what was decided, which bodies must be there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::{
    model::{Decision, HitId, Timestamp, Verdict},
    store::{
        port::{Act, HitReceipt, Outcome, Settled, Write},
        sled::{Answer, Command},
    },
};

/// What is lent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lent {
    Hit(HitId),
    Host(String),
}

/// The newest lease of something.
#[derive(Debug, Clone)]
struct Lease {
    worker: String,
    fence: u64,
    until: Timestamp,
    over: bool,
}

/// The books.
#[derive(Debug, Default)]
pub struct Audit {
    leases: BTreeMap<Lent, Lease>,
    hits: BTreeMap<String, HitId>,
    decisions: BTreeMap<HitId, Vec<Decision>>,
    cited: BTreeSet<String>,
    held: BTreeSet<String>,
}

impl Audit {
    /// Every decision on a hit, oldest first.
    pub fn decisions(&self, hit: HitId) -> &[Decision] {
        self.decisions.get(&hit).map_or(&[], Vec::as_slice)
    }

    /// The bodies that must be there.
    pub fn bodies(&self) -> impl Iterator<Item = &String> {
        self.cited.union(&self.held)
    }

    /// Books what a command came to at `at`.
    pub fn book(&mut self, at: Timestamp, command: &Command, answer: &Answer) {
        match (command, answer) {
            (Command::Apply { writes, .. }, Answer::Receipt(receipt)) => self.book_writes(writes, &receipt.hits),
            (_, Answer::Leases(leases)) => {
                for lease in leases {
                    let (what, worker) = (Lent::Hit(lease.lease.hit), lease.lease.worker.as_str());
                    self.lend(at, what, worker, lease.lease.fence, lease.until);
                }
            }
            (Command::Renew { lease, ttl }, Answer::Held(true)) => {
                let held = self.held_by(at, Lent::Hit(lease.hit), lease.worker.as_str(), lease.fence);
                held.until = at.saturating_add(SignedDuration::try_from(*ttl).unwrap()).unwrap();
            }
            (Command::Complete { lease, decision }, Answer::Outcome(Outcome::Done)) => {
                self.held_by(at, Lent::Hit(lease.hit), lease.worker.as_str(), lease.fence).over = true;
                self.decide(lease.hit, decision);
            }
            (Command::Reopen { hit, decision }, Answer::Outcome(Outcome::Done)) => self.decide(*hit, decision),
            (Command::Settle(act), Answer::Settled(settled)) => self.settle(at, act, settled),
            (Command::Release { lease, .. }, Answer::Held(true)) => {
                self.held_by(at, Lent::Hit(lease.hit), lease.worker.as_str(), lease.fence).over = true;
            }
            (Command::Expire { .. }, Answer::Ended(count)) => self.expire(at, *count),
            (_, Answer::Hosts(leases)) => {
                for lease in leases {
                    self.lend(at, Lent::Host(lease.host.clone()), &lease.worker, lease.fence, lease.until);
                }
            }
            (Command::HostDone { lease, .. }, Answer::Held(true)) => {
                self.held_by(at, Lent::Host(lease.host.clone()), &lease.worker, lease.fence).over = true;
            }
            _ => {}
        }
    }

    fn book_writes(&mut self, writes: &[Write], receipts: &[HitReceipt]) {
        let mut receipts = receipts.iter();
        for write in writes {
            match write {
                Write::Hit(hit) => {
                    let receipt = receipts.next().expect("each hit has a receipt");
                    let known = self.hits.insert(hit.dedupe.clone(), receipt.id);
                    assert_eq!(known.is_none(), receipt.new, "a hit comes once: {}", hit.dedupe);
                    assert!(known.is_none_or(|id| id == receipt.id), "a hit keeps its id: {}", hit.dedupe);
                    if receipt.new {
                        self.cited.extend(hit.evidence.clone());
                    }
                }
                Write::Hold { sha256, hold: true, .. } => drop(self.held.insert(sha256.clone())),
                Write::Hold { sha256, hold: false, .. } => drop(self.held.remove(sha256)),
                _ => {}
            }
        }
    }

    fn lend(&mut self, at: Timestamp, what: Lent, worker: &str, fence: u64, until: Timestamp) {
        if let Some(before) = self.leases.get(&what) {
            if !before.over && at < before.until {
                let same = before.worker == worker && before.fence == fence;
                assert!(same, "{what:?} is lent to {worker} with fence {fence} while it is lent: {before:?}");
            } else {
                assert!(before.fence < fence, "the fence of {what:?} does not grow: {fence} after {before:?}");
            }
        }
        self.leases.insert(what, Lease { worker: worker.to_owned(), fence, until, over: false });
    }

    /// The lease that lets its holder do something.
    fn held_by(&mut self, at: Timestamp, what: Lent, worker: &str, fence: u64) -> &mut Lease {
        let lease = self.leases.get_mut(&what).expect("nothing is held that was not lent");
        let holds = !lease.over && at < lease.until && lease.worker == worker && lease.fence == fence;
        assert!(holds, "{worker} with fence {fence} is taken for the holder of {what:?}: {lease:?}");
        lease
    }

    fn decide(&mut self, hit: HitId, decision: &Decision) {
        let decisions = self.decisions.entry(hit).or_default();
        assert!(!decisions.contains(decision), "a decision counts once: {decision:?}");
        decisions.push(decision.clone());
    }

    fn settle(&mut self, at: Timestamp, act: &Act, settled: &Settled) {
        let by = act.decision.by.as_str();
        let known = |hit: &HitId| self.decisions(*hit).contains(&act.decision);
        let new: Vec<HitId> = settled.done.iter().copied().filter(|hit| !known(hit)).collect();
        assert_eq!(new.len(), settled.new, "an act says what it did: {settled:?}");
        for hit in new {
            let seen = act.on.iter().find(|on| on.hit == hit).map(|on| on.decisions);
            assert_eq!(seen, Some(self.decisions(hit).len()), "hit {hit} was decided as somebody saw it");
            let lease = self.leases.get_mut(&Lent::Hit(hit)).filter(|lease| !lease.over);
            if let Some(lease) = lease.filter(|_| act.decision.verdict != Verdict::Reopen) {
                let holds = at < lease.until;
                assert!(!holds || lease.worker == by, "hit {hit} was decided under who holds it: {lease:?}");
                // One that has run out is cleared away too: clocks go back.
                lease.over = true;
            }
            if matches!(act.decision.verdict, Verdict::Approve | Verdict::Return) {
                let other = self.decisions(hit).last().is_some_and(|newest| newest.by.as_str() != by);
                assert!(other, "hit {hit} was approved or returned by who proposed it");
            }
            self.decide(hit, &act.decision);
        }
    }

    fn expire(&mut self, at: Timestamp, count: usize) {
        let ended = self.leases.iter().filter_map(|(what, lease)| match what {
            Lent::Hit(hit) if !lease.over && lease.until <= at => Some((lease.until, *hit)),
            _ => None,
        });
        let mut ended: Vec<_> = ended.collect();
        assert!(count <= ended.len(), "{count} leases are said to be over, these are: {ended:?}");
        ended.sort_unstable();
        for (_, hit) in ended.into_iter().take(count) {
            if let Some(lease) = self.leases.get_mut(&Lent::Hit(hit)) {
                lease.over = true;
            }
        }
    }
}
