//! Hashes over folded characters: of a whole spelling, of its first two and its first three.
//!
//! None of them is trusted: what they find is compared. They are part of the file's format.

use crate::text::rolling;

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX: u64 = 0xD6E8_FEB8_6659_FD93;
/// Bits of a character's number.
const CODE_BITS: u32 = 21;

/// A spelling's hash: which part of the file, which line of it, which print in the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpellingHash(pub u64);

impl SpellingHash {
    pub fn new(codes: &[u32]) -> Self {
        Self(mix(rolling::of(codes.iter().copied())))
    }

    /// The part of the file.
    pub fn part(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// Which of `buckets`; of two hashes in a part the larger never has the smaller bucket.
    pub fn bucket(self, buckets: u32) -> u32 {
        scale((self.0 >> 24) as u32, buckets)
    }

    /// What a slot keeps of it.
    pub fn print(self) -> u32 {
        self.0 as u32
    }
}

/// The hash of the `length` characters between two prefix sums.
#[inline]
pub(super) fn between(from: u64, to: u64, length: u8) -> SpellingHash {
    SpellingHash(mix(rolling::between(from, to, usize::from(length))))
}

/// The hash of two characters.
#[inline]
pub(super) fn pair(first: u32, second: u32) -> u64 {
    let half = (u64::from(first) | u64::from(second) << CODE_BITS).wrapping_mul(BASE);
    (half ^ half >> 32).wrapping_mul(MIX)
}

/// The hash of three characters.
#[inline]
pub(super) fn triple(first: u32, second: u32, third: u32) -> u64 {
    let all = u64::from(first) | u64::from(second) << CODE_BITS | u64::from(third) << (2 * CODE_BITS);
    let half = all.wrapping_mul(BASE);
    (half ^ half >> 32).wrapping_mul(MIX)
}

/// Spreads a hash over `0..many`.
#[inline]
pub(super) fn scale(hash: u32, many: u32) -> u32 {
    ((u64::from(hash) * u64::from(many)) >> 32) as u32
}

#[inline]
fn mix(sum: u64) -> u64 {
    let half = (sum ^ sum >> 32).wrapping_mul(MIX);
    let half = (half ^ half >> 32).wrapping_mul(MIX);
    half ^ half >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_text_hashes_as_it_does_alone() {
        let codes: Vec<u32> = "云雀记the云".chars().map(|c| c as u32).collect();
        let mut sums = Vec::new();
        rolling::sums(codes.iter().copied(), &mut sums);
        for start in 0..codes.len() {
            for end in start + 1..=codes.len() {
                let hash = between(sums[start], sums[end], (end - start) as u8);
                assert_eq!(hash, SpellingHash::new(&codes[start..end]));
            }
        }
    }

    #[test]
    fn buckets_follow_the_order_of_hashes() {
        let hashes = [0, 1 << 24, 0x7F << 48, 0xFF_FFFF << 32, (1 << 56) - 1].map(SpellingHash);
        let buckets = hashes.map(|hash| hash.bucket(1000));
        assert!(buckets.is_sorted() && buckets[4] == 999, "{buckets:?}");
    }
}
