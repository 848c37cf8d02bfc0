//! Makes the changes that diagnostics say are safe, until none is left to make.
//!
//! Pure: sources in, changed sources out. Writing them is the command's matter.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{folder::RuleSource, set::RuleSet};
use crate::model::{Diagnostic, Fix};

/// Rounds after which fixes that call for each other are left alone.
const MAX_ROUNDS: usize = 16;

/// What a run of fixes did.
#[derive(Debug, Clone, Default)]
pub struct Fixed {
    /// The files that changed, as they are now.
    pub sources: Vec<RuleSource>,
    /// How many mistakes were mended.
    pub mended: usize,
}

impl RuleSet {
    /// Everything there is to say of `sources` on `day`: mistakes, warnings, the calendar, tests that may be held to more.
    pub fn problems(sources: Vec<RuleSource>, day: Date) -> Vec<Diagnostic> {
        match Self::parse(sources) {
            Ok(set) => [set.warnings(), &set.calendar(day), &set.todos(day)].concat(),
            Err(problems) => problems,
        }
    }
}

/// Mends in `sources` what can be mended without a person.
pub fn fix(sources: &[RuleSource], day: Date) -> Fixed {
    let mut now = sources.to_vec();
    let mut mended = 0;
    for _ in 0..MAX_ROUNDS {
        let mut by_file: BTreeMap<String, Vec<Fix>> = BTreeMap::new();
        for problem in RuleSet::problems(now.clone(), day) {
            if let Some(fix) = problem.fix {
                by_file.entry(problem.file).or_default().push(fix);
            }
        }
        let before = mended;
        for source in &mut now {
            if let Some(fixes) = by_file.remove(&source.path) {
                mended += apply(&mut source.text, fixes);
            }
        }
        if mended == before {
            break;
        }
    }
    let changed = |source: &&RuleSource| !sources.contains(source);
    Fixed { sources: now.iter().filter(changed).cloned().collect(), mended }
}

/// Applies the fixes that do not touch each other; says how many. The rest waits for the next round.
fn apply(text: &mut String, mut fixes: Vec<Fix>) -> usize {
    fixes.retain(|fix| fix.edits.iter().all(|(span, _)| text.get(span.clone()).is_some()));
    fixes.sort_by_key(|fix| fix.edits.first().map_or(0, |(span, _)| span.start));
    let (mut edits, mut taken, mut end) = (Vec::new(), 0, 0);
    for fix in fixes {
        let apart = fix.edits.first().is_some_and(|(span, _)| span.start > end || end == 0);
        if apart {
            end = fix.edits.iter().map(|(span, _)| span.end).max().unwrap_or(end).max(1);
            edits.extend(fix.edits);
            taken += 1;
        }
    }
    edits.sort_by_key(|(span, _)| span.start);
    for (span, replacement) in edits.into_iter().rev() {
        text.replace_range(span, &replacement);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_that_touch_wait_for_the_next_round() {
        let mut text = "abcdef".to_owned();
        let fixes = vec![Fix::remove(2..4), Fix::replace(0..1, "x"), Fix::remove(3..5), Fix::remove(90..91)];
        assert_eq!(apply(&mut text, fixes), 2);
        assert_eq!(text, "xbef");
    }
}
