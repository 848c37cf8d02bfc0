//! Whatever is done to the store on disk gives what the model in memory gives: at each step, after reopening,
//! and after its index is gone.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use markwarden::{
    model::{Clock, Decision, HitId, HitState, ManualClock, Remark, Saying, Severity, Verdict},
    store::{
        Act, ClaimSpec, Filter, HostLease, LeaseRef, MemoryStore, Order, Seen, SledStore, Store, StoreError, Write,
    },
};
use proptest::prelude::*;

use crate::store_shop::{
    account, batch, capture, claim, clock, decision, hit_id, listing_write, mark, mark_id, new_hit, open, picture, wait,
};

const WORKERS: [&str; 3] = ["lin", "wang", "赵"];
const HOSTS: [&str; 3] = ["a.example", "b.example:8080", "商城.example"];

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Write>),
    Claim(ClaimSpec),
    ClaimAmong {
        hits: Vec<u64>,
        worker: usize,
        max: usize,
    },
    Settle {
        verdict: Verdict,
        by: usize,
        on: Vec<(u64, usize)>,
    },
    ClaimOne {
        hit: u64,
        worker: usize,
    },
    Renew {
        lease: usize,
        ttl: u64,
    },
    Complete {
        lease: usize,
        confirm: bool,
    },
    Reopen {
        hit: u64,
        proper: bool,
    },
    Release {
        lease: usize,
        rest: Option<i64>,
    },
    Expire {
        limit: usize,
    },
    ClaimHosts {
        hosts: Vec<usize>,
        worker: usize,
    },
    HostDone {
        lease: usize,
        next: i64,
    },
    Advance(i64),
    Snapshot,
    Reopening,
    /// Without the changes since the last snapshot, or without any snapshot.
    Rebuilding {
        whole: bool,
    },
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => (0..8u32).prop_map(|n| Write::Hit(new_hit(n))),
        2 => (0..6u32).prop_map(listing_write),
        1 => (0..4u32).prop_map(|n| Write::Capture(capture(n))),
        2 => (0..4u32, 0..3u32).prop_map(|(n, text)| Write::Mark(mark(n, ["云雀", "星河", "青禾"][text as usize]))),
        1 => (0..4u32).prop_map(|n| Write::RemoveMark { id: mark_id(n) }),
        1 => (0..3u32, time(-5)).prop_map(|(n, after)| Write::Schedule {
            id: format!("计划{n}"),
            next_due: crate::store_shop::noon() + SignedDuration::from_secs(after),
        }),
        1 => (0..2u8, any::<bool>()).prop_map(|(n, hold)| Write::Hold {
            // The second is no SHA-256: both must refuse the whole batch.
            sha256: ["0b", "XY"][usize::from(n)].repeat(32),
            hold,
            why: "案 7".into(),
        }),
        2 => (0..3u32, 0..3u32).prop_map(|(n, text)| Write::Remark(remark(n, text))),
        1 => Just(Write::Note { what: "crawl.done".into(), details: serde_json::Map::new() }),
    ]
}

/// Seconds in steps of a hundred from `first` steps on, so that instants often fall together.
fn time(first: i64) -> impl Strategy<Value = i64> {
    (first..6).prop_map(|steps| steps * 100)
}

fn filter() -> impl Strategy<Value = Filter> {
    let state = proptest::option::weighted(
        0.2,
        prop_oneof![3 => Just(HitState::Open), 1 => Just(HitState::Confirmed), 1 => Just(HitState::Dismissed)],
    );
    let family = proptest::option::weighted(0.1, Just("青禾食品".to_owned()));
    let platform = proptest::option::weighted(0.1, Just("云铺".to_owned()));
    let severity = proptest::option::weighted(0.1, Just(Severity::High));
    let text = proptest::option::weighted(0.1, prop_oneof![Just("第1".to_owned()), Just("云雀".to_owned())]);
    (state, family, platform, severity, text).prop_map(|(state, family, platform, severity, text)| Filter {
        state,
        family,
        platform,
        severity,
        text,
        ..Filter::default()
    })
}

fn remark(n: u32, text: u32) -> Remark {
    let says = Saying::SellerNote { seller: "s".into(), text: format!("第{text}次") };
    Remark { key: format!("note:{n}"), by: account("lin"), at: crate::store_shop::noon(), says }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Confirm),
        3 => Just(Verdict::Dismiss),
        3 => Just(Verdict::Reopen),
        1 => Just(Verdict::Escalate),
        2 => Just(Verdict::Approve),
        1 => Just(Verdict::Return),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lease = 0..4usize;
    prop_oneof![
        6 => proptest::collection::vec(write(), 0..4).prop_map(Step::Apply),
        6 => (filter(), 0..3usize, 0..5usize, any::<bool>(), time(1)).prop_map(|(filter, worker, max, old, ttl)| {
            let order = if old { Order::Oldest } else { Order::Priority };
            Step::Claim(ClaimSpec { filter, max, order, ttl: Duration::from_secs(ttl.cast_unsigned()), ..claim(WORKERS[worker], 1) })
        }),
        3 => (0..14u64, 0..3usize).prop_map(|(hit, worker)| Step::ClaimOne { hit, worker }),
        3 => (proptest::collection::vec(0..14u64, 1..6), 0..3usize, 0..5usize)
            .prop_map(|(hits, worker, max)| Step::ClaimAmong { hits, worker, max }),
        5 => (verdict(), 0..3usize, proptest::collection::vec((0..14u64, 0..3usize), 1..8))
            .prop_map(|(verdict, by, on)| Step::Settle { verdict, by, on }),
        2 => (lease.clone(), time(1)).prop_map(|(lease, ttl)| Step::Renew { lease, ttl: ttl.cast_unsigned() }),
        6 => (lease.clone(), any::<bool>()).prop_map(|(lease, confirm)| Step::Complete { lease, confirm }),
        2 => (0..14u64, proptest::bool::weighted(0.9)).prop_map(|(hit, proper)| Step::Reopen { hit, proper }),
        3 => (lease, proptest::option::of(time(-1))).prop_map(|(lease, rest)| Step::Release { lease, rest }),
        1 => (0..30usize).prop_map(|limit| Step::Expire { limit }),
        4 => (proptest::collection::vec(0..3usize, 1..3), 0..3usize)
            .prop_map(|(hosts, worker)| Step::ClaimHosts { hosts, worker }),
        4 => (0..2usize, time(-1)).prop_map(|(lease, next)| Step::HostDone { lease, next }),
        4 => time(1).prop_map(Step::Advance),
        1 => Just(Step::Reopening),
        2 => Just(Step::Snapshot),
        1 => any::<bool>().prop_map(|whole| Step::Rebuilding { whole }),
    ]
}

struct Pair {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    model: MemoryStore,
    store: Option<SledStore>,
    leases: Vec<LeaseRef>,
    host_leases: Vec<HostLease>,
}

/// Errors compare by what they say.
fn said<T>(result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl Pair {
    fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let told: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store = Some(open(dir.path(), &clock));
        Self { dir, model: MemoryStore::new(told), clock, store, leases: Vec::new(), host_leases: Vec::new() }
    }

    fn stores(&self) -> [&dyn Store; 2] {
        [&self.model, self.store.as_ref().unwrap()]
    }

    /// Asks both and compares.
    fn both<T: PartialEq + std::fmt::Debug>(
        &self,
        ask: impl AsyncFn(&dyn Store) -> Result<T, StoreError>,
    ) -> Option<T> {
        let [model, store] = self.stores().map(|store| said(wait(ask(store))));
        assert_eq!(store, model, "left: the store on disk, right: the model");
        store.ok()
    }

    fn lease(&self, n: usize) -> LeaseRef {
        let nobody = LeaseRef { hit: hit_id(1), worker: account("lin"), fence: 9 };
        // The newest leases are the interesting ones.
        self.leases.iter().rev().nth(n).cloned().unwrap_or(nobody)
    }

    fn run(&mut self, step: &Step) {
        let now = self.clock.now();
        let ttl = Duration::from_secs(300);
        match step {
            Step::Apply(writes) => {
                self.both(async |store| Ok(store.apply(batch(writes.clone())).await?.hits));
            }
            Step::Claim(spec) => {
                let leases = self.both(async |store| store.claim(spec).await).unwrap_or_default();
                self.leases.extend(leases.into_iter().map(|lease| lease.lease));
            }
            Step::ClaimOne { hit, worker } => {
                let worker = account(WORKERS[*worker]);
                let lease = self.both(async |store| store.claim_one(HitId(*hit), &worker, ttl).await).flatten();
                self.leases.extend(lease.map(|lease| lease.lease));
            }
            Step::ClaimAmong { hits, worker, max } => {
                let hits: Vec<HitId> = hits.iter().map(|&id| HitId(id)).collect();
                let worker = account(WORKERS[*worker]);
                let leases = self.both(async |store| store.claim_among(&hits, &worker, *max, ttl).await);
                self.leases.extend(leases.unwrap_or_default().into_iter().map(|lease| lease.lease));
            }
            Step::Settle { verdict, by, on } => {
                let second = *verdict == Verdict::Confirm && on.len() % 2 == 0;
                let decision = Decision { second, ..decision(*verdict, WORKERS[*by], now) };
                let on: Vec<Seen> = on.iter().map(|&(hit, decisions)| Seen { hit: HitId(hit), decisions }).collect();
                let act = Act { decision, on };
                let first = self.both(async |store| store.settle(&act).await).unwrap();
                // The very same again changes nothing.
                let again = self.both(async |store| store.settle(&act).await).unwrap();
                assert_eq!((again.done, again.new), (first.done, 0));
            }
            Step::Renew { lease, ttl } => {
                let (lease, ttl) = (self.lease(*lease), Duration::from_secs(*ttl));
                self.both(async |store| store.renew(&lease, ttl).await);
            }
            Step::Complete { lease, confirm } => {
                let lease = self.lease(*lease);
                let verdict = if *confirm { Verdict::Confirm } else { Verdict::Dismiss };
                let decision = decision(verdict, lease.worker.as_str(), now);
                self.both(async |store| store.complete(&lease, decision.clone()).await);
                // The very same again changes nothing.
                self.both(async |store| store.complete(&lease, decision.clone()).await);
            }
            Step::Reopen { hit, proper } => {
                let verdict = if *proper { Verdict::Reopen } else { Verdict::Confirm };
                let decision = decision(verdict, "lin", now);
                self.both(async |store| store.reopen(HitId(*hit), decision.clone()).await);
            }
            Step::Release { lease, rest } => {
                let lease = self.lease(*lease);
                let not_before = rest.map(|seconds| now + SignedDuration::from_secs(seconds));
                self.both(async |store| store.release(&lease, not_before).await);
            }
            Step::Expire { limit } => {
                self.both(async |store| store.expire(*limit).await);
            }
            Step::ClaimHosts { hosts, worker } => {
                let hosts: Vec<String> = hosts.iter().map(|&n| HOSTS[n].to_owned()).collect();
                let leases = self.both(async |store| store.claim_hosts(&hosts, WORKERS[*worker], ttl).await);
                self.host_leases.extend(leases.unwrap_or_default());
            }
            Step::HostDone { lease, next } => {
                if let Some(lease) = self.host_leases.iter().rev().nth(*lease).cloned() {
                    let next_at = now + SignedDuration::from_secs(*next);
                    self.both(async |store| store.host_done(&lease, next_at).await);
                }
            }
            Step::Advance(seconds) => self.clock.advance(SignedDuration::from_secs(*seconds)),
            Step::Snapshot => {
                let store = self.store.as_ref().unwrap();
                store.snapshot().unwrap();
                assert_eq!(store.snapshot().unwrap(), None, "nothing was changed meanwhile");
            }
            Step::Reopening => self.reopen(&[]),
            Step::Rebuilding { whole: false } => self.reopen(&["index"]),
            Step::Rebuilding { whole: true } => self.reopen(&["index", "snapshot"]),
        }
    }

    fn reopen(&mut self, without: &[&str]) {
        drop(self.store.take());
        for part in without.iter().map(|part| self.dir.path().join(part)).filter(|part| part.exists()) {
            // sled's own threads end a little after its last handle, and let go of its lock then.
            for (path, _) in picture(&part).into_iter().filter(|(path, _)| path.ends_with("db")) {
                std::fs::File::open(path).unwrap().lock().unwrap();
            }
            std::fs::remove_dir_all(part).unwrap();
        }
        self.store = Some(open(self.dir.path(), &self.clock));
        assert!(!self.dir.path().join("index.bad.1").exists(), "an index that was closed well is not set aside");
        self.compare();
    }

    /// Everything that can be asked is the same.
    fn compare(&self) {
        let states = [None, Some(HitState::Open), Some(HitState::Confirmed), Some(HitState::Dismissed)];
        for state in states {
            for text in [None, Some("第1".to_owned())] {
                let filter = Filter { state, text, ..Filter::default() };
                let mut cursor = None;
                while let Some(page) = self.both(async |store| store.page(&filter, cursor, 3).await) {
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
            }
        }
        let all: Vec<HitId> = (0..14).map(HitId).collect();
        self.both(async |store| Ok(store.rows(&all).await?));
        for n in 0..14 {
            self.both(async |store| store.hit(HitId(n)).await);
        }
        for n in 0..6 {
            let Write::Listing { id, .. } = listing_write(n) else { unreachable!() };
            self.both(async |store| store.listing(&id).await);
            self.both(async |store| store.capture(&capture(n).id).await);
            self.both(async |store| store.next_due(&format!("计划{n}")).await);
            self.both(async |store| store.marks_since(u64::from(n)).await);
            self.both(async |store| store.mark(&mark_id(n)).await);
            self.both(async |store| store.remarks_since(u64::from(n)).await);
            self.both(async |store| store.due(n as usize).await);
        }
        // Leases are in the journal on disk and not in the model's, so sequences differ; the rest does not.
        self.both(async |store| Ok(markwarden::store::Counts { seq: 0, ..store.counts().await? }));
    }

    /// The journal as others read it has no gaps, and every batch and decision the model recorded, in order.
    fn compare_journals(&self) {
        let [model, store] = self.stores();
        let recorded = wait(model.changes_since(0, usize::MAX)).unwrap();
        let mut changes = Vec::new();
        loop {
            let more = wait(store.changes_since(changes.len() as u64, 7)).unwrap();
            if more.is_empty() {
                break;
            }
            changes.extend(more);
        }
        assert!(changes.iter().zip(1..).all(|(change, seq)| change.seq == seq));
        assert_eq!(changes.len() as u64, wait(store.counts()).unwrap().seq);
        let weighty: Vec<_> = changes
            .iter()
            .filter(|change| {
                ["applied", "completed", "reopened", "settled"].iter().any(|kind| change.what.get(kind).is_some())
            })
            .map(|change| (change.at, change.actor.clone()))
            .collect();
        let expected: Vec<_> = recorded.into_iter().map(|change| (change.at, change.actor)).collect();
        assert_eq!(weighty, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_on_disk_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..90)) {
        let mut pair = Pair::new();
        pair.run(&Step::Apply((0..6).map(|n| Write::Hit(new_hit(n))).collect()));
        for step in &steps {
            pair.run(step);
        }
        pair.compare();
        pair.reopen(&[]);
        pair.reopen(&["index"]);
        pair.reopen(&["index", "snapshot"]);
        pair.compare_journals();
    }
}
