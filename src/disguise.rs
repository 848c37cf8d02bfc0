//! Words that are meant and not written: by sound, by looks, in parts, in pinyin, in digits, with a letter wrong.
//!
//! [`Watch`] looks for Han spellings by what can be heard or seen, [`Latin`] for Latin ones by what is left without a letter;
//! both ask a text's lattice of readings and answer with an [`Alignment`], which is the explanation. Marks and the words of
//! rules are watched for in the same way; what a found one is worth belongs to those who ask, but for [`chance`].

mod align;
mod gates;
pub(crate) mod keys;
mod latin;
mod watch;

pub use align::{Alignment, Change};
pub(crate) use latin::Latin;
pub(crate) use watch::{Watch, is_han};

use std::ops::Range;

use crate::text::FoldedSurface;

/// So many bits double or halve the odds.
const SCALE: f32 = 3.0;
/// The chance that a word which nothing else explains is meant.
const MOST: f64 = 0.9;

/// What everyday words make of a text, against a watched word that stands in it in disguise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Everyday<'a> {
    /// What the text is, cut into everyday words when that is first asked.
    surface: &'a FoldedSurface<'a>,
    /// Bits of a watched word standing at a given place, without those of its disguise.
    bits: f32,
    /// Bits by which everyday words may cost less than a watched word that is found nevertheless: of two characters, of more.
    patience: [f32; 2],
}

/// The least chance that is still looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Least {
    /// Of words of two characters.
    pub two: f64,
    /// Of longer ones.
    pub more: f64,
}

impl<'a> Everyday<'a> {
    /// The text of `surface`; what is meant with a lesser chance than `least` is not found.
    pub(crate) fn new(surface: &'a FoldedSurface<'a>, bits: f32, least: Least) -> Self {
        let patience = |least: f64| SCALE * (MOST / least - 1.0).log2() as f32;
        Self { surface, bits, patience: [patience(least.two), patience(least.more)] }
    }

    /// The chance that `units` are a watched word, in a disguise of so many bits.
    pub(crate) fn chance(&self, units: Range<usize>, disguise: f32) -> f64 {
        chance(self.surface.cuts().of(units), self.bits + disguise)
    }

    /// Whether everyday words explain `units` so much better than a watched word of so many characters does that it is not
    /// found.
    #[inline]
    fn explain(&self, units: Range<usize>, characters: usize, disguise: f32) -> bool {
        let [two, more] = self.patience;
        self.surface.cuts().of(units) + if characters > 2 { more } else { two } < self.bits + disguise
    }
}

/// The chance that a stretch of text that everyday words explain at `explained` bits is a word in disguise, which takes `bits`.
pub(crate) fn chance(explained: f32, bits: f32) -> f64 {
    MOST / (1.0 + f64::from((bits - explained) / SCALE).exp2())
}
