//! How fast rules are compiled, taken over anew and matched, beside `RegexSet` on the same words and texts.
//!
//! `cargo bench --bench rules -- [--rules N] [--listings N] [--rounds N] [--without-shipped] [--without-peer]`. Rules and
//! listings come from `tests/bench/rules/generator.rs`, from one seed. Prints figures of one thread: where something is found,
//! as data; the same written out as findings with their reasons; asserts nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

#[path = "rules/generator.rs"]
mod generator;

use std::{
    fs, hint,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::civil::{Date, date};
use markwarden::{
    model::Listing,
    rules::{Rule, RuleSet, RuleSource, Status},
    text::{FoldedSurface, fold_surfaces},
};
use regex::{RegexSetBuilder, escape};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DAY: Date = date(2026, 11, 23);
const ROUNDS: usize = 7;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1).cloned());
    let number = |name: &str, usual: usize| value(name).map_or(usual, |text| text.parse().unwrap());
    let made = generator::rules(number("--rules", 3000));
    let listings = generator::listings(number("--listings", 10_000), &made);
    let sources: Vec<RuleSource> = made.iter().map(|one| one.source.clone()).collect();
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    println!("{} rules, {:.1} MB of text, {} tests", sources.len(), bytes as f64 / 1e6, 10 * sources.len());

    let rounds = number("--rounds", ROUNDS);
    let set = compiling(&sources);
    reloading(&sources);
    let ours = matching("generated rules", &set, &listings, rounds);
    if !words.iter().any(|word| word == "--without-shipped") {
        matching("shipped rules", &RuleSet::builtin().unwrap(), &listings, rounds);
    }
    if !words.iter().any(|word| word == "--without-peer") {
        peer(&made, &listings, ours);
    }
}

/// From texts in memory to a set that matches, lints included.
fn compiling(sources: &[RuleSource]) -> RuleSet {
    let mut set = None;
    let took = middle((0..3).map(|_| {
        let files = sources.to_vec();
        let begin = Instant::now();
        set = Some(RuleSet::parse(files).unwrap_or_else(|wrong| panic!("{}", wrong[0])));
        begin.elapsed()
    }));
    println!("compile                 {:>8.0} ms", milliseconds(took));
    set.unwrap()
}

/// One rule has changed: all texts are read from the disk, compiled aside, tested and swapped.
fn reloading(sources: &[RuleSource]) {
    let folder = std::env::temp_dir().join(format!("markwarden-bench-rules-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for source in sources {
        fs::write(folder.join(source.path.strip_prefix("rules/").unwrap()), &source.text).unwrap();
    }
    let begin = Instant::now();
    let files = RuleSource::read_all(std::slice::from_ref(&folder)).unwrap();
    let reading = begin.elapsed();
    let files_before = files.clone();
    let mut files = files;
    files[1700.min(sources.len() - 1)] = generator::revised(&files[1700.min(sources.len() - 1)]);
    let in_use = Mutex::new(Arc::new(RuleSet::empty()));
    // The set in use was compiled from other paths.
    let set = &RuleSet::parse(files_before).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    let begin = Instant::now();
    let next = RuleSet::parse_after(files, set).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    let compiled = begin.elapsed();
    let failed = next.trials(DAY).iter().filter(|trial| trial.failed()).count();
    let tested = begin.elapsed();
    *in_use.lock().unwrap() = Arc::new(next);
    let all = begin.elapsed();
    fs::remove_dir_all(&folder).unwrap();
    println!(
        "hot reload              {:>8.0} ms: compiled aside {:.0}, tests run {:.0} ({failed} fail), swapped {:.3}; {:.0} more to read the files",
        milliseconds(all),
        milliseconds(compiled),
        milliseconds(tested - compiled),
        milliseconds(all - tested),
        milliseconds(reading)
    );
}

/// Gives the time over all listings, already folded.
fn matching(name: &str, set: &RuleSet, listings: &[Listing], rounds: usize) -> Duration {
    let folded: Vec<Vec<FoldedSurface<'_>>> = listings.iter().map(fold_surfaces).collect();
    let counts = |rule: &Rule| matches!(rule.status, Status::Active | Status::Shadow);
    let found = |listing: &Listing, surfaces: &[FoldedSurface<'_>]| {
        let sightings = set.sightings(listing, surfaces, DAY, counts);
        sightings.iter().filter(|sighting| sighting.stands()).count()
    };
    let pairs = || listings.iter().zip(&folded);
    let alone =
        middle((0..rounds).map(|_| timed(|| pairs().map(|(one, surfaces)| found(one, surfaces)).sum::<usize>())));
    let in_words =
        middle((0..rounds).map(|_| {
            timed(|| pairs().map(|(one, surfaces)| set.all_findings(one, surfaces, DAY).len()).sum::<usize>())
        }));
    let with_fold = middle(
        (0..rounds).map(|_| timed(|| listings.iter().map(|one| found(one, &fold_surfaces(one))).sum::<usize>())),
    );
    let fold =
        middle((0..rounds).map(|_| timed(|| listings.iter().map(|one| fold_surfaces(one).len()).sum::<usize>())));
    let (mut stand, mut aside, mut hit) = (0_usize, 0_usize, 0_usize);
    for (listing, surfaces) in pairs() {
        let findings = set.all_findings(listing, surfaces, DAY);
        let standing = findings.iter().filter(|finding| finding.suppressed.is_none()).count();
        stand += standing;
        aside += findings.len() - standing;
        hit += usize::from(standing > 0);
    }
    let count = listings.len() as f64;
    println!(
        "{name:<23} findings a listing {:.2} standing, {:.2} set aside; hits in {:.0} %",
        stand as f64 / count,
        aside as f64 / count,
        100.0 * hit as f64 / count
    );
    for (what, time) in [
        ("found, folded already", alone),
        ("found and written out", in_words),
        ("found, with the fold", with_fold),
        ("the fold alone", fold),
    ] {
        let each = time.as_secs_f64() / count;
        println!("  {what:<22} {:>8.0} listings/s, {:>6.2} µs of processor time each", 1.0 / each, 1e6 * each);
    }
    alone
}

/// `RegexSet` is only asked which rules have one of the words of their claims: no contexts, covers, places or findings.
fn peer(made: &[generator::Made], listings: &[Listing], ours: Duration) {
    let patterns = made.iter().map(|one| one.claims.iter().map(|word| escape(word)).collect::<Vec<_>>().join("|"));
    let begin = Instant::now();
    let set = RegexSetBuilder::new(patterns).size_limit(2 << 30).dfa_size_limit(256 << 20).build().unwrap();
    let built = begin.elapsed();
    let folded: Vec<Vec<FoldedSurface<'_>>> = listings.iter().map(fold_surfaces).collect();
    let (mut asked, mut found) = (0_u32, 0);
    let begin = of_thread();
    for surfaces in &folded {
        found += surfaces.iter().map(|surface| set.matches(surface.folded.text()).iter().count()).sum::<usize>();
        asked += 1;
        if of_thread() - begin > Duration::from_secs(20) {
            break;
        }
    }
    let each = (of_thread() - begin) / asked;
    let ours = ours / u32::try_from(listings.len()).unwrap();
    println!(
        "RegexSet                {:>8.0} listings/s folded already ({asked} asked, {:.2} rules a listing), built in {:.1} s: ours is {:.1}x",
        1.0 / each.as_secs_f64(),
        found as f64 / f64::from(asked),
        built.as_secs_f64(),
        each.as_secs_f64() / ours.as_secs_f64()
    );
}

/// Processor time of this thread: the machine may be busy with other things.
fn timed<T>(act: impl Fn() -> T) -> Duration {
    let begin = of_thread();
    hint::black_box(act());
    of_thread() - begin
}

fn of_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned() as u32)
}

fn middle(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
