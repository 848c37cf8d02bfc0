//! What a hit's place in the queue is made of, in words a reviewer can check.
//!
//! The number itself was given when the hit was found; these are the facts it came from.

use crate::model::{Hit, Severity, Timestamp};

/// One fact behind a priority.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// How bad it is if true.
    Severity(Severity),
    /// The strongest finding's score, 0 to 1.
    Strongest(f64),
    /// How many findings agree.
    Findings(usize),
    /// How many of them hide the word.
    Disguised(usize),
    /// Minutes since it was found.
    AgeMinutes(i64),
}

/// The facts behind `hit`'s priority at `now`, in the order of their weight.
pub fn parts(hit: &Hit, now: Timestamp) -> Vec<Part> {
    let findings = &hit.what.findings;
    let strongest = findings.iter().map(|finding| finding.score).fold(0.0, f64::max);
    let disguised =
        findings.iter().filter(|finding| finding.channels.iter().any(|channel| channel.is_disguise())).count();
    let mut parts = vec![Part::Severity(hit.what.severity), Part::Strongest(strongest), Part::Findings(findings.len())];
    if disguised > 0 {
        parts.push(Part::Disguised(disguised));
    }
    parts.push(Part::AgeMinutes(now.duration_since(hit.what.found_at).as_mins().max(0)));
    parts
}
