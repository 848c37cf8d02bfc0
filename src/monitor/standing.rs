//! What the journal says of rules: which state was tried on the archive, what a person set live, what its precision sent back.
//!
//! Main type: [`Standing`]. It is read from the journal, follows it, and is kept in a file of its own, so that the journal is
//! read from its beginning only where there is no such file. It says which active rules are not to go live, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::follow::Follower;
use crate::{
    model::Timestamp,
    rules::{Edition, Rule, RuleReport, RuleSet, Status},
    store::Write,
};

/// What is noted in the journal of rules.
pub const BACKTEST: &str = "rules.backtest";
/// A person set a rule live.
pub const PROMOTED: &str = "rules.promoted";
/// A person sent a rule to shadow or retired it.
pub const WITHDRAWN: &str = "rules.withdrawn";
/// Reviewers found a rule right too seldom.
pub const DEMOTED: &str = "rules.demoted";
/// Rules that were live when a data folder first met the gate.
pub const TRUSTED: &str = "rules.trusted";

/// States of one rule whose trials are kept, the newest.
const MAX_TRIED: usize = 16;
/// The form of the file.
const FORMAT: u32 = 1;

/// What the journal says of rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    format: u32,
    /// The sequence of the journal it reaches.
    seq: u64,
    /// Whether the rules of the first start were noted.
    begun: bool,
    rules: BTreeMap<String, OfRule>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted: Option<Edition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tried: Vec<Tried>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    demoted: Option<Demotion>,
    /// Decisions that a person has seen when the rule was set live again: they count no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgiven: Option<Forgiven>,
}

/// A backtest that was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// Of which state of the rule.
    pub edition: Edition,
    /// When it was recorded.
    pub at: Timestamp,
    /// Listings that were looked at.
    pub of: u64,
    /// Listings in which the rule found something.
    pub listings: u64,
}

/// Why a rule was sent back to shadow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demotion {
    /// Which state of the rule.
    pub edition: Edition,
    /// When.
    pub at: Timestamp,
    /// Decisions that count.
    pub confirmed: u64,
    /// See `confirmed`.
    pub dismissed: u64,
    /// The upper bound of the share that is right.
    pub high: f64,
    /// What it had to reach.
    pub floor: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgiven {
    edition: Edition,
    confirmed: u64,
    dismissed: u64,
}

/// An active rule that is only counted, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The rule.
    pub rule: String,
    /// Its version.
    pub version: u32,
    /// Who answers for it: somebody's name, which those who have not signed in are not told.
    #[serde(skip_serializing)]
    pub owner: String,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// Why an active rule is only counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Why {
    /// No backtest of this state is recorded.
    NoBacktest,
    /// Reviewers confirm too few of its hits.
    BelowFloor {
        /// What was decided when it was sent back.
        confirmed: u64,
        /// See `confirmed`.
        dismissed: u64,
        /// The upper bound of the share that is right.
        high: f64,
        /// What it had to reach.
        floor: f64,
    },
}

impl Held {
    /// What is the matter and what mends it, in Chinese and in English.
    pub fn told(&self) -> [String; 2] {
        let Self { rule, version, owner, why } = self;
        match why {
            Why::NoBacktest => [
                format!(
                    "规则 {rule} v{version}（负责人 {owner}）尚无回测记录，暂作影子运行：请运行 markwarden rules backtest {rule} --record"
                ),
                format!(
                    "the rule {rule} v{version} ({owner}) is held in shadow: no backtest of this version is recorded; run \
                     markwarden rules backtest {rule} --record"
                ),
            ],
            Why::BelowFloor { confirmed, dismissed, high, floor } => [
                format!(
                    "规则 {rule} v{version}（负责人 {owner}）已退回影子运行：确认 {confirmed} 次、驳回 {dismissed} 次，准确率至多 {:.0} %，低于要求的 {:.0} %。提高版本，或 markwarden rules promote {rule} 可恢复",
                    100.0 * high,
                    100.0 * floor
                ),
                format!(
                    "the rule {rule} v{version} ({owner}) is back in shadow: {confirmed} confirmed and {dismissed} dismissed, right \
                     at most {:.0} %, below its floor of {:.0} %; a newer version or markwarden rules promote {rule} lifts it",
                    100.0 * high,
                    100.0 * floor
                ),
            ],
        }
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self { format: FORMAT, seq: 0, begun: false, rules: BTreeMap::new() }
    }
}

impl Follower for Standing {
    const MAX_BYTES: u64 = 64 << 20;

    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }

    fn is_of_this_form(&self) -> bool {
        self.format == FORMAT
    }

    fn take(&mut self, what: &str, details: &Map<String, Value>, (at, _): (Timestamp, &str)) -> bool {
        if what == TRUSTED {
            self.begun = true;
            let Some(rules) = details.get("rules").and_then(Value::as_object) else { return true };
            for (id, edition) in rules {
                if let Ok(edition) = serde_json::from_value(edition.clone()) {
                    self.rules.entry(id.clone()).or_default().trusted = Some(edition);
                }
            }
            return true;
        }
        let (Some(id), Some(edition)) = (details.get("rule").and_then(Value::as_str), edition(details)) else {
            return false;
        };
        let number = |name: &str| details.get(name).and_then(Value::as_u64).unwrap_or(0);
        let share = |name: &str| details.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        let of = self.rules.entry(id.to_owned()).or_default();
        match what {
            BACKTEST if details.get("partial").and_then(Value::as_bool) != Some(true) => {
                of.tried.retain(|tried| tried.edition != edition);
                of.tried.push(Tried { edition, at, of: number("of"), listings: number("listings") });
                let many = of.tried.len().saturating_sub(MAX_TRIED);
                of.tried.drain(..many);
            }
            DEMOTED => {
                let (confirmed, dismissed) = (number("confirmed"), number("dismissed"));
                of.demoted =
                    Some(Demotion { edition, at, confirmed, dismissed, high: share("high"), floor: share("floor") });
            }
            PROMOTED => {
                if let Some(demoted) = of.demoted.take_if(|demoted| demoted.edition == edition) {
                    let before = of.forgiven.take().filter(|before| before.edition == edition);
                    let (confirmed, dismissed) = before.map_or((0, 0), |before| (before.confirmed, before.dismissed));
                    of.forgiven = Some(Forgiven {
                        edition,
                        confirmed: confirmed + demoted.confirmed,
                        dismissed: dismissed + demoted.dismissed,
                    });
                }
            }
            _ => return false,
        }
        true
    }
}

impl Standing {
    /// The sequence of the journal it reaches.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the rules of the first start are noted.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The backtest of this state of a rule that was recorded last.
    pub fn tried(&self, rule: &str, edition: &Edition) -> Option<&Tried> {
        self.rules.get(rule)?.tried.iter().rfind(|tried| tried.edition == *edition)
    }

    /// The newest backtest of any state of a rule.
    pub fn last_tried(&self, rule: &str) -> Option<&Tried> {
        self.rules.get(rule)?.tried.last()
    }

    /// Why this state of a rule was sent back, unless a person has lifted that.
    pub fn demotion(&self, rule: &str, edition: &Edition) -> Option<&Demotion> {
        self.rules.get(rule)?.demoted.as_ref().filter(|demoted| demoted.edition == *edition)
    }

    /// Decisions that count no more for this state of a rule: confirmed, dismissed.
    pub fn forgiven(&self, rule: &str, edition: &Edition) -> (u64, u64) {
        let forgiven = self.rules.get(rule).and_then(|of| of.forgiven.as_ref());
        forgiven.filter(|forgiven| forgiven.edition == *edition).map_or((0, 0), |of| (of.confirmed, of.dismissed))
    }

    /// The active rules of `set` that are not to go live. Those that come with the program, in the state of its record of
    /// versions, need no backtest; those of the first start need none either.
    pub fn held(&self, set: &RuleSet, shipped: &BTreeMap<String, Edition>) -> Vec<Held> {
        let active = set.rules().iter().filter(|rule| rule.status == Status::Active);
        active.filter_map(|rule| self.holds(rule, &set.edition(&rule.id)?, shipped)).collect()
    }

    fn holds(&self, rule: &Rule, edition: &Edition, shipped: &BTreeMap<String, Edition>) -> Option<Held> {
        let held = |why| Held { rule: rule.id.clone(), version: rule.version, owner: rule.owner.clone(), why };
        if let Some(Demotion { confirmed, dismissed, high, floor, .. }) = self.demotion(&rule.id, edition) {
            let (confirmed, dismissed) = (*confirmed, *dismissed);
            return Some(held(Why::BelowFloor { confirmed, dismissed, high: *high, floor: *floor }));
        }
        let trusted = self.rules.get(&rule.id).is_some_and(|of| of.trusted.as_ref() == Some(edition));
        let known = trusted || shipped.get(&rule.id) == Some(edition) || self.tried(&rule.id, edition).is_some();
        (!known).then(|| held(Why::NoBacktest))
    }
}

/// Notes that the rules of the first start are trusted: those of `set` that its record of versions has.
pub fn trust<'a>(set: &RuleSet, rules: impl Iterator<Item = &'a Rule>) -> Write {
    let editions: Map<String, Value> =
        rules.filter_map(|rule| Some((rule.id.clone(), serde_json::to_value(set.edition(&rule.id)?).ok()?))).collect();
    note(TRUSTED, json!({ "set": set.hash(), "rules": editions }))
}

/// A note of `what` with the fields of `details`.
pub fn note(what: &str, details: Value) -> Write {
    let details = if let Value::Object(details) = details { details } else { Map::new() };
    Write::Note { what: what.to_owned(), details }
}

/// Notes what a backtest of a rule came to over `of` listings: with the very state of the rule, and the hash of the set it
/// stands in. A partial one lets no rule go live.
pub fn backtest_note(report: &RuleReport, set: &RuleSet, of: u64, partial: bool) -> Option<Write> {
    let Edition { version, logic } = set.edition(&report.rule)?;
    let details = json!({
        "rule": report.rule, "version": version, "logic": logic, "set": set.hash(), "of": of, "partial": partial,
        "listings": report.listings, "findings": report.findings, "set_aside": report.set_aside,
        "confirmed": report.judged.confirmed, "dismissed": report.judged.dismissed,
    });
    Some(note(BACKTEST, details))
}

fn edition(details: &Map<String, Value>) -> Option<Edition> {
    let version = u32::try_from(details.get("version")?.as_u64()?).ok()?;
    Some(Edition { version, logic: details.get("logic")?.as_str()?.to_owned() })
}
