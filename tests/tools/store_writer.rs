//! Writes to a store from several threads and prints each acknowledged act, until it is killed.
//!
//! `store_writer DIR RUN`: `hit ID KEY` for an enqueued hit, `decided ID REASON` for a decision, `listing ID` for a listing.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    io::Write as _,
    path::Path,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use markwarden::{
    model::{
        AccountName, Decision, Finding, FindingKind, Listing, ListingId, NewHit, Reason, Severity, SystemClock, Verdict,
    },
    store::{Batch, ClaimSpec, Filter, Order, Outcome, Settings, SledStore, Store, Write},
};

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

fn new_hit(key: &str) -> NewHit {
    let listing = Listing { title: format!("云雀跑鞋 {key}"), ..Listing::default() };
    let finding = Finding {
        kind: FindingKind::Mark,
        reference: "m1".into(),
        family: "云雀".into(),
        surface: "title".into(),
        start: 0,
        end: 2,
        text: "云雀".into(),
        word: "云雀".into(),
        channels: Vec::new(),
        score: 0.9,
        severity: Severity::High,
        citation: String::new(),
        explanation: Vec::new(),
        suppressed: None,
    };
    NewHit {
        dedupe: key.to_owned(),
        listing,
        family: "云雀".into(),
        findings: vec![finding],
        priority: 100,
        severity: Severity::High,
        capture: None,
        evidence: None,
        matched_with: "g1".into(),
        found_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// Enqueues hits, each key twice: the second must not make another.
async fn enqueue(store: &SledStore, run: &str, next: &AtomicU64) {
    loop {
        let n = next.fetch_add(1, Relaxed);
        let key = format!("{run}-{}", n / 2);
        let id = ListingId::new(&format!("p:{key}")).unwrap();
        let hit = new_hit(&key);
        let listing = Write::Listing { id: id.clone(), listing: hit.listing.clone(), capture: None };
        let batch = Batch { actor: "monitor".into(), writes: vec![listing, Write::Hit(hit)] };
        let receipt = store.apply(batch).await.unwrap();
        say(&format!("hit {} {key}", receipt.hits[0].id));
        say(&format!("listing {id}"));
    }
}

/// Claims hits and decides them.
async fn review(store: &SledStore, worker: AccountName) {
    let spec = ClaimSpec {
        worker: worker.clone(),
        filter: Filter::default(),
        order: Order::Oldest,
        max: 2,
        ttl: Duration::from_secs(3600),
    };
    loop {
        for lease in store.claim(&spec).await.unwrap() {
            let at = jiff::Timestamp::now();
            let note = format!("fence {}", lease.lease.fence);
            let by = worker.clone();
            let reason = Reason::MarkInfringed;
            let decision = Decision { verdict: Verdict::Confirm, reason, by, at, note, looked_ms: 1 };
            if store.complete(&lease.lease, decision).await.unwrap() == Outcome::Done {
                say(&format!("decided {} {worker}", lease.hit.id));
            }
        }
        tokio::task::yield_now().await;
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (dir, run) = (arguments.next().unwrap(), arguments.next().unwrap());
    // Small segments, so that kills fall on their borders too.
    let settings = Settings { segment_bytes: 64 * 1024, cache_bytes: 1 << 20, ..Settings::default() };
    let store = Arc::new(SledStore::open(Path::new(&dir), &settings, Arc::new(SystemClock)).unwrap());
    say("ready");
    let next = Arc::new(AtomicU64::new(0));
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| runtime().block_on(enqueue(&store, &run, &next)));
        }
        for worker in ["lin", "wang"] {
            scope.spawn(|| runtime().block_on(review(&store, AccountName::new(worker).unwrap())));
        }
    });
}
