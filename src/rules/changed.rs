//! Which rules of two sets can find something else in the newer than in the older.
//!
//! Main type: [`Changed`]. A rule is the same where its file and the words of the lists that it names are, and where no rule
//! that it gives way to has changed; statutes decide what is cited, not what is found.

use std::collections::BTreeSet;

use super::{RuleSource, rule::Rule, set::RuleSet};

/// Names of rules that are other in one of two sets, or only in one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed(BTreeSet<String>);

impl Changed {
    /// What differs between `before` and `after`.
    pub fn between(before: &RuleSet, after: &RuleSet) -> Self {
        let same_sectors = sectors(before) == sectors(after);
        let both = before.rules().iter().chain(after.rules());
        let is_same = |id: &str| match (before.rule(id), after.rule(id)) {
            (Some(old), Some(new)) => {
                same_sectors
                    && before.text(old) == after.text(new)
                    && words(old).eq(words(new))
                    && old.status == new.status
            }
            _ => false,
        };
        let mut changed = Self(both.clone().filter(|rule| !is_same(&rule.id)).map(|rule| rule.id.clone()).collect());
        // Who gives way to a changed rule may give way less or more.
        loop {
            let yields = |rule: &&std::sync::Arc<Rule>| rule.yields_to.iter().any(|other| changed.has(&other.to));
            let more: Vec<String> =
                both.clone().filter(|rule| !changed.has(&rule.id)).filter(yields).map(|rule| rule.id.clone()).collect();
            if more.is_empty() {
                return changed;
            }
            changed.0.extend(more);
        }
    }

    /// Whether the rule named `id` is among them.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// All words that a rule looks for, those of lists among them.
fn words(rule: &Rule) -> impl Iterator<Item = &str> {
    let of_clauses = rule.clauses.iter().flat_map(|clause| &clause.words).flatten().flat_map(|words| words.folded());
    of_clauses.chain(rule.skip_attributes.iter().map(String::as_str))
}

fn sectors(set: &RuleSet) -> Option<&str> {
    set.lists().iter().rfind(|list| RuleSource::stem(list) == "sectors").map(|list| list.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = include_str!("../../fixtures/rules/test.word.toml");

    fn rule(id: &str, word: &str, more: &str) -> RuleSource {
        let text = RULE.replace("test.word", id).replace("琉璃塔", word);
        RuleSource {
            path: format!("rules/{id}.toml"),
            text: text.replacen("condition", &format!("{more}condition"), 1),
        }
    }

    fn set(sources: Vec<RuleSource>) -> RuleSet {
        RuleSet::parse(sources).unwrap_or_else(|wrong| panic!("{}", wrong[0]))
    }

    #[test]
    fn what_changed_and_who_gives_way_to_it_is_other_and_nothing_else() {
        let yields = "yields_to = [\"a.one\"]\n";
        let all = |one: &str, list: &str| {
            set(vec![
                rule("a.one", one, ""),
                rule("b.two", "青瓷瓶", yields),
                rule("c.three", "紫砂壶", "yields_to = [\"b.two\"]\n"),
                rule("d.four", "景泰蓝", ""),
                rule("e.five", "琉璃塔", "skip_attributes = [\"@names\"]\n"),
                RuleSource { path: "rules/lists/names.txt".into(), text: list.into() },
            ])
        };
        let names = |before: &RuleSet, after: &RuleSet| -> Vec<String> {
            Changed::between(before, after).names().map(str::to_owned).collect()
        };
        let before = all("琉璃塔", "产地\n");
        assert!(names(&before, &all("琉璃塔", "产地\n")).is_empty());
        assert_eq!(names(&before, &all("琉璃宝塔", "产地\n")), ["a.one", "b.two", "c.three"]);
        assert_eq!(names(&before, &all("琉璃塔", "产地\n材质\n")), ["e.five"]);
        assert_eq!(names(&before, &set(vec![rule("d.four", "景泰蓝", "")])).len(), 4);
        assert_eq!(names(&set(Vec::new()), &set(vec![rule("d.four", "景泰蓝", "")])), ["d.four"]);
    }
}
