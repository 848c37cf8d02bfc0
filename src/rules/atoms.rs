//! The words that call a rule, in one index over folded text.
//!
//! Main type: [`Atoms`], which finds all of them in one pass. A filter over four characters, and one over two for shorter
//! atoms, say where a text could begin one; what agrees is looked up in a sorted table behind a hash of its first four
//! characters. Built in a tenth of an automaton's time, which is what a change of the rules under a running server asks for.
//! Words that call nobody are looked up by `words` where a rule asks.

use std::ops::Range;

use crate::text::{
    Folded,
    ahead::{put, room, touch},
};

use super::words::Stock;

/// Places of words looked at on one surface; a text that brings more is hostile, and long since found.
const MAX_PLACES: usize = 65_536;
/// Most numbers of the atoms behind one hash that are compared one by one: some eight atoms.
const FEW: usize = 64;
/// Numbers before the characters of an atom: how many these are, and the atom's own.
const BEFORE: usize = 2;
/// Characters that an atom is looked up by; shorter ones have zeros behind them.
const HEAD: usize = 4;

/// Different words, each found wherever it stands.
#[derive(Debug, Default)]
pub(super) struct Atoms {
    /// The folded characters of all atoms by their heads' hashes, each with [`BEFORE`] before them: what is compared is one wait
    /// for memory.
    records: Vec<u32>,
    /// Where each atom begins in `records`.
    starts: Vec<u32>,
    /// Where in `records` the atoms of each hash of a head end.
    slots: Vec<u32>,
    /// The first two characters of atoms of two and three.
    begun: Filter,
    /// The heads of atoms of one, two, three, and of four characters and more.
    heads: [Filter; HEAD],
    /// Whether there are atoms of two or three characters, and of one.
    short: bool,
    single: bool,
}

/// What a look over a text needs; kept from one to the next, since making it would cost as much as the look.
#[derive(Debug, Default)]
pub(super) struct Room {
    codes: Vec<u32>,
    places: Vec<u32>,
    probes: Vec<Probe>,
    found: Vec<u32>,
}

/// A place where an atom of one length could begin, and the hash of its head.
#[derive(Debug, Clone, Copy)]
struct Probe {
    start: u32,
    slot: u32,
}

impl Atoms {
    /// Builds the index over `words` of `stock`; gives which atom each of them is.
    pub fn build(stock: &Stock, words: &[u32]) -> (Self, Vec<u32>) {
        let of_length = |length: usize| words.iter().filter(|word| stock.codes(**word).len() == length).count();
        let bits = (2 * words.len()).next_power_of_two().trailing_zeros().clamp(4, 22);
        let short = [of_length(1), of_length(2), of_length(3)];
        let long = words.len() - short.iter().sum::<usize>();
        let mut atoms = Self {
            slots: vec![0; (1 << bits) + 1],
            begun: Filter::new(16 * (short[1] + short[2])),
            heads: [short[0], short[1], short[2], long].map(|count| Filter::new(16 * count)),
            short: short[1] + short[2] > 0,
            single: short[0] > 0,
            ..Self::default()
        };
        let slot_of = |codes: &[u32]| slot(head(codes), bits);
        let mut sorted: Vec<(u32, u32)> =
            (0..).zip(words).map(|(index, word)| (slot_of(stock.codes(*word)), index)).collect();
        let codes = |index: u32| words.get(index as usize).map_or(&[][..], |word| stock.codes(*word));
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| codes(one.1).cmp(codes(other.1))));
        let mut of_words = vec![0; words.len()];
        for (slot, index) in sorted {
            let codes = codes(index);
            if atoms.starts.last().is_none_or(|last| atoms.codes(*last as usize) != codes) {
                atoms.add(codes);
            }
            let end = atoms.records.len() as u32;
            if let (Some(slot), Some(atom)) = (atoms.slots.get_mut(slot as usize + 1), of_words.get_mut(index as usize))
            {
                (*slot, *atom) = (end, atoms.starts.len() as u32 - 1);
            }
        }
        let mut reached = 0;
        for end in &mut atoms.slots {
            reached = reached.max(*end);
            *end = reached;
        }
        (atoms, of_words)
    }

    fn add(&mut self, codes: &[u32]) {
        let start = self.records.len() as u32;
        self.records.extend([codes.len() as u32, self.starts.len() as u32]);
        self.records.extend(codes);
        self.starts.push(start);
        if matches!(codes.len(), 2 | 3) {
            self.begun.add(head(codes.get(..2).unwrap_or(codes)));
        }
        if let Some(heads) = self.heads.get_mut(codes.len().clamp(1, HEAD) - 1) {
            heads.add(head(codes));
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The atoms that stand in `text`, each once, by number.
    pub fn found<'r>(&self, text: &Folded, space: &'r mut Room) -> &'r [u32] {
        space.found.clear();
        if self.len() > 0 {
            let Room { codes, places, probes, found } = space;
            codes.clear();
            codes.extend(text.codes());
            codes.extend([0; HEAD - 1]);
            let places = room(places, text.len());
            let count = match (self.short, self.single) {
                (false, false) => self.begin::<false, false>(codes, places),
                (true, false) => self.begin::<true, false>(codes, places),
                (_, true) => self.begin::<true, true>(codes, places),
            };
            self.narrow(codes, places.get(..count.min(MAX_PLACES)).unwrap_or_default(), probes);
            self.look(codes, probes, found);
            found.sort_unstable();
            found.dedup();
        }
        &space.found
    }

    /// Puts the places where an atom could begin into `places`; gives how many there are.
    fn begin<const SHORT: bool, const SINGLE: bool>(&self, codes: &[u32], places: &mut [u32]) -> usize {
        let [single, .., long] = &self.heads;
        let Some((&[first, second, third], rest)) = codes.split_first_chunk() else { return 0 };
        let (mut first, mut second, mut third, mut count) = (mix(first), mix(second), mix(third), 0);
        for (start, fourth) in (0..).zip(rest) {
            let fourth = mix(*fourth);
            let [one, two, _, four] = heads(first, second, third, fourth);
            (first, second, third) = (second, third, fourth);
            let mut any = long.has(four);
            if SHORT {
                any |= self.begun.has(two);
            }
            if SINGLE {
                any |= single.has(one);
            }
            put(places, &mut count, start, any);
        }
        count
    }

    /// Of `places` the lengths of the atoms that could begin there.
    fn narrow(&self, codes: &[u32], places: &[u32], probes: &mut Vec<Probe>) {
        let bits = (self.slots.len() - 1).trailing_zeros();
        probes.clear();
        for &start in places {
            let Some(window) = codes.get(start as usize..).and_then(|codes| codes.first_chunk::<HEAD>()) else {
                continue;
            };
            let [single, two, three, long] = &self.heads;
            let [first, second, third, fourth] = window.map(mix);
            let keys = heads(first, second, third, fourth);
            let mut add = |heads: &Filter, key: u64| {
                if heads.has(key) {
                    probes.push(Probe { start, slot: slot(key, bits) });
                }
            };
            add(long, keys[3]);
            if self.short {
                add(three, keys[2]);
                add(two, keys[1]);
            }
            if self.single {
                add(single, keys[0]);
            }
        }
    }

    /// Adds the atoms with which a text begins where it is probed.
    fn look(&self, codes: &[u32], probes: &[Probe], found: &mut Vec<u32>) {
        let bounds = |probe: &Probe| {
            let at = |slot: usize| self.slots.get(slot).copied().unwrap_or(0) as usize;
            at(probe.slot as usize)..at(probe.slot as usize + 1)
        };
        // Asks for all of them first, so that the waits for memory overlap.
        touch(probes.iter().map(|probe| bounds(probe).start as u32));
        touch(probes.iter().map(|probe| self.records.get(bounds(probe).start).copied().unwrap_or(0)));
        for probe in probes {
            let mut records = bounds(probe);
            let here = codes.get(probe.start as usize..).unwrap_or_default();
            if records.len() > FEW {
                self.look_among(records, here, found);
                continue;
            }
            while records.start < records.end {
                let word = self.codes(records.start);
                if begins(here, word) {
                    found.extend(self.records.get(records.start + 1));
                }
                records.start += BEFORE + word.len();
            }
        }
    }

    /// Adds those of many atoms, which are sorted, with which `here` begins.
    fn look_among(&self, records: Range<usize>, here: &[u32], found: &mut Vec<u32>) {
        let Some(&first) = self.records.get(records.start + 1) else { return };
        let (mut low, mut high) = (first, first_from(first, self.len() as u32, |atom| self.start(atom) >= records.end));
        for (depth, &code) in here.iter().enumerate() {
            if low < high && self.codes(self.start(low)).len() == depth {
                found.push(low);
                low += 1;
            }
            if low >= high {
                return;
            }
            (low, high) = self.agreeing(low, high, depth, code);
        }
    }

    /// Those of the atoms `low..high`, which are longer than `depth` and sorted there, that have `code` at `depth`.
    fn agreeing(&self, low: u32, high: u32, depth: usize, code: u32) -> (u32, u32) {
        let at = |atom: u32| self.codes(self.start(atom)).get(depth).copied().unwrap_or(0);
        let after = first_from(low, high, |atom| at(atom) > code);
        (first_from(low, after, |atom| at(atom) >= code), after)
    }

    /// Where an atom begins in `records`.
    fn start(&self, atom: u32) -> usize {
        self.starts.get(atom as usize).map_or(self.records.len(), |start| *start as usize)
    }

    /// The characters of the atom at `start` of `records`.
    fn codes(&self, start: usize) -> &[u32] {
        let record = self.records.get(start..).unwrap_or_default();
        let length = record.first().map_or(0, |length| *length as usize);
        record.get(BEFORE..BEFORE + length).unwrap_or_default()
    }
}

/// Element by element: nearly all differ at once.
fn begins(here: &[u32], word: &[u32]) -> bool {
    here.len() >= word.len() && here.iter().zip(word).all(|(a, b)| a == b)
}

/// The first of `low..high` that is `enough`, when all behind it are.
fn first_from(low: u32, high: u32, enough: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A character mixed by itself; nothing where there is none, and no character of a word is zero.
#[inline]
fn mix(code: u32) -> u64 {
    u64::from(code).wrapping_mul(GOLDEN)
}

/// Hashes of the first, the first two, three and four of mixed characters.
#[inline]
fn heads(first: u64, second: u64, third: u64, fourth: u64) -> [u64; HEAD] {
    let two = first ^ second.rotate_left(17);
    let three = two ^ third.rotate_left(34);
    [first, two, three, three ^ fourth.rotate_left(51)].map(|all| (all ^ all >> 32).wrapping_mul(GOLDEN))
}

/// The hash of the head of a word.
fn head(codes: &[u32]) -> u64 {
    let at = |index: usize| codes.get(index).map_or(0, |code| mix(*code));
    let [.., all] = heads(at(0), at(1), at(2), at(3));
    all
}

fn slot(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - bits)) as u32
}

/// What is surely not there: two bits of one word for each hash (a blocked Bloom filter; Putze, Sanders, Singler 2007).
#[derive(Debug, Default)]
struct Filter {
    words: Vec<u64>,
    shift: u32,
}

impl Filter {
    /// Of `bits` bits and more, at least 128 and at most 2^24.
    fn new(bits: usize) -> Self {
        let bits = bits.next_power_of_two().trailing_zeros().clamp(7, 24);
        Self { words: vec![0; 1 << (bits - 6)], shift: 64 - (bits - 6) }
    }

    fn add(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    #[inline]
    fn has(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    #[inline]
    fn place(&self, hash: u64) -> (usize, u64) {
        ((hash >> self.shift) as usize, 1 << (hash >> 26 & 63) | 1 << (hash >> 32 & 63))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::words::Words;

    proptest! {
        #[test]
        fn the_index_finds_the_words_that_a_text_contains(
            all in prop::collection::vec("[ab最好]{1,5}", 1..60), text in "[ab最好x]{0,40}"
        ) {
            let pairs = all.iter().map(|word| (word.clone(), word.clone())).collect();
            let stock = Stock::new(vec![Words::new(pairs)]);
            let words: Vec<u32> = stock.group(0).collect();
            let (atoms, of_words) = Atoms::build(&stock, &words);
            let mut space = Room::default();
            atoms.found(&Folded::new("最好ab好a"), &mut space);
            let found = atoms.found(&Folded::new(&text), &mut space);
            for (word, atom) in all.iter().zip(of_words) {
                prop_assert_eq!(found.contains(&atom), text.contains(word.as_str()), "{} in {}", word, text);
            }
            prop_assert!(found.is_sorted() && atoms.len() <= all.len());
        }
    }

    #[test]
    fn many_words_with_one_head_are_narrowed_down() {
        let all: Vec<String> =
            (0..3_000).map(|n| format!("同一开头{n}")).chain(["同一".into(), "同一开头".into()]).collect();
        let stock = Stock::new(vec![Words::new(all.iter().map(|word| (word.clone(), word.clone())).collect())]);
        let words: Vec<u32> = stock.group(0).collect();
        let (atoms, of_words) = Atoms::build(&stock, &words);
        let mut space = Room::default();
        let found = atoms.found(&Folded::new("某同一开头1234某"), &mut space);
        let mut wanted: Vec<u32> = ["同一", "同一开头", "同一开头1", "同一开头12", "同一开头123", "同一开头1234"]
            .map(|word| of_words[all.iter().position(|other| other == word).unwrap()])
            .to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }
}
