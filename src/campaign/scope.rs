//! Whether a campaign runs on a day, and reaches a listing.

use jiff::civil::Date;
use serde_json::Value;

use super::{Campaign, Stage};
use crate::{model::Listing, rules::RuleSet, text::fold};

/// Attributes and further fields by which a listing says where it comes from.
const PLACES: [&str; 10] =
    ["发货地", "发货地址", "所在地", "店铺所在地", "经营地址", "产地", "生产地", "region", "location", "ship_from"];

impl Campaign {
    /// Whether it is live, and `day` is one of its days.
    pub fn runs_on(&self, day: Date) -> bool {
        self.stage == Stage::On && self.from <= day && day <= self.to
    }

    /// Whether it is about `listing`, whatever the day. A sector or region that is not known excludes nothing; a platform is
    /// always known.
    pub fn reaches(&self, set: &RuleSet, listing: &Listing) -> bool {
        let platform = listing.platform.as_deref().unwrap_or("");
        let on_platform = self.platforms.is_empty() || self.platforms.iter().any(|wanted| wanted == platform);
        let in_sector = self.sectors.is_empty() || set.in_sectors(listing, &self.sectors).unwrap_or(true);
        on_platform && in_sector && (self.regions.is_empty() || in_regions(listing, &self.regions).unwrap_or(true))
    }
}

/// Whether a listing says that it comes from one of `regions`; none where it does not say from where.
fn in_regions(listing: &Listing, regions: &[String]) -> Option<bool> {
    let places: Vec<String> = listing
        .attributes
        .iter()
        .chain(&listing.other)
        .filter(|(name, _)| PLACES.contains(&name.as_str()))
        .filter_map(|(_, value)| Value::as_str(value))
        .map(fold)
        .filter(|place| !place.is_empty())
        .collect();
    (!places.is_empty()).then(|| {
        let mut regions = regions.iter().map(|region| fold(region)).filter(|region| !region.is_empty());
        regions.any(|region| places.iter().any(|place| place.contains(&region)))
    })
}
