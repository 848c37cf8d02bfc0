//! Words that say nothing new or can never be seen: repeated, contained in another, not matching themselves.

use std::{collections::HashMap, ops::Range};

use toml::Spanned;

use crate::{
    model::{Diagnostic, Fix, Listing},
    rules::{
        RuleSource,
        compile::channels,
        evaluate::joins,
        file::{ClauseFile, RuleFile, SideFile},
        limits::MAX_TOLD,
    },
    text::{fold, fold_surfaces},
};

/// What is wrong with the words of a rule's clauses and exceptions.
pub(super) fn all(file: &RuleFile, source: &RuleSource) -> Vec<Diagnostic> {
    let mut lint = Lint { file, source, problems: Vec::new() };
    for (name, clause) in &file.clause {
        let clause = clause.as_ref();
        lint.words(clause.words.as_deref(), name.span());
        lint.repeated(&clause.atoms);
        if only_asked(file, name.as_ref(), clause) {
            lint.contained(clause.words.as_deref().unwrap_or_default());
        }
    }
    for exception in &file.except {
        lint.words(exception.as_ref().words.as_deref(), exception.as_ref().name.span());
        lint.repeated(&exception.as_ref().atoms);
    }
    lint.problems
}

/// Whether only it matters that a word of the clause stands there: not where, and not how many.
fn only_asked(file: &RuleFile, name: &str, clause: &ClauseFile) -> bool {
    let sides = |near: &crate::rules::file::NearFile| {
        [&near.a, &near.b].into_iter().any(|side| matches!(side, SideFile::Clause(other) if other == name))
    };
    let referred = file.clause.values().any(|other| other.as_ref().near.as_ref().is_some_and(sides))
        || file.except.iter().any(|other| other.as_ref().near.as_ref().is_some_and(sides));
    let shown = clause.report && !clause.anywhere;
    !shown && !clause.cover && clause.min_count.is_none() && !referred
}

struct Lint<'a> {
    file: &'a RuleFile,
    source: &'a RuleSource,
    problems: Vec<Diagnostic>,
}

impl Lint<'_> {
    fn at(&self, span: Range<usize>, code: &'static str, message: String, help: &str) -> Diagnostic {
        Diagnostic::error(&self.source.path, &self.source.text, span, code, message, help)
    }

    fn words(&mut self, words: Option<&[Spanned<String>]>, place: Range<usize>) {
        let Some(words) = words else { return };
        if words.is_empty() {
            let message = "a clause without words matches nothing".to_owned();
            let problem = self.at(place, "rule.empty-clause", message, "write its words, or remove it");
            self.problems.push(problem);
        }
        self.repeated(words);
        for word in words {
            if self.problems.len() >= MAX_TOLD {
                return;
            }
            self.misses_itself(word);
        }
    }

    fn repeated(&mut self, words: &[Spanned<String>]) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for word in words.iter().filter(|word| !word.as_ref().starts_with('@')) {
            if self.problems.len() >= MAX_TOLD {
                return;
            }
            let folded = fold(word.as_ref());
            if let Some(other) = seen.get(&folded) {
                let message = format!("`{}` is the same word as `{other}` before it", word.as_ref());
                let problem = self.at(word.span(), "rule.repeated-word", message, "once is enough").as_warning();
                let fix = Fix::remove(item(&self.source.text, &word.span()));
                self.problems.push(problem.with_fix(fix));
            } else {
                seen.insert(folded, word.as_ref());
            }
        }
    }

    /// A word that a text with the very same characters would not match.
    fn misses_itself(&mut self, word: &Spanned<String>) {
        let listing = Listing { title: word.as_ref().clone(), ..Listing::default() };
        let surfaces = fold_surfaces(&listing);
        let Some(surface) = surfaces.first().filter(|surface| !surface.folded.is_empty()) else { return };
        let whole = 0..surface.folded.len();
        let through = channels(&self.file.matching.as_ref().fold);
        let folds = surface.folded.channels(whole.clone()).iter().all(|channel| through.contains(channel));
        if word.as_ref().starts_with('@') || folds && joins(surface, &whole) {
            return;
        }
        let message = format!("a page that says `{}` letter by letter is not matched", word.as_ref());
        let help = if folds {
            "commas, full stops and spaces between Latin words part them: use near, or a regex with on = \"original\""
        } else {
            "the rule's fold does not undo how this word is written: write it plainly, or add the step"
        };
        self.problems.push(self.at(word.span(), "rule.misses-itself", message, help).as_warning());
    }

    /// A word that another one of the clause already finds.
    fn contained(&mut self, words: &[Spanned<String>]) {
        let folded: Vec<String> = words.iter().map(|word| fold(word.as_ref())).collect();
        for (word, long) in words.iter().zip(&folded) {
            if self.problems.len() >= MAX_TOLD {
                return;
            }
            let inner = words.iter().zip(&folded).find(|(other, short)| {
                short.len() < long.len()
                    && !other.as_ref().starts_with('@')
                    && short.chars().count() > 1
                    && stands_in(long, short)
            });
            let Some((short, _)) = inner.filter(|_| !word.as_ref().starts_with('@')) else { continue };
            let message = format!("`{}` finds everything that `{}` does", short.as_ref(), word.as_ref());
            let help = "the clause is only asked, never shown: keep the shorter word, or mean something else";
            let problem = self.at(word.span(), "rule.contained-word", message, help).as_warning();
            let fix = Fix::remove(item(&self.source.text, &word.span()));
            self.problems.push(problem.with_fix(fix));
        }
    }
}

/// Whether `short` is found in `long` as a word: Latin letters and digits need a border.
fn stands_in(long: &str, short: &str) -> bool {
    let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    long.match_indices(short).any(|(at, found)| {
        let before = long.get(..at).and_then(|text| text.chars().next_back());
        let after = long.get(at + found.len()..).and_then(|text| text.chars().next());
        !(latin(before) && latin(found.chars().next()) || latin(after) && latin(found.chars().next_back()))
    })
}

/// An item of an array with the comma and spaces that go with it.
fn item(text: &str, span: &Range<usize>) -> Range<usize> {
    let rest = text.get(span.end..).unwrap_or("");
    let after_spaces = rest.trim_start_matches([' ', '\t']);
    if let Some(after_comma) = after_spaces.strip_prefix(',') {
        let end = text.len() - after_comma.trim_start_matches([' ', '\t']).len();
        return span.start..end;
    }
    let before = text.get(..span.start).unwrap_or("").trim_end();
    let start = before.strip_suffix(',').map_or(span.start, str::len);
    start..span.end
}
