//! A backup in a vault that segments of the journal may leave for.

use std::path::Path;

use super::{BackupId, Vault, download::Broken};
use crate::store::{
    backup::{Manifest, ManifestFile},
    port::StoreError,
    trim::Kept,
};

/// One backup in a vault.
pub struct KeptInVault {
    vault: Vault,
    name: String,
    manifest: Manifest,
}

impl KeptInVault {
    /// The backup with this id, the newest when none is named.
    ///
    /// # Errors
    /// When there is no such backup, its manifest is damaged or newer, or the place cannot be reached.
    pub fn open(vault: Vault, at: Option<BackupId>) -> Result<Self, StoreError> {
        let (id, manifest, _) = vault.read_manifest(at)?;
        Ok(Self { name: format!("backup {id} in {}", vault.name), vault, manifest })
    }
}

impl Kept for KeptInVault {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn has(&self, file: &ManifestFile) -> Result<bool, StoreError> {
        let wanted = self.vault.wanted(file);
        match self.vault.runtime.block_on(wanted.receive(|_| Ok(()))) {
            Ok(()) => Ok(true),
            Err(Broken::Flaw(_)) => Ok(false),
            Err(broken) => Err(wanted.told("reading", broken)),
        }
    }

    fn fetch(&self, file: &ManifestFile, target: &Path) -> Result<(), StoreError> {
        let fetched = self.vault.runtime.block_on(self.vault.wanted(file).write_to(target));
        if fetched.is_err() {
            // Half of it is of no use; the error that matters is the first.
            drop(std::fs::remove_file(target));
        }
        fetched
    }
}
