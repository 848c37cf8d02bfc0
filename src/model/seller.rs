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
    /// What sort of seller it says it is: a name of [`SellerKind`]; others count for nothing.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "kind",
        deserialize_with = "super::listing::text_or_number"
    )]
    pub said_kind: Option<String>,
}

/// What sort of seller offers a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SellerKind {
    /// The brand's own shop (旗舰店).
    Flagship,
    /// A shop of one brand with its licence (专卖店).
    Exclusive,
    /// A shop of several brands of one sort (专营店).
    Specialty,
    /// The platform itself (自营).
    Platform,
    /// A business without such a name.
    Company,
    /// A private person, such as in a second-hand market.
    Private,
}

impl SellerKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Flagship, Self::Exclusive, Self::Specialty, Self::Platform, Self::Company, Self::Private];

    /// Its name in listings and rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flagship => "flagship",
            Self::Exclusive => "exclusive",
            Self::Specialty => "specialty",
            Self::Platform => "platform",
            Self::Company => "company",
            Self::Private => "private",
        }
    }
}

impl Seller {
    /// What sort of seller it is: what it says, else what its name says by the platforms' rules for names of shops, else a
    /// company where it shows a licence.
    pub fn kind(&self) -> Option<SellerKind> {
        let said = self.said_kind.as_deref();
        if let Some(kind) = SellerKind::ALL.into_iter().find(|kind| Some(kind.name()) == said) {
            return Some(kind);
        }
        let name = self.name.as_deref().unwrap_or("").trim();
        let by_name = [
            ("旗舰店", SellerKind::Flagship),
            ("专卖店", SellerKind::Exclusive),
            ("专营店", SellerKind::Specialty),
            ("自营", SellerKind::Platform),
            ("企业店", SellerKind::Company),
            ("公司", SellerKind::Company),
            ("闲置", SellerKind::Private),
        ];
        let named = by_name.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, kind)| kind);
        named.or_else(|| self.license.is_some().then_some(SellerKind::Company))
    }
}
