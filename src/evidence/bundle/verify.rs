//! Checking a bundle: every byte of it is signed for, and what it says is proven, not only signed.

use serde::Serialize;

use super::{manifest, proof_name, record_name, story::tell, tar};
use crate::{
    evidence::{
        EvidenceError,
        ledger::{Checkpoint, Proof, PublicKey, Stamp},
        verify_member,
    },
    model::{Hit, HitId},
    store::{Change, JournalRecord},
};

/// An empty line and the signature.
const SIGNATURE_LINES: usize = 2;

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleReport {
    /// The hit it is about.
    pub hit: HitId,
    /// Journal records proven to be in the checkpoint.
    pub records: usize,
    /// Records the checkpoint covers.
    pub checkpoint: u64,
    /// Whether the page as fetched is in it, and is what was noted then.
    pub capture: bool,
    /// When an authority saw the checkpoint, in its words; its own signature is for `openssl ts -verify`.
    pub stamped_at: Option<String>,
}

/// Checks a bundle with nothing but `key`.
///
/// # Errors
/// When anything in it was changed or is not proven; the message says what.
pub fn verify_bundle(bundle: &[u8], key: &PublicKey) -> Result<BundleReport, EvidenceError> {
    let files = Parts { files: tar::read(bundle)?, key };
    files.check_manifest()?;
    let note = files.text("checkpoint")?;
    let checkpoint = Checkpoint::open(note, key)?;
    let changes = files.changes(&checkpoint)?;
    let hit: Hit = serde_json::from_slice(files.file("hit.json")?)
        .map_err(|error| EvidenceError::Bundle(format!("hit.json cannot be read: {error}")))?;
    let story = tell(&changes, hit.id)?;
    if story.hit != hit {
        return Err(EvidenceError::Bundle("hit.json is not what the journal's records tell".into()));
    }
    let member = files.files.get("capture.warc.gz");
    match (member, &story.capture) {
        (Some(member), Some(capture)) => drop(verify_member(member, capture)?),
        (None, None) => {}
        _ => return Err(EvidenceError::Bundle("the capture is missing, or none is cited".into())),
    }
    let stamp = files.files.get("checkpoint.tsr").map(|stamp| Stamp::read(stamp, note.as_bytes())).transpose()?;
    Ok(BundleReport {
        hit: hit.id,
        records: changes.len(),
        checkpoint: checkpoint.size,
        capture: member.is_some(),
        stamped_at: stamp.map(|stamp| stamp.at),
    })
}

/// A bundle's files and the key they are held against.
struct Parts<'k> {
    files: tar::Files,
    key: &'k PublicKey,
}

impl Parts<'_> {
    fn file(&self, name: &str) -> Result<&[u8], EvidenceError> {
        let missing = || EvidenceError::Bundle(format!("{name} is missing"));
        self.files.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    fn text(&self, name: &str) -> Result<&str, EvidenceError> {
        std::str::from_utf8(self.file(name)?).map_err(|_| EvidenceError::Bundle(format!("{name} is no text")))
    }

    /// The manifest is signed, once, and about exactly these files; the key inside is the one that was given.
    fn check_manifest(&self) -> Result<(), EvidenceError> {
        let note = self.text("MANIFEST")?;
        let signed = self.key.open(note)?;
        // Nothing else vouches for the manifest itself: a line of someone else's behind it would go unseen.
        if note.get(signed.len()..).is_none_or(|signatures| signatures.lines().count() != SIGNATURE_LINES) {
            return Err(EvidenceError::Bundle("more than one signature stands behind its manifest".into()));
        }
        let id = signed.lines().nth(1).and_then(|line| line.strip_prefix("hit ")).unwrap_or_default();
        let mut others = self.files.clone();
        others.remove("MANIFEST");
        if signed != manifest(&others, id) {
            return Err(EvidenceError::Bundle("its files are not those of the signed manifest".into()));
        }
        if self.text("key.pub")?.parse::<PublicKey>()? != *self.key {
            return Err(EvidenceError::Bundle("key.pub is another key".into()));
        }
        Ok(())
    }

    /// The records, each proven to be in the tree of `checkpoint`, in the journal's order.
    fn changes(&self, checkpoint: &Checkpoint) -> Result<Vec<Change>, EvidenceError> {
        let records = self.files.iter().filter(|(name, _)| name.starts_with("records/"));
        let change = |(name, bytes): (&String, &Vec<u8>)| {
            let record = JournalRecord::read(bytes)?;
            let proof = Proof::read(self.text(&proof_name(record.seq))?)?;
            let proven = proof.verify(&record.hash, self.key)?;
            if *name != record_name(record.seq)
                || proof.index.checked_add(1) != Some(record.seq)
                || proven != *checkpoint
            {
                return Err(EvidenceError::Bundle(format!("{name} is not what its proof is about")));
            }
            Ok(record.change()?)
        };
        records.map(change).collect()
    }
}
