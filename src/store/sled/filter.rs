//! Which keys a delta may have: a filter in memory (Bloom 1970, two bits of one word a key) that spares asking the table for
//! what was never written to it.

use std::{
    hash::{DefaultHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// 2 MiB: of a million keys, one in seventy that was not written is taken for one that was. Tests have few keys and many filters.
const WORDS: usize = if cfg!(test) { 1 << 8 } else { 1 << 18 };

/// The keys ever written, nearly.
#[derive(Debug)]
pub(super) struct Filter(Box<[AtomicU64]>);

impl Filter {
    pub fn new() -> Self {
        Self((0..WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Says that `key` is about to be written.
    pub fn add(&self, key: &[u8]) {
        let (word, bits) = place(key);
        if let Some(word) = self.0.get(word) {
            // Whoever sees the key in the table sees it here.
            word.fetch_or(bits, Ordering::Release);
        }
    }

    /// Whether `key` may have been written; never false for one that was.
    pub fn may_have(&self, key: &[u8]) -> bool {
        let (word, bits) = place(key);
        self.0.get(word).is_none_or(|word| word.load(Ordering::Acquire) & bits == bits)
    }
}

fn place(key: &[u8]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    let hash = hasher.finish();
    ((hash >> 12) as usize % WORDS, 1 << (hash & 63) | 1 << (hash >> 6 & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_known_and_little_else() {
        let filter = Filter::new();
        let key = |n: u32| [b"h".as_slice(), &n.to_be_bytes()].concat();
        (0..1_000).for_each(|n| filter.add(&key(n)));
        assert!((0..1_000).all(|n| filter.may_have(&key(n))));
        let wrong = (1_000..101_000).filter(|n| filter.may_have(&key(*n))).count();
        assert!(wrong < 3_000, "{wrong} of 100,000");
    }
}
