//! What changed since a base was built.
//!
//! [`Changes`] gathers, keyed by jurisdiction and number; [`Delta`] is what readers need of it: the registrations that are
//! new or changed, found as those of a base are, and the names of all that no longer count in the base.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    base::Base,
    build::{Builder, check},
    error::{RegistryError, Result},
    registration::{NiceClasses, Registration},
};
use crate::model::MarkStatus;

/// Most registrations that may differ from the base before it must be compacted.
pub const MAX_CHANGES: usize = 4_000_000;
/// Most bytes that the new and changed registrations may take in memory, each counted once for each of its spellings.
pub const MAX_DELTA_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// Most spellings of one registration.
pub const MAX_SPELLINGS: usize = 255;

/// What an index takes beside a spelling and the texts of its registration.
const PLACE_BYTES: usize = 64;

/// A registration as it is from now on, with all its spellings; none when it is gone.
///
/// Whatever was known under its jurisdiction and number no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The registration.
    pub registration: Registration<'a>,
    /// What it is found by, folded.
    pub spellings: Vec<&'a str>,
}

impl<'a> Change<'a> {
    /// The registration is gone.
    pub fn removed(jurisdiction: &'a str, number: &'a str) -> Self {
        let registration = Registration {
            jurisdiction,
            number,
            holder: "",
            classes: NiceClasses::default(),
            status: MarkStatus::Dead,
            expires_on: None,
        };
        Self { registration, spellings: Vec::new() }
    }

    /// Says no to what cannot be kept.
    pub(super) fn check(&self) -> Result<()> {
        if self.spellings.len() > MAX_SPELLINGS {
            let why = format!("it has {} spellings, {MAX_SPELLINGS} are kept", self.spellings.len());
            let spelling = self.spellings.first().copied().unwrap_or_default().to_owned();
            return Err(RegistryError::Registration { number: self.registration.number.to_owned(), spelling, why });
        }
        if self.spellings.is_empty() {
            // What says that a registration is gone must be kept as well as the registration itself.
            return check("-", &self.registration).map(|_| ());
        }
        self.spellings.iter().try_for_each(|spelling| check(spelling, &self.registration).map(|_| ()))
    }

    /// What it takes in memory, in bytes, once it can be found.
    fn weight(&self) -> usize {
        let registration = &self.registration;
        let each =
            registration.jurisdiction.len() + registration.number.len() + registration.holder.len() + PLACE_BYTES;
        self.spellings.iter().map(|spelling| spelling.len() + each).sum::<usize>() + PLACE_BYTES
    }

    /// Its bytes: spellings 1, of each its bytes 1 and these, then the registration.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.spellings.len() as u8);
        for spelling in &self.spellings {
            out.push(spelling.len() as u8);
            out.extend_from_slice(spelling.as_bytes());
        }
        self.registration.write(out);
    }

    /// Reads what [`write`](Self::write) wrote, when `bytes` are that and no more.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&count, mut rest) = bytes.split_first()?;
        let mut spellings = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let (&length, after) = rest.split_first()?;
            let (spelling, after) = after.split_at_checked(usize::from(length))?;
            spellings.push(std::str::from_utf8(spelling).ok()?);
            rest = after;
        }
        let (registration, rest) = Registration::read(rest)?;
        let change = Self { registration, spellings };
        (rest.is_empty() && change.check().is_ok()).then_some(change)
    }
}

/// Changes by jurisdiction and number, the last of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// The name of a registration → its change.
    by_name: BTreeMap<Box<str>, Kept>,
    weight: usize,
}

/// A change as it is kept.
#[derive(Debug, Clone)]
struct Kept {
    bytes: Box<[u8]>,
    weight: usize,
}

impl Changes {
    /// Takes a change that was checked.
    pub fn put(&mut self, change: &Change<'_>) {
        let mut bytes = Vec::new();
        change.write(&mut bytes);
        self.keep(name(&change.registration), Kept { bytes: bytes.into(), weight: change.weight() });
    }

    /// Takes all of `later`.
    pub fn take(&mut self, later: &Self) {
        later.by_name.iter().for_each(|(name, kept)| self.keep(name.clone(), kept.clone()));
    }

    fn keep(&mut self, name: Box<str>, kept: Kept) {
        self.weight += kept.weight;
        if let Some(before) = self.by_name.insert(name, kept) {
            self.weight -= before.weight;
        }
    }

    /// Says no when there are too many, or would be with `more`.
    pub fn check(&self, more: &[Change<'_>]) -> Result<()> {
        if self.by_name.len() + more.len() > MAX_CHANGES {
            let what = format!("more than {MAX_CHANGES} registrations would differ from the base");
            return Err(RegistryError::TooMuch { what });
        }
        if self.weight + more.iter().map(Change::weight).sum::<usize>() > MAX_DELTA_BYTES {
            let what = format!("the changes since the base would take more than {MAX_DELTA_BYTES} bytes");
            return Err(RegistryError::TooMuch { what });
        }
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.by_name.values().filter_map(|kept| Change::read(&kept.bytes))
    }
}

/// The names of a registration, as one: no jurisdiction has a zero in it.
fn name(registration: &Registration<'_>) -> Box<str> {
    format!("{}\0{}", registration.jurisdiction, registration.number).into()
}

/// What changed since a base was built, for readers: it never changes.
#[derive(Debug)]
pub struct Delta {
    added: Base,
    /// Hash and name of every registration that no longer counts in the base, by hash.
    replaced: Vec<(u64, Box<str>)>,
}

impl Delta {
    pub(super) fn new(changes: &Changes) -> Result<Self> {
        let mut builder = Builder::in_memory();
        let mut replaced = Vec::with_capacity(changes.by_name.len());
        for change in changes.iter() {
            replaced.push((hash(&change.registration), name(&change.registration)));
            for spelling in &change.spellings {
                builder.add(spelling, &change.registration)?;
            }
        }
        replaced.sort_unstable();
        Ok(Self { added: builder.finish_in_memory("the changes since the base", 0)?, replaced })
    }

    /// How many registrations are new, changed or gone.
    pub fn len(&self) -> usize {
        self.replaced.len()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty()
    }

    /// The registrations that are new or changed.
    pub(super) fn added(&self) -> &Base {
        &self.added
    }

    /// Whether a registration of the base no longer counts.
    pub(super) fn replaces(&self, registration: &Registration<'_>) -> bool {
        if self.replaced.is_empty() {
            return false;
        }
        let hash = hash(registration);
        let first = self.replaced.partition_point(|(known, _)| *known < hash);
        let same = self.replaced.get(first..).unwrap_or_default().iter().take_while(|(known, _)| *known == hash);
        same.into_iter().any(|(_, name)| {
            let rest = name.strip_prefix(registration.jurisdiction).and_then(|rest| rest.strip_prefix('\0'));
            rest == Some(registration.number)
        })
    }
}

fn hash(registration: &Registration<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (registration.jurisdiction, registration.number).hash(&mut hasher);
    hasher.finish()
}
