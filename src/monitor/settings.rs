//! What the monitor holds rules to.

use serde::{Deserialize, Serialize};

use crate::rules::Floor;

/// Settings of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A rule that names no floor goes back to shadow when even the upper bound of the share of its hits that reviewers confirm
    /// is below this: 0 to 1, 0 never.
    pub min_precision: f64,
    /// Decisions on a rule's hits before that counts.
    pub min_decisions: u64,
    /// Free room on the data folder's disk below which an alarm stands, in MiB.
    pub least_free_mib: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_precision: 0.2, min_decisions: 50, least_free_mib: 2048 }
    }
}

impl Settings {
    /// The floor of rules that name none.
    pub fn floor(self) -> Floor {
        Floor { min_precision: self.min_precision, min_decisions: self.min_decisions }
    }
}
