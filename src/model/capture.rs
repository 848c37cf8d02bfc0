//! A capture: what was fetched, byte for byte, and where its record lies.

use serde::{Deserialize, Serialize};

use super::{CaptureId, Timestamp};

/// One fetched page and its WARC record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The WARC record's id.
    pub id: CaptureId,
    /// What was asked for.
    pub url: String,
    /// When the answer had arrived.
    pub fetched_at: Timestamp,
    /// The answer's HTTP status.
    pub status: u16,
    /// The WARC file's name in the evidence folder.
    pub file: String,
    /// Where the record's gzip member starts.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// SHA-256 (hex) of the gzip member, as stored.
    pub record_sha256: String,
    /// SHA-256 (hex) of the body as it came over the wire.
    pub payload_sha256: String,
}
