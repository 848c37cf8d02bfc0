//! A record of the journal as others see it: the bytes its hash is over, for proofs that leave the store.
//!
//! [`JournalRecord`] is lent by [`SledStore::records`](super::SledStore::records) or read from bytes that were kept
//! elsewhere. Where records lie and how they are chained belongs to the journal.

use super::{
    event,
    journal::alone,
    port::{Change, StoreError},
};

/// One record, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalRecord<'a> {
    /// Its sequence.
    pub seq: u64,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Header and payload, as the journal holds them.
    pub bytes: &'a [u8],
}

impl<'a> JournalRecord<'a> {
    /// Reads `bytes` that hold one record and nothing else.
    ///
    /// # Errors
    /// When they are no whole record.
    pub fn read(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged { path: "record".into(), what: "this is no whole journal record".into() };
        let (head, _) = alone(bytes).ok_or_else(damaged)?;
        Ok(Self { seq: head.seq, hash: head.hash, bytes })
    }

    /// What it says.
    ///
    /// # Errors
    /// When a newer program wrote it, or it cannot be read.
    pub fn change(&self) -> Result<Change, StoreError> {
        event::change(self.seq, alone(self.bytes).map(|(_, payload)| payload).unwrap_or_default())
    }
}
