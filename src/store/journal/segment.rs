//! One segment file: a header of 64 bytes, records, zeros to its full size. Sealed, it has another file and no zeros.
//!
//! Little-endian: magic 8, format 4, crc32c 4, first sequence 8, full size 8, hash of the record before it 32.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    begin::Begin,
    record::{Head, crc_without, number32, number64, put},
    seal::{self, Unsealable},
};
use crate::store::{
    disk::{self, File, How},
    folder::{io, sync_dir},
    port::StoreError,
};

/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"MWJOURNL";
/// The newest segment format this program reads, and the one it writes.
const FORMAT: u32 = 1;
/// Larger files are not read: the largest setting, and room for one group.
pub(super) const MAX_SEGMENT_BYTES: u64 = 320 * 1024 * 1024;

/// How often a folder is listed again because segments were being sealed meanwhile.
const MAX_LISTINGS: u32 = 16;

/// A segment's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    /// From 1.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// Whether the file is the sealed one.
    pub sealed: bool,
}

/// A segment's header and records, as they stood in the raw file.
#[derive(Debug)]
pub(super) struct Loaded {
    /// From the first byte of the header; zeros behind the records only when it is not sealed.
    pub bytes: Vec<u8>,
    /// The last record, where a footer says it.
    pub last: Option<Head>,
}

impl Segment {
    pub fn new(dir: &Path, number: u64) -> Self {
        Self { number, path: dir.join(format!("{number:08}.seg")), sealed: false }
    }

    /// The same segment in its sealed file.
    pub fn sealed(&self) -> Self {
        Self { number: self.number, path: self.path.with_extension("zst"), sealed: true }
    }

    /// Damage in this segment.
    pub fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.display().to_string(), what: what.into() }
    }

    /// Its bytes, with a header that says they follow `head`. One that was sealed since it was listed is read sealed.
    pub(super) fn load(&self, head: &Head) -> Result<Loaded, StoreError> {
        if self.sealed {
            return self.load_sealed(head);
        }
        let sealed = self.sealed();
        match disk::read(&self.path, MAX_SEGMENT_BYTES) {
            Ok(bytes) => {
                self.check_header(&bytes, head)?;
                if number64(&bytes, 24) != Some(bytes.len() as u64) {
                    return Err(self.damaged(format!(
                        "it has {} bytes where {} were written: its end is missing",
                        bytes.len(),
                        number64(&bytes, 24).unwrap_or(0)
                    )));
                }
                Ok(Loaded { bytes, last: None })
            }
            Err(error) if error.kind() == ErrorKind::NotFound && disk::exists(&sealed.path) => sealed.load_sealed(head),
            Err(source) => Err(StoreError::Io { doing: format!("reading {}", self.path.display()), source }),
        }
    }

    fn load_sealed(&self, head: &Head) -> Result<Loaded, StoreError> {
        let unsealed =
            disk::read(&self.path, MAX_SEGMENT_BYTES).map_err(Unsealable::from).and_then(|bytes| seal::unseal(&bytes));
        let (footer, bytes) = unsealed.map_err(|why| self.unsealable(why))?;
        if footer.number != self.number || footer.before != *head {
            return Err(self.damaged(format!("it does not follow sequence {}: records are missing", head.seq)));
        }
        self.check_header(&bytes, head)?;
        Ok(Loaded { bytes, last: Some(footer.last) })
    }

    /// The last record of the sealed file, whose bytes match their checksum and which says that it follows `head`.
    pub(super) fn glance(&self, head: &Head) -> Result<Head, StoreError> {
        let footer = seal::glance(&self.path).map_err(|why| self.unsealable(why))?;
        if footer.number != self.number || footer.before != *head {
            return Err(self.damaged(format!("it does not follow sequence {}: records are missing", head.seq)));
        }
        Ok(footer.last)
    }

    fn check_header(&self, bytes: &[u8], head: &Head) -> Result<(), StoreError> {
        let format = number32(bytes, 8).unwrap_or(0);
        if !bytes.starts_with(&MAGIC) || format == 0 {
            return Err(self.damaged(format!("it is no journal segment; sequence {} is expected in it", head.seq + 1)));
        }
        if format > FORMAT {
            let path = self.path.display().to_string();
            return Err(StoreError::Newer { path, found: format, supported: FORMAT });
        }
        let header: Option<&[u8; HEADER_BYTES]> = bytes.first_chunk();
        let Some(header) = header.filter(|header| number32(*header, 12) == Some(crc_without(*header, 12))) else {
            return Err(self.damaged(format!("its header is broken; sequence {} is expected in it", head.seq + 1)));
        };
        if number64(header, 16) != Some(head.seq + 1) || header.get(32..) != Some(&head.hash[..]) {
            return Err(self.damaged(format!("it does not follow sequence {}: records are missing", head.seq)));
        }
        Ok(())
    }

    /// The record it says it follows: by its header, or by the footer of the sealed file.
    pub(in crate::store) fn start(&self) -> Result<Head, StoreError> {
        if self.sealed {
            return self.start_sealed();
        }
        let sealed = self.sealed();
        let mut header = [0; HEADER_BYTES];
        match File::open(&self.path, How::Read).and_then(|file| file.read_at(0, &mut header)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && disk::exists(&sealed.path) => {
                return sealed.start_sealed();
            }
            Err(source) => return Err(StoreError::Io { doing: format!("reading {}", self.path.display()), source }),
        }
        let hash = header.get(32..).and_then(|hash| hash.first_chunk().copied());
        match (number64(&header, 16).and_then(|first| first.checked_sub(1)), hash) {
            (Some(seq), Some(hash)) => Ok(Head { seq, hash }),
            _ => Err(self.damaged("its header names no sequence")),
        }
    }

    fn start_sealed(&self) -> Result<Head, StoreError> {
        seal::footer(&self.path).map(|footer| footer.before).map_err(|why| self.unsealable(why))
    }

    fn unsealable(&self, why: Unsealable) -> StoreError {
        let path = self.path.display().to_string();
        match why {
            Unsealable::Io(source) => StoreError::Io { doing: format!("reading {path}"), source },
            Unsealable::Newer(found) => StoreError::Newer { path, found, supported: seal::FORMAT },
            Unsealable::Damaged(what) => self.damaged(what),
        }
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
        let sum = crc_without(&header, 12);
        put(&mut header, 12, &sum.to_le_bytes());
        let write = || {
            let mut file = File::open(&temporary, How::Create)?;
            file.write_at(0, &header)?;
            file.write_zeros(HEADER_BYTES as u64, size)?;
            file.sync()?;
            disk::rename(&temporary, &self.path)?;
            Ok(file)
        };
        let file = write().map_err(io(doing))?;
        self.path.parent().map_or(Ok(()), sync_dir)?;
        Ok(file)
    }
}

/// The segments of a journal in order, without gaps, from its [beginning](super::Begin). Of one that is there raw and sealed, the raw file is named: the
/// other may be unproved yet.
pub(in crate::store) fn segments(dir: &Path) -> Result<Vec<Segment>, StoreError> {
    // A listing is no picture of one moment: what was renamed meanwhile shows in the next.
    for _ in 1..MAX_LISTINGS {
        if let Ok(segments) = whole(dir, Begin::of(dir)?.number, list(dir)?) {
            return Ok(segments);
        }
    }
    whole(dir, Begin::of(dir)?.number, list(dir)?)
}

/// Every file of a journal that nobody writes to: its beginning, if it says one, and its segments.
pub(in crate::store) fn files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let segments = segments(dir)?.into_iter().map(|segment| segment.path);
    Ok(Begin::file(dir).into_iter().chain(segments).collect())
}

fn list(dir: &Path) -> Result<Vec<Segment>, StoreError> {
    let doing = || format!("listing {}", dir.display());
    let mut found = BTreeMap::new();
    for name in disk::names(dir).map_err(io(doing))? {
        let Some((number, kind)) = name.split_once('.') else { continue };
        if let (Ok(number), "seg" | "zst") = (number.parse::<u64>(), kind) {
            let sealed = found.entry(number).or_insert(true);
            *sealed &= kind == "zst";
        }
    }
    let place = |(number, sealed)| {
        let raw = Segment::new(dir, number);
        if sealed { raw.sealed() } else { raw }
    };
    Ok(found.into_iter().map(place).collect())
}

/// Refuses a listing in which something from the segment `first` on must be missing.
fn whole(dir: &Path, first: u64, mut segments: Vec<Segment>) -> Result<Vec<Segment>, StoreError> {
    segments.retain(|segment| segment.number >= first);
    let missing = |number| Segment::new(dir, number).damaged("this segment is missing: bring it back from a backup");
    for (expected, segment) in (first..).zip(&segments) {
        if segment.number != expected {
            return Err(missing(expected));
        }
    }
    match segments.last() {
        // A segment is sealed only when the next one is there.
        Some(last) if last.sealed => Err(missing(last.number + 1)),
        None if first > 1 => Err(missing(first)),
        _ => Ok(segments),
    }
}
