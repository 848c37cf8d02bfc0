//! Word lists: one word a line, `#` begins a comment, `@name` takes in another list.
//!
//! Main type: [`Lists`]. What is wrong in a list is told at its own line, once, whoever uses it.

use std::{collections::BTreeMap, ops::Range};

use super::{
    RuleSource,
    limits::{MAX_TAKEN_IN, MAX_TOLD, MAX_WORD_CHARS, MAX_WORDS},
    nearest::nearest,
};
use crate::{
    model::{Diagnostic, Fix},
    text::fold,
};

/// The words of every list, lists taken in included.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<String, Vec<String>>);

/// One line that says something.
struct Line<'a> {
    text: &'a str,
    span: Range<usize>,
}

impl Lists {
    /// Reads `shelf`; of two lists with one name the later stands.
    pub fn read(shelf: &[RuleSource], problems: &mut Vec<Diagnostic>) -> Self {
        let sources: BTreeMap<&str, &RuleSource> =
            shelf.iter().filter(|source| !source.is_toml()).map(|source| (source.stem(), source)).collect();
        let mut lists = BTreeMap::new();
        for (name, source) in &sources {
            let mut reader = Reader { sources: &sources, problems, path: Vec::new(), words: Vec::new(), taken_in: 0 };
            reader.source(name, source);
            let words = reader.words;
            check(source, problems);
            lists.insert((*name).to_owned(), words);
        }
        Self(lists)
    }

    /// The words of the list `name`.
    pub fn words(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// `@name` of the list that `written` was probably meant to be.
    pub fn nearest(&self, written: &str) -> Option<String> {
        nearest(written, self.0.keys().map(String::as_str)).map(|name| format!("@{name}"))
    }
}

/// Follows a list and those it takes in.
struct Reader<'a, 'b> {
    sources: &'a BTreeMap<&'a str, &'a RuleSource>,
    problems: &'b mut Vec<Diagnostic>,
    /// The lists being read, from the first to this one.
    path: Vec<&'a str>,
    words: Vec<String>,
    taken_in: usize,
}

impl<'a> Reader<'a, '_> {
    fn source(&mut self, name: &'a str, source: &'a RuleSource) {
        self.path.push(name);
        for line in lines(source) {
            match line.text.strip_prefix('@') {
                Some(other) => self.take_in(other, &line, source),
                None if is_word(line.text) => self.words.push(line.text.to_owned()),
                None => {}
            }
            // Whoever uses a list that is too long says so.
            if self.words.len() > MAX_WORDS || self.taken_in > MAX_TAKEN_IN {
                break;
            }
        }
        self.path.pop();
    }

    /// Reads the list `other` in; what is wrong further down is told where that list is read for itself.
    fn take_in(&mut self, other: &str, line: &Line<'_>, source: &RuleSource) {
        let (of_this_list, around) = (self.path.len() == 1, self.path.first() == Some(&other));
        let help = "name a list beside this one that does not lead back here";
        self.taken_in += 1;
        match self.sources.get_key_value(other) {
            _ if self.taken_in == MAX_TAKEN_IN + 1 => {
                let message = format!("a list takes in more than {MAX_TAKEN_IN} others");
                self.problems.push(at(line, source, "list.taken-in", message, "write the words here instead"));
            }
            Some(_) if around => {
                let message = format!("the list `{other}` takes itself in");
                self.problems.push(at(line, source, "list.cycle", message, help));
            }
            // A circle further down is told where that list is read for itself.
            Some((name, _)) if self.path.contains(name) => {}
            Some((name, inner)) => self.source(name, inner),
            None if of_this_list => {
                let message = format!("there is no word list `{other}`");
                self.problems.push(at(line, source, "list.missing", message, help));
            }
            None => {}
        }
    }
}

fn lines(source: &RuleSource) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    source.text.split_inclusive('\n').filter_map(move |whole| {
        let begin = start;
        start += whole.len();
        let before_comment = whole.split('#').next().unwrap_or("");
        let text = before_comment.trim();
        let at = begin + (before_comment.len() - before_comment.trim_start().len());
        (!text.is_empty()).then_some(Line { text, span: at..at + text.len() })
    })
}

/// Whether a line can be looked for; what cannot is told by `check`.
fn is_word(text: &str) -> bool {
    let folded = fold(text);
    let count = folded.chars().count();
    count > usize::from(!folded.is_ascii()) && count <= MAX_WORD_CHARS
}

/// What is wrong with the lines of one list.
fn check(source: &RuleSource, problems: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let (mut wrong, mut repeated) = (0, 0);
    for line in lines(source).filter(|line| !line.text.starts_with('@')) {
        let folded = fold(line.text);
        if !is_word(line.text) {
            let message = match folded.chars().count() {
                0 => format!("`{}` is nothing but separators and can never match", line.text),
                1 => format!("`{}` is a single character: it stands inside countless words", line.text),
                count => format!("a word of {count} characters; at most {MAX_WORD_CHARS}"),
            };
            wrong += 1;
            if wrong <= MAX_TOLD {
                problems.push(at(&line, source, "list.word", message, "write the words that are meant, one a line"));
            }
        } else if let Some(other) = seen.get(&folded) {
            repeated += 1;
            if repeated > MAX_TOLD {
                continue;
            }
            let message = format!("`{}` is the same word as `{other}` above", line.text);
            let problem = at(&line, source, "list.repeated-word", message, "once is enough").as_warning();
            problems.push(problem.with_fix(Fix::remove(whole_line(&source.text, &line.span))));
        } else {
            seen.insert(folded, line.text);
        }
    }
}

/// The line around `span`, its end included.
fn whole_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(span.end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| span.end + at + 1);
    start..end
}

fn at(line: &Line<'_>, source: &RuleSource, code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(&source.path, &source.text, line.span.clone(), code, message, help)
}
