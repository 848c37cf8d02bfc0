//! A hash index over folded spellings: which spellings begin at a unit.
//!
//! The first two characters give the lengths worth trying; prefix hashes of the text make each try one
//! look-up; equality is then checked character by character, so a hash collision costs time only.

use std::{collections::HashMap, ops::Range};

use crate::text::mix::Mixed;

/// Longest spelling, in units.
pub const MAX_UNITS: usize = 63;

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bits of a hash of first characters: 128 KiB.
const BEGUN_BITS: u32 = 20;

type Map<V> = HashMap<u64, V, Mixed>;

/// Which spellings begin where.
#[derive(Debug, Default)]
pub(super) struct Index {
    spellings: Vec<Box<[char]>>,
    /// A bit for each first two characters, and each single one, by a hash: where nothing begins is known near the processor.
    begun: Vec<u64>,
    /// First two characters → bit `n` set when a spelling of `n` units begins so.
    lengths: Map<u64>,
    /// Hash of a whole spelling → its number, or the first of a chain.
    numbers: Map<Vec<u32>>,
}

impl Index {
    /// Adds a spelling and gives its number; one that is known keeps its number.
    ///
    /// None when it is empty or longer than [`MAX_UNITS`].
    pub(super) fn add(&mut self, folded: &str) -> Option<u32> {
        let chars: Box<[char]> = folded.chars().collect();
        if chars.is_empty() || chars.len() > MAX_UNITS {
            return None;
        }
        let hash = hash(&chars);
        let chain = self.numbers.entry(hash).or_default();
        let known = chain.iter().copied().find(|&number| self.spellings.get(number as usize) == Some(&chars));
        if known.is_some() {
            return known;
        }
        let number = u32::try_from(self.spellings.len()).ok()?;
        chain.push(number);
        let start = start(&chars);
        self.begun.resize(1 << (BEGUN_BITS - 6), 0);
        if let Some(word) = self.begun.get_mut(begun(start) >> 6) {
            *word |= 1 << (begun(start) & 63);
        }
        *self.lengths.entry(start).or_default() |= 1 << chars.len();
        self.spellings.push(chars);
        Some(number)
    }

    /// The folded spelling of a number; empty when there is none.
    pub(super) fn spelling(&self, number: u32) -> String {
        self.spellings.get(number as usize).into_iter().flatten().collect()
    }

    /// Every spelling in `text`, by its units and number; overlapping ones too.
    pub(super) fn scan(&self, text: &[char], mut found: impl FnMut(Range<usize>, u32)) {
        let mut prefix = Vec::with_capacity(text.len() + 1);
        let mut powers = Vec::with_capacity(MAX_UNITS + 1);
        let (mut sum, mut power) = (0_u64, 1_u64);
        prefix.push(sum);
        for &c in text {
            sum = sum.wrapping_mul(BASE).wrapping_add(c as u64 + 1);
            prefix.push(sum);
        }
        for _ in 0..=MAX_UNITS {
            powers.push(power);
            power = power.wrapping_mul(BASE);
        }
        for begin in 0..text.len() {
            let rest = text.get(begin..).unwrap_or(&[]);
            let may_begin =
                |start: u64| self.begun.get(begun(start) >> 6).is_some_and(|word| word >> (begun(start) & 63) & 1 == 1);
            let lengths_of = |start: u64| {
                if may_begin(start) { self.lengths.get(&start).copied().unwrap_or(0) } else { 0 }
            };
            let single = lengths_of(start(rest.get(..1).unwrap_or(&[]))) & 0b10;
            let mut lengths = lengths_of(start(rest)) | single;
            while lengths != 0 {
                let length = lengths.trailing_zeros() as usize;
                lengths &= lengths - 1;
                let end = begin + length;
                let (Some(&to), Some(&from), Some(&power)) = (prefix.get(end), prefix.get(begin), powers.get(length))
                else {
                    break;
                };
                let Some(chain) = self.numbers.get(&to.wrapping_sub(from.wrapping_mul(power))) else { continue };
                for &number in chain {
                    if self.spellings.get(number as usize).is_some_and(|spelling| rest.starts_with(spelling)) {
                        found(begin..end, number);
                    }
                }
            }
        }
    }
}

fn hash(chars: &[char]) -> u64 {
    chars.iter().fold(0, |sum, &c| sum.wrapping_mul(BASE).wrapping_add(c as u64 + 1))
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
        let mut index = Index::default();
        for spelling in spellings {
            index.add(spelling);
        }
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
