//! A segment: up to 32,768 listings in one file that never changes, with the index of their pairs.
//!
//! ```text
//! magic · print of the fold · blocks of 8 listings, each listing compressed by itself · groups · tables · footer
//! group of a first character: how many seconds · (second, end of its listings)… · the listings, as differences
//! tables: an identity hash for each listing · (offset, length, crc) for each block · (first, offset, length, crc) for each group ·
//!   the number of each listing's category · the categories
//! ```
//! Everything that is read is held against a checksum first: tables when the file is opened, a block or group when it is asked.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    ArchiveError,
    pairs::{CHAR_BITS, fold_print},
};
use crate::model::Listing;

/// Listings of a full segment; a listing's number in it has 15 bits.
pub(super) const MAX_LISTINGS: usize = 1 << ID_BITS;
/// Pairs of a full segment: what sorting them takes in memory is bounded too.
pub(super) const MAX_PAIRS: usize = 16 << 20;
/// Listings of a block.
pub(super) const BLOCK: usize = 8;
const ID_BITS: u32 = 15;
const MAGIC: &[u8; 8] = b"mwarch\x00\x02";
const HEAD_BYTES: u64 = 16;
const FOOTER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 20;
/// Bytes of a listing when it is unpacked, at most.
const MAX_LISTING_BYTES: usize = 256 << 20;
/// Fast to unpack: Chinese text hardly shrinks by more, and a trial unpacks every listing that it is shown.
const LEVEL: i32 = -3;
/// Categories of a segment that are told apart, and bytes of one; a listing of any other is of a category not told.
const MAX_CATEGORIES: usize = 60_000;
const MAX_CATEGORY_BYTES: usize = 1 << 10;
/// The number of a category that is not told.
const UNTOLD: u16 = u16::MAX;
/// Between the parts of a category.
const PART: char = '\u{1f}';

/// Where a block or a group stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The first character of a group; 0 for a block.
    first: u32,
    offset: u64,
    length: u32,
    crc: u32,
}

/// A few listings, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub ids: Vec<u64>,
    /// Pair, and the number of the listing in the block.
    pub pairs: Vec<(u64, u8)>,
    /// The category of each listing; none where it cannot be told apart from another.
    categories: Vec<Option<String>>,
    packed: Vec<u8>,
}

impl Block {
    /// Packs `listings`, at most [`BLOCK`] of them.
    pub fn pack(listings: &[Listing]) -> io::Result<Self> {
        let mut block = Self::default();
        for (number, listing) in listings.iter().take(BLOCK).enumerate() {
            block.ids.push(identity(listing));
            block.pairs.extend(super::pairs::pairs(listing).into_iter().map(|pair| (pair, number as u8)));
            let plain = !listing.category.iter().any(|part| part.contains(PART));
            block.categories.push(plain.then(|| listing.category.join(&PART.to_string())));
            let text = serde_json::to_vec(listing)?;
            if text.len() > MAX_LISTING_BYTES {
                return Err(io::Error::other("a listing of more than 256 MiB"));
            }
            let packed = zstd::bulk::compress(&text, LEVEL)?;
            let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
            block.packed.extend(length.to_le_bytes());
            block.packed.extend(packed);
        }
        Ok(block)
    }
}

/// What tells a listing from others: from its platform and id; 0 where it has no id, which is like no other.
pub(super) fn identity(listing: &Listing) -> u64 {
    if listing.id.is_empty() {
        return 0;
    }
    let mut hasher = Sha256::new();
    hasher.update(listing.platform.as_deref().unwrap_or(""));
    hasher.update([0]);
    hasher.update(&listing.id);
    hasher.finalize().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte)).max(1)
}

/// Writes a segment.
pub(super) struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    at: u64,
    ids: Vec<u64>,
    blocks: Vec<Place>,
    pairs: Vec<u64>,
    /// The number of each listing's category, and what is numbered so.
    categories: Vec<u16>,
    known: HashMap<String, u16>,
}

impl Writer {
    /// A new file at `path`.
    pub fn create(path: &Path) -> Result<Self, ArchiveError> {
        let made = || -> io::Result<BufWriter<File>> {
            let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
            out.write_all(MAGIC)?;
            out.write_all(&u64::from(fold_print()).to_le_bytes())?;
            Ok(out)
        };
        let out = made().map_err(|error| io_error(path, error))?;
        let (path, at) = (path.to_owned(), HEAD_BYTES);
        let (ids, blocks, pairs) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { path, out, at, ids, blocks, pairs, categories: Vec::new(), known: HashMap::new() })
    }

    /// Whether another full block has no room.
    pub fn is_full(&self) -> bool {
        self.ids.len() + BLOCK > MAX_LISTINGS || self.pairs.len() >= MAX_PAIRS
    }

    /// Adds a block.
    pub fn push(&mut self, block: Block) -> Result<(), ArchiveError> {
        let base = (self.blocks.len() * BLOCK) as u64;
        if base != self.ids.len() as u64 {
            let what = "only the last block of a segment may be short: a number is found by its block";
            return Err(damaged(&self.path, what));
        }
        self.ids.extend(&block.ids);
        for category in block.categories {
            let number = self.category(category);
            self.categories.push(number);
        }
        self.pairs.extend(block.pairs.iter().map(|&(pair, number)| pair << ID_BITS | (base + u64::from(number))));
        let place = self.put(0, &block.packed)?;
        self.blocks.push(place);
        Ok(())
    }

    /// The number of a category.
    fn category(&mut self, category: Option<String>) -> u16 {
        let Some(category) = category else { return UNTOLD };
        if category.len() > MAX_CATEGORY_BYTES || self.known.len() >= MAX_CATEGORIES {
            return self.known.get(&category).copied().unwrap_or(UNTOLD);
        }
        let next = self.known.len() as u16;
        *self.known.entry(category).or_insert(next)
    }

    fn put(&mut self, first: u32, bytes: &[u8]) -> Result<Place, ArchiveError> {
        self.out.write_all(bytes).map_err(|error| io_error(&self.path, error))?;
        let place = Place { first, offset: self.at, length: bytes.len() as u32, crc: crc32c::crc32c(bytes) };
        self.at += bytes.len() as u64;
        Ok(place)
    }

    /// Sorts and writes the index, tables and footer, and syncs; gives the file's length.
    pub fn finish(mut self) -> Result<u64, ArchiveError> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.sort_unstable();
        let mut groups = Vec::new();
        for group in pairs.chunk_by(|a, b| a >> (CHAR_BITS + ID_BITS) == b >> (CHAR_BITS + ID_BITS)) {
            let first = group.first().map_or(0, |pair| (pair >> (CHAR_BITS + ID_BITS)) as u32);
            groups.push(self.put(first, &encode(group))?);
        }
        let mut tables = Vec::with_capacity(self.ids.len() * 8 + (self.blocks.len() + groups.len()) * ENTRY_BYTES);
        self.ids.iter().for_each(|id| tables.extend(id.to_le_bytes()));
        for place in self.blocks.iter().chain(&groups) {
            tables.extend(place.first.to_le_bytes());
            tables.extend(place.offset.to_le_bytes());
            tables.extend(place.length.to_le_bytes());
            tables.extend(place.crc.to_le_bytes());
        }
        self.categories.iter().for_each(|number| tables.extend(number.to_le_bytes()));
        let mut known: Vec<(u16, &String)> = self.known.iter().map(|(category, number)| (*number, category)).collect();
        known.sort_unstable();
        for (_, category) in known {
            tables.extend((category.len() as u32).to_le_bytes());
            tables.extend(category.as_bytes());
        }
        let at = self.at;
        let crc = crc32c::crc32c(&tables);
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        for number in [self.ids.len() as u64, self.blocks.len() as u64, groups.len() as u64, at, u64::from(crc)] {
            footer.extend(number.to_le_bytes());
        }
        footer.extend(u64::from(crc32c::crc32c(&footer)).to_le_bytes());
        let length = at + (tables.len() + footer.len()) as u64;
        let mut end = || -> io::Result<()> {
            self.out.write_all(&tables)?;
            self.out.write_all(&footer)?;
            self.out.flush()?;
            self.out.get_ref().sync_all()
        };
        end().map_err(|error| io_error(&self.path, error))?;
        Ok(length)
    }
}

/// A group: pairs with one first character, ascending.
fn encode(group: &[u64]) -> Vec<u8> {
    let (mut seconds, mut lists) = (Vec::new(), Vec::new());
    for same in group.chunk_by(|a, b| a >> ID_BITS == b >> ID_BITS) {
        let mut before = 0;
        for pair in same {
            let id = (pair & ((1 << ID_BITS) - 1)) as u32 + 1;
            varint(id - before, &mut lists);
            before = id;
        }
        let second = same.first().map_or(0, |pair| (pair >> ID_BITS) as u32 & ((1 << CHAR_BITS) - 1));
        seconds.extend(second.to_le_bytes());
        seconds.extend((lists.len() as u32).to_le_bytes());
    }
    let mut group = ((seconds.len() / 8) as u32).to_le_bytes().to_vec();
    group.extend(seconds);
    group.extend(lists);
    group
}

fn varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The listings of one second character in a group.
#[derive(Debug)]
pub(super) struct Group {
    bytes: Vec<u8>,
    seconds: usize,
}

impl Group {
    fn read(bytes: Vec<u8>) -> Option<Self> {
        let seconds = usize::try_from(number_at(&bytes, 0)?).ok()?;
        (4 + seconds.checked_mul(8)? <= bytes.len()).then_some(Self { bytes, seconds })
    }

    /// The bytes of the listings of `second`.
    pub fn of(&self, second: u32) -> Option<&[u8]> {
        let at = |index: usize| number_at(&self.bytes, 4 + 8 * index).unwrap_or(u32::MAX);
        let (mut low, mut high) = (0, self.seconds);
        while low < high {
            let middle = low + (high - low) / 2;
            if at(middle) < second { low = middle + 1 } else { high = middle }
        }
        if low >= self.seconds || at(low) != second {
            return None;
        }
        let end = |index: usize| number_at(&self.bytes, 8 + 8 * index).unwrap_or(0) as usize;
        let start = if low == 0 { 0 } else { end(low - 1) };
        self.bytes.get(4 + 8 * self.seconds..)?.get(start..end(low))
    }

    /// The bytes of the listings of every second character, one after the other.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.seconds).filter_map(|index| self.of(number_at(&self.bytes, 4 + 8 * index)?))
    }
}

/// The numbers in the bytes of a list of listings, ascending.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut rest = bytes.iter();
    let mut before = 0_usize;
    std::iter::from_fn(move || {
        let (mut difference, mut shift) = (0_usize, 0);
        loop {
            let byte = *rest.next()?;
            difference |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
        before = before.checked_add(difference)?;
        before.checked_sub(1)
    })
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn long_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// A segment that is read.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    /// What tells each listing from others.
    pub ids: Vec<u64>,
    blocks: Vec<Place>,
    groups: Vec<Place>,
    /// The number of each listing's category, and the categories.
    categories: Vec<u16>,
    known: Vec<String>,
}

impl Segment {
    /// Opens the file at `path`; its tables are held against their checksum.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(path, "the file is gone"),
            _ => io_error(path, error),
        })?;
        let length = file.metadata().map_err(|error| io_error(path, error))?.len();
        let segment = Self {
            path: path.to_owned(),
            file,
            length,
            ids: Vec::new(),
            blocks: Vec::new(),
            groups: Vec::new(),
            categories: Vec::new(),
            known: Vec::new(),
        };
        segment.with_tables()
    }

    fn with_tables(mut self) -> Result<Self, ArchiveError> {
        let wrong = |what: &str| damaged(&self.path, what);
        let head = self.bytes(0, HEAD_BYTES as usize)?;
        if head.get(..8) != Some(MAGIC.as_slice()) {
            return Err(ArchiveError::Foreign(format!("{} is in another form", self.path.display())));
        }
        if long_at(&head, 8) != Some(u64::from(fold_print())) {
            return Err(ArchiveError::Foreign("it was folded by other tables".into()));
        }
        let from = self.length.checked_sub(FOOTER_BYTES as u64).ok_or_else(|| wrong("it is too short"))?;
        let footer = self.bytes(from, FOOTER_BYTES)?;
        let number = |index: usize| long_at(&footer, 8 * index).unwrap_or(u64::MAX);
        if number(5) != u64::from(crc32c::crc32c(footer.get(..40).unwrap_or_default())) {
            return Err(wrong("its footer does not fit"));
        }
        let [ids, blocks, groups, at] = [number(0), number(1), number(2), number(3)].map(|n| n as usize);
        let fits = ids <= MAX_LISTINGS && blocks <= MAX_LISTINGS && groups <= 1 << CHAR_BITS;
        let places = if fits { ids * 8 + (blocks + groups) * ENTRY_BYTES } else { 0 };
        let names = if fits { places + 2 * ids } else { 0 };
        let bytes = from.checked_sub(at as u64).and_then(|bytes| usize::try_from(bytes).ok());
        let most = names + (MAX_CATEGORIES + 1) * (MAX_CATEGORY_BYTES + 4);
        let Some(bytes) = bytes.filter(|bytes| fits && (names..most).contains(bytes)) else {
            return Err(wrong("its tables do not fit"));
        };
        let tables = self.bytes(at as u64, bytes)?;
        if u64::from(crc32c::crc32c(&tables)) != number(4) {
            return Err(wrong("its tables have another checksum"));
        }
        let place = |index: usize| -> Option<Place> {
            let at = ids * 8 + index * ENTRY_BYTES;
            let (first, offset) = (number_at(&tables, at)?, long_at(&tables, at + 4)?);
            Some(Place { first, offset, length: number_at(&tables, at + 12)?, crc: number_at(&tables, at + 16)? })
        };
        self.ids = (0..ids).filter_map(|index| long_at(&tables, 8 * index)).collect();
        self.blocks = (0..blocks).filter_map(place).collect();
        self.groups = (blocks..blocks + groups).filter_map(place).collect();
        let number = |two: &[u8]| two.iter().rev().fold(0_u16, |number, byte| number << 8 | u16::from(*byte));
        self.categories = tables.get(places..names).unwrap_or_default().chunks(2).map(number).collect();
        let mut rest = tables.get(names..).unwrap_or_default();
        while let Some(length) = number_at(rest, 0) {
            let name = rest.get(4..).and_then(|rest| rest.get(..length as usize));
            let name =
                name.and_then(|name| str::from_utf8(name).ok()).ok_or_else(|| wrong("its categories do not fit"))?;
            self.known.push(name.to_owned());
            rest = rest.get(4 + length as usize..).unwrap_or_default();
        }
        Ok(self)
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Whether the category of each listing, part by part, is let through by `reaches`; one that is not told is.
    pub fn of_categories(&self, reaches: &dyn Fn(&[&str]) -> bool) -> impl Iterator<Item = bool> {
        let asked = self.known.iter().map(|category| {
            let parts: Vec<&str> = category.split(PART).filter(|part| !part.is_empty()).collect();
            reaches(&parts)
        });
        let let_through: Vec<bool> = asked.collect();
        self.categories.iter().map(move |number| let_through.get(usize::from(*number)).copied().unwrap_or(true))
    }

    /// The listings with these numbers in the block number `block`.
    pub fn listings(
        &self,
        block: usize,
        wanted: impl Fn(usize) -> bool,
        unpacker: &mut Unpacker,
    ) -> Result<Vec<Listing>, ArchiveError> {
        let place = *self.blocks.get(block).ok_or_else(|| damaged(&self.path, "a block is not there"))?;
        let block_bytes = self.checked(place)?;
        let (mut listings, mut at) = (Vec::new(), 0);
        for number in block * BLOCK.. {
            let Some(length) = number_at(&block_bytes, at) else { break };
            let from = at + 4;
            at = from + length as usize;
            let packed = block_bytes.get(from..at).ok_or_else(|| damaged(&self.path, "a block ends early"))?;
            if wanted(number) {
                let text = unpacker.unpack(packed).map_err(|error| damaged(&self.path, &error.to_string()))?;
                let read = serde_json::from_slice(text);
                listings
                    .push(read.map_err(|error| damaged(&self.path, &format!("a listing cannot be read: {error}")))?);
            }
        }
        Ok(listings)
    }

    /// The group of the character `first`, if any text has it.
    pub fn group(&self, first: u32) -> Result<Option<Group>, ArchiveError> {
        let Ok(index) = self.groups.binary_search_by_key(&first, |place| place.first) else { return Ok(None) };
        let Some(place) = self.groups.get(index) else { return Ok(None) };
        let read = Group::read(self.checked(*place)?);
        read.map(Some).ok_or_else(|| damaged(&self.path, "a group does not fit"))
    }

    fn checked(&self, place: Place) -> Result<Vec<u8>, ArchiveError> {
        let bytes = self.bytes(place.offset, place.length as usize)?;
        if crc32c::crc32c(&bytes) == place.crc {
            Ok(bytes)
        } else {
            Err(damaged(&self.path, &format!("the bytes from {} have another checksum", place.offset)))
        }
    }

    fn bytes(&self, from: u64, length: usize) -> Result<Vec<u8>, ArchiveError> {
        if from.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(damaged(&self.path, "it ends early"));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, from).map_err(|error| io_error(&self.path, error))?;
        Ok(bytes)
    }
}

/// Unpacks listings one after the other: what that needs is made once.
pub(super) struct Unpacker {
    inner: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
}

impl Unpacker {
    pub fn new() -> io::Result<Self> {
        Ok(Self { inner: zstd::bulk::Decompressor::new()?, plain: Vec::new() })
    }

    fn unpack(&mut self, packed: &[u8]) -> io::Result<&[u8]> {
        self.plain.clear();
        self.plain.reserve(unpacked(packed));
        self.inner.decompress_to_buffer(packed, &mut self.plain)?;
        Ok(&self.plain)
    }
}

/// How large a listing is unpacked, as it says itself, within the bound.
fn unpacked(packed: &[u8]) -> usize {
    let said = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().unwrap_or(0);
    usize::try_from(said).unwrap_or(MAX_LISTING_BYTES).min(MAX_LISTING_BYTES)
}

pub(super) fn io_error(path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Io { file: path.display().to_string(), source }
}

pub(super) fn damaged(path: &Path, what: &str) -> ArchiveError {
    ArchiveError::Damaged { file: path.display().to_string(), what: what.to_owned() }
}
