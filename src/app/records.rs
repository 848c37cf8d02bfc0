//! The desk's view of evidence: WARC records in a folder, and the journal with its checkpoints, verified on demand.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use crate::{
    evidence::{EvidenceError, Ledger, verify_capture},
    model::Capture,
    store::{SledStore, StoredListing},
    web::{EvidenceReader, JournalReader, JournalVerdict, ListingReader, Verification},
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

/// The journal of a store on this machine.
pub(super) struct Journal {
    store: Arc<SledStore>,
    ledger: PathBuf,
}

impl Journal {
    pub(super) fn new(store: Arc<SledStore>) -> Self {
        let ledger = store.root().to_owned();
        Self { store, ledger }
    }
}

impl JournalReader for Journal {
    fn verify(&self) -> Result<JournalVerdict, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        // A ledger is made on first use; reading the log must not make one.
        let ledger = self.ledger.join("ledger").is_dir();
        let ledger = ledger.then(|| Ledger::open(&self.ledger)).transpose().map_err(|error| told(&error))?;
        let signed = ledger.as_ref().map(Ledger::newest).transpose().map_err(|error| told(&error))?.flatten();
        let size = signed.as_ref().map_or(0, |signed| signed.checkpoint.size);
        let (mut records, mut head, mut covered) = (0, [0; 32], None);
        let read = self.store.records(1..=u64::MAX, &mut |record| {
            records += 1;
            head = record.hash;
            if record.seq == size {
                covered = Some(record.hash);
            }
            Ok(())
        });
        read.map_err(|error| told(&error))?;
        if let (Some(ledger), Some(signed)) = (&ledger, &signed) {
            let newest =
                covered.ok_or_else(|| format!("the checkpoint of {size} records covers more than there are"))?;
            let proof = ledger.prove(size, signed).map_err(|error| told(&error))?;
            proof.verify(&newest, ledger.public_key()).map_err(|error| told(&error))?;
        }
        let head = head.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(JournalVerdict { records, head, checkpoint: signed.map(|signed| signed.checkpoint.size) })
    }
}

impl ListingReader for Journal {
    fn each(&self, show: &mut dyn FnMut(&StoredListing) -> bool) -> Result<(), String> {
        let mut going = true;
        let shown = self.store.each_listing(&mut |stored| going = going && show(&stored));
        shown.map_err(|error| error.to_string())
    }
}
