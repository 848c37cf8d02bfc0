//! The words that call a rule, in one index over folded text.
//!
//! Main type: [`Atoms`], which finds all of them in one pass. Atoms lie sorted behind a table over their first three
//! characters; filters over two, then over one to four characters say where a text could begin one, and then those that agree with the
//! text are narrowed down character by character. Built in a tenth of an automaton's time, which is what a change of the
//! rules under a running server asks for. Words that call nobody are looked up by `words` where a rule asks.

use crate::text::{Folded, ahead::put};

use super::words::Stock;

/// Places of words looked at on one surface; a text that brings more is hostile, and long since found.
const MAX_PLACES: usize = 65_536;
/// Ranges of words that are narrowed down one by one.
const FEW: u32 = 8;

/// Different words, each found wherever it stands.
#[derive(Debug, Default)]
pub(super) struct Atoms {
    /// The folded characters of all atoms, one behind the other.
    codes: Vec<u32>,
    /// Where each atom begins in `codes`, and where the last one ends.
    starts: Vec<u32>,
    /// Up to which atom each hash of three characters reaches; shorter atoms have zeros behind them.
    slots: Vec<u32>,
    /// The first two characters of all that have two.
    begun: Filter,
    singles: Filter,
    pairs: Filter,
    triples: Filter,
    fours: Filter,
}

impl Atoms {
    /// Builds the index over `words` of `stock`; gives which atom each of them is.
    pub fn build(stock: &Stock, words: &[u32]) -> (Self, Vec<u32>) {
        let of_length = |length: usize| words.iter().filter(|word| stock.codes(**word).len() == length).count();
        let bits = (2 * words.len()).next_power_of_two().trailing_zeros().clamp(4, 22);
        let mut atoms = Self {
            starts: vec![0],
            slots: vec![0; (1 << bits) + 1],
            begun: Filter::new(16 * words.len()),
            singles: Filter::new(8 * of_length(1)),
            pairs: Filter::new(16 * of_length(2)),
            triples: Filter::new(16 * of_length(3)),
            fours: Filter::new(24 * words.len()),
            ..Self::default()
        };
        let slot_of = |codes: &[u32]| slot(key(codes), bits);
        let mut sorted: Vec<(u32, u32)> =
            (0..).zip(words).map(|(index, word)| (slot_of(stock.codes(*word)), index)).collect();
        let codes = |index: u32| words.get(index as usize).map_or(&[][..], |word| stock.codes(*word));
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| codes(one.1).cmp(codes(other.1))));
        let mut of_words = vec![0; words.len()];
        for (slot, index) in sorted {
            let codes = codes(index);
            if atoms.starts.len() == 1 || atoms.codes(atoms.starts.len() as u32 - 2) != codes {
                atoms.add(codes);
            }
            let count = atoms.starts.len() as u32 - 1;
            if let (Some(end), Some(atom)) = (atoms.slots.get_mut(slot as usize + 1), of_words.get_mut(index as usize))
            {
                (*end, *atom) = (count, count - 1);
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
        self.codes.extend(codes);
        self.starts.push(self.codes.len() as u32);
        if let [first, second, ..] = *codes {
            self.begun.add(triple(first, second, 0));
        }
        match codes {
            [_, _, _, fourth, ..] => self.fours.add(four(key(codes), *fourth)),
            [_, _, _] => self.triples.add(key(codes)),
            [_, _] => self.pairs.add(key(codes)),
            _ => self.singles.add(key(codes)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The atoms that stand in `text`, each once, by number.
    pub fn found(&self, text: &Folded) -> Vec<u32> {
        let mut found = Vec::new();
        if self.len() == 0 {
            return found;
        }
        let mut codes: Vec<u32> = Vec::with_capacity(text.len() + 3);
        codes.extend(text.codes());
        codes.extend([0, 0, 0]);
        // Two characters say no at most places; what is left is asked for more.
        let (mut begun, mut filled) = (vec![0_u32; text.len()], 0);
        for (start, window) in (0..).zip(codes.windows(4)) {
            let &[first, second, ..] = window else { continue };
            let any = self.begun.has(triple(first, second, 0)) | self.singles.has(triple(first, 0, 0));
            put(&mut begun, &mut filled, start, any);
        }
        begun.truncate(filled);
        let (mut places, mut count) = (vec![0_u32; filled], 0);
        for start in begun {
            let window = codes.get(start as usize..).and_then(|rest| rest.first_chunk());
            let Some(&[first, second, third, fourth]) = window else { continue };
            let three = triple(first, second, third);
            let any = self.fours.has(four(three, fourth))
                | self.triples.has(three)
                | self.pairs.has(triple(first, second, 0))
                | self.singles.has(triple(first, 0, 0));
            put(&mut places, &mut count, start, any);
        }
        for start in places.into_iter().take(count.min(MAX_PLACES)) {
            let Some(here) = codes.get(start as usize..) else { continue };
            let &[first, second, third, ..] = here else { continue };
            self.narrow(triple(first, second, third), here, &mut found);
            if self.pairs.has(triple(first, second, 0)) {
                self.narrow(triple(first, second, 0), here, &mut found);
            }
            if self.singles.has(triple(first, 0, 0)) {
                self.narrow(triple(first, 0, 0), here, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The atoms behind the hash of `key` with which `here` begins.
    fn narrow(&self, key: u64, here: &[u32], found: &mut Vec<u32>) {
        let slot = slot(key, (self.slots.len() - 1).trailing_zeros()) as usize;
        let (Some(&low), Some(&high)) = (self.slots.get(slot), self.slots.get(slot + 1)) else { return };
        let (mut low, mut high) = (low, high);
        for (depth, &code) in here.iter().enumerate() {
            if low < high && self.codes(low).len() == depth {
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
        let at = |atom: u32| self.codes(atom).get(depth).copied().unwrap_or(0);
        let (mut low, mut high) = (low, high);
        if high - low > FEW {
            let after = first_from(low, high, |atom| at(atom) > code);
            return (first_from(low, after, |atom| at(atom) >= code), after);
        }
        while low < high && at(low) != code {
            low += 1;
        }
        while low < high && at(high - 1) != code {
            high -= 1;
        }
        (low, high)
    }

    fn codes(&self, atom: u32) -> &[u32] {
        let atom = atom as usize;
        match (self.starts.get(atom), self.starts.get(atom + 1)) {
            (Some(&start), Some(&end)) => self.codes.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
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

/// The first three characters, zeros behind shorter ones: no character of a word is zero.
fn key(codes: &[u32]) -> u64 {
    let at = |index: usize| codes.get(index).copied().unwrap_or(0);
    triple(at(0), at(1), at(2))
}

fn triple(a: u32, b: u32, c: u32) -> u64 {
    // Characters have 21 bits.
    u64::from(a) << 42 | u64::from(b) << 21 | u64::from(c)
}

/// A key of three characters, and a fourth.
fn four(three: u64, fourth: u32) -> u64 {
    hash(three) ^ u64::from(fourth)
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
fn hash(key: u64) -> u64 {
    (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn slot(key: u64, bits: u32) -> u32 {
    (hash(key) >> (64 - bits)) as u32
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

    fn add(&mut self, key: u64) {
        let (word, bits) = self.place(key);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    fn has(&self, key: u64) -> bool {
        let (word, bits) = self.place(key);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let hash = hash(key);
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
            let found = atoms.found(&Folded::new(&text));
            for (word, atom) in all.iter().zip(of_words) {
                prop_assert_eq!(found.contains(&atom), text.contains(word.as_str()), "{} in {}", word, text);
            }
            prop_assert!(found.is_sorted() && atoms.len() <= all.len());
        }
    }
}
