//! The board: what the desk must know of every hit to find it, order it and hold it against others, in memory.
//!
//! [`Board`] is read from the store once and follows its journal; it may be lost at any time, and decides nothing: who may
//! be lent a hit and what stands is the store's word. Of a hit it keeps a row that every walk reads, the rest beside it, and
//! a text; a search reads all texts, which is faster than it would be to keep an index of them.

mod disputes;
mod entry;
mod hits;
mod remarks;
mod samples;
mod select;
mod symbols;
mod texts;

use std::{
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

pub use disputes::Settlement;
pub use entry::Entry;
pub use hits::{SellerView, Subject};
pub use remarks::{Note, Opinion, Saved};
pub use samples::{Found, Sample, Sampled};
pub use select::{Ask, Strategy};

use crate::{
    model::{HitId, HitState, Timestamp},
    store::{HitRow, MAX_AT_ONCE, Store, StoreError},
};
use entry::Prepared;
use hits::State;

const CHANGES: usize = 1_000;
/// Hits read from the store at once when all of them are.
const AT_ONCE: u64 = 2_000;
/// How old what the board knows may be where nobody asks for the newest.
const FRESH_FOR: Duration = Duration::from_millis(250);
/// Most members of a group.
pub const MAX_GROUP: usize = 500;
/// Hits with the same findings that are held against one another for a group.
const MAX_COMPARED: usize = 20_000;

/// What is known of all hits. See the module.
#[derive(Debug, Default)]
pub struct Board {
    state: RwLock<State>,
    follower: tokio::sync::Mutex<Follower>,
}

/// How far the journal was followed.
#[derive(Debug, Default)]
struct Follower {
    seq: u64,
    remarks: u64,
    filled: bool,
    at: Option<Instant>,
}

impl Board {
    /// Takes in what changed in `store`; with `newest`, everything up to now, else at most four times a second.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays.
    pub async fn follow(&self, store: &dyn Store, newest: bool) -> Result<(), StoreError> {
        let mut follower = self.follower.lock().await;
        if follower.filled && !newest && follower.at.is_some_and(|at| at.elapsed() < FRESH_FOR) {
            return Ok(());
        }
        if !follower.filled {
            self.fill(store, &mut follower).await?;
        }
        let end = store.counts().await?.seq;
        while follower.seq < end {
            let changes = match store.changes_since(follower.seq, CHANGES).await {
                Err(StoreError::Away { .. }) => {
                    self.fill(store, &mut follower).await?;
                    break;
                }
                changes => changes?,
            };
            let Some(last) = changes.last().map(|change| change.seq) else { break };
            let touched = |change: &crate::store::Change| {
                let decided = change.decided().into_iter().map(|(id, _)| id);
                change.queued().into_iter().chain(decided).collect::<Vec<_>>()
            };
            let mut ids: Vec<HitId> = changes.iter().flat_map(touched).collect();
            ids.sort_unstable();
            ids.dedup();
            self.look_at(store, &ids).await?;
            follower.seq = last;
        }
        let delta = store.remarks_since(follower.remarks).await?;
        if delta.generation != follower.remarks {
            let mut state = self.write();
            delta.put.into_iter().for_each(|remark| state.remarks.put(remark));
            follower.remarks = delta.generation;
        }
        follower.at = Some(Instant::now());
        Ok(())
    }

    async fn fill(&self, store: &dyn Store, follower: &mut Follower) -> Result<(), StoreError> {
        *self.write() = State::default();
        // What changes while the hits are read is read again as a change.
        let counts = store.counts().await?;
        let (seq, total) = (counts.seq, counts.hits());
        self.write().reserve(total);
        let (mut first, mut making) = (1, None);
        loop {
            let ids: Vec<HitId> = (first..first + AT_ONCE).map(HitId).collect();
            let rows = store.rows(&ids).await?;
            let ended = rows.is_empty() && first > total;
            let made = making.replace(tokio::task::spawn_blocking(|| prepared(rows)));
            if let Some(made) = made {
                self.take_in(made.await.map_err(|error| StoreError::NotYet(format!("cannot read all hits: {error}")))?);
            }
            if ended {
                *follower = Follower { seq, remarks: 0, filled: true, at: None };
                return Ok(());
            }
            first += AT_ONCE;
        }
    }

    fn take_in(&self, hits: Vec<Prepared>) {
        let mut state = self.write();
        hits.into_iter().for_each(|hit| state.put(hit));
    }

    /// Takes over how these hits stand in the store now: after an act of the desk's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look_at(&self, store: &dyn Store, ids: &[HitId]) -> Result<(), StoreError> {
        for part in ids.chunks(MAX_AT_ONCE) {
            for row in store.rows(part).await? {
                self.look(row.hit);
            }
        }
        Ok(())
    }

    /// Takes over how `id` stands in the store now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look_again(&self, store: &dyn Store, id: HitId) -> Result<(), StoreError> {
        if let Some(hit) = store.hit(id).await? {
            self.look(hit);
        }
        Ok(())
    }

    /// Of a hit that is known, only where it stands can be new.
    fn look(&self, hit: crate::model::Hit) {
        if self.write().stands(&hit) {
            return;
        }
        let hit = Prepared::of(hit);
        self.write().put(hit);
    }

    /// The newest hit that is known; 0 where there is none.
    pub fn newest(&self) -> HitId {
        HitId(self.read().rows.len().saturating_sub(1) as u64)
    }

    /// What is known of one hit.
    pub fn entry(&self, id: HitId) -> Option<Entry> {
        self.read().entry(id)
    }

    /// When the oldest hit was found that is open.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        let state = self.read();
        let open = state.rows.iter().filter(|row| row.state == Some(HitState::Open));
        open.map(|row| row.found).min().map(entry::time)
    }

    /// Hits like `id` that wait as it does, without itself, the most alike first; at most [`MAX_GROUP`].
    pub fn group(&self, id: HitId) -> Vec<Entry> {
        let state = self.read();
        state.group(id).into_iter().filter_map(|id| state.numbered(id)).collect()
    }

    /// How many hits [`group`](Self::group) finds.
    pub fn group_size(&self, id: HitId) -> usize {
        self.read().group(id).len()
    }

    /// The hits whose newest decision is a part of `act`.
    pub fn of_act(&self, act: &str) -> Vec<Entry> {
        let state = self.read();
        state.acts.get(act).into_iter().flatten().filter_map(|&id| state.numbered(id)).collect()
    }

    /// Whether any hit's newest decision is a part of `act`.
    pub fn has_act(&self, act: &str) -> bool {
        self.read().acts.contains_key(act)
    }

    /// Hits that were dismissed because `id` was.
    pub fn repeats_of(&self, id: HitId) -> Vec<Entry> {
        let state = self.read();
        let repeats = entry::number(id).and_then(|id| state.repeated.get(&id));
        repeats.into_iter().flatten().filter_map(|&id| state.numbered(id)).collect()
    }

    /// New hits, since the last time this was asked, that say to the letter what a person dismissed before; each with that
    /// dismissal. One that was ever decided is not among them.
    pub fn take_remembered(&self) -> Vec<(Entry, HitId)> {
        if self.read().fresh.is_empty() {
            return Vec::new();
        }
        let mut state = self.write();
        let fresh = std::mem::take(&mut state.fresh);
        fresh.into_iter().filter_map(|id| state.remembered(id)).collect()
    }

    /// The seller with this key.
    pub fn seller(&self, key: u64) -> Option<SellerView> {
        self.read().seller(key)
    }

    /// Hits of a seller, a listing, or a mark or rule, newest first.
    pub fn about(&self, subject: &Subject) -> Vec<Entry> {
        let state = self.read();
        let mut found: Vec<Entry> = state.about(subject).into_iter().filter_map(|id| state.numbered(id)).collect();
        found.sort_by_key(|entry| std::cmp::Reverse((entry.found_at, entry.id)));
        found
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepared(rows: Vec<HitRow>) -> Vec<Prepared> {
    rows.into_iter().map(|row| Prepared::of(row.hit)).collect()
}
