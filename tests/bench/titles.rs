//! Marks in real shop titles: precision and recall against what people marked.
//!
//! `cargo bench --bench titles` (what it printed last is in `titles.txt`) · the data is found by `MARKWARDEN_REAL`, or `../shared/real` beside the checkout.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use markwarden::{
    marks::Register,
    matcher::{Matcher, Settings},
    model::{Finding, Listing, Mark},
    text::fold,
};

fn main() {
    let folder = std::env::var_os("MARKWARDEN_REAL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real")), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("titles.json")) else {
        println!("skipped: no titles.json in {}", folder.display());
        return;
    };
    let titles: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let brands_of = |title: &serde_json::Value| -> BTreeSet<String> {
        title["brands"].as_array().unwrap().iter().map(|brand| brand.as_str().unwrap().to_owned()).collect()
    };
    let brands: BTreeSet<String> = titles.iter().flat_map(brands_of).collect();
    let marks: Vec<Mark> = brands
        .iter()
        .map(|brand| serde_json::from_value(serde_json::json!({"id": brand, "holder": brand, "text": brand})).unwrap())
        .collect();
    println!("{} titles, {} marks", titles.len(), marks.len());
    reliability(&titles, &marks, &brands_of);
    let verbose = std::env::args().any(|argument| argument == "--verbose");
    for queue_from in [0.0, 0.35, 0.5, 0.9, 0.95] {
        let matcher =
            Matcher::new(Arc::new(Register::new(marks.clone())), None, Settings { queue_from, ..Settings::default() });
        let (mut right, mut wrong, mut missed, mut unmarked_flagged, mut unmarked) = (0, 0, 0, 0, 0);
        for title in &titles {
            let listing: Listing = serde_json::from_value(serde_json::json!({"title": title["title"]})).unwrap();
            let found = matcher.check(&listing, "2026-11-23".parse().unwrap());
            let said: BTreeSet<String> = found.findings.iter().map(|finding: &Finding| fold(&finding.word)).collect();
            let true_ones: BTreeSet<String> = brands_of(title).iter().map(|brand| fold(brand)).collect();
            right += said.intersection(&true_ones).count();
            wrong += said.difference(&true_ones).count();
            missed += true_ones.difference(&said).count();
            unmarked += usize::from(true_ones.is_empty());
            unmarked_flagged += usize::from(true_ones.is_empty() && !said.is_empty());
            if verbose && queue_from == 0.35 && said != true_ones {
                println!("  {} | said {said:?} | marked {true_ones:?}", title["title"]);
            }
        }
        let ratio = |a: usize, b: usize| a as f64 / b.max(1) as f64;
        println!(
            "score ≥ {queue_from:.2}: precision {:.3} recall {:.3}, {:.2} % of unmarked titles flagged",
            ratio(right, right + wrong),
            ratio(right, right + missed),
            100.0 * ratio(unmarked_flagged, unmarked)
        );
    }
}

/// How often findings of each score are right, on the half the shipped calibration was fitted to and on the other half.
///
/// What a fit to the first half would be today stands below it: score of the word alone, and the chance.
fn reliability(
    titles: &[serde_json::Value],
    marks: &[Mark],
    brands_of: &dyn Fn(&serde_json::Value) -> BTreeSet<String>,
) {
    let matcher = Matcher::new(
        Arc::new(Register::new(marks.to_vec())),
        None,
        Settings { queue_from: 0.0, ..Settings::default() },
    );
    let judged = |titles: &mut dyn Iterator<Item = &serde_json::Value>| -> Vec<(f64, f64, bool)> {
        let mut judged = Vec::new();
        for title in titles {
            let listing: Listing = serde_json::from_value(serde_json::json!({"title": title["title"]})).unwrap();
            let true_ones: BTreeSet<String> = brands_of(title).iter().map(|brand| fold(brand)).collect();
            for finding in matcher.check(&listing, "2026-11-23".parse().unwrap()).findings {
                judged.push((before(&finding), finding.score, true_ones.contains(&fold(&finding.word))));
            }
        }
        judged
    };
    let fitted = judged(&mut titles.iter().step_by(2));
    let held_out = judged(&mut titles.iter().skip(1).step_by(2));
    table("the half that the calibration was fitted to", &fitted);
    let mut fit = String::new();
    for (score, chance, count) in isotonic(&fitted) {
        fit += &format!("  {score:.2} {chance:.2} ({count})");
    }
    println!("   a fit to it, score before, chance, findings:{fit}");
    table("the half held out", &held_out);
}

/// The score before it was calibrated.
fn before(finding: &Finding) -> f64 {
    let calibrated = finding.explanation.iter().position(|step| step.code == "score.calibrated");
    let steps = &finding.explanation[..calibrated.unwrap_or(finding.explanation.len())];
    steps.iter().rev().find_map(|step| step.score).unwrap_or(finding.score)
}

fn table(name: &str, judged: &[(f64, f64, bool)]) {
    let brier = |score: fn(&(f64, f64, bool)) -> f64| {
        let sum: f64 = judged.iter().map(|one| (score(one) - f64::from(u8::from(one.2))).powi(2)).sum();
        sum / judged.len().max(1) as f64
    };
    println!(
        "{name}: {} findings, Brier score {:.3} (before calibration {:.3})",
        judged.len(),
        brier(|one| one.1),
        brier(|one| one.0)
    );
    let mut bins = [(0_usize, 0_usize, 0.0_f64); 10];
    for (_, score, right) in judged {
        let (count, of_them, sum) = &mut bins[((score * 10.0) as usize).min(9)];
        (*count, *of_them, *sum) = (*count + 1, *of_them + usize::from(*right), *sum + score);
    }
    for (count, right, sum) in bins.iter().filter(|(count, ..)| *count > 0) {
        let mean = |sum: f64| sum / *count as f64;
        println!("   said {:.2}: right {:.2} of {count}", mean(*sum), mean(*right as f64));
    }
}

/// Pools neighbors until the share that is right rises with the score: mean score, share, count.
fn isotonic(judged: &[(f64, f64, bool)]) -> Vec<(f64, f64, usize)> {
    let mut sorted: Vec<(f64, bool)> = judged.iter().map(|(before, _, right)| (*before, *right)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (score, right) in sorted {
        pools.push((score, f64::from(u8::from(right)), 1));
        while let [.., (a_score, a, a_count), (b_score, b, b_count)] = pools[..]
            && a >= b
        {
            let count = a_count + b_count;
            let mean = |a: f64, b: f64| (a * a_count as f64 + b * b_count as f64) / count as f64;
            pools.truncate(pools.len() - 2);
            pools.push((mean(a_score, b_score), mean(a, b), count));
        }
    }
    pools
}
