//! How a registry file is laid out. Everything is little-endian; every section begins at a multiple of 64.
//!
//! The file: magic 8 and zeros to 64; 256 parts; the filters (single characters, first ones, pairs, triples); the directory; the
//! footer.
//!
//! A part holds the spellings whose hash begins with its number: lines, spellings, registrations. A line has 64 bytes, one
//! line of the processor's cache: eight prints of 4, then eight places of 4. A place is where a spelling begins among the
//! part's spellings, plus 1; 0 for none. A spelling that finds its line full is in the next one, and the highest bit of
//! the full line's last place says so. A spelling: where its
//! registrations begin 4, its bytes 1, then these in UTF-8. Its registrations: their number 4, then
//! [one after the other](super::registration).
//!
//! The directory says of each part: where it begins 8, its lines 4, the lines that a hash is spread over 4, bytes of its
//! spellings 4, of its registrations 4, how many spellings 4, crc32c of the part 4.
//!
//! The footer, 128 bytes: magic 8, format 4, its crc32c 4, generation 8, spellings 8, registrations 8, lengths (bit n: there
//! are spellings of n units) 8, where the filters begin 8, words of pairs 4, of triples 4, crc32c of the filters 4, of the
//! directory 4, length of the file 8, zeros.

use std::ops::Range;

use super::filter::{BEGINNINGS, SINGLE_WORDS};

pub(super) const MAGIC: [u8; 8] = *b"MWREGIST";
/// The newest format this program reads, and the one it writes.
pub(super) const FORMAT: u32 = 1;
pub(super) const LINE_BYTES: usize = 64;
pub(super) const SLOTS: usize = 8;
/// The highest bit of a line's last place: spellings that found it full are in the next line.
pub(super) const RAN_OVER: u32 = 1 << 31;
pub(super) const PARTS: usize = 256;
pub(super) const FOOTER_BYTES: usize = 128;
pub(super) const PART_BYTES: usize = 32;
pub(super) const DIRECTORY_BYTES: usize = PARTS * PART_BYTES;

/// Where a part lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub begin: u64,
    pub lines: u32,
    pub buckets: u32,
    pub spelling_bytes: u32,
    pub registration_bytes: u32,
    pub spellings: u32,
    pub crc: u32,
}

impl Part {
    /// Where its spellings are.
    pub fn spellings(&self) -> Range<u64> {
        let begin = self.begin + u64::from(self.lines) * LINE_BYTES as u64;
        begin..begin + u64::from(self.spelling_bytes)
    }

    /// Where its registrations are.
    pub fn registrations(&self) -> Range<u64> {
        let begin = self.spellings().end;
        begin..begin + u64::from(self.registration_bytes)
    }

    /// Where it ends, the filling up to the next part included.
    pub fn end(&self) -> u64 {
        aligned(self.registrations().end)
    }
}

/// The next multiple of a line.
pub(super) fn aligned(at: u64) -> u64 {
    at.next_multiple_of(LINE_BYTES as u64)
}

/// The footer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Footer {
    pub generation: u64,
    pub spellings: u64,
    pub registrations: u64,
    pub lengths: u64,
    pub filters: u64,
    pub pairs: u32,
    pub triples: u32,
    pub filters_crc: u32,
    pub directory_crc: u32,
    pub length: u64,
}

/// Why a footer cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Foreign,
    Broken,
    Newer(u32),
}

impl Footer {
    pub fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for number in [self.generation, self.spellings, self.registrations, self.lengths, self.filters] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.pairs, self.triples, self.filters_crc, self.directory_crc] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.length.to_le_bytes());
        let mut footer = [0; FOOTER_BYTES];
        footer[..bytes.len()].copy_from_slice(&bytes);
        seal(&mut footer);
        footer
    }

    pub fn decode(bytes: &[u8; FOOTER_BYTES]) -> Result<Self, Wrong> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Wrong::Foreign);
        }
        let format = number32(bytes, 8);
        if format > FORMAT {
            return Err(Wrong::Newer(format));
        }
        let mut sealed = *bytes;
        seal(&mut sealed);
        if format == 0 || sealed != *bytes {
            return Err(Wrong::Broken);
        }
        Ok(Self {
            generation: number64(bytes, 16),
            spellings: number64(bytes, 24),
            registrations: number64(bytes, 32),
            lengths: number64(bytes, 40),
            filters: number64(bytes, 48),
            pairs: number32(bytes, 56),
            triples: number32(bytes, 60),
            filters_crc: number32(bytes, 64),
            directory_crc: number32(bytes, 68),
            length: number64(bytes, 72),
        })
    }

    /// Where the filters of single characters, first ones, pairs and triples are, or none when they cannot be anywhere.
    pub fn filters(&self) -> Option<[Range<u64>; 4]> {
        let after = |begin: u64, bytes: u64| Some(begin..begin.checked_add(bytes)?);
        let singles = after(self.filters, SINGLE_WORDS as u64 * 8)?;
        let beginnings = after(singles.end, BEGINNINGS as u64 * 2)?;
        let pairs = after(beginnings.end, u64::from(self.pairs) * 8)?;
        let triples = after(pairs.end.checked_next_multiple_of(LINE_BYTES as u64)?, u64::from(self.triples) * 8)?;
        Some([singles, beginnings, pairs, triples])
    }
}

/// Puts the checksum into a footer.
pub(super) fn seal(footer: &mut [u8; FOOTER_BYTES]) {
    footer[12..16].fill(0);
    let crc = crc32c::crc32c(footer);
    footer[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// The directory's bytes.
pub(super) fn encode_directory(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DIRECTORY_BYTES);
    for part in parts {
        bytes.extend_from_slice(&part.begin.to_le_bytes());
        for number in [part.lines, part.buckets, part.spelling_bytes, part.registration_bytes, part.spellings, part.crc]
        {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes
}

/// Reads the directory: all parts, end to end, up to where the filters begin.
pub(super) fn decode_directory(bytes: &[u8], footer: &Footer) -> Option<Box<[Part; PARTS]>> {
    let mut parts = Box::new([Part::default(); PARTS]);
    let (mut begin, mut spellings) = (LINE_BYTES as u64, 0);
    for (part, bytes) in parts.iter_mut().zip(bytes.as_chunks::<PART_BYTES>().0) {
        *part = Part {
            begin: number64(bytes, 0),
            lines: number32(bytes, 8),
            buckets: number32(bytes, 12),
            spelling_bytes: number32(bytes, 16),
            registration_bytes: number32(bytes, 20),
            spellings: number32(bytes, 24),
            crc: number32(bytes, 28),
        };
        if part.begin != begin || part.buckets > part.lines {
            return None;
        }
        begin = part.end();
        spellings += u64::from(part.spellings);
    }
    (bytes.len() == DIRECTORY_BYTES && begin == footer.filters && spellings == footer.spellings).then_some(parts)
}

/// The number at `at`; 0 when it is not all there.
pub(super) fn number32(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u32::from_le_bytes(*number))
}

/// The number at `at`; 0 when it is not all there.
pub(super) fn number64(bytes: &[u8], at: usize) -> u64 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_is_read_as_it_was_written_and_refused_when_a_bit_is_not() {
        let footer = Footer {
            generation: 7,
            spellings: 1,
            registrations: 2,
            lengths: 4,
            filters: 64,
            pairs: 1024,
            triples: 64,
            filters_crc: 5,
            directory_crc: 6,
            length: 99,
        };
        let bytes = footer.encode();
        assert_eq!(Footer::decode(&bytes), Ok(footer));
        for bit in 0..FOOTER_BYTES * 8 {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(Footer::decode(&wrong).is_err(), "{bit}");
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(Footer::decode(&newer), Err(Wrong::Newer(2)));
    }
}
