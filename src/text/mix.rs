//! The one hash of character sequences, shared by `build.rs`, which lays tables out, and those who look into them.

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bits of the hash of two characters by which the lexicon files how long the words are that begin so.
pub(crate) const LENGTHS_BITS: u32 = 18;

/// `hash` with one more character.
#[inline]
pub(crate) fn mix(hash: u64, code: u32) -> u64 {
    (hash ^ (code as u64 + 1)).wrapping_mul(FACTOR).rotate_left(29)
}

/// A hash spread over all bits: what a slot is chosen by.
#[inline]
pub(crate) fn spread(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 32).wrapping_mul(FACTOR);
    hash ^ hash >> 29
}

/// Hashes numbers for maps that nobody outside can fill: a multiplication, no secret.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Mixer(u64);

/// Builds [`Mixer`]s.
pub(crate) type Mixed = std::hash::BuildHasherDefault<Mixer>;

impl std::hash::Hasher for Mixer {
    fn finish(&self) -> u64 {
        spread(self.0)
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0, byte as u32);
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.0 = mix(self.0, value);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(29) ^ value;
    }
}
