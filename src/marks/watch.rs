//! Where a mark may be meant that is not written: by sound, by looks, in parts, in pinyin, in digits.
//!
//! A spelling of Han characters leaves keys that survive what sellers do to it: each three sounds of its first four
//! characters (so one character may be anything), every two characters of three, one character and the sound of the other
//! of two, what looks nearly like two. Every place of a text asks for the keys of what can be read there; who answers is aligned character by
//! character ([`align`](super::align)), so a key that lies costs time only.

use std::ops::Range;

use super::{
    align::{Alignment, align},
    gates::{Gates, Pairs},
    keys::Keys,
};
use crate::text::{
    Lattice, Reading, Via,
    mix::spread,
    near,
    sound::{Sounds, sounds},
};

/// Longest spelling that is watched for in disguise, in characters.
const MAX_CHARACTERS: usize = 24;
/// Ways through the readings that are tried from one place.
const MAX_WAYS: usize = 48;

/// A spelling as the watch compares it.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) codes: Box<[u32]>,
    pub(super) sounds: Box<[Sounds]>,
    /// The register's number of the spelling.
    pub(super) number: u32,
    /// A bit for each Nice class of a mark that is spelled so.
    pub(super) classes: u64,
}

/// Keys of spellings, and the spellings.
#[derive(Debug, Default)]
pub(super) struct Watch {
    patterns: Vec<Pattern>,
    keys: Keys,
    gates: Gates,
}

/// Which places of a key are filled, and with what.
#[derive(Debug, Clone, Copy)]
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

fn key(shape: Shape, [a, b, c]: [u32; 3]) -> u64 {
    const BITS: u32 = 21;
    spread((u64::from(a) | u64::from(b) << BITS | u64::from(c) << (2 * BITS)) ^ (shape as u64) << 60)
}

/// What a character without a sound is heard as: itself, behind all sounds.
fn own_sound(code: u32) -> u32 {
    code + 512
}

/// What a character of a spelling sounds like, in every reading.
fn every_sound(code: u32, sounds: Sounds) -> impl Iterator<Item = u32> + Clone {
    let own = (sounds == [0; 4]).then(|| own_sound(code));
    sounds.into_iter().filter(|sound| *sound != 0).map(u32::from).chain(own)
}

/// What a reading of a text is heard as: its two usual sounds; 0 for one that it lacks. A spelling is known by all of its own.
#[inline]
fn heard(reading: &Reading) -> [u32; 2] {
    match reading.sounds {
        [0, ..] => [own_sound(reading.code), 0],
        [one, other, ..] => [one.into(), other.into()],
    }
}

fn each(heard: [u32; 2]) -> impl Iterator<Item = u32> + Clone {
    heard.into_iter().filter(|sound| *sound != 0)
}

impl Watch {
    /// Watches for spellings: folded text, number and classes. Those without a Han character, of one character or too
    /// long are left out.
    pub(super) fn new<'a>(spellings: impl Iterator<Item = (&'a str, u32, u64)>) -> Self {
        let (mut patterns, mut pairs, mut gates) = (Vec::new(), Vec::new(), Gates::default());
        for (text, number, classes) in spellings {
            let codes: Box<[u32]> = text.chars().map(|c| c as u32).collect();
            if codes.len() < 2 || codes.len() > MAX_CHARACTERS || !codes.iter().any(|code| is_han(*code)) {
                continue;
            }
            let sounds = codes.iter().map(|code| sounds(*code)).collect();
            let pattern = Pattern { codes, sounds, number, classes };
            let own = patterns.len() as u32;
            pattern.keys(&mut |key| pairs.push((key, own)));
            pattern.open(&mut gates);
            patterns.push(pattern);
        }
        Self { patterns, keys: Keys::new(&pairs), gates }
    }

    /// Every spelling that can be read somewhere in `lattice` other than as it stands, with the tokens and the alignment.
    ///
    /// Spellings of two characters with one replaced are found only when their classes meet `classes`.
    pub(super) fn scan(
        &self,
        lattice: &Lattice,
        classes: u64,
        mut found: impl FnMut(&Pattern, Range<usize>, Alignment),
    ) {
        if self.patterns.is_empty() {
            return;
        }
        let mut asked: Vec<u32> = Vec::new();
        for start in 0..lattice.tokens().len() {
            asked.clear();
            let mut ask = Ask { gates: &self.gates, keys: &self.keys, answers: &mut asked };
            match plain(lattice, start) {
                Some([a, b, c, d]) => {
                    ask.two(a, b);
                    ask.three(a, b, c);
                    ask.four(a, b, c, d);
                }
                None => walk(lattice, start, 0, &mut [Reading::NONE; 4], &mut { MAX_WAYS }, &mut ask),
            }
            asked.sort_unstable();
            asked.dedup();
            // Where two characters can only be read as they stand, one of two may be replaced in marks of the class alone.
            let plain = lattice.readings(start).len() == 1 && lattice.readings(start + 1).len() == 1;
            for pattern in asked.iter().filter_map(|pattern| self.patterns.get(*pattern as usize)) {
                if plain && pattern.codes.len() == 2 && pattern.classes & classes == 0 {
                    continue;
                }
                if let Some((end, alignment)) = align(lattice, start, pattern, classes) {
                    found(pattern, start..end, alignment);
                }
            }
        }
    }
}

/// The four readings from `token`, where there is only one of each.
#[inline]
fn plain(lattice: &Lattice, token: usize) -> Option<[&Reading; 4]> {
    let only = |at: usize| match lattice.readings(token + at) {
        [reading] if reading.end as usize == token + at + 1 => Some(reading),
        _ => None,
    };
    Some([only(0)?, only(1)?, only(2)?, only(3)?])
}

/// Tries every way of up to four readings from `token`, and asks for the keys of each.
fn walk(lattice: &Lattice, token: usize, depth: usize, way: &mut [Reading; 4], ways: &mut usize, ask: &mut Ask<'_>) {
    for reading in lattice.readings(token) {
        if *ways == 0 {
            return;
        }
        if let Some(place) = way.get_mut(depth) {
            *place = *reading;
        }
        match (depth, &*way) {
            (1, [a, b, ..]) => ask.two(a, b),
            (2, [a, b, c, _]) => ask.three(a, b, c),
            (3, [a, b, c, d]) => ask.four(a, b, c, d),
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
    gates: &'a Gates,
    keys: &'a Keys,
    answers: &'a mut Vec<u32>,
}

impl Ask<'_> {
    #[inline]
    fn key(&mut self, shape: Shape, parts: [u32; 3]) {
        self.answers.extend(self.keys.answers(key(shape, parts)));
    }

    fn two(&mut self, a: &Reading, b: &Reading) {
        let (first, second) = (heard(a), heard(b));
        for one in each(first).filter(|one| b.code != 0 && self.gates.two.has_sounds(*one, second[0])) {
            self.key(Shape::SoundThenCharacter, [one, b.code, 0]);
        }
        for other in each(second).filter(|other| a.code != 0 && self.gates.two.has_sounds(first[0], *other)) {
            self.key(Shape::CharacterThenSound, [a.code, other, 0]);
        }
        if is_han(a.code) && is_han(b.code) && self.gates.characters.has_characters(a.code, b.code) {
            self.key(Shape::TwoCharacters, [a.code, b.code, 0]);
        }
        if a.via == Via::Pinyin && b.via == Via::Pinyin {
            each(first).for_each(|one| each(second).for_each(|other| self.key(Shape::TwoSounds, [one, other, 0])));
        }
    }

    fn three(&mut self, a: &Reading, b: &Reading, c: &Reading) {
        let heard = [heard(a), heard(b), heard(c)];
        let [[first, _], [second, _], [third, _]] = heard;
        let Gates { first_second, second_third, first_third, .. } = self.gates;
        let characters = [
            (Shape::FirstTwo, a.code, b.code, first_second.has_sounds(first, second)),
            (Shape::LastTwo, b.code, c.code, second_third.has_sounds(second, third)),
            (Shape::OuterTwo, a.code, c.code, first_third.has_sounds(first, third)),
        ];
        for (shape, one, other, open) in characters {
            if open && one != 0 && other != 0 && (is_han(one) || is_han(other)) {
                self.key(shape, [one, other, 0]);
            }
        }
        self.sounds(Shape::ThreeSounds, heard, [first_second, second_third, first_third]);
    }

    fn four(&mut self, a: &Reading, b: &Reading, c: &Reading, d: &Reading) {
        let [a, b, c, d] = [heard(a), heard(b), heard(c), heard(d)];
        let Gates { first_second, first_third, second_third, second_fourth, third_fourth, first_fourth, .. } =
            self.gates;
        self.sounds(Shape::AllButThird, [a, b, d], [first_second, second_fourth, first_fourth]);
        self.sounds(Shape::AllButSecond, [a, c, d], [first_third, third_fourth, first_fourth]);
        self.sounds(Shape::AllButFirst, [b, c, d], [second_third, third_fourth, second_fourth]);
    }

    /// Three sounds, behind the gates of the first and second, the second and third, the first and third.
    #[inline]
    fn sounds(&mut self, shape: Shape, [a, b, c]: [[u32; 2]; 3], gates: [&Pairs; 3]) {
        let [left, right, outer] = gates;
        for first in each(a) {
            for second in each(b).filter(|second| left.has_sounds(first, *second)) {
                for third in each(c) {
                    if right.has_sounds(second, third) && outer.has_sounds(first, third) {
                        self.key(shape, [first, second, third]);
                    }
                }
            }
        }
    }
}

impl Pattern {
    /// What the character at `place` sounds like.
    fn sounds_at(&self, place: usize) -> impl Iterator<Item = u32> + Clone + use<> {
        let (code, sounds) = (self.codes.get(place).copied(), self.sounds.get(place).copied());
        every_sound(code.unwrap_or(0), sounds.unwrap_or([0; 4]))
    }

    /// The keys it is found by.
    fn keys(&self, add: &mut impl FnMut(u64)) {
        let code = |place: usize| self.codes.get(place).copied().unwrap_or(0);
        let (a, b, c, d) = (self.sounds_at(0), self.sounds_at(1), self.sounds_at(2), self.sounds_at(3));
        if self.codes.len() <= 3 {
            // Of three, the third may look alike, one of the first two sound alike.
            a.clone().for_each(|one| add(key(Shape::SoundThenCharacter, [one, code(1), 0])));
            b.clone().for_each(|other| add(key(Shape::CharacterThenSound, [code(0), other, 0])));
            self.alike(&mut |one, other| add(key(Shape::TwoCharacters, [one, other, 0])));
        }
        match self.codes.len() {
            2 => a.for_each(|one| b.clone().for_each(|other| add(key(Shape::TwoSounds, [one, other, 0])))),
            3 => {
                for (shape, one, other) in [(Shape::FirstTwo, 0, 1), (Shape::LastTwo, 1, 2), (Shape::OuterTwo, 0, 2)] {
                    if is_han(code(one)) || is_han(code(other)) {
                        add(key(shape, [code(one), code(other), 0]));
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
        let [a, b, rest @ ..] = &*self.codes else { return };
        if is_han(*a) && is_han(*b) {
            add(*a, *b);
        }
        if rest.is_empty() {
            near(*a).iter().for_each(|other| add(*other, *b));
            near(*b).iter().for_each(|other| add(*a, *other));
        }
    }

    /// Opens the gates before its keys.
    fn open(&self, gates: &mut Gates) {
        let open = |pairs: &mut Pairs, one: usize, other: usize| {
            for first in self.sounds_at(one) {
                self.sounds_at(other).for_each(|second| pairs.set_sounds(first, second));
            }
        };
        let length = self.codes.len();
        if length <= 3 {
            open(&mut gates.two, 0, 1);
            self.alike(&mut |one, other| gates.characters.set_characters(one, other));
        }
        if length >= 3 {
            open(&mut gates.first_second, 0, 1);
            open(&mut gates.second_third, 1, 2);
            open(&mut gates.first_third, 0, 2);
        }
        if length >= 4 {
            open(&mut gates.second_fourth, 1, 3);
            open(&mut gates.third_fourth, 2, 3);
            open(&mut gates.first_fourth, 0, 3);
        }
    }
}

fn each_three(
    shape: Shape,
    a: impl Iterator<Item = u32>,
    b: impl Iterator<Item = u32> + Clone,
    c: impl Iterator<Item = u32> + Clone,
    add: &mut impl FnMut(u64),
) {
    for first in a {
        for second in b.clone() {
            c.clone().for_each(|third| add(key(shape, [first, second, third])));
        }
    }
}

pub(super) fn is_han(code: u32) -> bool {
    matches!(code, 0x3400..=0x9FFF | 0x3007 | 0x20000..=0x3FFFF)
}
