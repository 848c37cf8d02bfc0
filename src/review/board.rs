//! The board: what the desk must know of every hit to find it, order it and hold it against others, in memory.
//!
//! [`Board`] is read from the store once and follows its journal; it may be lost at any time, and decides nothing: who may
//! be lent a hit and what stands is the store's word. Ten million hits fit where the store's own caches do; a search reads
//! all their texts, which is faster than it would be to keep an index of them.

mod disputes;
mod entry;
mod remarks;
mod samples;
mod select;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

pub use disputes::Settlement;
pub use entry::Entry;
pub use remarks::{Note, Opinion, Saved};
pub use samples::{Found, Sample, Sampled};
pub use select::{Ask, Strategy};

use super::{Record, similar::Likeness};
use crate::{
    model::{AccountName, Hit, HitId, HitState, Timestamp, Verdict},
    store::{Filter, Store, StoreError, each_hit},
};
use entry::{Arena, Symbols};
use remarks::Remarks;

const CHANGES: usize = 1_000;
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

#[derive(Debug, Default)]
struct State {
    entries: Vec<Option<Entry>>,
    symbols: Symbols,
    arena: Arena,
    sellers: HashMap<u64, Seller>,
    /// Hits by the marks and rules found in them.
    by_reference: HashMap<u32, Vec<HitId>>,
    by_listing: HashMap<u64, Vec<HitId>>,
    /// Hits by what was found.
    by_found: HashMap<u64, Vec<HitId>>,
    /// Hits whose newest decision is a part of that act.
    acts: HashMap<String, Vec<HitId>>,
    /// The dismissals by a person that are good for the same again.
    remembered: HashMap<u64, HitId>,
    /// Dismissals that repeat one.
    repeated: BTreeMap<HitId, Vec<HitId>>,
    /// Hits that were new since the last time someone asked.
    fresh: Vec<HitId>,
    remarks: Remarks,
}

#[derive(Debug, Default)]
struct Seller {
    name: String,
    platform: u32,
    hits: Vec<HitId>,
    record: Record,
}

/// A seller as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerView {
    /// Its key.
    pub key: u64,
    /// Its name.
    pub name: String,
    /// Where it sells.
    pub platform: String,
    /// What reviewers said of its hits.
    pub record: Record,
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
            for change in &changes {
                for id in change.queued().into_iter().chain(change.decided().into_iter().map(|(id, _)| id)) {
                    self.look_again(store, id).await?;
                }
            }
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
        // What changes while the pages are read is read again as a change.
        let seq = store.counts().await?.seq;
        each_hit(store, &Filter::default(), |hit| self.write().put(&hit)).await?;
        *follower = Follower { seq, remarks: 0, filled: true, at: None };
        Ok(())
    }

    /// Takes over how `id` stands in the store now: after an act of the desk's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look_again(&self, store: &dyn Store, id: HitId) -> Result<(), StoreError> {
        if let Some(hit) = store.hit(id).await? {
            self.write().put(&hit);
        }
        Ok(())
    }

    /// The newest hit that is known; 0 where there is none.
    pub fn newest(&self) -> HitId {
        HitId(self.read().entries.len().saturating_sub(1) as u64)
    }

    /// What is known of one hit.
    pub fn entry(&self, id: HitId) -> Option<Entry> {
        self.read().entry(id).cloned()
    }

    /// When the oldest hit was found that is open.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        let state = self.read();
        let open = state.entries.iter().flatten().filter(|entry| entry.state == HitState::Open);
        open.map(|entry| entry.found_at).min()
    }

    /// Hits like `id` that wait as it does, without itself, the most alike first; at most [`MAX_GROUP`].
    pub fn group(&self, id: HitId) -> Vec<Entry> {
        let state = self.read();
        let Some(lead) = state.entry(id) else { return Vec::new() };
        let others = state.by_found.get(&lead.like.found).map_or(&[][..], Vec::as_slice);
        let mut members: Vec<&Entry> = others
            .iter()
            .rev()
            .take(MAX_COMPARED)
            .filter_map(|&other| state.entry(other))
            .filter(|other| other.id != id && other.state == lead.state && lead.like.is_near(&other.like))
            .collect();
        members.sort_by_key(|other| (lead.like.distance(&other.like), other.id));
        members.truncate(MAX_GROUP);
        members.into_iter().cloned().collect()
    }

    /// The hits whose newest decision is a part of `act`.
    pub fn of_act(&self, act: &str) -> Vec<Entry> {
        let state = self.read();
        let ids = state.acts.get(act).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|&id| state.entry(id)).cloned().collect()
    }

    /// Hits that were dismissed because `id` was.
    pub fn repeats_of(&self, id: HitId) -> Vec<Entry> {
        let state = self.read();
        let ids = state.repeated.get(&id).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|&id| state.entry(id)).cloned().collect()
    }

    /// New hits, since the last time this was asked, that say to the letter what a person dismissed before; each with that
    /// dismissal. One that was ever decided is not among them.
    pub fn take_remembered(&self) -> Vec<(Entry, HitId)> {
        let mut state = self.write();
        let fresh = std::mem::take(&mut state.fresh);
        let waits = fresh.into_iter().filter_map(|id| state.entry(id)).filter(|entry| entry.decisions == 0);
        waits
            .filter(|entry| entry.state == HitState::Open && entry.like.seller != 0)
            .filter_map(|entry| {
                let precedent = state.entry(*state.remembered.get(&entry.like.same)?)?;
                (precedent.decided_at <= Some(entry.found_at)).then(|| (entry.clone(), precedent.id))
            })
            .collect()
    }

    /// The seller with this key.
    pub fn seller(&self, key: u64) -> Option<SellerView> {
        let state = self.read();
        let seller = state.sellers.get(&key)?;
        let (name, platform) = (seller.name.clone(), state.symbols.name(seller.platform).to_owned());
        Some(SellerView { key, name, platform, record: seller.record })
    }

    /// Hits of a seller, a listing, or a mark or rule, newest first.
    pub fn about(&self, subject: &Subject) -> Vec<Entry> {
        let state = self.read();
        let ids = match subject {
            Subject::Seller(key) => state.sellers.get(key).map(|seller| &seller.hits),
            Subject::Listing(key) => state.by_listing.get(key),
            Subject::Reference(name) => state.symbols.find(name).and_then(|symbol| state.by_reference.get(&symbol)),
        };
        let mut found: Vec<Entry> = ids.into_iter().flatten().filter_map(|&id| state.entry(id)).cloned().collect();
        found.sort_by_key(|entry| std::cmp::Reverse((entry.found_at, entry.id)));
        found
    }

    /// The words behind a symbol of an [`Entry`].
    pub fn name(&self, symbol: u32) -> String {
        self.read().symbols.name(symbol).to_owned()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a page gathers hits of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A seller.
    Seller(u64),
    /// A listing.
    Listing(u64),
    /// A mark or a rule.
    Reference(String),
}

impl State {
    fn entry(&self, id: HitId) -> Option<&Entry> {
        self.entries.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    /// Takes a hit in as it stands now.
    fn put(&mut self, hit: &Hit) {
        let Ok(place) = usize::try_from(hit.id.0) else { return };
        if self.entries.len() <= place {
            self.entries.resize(place + 1, None);
        }
        let known = self.entries.get(place).cloned().flatten();
        if let Some(known) = &known {
            self.forget_decision(known);
        }
        let mut entry = known.unwrap_or_else(|| self.new_entry(hit));
        entry.stands(hit, &mut self.symbols);
        self.note_decision(&entry, hit);
        self.entries[place] = Some(entry);
    }

    fn new_entry(&mut self, hit: &Hit) -> Entry {
        let like = Likeness::of(hit);
        let entry = Entry::new(hit, like, &mut self.symbols, &mut self.arena);
        for finding in &hit.what.findings {
            let symbol = self.symbols.add(&finding.reference);
            let hits = self.by_reference.entry(symbol).or_default();
            if hits.last() != Some(&hit.id) {
                hits.push(hit.id);
            }
        }
        self.by_listing.entry(like.listing).or_default().push(hit.id);
        self.by_found.entry(like.found).or_default().push(hit.id);
        if like.seller != 0 {
            let seller = self.sellers.entry(like.seller).or_default();
            if seller.hits.is_empty() {
                let named = hit.what.listing.seller.as_ref();
                let name = named.and_then(|named| named.name.as_deref().or(named.id.as_deref())).unwrap_or("");
                seller.name = name.chars().take(200).collect();
                seller.platform = entry.platform;
            }
            seller.hits.push(hit.id);
        }
        self.fresh.push(hit.id);
        entry
    }

    fn forget_decision(&mut self, known: &Entry) {
        let acts = &mut self.acts;
        if let Some(hits) = known.act.as_ref().and_then(|act| acts.get_mut(act.as_ref())) {
            hits.retain(|id| *id != known.id);
        }
        if let Some(repeats) = known.precedent.and_then(|id| self.repeated.get_mut(&id)) {
            repeats.retain(|id| *id != known.id);
        }
        if self.remembered.get(&known.like.same) == Some(&known.id) {
            self.remembered.remove(&known.like.same);
        }
        if let Some(seller) = self.sellers.get_mut(&known.like.seller) {
            match known.state {
                HitState::Confirmed => seller.record.confirmed -= 1,
                HitState::Dismissed => seller.record.dismissed -= 1,
                _ => {}
            }
        }
    }

    fn note_decision(&mut self, entry: &Entry, hit: &Hit) {
        if let Some(act) = &entry.act {
            self.acts.entry(act.to_string()).or_default().push(entry.id);
        }
        if let Some(precedent) = entry.precedent {
            self.repeated.entry(precedent).or_default().push(entry.id);
        }
        let by_person = hit.decisions.last().is_some_and(|made| made.verdict == Verdict::Dismiss);
        if entry.state == HitState::Dismissed && entry.precedent.is_none() && by_person && entry.like.seller != 0 {
            self.remembered.insert(entry.like.same, entry.id);
        }
        if let Some(seller) = self.sellers.get_mut(&entry.like.seller) {
            match entry.state {
                HitState::Confirmed => seller.record.confirmed += 1,
                HitState::Dismissed => seller.record.dismissed += 1,
                _ => {}
            }
        }
    }

    /// What is written of `who`.
    fn is_by(&self, entry: &Entry, who: &AccountName) -> bool {
        self.symbols.name(entry.by) == who.as_str()
    }
}
