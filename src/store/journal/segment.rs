//! One segment file: a header of 64 bytes, records, zeros to its full size.
//!
//! Little-endian: magic 8, format 4, crc32c 4, first sequence 8, full size 8, hash of the record before it 32.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use super::record::{Head, number32, number64, put};
use crate::store::{
    folder::{io, read_bounded, sync_dir},
    port::StoreError,
};

/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"MWJOURNL";
/// The newest segment format this program reads, and the one it writes.
const FORMAT: u32 = 1;
/// Larger files are not read: the largest setting, and room for one group.
const MAX_SEGMENT_BYTES: u64 = 320 * 1024 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A segment's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    /// From 1.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
}

impl Segment {
    pub fn new(dir: &Path, number: u64) -> Self {
        Self { number, path: dir.join(format!("{number:08}.seg")) }
    }

    /// Damage in this segment.
    pub fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.display().to_string(), what: what.into() }
    }

    /// Its bytes, with a header that says they follow `head`.
    pub fn load(&self, head: &Head) -> Result<Vec<u8>, StoreError> {
        let bytes =
            read_bounded(&self.path, MAX_SEGMENT_BYTES).map_err(io(|| format!("reading {}", self.path.display())))?;
        let format = number32(&bytes, 8).unwrap_or(0);
        if !bytes.starts_with(&MAGIC) || format == 0 {
            return Err(self.damaged(format!("it is no journal segment; sequence {} is expected in it", head.seq + 1)));
        }
        if format > FORMAT {
            let path = self.path.display().to_string();
            return Err(StoreError::Newer { path, found: format, supported: FORMAT });
        }
        let header: Option<&[u8; HEADER_BYTES]> = bytes.first_chunk();
        let Some(header) = header.filter(|header| number32(*header, 12) == Some(crc(header))) else {
            return Err(self.damaged(format!("its header is broken; sequence {} is expected in it", head.seq + 1)));
        };
        if number64(header, 24) != Some(bytes.len() as u64) {
            return Err(self.damaged(format!(
                "it has {} bytes where {} were written: its end is missing",
                bytes.len(),
                number64(header, 24).unwrap_or(0)
            )));
        }
        if number64(header, 16) != Some(head.seq + 1) || header.get(32..) != Some(&head.hash[..]) {
            return Err(self.damaged(format!("it does not follow sequence {}: records are missing", head.seq)));
        }
        Ok(bytes)
    }

    /// Makes the segment of `size` bytes after `head`, durable before it has its name.
    pub fn create(&self, head: &Head, size: u64) -> Result<File, StoreError> {
        let temporary = self.path.with_extension("seg.new");
        let doing = || format!("making the journal segment {}", self.path.display());
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, &MAGIC);
        put(&mut header, 8, &FORMAT.to_le_bytes());
        put(&mut header, 16, &(head.seq + 1).to_le_bytes());
        put(&mut header, 24, &size.to_le_bytes());
        put(&mut header, 32, &head.hash);
        let sum = crc(&header);
        put(&mut header, 12, &sum.to_le_bytes());
        let write = || {
            let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&temporary)?;
            file.write_all(&header)?;
            zero(&mut file, size.saturating_sub(HEADER_BYTES as u64))?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            Ok(file)
        };
        let file = write().map_err(io(doing))?;
        self.path.parent().map_or(Ok(()), sync_dir)?;
        Ok(file)
    }
}

/// Writes `length` zeros where the file stands.
pub(super) fn zero(file: &mut File, mut length: u64) -> std::io::Result<()> {
    while length > 0 {
        let part = length.min(ZEROS.len() as u64);
        file.write_all(ZEROS.get(..usize::try_from(part).unwrap_or(0)).unwrap_or(&ZEROS))?;
        length -= part;
    }
    Ok(())
}

/// The segments of a journal in order, without gaps.
pub(in crate::store) fn segments(dir: &Path) -> Result<Vec<Segment>, StoreError> {
    let doing = || format!("listing {}", dir.display());
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(doing))? {
        let name = entry.map_err(io(doing))?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    let segments: Vec<Segment> = numbers.into_iter().map(|number| Segment::new(dir, number)).collect();
    for (expected, segment) in (1..).zip(&segments) {
        if segment.number != expected {
            return Err(Segment::new(dir, expected).damaged("this segment is missing: bring it back from a backup"));
        }
    }
    Ok(segments)
}

/// The checksum over the header without the checksum's own place.
fn crc(header: &[u8; HEADER_BYTES]) -> u32 {
    let (before, after) = (header.get(..12).unwrap_or_default(), header.get(16..).unwrap_or_default());
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}
