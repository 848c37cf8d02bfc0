//! The gate before rules go live: an active rule without a recorded backtest, or with too few right hits, is only counted.
//!
//! Main type: [`Gate`]. It follows what the journal says ([`Standing`]) and holds a set of rules to it; nothing is ever
//! deleted for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;

use super::{
    Learnt,
    follow::Follower,
    standing::{self, Held, Standing},
};
use crate::{
    rules::{Edition, Floor, RuleSet, Status, wilson},
    store::{Batch, Store, StoreError, Write},
};

/// What stands before rules that want to go live.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
    /// Rules that come with the program.
    shipped: BTreeMap<String, Edition>,
    standing: Mutex<Standing>,
    /// Whether the journal said something new since rules were last held to it.
    news: AtomicBool,
}

/// Why the gate could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of what is known says no.
    #[error("reading {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Gate {
    /// Opens the gate of a store, which keeps what it knows in the file at `path`.
    ///
    /// The first time the active rules of `rules` are noted as trusted that its record of versions has; `has_record` says
    /// whether there is one.
    ///
    /// # Errors
    /// When the file or the store cannot be read, or the note cannot be written.
    pub async fn open(path: PathBuf, store: &dyn Store, rules: &RuleSet, has_record: bool) -> Result<Self, GateError> {
        let shown = path.display().to_string();
        let mut standing = Standing::remembered(&path).map_err(|source| GateError::File { path: shown, source })?;
        standing.follow(store).await?;
        if !standing.has_begun() {
            let known = rules.recorded().filter(|_| has_record);
            let writes = vec![standing::trust(rules, known)];
            store.apply(Batch { actor: "monitor".into(), writes }).await?;
            standing.follow(store).await?;
        }
        Ok(Self { path, shipped: RuleSet::shipped(), standing: Mutex::new(standing), news: AtomicBool::new(false) })
    }

    /// Puts the rules of `rules` that may not go live into shadow, and says which those are.
    pub fn hold(&self, rules: &mut RuleSet) -> Vec<Held> {
        let held = self.known().held(rules, &self.shipped);
        let names: BTreeSet<&str> = held.iter().map(|held| held.rule.as_str()).collect();
        rules.hold(|id| names.contains(id));
        held
    }

    /// Takes in what was noted since the last time, and writes down what is news: commands read it while a server runs. One
    /// caller at a time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut standing = self.known();
        if standing.follow(store).await? {
            self.news.store(true, Ordering::Release);
            if let Err(error) = standing.remember(&self.path) {
                tracing::warn!(%error, "cannot write what is noted of rules");
            }
        }
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        Ok(())
    }

    /// Whether there was something new since this was last asked.
    pub fn has_news(&self) -> bool {
        self.news.swap(false, Ordering::AcqRel)
    }

    /// Writes down what is known.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn save(&self) -> io::Result<()> {
        self.known().remember(&self.path)
    }

    /// What is known.
    pub fn known(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes of the active rules of `rules` that reviewers find right too seldom, where `usual` is the floor of rules that
    /// name none.
    pub fn below_floor(&self, rules: &RuleSet, learnt: &Learnt, usual: Floor) -> Vec<Write> {
        let known = self.known();
        let active = rules.rules().iter().filter(|rule| rule.status == Status::Active);
        active
            .filter_map(|rule| {
                let edition = rules.edition(&rule.id)?;
                let floor = rule.quality.floor(usual);
                let (confirmed, dismissed) = learnt.of_rule(&rule.id, rule.version);
                let (seen_right, seen_wrong) = known.forgiven(&rule.id, &edition);
                let (confirmed, dismissed) =
                    (confirmed.saturating_sub(seen_right), dismissed.saturating_sub(seen_wrong));
                let high = below(confirmed, dismissed, floor)?;
                Some(standing::note(
                    standing::DEMOTED,
                    json!({
                        "rule": rule.id, "version": edition.version, "logic": edition.logic, "owner": rule.owner,
                        "confirmed": confirmed, "dismissed": dismissed, "high": high, "floor": floor.min_precision,
                        "least": floor.min_decisions,
                    }),
                ))
            })
            .collect()
    }
}

/// The upper bound of the share that is right, where enough was decided and it is below the floor.
fn below(confirmed: u64, dismissed: u64, floor: Floor) -> Option<f64> {
    let of = confirmed + dismissed;
    let (_, high) = wilson(confirmed, of);
    (of >= floor.min_decisions && high < floor.min_precision).then_some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_below_its_floor_when_even_the_upper_bound_is_and_enough_was_decided() {
        let floor = Floor { min_precision: 0.5, min_decisions: 20 };
        assert_eq!(below(0, 19, floor), None, "too few");
        assert!(below(0, 20, floor).is_some_and(|high| high < 0.2));
        assert_eq!(below(8, 12, floor), None, "40 % of twenty may be chance");
        assert!(below(80, 120, floor).is_some());
        assert_eq!(below(0, 1000, Floor { min_precision: 0.0, ..floor }), None, "no floor");
    }
}
