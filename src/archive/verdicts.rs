//! What reviewers said of hits, by listing and rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Hit, HitState, Listing, Verdict},
    store::{Change, Filter, Store, StoreError, each_hit},
};

/// Whether reviewers confirmed the hit of a listing by a rule; the newest word counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdicts(BTreeMap<String, BTreeMap<String, bool>>);

impl Verdicts {
    /// Whether reviewers confirmed the hit of `listing` by `rule`.
    pub fn of(&self, listing: &Listing, rule: &str) -> Option<bool> {
        self.0.get(&name(listing))?.get(rule).copied()
    }

    /// How many listings have a verdict.
    pub fn listings(&self) -> usize {
        self.0.len()
    }

    /// Every decided hit of `store`.
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut verdicts = Self::default();
        for (state, verdict) in [(HitState::Dismissed, Verdict::Dismiss), (HitState::Confirmed, Verdict::Confirm)] {
            let filter = Filter { state: Some(state), ..Filter::default() };
            each_hit(store, &filter, |hit| verdicts.take(&hit, verdict)).await?;
        }
        Ok(verdicts)
    }

    /// Takes in what `change` decides, if it decides a hit.
    pub(super) async fn follow(&mut self, change: &Change, store: &dyn Store) -> Result<(), StoreError> {
        for (id, verdict) in change.decided() {
            if let Some(hit) = store.hit(id).await? {
                self.take(&hit, verdict);
            }
        }
        Ok(())
    }

    fn take(&mut self, hit: &Hit, verdict: Verdict) {
        let name = name(&hit.what.listing);
        let of = self.0.entry(name.clone()).or_default();
        for finding in &hit.what.findings {
            match verdict {
                Verdict::Confirm => drop(of.insert(finding.reference.clone(), true)),
                Verdict::Dismiss => drop(of.insert(finding.reference.clone(), false)),
                _ => drop(of.remove(&finding.reference)),
            }
        }
        if of.is_empty() {
            self.0.remove(&name);
        }
    }
}

fn name(listing: &Listing) -> String {
    [listing.platform.as_deref().unwrap_or(""), &listing.id].join("\u{1f}")
}
