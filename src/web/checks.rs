//! Hits that come back unmarked to see how well decisions hold: known ones (gold), and a share for a second person.
//!
//! What is said of them is kept as an opinion and changes no hit. Who they were handed to is known in memory only: after a
//! restart an answer that is under way is refused, and nothing is lost.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use super::{Desk, WebError, tenant, visit::Visit};
use crate::{
    model::{Account, AccountName, Check, Decision, Hit, HitId, HitState, Remark, Saying, Verdict},
    review::ReviewError,
};

/// The fence that a card shows which is no lease.
const NO_LEASE: u64 = 1;

/// What was handed out to whom.
#[derive(Debug, Default)]
pub(super) struct Issued(Mutex<HashMap<AccountName, Given>>);

#[derive(Debug, Default)]
struct Given {
    open: BTreeMap<HitId, Check>,
    since: u32,
}

impl Issued {
    fn lock(&self) -> MutexGuard<'_, HashMap<AccountName, Given>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a decision.
    pub(super) fn decided(&self, who: &AccountName) {
        self.lock().entry(who.clone()).or_default().since += 1;
    }

    /// Whether `hit` was handed to `who` to be judged again.
    pub(super) fn is_open(&self, who: &AccountName, hit: HitId) -> Option<Check> {
        self.lock().get(who)?.open.get(&hit).copied()
    }

    /// Ends one.
    pub(super) fn close(&self, who: &AccountName, hit: HitId) {
        if let Some(given) = self.lock().get_mut(who) {
            given.open.remove(&hit);
        }
    }

    fn reopen(&self, who: &AccountName, hit: HitId, check: Check) {
        self.lock().entry(who.clone()).or_default().open.insert(hit, check);
    }
}

/// The hit as it stood before it was decided, with the fence of nothing.
pub(super) fn as_if_open(mut hit: Hit) -> (Hit, u64) {
    while hit.decisions.pop().is_some_and(|made| made.leads_to() == HitState::Open) {}
    hit.state = HitState::Open;
    (hit, NO_LEASE)
}

fn key(who: &AccountName, hit: HitId) -> String {
    format!("opinion:{hit}:{who}")
}

impl Desk {
    /// A hit for `who` to judge again, when it is time for one.
    pub(super) async fn check_for(&self, account: &Account) -> Result<Option<Hit>, WebError> {
        // Others are not shown hits of other tenants to see how well they judge.
        if !account.sees().is_everything() {
            return Ok(None);
        }
        let who = &account.name;
        let (review, board) = (&self.inner.review, &self.inner.board);
        {
            let mut issued = self.inner.issued.lock();
            let given = issued.entry(who.clone()).or_default();
            if !given.open.is_empty() {
                return Ok(None);
            }
            let second = review.second_look_one_in > 0;
            let gold = review.gold_one_in > 0 && given.since >= review.gold_one_in;
            if !(second || gold) {
                return Ok(None);
            }
        }
        let said = board.opinions();
        let judged = |hit: HitId| said.iter().any(|opinion| opinion.hit == hit && opinion.by == *who);
        let since = self.inner.issued.lock().get(who).map_or(0, |given| given.since);
        let gold = (review.gold_one_in > 0 && since >= review.gold_one_in)
            .then(|| board.gold().into_iter().map(|(hit, _)| hit).find(|&hit| !judged(hit)))
            .flatten();
        let second = || {
            let looked = |hit: HitId| said.iter().any(|opinion| opinion.hit == hit && opinion.check == Check::Second);
            board.second_looks(review.second_look_one_in, who).into_iter().find(|&hit| !looked(hit))
        };
        let found = gold.map(|hit| (hit, Check::Gold)).or_else(|| second().map(|hit| (hit, Check::Second)));
        let Some((id, check)) = found else { return Ok(None) };
        let Some(hit) = self.inner.store.hit(id).await? else { return Ok(None) };
        // Who decided it themselves would know it again.
        if hit.decisions.iter().any(|made| made.by == *who) || hit.state.waits() {
            return Ok(None);
        }
        let mut issued = self.inner.issued.lock();
        let given = issued.entry(who.clone()).or_default();
        given.open.insert(id, check);
        if check == Check::Gold {
            given.since = 0;
        }
        Ok(Some(hit))
    }

    /// Keeps what was said of a hit that was handed out to be judged again; false when it was not.
    pub(super) async fn opinion(&self, id: HitId, said: &Decision) -> Result<bool, WebError> {
        let Some(check) = self.inner.issued.is_open(&said.by, id) else { return Ok(false) };
        let hit = self.inner.store.hit(id).await?.ok_or(WebError::NotFound)?;
        let known = self.inner.board.gold().into_iter().find(|(gold, _)| *gold == id).map(|(_, verdict)| verdict);
        let newest = hit.decisions.last().ok_or(WebError::Taken)?;
        let against = match (check, known) {
            (Check::Gold, Some(verdict)) => verdict,
            _ => newest.settles(),
        };
        let of = newest.by.clone();
        let says = Saying::Opinion { hit: id, verdict: said.verdict, reason: said.reason, check, against, of };
        self.remark(Remark { key: key(&said.by, id), by: said.by.clone(), at: said.at, says }).await?;
        self.inner.issued.close(&said.by, id);
        Ok(true)
    }

    /// Takes an opinion back and hands the hit out again; false when there is none.
    pub(super) async fn undo_opinion(&self, who: &AccountName, id: HitId) -> Result<bool, WebError> {
        let key = key(who, id);
        let Some(Remark { says: Saying::Opinion { check, .. }, .. }) = self.inner.board.remark(&key) else {
            return Ok(false);
        };
        self.remark(Remark { key, by: who.clone(), at: self.inner.clock.now(), says: Saying::Gone }).await?;
        self.inner.issued.reopen(who, id, check);
        Ok(true)
    }
}

/// Makes a decided hit one whose answer is known, or no longer.
pub(super) async fn gold(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, WebError> {
    let known = form.get("gold").is_none_or(|gold| gold != "off");
    desk.set_gold(visit.account()?, HitId(id), known).await?;
    Ok(Redirect::to(&format!("/hits/{id}")).into_response())
}

impl Desk {
    /// Makes a decided hit one whose answer is `known`, or no longer.
    pub(super) async fn set_gold(&self, account: &Account, id: HitId, known: bool) -> Result<(), WebError> {
        if !account.decides() {
            return Err(ReviewError::MayNotDecide(account.name.to_string()).into());
        }
        let verdict = match tenant::hit(self, account, id).await?.state {
            HitState::Confirmed => Verdict::Confirm,
            HitState::Dismissed => Verdict::Dismiss,
            _ => return Err(WebError::Taken),
        };
        let says = if known { Saying::Gold { hit: id, verdict } } else { Saying::Gone };
        self.say(account, format!("gold:{id}"), says).await
    }
}
