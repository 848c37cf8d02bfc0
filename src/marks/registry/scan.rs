//! Finding every spelling in a folded text.
//!
//! A large registry is larger than the processor's caches, so what costs is waiting for memory. A text is therefore taken
//! in steps over many positions at once ([`ahead`](crate::text::ahead)). What passes one step is packed for the next.

use std::{cell::RefCell, ops::Range};

use super::{
    base::{Base, SPELLING_HEAD, SpellingPlace},
    filter::{Classes, Pair, lengths_of},
    hash::{self, SpellingHash},
    layout::{LINE_BYTES, RAN_OVER, SLOTS},
};
use crate::text::{
    Folded,
    ahead::{put, room},
    rolling,
};

/// Positions taken together: what is kept of them stays in the nearest cache.
const BLOCK: usize = 512;

/// A spelling found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// The first unit.
    pub start: u32,
    pub units: u8,
    pub place: SpellingPlace,
}

/// Kept from text to text, so that nothing is allocated.
#[derive(Debug, Default)]
struct Scratch {
    codes: Vec<u32>,
    sums: Vec<u64>,
    known: Vec<Pair>,
    pairs: Vec<Probe>,
    longer: Vec<u32>,
    triples: Vec<Classes>,
    starts: Vec<Start>,
    probes: Vec<Probe>,
    lookups: Vec<Lookup>,
    found: Vec<Found>,
    further: Vec<(Probe, SpellingHash)>,
}

/// A position at which spellings of three units and more may begin.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    at: u32,
    classes: Classes,
}

/// A stretch of text that may be a spelling.
#[derive(Debug, Clone, Copy, Default)]
struct Probe {
    at: u32,
    units: u8,
}

/// A stretch of text, and the line that would have it.
#[derive(Debug, Clone, Copy, Default)]
struct Lookup {
    probe: Probe,
    line: usize,
    hash: SpellingHash,
}

/// A stretch of text whose print was found.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    probe: Probe,
    part: u8,
    place: u32,
}

impl Base {
    /// Every spelling in `folded`, overlapping ones too, in no order that means anything.
    pub(super) fn scan(&self, folded: &Folded, hits: &mut Vec<Hit>) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.codes.clear();
            scratch.codes.extend(folded.codes());
            let units = scratch.codes.len();
            rolling::sums(scratch.codes.iter().copied(), &mut scratch.sums);
            // What is looked for beyond the end is not found: no unit is 0.
            scratch.codes.extend([0; 2]);
            for begin in (0..units).step_by(BLOCK) {
                let positions = begin..units.min(begin + BLOCK);
                scratch.rule_out(self, &positions);
                let found = scratch.look_up(self);
                scratch.compare(self, folded, found, hits);
            }
        });
    }
}

impl Scratch {
    /// Takes the positions and lengths at which there may be a spelling.
    fn rule_out(&mut self, base: &Base, positions: &Range<usize>) {
        let filters = base.filters();
        let codes = self.codes.get(positions.start..positions.end + 2).unwrap_or_default();
        // What is known of them is read in loops of their own, which do little else: so they run far ahead of the memory.
        let known = room(&mut self.known, positions.len());
        for (known, codes) in known.iter_mut().zip(codes.windows(2)) {
            if let &[first, second] = codes {
                *known = filters.pair(first, second);
            }
        }
        let (pairs, longer) = (room(&mut self.pairs, positions.len()), room(&mut self.longer, positions.len()));
        let (mut paired, mut filled) = (0, 0);
        for (at, known) in (positions.start as u32..).zip(known.iter().take(positions.len())) {
            put(pairs, &mut paired, Probe { at, units: 2 }, known.alone());
            put(longer, &mut filled, at, known.longer());
        }
        self.probes.clear();
        self.probes.extend_from_slice(pairs.get(..paired).unwrap_or_default());
        let longer = longer.get(..filled).unwrap_or_default();
        let read = room(&mut self.triples, filled);
        for (read, at) in read.iter_mut().zip(longer) {
            let next = self.codes.get(*at as usize..).and_then(|codes| codes.first_chunk());
            let &[first, second, third] = next.unwrap_or(&[0; 3]);
            *read = filters.triple(first, second, third);
        }
        let starts = room(&mut self.starts, filled);
        let mut started = 0;
        for (&at, &classes) in longer.iter().zip(&*read) {
            put(starts, &mut started, Start { at, classes }, classes.any());
        }
        for &Start { at, classes } in starts.get(..started).unwrap_or_default() {
            let first = self.codes.get(at as usize).copied().unwrap_or(0);
            for class in classes.each(filters.beginning(first)) {
                let mut lengths = lengths_of(class) & base.lengths();
                while lengths != 0 {
                    self.probes.push(Probe { at, units: lengths.trailing_zeros() as u8 });
                    lengths &= lengths - 1;
                }
            }
        }
        if base.lengths() & 0b10 != 0 {
            let codes = (positions.start as u32..).zip(codes).take(positions.len());
            let single = codes.filter(|(_, code)| filters.single(**code));
            self.probes.extend(single.map(|(at, _)| Probe { at, units: 1 }));
        }
    }

    /// Looks the rest up: one line each. Says how many were found.
    fn look_up(&mut self, base: &Base) -> usize {
        let (lines, places) = (base.lines(), base.places());
        let sum = |at: usize| self.sums.get(at).copied().unwrap_or(0);
        self.lookups.clear();
        self.lookups.extend(self.probes.iter().map(|&probe| {
            let at = probe.at as usize;
            let hash = hash::between(sum(at), sum(at + usize::from(probe.units)), probe.units);
            let place = &places[usize::from(hash.part())];
            Lookup { probe, line: place.first_line + hash.bucket(place.buckets) as usize, hash }
        }));
        // Asks for every line first, so that the waits for memory overlap.
        let asked = self.lookups.iter().map(|lookup| lines.get(lookup.line).map_or(0, |line| line[0]));
        std::hint::black_box(asked.fold(0, |all, byte| all ^ byte));
        let all = room(&mut self.found, self.lookups.len());
        let mut filled = 0;
        self.further.clear();
        for &Lookup { probe, line, hash } in &self.lookups {
            let (prints, slots) = halves(lines.get(line).unwrap_or(&[0; LINE_BYTES]));
            let same = same(prints, hash.print());
            let slot = slots[(same.trailing_zeros() & 7) as usize];
            let found = Found { probe, part: hash.part(), place: u32::from_le_bytes(slot) & !RAN_OVER };
            let ran_over = u32::from_le_bytes(slots[SLOTS - 1]) & RAN_OVER != 0;
            let several = same & same.wrapping_sub(1) != 0;
            put(all, &mut filled, found, (same != 0) & (found.place != 0) & !ran_over & !several);
            if ran_over | several {
                self.further.push((probe, hash));
            }
        }
        // Rare enough to be done at leisure.
        for &(probe, hash) in &self.further {
            base.probe(hash, |at| {
                let found = Found { probe, part: hash.part(), place: at + 1 };
                match self.found.get_mut(filled) {
                    Some(place) => *place = found,
                    None => self.found.push(found),
                }
                filled += 1;
            });
        }
        filled
    }

    /// Compares what was found with the text, to the last byte.
    fn compare(&mut self, base: &Base, folded: &Folded, found: usize, hits: &mut Vec<Hit>) {
        let bytes = base.bytes();
        let found = self.found.get(..found).unwrap_or_default();
        let begin = |found: &Found| base.places()[usize::from(found.part)].spellings + found.place as usize - 1;
        // Reads every length first, so that the waits for memory overlap.
        let lengths = found.iter().map(|found| bytes.get(begin(found) + SPELLING_HEAD - 1).copied().unwrap_or(0));
        std::hint::black_box(lengths.fold(0, |all, length| all ^ length));
        for found in found {
            let start = found.probe.at as usize;
            let text = folded.bytes(start..start + usize::from(found.probe.units));
            let place = SpellingPlace { part: found.part, at: found.place - 1 };
            if base.spelling(place).is_some_and(|spelling| equal(spelling, text)) && !text.is_empty() {
                hits.push(Hit { start: found.probe.at, units: found.probe.units, place });
            }
        }
    }
}

/// Whether both are the same; short ones, which nearly all are, without a call.
#[inline]
fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match (left.first_chunk::<8>(), right.first_chunk::<8>(), left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(a), Some(b), Some(c), Some(d)) if left.len() <= 16 => (a == b) & (c == d),
        (None, None, ..) => left.iter().zip(right).all(|(a, b)| a == b),
        _ => left == right,
    }
}

/// A line's prints and places.
#[inline]
fn halves(line: &[u8; LINE_BYTES]) -> (&[[u8; 4]; SLOTS], &[[u8; 4]; SLOTS]) {
    let words = line.as_chunks::<4>().0;
    match (words.first_chunk(), words.last_chunk()) {
        (Some(prints), Some(slots)) => (prints, slots),
        _ => (&[[0; 4]; SLOTS], &[[0; 4]; SLOTS]),
    }
}

/// A bit for each slot with this print.
#[inline]
fn same(prints: &[[u8; 4]; SLOTS], print: u32) -> u32 {
    let mut bits = 0;
    for (slot, found) in prints.iter().enumerate() {
        bits |= u32::from(u32::from_le_bytes(*found) == print) << slot;
    }
    bits
}
