//! Rules at work on one listing: which are called, what they see there, and where they find something.
//!
//! Main types: [`Sightings`], the places where rules found something, as data; [`Sighting`], one of them, which becomes a
//! [`Finding`] with its reasons when it is asked. Most of what is found is only counted: words are not written for it.

use std::{cell::OnceCell, ops::Range};

use crate::{
    model::{Finding, Listing, SurfaceKind},
    text::{FoldedSurface, fold},
};

use super::{
    category::SectorSet,
    deep::Seen,
    evaluate::{self, Facts, Hit, Outcome},
    finding::{Aside, Place, Spot},
    guard::Given,
    rule::{Fit, Rule},
    set::RuleSet,
    words::Text,
};

/// Where rules found something in a listing, in the order in which it is read.
#[derive(Debug)]
pub struct Sightings<'a> {
    reading: Reading<'a>,
    spots: Vec<Spot>,
}

/// A place where a rule found something.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    reading: &'a Reading<'a>,
    spot: &'a Spot,
    place: Place<'a>,
}

impl Sightings<'_> {
    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = Sighting<'_>> {
        let reading = &self.reading;
        self.spots.iter().filter_map(move |spot| Some(Sighting { reading, spot, place: reading.place(spot)? }))
    }

    /// How many there are, those that are set aside among them.
    pub fn len(&self) -> usize {
        self.spots.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }
}

impl<'a> Sighting<'a> {
    /// The rule that finds something here.
    pub fn rule(self) -> &'a Rule {
        self.place.rule
    }

    /// The rule's number in its set.
    pub(super) fn number(self) -> u32 {
        self.spot.rule
    }

    /// Whether it stands: no exception and no other rule sets it aside.
    pub fn stands(self) -> bool {
        matches!(self.spot.aside, Aside::No)
    }

    /// It in words, with its reasons.
    pub fn finding(self) -> Finding {
        self.place.finding(self.spot, |winner| self.reading.set.number(winner).map_or("", |rule| rule.id.as_str()))
    }
}

/// One rule at work on one surface.
pub(super) struct Work<'a> {
    pub rule: &'a Rule,
    pub surface: &'a FoldedSurface<'a>,
    pub fit: Fit,
    pub facts: Facts<'a>,
    pub hits: &'a [Hit],
    pub outcome: Outcome,
}

/// Which rules are run on a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    /// Those of which a word stands there.
    WhatHasWords,
    /// Those whose condition may hold there.
    WhatMayHold,
}

/// What is known of a surface; each is found out when a rule first asks.
#[derive(Debug, Default)]
struct Known {
    /// Where words stand.
    text: OnceCell<Text>,
    /// Which words are meant there and do not stand.
    seen: OnceCell<Vec<Seen>>,
    /// The folded name of the attribute that it is.
    attribute: OnceCell<Option<String>>,
}

/// A listing while the set reads it.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    set: &'a RuleSet,
    listing: &'a Listing,
    surfaces: &'a [FoldedSurface<'a>],
    /// What is known of each surface.
    known: Vec<Known>,
    sectors: OnceCell<SectorSet>,
    given: Given,
}

impl<'a> Reading<'a> {
    pub fn new(set: &'a RuleSet, listing: &'a Listing, surfaces: &'a [FoldedSurface<'a>], given: Given) -> Self {
        let known = surfaces.iter().map(|_| Known::default()).collect();
        Self { set, listing, surfaces, known, sectors: OnceCell::new(), given }
    }

    /// Where the rules that are `wanted` find something.
    pub fn sightings(self, wanted: impl Fn(&Rule) -> bool) -> Sightings<'a> {
        let mut spots: Vec<Spot> = Vec::new();
        let set = self.set;
        // Those to which a wanted rule gives way are run too, and not shown.
        let wins = |number| set.yielding().row(number).iter().filter_map(|&other| set.number(other)).any(&wanted);
        // Looking deep costs what a look for marks does: only for a rule that is asked.
        let asked = |number: &u32| set.number(*number).is_some_and(|rule| wanted(rule) || wins(*number));
        let deep = set.deep().looking().iter().any(asked);
        for (index, surface) in self.surfaces.iter().enumerate() {
            let mut called = set.plans().called(&surface.folded);
            if deep {
                called.extend(set.deep().rules(self.seen(index)));
                called.sort_unstable();
                called.dedup();
            }
            for number in called {
                let Some(rule) = set.number(number).filter(|rule| wanted(rule) || wins(number)) else { continue };
                if !set.plans().reads(number, surface.surface.kind) {
                    continue;
                }
                self.work(number, rule, index, Only::WhatMayHold, |work| {
                    Spot::add((number, index), rule, work.outcome, &mut spots);
                });
            }
        }
        self.give_way(&mut spots);
        spots.retain(|spot| set.number(spot.rule).is_some_and(&wanted));
        Sightings { reading: self, spots }
    }

    /// Sets aside what stands where a rule that counts instead has found something too.
    fn give_way(&self, spots: &mut [Spot]) {
        for index in 0..spots.len() {
            let Some(spot) = spots.get(index).filter(|spot| matches!(spot.aside, Aside::No)) else { continue };
            let Some(rule) = self.set.number(spot.rule).filter(|rule| !rule.yields_to.is_empty()) else { continue };
            let here = self.characters(spot);
            let wins = |other: &&Spot| {
                let there = || self.characters(other);
                other.surface == spot.surface
                    && matches!(other.aside, Aside::No)
                    && there().start < here.end
                    && here.start < there().end
                    && self.set.number(other.rule).is_some_and(|other| rule.gives_way_to(other))
            };
            let winner = spots.iter().find(wins).map(|winner| winner.rule);
            if let (Some(winner), Some(spot)) = (winner, spots.get_mut(index)) {
                spot.aside = Aside::YieldsTo(winner);
            }
        }
    }

    /// The characters of the original that a place is.
    fn characters(&self, spot: &Spot) -> Range<usize> {
        let surface = self.surfaces.get(spot.surface as usize);
        surface.map_or(0..0, |surface| surface.folded.span(spot.one.units.clone()).chars)
    }

    /// What is needed to put a place into words.
    fn place(&self, spot: &Spot) -> Option<Place<'_>> {
        let index = spot.surface as usize;
        let (rule, surface) = (self.set.number(spot.rule)?, self.surfaces.get(index)?);
        let deep = (self.set.deep(), if rule.looks_deep() { self.seen(index) } else { &[] });
        let fit = rule.sectors.fit(self.sectors());
        Some(Place { rule, surface, plans: self.set.plans(), deep, fit, day: self.given.day })
    }

    fn sectors(&self) -> &SectorSet {
        self.sectors.get_or_init(|| self.set.sectors_of(self.listing))
    }

    /// Runs the rule `wanted` over every surface that it reads and that holds one of its words, whatever comes of it.
    pub fn each(&self, wanted: &Rule, mut act: impl FnMut(Work<'_>)) {
        let numbers = (0..).zip(self.set.rules()).filter(|(_, rule)| rule.id == wanted.id);
        for (number, rule) in numbers {
            for index in 0..self.surfaces.len() {
                self.work(number, rule, index, Only::WhatHasWords, &mut act);
            }
        }
    }

    /// The surface number `index` and where words stand in it.
    fn text(&self, index: usize) -> Option<(&FoldedSurface<'a>, &Text)> {
        let (surface, known) = (self.surfaces.get(index)?, self.known.get(index)?);
        Some((surface, known.text.get_or_init(|| Text::new(&surface.folded))))
    }

    /// The words of rules that are meant on the surface number `index` and do not stand there.
    fn seen(&self, index: usize) -> &[Seen] {
        let Some((surface, known)) = self.surfaces.get(index).zip(self.known.get(index)) else { return &[] };
        known.seen.get_or_init(|| self.set.deep().see(surface))
    }

    /// What stands or is meant on the surface number `index` for `clauses` of a rule, and whether anything is only meant.
    fn hits(&self, number: u32, rule: &Rule, clauses: Range<usize>, index: usize) -> (Vec<Hit>, bool) {
        let Some((_, text)) = self.text(index) else { return (Vec::new(), false) };
        let mut hits = self.set.plans().hits(number, clauses.clone(), text);
        if !rule.looks_deep() {
            return (hits, false);
        }
        hits.retain(|hit| rule.clauses.get(hit.clause).is_some_and(|clause| clause.written));
        let meant = self.set.deep().hits(number, rule, clauses, self.seen(index));
        let deeper = !meant.is_empty();
        if deeper {
            hits.extend(meant);
            hits.sort_by_key(|hit| (hit.clause, hit.side, hit.units.end, hit.units.start));
        }
        (hits, deeper)
    }

    /// Whether `rule` reads the surface number `index`.
    fn reads(&self, rule: &Rule, index: usize) -> bool {
        let Some((surface, known)) = self.surfaces.get(index).zip(self.known.get(index)) else { return false };
        // Only a rule that skips some attributes asks what an attribute is called.
        let name = if rule.skip_attributes.is_empty() {
            None
        } else {
            known.attribute.get_or_init(|| attribute_of(surface)).as_deref()
        };
        rule.reads(surface.surface.kind, name)
    }

    /// Runs one rule on one surface that it reads; `act` gets what comes of it.
    fn work(&self, number: u32, rule: &Rule, index: usize, only: Only, act: impl FnOnce(Work<'_>)) {
        let sectors = self.sectors();
        let fit = rule.sectors.fit(sectors);
        if fit == Fit::No {
            return;
        }
        if !self.reads(rule, index) {
            return;
        }
        let Some((surface, text)) = self.text(index) else { return };
        let plans = self.set.plans();
        let all = 0..rule.clauses.len();
        let may_hold = only == Only::WhatHasWords || plans.may_hold(number, rule, text);
        if !may_hold && !rule.looks_deep() {
            return;
        }
        let (hits, deeper) = self.hits(number, rule, all, index);
        if hits.is_empty() || !may_hold && !deeper {
            return;
        }
        let anywhere = self.anywhere(number, rule);
        let facts = Facts { listing: self.listing, sectors, given: self.given, anywhere: &anywhere };
        let outcome = evaluate::run(rule, surface, &hits, facts);
        act(Work { rule, surface, fit, facts, hits: &hits, outcome });
    }

    /// Clauses of `rule` that ask the whole listing and are answered; buyers and viewers are not asked.
    fn anywhere(&self, number: u32, rule: &Rule) -> Vec<usize> {
        let asked = rule.clauses.iter().enumerate().filter(|(_, clause)| clause.anywhere);
        let count = |clause: usize| -> usize {
            self.surfaces
                .iter()
                .enumerate()
                .filter(|(_, surface)| !matches!(surface.surface.kind, SurfaceKind::Review | SurfaceKind::Danmaku))
                .map(|(index, surface)| {
                    let (hits, _) = self.hits(number, rule, clause..clause + 1, index);
                    evaluate::direct(rule, clause, surface, &hits.iter().collect::<Vec<_>>()).len()
                })
                .sum()
        };
        asked.filter(|(index, clause)| count(*index) >= clause.min_count).map(|(index, _)| index).collect()
    }
}

/// The folded name of the attribute a surface is.
fn attribute_of(surface: &FoldedSurface<'_>) -> Option<String> {
    surface.surface.path.strip_prefix("attributes.").map(fold)
}
