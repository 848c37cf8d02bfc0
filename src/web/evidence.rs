//! What the desk asks of the evidence: is the record of a capture still what was fetched?

use async_trait::async_trait;

use crate::model::Capture;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// The record is there, and its hashes fit.
    Intact,
    /// The record is there, and something does not fit.
    Damaged(String),
    /// The record cannot be read.
    Missing(String),
}

/// Reads evidence records.
#[async_trait]
pub trait EvidenceReader: Send + Sync {
    /// Reads the record of `capture` and compares its hashes.
    async fn verify(&self, capture: &Capture) -> Verification;
}
