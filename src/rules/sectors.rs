//! What others may ask of a listing's sectors.

use super::set::RuleSet;
use crate::model::Listing;

impl RuleSet {
    /// Whether `listing` is in one of `sectors`; none where no word places it in any sector.
    pub fn in_sectors(&self, listing: &Listing, sectors: &[String]) -> Option<bool> {
        let known = self.sectors_of(listing);
        (!known.is_unknown()).then(|| sectors.iter().any(|sector| known.has(sector)))
    }

    /// Whether there is a sector of this name.
    pub fn knows_sector(&self, sector: &str) -> bool {
        self.has_sector(sector)
    }
}
