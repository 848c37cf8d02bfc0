//! What people at the desk leave behind that is no decision: notes on sellers, saved filters, samples, second opinions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccountName, HitId, Reason, Timestamp, Verdict};

/// Longest key of a remark, in bytes.
pub const MAX_REMARK_KEY_BYTES: usize = 256;
/// Longest remark, in bytes of JSON.
pub const MAX_REMARK_BYTES: usize = 16 * 1024;

/// Something a person left behind. The same key again replaces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// Its identity, such as `note:` and a seller and a number.
    pub key: String,
    /// Who left it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// What.
    pub says: Saying,
}

/// What a remark says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "saying", rename_all = "snake_case")]
pub enum Saying {
    /// A note that follows a seller.
    SellerNote {
        /// The seller's key.
        seller: String,
        /// The note.
        text: String,
    },
    /// A filter of the queue under a name.
    SavedFilter {
        /// Its name.
        name: String,
        /// The query of its address.
        query: String,
        /// Whether everybody sees it.
        shared: bool,
    },
    /// Which keys an account presses for what.
    Keys {
        /// What is done, and the key for it.
        keys: BTreeMap<String, String>,
    },
    /// A decided hit whose answer is known: shown among others, unmarked.
    Gold {
        /// The hit.
        hit: HitId,
        /// What is right.
        verdict: Verdict,
    },
    /// What somebody says of a hit that another has decided, without knowing.
    Opinion {
        /// The hit.
        hit: HitId,
        /// What they say.
        verdict: Verdict,
        /// Why.
        reason: Reason,
        /// What for.
        check: Check,
        /// What the decision was that they did not see, or the known answer.
        against: Verdict,
        /// Who made it.
        of: AccountName,
    },
    /// It is no more.
    Gone,
}

/// What an opinion is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The answer is known.
    Gold,
    /// A second person on a share of the decisions.
    Second,
}
