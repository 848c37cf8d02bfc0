//! Questions that walk the index: pages, what may be claimed, what is due.
//!
//! A walk over a queue reads one key and its facets a hit, in queue order. Facets answer every filter but text;
//! only a text filter reads hits, and only so many (see [`Bounds`]).

use std::iter::Peekable;

use super::{
    apply::{Facets, Left, Watched},
    decide::holder,
    keys,
    view::{Scan, View},
};
use crate::{
    model::{AccountName, Hit, HitId, HitState, Mark, MarkId, Timestamp},
    store::port::{ClaimSpec, Cursor, Due, Filter, HitRow, MarksDelta, Order, Page, RemarksDelta, StoreError},
};

/// Most hits in a page or claim.
const MAX_HITS: usize = 200;

/// When the question is asked, and how much it may read.
#[derive(Debug)]
pub(super) struct Bounds {
    now: Timestamp,
    scan_limit: usize,
}

impl Bounds {
    pub fn new(now: Timestamp, scan_limit: usize) -> Self {
        Self { now, scan_limit }
    }
}

/// Hits after `cursor` in queue order. Where a text filter reaches its bound, the page is short and says where to go on.
pub(super) fn page(
    view: &View<'_>,
    filter: &Filter,
    cursor: Option<Cursor>,
    n: usize,
    bounds: &Bounds,
) -> Result<Page, StoreError> {
    let n = n.clamp(1, MAX_HITS);
    let mut page = Page::default();
    let mut read = 0;
    let mut last = cursor;
    for step in Queue::new(view, filter.state, cursor) {
        let (id, value) = step?;
        let facets: Facets = view.decode(&value)?;
        if !facets.may_admit(filter) {
            continue;
        }
        if read >= bounds.scan_limit.max(n) {
            page.next = last;
            break;
        }
        let Some(hit) = view.get::<Hit>(&keys::hit(id))? else { continue };
        read += 1;
        let admitted = filter.admits(&hit);
        if admitted && page.rows.len() == n {
            page.next = page.rows.last().map(|row| cursor_of(&row.hit));
            break;
        }
        last = Some(cursor_of(&hit));
        if admitted {
            let held_by = holder(view, id, bounds.now)?.map(|held| held.worker);
            page.rows.push(HitRow { hit, held_by });
        }
    }
    Ok(page)
}

/// These hits, with who holds them.
pub(super) fn rows<'i>(
    view: &View<'_>,
    ids: impl Iterator<Item = &'i HitId>,
    now: Timestamp,
) -> Result<Vec<HitRow>, StoreError> {
    let mut rows = Vec::new();
    for &id in ids {
        if let Some(hit) = view.get::<Hit>(&keys::hit(id))? {
            rows.push(HitRow { hit, held_by: holder(view, id, now)?.map(|held| held.worker) });
        }
    }
    Ok(rows)
}

fn cursor_of(hit: &Hit) -> Cursor {
    Cursor { priority: hit.what.priority, id: hit.id }
}

/// The queues of one or all states, walked together in queue order.
struct Queue<'v>(Vec<Peekable<Scan<'v>>>);

impl<'v> Queue<'v> {
    fn new(view: &'v View<'_>, state: Option<HitState>, cursor: Option<Cursor>) -> Self {
        let scans = HitState::ALL.into_iter().filter(|each| state.is_none_or(|state| state == *each)).map(|state| {
            let after = cursor.map(|last| keys::queue(state, last.priority, last.id));
            view.scan(&keys::queue_of(state), after.as_deref()).peekable()
        });
        Self(scans.collect())
    }
}

impl Iterator for Queue<'_> {
    type Item = Result<(HitId, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = |scan: &mut Peekable<Scan<'_>>| match scan.peek() {
            // An error comes first, whatever else there is.
            Some(Err(_)) => Some(Vec::new()),
            Some(Ok((key, _))) => Some(key.get(2..).unwrap_or_default().to_vec()),
            None => None,
        };
        let first =
            self.0.iter_mut().filter_map(|scan| place(scan).map(|place| (place, scan))).min_by(|a, b| a.0.cmp(&b.0));
        let step = first?.1.next()?;
        Some(step.map(|(key, value)| (keys::id_of(&key).unwrap_or(HitId(0)), value)))
    }
}

/// Open hits the worker may be lent, its own first, then in the order asked for.
pub(super) fn claimable(view: &View<'_>, spec: &ClaimSpec, bounds: &Bounds) -> Result<Vec<HitId>, StoreError> {
    let max = spec.max.clamp(1, MAX_HITS);
    if spec.filter.state.is_some_and(|state| state != HitState::Open) {
        return Ok(Vec::new());
    }
    let mut ids = own(view, spec, bounds)?;
    ids.truncate(max);
    let prefix = match spec.order {
        Order::Priority => keys::queue_of(HitState::Open),
        Order::Oldest => keys::OLDEST.to_vec(),
    };
    let mut read = 0;
    for step in view.scan(&prefix, None) {
        if ids.len() >= max || read >= bounds.scan_limit {
            break;
        }
        let (key, value) = step?;
        let Some(id) = keys::id_of(&key) else { continue };
        if !view.decode::<Facets>(&value)?.may_admit(&spec.filter) || !free(view, id, &spec.worker, bounds)? {
            continue;
        }
        if spec.filter.text.is_some() {
            read += 1;
            let hit = view.get::<Hit>(&keys::hit(id))?;
            if !hit.is_some_and(|hit| spec.filter.admits(&hit)) {
                continue;
            }
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Those of `ids` that may be lent to `worker`, in their order.
pub(super) fn claimable_among(
    view: &View<'_>,
    ids: &[HitId],
    worker: &AccountName,
    max: usize,
    bounds: &Bounds,
) -> Result<Vec<HitId>, StoreError> {
    let mut chosen: Vec<HitId> = Vec::new();
    for &id in ids {
        if chosen.len() >= max.clamp(1, MAX_HITS) {
            break;
        }
        let own = holder(view, id, bounds.now)?.is_some_and(|held| held.worker == *worker);
        if chosen.contains(&id) || !(own || free(view, id, worker, bounds)?) {
            continue;
        }
        if view.get::<Hit>(&keys::hit(id))?.is_some_and(|hit| hit.waits_for(worker)) {
            chosen.push(id);
        }
    }
    Ok(chosen)
}

/// What the worker holds already and the filter admits, in order.
fn own(view: &View<'_>, spec: &ClaimSpec, bounds: &Bounds) -> Result<Vec<HitId>, StoreError> {
    let mut own = Vec::new();
    for step in view.scan(&keys::worker_of(&spec.worker), None) {
        let Some(id) = keys::id_of(&step?.0) else { continue };
        if holder(view, id, bounds.now)?.is_none_or(|held| held.worker != spec.worker) {
            continue;
        }
        if let Some(hit) = view.get::<Hit>(&keys::hit(id))?
            && hit.state == HitState::Open
            && spec.filter.admits(&hit)
        {
            own.push((keys::place(hit.what.priority, id), id));
        }
    }
    if spec.order == Order::Priority {
        own.sort_unstable();
    }
    Ok(own.into_iter().map(|(_, id)| id).collect())
}

/// Held by nobody, and not resting from this worker.
fn free(view: &View<'_>, id: HitId, worker: &AccountName, bounds: &Bounds) -> Result<bool, StoreError> {
    if holder(view, id, bounds.now)?.is_some() {
        return Ok(false);
    }
    let rests: Option<Timestamp> = view.get(&keys::resting(id, worker))?;
    Ok(rests.is_none_or(|until| until <= bounds.now))
}

/// Hits whose lease has run out, the longest ago first.
pub(super) fn ended(view: &View<'_>, now: Timestamp, limit: usize) -> Result<Vec<HitId>, StoreError> {
    let mut hits = Vec::new();
    for step in view.scan(keys::LEASE_ENDS, None).take(limit) {
        let (key, _) = step?;
        if key.get(1..17) > Some(&keys::instant(now)[..]) {
            break;
        }
        hits.extend(keys::id_of(&key));
    }
    Ok(hits)
}

/// Schedules whose time has come, oldest first.
pub(super) fn due(view: &View<'_>, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
    let mut due = Vec::new();
    for step in view.scan(keys::DUE, None).take(limit) {
        let (key, _) = step?;
        if key.get(1..17) > Some(&keys::instant(now)[..]) {
            break;
        }
        let id = String::from_utf8_lossy(key.get(17..).unwrap_or_default()).into_owned();
        if let Some(due_at) = view.get(&keys::schedule(&id))? {
            due.push(Due { id, due_at });
        }
    }
    Ok(due)
}

/// One mark that is watched.
pub(super) fn mark(view: &View<'_>, id: &MarkId) -> Result<Option<Mark>, StoreError> {
    Ok(view.get::<Watched>(&keys::mark(id))?.and_then(|watched| watched.mark))
}

/// Remarks left after `generation`, in the order of their change.
pub(super) fn remarks_since(view: &View<'_>, generation: u64) -> Result<RemarksDelta, StoreError> {
    let mut delta = RemarksDelta { generation: view.meta().remarks, ..RemarksDelta::default() };
    for step in view.scan(keys::REMARKS_LEFT, Some(&keys::remark_generation(generation))) {
        let key: String = view.decode(&step?.1)?;
        delta.put.extend(view.get::<Left>(&keys::remark(&key))?.map(|left| left.remark));
    }
    Ok(delta)
}

/// Marks changed after `generation`, by id.
pub(super) fn marks_since(view: &View<'_>, generation: u64) -> Result<MarksDelta, StoreError> {
    let mut changed: Vec<MarkId> = Vec::new();
    for step in view.scan(keys::GENERATIONS, Some(&keys::generation(generation))) {
        changed.push(view.decode(&step?.1)?);
    }
    changed.sort_unstable();
    let mut delta = MarksDelta { generation: view.meta().generation, ..MarksDelta::default() };
    for id in changed {
        match view.get::<Watched>(&keys::mark(&id))? {
            Some(Watched { mark: Some(mark), .. }) => delta.put.push(mark),
            Some(Watched { mark: None, .. }) => delta.removed.push(id),
            None => {}
        }
    }
    Ok(delta)
}
