//! What was fetched, kept so that it can be proven: WARC/1.1 files, written durably and verified byte by byte.
//!
//! [`WarcWriter`] appends, [`verify_warc`] checks, [`Record::read`] opens one stored record. Where a
//! capture is used, and the journal's own chain, belong to other rooms.

mod proof;
mod record;
mod verify;
mod writer;

pub use proof::{verify_capture, verify_member};
pub use record::{Http, Record};
pub use verify::{Problem, WarcReport, verify_warc};
pub use writer::{Options, WarcWriter, Written};

/// Why evidence was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The disk said no.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process writes there.
    #[error("{path} is written by another process: stop it first, or choose another data folder")]
    InUse {
        /// The folder.
        path: String,
    },
    /// The writer ended after an error it could not mend.
    #[error("the WARC writer has stopped; free space or mend the disk, then start again")]
    Stopped,
    /// Bytes that are no WARC record.
    #[error("this is no whole WARC record: {0}")]
    NoRecord(String),
    /// The bytes end in the middle of a record.
    #[error("the record ends too early: {0}")]
    Torn(String),
    /// The system has no randomness for record ids.
    #[error("cannot make a record id: {0}")]
    Random(String),
}

impl EvidenceError {
    fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { doing, path, source }
    }

    /// What reading inside a member failed with.
    fn inside(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Torn(error.to_string()),
            _ => Self::NoRecord(error.to_string()),
        }
    }
}
