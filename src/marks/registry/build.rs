//! Building a registry file.
//!
//! Spellings are gathered by the part they belong to, in memory up to a bound and beyond it in a file beside; then one part
//! after the other is sorted and written. What stays in memory is a part, the filters and the bound.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    base::Base,
    error::{RegistryError, Result, io},
    filter::FilterBuilder,
    gather::{Gathered, Gathering},
    hash::SpellingHash,
    layout::{FOOTER_BYTES, Footer, LINE_BYTES, MAGIC, PARTS, Part, RAN_OVER, SLOTS, aligned, encode_directory},
    registration::Registration,
};
use crate::marks::MAX_UNITS;

/// Gathered in memory before a file beside is used.
pub const GATHER_BYTES: usize = 256 * 1024 * 1024;
/// Spellings a line on average, in tenths. With four of eight one line in fifty runs over.
const TENTHS_A_LINE: u64 = 40;
const BUFFER_BYTES: usize = 1024 * 1024;

/// Takes spellings and registrations in any order, then writes the file.
#[derive(Debug)]
pub struct Builder {
    gathering: Gathering,
    registration: Vec<u8>,
}

impl Builder {
    /// Builds in memory, and beyond [`GATHER_BYTES`] in a file in `folder` that has no name.
    pub fn new(folder: &Path) -> Self {
        Self::with_bound(Some(folder), GATHER_BYTES)
    }

    /// Builds in memory alone.
    pub(super) fn in_memory() -> Self {
        Self::with_bound(None, usize::MAX)
    }

    pub(super) fn with_bound(folder: Option<&Path>, bound: usize) -> Self {
        Self { gathering: Gathering::new(folder, bound), registration: Vec::new() }
    }

    /// Takes a registration of `spelling`, which must be folded.
    ///
    /// # Errors
    /// When it cannot be kept: nothing is taken, and the next one may be. When the disk is full.
    pub fn add(&mut self, spelling: &str, registration: &Registration<'_>) -> Result<()> {
        let hash = check(spelling, registration)?;
        self.registration.clear();
        registration.write(&mut self.registration);
        self.gathering.add(hash, spelling, &self.registration)
    }

    /// Writes the file at `path`, durably, and reads it back: there is all of it under that name, or nothing.
    ///
    /// # Errors
    /// When the disk fails or the file is not read back as it was written.
    pub fn finish(self, path: &Path, generation: u64) -> Result<Base> {
        let temporary = temporary(path);
        let written = self.write_file(&temporary, generation).and_then(|()| Base::open(&temporary)?.verify());
        if let Err(error) = written {
            // Half a file is of no use and may be what fills the disk; the error that matters is the first.
            drop(fs::remove_file(&temporary));
            return Err(error);
        }
        fs::rename(&temporary, path).map_err(io(|| format!("naming {}", path.display())))?;
        sync_folder(path)?;
        Base::open(path)
    }

    /// Writes the file into memory.
    pub(super) fn finish_in_memory(self, name: &str, generation: u64) -> Result<Base> {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, name.to_owned()).write(self.gathering, generation)?;
        Base::from_bytes(name, bytes)
    }

    fn write_file(self, path: &Path, generation: u64) -> Result<()> {
        let name = path.display().to_string();
        let writing = || io(|| format!("writing {name}"));
        let file = File::create(path).map_err(writing())?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        Writer::new(&mut out, name.clone()).write(self.gathering, generation)?;
        let file = out.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.sync_all().map_err(writing())
    }
}

/// The hash of a folded spelling, when it and its registration can be kept.
pub(super) fn check(spelling: &str, registration: &Registration<'_>) -> Result<SpellingHash> {
    let mut codes = [0; MAX_UNITS];
    let mut units = 0;
    for (code, c) in codes.iter_mut().zip(spelling.chars()) {
        *code = c as u32;
        units += 1;
    }
    let codes = &codes[..units];
    let refuse = |why: String| {
        let (number, spelling) = (registration.number.to_owned(), spelling.to_owned());
        Err(RegistryError::Registration { number, spelling, why })
    };
    // A unit is never 0: beyond the end of a text that is what there is.
    if units == 0 || spelling.chars().nth(MAX_UNITS).is_some() || codes.contains(&0) {
        let units = spelling.chars().count();
        return refuse(format!("it has {units} letters once folded, 1 to {MAX_UNITS} can be found"));
    }
    match registration.fault() {
        Some(why) => refuse(why),
        None => Ok(SpellingHash::new(codes)),
    }
}

/// The name a file has until all of it is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

/// Makes the name of the file at `path` last.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(io(|| format!("syncing the folder {}", folder.display())))
}

/// Writes a file from its beginning to its end.
struct Writer<'a> {
    out: &'a mut dyn Write,
    name: String,
    at: u64,
    crc: u32,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut dyn Write, name: String) -> Self {
        Self { out, name, at: 0, crc: 0 }
    }

    fn write(mut self, gathering: Gathering, generation: u64) -> Result<()> {
        let mut footer = Footer { generation, ..Footer::default() };
        let mut filters = FilterBuilder::new(gathering.pairs(), gathering.longer());
        let mut gathered = gathering.finish()?;
        self.put(&MAGIC)?;
        self.fill()?;
        let mut parts = Vec::with_capacity(PARTS);
        for part in 0..=u8::MAX {
            let content = Content::gather(&mut gathered, part, &mut filters)?;
            footer.registrations += content.registered;
            footer.spellings += u64::from(content.spellings);
            parts.push(self.part(content)?);
        }
        footer.lengths = filters.lengths;
        footer.filters = self.at;
        footer.pairs = filters.pairs.len() as u32;
        footer.triples = filters.triples.len() as u32;
        footer.filters_crc = self.filters(&filters)?;
        let directory = encode_directory(&parts);
        footer.directory_crc = crc32c::crc32c(&directory);
        self.put(&directory)?;
        footer.length = self.at + FOOTER_BYTES as u64;
        self.put(&footer.encode())
    }

    fn part(&mut self, content: Content) -> Result<Part> {
        let begin = self.at;
        let (lines, buckets) = content.lines();
        self.crc = 0;
        for line in &lines {
            self.put(line)?;
        }
        self.put(&content.spelling_bytes)?;
        self.put(&content.registration_bytes)?;
        self.fill()?;
        Ok(Part {
            begin,
            lines: lines.len() as u32,
            buckets,
            spelling_bytes: content.spelling_bytes.len() as u32,
            registration_bytes: content.registration_bytes.len() as u32,
            spellings: content.spellings,
            crc: self.crc,
        })
    }

    fn filters(&mut self, filters: &FilterBuilder) -> Result<u32> {
        self.crc = 0;
        let mut bytes = Vec::with_capacity(BUFFER_BYTES);
        for words in filters.singles.chunks(BUFFER_BYTES / 8) {
            self.numbers(&mut bytes, words.iter().map(|word| word.to_le_bytes()))?;
        }
        self.numbers(&mut bytes, filters.beginnings.iter().map(|classes| classes.to_le_bytes()))?;
        for words in filters.pairs.chunks(BUFFER_BYTES / 8) {
            self.numbers(&mut bytes, words.iter().map(|word| word.to_le_bytes()))?;
        }
        self.fill()?;
        for words in filters.triples.chunks(BUFFER_BYTES / 8) {
            self.numbers(&mut bytes, words.iter().map(|word| word.to_le_bytes()))?;
        }
        self.fill()?;
        Ok(self.crc)
    }

    fn numbers<const N: usize>(&mut self, bytes: &mut Vec<u8>, numbers: impl Iterator<Item = [u8; N]>) -> Result<()> {
        bytes.clear();
        bytes.extend(numbers.flatten());
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|source| self.failed(source))?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Zeros up to the next line.
    fn fill(&mut self) -> Result<()> {
        let missing = aligned(self.at) - self.at;
        self.put(&[0; LINE_BYTES][..missing as usize])
    }

    fn failed(&self, source: io::Error) -> RegistryError {
        RegistryError::Io { what: format!("writing {}", self.name), source }
    }
}

/// What a part holds.
#[derive(Debug, Default)]
struct Content {
    /// Each spelling's hash and place, in the order of the hashes.
    slots: Vec<(SpellingHash, u32)>,
    spelling_bytes: Vec<u8>,
    registration_bytes: Vec<u8>,
    spellings: u32,
    registered: u64,
}

impl Content {
    fn gather(gathered: &mut Gathered, number: u8, filters: &mut FilterBuilder) -> Result<Self> {
        let mut content = Self::default();
        let mut codes = Vec::new();
        let part = gathered.part(number)?;
        for same in part.groups() {
            // Spellings with the same hash are hardly ever more than one.
            let mut left: Vec<_> = same.iter().map(|record| part.read(record)).collect();
            while let Some(&(spelling, _)) = left.first() {
                content.spelling(same[0].hash, spelling, &left)?;
                codes.clear();
                codes.extend(spelling.chars().map(|c| c as u32));
                filters.add(&codes);
                left.retain(|(other, _)| *other != spelling);
            }
        }
        Ok(content)
    }

    /// Adds a spelling with those of `records` that are its own.
    fn spelling(&mut self, hash: SpellingHash, spelling: &str, records: &[(&str, &[u8])]) -> Result<()> {
        let full =
            |what: &str| Err(RegistryError::TooLarge { what: format!("a part has more {what} than it can hold") });
        let own = records.iter().filter(|(other, _)| *other == spelling);
        let Some(at) = u32::try_from(self.spelling_bytes.len()).ok().filter(|at| *at < RAN_OVER - 512) else {
            return full("spellings");
        };
        let Ok(registrations) = u32::try_from(self.registration_bytes.len()) else { return full("registrations") };
        self.slots.push((hash, at));
        self.spelling_bytes.extend_from_slice(&registrations.to_le_bytes());
        self.spelling_bytes.push(spelling.len() as u8);
        self.spelling_bytes.extend_from_slice(spelling.as_bytes());
        self.registration_bytes.extend_from_slice(&(own.clone().count() as u32).to_le_bytes());
        for (_, registration) in own {
            self.registration_bytes.extend_from_slice(registration);
            self.registered += 1;
        }
        self.spellings += 1;
        if u32::try_from(self.registration_bytes.len()).is_err() { full("registrations") } else { Ok(()) }
    }

    /// The part's lines, and how many of them hashes are spread over.
    fn lines(&self) -> (Vec<[u8; LINE_BYTES]>, u32) {
        let buckets = (u64::from(self.spellings) * 10 / TENTHS_A_LINE + 1) as u32;
        let mut lines = vec![[0; LINE_BYTES]; buckets as usize];
        // In the order of hashes lines fill from the first to the last; what runs over goes on.
        let (mut line, mut slot) = (0, 0);
        for &(hash, at) in &self.slots {
            let bucket = hash.bucket(buckets) as usize;
            if bucket > line {
                (line, slot) = (bucket, 0);
            }
            if slot == SLOTS {
                let last = LINE_BYTES - 1;
                lines[line][last] |= (RAN_OVER >> 24) as u8;
                (line, slot) = (line + 1, 0);
                if line == lines.len() {
                    lines.push([0; LINE_BYTES]);
                }
            }
            let half = LINE_BYTES / 2;
            lines[line][slot * 4..slot * 4 + 4].copy_from_slice(&hash.print().to_le_bytes());
            lines[line][half + slot * 4..half + slot * 4 + 4].copy_from_slice(&(at + 1).to_le_bytes());
            slot += 1;
        }
        (lines, buckets)
    }
}
