//! What is asked before a key is: whether any spelling may have it.
//!
//! A bit for each key of a shape, by a few bits of its parts and no more, so that all of them lie near the processor, where
//! the keys do not. Of what a text would ask the keys for, one in twenty passes; the last part is told by a bit of a word, so
//! that every way to sound the last character costs one look.

/// Most bits that tell each of the first parts apart.
const MOST_BITS: u32 = 7;
const LEAST_BITS: u32 = 3;

/// The gates before the keys of shapes that have the same first parts, which are asked together: up to 128 KiB for each.
#[derive(Debug, Default)]
pub(super) struct Gate<const SHAPES: usize = 1> {
    words: Vec<[u64; SHAPES]>,
    /// Bits that tell each of the first parts apart.
    bits: u32,
}

/// What gates know of the first parts of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ajar<const SHAPES: usize>([u64; SHAPES]);

impl<const SHAPES: usize> Gate<SHAPES> {
    /// A gate before the keys of so many spellings: of few it is small, and nearer to the processor.
    pub(crate) fn new(spellings: usize) -> Self {
        let bits = (spellings.next_power_of_two().trailing_zeros() / 2).clamp(LEAST_BITS, MOST_BITS);
        Self { words: vec![[0; SHAPES]; 1 << (2 * bits)], bits }
    }

    /// Lets the key of these parts pass, of the shape with this number.
    pub(crate) fn open(&mut self, shape: usize, [first, second, last]: [u32; 3]) {
        let place = self.place(first, second);
        if let Some(word) = self.words.get_mut(place).and_then(|words| words.get_mut(shape)) {
            *word |= 1 << (last & 63);
        }
    }

    /// What is known of keys that begin so.
    #[inline]
    pub(crate) fn at(&self, first: u32, second: u32) -> Ajar<SHAPES> {
        Ajar(self.words.get(self.place(first, second)).copied().unwrap_or([0; SHAPES]))
    }

    #[inline]
    fn place(&self, first: u32, second: u32) -> usize {
        let mask = (1 << self.bits) - 1;
        ((first & mask) << self.bits | second & mask) as usize
    }
}

impl<const SHAPES: usize> Ajar<SHAPES> {
    /// Whether a key of the shape with this number and with this last part may be there.
    #[inline]
    pub(crate) fn has<const SHAPE: usize>(self, last: u32) -> bool {
        const { assert!(SHAPE < SHAPES) }
        self.0.get(SHAPE).is_some_and(|word| word >> (last & 63) & 1 == 1)
    }
}

/// Characters are thousands, and similar ones stand together: a number of which any seven bits tell them apart.
#[inline]
pub(crate) fn scattered(code: u32) -> u32 {
    code.wrapping_mul(0x9E37_79B1) >> 12
}
