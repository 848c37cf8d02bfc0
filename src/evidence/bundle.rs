//! A bundle: all that proves one hit, in one file that is verified with nothing but a public key.
//!
//! [`make_bundle`] gathers and signs, [`verify_bundle`] checks; the same journal and checkpoint give the same bytes.
//! What a reader can and cannot conclude stands in the bundle's own `README.md`.

mod story;
mod tar;
mod verify;

use std::path::Path;

use memchr::memmem;
use sha2::{Digest, Sha256};

use self::{
    story::{Part, parts, tell},
    tar::Files,
};
use super::{
    EvidenceError,
    ledger::{Ledger, SigningKey, read_bounded},
    proof::read_member,
    record::hex,
    verify_member,
};
use crate::{
    model::{Capture, Hit, HitId},
    store::{Change, SledStore, Store},
};

pub use verify::{BundleReport, verify_bundle};

/// Largest bundle that is read.
pub const MAX_BUNDLE_BYTES: usize = 512 * 1024 * 1024;
/// What a manifest begins with.
const FORMAT: &str = "markwarden.bundle/1";
const README: &[u8] = include_bytes!("bundle/README.md");

/// Where a bundle's parts come from.
#[derive(Debug)]
pub struct Source<'a> {
    /// The journal, and bodies that outlived their WARC file.
    pub store: &'a SledStore,
    /// Proofs, checkpoints and the key.
    pub ledger: &'a mut Ledger,
    /// The folder of WARC files.
    pub captures: &'a Path,
}

/// The bundle of one hit. Signs a checkpoint when none covers it yet.
///
/// # Errors
/// When there is no such hit, its capture is gone or changed, or the journal is not what was signed.
pub async fn make_bundle(source: Source<'_>, id: HitId) -> Result<Vec<u8>, EvidenceError> {
    let Source { store, ledger, captures } = source;
    let hit = store.hit(id).await?.ok_or_else(|| EvidenceError::Bundle(format!("there is no hit {id}")))?;
    // Brings the tree up to the journal, and holds both against what was signed before.
    ledger.checkpoint(store).await?;
    let records = records(store, &hit)?;
    let changes: Vec<Change> = records.iter().map(|(change, _)| change.clone()).collect();
    let told = tell(&changes, id)?;
    if told.hit != hit {
        return Err(EvidenceError::Bundle(format!("hit {id} is not as the journal tells it: run `markwarden doctor`")));
    }
    let newest = changes.last().map_or(0, |change| change.seq);
    let signed = ledger.covering(newest)?.ok_or_else(|| EvidenceError::Bundle("no checkpoint covers it".into()))?;
    let mut files = Files::from([
        ("README.md".into(), README.to_vec()),
        ("hit.json".into(), serde_json::to_vec_pretty(&hit).map_err(|error| EvidenceError::Bundle(error.to_string()))?),
        ("checkpoint".into(), signed.note.clone().into_bytes()),
        ("key.pub".into(), format!("{}\n", ledger.public_key()).into_bytes()),
    ]);
    if let Some(stamp) = ledger.stamp_of(&signed)? {
        files.insert("checkpoint.tsr".into(), stamp);
    }
    if let Some(capture) = &told.capture {
        files.insert("capture.warc.gz".into(), member(store, captures, &hit, capture)?);
    }
    for (change, bytes) in records {
        files.insert(proof_name(change.seq), ledger.prove(change.seq, &signed)?.text().into_bytes());
        files.insert(record_name(change.seq), bytes);
    }
    let bundle = seal(files, id, ledger.signing_key())?;
    // Never hands out what would not verify.
    verify_bundle(&bundle, ledger.public_key())?;
    Ok(bundle)
}

/// Reads a bundle's file.
///
/// # Errors
/// When it cannot be read, or is larger than [`MAX_BUNDLE_BYTES`].
pub fn read_bundle(path: &Path) -> Result<Vec<u8>, EvidenceError> {
    let none = || EvidenceError::Bundle(format!("there is no file {}", path.display()));
    read_bounded(path, MAX_BUNDLE_BYTES)?.ok_or_else(none)
}

/// Signs the manifest over `files` and puts all into one file.
fn seal(mut files: Files, id: HitId, key: &SigningKey) -> Result<Vec<u8>, EvidenceError> {
    let manifest = key.sign(&manifest(&files, &id.to_string()));
    files.insert("MANIFEST".into(), manifest.into_bytes());
    tar::write(&files)
}

/// The text that is signed over `files`: lines as `sha256sum` checks them.
fn manifest(files: &Files, id: &str) -> String {
    let lines = files.iter().map(|(name, bytes)| format!("{}  {name}\n", hex(&Sha256::digest(bytes))));
    format!("{FORMAT}\nhit {id}\n{}", lines.collect::<String>())
}

fn record_name(seq: u64) -> String {
    format!("records/{seq:020}")
}

fn proof_name(seq: u64) -> String {
    format!("proofs/{seq:020}.tlog-proof")
}

/// The journal's records about the hit, in order.
fn records(store: &SledStore, hit: &Hit) -> Result<Vec<(Change, Vec<u8>)>, EvidenceError> {
    let capture = hit.what.capture.as_ref();
    // Most records are told apart without reading their JSON.
    let decided = format!("\"hit\":{}", hit.id);
    let needles = [Some(hit.what.dedupe.as_str()), Some(decided.as_str()), capture.map(|capture| capture.as_str())];
    let finders: Vec<_> = needles.into_iter().flatten().map(|needle| memmem::Finder::new(needle.as_bytes())).collect();
    let mut maybe = Vec::new();
    store.records(1..=u64::MAX, &mut |record| {
        if finders.iter().any(|finder| finder.find(record.bytes).is_some()) {
            maybe.push((record.change()?, record.bytes.to_vec()));
        }
        Ok(())
    })?;
    let mut records = Vec::new();
    for (change, bytes) in maybe {
        let about = parts(&change, hit.id)?.iter().any(|part| match part {
            Part::Queued(_) | Part::Decided(_) => true,
            Part::Captured(found) => Some(&found.id) == capture,
        });
        if about {
            records.push((change, bytes));
        }
    }
    Ok(records)
}

/// The capture's WARC record; from the content store when its file is gone.
fn member(store: &SledStore, folder: &Path, hit: &Hit, capture: &Capture) -> Result<Vec<u8>, EvidenceError> {
    let member = match (read_member(folder, capture), &hit.what.evidence) {
        (Ok(member), _) => member,
        (Err(error), Some(kept)) => store.content().get(kept)?.ok_or(error)?,
        (Err(error), None) => return Err(error),
    };
    verify_member(&member, capture)?;
    Ok(member)
}
