//! The desk's questions over many hits: `cargo bench --bench desk -- [HITS] [FOLDER]`, a million in a temporary folder when
//! nothing is said. Prints figures; asserts nothing.
//!
//! Loads the hits into a store on disk, reads the board, then times claims, filters, searches, one decision on 10,000 hits
//! and its undo, each beside a bare read of the store where there is one that means the same.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    model::{AccountName, Decision, HitId, NewHit, Reason, Severity, SystemClock, Verdict},
    review::{Board, BoardAsk, Deadlines, Search, Strategy},
    store::{Act, Batch, Filter, Seen, Settings, SledStore, Store, Write},
};

const BRANDS: [&str; 6] = ["云雀", "星河", "青禾", "诺瓦声学", "山行", "简居"];
const GOODS: [&str; 8] = ["气垫跑鞋", "降噪耳机", "登山杖", "保温杯", "替换表带", "收纳箱", "苦荞茶", "数据线"];
const BATCH: u64 = 500;

fn hit(n: u64) -> NewHit {
    let (brand, goods) = (BRANDS[(n % 6) as usize], GOODS[(n / 7 % 8) as usize]);
    let title = format!("2026新款 {brand} {goods} 工厂直发 第{n}款");
    let platform = ["星河商城", "老街集市", "简铺"][(n % 3) as usize];
    let severity = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical][(n % 4) as usize];
    serde_json::from_value(serde_json::json!({
        "dedupe": format!("{n:032x}"), "family": brand, "severity": severity, "priority": n * 37 % 256, "capture": null,
        "listing": {
            "id": format!("星集:{n}"), "title": title, "platform": platform,
            "description": "同厂同料，支持验货，拍下备注颜色与尺码，七天无理由退换。", "seller": {"name": format!("第{}小铺", n % 50_000)}
        },
        "findings": [{
            "kind": "mark", "ref": format!("m-{}", n % 600), "family": brand, "surface": "title", "start": 7, "end": 9, "text": brand,
            "word": brand, "channels": [], "score": 0.9, "severity": severity, "citation": "", "explanation": []
        }],
        "evidence": null, "matched_with": "bench", "found_at": "2026-11-20T08:00:00Z"
    }))
    .unwrap()
}

/// Prints the median, the 99th percentile and the most.
fn times(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what:<44} p50 {:>9.3?}  p99 {:>9.3?}  most {:>9.3?}", at(0.5), at(0.99), at(1.0));
}

fn repeat<T>(count: usize, mut work: impl FnMut(usize) -> T) -> Vec<Duration> {
    let timed = |n| {
        let begun = Instant::now();
        std::hint::black_box(work(n));
        begun.elapsed()
    };
    (0..count).map(timed).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let count: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let scratch = tempfile::tempdir().unwrap();
    let folder = arguments.next().map_or_else(|| scratch.path().to_owned(), |text| Path::new(&text).to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let clock = Arc::new(SystemClock);
    let store = SledStore::open(&folder, &Settings::default(), clock).unwrap();
    runtime.block_on(load(&store, count));
    runtime.block_on(questions(&store));
}

async fn load(store: &SledStore, count: u64) {
    let begun = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let writes = (first..count.min(first + BATCH)).map(|n| Write::Hit(hit(n))).collect();
        store.apply(Batch { actor: "bench".into(), writes }).await.unwrap();
    }
    println!("{:<44} {:.1?}", format!("{count} hits loaded"), begun.elapsed());
}

async fn questions(store: &SledStore) {
    let (board, limits) = (Board::default(), Deadlines::default());
    let begun = Instant::now();
    board.follow(store, true).await.unwrap();
    println!("{:<44} {:.1?}", "the board read", begun.elapsed());
    let now = "2026-11-20T20:00:00Z".parse().unwrap();
    let search = |text: &str, strategy| BoardAsk { search: Search::parse(text), strategy, ..BoardAsk::default() };
    for (what, ask) in [
        ("all open by weight", search("", Strategy::Priority)),
        ("all open at random", search("", Strategy::Sample)),
        (
            "one platform, high",
            BoardAsk { platform: "简铺".into(), severity: Some(Severity::High), ..BoardAsk::default() },
        ),
        ("a word of a sixth", search("云雀", Strategy::Priority)),
        ("two words, one left out", search("云雀 跑鞋 -第1", Strategy::Priority)),
        ("a rare word", search("第77777款", Strategy::Priority)),
        ("a word that is nowhere", search("不存在的词", Strategy::Priority)),
        ("one seller", search("seller:第4711小铺", Strategy::Priority)),
    ] {
        times(
            &format!("{what} ({})", board.select(&ask, &limits, now).len()),
            repeat(20, |_| board.select(&ask, &limits, now)),
        );
    }
    let ids = board.select(&search("", Strategy::Priority), &limits, now);
    times("a group", repeat(200, |n| board.group(ids[n * 31 % ids.len()])));
    claims(store, &ids).await;
    at_once(store, &ids).await;
}

async fn claims(store: &SledStore, ids: &[HitId]) {
    let ttl = Duration::from_secs(600);
    let mut took = Vec::new();
    for n in 0..200 {
        let worker = AccountName::new(&format!("w{}", n % 8)).unwrap();
        let begun = Instant::now();
        store.claim_among(&ids[..ids.len().min(400)], &worker, 20, ttl).await.unwrap();
        took.push(begun.elapsed());
    }
    times("claim of 20 among the first 400", took);
    let mut took = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        store.page(&Filter::default(), None, 50).await.unwrap();
        took.push(begun.elapsed());
    }
    times("beside: a page of 50 of the store", took);
}

async fn at_once(store: &SledStore, ids: &[HitId]) {
    let many: Vec<HitId> = ids.iter().rev().take(10_000).copied().collect();
    let made = |verdict, reason| Decision {
        verdict,
        reason,
        by: AccountName::new("bench").unwrap(),
        at: "2026-11-20T20:00:00Z".parse().unwrap(),
        note: String::new(),
        looked_ms: 0,
        second: false,
        act: Some("bench".into()),
        precedent: None,
    };
    for (what, seen, decision) in [
        ("one decision on", 0, made(Verdict::Dismiss, Reason::CommonWord)),
        ("its undo on", 1, made(Verdict::Reopen, Reason::Undo)),
    ] {
        let on = many.iter().map(|&hit| Seen { hit, decisions: seen }).collect();
        let begun = Instant::now();
        let settled = store.settle(&Act { decision, on }).await.unwrap();
        println!("{:<44} {:.3?}", format!("{what} {} hits", settled.new), begun.elapsed());
    }
}
