//! Findings in texts that were put together, brought back to the surfaces where their characters stand.

use std::collections::HashSet;

use super::score::plain_step;
use crate::{
    model::{Channel, Finding, FindingKind, Span, Step, Surface},
    text::{Assembled, How, undone},
};

/// The step that says so.
const CONTINUED: &str = "text.continued";
/// Longest text in which what stands far apart still belongs together, in characters: a speech goes on for hours.
const MAX_TOGETHER: usize = 240;
/// Characters of a text that was put together which an explanation shows.
const MAX_TOLD: usize = 120;
/// Words that stand together in a column by accident are as common as this says.
const DOWNWARDS: f64 = 0.75;

/// Where findings of rules stand that the surfaces hold by themselves.
#[derive(Debug, Default)]
pub(super) struct Alone(HashSet<(String, String, usize, usize)>);

impl Alone {
    /// Those of `findings` that stand in no text that was put together.
    pub(super) fn of(findings: &[Finding], all: &[Assembled]) -> Self {
        let mut alone = Self::default();
        for finding in findings {
            if finding.kind == FindingKind::Rule && Assembled::of_path(all, &finding.surface).is_none() {
                alone.add(finding);
            }
        }
        alone
    }

    /// True when it was not there.
    fn add(&mut self, finding: &Finding) -> bool {
        self.0.insert((finding.reference.clone(), finding.surface.clone(), finding.start, finding.end))
    }
}

/// The finding where it stands, with how it was put together; none when it stands in one surface and is found there.
///
/// What stands in one surface is found there, unless a rule asks for more than that surface says: then it is what the text put
/// together says that makes it a finding.
pub(super) fn bring_back(
    mut finding: Finding,
    all: &[Assembled],
    surfaces: &[Surface<'_>],
    alone: &mut Alone,
) -> Option<Finding> {
    let Some(assembled) = Assembled::of_path(all, &finding.surface) else { return Some(finding) };
    let mut places = assembled.places(finding.start, finding.end, surfaces).into_iter();
    let Some(first) = places.next() else {
        return within_one(finding, assembled, surfaces).filter(|finding| alone.add(finding));
    };
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

/// What a rule found in one surface because of what others say just after or before it.
fn within_one(mut finding: Finding, assembled: &Assembled, surfaces: &[Surface<'_>]) -> Option<Finding> {
    let together = assembled.how == How::Continued && assembled.text.chars().nth(MAX_TOGETHER).is_none();
    if finding.kind != FindingKind::Rule || !together {
        return None;
    }
    let Span { surface, start, end, text } = assembled.place(finding.start, finding.end, surfaces)?;
    (finding.surface, finding.start, finding.end, finding.text) = (surface, start, end, text);
    finding.explanation.insert(0, continued("", &assembled.text.chars().take(MAX_TOLD).collect::<String>()));
    Some(finding)
}

/// Whether a finding stands only by what several surfaces say together.
pub(super) fn is_of_several(finding: &Finding) -> bool {
    finding.explanation.iter().any(|step| step.code == CONTINUED)
}

fn continued(before: &str, after: &str) -> Step {
    let mut step = plain_step(CONTINUED, 1.0, "接连几段连起来看", "what was said in a row, put together");
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
