//! What others may ask of a listing's sectors.

use super::{
    rule::{Fit, Rule},
    set::RuleSet,
};
use crate::model::Listing;

impl RuleSet {
    /// Whether `listing` is in one of `sectors`; none where no word places it in any sector.
    pub fn in_sectors(&self, listing: &Listing, sectors: &[String]) -> Option<bool> {
        let known = self.sectors_of(listing);
        (!known.is_unknown()).then(|| sectors.iter().any(|sector| known.has(sector)))
    }

    /// Whether one of the rules that are `wanted` may look at listings of `category`, from the widest part to the narrowest. Where
    /// no word of it is known the title decides, so that it may.
    pub fn may_reach(&self, wanted: impl Fn(&Rule) -> bool, category: &[&str]) -> bool {
        let category = category.iter().map(|part| (*part).to_owned()).collect();
        // No title: it would speak for all listings of the category.
        let known = self.sectors_of(&Listing { category, ..Listing::default() });
        known.is_unknown() || self.rules().iter().any(|rule| wanted(rule) && rule.sectors.fit(&known) != Fit::No)
    }

    /// Whether there is a sector of this name.
    pub fn knows_sector(&self, sector: &str) -> bool {
        self.has_sector(sector)
    }
}
