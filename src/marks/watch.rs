//! Where a mark may be meant that is not written: by sound, by looks, in parts, in pinyin, in digits.
//!
//! A spelling of Han characters leaves keys that survive what sellers do to it: each three sounds of its first four
//! characters (so one character may be anything), every two characters of three, one character and the sound of the other
//! of two, what looks nearly like two. Every place of a text asks for the keys of what can be read there; who answers is aligned character by
//! character ([`align`](super::align)), so a key that lies costs time only.

use std::ops::Range;

use super::{
    align::{Alignment, align},
    keys::Keys,
};
use crate::text::{
    Lattice, Reading, Via,
    mix::{mix, spread},
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

fn key(shape: Shape, parts: &[u32]) -> u64 {
    spread(parts.iter().fold(mix(0, shape as u32), |hash, part| mix(hash, *part)))
}

/// What a character sounds like; one without a sound is its own.
fn sounds_or_self(code: u32, sounds: Sounds) -> impl Iterator<Item = u32> + Clone {
    let own = (sounds == [0; 4]).then_some(code | 1 << 31);
    sounds.into_iter().filter(|sound| *sound != 0).map(u32::from).chain(own)
}

impl Watch {
    /// Watches for spellings: folded text, number and classes. Those without a Han character, of one character or too
    /// long are left out.
    pub(super) fn new<'a>(spellings: impl Iterator<Item = (&'a str, u32, u64)>) -> Self {
        let (mut patterns, mut pairs) = (Vec::new(), Vec::new());
        for (text, number, classes) in spellings {
            let codes: Box<[u32]> = text.chars().map(|c| c as u32).collect();
            if codes.len() < 2 || codes.len() > MAX_CHARACTERS || !codes.iter().any(|code| is_han(*code)) {
                continue;
            }
            let sounds = codes.iter().map(|code| sounds(*code)).collect();
            let pattern = Pattern { codes, sounds, number, classes };
            let own = patterns.len() as u32;
            pattern.keys(&mut |key| pairs.push((key, own)));
            patterns.push(pattern);
        }
        Self { patterns, keys: Keys::new(&pairs) }
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
            let mut ask = |key: u64| asked.extend(self.keys.answers(key));
            let mut ways = MAX_WAYS;
            let mut way = [Reading::NONE; 4];
            walk(lattice, start, 0, &mut way, &mut ways, &mut ask);
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

/// Tries every way of up to four readings from `token`, and asks for the keys of each.
fn walk(
    lattice: &Lattice,
    token: usize,
    depth: usize,
    way: &mut [Reading; 4],
    ways: &mut usize,
    ask: &mut impl FnMut(u64),
) {
    for reading in lattice.readings(token) {
        if *ways == 0 {
            return;
        }
        if let Some(place) = way.get_mut(depth) {
            *place = *reading;
            place.sounds.iter_mut().skip(USUAL_READINGS).for_each(|sound| *sound = 0);
        }
        match (depth, &*way) {
            (1, [a, b, ..]) => two(a, b, ask),
            (2, [a, b, c, _]) => three(a, b, c, ask),
            (3, [a, b, c, d]) => four(a, b, c, d, ask),
            _ => {}
        }
        if depth < 3 {
            walk(lattice, reading.end as usize, depth + 1, way, ways, ask);
        } else {
            *ways -= 1;
        }
    }
}

/// The readings a text is asked for; a spelling is known by all of its own.
const USUAL_READINGS: usize = 2;

fn of(reading: &Reading) -> impl Iterator<Item = u32> + Clone {
    sounds_or_self(reading.code, reading.sounds)
}

fn two(a: &Reading, b: &Reading, ask: &mut impl FnMut(u64)) {
    if b.code != 0 {
        of(a).for_each(|sound| ask(key(Shape::SoundThenCharacter, &[sound, b.code])));
    }
    if a.code != 0 {
        of(b).for_each(|sound| ask(key(Shape::CharacterThenSound, &[a.code, sound])));
    }
    if is_han(a.code) && is_han(b.code) {
        ask(key(Shape::TwoCharacters, &[a.code, b.code]));
    }
    if a.via == Via::Pinyin && b.via == Via::Pinyin {
        of(a).for_each(|first| of(b).for_each(|second| ask(key(Shape::TwoSounds, &[first, second]))));
    }
}

fn three(a: &Reading, b: &Reading, c: &Reading, ask: &mut impl FnMut(u64)) {
    let characters =
        [(Shape::FirstTwo, a.code, b.code), (Shape::LastTwo, b.code, c.code), (Shape::OuterTwo, a.code, c.code)];
    for (shape, one, other) in characters {
        if one != 0 && other != 0 && (is_han(one) || is_han(other)) {
            ask(key(shape, &[one, other]));
        }
    }
    each_three(Shape::ThreeSounds, of(a), of(b), of(c), ask);
}

fn four(a: &Reading, b: &Reading, c: &Reading, d: &Reading, ask: &mut impl FnMut(u64)) {
    each_three(Shape::AllButThird, of(a), of(b), of(d), ask);
    each_three(Shape::AllButSecond, of(a), of(c), of(d), ask);
    each_three(Shape::AllButFirst, of(b), of(c), of(d), ask);
}

fn each_three(
    shape: Shape,
    a: impl Iterator<Item = u32>,
    b: impl Iterator<Item = u32> + Clone,
    c: impl Iterator<Item = u32> + Clone,
    ask: &mut impl FnMut(u64),
) {
    for first in a {
        for second in b.clone() {
            for third in c.clone() {
                ask(key(shape, &[first, second, third]));
            }
        }
    }
}

impl Pattern {
    /// The keys it is found by.
    fn keys(&self, ask: &mut impl FnMut(u64)) {
        let at = |place: usize| {
            let code = self.codes.get(place).copied().unwrap_or(0);
            Reading { code, sounds: self.sounds.get(place).copied().unwrap_or([0; 4]), ..Reading::NONE }
        };
        let (a, b, c, d) = (at(0), at(1), at(2), at(3));
        match self.codes.len() {
            2 => {
                two(&a, &b, ask);
                of(&a).for_each(|first| of(&b).for_each(|second| ask(key(Shape::TwoSounds, &[first, second]))));
                near(a.code).iter().for_each(|other| ask(key(Shape::TwoCharacters, &[*other, b.code])));
                near(b.code).iter().for_each(|other| ask(key(Shape::TwoCharacters, &[a.code, *other])));
            }
            3 => {
                // The third may look alike, one of the first two sound alike.
                two(&a, &b, ask);
                three(&a, &b, &c, ask);
            }
            _ => {
                each_three(Shape::ThreeSounds, of(&a), of(&b), of(&c), ask);
                four(&a, &b, &c, &d, ask);
            }
        }
    }
}

pub(super) fn is_han(code: u32) -> bool {
    matches!(code, 0x3400..=0x9FFF | 0x3007 | 0x20000..=0x3FFFF)
}
