//! Tests that show nothing: the same listing twice, and a listing of which the rule reads nothing.

use std::{collections::HashMap, ops::Range};

use toml::Spanned;

use crate::{
    model::{Diagnostic, Fix},
    rules::{
        RuleSource,
        file::{Expectation, RuleFile, TestFile},
        limits::MAX_TOLD,
        sentence,
    },
};

/// What is wrong with the tests of a rule, apart from their outcome.
pub(super) fn all(file: &RuleFile, source: &RuleSource) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut seen: HashMap<String, (usize, Expectation)> = HashMap::new();
    for test in &file.test {
        if problems.len() >= MAX_TOLD {
            break;
        }
        let written = test.as_ref();
        let place = written.listing.span();
        let at = |code, message: String, help: &str| {
            Diagnostic::error(&source.path, &source.text, place.clone(), code, message, help)
        };
        let line = source.text.get(..place.start).unwrap_or("").matches('\n').count() + 1;
        let (listing, on) = (written.listing.as_ref(), written.on.as_ref().map(Spanned::as_ref));
        let key = format!("{listing:?} {on:?} {:?}", written.usual_price);
        let expect = *written.expect.as_ref();
        match seen.get(&key) {
            Some((first, other)) if *other == expect => {
                let message = format!("this listing is tested in line {first} already");
                let problem = at("rule.repeated-test", message, "once is enough: try another way to write it");
                problems.push(problem.as_warning().with_fix(Fix::remove(block(&source.text, test))));
            }
            Some((first, _)) => {
                let message = format!("line {first} expects something else of the same listing");
                problems.push(at("rule.contradicting-tests", message, "decide what the rule should do with it"));
            }
            None => {
                seen.insert(key, (line, expect));
            }
        }
        if let Ok(listing) = sentence::listing(written.listing.as_ref())
            && !listing.surfaces().iter().any(|surface| file.matching.as_ref().fields.contains(&surface.kind))
        {
            let message = "the rule reads nothing of this listing".to_owned();
            let help =
                "put the text where the rule looks, or add the surface to fields; beside it may stand what is not read";
            problems.push(at("rule.unseen-test", message, help));
        }
    }
    problems
}

/// The whole `[[test]]`, from its header to the next one.
fn block(text: &str, test: &Spanned<TestFile>) -> Range<usize> {
    let listing = test.as_ref().listing.span();
    let start = text.get(..listing.start).and_then(|before| before.rfind("[[test]]")).unwrap_or(listing.start);
    let end = text.get(listing.end..).and_then(|rest| rest.find("\n[")).map_or(text.len(), |at| listing.end + at + 1);
    start..end
}
