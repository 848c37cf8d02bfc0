//! Which listings of a segment may have a rule's words.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    ArchiveError,
    pairs::CHAR_BITS,
    segment::{Group, Segment, numbers},
};
use crate::rules::Needles;

/// A set of listings of one segment.
#[derive(Debug, Clone)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn none(listings: usize) -> Self {
        Self(vec![0; listings.div_ceil(64)])
    }

    /// All of `listings`.
    pub fn all(listings: usize) -> Self {
        Self(vec![u64::MAX; listings.div_ceil(64)])
    }

    /// Those for which `are` says so, in their order.
    pub fn of(are: impl Iterator<Item = bool>) -> Self {
        let mut bits = Self(Vec::new());
        for (number, is) in are.enumerate() {
            if number.is_multiple_of(64) {
                bits.0.push(0);
            }
            if is {
                bits.set(number);
            }
        }
        bits
    }

    fn set(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }
}

/// The listings of `segment` that have what `needles` ask for: every pair of characters of a word, wherever each stands.
pub(super) fn candidates(segment: &Segment, needles: &Needles) -> Result<Bits, ArchiveError> {
    let mut asking = Asking { segment, groups: HashMap::new() };
    let none = || Bits::none(segment.ids.len());
    let mut all = none();
    for way in needles.ways() {
        let mut met = Bits::all(segment.ids.len());
        for part in way {
            let mut any = none();
            for word in part {
                asking.word(word, &mut any)?;
            }
            met.and(&any);
        }
        all.or(&met);
    }
    Ok(all)
}

struct Asking<'a> {
    segment: &'a Segment,
    groups: HashMap<u32, Option<Group>>,
}

impl Asking<'_> {
    fn group(&mut self, first: u32) -> Result<Option<&Group>, ArchiveError> {
        Ok(match self.groups.entry(first) {
            Entry::Occupied(known) => known.into_mut().as_ref(),
            Entry::Vacant(free) => free.insert(self.segment.group(first)?).as_ref(),
        })
    }

    /// Adds the listings that have every pair of `word`.
    fn word(&mut self, word: &str, found: &mut Bits) -> Result<(), ArchiveError> {
        let codes: Vec<u32> = word.chars().map(|c| c as u32).collect();
        if let [only] = codes[..] {
            if let Some(group) = self.group(only)? {
                group.all().flat_map(numbers).for_each(|number| found.set(number));
            }
            return Ok(());
        }
        let mut pairs: Vec<(u32, u32)> = codes.windows(2).map(|two| (two[0], two[1])).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut lengths = Vec::with_capacity(pairs.len());
        for &(first, second) in &pairs {
            let length = self.group(first)?.and_then(|group| group.of(second)).map_or(0, <[u8]>::len);
            lengths.push((length, first, second));
        }
        // The rarest first: the others only take away from it.
        lengths.sort_unstable();
        let mut left: Option<Vec<usize>> = None;
        for (_, first, second) in lengths {
            let list = self.group(first)?.and_then(|group| group.of(second)).unwrap_or_default();
            let next = match left {
                None => numbers(list).collect(),
                Some(left) => meet(left, numbers(list)),
            };
            if next.is_empty() {
                return Ok(());
            }
            left = Some(next);
        }
        // A word of no character stands everywhere.
        match left {
            Some(left) => left.into_iter().for_each(|number| found.set(number)),
            None => found.or(&Bits::all(self.segment.ids.len())),
        }
        Ok(())
    }
}

/// What is in both ascending rows.
fn meet(one: Vec<usize>, other: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut other = other.peekable();
    one.into_iter()
        .filter(|number| {
            while other.next_if(|candidate| candidate < number).is_some() {}
            other.peek() == Some(number)
        })
        .collect()
}

const _: () = assert!(CHAR_BITS == 21, "a character is a Unicode scalar value");
