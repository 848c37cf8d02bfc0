//! What can be wrong with an archive.

use crate::store::StoreError;

/// Why an archive cannot be used. Nothing is lost with it: it is built anew from the store.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is none.
    #[error("there is no archive of the listings yet")]
    Missing,
    /// It was made by a program that folds texts or packs listings otherwise, or from another store.
    #[error("the archive of the listings is not of this program and this store: {0}")]
    Foreign(String),
    /// Bytes that do not fit together.
    #[error("the archive of the listings is damaged: {file}: {what}")]
    Damaged {
        /// Where.
        file: String,
        /// What does not fit.
        what: String,
    },
    /// Somebody stopped it.
    #[error("stopped while the archive of the listings was made; the next time begins anew")]
    Stopped,
    /// The disk says no.
    #[error("{file}: {source}")]
    Io {
        /// Which file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ArchiveError {
    /// Whether building it anew mends it.
    pub fn is_mended_by_building(&self) -> bool {
        matches!(self, Self::Missing | Self::Foreign(_) | Self::Damaged { .. })
    }
}
