//! How long a trial of rules over archived listings takes: `cargo bench --bench archive -- [--listings N] [--data DIR] [--mark]`.
//!
//! Makes a store of N listings (100,000) of some 600 characters, packs it, then tries single rules and all of them, each twice; the
//! second time is told; before them a mark, and with --mark nothing else. Listings are put together from the sentences of the
//! shipped rules (one in twenty from those that must hit) and from common characters by a steep law, from one seed. With --data the store stays and is used again. Prints figures;
//! asserts nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use jiff::civil::{Date, date};
use markwarden::{
    archive::{Archive, Scan, refresh},
    marks::import_csv,
    matcher::Previewer,
    model::{Listing, ListingId, SystemClock},
    rules::{Backtest, Expectation, Needles, RuleSet, RuleSource},
    store::{Batch, Settings, SledStore, Store, Write},
    text::fold_surfaces,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DAY: Date = date(2026, 11, 27);
const CHARACTERS: usize = 600;
const CATEGORIES: [&str; 5] = ["食品", "家居", "服装", "美妆", "母婴"];
/// Rules that are tried alone: many common words, few, and a gate.
const ALONE: [&str; 6] = [
    "ad.absolute",
    "claim.disease-cure",
    "sale.yangtze-wild",
    "gate.food-label",
    "signal.counterfeit-slang",
    "sale.tobacco",
];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1).cloned());
    let listings: usize = value("--listings").map_or(100_000, |text| text.parse().unwrap());
    let scratch = tempfile::tempdir().unwrap();
    let place = value("--data").map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let store = SledStore::open(&place, &Settings::default(), Arc::new(SystemClock)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let there = runtime.block_on(store.counts()).unwrap().listings as usize;
    if there < listings {
        let begun = Instant::now();
        runtime.block_on(fill(&store, there, listings));
        println!("{:<44} {:>9.1} s", format!("store of {listings} listings written"), begun.elapsed().as_secs_f64());
    }
    let folder = place.join("archive");
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let archive = refresh(&folder, &store, 0, &stop, &|_| {}).unwrap();
    let built = begun.elapsed().as_secs_f64();
    let bytes = Archive::bytes(&folder).unwrap();
    println!(
        "{:<44} {built:>9.1} s, {} bytes a listing",
        "archive built or found",
        bytes / archive.manifest().listings.max(1)
    );
    drop(archive);
    let begun = Instant::now();
    let archive = refresh(&folder, &store, 0, &stop, &|_| {}).unwrap();
    println!("{:<44} {:>9.1} ms", "archive opened and held against the store", 1e3 * begun.elapsed().as_secs_f64());
    mark(&archive);
    if words.iter().any(|word| word == "--mark") {
        return;
    }
    for rule in ALONE {
        let mut sources = RuleSource::builtin();
        sources.retain(|source| source.name() == rule);
        let begun = Instant::now();
        let set = RuleSet::parse(sources).unwrap();
        let compiled = begun.elapsed();
        let needles = set.needles(|_| true);
        run(&archive, &set, needles.as_ref());
        let begun = Instant::now();
        let (hits, shown) = run(&archive, &set, needles.as_ref());
        let took = begun.elapsed().as_secs_f64();
        println!(
            "{rule:<44} {took:>9.2} s, {shown} listings shown, {hits} with hits (compiled in {:.0} ms)",
            1e3 * compiled.as_secs_f64()
        );
    }
    let set = RuleSet::builtin().unwrap();
    let begun = Instant::now();
    let (hits, shown) = run(&archive, &set, None);
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{:<44} {took:>9.1} s, {shown} listings shown, {hits} hits, {:.0} a second",
        "all shipped rules",
        shown as f64 / took
    );
}

/// One mark of three characters tried on all of them, every disguise looked for.
fn mark(archive: &Archive) {
    let marks = import_csv("marks.csv", "id,text,nice_classes\na,云雀记,25\n").unwrap();
    let stop = AtomicBool::new(false);
    let scan = Scan { needles: None, reaches: None, stop: &stop, progress: &|_| {}, threads: 0 };
    let make = || Previewer::new(marks.clone(), 12);
    let begun = Instant::now();
    let (looks, covered) = archive.scan(scan, make, |look, listing| look.see(listing, DAY)).unwrap();
    let mut all = make();
    looks.into_iter().for_each(|look| all.merge(look));
    let queued = all.finish().iter().map(|preview| preview.queued).sum::<usize>();
    let took = begun.elapsed().as_secs_f64();
    println!("{:<44} {took:>9.2} s, {} listings shown, {queued} queued", "a mark, every disguise", covered.shown);
}

/// Hits, and listings that were shown.
fn run(archive: &Archive, set: &RuleSet, needles: Option<&Needles>) -> (u64, u64) {
    let stop = AtomicBool::new(false);
    let reaches = |category: &[&str]| set.may_reach(|_| true, category);
    let scan = Scan { needles, reaches: Some(&reaches), stop: &stop, progress: &|_| {}, threads: 0 };
    let see = |look: &mut Backtest<'_>, listing: &Listing| look.see(listing, &fold_surfaces(listing), DAY, |_| None);
    let (parts, covered) = archive.scan(scan, || Backtest::new(set, None, 0), see).unwrap();
    let hits = parts.into_iter().flat_map(Backtest::finish).map(|report| report.listings).sum();
    (hits, covered.shown)
}

async fn fill(store: &SledStore, from: usize, to: usize) {
    let set = RuleSet::builtin().unwrap();
    let tests = || set.rules().iter().flat_map(|rule| &rule.tests);
    let of = |wanted: Expectation| -> Vec<String> {
        tests()
            .filter(|test| test.expect == wanted)
            .map(|test| test.listing.title.clone())
            .filter(|title| !title.is_empty())
            .collect()
    };
    let (hits, misses) = (of(Expectation::Hit), of(Expectation::Miss));
    let common = common();
    for first in (from..to).step_by(2000) {
        let writes = (first..to.min(first + 2000)).map(|n| {
            let mut random = fastrand::Rng::with_seed(n as u64);
            let listing = listing(n, (&hits, &misses, &common), &mut random);
            Write::Listing { id: ListingId::new(&listing.id).unwrap(), listing, capture: None }
        });
        store.apply(Batch { actor: "bench".into(), writes: writes.collect() }).await.unwrap();
    }
}

fn listing(n: usize, (hits, misses, common): (&[String], &[String], &[char]), random: &mut fastrand::Rng) -> Listing {
    let sentence = |random: &mut fastrand::Rng| {
        let from = if random.u32(..400) == 0 { hits } else { misses };
        from[random.usize(..from.len())].clone()
    };
    let mut description = String::new();
    let mut length = 0;
    while length < CHARACTERS {
        let part: String = if random.bool() {
            sentence(random)
        } else {
            (0..random.usize(8..30)).map(|_| common[(common.len() as f64 * random.f64().powi(3)) as usize]).collect()
        };
        length += part.chars().count() + 1;
        description.push_str(&part);
        description.push('，');
    }
    let mut listing: Listing = serde_json::from_value(serde_json::json!({
        "id": format!("bench:{n}"), "platform": "bench", "title": sentence(random), "description": description,
        "price": {"amount": format!("{}.00", random.u32(1..2000)), "currency": "CNY"},
        "seller": {"id": format!("s{}", random.u32(..5000)), "name": "某某旗舰店"},
        "category": CATEGORIES[random.usize(..CATEGORIES.len())],
        "attributes": {"品牌": "某牌", "发货地": "湖北武汉", "规格": format!("{}克", random.u32(1..999))},
    }))
    .unwrap();
    listing.captured_at = Some("2026-11-20T00:00:00Z".parse().unwrap());
    listing
}

/// Two thousand characters that stand in the shipped sentences and lists, the most frequent first.
fn common() -> Vec<char> {
    let mut counts = std::collections::BTreeMap::<char, usize>::new();
    let texts = RuleSource::builtin().into_iter().map(|source| source.text);
    for c in texts.flat_map(|text| text.chars().collect::<Vec<_>>()).filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)) {
        *counts.entry(c).or_default() += 1;
    }
    let mut common: Vec<(usize, char)> = counts.into_iter().map(|(c, count)| (count, c)).collect();
    common.sort_unstable_by(|a, b| b.cmp(a));
    common.into_iter().take(2000).map(|(_, c)| c).collect()
}
