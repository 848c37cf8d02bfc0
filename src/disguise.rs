//! Words that are meant and not written: by sound, by looks, in parts, in pinyin, in digits, with a letter wrong.
//!
//! [`Watch`] looks for Han spellings by what can be heard or seen, [`Latin`] for Latin ones by what is left without a letter;
//! both ask a text's lattice of readings and answer with an [`Alignment`], which is the explanation. Marks and the words of
//! rules are watched for in the same way; what a found one is worth belongs to those who ask, but for [`chance`].

pub(crate) mod ahead;
mod align;
mod gates;
pub(crate) mod keys;
mod latin;
mod watch;

pub use align::{Alignment, Change};
pub(crate) use latin::Latin;
pub(crate) use watch::{Watch, is_han};

/// So many bits double or halve the odds.
const SCALE: f32 = 3.0;
/// The chance that a word which nothing else explains is meant.
const MOST: f64 = 0.9;

/// The chance that a stretch of text that everyday words explain at `explained` bits is a word in disguise, which takes `bits`.
pub(crate) fn chance(explained: f32, bits: f32) -> f64 {
    MOST / (1.0 + f64::from((bits - explained) / SCALE).exp2())
}
