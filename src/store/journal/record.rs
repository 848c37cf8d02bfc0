//! One record: a header of 64 bytes, then the payload.
//!
//! Little-endian: magic 4, payload length 4, payload crc32c 4, header crc32c 4, sequence 8, synced 8, previous hash 32.
//! `synced` is the newest sequence that was durable when the record was written: a record behind a broken one
//! proves with it whether the broken one had been acknowledged. The header has its own checksum so that a
//! broken length cannot make an acknowledged record look torn.

use sha2::{Digest, Sha256};

/// SHA-256 of a record, header and payload.
pub(in crate::store) type Hash = [u8; 32];

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 64;
/// Largest payload written or read.
pub(in crate::store) const MAX_PAYLOAD_BYTES: usize = 16 * 1024 * 1024;
/// What every record begins with; its first byte is not zero, so an unwritten record never looks begun.
pub(super) const MAGIC: [u8; 4] = *b"MWr1";
/// The smallest piece a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// Where a journal ends: the newest sequence and its record's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Head {
    /// 0 before the first record.
    pub seq: u64,
    /// Zeros before the first record.
    pub hash: Hash,
}

impl Head {
    /// Before the first record.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };
}

/// Lower-case hexadecimal.
pub(in crate::store) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Appends the record after `head` to `out` and returns the new head.
pub(super) fn encode(out: &mut Vec<u8>, head: &Head, synced: u64, payload: &[u8]) -> Head {
    let seq = head.seq + 1;
    let begin = out.len();
    // The caller has checked the payload against MAX_PAYLOAD_BYTES, which fits.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut header = [0; HEADER_BYTES];
    put(&mut header, 0, &MAGIC);
    put(&mut header, 4, &length.to_le_bytes());
    put(&mut header, 8, &crc32c::crc32c(payload).to_le_bytes());
    put(&mut header, 16, &seq.to_le_bytes());
    put(&mut header, 24, &synced.to_le_bytes());
    put(&mut header, 32, &head.hash);
    let crc = crc_without(&header, 12);
    put(&mut header, 12, &crc.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
    Head { seq, hash: hash(out.get(begin..).unwrap_or_default()) }
}

/// A record's header whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub length: usize,
    pub payload_crc: u32,
    pub seq: u64,
    pub synced: u64,
    pub previous: Hash,
}

impl Header {
    /// The header at `at`, if one stands there unharmed.
    pub fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.get(at..)?.first_chunk()?;
        if !header.starts_with(&MAGIC) || number32(header, 12)? != crc_without(header, 12) {
            return None;
        }
        Some(Self {
            length: usize::try_from(number32(header, 4)?).ok()?,
            payload_crc: number32(header, 8)?,
            seq: number64(header, 16)?,
            synced: number64(header, 24)?,
            previous: *header.get(32..)?.first_chunk()?,
        })
    }
}

/// What stands at a place in a segment.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// The next record, unharmed.
    Record { payload: &'a [u8], head: Head, synced: u64, end: usize },
    /// Zeros where a header would be: nothing was written.
    Nothing,
    /// Something that is no record; `torn` when an unfinished write explains it.
    Broken { what: &'static str, torn: bool },
}

/// Reads the record at `at`, which must follow `previous`.
pub(super) fn find<'a>(bytes: &'a [u8], at: usize, previous: &Head) -> Found<'a> {
    let Some(place) = bytes.get(at..at.saturating_add(HEADER_BYTES)) else { return Found::Nothing };
    if place.iter().all(|&byte| byte == 0) {
        return Found::Nothing;
    }
    let Some(header) = Header::at(bytes, at) else {
        return Found::Broken {
            what: "its header does not match its checksum",
            torn: unwritten(bytes, at, HEADER_BYTES),
        };
    };
    if header.seq != previous.seq + 1 || header.previous != previous.hash {
        return Found::Broken { what: "it does not follow the record before it", torn: false };
    }
    let begin = at + HEADER_BYTES;
    if header.length == 0 || header.length > MAX_PAYLOAD_BYTES {
        return Found::Broken { what: "its length is out of bounds", torn: false };
    }
    let end = begin + header.length;
    let Some(payload) = bytes.get(begin..end) else {
        return Found::Broken { what: "it reaches over the end of its segment", torn: false };
    };
    if crc32c::crc32c(payload) != header.payload_crc {
        let torn = unwritten(bytes, begin, header.length);
        return Found::Broken { what: "its payload does not match its checksum", torn };
    }
    let head = Head { seq: header.seq, hash: hash(bytes.get(at..end).unwrap_or_default()) };
    Found::Record { payload, head, synced: header.synced, end }
}

/// The record that `bytes` are, whole and nothing else, whatever it follows: its head and payload.
pub(in crate::store) fn alone(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let header = Header::at(bytes, 0)?;
    match find(bytes, 0, &Head { seq: header.seq.checked_sub(1)?, hash: header.previous }) {
        Found::Record { payload, head, end, .. } if end == bytes.len() => Some((head, payload)),
        _ => None,
    }
}

/// Whether a whole sector's share of `begin..begin + length` still holds only the zeros from before. Neither
/// magic, hash nor payload (JSON) can be zeros when written.
fn unwritten(bytes: &[u8], begin: usize, length: usize) -> bool {
    let end = begin.saturating_add(length).min(bytes.len());
    let mut at = begin;
    while at < end {
        let next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if bytes.get(at..next.min(end)).is_some_and(|part| part.iter().all(|&byte| byte == 0)) {
            return true;
        }
        at = next;
    }
    false
}

fn hash(record: &[u8]) -> Hash {
    Sha256::digest(record).into()
}

/// The crc32c over `bytes` without the four of the checksum itself, which stand at `at`.
pub(in crate::store) fn crc_without(bytes: &[u8], at: usize) -> u32 {
    let (before, after) = (bytes.get(..at).unwrap_or_default(), bytes.get(at + 4..).unwrap_or_default());
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}

pub(in crate::store) fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = into.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

pub(in crate::store) fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

pub(in crate::store) fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
