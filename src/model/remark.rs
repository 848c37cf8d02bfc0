//! What people at the desk leave behind that is no decision: notes on sellers, saved filters, samples, second opinions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccountName, HitId, ListingId, Reason, Timestamp, Verdict};

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
    /// What a third person says where two saw a hit differently.
    Settled {
        /// The hit.
        hit: HitId,
        /// What stands.
        verdict: Verdict,
        /// Why.
        reason: Reason,
        /// In their own words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// Who decided it.
        first: AccountName,
        /// As what.
        decided: Verdict,
        /// Who saw it otherwise without knowing.
        second: AccountName,
        /// As what.
        said: Verdict,
    },
    /// A random sample of listings in which nothing was found, for people to look whether something stands there.
    Sample {
        /// Its name.
        sample: String,
        /// What its randomness was begun with: the same over the same listings draws the same.
        seed: u64,
        /// Listings that were asked for.
        size: usize,
        /// Where the listings come from.
        strata: Vec<Stratum>,
    },
    /// A listing of a sample.
    Sampled {
        /// The sample.
        sample: String,
        /// Its number there, from 1.
        number: usize,
        /// The listing.
        listing: ListingId,
        /// Its platform.
        source: String,
    },
    /// What somebody saw in a listing of a sample.
    Looked {
        /// The sample.
        sample: String,
        /// The listing's number there.
        number: usize,
        /// What stands there and was not found; nothing where all is well.
        missed: Option<Missed>,
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
    /// A third person, before they see what two others said differently.
    Third,
}

/// The listings of one platform in a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratum {
    /// The platform; empty for those of none, and for all beyond the largest.
    pub source: String,
    /// Listings there without a hit.
    pub listings: u64,
    /// How many of them were drawn.
    pub drawn: u64,
}

/// What stands in a listing and was not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The mark or rule that should have found it; empty where there is none for it.
    pub reference: String,
    /// The words, as they stand in the listing.
    pub words: String,
}
