//! Recall of every disguise and false alarms must not get worse than what is recorded in `quality.tsv`, beyond chance.
//!
//! `MARKWARDEN_RECORD=1 cargo test --test suite quality` records anew. The sample is always the same one.

#[path = "../bench/evasion/generator.rs"]
#[allow(dead_code)]
mod generator;

use std::{collections::BTreeMap, sync::Arc};

use markwarden::{
    marks::Register,
    matcher::{Matcher, Settings},
    model::Listing,
};

use generator::{Evasions, Language, Sample, clean_listings, is_guess, mark_texts, marks, ways, wilson};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/quality.tsv");
const MARKS: usize = 20_000;
const EACH: usize = 80;
const CLEAN: usize = 150;

/// By name: how often, of how many.
type Counts = BTreeMap<String, (usize, usize)>;

fn measured() -> Counts {
    let (language, evasions) = (Language::new(), Evasions::new());
    let texts = mark_texts(&language, &evasions, MARKS);
    let matcher = Matcher::new(Arc::new(Register::new(marks(&texts))), None, Settings::default());
    let sample = Sample { language: &language, evasions: &evasions, matcher: &matcher, texts: &texts, each: EACH };
    let mut counts = Counts::new();
    for (name, way) in ways() {
        let cells = generator::recall(&sample, (name, way), &mut |_| {});
        let sum = |two: bool| {
            let cells = cells.iter().filter(|(length, _)| (**length == 2) == two);
            cells.fold((0, 0), |sum, (_, cell)| (sum.0 + cell.0, sum.1 + cell.1))
        };
        counts.insert(format!("{name}, 3 and more"), sum(false));
        counts.insert(format!("{name}, 2"), sum(true));
    }
    let on = "2026-11-26".parse().unwrap();
    let quiet = |one: &&Listing| !matcher.check(one, on).findings.iter().any(|finding| is_guess(&finding.channels));
    let clean = clean_listings(&language, CLEAN);
    counts.insert("clean listings without a guess".into(), (clean.iter().filter(quiet).count(), CLEAN));
    counts.retain(|_, (_, of)| *of > 0);
    counts
}

#[test]
fn no_disguise_is_found_less_often_than_before() {
    let now = measured();
    if std::env::var_os("MARKWARDEN_RECORD").is_some() {
        let lines: Vec<String> = now.iter().map(|(name, (found, of))| format!("{name}\t{found}\t{of}\n")).collect();
        std::fs::write(FILE, lines.concat()).unwrap();
    }
    let recorded = std::fs::read_to_string(FILE).unwrap();
    let mut worse = Vec::new();
    assert_eq!(recorded.lines().count(), now.len(), "the ways of writing are not those that were recorded");
    for line in recorded.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let (name, found, of) = (columns[0], columns[1].parse().unwrap(), columns[2].parse().unwrap());
        let (low, _) = wilson(found, of);
        let (found_now, of_now) = now[name];
        if (found_now as f64) < low * of_now as f64 {
            worse.push(format!("{name}: {found_now} of {of_now}, recorded {found} of {of}"));
        }
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}
