//! What is asked before a key is: whether any spelling has two such sounds, or two such characters, at two such places.
//!
//! A bit for each pair of sounds, by the places they stand at. They lie near the processor, where the keys do not, and most
//! of what a text would ask the keys for ends here.

/// Sounds and characters are told apart by so many bits.
const SOUND_BITS: u32 = 9;
const CHARACTER_BITS: u32 = 20;

/// Bits of pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<u64>);

impl Pairs {
    fn set(&mut self, place: usize, bits: u32) {
        self.0.resize(1 << (bits - 6), 0);
        if let Some(word) = self.0.get_mut(place >> 6) {
            *word |= 1 << (place & 63);
        }
    }

    #[inline]
    fn has(&self, place: usize) -> bool {
        self.0.get(place >> 6).is_some_and(|word| word >> (place & 63) & 1 == 1)
    }

    /// Says that two sounds stand together.
    pub(super) fn set_sounds(&mut self, one: u32, other: u32) {
        self.set(sounds(one, other), 2 * SOUND_BITS);
    }

    /// Whether two sounds may stand together.
    #[inline]
    pub(super) fn has_sounds(&self, one: u32, other: u32) -> bool {
        self.has(sounds(one, other))
    }

    /// Says that two characters stand together.
    pub(super) fn set_characters(&mut self, one: u32, other: u32) {
        self.set(characters(one, other), CHARACTER_BITS);
    }

    /// Whether two characters may stand together.
    #[inline]
    pub(super) fn has_characters(&self, one: u32, other: u32) -> bool {
        self.has(characters(one, other))
    }
}

/// What has no sound is mixed up with something that has; a gate may be open too often.
fn sounds(one: u32, other: u32) -> usize {
    let mask = (1 << SOUND_BITS) - 1;
    ((one & mask) << SOUND_BITS | other & mask) as usize
}

fn characters(one: u32, other: u32) -> usize {
    (one.wrapping_mul(0x9E37_79B1) ^ other.wrapping_mul(0x85EB_CA6B)) as usize >> (32 - CHARACTER_BITS)
}

/// The gates of a watch, by the places of the first characters.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Of two characters, or the first two of three: their sounds.
    pub(super) two: Pairs,
    /// The same, the characters themselves, one of them perhaps replaced by its like.
    pub(super) characters: Pairs,
    /// Of three and more: the sounds at the first and the second, and so on.
    pub(super) first_second: Pairs,
    pub(super) second_third: Pairs,
    pub(super) first_third: Pairs,
    /// Of four and more.
    pub(super) second_fourth: Pairs,
    pub(super) third_fourth: Pairs,
    pub(super) first_fourth: Pairs,
}
