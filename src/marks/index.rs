//! A hash index over folded spellings: which spellings begin at a unit.
//!
//! The first two characters give the lengths worth trying; prefix hashes of the text make each try one
//! look-up; equality is then checked character by character, so a hash collision costs time only.

use std::{collections::HashMap, ops::Range};

use super::rolling;
use crate::{
    disguise::keys::{Asked, Keys},
    text::{
        ahead::put,
        mix::{Mixed, spread},
    },
};

/// Longest spelling, in units.
pub const MAX_UNITS: usize = 63;

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bits of a hash of first characters: 128 KiB.
const BEGUN_BITS: u32 = 20;

/// Spellings while they are gathered.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    index: Index,
    /// Hash of a whole spelling → those that have it.
    numbers: HashMap<u64, Vec<u32>, Mixed>,
}

/// Which spellings begin where.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The characters of all spellings, and where each begins; one more at the end.
    characters: Vec<char>,
    bounds: Vec<u32>,
    /// A bit for each first two characters, and each single one, by a hash: where nothing begins is known near the processor.
    begun: Vec<u64>,
    /// By the same hash, in fewer bits: bit `n` set when a spelling of `n` units begins so.
    lengths: Vec<u64>,
    /// Hash of a whole spelling → its number.
    numbers: Keys,
}

impl IndexBuilder {
    /// Adds a spelling and gives its number; one that is known keeps its number.
    ///
    /// None when it is empty or longer than [`MAX_UNITS`].
    pub(super) fn add(&mut self, folded: &str) -> Option<u32> {
        let chars: Vec<char> = folded.chars().take(MAX_UNITS + 1).collect();
        if chars.is_empty() || chars.len() > MAX_UNITS {
            return None;
        }
        let chain = self.numbers.entry(rolling::of(chars.iter().map(|&c| c as u32))).or_default();
        let known = chain.iter().copied().find(|&number| self.index.spelling(number) == chars);
        if known.is_some() {
            return known;
        }
        if self.index.bounds.is_empty() {
            self.index.bounds.push(0);
        }
        let number = u32::try_from(self.index.bounds.len() - 1).ok()?;
        chain.push(number);
        self.index.characters.extend(chars);
        self.index.bounds.push(u32::try_from(self.index.characters.len()).ok()?);
        Some(number)
    }

    /// The folded spelling of a number; empty when there is none.
    pub(super) fn spelling(&self, number: u32) -> String {
        self.index.spelling(number).iter().collect()
    }

    /// Lays out what was added.
    pub(super) fn finish(self) -> Index {
        let Self { mut index, numbers } = self;
        let spellings = (index.bounds.len().max(1) - 1) as u32;
        let lengths = (spellings as usize * 2).next_power_of_two().clamp(64, 1 << BEGUN_BITS);
        (index.begun, index.lengths) = (vec![0; 1 << (BEGUN_BITS - 6)], vec![0; lengths]);
        for number in 0..spellings {
            let chars = index.spelling(number);
            let (start, length) = (start(chars), chars.len());
            if let Some(word) = index.begun.get_mut(begun(start) >> 6) {
                *word |= 1 << (begun(start) & 63);
            }
            let at = index.lengths_at(start);
            if let Some(word) = index.lengths.get_mut(at) {
                *word |= 1 << length;
            }
        }
        let pairs = numbers.into_iter().flat_map(|(hash, chain)| chain.into_iter().map(move |number| (hash, number)));
        let mut pairs: Vec<(u64, u32)> = pairs.map(|(hash, number)| (spread(hash), number)).collect();
        pairs.sort_unstable_by_key(|(_, number)| *number);
        index.numbers = Keys::new(&pairs);
        index
    }
}

impl Index {
    fn spelling(&self, number: u32) -> &[char] {
        let bound = |at: u32| self.bounds.get(at as usize).map_or(0, |bound| *bound as usize);
        self.characters.get(bound(number)..bound(number.saturating_add(1))).unwrap_or(&[])
    }

    fn lengths_at(&self, start: u64) -> usize {
        begun(start) & (self.lengths.len().wrapping_sub(1))
    }

    /// Every spelling in `text`, by its units and number, in the order of where they begin; overlapping ones too.
    pub(super) fn scan(&self, text: &[char], mut found: impl FnMut(Range<usize>, u32)) {
        if self.bounds.is_empty() {
            return;
        }
        // In steps over the whole text, for what is read lies far from the processor.
        let (mut begins, mut filled) = (vec![(0_u32, false); text.len() * 2], 0);
        let start_at = |at: u32, single: bool| {
            let rest = text.get(at as usize..).unwrap_or(&[]);
            start(if single { rest.get(..1).unwrap_or(&[]) } else { rest })
        };
        for at in 0..text.len() as u32 {
            put(&mut begins, &mut filled, (at, true), self.may_begin(start_at(at, true)));
            let last = at as usize + 1 == text.len();
            put(&mut begins, &mut filled, (at, false), self.may_begin(start_at(at, false)) & !last);
        }
        let mut sums = Vec::with_capacity(text.len() + 1);
        rolling::sums(text.iter().map(|&c| c as u32), &mut sums);
        let mut asked: Vec<Asked> = Vec::with_capacity(filled);
        for &(at, single) in begins.get(..filled).unwrap_or(&[]) {
            let mut lengths = self.lengths.get(self.lengths_at(start_at(at, single))).copied().unwrap_or(0);
            let at = at as usize;
            lengths &= if single { 0b10 } else { !0b10 };
            while lengths != 0 {
                let length = lengths.trailing_zeros() as usize;
                lengths &= lengths - 1;
                let (Some(&to), Some(&from)) = (sums.get(at + length), sums.get(at)) else { break };
                asked.push(Asked { key: spread(rolling::between(from, to, length)), tag: at as u32 });
            }
        }
        self.numbers.each_answer(&asked, |at, number| {
            let (at, spelling) = (at as usize, self.spelling(number));
            if text.get(at..).is_some_and(|rest| rest.starts_with(spelling)) {
                found(at..at + spelling.len(), number);
            }
        });
    }

    #[inline]
    fn may_begin(&self, start: u64) -> bool {
        self.begun.get(begun(start) >> 6).is_some_and(|word| word >> (begun(start) & 63) & 1 == 1)
    }
}

/// The bit of a key of first characters.
fn begun(start: u64) -> usize {
    (start.wrapping_mul(BASE) >> (64 - BEGUN_BITS)) as usize
}

/// The first two characters as a key; one-character spellings have a key of their own.
fn start(chars: &[char]) -> u64 {
    let at = |index: usize| chars.get(index).map_or(0, |&c| c as u64 + 1);
    at(0) << 32 | at(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(spellings: &[&str], text: &str) -> Vec<String> {
        let mut index = IndexBuilder::default();
        for spelling in spellings {
            index.add(spelling);
        }
        let index = index.finish();
        let chars: Vec<char> = text.chars().collect();
        let mut out = Vec::new();
        index.scan(&chars, |units, _| out.push(chars[units].iter().collect()));
        out.sort();
        out
    }

    #[test]
    fn overlapping_and_single_character_spellings_are_found() {
        assert_eq!(scan(&["云雀", "云雀记", "雀", "ab"], "云雀记aba雀"), ["ab", "云雀", "云雀记", "雀", "雀"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn the_index_finds_what_a_plain_search_finds(
            spellings in proptest::collection::vec("[ab云雀]{1,4}", 1..8), text in "[ab云雀记]{0,30}",
        ) {
            let mut unique: Vec<&str> = spellings.iter().map(String::as_str).collect();
            unique.sort_unstable();
            unique.dedup();
            let mut expected: Vec<String> = Vec::new();
            for spelling in &unique {
                for (at, _) in text.char_indices() {
                    if text[at..].starts_with(spelling) {
                        expected.push((*spelling).to_owned());
                    }
                }
            }
            expected.sort();
            prop_assert_eq!(scan(&unique, &text), expected);
        }
    }
}
