//! Decisions as a pure state machine: which verdict may carry which reason, who may take it back,
//! and what a hit's place in the queue is made of.
//!
//! The main type is [`Verdict`](crate::model::Verdict) with its reasons; [`decide`] and [`undo`] turn a
//! reviewer's key into a [`Decision`](crate::model::Decision). Leases and durability belong to the store,
//! pages to the desk.

mod decision;
mod priority;

use serde::{Deserialize, Serialize};

pub use decision::{Ask, MAX_LOOKED_MS, MAX_NOTE_CHARS, ReviewError, decide, reason, undo};
pub use priority::{Part, parts};

/// How review runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a hit stays lent to a reviewer who does nothing, in minutes.
    pub lease_minutes: u32,
    /// How many hits are lent ahead, so that the next one is there at once; 1 to 50.
    pub prefetch: usize,
    /// How long a skipped hit stays away from who skipped it, in hours.
    pub skip_hours: u32,
    /// How long the desk offers to undo after a decision, in seconds; `z` works afterwards too.
    pub undo_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lease_minutes: 10, prefetch: 20, skip_hours: 8, undo_seconds: 10 }
    }
}
