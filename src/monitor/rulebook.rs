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

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    model::Timestamp,
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
    /// Since when the set is in use.
    pub since: Timestamp,
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
    /// A new set, whose tests hold.
    New(Arc<RuleSet>),
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
}

impl Rulebook {
    /// Rules of `folder`, of which `rules` are in use.
    pub fn new(folder: PathBuf, rules: &RuleSet, now: Timestamp) -> Self {
        let seen = Mutex::new(look(&folder));
        Self { folder, seen, state: Mutex::new(state(rules, now)) }
    }

    /// What is in use.
    pub fn state(&self) -> RulesState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether a file has changed, and if so compiles what differs from `in_use` and runs all tests as on `day`.
    pub fn look(&self, in_use: &RuleSet, day: Date, now: Timestamp) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let there = look(&self.folder);
        if *seen == there {
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
        // What was read may be newer than what was looked at; then the next look reads it once more.
        *seen = there;
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Ok(rules) if rules.hash() == known.hash => {
                known.refused = None;
                Look::Same
            }
            Ok(rules) => {
                *known = state(&rules, now);
                Look::New(Arc::new(rules))
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

fn state(rules: &RuleSet, now: Timestamp) -> RulesState {
    let count = |status| rules.rules().iter().filter(|rule| rule.status == status).count();
    RulesState {
        hash: rules.hash().to_owned(),
        active: count(Status::Active),
        shadow: count(Status::Shadow),
        since: now,
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
