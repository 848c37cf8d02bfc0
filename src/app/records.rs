//! The desk's view of evidence: WARC records in a folder, verified on demand.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::{
    evidence::{EvidenceError, verify_capture},
    model::Capture,
    web::{EvidenceReader, Verification},
};

/// Records in the WARC files of a folder.
pub(super) struct Records {
    folder: PathBuf,
}

impl Records {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

#[async_trait]
impl EvidenceReader for Records {
    async fn verify(&self, capture: &Capture) -> Verification {
        let (folder, capture) = (self.folder.clone(), capture.clone());
        match tokio::task::spawn_blocking(move || verify_capture(&folder, &capture).map(drop)).await {
            Ok(Ok(())) => Verification::Intact,
            Ok(Err(error @ EvidenceError::Io { .. })) => Verification::Missing(error.to_string()),
            Ok(Err(error)) => Verification::Damaged(error.to_string()),
            Err(error) => Verification::Missing(error.to_string()),
        }
    }
}
