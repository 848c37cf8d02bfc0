//! The file that changes go to before they count.
//!
//! The header, 64 bytes: magic 8, format 4, crc32c of the header with zeros here 4, number 8, zeros. Then records: bytes of
//! what follows the checksum 4, crc32c of that 4, sequence 8, then changes: bytes 4 and [these](super::delta), each.
//!
//! A record that a killed process left half written is the last one; it was never acknowledged and is cut off. A broken
//! record with a whole one behind it is damage.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    build::{sync_folder, temporary},
    delta::{Change, Changes},
    error::{RegistryError, Result, damaged, io},
    layout::{number32, number64},
};

const MAGIC: [u8; 8] = *b"MWREGLOG";
/// The newest format this program reads, and the one it writes.
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 64;
const RECORD_HEAD: usize = 16;
/// Most bytes of the changes that are made at once.
pub const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;
/// A log longer than this is not read.
pub const MAX_LOG_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A log, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    sequence: u64,
    /// After a failed write what the file holds is not known before it is opened again.
    broken: bool,
}

impl Log {
    /// Makes an empty log.
    pub fn create(path: &Path, number: u64) -> Result<Self> {
        let new = temporary(path);
        let writing = || io(|| format!("writing {}", path.display()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new).map_err(writing())?;
        file.write_all(&header(number)).and_then(|()| file.sync_all()).map_err(writing())?;
        std::fs::rename(&new, path).map_err(io(|| format!("naming {}", path.display())))?;
        sync_folder(path)?;
        Ok(Self { path: path.to_owned(), file, length: HEADER_BYTES as u64, sequence: 0, broken: false })
    }

    /// Opens a log for appending and takes its changes into `changes`. What was cut off in the middle of writing goes.
    pub fn open(path: &Path, number: u64, changes: &mut Changes) -> Result<Self> {
        let reading = || io(|| format!("reading {}", path.display()));
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(reading())?;
        let content = Content::read(path, &mut file, number, changes)?;
        if content.torn > 0 {
            tracing::warn!(path = %path.display(), bytes = content.torn, "cut off changes that were not written to the end");
            file.set_len(content.length).and_then(|()| file.sync_all()).map_err(reading())?;
        }
        file.seek(SeekFrom::Start(content.length)).map_err(reading())?;
        Ok(Self { path: path.to_owned(), file, length: content.length, sequence: content.records, broken: false })
    }

    /// Takes the changes of a log that another process may be appending to. What is half written does not count yet.
    pub fn read(path: &Path, number: u64, changes: &mut Changes) -> Result<()> {
        let mut file = File::open(path).map_err(io(|| format!("reading {}", path.display())))?;
        Content::read(path, &mut file, number, changes).map(|_| ())
    }

    /// Appends changes as one record: when it returns, all of them last.
    pub fn append(&mut self, changes: &[Change<'_>]) -> Result<()> {
        let mut record = vec![0; RECORD_HEAD];
        let mut bytes = Vec::new();
        for change in changes {
            bytes.clear();
            change.write(&mut bytes);
            record.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            record.extend_from_slice(&bytes);
            if record.len() > MAX_RECORD_BYTES {
                return Err(RegistryError::TooMuch {
                    what: format!("the changes have more than {MAX_RECORD_BYTES} bytes"),
                });
            }
        }
        record[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        let crc = crc32c::crc32c(&record[8..]);
        let length = (record.len() - 8) as u32;
        record[..4].copy_from_slice(&length.to_le_bytes());
        record[4..8].copy_from_slice(&crc.to_le_bytes());
        let path = &self.path;
        if self.length + record.len() as u64 > MAX_LOG_BYTES {
            return Err(RegistryError::TooMuch {
                what: format!("{} would have more than {MAX_LOG_BYTES} bytes", path.display()),
            });
        }
        if self.broken {
            let source = std::io::Error::other("an earlier write failed: open the registry again");
            return Err(RegistryError::Io { what: format!("writing {}", path.display()), source });
        }
        self.broken = true;
        let written = self.file.write_all(&record).and_then(|()| self.file.sync_data());
        written.map_err(io(|| format!("writing {}", path.display())))?;
        self.broken = false;
        self.length += record.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// How long it is.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// What a log holds.
struct Content {
    /// Up to the end of the last whole record.
    length: u64,
    records: u64,
    /// Bytes after it.
    torn: u64,
}

impl Content {
    fn read(path: &Path, file: &mut File, number: u64, changes: &mut Changes) -> Result<Self> {
        let mut bytes = Vec::new();
        let read = file.take(MAX_LOG_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(io(|| format!("reading {}", path.display())))?;
        if bytes.len() as u64 > MAX_LOG_BYTES {
            return Err(damaged(path, format!("it has more than {MAX_LOG_BYTES} bytes")));
        }
        check_header(path, &bytes, number)?;
        let (mut at, mut records) = (HEADER_BYTES, 0);
        while let Some(payload) = record(&bytes, at, records) {
            take(payload, changes).ok_or_else(|| damaged(path, format!("the record at byte {at} cannot be read")))?;
            at += RECORD_HEAD + payload.len();
            records += 1;
        }
        if (at + 1..bytes.len()).any(|later| follows(&bytes, later, records)) {
            return Err(damaged(path, format!("the record at byte {at} does not match its checksum")));
        }
        Ok(Self { length: at as u64, records, torn: (bytes.len() - at) as u64 })
    }
}

fn header(number: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    let crc = crc32c::crc32c(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

fn check_header(path: &Path, bytes: &[u8], number: u64) -> Result<()> {
    if !bytes.starts_with(&MAGIC) {
        return Err(damaged(path, "it is no log of a registry"));
    }
    let found = number32(bytes, 8);
    if found > FORMAT {
        return Err(RegistryError::Newer { path: path.display().to_string(), found, supported: FORMAT });
    }
    if bytes.get(..HEADER_BYTES) != Some(&header(number)) {
        return Err(damaged(path, "its header is not as it was written"));
    }
    Ok(())
}

/// The changes of the record at `at`, if it is whole and the one that is expected.
fn record(bytes: &[u8], at: usize, sequence: u64) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let (head, body) = rest.split_at_checked(8)?;
    let body = body.get(..number32(head, 0) as usize)?;
    let whole = body.len() >= 8 && number64(body, 0) == sequence && crc32c::crc32c(body) == number32(head, 4);
    if whole { body.get(8..) } else { None }
}

/// Whether a whole record that comes after `sequence` begins at `at`.
fn follows(bytes: &[u8], at: usize, sequence: u64) -> bool {
    let later = number64(bytes, at + 8);
    // Cheap before dear: hardly any place in a file looks like one.
    later > sequence && later - sequence < 1 << 32 && record(bytes, at, later).is_some()
}

fn take(mut payload: &[u8], changes: &mut Changes) -> Option<()> {
    while !payload.is_empty() {
        let (length, rest) = payload.split_first_chunk()?;
        let (change, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        changes.put(&Change::read(change)?);
        payload = rest;
    }
    Some(())
}
