//! Where a mark may be meant that is not written: by sound, by looks, in parts, in pinyin, in digits.
//!
//! A spelling of Han characters leaves keys that survive what sellers do to it: each three sounds of its first four
//! characters (so one character may be anything), every two characters of three, one character and the sound of the other
//! of two, what looks nearly like two. Every place of a text asks for the keys of what can be read there; who answers is aligned character by
//! character ([`align`](super::align)), so a key that lies costs time only.

use std::ops::Range;

use super::{
    Everyday,
    align::{Alignment, LEAST_BITS, align},
    gates::{Gate, scattered},
    keys::{Asked, Keys},
};
use crate::text::{
    Lattice, Reading, Via,
    ahead::touch,
    mix::spread,
    near,
    sound::{Sounds, sounds},
};

/// Longest spelling that is watched for in disguise, in characters.
const MAX_CHARACTERS: usize = 24;
/// Ways through the readings that are tried from one place.
const MAX_WAYS: usize = 48;
/// Spellings up to which the gates alone leave little: a rule's words, not a register's.
const FEW: usize = 256;

/// A character of a spelling, and what it sounds like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Character {
    pub code: u32,
    pub sounds: Sounds,
}

/// A spelling as the watch compares it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern<'a> {
    pub characters: &'a [Character],
    /// The register's number of the spelling.
    pub number: u32,
    /// A bit for each Nice class of a mark that is spelled so.
    pub classes: u64,
}

/// Where a spelling's characters are among those of all.
#[derive(Debug, Clone, Copy)]
struct Row {
    first: u32,
    length: u32,
    number: u32,
    classes: u64,
}

/// Keys of spellings, and the spellings.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    rows: Vec<Row>,
    characters: Vec<Character>,
    keys: Keys,
    of_two: [Gate; OF_TWO],
    of_three: Gate<OF_THREE>,
    /// By place of a spelling: the ASCII characters that stand there as they are. No other may stand for anything.
    ascii: [u128; 4],
    /// What any key has, where there are few spellings: where a text has not two of it in four places, none is asked for.
    few: Option<Box<Parts>>,
}

/// The characters and sounds that keys are made of, a bit each; 0, which stands for none, is never there.
#[derive(Debug)]
struct Parts {
    /// By the lower 16 bits of a character.
    codes: [u64; 1024],
    sounds: [u64; OWN as usize / 64],
}

impl Parts {
    fn new() -> Box<Self> {
        Box::new(Self { codes: [0; 1024], sounds: [0; OWN as usize / 64] })
    }

    fn add(&mut self, shape: Shape, [a, b, c]: [u32; 3]) {
        let (mut heard, mut written) = ([0; 3], [0; 2]);
        match shape {
            Shape::SoundThenCharacter => (heard[0], written[0]) = (a, b),
            Shape::CharacterThenSound => (written[0], heard[0]) = (a, b),
            Shape::TwoCharacters | Shape::FirstTwo | Shape::LastTwo | Shape::OuterTwo => written = [a, b],
            Shape::TwoSounds => heard = [a, b, 0],
            Shape::ThreeSounds | Shape::AllButThird | Shape::AllButSecond | Shape::AllButFirst => heard = [a, b, c],
        }
        for sound in heard.into_iter().filter(|sound| *sound != 0) {
            match self.sounds.get_mut(sound as usize >> 6) {
                Some(word) => *word |= 1 << (sound & 63),
                None => self.codes[(sound - OWN) as usize >> 6 & 1023] |= 1 << (sound & 63),
            }
        }
        for code in written.into_iter().filter(|code| *code != 0) {
            self.codes[code as usize >> 6 & 1023] |= 1 << (code & 63);
        }
    }

    /// Whether a key may have what is heard.
    #[inline]
    fn have(&self, heard: &Heard) -> bool {
        let has = |sound: u32| self.sounds.get(sound as usize >> 6).map_or(0, |word| word >> (sound & 63));
        let code = self.codes[heard.code as usize >> 6 & 1023] >> (heard.code & 63);
        let [one, other] = heard.sounds;
        (code | has(one) | has(other)) & 1 == 1
    }
}

/// Which places of a key are filled, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    SoundThenCharacter,
    CharacterThenSound,
    TwoSounds,
    TwoCharacters,
    FirstTwo,
    LastTwo,
    OuterTwo,
    ThreeSounds,
    AllButThird,
    AllButSecond,
    AllButFirst,
}

/// Shapes of two parts, each with a gate of its own; those of three sounds are asked together.
const OF_TWO: usize = 7;
/// The shapes of three sounds, in their order behind one gate.
const THREE_SOUNDS: usize = 0;
const ALL_BUT_THIRD: usize = 1;
const ALL_BUT_SECOND: usize = 2;
const ALL_BUT_FIRST: usize = 3;
const OF_THREE: usize = 4;

/// What the gate of a shape of two parts is asked for: sounds as they are, characters by what tells them apart.
#[inline]
fn gated(shape: Shape, [a, b, _]: [u32; 3]) -> [u32; 3] {
    match shape {
        Shape::SoundThenCharacter => [a, scattered(b), scattered(b) >> 7],
        Shape::CharacterThenSound => [b, scattered(a), scattered(a) >> 7],
        Shape::TwoSounds => [a, b, 0],
        _ => [scattered(a), scattered(b), scattered(a) >> 7 ^ scattered(b) >> 10],
    }
}

fn key(shape: Shape, [a, b, c]: [u32; 3]) -> u64 {
    const BITS: u32 = 21;
    spread((u64::from(a) | u64::from(b) << BITS | u64::from(c) << (2 * BITS)) ^ (shape as u64) << 60)
}

/// Where sounds end.
const OWN: u32 = 512;

/// What a character without a sound is heard as: itself, behind all sounds.
fn own_sound(code: u32) -> u32 {
    code + OWN
}

/// What a character of a spelling sounds like, in every reading.
fn every_sound(code: u32, sounds: Sounds) -> impl Iterator<Item = u32> + Clone {
    let own = (sounds == [0; 4]).then(|| own_sound(code));
    sounds.into_iter().filter(|sound| *sound != 0).map(u32::from).chain(own)
}

/// What a reading of a text is asked by.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The character; 0 for a syllable.
    code: u32,
    /// Its two usual sounds; 0 for one that it lacks. A spelling is known by all of its own.
    sounds: [u32; 2],
    pinyin: bool,
    /// Whether it is the only reading there and takes no other token.
    only: bool,
}

impl Heard {
    #[inline]
    fn new(reading: &Reading) -> Self {
        let sounds = match reading.sounds {
            [0, ..] => [own_sound(reading.code), 0],
            [one, other, ..] => [one.into(), other.into()],
        };
        Self { code: reading.code, sounds, pinyin: reading.via == Via::Pinyin, only: false }
    }

    #[inline]
    fn each(self) -> impl Iterator<Item = u32> + Clone {
        self.sounds.into_iter().filter(|sound| *sound != 0)
    }
}

impl Watch {
    /// Watches for spellings: folded text, number and classes. Those without a Han character, of one character or too
    /// long are left out.
    pub(crate) fn new<'a>(spellings: impl Iterator<Item = (&'a str, u32, u64)>) -> Self {
        let mut watch = Self::default();
        for (text, number, classes) in spellings {
            let characters: Vec<Character> =
                text.chars().map(|c| c as u32).map(|code| Character { code, sounds: sounds(code) }).collect();
            let length = characters.len();
            if !(2..=MAX_CHARACTERS).contains(&length) || !characters.iter().any(|one| is_han(one.code)) {
                continue;
            }
            for (ascii, code) in watch.ascii.iter_mut().zip(characters.iter().map(|one| one.code)) {
                *ascii |= if code < 128 { 1 << code } else { 0 };
            }
            watch.rows.push(Row { first: watch.characters.len() as u32, length: length as u32, number, classes });
            watch.characters.extend(characters);
        }
        let (mut of_two, mut of_three) =
            ([(); OF_TWO].map(|()| Gate::new(watch.rows.len())), Gate::new(watch.rows.len()));
        let mut pairs = Vec::new();
        let mut few = (watch.rows.len() <= FEW).then(Parts::new);
        for (own, row) in (0..).zip(&watch.rows) {
            watch.pattern(*row).keys(&mut |shape, parts| {
                pairs.push((key(shape, parts), own));
                if let Some(few) = &mut few {
                    few.add(shape, parts);
                }
                match (shape as usize).checked_sub(OF_TWO) {
                    Some(number) => of_three.open(number, parts),
                    None => of_two[shape as usize % OF_TWO].open(0, gated(shape, parts)),
                }
            });
        }
        (watch.of_two, watch.of_three, watch.keys, watch.few) = (of_two, of_three, Keys::new(&pairs), few);
        watch
    }

    /// Whether nothing is watched for.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn pattern(&self, row: Row) -> Pattern<'_> {
        let first = row.first as usize;
        let characters = self.characters.get(first..first + row.length as usize).unwrap_or(&[]);
        Pattern { characters, number: row.number, classes: row.classes }
    }

    /// Every spelling that can be read somewhere in `lattice` other than as it stands, with the tokens and the alignment,
    /// unless everyday words explain the text too well.
    ///
    /// Spellings of two characters with one replaced are found only when their classes meet `classes`.
    pub(crate) fn scan(
        &self,
        lattice: &Lattice,
        everyday: &Everyday<'_>,
        classes: u64,
        mut found: impl FnMut(&Pattern<'_>, Range<usize>, Alignment),
    ) {
        if self.is_empty() {
            return;
        }
        let count = lattice.tokens().len();
        let (heard, in_a_row) = only(lattice);
        let in_a_row = |start: usize| in_a_row.get(start).map_or(0, |row| usize::from(*row));
        let had: Option<Vec<bool>> = self.few.as_ref().map(|few| heard.iter().map(|heard| few.have(heard)).collect());
        let none_is_here = |start: usize| {
            let four = had.as_ref().and_then(|had| had.get(start..start + 4));
            four.is_some_and(|four| four.iter().filter(|had| **had).count() < 2)
        };
        let mut ask = Ask { watch: self, start: 0, asked: Vec::with_capacity(count) };
        // Where all can be read in one way alone, which is nearly everywhere, one shape is asked for after the other: what
        // is asked stays near so.
        let mut rows: Vec<(u32, u32)> = Vec::with_capacity(count);
        for start in 0..count {
            ask.start = start as u32;
            match heard.get(start..start + 4) {
                Some(four) if in_a_row(start) >= 4 => {
                    if none_is_here(start) {
                        continue;
                    }
                    let fitting = four.iter().enumerate().take_while(|(place, heard)| ask.fits(*place, heard.code));
                    rows.push((ask.start, fitting.count() as u32));
                }
                _ => walk(lattice, start, 0, &mut [Heard::default(); 4], &mut { MAX_WAYS }, &mut ask),
            }
        }
        let four = |start: u32| heard.get(start as usize..).and_then(|rest| rest.first_chunk::<4>());
        // With few spellings the gates say no nearly everywhere, and no text is cut into words for it.
        let many = self.rows.len() > FEW;
        for &(start, fitting) in rows.iter().filter(|(_, fitting)| *fitting > 1) {
            // Spellings of two and three characters alone are asked for by two of them; of two for certain goods alone.
            let explained = |count: usize| {
                everyday.explain(lattice.units(start as usize..start as usize + count), count, LEAST_BITS)
            };
            if many && explained(3) && (classes == 0 || explained(2)) {
                continue;
            }
            let Some([a, b, c, _]) = four(start) else { continue };
            ask.start = start;
            ask.two(a, b);
            if fitting > 2 {
                ask.characters(a, b, c);
            }
        }
        for &(start, fitting) in rows.iter().filter(|(_, fitting)| *fitting > 2) {
            let Some([a, b, c, d]) = four(start) else { continue };
            ask.start = start;
            if fitting < 4 || ask.may_sound(a, b, c, d) {
                ask.sounds(a, b, c, (fitting > 3).then_some(d));
            }
        }
        let mut answers: Vec<(u32, u32)> = Vec::new();
        self.keys.each_answer(&ask.asked, |start, row| answers.push((start, row)));
        answers.sort_unstable();
        answers.dedup();
        let rows = |(start, row): (u32, u32)| self.rows.get(row as usize).map(|row| (start as usize, *row));
        let asked = answers.into_iter().filter_map(rows).filter(|(start, row)| {
            let own = *start..start + row.length as usize;
            own.len() > in_a_row(*start) || !everyday.explain(lattice.units(own.clone()), own.len(), LEAST_BITS)
        });
        let asked: Vec<(usize, Row)> = asked.collect();
        touch(asked.iter().map(|(_, row)| self.characters.get(row.first as usize).map_or(0, |one| one.code)));
        for (start, row) in asked {
            let pattern = self.pattern(row);
            // Where two characters can only be read as they stand, one of two may be replaced in marks of the class alone.
            let plain = || lattice.readings(start).len() == 1 && lattice.readings(start + 1).len() == 1;
            if pattern.characters.len() == 2 && pattern.classes & classes == 0 && plain() {
                continue;
            }
            if let Some((end, alignment)) = align(lattice, start, &pattern, classes)
                && !everyday.explain(lattice.units(start..end), pattern.characters.len(), alignment.bits)
            {
                found(&pattern, start..end, alignment);
            }
        }
    }
}

/// What is heard at each token that can be read in one way alone and takes no other, and how many such stand in a row
/// from there.
fn only(lattice: &Lattice) -> (Vec<Heard>, Vec<u8>) {
    let count = lattice.tokens().len();
    let heard = (0..count).map(|token| match lattice.readings(token) {
        [reading] if reading.end as usize == token + 1 => Heard { only: true, ..Heard::new(reading) },
        _ => Heard::default(),
    });
    let heard: Vec<Heard> = heard.collect();
    let mut in_a_row = vec![0_u8; count];
    let mut behind = 0_u8;
    for (place, heard) in in_a_row.iter_mut().zip(&heard).rev() {
        behind = if heard.only { behind.saturating_add(1) } else { 0 };
        *place = behind;
    }
    (heard, in_a_row)
}

/// Tries every way of up to four readings from `token`, and asks for the keys of each.
fn walk(lattice: &Lattice, token: usize, depth: usize, way: &mut [Heard; 4], ways: &mut usize, ask: &mut Ask<'_>) {
    for reading in lattice.readings(token) {
        if *ways == 0 {
            return;
        }
        if !ask.fits(depth, reading.code) {
            continue;
        }
        if let Some(place) = way.get_mut(depth) {
            *place = Heard::new(reading);
        }
        match (depth, &*way) {
            (1, [a, b, ..]) => ask.two(a, b),
            (2, [a, b, c, _]) => {
                ask.characters(a, b, c);
                ask.sounds(a, b, c, None);
            }
            (3, [a, b, c, d]) => ask.sounds(a, b, c, Some(d)),
            _ => {}
        }
        if depth < 3 {
            walk(lattice, reading.end as usize, depth + 1, way, ways, ask);
        } else {
            *ways -= 1;
        }
    }
}

/// Asks for the keys of readings that stand in a row.
struct Ask<'a> {
    watch: &'a Watch,
    /// The token they begin at.
    start: u32,
    asked: Vec<Asked>,
}

impl Ask<'_> {
    /// Whether a spelling may have what is read at `place`.
    #[inline]
    fn fits(&self, place: usize, code: u32) -> bool {
        code == 0 || code >= 128 || self.watch.ascii[place & 3] >> code & 1 == 1
    }

    #[inline]
    fn key(&mut self, shape: Shape, parts: [u32; 3]) {
        let [first, second, last] = gated(shape, parts);
        if self.watch.of_two[shape as usize % OF_TWO].at(first, second).has::<0>(last) {
            self.open(shape, parts);
        }
    }

    #[inline]
    fn open(&mut self, shape: Shape, parts: [u32; 3]) {
        self.asked.push(Asked { key: key(shape, parts), tag: self.start });
    }

    fn two(&mut self, a: &Heard, b: &Heard) {
        if b.code != 0 {
            a.each().for_each(|one| self.key(Shape::SoundThenCharacter, [one, b.code, 0]));
        }
        if a.code != 0 {
            b.each().for_each(|other| self.key(Shape::CharacterThenSound, [a.code, other, 0]));
        }
        if is_han(a.code) && is_han(b.code) {
            self.key(Shape::TwoCharacters, [a.code, b.code, 0]);
        }
        if a.pinyin && b.pinyin {
            a.each().for_each(|one| b.each().for_each(|other| self.key(Shape::TwoSounds, [one, other, 0])));
        }
    }

    /// Two of three characters.
    fn characters(&mut self, a: &Heard, b: &Heard, c: &Heard) {
        let characters =
            [(Shape::FirstTwo, a.code, b.code), (Shape::LastTwo, b.code, c.code), (Shape::OuterTwo, a.code, c.code)];
        for (shape, one, other) in characters {
            if one != 0 && other != 0 && (is_han(one) || is_han(other)) {
                self.key(shape, [one, other, 0]);
            }
        }
    }

    /// Whether any key of [`sounds`](Self::sounds) may be there, where each has one sound, which is nearly everywhere: told
    /// without a branch before all is known, for what is asked lies far from the processor.
    #[inline]
    fn may_sound(&self, a: &Heard, b: &Heard, c: &Heard, d: &Heard) -> bool {
        let gate = &self.watch.of_three;
        let ([a, more_a], [b, more_b], [c, more_c], [d, more_d]) = (a.sounds, b.sounds, c.sounds, d.sounds);
        let (front, outer, back) = (gate.at(a, b), gate.at(a, c), gate.at(b, c));
        (more_a | more_b | more_c | more_d != 0)
            | front.has::<THREE_SOUNDS>(c)
            | front.has::<ALL_BUT_THIRD>(d)
            | outer.has::<ALL_BUT_SECOND>(d)
            | back.has::<ALL_BUT_FIRST>(d)
    }

    /// Three sounds in a row, and three of four when there is a fourth.
    #[inline]
    fn sounds(&mut self, a: &Heard, b: &Heard, c: &Heard, d: Option<&Heard>) {
        let watch = self.watch;
        let gate = &watch.of_three;
        let fourth = || d.into_iter().flat_map(|heard| heard.each());
        for first in a.each() {
            for second in b.each() {
                let ajar = gate.at(first, second);
                for third in c.each().filter(|third| ajar.has::<THREE_SOUNDS>(*third)) {
                    self.open(Shape::ThreeSounds, [first, second, third]);
                }
                for last in fourth().filter(|last| ajar.has::<ALL_BUT_THIRD>(*last)) {
                    self.open(Shape::AllButThird, [first, second, last]);
                }
            }
            for third in c.each() {
                let ajar = gate.at(first, third);
                for last in fourth().filter(|last| ajar.has::<ALL_BUT_SECOND>(*last)) {
                    self.open(Shape::AllButSecond, [first, third, last]);
                }
            }
        }
        for second in b.each() {
            for third in c.each() {
                let ajar = gate.at(second, third);
                for last in fourth().filter(|last| ajar.has::<ALL_BUT_FIRST>(*last)) {
                    self.open(Shape::AllButFirst, [second, third, last]);
                }
            }
        }
    }
}

impl Pattern<'_> {
    /// What the character at `place` sounds like.
    fn sounds_at(&self, place: usize) -> impl Iterator<Item = u32> + Clone + use<> {
        let one = self.characters.get(place).copied().unwrap_or(Character { code: 0, sounds: [0; 4] });
        every_sound(one.code, one.sounds)
    }

    /// The keys it is found by.
    fn keys(&self, add: &mut impl FnMut(Shape, [u32; 3])) {
        let code = |place: usize| self.characters.get(place).map_or(0, |one| one.code);
        let (a, b, c, d) = (self.sounds_at(0), self.sounds_at(1), self.sounds_at(2), self.sounds_at(3));
        if self.characters.len() <= 3 {
            // Of three, the third may look alike, one of the first two sound alike.
            a.clone().for_each(|one| add(Shape::SoundThenCharacter, [one, code(1), 0]));
            b.clone().for_each(|other| add(Shape::CharacterThenSound, [code(0), other, 0]));
            self.alike(&mut |one, other| add(Shape::TwoCharacters, [one, other, 0]));
        }
        match self.characters.len() {
            2 => a.for_each(|one| b.clone().for_each(|other| add(Shape::TwoSounds, [one, other, 0]))),
            3 => {
                for (shape, one, other) in [(Shape::FirstTwo, 0, 1), (Shape::LastTwo, 1, 2), (Shape::OuterTwo, 0, 2)] {
                    if is_han(code(one)) || is_han(code(other)) {
                        add(shape, [code(one), code(other), 0]);
                    }
                }
                each_three(Shape::ThreeSounds, a, b, c, add);
            }
            _ => {
                each_three(Shape::ThreeSounds, a.clone(), b.clone(), c.clone(), add);
                each_three(Shape::AllButThird, a.clone(), b.clone(), d.clone(), add);
                each_three(Shape::AllButSecond, a, c.clone(), d.clone(), add);
                each_three(Shape::AllButFirst, b, c, d, add);
            }
        }
    }

    /// Its first two characters, and those of two with one replaced by what is taken for it at a glance.
    fn alike(&self, add: &mut impl FnMut(u32, u32)) {
        let [Character { code: a, .. }, Character { code: b, .. }, rest @ ..] = self.characters else { return };
        if is_han(*a) && is_han(*b) {
            add(*a, *b);
        }
        if rest.is_empty() {
            near(*a).iter().for_each(|other| add(*other, *b));
            near(*b).iter().for_each(|other| add(*a, *other));
        }
    }
}

fn each_three(
    shape: Shape,
    a: impl Iterator<Item = u32>,
    b: impl Iterator<Item = u32> + Clone,
    c: impl Iterator<Item = u32> + Clone,
    add: &mut impl FnMut(Shape, [u32; 3]),
) {
    for first in a {
        for second in b.clone() {
            c.clone().for_each(|third| add(shape, [first, second, third]));
        }
    }
}

pub(crate) fn is_han(code: u32) -> bool {
    matches!(code, 0x3400..=0x9FFF | 0x3007 | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{disguise::Least, model::Listing, text::fold_surfaces};

    const MARKS: [&str; 5] = ["云雀记", "老山泉", "奈克", "金凤凰城", "小白d"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn what_few_spellings_spare_asking_for_is_nothing_that_stands_there(
            text in "([云芸雀鹊记纪老山泉佬珊全奈耐克金今凤凰城诚小白笑百dDa3 ·的是好买]|yun|que|nai|ke|木又|口阿){0,30}"
        ) {
            let mut watch = Watch::new(MARKS.iter().zip(0..).map(|(mark, number)| (*mark, number, 0)));
            prop_assert!(watch.few.is_some());
            let listing = Listing { title: text, ..Listing::default() };
            let surfaces = fold_surfaces(&listing);
            let found = |watch: &Watch| {
                let mut all = Vec::new();
                for surface in &surfaces {
                    let everyday = Everyday::new(surface, 30.0, Least { two: 0.01, more: 0.01 });
                    watch.scan(surface.lattice(), &everyday, 0, |pattern, tokens, _| all.push((pattern.number, tokens)));
                }
                all
            };
            let sparing = found(&watch);
            watch.few = None;
            prop_assert_eq!(sparing, found(&watch));
        }
    }
}
