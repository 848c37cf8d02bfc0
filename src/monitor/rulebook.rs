//! Rules that change under a running server: read and tested aside, then taken over whole, or refused with the old ones kept.
//!
//! Main type: [`Rulebook`].

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;

use super::{Gate, Held};
use crate::{
    campaign::Campaigns,
    model::{Diagnostic, Timestamp},
    rules::{RuleSet, Status},
};

/// Folders below the rules' own that are looked into (`lists/`, `statutes/`), and files that are looked at.
const DEPTH: usize = 1;
const MAX_SEEN: usize = 20_000;
/// Reasons of a refusal that are told.
const MAX_REASONS: usize = 5;

/// Which rules are in use, and why newer ones are not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RulesState {
    /// SHA-256 (hex) of the set in use.
    pub hash: String,
    /// How many rules make hits.
    pub active: usize,
    /// How many are only counted.
    pub shadow: usize,
    /// How many campaigns run today.
    pub campaigns: usize,
    /// Since when the set is in use.
    pub since: Timestamp,
    /// Active rules that are only counted, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The newest change, when it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A change of the rules that was not taken over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// Why: the first mistakes or failed tests.
    pub reasons: Vec<String>,
}

/// What becomes of a look at the folder.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing has changed.
    Same,
    /// A new set, whose tests hold, and the campaigns beside it.
    New(Arc<RuleSet>, Arc<Campaigns>),
    /// A change that has mistakes or whose tests fail.
    Refused,
}

/// What a file of the folder looked like.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// A folder of rules that is looked at now and then.
#[derive(Debug)]
pub(super) struct Rulebook {
    folder: PathBuf,
    seen: Mutex<Seen>,
    state: Mutex<RulesState>,
    campaigns: Mutex<Arc<Campaigns>>,
}

impl Rulebook {
    /// Rules of `folder`, of which `rules` are in use, those that are `held` in shadow.
    pub fn new(
        folder: PathBuf,
        (rules, campaigns): (&RuleSet, Arc<Campaigns>),
        held: Vec<Held>,
        now: Timestamp,
    ) -> Self {
        let seen = Mutex::new(look(&folder));
        let state = Mutex::new(state(rules, &campaigns, held, now));
        Self { folder, seen, state, campaigns: Mutex::new(campaigns) }
    }

    /// What is in use.
    pub fn state(&self) -> RulesState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether a file has changed or `gate` has news, and if so compiles what differs from `in_use`, runs all tests as on
    /// `day`, and asks the gate which rules may go live.
    pub fn look(&self, in_use: &RuleSet, day: Date, now: Timestamp, gate: Option<&Gate>) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let there = look(&self.folder);
        if *seen == there && !gate.is_some_and(Gate::has_news) {
            return Look::Same;
        }
        let read =
            if self.folder.is_dir() { RuleSet::read_folder_after(&self.folder, in_use) } else { RuleSet::builtin() };
        let verdict = read.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect()).and_then(|rules| {
            let failed: Vec<String> = rules
                .trials(day)
                .into_iter()
                .filter(|trial| trial.failed())
                .map(|trial| {
                    format!("{}:{}: the test “{}” of {} fails", trial.path, trial.line, trial.name, trial.rule)
                })
                .collect();
            if failed.is_empty() { Ok(rules) } else { Err(failed) }
        });
        let told = |mistakes: Vec<Diagnostic>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let verdict = verdict.and_then(|rules| {
            let campaigns = Campaigns::read_folder(&self.folder).map_err(told)?;
            let strangers = campaigns.strangers(&rules);
            if strangers.is_empty() { Ok((rules, campaigns)) } else { Err(strangers) }
        });
        let mut campaigns_in_use = self.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read may be newer than what was looked at; then the next look reads it once more.
        *seen = there;
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Ok((mut rules, campaigns)) => {
                let held = gate.map(|gate| gate.hold(&mut rules)).unwrap_or_default();
                if rules.hash() == known.hash && held == known.held && campaigns == **campaigns_in_use {
                    known.refused = None;
                    return Look::Same;
                }
                *campaigns_in_use = Arc::new(campaigns);
                *known = state(&rules, &campaigns_in_use, held, now);
                Look::New(Arc::new(rules), Arc::clone(&campaigns_in_use))
            }
            Err(mut reasons) => {
                let more = reasons.len().saturating_sub(MAX_REASONS);
                reasons.truncate(MAX_REASONS);
                if more > 0 {
                    reasons.push(format!("and {more} more"));
                }
                known.refused = Some(Refused { at: now, reasons });
                Look::Refused
            }
        }
    }
}

fn state(rules: &RuleSet, campaigns: &Campaigns, held: Vec<Held>, now: Timestamp) -> RulesState {
    let today = now.to_zoned(TimeZone::UTC).date();
    let count = |status| rules.rules().iter().filter(|rule| rule.status == status).count();
    RulesState {
        hash: rules.hash().to_owned(),
        active: count(Status::Active),
        shadow: count(Status::Shadow),
        campaigns: campaigns.all().iter().filter(|campaign| campaign.runs_on(today)).count(),
        since: now,
        held,
        refused: None,
    }
}

fn look(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    gather(folder, DEPTH, &mut seen);
    seen
}

fn gather(folder: &Path, depth: usize, seen: &mut Seen) {
    // What cannot be read is as if it were not there: reading the rules says what is wrong.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if seen.len() >= MAX_SEEN {
            return;
        }
        match entry.metadata() {
            Ok(what) if what.is_dir() && depth > 0 => gather(&path, depth - 1, seen),
            Ok(what) if what.is_file() => {
                seen.insert(path, (what.len(), what.modified().ok()));
            }
            _ => {}
        }
    }
}
