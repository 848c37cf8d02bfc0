//! How much it matters that a listing is looked at again soon: by its hits, its seller's and its section's.
//!
//! Like [`Learnt`](super::Learnt), it follows from the journal up to the sequence it names.

use std::collections::HashMap;

use url::Url;

use crate::{
    crawl::Standing,
    model::{Hit, HitId, HitState, Listing},
    store::{Change, Filter, Store, StoreError, each_hit},
};

/// A listing with a hit that waits, or that was confirmed, matters so much more; one whose hits were all dismissed, less.
const OPEN: f64 = 2.0;
const CONFIRMED: f64 = 4.0;
const DISMISSED: f64 = 0.7;
/// What a seller whose hits are all confirmed adds, and so many decisions that are taken to have gone the other way.
const SELLER: (f64, f64) = (4.0, 2.0);
/// The same for a section.
const SECTION: (f64, f64) = (2.0, 4.0);
/// Changes read at once.
const CHANGES: usize = 1000;

/// Hits by how they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    open: u64,
    confirmed: u64,
    dismissed: u64,
}

impl Tally {
    fn of(&mut self, state: HitState) -> &mut u64 {
        match state {
            // What waits for another person is not decided.
            HitState::Open | HitState::Proposed | HitState::Escalated => &mut self.open,
            HitState::Confirmed => &mut self.confirmed,
            HitState::Dismissed => &mut self.dismissed,
        }
    }

    /// `most` times the share of confirmed ones among the decided, `doubt` more of them taken as dismissed.
    fn confirmed_share(self, (most, doubt): (f64, f64)) -> f64 {
        let decided = (self.confirmed + self.dismissed) as f64;
        most * self.confirmed as f64 / (decided + doubt)
    }
}

/// Hits of one platform, and what deciding them took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfPlatform {
    hits: Tally,
    /// How long reviewers looked at them, together, in milliseconds.
    pub looked_ms: u64,
}

impl OfPlatform {
    /// Hits that were confirmed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.hits.confirmed
    }

    /// Hits that were confirmed or dismissed.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.hits.confirmed + self.hits.dismissed
    }

    /// Hits that wait.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.hits.open
    }
}

/// What hits say of listings, sellers and sections.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Risk {
    seq: u64,
    listings: HashMap<String, Tally>,
    sellers: HashMap<String, Tally>,
    sections: HashMap<String, Tally>,
    platforms: HashMap<String, OfPlatform>,
    counted: HashMap<HitId, (HitState, u64)>,
}

impl Risk {
    /// Takes in hits and decisions since the last time; the first time, all of them.
    ///
    /// # Errors
    /// When the store cannot be read; what was known before stays.
    pub async fn catch_up(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.seq == 0 {
            let seq = store.counts().await?.seq;
            each_hit(store, &Filter::default(), |hit| self.count(&hit)).await?;
            self.seq = seq;
        }
        loop {
            let changes = match store.changes_since(self.seq, CHANGES).await {
                Err(StoreError::Away { .. }) => {
                    *self = Self::default();
                    return Box::pin(self.catch_up(store)).await;
                }
                changes => changes?,
            };
            let Some(last) = changes.last().map(|change| change.seq) else { return Ok(()) };
            for id in changes.iter().flat_map(touched) {
                if let Some(hit) = store.hit(id).await? {
                    self.count(&hit);
                }
            }
            self.seq = last;
        }
    }

    /// Counts `hit` as it stands, and no longer as it stood.
    fn count(&mut self, hit: &Hit) {
        let looked: u64 = hit.decisions.iter().map(|decision| decision.looked_ms).sum();
        let counted = self.counted.insert(hit.id, (hit.state, looked));
        let before = counted.map(|(state, _)| state);
        let platform = self.platforms.entry(hit.what.listing.platform.clone().unwrap_or_default()).or_default();
        if let Some((state, looked)) = counted {
            let count = platform.hits.of(state);
            *count = count.saturating_sub(1);
            platform.looked_ms = platform.looked_ms.saturating_sub(looked);
        }
        *platform.hits.of(hit.state) += 1;
        platform.looked_ms += looked;
        let stands = standing(&hit.what.listing);
        let tables = [
            (&mut self.listings, stands.listing),
            (&mut self.sellers, stands.seller),
            (&mut self.sections, stands.section),
        ];
        for (table, key) in tables {
            if key.is_empty() {
                continue;
            }
            let tally = table.entry(key).or_default();
            if let Some(before) = before {
                let count = tally.of(before);
                *count = count.saturating_sub(1);
            }
            *tally.of(hit.state) += 1;
        }
    }

    /// What hits say of a platform.
    #[must_use]
    pub fn of_platform(&self, platform: &str) -> OfPlatform {
        self.platforms.get(platform).copied().unwrap_or_default()
    }

    /// What a listing that stands there matters beside one of which nothing is known: 0.7 to 60.
    pub fn weight(&self, stands: &Standing) -> f64 {
        let of = |table: &HashMap<String, Tally>, key: &str| table.get(key).copied().unwrap_or_default();
        let own = of(&self.listings, &stands.listing);
        let own = match own {
            Tally { confirmed: 1.., .. } => CONFIRMED,
            Tally { open: 1.., .. } => OPEN,
            Tally { dismissed: 1.., .. } => DISMISSED,
            Tally { .. } => 1.0,
        };
        let seller = 1.0 + of(&self.sellers, &stands.seller).confirmed_share(SELLER);
        let section = 1.0 + of(&self.sections, &stands.section).confirmed_share(SECTION);
        own * seller * section
    }
}

/// Where the listing of a hit belongs; without an address it has no folder.
fn standing(listing: &Listing) -> Standing {
    let url = listing.url.as_deref().and_then(|url| Url::parse(url).ok());
    match url {
        Some(url) => Standing::of(listing, &url),
        None => Standing { listing: listing.id.clone(), ..Standing::default() },
    }
}

/// The hits that a change made or decided.
fn touched(change: &Change) -> Vec<HitId> {
    let decided = change.decided();
    if !decided.is_empty() {
        return decided.into_iter().map(|(id, _)| id).collect();
    }
    change.queued()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        model::{AccountName, Decision, NewHit, Reason, Severity, SystemClock, Timestamp, Verdict},
        store::{Batch, SledStore, Write},
    };

    fn hit(item: &str, seller: &str) -> NewHit {
        let text = format!(
            r#"{{"id":"shop:{item}","platform":"shop","title":"t","url":"https://shop.example/shoes/{item}","seller":{{"id":"{seller}"}}}}"#
        );
        NewHit {
            dedupe: item.to_owned(),
            listing: serde_json::from_str(&text).unwrap(),
            family: "holder".into(),
            findings: Vec::new(),
            priority: 1,
            severity: Severity::High,
            capture: None,
            evidence: None,
            matched_with: String::new(),
            found_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn hits_and_decisions_weigh_and_what_is_followed_is_what_is_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::store::Settings::default();
        let store = SledStore::open(folder.path(), &settings, Arc::new(SystemClock)).unwrap();
        let begin = Write::Note { what: "test".into(), details: serde_json::Map::new() };
        store.apply(Batch { actor: "test".into(), writes: vec![begin] }).await.unwrap();
        let mut followed = Risk::default();
        followed.catch_up(&store).await.unwrap();
        let plain = |item: &str, seller: &str| standing(&hit(item, seller).listing);
        assert_eq!(followed.weight(&plain("1", "a")), 1.0);
        for item in ["1", "2", "3"] {
            let writes = vec![Write::Hit(hit(item, if item == "3" { "b" } else { "a" }))];
            store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
        }
        followed.catch_up(&store).await.unwrap();
        assert_eq!(followed.weight(&plain("1", "a")), OPEN);
        let worker = AccountName::new("r").unwrap();
        for (id, verdict) in [(1, Verdict::Confirm), (3, Verdict::Dismiss)] {
            let lease = store.claim_one(HitId(id), &worker, Duration::from_secs(60)).await.unwrap().unwrap();
            let decision = Decision {
                verdict,
                reason: if verdict == Verdict::Confirm { Reason::Counterfeit } else { Reason::Authorised },
                by: worker.clone(),
                at: Timestamp::UNIX_EPOCH,
                note: String::new(),
                looked_ms: 0,
                second: false,
                act: None,
                precedent: None,
            };
            store.complete(&lease.lease, decision).await.unwrap();
        }
        followed.catch_up(&store).await.unwrap();
        let mut whole = Risk::default();
        whole.catch_up(&store).await.unwrap();
        assert_eq!(followed, whole);
        let weights = [("1", "a"), ("2", "a"), ("9", "a"), ("9", "c"), ("3", "b")];
        let weights = weights.map(|(item, seller)| whole.weight(&plain(item, seller)));
        assert!(weights.windows(2).all(|pair| pair[0] > pair[1]), "{weights:?}");
    }
}
