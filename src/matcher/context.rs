//! What the words around a mark say about its use.

use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

use jiff::civil::Date;
use serde::Deserialize;

use super::verify::joins_latin;
use crate::{
    model::{Step, SurfaceKind},
    text::{Folded, Gap, fold},
};

#[derive(Debug, Default, Deserialize)]
struct Table {
    group: Vec<Group>,
    raise: Vec<Raise>,
    surface: BTreeMap<SurfaceKind, f64>,
    citation: Vec<Citation>,
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

#[derive(Debug, Deserialize)]
struct Citation {
    text: String,
    valid_from: Option<Date>,
    valid_to: Option<Date>,
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

/// The article a mark's finding rests on, in force on `on`.
pub(super) fn citation(on: Date) -> String {
    let in_force = |citation: &&Citation| {
        citation.valid_from.is_none_or(|from| from <= on) && citation.valid_to.is_none_or(|to| on <= to)
    };
    TABLE.citation.iter().find(in_force).map(|citation| citation.text.clone()).unwrap_or_default()
}

/// Steps that the words around `units` call for: first what lowers, then what raises.
pub(super) fn around(folded: &Folded, units: &Range<usize>) -> Vec<Step> {
    let lowering = TABLE.group.iter().filter_map(|group| {
        let word = group_word(group, folded, units)?;
        Some(step(&group.code, word, group.factor, &group.zh, &group.en))
    });
    let raising = TABLE.raise.iter().filter_map(|raise| {
        let word = raise.anywhere.iter().find(|word| {
            whole_words(folded, word).any(|found| {
                let apart = found.end <= units.start || units.end <= found.start;
                let follows = |not: &String| whole_words(folded, not).any(|before| before.end == found.start);
                let leads = |not: &String| whole_words(folded, not).any(|after| after.start == found.end);
                apart && !raise.not_before.iter().any(follows) && !raise.not_after.iter().any(leads)
            })
        })?;
        Some(step(&raise.code, word, raise.factor, &raise.zh, &raise.en))
    });
    lowering.chain(raising).collect()
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

fn group_word<'a>(group: &'a Group, folded: &Folded, units: &Range<usize>) -> Option<&'a str> {
    let near = |from: usize, to: usize| from <= to && to - from <= group.within && !parted(folded, from..to);
    let before = group.before.iter().find(|word| whole_words(folded, word).any(|found| near(found.end, units.start)));
    let after = || group.after.iter().find(|word| whole_words(folded, word).any(|found| near(units.end, found.start)));
    let anywhere = || group.anywhere.iter().find(|word| whole_words(folded, word).next().is_some());
    before.or_else(after).or_else(anywhere).map(String::as_str)
}

/// Where `word` stands in `folded`, in units; Latin words only whole: `for` is not in `comfort`, and the
/// end of one word with the start of the next (`栖木原 单丛`) is no word.
fn whole_words<'a>(folded: &'a Folded, word: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    folded
        .text()
        .match_indices(word)
        .filter_map(|(at, word)| folded.units(at..at + word.len()))
        .filter(|units| !joins_latin(folded, units.start) && !joins_latin(folded, units.end))
        .filter(|units| word.is_ascii() || !folded.inner_gaps(units.clone()).has(Gap::SPACE.and(Gap::STRONG)))
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
        assert!(TABLE.group.len() >= 4 && TABLE.surface.len() == 11 && TABLE.citation.len() == 2);
    }

    #[test]
    fn the_article_follows_the_day() {
        assert!(citation("2026-12-31".parse().unwrap()).contains("第五十七条"));
        assert!(citation("2027-01-01".parse().unwrap()).contains("第七十二条"));
    }

    #[test]
    fn a_phrase_border_parts_the_context_from_the_word() {
        let folded = Folded::new("适用于各种车型。云雀 跑鞋");
        assert!(around(&folded, &(7..9)).is_empty());
        let folded = Folded::new("适用于云雀 跑鞋");
        assert_eq!(around(&folded, &(3..5))[0].code, "context.nominative");
    }
}
