//! What rules find in listings that are known already, and what a change of rules would find more and less.
//!
//! Main types: [`Backtest`], for one set; [`Comparison`], for two. Each looks at listings one after the other; several that
//! looked at parts of an archive are put together by `merge`. Verdicts of reviewers, where there are any, say how often a rule
//! was right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    changed::Changed,
    file::Status,
    guard::Given,
    reading::{Sighting, Sightings},
    rule::Rule,
    set::RuleSet,
};
use crate::{
    model::{Finding, Listing},
    text::FoldedSurface,
};

/// Characters of a sample's title.
const TITLE_CHARS: usize = 120;

/// What one rule finds in an archive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// Its version.
    pub version: u32,
    /// Its status in the set.
    pub status: Status,
    /// Listings that it would make a hit of.
    pub listings: u64,
    /// Findings that stand in them.
    pub findings: u64,
    /// Findings that an exception sets aside.
    pub set_aside: u64,
    /// What reviewers said of such hits.
    pub judged: Judged,
    /// The first listings.
    pub samples: Vec<RuleSample>,
}

/// Verdicts on hits of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Confirmed.
    pub confirmed: u64,
    /// Dismissed.
    pub dismissed: u64,
}

/// A listing in which a rule finds something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleSample {
    /// The listing's id.
    pub listing: String,
    /// Its title.
    pub title: String,
    /// Where the words stand.
    pub surface: String,
    /// The words.
    pub text: String,
    /// How sure.
    pub score: f64,
}

impl Judged {
    /// Counts one verdict.
    pub fn add(&mut self, verdict: Option<bool>) {
        match verdict {
            Some(true) => self.confirmed += 1,
            Some(false) => self.dismissed += 1,
            None => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.confirmed += other.confirmed;
        self.dismissed += other.dismissed;
    }

    /// The share that was confirmed with its 95 % interval: share, low, high; none where nothing was judged.
    pub fn precision(&self) -> Option<(f64, f64, f64)> {
        let of = self.confirmed + self.dismissed;
        let (low, high) = wilson(self.confirmed, of);
        (of > 0).then(|| (self.confirmed as f64 / of as f64, low, high))
    }
}

/// The 95 % score interval of a share (Wilson 1927).
pub fn wilson(of_them: u64, of: u64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return (0.0, 1.0);
    }
    let n = of as f64;
    let share = of_them as f64 / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// A set of rules at work on an archive.
#[derive(Debug)]
pub struct Backtest<'a> {
    set: &'a RuleSet,
    wanted: Option<Vec<String>>,
    samples: usize,
    listings: u64,
    reports: BTreeMap<String, RuleReport>,
}

impl<'a> Backtest<'a> {
    /// The rules named `wanted`, whatever their status; without names all that are not retired. Keeps so many samples of each.
    pub fn new(set: &'a RuleSet, wanted: Option<Vec<String>>, samples: usize) -> Self {
        Self { set, wanted, samples, listings: 0, reports: BTreeMap::new() }
    }

    /// Looks at one listing, whose folded surfaces are `surfaces`; `verdict` says what reviewers decided on its hit by a rule.
    pub fn see(
        &mut self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        given: impl Into<Given>,
        verdict: impl Fn(&str) -> Option<bool>,
    ) {
        self.listings += 1;
        let sightings = self.set.sightings(listing, surfaces, given, |rule| wanted(rule, self.wanted.as_deref()));
        for found in by_rule(&sightings) {
            let id = found.rule.id.as_str();
            if !self.reports.contains_key(id) {
                self.reports.insert(id.to_owned(), empty(found.rule));
            }
            let Some(report) = self.reports.get_mut(id) else { continue };
            report.set_aside += found.aside;
            let Some(first) = found.first else { continue };
            report.listings += 1;
            report.findings += found.standing;
            report.judged.add(verdict(id));
            if report.samples.len() < self.samples {
                report.samples.push(sample(listing, &first.finding()));
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
        for (rule, report) in other.reports {
            match self.reports.get_mut(&rule) {
                None => drop(self.reports.insert(rule, report)),
                Some(known) => {
                    known.listings += report.listings;
                    known.findings += report.findings;
                    known.set_aside += report.set_aside;
                    known.judged.merge(report.judged);
                    known.samples.extend(report.samples);
                    known.samples.truncate(self.samples);
                }
            }
        }
    }

    /// How many listings were looked at.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// A report for each rule that was asked for, by id; those that found nothing too.
    pub fn finish(mut self) -> Vec<RuleReport> {
        let wanted = self.set.rules().iter().filter(|rule| wanted(rule, self.wanted.as_deref()));
        wanted.map(|rule| self.reports.remove(&rule.id).unwrap_or_else(|| empty(rule))).collect()
    }
}

/// What a change of a rule does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleChange {
    /// The rule.
    pub rule: String,
    /// Its version before; none when it is new.
    pub before: Option<u32>,
    /// Its version after; none when it is gone.
    pub after: Option<u32>,
    /// Listings that both find.
    pub kept: u64,
    /// Listings that only the newer finds, and what reviewers said of them before.
    pub gained: Side,
    /// Listings that only the older finds.
    pub lost: Side,
}

/// Listings on one side of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Side {
    /// How many.
    pub listings: u64,
    /// What reviewers said of hits of this rule there.
    pub judged: Judged,
    /// The first ones.
    pub samples: Vec<RuleSample>,
}

/// Two sets of rules on the same archive: only rules that make findings, whatever they are called.
#[derive(Debug)]
pub struct Comparison<'a> {
    before: &'a RuleSet,
    after: &'a RuleSet,
    changed: &'a Changed,
    samples: usize,
    listings: u64,
    changes: BTreeMap<String, RuleChange>,
}

impl<'a> Comparison<'a> {
    /// Compares what those active rules find that are `changed`; keeps so many samples of each side.
    pub fn new((before, after): (&'a RuleSet, &'a RuleSet), changed: &'a Changed, samples: usize) -> Self {
        Self { before, after, changed, samples, listings: 0, changes: BTreeMap::new() }
    }

    /// Looks at one listing, whose folded surfaces are `surfaces`.
    pub fn see(
        &mut self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        given: impl Into<Given>,
        verdict: impl Fn(&str) -> Option<bool>,
    ) {
        self.listings += 1;
        let given = given.into();
        let wanted = |rule: &Rule| rule.status == Status::Active && self.changed.has(&rule.id);
        let before = self.before.sightings(listing, surfaces, given, wanted);
        let after = self.after.sightings(listing, surfaces, given, wanted);
        let standing = |found: &Found<'_>| found.first.is_some();
        let mut lost: Vec<Found<'_>> = by_rule(&before).into_iter().filter(standing).collect();
        let mut gained: Vec<Found<'_>> = by_rule(&after).into_iter().filter(standing).collect();
        gained.retain(|found| {
            let both = lost.iter().position(|other| other.rule.id == found.rule.id);
            if let Some(both) = both {
                lost.swap_remove(both);
                self.change(&found.rule.id).kept += 1;
            }
            both.is_none()
        });
        let samples = self.samples;
        for found in gained {
            let id = &found.rule.id;
            self.change(id).gained.add(listing, found.first, verdict(id), samples);
        }
        for found in lost {
            let id = &found.rule.id;
            self.change(id).lost.add(listing, found.first, verdict(id), samples);
        }
    }

    fn change(&mut self, rule: &str) -> &mut RuleChange {
        let (before, after) = (self.before, self.after);
        self.changes.entry(rule.to_owned()).or_insert_with(|| untouched(rule, before, after))
    }

    /// Counts listings in which nothing can be found.
    pub fn skip(&mut self, listings: u64) {
        self.listings += listings;
    }

    /// Takes in what another looked at.
    pub fn merge(&mut self, other: Self) {
        self.listings += other.listings;
        for (rule, change) in other.changes {
            match self.changes.get_mut(&rule) {
                None => drop(self.changes.insert(rule, change)),
                Some(known) => {
                    known.kept += change.kept;
                    known.gained.merge(change.gained, self.samples);
                    known.lost.merge(change.lost, self.samples);
                }
            }
        }
    }

    /// How many listings were looked at.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// A change for each rule that found something or is in one set only or in another version, by id.
    pub fn finish(mut self) -> Vec<RuleChange> {
        for rule in self.before.rules().iter().chain(self.after.rules()) {
            let change = untouched(&rule.id, self.before, self.after);
            if change.before != change.after {
                self.changes.entry(rule.id.clone()).or_insert(change);
            }
        }
        self.changes.into_values().collect()
    }
}

impl Side {
    fn add(&mut self, listing: &Listing, first: Option<Sighting<'_>>, verdict: Option<bool>, samples: usize) {
        self.listings += 1;
        self.judged.add(verdict);
        if let Some(first) = first.filter(|_| self.samples.len() < samples) {
            self.samples.push(sample(listing, &first.finding()));
        }
    }

    fn merge(&mut self, other: Self, samples: usize) {
        self.listings += other.listings;
        self.judged.merge(other.judged);
        self.samples.extend(other.samples);
        self.samples.truncate(samples);
    }
}

fn untouched(rule: &str, before: &RuleSet, after: &RuleSet) -> RuleChange {
    let version = |set: &RuleSet| set.rule(rule).map(|rule| rule.version);
    RuleChange {
        rule: rule.to_owned(),
        before: version(before),
        after: version(after),
        kept: 0,
        gained: Side::default(),
        lost: Side::default(),
    }
}

fn wanted(rule: &Rule, names: Option<&[String]>) -> bool {
    names.map_or(rule.status != Status::Retired, |names| names.contains(&rule.id))
}

/// What one rule finds in a listing.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub rule: &'a Rule,
    /// The first that stands.
    pub first: Option<Sighting<'a>>,
    /// How many stand, and how many are set aside.
    pub standing: u64,
    pub aside: u64,
}

/// `sightings` by rule, in the order in which rules first find something.
pub(super) fn by_rule<'a>(sightings: &'a Sightings<'_>) -> Vec<Found<'a>> {
    let mut all: Vec<Found<'a>> = Vec::new();
    for sighting in sightings.iter() {
        let rule = sighting.rule();
        let known = all.iter().position(|found| std::ptr::eq(found.rule, rule));
        let place = known.unwrap_or_else(|| {
            all.push(Found { rule, first: None, standing: 0, aside: 0 });
            all.len() - 1
        });
        let Some(found) = all.get_mut(place) else { continue };
        if sighting.stands() {
            found.standing += 1;
            found.first = found.first.or(Some(sighting));
        } else {
            found.aside += 1;
        }
    }
    all
}

fn empty(rule: &Rule) -> RuleReport {
    RuleReport {
        rule: rule.id.clone(),
        version: rule.version,
        status: rule.status,
        listings: 0,
        findings: 0,
        set_aside: 0,
        judged: Judged::default(),
        samples: Vec::new(),
    }
}

fn sample(listing: &Listing, finding: &Finding) -> RuleSample {
    RuleSample {
        listing: listing.id.clone(),
        title: listing.title.chars().take(TITLE_CHARS).collect(),
        surface: finding.surface.clone(),
        text: finding.text.clone(),
        score: finding.score,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_share_and_shrinks() {
        let (low, high) = wilson(8, 10);
        assert!(low < 0.8 && 0.8 < high && (low - 0.490).abs() < 0.002 && (high - 0.943).abs() < 0.002);
        let (narrow, wide) = wilson(800, 1000);
        assert!(low < narrow && wide < high);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
