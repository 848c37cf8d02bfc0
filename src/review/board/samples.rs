//! Samples of listings without hits, and what people saw in them.

use std::collections::HashSet;

use super::Board;
use crate::model::{AccountName, HitState, ListingId, Missed, Remark, Saying, Stratum, Timestamp};

/// A sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// Who drew it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// What its randomness was begun with.
    pub seed: u64,
    /// Listings that were asked for.
    pub size: usize,
    /// Where they come from.
    pub strata: Vec<Stratum>,
}

/// A listing of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its number in the sample.
    pub number: usize,
    /// Which.
    pub listing: ListingId,
    /// Its platform.
    pub source: String,
    /// Who looked at it, when, and what stands there that was not found.
    pub looked: Option<(AccountName, Timestamp, Option<Missed>)>,
}

/// Listings by what became of their hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// With a hit that was confirmed.
    pub confirmed: u64,
    /// With hits that were all dismissed.
    pub dismissed: u64,
    /// With none confirmed, and some that wait.
    pub waiting: u64,
}

impl Found {
    /// Listings in which something was found that stands, those that wait counted at the share that was confirmed.
    pub fn expected(&self) -> f64 {
        let decided = self.confirmed + self.dismissed;
        let share = if decided == 0 { 0.0 } else { self.confirmed as f64 / decided as f64 };
        self.confirmed as f64 + self.waiting as f64 * share
    }
}

impl Board {
    /// All samples, the newest first.
    pub fn samples(&self) -> Vec<Sample> {
        let state = self.read();
        let mut samples: Vec<Sample> = state.remarks.under("sample:").filter_map(sample).collect();
        samples.sort_by_key(|sample| std::cmp::Reverse(sample.at));
        samples
    }

    /// One sample.
    pub fn sample(&self, name: &str) -> Option<Sample> {
        self.read().remarks.get(&format!("sample:{name}")).and_then(sample)
    }

    /// The listings of a sample, in their order.
    pub fn sampled(&self, name: &str) -> Vec<Sampled> {
        let state = self.read();
        let prefix = format!("sampled:{name}:");
        let drawn = state.remarks.under(&prefix).filter_map(|remark| match &remark.says {
            Saying::Sampled { number, listing, source, .. } => {
                let looked = state.remarks.get(&looked_key(name, *number));
                Some(Sampled {
                    number: *number,
                    listing: listing.clone(),
                    source: source.clone(),
                    looked: looked.and_then(|remark| match &remark.says {
                        Saying::Looked { missed, .. } => Some((remark.by.clone(), remark.at, missed.clone())),
                        _ => None,
                    }),
                })
            }
            _ => None,
        });
        drawn.collect()
    }

    /// The keys of listings that have hits, whatever was decided on them.
    pub fn listings_with_hits(&self) -> HashSet<u64> {
        self.read().listings().collect()
    }

    /// Listings by what became of their hits.
    pub fn found(&self) -> Found {
        let state = self.read();
        let mut found = Found::default();
        for states in state.states_by_listing() {
            let (mut confirmed, mut waiting) = (false, false);
            for state in states {
                confirmed |= state == HitState::Confirmed;
                waiting |= state.waits();
            }
            match (confirmed, waiting) {
                (true, _) => found.confirmed += 1,
                (false, true) => found.waiting += 1,
                (false, false) => found.dismissed += 1,
            }
        }
        found
    }
}

/// The key of what somebody saw in a listing of a sample.
pub(super) fn looked_key(sample: &str, number: usize) -> String {
    format!("looked:{sample}:{number:05}")
}

fn sample(remark: &Remark) -> Option<Sample> {
    let Saying::Sample { sample, seed, size, strata } = &remark.says else { return None };
    Some(Sample {
        name: sample.clone(),
        by: remark.by.clone(),
        at: remark.at,
        seed: *seed,
        size: *size,
        strata: strata.clone(),
    })
}
