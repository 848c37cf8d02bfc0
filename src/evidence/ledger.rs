//! The ledger: the journal's Merkle tree, and what was signed about it.
//!
//! [`Ledger`] keeps the tree beside the journal, signs checkpoints, and proves that a record is in one. A checkpoint
//! that has left the house shows any later change of what it covers: records changed, added in between, or cut off.
//! [`stamp`](Ledger::stamp) has an authority say when a checkpoint was there. What a record means belongs to the store.

mod checkpoint;
mod der;
mod files;
mod merkle;
mod note;
mod stamp;
mod tree;

use std::{ops::RangeInclusive, path::Path};

use serde_json::json;

pub use checkpoint::{Checkpoint, Proof};
pub(super) use files::read_bounded;
pub use merkle::{Hash, Head, leaf_hash, verify_consistency, verify_inclusion};
use note::MAX_NOTE_BYTES;
pub use note::PublicKey;
pub(super) use note::SigningKey;
pub use stamp::Stamp;

use self::{files::Files, merkle::Nodes, tree::TreeFile};
use super::EvidenceError;
use crate::store::{Batch, SledStore, Store, Write};

/// Records whose hashes are taken into the tree at once.
const RECORDS: u64 = 65_536;
/// What the journal's note about a checkpoint is called.
const NOTE: &str = "checkpoint";

/// The ledger of one data folder, held by this process until it is dropped.
#[derive(Debug)]
pub struct Ledger {
    files: Files,
    key: SigningKey,
    tree: TreeFile,
}

/// A checkpoint and the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed text.
    pub note: String,
}

impl Ledger {
    /// Opens the ledger of the data folder `data`; on first use makes it, and its key.
    ///
    /// # Errors
    /// When another process holds it, its key cannot be read, or the disk says no.
    pub fn open(data: &Path) -> Result<Self, EvidenceError> {
        let files = Files::open(data)?;
        let key = files.key()?;
        let tree = TreeFile::open(&files.tree())?;
        Ok(Self { files, key, tree })
    }

    /// The public half of the key that signs.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public()
    }

    pub(super) fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When it cannot be read, or was not signed by this ledger's key.
    pub fn newest(&self) -> Result<Option<Signed>, EvidenceError> {
        self.files.sizes()?.last().map(|&size| self.signed(size)).transpose()
    }

    /// Signs a checkpoint over the whole journal, keeps it durably and notes it in the journal. The newest one is
    /// returned when nothing but its own note came after it.
    ///
    /// # Errors
    /// When the journal is not the one that earlier checkpoints were signed over, or something cannot be written.
    pub async fn checkpoint(&mut self, store: &SledStore) -> Result<Signed, EvidenceError> {
        let newest = store.counts().await?.seq;
        let last = self.newest()?;
        self.follow(store, newest, last.as_ref().map(|last| &last.checkpoint))?;
        if let Some(last) = last
            && (last.checkpoint.size == newest || only_noted(store, &last.checkpoint, newest).await?)
        {
            return Ok(last);
        }
        let root = merkle::root(&self.tree, newest)?;
        let checkpoint = Checkpoint { origin: self.key.public().name().to_owned(), size: newest, root };
        let note = self.key.sign(&checkpoint.text());
        self.files.put_checkpoint(newest, &note)?;
        let details = [("size", json!(newest)), ("note", json!(note))];
        let details = details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let writes = vec![Write::Note { what: NOTE.into(), details }];
        store.apply(Batch { actor: "ledger".into(), writes }).await?;
        Ok(Signed { checkpoint, note })
    }

    /// The first checkpoint that covers sequence `seq` and carries a stamp; without a stamp, the first that covers it.
    ///
    /// # Errors
    /// When checkpoints cannot be read.
    pub fn covering(&self, seq: u64) -> Result<Option<Signed>, EvidenceError> {
        let sizes: Vec<u64> = self.files.sizes()?.into_iter().filter(|&size| size >= seq).collect();
        let stamped = sizes.iter().find(|&&size| self.files.has_stamp(size));
        stamped.or(sizes.first()).map(|&size| self.signed(size)).transpose()
    }

    /// The proof that the record with sequence `seq` is in the tree of `signed`.
    ///
    /// # Errors
    /// When it is not covered, or the tree cannot be read.
    pub fn prove(&self, seq: u64, signed: &Signed) -> Result<Proof, EvidenceError> {
        let size = signed.checkpoint.size;
        match seq.checked_sub(1) {
            Some(index) if seq <= size && size <= self.tree.size() => {
                let path = merkle::inclusion(&self.tree, index, size)?;
                let leaf = self.tree.node(0, index)?;
                if !verify_inclusion(&leaf, index, size, &path, &signed.checkpoint.root) {
                    let tree = self.files.tree();
                    return Err(EvidenceError::Ledger(format!(
                        "{} is damaged: remove it, it is built again from the journal",
                        tree.display()
                    )));
                }
                Ok(Proof { index, path, checkpoint: signed.note.clone() })
            }
            _ => Err(EvidenceError::Ledger(format!("the checkpoint of {size} records does not cover sequence {seq}"))),
        }
    }

    /// The proof that the tree of `old` records is the beginning of the tree of `new` ones.
    ///
    /// # Errors
    /// When the sizes are not in order and within the tree, or it cannot be read.
    pub fn prove_growth(&self, old: u64, new: u64) -> Result<Vec<Hash>, EvidenceError> {
        if old == 0 || old > new || new > self.tree.size() {
            let size = self.tree.size();
            return Err(EvidenceError::Ledger(format!("from {old} to {new} is no growth of a tree of {size} records")));
        }
        merkle::consistency(&self.tree, old, new)
    }

    /// The stamp on a checkpoint, as the authority's answer in DER.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn stamp_of(&self, signed: &Signed) -> Result<Option<Vec<u8>>, EvidenceError> {
        self.files.stamp(signed.checkpoint.size)
    }

    /// Has the authority at `url` stamp the checkpoint (RFC 3161), unless it carries a stamp already.
    ///
    /// # Errors
    /// When the authority cannot be reached, refuses, or answers for something else.
    pub async fn stamp(&self, signed: &Signed, url: &str) -> Result<Stamp, EvidenceError> {
        if let Some(known) = self.stamp_of(signed)? {
            return Stamp::read(&known, signed.note.as_bytes());
        }
        let (answer, stamp) = stamp::ask(url, signed.note.as_bytes()).await?;
        self.files.put_stamp(signed.checkpoint.size, &answer)?;
        Ok(stamp)
    }

    fn signed(&self, size: u64) -> Result<Signed, EvidenceError> {
        let note = self.files.checkpoint(size)?;
        let checkpoint = Checkpoint::open(&note, self.key.public())?;
        if checkpoint.size == size {
            return Ok(Signed { checkpoint, note });
        }
        Err(EvidenceError::Ledger(format!("the checkpoint kept for {size} records is about {}", checkpoint.size)))
    }

    /// Brings the tree up to sequence `newest`, and holds it against what was signed last. A tree that does not fit is
    /// built again from the journal; a journal that does not fit is reported.
    fn follow(&mut self, store: &SledStore, newest: u64, last: Option<&Checkpoint>) -> Result<(), EvidenceError> {
        if let Some(last) = last.filter(|last| last.size > newest) {
            return Err(EvidenceError::Rewritten { size: last.size, what: format!("the journal ends at {newest}") });
        }
        if self.tree.size() <= newest && self.tree_continues(store)? {
            self.grow(store, newest)?;
            if self.fits(last)? {
                return Ok(());
            }
        }
        tracing::warn!("the ledger's tree does not fit the journal: it is built again");
        self.tree.clear()?;
        self.grow(store, newest)?;
        match last {
            Some(last) if !self.fits(Some(last))? => {
                Err(EvidenceError::Rewritten { size: last.size, what: "its records are not those of today".into() })
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, last: Option<&Checkpoint>) -> Result<bool, EvidenceError> {
        last.map_or(Ok(true), |last| Ok(merkle::root(&self.tree, last.size)? == last.root))
    }

    /// Whether the tree's last leaf is the journal's record of that sequence.
    fn tree_continues(&self, store: &SledStore) -> Result<bool, EvidenceError> {
        let size = self.tree.size();
        let Some(index) = size.checked_sub(1) else { return Ok(true) };
        let leaf = self.tree.node(0, index)?;
        Ok(hashes(store, size..=size)?.first().is_some_and(|hash| leaf_hash(hash) == leaf))
    }

    fn grow(&mut self, store: &SledStore, newest: u64) -> Result<(), EvidenceError> {
        while self.tree.size() < newest {
            let first = self.tree.size() + 1;
            let found = hashes(store, first..=newest.min(self.tree.size() + RECORDS))?;
            if found.is_empty() {
                return Err(EvidenceError::Ledger(format!("sequence {first} of the journal cannot be read")));
            }
            self.tree.append(&found)?;
        }
        Ok(())
    }
}

fn hashes(store: &SledStore, range: RangeInclusive<u64>) -> Result<Vec<Hash>, EvidenceError> {
    let mut hashes = Vec::new();
    store.records(range, &mut |record| {
        hashes.push(record.hash);
        Ok(())
    })?;
    Ok(hashes)
}

/// Whether the only thing after the checkpoint is the journal's note about it.
async fn only_noted(store: &SledStore, last: &Checkpoint, newest: u64) -> Result<bool, EvidenceError> {
    if newest != last.size + 1 {
        return Ok(false);
    }
    let changes = store.changes_since(last.size, 1).await?;
    let note = changes.first().and_then(|change| change.what.pointer("/applied/writes/0"));
    Ok(note.is_some_and(|note| note["what"] == NOTE && note["details"]["size"] == last.size))
}
