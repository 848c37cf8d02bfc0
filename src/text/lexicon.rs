//! Common words (`tables/words.tsv`) and how surprising a stretch of text is when it is cut into them as well as can be.

use std::{ops::Range, sync::LazyLock};

use super::{
    Folded, Gap,
    ahead::put,
    mix::{LENGTHS_BITS, mix, spread},
    slots::{chain, touch},
};

static WORDS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/words.bin"));

/// Of a slot: 24 bits of a word's hash, and what is known of it.
const WORD_BYTES: usize = 4;

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
#[derive(Debug, Clone)]
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
        // Characters alone, and words by where they begin, in order: these are gathered first and looked up together, for the
        // tables are large.
        let lengths: Vec<u8> = characters.windows(2).map(lengths_of).chain([0]).collect();
        let mut asked: Vec<Piece> = Vec::with_capacity(characters.len() * 5 / 4);
        let alone = (0..characters.len()).zip(lengths);
        let alone: Vec<f32> =
            alone.map(|(start, lengths)| pieces(characters, &parted, (start, lengths), &mut asked)).collect();
        touch::<WORD_BYTES>(WORDS, asked.iter().map(|piece| spread(piece.hash)));
        let (mut words, mut filled) = (vec![Piece::default(); asked.len()], 0);
        for piece in asked {
            let bits = if piece.hash == 0 { None } else { known(piece.hash) }.map_or(piece.bits, bits);
            put(&mut words, &mut filled, Piece { bits, ..piece }, bits.is_finite());
        }
        let words = words.get(..filled).unwrap_or(&[]);
        set(&mut before, 0, 0.0);
        let mut next = words.iter().peekable();
        for (start, alone) in alone.iter().enumerate() {
            let so_far = bits_at(&before, start);
            set(&mut before, start + 1, so_far + alone);
            while let Some(word) = next.next_if(|word| word.start as usize == start) {
                set(&mut before, start + word.length as usize, so_far + word.bits);
            }
        }
        set(&mut behind, characters.len(), 0.0);
        let mut next = words.iter().rev().peekable();
        for (start, alone) in alone.iter().enumerate().rev() {
            let mut best = bits_at(&behind, start + 1) + alone;
            while let Some(word) = next.next_if(|word| word.start as usize == start) {
                best = best.min(bits_at(&behind, start + word.length as usize) + word.bits);
            }
            set(&mut behind, start, best);
        }
        Self { before, behind }
    }

    /// Cuts a folded text; no word crosses what a reader sees between two units.
    pub fn of_text(folded: &Folded) -> Self {
        let codes: Vec<u32> = folded.codes().collect();
        Self::new(&codes, |unit| folded.gap_before(unit).has(Gap::SEEN))
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
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    start: u32,
    length: u32,
    /// What it costs when the table does not have it: infinite when only the table can tell.
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

/// Gathers everything longer than a character that begins at `start` and may be a word by `lengths`; gives the bits of the
/// character alone.
#[inline]
fn pieces(
    characters: &[u32],
    parted: &impl Fn(usize) -> bool,
    (start, lengths): (usize, u8),
    pieces: &mut Vec<Piece>,
) -> f32 {
    let rest = characters.get(start..).unwrap_or(&[]);
    let first = rest.first().copied().unwrap_or(0);
    let begun = mix(0, first);
    // No word begins or ends in the middle of a run of letters.
    if is_letter(first) && !run(characters, parted, start, pieces) {
        return f32::INFINITY;
    }
    if lengths > 1 {
        longer(
            rest,
            |at| parted(start + at),
            (begun, lengths),
            |length, hash| {
                pieces.push(Piece { start: start as u32, length, bits: f32::INFINITY, hash });
            },
        );
    }
    match single(first) {
        _ if is_letter(first) && rest.get(1).is_some_and(|&next| is_letter(next)) && !parted(start + 1) => {
            f32::INFINITY
        }
        Some(bits) => bits,
        None if is_letter(first) => f32::INFINITY,
        None if first > 0xFFFF => known(begun).map_or(UNKNOWN_BITS, bits),
        None => UNKNOWN_BITS,
    }
}

/// Gathers the run of letters that begins at `start`; whether a word may begin there.
fn run(characters: &[u32], parted: &impl Fn(usize) -> bool, start: usize, pieces: &mut Vec<Piece>) -> bool {
    let rest = characters.get(start..).unwrap_or(&[]);
    let whole = start == 0 || !characters.get(start - 1).is_some_and(|&code| is_letter(code)) || parted(start);
    let run = rest.iter().take(LONGEST_RUN).take_while(|&&code| is_letter(code)).count();
    let run = (1..run).find(|&at| parted(start + at)).unwrap_or(run);
    let letters = rest.get(..run).unwrap_or(rest);
    let digits = letters.iter().all(|code| (0x30..0x3A).contains(code));
    let (begin, more) = if digits { (NUMBER_BITS, DIGIT_BITS) } else { (RUN_BITS, LETTER_BITS) };
    let hash = if whole { letters.iter().copied().fold(0, mix) } else { 0 };
    pieces.push(Piece { start: start as u32, length: run as u32, bits: begin + more * run as f32, hash });
    whole
}

/// Every beginning of `rest` of two characters and more that may be a word by `lengths`; `begun` is the first one's hash.
fn longer(rest: &[u32], parted: impl Fn(usize) -> bool, (begun, lengths): (u64, u8), mut piece: impl FnMut(u32, u64)) {
    let mut hash = begun;
    for (at, &code) in rest.iter().enumerate().take(MAX_CHARACTERS).skip(1) {
        if lengths >> at == 0 || parted(at) {
            return;
        }
        hash = mix(hash, code);
        let goes_on = is_letter(code) && rest.get(at + 1).is_some_and(|&next| is_letter(next)) && !parted(at + 1);
        if lengths >> at & 1 == 1 && !goes_on {
            piece(at as u32 + 1, hash);
        }
    }
}

/// The bits of a character alone up to U+FFFF, if it is a word: every place of a text asks.
#[inline]
fn single(code: u32) -> Option<f32> {
    static CLASSES: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..0x1_0000).map(|code| known(mix(0, code)).map_or(u8::MAX, |word| word.class)).collect());
    let class = CLASSES.get(code as usize).copied().filter(|class| *class != u8::MAX)?;
    Some(bits(Word { class, name: false }))
}

fn known(hash: u64) -> Option<Word> {
    let hash = spread(hash);
    let slot = chain::<WORD_BYTES>(WORDS, hash).find(|slot| slot >> 8 == hash >> 40)?;
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
