//! One hit: its page, and what may be done with it. Each act answers a form with the next page, the island with JSON.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Serialize;

use super::{
    Desk, WebError, acts,
    card::{self, Material, reason_words, verdict_words},
    checks,
    frame::Frame,
    gathered::Gathered,
    query::Query,
    queue::join,
    tenant,
    visit::Visit,
};
use crate::{
    model::{Account, Capture, Decision, Hit, HitId, HitState, Reason, Verdict},
    review,
    store::{Act, LeaseRef, MAX_AT_ONCE, Outcome, Seen},
};

/// Most leases given back in one request.
const MAX_RELEASED: usize = 64;

#[derive(Template)]
#[template(path = "desk/hit.html")]
struct HitPage {
    f: Frame,
    title: String,
    card: String,
    filter: String,
    prefetch: usize,
    undo_seconds: u32,
    decides: bool,
    done: Option<Done>,
}

#[derive(Template)]
#[template(path = "desk/idle.html")]
struct IdlePage {
    f: Frame,
    done: Option<Done>,
}

/// What was decided just now, with its undo.
struct Done {
    undo: String,
    words: String,
}

/// A card on its way to the island.
#[derive(Serialize)]
pub(super) struct Item {
    id: u64,
    fence: u64,
    html: String,
}

/// What the decision form sends.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// `confirm:`, `dismiss:`, `escalate:`, `approve:` or `return:`, and the reason's code.
    reason: String,
    fence: u64,
    /// How many decisions the page showed.
    seen: usize,
    note: String,
    looked_ms: u64,
    filter: String,
    /// Whether the group is decided with it.
    group: bool,
    /// Its members that were not taken out.
    members: Vec<Seen>,
    /// The name that the island gave the act.
    act: String,
}

impl Decided {
    fn read(form: Vec<(String, String)>) -> Self {
        let mut sent = Self::default();
        for (name, value) in form {
            match name.as_str() {
                "reason" => sent.reason = value,
                "fence" => sent.fence = number(&value),
                "seen" => sent.seen = value.parse().unwrap_or(usize::MAX),
                "note" => sent.note = value,
                "looked_ms" => sent.looked_ms = number(&value),
                "filter" => sent.filter = value,
                "group" => sent.group = value == "on",
                "act" => sent.act = value,
                "member" if sent.members.len() < MAX_AT_ONCE => sent.members.extend(member(&value)),
                _ => {}
            }
        }
        sent
    }
}

/// `id:decisions`.
fn member(text: &str) -> Option<Seen> {
    let (hit, decisions) = text.split_once(':')?;
    Some(Seen { hit: HitId(hit.parse().ok()?), decisions: decisions.parse().ok()? })
}

/// The verdict and reason that a button sends.
pub(super) fn spoken(sent: &str) -> Result<(Verdict, Reason), WebError> {
    let (verdict, code) = match sent.split_once(':') {
        Some(("confirm", code)) => (Verdict::Confirm, code),
        Some(("dismiss", code)) => (Verdict::Dismiss, code),
        Some(("escalate", code)) => (Verdict::Escalate, code),
        Some(("approve", code)) => (Verdict::Approve, code),
        Some(("return", code)) => (Verdict::Return, code),
        _ => return Err(WebError::Field("reason")),
    };
    Ok((verdict, review::reason(verdict, code)?))
}

/// The page of one hit; who may decide is lent it while it is open.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    let mut query = Query::parse(&raw.unwrap_or_default());
    desk.follow(false).await?;
    let (hit, fence) = lend(&desk, visit.account()?, HitId(id)).await?;
    if hit.state.waits() {
        query.state = card::state_code(hit.state).to_owned();
    }
    let place = if hit.state == HitState::Open { "queue" } else { "decided" };
    let page = HitPage {
        f: Frame::new(&visit, place),
        title: card::heading(&hit),
        card: render(&desk, &visit, &hit, fence, &query).await?,
        filter: query.run(),
        prefetch: prefetch(&desk),
        undo_seconds: desk.inner.review.undo_seconds,
        decides: visit.account()?.decides(),
        done: done(&desk, &visit, &query).await?,
    };
    Ok(Html(page.render()?))
}

/// The next hit of a run, or the page that says there is none.
pub(super) async fn next(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Response, WebError> {
    let query = Query::parse(&raw.unwrap_or_default());
    if !visit.account()?.decides() {
        return Ok(Redirect::to("/queue").into_response());
    }
    let leases = desk.lend_many(visit.account()?, &query, 1).await?;
    let done_part = if query.done.is_empty() { String::new() } else { format!("done={}", number(&query.done)) };
    if let Some(lease) = leases.first() {
        let to = join(&format!("/hits/{}", lease.hit.id), &[query.run(), done_part]);
        return Ok(Redirect::to(&to).into_response());
    }
    let page = IdlePage { f: Frame::new(&visit, "queue"), done: done(&desk, &visit, &query).await? };
    Ok(Html(page.render()?).into_response())
}

/// Lends the island the next hits of its run, rendered.
pub(super) async fn claim(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Json<Vec<Item>>, WebError> {
    let query = Query::parse(&raw.unwrap_or_default());
    let account = visit.account()?;
    if !account.decides() {
        return Err(review::ReviewError::MayNotDecide(account.name.to_string()).into());
    }
    let mut items = Vec::new();
    for lease in desk.lend_many(account, &query, prefetch(&desk)).await? {
        let fence = lease.lease.fence;
        let html = render(&desk, &visit, &lease.hit, Some(fence), &query).await?;
        items.push(Item { id: lease.hit.id.0, fence, html });
    }
    // One among others, unmarked; never where somebody looks for something.
    if items.len() > 2
        && query.run().is_empty()
        && let Some(hit) = desk.check_for(account).await?
    {
        let (hit, fence) = checks::as_if_open(hit);
        let html = render(&desk, &visit, &hit, Some(fence), &query).await?;
        let place = 1 + items.len() / 2;
        items.insert(place, Item { id: hit.id.0, fence, html });
    }
    Ok(Json(items))
}

/// One card again, lent where it is open.
pub(super) async fn claim_one(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Item>, WebError> {
    let query = Query::parse(&raw.unwrap_or_default());
    Ok(Json(item(&desk, &visit, HitId(id), &query).await?))
}

/// Takes leases back from an island that closes: `leases=id:fence,…`.
pub(super) async fn release(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Result<Json<usize>, WebError> {
    let worker = &visit.account()?.name;
    let mut released = 0;
    for pair in form.get("leases").map_or("", String::as_str).split(',').take(MAX_RELEASED) {
        if let Some((Ok(id), Ok(fence))) = pair.split_once(':').map(|(id, fence)| (id.parse(), fence.parse())) {
            let lease = LeaseRef { hit: HitId(id), worker: worker.clone(), fence };
            released += usize::from(desk.inner.store.release(&lease, None).await?);
        }
    }
    Ok(Json(released))
}

/// Records a decision, on the hit alone or on the members of its group too.
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    let (account, form) = (visit.account()?, Decided::read(form));
    let hit = tenant::hit(&desk, account, HitId(id)).await?;
    let (verdict, reason) = spoken(&form.reason)?;
    let ask = review::Ask { verdict, reason, note: form.note.clone(), looked_ms: form.looked_ms };
    let mut decision = review::decide(account, desk.inner.clock.now(), ask)?;
    let said = format!("{} · {}", verdict_words(verdict, visit.words), reason_words(reason, visit.words));
    if desk.opinion(HitId(id), &decision).await? {
        return answer(&visit, id, said, &form.filter);
    }
    if verdict == Verdict::Confirm {
        decision.second = desk.inner.review.needs_second(&hit);
    }
    desk.inner.issued.decided(&account.name);
    if form.group && !form.members.is_empty() {
        decide_group(&desk, account, HitId(id), &form, decision).await?;
        return answer(&visit, id, said, &form.filter);
    }
    let lease = LeaseRef { hit: HitId(id), worker: account.name.clone(), fence: form.fence };
    if desk.complete(&lease, decision.clone()).await? == Outcome::Fenced {
        complete_again(&desk, account, HitId(id), form.seen, decision).await?;
    }
    answer(&visit, id, said, &form.filter)
}

/// One act on a hit and the members of its group that were shown. Each stands as it was seen, or is left as it is. Members
/// that need a second person where the others do not are proposed beside it.
async fn decide_group(
    desk: &Desk,
    account: &Account,
    id: HitId,
    form: &Decided,
    decision: Decision,
) -> Result<(), WebError> {
    let decision = Decision { act: Some(acts::act_name(&form.act)?), ..decision };
    let lead = Seen { hit: id, decisions: form.seen };
    let members = form.members.iter().copied().filter(|member| member.hit != id);
    let all: Vec<Seen> = std::iter::once(lead).chain(members).collect();
    let ids: Vec<HitId> = all.iter().map(|seen| seen.hit).collect();
    let rows = desk.inner.store.rows(&ids).await?;
    if !rows.iter().all(|row| tenant::sees(account, &row.hit)) {
        return Err(WebError::NotFound);
    }
    let second: std::collections::HashSet<HitId> = rows
        .iter()
        .filter(|row| decision.verdict == Verdict::Confirm && desk.inner.review.needs_second(&row.hit))
        .map(|row| row.hit.id)
        .collect();
    let (seconded, plain): (Vec<Seen>, Vec<Seen>) = all.into_iter().partition(|seen| second.contains(&seen.hit));
    let mut stands = false;
    for (on, second) in [(plain, false), (seconded, true)] {
        if on.is_empty() {
            continue;
        }
        let settled = desk.inner.store.settle(&Act { decision: Decision { second, ..decision.clone() }, on }).await?;
        stands |= settled.done.contains(&id);
        let touched: Vec<HitId> = settled.done.iter().chain(&settled.left).copied().collect();
        desk.inner.board.look_at(&*desk.inner.store, &touched).await?;
    }
    if stands { Ok(()) } else { Err(WebError::Taken) }
}

/// The lease is lost: the decision still stands if it was recorded before, or if the hit is free and as it was shown.
async fn complete_again(
    desk: &Desk,
    account: &Account,
    id: HitId,
    seen: usize,
    decision: Decision,
) -> Result<(), WebError> {
    let hit = desk.inner.store.hit(id).await?.ok_or(WebError::NotFound)?;
    let repeated = hit.decisions.len() == seen + 1
        && hit.decisions.last().is_some_and(|made| {
            made.by == decision.by && made.verdict == decision.verdict && made.reason == decision.reason
        });
    if repeated {
        return Ok(());
    }
    if hit.decisions.len() != seen {
        return Err(WebError::Taken);
    }
    let lease = desk.inner.store.claim_one(id, &account.name, desk.lease_time()).await?.ok_or(WebError::Taken)?;
    match desk.complete(&lease.lease, decision).await? {
        Outcome::Fenced => Err(WebError::Taken),
        Outcome::Done | Outcome::AlreadyDone => Ok(()),
    }
}

/// Puts a hit back; it stays away from who skipped it.
pub(super) async fn skip(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    let (account, form) = (visit.account()?, Decided::read(form));
    desk.inner.issued.close(&account.name, HitId(id));
    let not_before = desk.away_until();
    tenant::hit(&desk, account, HitId(id)).await?;
    let lease = LeaseRef { hit: HitId(id), worker: account.name.clone(), fence: form.fence };
    if !desk.inner.store.release(&lease, not_before).await?
        && let Some(again) = desk.inner.store.claim_one(HitId(id), &account.name, desk.lease_time()).await?
    {
        desk.inner.store.release(&again.lease, not_before).await?;
    }
    if visit.wants_json {
        return Ok(Json(serde_json::json!({ "id": id })).into_response());
    }
    Ok(Redirect::to(&join("/review", &[Query::parse(&form.filter).run()])).into_response())
}

/// Takes the newest decision back and lends the hit to who did.
pub(super) async fn undo(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    RawQuery(raw): RawQuery,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    let hit = tenant::hit(&desk, account, HitId(id)).await?;
    if !desk.undo_opinion(&account.name, hit.id).await? {
        let decision = review::undo(account, desk.inner.clock.now(), &hit)?;
        if desk.inner.store.reopen(hit.id, decision).await? == Outcome::Fenced {
            return Err(WebError::Taken);
        }
        desk.inner.board.look_again(&*desk.inner.store, hit.id).await?;
        desk.undo_repeats(account, hit.id).await?;
    }
    let query = Query::parse(&raw.unwrap_or_default());
    if visit.wants_json {
        return Ok(Json(item(&desk, &visit, hit.id, &query).await?).into_response());
    }
    Ok(Redirect::to(&join(&format!("/hits/{id}"), &[query.run()])).into_response())
}

fn answer(visit: &Visit, id: u64, said: String, filter: &str) -> Result<Response, WebError> {
    if visit.wants_json {
        return Ok(Json(serde_json::json!({ "id": id, "said": said })).into_response());
    }
    let kept = Query::parse(filter).run();
    Ok(Redirect::to(&join("/review", &[kept, format!("done={id}")])).into_response())
}

async fn item(desk: &Desk, visit: &Visit, id: HitId, query: &Query) -> Result<Item, WebError> {
    let (hit, fence) = lend(desk, visit.account()?, id).await?;
    Ok(Item { id: id.0, fence: fence.unwrap_or(0), html: render(desk, visit, &hit, fence, query).await? })
}

/// The hit, and the fence of its lease where `account` may decide it and nobody else holds it.
async fn lend(desk: &Desk, account: &Account, id: HitId) -> Result<(Hit, Option<u64>), WebError> {
    let hit = tenant::hit(desk, account, id).await?;
    if desk.inner.issued.is_open(&account.name, id).is_some() {
        let (hit, fence) = checks::as_if_open(hit);
        return Ok((hit, Some(fence)));
    }
    if account.decides()
        && let Some(lease) = desk.inner.store.claim_one(id, &account.name, desk.lease_time()).await?
    {
        return Ok((lease.hit, Some(lease.lease.fence)));
    }
    Ok((hit, None))
}

async fn render(desk: &Desk, visit: &Visit, hit: &Hit, fence: Option<u64>, query: &Query) -> Result<String, WebError> {
    let frame = Frame::new(visit, "queue");
    let material = Material {
        frame: &frame,
        words: visit.words,
        zone: &desk.inner.zone,
        now: desk.inner.clock.now(),
        who: visit.account()?,
        hit,
        fence,
        evidence: evidence(desk, hit).await?,
        around: Gathered::of(desk, visit, hit).await?,
        query,
        settles_at: None,
    };
    Ok(card::render(&material)?)
}

/// The capture behind a hit, and whether its record is whole.
pub(super) async fn evidence(
    desk: &Desk,
    hit: &Hit,
) -> Result<Option<(Capture, Option<super::Verification>)>, WebError> {
    let Some(id) = &hit.what.capture else { return Ok(None) };
    let Some(capture) = desk.inner.store.capture(id).await? else { return Ok(None) };
    let found = match &desk.inner.evidence {
        Some(reader) => Some(reader.verify(&capture).await),
        None => None,
    };
    Ok(Some((capture, found)))
}

/// What the banner says of the hit decided just before, if the visitor decided it.
async fn done(desk: &Desk, visit: &Visit, query: &Query) -> Result<Option<Done>, WebError> {
    if query.done.is_empty() {
        return Ok(None);
    }
    let id = number(&query.done);
    let who = visit.account()?;
    let Ok(hit) = tenant::hit(desk, who, HitId(id)).await else { return Ok(None) };
    let own = hit.decisions.last().filter(|made| hit.state != HitState::Open && made.by == who.name);
    Ok(own.map(|made| Done {
        undo: made.act.as_ref().map_or_else(|| format!("/hits/{id}/undo"), |act| format!("/acts/{act}/undo")),
        words: format!(
            "{} {} · {}",
            visit.words.count("hit-number", id),
            verdict_words(made.verdict, visit.words),
            reason_words(made.reason, visit.words)
        ),
    }))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn prefetch(desk: &Desk) -> usize {
    desk.inner.review.prefetch.clamp(1, 50)
}
