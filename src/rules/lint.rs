//! Lints: sizes before anything is read, one file (`words`, `condition`, `sentences`, `kind`), what only the
//! set shows, recorded versions (`version`), and the calendar.

mod condition;
mod kind;
mod sentences;
mod version;
mod words;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::{ToSpan, civil::Date};

use crate::model::{Diagnostic, Fix};

use super::{
    compile::too_many_words,
    file::{Expectation, RuleFile, Status},
    folder::{RuleSource, too_large},
    limits::{MAX_ALL_WORDS, MAX_FILES, MAX_LIST_BYTES, MAX_RULE_BYTES, MIN_TESTS},
    nearest::nearest,
    rule::Rule,
    words::Words,
};

pub use version::lock;
pub(super) use version::{is_of_version, logic, recorded, versions};

/// Days before an article lapses at which its rule's owner is warned.
const LAPSE_WARNING_DAYS: i32 = 90;

/// Files that are too large or too many to be looked into.
pub(super) fn sizes(files: &[RuleSource]) -> Vec<Diagnostic> {
    if files.len() > MAX_FILES {
        let message = format!("{} files, more than {MAX_FILES}", files.len());
        return vec![Diagnostic::error("rules", "", 0..0, "rule.too-many", message, "split the folder")];
    }
    files
        .iter()
        .filter_map(|file| {
            let limit = if file.is_rule() { MAX_RULE_BYTES } else { MAX_LIST_BYTES };
            (file.text.len() as u64 > limit).then(|| too_large(&file.path, limit))
        })
        .collect()
}

/// What one file shows by itself, once its parts could be read.
pub(super) fn file(file: &RuleFile, source: &RuleSource) -> Vec<Diagnostic> {
    let mut problems = words::all(file, source);
    problems.extend(condition::all(file, source));
    problems.extend(sentences::all(file, source));
    problems.extend(kind::all(file, source));
    problems
}

/// What is wrong between rules, and with the tests of each.
pub(super) fn set(rules: &[Arc<Rule>], sources: &[RuleSource]) -> Vec<Diagnostic> {
    let mut problems = all_words(rules);
    let by_path: HashMap<&str, &RuleSource> = sources.iter().map(|source| (source.path.as_str(), source)).collect();
    problems.extend(yields(rules, &by_path));
    let mut first: HashMap<&str, &str> = HashMap::new();
    for rule in rules {
        let Some(&source) = by_path.get(rule.path.as_str()) else { continue };
        if let Some(other) = first.insert(&rule.id, &rule.path) {
            let message = format!("the rule `{}` stands in {other} too", rule.id);
            problems.push(at_key(source, "id", "rule.duplicate-id", message, "give one of them another id"));
        }
        let count = |wanted| rule.tests.iter().filter(|test| test.expect == wanted).count();
        let (hits, misses) = (count(Expectation::Hit), count(Expectation::Miss));
        if rule.status != Status::Retired && (hits < MIN_TESTS || misses < MIN_TESTS) {
            let message = format!(
                "the rule has {hits} tests that must hit and {misses} that must miss; it needs {MIN_TESTS} of each"
            );
            let help = "add [[test]] with a listing and expect = \"hit\" or \"miss\"; near misses teach most";
            let problem = at_key(source, "id", "rule.too-few-tests", message, help);
            // A draft finds nothing yet, and its author wants to try it while writing.
            problems.push(if rule.status == Status::Draft { problem.as_warning() } else { problem });
        }
    }
    problems
}

/// Rules that give way to one that is not there, or in the end to themselves.
fn yields(rules: &[Arc<Rule>], by_path: &HashMap<&str, &RuleSource>) -> Vec<Diagnostic> {
    let by_id: HashMap<&str, &Arc<Rule>> = rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let mut problems = Vec::new();
    for rule in rules {
        let Some(&source) = by_path.get(rule.path.as_str()) else { continue };
        for one in &rule.yields_to {
            let at = |code, message: String, help: &str| {
                Diagnostic::error(&source.path, &source.text, one.place.clone(), code, message, help)
            };
            if !by_id.contains_key(one.to.as_str()) {
                let message = format!("there is no rule `{}` beside this one", one.to);
                let problem = at("rule.yields-unknown", message, "name a rule of this folder").as_warning();
                problems.push(match nearest(&one.to, by_id.keys().copied()) {
                    Some(meant) => problem.with_fix(Fix::replace(one.place.clone(), format!("\"{meant}\""))),
                    None => problem,
                });
            } else if leads_to(&by_id, &one.to, &rule.id) {
                let message = format!("`{}` gives way to `{}`, and that in the end to it", rule.id, one.to);
                problems.push(at("rule.yields-cycle", message, "decide which of them counts"));
            }
        }
    }
    problems
}

/// Whether `from` gives way to `to`, at once or by way of others, or is it.
fn leads_to(by_id: &HashMap<&str, &Arc<Rule>>, from: &str, to: &str) -> bool {
    let (mut seen, mut ahead): (HashSet<&str>, Vec<&str>) = (HashSet::new(), Vec::new());
    ahead.extend(by_id.get_key_value(from).map(|(id, _)| *id));
    while let Some(id) = ahead.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            ahead.extend(by_id.get(id).into_iter().flat_map(|rule| &rule.yields_to).map(|one| one.to.as_str()));
        }
    }
    false
}

/// All words of all rules, where they are too many; a list counts once.
fn all_words(rules: &[Arc<Rule>]) -> Vec<Diagnostic> {
    let mut known: HashSet<*const Words> = HashSet::new();
    let words = rules.iter().flat_map(|rule| &rule.clauses).flat_map(|clause| clause.words.iter().flatten());
    let count: usize = words.filter(|words| known.insert(Arc::as_ptr(words))).map(|words| words.len()).sum();
    if count <= MAX_ALL_WORDS {
        return Vec::new();
    }
    let help = "a list this long belongs to the register of marks";
    vec![Diagnostic::error("rules", "", 0..0, "rule.words", too_many_words(), help)]
}

/// Exceptions that have ended, and articles that are not in force or soon lapse, on `day`.
pub(super) fn calendar(rules: &[Arc<Rule>], sources: &[RuleSource], day: Date) -> Vec<Diagnostic> {
    let soon = day.checked_add(LAPSE_WARNING_DAYS.days()).unwrap_or(day);
    let mut problems = Vec::new();
    for rule in rules.iter().filter(|rule| rule.status != Status::Retired) {
        let Some(source) = sources.iter().find(|source| source.path == rule.path) else { continue };
        let at = |span, code, message: String, help: &str| {
            Diagnostic::error(&source.path, &source.text, span, code, message, help)
        };
        for exception in rule.exceptions.iter().filter(|exception| !exception.applies(day)) {
            let message = format!("the exception `{}` has ended", exception.name);
            problems.push(at(exception.place.clone(), "rule.expired-exception", message, "remove or renew it"));
        }
        problems.extend(law(rule, source, (day, soon)));
    }
    problems
}

/// What the calendar says of the articles a rule rests on: today, and soon.
fn law(rule: &Rule, source: &RuleSource, (day, soon): (Date, Date)) -> Vec<Diagnostic> {
    if rule.articles(day).next().is_none() {
        let message = format!("no article this rule rests on is in force on {day}");
        return vec![at_key(source, "id", "rule.law-not-in-force", message, "cite the article now in force")];
    }
    let mut problems = Vec::new();
    for cite in &rule.cites {
        let at = |code, message, help: &str| {
            Diagnostic::error(&source.path, &source.text, cite.place.clone(), code, message, help).as_warning()
        };
        let followed = |end: Date| cite.articles.iter().any(|article| article.in_force(end));
        match cite.on(day) {
            Some(article) => {
                if let Some(end) = article.valid_to.filter(|end| *end <= soon && !followed(*end)) {
                    let message = format!("{} lapses on {end} and nothing follows", article.citation());
                    let help = "add the article that takes its place to statutes/, under the same topic";
                    problems.push(at("rule.law-lapses", message, help));
                }
            }
            // What only begins later has not been lost.
            None if cite.articles.iter().any(|article| article.valid_from.is_some_and(|from| from > day)) => {}
            None => {
                let message = format!("`{}` has no article in force on {day}", cite.name);
                problems.push(at("rule.law-lapsed", message, "cite what took its place, or add it to statutes/"));
            }
        }
    }
    problems
}

/// A diagnostic at the line of a top-level key.
fn at_key(source: &RuleSource, key: &str, code: &'static str, message: String, help: &str) -> Diagnostic {
    let start = source
        .text
        .match_indices(key)
        .map(|(index, _)| index)
        .find(|&index| index == 0 || source.text.as_bytes().get(index - 1) == Some(&b'\n'))
        .unwrap_or(0);
    let rest = source.text.get(start..).unwrap_or("");
    let end = start + rest.find('\n').unwrap_or(rest.len());
    Diagnostic::error(&source.path, &source.text, start..end, code, message, help)
}
