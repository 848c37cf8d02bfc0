//! The fold: an original text becomes comparable units, each with its place in the original.
//!
//! [`Folded`] is made once for each text and serves marks and rules alike. Separators, spaces,
//! punctuation, invisible characters and emoji are no units; they are the gaps between units, so that
//! a hidden word is whole again and how it was hidden is known. What a match is worth is decided below.

pub(crate) mod ahead;
mod alike;
mod assembled;
mod folded;
mod gap;
mod lattice;
pub mod lexicon;
pub mod looks;
pub(crate) mod mix;
pub(crate) mod rolling;
mod slots;
pub mod sound;
mod steps;
mod surface;
mod table;

pub use alike::{Likeness, likeness, near};
pub use assembled::{Assembled, How, assembled};
pub use folded::{Folded, Span, fold};
pub use gap::Gap;
pub use lattice::{Lattice, Reading, Token, Via};
pub use steps::undone;
pub use surface::{FoldedSurface, fold_surfaces};
