//! How many hits a rule may make a day: what it finds beyond that is counted like a shadow's, and its owner is told.
//!
//! Main type: [`Quota`]. Days are those of UTC; a program that starts anew counts anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::json;

use super::standing;
use crate::{
    model::{Finding, FindingKind, Findings},
    rules::RuleSet,
    store::{HitReceipt, Write},
};

/// A rule made so many hits that the rest of the day only counts.
pub const LIMITED: &str = "rules.limited";

/// New hits of today, by rule.
#[derive(Debug, Default)]
pub(super) struct Quota {
    day: Option<Date>,
    hits: BTreeMap<String, u64>,
    told: BTreeSet<String>,
}

impl Quota {
    /// Takes what rules found that have made enough hits on `day` out of `findings` and gives it back, with a note of each
    /// rule for which this is the first time today.
    pub fn hold(&mut self, day: Date, rules: Option<&RuleSet>, findings: &mut Findings) -> (Vec<Finding>, Vec<Write>) {
        if self.day != Some(day) {
            *self = Self { day: Some(day), ..Self::default() };
        }
        let Some(rules) = rules else { return (Vec::new(), Vec::new()) };
        let spent = |finding: &Finding| {
            let rule = rules.rule(&finding.reference).filter(|_| finding.kind == FindingKind::Rule);
            let most = rule.and_then(|rule| rule.quality.max_hits_per_day);
            most.is_some_and(|most| self.hits.get(&finding.reference).copied().unwrap_or(0) >= most)
        };
        let held: Vec<Finding> = findings.findings.extract_if(.., |finding| spent(finding)).collect();
        let mut notes = Vec::new();
        for finding in &held {
            let Some(rule) = rules.rule(&finding.reference) else { continue };
            if self.told.insert(rule.id.clone()) {
                let most = rule.quality.max_hits_per_day;
                tracing::warn!(
                    rule = rule.id,
                    most,
                    "the rule has made its hits of today: what else it finds is counted"
                );
                let details = json!({
                    "rule": rule.id, "version": rule.version, "owner": rule.owner, "day": day.to_string(), "most": most,
                });
                notes.push(standing::note(LIMITED, details));
            }
        }
        (held, notes)
    }

    /// Counts those hits that were new, whose rules are `made`.
    pub fn count(&mut self, made: &[BTreeSet<String>], receipts: &[HitReceipt]) {
        for (rules, _) in made.iter().zip(receipts).filter(|(_, receipt)| receipt.new) {
            for rule in rules {
                *self.hits.entry(rule.clone()).or_default() += 1;
            }
        }
    }
}

/// The rules of each hit among `writes`, in their order.
pub(super) fn rules_of(writes: &[Write]) -> Vec<BTreeSet<String>> {
    let hits = writes.iter().filter_map(|write| if let Write::Hit(hit) = write { Some(hit) } else { None });
    hits.map(|hit| {
        let rules = hit.findings.iter().filter(|finding| finding.kind == FindingKind::Rule);
        rules.map(|finding| finding.reference.clone()).collect()
    })
    .collect()
}
