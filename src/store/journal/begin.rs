//! Where a journal begins: at its first record, or behind the segments that have left it for a backup.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::record::{Head, hex};
use crate::store::{
    disk,
    folder::{io, sync_dir, write_new},
    port::StoreError,
};

const NAME: &str = "begin.json";
/// A larger file is none.
const MAX_BYTES: u64 = 64 * 1024;
const FORMAT: u32 = 1;

/// A journal's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Begin {
    /// The number of its first segment.
    pub number: u64,
    /// The record before its first.
    pub head: Head,
    /// Where what comes before it went.
    pub kept_in: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    number: u64,
    seq: u64,
    hash: String,
    kept_in: String,
}

impl Begin {
    const START: Self = Self { number: 1, head: Head::START, kept_in: String::new() };

    /// The beginning of the journal in `dir`.
    pub fn of(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let bytes = match disk::read(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::START),
            Err(source) => return Err(StoreError::Io { doing: format!("reading {}", path.display()), source }),
        };
        let damaged = || StoreError::Damaged {
            path: path.display().to_string(),
            what: "it does not say where the journal begins: bring it back from a backup".to_owned(),
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if stored.format > FORMAT {
            let (path, found) = (path.display().to_string(), stored.format);
            return Err(StoreError::Newer { path, found, supported: FORMAT });
        }
        let hash = unhex(&stored.hash).filter(|_| stored.number > 1 && stored.seq > 0).ok_or_else(damaged)?;
        Ok(Self { number: stored.number, head: Head { seq: stored.seq, hash }, kept_in: stored.kept_in })
    }

    /// Says durably that the journal in `dir` begins here.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let path = dir.join(NAME);
        if self.number == 1 {
            return match disk::remove(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(io(|| format!("removing {}", path.display()))(error))
                }
                _ => sync_dir(dir),
            };
        }
        let Self { number, head, kept_in } = self.clone();
        let stored = Stored { format: FORMAT, number, seq: head.seq, hash: hex(&head.hash), kept_in };
        let json = serde_json::to_vec_pretty(&stored).map_err(|error| StoreError::Refused(error.to_string()))?;
        write_new(&path, &json)
    }

    /// The file that says so, if the journal in `dir` has one.
    pub fn file(dir: &Path) -> Option<PathBuf> {
        Some(dir.join(NAME)).filter(|path| disk::exists(path))
    }

    /// Refuses to read from `seq` on when that record has left.
    pub fn refuse_before(&self, seq: u64) -> Result<(), StoreError> {
        if seq > self.head.seq {
            return Ok(());
        }
        Err(StoreError::Away { seq: self.head.seq, kept_in: self.kept_in.clone() })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_reads_back_and_what_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Begin::of(dir.path()).unwrap(), Begin::START);
        let begin = Begin { number: 7, head: Head { seq: 90, hash: [0xA7; 32] }, kept_in: "/备份/一".into() };
        begin.write(dir.path()).unwrap();
        assert_eq!(Begin::of(dir.path()).unwrap(), begin);
        assert!(matches!(begin.refuse_before(90), Err(StoreError::Away { seq: 90, .. })));
        begin.refuse_before(91).unwrap();
        let whole = std::fs::read(dir.path().join(NAME)).unwrap();
        for cut in [0, 1, whole.len() / 2] {
            std::fs::write(dir.path().join(NAME), &whole[..cut]).unwrap();
            assert!(matches!(Begin::of(dir.path()), Err(StoreError::Damaged { .. })));
        }
        Begin::START.write(dir.path()).unwrap();
        assert_eq!(Begin::of(dir.path()).unwrap(), Begin::START);
    }
}
