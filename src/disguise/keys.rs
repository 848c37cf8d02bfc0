//! Keys of spellings: a hash table that is built once and keeps no keys.

use std::ops::Range;

use crate::text::ahead::{put, touch};

/// Spellings that one key may lead to; a key that is more common says nothing.
const MAX_ANSWERS: usize = 64;

const BITS_PER_KEY: usize = 16;
/// Bits of a key below those that choose its word: the bits in the word, the rest of the hash shares some of them.
const WORD_SHIFT: u32 = 12;

/// The bits of a key in its word.
#[inline]
fn print(key: u64) -> u64 {
    1 << (key & 63) | 1 << (key >> 6 & 63)
}

/// A key that is asked for, and what with: a place in a text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub key: u64,
    pub tag: u32,
}

/// Hashed keys and who they lead to, without the keys themselves: buckets in a row, each with the rest of the hash.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Two bits of a word for each key, by other bits of its hash than the bucket: most keys of a text lead nowhere, and what
    /// says so stays near the processor.
    known: Vec<u64>,
    /// Where each bucket begins in `answers`; one more at the end.
    buckets: Vec<u32>,
    answers: Vec<(u32, u32)>,
    bits: u32,
}

impl Keys {
    /// Lays out pairs of a key, well spread over 64 bits, and who it leads to.
    pub(crate) fn new(pairs: &[(u64, u32)]) -> Self {
        let bits = (pairs.len().max(1) as u64).next_power_of_two().trailing_zeros().clamp(4, 26);
        let mut buckets = vec![0_u32; (1 << bits) + 1];
        let mut known = vec![0_u64; (pairs.len() * BITS_PER_KEY / 64).next_power_of_two()];
        let bucket = |key: u64| (key >> (64 - bits)) as usize;
        let filter = known.len() - 1;
        for (key, _) in pairs {
            if let Some(count) = buckets.get_mut(bucket(*key) + 1) {
                *count += 1;
            }
            if let Some(word) = known.get_mut((*key >> WORD_SHIFT) as usize & filter) {
                *word |= print(*key);
            }
        }
        let mut sum = 0;
        for bound in &mut buckets {
            sum += *bound;
            *bound = sum;
        }
        let mut answers = vec![(0, 0); pairs.len()];
        let mut next = buckets.clone();
        for (key, pattern) in pairs {
            if let Some(place) = next.get_mut(bucket(*key)) {
                if let Some(answer) = answers.get_mut(*place as usize) {
                    *answer = (*key as u32, *pattern);
                }
                *place += 1;
            }
        }
        Self { known, buckets, answers, bits }
    }

    /// Whom each of many keys leads to, in their order, with the tag it was asked with.
    pub(crate) fn each_answer(&self, asked: &[Asked], mut answer: impl FnMut(u32, u32)) {
        let (mut known, mut filled) = (vec![Asked::default(); asked.len()], 0);
        for &ask in asked {
            put(&mut known, &mut filled, ask, self.may_have(ask.key));
        }
        known.truncate(filled);
        let places: Vec<Range<usize>> = known.iter().map(|ask| self.bucket(ask.key)).collect();
        touch(places.iter().map(|place| self.answers.get(place.start).map_or(0, |(rest, _)| *rest)));
        for (ask, place) in known.iter().zip(places) {
            for who in self.who(ask.key, place) {
                answer(ask.tag, who);
            }
        }
    }

    /// Whether `key` may lead to anybody.
    #[inline]
    fn may_have(&self, key: u64) -> bool {
        let filter = self.known.len().wrapping_sub(1);
        self.known.get((key >> WORD_SHIFT) as usize & filter).is_some_and(|word| !word & print(key) == 0)
    }

    fn bucket(&self, key: u64) -> Range<usize> {
        let bucket = (key >> (64 - self.bits)) as usize;
        let bound = |bucket: usize| self.buckets.get(bucket).map_or(0, |bound| *bound as usize);
        bound(bucket)..bound(bucket + 1)
    }

    fn who(&self, key: u64, place: Range<usize>) -> impl Iterator<Item = u32> {
        let answers = self.answers.get(place).unwrap_or(&[]).iter();
        answers.filter(move |(rest, _)| *rest == key as u32).take(MAX_ANSWERS).map(|(_, pattern)| *pattern)
    }
}
