//! The sealed form of a segment: its header and records without the zeros behind them, compressed, and a footer.
//!
//! The file is two zstd frames, so `zstdcat` shows the segment: the bytes, and a skippable frame whose 160 bytes are the
//! footer. Little-endian: magic 8, format 4, footer crc32c 4, segment number 8, first sequence 8, last sequence 8, length
//! 8, packed length 8, packed crc32c 4, zeros 4, hash of the record before the first 32, hash of the last 32, SHA-256 of
//! the uncompressed bytes 32. When a segment is sealed belongs to [`super::sealer`].

use std::path::Path;

use sha2::{Digest, Sha256};

use super::{
    record::{Hash, Head, crc_without, number32, number64, put},
    segment::MAX_SEGMENT_BYTES,
};
use crate::store::disk::{File, How};

/// The footer and the skippable frame's own header.
const TRAILER_BYTES: usize = FRAME_BYTES + FOOTER_BYTES;
const FRAME_BYTES: usize = 8;
const FOOTER_BYTES: usize = 160;
/// The first of the magic numbers that zstd skips.
const SKIPPABLE: u32 = 0x184D_2A50;
/// Bytes read at once where a whole file is read.
const CHUNK_BYTES: usize = 1024 * 1024;
const MAGIC: [u8; 8] = *b"MWSEALED";
/// The newest sealed format this program reads, and the one it writes.
pub(super) const FORMAT: u32 = 1;
/// Fast enough to keep up with the writer on a part of one core.
const LEVEL: i32 = 3;

/// What a sealed segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// The segment's number.
    pub number: u64,
    /// The record before its first one.
    pub before: Head,
    /// Its last record.
    pub last: Head,
    length: u64,
    packed: u64,
    packed_crc: u32,
    sha256: Hash,
}

/// Why a sealed segment cannot be read.
#[derive(Debug)]
pub(super) enum Unsealable {
    /// The disk said no.
    Io(std::io::Error),
    /// A newer program sealed it.
    Newer(u32),
    /// It is not what was sealed.
    Damaged(&'static str),
}

impl From<std::io::Error> for Unsealable {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// The sealed form of `bytes`, a segment's header and its records from behind `before` to `last`.
pub(super) fn seal(number: u64, before: Head, last: Head, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut sealed = zstd::bulk::compress(bytes, LEVEL)?;
    let footer = Footer {
        number,
        before,
        last,
        length: bytes.len() as u64,
        packed: sealed.len() as u64,
        packed_crc: crc32c::crc32c(&sealed),
        sha256: Sha256::digest(bytes).into(),
    };
    sealed.extend_from_slice(&footer.encode());
    Ok(sealed)
}

/// The bytes that were sealed in `sealed`, every checksum compared, and their footer.
pub(super) fn unseal(sealed: &[u8]) -> Result<(Footer, Vec<u8>), Unsealable> {
    let damaged = Unsealable::Damaged;
    let (packed, trailer) =
        sealed.split_last_chunk::<TRAILER_BYTES>().ok_or(damaged("it is too short to have a footer"))?;
    let footer = Footer::decode(trailer)?;
    if footer.packed != packed.len() as u64 {
        return Err(damaged("it is not as long as its footer says"));
    }
    if footer.packed_crc != crc32c::crc32c(packed) {
        return Err(damaged("its compressed records do not match their checksum"));
    }
    let length = usize::try_from(footer.length.min(MAX_SEGMENT_BYTES)).unwrap_or(0);
    let bytes = zstd::bulk::decompress(packed, length).map_err(|_| damaged("its records cannot be decompressed"))?;
    if bytes.len() as u64 != footer.length || footer.sha256 != <Hash>::from(Sha256::digest(&bytes)) {
        return Err(damaged("its records do not match their SHA-256"));
    }
    Ok((footer, bytes))
}

/// The footer of the sealed segment at `path`, whose packed bytes are held against their checksum and not unpacked.
pub(super) fn glance(path: &Path) -> Result<Footer, Unsealable> {
    let mut file = File::open(path, How::Read)?;
    let footer = read_footer(&mut file)?;
    if file.length()?.checked_sub(TRAILER_BYTES as u64) != Some(footer.packed) {
        return Err(Unsealable::Damaged("it is not as long as its footer says"));
    }
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut at, mut crc) = (0, 0);
    while at < footer.packed {
        let length = usize::try_from(footer.packed - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let part = chunk.get_mut(..length).unwrap_or_default();
        file.read_at(at, part)?;
        crc = crc32c::crc32c_append(crc, part);
        at += length as u64;
    }
    if crc == footer.packed_crc {
        Ok(footer)
    } else {
        Err(Unsealable::Damaged("its compressed records do not match their checksum"))
    }
}

/// Reads only the footer of the sealed segment at `path`.
pub(super) fn footer(path: &Path) -> Result<Footer, Unsealable> {
    read_footer(&mut File::open(path, How::Read)?)
}

fn read_footer(file: &mut File) -> Result<Footer, Unsealable> {
    let size = file.length()?;
    let begin =
        size.checked_sub(TRAILER_BYTES as u64).ok_or(Unsealable::Damaged("it is too short to have a footer"))?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read_at(begin, &mut trailer)?;
    Footer::decode(&trailer)
}

impl Footer {
    fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut trailer = [0; TRAILER_BYTES];
        put(&mut trailer, 0, &SKIPPABLE.to_le_bytes());
        put(&mut trailer, 4, &(FOOTER_BYTES as u32).to_le_bytes());
        put(&mut trailer, FRAME_BYTES, &MAGIC);
        put(&mut trailer, 16, &FORMAT.to_le_bytes());
        put(&mut trailer, 24, &self.number.to_le_bytes());
        put(&mut trailer, 32, &(self.before.seq + 1).to_le_bytes());
        put(&mut trailer, 40, &self.last.seq.to_le_bytes());
        put(&mut trailer, 48, &self.length.to_le_bytes());
        put(&mut trailer, 56, &self.packed.to_le_bytes());
        put(&mut trailer, 64, &self.packed_crc.to_le_bytes());
        put(&mut trailer, 72, &self.before.hash);
        put(&mut trailer, 104, &self.last.hash);
        put(&mut trailer, 136, &self.sha256);
        let sum = crc_without(&trailer, 20);
        put(&mut trailer, 20, &sum.to_le_bytes());
        trailer
    }

    fn decode(trailer: &[u8; TRAILER_BYTES]) -> Result<Self, Unsealable> {
        let damaged = Unsealable::Damaged("its footer is broken");
        let format = number32(trailer, 16).unwrap_or(0);
        if !trailer.get(FRAME_BYTES..).is_some_and(|footer| footer.starts_with(&MAGIC)) || format == 0 {
            return Err(damaged);
        }
        if format > FORMAT {
            return Err(Unsealable::Newer(format));
        }
        if number32(trailer, 20) != Some(crc_without(trailer, 20)) {
            return Err(damaged);
        }
        let hash = |at: usize| trailer.get(at..).and_then(|rest| rest.first_chunk::<32>()).copied();
        let read = || {
            Some(Self {
                number: number64(trailer, 24)?,
                before: Head { seq: number64(trailer, 32)?.checked_sub(1)?, hash: hash(72)? },
                last: Head { seq: number64(trailer, 40)?, hash: hash(104)? },
                length: number64(trailer, 48)?,
                packed: number64(trailer, 56)?,
                packed_crc: number32(trailer, 64)?,
                sha256: hash(136)?,
            })
        };
        read().filter(|footer| footer.last.seq >= footer.before.seq).ok_or(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> (Vec<u8>, Vec<u8>) {
        let bytes = "一条记录 a record ".repeat(200).into_bytes();
        let sealed = seal(3, Head { seq: 7, hash: [1; 32] }, Head { seq: 9, hash: [2; 32] }, &bytes).unwrap();
        (bytes, sealed)
    }

    #[test]
    fn what_was_sealed_comes_back_smaller_and_plain_zstd_reads_it_too() {
        let (bytes, sealed) = sealed();
        let (footer, unsealed) = unseal(&sealed).unwrap();
        assert_eq!((footer.number, footer.before.seq, footer.last.seq), (3, 7, 9));
        assert!(unsealed == bytes && sealed.len() < bytes.len() / 4);
        assert!(zstd::stream::decode_all(sealed.as_slice()).unwrap() == bytes);
    }

    #[test]
    fn each_bit_of_a_sealed_segment_matters() {
        let (_, sealed) = sealed();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(unseal(&changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(unseal(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_length_over_the_bound_is_not_unpacked() {
        let (_, sealed) = sealed();
        let (packed, trailer) = sealed.split_last_chunk().unwrap();
        let footer = Footer { length: MAX_SEGMENT_BYTES * 1000, ..Footer::decode(trailer).unwrap() };
        let forged = [packed, footer.encode().as_slice()].concat();
        assert!(matches!(unseal(&forged), Err(Unsealable::Damaged(_))));
    }
}
