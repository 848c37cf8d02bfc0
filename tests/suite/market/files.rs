//! The marketplace's files fit together.

use std::collections::{BTreeMap, BTreeSet};

use markwarden::{
    demo::{Truth, Writing, score},
    model::FindingKind,
};

use super::{Visit, listings, open, style};

struct MarkRow {
    holder: String,
    text: String,
    aliases: Vec<String>,
    live: bool,
    sellers: Vec<String>,
}

impl MarkRow {
    fn words(&self) -> impl Iterator<Item = &String> {
        self.aliases.iter().chain([&self.text])
    }
}

fn marks(market: &Visit) -> BTreeMap<String, MarkRow> {
    let mut reader = csv::Reader::from_reader(market.marks_csv().as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        header.join(","),
        "id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,well_known,aliases,goods,authorised_sellers"
    );
    let list = |text: &str| text.split(';').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let field = |place: usize| row.get(place).unwrap().to_owned();
            (
                field(0),
                MarkRow {
                    holder: field(1),
                    text: field(2),
                    aliases: list(&field(10)),
                    live: field(6) != "dead" && (field(8).is_empty() || field(8).as_str() > "2026-01-01"),
                    sellers: list(&field(12)),
                },
            )
        })
        .collect()
}

#[tokio::test]
async fn the_market_is_as_large_as_it_says() {
    let market = open().await;
    let marks = marks(&market);
    let holders: BTreeSet<&str> = marks.values().map(|mark| mark.holder.as_str()).collect();
    assert_eq!((marks.len(), holders.len()), (30, 6));
    let of = |kind| {
        market.truth().listings.values().filter(|l| l.expect.iter().any(|expected| expected.kind == kind)).count()
    };
    assert!(market.truth().listings.len() >= 150, "{}", market.truth().listings.len());
    assert!(of(FindingKind::Mark) >= 40, "{}", of(FindingKind::Mark));
    assert!(of(FindingKind::Rule) >= 25, "{}", of(FindingKind::Rule));
    market.market.stop().await;
}

#[tokio::test]
async fn every_listing_has_its_truth_and_every_truth_its_listing() {
    let market = open().await;
    let known = listings(&market);
    assert_eq!(known.len(), market.listings().count(), "an id stands twice");
    let truth: BTreeSet<&String> = market.truth().listings.keys().collect();
    assert_eq!(known.keys().collect::<BTreeSet<_>>(), truth);
    for (id, listing) in &known {
        let expected = &market.truth().listings[id];
        assert_eq!(listing.platform.as_deref(), Some(expected.site.as_str()), "{id}");
        assert!(listing.other.is_empty(), "the page's making is no product fact");
        assert!(!expected.why.is_empty(), "{id} says why");
    }
    market.market.stop().await;
}

#[tokio::test]
async fn every_expectation_names_a_known_mark_or_rule_and_a_surface_that_exists() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, listing) in &market.truth().listings {
        let mut families = BTreeSet::new();
        for expected in &listing.expect {
            assert!(families.insert((expected.kind, &expected.family)), "{id}: one entry a family");
            assert!(known[id].surface_text(&expected.surface).is_some(), "{id}: {}", expected.surface);
            assert_eq!(expected.channel == Writing::Combined, !expected.parts.is_empty(), "{id}: parts");
            if expected.kind == FindingKind::Mark {
                assert_eq!(marks[&expected.reference].holder, expected.family, "{id}");
            }
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn a_plain_mark_stands_in_the_surface_and_a_disguised_one_does_not() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, listing) in &market.truth().listings {
        for expected in listing.expect.iter().filter(|expected| expected.kind == FindingKind::Mark) {
            let text = known[id].surface_text(&expected.surface).unwrap().to_lowercase();
            let mark = &marks[&expected.reference];
            let there = mark.words().any(|word| text.contains(&word.to_lowercase()));
            assert_eq!(there, expected.channel == Writing::Plain, "{id}: {} in {text}", mark.text);
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn every_disguise_is_shown_at_least_twice() {
    let market = open().await;
    let mut shown = BTreeMap::new();
    for expected in market.truth().listings.values().flat_map(|listing| &listing.expect) {
        *shown.entry(expected.channel.to_string()).or_insert(0) += 1;
    }
    assert_eq!(shown.len(), 14, "{shown:?}");
    assert!(shown.values().all(|count| *count >= 2), "{shown:?}");
    market.market.stop().await;
}

/// A clean listing may carry a live mark's letters only where the truth explains why that is no infringement.
#[tokio::test]
async fn no_ordinary_listing_carries_a_mark_by_accident() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, expected) in &market.truth().listings {
        let holders: BTreeSet<&str> = expected.expect.iter().map(|expected| expected.family.as_str()).collect();
        for (mark_id, mark) in marks.iter().filter(|(_, mark)| mark.live && !holders.contains(mark.holder.as_str())) {
            for word in mark.words() {
                let there = known[id].surfaces().iter().any(|s| s.text.to_lowercase().contains(&word.to_lowercase()));
                assert!(!there || !expected.why.starts_with("普通商品"), "{id} carries {mark_id} {word}");
            }
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn licensed_shops_of_the_register_do_trade_in_the_market() {
    let market = open().await;
    let marks = marks(&market);
    let trading: BTreeSet<&str> = market
        .listings()
        .filter_map(|listing| listing.seller.as_ref())
        .flat_map(|seller| [seller.id.as_deref(), seller.name.as_deref()])
        .flatten()
        .collect();
    let licensed: BTreeSet<&str> = marks.values().flat_map(|mark| mark.sellers.iter().map(String::as_str)).collect();
    assert!(licensed.intersection(&trading).count() >= 7, "{:?}", licensed.intersection(&trading));
    assert!(trading.contains("S2004"), "one licence names a shop by its id");
    market.market.stop().await;
}

#[tokio::test]
async fn profiles_know_the_addresses_and_match_the_pages() {
    let market = open().await;
    let profiles = market.profiles().unwrap();
    assert_eq!(profiles.len(), 3);
    for profile in &profiles {
        let base = market.address(style(&profile.id));
        assert!(profile.start.iter().all(|start| start.starts_with(base)), "{:?}", profile.start);
        assert!(profile.allow_loopback);
        let id = regex::Regex::new(profile.listing.id.as_deref().unwrap()).unwrap();
        for (listing, expected) in market.truth().listings.iter().filter(|(_, listing)| listing.site == profile.id) {
            let url = url::Url::parse(&format!("{base}{}", expected.path)).unwrap();
            assert!(profile.listing.patterns.iter().any(|pattern| pattern.matches(&url)), "{url}");
            assert!(!profile.lists.iter().any(|list| list.pattern.matches(&url)), "{url}");
            let number = &id.captures(url.as_str()).unwrap()[1];
            assert_eq!(format!("{}:{number}", profile.platform), *listing);
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn finding_nothing_scores_nothing_and_hides_nothing() {
    let market = open().await;
    let truth: &Truth = market.truth();
    let nothing = score(truth, &BTreeMap::new());
    let expected: usize = truth.listings.values().map(|listing| listing.expect.len()).sum();
    let apart: usize = nothing.unclaimed.values().map(|measure| measure.false_negatives).sum();
    assert_eq!(nothing.misses.len(), expected);
    assert_eq!(nothing.marks.false_negatives + nothing.rules.false_negatives + apart, expected);
    assert_eq!(nothing.marks.precision, None);
    assert_eq!(nothing.not_seen.len(), nothing.listings);
    market.market.stop().await;
}
