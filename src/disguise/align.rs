//! From a candidate to the way it is written, character by character.

use std::ops::Range;

use super::watch::{Character, Pattern};
use crate::{
    model::Channel,
    text::{
        Lattice, Likeness, Reading, Via, likeness,
        sound::{Sound, sound_alike, syllable_name},
    },
};

/// How a spelling is written in a text, other than as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// What was undone, in order.
    pub changes: Vec<Change>,
    /// How unlikely it is that somebody who means the mark writes it so: bits.
    pub bits: f32,
    /// Units of the text, piece by piece: what is read as each character of the spelling; empty for a sign that the fold
    /// dropped.
    pub pieces: Vec<Range<usize>>,
}

/// One disguise undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub channel: Channel,
    /// The word before.
    pub before: String,
    /// The word after.
    pub after: String,
    /// What is alike: `奈 nai 耐`.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Same,
    Split,
    Digit,
    Pinyin(Sound),
    Homophone(Sound),
    Near,
    Far,
}

impl How {
    /// Bits of a character written so: what share of those who hide a word choose this way, and this character among
    /// those it leaves. Chosen, not measured.
    fn bits(self) -> f32 {
        match self {
            Self::Same => 0.0,
            Self::Pinyin(_) => 2.0,
            Self::Split | Self::Digit => 3.0,
            Self::Near | Self::Homophone(_) => 4.0,
            Self::Far => 6.0,
        }
    }

    fn channel(self) -> Option<Channel> {
        match self {
            Self::Same => None,
            Self::Split => Some(Channel::Split),
            Self::Digit => Some(Channel::Digit),
            Self::Pinyin(_) => Some(Channel::Pinyin),
            Self::Homophone(_) => Some(Channel::Homophone),
            Self::Near | Self::Far => Some(Channel::LookAlike),
        }
    }
}

/// The least bits of a character that stands alone for another.
pub(super) const LEAST_BITS: f32 = 3.0;
/// Bits more for a homophone that is itself written in parts or as a digit.
const TWICE_BITS: f32 = 3.0;
/// Beyond this nobody would recognise the word.
const MAX_BITS_A_CHARACTER: f32 = 5.5;

type Step = (Reading, How);

/// The likeliest way in which `pattern` is written from the token `start`, and where it ends; none when it is not, or as it
/// stands.
pub(crate) fn align(
    lattice: &Lattice,
    start: usize,
    pattern: &Pattern<'_>,
    classes: u64,
) -> Option<(usize, Alignment)> {
    let most_alike = most_alike(pattern.characters.len());
    if is_hopeless(lattice, start, pattern, most_alike) {
        return None;
    }
    let limit = MAX_BITS_A_CHARACTER * pattern.characters.len() as f32;
    let (mut best, mut now) = (None, Vec::with_capacity(pattern.characters.len()));
    search(lattice, start, pattern, classes, &mut now, 0.0, limit, most_alike, &mut best);
    let (bits, steps) = best?;
    let end = last_token(lattice, &steps.last()?.0);
    let units = |(reading, _): &Step| lattice.units(reading.start as usize..last_token(lattice, reading));
    let pieces = steps.iter().map(units).collect();
    Some((end, Alignment { changes: changes(lattice, &steps, pattern), bits, pieces }))
}

/// How many characters of a spelling may be replaced by such as only look alike.
fn most_alike(length: usize) -> usize {
    (length / 3).max(1)
}

/// Whether the text goes on in one way alone, and more of its characters are others, with other sounds, than may be.
///
/// Most candidates end here, and without a look at what looks alike.
fn is_hopeless(lattice: &Lattice, start: usize, pattern: &Pattern<'_>, most_alike: usize) -> bool {
    let mut other = 0;
    for (token, character) in (start..).zip(pattern.characters) {
        match lattice.readings(token) {
            [] => return true,
            [one] if one.end as usize == token + 1 => {
                let same = one.code == character.code || sound_alike(one.sounds, character.sounds).is_some();
                other += usize::from(!same);
                if other > most_alike {
                    return true;
                }
            }
            _ => return false,
        }
    }
    false
}

/// A reading ends before the signs that were passed over behind it.
fn last_token(lattice: &Lattice, reading: &Reading) -> usize {
    let tokens = lattice.tokens().get(reading.start as usize + 1..reading.end as usize).unwrap_or(&[]);
    reading.end as usize - tokens.iter().rev().take_while(|token| token.sign).count()
}

#[allow(clippy::too_many_arguments, reason = "a recursion's state, used nowhere else")]
fn search(
    lattice: &Lattice,
    token: usize,
    pattern: &Pattern<'_>,
    classes: u64,
    now: &mut Vec<Step>,
    bits: f32,
    limit: f32,
    alike_left: usize,
    best: &mut Option<(f32, Vec<Step>)>,
) {
    let at = now.len();
    if at == pattern.characters.len() {
        if best.as_ref().is_none_or(|(known, _)| bits < *known) && believable(now, pattern, classes) {
            *best = Some((bits, now.clone()));
        }
        return;
    }
    for reading in lattice.readings(token) {
        let Some((how, more)) = compare(reading, pattern, at, alike_left > 0) else { continue };
        let bits = bits + more;
        let alike_left = alike_left - usize::from(matches!(how, How::Near | How::Far));
        if bits > limit || best.as_ref().is_some_and(|(known, _)| bits >= *known) {
            continue;
        }
        now.push((*reading, how));
        search(lattice, reading.end as usize, pattern, classes, now, bits, limit, alike_left, best);
        now.pop();
    }
}

/// How `reading` can stand for the spelling's character `at`, and the bits of that; `or_alike` when it may look alike alone.
fn compare(reading: &Reading, pattern: &Pattern<'_>, at: usize, or_alike: bool) -> Option<(How, f32)> {
    let Character { code, sounds } = pattern.characters.get(at).copied()?;
    let plain = |how: How| Some((how, how.bits()));
    if reading.code == code {
        return plain(match reading.via {
            Via::Split => How::Split,
            Via::Digit => How::Digit,
            Via::Plain | Via::Pinyin => How::Same,
        });
    }
    let alike = || if reading.via == Via::Plain { likeness(reading.code, code) } else { None };
    if let Some(sound) = sound_alike(reading.sounds, sounds) {
        return match reading.via {
            Via::Pinyin => plain(How::Pinyin(sound)),
            Via::Plain if alike() == Some(Likeness::Near) => Some((How::Homophone(sound), LEAST_BITS)),
            Via::Plain => plain(How::Homophone(sound)),
            Via::Split | Via::Digit => Some((How::Homophone(sound), How::Homophone(sound).bits() + TWICE_BITS)),
        };
    }
    let alike = if or_alike { alike() } else { None };
    alike.and_then(|alike| plain(if alike == Likeness::Near { How::Near } else { How::Far }))
}

/// Whether so much of the spelling is left that a reader would recognise it.
fn believable(steps: &[Step], pattern: &Pattern<'_>, classes: u64) -> bool {
    let count = |wanted: fn(How) -> bool| steps.iter().filter(|(_, how)| wanted(*how)).count();
    let same = count(|how| how == How::Same);
    let sounds = count(|how| matches!(how, How::Homophone(_)));
    let (near, far) = (count(|how| how == How::Near), count(|how| how == How::Far));
    let replaced = sounds + near + far;
    match steps.len() {
        length if same == length => false,
        _ if replaced == 0 => true,
        2 => replaced == 1 && classes & pattern.classes != 0,
        3 => near + far <= 1 && (far == 0 || sounds == 0) && (near == 0 || sounds <= 1),
        length => near + far <= length / 3,
    }
}

/// The word after each disguise is undone, in an order a person can follow.
fn changes(lattice: &Lattice, steps: &[Step], pattern: &Pattern<'_>) -> Vec<Change> {
    let text = |codes: &mut dyn Iterator<Item = u32>| codes.filter_map(char::from_u32).collect::<String>();
    let mut pieces: Vec<String> = steps
        .iter()
        .map(|(reading, _)| {
            let tokens = lattice.tokens().get(reading.start as usize..last_token(lattice, reading)).unwrap_or(&[]);
            text(&mut tokens.iter().map(|token| token.code))
        })
        .collect();
    let order = [Channel::Split, Channel::Digit, Channel::Pinyin, Channel::Homophone, Channel::LookAlike];
    let mut changes = Vec::new();
    for channel in order {
        let before = pieces.concat();
        let mut details = Vec::new();
        for (((_, how), piece), code) in
            steps.iter().zip(&mut pieces).zip(pattern.characters.iter().map(|one| one.code))
        {
            if how.channel() != Some(channel) {
                continue;
            }
            let character = text(&mut std::iter::once(code));
            details.push(match how {
                How::Pinyin(sound) | How::Homophone(sound) => {
                    format!("{piece} ~ {character} ({})", syllable_name(*sound))
                }
                _ => format!("{piece} ~ {character}"),
            });
            *piece = character;
        }
        if !details.is_empty() {
            changes.push(Change { channel, before, after: pieces.concat(), detail: details.join(", ") });
        }
    }
    changes
}
