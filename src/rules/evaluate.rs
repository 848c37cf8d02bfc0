//! Runs one rule over one surface: which clauses match where, what covers what, whether the
//! condition holds.
//!
//! Main type: [`Outcome`]. It takes the automaton's hits for that rule; turning an outcome into
//! findings is `finding`'s matter.

use std::ops::Range;

use crate::{
    model::{Channel, Listing},
    text::{FoldedSurface, Gap},
};

use super::{
    category::SectorSet,
    file::{Edges, Order, RegexText, Stop},
    guard::{self, Given},
    limits::{MAX_COVERS, MAX_MATCHES},
    number::{self, Number},
    rule::{Clause, Look, Near, Rule},
};

/// Han characters from which a word is so long that spaces inside it cannot be chance.
const PHRASE_UNITS: usize = 4;

/// A word of the automaton seen on a surface, for one side of one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub clause: usize,
    pub side: u8,
    pub units: Range<usize>,
    pub word: usize,
}

/// A match of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub units: Range<usize>,
    /// Each side's place; a cover over any of them covers the match.
    pub parts: Vec<Range<usize>>,
    /// The words of the automaton it was made of; none for a regex.
    pub words: Vec<usize>,
}

/// What a rule makes of a surface.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Matches that stand, by clause.
    pub matches: Vec<Vec<Match>>,
    /// Matches an exception covers: clause, match, index of the exception.
    pub excepted: Vec<(usize, Match, usize)>,
    /// Whether the condition holds by what stands.
    pub holds: bool,
    /// Whether it would hold without the exceptions.
    pub would_hold: bool,
    /// The listing-wide exception that sets everything aside.
    pub set_aside: Option<usize>,
}

/// What is known of the listing besides the surface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub listing: &'a Listing,
    pub sectors: &'a SectorSet,
    pub given: Given,
    /// Clauses of the rule that matched on any surface.
    pub anywhere: &'a [usize],
}

/// Runs `rule` over `surface` with the automaton's `hits` for it.
pub(super) fn run(rule: &Rule, surface: &FoldedSurface<'_>, hits: &[Hit], facts: Facts<'_>) -> Outcome {
    let plain = covers(rule, surface, hits);
    let hits: Vec<&Hit> = hits
        .iter()
        .filter(|hit| {
            let covering = rule.clauses.get(hit.clause).is_some_and(|clause| clause.cover);
            covering || !is_covered(std::slice::from_ref(&hit.units), &plain)
        })
        .collect();
    let mut matches: Vec<Vec<Match>> =
        (0..rule.clauses.len()).map(|index| direct(rule, index, surface, &hits)).collect();
    for (index, clause) in rule.clauses.iter().enumerate() {
        if let Look::Near(near) = &clause.look
            && near.refers()
            && clause.reads(surface.surface.kind)
        {
            let words = Words { rule, index, surface, hits: &hits, limit: MAX_COVERS };
            let found = referring(&words, near, &matches);
            if let Some(slot) = matches.get_mut(index) {
                *slot = found;
            }
        }
    }
    cover_matches(rule, &mut matches);
    except(rule, matches, facts)
}

/// Places of the covering clauses that are no exceptions and need no other clause.
fn covers(rule: &Rule, surface: &FoldedSurface<'_>, hits: &[Hit]) -> Vec<Range<usize>> {
    let hits: Vec<&Hit> = hits.iter().collect();
    rule.clauses
        .iter()
        .enumerate()
        .filter(|(index, clause)| clause.cover && !is_exception(rule, *index))
        .flat_map(|(index, _)| direct(rule, index, surface, &hits))
        .map(|found| found.units)
        .collect()
}

fn is_exception(rule: &Rule, clause: usize) -> bool {
    rule.exceptions.iter().any(|exception| exception.clause == clause)
}

fn is_covered(parts: &[Range<usize>], covers: &[Range<usize>]) -> bool {
    covers.iter().any(|cover| parts.iter().any(|part| cover.start <= part.start && part.end <= cover.end))
}

/// Matches of a clause that refers to no other.
pub(super) fn direct(rule: &Rule, index: usize, surface: &FoldedSurface<'_>, hits: &[&Hit]) -> Vec<Match> {
    let Some(clause) = rule.clauses.get(index).filter(|clause| clause.reads(surface.surface.kind)) else {
        return Vec::new();
    };
    let limit = if clause.cover { MAX_COVERS } else { MAX_MATCHES };
    let words = Words { rule, index, surface, hits, limit };
    match &clause.look {
        Look::Words => words.of_side(0),
        Look::Number(number) => numbered(number, words.of_side(0), surface),
        Look::Near(near) if !near.refers() => pairs(near, &words.of_side(0), &words.of_side(1), surface),
        Look::Regex { regex, on } if hits.iter().any(|hit| hit.clause == index) => {
            by_regex(regex, *on, rule, surface, limit)
        }
        _ => Vec::new(),
    }
}

/// The words of one clause on one surface.
struct Words<'a> {
    rule: &'a Rule,
    index: usize,
    surface: &'a FoldedSurface<'a>,
    hits: &'a [&'a Hit],
    limit: usize,
}

impl Words<'_> {
    fn of_side(&self, side: u8) -> Vec<Match> {
        let edges = self.rule.clauses.get(self.index).map_or(Edges::Latin, |clause| clause.edges);
        self.hits
            .iter()
            .filter(|hit| hit.clause == self.index && hit.side == side)
            .filter(|hit| stands(self.rule, edges, self.surface, &hit.units))
            .take(self.limit)
            .map(|hit| Match { units: hit.units.clone(), parts: vec![hit.units.clone()], words: vec![hit.word] })
            .collect()
    }
}

/// Matches of words that have a fitting number beside them, the nearest of each word.
fn numbered(number: &Number, words: Vec<Match>, surface: &FoldedSurface<'_>) -> Vec<Match> {
    if words.is_empty() {
        return words;
    }
    let reads: Vec<Range<usize>> = number::numbers(surface.surface.text)
        .into_iter()
        .filter(|read| number.takes(read))
        .filter_map(|read| units_of_original(surface, read.bytes))
        .collect();
    let near = Near { a: None, b: None, within: number.within, order: number.order, stop: Stop::Sentence };
    let found = words.into_iter().filter_map(|word| {
        let match_of =
            |units: &Range<usize>| Match { units: units.clone(), parts: vec![units.clone()], words: Vec::new() };
        // A colon leads to the number, a comma away from it.
        let comma = |read: &Match| {
            let between = word.units.end.min(read.units.end)..=word.units.start.max(read.units.start);
            between.into_iter().any(|unit| gap_text(surface, unit).contains(['，', ',']))
        };
        let reads = reads.iter().map(match_of).filter(|read| !comma(read));
        let beside = reads.filter_map(|read| Some((distance(&near, &word, &read, surface)?, read)));
        let (_, read) = beside.min_by_key(|(distance, _)| *distance)?;
        Some(join(&word, &read))
    });
    found.collect()
}

/// Matches of a near that refers to other clauses, whose `matches` are known.
fn referring(words: &Words<'_>, near: &Near, matches: &[Vec<Match>]) -> Vec<Match> {
    let of = |reference: Option<usize>, side: u8| match reference {
        Some(other) => matches.get(other).cloned().unwrap_or_default(),
        None => words.of_side(side),
    };
    pairs(near, &of(near.a, 0), &of(near.b, 1), words.surface)
}

/// For each match of `a` the nearest of `b` that is close enough.
///
/// A covering clause must reach every `b`, so each `b` is paired with its nearest `a` too.
fn pairs(near: &Near, a: &[Match], b: &[Match], surface: &FoldedSurface<'_>) -> Vec<Match> {
    let mut found = Vec::new();
    for first in a {
        let best = b
            .iter()
            .filter_map(|second| Some((distance(near, first, second, surface)?, second)))
            .min_by_key(|(distance, _)| *distance);
        found.extend(best.map(|(_, second)| join(first, second)));
    }
    for second in b {
        let best = a
            .iter()
            .filter_map(|first| Some((distance(near, first, second, surface)?, first)))
            .min_by_key(|(distance, _)| *distance);
        found.extend(best.map(|(_, first)| join(first, second)));
    }
    found.sort_by_key(|pair| (pair.units.start, pair.units.end));
    found.dedup();
    found
}

fn distance(near: &Near, a: &Match, b: &Match, surface: &FoldedSurface<'_>) -> Option<usize> {
    let between = if a.units.end <= b.units.start {
        a.units.end..b.units.start
    } else if near.order == Order::Any && b.units.end <= a.units.start {
        b.units.end..a.units.start
    } else {
        return None;
    };
    let distance = between.len();
    (distance <= near.within && !stops(near.stop, between, surface)).then_some(distance)
}

/// Whether something between two units ends what `stop` names.
fn stops(stop: Stop, between: Range<usize>, surface: &FoldedSurface<'_>) -> bool {
    (between.start..=between.end).any(|unit| {
        let gap = surface.folded.gap_before(unit);
        match stop {
            Stop::Phrase => gap.has(Gap::STRONG.and(Gap::SPACE)),
            Stop::Clause => gap.has(Gap::STRONG) && gap_text(surface, unit).contains(is_comma_or_stop),
            Stop::Sentence => gap.has(Gap::STRONG) && gap_text(surface, unit).contains(is_stop),
        }
    })
}

/// The original text dropped before `unit`.
fn gap_text<'a>(surface: &'a FoldedSurface<'_>, unit: usize) -> &'a str {
    if unit == 0 || unit >= surface.folded.len() {
        return "";
    }
    let from = surface.folded.span(unit - 1..unit).bytes.end;
    let to = surface.folded.span(unit..unit + 1).bytes.start;
    surface.surface.text.get(from..to).unwrap_or("")
}

fn is_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '；' | '!' | '?' | ';' | '\n' | '．' | '…')
}

fn is_comma_or_stop(c: char) -> bool {
    is_stop(c) || matches!(c, '，' | ',' | '：' | ':' | '）' | ')' | '】' | ']')
}

fn join(a: &Match, b: &Match) -> Match {
    let mut parts = a.parts.clone();
    parts.extend(b.parts.iter().cloned());
    let mut words = a.words.clone();
    words.extend(&b.words);
    Match { units: a.units.start.min(b.units.start)..a.units.end.max(b.units.end), parts, words }
}

fn by_regex(regex: &regex::Regex, on: RegexText, rule: &Rule, surface: &FoldedSurface<'_>, limit: usize) -> Vec<Match> {
    let found: Vec<Range<usize>> = match on {
        RegexText::Folded => regex
            .find_iter(surface.folded.text())
            .filter_map(|found| surface.folded.units(found.range()))
            .filter(|units| !surface.folded.inner_gaps(units.clone()).has(Gap::STRONG))
            .filter(|units| lets_through(rule, surface, units))
            .take(limit)
            .collect(),
        RegexText::Original => regex
            .find_iter(surface.surface.text)
            .take(limit)
            .filter_map(|found| units_of_original(surface, found.range()))
            .collect(),
    };
    found
        .into_iter()
        .filter(|units| !units.is_empty())
        .map(|units| Match { units: units.clone(), parts: vec![units], words: Vec::new() })
        .collect()
}

/// The units whose characters stand inside `bytes` of the original.
fn units_of_original(surface: &FoldedSurface<'_>, bytes: Range<usize>) -> Option<Range<usize>> {
    let first_at = |byte: usize| {
        let (mut low, mut high) = (0, surface.folded.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if surface.folded.span(middle..middle + 1).bytes.start < byte {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    };
    let units = first_at(bytes.start)..first_at(bytes.end);
    (!units.is_empty()).then_some(units)
}

/// Whether the places of a word are a word, not two that happen to meet.
fn stands(rule: &Rule, edges: Edges, surface: &FoldedSurface<'_>, units: &Range<usize>) -> bool {
    (edges == Edges::None || has_edges(surface, units)) && joins(surface, units) && lets_through(rule, surface, units)
}

/// Latin letters and digits need a border; Han characters do not.
pub(super) fn has_edges(surface: &FoldedSurface<'_>, units: &Range<usize>) -> bool {
    let folded = &surface.folded;
    let glued = |right: usize| {
        right > 0 && folded.gap_before(right).is_empty() && is_latin(surface, right - 1) && is_latin(surface, right)
    };
    !glued(units.start) && !glued(units.end)
}

/// Whether what stands between the characters can be a disguise rather than a border.
pub(super) fn joins(surface: &FoldedSurface<'_>, units: &Range<usize>) -> bool {
    let folded = &surface.folded;
    let gaps = folded.inner_gaps(units.clone());
    if gaps.has(Gap::STRONG) {
        let mut inner = (units.start + 1..units.end).map(|unit| gap_text(surface, unit));
        let first = inner.next().unwrap_or("");
        return units.len() > 2 && !first.is_empty() && inner.all(|gap| gap == first);
    }
    if !gaps.has(Gap::SPACE) {
        return true;
    }
    let parted = |unit: usize| !folded.gap_before(unit).is_empty();
    let mut inner = (units.start + 1..units.end).filter(|&unit| !is_script_border(surface, unit));
    if !inner.clone().any(parted) {
        // Only where Han meets Latin, as in A 货: people put a space there anyway.
        return true;
    }
    let is_phrase = units.len() >= PHRASE_UNITS && !units.clone().any(|unit| is_latin(surface, unit));
    let all_parted = is_phrase || inner.all(parted);
    all_parted && (units.len() > 2 || !is_cut_from_neighbours(surface, units))
}

fn is_script_border(surface: &FoldedSurface<'_>, unit: usize) -> bool {
    unit > 0 && is_latin(surface, unit - 1) != is_latin(surface, unit)
}

fn is_latin(surface: &FoldedSurface<'_>, unit: usize) -> bool {
    surface.folded.char_at(unit).is_some_and(|c| c.is_ascii_alphanumeric())
}

/// A pair such as 高 仿 in 提高 仿古: both characters belong to their neighbours.
fn is_cut_from_neighbours(surface: &FoldedSurface<'_>, units: &Range<usize>) -> bool {
    let folded = &surface.folded;
    let left = units.start > 0 && folded.gap_before(units.start).is_empty();
    let right = units.end < folded.len() && folded.gap_before(units.end).is_empty();
    left && right
}

pub(super) fn lets_through(rule: &Rule, surface: &FoldedSurface<'_>, units: &Range<usize>) -> bool {
    surface.folded.channels(units.clone()).iter().all(|channel| rule.channels.contains(channel))
}

/// Takes away what covering clauses cover, exceptions left for later.
fn cover_matches(rule: &Rule, matches: &mut [Vec<Match>]) {
    let covers: Vec<Range<usize>> = rule
        .clauses
        .iter()
        .zip(matches.iter())
        .enumerate()
        .filter(|(index, (clause, _))| clause.cover && !is_exception(rule, *index))
        .flat_map(|(_, (_, found))| found.iter().map(|one| one.units.clone()))
        .collect();
    for (clause, found) in rule.clauses.iter().zip(matches.iter_mut()) {
        if !clause.cover {
            found.retain(|one| !is_covered(&one.parts, &covers));
        }
    }
}

/// Sets apart what exceptions cover, and asks the condition with and without them.
fn except(rule: &Rule, mut matches: Vec<Vec<Match>>, facts: Facts<'_>) -> Outcome {
    let would_hold = holds(rule, &matches, facts);
    let mut outcome = Outcome { would_hold, ..Outcome::default() };
    for (number, exception) in rule.exceptions.iter().enumerate() {
        if !exception.applies(facts.given.day) {
            continue;
        }
        if let Some(Clause { look: Look::When(guard), .. }) = rule.clauses.get(exception.clause) {
            if outcome.set_aside.is_none() && guard::holds(guard, facts.listing, facts.sectors, facts.given) {
                outcome.set_aside = Some(number);
            }
            continue;
        }
        let covers: Vec<Range<usize>> =
            matches.get(exception.clause).into_iter().flatten().map(|one| one.units.clone()).collect();
        for (index, clause) in rule.clauses.iter().enumerate() {
            let Some(found) = matches.get_mut(index).filter(|_| !clause.cover) else { continue };
            let (covered, standing) = found.drain(..).partition(|one| is_covered(&one.parts, &covers));
            *found = standing;
            let covered: Vec<Match> = covered;
            outcome.excepted.extend(covered.into_iter().map(|one| (index, one, number)));
        }
    }
    outcome.holds = holds(rule, &matches, facts);
    outcome.matches = matches;
    outcome
}

fn holds(rule: &Rule, matches: &[Vec<Match>], facts: Facts<'_>) -> bool {
    rule.condition.holds(&mut |&index| answer(rule, matches, facts, index))
}

/// What the condition hears from the clause number `index`.
pub(super) fn answer(rule: &Rule, matches: &[Vec<Match>], facts: Facts<'_>, index: usize) -> bool {
    let Some(clause) = rule.clauses.get(index) else { return false };
    match &clause.look {
        Look::When(guard) => guard::holds(guard, facts.listing, facts.sectors, facts.given),
        _ if clause.cover => false,
        _ if clause.anywhere => facts.anywhere.contains(&index),
        _ => matches.get(index).is_some_and(|found| found.len() >= clause.min_count),
    }
}

/// The channels undone inside a match's parts, each once.
pub(super) fn channels(surface: &FoldedSurface<'_>, found: &Match) -> Vec<Channel> {
    let mut channels: Vec<Channel> =
        found.parts.iter().flat_map(|part| surface.folded.channels(part.clone())).collect();
    channels.sort_unstable();
    channels.dedup();
    channels
}
