//! Common words (`tables/words.tsv`) and how surprising a stretch of text is when it is cut into them as well as can be.

use super::{
    mix::{mix, spread},
    slots::chain,
};

static WORDS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/words.bin"));

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
    surprises(characters, parted).last().copied().unwrap_or(0.0)
}

/// The same for every beginning of `characters`, from none of them to all.
pub fn surprises(characters: &[u32], parted: impl Fn(usize) -> bool) -> Vec<f32> {
    let mut best = vec![f32::INFINITY; characters.len() + 1];
    if let Some(first) = best.first_mut() {
        *first = 0.0;
    }
    for start in 0..characters.len() {
        let so_far = best.get(start).copied().unwrap_or(f32::INFINITY);
        let rest = characters.get(start..).unwrap_or(&[]);
        let mut reach = |length: usize, bits: f32| {
            if let Some(end) = best.get_mut(start + length) {
                *end = end.min(so_far + bits);
            }
        };
        let run = rest.iter().take(LONGEST_RUN).take_while(|&&code| is_letter(code)).count();
        let whole = start == 0 || !characters.get(start - 1).is_some_and(|&code| is_letter(code)) || parted(start);
        if run > 0 {
            let run = (1..run).find(|&at| parted(start + at)).unwrap_or(run);
            let known = if whole { word(rest.iter().take(run).copied()) } else { None };
            let digits = rest.iter().take(run).all(|code| (0x30..0x3A).contains(code));
            let (begin, each) = if digits { (NUMBER_BITS, DIGIT_BITS) } else { (RUN_BITS, LETTER_BITS) };
            reach(run, known.map_or(begin + each * run as f32, bits));
        }
        let mut hash = 0;
        for (at, &code) in rest.iter().take(MAX_CHARACTERS).enumerate() {
            if at > 0 && parted(start + at) {
                break;
            }
            hash = mix(hash, code);
            let length = at + 1;
            // No word begins or ends in the middle of a run of letters.
            let goes_on = rest.get(length).is_some_and(|&next| is_letter(next)) && !parted(start + length);
            if is_letter(rest.first().copied().unwrap_or(0)) && !whole || is_letter(code) && goes_on {
                continue;
            }
            match known(hash) {
                Some(word) => reach(length, bits(word)),
                None if at == 0 && run == 0 => reach(1, UNKNOWN_BITS),
                None => {}
            }
        }
    }
    best
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
}
