//! Which hits a list or a run means, and in which order.

use std::collections::HashSet;

use super::{Board, Entry, State};
use crate::{
    model::{AccountName, HitId, HitState, Scope, Severity, Timestamp},
    review::{Deadlines, Due, Field, Search, Weight, waited},
};

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

/// A term whose names were looked up.
enum Wanted<'a> {
    Text(&'a [u8]),
    Sellers(HashSet<u64>),
    Platforms(HashSet<u32>),
    Families(HashSet<u32>),
    Hits(HashSet<HitId>),
    By(HashSet<u32>),
    Due(Due),
    Never,
}

impl Board {
    /// The hits that `ask` means, in its order at `now`.
    pub fn select(&self, ask: &Ask, deadlines: &Deadlines, now: Timestamp) -> Vec<HitId> {
        let state = self.read();
        let admitted = admitted(&state, ask, deadlines, now);
        let mut placed: Vec<(u64, HitId)> =
            admitted.map(|entry| (place(&state, entry, ask.strategy, deadlines, now), entry.id)).collect();
        placed.sort_unstable();
        placed.into_iter().map(|(_, id)| id).collect()
    }

    /// How many hits `ask` means.
    pub fn count(&self, ask: &Ask, deadlines: &Deadlines, now: Timestamp) -> usize {
        admitted(&self.read(), ask, deadlines, now).count()
    }

    /// What a hit's place is made of at `now`.
    pub fn weight(&self, entry: &Entry, deadlines: &Deadlines, now: Timestamp) -> Weight {
        weight(&self.read(), entry, deadlines, now)
    }

    /// Whether `who` made the newest decision on a hit.
    pub fn is_by(&self, entry: &Entry, who: &AccountName) -> bool {
        self.read().is_by(entry, who)
    }
}

impl Board {
    /// Marks and rules with decided hits: how many of them were confirmed and dismissed; those with the most first.
    pub fn references(&self) -> Vec<(String, u64, u64)> {
        let state = self.read();
        let count = |hits: &[HitId], wanted| {
            hits.iter().filter_map(|&id| state.entry(id)).filter(|entry| entry.state == wanted).count() as u64
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
        let chosen =
            |id: HitId| id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).is_multiple_of(u64::from(one_in));
        let decided = state.entries.iter().flatten().filter(|entry| {
            let done = matches!(entry.state, HitState::Confirmed | HitState::Dismissed);
            done && chosen(entry.id) && entry.act.is_none() && entry.precedent.is_none() && !state.is_by(entry, who)
        });
        let mut found: Vec<(Option<Timestamp>, HitId)> = decided.map(|entry| (entry.decided_at, entry.id)).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.truncate(1_000);
        found.into_iter().map(|(_, id)| id).collect()
    }
}

fn weight(state: &State, entry: &Entry, deadlines: &Deadlines, now: Timestamp) -> Weight {
    let record = state.sellers.get(&entry.like.seller).map(|seller| seller.record).unwrap_or_default();
    Weight::of(entry.queued(), waited(entry.found_at, now), record, deadlines)
}

/// Less comes first.
fn place(state: &State, entry: &Entry, strategy: Strategy, deadlines: &Deadlines, now: Timestamp) -> u64 {
    match strategy {
        Strategy::Priority => u64::MAX - u64::from(weight(state, entry, deadlines, now).points()),
        Strategy::Oldest => entry.found_at.as_second().cast_unsigned() ^ (1 << 63),
        Strategy::Sample => {
            let day = now.as_second().cast_unsigned() / 86_400;
            let mixed = (entry.id.0 ^ day << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        }
    }
}

fn admitted<'s>(
    state: &'s State,
    ask: &'s Ask,
    deadlines: &'s Deadlines,
    now: Timestamp,
) -> impl Iterator<Item = &'s Entry> {
    let named = |name: &str| if name.is_empty() { Some(None) } else { state.symbols.find(name).map(Some) };
    let (platform, family) = (named(&ask.platform), named(&ask.family));
    let everything = ask.within.is_everything();
    let terms: Vec<(bool, Wanted<'s>)> =
        ask.search.terms.iter().map(|term| (term.not, wanted(state, term.field, &term.word))).collect();
    // What must stand there is found by going over all texts at once.
    let first = ask.search.terms.iter().find(|term| !term.not && term.field == Field::Anywhere);
    let ids = first.map(|term| state.arena.containing(&term.word));
    let entries: Box<dyn Iterator<Item = &'s Entry> + 's> = match ids {
        Some(ids) => Box::new(ids.into_iter().filter_map(|id| state.entry(id))),
        None => Box::new(state.entries.iter().flatten()),
    };
    entries.filter(move |entry| {
        let (Some(platform), Some(family)) = (platform, family) else { return false };
        ask.state.is_none_or(|state| state == entry.state)
            && ask.severity.is_none_or(|severity| entry.severity >= severity)
            && platform.is_none_or(|platform| platform == entry.platform)
            && family.is_none_or(|family| family == entry.family)
            && (everything || within(state, entry, &ask.within))
            && terms.iter().all(|(not, wanted)| *not != holds(state, entry, wanted, deadlines, now))
    })
}

/// Whether a hit belongs to the tenants.
fn within(state: &State, entry: &Entry, scope: &Scope) -> bool {
    let platform = Some(state.symbols.name(entry.platform)).filter(|name| !name.is_empty());
    scope.has(state.symbols.name(entry.family), platform)
}

fn wanted<'s>(state: &State, field: Field, word: &'s str) -> Wanted<'s> {
    match field {
        Field::Anywhere => Wanted::Text(word.as_bytes()),
        Field::Seller => {
            let sellers = state.sellers.iter().filter(|(_, seller)| seller.name.to_lowercase().contains(word));
            Wanted::Sellers(sellers.map(|(&key, _)| key).collect())
        }
        Field::Platform => Wanted::Platforms(state.symbols.containing(word)),
        Field::Family => Wanted::Families(state.symbols.containing(word)),
        Field::By => Wanted::By(state.symbols.containing(word)),
        Field::Reference => {
            let symbols = state.symbols.containing(word);
            let hits = state.by_reference.iter().filter(|(symbol, _)| symbols.contains(symbol));
            Wanted::Hits(hits.flat_map(|(_, hits)| hits.iter().copied()).collect())
        }
        Field::Due => match word {
            "over" | "逾期" => Wanted::Due(Due::Over),
            "soon" | "将到期" => Wanted::Due(Due::Soon),
            _ => Wanted::Never,
        },
    }
}

fn holds(state: &State, entry: &Entry, wanted: &Wanted<'_>, deadlines: &Deadlines, now: Timestamp) -> bool {
    match wanted {
        Wanted::Text(word) => memchr::memmem::find(state.arena.text(&entry.text), word).is_some(),
        Wanted::Sellers(sellers) => sellers.contains(&entry.like.seller),
        Wanted::Platforms(platforms) => platforms.contains(&entry.platform),
        Wanted::Families(families) => families.contains(&entry.family),
        Wanted::Hits(hits) => hits.contains(&entry.id),
        Wanted::By(people) => entry.by != 0 && people.contains(&entry.by),
        Wanted::Due(due) => {
            let waited = waited(entry.found_at, now);
            entry.state.waits() && deadlines.due(entry.severity, entry.handling.sla_minutes, waited) == *due
        }
        Wanted::Never => false,
    }
}
