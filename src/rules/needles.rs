//! Words without which a rule finds nothing: whoever keeps an index of texts need show a rule only those that have them.
//!
//! Main type: [`Needles`]. A finding comes from a clause that reports, and such a clause matches only where a word of it stands
//! (of each side of a `near`), as folded text has it. What is not known to need a word needs none.

use std::collections::BTreeMap;

use super::{
    expression::Expression,
    rule::{Look, Rule},
    set::RuleSet,
};

/// One of these must be met: each of its parts needs one of its words, folded, somewhere in the listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needles(Vec<Vec<Vec<String>>>);

/// Words by clause and side.
type Words = BTreeMap<(usize, u8), Vec<String>>;

impl Needles {
    /// Listings that only these words, any one of them, make interesting.
    pub fn any_of(words: Vec<String>) -> Self {
        Self(vec![vec![words]])
    }

    /// Listings that meet `one` or `other`.
    pub fn either(mut one: Self, other: Self) -> Self {
        one.0.extend(other.0);
        one
    }

    /// The ways to be met.
    pub fn ways(&self) -> &[Vec<Vec<String>>] {
        &self.0
    }
}

impl RuleSet {
    /// What a listing must have for any of the rules that `wanted` names to find something in it; none when everything must be
    /// looked at.
    pub fn needles(&self, wanted: impl Fn(&Rule) -> bool) -> Option<Needles> {
        let mut ways = Vec::new();
        for (number, rule) in self.rules().iter().enumerate().filter(|(_, rule)| wanted(rule)) {
            // What is only meant has none of its words.
            if rule.looks_deep() {
                return None;
            }
            let words = self.words_of(number);
            let beside = beside(rule, &words);
            for (index, clause) in rule.clauses.iter().enumerate().filter(|(_, clause)| clause.report) {
                let mut way = match &clause.look {
                    Look::Words | Look::Regex { .. } | Look::Number(_) => vec![side(&words, index, 0)?],
                    Look::Near(near) => {
                        vec![reached(rule, &words, near.a, index, 0)?, reached(rule, &words, near.b, index, 1)?]
                    }
                    Look::When(_) => return None,
                };
                let others = beside.iter().filter(|(clauses, _)| !clauses.contains(&index));
                way.extend(others.map(|(_, words)| words.clone()));
                ways.push(way);
            }
        }
        Some(Needles(ways))
    }
}

/// A part of a condition: the clauses that it asks, and the words one of which stands wherever it holds.
type Part = (Vec<usize>, Vec<String>);

/// What must stand in a listing wherever the condition of `rule` holds: of parts joined by `and` each, of those joined by `or`
/// inside one of them.
fn beside(rule: &Rule, words: &Words) -> Vec<Part> {
    let of_leaf = |clause: usize| -> Option<Vec<String>> {
        let found = rule.clauses.get(clause).filter(|found| !found.cover)?;
        match &found.look {
            Look::Words | Look::Regex { .. } | Look::Number(_) => side(words, clause, 0),
            Look::Near(near) => reached(rule, words, near.a, clause, 0),
            Look::When(_) => None,
        }
    };
    let of_part = |part: &Expression<usize>| -> Option<Part> {
        let leaves = match part {
            Expression::Any(leaves) => leaves.as_slice(),
            one => std::slice::from_ref(one),
        };
        let (mut clauses, mut all) = (Vec::new(), Vec::new());
        for leaf in leaves {
            let Expression::Leaf(clause) = leaf else { return None };
            clauses.push(*clause);
            all.extend(of_leaf(*clause)?);
        }
        Some((clauses, all))
    };
    match &rule.condition {
        Expression::All(parts) => parts.iter().filter_map(of_part).collect(),
        _ => Vec::new(),
    }
}

/// The words of a side of a clause; none when it has no words of its own.
fn side(words: &Words, clause: usize, side: u8) -> Option<Vec<String>> {
    words.get(&(clause, side)).filter(|words| !words.is_empty()).cloned()
}

/// The words of a side of a near, which may be another clause.
fn reached(rule: &Rule, words: &Words, other: Option<usize>, clause: usize, number: u8) -> Option<Vec<String>> {
    let Some(other) = other else { return side(words, clause, number) };
    match &rule.clauses.get(other)?.look {
        Look::Words | Look::Regex { .. } | Look::Number(_) => side(words, other, 0),
        // Whatever it is made of, one side of it stands there.
        Look::Near(near) if !near.refers() => side(words, other, 0),
        Look::Near(_) | Look::When(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rules::Expectation, text::fold_surfaces};

    /// Whether some way is met by the folded texts.
    fn met(needles: &Needles, texts: &[String]) -> bool {
        needles.ways().iter().any(|way| {
            way.iter().all(|part| part.iter().any(|word| texts.iter().any(|text| text.contains(word.as_str()))))
        })
    }

    #[test]
    fn every_sentence_that_a_shipped_rule_hits_has_its_needles() {
        let set = RuleSet::builtin().unwrap();
        let (mut hits, mut skipped, mut known) = (0, 0, 0);
        for rule in set.rules() {
            let Some(needles) = set.needles(|other| other.id == rule.id) else { continue };
            known += 1;
            for test in &rule.tests {
                let surfaces = fold_surfaces(&test.listing);
                let texts: Vec<String> = surfaces.iter().map(|surface| surface.folded.text().to_owned()).collect();
                let found = !set
                    .findings_of(
                        &test.listing,
                        &surfaces,
                        "2026-11-27".parse::<jiff::civil::Date>().unwrap(),
                        |other| other.id == rule.id,
                    )
                    .is_empty();
                assert!(!found || met(&needles, &texts), "{}: {texts:?}", rule.id);
                hits += usize::from(found && test.expect == Expectation::Hit);
                skipped += usize::from(!met(&needles, &texts));
            }
        }
        assert!(known > 80 && hits > 400 && skipped > 100, "{known} rules, {hits} hits, {skipped} skipped");
    }
}
