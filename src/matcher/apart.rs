//! Findings in texts that were put together, brought back to the surfaces where their characters stand.

use super::score::plain_step;
use crate::{
    model::{Channel, Finding, FindingKind, Step, Surface},
    text::{Assembled, How, undone},
};

/// Words that stand together in a column by accident are as common as this says.
const DOWNWARDS: f64 = 0.75;

/// The finding where it stands, with how it was put together; none when it stands in one surface as it is.
pub(super) fn bring_back(mut finding: Finding, all: &[Assembled], surfaces: &[Surface<'_>]) -> Option<Finding> {
    let Some(assembled) = Assembled::of_path(all, &finding.surface) else { return Some(finding) };
    let mut places = assembled.places(finding.start, finding.end, surfaces).into_iter();
    let first = places.next()?;
    let rest: Vec<_> = places.collect();
    let joined = std::mem::take(&mut finding.text);
    match assembled.how {
        How::Continued => {
            let pieces: Vec<&str> = std::iter::once(&first).chain(&rest).map(|span| span.text.as_str()).collect();
            finding.explanation.insert(0, continued(&pieces.join(" | "), &joined));
        }
        How::Downwards => {
            // One finger's width of a column says nothing.
            if joined.chars().count() < 2 {
                return None;
            }
            finding.channels.insert(0, Channel::Vertical);
            finding.explanation.insert(0, undone(Channel::Vertical, &first.text, &joined, ""));
            lower(&mut finding);
        }
    }
    (finding.surface, finding.start, finding.end, finding.text) = (first.surface, first.start, first.end, first.text);
    finding.continues = rest;
    Some(finding)
}

fn continued(before: &str, after: &str) -> Step {
    let mut step = plain_step("text.continued", 1.0, "接连几段连起来看", "what was said in a row, put together");
    (step.before, step.after) = (before.to_owned(), after.to_owned());
    step
}

/// Columns make words by accident; rules ask for whole phrases, which they do not make.
fn lower(finding: &mut Finding) {
    if finding.kind == FindingKind::Rule {
        return;
    }
    let mut step =
        plain_step("score.downwards", DOWNWARDS, "竖排成词可能是巧合", "a word in a column may be an accident");
    finding.score = super::score::rounded(finding.score * DOWNWARDS);
    step.score = Some(finding.score);
    finding.explanation.push(step);
}
