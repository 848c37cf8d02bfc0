//! The words of all clauses, and where they stand in a text when a rule asks.
//!
//! Main types: [`Words`], what a side of a clause looks for; [`Stock`], the words of a whole set, group by group; and
//! [`Text`], a folded text that answers where a word stands by the word's first two characters.

use std::{ops::Range, sync::Arc};

use crate::text::Folded;

/// Words that are looked for together; whoever names the same list shares them.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// As the rule or list writes each, and folded.
    words: Vec<(String, String)>,
}

impl Words {
    /// Words with their folds, none of which is empty.
    pub fn new(words: Vec<(String, String)>) -> Arc<Self> {
        Arc::new(Self { words })
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The folded words.
    pub fn folded(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|(_, folded)| folded.as_str())
    }
}

/// All words, those of a group one after another. A word is named by its number.
#[derive(Debug, Default)]
pub(super) struct Stock {
    groups: Vec<Arc<Words>>,
    /// The number of each group's first word, and of all words.
    first: Vec<u32>,
    /// The folded characters of all words, and where each word begins; where the last one ends.
    codes: Vec<u32>,
    starts: Vec<u32>,
    /// A hash of each word's first two characters; zero for words of one.
    keys: Vec<u32>,
}

impl Stock {
    pub fn new(groups: Vec<Arc<Words>>) -> Self {
        let mut stock = Self { first: vec![0], starts: vec![0], ..Self::default() };
        for folded in groups.iter().flat_map(|group| group.folded()) {
            let start = stock.codes.len();
            stock.codes.extend(folded.chars().map(u32::from));
            stock.starts.push(stock.codes.len() as u32);
            stock.keys.push(match stock.codes.get(start..) {
                Some([first, second, ..]) => key(*first, *second),
                _ => 0,
            });
        }
        let mut count = 0;
        for group in &groups {
            count += group.len() as u32;
            stock.first.push(count);
        }
        stock.groups = groups;
        stock
    }

    /// The numbers of the words of a group.
    pub fn group(&self, group: u32) -> Range<u32> {
        let at = |group: u32| self.first.get(group as usize).copied().unwrap_or(0);
        at(group)..at(group + 1)
    }

    /// The folded characters of a word.
    pub fn codes(&self, word: u32) -> &[u32] {
        let word = word as usize;
        match (self.starts.get(word), self.starts.get(word + 1)) {
            (Some(&start), Some(&end)) => self.codes.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// A word as its rule or list writes it.
    pub fn written(&self, word: usize) -> &str {
        let group = self.first.partition_point(|first| *first as usize <= word).saturating_sub(1);
        let place = word - self.first.get(group).map_or(0, |first| *first as usize);
        self.groups.get(group).and_then(|group| group.words.get(place)).map_or("", |(written, _)| written)
    }

    /// Whether words of a group stand in `text` so many times as are `left`; takes away from that how often they do.
    pub fn has(&self, group: u32, text: &Text, left: &mut usize) -> bool {
        let words = self.group(group);
        let keys = self.keys.get(words.start as usize..words.end as usize).unwrap_or_default();
        for (word, &key) in words.zip(keys) {
            let count = |_: Range<usize>| *left = left.saturating_sub(1);
            if key == 0 {
                text.each_single(self.codes(word), count);
            } else if let Some(first) = text.first(key) {
                text.each(first, self.codes(word), count);
            }
            if *left == 0 {
                return true;
            }
        }
        false
    }

    /// Calls `act` with each place of each word of a group in `text`: the word, and the units.
    pub fn find(&self, group: u32, text: &Text, mut act: impl FnMut(u32, Range<usize>)) {
        let words = self.group(group);
        let keys = self.keys.get(words.start as usize..words.end as usize).unwrap_or_default();
        for (word, &key) in words.zip(keys) {
            if key == 0 {
                text.each_single(self.codes(word), |units| act(word, units));
            } else if let Some(first) = text.first(key) {
                text.each(first, self.codes(word), |units| act(word, units));
            }
        }
    }
}

/// No place.
const NONE: u32 = u32::MAX;

/// The folded characters of a text, and where each two of them stand.
#[derive(Debug)]
pub(super) struct Text {
    codes: Vec<u32>,
    /// For each hash of two characters the first place, and for each place the next with that hash.
    heads: Vec<u32>,
    next: Vec<u32>,
    shift: u32,
}

impl Text {
    pub fn new(folded: &Folded) -> Self {
        let codes: Vec<u32> = folded.codes().collect();
        let bits = (4 * codes.len()).next_power_of_two().trailing_zeros().clamp(4, 24);
        let mut text = Self { heads: vec![NONE; 1 << bits], next: vec![NONE; codes.len()], shift: 32 - bits, codes };
        // From the end, so that every chain goes forward.
        for (place, pair) in text.codes.windows(2).enumerate().rev() {
            let [first, second] = pair else { continue };
            let head = text.heads.get_mut((key(*first, *second) >> text.shift) as usize);
            if let (Some(head), Some(next)) = (head, text.next.get_mut(place)) {
                *next = std::mem::replace(head, place as u32);
            }
        }
        text
    }

    fn first(&self, key: u32) -> Option<u32> {
        self.heads.get((key >> self.shift) as usize).copied().filter(|place| *place != NONE)
    }

    fn each(&self, first: u32, word: &[u32], mut act: impl FnMut(Range<usize>)) {
        let mut place = first;
        while place != NONE {
            let start = place as usize;
            // Element by element: nearly all differ at once.
            if self.codes.get(start..start + word.len()).is_some_and(|here| here.iter().zip(word).all(|(a, b)| a == b))
            {
                act(start..start + word.len());
            }
            place = self.next.get(start).copied().unwrap_or(NONE);
        }
    }

    fn each_single(&self, word: &[u32], mut act: impl FnMut(Range<usize>)) {
        let places = self.codes.iter().enumerate().filter(|(_, code)| word.first() == Some(code));
        places.for_each(|(place, _)| act(place..place + 1));
    }
}

/// A hash of two characters that is never zero (Fibonacci hashing; Knuth, The Art of Computer Programming 3, 6.4).
fn key(first: u32, second: u32) -> u32 {
    let both = u64::from(first) << 21 | u64::from(second);
    (both.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::rules) fn words(words: &[&str]) -> Arc<Words> {
        Words::new(words.iter().map(|word| (word.to_uppercase(), (*word).to_owned())).collect())
    }

    #[test]
    fn a_word_is_shown_as_its_own_group_writes_it() {
        let other = Words::new(vec![("Ａ貨".to_owned(), "a货".to_owned())]);
        let stock = Stock::new(vec![words(&["a货", "b"]), other]);
        assert_eq!([stock.written(0), stock.written(1), stock.written(2), stock.written(3)], ["A货", "B", "Ａ貨", ""]);
        assert_eq!((stock.group(1), stock.codes(1)), (2..3, &[u32::from('b')][..]));
    }

    proptest! {
        #[test]
        fn every_place_of_every_word_is_found(
            all in prop::collection::vec("[ab最好]{1,5}", 1..40), text in "[ab最好x]{0,40}"
        ) {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let units: Vec<char> = text.chars().collect();
            let (stock, text) = (Stock::new(vec![words(&["x"]), words(&all)]), Text::new(&Folded::new(&text)));
            let mut found = Vec::new();
            stock.find(1, &text, |word, units| found.push((word, units.start, units.end)));
            let mut plain = Vec::new();
            for (number, word) in (1..).zip(&all) {
                let word: Vec<char> = word.chars().collect();
                let places = (0..units.len()).filter(|&start| units[start..].starts_with(&word));
                plain.extend(places.map(|start| (number, start, start + word.len())));
            }
            prop_assert_eq!(found, plain);
        }
    }
}
