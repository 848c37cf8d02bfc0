//! Whether a spelling found in folded text is there for a reader, or only by accident of dropping gaps.

use std::ops::Range;

use crate::{
    marks::Occurrence,
    text::{Folded, FoldedSurface, Gap, lexicon},
};

/// How a spelling stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    /// Something stands between its characters that the spelling does not have.
    pub(super) broken: bool,
    /// It begins the text, alone or behind its Latin name, or stands after a gap.
    pub(super) leads: bool,
    /// It has an edge on both sides.
    pub(super) alone: bool,
    /// Every character is Latin or a digit.
    pub(super) latin: bool,
    /// It is written together with an everyday word: `nikeshoes`.
    pub(super) glued: bool,
}

/// Shortest mark that is recognised where it is written together with other words, and the shortest such word, in letters.
const MIN_GLUED: usize = 4;
const MIN_GLUE: usize = 3;
/// Shortest Latin name that a shop writes before the Chinese one, in letters.
const MIN_LATIN_NAME: usize = 2;

/// None when it is not the spelling at all.
pub(super) fn verify(occurrence: &Occurrence<'_>, surface: &FoldedSurface<'_>) -> Option<Fit> {
    let folded = &surface.folded;
    let units = &occurrence.units;
    let latin = units.clone().all(|unit| folded.char_at(unit).is_some_and(|c| c.is_ascii_alphanumeric()));
    let (before, after) = (edge(folded, units.start, latin), edge(folded, units.end, latin));
    let glued = joins_latin(folded, units.start) || joins_latin(folded, units.end);
    if glued && (occurrence.alignment.is_some() || !latin || !glued_to_words(folded, units)) {
        return None;
    }
    let pieces =
        occurrence.alignment.iter().filter(|_| occurrence.is_reordered()).flat_map(|alignment| &alignment.pieces);
    for word in pieces {
        if joins_latin(folded, word.start) || joins_latin(folded, word.end) {
            return None;
        }
    }
    let gaps = occurrence.foreign_gaps(folded);
    let visible = gaps.has(Gap::SIGN);
    if visible && !gaps_are_deliberate(occurrence, folded, latin, before && after) {
        return None;
    }
    let leads = before || behind_latin(folded, units.start);
    Some(Fit { broken: !gaps.is_empty(), leads, alone: before && after && !glued, latin, glued })
}

/// What is left of the Latin word on either side is an everyday word, and the whole is none: `pineapple` holds no `apple`.
fn glued_to_words(folded: &Folded, units: &Range<usize>) -> bool {
    let joined = |unit: &usize| joins_latin(folded, *unit);
    let start = units.start - (1..=units.start).rev().take_while(joined).count();
    let end = units.end + (units.end..folded.len()).take_while(joined).count();
    let known =
        |from: usize, to: usize| lexicon::word((from..to).filter_map(|unit| folded.char_at(unit)).map(|c| c as u32));
    let word = |from: usize, to: usize| from == to || to - from >= MIN_GLUE && known(from, to).is_some();
    units.len() >= MIN_GLUED && word(start, units.start) && word(units.end, end) && known(start, end).is_none()
}

/// Only one Latin word stands before `unit`: `camel骆驼 双肩包`.
fn behind_latin(folded: &Folded, unit: usize) -> bool {
    unit >= MIN_LATIN_NAME
        && (0..unit).all(|before| folded.char_at(before).is_some_and(|c| c.is_ascii_alphanumeric()))
        && folded.char_at(unit).is_some_and(|c| !c.is_ascii())
        && !(1..unit).any(|before| folded.gap_before(before).has(Gap::SEEN))
}

/// A gap that ends a word stands at `unit`, or the text ends, or the script changes.
fn edge(folded: &Folded, unit: usize, latin: bool) -> bool {
    let outer =
        if unit == 0 || unit >= folded.len() { None } else { folded.char_at(unit - 1).zip(folded.char_at(unit)) };
    let Some((left, right)) = outer else { return true };
    let gap = folded.gap_before(unit);
    gap.has(Gap::SEEN) || latin && left.is_ascii_alphanumeric() != right.is_ascii_alphanumeric()
}

/// A Latin word goes on across `unit`: `pineapple` holds no `apple`.
///
/// Characters that show nothing do not part a word; a digit after a letter does.
pub(super) fn joins_latin(folded: &Folded, unit: usize) -> bool {
    let Some(left) = unit.checked_sub(1).and_then(|left| folded.char_at(left)) else { return false };
    let Some(right) = folded.char_at(unit) else { return false };
    let together =
        left.is_ascii_alphabetic() && right.is_ascii_alphabetic() || left.is_ascii_digit() && right.is_ascii_digit();
    let gap = folded.gap_before(unit);
    together && !gap.has(Gap::SEEN)
}

/// Spaces and marks inside a word hide it, or the word is an accident of two neighbors.
///
/// Even spacing (`云 雀 记`, `v-o-r-l-u-n-e`) is deliberate. Uneven spacing is believed for long words
/// that stand alone; a mark that parts two characters only where it cannot be a list or a phrase.
fn gaps_are_deliberate(occurrence: &Occurrence<'_>, folded: &Folded, latin: bool, alone: bool) -> bool {
    let units = &occurrence.units;
    let length = units.len();
    let gaps = occurrence.foreign_gaps(folded);
    if length >= 3 {
        for kind in [Gap::SPACE, Gap::LIGHT, Gap::STRONG] {
            if folded.evenly_spaced(units.clone(), kind) {
                return alone || !latin && kind != Gap::STRONG;
            }
        }
    }
    if gaps.has(Gap::STRONG) {
        return false;
    }
    match (latin, gaps.has(Gap::SPACE)) {
        (true, true) => length >= 6 && alone,
        (true, false) => length >= 4 && alone,
        (false, true) => length >= 3 && alone || length == 2 && alone && alone_characters(folded, units.start),
        (false, false) => true,
    }
}

/// The two characters before and behind `unit`'s pair are not single characters too: `红 木 原 色` is a list.
fn alone_characters(folded: &Folded, start: usize) -> bool {
    let single = |unit: usize| {
        unit < folded.len()
            && folded.gap_before(unit).has(Gap::SPACE)
            && (unit + 1 == folded.len() || folded.gap_before(unit + 1).has(Gap::SPACE))
    };
    let before = start.checked_sub(1).is_some_and(single);
    !before && !single(start + 2)
}
