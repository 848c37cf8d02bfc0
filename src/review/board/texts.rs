//! The texts that a search reads, in stretches of memory, and the walk over them.

use memchr::memmem::Finder;

/// Size of a stretch, in bytes: small enough that none is ever copied to grow, and that a walk can be shared out.
const STRETCH: usize = 1 << 22;

/// Where a text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    stretch: u32,
    begin: u32,
    length: u32,
}

impl Place {
    /// Of a hit without a text.
    pub const NONE: Self = Self { stretch: 0, begin: 0, length: 0 };
}

/// The texts of all hits.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<Stretch>);

#[derive(Debug)]
struct Stretch {
    bytes: Vec<u8>,
    /// Where each text begins, and whose it is, in the order of the bytes.
    begins: Vec<(u32, u32)>,
}

impl Texts {
    /// Keeps the text of hit `id`, which is shorter than a stretch.
    pub fn add(&mut self, id: u32, text: &str) -> Place {
        let room = |stretch: &Stretch| stretch.bytes.len() + text.len() < STRETCH;
        if !self.0.last().is_some_and(room) {
            self.0.push(Stretch { bytes: Vec::with_capacity(STRETCH), begins: Vec::new() });
        }
        let (number, Some(stretch)) = (self.0.len() - 1, self.0.last_mut()) else { return Place::NONE };
        let begin = stretch.bytes.len() as u32;
        stretch.begins.push((begin, id));
        stretch.bytes.extend_from_slice(text.as_bytes());
        // No word goes over the end of a text.
        stretch.bytes.push(b'\n');
        Place { stretch: number as u32, begin, length: text.len() as u32 }
    }

    pub fn text(&self, place: Place) -> &[u8] {
        let (begin, end) = (place.begin as usize, place.begin as usize + place.length as usize);
        self.0.get(place.stretch as usize).and_then(|stretch| stretch.bytes.get(begin..end)).unwrap_or_default()
    }

    /// How many stretches there are to go over.
    pub fn stretches(&self) -> usize {
        self.0.len()
    }

    /// The hits whose text contains the word, in these stretches, as they were added.
    pub fn containing(&self, finder: &Finder<'_>, stretches: std::ops::Range<usize>) -> Vec<u32> {
        let mut found = Vec::new();
        if !finder.needle().contains(&b'\n') {
            self.0.get(stretches).unwrap_or_default().iter().for_each(|stretch| stretch.containing(finder, &mut found));
        }
        found
    }
}

impl Stretch {
    fn containing(&self, finder: &Finder<'_>, found: &mut Vec<u32>) {
        let (mut at, mut known) = (0, 0);
        while let Some(offset) = self.bytes.get(at..).and_then(|rest| finder.find(rest)) {
            known = self.behind(known, (at + offset) as u32);
            let Some((_, id)) = known.checked_sub(1).and_then(|place| self.begins.get(place)) else { return };
            found.push(*id);
            at = self.begins.get(known).map_or(self.bytes.len(), |(begin, _)| *begin as usize);
        }
    }

    /// How many texts begin at or before `offset`; at least `known` do. Looks near first, for words that many texts have.
    fn behind(&self, known: usize, offset: u32) -> usize {
        let mut step = 8;
        while self.begins.get(known + step).is_some_and(|(begin, _)| *begin <= offset) {
            step *= 2;
        }
        let within = &self.begins[known..self.begins.len().min(known + step)];
        known + within.partition_point(|(begin, _)| *begin <= offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(texts: &Texts, word: &str) -> Vec<u32> {
        texts.containing(&Finder::new(word), 0..texts.stretches())
    }

    #[test]
    fn a_word_is_found_once_in_each_text_and_never_over_the_end_of_one() {
        let mut texts = Texts::default();
        let long = "长".repeat(STRETCH / 4);
        for (id, text) in [(1, "云雀 云雀"), (2, "云"), (3, "雀"), (4, long.as_str()), (5, long.as_str()), (6, "云雀")]
        {
            let place = texts.add(id, text);
            assert_eq!(texts.text(place), text.as_bytes());
        }
        assert_eq!(texts.stretches(), 2);
        assert_eq!(found(&texts, "云雀"), [1, 6]);
        assert_eq!(found(&texts, "长长"), [4, 5]);
        assert_eq!(found(&texts, "云\n雀"), Vec::<u32>::new());
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_looking_into_each_text_finds(all in prop::collection::vec("[ab云雀 ]{0,12}", 0..80), word in "[ab云雀]{1,3}") {
            let mut texts = Texts::default();
            let mut expected = Vec::new();
            for (id, text) in (1_u32..).zip(&all) {
                texts.add(id, text);
                if text.contains(&word) {
                    expected.push(id);
                }
            }
            prop_assert_eq!(found(&texts, &word), expected);
        }
    }
}
