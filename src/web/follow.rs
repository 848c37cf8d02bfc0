//! What the desk does with the board: keeps it up to the store, repeats remembered dismissals, hands out runs, ends acts.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::SignedDuration;

use super::{Desk, WebError, query::Query};
use crate::{
    model::{Account, AccountName, Decision, HitId, Reason, Role, Timestamp, Verdict},
    review::{BoardAsk, Entry, ReviewError},
    store::{Act, Lease, MAX_AT_ONCE, Outcome, Seen},
};

/// Who is written where the desk repeats a dismissal that a person made.
const MEMORY: &str = "desk-memory";
/// Hits offered to the store for one claim.
const OFFERED: usize = 400;
/// From how many hits on an order is kept for a moment.
const MANY: usize = 20_000;
const ORDER_FRESH_FOR: Duration = Duration::from_secs(3);
/// How old an order may be that hits are lent in, while a new one is made beside: the store knows what is free.
const ORDER_KEPT_FOR: Duration = Duration::from_secs(30);
const MAX_ORDERS: usize = 32;
/// How often alerts are looked at.
const ALERT_EVERY: Duration = Duration::from_secs(5);

/// Orders of large queues, made a moment ago.
#[derive(Debug, Default)]
pub(super) struct Orders(Mutex<HashMap<String, Ordered>>);

/// An order, and when it was made.
#[derive(Debug)]
struct Ordered {
    at: Instant,
    ids: Arc<Vec<HitId>>,
    /// A new one is being made.
    renewing: bool,
}

impl Orders {
    /// Whether a new order is to be made now: true for one asker alone.
    fn renew(&self, name: &str) -> bool {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.get_mut(name).is_some_and(|known| !std::mem::replace(&mut known.renewing, true))
    }
}

impl Desk {
    /// Takes in what changed in the store, and dismisses what is to the letter what a person dismissed.
    pub(super) async fn follow(&self, newest: bool) -> Result<(), WebError> {
        let inner = &self.inner;
        inner.board.follow(&*inner.store, newest).await?;
        let mut repeats: BTreeMap<HitId, Vec<Entry>> = BTreeMap::new();
        for (entry, precedent) in inner.board.take_remembered() {
            repeats.entry(precedent).or_default().push(entry);
        }
        for (precedent, entries) in repeats {
            let Some(hit) = inner.store.hit(precedent).await? else { continue };
            let Some(made) = hit.decisions.last().filter(|made| made.verdict == Verdict::Dismiss) else { continue };
            let by = AccountName::new(MEMORY).map_err(|_| WebError::Field("by"))?;
            let at = inner.clock.now();
            let decision = Decision {
                by,
                at,
                note: String::new(),
                looked_ms: 0,
                act: None,
                precedent: Some(precedent),
                ..made.clone()
            };
            self.settle(decision, &entries).await?;
        }
        Ok(())
    }

    /// Makes one decision on many hits as they are known; returns how many stand, and how many were left.
    pub(super) async fn settle(&self, decision: Decision, entries: &[Entry]) -> Result<(usize, usize), WebError> {
        let (mut done, mut left) = (0, 0);
        for part in entries.chunks(MAX_AT_ONCE) {
            let on = part.iter().map(|entry| Seen { hit: entry.id, decisions: entry.decisions }).collect();
            let settled = self.inner.store.settle(&Act { decision: decision.clone(), on }).await?;
            done += settled.done.len();
            left += settled.left.len();
            let touched: Vec<HitId> = settled.done.into_iter().chain(settled.left).collect();
            self.inner.board.look_at(&*self.inner.store, &touched).await?;
        }
        Ok((done, left))
    }

    /// Takes a whole act back, or only the part of it that `only` names.
    pub(super) async fn undo_act(
        &self,
        who: &Account,
        act: &str,
        only: Option<&[HitId]>,
    ) -> Result<(usize, usize), WebError> {
        if !who.decides() {
            return Err(ReviewError::MayNotDecide(who.name.to_string()).into());
        }
        let mut entries = self.inner.board.of_act(act);
        if let Some(only) = only {
            entries.retain(|entry| only.contains(&entry.id));
        }
        let first = entries.first().ok_or(WebError::NotFound)?;
        if !who.roles.has(Role::Admin) && !entries.iter().all(|entry| self.inner.board.is_by(entry, &who.name)) {
            return Err(ReviewError::NotYours { hit: first.id.0, by: String::new() }.into());
        }
        let counts = self.settle(self.reopening(who), &entries).await?;
        for entry in &entries {
            self.undo_repeats(who, entry.id).await?;
        }
        Ok(counts)
    }

    /// Opens what was dismissed only because `precedent` was.
    pub(super) async fn undo_repeats(&self, who: &Account, precedent: HitId) -> Result<(), WebError> {
        let repeats = self.inner.board.repeats_of(precedent);
        if !repeats.is_empty() {
            self.settle(self.reopening(who), &repeats).await?;
        }
        Ok(())
    }

    fn reopening(&self, who: &Account) -> Decision {
        Decision {
            verdict: Verdict::Reopen,
            reason: Reason::Undo,
            by: who.name.clone(),
            at: self.inner.clock.now(),
            note: String::new(),
            looked_ms: 0,
            second: false,
            act: None,
            precedent: None,
        }
    }

    /// Lends `who` the next hits of a run.
    pub(super) async fn lend_many(&self, who: &Account, query: &Query, max: usize) -> Result<Vec<Lease>, WebError> {
        self.follow(false).await?;
        let ids = self.order_to_lend(who, query)?;
        let mut leases: Vec<Lease> = Vec::new();
        for offered in ids.chunks(OFFERED) {
            let ttl = self.lease_time();
            leases.extend(self.inner.store.claim_among(offered, &who.name, max - leases.len(), ttl).await?);
            if leases.len() >= max {
                break;
            }
        }
        Ok(leases)
    }

    /// The hits that a list shows, in its order.
    pub(super) fn order(&self, who: &Account, query: &Query) -> Result<Arc<Vec<HitId>>, WebError> {
        let ask = BoardAsk { within: who.sees(), ..query.ask()? };
        let name = format!("{:?} {}", ask.within, query.written_whole());
        if let Some((ids, true)) = self.known_order(&name) {
            return Ok(ids);
        }
        Ok(self.new_order(name, &ask))
    }

    /// The hits that a run goes over, in its order: nobody waits for one to be made anew while there is one.
    fn order_to_lend(&self, who: &Account, query: &Query) -> Result<Arc<Vec<HitId>>, WebError> {
        let ask = BoardAsk { within: who.sees(), ..query.ask()? };
        let name = format!("{:?} {}", ask.within, query.written_whole());
        let Some((ids, fresh)) = self.known_order(&name) else { return Ok(self.new_order(name, &ask)) };
        if !fresh && self.inner.orders.renew(&name) {
            let desk = self.clone();
            tokio::task::spawn_blocking(move || desk.new_order(name, &ask));
        }
        Ok(ids)
    }

    /// An order that is kept, and whether it is fresh.
    fn known_order(&self, name: &str) -> Option<(Arc<Vec<HitId>>, bool)> {
        let mut orders = self.inner.orders.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.retain(|_, known| known.at.elapsed() < ORDER_KEPT_FOR);
        orders.get(name).map(|known| (Arc::clone(&known.ids), known.at.elapsed() < ORDER_FRESH_FOR))
    }

    fn new_order(&self, name: String, ask: &BoardAsk) -> Arc<Vec<HitId>> {
        let inner = &self.inner;
        let ids = Arc::new(inner.board.select(ask, &inner.review.deadline_hours, inner.clock.now()));
        let mut orders = inner.orders.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= MANY && (orders.len() < MAX_ORDERS || orders.contains_key(&name)) {
            orders.insert(name, Ordered { at: Instant::now(), ids: Arc::clone(&ids), renewing: false });
        } else {
            orders.remove(&name);
        }
        ids
    }

    /// Records one decision on one leased hit.
    pub(super) async fn complete(
        &self,
        lease: &crate::store::LeaseRef,
        decision: Decision,
    ) -> Result<Outcome, WebError> {
        let outcome = self.inner.store.complete(lease, decision).await?;
        self.inner.board.look_again(&*self.inner.store, lease.hit).await?;
        Ok(outcome)
    }

    /// How long a hit stays lent.
    pub(super) fn lease_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.inner.review.lease_minutes.max(1)) * 60)
    }

    /// Until when a hit stays away from who skips it; without hours for good.
    pub(super) fn away_until(&self) -> Option<Timestamp> {
        match self.inner.review.skip_hours {
            0 => Some(Timestamp::MAX),
            hours => self.inner.clock.now().checked_add(SignedDuration::from_hours(i64::from(hours))).ok(),
        }
    }

    /// Sends alerts for as long as it is let.
    pub(super) async fn keep_alerting(self) {
        loop {
            tokio::time::sleep(ALERT_EVERY).await;
            if let Err(error) = self.send_alerts().await {
                tracing::warn!(%error, "cannot send alerts; they are sent later");
            }
        }
    }

    /// Follows the store until `stop` completes, so that nobody waits for it.
    pub(super) async fn keep_up(self) {
        loop {
            if let Err(error) = self.follow(true).await {
                tracing::warn!(%error, "cannot follow the store");
            }
            if let Err(error) = super::marks::keep_up(&self).await {
                tracing::warn!(%error, "cannot follow what is noted of marks");
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}
