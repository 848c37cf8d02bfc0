//! What a snapshot says of itself at its end.
//!
//! Little-endian, 128 bytes: magic 8, format 4, footer crc32c 4, sequence 8, hash of that record 32, entries 8, bytes of
//! all blocks 8, packed bytes of the directory 8, its unpacked bytes 8, crc32c of the packed directory 4, zeros 4, SHA-256
//! of everything before the footer 32. Every format keeps its size, magic, format and checksum here: damage must not be
//! taken for a newer program's work, which nobody may set aside.

use crate::store::journal::{Hash, Head, crc_without, number32, number64, put};

pub(super) const FOOTER_BYTES: usize = 128;
pub(super) const MAGIC: [u8; 8] = *b"MWSNAPSH";
/// The newest format this program reads, and the one it writes.
pub(super) const FORMAT: u32 = 1;

/// The footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// The journal's record that it reaches.
    pub head: Head,
    pub entries: u64,
    pub blocks_bytes: u64,
    pub directory_packed: u64,
    pub directory_bytes: u64,
    pub directory_crc: u32,
    pub sha256: Hash,
}

/// Why a footer cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Broken,
    Newer(u32),
}

impl Footer {
    pub fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT.to_le_bytes());
        put(&mut bytes, 16, &self.head.seq.to_le_bytes());
        put(&mut bytes, 24, &self.head.hash);
        put(&mut bytes, 56, &self.entries.to_le_bytes());
        put(&mut bytes, 64, &self.blocks_bytes.to_le_bytes());
        put(&mut bytes, 72, &self.directory_packed.to_le_bytes());
        put(&mut bytes, 80, &self.directory_bytes.to_le_bytes());
        put(&mut bytes, 88, &self.directory_crc.to_le_bytes());
        put(&mut bytes, 96, &self.sha256);
        let sum = crc_without(&bytes, 12);
        put(&mut bytes, 12, &sum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; FOOTER_BYTES]) -> Result<Self, Wrong> {
        let format = number32(bytes, 8).unwrap_or(0);
        let right = number32(bytes, 12) == Some(crc_without(bytes, 12));
        if !right || !bytes.starts_with(&MAGIC) || format == 0 {
            return Err(Wrong::Broken);
        }
        if format > FORMAT {
            return Err(Wrong::Newer(format));
        }
        let hash = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()).copied();
        let read = || {
            Some(Self {
                head: Head { seq: number64(bytes, 16)?, hash: hash(24)? },
                entries: number64(bytes, 56)?,
                blocks_bytes: number64(bytes, 64)?,
                directory_packed: number64(bytes, 72)?,
                directory_bytes: number64(bytes, 80)?,
                directory_crc: number32(bytes, 88)?,
                sha256: hash(96)?,
            })
        };
        read().ok_or(Wrong::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_format_is_damage_and_a_newer_one_is_not() {
        let footer = Footer {
            head: Head { seq: 7, hash: [1; 32] },
            entries: 3,
            blocks_bytes: 100,
            directory_packed: 20,
            directory_bytes: 40,
            directory_crc: 5,
            sha256: [2; 32],
        };
        let mut bytes = footer.encode();
        assert_eq!(Footer::decode(&bytes), Ok(footer));
        put(&mut bytes, 8, &(FORMAT + 1).to_le_bytes());
        assert_eq!(Footer::decode(&bytes), Err(Wrong::Broken));
        let sum = crc_without(&bytes, 12);
        put(&mut bytes, 12, &sum.to_le_bytes());
        assert_eq!(Footer::decode(&bytes), Err(Wrong::Newer(FORMAT + 1)));
    }
}
