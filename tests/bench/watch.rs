//! How well disguised marks are found, what they cost in false alarms, and how fast that is.
//!
//! `cargo bench --bench watch -- [--marks N] [--listings N] [--each N] [--rounds N] [--write FILE]`. Marks and clean listings are drawn from
//! the words of `tables/words.tsv`; what sellers do to a mark comes from `tests/bench/evasion`, which shares nothing with the
//! tables the matcher reads. A planted mark counts as found when a finding of that very mark that is queued overlaps where it
//! was planted. Nothing is asserted; shares come with their 95 % Wilson interval.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

#[path = "evasion/generator.rs"]
mod generator;
#[path = "timing.rs"]
mod timing;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use aho_corasick::AhoCorasick;
use markwarden::{
    marks::Register,
    matcher::{Matcher, Settings},
    model::Listing,
    text::fold,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use generator::{Evasions, Language, Sample, clean_listings, is_guess, mark_texts, marks, ways, wilson};
use timing::{middle, timed};

struct Asked {
    marks: usize,
    listings: usize,
    each: usize,
    rounds: usize,
    write: Option<String>,
    show: bool,
}

fn asked() -> Asked {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1).cloned());
    let number = |name: &str, usual: usize| value(name).map_or(usual, |text| text.parse().unwrap());
    Asked {
        marks: number("--marks", 100_000),
        listings: number("--listings", 1000),
        each: number("--each", 400),
        rounds: number("--rounds", 5),
        write: value("--write"),
        show: words.iter().any(|word| word == "--show"),
    }
}

fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn main() {
    let asked = asked();
    let (language, evasions) = (Language::new(), Evasions::new());
    let given = std::env::args().skip(1).filter(|word| word != "--bench").collect::<Vec<_>>().join(" ");
    let mut report = format!("{}, two cores: cargo bench --bench watch -- {given}\n\n", jiff::Zoned::now().date());
    let texts = mark_texts(&language, &evasions, asked.marks);
    let marks = marks(&texts);
    let before = memory();
    let begin = Instant::now();
    let register = Arc::new(Register::new(marks.clone()));
    let (seconds, bytes) = (begin.elapsed().as_secs_f64(), memory() - before);
    say(&mut report, &format!("{} marks: register built in {seconds:.2} s, {bytes:.0} MB", marks.len()));
    let matcher = Matcher::new(register, None, Settings::default());
    speed(&asked, &language, &matcher, &texts, &mut report);
    say(
        &mut report,
        "recall, by way of writing and characters of the mark (2 with its class known; 3 and more without)",
    );
    let sample =
        Sample { language: &language, evasions: &evasions, matcher: &matcher, texts: &texts, each: asked.each };
    for (name, way) in ways() {
        let missed = &mut |planted: generator::Planted| {
            if asked.show {
                let aside: Vec<_> =
                    planted.findings.suppressed.iter().map(|finding| (&finding.word, finding.score)).collect();
                println!("   missed {} as {} in {}: {aside:?}", planted.mark, planted.written, planted.title);
            }
        };
        let cells = generator::recall(&sample, (name, way), missed);
        let longer = cells.iter().filter(|(length, _)| **length > 2);
        let (found, of) = longer.fold((0, 0), |sum, (_, cell)| (sum.0 + cell.0, sum.1 + cell.1));
        let (low, high) = wilson(found, of);
        let share = 100.0 * found as f64 / of.max(1) as f64;
        let mut line = format!("   {name:<24} 3+: {share:5.1} % [{:.1}, {:.1}] of {of:<5}", 100.0 * low, 100.0 * high);
        for (length, (found, of)) in cells {
            write!(line, "  {length}: {:.1} ({of})", 100.0 * found as f64 / of as f64).unwrap();
        }
        say(&mut report, &line);
    }
    if let Some(path) = &asked.write {
        std::fs::write(path, &report).unwrap();
    }
}

fn say(report: &mut String, line: &str) {
    println!("{line}");
    writeln!(report, "{line}").unwrap();
}

fn speed(asked: &Asked, language: &Language, matcher: &Matcher, texts: &[String], report: &mut String) {
    let clean = clean_listings(language, asked.listings);
    let on = "2026-11-26".parse().unwrap();
    let peer = AhoCorasick::builder()
        .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
        .build(texts.iter().map(|text| fold(text)))
        .unwrap();
    let found: Vec<_> = clean.iter().map(|one| matcher.check(one, on)).collect();
    let check = |some: &[Listing]| some.iter().map(|one| matcher.check(one, on).findings.len()).sum::<usize>();
    let exact = || clean.iter().map(|one| exact_hits(&peer, one)).sum::<usize>();
    // In turns: what else runs on the machine then hits all of them.
    let mut rounds: [Vec<Duration>; 4] = Default::default();
    for _ in 0..asked.rounds.max(1) {
        let (_, cpu, alone) = timed(|| check(&clean));
        let (_, _, together) = timed(|| {
            std::thread::scope(|scope| {
                for half in clean.chunks(clean.len().div_ceil(2)) {
                    scope.spawn(|| check(half));
                }
            });
        });
        let (_, theirs, _) = timed(exact);
        for (times, time) in rounds.iter_mut().zip([cpu, theirs, alone, together]) {
            times.push(time);
        }
    }
    let [ours, theirs, alone, together] = rounds.map(middle);
    let rate = |time: Duration| clean.len() as f64 / time.as_secs_f64();
    say(
        report,
        &format!(
            "clean listings of 600 characters: {:.0} a second of CPU time, aho-corasick (contiguous NFA, exact only) {:.0}, ratio {:.3} [{} exact there]; by the clock {:.0} on one thread, {:.0} on two ({:.2}x)",
            rate(ours),
            rate(theirs),
            rate(ours) / rate(theirs),
            exact(),
            rate(alone),
            rate(together),
            alone.as_secs_f64() / together.as_secs_f64()
        ),
    );
    let mut by_channel: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut queued, mut fuzzy) = (0, 0);
    for (one, findings) in clean.iter().zip(&found) {
        for (finding, stands) in findings
            .findings
            .iter()
            .map(|finding| (finding, true))
            .chain(findings.suppressed.iter().map(|finding| (finding, false)))
        {
            let guessed = is_guess(&finding.channels);
            let name: Vec<String> = finding.channels.iter().map(ToString::to_string).collect();
            let count = by_channel.entry(if name.is_empty() { "plain".into() } else { name.join("+") }).or_default();
            if stands {
                count.0 += 1
            } else {
                count.1 += 1
            }
            queued += usize::from(stands);
            fuzzy += usize::from(stands && guessed);
            if asked.show && stands && guessed {
                let text = if finding.surface == "title" { &one.title } else { one.description.as_ref().unwrap() };
                let around: String =
                    text.chars().skip(finding.start.saturating_sub(6)).take(finding.end - finding.start + 12).collect();
                println!("   {} for {} in {around} {:.2} {name:?}", finding.text, finding.word, finding.score);
            }
        }
    }
    say(
        report,
        &format!(
            "false alarms a clean listing: {:.3} in all, {:.4} of them guessed",
            queued as f64 / clean.len() as f64,
            fuzzy as f64 / clean.len() as f64
        ),
    );
    for (channel, (stands, aside)) in by_channel {
        say(
            report,
            &format!(
                "   {channel:<24} {:.4} queued, {:.4} set aside",
                stands as f64 / clean.len() as f64,
                aside as f64 / clean.len() as f64
            ),
        );
    }
}

fn exact_hits(peer: &AhoCorasick, listing: &Listing) -> usize {
    let texts = [Some(&listing.title), listing.description.as_ref()];
    texts.into_iter().flatten().map(|text| peer.find_overlapping_iter(text.as_str()).count()).sum()
}
