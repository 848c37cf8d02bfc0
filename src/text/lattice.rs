//! Every way to read a text as the characters of a mark: as it stands, split characters joined, pinyin sounded, digits
//! read aloud.

use std::ops::Range;

use super::{
    Folded, Gap,
    folded::{Placed, Span},
    looks,
    sound::{Sound, Sounds, sounds, syllables},
};

/// How a stretch of text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// As the character that stands there.
    Plain,
    /// As one character that is written as its parts.
    Split,
    /// As a syllable written in Latin letters: a sound without a character.
    Pinyin,
    /// As the character that a digit, letter or sign is read as.
    Digit,
}

/// One way to read the tokens from `start` to `end`.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// First token.
    pub start: u32,
    /// One behind the last.
    pub end: u32,
    /// The character; 0 for a syllable.
    pub code: u32,
    /// How it sounds; all 0 when it has no sound.
    pub sounds: Sounds,
    /// How it is read.
    pub via: Via,
}

/// A unit of the fold, or a sign the fold has dropped that may stand for something.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// The character.
    pub code: u32,
    /// The unit it is, or before which it stands.
    pub unit: u32,
    /// Whether it is a sign that may be passed over.
    pub sign: bool,
    /// Whether something that is seen, and is no token, stands before it.
    pub parted: bool,
    char: u32,
    byte: u32,
    width: u8,
}

/// A text as a graph of readings over its tokens.
#[derive(Debug, Clone, Default)]
pub struct Lattice {
    tokens: Vec<Token>,
    readings: Vec<Reading>,
    /// By token: where its readings begin in `readings`; one more at the end.
    first: Vec<u32>,
}

/// Longest run of Latin letters that is read as pinyin.
const LONGEST_RUN: usize = 24;
/// Most parts of a split character.
const MAX_PARTS: usize = 3;

impl Lattice {
    /// Reads `original`, whose fold is `folded`, in every way.
    pub fn new(original: &str, folded: &Folded) -> Self {
        let mut lattice = Self { tokens: tokens(original, folded), ..Self::default() };
        lattice.first.reserve(lattice.tokens.len() + 1);
        lattice.readings.reserve(lattice.tokens.len() * 5 / 4);
        let mut pinyin: Vec<(u32, u32, Sound)> = Vec::new();
        for at in 0..lattice.tokens.len() {
            lattice.first.push(lattice.readings.len() as u32);
            lattice.read(at, folded, &mut pinyin);
        }
        lattice.first.push(lattice.readings.len() as u32);
        lattice
    }

    /// The tokens, in the order of the text.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Every reading that begins at `token`.
    #[inline]
    pub fn readings(&self, token: usize) -> &[Reading] {
        let bound = |token: usize| self.first.get(token).map_or(self.readings.len(), |first| *first as usize);
        self.readings.get(bound(token)..bound(token + 1)).unwrap_or(&[])
    }

    /// The units that `tokens` hold.
    pub fn units(&self, tokens: Range<usize>) -> Range<usize> {
        let first = self.tokens.get(tokens.start).map_or(0, |token| token.unit as usize);
        let last = tokens.end.checked_sub(1).and_then(|last| self.tokens.get(last));
        first..last.map_or(first, |token| token.unit as usize + usize::from(!token.sign))
    }

    /// Where `tokens` stand in the original.
    pub fn span(&self, tokens: Range<usize>) -> Span {
        let ends =
            tokens.end.checked_sub(1).and_then(|last| Some((self.tokens.get(tokens.start)?, self.tokens.get(last)?)));
        ends.map_or(Span { bytes: 0..0, chars: 0..0 }, |(first, last)| Span {
            bytes: first.byte as usize..last.byte as usize + usize::from(last.width),
            chars: first.char as usize..last.char as usize + 1,
        })
    }

    fn read(&mut self, at: usize, folded: &Folded, pinyin: &mut Vec<(u32, u32, Sound)>) {
        let Some(&token) = self.tokens.get(at) else { return };
        let code = token.code;
        if !token.sign {
            self.push(at, at + 1, code, sounds(code), Via::Plain);
        }
        // Nine of ten tokens are neither a sign nor a letter.
        if token.sign || code < 128 {
            self.read_signs_and_letters(at, token, pinyin);
        }
        let next = self.tokens.get(at + 1).filter(|next| !next.sign && !token.sign);
        if next.is_some_and(|next| looks::begins_split(code, next.code)) {
            self.join(at, folded);
        }
    }

    /// Letters as pinyin; what stands alone as what it is read aloud as.
    fn read_signs_and_letters(&mut self, at: usize, token: Token, pinyin: &mut Vec<(u32, u32, Sound)>) {
        let code = token.code;
        if is_latin(code) && !token.sign {
            if self.begins_run(at) {
                self.sound_run(at, pinyin);
            }
            for &(start, end, sound) in pinyin.iter().filter(|(start, _, _)| *start as usize == at) {
                self.push(start as usize, end as usize, 0, [sound, 0, 0, 0], Via::Pinyin);
            }
        }
        let alone = token.sign || code_is_alphanumeric(code) && self.begins_run(at) && self.run(at).len() == 1;
        if alone {
            for &read in looks::read_as(code) {
                self.push(at, at + 1, read, sounds(read), Via::Digit);
            }
        }
    }

    /// Two or three characters in a row that are one written in its parts.
    fn join(&mut self, at: usize, folded: &Folded) {
        let mut parts = Vec::with_capacity(MAX_PARTS);
        for token in self.tokens.iter().skip(at).take(MAX_PARTS).take_while(|token| !token.sign) {
            if !parts.is_empty() && folded.gap_before(token.unit as usize).has(Gap::STRONG) {
                break;
            }
            parts.push(token.code);
        }
        for count in 2..=parts.len() {
            for whole in looks::joined(parts.get(..count).unwrap_or(&[])) {
                self.push(at, at + count, whole, sounds(whole), Via::Split);
            }
        }
    }

    /// A reading; and the same again behind every sign that follows, which may be passed over.
    fn push(&mut self, start: usize, end: usize, code: u32, sounds: Sounds, via: Via) {
        let mut end = end;
        loop {
            self.readings.push(Reading { start: start as u32, end: end as u32, code, sounds, via });
            if !self.tokens.get(end).is_some_and(|token| token.sign) {
                return;
            }
            end += 1;
        }
    }

    fn begins_run(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        !before.is_some_and(|token| code_is_alphanumeric(token.code) && !token.sign)
            || self.tokens.get(at).is_some_and(|token| token.parted)
    }

    /// The letters and digits from `at` that nothing parts.
    fn run(&self, at: usize) -> &[Token] {
        let rest = self.tokens.get(at..).unwrap_or(&[]);
        let length = rest
            .iter()
            .enumerate()
            .take_while(|(place, token)| {
                code_is_alphanumeric(token.code) && !token.sign && (*place == 0 || !token.parted)
            })
            .count();
        rest.get(..length).unwrap_or(&[])
    }

    fn sound_run(&self, at: usize, pinyin: &mut Vec<(u32, u32, Sound)>) {
        pinyin.clear();
        let run = self.run(at);
        if run.len() < 2 || run.len() > LONGEST_RUN {
            return;
        }
        let letters: Vec<u8> = run.iter().map(|token| token.code as u8).collect();
        pinyin.extend(
            syllables(&letters).into_iter().map(|(start, end, sound)| ((at + start) as u32, (at + end) as u32, sound)),
        );
    }
}

fn is_latin(code: u32) -> bool {
    (u32::from(b'a')..=u32::from(b'z')).contains(&code)
}

fn code_is_alphanumeric(code: u32) -> bool {
    is_latin(code) || (u32::from(b'0')..=u32::from(b'9')).contains(&code)
}

fn tokens(original: &str, folded: &Folded) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(folded.len() + 8);
    let (mut end, mut end_char) = (0, 0);
    for (unit, Placed { code, byte, char, width, gap }) in folded.each().enumerate() {
        let begin = byte as usize;
        let mut parted = gap.has(Gap::SEEN);
        if parted && gap.has(Gap::LIGHT.and(Gap::STRONG).and(Gap::EMOJI)) && begin > end {
            let between = original.get(end..begin).unwrap_or("");
            parted = signs(between, (end, end_char), unit, &mut tokens);
        }
        if begin + usize::from(width) > end {
            (end, end_char) = (begin + usize::from(width), char as usize + 1);
        }
        tokens.push(Token { code, unit: unit as u32, sign: false, parted, char, byte, width });
    }
    let rest = original.get(end..).unwrap_or("");
    signs(rest, (end, end_char), folded.len(), &mut tokens);
    tokens
}

/// Signs of `between` that may stand for something become tokens; whether anything else that is seen follows the last.
fn signs(between: &str, (byte, char): (usize, usize), unit: usize, tokens: &mut Vec<Token>) -> bool {
    let mut parted = false;
    for (at, (offset, c)) in between.char_indices().enumerate() {
        if looks::is_look(c as u32) {
            tokens.push(Token {
                code: c as u32,
                unit: unit as u32,
                sign: true,
                parted,
                char: (char + at) as u32,
                byte: (byte + offset) as u32,
                width: c.len_utf8() as u8,
            });
            parted = false;
        } else {
            parted |= Folded::is_seen(c);
        }
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Via, Option<char>)> {
        let folded = Folded::new(text);
        let lattice = Lattice::new(text, &folded);
        let all = (0..lattice.tokens().len()).flat_map(|token| lattice.readings(token).to_vec()).collect::<Vec<_>>();
        all.into_iter()
            .map(|reading| {
                let span = lattice.span(reading.start as usize..reading.end as usize);
                (text[span.bytes].to_owned(), reading.via, char::from_u32(reading.code).filter(|c| *c != '\0'))
            })
            .collect()
    }

    #[test]
    fn every_way_of_reading_has_its_place_in_the_original() {
        assert!(read("女·马妈").contains(&("女·马".into(), Via::Split, Some('妈'))));
        assert!(read("NAI克").contains(&("NAI".into(), Via::Pinyin, None)));
        assert!(read("3只松鼠").contains(&("3".into(), Via::Digit, Some('三'))));
        assert!(read("我♥你").contains(&("♥".into(), Via::Digit, Some('爱'))));
        assert!(!read("2030只").iter().any(|(_, via, _)| *via == Via::Digit));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_leaving_it(text in "\\PC{0,30}|[a-z0-9女马♥$! ]{0,20}") {
            let folded = Folded::new(&text);
            let lattice = Lattice::new(&text, &folded);
            for token in 0..lattice.tokens().len() {
                for reading in lattice.readings(token) {
                    let span = lattice.span(reading.start as usize..reading.end as usize);
                    proptest::prop_assert!(reading.start < reading.end && text.get(span.bytes).is_some());
                }
            }
        }
    }
}
