//! People who sign in, and what they may do.

use serde::{Deserialize, Serialize};

use super::AccountName;

/// Someone who may sign in to the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Sign-in name.
    pub name: AccountName,
    /// What they may do.
    pub role: Role,
}

/// What an account may do at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything, decides nothing.
    Auditor,
    /// Decides hits.
    Reviewer,
    /// Decides hits, runs crawls, manages accounts.
    Admin,
}

impl Role {
    /// Whether the role may decide hits.
    pub fn decides(self) -> bool {
        !matches!(self, Self::Auditor)
    }
}
