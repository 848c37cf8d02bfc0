//! Which hits a list or a run means, and in which order.

use std::collections::HashSet;

use memchr::memmem::Finder;

use super::{
    Board, Entry,
    entry::{Row, time},
    hits::State,
};
use crate::{
    model::{AccountName, HitId, HitState, Scope, Severity, Timestamp},
    parts::in_parts,
    review::{Deadlines, Due, Field, Search, Term, Weight, waited, weight::Queued},
};

/// From how many hits or stretches of text on a walk is shared out among threads.
const MANY_HITS: usize = 100_000;
const MANY_STRETCHES: usize = 8;

/// In which order hits come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// What weighs most first.
    #[default]
    Priority,
    /// Oldest first.
    Oldest,
    /// At random, the same all day: what a fair sample is drawn from.
    Sample,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// In this state; any where none is named.
    pub state: Option<HitState>,
    /// At least this bad.
    pub severity: Option<Severity>,
    /// On this platform, to the letter; any where empty.
    pub platform: String,
    /// Of this holder or rule family, to the letter; any where empty.
    pub family: String,
    /// With these words.
    pub search: Search,
    /// In this order.
    pub strategy: Strategy,
    /// Only what belongs to these tenants.
    pub within: Scope,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            state: Some(HitState::Open),
            severity: None,
            platform: String::new(),
            family: String::new(),
            search: Search::default(),
            strategy: Strategy::Priority,
            within: Scope::default(),
        }
    }
}

impl Board {
    /// The hits that `ask` means, in its order at `now`.
    pub fn select(&self, ask: &Ask, deadlines: &Deadlines, now: Timestamp) -> Vec<HitId> {
        let state = self.read();
        let Some(plan) = Plan::of(&state, ask, deadlines, now) else { return Vec::new() };
        let placed = plan.walk(|id, row| (plan.place(id, row, ask.strategy), id));
        ordered(placed, ask.strategy)
    }

    /// How many hits `ask` means.
    pub fn count(&self, ask: &Ask, deadlines: &Deadlines, now: Timestamp) -> usize {
        let state = self.read();
        Plan::of(&state, ask, deadlines, now).map_or(0, |plan| plan.walk(|id, _| id).len())
    }

    /// What a hit's place is made of at `now`.
    pub fn weight(&self, entry: &Entry, deadlines: &Deadlines, now: Timestamp) -> Weight {
        let state = self.read();
        let record = state.record(entry.like.seller);
        Weight::of(entry.queued(), waited(entry.found_at, now), record, deadlines)
    }

    /// Whether `who` made the newest decision on a hit.
    pub fn is_by(&self, entry: &Entry, who: &AccountName) -> bool {
        self.read().is_by(entry.by, who)
    }

    /// Marks and rules with decided hits: how many of them were confirmed and dismissed; those with the most first.
    pub fn references(&self) -> Vec<(String, u64, u64)> {
        let state = self.read();
        let count = |hits: &[u32], wanted| {
            hits.iter().filter(|&&id| state.rows[id as usize].state == Some(wanted)).count() as u64
        };
        let mut all: Vec<(String, u64, u64)> = state
            .by_reference
            .iter()
            .map(|(&symbol, hits)| {
                let name = state.symbols.name(symbol).to_owned();
                (name, count(hits, HitState::Confirmed), count(hits, HitState::Dismissed))
            })
            .filter(|(_, confirmed, dismissed)| confirmed + dismissed > 0)
            .collect();
        all.sort_by(|a, b| (b.1 + b.2).cmp(&(a.1 + a.2)).then_with(|| a.0.cmp(&b.0)));
        all
    }

    /// Hits that a person other than `who` decided and that fall into the share of one in so many; the newest first.
    pub fn second_looks(&self, one_in: u32, who: &AccountName) -> Vec<HitId> {
        if one_in == 0 {
            return Vec::new();
        }
        let state = self.read();
        let chosen = |id: u32| {
            let mixed = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
            mixed.is_multiple_of(u64::from(one_in))
        };
        let decided = (0_u32..).zip(&state.rows).filter(|(id, row)| {
            matches!(row.state, Some(HitState::Confirmed | HitState::Dismissed))
                && chosen(*id)
                && !state.is_by(row.by, who)
        });
        let alone = decided.filter_map(|(id, _)| {
            let rest = &state.rests[id as usize];
            (rest.act.is_none() && rest.precedent == 0).then_some((rest.decided, id))
        });
        let mut found: Vec<(Option<i64>, u32)> = alone.collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.truncate(1_000);
        found.into_iter().map(|(_, id)| HitId(u64::from(id))).collect()
    }
}

/// A term whose names were looked up.
#[allow(clippy::large_enum_variant, reason = "a query has a handful of terms, which live as long as it")]
enum Wanted<'a> {
    Text(Box<Finder<'a>>),
    /// By the seller's place.
    Sellers(HashSet<u32>),
    Platforms(HashSet<u32>),
    Families(HashSet<u32>),
    /// Sorted.
    Hits(Vec<u32>),
    By(HashSet<u32>),
    Due(Due),
    Never,
}

/// What is asked for, with every name looked up once.
struct Plan<'s> {
    state: &'s State,
    wanted_state: Option<HitState>,
    severity: Option<Severity>,
    platform: Option<u32>,
    family: Option<u32>,
    /// Unless it is everything.
    within: Option<&'s Scope>,
    terms: Vec<(bool, Wanted<'s>)>,
    deadlines: &'s Deadlines,
    now: Timestamp,
}

impl<'s> Plan<'s> {
    /// None where a name is asked for that no hit has.
    fn of(state: &'s State, ask: &'s Ask, deadlines: &'s Deadlines, now: Timestamp) -> Option<Self> {
        let named = |name: &str| if name.is_empty() { Some(None) } else { state.symbols.find(name).map(Some) };
        let (platform, family) = (named(&ask.platform)?, named(&ask.family)?);
        let terms = ask.search.terms.iter().map(|term| (term.not, wanted(state, term))).collect();
        let within = (!ask.within.is_everything()).then_some(&ask.within);
        let (wanted_state, severity) = (ask.state, ask.severity);
        Some(Self { state, wanted_state, severity, platform, family, within, terms, deadlines, now })
    }

    /// Goes over the hits that are meant, by their number, and makes something of each. Large walks are shared out.
    fn walk<T: Send>(&self, make: impl Fn(u32, &Row) -> T + Sync) -> Vec<T> {
        let rows = &self.state.rows;
        let at = |id: u32| {
            let row = rows.get(id as usize)?;
            self.admits(id, row).then(|| make(id, row))
        };
        match self.candidates() {
            Some(ids) => in_parts(ids.len(), MANY_HITS, |part| ids[part].iter().filter_map(|&id| at(id)).collect()),
            None => {
                in_parts(rows.len(), MANY_HITS, |part| (part.start as u32..part.end as u32).filter_map(at).collect())
            }
        }
    }

    /// The hits that alone can be meant, sorted, where a term names few or must be looked for in all texts.
    fn candidates(&self) -> Option<Vec<u32>> {
        let given = self.terms.iter().filter(|(not, _)| !not).map(|(_, wanted)| wanted);
        let mut ids = given.clone().find_map(|wanted| match wanted {
            Wanted::Hits(ids) => Some(ids.clone()),
            Wanted::Sellers(places) => {
                Some(places.iter().flat_map(|&place| self.state.of_seller(place)).collect::<Vec<u32>>())
            }
            Wanted::Never => Some(Vec::new()),
            _ => None,
        });
        if ids.is_none() {
            // The longest word is the rarest, as a rule.
            let words = given.filter_map(|wanted| if let Wanted::Text(finder) = wanted { Some(finder) } else { None });
            let word = words.max_by_key(|finder| finder.needle().len());
            let texts = &self.state.texts;
            ids = word.map(|finder| in_parts(texts.stretches(), MANY_STRETCHES, |part| texts.containing(finder, part)));
        }
        let mut ids = ids?;
        ids.sort_unstable();
        Some(ids)
    }

    fn admits(&self, id: u32, row: &Row) -> bool {
        let Some(state) = row.state else { return false };
        self.wanted_state.is_none_or(|wanted| wanted == state)
            && self.severity.is_none_or(|least| row.severity >= least)
            && self.platform.is_none_or(|platform| platform == row.platform)
            && self.family.is_none_or(|family| family == row.family)
            && self.within.is_none_or(|scope| self.is_within(row, scope))
            && self.terms.iter().all(|(not, wanted)| *not != self.holds(id, row, wanted))
    }

    /// Whether a hit belongs to the tenants.
    fn is_within(&self, row: &Row, scope: &Scope) -> bool {
        let symbols = &self.state.symbols;
        let platform = Some(symbols.name(row.platform)).filter(|name| !name.is_empty());
        scope.has(symbols.name(row.family), platform)
    }

    fn holds(&self, id: u32, row: &Row, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Text(finder) => {
                let text = self.state.rests.get(id as usize).map(|rest| self.state.texts.text(rest.text));
                text.is_some_and(|text| finder.find(text).is_some())
            }
            Wanted::Sellers(places) => places.contains(&row.seller),
            Wanted::Platforms(platforms) => platforms.contains(&row.platform),
            Wanted::Families(families) => families.contains(&row.family),
            Wanted::Hits(hits) => hits.binary_search(&id).is_ok(),
            Wanted::By(people) => row.by != 0 && people.contains(&row.by),
            Wanted::Due(due) => {
                row.state.is_some_and(HitState::waits) && {
                    let Queued { severity, sla_minutes, .. } = row.queued();
                    self.deadlines.due(severity, sla_minutes, waited(time(row.found), self.now)) == *due
                }
            }
            Wanted::Never => false,
        }
    }

    /// Less comes first.
    fn place(&self, id: u32, row: &Row, strategy: Strategy) -> u64 {
        match strategy {
            Strategy::Priority => {
                let record = self.state.records.get(row.seller as usize).copied().unwrap_or_default();
                let waited = waited(time(row.found), self.now);
                let weight = Weight::of(row.queued(), waited, record, self.deadlines);
                u64::from(MOST_POINTS.saturating_sub(weight.points()))
            }
            Strategy::Oldest => row.found.cast_unsigned() ^ (1 << 63),
            Strategy::Sample => {
                let day = self.now.as_second().cast_unsigned() / 86_400;
                let mixed = (u64::from(id) ^ day << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
            }
        }
    }
}

fn wanted<'s>(state: &State, term: &'s Term) -> Wanted<'s> {
    let word = term.word.as_str();
    match term.field {
        Field::Anywhere => Wanted::Text(Box::new(Finder::new(word.as_bytes()))),
        Field::Seller => {
            let sellers = (0_u32..).zip(&state.sellers).skip(1);
            let named = sellers.filter(|(_, seller)| seller.name.to_lowercase().contains(word));
            Wanted::Sellers(named.map(|(place, _)| place).collect())
        }
        Field::Platform => Wanted::Platforms(state.symbols.containing(word)),
        Field::Family => Wanted::Families(state.symbols.containing(word)),
        Field::By => Wanted::By(state.symbols.containing(word)),
        Field::Reference => {
            let symbols = state.symbols.containing(word);
            let hits = state.by_reference.iter().filter(|(symbol, _)| symbols.contains(symbol));
            let mut hits: Vec<u32> = hits.flat_map(|(_, hits)| hits.iter().copied()).collect();
            hits.sort_unstable();
            hits.dedup();
            Wanted::Hits(hits)
        }
        Field::Due => match word {
            "over" | "逾期" => Wanted::Due(Due::Over),
            "soon" | "将到期" => Wanted::Due(Due::Soon),
            _ => Wanted::Never,
        },
    }
}

/// More points than a weight has.
const MOST_POINTS: u32 = 1_023;

/// The hits in order of their place, those of one place by number; they come by number.
fn ordered(mut placed: Vec<(u64, u32)>, strategy: Strategy) -> Vec<HitId> {
    if strategy == Strategy::Priority {
        return by_weight(&placed);
    }
    if strategy == Strategy::Oldest {
        // Mostly in order already, which a sort that keeps order uses.
        placed.sort();
    } else {
        placed.sort_unstable();
    }
    placed.into_iter().map(|(_, id)| HitId(u64::from(id))).collect()
}

/// There are few places, so that they are counted instead of compared.
fn by_weight(placed: &[(u64, u32)]) -> Vec<HitId> {
    let mut begins = [0_usize; MOST_POINTS as usize + 2];
    for (place, _) in placed {
        begins[*place as usize + 1] += 1;
    }
    for place in 1..begins.len() {
        begins[place] += begins[place - 1];
    }
    let mut ids = vec![HitId(0); placed.len()];
    for (place, id) in placed {
        let at = &mut begins[*place as usize];
        ids[*at] = HitId(u64::from(*id));
        *at += 1;
    }
    ids
}
