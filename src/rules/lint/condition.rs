//! What a condition says that never matters: every combination of its clauses is tried.

use std::ops::Range;

use toml::Spanned;

use crate::{
    model::Diagnostic,
    rules::{
        RuleSource,
        expression::{Expression, Token},
        file::RuleFile,
        limits::MAX_TRIED_CLAUSES,
    },
};

/// A clause's name in the condition, and its place there.
type Leaf = (String, Range<usize>);

/// Conditions that never or always hold, and clauses whose answer changes nothing.
pub(super) fn all(file: &RuleFile, source: &RuleSource) -> Vec<Diagnostic> {
    let written = &file.matching.as_ref().condition;
    let Some(condition) = read(written.as_ref()) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    let mut places: Vec<Leaf> = Vec::new();
    condition.leaves(true, &mut |(name, span), _| {
        places.push((name.clone(), span.clone()));
        if !names.contains(name) {
            names.push(name.clone());
        }
    });
    if names.len() > MAX_TRIED_CLAUSES {
        return Vec::new();
    }
    let covers = |name: &str| file.clause.iter().any(|(known, clause)| known.as_ref() == name && clause.as_ref().cover);
    // A clause that covers answers no: it takes matches away from others instead.
    let holds = |answers: usize| {
        condition.holds(&mut |(name, _)| {
            let bit = names.iter().position(|known| known == name).unwrap_or(0);
            answers >> bit & 1 == 1 && !covers(name)
        })
    };
    let all = 0..1_usize << names.len();
    let at = |place: Range<usize>, code, message: String, help: &str| {
        Diagnostic::error(&source.path, &source.text, inside(source, written, place), code, message, help)
    };
    if !all.clone().any(holds) {
        let message = "the condition holds for no listing".to_owned();
        let help = "something is asked with `not` and without, or a clause with cover = true is asked";
        return vec![at(0..written.as_ref().len(), "rule.never-holds", message, help)];
    }
    let matters = |bit: usize| all.clone().any(|answers| holds(answers) != holds(answers ^ 1 << bit));
    let idle = names.iter().enumerate().filter(|(bit, _)| !matters(*bit));
    idle.map(|(_, name)| {
        let place = places.iter().find(|(known, _)| known == name).map_or(0..0, |(_, place)| place.clone());
        let message = format!("what `{name}` answers never changes whether the condition holds");
        let help = if covers(name) {
            "a clause with cover = true takes matches away by itself: leave it out of the condition"
        } else {
            "another part decides already: leave this one out, or check the parentheses"
        };
        at(place, "rule.unreachable-branch", message, help).as_warning()
    })
    .collect()
}

/// Reads a condition whose names may be anything; what is wrong in it is told elsewhere.
fn read(text: &str) -> Option<Expression<Leaf>> {
    Expression::parse(text, |tokens| {
        let span = tokens.span();
        match tokens.next() {
            Some(Token::Word(name)) => Ok((name, span)),
            _ => Err(tokens.unexpected("the name of a clause")),
        }
    })
    .ok()
}

/// A place inside a text of the file, where the text is written without escapes.
fn inside(source: &RuleSource, written: &Spanned<String>, place: Range<usize>) -> Range<usize> {
    let start = written.span().start + 1;
    let plain = source.text.get(start..start + written.as_ref().len()) == Some(written.as_ref().as_str());
    if plain { start + place.start..start + place.end } else { written.span() }
}
