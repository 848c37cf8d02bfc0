//! Writes to a store from several threads and says what is acknowledged, until it is killed.
//!
//! `store_writer DIR RUN` prints `ready`, then a line an act; `store_check` knows what each line promises:
//!
//! | line | said | about |
//! | --- | --- | --- |
//! | `hit ID KEY` | after | a hit was queued, or its key was known |
//! | `listing ID` | after | a listing was written |
//! | `lease WHAT FENCE WORKER FROM UNTIL` | after | `hit:ID` or `host:NAME` was lent |
//! | `ending WHAT FENCE` | before | a lease is going to be given back |
//! | `ended WHAT FENCE` | after | it was given back, by a release or a decision |
//! | `decided ID FENCE WORKER` | after | a hit was confirmed |
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::{
    fmt::Display,
    io::Write as _,
    path::Path,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use markwarden::{
    model::{
        AccountName, Decision, Finding, FindingKind, Handling, Listing, ListingId, NewHit, Reason, Severity,
        SystemClock, Timestamp, Verdict,
    },
    store::{Batch, ClaimSpec, Filter, Lease, LeaseRef, Order, Outcome, Settings, SledStore, Store, Write},
};

/// The store said no, which it has no reason to: whoever runs this must notice.
const GAVE_UP: i32 = 3;
const HOUR: Duration = Duration::from_secs(3600);
/// Short enough to run out while the writer runs.
const MOMENT: Duration = Duration::from_millis(20);
const HOSTS: [&str; 3] = ["a.example", "b.example:8080", "商城.example"];

fn must<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(GAVE_UP)
    })
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    must(out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()));
}

fn say_lease(what: &str, fence: u64, worker: &str, until: Timestamp, ttl: Duration) {
    say(&format!("lease {what} {fence} {worker} {} {until}", must(until.checked_sub(ttl))));
}

fn new_hit(key: &str, long: bool) -> NewHit {
    // Longer than what the index keeps inline: its body goes to the content store.
    let description = long.then(|| "透气网面，缓震中底。".repeat(100));
    let listing = Listing { title: format!("云雀跑鞋 {key}"), description, ..Listing::default() };
    let finding = Finding {
        kind: FindingKind::Mark,
        reference: "m1".into(),
        family: "云雀".into(),
        surface: "title".into(),
        start: 0,
        end: 2,
        text: "云雀".into(),
        version: None,
        campaign: None,
        continues: Vec::new(),
        moment: None,
        word: "云雀".into(),
        channels: Vec::new(),
        score: 0.9,
        severity: Severity::High,
        citation: String::new(),
        explanation: Vec::new(),
        suppressed: None,
        handling: Handling::default(),
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
        found_at: Timestamp::UNIX_EPOCH,
    }
}

/// Enqueues hits, each key twice: the second must not make another.
async fn enqueue(store: &SledStore, run: &str, next: &AtomicU64) {
    loop {
        let n = next.fetch_add(1, Relaxed);
        let key = format!("{run}-{}", n / 2);
        let id = must(ListingId::new(&format!("p:{key}")));
        let hit = new_hit(&key, (n / 2).is_multiple_of(16));
        let listing = Write::Listing { id: id.clone(), listing: hit.listing.clone(), capture: None };
        let batch = Batch { actor: "monitor".into(), writes: vec![listing, Write::Hit(hit)] };
        let receipt = must(store.apply(batch).await);
        for hit in receipt.hits {
            say(&format!("hit {} {key}", hit.id));
        }
        say(&format!("listing {id}"));
    }
}

/// Claims hits and ends most leases: by a decision, by giving them back, or by letting them run out.
async fn review(store: &SledStore, worker: AccountName, ttl: Duration) {
    let (filter, order) = (Filter::default(), Order::Oldest);
    let spec = ClaimSpec { worker: worker.clone(), filter, order, max: 2, ttl };
    loop {
        for Lease { lease, until, .. } in must(store.claim(&spec).await) {
            say_lease(&format!("hit:{}", lease.hit), lease.fence, worker.as_str(), until, ttl);
            match fastrand::u8(..8) {
                0 => drop(must(store.renew(&lease, ttl).await)),
                1 => drop(must(store.expire(100).await)),
                2 => release(store, &lease).await,
                _ => decide(store, &lease).await,
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn release(store: &SledStore, lease: &LeaseRef) {
    let LeaseRef { hit, fence, .. } = lease;
    say(&format!("ending hit:{hit} {fence}"));
    if must(store.release(lease, None).await) {
        say(&format!("ended hit:{hit} {fence}"));
    }
}

async fn decide(store: &SledStore, lease: &LeaseRef) {
    let LeaseRef { hit, worker, fence } = lease;
    let (by, note) = (worker.clone(), format!("fence {fence}"));
    let (verdict, reason, at) = (Verdict::Confirm, Reason::MarkInfringed, Timestamp::now());
    say(&format!("ending hit:{hit} {fence}"));
    let decision = Decision { verdict, reason, by, at, note, looked_ms: 1, second: false, act: None, precedent: None };
    if must(store.complete(lease, decision).await) == Outcome::Done {
        say(&format!("ended hit:{hit} {fence}"));
        say(&format!("decided {hit} {fence} {worker}"));
    }
}

/// Leases hosts, gives most of them back.
async fn crawl(store: &SledStore, worker: &str) {
    let hosts = HOSTS.map(str::to_owned);
    loop {
        for lease in must(store.claim_hosts(&hosts, worker, MOMENT).await) {
            let (host, fence) = (&lease.host, lease.fence);
            say_lease(&format!("host:{host}"), fence, worker, lease.until, MOMENT);
            if fastrand::u8(..4) > 0 {
                say(&format!("ending host:{host} {fence}"));
                if must(store.host_done(&lease, Timestamp::now()).await) {
                    say(&format!("ended host:{host} {fence}"));
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(run)) = (arguments.next(), arguments.next()) else { must(Err("store_writer DIR RUN")) };
    // Small segments and snapshots, so that kills fall on their borders, into their sealing and their making too.
    let settings = Settings {
        segment_bytes: 64 * 1024,
        snapshot_bytes: 64 * 1024,
        cache_bytes: 1 << 20,
        inline_bytes: 1024,
        ..Settings::default()
    };
    let store = &must(SledStore::open(Path::new(&dir), &settings, Arc::new(SystemClock)));
    say("ready");
    let next = &AtomicU64::new(0);
    // Some outlive the process with the leases they hold, some are never heard of again.
    let reviewers = [("lin".to_owned(), HOUR), ("wang".to_owned(), MOMENT), (format!("zhao-{run}"), HOUR)];
    let run = run.as_str();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || runtime().block_on(enqueue(store, run, next)));
        }
        for (worker, ttl) in reviewers {
            scope.spawn(move || runtime().block_on(review(store, must(AccountName::new(&worker)), ttl)));
        }
        for worker in ["crawl-1", "crawl-2"] {
            scope.spawn(move || runtime().block_on(crawl(store, worker)));
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    must(tokio::runtime::Builder::new_current_thread().build())
}
