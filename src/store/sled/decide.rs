//! From a command to an event and an answer. Reads the view and the time it is given, changes nothing.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    apply::{Held, Host},
    keys, query,
    view::View,
};
use crate::{
    model::{AccountName, Decision, Hit, HitId, HitState, Timestamp, Verdict},
    store::{
        event::{Enqueued, Event, Grant, HostGrant},
        port::{
            Act, ClaimSpec, HitReceipt, HostLease, Lease, LeaseRef, MAX_AT_ONCE, Outcome, Receipt, Settled, StoreError,
            Write,
        },
    },
};

/// Longest name of a host or schedule, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 512;

/// What the writer is asked.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Command {
    Apply { actor: String, writes: Vec<Write> },
    Claim(ClaimSpec),
    ClaimAmong { ids: Vec<HitId>, worker: AccountName, max: usize, ttl: Duration },
    Settle(Act),
    ClaimOne { hit: HitId, worker: AccountName, ttl: Duration },
    Renew { lease: LeaseRef, ttl: Duration },
    Complete { lease: LeaseRef, decision: Decision },
    Reopen { hit: HitId, decision: Decision },
    Release { lease: LeaseRef, not_before: Option<Timestamp> },
    Expire { limit: usize },
    ClaimHosts { hosts: Vec<String>, worker: String, ttl: Duration },
    HostDone { lease: HostLease, next_at: Timestamp },
}

/// What the writer says.
#[derive(Debug, PartialEq)]
pub(in crate::store) enum Answer {
    Receipt(Receipt),
    Leases(Vec<Lease>),
    Held(bool),
    Outcome(Outcome),
    Settled(Settled),
    Ended(usize),
    Hosts(Vec<HostLease>),
}

impl Answer {
    /// An answer to another question: cannot happen, and need not panic if it does.
    pub fn unexpected(self) -> StoreError {
        StoreError::Stopped(format!("the writer gave an answer of another kind: {self:?}"))
    }
}

/// What a command comes to: an event with its actor unless nothing changes, and the answer.
#[derive(Debug)]
pub(super) struct Decided {
    pub event: Option<(String, Event)>,
    pub answer: Answer,
}

impl Decided {
    fn nothing(answer: Answer) -> Self {
        Self { event: None, answer }
    }

    fn event(actor: impl Into<String>, event: Event, answer: Answer) -> Self {
        Self { event: Some((actor.into(), event)), answer }
    }
}

/// Decides `command` at `now`.
pub(super) fn decide(
    view: &View<'_>,
    now: Timestamp,
    scan_limit: usize,
    command: Command,
) -> Result<Decided, StoreError> {
    match command {
        Command::Apply { actor, writes } => decide_apply(view, actor, writes),
        Command::Claim(spec) => {
            let ids = query::claimable(view, &spec, &query::Bounds::new(now, scan_limit))?;
            lend(view, &ids, &spec.worker, now, spec.ttl)
        }
        Command::ClaimAmong { ids, worker, max, ttl } => {
            let bounds = query::Bounds::new(now, scan_limit);
            let ids = query::claimable_among(view, &ids, &worker, max, &bounds)?;
            lend(view, &ids, &worker, now, ttl)
        }
        Command::Settle(act) => decide_settle(view, now, &act),
        Command::ClaimOne { hit, worker, ttl } => {
            let open = view.get::<Hit>(&keys::hit(hit))?.is_some_and(|hit| hit.waits_for(&worker));
            let free = holder(view, hit, now)?.is_none_or(|held| held.worker == worker);
            let ids = if open && free { vec![hit] } else { Vec::new() };
            lend(view, &ids, &worker, now, ttl)
        }
        Command::Renew { lease, ttl } => {
            if !holds(view, &lease, now)? {
                return Ok(Decided::nothing(Answer::Held(false)));
            }
            let decided = lend(view, &[lease.hit], &lease.worker, now, ttl)?;
            Ok(Decided { answer: Answer::Held(true), ..decided })
        }
        Command::Complete { lease, decision } => decide_complete(view, now, lease, decision),
        Command::Reopen { hit, decision } => decide_reopen(view, hit, decision),
        Command::Release { lease, not_before } => {
            if !holds(view, &lease, now)? {
                return Ok(Decided::nothing(Answer::Held(false)));
            }
            let actor = lease.worker.as_str().to_owned();
            let event = Event::Released { hit: lease.hit, worker: lease.worker, not_before };
            Ok(Decided::event(actor, event, Answer::Held(true)))
        }
        Command::Expire { limit } => {
            let hits = query::ended(view, now, limit.min(MAX_AT_ONCE))?;
            let answer = Answer::Ended(hits.len());
            Ok(if hits.is_empty() {
                Decided::nothing(answer)
            } else {
                Decided::event("store", Event::Expired { hits }, answer)
            })
        }
        Command::ClaimHosts { hosts, worker, ttl } => decide_hosts(view, now, &hosts, worker, ttl),
        Command::HostDone { lease, next_at } => decide_host_done(view, now, lease, next_at),
    }
}

fn decide_apply(view: &View<'_>, actor: String, writes: Vec<Write>) -> Result<Decided, StoreError> {
    let mut fresh: HashMap<&str, HitId> = HashMap::new();
    let mut last = view.meta().last_hit;
    let mut hits = Vec::new();
    for write in &writes {
        match write {
            Write::Hit(what) => {
                let known = match fresh.get(what.dedupe.as_str()) {
                    Some(&id) => Some(id),
                    None => view.get(&keys::dedupe(&what.dedupe))?,
                };
                let id = known.unwrap_or(HitId(last + 1));
                last = last.max(id.0);
                fresh.insert(&what.dedupe, id);
                hits.push(Enqueued { id, new: known.is_none() });
            }
            Write::Schedule { id, .. } => check_name("schedule", id)?,
            other => other.check()?,
        }
    }
    let receipts = hits.iter().map(|hit| HitReceipt { id: hit.id, new: hit.new }).collect();
    let answer = Answer::Receipt(Receipt { seq: 0, hits: receipts });
    Ok(Decided::event(actor, Event::Applied { writes, hits }, answer))
}

fn check_name(kind: &str, name: &str) -> Result<(), StoreError> {
    if name.len() > MAX_NAME_BYTES {
        let size = name.len();
        return Err(StoreError::Refused(format!("a {kind}'s name of {size} bytes; at most {MAX_NAME_BYTES} are kept")));
    }
    Ok(())
}

/// The unexpired lease of a hit.
pub(super) fn holder(view: &View<'_>, hit: HitId, now: Timestamp) -> Result<Option<Held>, StoreError> {
    Ok(view.get::<Held>(&keys::lease(hit))?.filter(|held| now < held.until))
}

fn holds(view: &View<'_>, lease: &LeaseRef, now: Timestamp) -> Result<bool, StoreError> {
    let held = holder(view, lease.hit, now)?;
    Ok(held.is_some_and(|held| held.fence == lease.fence && held.worker == lease.worker))
}

/// Leases `ids`, which the worker may have, and keeps the fence of those it holds already.
fn lend(
    view: &View<'_>,
    ids: &[HitId],
    worker: &AccountName,
    now: Timestamp,
    ttl: Duration,
) -> Result<Decided, StoreError> {
    let until = after(now, ttl);
    let (mut grants, mut leases) = (Vec::new(), Vec::new());
    for &id in ids {
        let Some(hit) = view.get::<Hit>(&keys::hit(id))? else { continue };
        let fence = match holder(view, id, now)? {
            Some(held) => held.fence,
            None => view.get::<u64>(&keys::fence(id))?.unwrap_or(0) + 1,
        };
        grants.push(Grant { hit: id, worker: worker.clone(), fence, until });
        leases.push(Lease { hit, lease: LeaseRef { hit: id, worker: worker.clone(), fence }, until });
    }
    Ok(if grants.is_empty() {
        Decided::nothing(Answer::Leases(leases))
    } else {
        Decided::event(worker.as_str(), Event::Leased { leases: grants }, Answer::Leases(leases))
    })
}

fn decide_complete(
    view: &View<'_>,
    now: Timestamp,
    lease: LeaseRef,
    decision: Decision,
) -> Result<Decided, StoreError> {
    let outcome = |outcome| Ok(Decided::nothing(Answer::Outcome(outcome)));
    let Some(hit) = view.get::<Hit>(&keys::hit(lease.hit))? else { return outcome(Outcome::Fenced) };
    if let Some(known) = Outcome::of_known(&hit, &decision) {
        return outcome(known);
    }
    if decision.verdict == Verdict::Reopen {
        return Err(StoreError::Refused("a lease is not completed by reopening".into()));
    }
    if hit.after(&decision).is_none() || !holds(view, &lease, now)? {
        return outcome(Outcome::Fenced);
    }
    let actor = decision.by.as_str().to_owned();
    let event = Event::Completed { hit: lease.hit, fence: lease.fence, decision };
    Ok(Decided::event(actor, event, Answer::Outcome(Outcome::Done)))
}

fn decide_settle(view: &View<'_>, now: Timestamp, act: &Act) -> Result<Decided, StoreError> {
    act.check()?;
    let (mut settled, mut seen, mut hits) = (Settled::default(), HashSet::new(), Vec::new());
    for on in act.on.iter().filter(|on| seen.insert(on.hit)) {
        let hit = view.get::<Hit>(&keys::hit(on.hit))?;
        let holder = holder(view, on.hit, now)?.map(|held| held.worker);
        let outcome = act.on(hit.as_ref(), on.decisions, holder.as_ref());
        if outcome == Outcome::Done {
            hits.push(on.hit);
        }
        settled.add(on.hit, outcome);
    }
    let answer = Answer::Settled(settled);
    if hits.is_empty() {
        return Ok(Decided::nothing(answer));
    }
    let event = Event::Settled { hits, decision: act.decision.clone() };
    Ok(Decided::event(act.decision.by.as_str(), event, answer))
}

fn decide_reopen(view: &View<'_>, id: HitId, decision: Decision) -> Result<Decided, StoreError> {
    let outcome = |outcome| Ok(Decided::nothing(Answer::Outcome(outcome)));
    if decision.verdict != Verdict::Reopen {
        return Err(StoreError::Refused("only a reopening decision takes one back".into()));
    }
    let Some(hit) = view.get::<Hit>(&keys::hit(id))? else { return outcome(Outcome::Fenced) };
    if let Some(known) = Outcome::of_known(&hit, &decision) {
        return outcome(known);
    }
    if hit.state == HitState::Open {
        return outcome(Outcome::Fenced);
    }
    let actor = decision.by.as_str().to_owned();
    Ok(Decided::event(actor, Event::Reopened { hit: id, decision }, Answer::Outcome(Outcome::Done)))
}

fn decide_hosts(
    view: &View<'_>,
    now: Timestamp,
    hosts: &[String],
    worker: String,
    ttl: Duration,
) -> Result<Decided, StoreError> {
    if hosts.len() > MAX_AT_ONCE {
        let count = hosts.len();
        return Err(StoreError::Refused(format!("{count} hosts in one claim; at most {MAX_AT_ONCE} are leased")));
    }
    let until = after(now, ttl);
    let mut fences: HashMap<&str, u64> = HashMap::new();
    let mut leases = Vec::new();
    for name in hosts {
        check_name("host", name)?;
        let known: Option<Host> = view.get(&keys::host(name))?;
        let holder = known.as_ref().and_then(|host| host.holder.as_ref()).filter(|(_, until)| now < *until);
        if holder.is_some_and(|(who, _)| *who != worker) {
            continue;
        }
        let renewed = holder.is_some();
        let (next_at, fence) = known.as_ref().map_or((now, 0), |host| (host.next_at, host.fence));
        // The same host named twice in one claim is leased once.
        let fence = *fences.entry(name).or_insert(fence + u64::from(!renewed));
        leases.push(HostGrant { host: name.clone(), worker: worker.clone(), fence, next_at, until });
    }
    let answer = Answer::Hosts(leases.iter().cloned().map(HostLease::from).collect());
    Ok(if leases.is_empty() {
        Decided::nothing(answer)
    } else {
        Decided::event(worker, Event::HostsLeased { leases }, answer)
    })
}

fn decide_host_done(
    view: &View<'_>,
    now: Timestamp,
    lease: HostLease,
    next_at: Timestamp,
) -> Result<Decided, StoreError> {
    let known: Option<Host> = view.get(&keys::host(&lease.host))?;
    let held = known.filter(|host| {
        let holder = host.holder.as_ref();
        host.fence == lease.fence && holder.is_some_and(|(who, until)| *who == lease.worker && now < *until)
    });
    let Some(host) = held else { return Ok(Decided::nothing(Answer::Held(false))) };
    let event = Event::HostDone { host: lease.host, next_at: host.next_at.max(next_at) };
    Ok(Decided::event(lease.worker, event, Answer::Held(true)))
}

/// `now + ttl`, or the end of time.
fn after(now: Timestamp, ttl: Duration) -> Timestamp {
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    now.checked_add(ttl).unwrap_or(Timestamp::MAX)
}
