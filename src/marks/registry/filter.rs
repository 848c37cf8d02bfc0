//! What can be ruled out before a spelling is looked up: which lengths begin with these characters.
//!
//! Four filters: a bit for spellings of one character; for two characters three bits of a word when they are a spelling, and
//! three others when a longer one begins with them; for a first character the length classes of what begins with it; for three
//! characters three bits of a word, and three more for each length class.
//! They say "no" or "perhaps", never "no" to a spelling that is there. Few positions of a text pass them, and only those cost a look-up. They
//! are as small as they can be: what costs is waiting for memory, and small ones stay in the processor's caches.

use super::hash;

/// Length classes of one length each, 2 to 12 units; five more are 13–14, 15–16, 17–20, 21–32 and 33–63.
const SHORT_CLASSES: u32 = 11;

/// Words of the filter of single characters.
pub(super) const SINGLE_WORDS: usize = 1024;
/// First characters that are told apart.
pub(super) const BEGINNINGS: usize = 4096;
const BITS_PER_PAIR: u64 = 12;
/// Of the filter of pairs, for what is longer than two: many begin with the same two.
const PAIR_BITS_PER_LONGER: u64 = 6;
const BITS_PER_TRIPLE: u64 = 16;
const MIN_WORDS: u32 = 64;

/// The length class of a spelling with `units` units, at least 2.
pub(super) fn class_of(units: usize) -> u32 {
    match units {
        0..=2 => 0,
        3..=12 => units as u32 - 2,
        13..=14 => 11,
        15..=16 => 12,
        17..=20 => 13,
        21..=32 => 14,
        _ => 15,
    }
}

/// The lengths of a class, as bits.
pub(super) fn lengths_of(class: u32) -> u64 {
    let bits = |from: u32, to: u32| (u64::MAX >> (63 - to)) & (u64::MAX << from);
    match class {
        0..SHORT_CLASSES => 1 << (class + 2),
        11 => bits(13, 14),
        12 => bits(15, 16),
        13 => bits(17, 20),
        14 => bits(21, 32),
        _ => bits(33, 63),
    }
}

/// The filters while a file is built.
#[derive(Debug)]
pub(super) struct FilterBuilder {
    pub singles: Vec<u64>,
    pub beginnings: Vec<u16>,
    pub pairs: Vec<u64>,
    pub triples: Vec<u64>,
    /// Bit `n` set when a spelling has `n` units.
    pub lengths: u64,
}

impl FilterBuilder {
    /// Empty filters for so many spellings of two units, and of more.
    pub fn new(pairs: u64, longer: u64) -> Self {
        let words = |bits: u64| vec![0; u32::try_from(bits / 64).unwrap_or(u32::MAX).max(MIN_WORDS) as usize];
        Self {
            singles: vec![0; SINGLE_WORDS],
            beginnings: vec![0; BEGINNINGS],
            pairs: words(pairs * BITS_PER_PAIR + longer * PAIR_BITS_PER_LONGER),
            triples: words(longer * BITS_PER_TRIPLE),
            lengths: 0,
        }
    }

    /// Lets a spelling pass.
    pub fn add(&mut self, codes: &[u32]) {
        self.lengths |= 1 << codes.len();
        match *codes {
            [] => {}
            [only] => {
                let (word, bit) = single(only);
                set(&mut self.singles, word, bit);
            }
            [first, second] => {
                let hash = hash::pair(first, second);
                let word = place(hash, self.pairs.len());
                set(&mut self.pairs, word, print(hash));
            }
            [first, second, third, ..] => {
                let hash = hash::pair(first, second);
                let word = place(hash, self.pairs.len());
                set(&mut self.pairs, word, print(hash).rotate_left(LONGER_TURN));
                let class = class_of(codes.len());
                if let Some(classes) = self.beginnings.get_mut(beginning(first)) {
                    *classes |= 1 << class;
                }
                let hash = hash::triple(first, second, third);
                let word = place(hash, self.triples.len());
                let print = print(hash);
                set(&mut self.triples, word, print | print.rotate_left(class * TURN));
            }
        }
    }
}

fn set(words: &mut [u64], word: usize, bits: u64) {
    if let Some(word) = words.get_mut(word) {
        *word |= bits;
    }
}

/// How far the three bits turn from class to class. Those of class 0, which no spelling of three units has, stand for all.
const TURN: u32 = 4;
const EVERY_CLASS: u64 = 0x1111_1111_1111_1111;
/// How far they turn in the filter of pairs for what is longer than two.
const LONGER_TURN: u32 = 32;

/// Where the bit of a single character is.
#[inline]
pub(super) fn single(code: u32) -> (usize, u64) {
    ((code as usize & 0xFFFF) >> 6, 1 << (code & 63))
}

/// Where a first character's classes are.
#[inline]
fn beginning(first: u32) -> usize {
    first as usize % BEGINNINGS
}

/// Which of `words` a hash belongs to.
#[inline]
fn place(hash: u64, words: usize) -> usize {
    hash::scale((hash >> 32) as u32, words as u32) as usize
}

/// The filters of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filters<'a> {
    pub singles: &'a [[u8; 8]],
    pub beginnings: &'a [[u8; 2]],
    pub pairs: &'a [[u8; 8]],
    pub triples: &'a [[u8; 8]],
}

impl Filters<'_> {
    /// Whether a spelling of this one character may be there.
    #[inline]
    pub fn single(&self, code: u32) -> bool {
        let (word, bit) = single(code);
        self.singles.get(word).is_some_and(|word| u64::from_le_bytes(*word) & bit != 0)
    }

    /// What is known of two characters.
    #[inline]
    pub fn pair(&self, first: u32, second: u32) -> Pair {
        let hash = hash::pair(first, second);
        let word = self.pairs.get(place(hash, self.pairs.len())).map_or(0, |word| u64::from_le_bytes(*word));
        Pair { missing: !word, print: print(hash) }
    }

    /// The classes of spellings of three units and more that may begin with `first`.
    #[inline]
    pub fn beginning(&self, first: u32) -> u32 {
        self.beginnings.get(beginning(first)).map_or(0, |classes| u32::from(u16::from_le_bytes(*classes)))
    }

    /// The classes of spellings that may begin with these three characters.
    #[inline]
    pub fn triple(&self, first: u32, second: u32, third: u32) -> Classes {
        let hash = hash::triple(first, second, third);
        let word = self.triples.get(place(hash, self.triples.len())).map_or(0, |word| u64::from_le_bytes(*word));
        // The three bits turn by as many places from class to class: turned back, those of a class stand one on another.
        let turned = |shift: u64| word.rotate_right((hash >> shift & 63) as u32);
        Classes(turned(0) & turned(6) & turned(12) & EVERY_CLASS)
    }
}

/// What a file knows of two characters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair {
    missing: u64,
    print: u64,
}

impl Pair {
    /// Whether a spelling of these two may be there.
    #[inline]
    pub fn alone(self) -> bool {
        self.missing & self.print == 0
    }

    /// Whether a longer one may begin with them.
    #[inline]
    pub fn longer(self) -> bool {
        self.missing & self.print.rotate_left(LONGER_TURN) == 0
    }
}

/// Length classes that may begin with three characters: a bit in every four for each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Classes(u64);

impl Classes {
    /// Whether a spelling of any class may.
    #[inline]
    pub fn any(self) -> bool {
        self.0 & 1 == 1
    }

    /// Those of them that are also in `beginning`.
    #[inline]
    pub fn each(self, beginning: u32) -> impl Iterator<Item = u32> {
        let mut left = self.0 & !1;
        std::iter::from_fn(move || {
            let class = (left != 0).then(|| left.trailing_zeros() / TURN)?;
            left &= left - 1;
            Some(class)
        })
        .filter(move |class| beginning >> class & 1 == 1)
    }
}

/// Three bits of a word.
#[inline]
fn print(hash: u64) -> u64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_in_the_class_it_is_filed_under_and_in_no_other() {
        for units in 2..=63 {
            let classes: Vec<u32> =
                (0..SHORT_CLASSES + 5).filter(|class| lengths_of(*class) >> units & 1 == 1).collect();
            assert_eq!(classes, [class_of(units)], "{units}");
        }
    }
}
