//! The whole store as lines of JSON, out and in: for other tools, for another machine, for a proof by eye.
//!
//! [`export`] writes a header, each entry of the journal with its hash, each body that the journal cites or holds, and a
//! footer; [`import`] makes of them a store whose journal has the same hashes. The index is derivable and left out;
//! WARC files are files already and left out too.

mod export;
mod import;

use serde::{Deserialize, Serialize};

pub use export::export;
pub use import::import;

use super::port::Counts;

/// The newest export this program reads, and the one it writes.
const FORMAT: u32 = 1;
/// What the header's first field says.
const KIND: &str = "markwarden-export";
/// What stands between the fields of an entry's line and the entry itself, whose bytes are the journal's own.
const ENTRY: &[u8] = b",\"entry\":";

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferReport {
    /// Entries of the journal.
    pub seq: u64,
    /// The hash of the newest.
    pub hash: String,
    /// Bodies.
    pub bodies: u64,
    /// Bodies that the journal cites or holds and the store does not have.
    pub missing: Vec<String>,
    /// What the journal amounts to.
    pub counts: Counts,
    /// SHA-256 of everything before the footer.
    pub sha256: String,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    kind: String,
    format: u32,
    seq: u64,
    hash: String,
    bodies: u64,
    missing: Vec<String>,
    counts: Counts,
}

/// The fields of an entry's line before the entry. `synced` is the newest sequence that was durable when it was
/// written: a part of the record, and so of its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    seq: u64,
    synced: u64,
    hash: String,
}

/// A body's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyLine {
    body: String,
    base64: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    end: u64,
    hash: String,
    sha256: String,
}
