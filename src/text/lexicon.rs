//! Common words (`tables/words.tsv`) and how surprising a stretch of text is when it is cut into them as well as can be.

use std::{ops::Range, sync::LazyLock};

use super::{
    mix::{LENGTHS_BITS, mix, spread},
    slots::{chain, touch},
};

static WORDS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/words.bin"));

/// By [`LENGTHS_BITS`] of the hash of two characters: how long the words are that begin with them, bit 1 for two characters.
static LENGTHS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/words_lengths.bin"));

/// Longest word that is looked for, in characters.
const MAX_CHARACTERS: usize = 8;
/// Bits of the corpus the classes were counted in: a word of class `c` stands there some 2^c times in 2^26.
const CORPUS_BITS: f32 = 26.0;
/// Bits of a Han character that is no word of the table.
const UNKNOWN_BITS: f32 = 24.0;
/// Bits of a run of Latin letters that is no word: a beginning, and so much for each character. Numbers are everywhere.
const RUN_BITS: f32 = 19.0;
const LETTER_BITS: f32 = 4.7;
const NUMBER_BITS: f32 = 8.0;
const DIGIT_BITS: f32 = 2.0;
const LONGEST_RUN: usize = 24;

/// A word of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The binary logarithm of how often it stands in the corpus: 0 to 25.
    pub class: u8,
    /// Whether it is chiefly a name: of a person, a place, a company.
    pub name: bool,
}

/// What is known of a word; none when it is not in the table.
pub fn word(characters: impl IntoIterator<Item = u32>) -> Option<Word> {
    known(characters.into_iter().fold(0, mix))
}

/// How many bits the best cut of `characters` into words costs: the lower, the more it is everyday language.
///
/// A word costs what its frequency says (a unigram model, cut by dynamic programming over ends of words); no word crosses
/// a place where `parted` says that the text is parted before that character.
pub fn surprise(characters: &[u32], parted: impl Fn(usize) -> bool) -> f32 {
    Cuts::new(characters, parted).whole()
}

/// The best cuts of a text into words, of all its beginnings and all its ends.
#[derive(Debug)]
pub struct Cuts {
    /// By place: the bits of the text before it.
    before: Vec<f32>,
    /// By place: the bits of the text behind it.
    behind: Vec<f32>,
}

impl Cuts {
    /// Cuts `characters` as well as can be; see [`surprise`].
    pub fn new(characters: &[u32], parted: impl Fn(usize) -> bool) -> Self {
        let mut before = vec![f32::INFINITY; characters.len() + 1];
        let mut behind = before.clone();
        // Words by where they begin, in order: gathered first, looked up together, for the table is large.
        let mut words: Vec<Piece> = Vec::with_capacity(characters.len() * 2);
        let lengths: Vec<u8> = characters.windows(2).map(lengths_of).chain([0]).collect();
        for (start, lengths) in lengths.into_iter().take(characters.len()).enumerate() {
            pieces(characters, &parted, (start, lengths), &mut words);
        }
        touch(WORDS, words.iter().map(|piece| spread(piece.hash)));
        words.retain_mut(|piece| {
            if piece.hash != 0
                && let Some(word) = known(piece.hash)
            {
                piece.bits = bits(word);
            }
            piece.bits.is_finite()
        });
        set(&mut before, 0, 0.0);
        for &Piece { start, length, bits, .. } in &words {
            let so_far = bits_at(&before, start as usize);
            set(&mut before, (start + length) as usize, so_far + bits);
        }
        set(&mut behind, characters.len(), 0.0);
        for Piece { start, length, bits, .. } in words.into_iter().rev() {
            let rest = bits_at(&behind, (start + length) as usize);
            set(&mut behind, start as usize, rest + bits);
        }
        Self { before, behind }
    }

    /// The bits of the whole text.
    pub fn whole(&self) -> f32 {
        self.before.last().copied().unwrap_or(0.0)
    }

    /// Whether a word ends and another begins at `place` in one of the best cuts.
    pub fn border(&self, place: usize) -> bool {
        const NEARLY: f32 = 0.1;
        bits_at(&self.before, place) + bits_at(&self.behind, place) <= self.whole() + NEARLY
    }

    /// What the words cost that stand in `stretch`, or partly in it: the whole less what is beside it.
    pub fn of(&self, stretch: Range<usize>) -> f32 {
        self.whole() - bits_at(&self.before, stretch.start) - bits_at(&self.behind, stretch.end)
    }
}

fn bits_at(best: &[f32], place: usize) -> f32 {
    best.get(place).copied().unwrap_or(f32::INFINITY)
}

fn set(best: &mut [f32], place: usize, bits: f32) {
    if let Some(known) = best.get_mut(place) {
        *known = known.min(bits);
    }
}

/// What may be a word.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u32,
    length: u32,
    /// What it costs; infinite when only the table can tell.
    bits: f32,
    /// What the table has it under; 0 when it need not be asked.
    hash: u64,
}

/// How long the words may be that begin with two characters.
#[inline]
fn lengths_of(two: &[u32]) -> u8 {
    let hash = spread(two.iter().copied().fold(0, mix));
    LENGTHS.get((hash >> (64 - LENGTHS_BITS)) as usize).copied().unwrap_or(0)
}

/// Everything that begins at `start` and may be a word, of `lengths` when it is longer than a character.
fn pieces(characters: &[u32], parted: &impl Fn(usize) -> bool, (start, lengths): (usize, u8), pieces: &mut Vec<Piece>) {
    let mut piece = |length: usize, bits: f32, hash: u64| {
        pieces.push(Piece { start: start as u32, length: length as u32, bits, hash });
    };
    let rest = characters.get(start..).unwrap_or(&[]);
    let run = rest.iter().take(LONGEST_RUN).take_while(|&&code| is_letter(code)).count();
    let whole = start == 0 || !characters.get(start - 1).is_some_and(|&code| is_letter(code)) || parted(start);
    if run > 0 {
        let run = (1..run).find(|&at| parted(start + at)).unwrap_or(run);
        let letters = rest.get(..run).unwrap_or(rest);
        let digits = letters.iter().all(|code| (0x30..0x3A).contains(code));
        let (begin, more) = if digits { (NUMBER_BITS, DIGIT_BITS) } else { (RUN_BITS, LETTER_BITS) };
        let hash = if whole { letters.iter().copied().fold(0, mix) } else { 0 };
        piece(run, begin + more * run as f32, hash);
    }
    let mut hash = 0;
    for (at, &code) in rest.iter().take(MAX_CHARACTERS).enumerate() {
        if at > 0 && parted(start + at) {
            break;
        }
        hash = mix(hash, code);
        if at > 0 && lengths >> at == 0 {
            break;
        }
        if at > 0 && lengths >> at & 1 == 0 {
            continue;
        }
        let length = at + 1;
        // No word begins or ends in the middle of a run of letters.
        let goes_on = rest.get(length).is_some_and(|&next| is_letter(next)) && !parted(start + length);
        if is_letter(rest.first().copied().unwrap_or(0)) && !whole || is_letter(code) && goes_on {
            continue;
        }
        match (at, single(code)) {
            (0, Some(known)) => piece(1, known, 0),
            (0, None) if run == 0 => piece(1, UNKNOWN_BITS, if code > 0xFFFF { hash } else { 0 }),
            (0, None) => {}
            _ => piece(length, f32::INFINITY, hash),
        }
    }
}

/// The bits of a character alone up to U+FFFF, if it is a word: every place of a text asks.
#[inline]
fn single(code: u32) -> Option<f32> {
    static SINGLE: LazyLock<Vec<f32>> =
        LazyLock::new(|| (0..0x1_0000).map(|code| known(mix(0, code)).map_or(f32::INFINITY, bits)).collect());
    SINGLE.get(code as usize).copied().filter(|bits| bits.is_finite())
}

fn known(hash: u64) -> Option<Word> {
    let hash = spread(hash);
    let slot = chain(WORDS, hash).find(|slot| (slot ^ hash) >> 8 == 0)?;
    Some(Word { class: (slot & 0x7F) as u8 - 1, name: slot & 0x80 != 0 })
}

/// The bits of a word of the table.
pub fn bits(word: Word) -> f32 {
    CORPUS_BITS - f32::from(word.class)
}

fn is_letter(code: u32) -> bool {
    code < 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<u32> {
        text.chars().map(|c| c as u32).collect()
    }

    #[test]
    fn words_are_known_with_their_class() {
        assert_eq!(word(codes("交通")), Some(Word { class: 13, name: false }));
        assert!(word(codes("熊猫")).is_some_and(|word| word.name));
        assert_eq!(word(codes("云雀记")), None);
    }

    #[test]
    fn everyday_language_surprises_less_than_its_characters_in_another_order() {
        let plain = |text: &str| surprise(&codes(text), |_| false);
        assert!(plain("路口交通") + 10.0 < plain("路") + 22.0 + plain("通"));
        assert!(plain("麻烦") < plain("烦麻"));
        let parted = surprise(&codes("麻烦"), |at| at == 1);
        assert!(plain("麻烦") < parted);
        assert_eq!(plain(""), 0.0);
    }

    #[test]
    fn the_parts_of_a_cut_are_as_its_whole() {
        let text = codes("路口交通大麻烦云雀");
        let cuts = Cuts::new(&text, |at| at == 5);
        for at in 0..=text.len() {
            let alone = surprise(&text[at..], |rest| rest + at == 5);
            assert!((cuts.whole() - cuts.of(0..at) - alone).abs() < 0.01, "{at}");
        }
    }
}
