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

/// What a journal that holds says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalVerdict {
    /// Records that were read and fit their chain.
    pub records: u64,
    /// The hash of the newest (hex).
    pub head: String,
    /// How many records the newest signed checkpoint covers, where there is one; it holds.
    pub checkpoint: Option<u64>,
}

/// Reads the journal as it lies on the disk.
pub trait JournalReader: Send + Sync {
    /// Reads every record and holds it against the chain and the newest checkpoint.
    ///
    /// # Errors
    /// What does not fit, or why it cannot be read.
    fn verify(&self) -> Result<JournalVerdict, String>;
}
