//! Marks of several words, with their words in another order or with something between them.

use std::{collections::HashMap, ops::Range};

use super::{index::IndexBuilder, register::Spelling};
use crate::{
    disguise::{Alignment, Change},
    model::Channel,
    text::{Folded, fold, mix::Mixed},
};

/// Words a mark may have to be looked for so.
const WORDS: std::ops::RangeInclusive<usize> = 2..=4;
/// Shortest word, in characters: two Han characters, three Latin letters.
const MIN_HAN: usize = 2;
const MIN_LATIN: usize = 3;
/// Units from the first word's beginning to the last one's end, beside the words themselves.
const REACH: usize = 12;
/// Bits of the words standing in another order, and of each unit between them.
const BITS: f32 = 4.0;
const APART_BITS: f32 = 0.5;

/// A word of a phrase found: which phrase, which of its words, where.
pub(super) type Found = (u32, u8, Range<usize>);

/// Spellings of several words, by each of their words.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    spellings: Vec<(Spelling, u8)>,
    /// By the index's number of a word: which phrases have it, and as which of their words.
    words: HashMap<u32, Vec<(u32, u8)>, Mixed>,
}

impl Phrases {
    /// Takes a spelling in when it has several words that are long enough to be looked for alone.
    pub(super) fn add(&mut self, index: &mut IndexBuilder, spelling: Spelling) {
        let words: Vec<String> = spelling.text.split_whitespace().map(fold).collect();
        let long = |word: &String| {
            let least = if word.is_ascii() { MIN_LATIN } else { MIN_HAN };
            word.chars().count() >= least
        };
        if !WORDS.contains(&words.len()) || !words.iter().all(long) {
            return;
        }
        let own = self.spellings.len() as u32;
        for (word, place) in words.iter().zip(0..) {
            if let Some(number) = index.add(word) {
                self.words.entry(number).or_default().push((own, place));
            }
        }
        self.spellings.push((spelling, words.len() as u8));
    }

    /// Notes that the index's spelling `number` stands at `units`.
    pub(super) fn gather(&self, number: u32, units: &Range<usize>, words: &mut Vec<Found>) {
        let phrases = self.words.get(&number).into_iter().flatten();
        words.extend(phrases.map(|(phrase, place)| (*phrase, *place, units.clone())));
    }

    /// Every phrase that has all of its words near each other, but not one behind the other as it is registered.
    pub(super) fn find(&self, folded: &Folded, mut words: Vec<Found>) -> Vec<(&Spelling, Range<usize>, Alignment)> {
        words.sort_unstable_by_key(|(phrase, place, units)| (*phrase, *place, units.start));
        let mut found = Vec::new();
        for same in words.chunk_by(|one, next| one.0 == next.0) {
            let Some((phrase, ..)) = same.first() else { continue };
            let Some((spelling, count)) = self.spellings.get(*phrase as usize) else { continue };
            for (_, _, first) in same.iter().filter(|(_, place, _)| *place == 0) {
                let nearest = |place: u8| {
                    let of_place =
                        same.iter().filter(|(_, other, _)| *other == place).map(|(_, _, units)| units.clone());
                    of_place.min_by_key(|units| units.start.abs_diff(first.start))
                };
                let all: Option<Vec<Range<usize>>> =
                    (0..*count).map(|place| if place == 0 { Some(first.clone()) } else { nearest(place) }).collect();
                found.extend(
                    all.and_then(|all| together(spelling, folded, all)).map(|(units, how)| (spelling, units, how)),
                );
            }
        }
        found
    }
}

fn together(spelling: &Spelling, folded: &Folded, words: Vec<Range<usize>>) -> Option<(Range<usize>, Alignment)> {
    let units = words.iter().map(|word| word.start).min()?..words.iter().map(|word| word.end).max()?;
    let own: usize = words.iter().map(ExactSizeIterator::len).sum();
    let apart = units.len().checked_sub(own)?;
    let mut in_place = words.clone();
    in_place.sort_unstable_by_key(|word| word.start);
    let overlapping = in_place.iter().zip(in_place.iter().skip(1)).any(|(one, next)| next.start < one.end);
    if apart > REACH || overlapping || apart == 0 && in_place == words {
        return None;
    }
    let before = units.clone().filter_map(|unit| folded.char_at(unit)).collect();
    let change = Change { channel: Channel::Reordered, before, after: fold(&spelling.text), detail: String::new() };
    Some((units, Alignment { changes: vec![change], bits: BITS + APART_BITS * apart as f32, pieces: words }))
}
