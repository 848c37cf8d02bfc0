//! A registry file, open for reading by many.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    error::{RegistryError, Result, damaged, io},
    filter::Filters,
    hash::SpellingHash,
    layout::{
        DIRECTORY_BYTES, FOOTER_BYTES, FORMAT, Footer, LINE_BYTES, MAGIC, PARTS, Part, RAN_OVER, SLOTS, Wrong,
        decode_directory, number32,
    },
    map::Bytes,
    registration::Registration,
};

/// Bytes before a spelling: where its registrations begin, and its length.
pub(super) const SPELLING_HEAD: usize = 5;

/// Spellings and their registrations in one file that never changes.
#[derive(Debug)]
pub struct Base {
    path: PathBuf,
    bytes: Bytes,
    footer: Footer,
    parts: Box<[Part; PARTS]>,
    places: Box<[PartPlace; PARTS]>,
    filters: [Range<usize>; 4],
}

/// What a look-up needs of a part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PartPlace {
    /// The number of its first line, counted from the beginning of the file.
    pub first_line: usize,
    pub lines: u32,
    pub buckets: u32,
    /// Where its spellings begin.
    pub spellings: usize,
}

/// Where a spelling is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SpellingPlace {
    pub part: u8,
    pub at: u32,
}

impl Base {
    /// Opens the file at `path`: its footer and directory are checked, its length, and that all sections lie inside.
    ///
    /// That takes no longer for a large file. Whether every byte is as it was written says [`verify`](Self::verify).
    ///
    /// # Errors
    /// When it cannot be read, is no registry, damaged, or of a newer format.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path).map_err(io(|| format!("opening {}", path.display())))?;
        Self::check(path.to_owned(), bytes)
    }

    /// Opens a file's bytes that are in memory already; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::check(PathBuf::from(name), Bytes::Owned(bytes))
    }

    fn check(path: PathBuf, bytes: Bytes) -> Result<Self> {
        let broken = |what: &str| damaged(&path, what);
        if !bytes.starts_with(&MAGIC) {
            return Err(broken("it is no registry"));
        }
        let Some((before, footer)) = bytes.split_last_chunk::<FOOTER_BYTES>() else {
            return Err(broken("its end is missing"));
        };
        let footer = Footer::decode(footer).map_err(|wrong| match wrong {
            Wrong::Foreign => broken("its end is missing"),
            Wrong::Broken => broken("its footer does not match its checksum"),
            Wrong::Newer(found) => RegistryError::Newer { path: path.display().to_string(), found, supported: FORMAT },
        })?;
        if footer.length != bytes.len() as u64 {
            return Err(broken("it is not as long as its footer says"));
        }
        let directory = before
            .split_last_chunk::<DIRECTORY_BYTES>()
            .filter(|(_, directory)| crc32c::crc32c(*directory) == footer.directory_crc);
        let Some((body, directory)) = directory else {
            return Err(broken("its directory does not match its checksum"));
        };
        let parts = decode_directory(directory, &footer);
        let filters = footer.filters().and_then(|filters| inside(filters, body.len()));
        let places = parts.as_ref().and_then(|parts| places(parts, body.len()));
        let (Some(parts), Some(filters), Some(places)) = (parts, filters, places) else {
            return Err(broken("its directory does not fit the file"));
        };
        Ok(Self { path, bytes, footer, parts, places, filters })
    }

    /// Reads all of it and holds it against its checksums.
    ///
    /// # Errors
    /// When a byte is not as it was written.
    pub fn verify(&self) -> Result<()> {
        (0..=u8::MAX).try_for_each(|part| self.verify_part(part))?;
        let filters = self.slice(self.footer.filters..self.filters_end()).unwrap_or_default();
        if crc32c::crc32c(filters) != self.footer.filters_crc {
            return Err(damaged(&self.path, "its filters do not match their checksum"));
        }
        let head = self.bytes.first_chunk::<LINE_BYTES>();
        if head.is_none_or(|head| head[MAGIC.len()..].iter().any(|byte| *byte != 0)) {
            return Err(damaged(&self.path, "its first line is not as it was written"));
        }
        Ok(())
    }

    fn verify_part(&self, number: u8) -> Result<()> {
        let part = &self.parts[usize::from(number)];
        let bytes = self.slice(part.begin..part.end()).unwrap_or_default();
        if crc32c::crc32c(bytes) != part.crc {
            return Err(damaged(&self.path, format!("part {number} does not match its checksum")));
        }
        Ok(())
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which generation of the registry it is.
    pub fn generation(&self) -> u64 {
        self.footer.generation
    }

    /// How many spellings it has.
    pub fn spellings(&self) -> u64 {
        self.footer.spellings
    }

    /// How many registrations it has, counted once for each spelling.
    pub fn registrations(&self) -> u64 {
        self.footer.registrations
    }

    /// The file's bytes by what they hold.
    pub fn sizes(&self) -> Sizes {
        let sum = |of: fn(&Part) -> u64| self.parts.iter().map(of).sum();
        let heads = self.footer.spellings * SPELLING_HEAD as u64;
        let spellings = sum(|part| u64::from(part.spelling_bytes)) - heads.min(sum(|part| part.spelling_bytes.into()));
        let registrations = sum(|part| u64::from(part.registration_bytes));
        Sizes { index: self.footer.length - spellings - registrations, spellings, registrations }
    }

    /// Every spelling with its registrations, in no order that means anything.
    ///
    /// Each part is held against its checksum before anything of it is given: what is copied from a damaged file would look
    /// sound in the copy. An error stands for a whole part.
    pub fn entries(&self) -> impl Iterator<Item = Result<(&str, Registrations<'_>)>> {
        (0..=u8::MAX).flat_map(move |part| {
            let mut wrong = self.verify_part(part).err();
            let mut at = 0;
            let end = self.parts[usize::from(part)].spelling_bytes;
            std::iter::from_fn(move || {
                if let Some(wrong) = wrong.take() {
                    at = end;
                    return Some(Err(wrong));
                }
                if at >= end {
                    return None;
                }
                let place = SpellingPlace { part, at };
                let spelling = self.spelling(place).and_then(|bytes| std::str::from_utf8(bytes).ok());
                let Some(spelling) = spelling else {
                    at = end;
                    return Some(Err(damaged(&self.path, format!("part {part} has a spelling that cannot be read"))));
                };
                at += (SPELLING_HEAD + spelling.len()) as u32;
                Some(Ok((spelling, self.registrations_of(place))))
            })
        })
    }

    /// Where `folded` is kept, if it is.
    pub(super) fn place_of(&self, folded: &str) -> Option<SpellingPlace> {
        let codes: Vec<u32> = folded.chars().map(|c| c as u32).collect();
        let hash = SpellingHash::new(&codes);
        let mut found = None;
        self.probe(hash, |at| {
            let place = SpellingPlace { part: hash.part(), at };
            if self.spelling(place) == Some(folded.as_bytes()) {
                found = Some(place);
            }
        });
        found
    }

    /// The places at which a spelling with `hash` may be, a line and those that it ran over into.
    pub(super) fn probe(&self, hash: SpellingHash, mut found: impl FnMut(u32)) {
        let place = self.places[usize::from(hash.part())];
        for line in hash.bucket(place.buckets)..place.lines {
            let Some(line) = self.lines().get(place.first_line + line as usize) else { break };
            let slot = |slot: usize| (number32(line, slot * 4), number32(line, LINE_BYTES / 2 + slot * 4));
            for (print, at) in (0..SLOTS).map(slot) {
                if let Some(at) = (at & !RAN_OVER).checked_sub(1).filter(|_| print == hash.print()) {
                    found(at);
                }
            }
            if slot(SLOTS - 1).1 & RAN_OVER == 0 {
                break;
            }
        }
    }

    /// The bytes of the spelling at a place.
    pub(super) fn spelling(&self, place: SpellingPlace) -> Option<&[u8]> {
        let part = self.parts[usize::from(place.part)];
        if place.at >= part.spelling_bytes {
            return None;
        }
        let begin = self.places[usize::from(place.part)].spellings + place.at as usize;
        let rest = self.bytes.get(begin..)?;
        let length = usize::from(*rest.get(4)?);
        rest.get(SPELLING_HEAD..SPELLING_HEAD + length)
    }

    /// The registrations of the spelling at a place.
    pub(super) fn registrations_of(&self, place: SpellingPlace) -> Registrations<'_> {
        let read = || {
            let part = self.parts[usize::from(place.part)];
            let begin = self.places[usize::from(place.part)].spellings + place.at as usize;
            let at = number32(self.bytes.get(begin..begin + 4)?, 0);
            let (count, rest) = self.slice(part.registrations())?.get(at as usize..)?.split_first_chunk()?;
            Some(Registrations { left: u32::from_le_bytes(*count), rest })
        };
        read().unwrap_or(Registrations { left: 0, rest: &[] })
    }

    pub(super) fn places(&self) -> &[PartPlace; PARTS] {
        &self.places
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole file as lines.
    pub(super) fn lines(&self) -> &[[u8; LINE_BYTES]] {
        self.bytes.as_chunks().0
    }

    /// Bit `n` set when there are spellings of `n` units.
    pub(super) fn lengths(&self) -> u64 {
        self.footer.lengths
    }

    pub(super) fn filters(&self) -> Filters<'_> {
        let [singles, beginnings, pairs, triples] = self.filters.clone();
        let section = |range: Range<usize>| self.bytes.get(range).unwrap_or_default();
        Filters {
            singles: section(singles).as_chunks().0,
            beginnings: section(beginnings).as_chunks().0,
            pairs: section(pairs).as_chunks().0,
            triples: section(triples).as_chunks().0,
        }
    }

    fn filters_end(&self) -> u64 {
        self.footer.length - (FOOTER_BYTES + DIRECTORY_BYTES) as u64
    }

    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

/// A file's bytes by what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Everything beside the spellings and the registrations: what finding needs at hand.
    pub index: u64,
    /// The spellings in UTF-8.
    pub spellings: u64,
    /// The registrations, read only for what was found.
    pub registrations: u64,
}

/// The registrations of one spelling.
#[derive(Debug, Clone)]
pub struct Registrations<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for Registrations<'a> {
    type Item = Registration<'a>;

    fn next(&mut self) -> Option<Registration<'a>> {
        self.left = self.left.checked_sub(1)?;
        let read = Registration::read(self.rest);
        let (registration, rest) = read.or_else(|| {
            self.left = 0;
            None
        })?;
        self.rest = rest;
        Some(registration)
    }
}

/// The ranges, when they end where the body does.
fn inside(filters: [Range<u64>; 4], body: usize) -> Option<[Range<usize>; 4]> {
    if filters[3].end.checked_next_multiple_of(LINE_BYTES as u64)? != body as u64 {
        return None;
    }
    // All of them end before the body does, which is a length in memory.
    Some(filters.map(|range| range.start as usize..range.end as usize))
}

fn places(parts: &[Part; PARTS], body: usize) -> Option<Box<[PartPlace; PARTS]>> {
    let mut places = Box::new([PartPlace::default(); PARTS]);
    for (place, part) in places.iter_mut().zip(parts) {
        if part.end() > body as u64 {
            return None;
        }
        *place = PartPlace {
            first_line: usize::try_from(part.begin).ok()? / LINE_BYTES,
            lines: part.lines,
            buckets: part.buckets,
            spellings: usize::try_from(part.spellings().start).ok()?,
        };
    }
    Some(places)
}
