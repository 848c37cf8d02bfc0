//! Whether the words around a candidate explain it better than the mark does.
//!
//! A stretch of text is cut into everyday words as well as can be (`text::lexicon`); the bits that this costs are set against
//! the bits of a mark standing there, disguised as it is. 麻烦 explains 大麻烦 better than 大麻 does; nothing explains 奈克.

use std::ops::Range;

use super::{
    context,
    score::{plain_step, rounded},
};
use crate::{
    disguise::{Alignment, chance},
    marks::{DISGUISED_BITS, Occurrence},
    model::Step,
    text::{
        Folded,
        lexicon::{self, Cuts},
    },
};

/// Bits of a mark that the lexicon does not know, standing as it is.
const PLAIN_BITS: f32 = 20.0;
/// So many bits double or halve the odds.
const SCALE: f32 = 3.0;
/// Words may cost so much less than the mark and it still stands.
const PATIENCE: f32 = 6.0;
/// A word that stands 2^5 times in the lexicon's corpus is everyday language, a name that stands there 2^10 times.
const EVERYDAY: u8 = 5;
const EVERYDAY_NAME: u8 = 10;

/// The step of a mark in disguise.
pub(super) fn of_disguise(occurrence: &Occurrence<'_>, alignment: &Alignment, folded: &Folded, cuts: &Cuts) -> Step {
    let explained = if occurrence.is_reordered() {
        let words = alignment.pieces.iter().map(|piece| codes(folded, piece.start, piece.end));
        words.map(|word| lexicon::surprise(&word, |_| false)).sum()
    } else {
        cuts.of(occurrence.units.clone())
    };
    let chance = chance(explained, DISGUISED_BITS + alignment.bits);
    let mut step = plain_step("score.surprise", rounded(chance), "", "");
    step.zh =
        format!("按常用词解释要 {explained:.0} 比特，按伪装的商标解释要 {:.0} 比特", DISGUISED_BITS + alignment.bits);
    step.en = format!(
        "everyday words explain the text at {explained:.0} bits, the disguised mark at {:.0}",
        DISGUISED_BITS + alignment.bits
    );
    step
}

/// The step of a mark as it stands, when everyday words cut through it.
pub(super) fn of_word(occurrence: &Occurrence<'_>, folded: &Folded, cuts: &Cuts) -> Option<Step> {
    let codes = codes(folded, occurrence.units.start, occurrence.units.end);
    let own = lexicon::word(codes.iter().copied()).map_or(PLAIN_BITS, lexicon::bits).min(PLAIN_BITS);
    let excess = own - cuts.of(occurrence.units.clone()) - PATIENCE;
    if codes.iter().all(|code| *code < 128) || excess <= 0.0 {
        return None;
    }
    Some(plain_step(
        "score.cut",
        rounded(f64::from(-excess / SCALE).exp2().max(0.1)),
        "文字更像是别的词，商标只是其中的一截",
        "the text reads as other words, the mark is only a piece of them",
    ))
}

/// Whether a mark of one character is a word of its own: 国 in 国家 is none. Longer ones may cut through words.
pub(super) fn stands(occurrence: &Occurrence<'_>, cuts: &Cuts) -> bool {
    let units = &occurrence.units;
    units.len() != 1 || cuts.border(units.start) && cuts.border(units.end)
}

/// Whether everyday words explain `units` at least as well as an unknown word standing there.
pub(super) fn explains(folded: &Folded, cuts: &Cuts, units: &Range<usize>) -> bool {
    cuts.of(units.clone()) < PLAIN_BITS + PATIENCE || lexicon::word(codes(folded, units.start, units.end)).is_some()
}

/// Whether the mark's word is one of everyday language; a rare name is none.
pub(super) fn is_everyday(occurrence: &Occurrence<'_>, folded: &Folded) -> bool {
    is_everyday_word(&codes(folded, occurrence.units.start, occurrence.units.end))
}

/// Whether a folded word is one of everyday language.
pub(super) fn is_everyday_word(codes: &[u32]) -> bool {
    let word = lexicon::word(codes.iter().copied());
    let common = |word: lexicon::Word| word.class >= EVERYDAY_NAME || !word.name && word.class >= EVERYDAY;
    context::is_twin(codes) || word.is_some_and(common)
}

fn codes(folded: &Folded, from: usize, to: usize) -> Vec<u32> {
    (from..to).filter_map(|unit| folded.char_at(unit)).map(|c| c as u32).collect()
}
