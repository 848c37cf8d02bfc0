//! What an archive says of rules as a whole: which never hit, which hit too much, which say what another says.
//!
//! Main type: [`Survey`]. It looks at listings one after the other; several that looked at parts are put together by `merge`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{file::Status, guard::Given, rule::Rule, set::RuleSet};
use crate::{model::Listing, text::FoldedSurface};

/// Listings below which nothing is said of rules that never hit.
const MIN_LISTINGS: u64 = 1_000;
/// Hits of a rule below which nothing is said of what it shares with another.
const MIN_HITS: u64 = 20;
/// The share of all listings above which a rule hits too much.
const TOO_MUCH: f64 = 0.05;
/// The share of a rule's hits above which another finds the same.
const THE_SAME: f64 = 0.9;

/// Rules at work on an archive, counted alone and two by two.
#[derive(Debug)]
pub struct Survey<'a> {
    set: &'a RuleSet,
    listings: u64,
    /// Listings that a rule, or both of two, find something in; rules by their number.
    hits: BTreeMap<usize, u64>,
    both: BTreeMap<(usize, usize), u64>,
}

/// Something the archive says of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remark {
    /// The rule.
    pub rule: String,
    /// Listings in which it finds something.
    pub listings: u64,
    /// Listings that were looked at.
    pub of: u64,
    /// What is to be said.
    #[serde(flatten)]
    pub what: Remarkable,
}

/// What an archive can say of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "remark", rename_all = "kebab-case")]
pub enum Remarkable {
    /// It finds nothing.
    NeverHits,
    /// It finds something in more than one of twenty listings.
    HitsTooMuch,
    /// Nearly all it finds, another finds too.
    Overlaps {
        /// The other.
        with: String,
        /// Listings that both find something in.
        both: u64,
    },
}

impl Remark {
    /// The remark as a sentence, in Chinese and in English.
    pub fn told(&self) -> [String; 2] {
        let Self { rule, listings, of, what } = self;
        match what {
            Remarkable::NeverHits => [
                format!("{rule} 在 {of} 件商品中从未命中：检查用词、部位与行业"),
                format!("{rule} finds nothing in {of} listings: look at its words, fields and sectors"),
            ],
            Remarkable::HitsTooMuch => [
                format!("{rule} 命中 {of} 件商品中的 {listings} 件，过多：增加例外或语境"),
                format!("{rule} hits {listings} of {of} listings, too many: add exceptions or context"),
            ],
            Remarkable::Overlaps { with, both } => [
                format!("{rule} 的 {listings} 件命中里有 {both} 件 {with} 也命中：可合并"),
                format!("{both} of the {listings} listings that {rule} hits, {with} hits too: one may do"),
            ],
        }
    }
}

impl<'a> Survey<'a> {
    /// Surveys the rules of `set` that are active or in shadow.
    pub fn new(set: &'a RuleSet) -> Self {
        Self { set, listings: 0, hits: BTreeMap::new(), both: BTreeMap::new() }
    }

    /// Looks at one listing, whose folded surfaces are `surfaces`.
    pub fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: impl Into<Given>) {
        self.listings += 1;
        let counts = |rule: &Rule| matches!(rule.status, Status::Active | Status::Shadow);
        let sightings = self.set.sightings(listing, surfaces, given, counts);
        let mut here: Vec<usize> =
            sightings.iter().filter(|one| one.stands()).map(|one| one.number() as usize).collect();
        here.sort_unstable();
        here.dedup();
        for (at, &one) in here.iter().enumerate() {
            *self.hits.entry(one).or_default() += 1;
            for &other in here.iter().skip(at + 1) {
                *self.both.entry((one, other)).or_default() += 1;
            }
        }
    }

    /// Counts listings in which nothing can be found.
    pub fn skip(&mut self, listings: u64) {
        self.listings += listings;
    }

    /// Takes in what another looked at.
    pub fn merge(&mut self, other: Self) {
        self.listings += other.listings;
        other.hits.into_iter().for_each(|(rule, hits)| *self.hits.entry(rule).or_default() += hits);
        other.both.into_iter().for_each(|(two, hits)| *self.both.entry(two).or_default() += hits);
    }

    /// How many listings were looked at.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// What is to be said, by rule.
    pub fn finish(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let counted = self.set.rules().iter().enumerate();
        for (number, rule) in counted.filter(|(_, rule)| matches!(rule.status, Status::Active | Status::Shadow)) {
            let listings = self.hits.get(&number).copied().unwrap_or(0);
            let remark = |what| Remark { rule: rule.id.clone(), listings, of: self.listings, what };
            if listings == 0 && self.listings >= MIN_LISTINGS {
                remarks.push(remark(Remarkable::NeverHits));
            }
            if self.listings >= MIN_LISTINGS && listings as f64 > TOO_MUCH * self.listings as f64 {
                remarks.push(remark(Remarkable::HitsTooMuch));
            }
            for (&(one, other), &both) in &self.both {
                let with = if one == number { other } else { one };
                let is_it = (one == number || other == number) && listings >= MIN_HITS;
                // Of two that say the same, it is said once, of the one that says less.
                let lesser = (listings, number) <= (self.hits.get(&with).copied().unwrap_or(0), with);
                if is_it && lesser && both as f64 > THE_SAME * listings as f64 {
                    let with = self.set.rules().get(with).map(|rule| rule.id.clone()).unwrap_or_default();
                    remarks.push(remark(Remarkable::Overlaps { with, both }));
                }
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rules::RuleSource, text::fold_surfaces};

    #[test]
    fn rules_that_never_hit_hit_too_much_or_say_the_same_are_told() {
        let rule = include_str!("../../fixtures/rules/test.word.toml");
        let named = |id: &str, word: &str| RuleSource {
            path: format!("rules/{id}.toml"),
            text: rule.replace("test.word", id).replace("琉璃塔", word),
        };
        let set = RuleSet::parse(vec![named("a.one", "琉璃塔"), named("b.two", "璃塔"), named("c.none", "青瓷瓶")]);
        let set = set.unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let mut parts = [Survey::new(&set), Survey::new(&set)];
        for n in 0..1_200_usize {
            let title = match n % 10 {
                0 => "琉璃塔 摆件",
                1 => "玻璃塔 摆件",
                _ => "毛巾",
            };
            let listing = Listing { title: title.into(), ..Listing::default() };
            let day: jiff::civil::Date = "2026-11-27".parse().unwrap();
            parts[n % 2].see(&listing, &fold_surfaces(&listing), day);
        }
        let [mut survey, other] = parts;
        survey.merge(other);
        let told: Vec<(String, Remarkable)> =
            survey.finish().into_iter().map(|remark| (remark.rule, remark.what)).collect();
        assert_eq!(
            told,
            [
                ("a.one".to_owned(), Remarkable::HitsTooMuch),
                ("a.one".to_owned(), Remarkable::Overlaps { with: "b.two".into(), both: 120 }),
                ("b.two".to_owned(), Remarkable::HitsTooMuch),
                ("c.none".to_owned(), Remarkable::NeverHits),
            ]
        );
        assert!(survey.finish().iter().all(|remark| remark.told().iter().all(|words| words.contains(&remark.rule))));
    }
}
