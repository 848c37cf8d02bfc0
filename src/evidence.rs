//! What was fetched, kept so that it can be proven: WARC/1.1 files, written durably and verified byte by byte.
//!
//! [`WarcWriter`] appends, [`verify_warc`] checks, [`Record::read`] opens one stored record. [`Ledger`] signs what the
//! journal says. Where a capture is used, and the journal's own chain, belong to other rooms.

mod bundle;
mod ledger;
mod proof;
mod record;
mod retention;
mod settings;
mod verify;
mod writer;

pub use bundle::{BundleReport, MAX_BUNDLE_BYTES, Source, make_bundle, read_bundle, verify_bundle};
pub use ledger::{
    Checkpoint, Hash, Head, Ledger, Proof, PublicKey, Signed, Stamp, leaf_hash, verify_consistency, verify_inclusion,
};
pub use proof::{verify_capture, verify_member};
pub use record::{Http, Record};
pub use retention::{Retired, is_retired, old_live_files, retire};
pub use settings::Settings;
pub use verify::{Problem, WarcReport, verify_warc};
pub use writer::{CRAWLED, LIVE, Options, WarcWriter, Written};

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
    /// The system has no randomness for record ids, keys and requests.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A key that cannot be used.
    #[error("this is no key of a ledger: {0}")]
    Key(String),
    /// A signed text that proves nothing.
    #[error("this proves nothing: {0}")]
    Note(String),
    /// A bundle that cannot be made, or does not hold.
    #[error("the bundle: {0}")]
    Bundle(String),
    /// The ledger cannot do what was asked.
    #[error("the ledger cannot do this: {0}")]
    Ledger(String),
    /// The journal is not the one that was signed.
    #[error(
        "the journal does not hold what the checkpoint of {size} records says: {what}. Nothing was signed; bring the \
         journal back from a backup, or keep both as they are for whoever examines it"
    )]
    Rewritten {
        /// The checkpoint's size.
        size: u64,
        /// What differs.
        what: String,
    },
    /// No stamp from the authority.
    #[error(
        "no time stamp: {0}. The checkpoint stands without it; ask again later, or change [evidence] timestamp_url"
    )]
    Stamp(String),
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
