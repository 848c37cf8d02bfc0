//! Listings that are handed in: each is held against what is known, kept as evidence, matched and queued like a crawled one.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde::Serialize;

use super::Monitor;
use crate::{
    crawl::Fetched,
    evidence::{EvidenceError, WarcWriter},
    intake::{Origin, same_facts},
    model::{Listing, ListingId},
    store::StoreError,
};

/// Listings on their way to the disk at the same time: they share its syncs.
const TOGETHER: usize = 32;

/// What became of listings that were handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// Listings that are new, or say something else than before.
    pub accepted: u64,
    /// Listings that say the same as before: nothing was done.
    pub unchanged: u64,
    /// Hits that were queued.
    pub new_hits: u64,
}

/// Why listings were not taken. Those before were, and are known when they come again.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Evidence cannot be written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl Monitor {
    /// Takes listings from `origin`, each with its row; the same again changes nothing.
    ///
    /// # Errors
    /// When store or evidence cannot be written.
    pub async fn deliver(
        &self,
        rows: Vec<(u64, Listing)>,
        origin: &Origin,
        warc: Option<&WarcWriter>,
    ) -> Result<Delivered, DeliverError> {
        let mut delivered = Delivered::default();
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut part: Vec<(u64, Listing)> = Vec::with_capacity(TOGETHER);
            let mut ids = BTreeSet::new();
            // The same listing twice comes one after the other.
            while part.len() < TOGETHER
                && let Some(row) = rows.next_if(|(_, listing)| !ids.contains(&listing.id))
            {
                ids.insert(row.1.id.clone());
                part.push(row);
            }
            let taken = part.into_iter().map(|(row, listing)| self.deliver_one(row, listing, origin, warc));
            for one in join_all(taken).await {
                match one? {
                    Some(new_hits) => {
                        delivered.accepted += 1;
                        delivered.new_hits += new_hits;
                    }
                    None => delivered.unchanged += 1,
                }
            }
        }
        Ok(delivered)
    }

    /// How many hits it made; none when it says the same as before.
    async fn deliver_one(
        &self,
        row: u64,
        mut listing: Listing,
        origin: &Origin,
        warc: Option<&WarcWriter>,
    ) -> Result<Option<u64>, DeliverError> {
        let id = ListingId::new(&listing.id).map_err(|error| StoreError::Refused(error.to_string()))?;
        let known = self.store.listing(&id).await?;
        if known.is_some_and(|known| same_facts(&known.listing, &listing)) {
            return Ok(None);
        }
        let now = self.clock.now();
        origin.stamp(&mut listing, row);
        listing.captured_at.get_or_insert(now);
        let urn = format!("urn:sha256:{}#row={row}", origin.sha256);
        let url = listing.url.clone().unwrap_or(urn);
        let body = serde_json::to_vec(&listing).map_err(|error| StoreError::Refused(error.to_string()))?;
        let written = match warc {
            Some(warc) => Some(warc.write_resource(&url, "application/json", &body, now).await?),
            None => None,
        };
        let (capture, record) = written.map_or((None, Vec::new()), |written| (Some(written.capture), written.record));
        let page = Fetched {
            profile: format!("{}:{}", origin.kind, origin.name),
            url,
            status: 200,
            listing: Some(listing),
            listing_id: Some(id),
            others: Vec::new(),
            capture,
            record,
        };
        Ok(Some(self.see(page).await?.new_hits as u64))
    }
}
