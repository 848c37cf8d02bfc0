//! Durable enqueues and claims a second, eight threads each; bytes on disk; copying the whole. Prints figures; asserts nothing.
//!
//! `cargo bench --bench store [-- SECONDS [DIR]]`; DIR should lie on the disk that counts.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::Path,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use markwarden::{
    model::{AccountName, Decision, Listing, NewHit, Reason, Severity, SystemClock, Timestamp, Verdict},
    store::{Batch, ClaimSpec, Filter, Order, Settings, SledStore, Store, Write, backup, export, import, restore},
};

const THREADS: u64 = 8;

fn hit(n: u64) -> Write {
    let title = format!("星河旗舰 云雀 跑鞋 男女同款 透气缓震 {n}");
    let description = "透气网面，缓震中底，耐磨大底，适合日常慢跑与通勤。".repeat(12);
    let listing = Listing { title, description: Some(description), ..Listing::default() };
    Write::Hit(NewHit {
        dedupe: format!("{n:032x}"),
        listing,
        family: "云雀体育".into(),
        findings: Vec::new(),
        priority: u8::try_from(n % 256).unwrap(),
        severity: Severity::High,
        capture: None,
        evidence: None,
        matched_with: "g1".into(),
        found_at: Timestamp::UNIX_EPOCH,
    })
}

/// Runs `act` on every thread until the time is up; returns each act's time, sorted.
fn drive(store: &Arc<SledStore>, time: Duration, act: impl AsyncFn(&SledStore, u64) + Sync) -> Vec<Duration> {
    let end = Instant::now() + time;
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let act = &act;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let begin = Instant::now();
                        runtime.block_on(act(store, worker));
                        times.push(begin.elapsed());
                    }
                    times
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    times.sort_unstable();
    times
}

fn print(what: &str, time: Duration, times: &[Duration]) {
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    let rate = times.len() as f64 / time.as_secs_f64();
    println!("{what:<28} {rate:>8.0}/s   p50 {:>9.3?}   p99 {:>9.3?}   n {}", at(0.5), at(0.99), times.len());
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Bytes of all files below a folder.
fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.path().is_dir() { bytes_below(&entry.path()) } else { entry.metadata().unwrap().len() })
        .sum()
}

/// What the store in `data` weighs, each hit's decisions and leases included, and how long it takes to copy it.
fn print_care(data: &Path, hits: u64) {
    for part in ["journal", "index"] {
        let bytes = bytes_below(&data.join(part));
        println!("{part:<28} {:>8} B a hit   {bytes} B, {hits} hits", bytes / hits.max(1));
    }
    let spare = tempfile::tempdir_in(data.parent().unwrap()).unwrap();
    let place = |name: &str| spare.path().join(name);
    let timed = |what: &str, act: &dyn Fn() -> u64| {
        let begin = Instant::now();
        let seq = act();
        println!("{what:<28} {:>9.3?}   {seq} entries", begin.elapsed());
    };
    let settings = Settings::default();
    timed("backup", &|| backup(data, &place("saved"), &mut |_, _| ()).unwrap().seq);
    timed("restore, proved", &|| restore(&place("saved"), &place("restored"), &settings, &mut |_, _| ()).unwrap().seq);
    timed("export", &|| {
        let file = BufWriter::new(File::create_new(place("lines")).unwrap());
        export(data, file, &mut |_, _| ()).unwrap().seq
    });
    timed("import, proved", &|| {
        let file = BufReader::new(File::open(place("lines")).unwrap());
        import(file, &place("imported"), &settings, &mut |_, _| ()).unwrap().seq
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let time = Duration::from_secs(arguments.first().map_or(5, |seconds| seconds.parse().unwrap()));
    let parent = arguments.get(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(parent).unwrap();
    let open = |dir: &Path| Arc::new(SledStore::open(dir, &Settings::default(), Arc::new(SystemClock)).unwrap());
    let store = open(dir.path());
    let next = AtomicU64::new(0);
    let times = drive(&store, time, async |store, _| {
        let writes = vec![hit(next.fetch_add(1, Relaxed))];
        store.apply(Batch { actor: "monitor".into(), writes }).await.unwrap();
    });
    print("enqueue, 8 threads", time, &times);
    let claim = async |store: &SledStore, worker: u64| {
        let worker = AccountName::new(&format!("reviewer-{worker}")).unwrap();
        let (filter, ttl) = (Filter::default(), Duration::from_secs(600));
        let spec = ClaimSpec { worker, filter, order: Order::Priority, max: 1, ttl };
        store.claim(&spec).await.unwrap().into_iter().next()
    };
    let times = drive(&store, time, async |store, worker| drop(claim(store, worker).await));
    print("claim again, 8 reviewers", time, &times);
    let times = drive(&store, time, async |store, worker| {
        if let Some(lease) = claim(store, worker).await {
            let (verdict, reason) = (Verdict::Dismiss, Reason::CommonWord);
            let (by, at) = (lease.lease.worker.clone(), Timestamp::now());
            let decision = Decision { verdict, reason, by, at, note: String::new(), looked_ms: 0 };
            store.complete(&lease.lease, decision).await.unwrap();
        }
    });
    print("claim and decide", time, &times);
    let times = drive(&store, time, async |store, _| drop(store.page(&Filter::default(), None, 50).await.unwrap()));
    print("page of 50", time, &times);
    let counts = block_on(store.counts()).unwrap();
    drop(store);
    print_care(dir.path(), counts.open + counts.confirmed + counts.dismissed);
    let begin = Instant::now();
    drop(open(dir.path()));
    println!("{:<28} {:>9.3?}", "open, clean", begin.elapsed());
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let begin = Instant::now();
    let store = open(dir.path());
    println!("{:<28} {:>9.3?}", "open, index rebuilt", begin.elapsed());
    drop(store);
}
