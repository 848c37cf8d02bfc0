//! The frontier's file: eight bytes that name the format, then records `[length | crc32c | payload]`.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{FrontierError, Purpose};
use crate::{crawl::fetch::MAX_URL_BYTES, files};

/// Names the format and its version.
const MAGIC: &[u8; 8] = b"MWFRONT1";
/// Length and checksum before each payload.
const HEAD: usize = 8;
/// Longest question that is kept with an address, in bytes.
pub(in crate::crawl) const MAX_ASK_BYTES: usize = 16 * 1024;
/// Longest payload: an address, what stands before it and what it is asked.
const MAX_PAYLOAD: usize = MAX_URL_BYTES + MAX_ASK_BYTES + 16;
/// Bytes read at once while the log is walked through.
const WINDOW: usize = 64 * 1024;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Added { depth: u16, purpose: Purpose, url: String },
    Done { id: u64 },
}

impl Record {
    fn parse(payload: &[u8]) -> Option<Self> {
        let (&kind, rest) = payload.split_first()?;
        match kind {
            1 | 2 | 4 => {
                let (depth, text) = rest.split_first_chunk()?;
                let text = std::str::from_utf8(text).ok()?;
                let (url, purpose) = match kind {
                    1 => (text, Purpose::Page),
                    2 => (text, Purpose::Sitemap),
                    _ => text.split_once('\n').map(|(url, ask)| (url, Purpose::Query(ask.into())))?,
                };
                Some(Self::Added { depth: u16::from_le_bytes(*depth), purpose, url: url.to_owned() })
            }
            3 => Some(Self::Done { id: u64::from_le_bytes(*rest.first_chunk()?) }),
            _ => None,
        }
    }
}

/// The file, and what is not in it yet.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    written: u64,
    buffer: Vec<u8>,
    window: Vec<u8>,
    window_at: u64,
}

impl Log {
    /// Opens or creates the file, cuts off a damaged end, and tells which entries are done.
    pub(super) fn open(path: &Path) -> Result<(Self, HashSet<u64>), FrontierError> {
        let fail = |doing, source| FrontierError::Io { doing, path: path.display().to_string(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| fail("making the folder of", source))?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(|source| fail("opening", source))?;
        if !files::lock(&file).map_err(|source| fail("locking", source))? {
            return Err(FrontierError::InUse { path: path.display().to_string() });
        }
        let length = file.metadata().map_err(|source| fail("reading", source))?.len();
        let mut log =
            Self { file, path: path.to_owned(), written: length, buffer: Vec::new(), window: Vec::new(), window_at: 0 };
        log.check_magic()?;
        let done = log.survey()?;
        Ok((log, done))
    }

    fn io(&self, doing: &'static str) -> impl FnOnce(std::io::Error) -> FrontierError {
        let path = self.path.display().to_string();
        move |source| FrontierError::Io { doing, path, source }
    }

    fn check_magic(&mut self) -> Result<(), FrontierError> {
        let begin = self.bytes(0, MAGIC.len())?.to_vec();
        if begin == MAGIC {
            return Ok(());
        }
        // Less than the whole name: the process ended while it created the file.
        if !MAGIC.starts_with(&begin) {
            return Err(FrontierError::Unknown { path: self.path.display().to_string() });
        }
        self.cut(0)?;
        self.buffer.extend_from_slice(MAGIC);
        self.write()?;
        self.sync()
    }

    /// Walks to the end of what is whole, and cuts off the rest.
    fn survey(&mut self) -> Result<HashSet<u64>, FrontierError> {
        let mut done = HashSet::new();
        let mut at = self.start();
        while let Some((record, next)) = self.read(at)? {
            if let Record::Done { id } = record {
                done.insert(id);
            }
            at = next;
        }
        if at < self.written {
            tracing::warn!(path = %self.path.display(), bytes = self.written - at, "cutting a damaged end off the frontier");
            self.cut(at)?;
        }
        Ok(done)
    }

    fn cut(&mut self, length: u64) -> Result<(), FrontierError> {
        self.file.set_len(length).map_err(self.io("cutting"))?;
        self.written = length;
        self.window.clear();
        Ok(())
    }

    /// Where the first record stands.
    pub(super) fn start(&self) -> u64 {
        MAGIC.len() as u64
    }

    /// Buffers that an address was added; returns where that will stand.
    pub(super) fn append_added(&mut self, depth: u16, purpose: &Purpose, url: &str) -> u64 {
        self.append(|out| {
            out.push(match purpose {
                Purpose::Page => 1,
                Purpose::Sitemap => 2,
                Purpose::Query(_) => 4,
            });
            out.extend_from_slice(&depth.to_le_bytes());
            out.extend_from_slice(url.as_bytes());
            if let Purpose::Query(ask) = purpose {
                // No address holds a line's end.
                out.push(b'\n');
                out.extend_from_slice(ask.as_bytes());
            }
        })
    }

    /// Buffers that an address is done.
    pub(super) fn append_done(&mut self, id: u64) {
        self.append(|out| {
            out.push(3);
            out.extend_from_slice(&id.to_le_bytes());
        });
    }

    /// Buffers a record; returns where it will stand.
    fn append(&mut self, payload: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let begin = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEAD]);
        payload(&mut self.buffer);
        let payload = self.buffer.get(begin + HEAD..).unwrap_or_default();
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let sum = crc32c::crc32c(payload).to_le_bytes();
        if let Some(head) = self.buffer.get_mut(begin..begin + HEAD) {
            let (first, second) = head.split_at_mut(4);
            first.copy_from_slice(&length);
            second.copy_from_slice(&sum);
        }
        self.written + begin as u64
    }

    /// The record at `at` and where the next one stands; none at the end, or where it is damaged.
    pub(super) fn read(&mut self, at: u64) -> Result<Option<(Record, u64)>, FrontierError> {
        let Some(&head) = self.bytes(at, HEAD)?.first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_PAYLOAD {
            return Ok(None);
        }
        let payload = self.bytes(at + HEAD as u64, length)?;
        if payload.len() != length || crc32c::crc32c(payload) != u32::from_le_bytes([e, f, g, h]) {
            return Ok(None);
        }
        Ok(Record::parse(payload).map(|record| (record, at + (HEAD + length) as u64)))
    }

    /// Up to `length` bytes at `at`, fewer at the end of the file.
    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], FrontierError> {
        let inside = at >= self.window_at && at + length as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            self.fill(at, length.max(WINDOW))?;
        }
        let begin = usize::try_from(at - self.window_at).unwrap_or(usize::MAX).min(self.window.len());
        let end = (begin + length).min(self.window.len());
        Ok(self.window.get(begin..end).unwrap_or_default())
    }

    fn fill(&mut self, at: u64, length: usize) -> Result<(), FrontierError> {
        self.window.resize(length, 0);
        self.window_at = at;
        let mut filled = 0;
        while let Some(room) = self.window.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read_at(room, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io("reading")(error)),
            }
        }
        self.window.truncate(filled);
        Ok(())
    }

    /// Hands what is buffered to the system.
    pub(super) fn write(&mut self) -> Result<(), FrontierError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.buffer).map_err(self.io("writing"))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Waits until the disk has what was written.
    pub(super) fn sync(&self) -> Result<(), FrontierError> {
        self.file.sync_data().map_err(self.io("syncing"))
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), FrontierError> {
        std::fs::remove_file(&self.path).map_err(self.io("removing"))
    }
}
