//! All words of all rules in one automaton over folded text.
//!
//! Main type: [`Atoms`]. Which rule wants which word is kept beside; what a hit means is `evaluate`'s matter.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::AhoCorasick;

use crate::text::{Folded, fold};

use super::evaluate::Hit;

/// Hits looked at on one surface; a text that brings more is hostile, and long since found.
const MAX_HITS: usize = 65_536;

/// Where a word is wanted.
#[derive(Debug, Clone, Copy)]
struct Use {
    rule: usize,
    clause: usize,
    side: u8,
}

/// Collects the words of the rules as they are compiled.
#[derive(Debug, Default)]
pub(super) struct AtomsBuilder {
    index: HashMap<String, usize>,
    folded: Vec<String>,
    written: Vec<String>,
    uses: Vec<Vec<Use>>,
}

impl AtomsBuilder {
    /// Wants `written`, which folds to `folded`, for a side of a clause of a rule.
    pub fn want(&mut self, written: &str, folded: String, rule: usize, clause: usize, side: u8) {
        let next = self.folded.len();
        let word = *self.index.entry(folded.clone()).or_insert(next);
        if word == next {
            self.folded.push(folded);
            self.written.push(written.to_owned());
            self.uses.push(Vec::new());
        }
        if let Some(uses) = self.uses.get_mut(word) {
            uses.push(Use { rule, clause, side });
        }
    }

    /// How many different words there are.
    pub fn len(&self) -> usize {
        self.folded.len()
    }

    /// Builds the automaton.
    pub fn build(self) -> Result<Atoms, aho_corasick::BuildError> {
        let automaton = AhoCorasick::new(&self.folded)?;
        Ok(Atoms { automaton, written: self.written, uses: self.uses })
    }
}

/// The automaton and who wants what.
#[derive(Debug)]
pub(super) struct Atoms {
    automaton: AhoCorasick,
    written: Vec<String>,
    uses: Vec<Vec<Use>>,
}

impl Atoms {
    /// Every hit in `text`, by rule.
    pub fn hits(&self, text: &Folded) -> BTreeMap<usize, Vec<Hit>> {
        let mut hits: BTreeMap<usize, Vec<Hit>> = BTreeMap::new();
        for found in self.automaton.find_overlapping_iter(text.text()).take(MAX_HITS) {
            let word = found.pattern().as_usize();
            let Some(units) = text.units(found.range()) else { continue };
            for &Use { rule, clause, side } in self.uses.get(word).into_iter().flatten() {
                hits.entry(rule).or_default().push(Hit { clause, side, units: units.clone(), word });
            }
        }
        hits
    }

    /// The folded words of a rule, by clause and side.
    pub fn of_rule(&self, rule: usize) -> BTreeMap<(usize, u8), Vec<String>> {
        let mut words: BTreeMap<(usize, u8), Vec<String>> = BTreeMap::new();
        for (written, uses) in self.written.iter().zip(&self.uses) {
            for of in uses.iter().filter(|of| of.rule == rule) {
                words.entry((of.clause, of.side)).or_default().push(fold(written));
            }
        }
        words
    }

    /// A word as its rule writes it.
    pub fn written(&self, word: usize) -> &str {
        self.written.get(word).map_or("", String::as_str)
    }
}
