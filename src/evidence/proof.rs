//! Whether a capture's record still is what the journal says it was.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    EvidenceError,
    record::{MAX_BLOCK_BYTES, Record, hex, no_record},
};
use crate::model::Capture;

/// Longest gzip member that is read for one capture.
const MAX_MEMBER_BYTES: u64 = 256 * 1024 * 1024;

/// Reads the record of `capture` from `folder` and compares it with what was noted at its writing: the
/// member's SHA-256, the record's id, and the payload's digest.
///
/// # Errors
/// When the file cannot be read, or anything differs; the message says what.
pub fn verify_capture(folder: &Path, capture: &Capture) -> Result<Record, EvidenceError> {
    verify_member(&read_member(folder, capture)?, capture)
}

/// The bytes in `folder` where the record of `capture` was written, not yet checked.
pub(super) fn read_member(folder: &Path, capture: &Capture) -> Result<Vec<u8>, EvidenceError> {
    if Path::new(&capture.file).file_name().and_then(|name| name.to_str()) != Some(capture.file.as_str()) {
        return Err(no_record(format!("`{}` is no file name", capture.file)));
    }
    let path = folder.join(&capture.file);
    let mut file = File::open(&path).map_err(EvidenceError::io("opening", &path))?;
    file.seek(SeekFrom::Start(capture.offset)).map_err(EvidenceError::io("reading", &path))?;
    let mut member = Vec::new();
    let length = capture.length.min(MAX_MEMBER_BYTES);
    file.take(length).read_to_end(&mut member).map_err(EvidenceError::io("reading", &path))?;
    if member.len() as u64 != capture.length {
        return Err(no_record(format!("{} of {} bytes are there", member.len(), capture.length)));
    }
    Ok(member)
}

/// The same for a record whose bytes are at hand.
///
/// # Errors
/// When anything differs; the message says what.
pub fn verify_member(member: &[u8], capture: &Capture) -> Result<Record, EvidenceError> {
    if hex(&Sha256::digest(member)) != capture.record_sha256 {
        return Err(no_record("its bytes are not those that were written (SHA-256 differs)".into()));
    }
    let record = Record::read(member, MAX_BLOCK_BYTES)?;
    let id = record.header("WARC-Record-ID").unwrap_or("");
    if id.trim_matches(['<', '>']) != capture.id.as_str() {
        return Err(no_record(format!("its id is {id}, not {}", capture.id)));
    }
    let payload = record.payload().map(|body| hex(&Sha256::digest(body)));
    if payload.as_deref() != Some(capture.payload_sha256.as_str()) {
        return Err(no_record("its body is not the one that was fetched (payload digest differs)".into()));
    }
    Ok(record)
}
