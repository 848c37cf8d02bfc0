//! What a live room sells, and the moment of a broadcast something belongs to.

use serde::{Deserialize, Serialize};

use super::{
    Money,
    listing::{text_lenient, text_or_number},
};

/// Goods on the shelf of a live room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// The platform's number of the goods.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "text_lenient")]
    pub id: String,
    /// Their title on the shelf.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "text_lenient")]
    pub title: String,
    /// Where their listing stands.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub url: Option<String>,
    /// What the shelf asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// What the page of their listing asked when it was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_price: Option<Money>,
    /// What became of them on the shelf.
    #[serde(default, skip_serializing_if = "is_pinned")]
    pub state: ShelfState,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_pinned(state: &ShelfState) -> bool {
    *state == ShelfState::Pinned
}

/// What became of goods on a shelf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShelfState {
    /// Shown now, in place of what was shown before.
    #[default]
    Pinned,
    /// On the shelf, or changed there.
    Listed,
    /// Taken down.
    Gone,
}

/// A moment of a live room: when, and what was shown and asked for it then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds from the start of the room.
    pub at_ms: u64,
    /// The goods pinned then, with their price of that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods: Option<Goods>,
}

impl Moment {
    /// The time in the broadcast as `01:02:03`.
    pub fn clock(&self) -> String {
        let second = self.at_ms / 1000;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}
