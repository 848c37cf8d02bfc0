//! The desk's questions over many hits: `cargo bench --bench desk -- [HITS] [FOLDER]`, a million in a temporary folder when
//! nothing is said. Prints figures; asserts nothing.
//!
//! Loads the hits into a store on disk and into bare sled, reads the board, then times filters, searches, claims, one
//! decision on 10,000 hits and its undo, each beside what bare sled takes for the same with an index made for it; then the
//! same as people ask it, over HTTP with pages rendered.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "desk/bare.rs"]
mod bare;
#[path = "desk/door.rs"]
mod door;

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    model::{AccountName, Decision, HitId, NewHit, Reason, Severity, SystemClock, Verdict},
    review::{Board, BoardAsk, Deadlines, Search, Strategy},
    store::{Act, Batch, Filter, Seen, Settings, SledStore, Store, Write},
};

use bare::Bare;

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

/// Prints the median, the 99th percentile and the most; the median is returned.
fn times(what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what:<44} p50 {:>9.3?}  p99 {:>9.3?}  most {:>9.3?}", at(0.5), at(0.99), at(1.0));
    at(0.5)
}

fn beside(what: &str, own: Duration, bare: Duration) {
    println!("  beside: {what:<34} {bare:>13.3?}  ratio {:.2}", own.as_secs_f64() / bare.as_secs_f64());
}

/// Resident memory of this process, in MB.
fn resident() -> f64 {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as f64 / 1e6
}

/// What the desk's scripts and styles weigh on their way, gzipped.
fn assets() {
    let weighed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap().len()
    };
    let script = weighed(include_bytes!("../../src/web/assets/review.js"));
    let styles = weighed(include_bytes!("../../src/web/assets/desk.css"))
        + weighed(include_bytes!("../../src/web/assets/portal.css"));
    println!("{:<44} {script} bytes, styles {styles}", "JavaScript, gzipped");
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
    assets();
    let store = Arc::new(SledStore::open(&folder, &Settings::default(), clock).unwrap());
    let bare = Bare::open(&folder);
    runtime.block_on(load(&store, &bare, count));
    runtime.block_on(questions(&store, &bare));
    drop(bare);
    runtime.block_on(door::questions(store, &folder));
}

async fn load(store: &SledStore, bare: &Bare, count: u64) {
    let begun = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let hits: Vec<NewHit> = (first..count.min(first + BATCH)).map(hit).collect();
        (first..).zip(&hits).for_each(|(id, hit)| bare.put(id, hit));
        let writes = hits.into_iter().map(Write::Hit).collect();
        store.apply(Batch { actor: "bench".into(), writes }).await.unwrap();
    }
    println!("{:<44} {:.1?}", format!("{count} hits loaded, twice"), begun.elapsed());
}

async fn questions(store: &SledStore, bare: &Bare) {
    let (board, limits) = (Board::default(), Deadlines::default());
    let (begun, before) = (Instant::now(), resident());
    board.follow(store, true).await.unwrap();
    let hits = board.newest().0 as f64;
    let bytes = (resident() - before) * 1e6 / hits;
    println!("{:<44} {:.1?}, {bytes:.0} bytes a hit with what the store keeps", "the board read", begun.elapsed());
    let now = "2026-11-20T20:00:00Z".parse().unwrap();
    let search = |text: &str, strategy| BoardAsk { search: Search::parse(text), strategy, ..BoardAsk::default() };
    let high = BoardAsk { platform: "简铺".into(), severity: Some(Severity::High), ..BoardAsk::default() };
    for (what, ask) in [
        ("all open by weight", search("", Strategy::Priority)),
        ("all open, oldest first", search("", Strategy::Oldest)),
        ("all open at random", search("", Strategy::Sample)),
        ("one platform, high", high),
        ("a word of a sixth", search("云雀", Strategy::Priority)),
        ("two words, one left out", search("云雀 跑鞋 -第1", Strategy::Priority)),
        ("a rare word", search("第77777款", Strategy::Priority)),
        ("a word that is nowhere", search("不存在的词", Strategy::Priority)),
        ("one seller", search("seller:第4711小铺", Strategy::Priority)),
        ("one mark", search("ref:m-471", Strategy::Priority)),
    ] {
        let own = times(
            &format!("{what} ({})", board.select(&ask, &limits, now).len()),
            repeat(20, |_| board.select(&ask, &limits, now)),
        );
        let peer = |work: &dyn Fn() -> usize| repeat(3, |_| work()).into_iter().min().unwrap();
        match what {
            "one platform, high" => {
                let both = || bare.filter("简铺", Severity::High as u8) + bare.filter("简铺", Severity::Critical as u8);
                beside("an index of sled for just that", own, peer(&both));
            }
            "a word of a sixth" => beside("every text read from sled", own, peer(&|| bare.search("云雀"))),
            "a rare word" => beside("every text read from sled", own, peer(&|| bare.search("第77777款"))),
            _ => {}
        }
    }
    let ids = board.select(&search("", Strategy::Priority), &limits, now);
    times("a group", repeat(200, |n| board.group(ids[n * 31 % ids.len()])));
    claims(store, bare, &ids).await;
    at_once(store, bare, &board, &ids).await;
}

async fn claims(store: &SledStore, bare: &Bare, ids: &[HitId]) {
    let ttl = Duration::from_secs(600);
    let mut took = Vec::new();
    for n in 0..200 {
        let worker = AccountName::new(&format!("w{}", n % 8)).unwrap();
        let begun = Instant::now();
        store.claim_among(&ids[..ids.len().min(400)], &worker, 20, ttl).await.unwrap();
        took.push(begun.elapsed());
    }
    let own = times("claim of 20 among the first 400, durable", took);
    beside("sled takes, leases, reads 20, flushed", own, times("  sled alone", repeat(200, |_| bare.claim())));
    let mut took = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        store.page(&Filter::default(), None, 50).await.unwrap();
        took.push(begun.elapsed());
    }
    times("a page of 50 of the store", took);
}

async fn at_once(store: &SledStore, bare: &Bare, board: &Board, ids: &[HitId]) {
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
        let durable = begun.elapsed();
        board.look_at(store, &settled.done).await.unwrap();
        println!(
            "{:<44} {:.3?}, of it {durable:.3?} until durable",
            format!("{what} {} hits", settled.new),
            begun.elapsed()
        );
        beside("sled writes so many anew, flushed", begun.elapsed(), bare.at_once(settled.new as u64));
    }
}
