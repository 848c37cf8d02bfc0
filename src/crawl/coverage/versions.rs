//! What follows from the journal: the versions of a listing, what changed and when, and how it reads.
//!
//! The journal says it, in the act that wrote the new facts; here it stands by listing, so that nobody reads the whole journal
//! for one. What the table lacks is read from the journal again, as far as that reaches back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Coverage, CoverageError, HASH_BYTES, read};
use crate::{
    model::{CaptureId, Difference, Listing, ListingId, Timestamp},
    store::{Change, Store, StoreError},
};

/// What the journal calls a listing whose facts are other than before.
pub const LISTING_CHANGED: &str = "listing_changed";
/// Versions that are kept of a listing, the newest.
const MAX_VERSIONS: usize = 200;
/// Changes of the journal read at once.
const CHANGES: usize = 1000;

const VERSIONS: u8 = b'v';
/// How far the journal was followed; the number is that of what is kept of it, so that another form is read anew.
const FOLLOWED: [u8; 2] = [b's', 2];

/// Why versions cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VersionsError {
    /// The table.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A listing whose facts became others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// When that was written down.
    #[serde(default)]
    pub at: Timestamp,
    /// Which.
    pub listing: ListingId,
    /// What the new facts were read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureId>,
    /// What is other.
    pub changes: Vec<Difference>,
}

impl Coverage {
    /// Takes in what the journal says of listings since the last time.
    ///
    /// # Errors
    /// When the journal or the table cannot be used; what was taken in stays.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), VersionsError> {
        while !self.follow_some(store, CHANGES).await? {}
        Ok(())
    }

    /// Takes in at most so many changes of the journal; says whether that was all there are.
    ///
    /// # Errors
    /// As [`follow`](Self::follow).
    pub async fn follow_some(&self, store: &dyn Store, most: usize) -> Result<bool, VersionsError> {
        let _alone = self.following.lock().await;
        let mut seq = self.followed()?;
        // Another history than the one that was followed: a store that was restored.
        if store.counts().await?.seq < seq {
            seq = 0;
        }
        let changes = match store.changes_since(seq, most).await {
            Err(StoreError::Away { seq: left, .. }) => {
                seq = left;
                store.changes_since(seq, most).await?
            }
            changes => changes?,
        };
        for change in &changes {
            for version in versions(change) {
                self.put_version(change.seq, &version)?;
            }
            for (id, listing) in listings(change) {
                self.reads(&id, &listing)?;
            }
        }
        let Some(last) = changes.last() else { return Ok(true) };
        let put = self.table.insert(FOLLOWED, last.seq.to_be_bytes().as_slice());
        put.map_err(|error| self.failed(error))?;
        Ok(changes.len() < most)
    }

    /// The versions of a listing after its first, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn versions(&self, listing: &ListingId) -> Result<Vec<Version>, CoverageError> {
        let found = self.table.scan_prefix(prefix(listing)).values();
        found
            .filter_map(|version| match version {
                Ok(version) => read(&version).map(Ok),
                Err(error) => Some(Err(self.failed(error))),
            })
            .collect()
    }

    fn followed(&self) -> Result<u64, CoverageError> {
        let found = self.table.get(FOLLOWED).map_err(|error| self.failed(error))?;
        Ok(found.and_then(|seq| seq.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    fn put_version(&self, seq: u64, version: &Version) -> Result<(), CoverageError> {
        let prefix = prefix(&version.listing);
        let value = serde_json::to_vec(version).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        let key = [prefix.as_slice(), &seq.to_be_bytes()].concat();
        self.table.insert(key, value).map_err(|error| self.failed(error))?;
        let mut kept = self.table.scan_prefix(&prefix).keys().rev().skip(MAX_VERSIONS);
        if let Some(oldest) = kept.next() {
            let oldest = oldest.map_err(|error| self.failed(error))?;
            self.table.remove(oldest).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }
}

fn prefix(listing: &ListingId) -> Vec<u8> {
    let digest = Sha256::digest(listing.as_str());
    let hash = digest.first_chunk::<HASH_BYTES>().copied().unwrap_or_default();
    [&[VERSIONS], hash.as_slice()].concat()
}

/// The versions that a change of the journal wrote down.
fn versions(change: &Change) -> impl Iterator<Item = Version> {
    let noted = change.notes().filter(|(what, _)| *what == LISTING_CHANGED);
    noted.filter_map(|(_, details)| {
        let version = Version::deserialize(details).ok()?;
        Some(Version { at: change.at, ..version })
    })
}

/// The facts of listings that a change wrote down.
fn listings(change: &Change) -> impl Iterator<Item = (ListingId, Listing)> {
    let written = change.writes().filter(|write| write.get("write").and_then(Value::as_str) == Some("listing"));
    written.filter_map(|write| {
        let id = ListingId::new(write.get("id")?.as_str()?).ok()?;
        Some((id, Listing::deserialize(write.get("listing")?).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        model::SystemClock,
        store::{Batch, SledStore, Write},
    };

    fn note(listing: &str, title: &str) -> Write {
        let details = serde_json::json!({
            "listing": listing, "changes": [{"path": "title", "after": title}],
        });
        Write::Note { what: LISTING_CHANGED.into(), details: details.as_object().unwrap().clone() }
    }

    #[tokio::test]
    async fn versions_stand_by_listing_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        let settings = crate::store::Settings::default();
        let store = SledStore::open(&folder.path().join("data"), &settings, Arc::new(SystemClock)).unwrap();
        let other = Write::Note { what: "crawl".into(), details: serde_json::Map::new() };
        for n in 0..MAX_VERSIONS + 5 {
            let writes = vec![note("shop:1", &n.to_string()), other.clone()];
            store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
        }
        store.apply(Batch { actor: "test".into(), writes: vec![note("shop:12", "b")] }).await.unwrap();
        for _ in 0..2 {
            coverage.follow(&store).await.unwrap();
        }
        let of = |id: &str| coverage.versions(&ListingId::new(id).unwrap()).unwrap();
        let titles: Vec<_> = of("shop:1").iter().map(|one| one.changes[0].after.clone().unwrap()).collect();
        assert_eq!((titles.len(), titles[0].as_str(), titles.last().unwrap().as_str()), (MAX_VERSIONS, "5", "204"));
        assert_eq!((of("shop:12").len(), of("shop:2").len()), (1, 0));
        assert!(of("shop:12")[0].at > Timestamp::UNIX_EPOCH);
    }
}
