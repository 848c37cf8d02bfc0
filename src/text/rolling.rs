//! Hashes of everything in a text, each for a subtraction (Rabin and Karp 1987): a polynomial over the characters' numbers.
//!
//! Part of the registry file's format: what they say of a spelling never changes.

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Most characters whose sum is told: a spelling has no more.
const MOST: usize = 63;

/// Powers of the base.
static POWERS: [u64; MOST + 1] = {
    let mut powers = [1_u64; MOST + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1].wrapping_mul(BASE);
        at += 1;
    }
    powers
};

/// `sum` with one more character.
#[inline]
pub(crate) fn next(sum: u64, code: u32) -> u64 {
    sum.wrapping_mul(BASE).wrapping_add(u64::from(code) + 1)
}

/// The sum of a whole spelling.
pub(crate) fn of(codes: impl IntoIterator<Item = u32>) -> u64 {
    codes.into_iter().fold(0, next)
}

/// Sums of all beginnings of a text: `sums[n]` covers the first `n` characters.
pub(crate) fn sums(codes: impl IntoIterator<Item = u32>, sums: &mut Vec<u64>) {
    sums.clear();
    sums.push(0);
    let mut sum = 0;
    sums.extend(codes.into_iter().map(|code| {
        sum = next(sum, code);
        sum
    }));
}

/// The sum of `length` characters, at most 63, between two sums of beginnings.
#[inline]
pub(crate) fn between(from: u64, to: u64, length: usize) -> u64 {
    let power = POWERS.get(length).copied().unwrap_or(1);
    to.wrapping_sub(from.wrapping_mul(power))
}

/// The sum of what has `left` before and a stretch of `length` characters, at most 63, with the sum `right` behind.
#[inline]
pub(crate) fn joined(left: u64, right: u64, length: usize) -> u64 {
    let power = POWERS.get(length).copied().unwrap_or(1);
    left.wrapping_mul(power).wrapping_add(right)
}
