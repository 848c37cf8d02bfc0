//! Disagreements: hits that a second person, who did not know the decision, saw otherwise. A third one says first what they
//! see themselves, is shown what both said, and settles it; what is overruled is taken back by a reversing decision.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{
    Desk, WebError,
    card::{self, Material, age_words, reason_words, time_words, verdict_words, visible, visible_up_to},
    checks,
    frame::Frame,
    gathered::Gathered,
    hit::{evidence, spoken},
    query::Query,
    visit::Visit,
};
use crate::{
    model::{Account, Check, Decision, Hit, HitId, Reason, Remark, Saying, Timestamp, Verdict},
    review::{self, Opinion, ReviewError},
    store::Outcome,
};

/// Disagreements listed.
const SHOWN: usize = 100;

/// What somebody says of a disputed hit.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub verdict: Verdict,
    pub reason: Reason,
    pub note: String,
    pub looked_ms: u64,
}

/// What one of two said.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub by: String,
    pub verdict: Verdict,
    pub reason: Reason,
    pub note: String,
    pub at: Timestamp,
}

/// A disputed hit, as one who may settle it sees it.
pub(super) struct Disputed {
    /// As if it were open: nothing tells how it was decided.
    pub hit: Hit,
    /// What the two said, and the own view before; empty until that was said.
    pub views: Vec<View>,
}

impl Desk {
    /// The disagreements that `account` may settle: none that they are a part of.
    pub(super) async fn disputes_for(&self, account: &Account) -> Result<Vec<(Opinion, Hit)>, WebError> {
        self.follow(true).await?;
        let waiting: Vec<Opinion> = self.inner.board.disputes().into_iter().take(SHOWN).collect();
        let ids: Vec<HitId> = waiting.iter().map(|opinion| opinion.hit).collect();
        let rows = self.inner.store.rows(&ids).await?;
        let hits: BTreeMap<HitId, Hit> = rows.into_iter().map(|row| (row.hit.id, row.hit)).collect();
        let own = waiting.into_iter().filter_map(|opinion| Some((hits.get(&opinion.hit)?.clone(), opinion)));
        Ok(own.filter(|(hit, opinion)| !is_part(account, hit, opinion)).map(|(hit, opinion)| (opinion, hit)).collect())
    }

    /// One of them.
    pub(super) async fn dispute_for(&self, account: &Account, id: HitId) -> Result<Disputed, WebError> {
        let (opinion, hit) = self.disputed(account, id).await?;
        let mut views = Vec::new();
        if let Some(own) = self.inner.board.third_view(&account.name, id)
            && let Some(first) = hit.decisions.last()
        {
            views = vec![
                View {
                    by: first.by.to_string(),
                    verdict: opinion.against,
                    reason: first.reason,
                    note: first.note.clone(),
                    at: first.at,
                },
                said(opinion),
                said(own),
            ];
        }
        let (hit, _) = checks::as_if_open(hit);
        Ok(Disputed { hit, views })
    }

    async fn disputed(&self, account: &Account, id: HitId) -> Result<(Opinion, Hit), WebError> {
        self.follow(true).await?;
        let opinion = self.inner.board.dispute(id).ok_or(WebError::NotFound)?;
        let hit = self.inner.store.hit(id).await?.ok_or(WebError::NotFound)?;
        if is_part(account, &hit, &opinion) {
            return Err(ReviewError::Involved(id.0).into());
        }
        Ok((opinion, hit))
    }

    /// Keeps what a third person sees in a disputed hit before they are shown what the two said.
    pub(super) async fn view_dispute(&self, account: &Account, id: HitId, said: Said) -> Result<(), WebError> {
        let (opinion, hit) = self.disputed(account, id).await?;
        let at = self.inner.clock.now();
        let checked = decision(account, at, said)?;
        // What was said first counts: later words know what the others said.
        if self.inner.board.third_view(&account.name, id).is_some() {
            return Ok(());
        }
        let of = hit.decisions.last().map_or(opinion.of, |made| made.by.clone());
        let says = Saying::Opinion {
            hit: id,
            verdict: checked.verdict,
            reason: checked.reason,
            check: Check::Third,
            against: opinion.against,
            of,
        };
        let by = account.name.clone();
        self.remark(Remark { key: format!("opinion:{id}:{by}"), by, at, says }).await
    }

    /// Settles a disagreement. Where the decision is overruled it is taken back as an undo would, and the new one is made.
    pub(super) async fn settle_dispute(&self, account: &Account, id: HitId, said: Said) -> Result<(), WebError> {
        let (opinion, hit) = self.disputed(account, id).await?;
        let at = self.inner.clock.now();
        let made = decision(account, at, said)?;
        if self.inner.board.third_view(&account.name, id).is_none() {
            return Err(ReviewError::ViewFirst(id.0).into());
        }
        if made.verdict != opinion.against {
            self.overrule(account, &hit, at, made.clone()).await?;
        }
        let first = hit.decisions.last().map_or(opinion.of, |made| made.by.clone());
        let says = Saying::Settled {
            hit: id,
            verdict: made.verdict,
            reason: made.reason,
            note: made.note,
            first,
            decided: opinion.against,
            second: opinion.by,
            said: opinion.verdict,
        };
        self.remark(Remark { key: format!("settled:{id}"), by: account.name.clone(), at, says }).await
    }

    /// Were the server to end between the two decisions, the hit would be open and come to the queue again.
    async fn overrule(&self, account: &Account, hit: &Hit, at: Timestamp, mut made: Decision) -> Result<(), WebError> {
        let store = &self.inner.store;
        if store.reopen(hit.id, review::overrule(account, at, hit)?).await? == Outcome::Fenced {
            return Err(WebError::Taken);
        }
        self.inner.board.look_again(&**store, hit.id).await?;
        self.undo_repeats(account, hit.id).await?;
        made.second = made.verdict == Verdict::Confirm && self.inner.review.needs_second(hit);
        let lease = store.claim_one(hit.id, &account.name, self.lease_time()).await?.ok_or(WebError::Taken)?;
        match self.complete(&lease.lease, made).await? {
            Outcome::Fenced => Err(WebError::Taken),
            Outcome::Done | Outcome::AlreadyDone => Ok(()),
        }
    }
}

/// A confirmation or a dismissal: whoever settles cannot pass it on.
fn decision(account: &Account, at: Timestamp, said: Said) -> Result<Decision, WebError> {
    let Said { verdict, reason, note, looked_ms } = said;
    if !matches!(verdict, Verdict::Confirm | Verdict::Dismiss) {
        return Err(WebError::Field("verdict"));
    }
    Ok(review::decide(account, at, review::Ask { verdict, reason, note, looked_ms })?)
}

fn is_part(account: &Account, hit: &Hit, opinion: &Opinion) -> bool {
    opinion.by == account.name || hit.decisions.iter().any(|made| made.by == account.name)
}

fn said(opinion: Opinion) -> View {
    let Opinion { by, verdict, reason, at, .. } = opinion;
    View { by: by.to_string(), verdict, reason, note: String::new(), at }
}

#[derive(Template)]
#[template(path = "desk/disputes.html")]
struct DisputesPage {
    f: Frame,
    rows: Vec<Row>,
}

struct Row {
    id: u64,
    title: String,
    family: String,
    waits: String,
    viewed: bool,
}

#[derive(Template)]
#[template(path = "desk/dispute.html")]
struct DisputePage {
    f: Frame,
    title: String,
    views: Vec<Told>,
    card: String,
}

struct Told {
    by: String,
    verdict: String,
    reason: String,
    note: String,
    at: String,
}

/// Those that wait for a third person.
pub(super) async fn list(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    let account = visit.account()?;
    let now = desk.inner.clock.now();
    let rows = desk.disputes_for(account).await?.into_iter().map(|(opinion, hit)| Row {
        id: hit.id.0,
        title: visible(&hit.what.listing.title),
        family: visible(&hit.what.family),
        waits: age_words(now.duration_since(opinion.at).as_mins(), visit.words),
        viewed: desk.inner.board.third_view(&account.name, hit.id).is_some(),
    });
    let page = DisputesPage { rows: rows.collect(), f: Frame::new(&visit, "disputes") };
    Ok(Html(page.render()?))
}

/// One of them: first to be judged unseen, then with what the two said.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<Html<String>, WebError> {
    let Disputed { hit, views } = desk.dispute_for(visit.account()?, HitId(id)).await?;
    let frame = Frame::new(&visit, "disputes");
    let mut around = Gathered::of(&desk, &visit, &hit).await?;
    // The group is no part of what is settled.
    around.members.clear();
    let act = if views.is_empty() { "view" } else { "decide" };
    let material = Material {
        frame: &frame,
        words: visit.words,
        zone: &desk.inner.zone,
        now: desk.inner.clock.now(),
        who: visit.account()?,
        hit: &hit,
        fence: Some(0),
        evidence: evidence(&desk, &hit).await?,
        around,
        query: &Query::default(),
        settles_at: Some(format!("/disputes/{id}/{act}")),
    };
    let told = |view: View| Told {
        by: view.by,
        verdict: verdict_words(view.verdict, visit.words),
        reason: reason_words(view.reason, visit.words),
        note: visible_up_to(&view.note, review::MAX_NOTE_CHARS),
        at: time_words(view.at, &desk.inner.zone),
    };
    let page = DisputePage {
        title: card::heading(&hit),
        card: card::render(&material)?,
        views: views.into_iter().map(told).collect(),
        f: frame.clone(),
    };
    Ok(Html(page.render()?))
}

fn sent(form: &BTreeMap<String, String>) -> Result<Said, WebError> {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let (verdict, reason) = spoken(field("reason"))?;
    Ok(Said { verdict, reason, note: field("note").to_owned(), looked_ms: field("looked_ms").parse().unwrap_or(0) })
}

/// Takes the own view.
pub(super) async fn view(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    desk.disputed(account, HitId(id)).await?;
    desk.view_dispute(account, HitId(id), sent(&form)?).await?;
    Ok(Redirect::to(&format!("/disputes/{id}")).into_response())
}

/// Takes the last word.
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    desk.disputed(account, HitId(id)).await?;
    desk.settle_dispute(account, HitId(id), sent(&form)?).await?;
    Ok(Redirect::to("/disputes").into_response())
}
