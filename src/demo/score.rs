//! Precision and recall of findings against the marketplace's truth.
//!
//! What counts is whether a listing was found for a holder or a rule family, once each: the unit a reviewer decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{Finding, FindingKind};

use super::{Expectation, ExpectedListing, Truth, Writing};

/// Counts, and the shares that follow from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Measure {
    /// Expected and found.
    pub true_positives: usize,
    /// Found and not expected.
    pub false_positives: usize,
    /// Expected and not found.
    pub false_negatives: usize,
    /// Share of the found that was expected; none when nothing was found.
    pub precision: Option<f64>,
    /// Share of the expected that was found; none when nothing was expected.
    pub recall: Option<f64>,
}

impl Measure {
    /// All counts together.
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.true_positives += part.true_positives;
            sum.false_positives += part.false_positives;
            sum.false_negatives += part.false_negatives;
        }
        sum.settle();
        sum
    }

    fn expected(&mut self, found: bool) {
        if found {
            self.true_positives += 1
        } else {
            self.false_negatives += 1
        }
        self.settle();
    }

    fn false_alarm(&mut self) {
        self.false_positives += 1;
        self.settle();
    }

    fn settle(&mut self) {
        let share = |whole: usize| (whole > 0).then(|| self.true_positives as f64 / whole as f64);
        let (precision, recall) =
            (share(self.true_positives + self.false_positives), share(self.true_positives + self.false_negatives));
        self.precision = precision;
        self.recall = recall;
    }
}

/// How well the findings fit the truth.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Score {
    /// Marks in the ways of writing the program claims to undo, with every false alarm about marks.
    pub marks: Measure,
    /// Rules likewise.
    pub rules: Measure,
    /// Marks by way of writing, claimed ones. A false alarm counts where its finding says it belongs.
    pub marks_by_channel: BTreeMap<Writing, Measure>,
    /// Rules by way of writing, claimed ones.
    pub rules_by_channel: BTreeMap<Writing, Measure>,
    /// Rules by family, all ways of writing.
    pub rules_by_family: BTreeMap<String, Measure>,
    /// Marks and rules in ways of writing the program does not claim to undo: in none of the measures above but
    /// `rules_by_family`.
    pub unclaimed: BTreeMap<Writing, Measure>,
    /// What was expected and not found.
    pub misses: Vec<Miss>,
    /// What was found and not expected.
    pub false_alarms: Vec<FalseAlarm>,
    /// Findings of arguable families, counted neither way.
    pub tolerated: usize,
    /// Findings on listings that robots.txt forbids.
    pub on_disallowed: usize,
    /// Listings that should have been matched.
    pub listings: usize,
    /// Those of them that were not.
    pub not_seen: Vec<String>,
    /// Matched listings the truth does not know.
    pub unknown: Vec<String>,
}

/// Something expected and not found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The listing's id.
    pub listing: String,
    /// Mark or rule.
    pub kind: FindingKind,
    /// The mark's or rule's id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How it is written.
    pub channel: Writing,
    /// Whether the program claims to undo that.
    pub claimed: bool,
    /// Why it should have been found.
    pub why: String,
}

/// Something found and not expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseAlarm {
    /// The listing's id.
    pub listing: String,
    /// Mark or rule.
    pub kind: FindingKind,
    /// The mark's or rule's id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Where.
    pub surface: String,
    /// The text there.
    pub text: String,
    /// How sure the finding was.
    pub score: f64,
    /// What is true of the listing.
    pub why: String,
}

/// Compares `found` with `truth`: one entry for every listing that was matched, empty where nothing was found.
///
/// Findings set aside by their context count as not found.
pub fn score(truth: &Truth, found: &BTreeMap<String, Vec<Finding>>) -> Score {
    let mut score = Score::default();
    for (id, listing) in &truth.listings {
        let findings: Vec<&Finding> =
            found.get(id).into_iter().flatten().filter(|finding| finding.suppressed.is_none()).collect();
        if listing.disallowed {
            score.on_disallowed += findings.len();
        } else {
            score.listings += 1;
            if !found.contains_key(id) {
                score.not_seen.push(id.clone());
            }
        }
        count_expected(&mut score, id, listing, &findings);
        count_unexpected(&mut score, id, listing, &findings);
    }
    score.unknown = found.keys().filter(|id| !truth.listings.contains_key(*id)).cloned().collect();
    score
}

fn count_expected(score: &mut Score, id: &str, listing: &ExpectedListing, findings: &[&Finding]) {
    for expected in &listing.expect {
        let hit = findings.iter().any(|finding| answers(finding, expected));
        if expected.kind == FindingKind::Rule {
            score.rules_by_family.entry(expected.family.clone()).or_default().expected(hit);
        }
        if expected.claimed() {
            let (total, channels) = of_kind(score, expected.kind);
            total.expected(hit);
            channels.entry(expected.channel).or_default().expected(hit);
        } else {
            score.unclaimed.entry(expected.channel).or_default().expected(hit);
        }
        if !hit {
            score.misses.push(Miss {
                listing: id.to_owned(),
                kind: expected.kind,
                reference: expected.reference.clone(),
                channel: expected.channel,
                claimed: expected.claimed(),
                why: listing.why.clone(),
            });
        }
    }
}

fn count_unexpected(score: &mut Score, id: &str, listing: &ExpectedListing, findings: &[&Finding]) {
    let mut counted = BTreeSet::new();
    for finding in findings {
        let wanted = listing.expect.iter().any(|expected| answers(finding, expected));
        if wanted || !counted.insert((finding.kind, finding.family.as_str())) {
            continue;
        }
        if finding.kind == FindingKind::Rule && listing.tolerated.contains(&finding.family) {
            score.tolerated += 1;
            continue;
        }
        if finding.kind == FindingKind::Rule {
            score.rules_by_family.entry(finding.family.clone()).or_default().false_alarm();
        }
        let (total, channels) = of_kind(score, finding.kind);
        total.false_alarm();
        channels.entry(Writing::of(&finding.channels)).or_default().false_alarm();
        score.false_alarms.push(FalseAlarm {
            listing: id.to_owned(),
            kind: finding.kind,
            reference: finding.reference.clone(),
            surface: finding.surface.clone(),
            text: finding.text.clone(),
            score: finding.score,
            why: listing.why.clone(),
        });
    }
}

fn of_kind(score: &mut Score, kind: FindingKind) -> (&mut Measure, &mut BTreeMap<Writing, Measure>) {
    match kind {
        FindingKind::Mark => (&mut score.marks, &mut score.marks_by_channel),
        FindingKind::Rule => (&mut score.rules, &mut score.rules_by_channel),
    }
}

fn answers(finding: &Finding, expected: &Expectation) -> bool {
    finding.kind == expected.kind && (finding.family == expected.family || finding.reference == expected.reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, Handling, Severity};

    fn finding(kind: FindingKind, reference: &str, family: &str, channels: &[Channel]) -> Finding {
        Finding {
            kind,
            reference: reference.into(),
            family: family.into(),
            surface: "title".into(),
            start: 0,
            end: 1,
            text: "栖".into(),
            version: None,
            campaign: None,
            continues: Vec::new(),
            moment: None,
            word: String::new(),
            channels: channels.to_vec(),
            score: 0.9,
            severity: Severity::High,
            citation: String::new(),
            explanation: Vec::new(),
            suppressed: None,
            handling: Handling::default(),
        }
    }

    fn truth() -> Truth {
        serde_json::from_str(
            r#"{"notes":{},"disallowed":{},"listings":{
            "x:1":{"site":"x","path":"/1","why":"","expect":[{"kind":"mark","ref":"M-1","family":"H1","channel":"plain","surface":"title"}]},
            "x:2":{"site":"x","path":"/2","why":"","expect":[{"kind":"rule","ref":"ad.absolute","family":"AD-ABS","channel":"homophone","surface":"title"}]},
            "x:3":{"site":"x","path":"/3","why":"","expect":[{"kind":"rule","ref":"ad.absolute","family":"AD-ABS","channel":"combined","parts":["separator","emoji"],"surface":"title"}]},
            "x:4":{"site":"x","path":"/4","why":"","expect":[],"tolerated":["HEALTHFOOD"]},
            "x:5":{"site":"x","path":"/5","why":"","expect":[],"disallowed":true}}}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_is_expected_and_found_counts_once_per_family() {
        let one = finding(FindingKind::Mark, "M-1", "H1", &[]);
        let found = BTreeMap::from([("x:1".to_owned(), vec![one.clone(), one])]);
        let score = score(&truth(), &found);
        assert_eq!((score.marks.true_positives, score.marks.false_positives), (1, 0));
        assert_eq!(score.marks.recall, Some(1.0));
    }

    #[test]
    fn a_disguise_that_is_not_claimed_is_reported_apart() {
        let score = score(&truth(), &BTreeMap::new());
        assert_eq!(score.marks.false_negatives, 1);
        assert_eq!(score.unclaimed[&Writing::Homophone].false_negatives, 1);
        assert_eq!(score.misses.len(), 3);
        assert_eq!(score.rules_by_channel[&Writing::Combined].recall, Some(0.0));
        assert_eq!(score.not_seen.len(), 4);
    }

    #[test]
    fn a_false_alarm_counts_once_per_family_where_the_finding_says_it_belongs() {
        let wrong = finding(FindingKind::Mark, "M-2", "H2", &[Channel::Separator]);
        let found = BTreeMap::from([("x:4".to_owned(), vec![wrong.clone(), wrong])]);
        let score = score(&truth(), &found);
        assert_eq!(score.marks.false_positives, 1);
        assert_eq!(score.marks_by_channel[&Writing::Separator].precision, Some(0.0));
        assert_eq!(score.false_alarms.len(), 1);
    }

    #[test]
    fn arguable_families_count_neither_way() {
        let arguable = finding(FindingKind::Rule, "gate.health-food", "HEALTHFOOD", &[]);
        let found = BTreeMap::from([("x:4".to_owned(), vec![arguable])]);
        let score = score(&truth(), &found);
        assert_eq!((score.tolerated, score.rules.false_positives), (1, 0));
    }

    #[test]
    fn a_finding_on_a_forbidden_page_is_wrong_and_named() {
        let forbidden = finding(FindingKind::Mark, "M-1", "H1", &[]);
        let found = BTreeMap::from([("x:5".to_owned(), vec![forbidden])]);
        let score = score(&truth(), &found);
        assert_eq!((score.on_disallowed, score.marks.false_positives), (1, 1));
    }

    #[test]
    fn what_was_set_aside_counts_as_not_found() {
        let mut aside = finding(FindingKind::Mark, "M-1", "H1", &[]);
        aside.suppressed = Some("authorised".into());
        let found = BTreeMap::from([("x:1".to_owned(), vec![aside])]);
        assert_eq!(score(&truth(), &found).marks.false_negatives, 1);
    }
}
