//! Latin spellings in disguise: digits and signs for letters, and one letter too many, too few, wrong or swapped.
//!
//! Every spelling leaves its skeleton (what can be mixed up is one) and the skeleton without each of its letters; so does
//! every word of a text; where the two meet is a candidate (deletion neighbourhoods: Garbe, SymSpell 2012; Mor and
//! Fraenkel 1982), which is then aligned letter by letter.

use std::ops::Range;

use super::{
    align::{Alignment, Change},
    keys::{Asked, Keys},
};
use crate::{
    model::Channel,
    text::{Lattice, Token, lexicon, looks, mix::spread, rolling},
};

/// Shortest and longest spelling that is watched for in disguise, in letters.
const MIN_LETTERS: usize = 4;
const MAX_LETTERS: usize = 32;
/// Shortest spelling that may have both a look for a letter and an edit.
const MIN_BOTH: usize = 7;
const LEET_BITS: f32 = 4.0;
const SWAP_BITS: f32 = 4.0;
const EDIT_BITS: f32 = 5.0;

/// Latin spellings by what is left of them.
#[derive(Debug, Default)]
pub(crate) struct Latin {
    words: Vec<(Box<[u32]>, u32)>,
    keys: Keys,
}

impl Latin {
    /// Watches for spellings of letters and digits: folded text and number.
    pub(crate) fn new<'a>(spellings: impl Iterator<Item = (&'a str, u32)>) -> Self {
        let (mut words, mut pairs) = (Vec::new(), Vec::new());
        for (text, number) in spellings {
            let codes: Box<[u32]> = text.chars().map(|c| c as u32).collect();
            let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
            if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) || letters < 3 {
                continue;
            }
            if codes.len() < MIN_LETTERS || codes.len() > MAX_LETTERS {
                continue;
            }
            let own = words.len() as u32;
            keys(&codes, |key| pairs.push((key, own)));
            words.push((codes, number));
        }
        Self { words, keys: Keys::new(&pairs) }
    }

    /// Every spelling that a word of `lattice` may be meant as: number, tokens, alignment.
    pub(crate) fn scan(&self, lattice: &Lattice, mut found: impl FnMut(u32, Range<usize>, Alignment)) {
        if self.words.is_empty() {
            return;
        }
        // Of all words the keys are gathered first: what leads to their answers lies far from the processor.
        let (mut typed, mut asked): (Vec<Typed>, Vec<Asked>) = (Vec::new(), Vec::new());
        for range in words(lattice.tokens()) {
            let tokens = lattice.tokens().get(range.clone()).unwrap_or(&[]);
            let letters = tokens.iter().filter(|token| is_letter(token.code)).count();
            // Numbers are no words, and a word of the language is meant as itself.
            if letters < 2 || lexicon::word(tokens.iter().map(|token| token.code)).is_some() {
                continue;
            }
            for with_signs in [false, true] {
                if with_signs && !tokens.iter().any(|token| token.sign) {
                    continue;
                }
                let kept = || (range.start..).zip(tokens).filter(|(_, token)| with_signs || !token.sign);
                let codes: Vec<u32> = kept().map(|(_, token)| token.code).collect();
                if codes.len() + 1 < MIN_LETTERS || codes.len() > MAX_LETTERS + 2 {
                    continue;
                }
                let tag = typed.len() as u32;
                keys(&codes, |key| asked.push(Asked { key, tag }));
                typed.push(Typed { codes, places: kept().map(|(at, _)| at).collect() });
            }
        }
        let mut answers: Vec<(u32, u32)> = Vec::new();
        self.keys.each_answer(&asked, |tag, word| answers.push((tag, word)));
        answers.sort_unstable();
        answers.dedup();
        for (tag, word) in answers {
            if let (Some(Typed { codes, places }), Some((letters, number))) =
                (typed.get(tag as usize), self.words.get(word as usize))
                && let Some(alignment) = align(letters, codes, |at| unit_of(lattice, places, at))
                && let (Some(first), Some(last)) = (places.first(), places.last())
            {
                found(*number, *first..last + 1, alignment);
            }
        }
    }
}

/// A word of a text, and the tokens its characters are.
struct Typed {
    codes: Vec<u32>,
    places: Vec<usize>,
}

fn is_letter(code: u32) -> bool {
    u8::try_from(code).is_ok_and(|byte| byte.is_ascii_alphabetic())
}

fn unit_of(lattice: &Lattice, places: &[usize], at: usize) -> Range<usize> {
    places.get(at).map_or(0..0, |place| lattice.units(*place..place + 1))
}

/// Keys of a word: its skeleton, letter by letter, what is left of that without each letter, and the skeleton in which two
/// letters may look like one (rn, vv).
fn keys(word: &[u32], mut key: impl FnMut(u64)) {
    let leet = looks::leet();
    let mut sums = [0; MAX_LETTERS + 3];
    let mut sum = 0;
    for (after, code) in sums.iter_mut().skip(1).zip(word) {
        sum = rolling::next(sum, leet.class(*code));
        *after = sum;
    }
    key(spread(sum));
    for (at, (before, after)) in sums.iter().zip(sums.iter().skip(1)).enumerate().take(word.len()) {
        let behind = word.len() - at - 1;
        key(spread(rolling::joined(*before, rolling::between(*after, sum, behind), behind)));
    }
    if leet.may_join(word) {
        let joined = leet.skeleton(word);
        if joined.len() != word.len() {
            key(spread(rolling::of(joined)));
        }
    }
}

/// Stretches of letters, digits and signs that may be letters, which nothing parts; and rows of single ones (n 1 k e).
fn words(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for at in 0..=tokens.len() {
        let token = tokens.get(at);
        let ends = token.is_none_or(|token| at > start && token.parted || !is_word(token));
        if ends {
            if tokens.get(start..at).is_some_and(|word| word.iter().any(|token| !token.sign)) {
                words.push(start..at);
            }
            start = if token.is_some_and(is_word) { at } else { at + 1 };
        }
    }
    let rows: Vec<Range<usize>> = words
        .chunk_by(|one, next| one.len() == 1 && next.len() == 1 && one.end == next.start)
        .filter(|row| row.len() >= MIN_LETTERS)
        .filter_map(|row| Some(row.first()?.start..row.last()?.end))
        .collect();
    words.extend(rows);
    words
}

fn is_word(token: &Token) -> bool {
    token.sign && token.code < 0x2000 || u8::try_from(token.code).is_ok_and(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    bits: f32,
    leet: u8,
    edits: u8,
}

impl Cost {
    const NONE: Self = Self { bits: f32::INFINITY, leet: 0, edits: 0 };

    fn more(self, bits: f32, leet: u8, edits: u8) -> Self {
        Self { bits: self.bits + bits, leet: self.leet + leet, edits: self.edits + edits }
    }

    fn or(self, other: Self) -> Self {
        if other.bits < self.bits { other } else { self }
    }
}

/// The cheapest way from the letters of a mark to `text`: letters replaced by looks, at most one edit or swap.
fn align(letters: &[u32], text: &[u32], unit: impl Fn(usize) -> Range<usize>) -> Option<Alignment> {
    let width = text.len() + 1;
    let mut table = vec![Cost::NONE; (letters.len() + 1) * width];
    let at = |table: &[Cost], row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(Cost::NONE);
    if let Some(first) = table.first_mut() {
        *first = Cost { bits: 0.0, leet: 0, edits: 0 };
    }
    for row in 0..=letters.len() {
        for column in 0..=text.len() {
            let here = at(&table, row, column);
            if here.bits.is_infinite() || here.edits > 1 {
                continue;
            }
            let mut reach = |row: usize, column: usize, cost: Cost| {
                if column < width
                    && let Some(place) = table.get_mut(row * width + column)
                {
                    *place = place.or(cost);
                }
            };
            let (letter, typed) = (letters.get(row).copied(), text.get(column).copied());
            if let (Some(letter), Some(typed)) = (letter, typed) {
                if letter == typed {
                    reach(row + 1, column + 1, here);
                } else {
                    reach(row + 1, column + 1, here.more(EDIT_BITS, 0, 1));
                }
                for length in looks::leet().stands_for(text.get(column..).unwrap_or(&[]), letter) {
                    reach(row + 1, column + length, here.more(LEET_BITS, 1, 0));
                }
                if letters.get(row + 1) == Some(&typed) && text.get(column + 1) == Some(&letter) && letter != typed {
                    reach(row + 2, column + 2, here.more(SWAP_BITS, 0, 1));
                }
            }
            if letter.is_some() {
                reach(row + 1, column, here.more(EDIT_BITS, 0, 1));
            }
            if typed.is_some() {
                reach(row, column + 1, here.more(EDIT_BITS, 0, 1));
            }
        }
    }
    let cost = at(&table, letters.len(), text.len());
    let typed = text.iter().filter(|code| is_letter(**code)).count();
    // Short words one letter apart are other words, unless they begin alike or have the same letters.
    let same_letters = letters.len() == text.len() && letters.iter().all(|letter| text.contains(letter));
    let apart = letters.len() == MIN_LETTERS && cost.edits > 0 && text.first() != letters.first() && !same_letters;
    let believable = cost.leet + cost.edits > 0
        && !apart
        && usize::from(cost.leet) <= letters.len() / 2
        && typed * 2 >= letters.len()
        && (cost.edits == 0 || cost.edits == 1 && (cost.leet == 0 || letters.len() >= MIN_BOTH));
    if cost.bits.is_infinite() || !believable {
        return None;
    }
    let word = |codes: &[u32]| codes.iter().filter_map(|code| char::from_u32(*code)).collect::<String>();
    let (before, after) = (word(text), word(letters));
    let channel =
        |channel: Channel| Change { channel, before: before.clone(), after: after.clone(), detail: String::new() };
    let changes = [(cost.leet > 0, Channel::Leet), (cost.edits > 0, Channel::Edit)]
        .into_iter()
        .filter(|(used, _)| *used)
        .map(|(_, which)| channel(which))
        .collect();
    let pieces = (0..text.len()).map(unit).collect();
    Some(Alignment { changes, bits: cost.bits, pieces })
}
