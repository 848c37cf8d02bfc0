//! Many at once: a hit is lent to one, a dedupe key has one hit, a decision is taken once.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use markwarden::{
    model::{HitId, Verdict},
    store::{Outcome, Store, Write},
};

use crate::store_shop::{batch, claim, clock, decision, new_hit, noon, open, wait};

const WORKERS: usize = 6;

/// Runs `act` for each worker on its own thread.
fn crowd<T: Send>(act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let act = &act;
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || act(worker))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn the_same_hits_from_many_sides_are_queued_once_and_their_ids_agree() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &clock());
    let receipts = crowd(|_| {
        (0..40).map(|n| wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap().hits[0]).collect::<Vec<_>>()
    });
    for n in 0..40 {
        let ids: HashSet<HitId> = receipts.iter().map(|each| each[n].id).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(receipts.iter().filter(|each| each[n].new).count(), 1);
    }
    assert_eq!(wait(store.counts()).unwrap().open, 40);
}

#[test]
fn many_reviewers_never_hold_the_same_hit_and_decide_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &clock());
    wait(store.apply(batch((0..60).map(|n| Write::Hit(new_hit(n))).collect()))).unwrap();
    let decided = crowd(|worker| {
        let name = format!("reviewer-{worker}");
        let mut decided = Vec::new();
        loop {
            let leases = wait(store.claim(&claim(&name, 3))).unwrap();
            if leases.is_empty() {
                return decided;
            }
            for lease in leases {
                assert!(wait(store.renew(&lease.lease, Duration::from_secs(60))).unwrap());
                let decision = decision(Verdict::Confirm, &name, noon());
                assert_eq!(wait(store.complete(&lease.lease, decision)).unwrap(), Outcome::Done);
                decided.push(lease.hit.id);
            }
        }
    });
    let mut by_hit: HashMap<HitId, usize> = HashMap::new();
    for id in decided.into_iter().flatten() {
        *by_hit.entry(id).or_default() += 1;
    }
    assert_eq!(by_hit.len(), 60);
    assert!(by_hit.values().all(|&times| times == 1));
}
