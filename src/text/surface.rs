//! A listing's surfaces, folded once for everyone.

use std::sync::OnceLock;

use super::{Folded, Lattice, lexicon::Cuts};
use crate::model::{Listing, Surface};

/// A surface and its fold.
#[derive(Debug, Clone)]
pub struct FoldedSurface<'a> {
    /// The original.
    pub surface: Surface<'a>,
    /// Its units.
    pub folded: Folded,
    /// Every way to read it; made when it is first asked for.
    lattice: OnceLock<Lattice>,
    /// The same for its cuts into everyday words.
    cuts: OnceLock<Cuts>,
}

/// Folds every surface of `listing`, in the order of [`Listing::surfaces`].
pub fn fold_surfaces(listing: &Listing) -> Vec<FoldedSurface<'_>> {
    listing.surfaces().into_iter().map(FoldedSurface::new).collect()
}

impl<'a> FoldedSurface<'a> {
    /// Folds one surface.
    pub fn new(surface: Surface<'a>) -> Self {
        let folded = Folded::new(surface.text);
        Self { surface, folded, lattice: OnceLock::new(), cuts: OnceLock::new() }
    }

    /// Every way to read it.
    pub fn lattice(&self) -> &Lattice {
        self.lattice.get_or_init(|| Lattice::new(self.surface.text, &self.folded))
    }

    /// It cut into everyday words.
    pub fn cuts(&self) -> &Cuts {
        self.cuts.get_or_init(|| Cuts::of_text(&self.folded))
    }
}
