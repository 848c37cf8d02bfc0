//! From an event to changes of the index. No clock, no chance, no decision: a replay ends where the first run did.

use serde::{Deserialize, Serialize};

use super::{keys, view::View};
use crate::{
    model::{AccountName, Decision, Hit, HitId, HitState, Mark, NewHit, Remark, Severity, Timestamp, Verdict},
    store::{
        content::Hold,
        event::{Enqueued, Entry, Event, Grant, HostGrant},
        port::{Filter, StoreError, StoredListing, Write},
    },
};

/// A lease as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub worker: AccountName,
    pub fence: u64,
    pub until: Timestamp,
}

/// A host as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Host {
    pub next_at: Timestamp,
    pub fence: u64,
    pub holder: Option<(String, Timestamp)>,
}

/// The part of a [`StoredListing`] that outlives its facts.
#[derive(Debug, Clone, Copy, Deserialize)]
struct FirstSeen {
    first_seen: Timestamp,
}

/// A mark as the index keeps it; none when it is no longer watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watched {
    pub generation: u64,
    pub mark: Option<Mark>,
}

/// A remark as the index keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Left {
    pub generation: u64,
    pub remark: Remark,
}

/// What most filters ask, beside the queue's key, so that they need not read the hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facets {
    pub priority: u8,
    pub severity: Severity,
    pub family: String,
    pub platform: Option<String>,
}

impl Facets {
    fn of(what: &NewHit) -> Self {
        Self {
            priority: what.priority,
            severity: what.severity,
            family: what.family.clone(),
            platform: what.listing.platform.clone(),
        }
    }

    /// Whether the filter may admit the hit; its text still has to be read.
    pub fn may_admit(&self, filter: &Filter) -> bool {
        filter.family.as_ref().is_none_or(|family| *family == self.family)
            && filter.platform.as_ref().is_none_or(|platform| self.platform.as_ref() == Some(platform))
            && filter.severity.is_none_or(|severity| self.severity >= severity)
            && filter.within.has(&self.family, self.platform.as_deref())
    }
}

/// Brings one entry into the view.
pub(super) fn apply(view: &mut View<'_>, entry: &Entry) -> Result<(), StoreError> {
    match &entry.event {
        Event::Applied { writes, hits } => {
            let mut hits = hits.iter();
            writes.iter().try_for_each(|write| apply_write(view, entry, write, &mut hits))
        }
        Event::Leased { leases } => leases.iter().try_for_each(|grant| apply_grant(view, grant)),
        Event::Completed { hit, decision, .. } => {
            end_lease(view, *hit)?;
            apply_decision(view, *hit, decision)
        }
        Event::Settled { hits, decision } => hits.iter().try_for_each(|&hit| {
            if decision.verdict != Verdict::Reopen {
                end_lease(view, hit)?;
            }
            apply_decision(view, hit, decision)
        }),
        Event::Reopened { hit, decision } => apply_decision(view, *hit, decision),
        Event::Released { hit, worker, not_before } => {
            end_lease(view, *hit)?;
            not_before.map_or(Ok(()), |until| view.put(keys::resting(*hit, worker), &until))
        }
        Event::Expired { hits } => hits.iter().try_for_each(|&hit| end_lease(view, hit)),
        Event::HostsLeased { leases } => leases.iter().try_for_each(|grant| apply_host_grant(view, grant)),
        Event::HostDone { host, next_at } => {
            let fence = view.get::<Host>(&keys::host(host))?.map_or(0, |known| known.fence);
            view.put(keys::host(host), &Host { next_at: *next_at, fence, holder: None })
        }
    }
}

fn apply_write<'e>(
    view: &mut View<'_>,
    entry: &Entry,
    write: &Write,
    hits: &mut impl Iterator<Item = &'e Enqueued>,
) -> Result<(), StoreError> {
    match write {
        Write::Listing { id, listing, capture } => {
            let key = keys::listing(id);
            let known: Option<FirstSeen> = view.get(&key)?;
            view.meta_mut().counts.listings += u64::from(known.is_none());
            let first_seen = known.map_or(entry.at, |known| known.first_seen);
            let (listing, capture) = (listing.clone(), capture.clone());
            view.put(key, &StoredListing { listing, capture, first_seen, last_seen: entry.at })
        }
        Write::Capture(capture) => {
            let key = keys::capture(&capture.id);
            let new = !view.has(&key)?;
            view.meta_mut().counts.captures += u64::from(new);
            view.put(key, capture)
        }
        Write::Hit(what) => match hits.next() {
            Some(enqueued) if enqueued.new => add_hit(view, enqueued.id, what),
            Some(_) => Ok(()),
            None => Err(StoreError::Damaged {
                path: "journal".into(),
                what: "a batch does not say what became of its hits".into(),
            }),
        },
        Write::Mark(mark) => put_mark(view, mark),
        Write::RemoveMark { id } => {
            let known: Option<Watched> = view.get(&keys::mark(id))?;
            let Some(known) = known.filter(|known| known.mark.is_some()) else { return Ok(()) };
            view.meta_mut().counts.marks -= 1;
            change_mark(view, id, known.generation, None)
        }
        Write::Schedule { id, next_due } => {
            let key = keys::schedule(id);
            if let Some(known) = view.get::<Timestamp>(&key)? {
                view.remove(keys::due(known, id));
            }
            view.put_key(keys::due(*next_due, id));
            view.put(key, next_due)
        }
        Write::Hold { sha256, hold: true, why } => {
            let hold = Hold { by: entry.actor.clone(), since: entry.at, why: why.clone() };
            view.put(keys::hold(sha256), &hold)
        }
        Write::Hold { sha256, hold: false, .. } => {
            view.remove(keys::hold(sha256));
            Ok(())
        }
        Write::Remark(remark) => put_remark(view, remark),
        Write::Note { .. } => Ok(()),
    }
}

fn add_hit(view: &mut View<'_>, id: HitId, what: &NewHit) -> Result<(), StoreError> {
    view.put(keys::dedupe(&what.dedupe), &id)?;
    view.put(keys::hit(id), &Hit { id, what: what.clone(), state: HitState::Open, decisions: Vec::new() })?;
    enqueue(view, id, what, HitState::Open)?;
    let meta = view.meta_mut();
    meta.last_hit = meta.last_hit.max(id.0);
    Ok(())
}

fn enqueue(view: &mut View<'_>, id: HitId, what: &NewHit, state: HitState) -> Result<(), StoreError> {
    let facets = Facets::of(what);
    if state == HitState::Open {
        view.put(keys::oldest(id), &facets)?;
    }
    *count_of(view, state) += 1;
    view.put(keys::queue(state, what.priority, id), &facets)
}

fn apply_decision(view: &mut View<'_>, id: HitId, decision: &Decision) -> Result<(), StoreError> {
    let state = decision.leads_to();
    let Some(mut hit) = view.get::<Hit>(&keys::hit(id))? else { return Ok(()) };
    view.remove(keys::queue(hit.state, hit.what.priority, id));
    if hit.state == HitState::Open {
        view.remove(keys::oldest(id));
    }
    *count_of(view, hit.state) -= 1;
    enqueue(view, id, &hit.what, state)?;
    hit.state = state;
    hit.decisions.push(decision.clone());
    view.put(keys::hit(id), &hit)
}

fn count_of<'m>(view: &'m mut View<'_>, state: HitState) -> &'m mut u64 {
    let counts = &mut view.meta_mut().counts;
    match state {
        HitState::Open => &mut counts.open,
        HitState::Confirmed => &mut counts.confirmed,
        HitState::Dismissed => &mut counts.dismissed,
        HitState::Proposed => &mut counts.proposed,
        HitState::Escalated => &mut counts.escalated,
    }
}

fn put_mark(view: &mut View<'_>, mark: &Mark) -> Result<(), StoreError> {
    let known: Option<Watched> = view.get(&keys::mark(&mark.id))?;
    let (generation, watched) = known.map_or((0, None), |known| (known.generation, known.mark));
    if watched.as_ref() == Some(mark) {
        return Ok(());
    }
    view.meta_mut().counts.marks += u64::from(watched.is_none());
    change_mark(view, &mark.id, generation, Some(mark.clone()))
}

fn put_remark(view: &mut View<'_>, remark: &Remark) -> Result<(), StoreError> {
    let known: Option<Left> = view.get(&keys::remark(&remark.key))?;
    if let Some(known) = known {
        if known.remark == *remark {
            return Ok(());
        }
        view.remove(keys::remark_generation(known.generation));
    }
    view.meta_mut().remarks += 1;
    let generation = view.meta().remarks;
    view.put(keys::remark_generation(generation), &remark.key)?;
    view.put(keys::remark(&remark.key), &Left { generation, remark: remark.clone() })
}

fn change_mark(
    view: &mut View<'_>,
    id: &crate::model::MarkId,
    before: u64,
    mark: Option<Mark>,
) -> Result<(), StoreError> {
    view.meta_mut().generation += 1;
    let generation = view.meta().generation;
    view.remove(keys::generation(before));
    view.put(keys::generation(generation), id)?;
    view.put(keys::mark(id), &Watched { generation, mark })
}

fn apply_grant(view: &mut View<'_>, grant: &Grant) -> Result<(), StoreError> {
    end_lease(view, grant.hit)?;
    view.put_key(keys::worker(&grant.worker, grant.hit));
    view.put_key(keys::lease_end(grant.until, grant.hit));
    view.put(keys::fence(grant.hit), &grant.fence)?;
    let held = Held { worker: grant.worker.clone(), fence: grant.fence, until: grant.until };
    view.put(keys::lease(grant.hit), &held)
}

fn end_lease(view: &mut View<'_>, hit: HitId) -> Result<(), StoreError> {
    let Some(held) = view.get::<Held>(&keys::lease(hit))? else { return Ok(()) };
    view.remove(keys::lease(hit));
    view.remove(keys::worker(&held.worker, hit));
    view.remove(keys::lease_end(held.until, hit));
    Ok(())
}

fn apply_host_grant(view: &mut View<'_>, grant: &HostGrant) -> Result<(), StoreError> {
    let holder = Some((grant.worker.clone(), grant.until));
    view.put(keys::host(&grant.host), &Host { next_at: grant.next_at, fence: grant.fence, holder })
}
