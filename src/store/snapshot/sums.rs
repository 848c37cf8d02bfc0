//! Counts and digests by prefix: two ways to the same numbers prove that nothing was lost between them.

use std::collections::BTreeMap;

/// How many entries there are, and the sum of what each comes to. Adding and taking away commute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Sum {
    /// How many.
    pub count: u64,
    /// The sum of their digests, wrapping.
    pub digest: u64,
}

impl Sum {
    /// With one more entry.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.digest = self.digest.wrapping_add(digest(key, value));
    }

    /// With one less.
    pub fn take(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(digest(key, value));
    }
}

/// Sums by the first byte of the key. A prefix without entries is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Sums(BTreeMap<u8, Sum>);

const SUM_BYTES: usize = 17;

impl Sums {
    /// With one more entry.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.change(key, |sum| sum.add(key, value));
    }

    /// With one less.
    pub fn take(&mut self, key: &[u8], value: &[u8]) {
        self.change(key, |sum| sum.take(key, value));
    }

    fn change(&mut self, key: &[u8], change: impl FnOnce(&mut Sum)) {
        let prefix = key.first().copied().unwrap_or(0);
        let sum = self.0.entry(prefix).or_default();
        change(sum);
        if *sum == Sum::default() {
            self.0.remove(&prefix);
        }
    }

    /// The first prefix at which the two are not equal.
    pub fn first_difference(&self, other: &Self) -> Option<u8> {
        let prefixes = self.0.keys().chain(other.0.keys());
        prefixes.copied().filter(|prefix| self.0.get(prefix) != other.0.get(prefix)).min()
    }

    /// Seventeen bytes a prefix: the prefix, count 8, digest 8, little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * SUM_BYTES);
        for (prefix, sum) in &self.0 {
            bytes.push(*prefix);
            bytes.extend_from_slice(&sum.count.to_le_bytes());
            bytes.extend_from_slice(&sum.digest.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut sums = BTreeMap::new();
        let (parts, rest) = bytes.as_chunks::<SUM_BYTES>();
        for part in parts {
            let (prefix, numbers) = part.split_first()?;
            let count = u64::from_le_bytes(*numbers.first_chunk()?);
            let digest = u64::from_le_bytes(*numbers.last_chunk()?);
            sums.insert(*prefix, Sum { count, digest });
        }
        (rest.is_empty() && sums.len() == parts.len()).then_some(Self(sums))
    }
}

/// What one entry comes to: both checksums of its bytes, stirred, so that sums of many do not cancel out. Against
/// mistakes and rot, not against somebody who means it: those meet the journal's SHA-256.
fn digest(key: &[u8], value: &[u8]) -> u64 {
    let forward = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let backward = crc32c::crc32c_append(crc32c::crc32c_append(0x6d77_7364, value), key);
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    let mut mixed = (u64::from(forward) << 32 | u64::from(backward)) ^ (value.len() as u64).rotate_left(17);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_what_is_taken_away_is_gone() {
        let (mut one, mut other) = (Sums::default(), Sums::default());
        for n in 0_u32..100 {
            one.add(&n.to_be_bytes(), b"value");
            other.add(&(99 - n).to_be_bytes(), b"value");
        }
        one.add(b"q", b"");
        assert_eq!(one.first_difference(&other), Some(b'q'));
        one.take(b"q", b"");
        assert_eq!(one, other);
        assert_eq!(Sums::decode(&one.encode()), Some(one));
    }

    #[test]
    fn moving_a_byte_between_key_and_value_or_two_values_between_keys_shows() {
        let sums = |entries: &[(&[u8], &[u8])]| {
            let mut sums = Sums::default();
            entries.iter().for_each(|(key, value)| sums.add(key, value));
            sums
        };
        assert_ne!(sums(&[(b"ab", b"c")]), sums(&[(b"a", b"bc")]));
        assert_ne!(sums(&[(b"a1", b"x"), (b"a2", b"y")]), sums(&[(b"a1", b"y"), (b"a2", b"x")]));
    }

    #[test]
    fn broken_bytes_are_no_sums() {
        assert_eq!(Sums::decode(&[1; 16]), None);
        assert_eq!(Sums::decode(&[1; 34]), None);
        assert_eq!(Sums::decode(&[]), Some(Sums::default()));
    }
}
