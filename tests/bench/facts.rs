//! Prints how well product facts are read from real pages and prices, and what reading costs.
//!
//! Reads the folder named by `MARKWARDEN_REAL`, else `../shared/real`. `--verbose` lists what was read wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{collections::BTreeMap, fs, io::Read, path::PathBuf, time::Duration};

use markwarden::{
    crawl::{PageText, currency_code, currency_may_be, decode, extract, parse_price},
    model::Listing,
};
use serde::Deserialize;
use url::Url;

#[derive(Deserialize)]
struct Truth {
    url: Url,
    #[serde(default)]
    price: Vec<String>,
    #[serde(default)]
    sku: Vec<String>,
    #[serde(default)]
    availability: Vec<String>,
    #[serde(default)]
    brand: Vec<String>,
    #[serde(default)]
    currency: Vec<String>,
}

#[derive(Deserialize)]
struct PriceCase {
    text: Option<String>,
    currency_hint: Option<String>,
    expected_currency: Option<String>,
    expected_amount: Option<String>,
    known_failure_of_price_parser: bool,
}

#[derive(Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

fn main() {
    let verbose = std::env::args().any(|argument| argument == "--verbose");
    let folder = std::env::var_os("MARKWARDEN_REAL").map_or_else(|| PathBuf::from("../shared/real"), PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: {} does not exist; set MARKWARDEN_REAL to the folder of real pages", folder.display());
        return;
    }
    pages(&folder, verbose);
    prices(&folder, verbose);
    cost();
}

fn pages(folder: &std::path::Path, verbose: bool) {
    let truth: BTreeMap<String, Truth> =
        serde_json::from_str(&fs::read_to_string(folder.join("pages/truth.json")).unwrap()).unwrap();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let start = cpu();
    for (id, truth) in &truth {
        let packed = fs::read(folder.join(format!("pages/{id}.html.gz"))).unwrap();
        let mut body = Vec::new();
        flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut body).unwrap();
        let text = decode(&body, None).text;
        let listing = extract(&PageText { url: &truth.url, text: &text }, None).unwrap_or_default();
        for (field, accepted, found) in fields(truth, &listing) {
            let same = found.as_ref().is_some_and(|found| accepted.iter().any(|known| agrees(field, known, found)));
            let score = scores.entry(field).or_default();
            match (&found, accepted.is_empty()) {
                (Some(_), _) if same => score.right += 1,
                (Some(_), true) => score.wrong += 1,
                (Some(_), false) => (score.wrong, score.missed) = (score.wrong + 1, score.missed + 1),
                (None, true) => {}
                (None, false) => score.missed += 1,
            }
            if verbose && !same && !(found.is_none() && accepted.is_empty()) {
                println!("  {} {field}: read {found:?}, people say {accepted:?}  {}", &id[..6], truth.url);
            }
        }
    }
    println!(
        "{} pages, {:.1} CPU ms a page (mean size as found, unpacking included)",
        truth.len(),
        millis(cpu() - start) / truth.len() as f64
    );
    println!("{:<14}{:>10}{:>8}{:>8}   extruct F1", "field", "precision", "recall", "F1");
    for (field, peer) in [("price", ".685"), ("sku", ".537"), ("availability", ".626"), ("brand", ""), ("currency", "")]
    {
        let score = &scores[field];
        let (precision, recall) = (
            score.right as f64 / (score.right + score.wrong) as f64,
            score.right as f64 / (score.right + score.missed) as f64,
        );
        println!(
            "{field:<14}{precision:>10.3}{recall:>8.3}{:>8.3}   {peer}",
            2.0 * precision * recall / (precision + recall)
        );
    }
}

fn fields<'t>(truth: &'t Truth, listing: &Listing) -> [(&'static str, &'t [String], Option<String>); 5] {
    let currency = listing.price.as_ref().map(|price| price.currency.clone()).filter(|code| !code.is_empty());
    [
        ("price", &truth.price, listing.price.as_ref().map(|price| price.amount.to_string())),
        ("sku", &truth.sku, listing.sku.clone()),
        ("availability", &truth.availability, listing.availability.clone()),
        ("brand", &truth.brand, listing.brand.clone()),
        ("currency", &truth.currency, currency),
    ]
}

fn agrees(field: &str, known: &str, found: &str) -> bool {
    match field {
        "price" => {
            matches!((known.trim().parse::<f64>(), found.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 0.005)
        }
        "currency" => currency_code(known) == Some(found) || currency_may_be(known, found),
        "availability" => known == found || (known == "OutOfStock" && matches!(found, "SoldOut" | "Discontinued")),
        "brand" => known.eq_ignore_ascii_case(found),
        _ => known.trim() == found.trim(),
    }
}

fn prices(folder: &std::path::Path, verbose: bool) {
    let cases: Vec<PriceCase> = serde_json::from_str(&fs::read_to_string(folder.join("prices.json")).unwrap()).unwrap();
    let mut right = [[0_u32; 2]; 2];
    let mut all = [0_u32; 2];
    for case in &cases {
        let known = usize::from(case.known_failure_of_price_parser);
        all[known] += 1;
        let found = parse_price(case.text.as_deref().unwrap_or(""), case.currency_hint.as_deref());
        let amount = found.as_ref().map(|price| price.amount.as_f64());
        let expected = case.expected_amount.as_deref().and_then(|text| text.parse::<f64>().ok());
        let amount_right = match (amount, expected) {
            (Some(a), Some(b)) => (a - b).abs() < 0.0001,
            (None, None) => true,
            _ => false,
        };
        let code = found.as_ref().and_then(|price| price.currency.as_deref());
        let currency_right = match (code, case.expected_currency.as_deref()) {
            (Some(code), Some(sign)) => currency_code(sign) == Some(code) || currency_may_be(sign, code),
            // A text without a price has no currency either.
            (None, Some(_)) => expected.is_none() && found.is_none(),
            (code, None) => code.is_none(),
        };
        right[0][known] += u32::from(amount_right);
        right[1][known] += u32::from(amount_right && currency_right);
        if verbose && !(amount_right && currency_right) {
            println!(
                "  {:?} hint {:?}: read {amount:?} {code:?}, expected {expected:?} {:?}{}",
                case.text,
                case.currency_hint,
                case.expected_currency,
                if known == 1 { " (price-parser fails too)" } else { "" }
            );
        }
    }
    for (what, right) in ["amount", "amount and currency"].iter().zip(right) {
        println!(
            "prices, {what}: {:.3} of {} that price-parser reads, {:.3} of all {}",
            right[0] as f64 / all[0] as f64,
            all[0],
            (right[0] + right[1]) as f64 / (all[0] + all[1]) as f64,
            all[0] + all[1]
        );
    }
}

/// The cost of a page of ordinary size whose JSON-LD says everything, and of the same page without it.
fn cost() {
    let url = Url::parse("https://shop.example/p/1.html").unwrap();
    let filler =
        "<div class=\"row\"><p>轻便透气的跑步鞋，四季可穿</p><a href=\"/p/2.html\">更多 ¥99</a></div>\n".repeat(330);
    let json = r#"<script type="application/ld+json">{"@graph":[{"@type":"Product","name":"云雀 跑鞋","sku":"YQ-1","offers":{"price":"199.00","priceCurrency":"CNY","availability":"https://schema.org/InStock"}}]}</script>"#;
    let with =
        format!("<html><head><title>云雀 跑鞋</title>{json}</head><body><h1>云雀 跑鞋</h1>{filler}</body></html>");
    let without = with.replace(json, "").replace("</h1>", "</h1><p class=price>¥199</p>");
    for (what, text, rounds) in [("JSON-LD path", &with, 2_000), ("markup path", &without, 100)] {
        let start = cpu();
        for _ in 0..rounds {
            assert!(extract(&PageText { url: &url, text }, None).unwrap().price.is_some());
        }
        let seconds = (cpu() - start).as_secs_f64() / rounds as f64 * 1000.0;
        println!("{what}: {seconds:.4} CPU s per 1000 pages of {:.1} KB", text.len() as f64 / 1000.0);
    }
    let start = cpu();
    for _ in 0..50 {
        assert!(scraper::Html::parse_document(&without).root_element().has_children());
    }
    println!(
        "full document (scraper) alone: {:.4} CPU s per 1000 pages",
        (cpu() - start).as_secs_f64() / 50.0 * 1000.0
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Processor time of this process, from `/proc/self/stat` where there is one, else the time that passed.
fn cpu() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    let Ok(text) = fs::read_to_string("/proc/self/schedstat") else { return start.elapsed() };
    let nanos = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}
