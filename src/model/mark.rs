//! A mark: a registered trademark of a holder.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Channel, MarkId, Money};

/// A registered trademark, as the register of the watch knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its identity in this register.
    pub id: MarkId,
    /// Who owns it. A listing's findings for one holder make one hit.
    pub holder: String,
    /// The registered words.
    pub text: String,
    /// Where it is registered, an ISO 3166 code or an office such as `EM`.
    #[serde(default)]
    pub jurisdiction: String,
    /// The registration number.
    #[serde(default)]
    pub number: String,
    /// Nice classes, 1 to 45.
    #[serde(default)]
    pub nice_classes: Vec<u8>,
    /// Whether it is in force.
    #[serde(default)]
    pub status: MarkStatus,
    /// First day of protection.
    #[serde(default)]
    pub registered_on: Option<Date>,
    /// Last day of protection.
    #[serde(default)]
    pub expires_on: Option<Date>,
    /// Protected across classes (驰名商标).
    #[serde(default)]
    pub well_known: bool,
    /// Other spellings the holder watches.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The goods it stands for, in words.
    #[serde(default)]
    pub goods: Vec<String>,
    /// Shop names or shop ids with a licence.
    #[serde(default)]
    pub authorised_sellers: Vec<String>,
    /// What its goods usually cost, so that rules can tell a price that is too good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_price: Option<Money>,
    /// Ways of writing that are not looked for; what is written so is set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<Channel>,
}

/// Whether a mark is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkStatus {
    /// Registered and in force.
    #[default]
    Registered,
    /// Applied for: watched, but nothing may be demanded from it.
    Pending,
    /// Lapsed, cancelled or refused: makes no findings.
    Dead,
}

impl Mark {
    /// Whether the mark makes findings on `day`.
    pub fn in_force(&self, day: Date) -> bool {
        self.status != MarkStatus::Dead
            && self.registered_on.is_none_or(|first| first <= day)
            && self.expires_on.is_none_or(|last| day <= last)
    }
}
