//! What is asked before a key is: whether any spelling may have it.
//!
//! A bit for each key of a shape, by a few bits of its parts and no more, so that all of them lie near the processor, where
//! the keys do not. Of what a text would ask the keys for, one in twenty passes; the last part is told by a bit of a word, so
//! that every way to sound the last character costs one look.

/// Bits that tell the first parts, and the last, apart.
const WORD_BITS: u32 = 14;
const HALF_BITS: u32 = WORD_BITS / 2;
const MASK: u32 = (1 << HALF_BITS) - 1;

/// The gates before the keys of shapes that have the same first parts, which are asked together: 128 KiB for each.
#[derive(Debug)]
pub(super) struct Gate<const SHAPES: usize = 1>(Vec<[u64; SHAPES]>);

/// What gates know of the first parts of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ajar<const SHAPES: usize>([u64; SHAPES]);

impl<const SHAPES: usize> Default for Gate<SHAPES> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<const SHAPES: usize> Gate<SHAPES> {
    /// Lets the key of these parts pass, of the shape with this number.
    pub(crate) fn open(&mut self, shape: usize, [first, second, last]: [u32; 3]) {
        self.0.resize(1 << WORD_BITS, [0; SHAPES]);
        if let Some(word) = self.0.get_mut(place(first, second)).and_then(|words| words.get_mut(shape)) {
            *word |= 1 << (last & 63);
        }
    }

    /// What is known of keys that begin so.
    #[inline]
    pub(crate) fn at(&self, first: u32, second: u32) -> Ajar<SHAPES> {
        Ajar(self.0.get(place(first, second)).copied().unwrap_or([0; SHAPES]))
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

#[inline]
fn place(first: u32, second: u32) -> usize {
    ((first & MASK) << HALF_BITS | second & MASK) as usize
}

/// Characters are thousands, and similar ones stand together: a number of which any seven bits tell them apart.
#[inline]
pub(crate) fn scattered(code: u32) -> u32 {
    code.wrapping_mul(0x9E37_79B1) >> 12
}
