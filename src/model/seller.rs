//! Who offers a listing.

use serde::{Deserialize, Serialize};

/// The shop behind a listing, as the page names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The platform's identity for the shop.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::listing::text_or_number")]
    pub id: Option<String>,
    /// The shop's name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::listing::text_or_number")]
    pub name: Option<String>,
    /// The business licence number (统一社会信用代码) it shows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::listing::text_or_number")]
    pub license: Option<String>,
}
