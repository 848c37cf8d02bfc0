//! A listing's surfaces, folded once for everyone.

use super::Folded;
use crate::model::{Listing, Surface};

/// A surface and its fold.
#[derive(Debug, Clone)]
pub struct FoldedSurface<'a> {
    /// The original.
    pub surface: Surface<'a>,
    /// Its units.
    pub folded: Folded,
}

/// Folds every surface of `listing`, in the order of [`Listing::surfaces`].
pub fn fold_surfaces(listing: &Listing) -> Vec<FoldedSurface<'_>> {
    listing.surfaces().into_iter().map(FoldedSurface::new).collect()
}

impl<'a> FoldedSurface<'a> {
    /// Folds one surface.
    pub fn new(surface: Surface<'a>) -> Self {
        let folded = Folded::new(surface.text);
        Self { surface, folded }
    }
}
