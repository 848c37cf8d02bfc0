//! Decisions as a pure state machine: which verdict may carry which reason, who may take it back,
//! and what a hit's place in the queue is made of.
//!
//! The main type is [`Verdict`](crate::model::Verdict) with its reasons; [`decide`] and [`undo`] turn a
//! reviewer's key into a [`Decision`](crate::model::Decision). Leases and durability belong to the store,
//! pages to the desk.

mod agreement;
mod board;
mod decision;
mod recall;
mod search;
mod similar;
mod weight;

use serde::{Deserialize, Serialize};

use crate::model::{Handling, Hit, Severity};

pub use agreement::{Share, kappa};
pub use board::{
    Ask as BoardAsk, Board, Entry, Found, MAX_GROUP, Note, Opinion, Sample, Sampled, Saved, SellerView, Settlement,
    Strategy, Subject,
};
pub use decision::{Ask, MAX_LOOKED_MS, MAX_NOTE_CHARS, ReviewError, decide, overrule, reason, undo};
pub use recall::{Draw, Drawn, Looked, MAX_SAMPLE, MIN_SAMPLE, Recall};
pub use search::{Field, MAX_TERMS, Search, Term};
pub use similar::{Likeness, listing_key, seller_key};
pub use weight::{Deadlines, Due, Queued, Record, Weight, waited};

/// How review runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a hit stays lent to a reviewer who does nothing, in minutes.
    pub lease_minutes: u32,
    /// How many hits are lent ahead, so that the next one is there at once; 1 to 50.
    pub prefetch: usize,
    /// How long a skipped hit stays away from who skipped it, in hours; 0 for good.
    pub skip_hours: u32,
    /// How long the desk offers to undo after a decision, in seconds; `z` works afterwards too.
    pub undo_seconds: u32,
    /// From which severity on a confirmed hit needs a second person.
    pub second_approval: SecondApproval,
    /// Of how many decisions one is shown to a second reviewer who does not know it; 0 for none.
    pub second_look_one_in: u32,
    /// After how many hits one comes whose answer is known; 0 for never.
    pub gold_one_in: u32,
    /// Within how many hours hits are to be decided.
    pub deadline_hours: Deadlines,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_minutes: 10,
            prefetch: 20,
            skip_hours: 0,
            undo_seconds: 10,
            second_approval: SecondApproval::Never,
            second_look_one_in: 20,
            gold_one_in: 30,
            deadline_hours: Deadlines::default(),
        }
    }
}

impl Settings {
    /// Whether a second person must agree before a confirmed `hit` counts.
    pub fn needs_second(&self, hit: &Hit) -> bool {
        self.wants_second(hit.what.severity, Handling::of(&hit.what.findings).second_approval)
    }

    /// The same of a hit of `severity`, one of whose rules may want it by itself.
    pub fn wants_second(&self, severity: Severity, by_rule: bool) -> bool {
        by_rule || self.second_approval.asks_for(severity)
    }
}

/// From which severity on a confirmed hit needs a second person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondApproval {
    /// One person is enough.
    #[default]
    Never,
    /// From low on: always.
    Low,
    /// From medium on.
    Medium,
    /// From high on.
    High,
    /// For critical ones.
    Critical,
}

impl SecondApproval {
    /// Whether a confirmed hit of `severity` needs a second person.
    pub fn asks_for(self, severity: Severity) -> bool {
        match self {
            Self::Never => false,
            Self::Low => true,
            Self::Medium => severity >= Severity::Medium,
            Self::High => severity >= Severity::High,
            Self::Critical => severity >= Severity::Critical,
        }
    }
}
