//! How a mark would be written in disguise: examples for each way of writing, made from the tables by which it is undone.
//!
//! Main function: [`variants`]. What it shows was found again by the matcher as this mark in this disguise; what is not
//! found is not shown.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use super::{score::disguises, verify::verify};
use crate::{
    marks::Register,
    model::{Channel, Listing, Mark, MarkStatus},
    text::{
        FoldedSurface, fold, fold_surfaces,
        lexicon::{self, bits},
        likeness, looks, sound,
    },
};

/// Examples of one way of writing.
const EXAMPLES: usize = 4;
/// Candidates of one way that are tried.
const TRIED: usize = 60;
/// Longest spelling that examples are made of, in characters.
const MAX_CHARS: usize = 24;
/// Everyday Han characters, of which others are taken for replacements.
const HAN: std::ops::RangeInclusive<u32> = 0x4E00..=0x9FA5;

/// For each way of writing, what the mark would look like in it; ways that its spelling has no room for have none.
pub fn variants(mark: &Mark) -> BTreeMap<Channel, Vec<String>> {
    let watched = Mark { unwatched: Vec::new(), status: MarkStatus::Registered, aliases: Vec::new(), ..mark.clone() };
    let register = Register::new(vec![watched]);
    let spelling: Vec<char> = mark.text.chars().collect();
    let mut ways = BTreeMap::new();
    for channel in Channel::ALL {
        let candidates = if spelling.len() > MAX_CHARS { Vec::new() } else { candidates(&spelling, channel) };
        let mut shown: Vec<String> = Vec::new();
        for candidate in candidates.into_iter().take(TRIED) {
            if shown.len() >= EXAMPLES {
                break;
            }
            if !shown.contains(&candidate) && is_found(&register, mark, &candidate, channel) {
                shown.push(candidate);
            }
        }
        ways.insert(channel, shown);
    }
    ways
}

/// Whether `candidate` is found as the mark, in that way of writing.
fn is_found(register: &Register, mark: &Mark, candidate: &str, channel: Channel) -> bool {
    let listing = Listing { title: candidate.to_owned(), ..Listing::default() };
    fold_surfaces(&listing).iter().any(|surface: &FoldedSurface<'_>| {
        register.find(surface, &mark.nice_classes).iter().any(|occurrence| {
            let text = surface.surface.text.get(occurrence.span.bytes.clone()).unwrap_or_default();
            verify(occurrence, surface).is_some() && disguises(occurrence, surface, text).contains(&channel)
        })
    })
}

/// What stands for `spelling` in this way of writing, the plainest first.
fn candidates(spelling: &[char], channel: Channel) -> Vec<String> {
    let text: String = spelling.iter().collect();
    match channel {
        Channel::Width => vec![spelling.iter().map(|c| wide(*c)).collect()],
        Channel::Traditional => replaced(spelling, |c| REVERSE.traditional.get(&c).cloned().unwrap_or_default()),
        Channel::Confusable => replaced(spelling, |c| REVERSE.confusable.get(&c).cloned().unwrap_or_default()),
        Channel::Invisible => joined(spelling, '\u{200B}'),
        Channel::Separator => ['·', ' ', '-'].into_iter().flat_map(|sign| joined(spelling, sign)).collect(),
        Channel::Emoji => ['🔥', '⭐'].into_iter().flat_map(|sign| joined(spelling, sign)).collect(),
        Channel::Leet => replaced(spelling, |c| {
            let stands = |look: &char| looks::leet().stands_for(&[*look as u32], c as u32).next().is_some();
            ('!'..='@').filter(|look| *look != c).filter(stands).collect()
        }),
        Channel::Digit => {
            let one = replaced(spelling, |c| {
                let read = |sign: &char| looks::read_as(*sign as u32).contains(&(c as u32));
                ('!'..='~').chain(['♥', '❤', '∞']).filter(read).collect()
            });
            let words = looks::spoken_words().iter().filter(|(_, word)| text.contains(word));
            words.map(|(digits, word)| text.replace(word, digits)).chain(one).collect()
        }
        Channel::Edit => edits(spelling),
        Channel::Pinyin => pinyin(spelling),
        Channel::Homophone => replaced(spelling, homophones),
        Channel::LookAlike => replaced(spelling, |c| {
            let mut alike: Vec<_> =
                han().filter_map(|other| Some((likeness(fold_char(c), other as u32)?, weight(other), other))).collect();
            alike.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            alike.into_iter().map(|(.., other)| other).take(6).collect()
        }),
        Channel::Split => (0..spelling.len())
            .flat_map(|at| {
                let c = spelling.get(at).copied().unwrap_or_default();
                looks::parts_of(fold_char(c)).into_iter().map(move |parts| (at, parts))
            })
            .map(|(at, parts)| with(spelling, at, &parts))
            .collect(),
        Channel::Reversed => vec![spelling.iter().rev().collect()],
        Channel::Vertical => vec![spelling.iter().map(char::to_string).collect::<Vec<_>>().join("\n")],
        Channel::Reordered => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            words.reverse();
            if words.len() > 1 { vec![words.join(" ")] } else { Vec::new() }
        }
    }
}

/// Each place of `spelling` with each of what `others` gives for it, all first choices before all second ones.
fn replaced(spelling: &[char], others: impl Fn(char) -> Vec<char>) -> Vec<String> {
    let choices: Vec<Vec<char>> = spelling.iter().map(|c| others(c.to_lowercase().next().unwrap_or(*c))).collect();
    let most = choices.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = Vec::new();
    for round in 0..most {
        // Last characters are replaced first: a name is known by how it begins.
        for (at, choices) in choices.iter().enumerate().rev() {
            all.extend(choices.get(round).map(|other| with(spelling, at, &other.to_string())));
        }
    }
    all
}

fn with(spelling: &[char], at: usize, other: &str) -> String {
    let kept = |(place, c): (usize, &char)| if place == at { other.to_owned() } else { c.to_string() };
    spelling.iter().enumerate().map(kept).collect()
}

fn joined(spelling: &[char], sign: char) -> Vec<String> {
    if spelling.len() < 2 {
        return Vec::new();
    }
    let all = spelling.iter().map(char::to_string).collect::<Vec<_>>().join(&sign.to_string());
    let mut one: String = spelling.iter().collect();
    let at = one.char_indices().nth(spelling.len() / 2).map_or(one.len(), |(at, _)| at);
    one.insert(at, sign);
    vec![one, all]
}

fn wide(c: char) -> char {
    if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xFEE0).unwrap_or(c) } else { c }
}

/// One swap, one letter left out, one doubled; Latin letters only.
fn edits(spelling: &[char]) -> Vec<String> {
    if !spelling.iter().all(|c| c.is_ascii_alphanumeric() || *c == ' ') {
        return Vec::new();
    }
    let mut all = Vec::new();
    for at in 1..spelling.len().saturating_sub(1) {
        let mut swapped = spelling.to_vec();
        swapped.swap(at, at + 1);
        all.push(swapped);
        let mut shorter = spelling.to_vec();
        shorter.remove(at);
        all.push(shorter);
        let mut longer = spelling.to_vec();
        longer.insert(at, spelling.get(at).copied().unwrap_or_default());
        all.push(longer);
    }
    all.retain(|one| one != spelling);
    all.into_iter().map(|one| one.into_iter().collect()).collect()
}

/// One character spelled by its sound, then all of them.
fn pinyin(spelling: &[char]) -> Vec<String> {
    let syllable = |c: char| sound::syllable_name(sound::sounds(fold_char(c)).first().copied().unwrap_or(0));
    let places = (0..spelling.len()).filter_map(|at| {
        let syllable = spelling.get(at).map(|c| syllable(*c)).filter(|syllable| !syllable.is_empty())?;
        Some(with(spelling, at, syllable))
    });
    let whole: String = spelling.iter().map(|c| syllable(*c)).collect();
    places.chain((!whole.is_empty()).then_some(whole)).collect()
}

/// Characters with the first reading of `c`, the most common ones first.
fn homophones(c: char) -> Vec<char> {
    let Some(first) = sound::sounds(fold_char(c)).first().copied().filter(|sound| *sound != 0) else {
        return Vec::new();
    };
    let mut same: Vec<char> =
        han().filter(|other| *other != c && sound::sounds(*other as u32).first() == Some(&first)).collect();
    same.sort_by(|a, b| weight(*a).total_cmp(&weight(*b)));
    same.truncate(8);
    same
}

fn han() -> impl Iterator<Item = char> {
    HAN.filter_map(char::from_u32).filter(|c| fold_char(*c) == *c as u32)
}

/// How rare a character is in everyday language, in bits.
fn weight(c: char) -> f32 {
    lexicon::word([c as u32]).map_or(f32::MAX, bits)
}

/// What one character is folded to; itself where that is no single one.
fn fold_char(c: char) -> u32 {
    let mut buffer = [0; 4];
    let folded = fold(c.encode_utf8(&mut buffer));
    let mut all = folded.chars();
    match (all.next(), all.next()) {
        (Some(one), None) => one as u32,
        _ => c as u32,
    }
}

/// The fold, read backwards: what becomes a character.
#[derive(Debug, Default)]
struct Reverse {
    traditional: HashMap<char, Vec<char>>,
    confusable: HashMap<char, Vec<char>>,
}

static REVERSE: LazyLock<Reverse> = LazyLock::new(|| {
    let mut reverse = Reverse::default();
    let other = |c: &char| fold_char(*c) != *c as u32;
    for c in HAN.filter_map(char::from_u32).filter(other) {
        let to = char::from_u32(fold_char(c)).unwrap_or(c);
        reverse.traditional.entry(to).or_default().push(c);
    }
    // Greek and Cyrillic.
    for c in (0x370..0x530).filter_map(char::from_u32).filter(other) {
        let to = char::from_u32(fold_char(c)).filter(char::is_ascii_alphabetic);
        if let Some(to) = to {
            reverse.confusable.entry(to).or_default().push(c);
        }
    }
    reverse
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::import_csv;

    fn of(text: &str) -> BTreeMap<Channel, Vec<String>> {
        variants(&import_csv("m", &format!("id,text,nice_classes\nm,{text},25\n")).unwrap().remove(0))
    }

    #[test]
    fn each_way_of_writing_that_has_room_shows_what_the_matcher_finds_in_it() {
        let ways = of("云雀妈妈");
        for channel in [
            Channel::Traditional,
            Channel::Invisible,
            Channel::Separator,
            Channel::Emoji,
            Channel::Pinyin,
            Channel::Homophone,
            Channel::LookAlike,
            Channel::Split,
            Channel::Reversed,
        ] {
            assert!(!ways[&channel].is_empty(), "{channel}: {ways:?}");
        }
        assert!(ways[&Channel::Split].iter().any(|one| one.contains("女马")), "{ways:?}");
        assert!(ways[&Channel::Leet].is_empty() && ways[&Channel::Edit].is_empty());
        let ways = of("Vorlune");
        for channel in [Channel::Width, Channel::Confusable, Channel::Leet, Channel::Edit] {
            assert!(!ways[&channel].is_empty(), "{channel}: {ways:?}");
        }
        assert!(of(&"云".repeat(40)).values().all(Vec::is_empty));
    }

    #[test]
    fn a_way_that_is_not_watched_is_set_aside_with_its_reason() {
        let mut mark = import_csv("m", "id,text,nice_classes\nm,云雀妈妈,25\n").unwrap().remove(0);
        let homophone = variants(&mark)[&Channel::Homophone][0].clone();
        let check = |mark: &Mark| {
            let register = Register::new(vec![mark.clone()]);
            let matcher = super::super::Matcher::new(register.into(), None, super::super::Settings::default());
            let listing = Listing { title: format!("{homophone} 女装 连衣裙"), ..Listing::default() };
            matcher.check(&listing, "2026-11-28".parse().unwrap())
        };
        assert_eq!(check(&mark).findings.len(), 1, "{homophone}");
        mark.unwatched = vec![Channel::Homophone];
        let found = check(&mark);
        assert_eq!((found.findings.len(), found.suppressed.len()), (0, 1));
        assert!(found.suppressed[0].suppressed.as_ref().unwrap().contains("homophone"));
        mark.unwatched = vec![Channel::Emoji];
        assert_eq!(check(&mark).findings.len(), 1);
    }
}
