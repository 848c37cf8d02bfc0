//! The model: the port's meaning in plain collections. Nothing is kept when the process ends.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{
    event::{Enqueued, Event},
    port::{
        Act, Batch, Change, ClaimSpec, Counts, Cursor, Due, Filter, HitReceipt, HitRow, HostLease, Lease, LeaseRef,
        MAX_AT_ONCE, MarksDelta, Order, Outcome, Page, Receipt, RemarksDelta, Settled, Store, StoreError,
        StoredListing, Write,
    },
};
use crate::model::{
    AccountName, Capture, CaptureId, Clock, Decision, Hit, HitId, HitState, ListingId, Mark, MarkId, Remark, Timestamp,
    Verdict,
};

/// A store in memory: for tests, previews, and as the model other stores are held against.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hits: BTreeMap<HitId, Hit>,
    by_dedupe: HashMap<String, HitId>,
    leases: HashMap<HitId, Held>,
    fences: HashMap<HitId, u64>,
    resting: HashMap<(HitId, AccountName), Timestamp>,
    listings: HashMap<ListingId, StoredListing>,
    captures: HashMap<CaptureId, Capture>,
    marks: BTreeMap<MarkId, (u64, Option<Mark>)>,
    generation: u64,
    remarks: BTreeMap<String, (u64, Remark)>,
    remark_generation: u64,
    schedules: BTreeMap<String, Timestamp>,
    hosts: HashMap<String, Host>,
    journal: Vec<Change>,
}

#[derive(Debug, Clone)]
struct Held {
    worker: AccountName,
    fence: u64,
    until: Timestamp,
}

#[derive(Debug, Clone)]
struct Host {
    next_at: Timestamp,
    fence: u64,
    holder: Option<(String, Timestamp)>,
}

impl MemoryStore {
    /// An empty store that tells the time by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `now + ttl`, or the end of time.
fn after(now: Timestamp, ttl: Duration) -> Timestamp {
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    now.checked_add(ttl).unwrap_or(Timestamp::MAX)
}

impl State {
    fn record(&mut self, at: Timestamp, actor: &str, what: impl serde::Serialize) -> Result<u64, StoreError> {
        let seq = self.journal.len() as u64 + 1;
        let what = serde_json::to_value(what).map_err(|error| StoreError::Refused(error.to_string()))?;
        self.journal.push(Change { seq, at, actor: actor.to_owned(), what });
        Ok(seq)
    }

    fn write(&mut self, now: Timestamp, write: Write) -> Option<HitReceipt> {
        match write {
            Write::Listing { id, listing, capture } => {
                let first_seen = self.listings.get(&id).map_or(now, |known| known.first_seen);
                self.listings.insert(id, StoredListing { listing, capture, first_seen, last_seen: now });
                None
            }
            Write::Capture(capture) => {
                self.captures.insert(capture.id.clone(), capture);
                None
            }
            Write::Hit(what) => {
                if let Some(&id) = self.by_dedupe.get(&what.dedupe) {
                    return Some(HitReceipt { id, new: false });
                }
                let id = HitId(self.hits.len() as u64 + 1);
                self.by_dedupe.insert(what.dedupe.clone(), id);
                self.hits.insert(id, Hit { id, what, state: HitState::Open, decisions: Vec::new() });
                Some(HitReceipt { id, new: true })
            }
            Write::Mark(mark) => {
                let known = self.marks.get(&mark.id).and_then(|(_, known)| known.as_ref());
                if known != Some(&mark) {
                    self.generation += 1;
                    self.marks.insert(mark.id.clone(), (self.generation, Some(mark)));
                }
                None
            }
            Write::RemoveMark { id } => {
                if let Some(entry) = self.marks.get_mut(&id).filter(|(_, mark)| mark.is_some()) {
                    self.generation += 1;
                    *entry = (self.generation, None);
                }
                None
            }
            Write::Schedule { id, next_due } => {
                self.schedules.insert(id, next_due);
                None
            }
            Write::Remark(remark) => {
                if self.remarks.get(&remark.key).is_none_or(|(_, known)| *known != remark) {
                    self.remark_generation += 1;
                    self.remarks.insert(remark.key.clone(), (self.remark_generation, remark));
                }
                None
            }
            Write::Hold { .. } | Write::Note { .. } => None,
        }
    }

    fn holder(&self, id: HitId, now: Timestamp) -> Option<&Held> {
        self.leases.get(&id).filter(|held| now < held.until)
    }

    fn holds(&self, lease: &LeaseRef, now: Timestamp) -> bool {
        self.holder(lease.hit, now).is_some_and(|held| held.fence == lease.fence && held.worker == lease.worker)
    }

    fn lend(&mut self, id: HitId, worker: &AccountName, now: Timestamp, ttl: Duration) -> Option<Lease> {
        let hit = self.hits.get(&id)?.clone();
        let fence = match self.holder(id, now) {
            Some(held) => held.fence,
            None => {
                let fence = self.fences.entry(id).or_default();
                *fence += 1;
                *fence
            }
        };
        let until = after(now, ttl);
        self.leases.insert(id, Held { worker: worker.clone(), fence, until });
        Some(Lease { hit, lease: LeaseRef { hit: id, worker: worker.clone(), fence }, until })
    }

    /// Open hits `worker` may be lent, its own first, then in `order`.
    fn claimable(&self, spec: &ClaimSpec, now: Timestamp) -> Vec<HitId> {
        let mut ids: Vec<(bool, u8, HitId)> = self
            .hits
            .values()
            .filter(|hit| hit.state == HitState::Open && spec.filter.admits(hit))
            .filter_map(|hit| {
                let own = match self.holder(hit.id, now) {
                    Some(held) if held.worker == spec.worker => true,
                    Some(_) => return None,
                    None => false,
                };
                let rests = self.resting.get(&(hit.id, spec.worker.clone())).is_some_and(|&until| now < until);
                (own || !rests).then_some((!own, 255 - hit.what.priority, hit.id))
            })
            .collect();
        match spec.order {
            Order::Priority => ids.sort(),
            Order::Oldest => ids.sort_by_key(|&(other, _, id)| (other, id)),
        }
        ids.into_iter().map(|(_, _, id)| id).take(spec.max.clamp(1, 200)).collect()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, batch: Batch) -> Result<Receipt, StoreError> {
        let now = self.clock.now();
        batch.writes.iter().try_for_each(Write::check)?;
        let mut state = self.state();
        let writes = batch.writes.clone();
        let hits: Vec<HitReceipt> = batch.writes.into_iter().filter_map(|write| state.write(now, write)).collect();
        let queued = hits.iter().map(|hit| Enqueued { id: hit.id, new: hit.new }).collect();
        let seq = state.record(now, &batch.actor, Event::Applied { writes, hits: queued })?;
        Ok(Receipt { seq, hits })
    }

    async fn claim(&self, spec: &ClaimSpec) -> Result<Vec<Lease>, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let ids = state.claimable(spec, now);
        Ok(ids.into_iter().filter_map(|id| state.lend(id, &spec.worker, now, spec.ttl)).collect())
    }

    async fn claim_among(
        &self,
        ids: &[HitId],
        worker: &AccountName,
        max: usize,
        ttl: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let mut chosen: Vec<HitId> = Vec::new();
        for &id in ids.iter().take(MAX_AT_ONCE) {
            if chosen.len() >= max.clamp(1, 200) {
                break;
            }
            let waits = state.hits.get(&id).is_some_and(|hit| hit.waits_for(worker));
            let free = match state.holder(id, now) {
                Some(held) => held.worker == *worker,
                None => state.resting.get(&(id, worker.clone())).is_none_or(|&until| until <= now),
            };
            if waits && free && !chosen.contains(&id) {
                chosen.push(id);
            }
        }
        Ok(chosen.into_iter().filter_map(|id| state.lend(id, worker, now, ttl)).collect())
    }

    async fn settle(&self, act: &Act) -> Result<Settled, StoreError> {
        act.check()?;
        let now = self.clock.now();
        let mut state = self.state();
        let (mut settled, mut seen, mut new) = (Settled::default(), BTreeSet::new(), Vec::new());
        for on in act.on.iter().filter(|on| seen.insert(on.hit)) {
            let holder = state.holder(on.hit, now).map(|held| &held.worker);
            let outcome = act.on(state.hits.get(&on.hit), on.decisions, holder);
            if outcome == Outcome::Done {
                new.push(on.hit);
            }
            settled.add(on.hit, outcome);
        }
        if new.is_empty() {
            return Ok(settled);
        }
        let decision = &act.decision;
        state.record(now, decision.by.as_str(), Event::Settled { hits: new.clone(), decision: decision.clone() })?;
        for id in new {
            if decision.verdict != Verdict::Reopen {
                state.leases.remove(&id);
            }
            if let Some(hit) = state.hits.get_mut(&id) {
                hit.state = decision.leads_to();
                hit.decisions.push(decision.clone());
            }
        }
        Ok(settled)
    }

    async fn claim_one(&self, hit: HitId, worker: &AccountName, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let waits = state.hits.get(&hit).is_some_and(|hit| hit.waits_for(worker));
        let free = state.holder(hit, now).is_none_or(|held| held.worker == *worker);
        Ok(if waits && free { state.lend(hit, worker, now, ttl) } else { None })
    }

    async fn renew(&self, lease: &LeaseRef, ttl: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let held = state.holds(lease, now);
        if held {
            state.lend(lease.hit, &lease.worker, now, ttl);
        }
        Ok(held)
    }

    async fn complete(&self, lease: &LeaseRef, decision: Decision) -> Result<Outcome, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(hit) = state.hits.get(&lease.hit) else { return Ok(Outcome::Fenced) };
        if let Some(known) = Outcome::of_known(hit, &decision) {
            return Ok(known);
        }
        if decision.verdict == Verdict::Reopen {
            return Err(StoreError::Refused("a lease is not completed by reopening".into()));
        }
        let Some(after) = hit.after(&decision).filter(|_| state.holds(lease, now)) else { return Ok(Outcome::Fenced) };
        let event = Event::Completed { hit: lease.hit, fence: lease.fence, decision: decision.clone() };
        state.record(now, decision.by.as_str(), event)?;
        state.leases.remove(&lease.hit);
        if let Some(hit) = state.hits.get_mut(&lease.hit) {
            hit.state = after;
            hit.decisions.push(decision);
        }
        Ok(Outcome::Done)
    }

    async fn reopen(&self, id: HitId, decision: Decision) -> Result<Outcome, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        if decision.verdict != Verdict::Reopen {
            return Err(StoreError::Refused("only a reopening decision takes one back".into()));
        }
        let Some(hit) = state.hits.get(&id) else { return Ok(Outcome::Fenced) };
        if let Some(known) = Outcome::of_known(hit, &decision) {
            return Ok(known);
        }
        if hit.state == HitState::Open {
            return Ok(Outcome::Fenced);
        }
        state.record(now, decision.by.as_str(), Event::Reopened { hit: id, decision: decision.clone() })?;
        if let Some(hit) = state.hits.get_mut(&id) {
            hit.state = HitState::Open;
            hit.decisions.push(decision);
        }
        Ok(Outcome::Done)
    }

    async fn release(&self, lease: &LeaseRef, not_before: Option<Timestamp>) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let held = state.holds(lease, now);
        if held {
            state.leases.remove(&lease.hit);
            if let Some(until) = not_before {
                state.resting.insert((lease.hit, lease.worker.clone()), until);
            }
        }
        Ok(held)
    }

    async fn expire(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let mut ended: Vec<(Timestamp, HitId)> =
            state.leases.iter().filter(|(_, held)| held.until <= now).map(|(&id, held)| (held.until, id)).collect();
        ended.sort_unstable();
        ended.truncate(limit);
        for (_, id) in &ended {
            state.leases.remove(id);
        }
        Ok(ended.len())
    }

    async fn page(&self, filter: &Filter, cursor: Option<Cursor>, n: usize) -> Result<Page, StoreError> {
        let now = self.clock.now();
        let state = self.state();
        let n = n.clamp(1, 200);
        let mut hits: Vec<&Hit> = state.hits.values().filter(|hit| filter.admits(hit)).collect();
        hits.sort_by_key(|hit| (255 - hit.what.priority, hit.id));
        let begin = cursor.map_or(0, |last| {
            hits.partition_point(|hit| (255 - hit.what.priority, hit.id) <= (255 - last.priority, last.id))
        });
        let rows: Vec<HitRow> = hits
            .iter()
            .skip(begin)
            .take(n)
            .map(|&hit| HitRow { hit: hit.clone(), held_by: state.holder(hit.id, now).map(|held| held.worker.clone()) })
            .collect();
        let next = if begin + rows.len() < hits.len() {
            rows.last().map(|row| Cursor { priority: row.hit.what.priority, id: row.hit.id })
        } else {
            None
        };
        Ok(Page { rows, next })
    }

    async fn rows(&self, ids: &[HitId]) -> Result<Vec<HitRow>, StoreError> {
        let now = self.clock.now();
        let state = self.state();
        let hits = ids.iter().take(MAX_AT_ONCE).filter_map(|id| state.hits.get(id));
        let held_by = |id| state.holder(id, now).map(|held| held.worker.clone());
        Ok(hits.map(|hit| HitRow { hit: hit.clone(), held_by: held_by(hit.id) }).collect())
    }

    async fn hit(&self, id: HitId) -> Result<Option<Hit>, StoreError> {
        Ok(self.state().hits.get(&id).cloned())
    }

    async fn listing(&self, id: &ListingId) -> Result<Option<StoredListing>, StoreError> {
        Ok(self.state().listings.get(id).cloned())
    }

    async fn capture(&self, id: &CaptureId) -> Result<Option<Capture>, StoreError> {
        Ok(self.state().captures.get(id).cloned())
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.state();
        let in_state = |wanted| state.hits.values().filter(|hit| hit.state == wanted).count() as u64;
        Ok(Counts {
            listings: state.listings.len() as u64,
            captures: state.captures.len() as u64,
            marks: state.marks.values().filter(|(_, mark)| mark.is_some()).count() as u64,
            open: in_state(HitState::Open),
            confirmed: in_state(HitState::Confirmed),
            dismissed: in_state(HitState::Dismissed),
            proposed: in_state(HitState::Proposed),
            escalated: in_state(HitState::Escalated),
            seq: state.journal.len() as u64,
        })
    }

    async fn marks_since(&self, generation: u64) -> Result<MarksDelta, StoreError> {
        let state = self.state();
        let mut delta = MarksDelta { generation: state.generation, ..MarksDelta::default() };
        for (id, (changed, mark)) in state.marks.iter().filter(|(_, (changed, _))| *changed > generation) {
            debug_assert!(*changed <= state.generation);
            match mark {
                Some(mark) => delta.put.push(mark.clone()),
                None => delta.removed.push(id.clone()),
            }
        }
        Ok(delta)
    }

    async fn mark(&self, id: &MarkId) -> Result<Option<Mark>, StoreError> {
        Ok(self.state().marks.get(id).and_then(|(_, mark)| mark.clone()))
    }

    async fn remarks_since(&self, generation: u64) -> Result<RemarksDelta, StoreError> {
        let state = self.state();
        let mut put: Vec<&(u64, Remark)> =
            state.remarks.values().filter(|(changed, _)| *changed > generation).collect();
        put.sort_by_key(|(changed, _)| *changed);
        let put = put.into_iter().map(|(_, remark)| remark.clone()).collect();
        Ok(RemarksDelta { generation: state.remark_generation, put })
    }

    async fn due(&self, limit: usize) -> Result<Vec<Due>, StoreError> {
        let now = self.clock.now();
        let state = self.state();
        let mut due: Vec<Due> = state
            .schedules
            .iter()
            .filter(|&(_, &due_at)| due_at <= now)
            .map(|(id, &due_at)| Due { id: id.clone(), due_at })
            .collect();
        due.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        due.truncate(limit);
        Ok(due)
    }

    async fn next_due(&self, schedule: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().schedules.get(schedule).copied())
    }

    async fn claim_hosts(&self, hosts: &[String], worker: &str, ttl: Duration) -> Result<Vec<HostLease>, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let mut leases = Vec::new();
        for name in hosts {
            let host = state.hosts.entry(name.clone()).or_insert_with(|| Host { next_at: now, fence: 0, holder: None });
            let other = host.holder.as_ref().is_some_and(|(who, until)| now < *until && who != worker);
            if other {
                continue;
            }
            let renewed = host.holder.as_ref().is_some_and(|(who, until)| now < *until && who == worker);
            host.fence += u64::from(!renewed);
            let until = after(now, ttl);
            host.holder = Some((worker.to_owned(), until));
            leases.push(HostLease {
                host: name.clone(),
                worker: worker.to_owned(),
                fence: host.fence,
                next_at: host.next_at,
                until,
            });
        }
        Ok(leases)
    }

    async fn host_done(&self, lease: &HostLease, next_at: Timestamp) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(host) = state.hosts.get_mut(&lease.host) else { return Ok(false) };
        let held = host.fence == lease.fence
            && host.holder.as_ref().is_some_and(|(who, until)| *who == lease.worker && now < *until);
        if held {
            host.next_at = host.next_at.max(next_at);
            host.holder = None;
        }
        Ok(held)
    }

    async fn changes_since(&self, seq: u64, n: usize) -> Result<Vec<Change>, StoreError> {
        let state = self.state();
        let begin = usize::try_from(seq).unwrap_or(usize::MAX).min(state.journal.len());
        Ok(state.journal.iter().skip(begin).take(n).cloned().collect())
    }
}
