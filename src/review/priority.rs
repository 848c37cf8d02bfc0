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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_shows_what_it_is_made_of() {
        let finding = |score: f64, channels: &str| {
            format!(
                r#"{{"kind":"mark","ref":"m","family":"f","surface":"title","start":0,"end":1,"text":"云","channels":[{channels}],
                "score":{score},"severity":"high","citation":"","explanation":[]}}"#
            )
        };
        let hit: Hit = serde_json::from_str(&format!(
            r#"{{"id":1,"dedupe":"0","listing":{{"title":"云"}},"family":"f","findings":[{},{}],"priority":200,
            "severity":"high","capture":null,"evidence":null,"matched_with":"","found_at":"2026-11-20T08:00:00Z","state":"open"}}"#,
            finding(0.4, ""),
            finding(0.9, r#""invisible","width""#)
        ))
        .unwrap();
        let expected = [
            Part::Severity(Severity::High),
            Part::Strongest(0.9),
            Part::Findings(2),
            Part::Disguised(1),
            Part::AgeMinutes(90),
        ];
        assert_eq!(parts(&hit, "2026-11-20T09:30:00Z".parse().unwrap()), expected);
        let before = parts(&hit, Timestamp::UNIX_EPOCH);
        assert_eq!(before.last(), Some(&Part::AgeMinutes(0)), "a clock that was set back");
    }
}
