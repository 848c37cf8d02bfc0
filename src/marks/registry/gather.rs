//! Gathering records by the part they belong to, in bounded memory.
//!
//! A record: hash 8, bytes of the spelling 1, of the registration 2, then both.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    error::{Result, io},
    hash::SpellingHash,
    layout::{PARTS, number64},
};

const HEAD_BYTES: usize = 11;

/// Takes records.
#[derive(Debug)]
pub(super) struct Gathering {
    parts: Vec<Vec<u8>>,
    held: usize,
    bound: usize,
    pairs: u64,
    longer: u64,
    folder: Option<PathBuf>,
    spilled: Option<Spilled>,
}

/// Records that did not fit into memory.
#[derive(Debug)]
struct Spilled {
    file: File,
    length: u64,
    /// By part: where its stretches begin and how long they are.
    stretches: Vec<Vec<(u64, usize)>>,
}

impl Gathering {
    /// Holds up to `bound` bytes in memory, more in a file in `folder`; all in memory when there is none.
    pub fn new(folder: Option<&Path>, bound: usize) -> Self {
        let parts = vec![Vec::new(); PARTS];
        Self { parts, held: 0, bound, pairs: 0, longer: 0, folder: folder.map(Path::to_owned), spilled: None }
    }

    /// How many records there are of spellings of two units.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// How many records there are of spellings of more units.
    pub fn longer(&self) -> u64 {
        self.longer
    }

    pub fn add(&mut self, hash: SpellingHash, spelling: &str, registration: &[u8]) -> Result<()> {
        let part = &mut self.parts[usize::from(hash.part())];
        let before = part.len();
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&hash.0.to_le_bytes());
        head[8] = spelling.len() as u8;
        head[9..].copy_from_slice(&(registration.len() as u16).to_le_bytes());
        part.extend_from_slice(&head);
        part.extend_from_slice(spelling.as_bytes());
        part.extend_from_slice(registration);
        self.held += part.len() - before;
        match spelling.chars().take(3).count() {
            0 | 1 => {}
            2 => self.pairs += 1,
            _ => self.longer += 1,
        }
        if self.held > self.bound { self.spill() } else { Ok(()) }
    }

    /// Writes what is in memory to the file beside.
    fn spill(&mut self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let spilling = || io(|| format!("writing a temporary file in {}", folder.display()));
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                let file = nameless(folder).map_err(spilling())?;
                self.spilled.insert(Spilled { file, length: 0, stretches: vec![Vec::new(); PARTS] })
            }
        };
        for (part, stretches) in self.parts.iter_mut().zip(&mut spilled.stretches) {
            spilled.file.write_all(part).map_err(spilling())?;
            stretches.push((spilled.length, part.len()));
            spilled.length += part.len() as u64;
            part.clear();
        }
        self.held = 0;
        Ok(())
    }

    /// Ends the taking.
    pub fn finish(mut self) -> Result<Gathered> {
        if self.spilled.is_some() {
            self.spill()?;
            self.parts = vec![Vec::new(); PARTS];
        }
        Ok(Gathered { gathering: self })
    }
}

/// A file that is gone when it is closed, whatever happens to the process.
fn nameless(folder: &Path) -> std::io::Result<File> {
    let path = folder.join(format!(".gather-{}.new", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Gives the records back, part by part.
#[derive(Debug)]
pub(super) struct Gathered {
    gathering: Gathering,
}

impl Gathered {
    /// The records of a part, sorted. A part can be taken once.
    pub fn part(&mut self, number: u8) -> Result<PartRecords> {
        let mut bytes = std::mem::take(&mut self.gathering.parts[usize::from(number)]);
        if let Some(spilled) = &mut self.gathering.spilled {
            let stretches = &spilled.stretches[usize::from(number)];
            bytes = vec![0; stretches.iter().map(|(_, length)| length).sum()];
            let mut rest = bytes.as_mut_slice();
            for &(begin, length) in stretches {
                let (stretch, after) = rest.split_at_mut(length);
                let read = spilled.file.seek(SeekFrom::Start(begin)).and_then(|_| spilled.file.read_exact(stretch));
                read.map_err(io(|| "reading a temporary file".to_owned()))?;
                rest = after;
            }
        }
        Ok(PartRecords::sort(bytes))
    }
}

/// A part's records.
#[derive(Debug)]
pub(super) struct PartRecords {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub hash: SpellingHash,
    at: usize,
}

impl PartRecords {
    fn sort(bytes: Vec<u8>) -> Self {
        let mut records = Vec::new();
        let mut at = 0;
        while at + HEAD_BYTES <= bytes.len() {
            records.push(Record { hash: SpellingHash(number64(&bytes, at)), at });
            let (spelling, registration) = lengths(&bytes, at);
            at += HEAD_BYTES + spelling + registration;
        }
        records.sort_unstable();
        Self { bytes, records }
    }

    /// Records by their hash, ascending; those with the same one in the order they came.
    pub fn groups(&self) -> impl Iterator<Item = &[Record]> {
        self.records.chunk_by(|left, right| left.hash == right.hash)
    }

    /// A record's spelling and registration.
    pub fn read(&self, record: &Record) -> (&str, &[u8]) {
        let (spelling, registration) = lengths(&self.bytes, record.at);
        let begin = record.at + HEAD_BYTES;
        let bytes = self.bytes.get(begin..begin + spelling + registration).unwrap_or_default();
        let (text, registration) = bytes.split_at_checked(spelling).unwrap_or_default();
        (std::str::from_utf8(text).unwrap_or_default(), registration)
    }
}

fn lengths(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes.get(at + 8..at + HEAD_BYTES) {
        Some(&[spelling, low, high]) => (usize::from(spelling), usize::from(u16::from_le_bytes([low, high]))),
        _ => (0, 0),
    }
}
