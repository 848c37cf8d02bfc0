//! A hash index over folded spellings: which spellings begin at a unit.
//!
//! The first two characters give the lengths worth trying; prefix hashes of the text make each try one
//! look-up; equality is then checked character by character, so a hash collision costs time only.

use std::{collections::HashMap, ops::Range};

use crate::{
    disguise::keys::{Asked, Keys},
    text::{
        ahead::put,
        mix::{Mixed, spread},
        rolling,
    },
};

/// Longest spelling, in units.
pub const MAX_UNITS: usize = 63;

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bits of a hash of first characters: 128 KiB.
const BEGUN_BITS: u32 = 20;

/// Words of the filter of single characters.
const SINGLE_WORDS: usize = 1024;

/// Lengths that are told apart of what begins with the same two characters: 2 to this; longer ones are tried all.
const TOLD_APART: usize = 16;

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
    /// A bit for each spelling of one character, by the low end of its number.
    single: Vec<u64>,
    /// A bit for each first two characters, by a hash: where nothing begins is known near the processor.
    begun: Vec<u64>,
    /// By the same hash, in fewer bits: bit `n` set when a spelling of `n + 2` units begins so, the last one for all longer.
    lengths: Vec<u16>,
    /// Bit `n` set when a spelling has `n` units, for those that `lengths` does not tell apart.
    longer: u64,
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
        (index.single, index.begun) = (vec![0; SINGLE_WORDS], vec![0; 1 << (BEGUN_BITS - 6)]);
        index.lengths = vec![0; lengths];
        for number in 0..spellings {
            let (begun, length) = match index.spelling(number) {
                [only] => {
                    let (word, bit) = single(*only);
                    set(&mut index.single, word, bit);
                    continue;
                }
                chars => (begun(chars), chars.len()),
            };
            set(&mut index.begun, begun >> 6, 1 << (begun & 63));
            let at = index.lengths_at(begun);
            set(&mut index.lengths, at, 1 << (length.min(TOLD_APART + 1) - 2));
            if length > TOLD_APART {
                index.longer |= 1 << length;
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

    #[inline]
    fn lengths_at(&self, begun: usize) -> usize {
        begun & (self.lengths.len().wrapping_sub(1))
    }

    /// Every spelling in `text`, by its units and number, in no order that means anything; overlapping ones too.
    pub(super) fn scan(&self, text: &[char], mut found: impl FnMut(Range<usize>, u32)) {
        if self.bounds.is_empty() {
            return;
        }
        // In steps over the whole text, for what is read lies far from the processor.
        let (mut begins, mut filled) = (vec![(0_u32, 0_u32); text.len()], 0);
        for (at, two) in (0..).zip(text.windows(2)) {
            let begun = begun(two);
            put(&mut begins, &mut filled, (at, begun as u32), has(&self.begun, begun >> 6, 1 << (begun & 63)));
        }
        let mut sums = Vec::with_capacity(text.len() + 1);
        rolling::sums(text.iter().map(|&c| c as u32), &mut sums);
        let mut asked: Vec<Asked> = Vec::with_capacity(filled);
        let mut ask = |at: u32, length: usize| {
            if let (Some(&from), Some(&to)) = (sums.get(at as usize), sums.get(at as usize + length)) {
                asked.push(Asked { key: spread(rolling::between(from, to, length)), tag: at });
            }
        };
        for &(at, begun) in begins.get(..filled).unwrap_or(&[]) {
            let lengths = self.lengths.get(self.lengths_at(begun as usize)).copied().unwrap_or(0);
            each_bit((u64::from(lengths) << 2) & !(u64::MAX << (TOLD_APART + 1)), |length| ask(at, length));
            if lengths >> (TOLD_APART - 1) != 0 {
                each_bit(self.longer, |length| ask(at, length));
            }
        }
        for (at, &c) in (0..).zip(text) {
            let (word, bit) = single(c);
            if has(&self.single, word, bit) {
                ask(at, 1);
            }
        }
        self.numbers.each_answer(&asked, |at, number| {
            let (at, spelling) = (at as usize, self.spelling(number));
            if text.get(at..).is_some_and(|rest| rest.starts_with(spelling)) {
                found(at..at + spelling.len(), number);
            }
        });
    }
}

fn set<T: Copy + std::ops::BitOrAssign>(words: &mut [T], word: usize, bits: T) {
    if let Some(word) = words.get_mut(word) {
        *word |= bits;
    }
}

#[inline]
fn has(words: &[u64], word: usize, bit: u64) -> bool {
    words.get(word).is_some_and(|word| word & bit != 0)
}

#[inline]
fn each_bit(mut bits: u64, mut each: impl FnMut(usize)) {
    while bits != 0 {
        each(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// Where the bit of a single character is.
#[inline]
fn single(c: char) -> (usize, u64) {
    ((c as usize & 0xFFFF) >> 6, 1 << (c as u32 & 63))
}

/// The bit of the first two characters.
#[inline]
fn begun(chars: &[char]) -> usize {
    let at = |index: usize| chars.get(index).map_or(0, |&c| c as u64 + 1);
    ((at(0) << 32 | at(1)).wrapping_mul(BASE) >> (64 - BEGUN_BITS)) as usize
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
