//! What the words around a mark say about its use.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::LazyLock,
};

use serde::Deserialize;

use super::verify::joins_latin;
use crate::{
    model::{Step, SurfaceKind},
    text::{Folded, Gap, fold, lexicon::Cuts, mix::Mixed},
};

#[derive(Debug, Default, Deserialize)]
struct Table {
    group: Vec<Group>,
    raise: Vec<Raise>,
    surface: BTreeMap<SurfaceKind, f64>,
    twins: Twins,
}

#[derive(Debug, Default, Deserialize)]
struct Twins {
    words: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Group {
    code: String,
    factor: f64,
    within: usize,
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    anywhere: Vec<String>,
    zh: String,
    en: String,
}

#[derive(Debug, Deserialize)]
struct Raise {
    code: String,
    factor: f64,
    anywhere: Vec<String>,
    not_before: Vec<String>,
    not_after: Vec<String>,
    zh: String,
    en: String,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table: Table = toml::from_str(include_str!("context.toml")).unwrap_or_default();
    let fold_all = |words: &mut Vec<String>| words.iter_mut().for_each(|word| *word = fold(word));
    for group in &mut table.group {
        fold_all(&mut group.before);
        fold_all(&mut group.after);
        fold_all(&mut group.anywhere);
    }
    for raise in &mut table.raise {
        fold_all(&mut raise.anywhere);
        fold_all(&mut raise.not_before);
        fold_all(&mut raise.not_after);
    }
    table
});

/// The weight of a surface: how much a mark there says about the offer.
pub(super) fn surface_weight(kind: SurfaceKind) -> f64 {
    TABLE.surface.get(&kind).copied().unwrap_or(1.0)
}

/// Whether a folded word is the name of an animal, a food or a thing that marks share.
pub(super) fn is_twin(codes: &[u32]) -> bool {
    TABLE.twins.words.iter().any(|word| word.chars().map(|c| c as u32).eq(codes.iter().copied()))
}

/// What a word of the table is looked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Before,
    After,
    Anywhere,
    Raise,
    /// Takes a raising word back when it stands before it.
    NotBefore,
    /// Takes a raising word back when it stands behind it.
    NotAfter,
}

/// A word of the table: of which group or raise, as what, and its text.
#[derive(Debug)]
struct Word {
    of: usize,
    role: Role,
    text: String,
    codes: Vec<u32>,
}

/// The words of the table, by their first characters, with which hardly any place of a text begins.
struct Words {
    by_first: HashMap<u32, Vec<Word>, Mixed>,
    /// A bit for each first character, by the low end of its number.
    first: [u64; FIRST_WORDS],
}

const FIRST_WORDS: usize = 64;

impl Words {
    /// The words that may begin with `code`.
    #[inline]
    fn beginning_with(&self, code: u32) -> &[Word] {
        let bits = self.first.get(code as usize >> 6 & (FIRST_WORDS - 1)).copied().unwrap_or(0);
        if bits >> (code & 63) & 1 == 0 {
            return &[];
        }
        self.by_first.get(&code).map_or(&[], Vec::as_slice)
    }
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Vec::new();
    let mut add = |of: usize, role: Role, list: &[String]| {
        let word =
            |text: &String| Word { of, role, text: text.clone(), codes: text.chars().map(|c| c as u32).collect() };
        words.extend(list.iter().map(word));
    };
    for (of, group) in TABLE.group.iter().enumerate() {
        add(of, Role::Before, &group.before);
        add(of, Role::After, &group.after);
        add(of, Role::Anywhere, &group.anywhere);
    }
    for (of, raise) in TABLE.raise.iter().enumerate() {
        add(of, Role::Raise, &raise.anywhere);
        add(of, Role::NotBefore, &raise.not_before);
        add(of, Role::NotAfter, &raise.not_after);
    }
    let mut all = Words { by_first: HashMap::default(), first: [0; FIRST_WORDS] };
    for word in words {
        let Some(&first) = word.codes.first() else { continue };
        if let Some(bits) = all.first.get_mut(first as usize >> 6 & (FIRST_WORDS - 1)) {
            *bits |= 1 << (first & 63);
        }
        all.by_first.entry(first).or_default().push(word);
    }
    all
});

/// The words of the table in one text: found once, asked for each mark.
pub(super) struct Surroundings {
    found: Vec<(&'static Word, Range<usize>)>,
}

impl Surroundings {
    /// Looks for every word; Latin words only whole: `for` is not in `comfort`, and the end of one word with the start of the
    /// next (`栖木原 单丛`) is no word.
    pub(super) fn of(folded: &Folded) -> Self {
        let words = &*WORDS;
        let codes: Vec<u32> = folded.codes().collect();
        let found = (0..codes.len())
            .flat_map(|at| {
                codes
                    .get(at..)
                    .into_iter()
                    .flat_map(move |rest| words_at(words, rest).map(move |word| (word, at..at + word.codes.len())))
            })
            .filter(|(_, units)| !joins_latin(folded, units.start) && !joins_latin(folded, units.end))
            .filter(|(word, units)| {
                word.text.is_ascii() || !folded.inner_gaps(units.clone()).has(Gap::SPACE.and(Gap::STRONG))
            })
            .collect();
        Self { found }
    }

    /// Steps that the words around `units` call for: first what lowers, then what raises.
    ///
    /// A word that is a piece of others in `cuts` says nothing: 是非 and 是不是 deny nothing.
    pub(super) fn around(&self, folded: &Folded, cuts: &Cuts, units: &Range<usize>) -> Vec<Step> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let lowering = TABLE.group.iter().enumerate().filter_map(|(of, group)| {
            let word = self.lowers(of, group.within, (folded, cuts), units)?;
            Some(step(&group.code, word, group.factor, &group.zh, &group.en))
        });
        let raising = TABLE.raise.iter().enumerate().filter_map(|(of, raise)| {
            let word = self.raises(of, units)?;
            Some(step(&raise.code, word, raise.factor, &raise.zh, &raise.en))
        });
        lowering.chain(raising).collect()
    }

    fn all(&self, of: usize, role: Role) -> impl Iterator<Item = (&'static str, &Range<usize>)> {
        let all = self.found.iter().filter(move |(word, _)| word.of == of && word.role == role);
        all.map(|(word, units)| (word.text.as_str(), units))
    }

    fn lowers(
        &self,
        of: usize,
        within: usize,
        (folded, cuts): (&Folded, &Cuts),
        units: &Range<usize>,
    ) -> Option<&'static str> {
        let near = |from: usize, to: usize| from <= to && to - from <= within && !parted(folded, from..to);
        // Beside the mark no border is asked for: the lexicon does not know where the mark begins.
        let word = |found: &Range<usize>| {
            (found.start == units.end || cuts.border(found.start))
                && (found.end == units.start || cuts.border(found.end))
        };
        let before = self.all(of, Role::Before).find(|(_, found)| near(found.end, units.start) && word(found));
        let after = || self.all(of, Role::After).find(|(_, found)| near(units.end, found.start) && word(found));
        let anywhere = || self.all(of, Role::Anywhere).find(|(_, found)| word(found));
        before.or_else(after).or_else(anywhere).map(|(word, _)| word)
    }

    fn raises(&self, of: usize, units: &Range<usize>) -> Option<&'static str> {
        let stands = |found: &Range<usize>| {
            let apart = found.end <= units.start || units.end <= found.start;
            let follows = self.all(of, Role::NotBefore).any(|(_, before)| before.end == found.start);
            let leads = self.all(of, Role::NotAfter).any(|(_, after)| after.start == found.end);
            apart && !follows && !leads
        };
        self.all(of, Role::Raise).find(|(_, found)| stands(found)).map(|(word, _)| word)
    }
}

/// The words with which `rest` begins.
fn words_at<'a>(words: &'static Words, rest: &'a [u32]) -> impl Iterator<Item = &'static Word> + use<'a> {
    let first = rest.first().copied().unwrap_or(0);
    words.beginning_with(first).iter().filter(move |word| rest.starts_with(&word.codes))
}

fn step(code: &str, word: &str, factor: f64, zh: &str, en: &str) -> Step {
    Step {
        code: code.to_owned(),
        before: word.to_owned(),
        after: String::new(),
        factor,
        score: None,
        zh: format!("{zh}：“{word}”"),
        en: format!("{en}: “{word}”"),
    }
}

/// A phrase ends between the two words that `between` parts.
fn parted(folded: &Folded, between: Range<usize>) -> bool {
    (between.start..=between.end).any(|unit| folded.gap_before(unit).has(Gap::STRONG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert!(TABLE.group.len() >= 4 && TABLE.surface.len() == 11);
    }

    fn around(text: &str, units: Range<usize>) -> Vec<String> {
        let folded = Folded::new(text);
        let steps = Surroundings::of(&folded).around(&folded, &Cuts::of_text(&folded), &units);
        steps.into_iter().map(|step| step.code).collect()
    }

    #[test]
    fn a_piece_of_another_word_says_nothing() {
        for (text, units) in
            [("是非云雀跑鞋", 2..4), ("你是不是云雀粉丝", 4..6), ("非常云雀", 2..4), ("非法云雀店", 2..4)]
        {
            assert_eq!(around(text, units), [""; 0], "{text}");
        }
        for (text, units) in
            [("非云雀跑鞋", 1..3), ("不是云雀跑鞋", 2..4), ("此款并非云雀", 4..6), ("店铺不是云雀的", 4..6)]
        {
            assert_eq!(around(text, units), ["context.negation"], "{text}");
        }
    }

    #[test]
    fn a_phrase_border_parts_the_context_from_the_word() {
        assert_eq!(around("适用于各种车型。云雀 跑鞋", 7..9), [""; 0]);
        assert_eq!(around("适用于云雀 跑鞋", 3..5), ["context.nominative"]);
    }
}
