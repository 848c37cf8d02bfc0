//! Which words call a rule, and which must stand on a surface before it is worth running.
//!
//! Main type: [`Plans`], for a set of rules. A rule is called by the rarest words without one of which its condition cannot
//! hold; words that many rules share, such as refusals, call nobody and are only looked up. What a rule then finds is
//! `evaluate`'s matter.

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use crate::{model::SurfaceKind, text::Folded};

use super::{
    atoms::{Atoms, Room},
    evaluate::Hit,
    expression::Expression,
    rows::Rows,
    rule::{Look, Rule},
    words::{Stock, Text, Words},
};

/// A side of a clause.
type Side = (usize, u8);

/// What is known of all rules together.
#[derive(Debug, Default)]
pub(super) struct Plans {
    stock: Stock,
    /// The groups of each side of each clause of each rule, from `first` of that rule.
    sides: Rows,
    first: Vec<u32>,
    /// The words that call rules, and which.
    atoms: Atoms,
    calls: Rows,
    kinds: Vec<Kinds>,
}

impl Plans {
    /// Gathers the words of `rules`, whose numbers are their places.
    pub fn new(rules: &[Arc<Rule>]) -> Self {
        let mut plans = Self::default();
        let mut groups: Vec<Arc<Words>> = Vec::new();
        let mut known: HashMap<*const Words, u32> = HashMap::new();
        let mut users: Vec<u32> = Vec::new();
        let mut side = 0;
        for rule in rules {
            plans.first.push(side);
            plans.kinds.push(Kinds::of(&rule.fields));
            for words in rule.clauses.iter().flat_map(|clause| &clause.words) {
                plans.sides.push(words.iter().map(|words| {
                    let next = groups.len() as u32;
                    let number = *known.entry(Arc::as_ptr(words)).or_insert(next);
                    if number == next {
                        groups.push(Arc::clone(words));
                        users.push(0);
                    }
                    if let Some(users) = users.get_mut(number as usize) {
                        *users += 1;
                    }
                    number
                }));
                side += 1;
            }
        }
        plans.stock = Stock::new(groups);
        plans.call(rules, &users);
        plans
    }

    /// Builds the index over the words that call rules.
    fn call(&mut self, rules: &[Arc<Rule>], users: &[u32]) {
        // Short words are the common ones.
        let weight = |word: u32| 1_u64 << (4 - self.stock.codes(word).len().min(4));
        let costs: Vec<u64> = (0..)
            .zip(users)
            .map(|(group, users)| u64::from(*users) * self.stock.group(group).map(weight).sum::<u64>())
            .collect();
        let (mut words, mut called): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (number, rule) in (0..).zip(rules) {
            let cost = |(clause, side): Side| -> u64 {
                let groups = self.groups(number, clause, side);
                groups.iter().filter_map(|group| costs.get(*group as usize)).sum()
            };
            let needs = Needs { rule, cost: &cost };
            for (clause, side) in needs.of_rule() {
                for word in self.groups(number, clause, side).iter().flat_map(|&group| self.stock.group(group)) {
                    words.push(word);
                    called.push(number);
                }
            }
        }
        let (atoms, of_words) = Atoms::build(&self.stock, &words);
        let pairs: Vec<(u32, u32)> = of_words.into_iter().zip(called).collect();
        self.calls = Rows::of_pairs(atoms.len(), &pairs);
        self.atoms = atoms;
    }

    /// A word as its rule writes it.
    pub fn written(&self, word: usize) -> &str {
        self.stock.written(word)
    }

    /// Whether the rule reads any surface of `kind`.
    pub fn reads(&self, rule: u32, kind: SurfaceKind) -> bool {
        self.kinds.get(rule as usize).is_some_and(|kinds| kinds.has(kind))
    }

    fn groups(&self, rule: u32, clause: usize, side: u8) -> &[u32] {
        let first = self.first.get(rule as usize).copied().unwrap_or(u32::MAX);
        self.sides.row(first.saturating_add(2 * clause as u32 + u32::from(side)))
    }

    /// The rules that are called by what stands in `text`, each once, by number.
    pub fn called(&self, text: &Folded) -> Vec<u32> {
        thread_local! {
            static SPACE: RefCell<Room> = RefCell::default();
        }
        let mut called: Vec<u32> = Vec::new();
        SPACE.with_borrow_mut(|space| {
            for &atom in self.atoms.found(text, space) {
                called.extend(self.calls.row(atom));
            }
        });
        called.sort_unstable();
        called.dedup();
        called
    }

    /// The words of a side of a clause of a rule, with their folded characters.
    pub fn words_of(&self, rule: u32, clause: usize, side: u8) -> impl Iterator<Item = (usize, &[u32])> {
        let words = self.groups(rule, clause, side).iter().flat_map(|&group| self.stock.group(group));
        words.map(|word| (word as usize, self.stock.codes(word)))
    }

    /// Whether the condition of a rule could hold on `text`, and something be shown.
    pub fn may_hold(&self, number: u32, rule: &Rule, text: &Text) -> bool {
        Hope { plans: self, number, rule, text }.may_hold()
    }

    /// What stands in `text` for `clauses` of a rule, by clause, then side, then place.
    pub fn hits(&self, number: u32, clauses: Range<usize>, text: &Text) -> Vec<Hit> {
        let mut hits = Vec::new();
        for clause in clauses {
            for side in 0..2 {
                let before = hits.len();
                for &group in self.groups(number, clause, side) {
                    self.stock.find(group, text, |word, units| {
                        hits.push(Hit { clause, side, units, word: word as usize });
                    });
                }
                if let Some(added) = hits.get_mut(before..) {
                    added.sort_by_key(|hit| (hit.units.end, hit.units.start));
                }
            }
        }
        hits
    }
}

/// A rule and a text that it may match.
struct Hope<'a> {
    plans: &'a Plans,
    number: u32,
    rule: &'a Rule,
    text: &'a Text,
}

impl Hope<'_> {
    /// Whether so many words of a side stand in the text.
    fn stands(&self, clause: usize, side: u8, least: usize) -> bool {
        let mut left = least;
        let groups = self.plans.groups(self.number, clause, side).iter();
        least == 0 || groups.copied().any(|group| self.plans.stock.has(group, self.text, &mut left))
    }

    /// Whether the condition could hold, and something be shown.
    fn may_hold(&self) -> bool {
        let answer = |clause: usize| match self.rule.clauses.get(clause) {
            None => false,
            Some(clause) if matches!(clause.look, Look::When(_)) || clause.anywhere => true,
            Some(found) if found.cover => false,
            Some(found) if matches!(found.look, Look::Words) => self.stands(clause, 0, found.min_count),
            Some(_) => self.may_match(clause),
        };
        // How often a clause must match is the condition's matter: one match can be shown where another clause decides.
        let mut shown = self.rule.clauses.iter().enumerate().filter(|(_, clause)| clause.report);
        may_be(&self.rule.condition, true, &answer) && shown.any(|(index, _)| self.may_match(index))
    }

    fn may_match(&self, index: usize) -> bool {
        let Some(clause) = self.rule.clauses.get(index) else { return false };
        match &clause.look {
            Look::Words | Look::Regex { .. } | Look::Number(_) => self.stands(index, 0, 1),
            Look::Near(near) => [(near.a, 0), (near.b, 1)].into_iter().all(|(reference, side)| match reference {
                // What is referred to refers to nothing itself.
                Some(other) => other != index && self.may_match(other),
                None => self.stands(index, side, 1),
            }),
            Look::When(_) => false,
        }
    }
}

/// Whether `expression` may be what is `wanted`, when a clause that may match need not.
fn may_be(expression: &Expression<usize>, wanted: bool, answer: &dyn Fn(usize) -> bool) -> bool {
    match expression {
        Expression::Leaf(clause) => !wanted || answer(*clause),
        Expression::Not(inner) => may_be(inner, !wanted, answer),
        Expression::All(parts) | Expression::Any(parts) => {
            let mut parts = parts.iter();
            if matches!(expression, Expression::All(_)) == wanted {
                parts.all(|part| may_be(part, wanted, answer))
            } else {
                parts.any(|part| may_be(part, wanted, answer))
            }
        }
    }
}

/// Finds the cheapest words without which a rule finds nothing.
struct Needs<'a> {
    rule: &'a Rule,
    cost: &'a dyn Fn(Side) -> u64,
}

impl Needs<'_> {
    fn of_rule(&self) -> Vec<Side> {
        let shown = self.rule.clauses.iter().enumerate().filter(|(_, clause)| clause.report);
        let shown = all_of(shown.map(|(index, _)| self.matches(index)));
        self.cheapest([shown, self.holds(&self.rule.condition, true)].into_iter()).unwrap_or_default()
    }

    /// What must be seen for `expression` to be what is `wanted`; nothing where no words say so.
    fn holds(&self, expression: &Expression<usize>, wanted: bool) -> Option<Vec<Side>> {
        match expression {
            Expression::Leaf(_) if !wanted => None,
            Expression::Leaf(clause) => match self.rule.clauses.get(*clause) {
                Some(found) if found.anywhere => None,
                Some(found) if found.cover => Some(Vec::new()),
                _ => self.matches(*clause),
            },
            Expression::Not(inner) => self.holds(inner, !wanted),
            Expression::All(parts) | Expression::Any(parts) => {
                let parts = parts.iter().map(|part| self.holds(part, wanted));
                if matches!(expression, Expression::All(_)) == wanted { self.cheapest(parts) } else { all_of(parts) }
            }
        }
    }

    /// What must be seen for a clause to match.
    fn matches(&self, index: usize) -> Option<Vec<Side>> {
        match &self.rule.clauses.get(index)?.look {
            Look::Words | Look::Regex { .. } | Look::Number(_) => Some(vec![(index, 0)]),
            Look::Near(near) => {
                let side = |reference: Option<usize>, side| match reference {
                    Some(other) => self.matches(other),
                    None => Some(vec![(index, side)]),
                };
                self.cheapest([side(near.a, 0), side(near.b, 1)].into_iter())
            }
            Look::When(_) => None,
        }
    }

    fn cheapest(&self, parts: impl Iterator<Item = Option<Vec<Side>>>) -> Option<Vec<Side>> {
        parts.flatten().min_by_key(|sides| sides.iter().map(|&side| (self.cost)(side)).sum::<u64>())
    }
}

fn all_of(parts: impl Iterator<Item = Option<Vec<Side>>>) -> Option<Vec<Side>> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// Kinds of surface, a bit each.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds(u16);

impl Kinds {
    fn of(kinds: &[SurfaceKind]) -> Self {
        Self(kinds.iter().fold(0, |all, kind| all | 1 << *kind as u16))
    }

    fn has(self, kind: SurfaceKind) -> bool {
        self.0 >> kind as u16 & 1 == 1
    }
}
