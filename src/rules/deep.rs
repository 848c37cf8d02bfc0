//! Words of rules that are meant and not written: by sound, by looks, in parts, in pinyin, in digits.
//!
//! Main types: [`Deep`], the words of those rules whose `fold` asks for it; [`Seen`], one of them in a text. Words of fewer
//! than three characters are left out: two characters sound like something everywhere. What everyday words explain as well
//! is not seen.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::{
    evaluate::Hit,
    plan::Plans,
    rows::Rows,
    rule::{Look, Rule},
};
use crate::{
    disguise::{Alignment, Everyday, Least, Watch, is_han},
    model::Channel,
    text::FoldedSurface,
};

/// Fewest characters of a word that is looked for so.
pub(super) const MIN_CHARACTERS: usize = 3;
/// Bits of a rule's word standing at a given place: 12 for where, 10 for which of a thousand.
const WORD_BITS: f32 = 22.0;
/// What is less likely meant than this is not seen.
const LEAST: Least = Least { two: 0.5, more: 0.5 };

/// The channels that only an alignment undoes.
pub(super) const CHANNELS: [Channel; 5] =
    [Channel::Homophone, Channel::LookAlike, Channel::Split, Channel::Pinyin, Channel::Digit];

/// Words that are watched for.
#[derive(Debug, Default)]
pub(super) struct Deep {
    watch: Watch,
    /// By word: its uses.
    of_word: Rows,
    uses: Vec<Use>,
    /// The numbers of the rules that look so deep.
    looking: Vec<u32>,
}

/// A side of a clause that looks for a word.
#[derive(Debug, Clone, Copy)]
struct Use {
    rule: u32,
    clause: usize,
    side: u8,
    /// Its number in the set's stock.
    word: usize,
}

/// A watched word in a text.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its number here.
    number: u32,
    pub units: Range<usize>,
    pub alignment: Alignment,
    /// The chance that it is meant.
    pub chance: f64,
}

impl Deep {
    /// Gathers the words of the rules that look so deep.
    pub fn new(rules: &[Arc<Rule>], plans: &Plans) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let (mut words, mut pairs, mut uses) = (Vec::new(), Vec::new(), Vec::new());
        for (number, rule) in (0..).zip(rules).filter(|(_, rule)| rule.looks_deep()) {
            let clauses = rule.clauses.iter().enumerate();
            let looking = clauses.filter(|(_, clause)| {
                !clause.cover && matches!(clause.look, Look::Words | Look::Near(_) | Look::Number(_))
            });
            for (clause, side) in looking.flat_map(|(clause, _)| [(clause, 0), (clause, 1)]) {
                for (word, codes) in plans.words_of(number, clause, side) {
                    if codes.len() < MIN_CHARACTERS || !codes.iter().all(|code| is_han(*code)) {
                        continue;
                    }
                    let text: String = codes.iter().filter_map(|code| char::from_u32(*code)).collect();
                    let next = words.len() as u32;
                    let own = *known.entry(text.clone()).or_insert(next);
                    if own == next {
                        words.push(text);
                    }
                    pairs.push((own, uses.len() as u32));
                    uses.push(Use { rule: number, clause, side, word });
                }
            }
        }
        let of_word = Rows::of_pairs(words.len(), &pairs);
        // Uses stand rule by rule.
        let mut looking: Vec<u32> = uses.iter().map(|of| of.rule).collect();
        looking.dedup();
        Self {
            watch: Watch::new(words.iter().zip(0..).map(|(word, number)| (word.as_str(), number, 0))),
            of_word,
            uses,
            looking,
        }
    }

    /// The rules that look so deep, by number.
    pub fn looking(&self) -> &[u32] {
        &self.looking
    }

    /// Whether no rule looks so deep.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Every watched word that is probably meant on `surface` and does not stand there.
    pub fn see(&self, surface: &FoldedSurface<'_>) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        if self.is_empty() || surface.folded.len() < MIN_CHARACTERS {
            return seen;
        }
        let lattice = surface.lattice();
        let everyday = Everyday::new(surface, WORD_BITS, LEAST);
        self.watch.scan(lattice, &everyday, 0, |pattern, tokens, alignment| {
            let units = lattice.units(tokens);
            let chance = everyday.chance(units.clone(), alignment.bits);
            match seen.iter_mut().find(|one| one.number == pattern.number && one.units == units) {
                Some(known) if known.chance < chance => (known.alignment, known.chance) = (alignment, chance),
                Some(_) => {}
                None => seen.push(Seen { number: pattern.number, units, alignment, chance }),
            }
        });
        seen
    }

    fn uses<'a>(&'a self, seen: &Seen) -> impl Iterator<Item = &'a Use> + use<'a> {
        self.of_word.row(seen.number).iter().filter_map(|&number| self.uses.get(number as usize))
    }

    /// The rules that look for any of these.
    pub fn rules<'a>(&'a self, seen: &'a [Seen]) -> impl Iterator<Item = u32> + 'a {
        seen.iter().flat_map(|one| self.uses(one)).map(|of| of.rule)
    }

    /// What `rule`, whose number is `number`, sees for `clauses`.
    pub fn hits(&self, number: u32, rule: &Rule, clauses: Range<usize>, seen: &[Seen]) -> Vec<Hit> {
        let lets = |one: &&Seen| one.alignment.changes.iter().all(|change| rule.channels.contains(&change.channel));
        let pairs = seen.iter().filter(lets).flat_map(|one| self.uses(one).map(move |of| (one, of)));
        let own = pairs.filter(|(_, of)| of.rule == number && clauses.contains(&of.clause));
        own.map(|(one, of)| Hit { clause: of.clause, side: of.side, units: one.units.clone(), word: of.word }).collect()
    }

    /// How the word with the number `word` in the stock is seen at `units`, if it does not stand there.
    pub fn at<'a>(&self, seen: &'a [Seen], word: usize, units: &Range<usize>) -> Option<&'a Seen> {
        seen.iter().find(|one| one.units == *units && self.uses(one).any(|of| of.word == word))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use crate::{
        model::{Channel, Finding, Listing},
        rules::{RuleSet, RuleSource},
        text::fold_surfaces,
    };

    fn set(fold: &str) -> RuleSet {
        let sound = include_str!("../../fixtures/diagnostics/sound.toml");
        let tests = sound.find("[[test]]").unwrap();
        let text = sound[..tests].replace("id = \"sound\"", "id = \"deep\"");
        let text = text.replace("\"glyph\"]", &format!("\"glyph\"{fold}]"));
        let text = text
            .replace("[\"绝妙无比\"]", "[\"药到病除\", \"包治百病\", \"祖传秘方\"]")
            .replace("\"active\"", "\"draft\"");
        RuleSet::parse(vec![RuleSource { path: "deep.toml".into(), text }]).unwrap()
    }

    fn found(set: &RuleSet, title: &str) -> Vec<Finding> {
        let listing = Listing { title: title.into(), ..Listing::default() };
        set.findings_of(&listing, &fold_surfaces(&listing), date(2026, 11, 28), |_| true)
    }

    #[test]
    fn what_is_only_meant_is_found_where_the_rule_looks_so_deep() {
        let (plain, deep) = (set(""), set(", \"sound\", \"shape\", \"split\", \"pinyin\""));
        for (title, channel) in [
            ("老中医膏贴 药到bing除", Channel::Pinyin),
            ("老中医膏贴 要到病除", Channel::Homophone),
            ("秘制膏 包氵台百病", Channel::Split),
            ("农家 祖传密方 膏", Channel::Homophone),
        ] {
            assert!(found(&plain, title).is_empty(), "{title}");
            let findings = found(&deep, title);
            let [one] = &findings[..] else { panic!("{title}: {findings:?}") };
            assert!(one.channels.contains(&channel), "{title}: {:?}", one.channels);
            assert!(one.score < 0.5 && one.score > 0.2, "{title}: {}", one.score);
            let steps: Vec<&str> = one.explanation.iter().map(|step| step.code.as_str()).collect();
            assert!(steps.contains(&"rule.meant"), "{steps:?}");
        }
        assert!(found(&set(", \"sound\""), "老中医膏贴 药到bing除").is_empty(), "only what the rule names");
        assert_eq!(found(&deep, "药到病除")[0].score, 0.5, "what stands there is no guess");
        for innocent in ["到货即除尘", "祖传的方子很多", "百病丛生的书", "包装治具"] {
            assert!(found(&deep, innocent).is_empty(), "{innocent}");
        }
    }
}
