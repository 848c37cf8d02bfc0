//! The manifest: what a backup holds, by name, size and hash.
//!
//! It comes from outside. What it says is checked here as far as it can be without the files, and believed only where
//! hashes prove it.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::{BackupReport, Copied, PARTS};
use crate::store::{
    journal::hex,
    port::{Counts, StoreError, is_sha256},
};

/// The newest manifest this program reads, and the one it writes.
const FORMAT: u32 = 2;
/// A manifest names each body; larger ones are not read.
pub(in crate::store) const MAX_MANIFEST_BYTES: u64 = 512 * 1024 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The newest sequence in its journal.
    pub seq: u64,
    /// The hash of that record.
    pub hash: String,
    /// What the journal amounts to.
    pub counts: Counts,
    /// Its files, each name once.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Below the data folder, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes.
    pub sha256: String,
}

/// The part of a manifest that every format has.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

impl Manifest {
    /// The manifest of a backup with this journal and these files.
    pub(in crate::store) fn new(journal: &Copied, files: Vec<ManifestFile>) -> Self {
        let (seq, hash) = (journal.head.seq, hex(&journal.head.hash));
        Self { format: FORMAT, seq, hash, counts: journal.counts, files }
    }

    /// Reads the manifest that `place` holds.
    pub(in crate::store) fn parse(place: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: place.to_owned(), what };
        let no_manifest = |error: serde_json::Error| damaged(format!("it is no manifest: {error}"));
        let Versioned { format } = serde_json::from_slice(bytes).map_err(no_manifest)?;
        if format > u64::from(FORMAT) {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(StoreError::Newer { path: place.to_owned(), found, supported: FORMAT });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(no_manifest)?;
        if let Some(file) = manifest.files.iter().find(|file| !is_allowed(&file.path)) {
            return Err(damaged(format!("`{:.200}` is no file of a backup", file.path)));
        }
        if let Some(file) = manifest.files.iter().find(|file| !is_sha256(&file.sha256)) {
            return Err(damaged(format!("`{:.80}` of {:.200} is no SHA-256", file.sha256, file.path)));
        }
        if manifest.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.bytes)).is_none() {
            return Err(damaged("its files have more bytes than can be counted".to_owned()));
        }
        Ok(manifest)
    }

    /// As it is written down.
    pub(in crate::store) fn to_json(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec_pretty(self).map_err(|error| StoreError::Refused(error.to_string()))
    }

    /// The bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The report on this backup, whose manifest has the hash `manifest_sha256`.
    pub(in crate::store) fn report(&self, manifest_sha256: String) -> BackupReport {
        BackupReport {
            files: self.files.len() as u64,
            bytes: self.bytes(),
            seq: self.seq,
            hash: self.hash.clone(),
            counts: self.counts,
            manifest_sha256,
        }
    }
}

/// Plain names below the parts a backup has; nothing that leads out of the folder.
fn is_allowed(path: &str) -> bool {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let below = |part: &str| path.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    plain && !path.contains('\\') && ["journal", "snapshot"].into_iter().chain(PARTS).any(below)
}
