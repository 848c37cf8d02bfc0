//! Hits: list, lend, decide, take back.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{
    cursor, matches,
    shape::{
        CaptureRecord, Claim, Counts, DecisionMade, DecisionWanted, Done, Fence, HitLine, HitWhole, Lease,
        ListingKnown, Problem,
    },
    with_version,
};
use crate::{
    model::{Account, HitId, HitState, ListingId, Verdict},
    review,
    store::{ClaimSpec, Cursor, Filter, LeaseRef, Order, Outcome},
    web::{Desk, WebError, query::Query, tenant, visit::Visit},
};

/// Counters of what the account sees.
#[utoipa::path(get, path = "/api/v1/counts", tag = "hits", responses((status = 200, body = Counts)))]
pub(super) async fn counts(State(desk): State<Desk>, visit: Visit) -> Result<Json<Counts>, WebError> {
    Ok(Json(tenant::counts(&desk, visit.account()?).await?.into()))
}

/// The filter of an address; all states where none is asked for.
pub(super) fn filter(query: &str, account: &Account) -> Result<(Filter, String, String), WebError> {
    let pair = |wanted: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).take(32).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let fields = Query::parse(query);
    let mut filter = fields.filter()?;
    if fields.state.is_empty() {
        filter.state = None;
    }
    Ok((tenant::within(account, filter), pair("cursor"), pair("limit")))
}

/// Hits in the queue's order.
#[utoipa::path(
    get, path = "/api/v1/hits", tag = "hits",
    params(
        ("state" = Option<String>, Query, description = "open, proposed, escalated, confirmed or dismissed"),
        ("severity" = Option<String>, Query, description = "at least this: low, medium, high, critical"),
        ("platform" = Option<String>, Query), ("family" = Option<String>, Query), ("text" = Option<String>, Query),
        ("limit" = Option<usize>, Query, description = "1 to 200"), ("cursor" = Option<String>, Query)
    ),
    responses((status = 200, body = Vec<HitLine>), (status = 422, body = Problem))
)]
pub(super) async fn list(State(desk): State<Desk>, visit: Visit, uri: Uri) -> Result<Response, WebError> {
    let account = visit.account()?;
    let query = uri.query().unwrap_or_default();
    let (filter, cursor, limit) = filter(query, account)?;
    let list = format!("hits {}", serde_json::to_string(&filter).unwrap_or_default());
    let after = if cursor.is_empty() { String::new() } else { cursor::open(&list, &cursor)? };
    let place = store_cursor(&after)?;
    let page = desk.inner.store.page(&filter, place, cursor::rows(&limit)?).await?;
    let rows: Vec<HitLine> = page.rows.into_iter().map(HitLine::from).collect();
    let mut answer = Json(rows).into_response();
    if let Some(next) = page.next {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().take(32).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let next = cursor::seal(&list, &format!("{}-{}", next.priority, next.id));
        put_link(&mut answer, &cursor::link(uri.path(), &pairs, &next));
    }
    Ok(answer)
}

/// `priority-id`: where a page of the store begins.
fn store_cursor(after: &str) -> Result<Option<Cursor>, WebError> {
    if after.is_empty() {
        return Ok(None);
    }
    let (priority, id) = after.split_once('-').ok_or(WebError::Field("cursor"))?;
    match (priority.parse(), id.parse()) {
        (Ok(priority), Ok(id)) => Ok(Some(Cursor { priority, id: HitId(id) })),
        _ => Err(WebError::Field("cursor")),
    }
}

/// Says where the next page is.
pub(in super::super) fn put_link(answer: &mut Response, link: &str) {
    if let Ok(link) = HeaderValue::from_str(link) {
        answer.headers_mut().insert(header::LINK, link);
    }
}

/// Lends open hits to who asks; those it holds already come first.
#[utoipa::path(post, path = "/api/v1/hits/claim", tag = "hits", request_body = Claim, responses((status = 200, body = Vec<Lease>)))]
pub(super) async fn claim(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<Claim>,
) -> Result<Json<Vec<Lease>>, WebError> {
    let account = visit.account()?;
    let Claim { max, family, platform, severity, text, order } = wanted;
    let filter = Query { family, platform, severity, text, ..Query::default() }.filter()?;
    let max = max.unwrap_or(1);
    if !(1..=200).contains(&max) {
        return Err(WebError::Field("max"));
    }
    let order = match order.as_str() {
        "" | "priority" => Order::Priority,
        "oldest" => Order::Oldest,
        _ => return Err(WebError::Field("order")),
    };
    let filter = tenant::within(account, Filter { state: Some(HitState::Open), ..filter });
    let spec = ClaimSpec { worker: account.name.clone(), filter, order, max, ttl: desk.lease_time() };
    Ok(Json(desk.inner.store.claim(&spec).await?.into_iter().map(Lease::from).collect()))
}

/// One hit; its version is how many decisions it has.
#[utoipa::path(get, path = "/api/v1/hits/{id}", tag = "hits", params(("id" = u64, Path)), responses((status = 200, body = HitWhole), (status = 404, body = Problem)))]
pub(super) async fn one(State(desk): State<Desk>, visit: Visit, Path(id): Path<u64>) -> Result<Response, WebError> {
    let hit = tenant::hit(&desk, visit.account()?, HitId(id)).await?;
    Ok(with_version(hit.decisions.len(), HitWhole::from(hit)))
}

/// The capture that a hit rests on.
#[utoipa::path(get, path = "/api/v1/hits/{id}/capture", tag = "hits", params(("id" = u64, Path)), responses((status = 200, body = CaptureRecord), (status = 404, body = Problem)))]
pub(super) async fn capture(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<Json<CaptureRecord>, WebError> {
    Ok(Json(tenant::capture(&desk, visit.account()?, HitId(id)).await?.into()))
}

/// A listing as it is known now.
#[utoipa::path(get, path = "/api/v1/listings/{id}", tag = "hits", params(("id" = String, Path)), responses((status = 200, body = ListingKnown), (status = 404, body = Problem)))]
pub(super) async fn listing(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Json<ListingKnown>, WebError> {
    let id = ListingId::new(&id).map_err(|_| WebError::NotFound)?;
    let found = tenant::listing(&desk, visit.account()?, &id).await?;
    Ok(Json(ListingKnown {
        listing: serde_json::to_value(&found.listing).unwrap_or_default(),
        capture: found.capture.map(Into::into),
        first_seen: found.first_seen.to_string(),
        last_seen: found.last_seen.to_string(),
    }))
}

/// Lends one named hit.
#[utoipa::path(post, path = "/api/v1/hits/{id}/claim", tag = "hits", params(("id" = u64, Path)), responses((status = 200, body = Lease), (status = 409, body = Problem)))]
pub(super) async fn claim_one(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<Json<Lease>, WebError> {
    let account = visit.account()?;
    tenant::hit(&desk, account, HitId(id)).await?;
    let lease = desk.inner.store.claim_one(HitId(id), &account.name, desk.lease_time()).await?;
    Ok(Json(lease.ok_or(WebError::Taken)?.into()))
}

/// Lends it longer.
#[utoipa::path(post, path = "/api/v1/hits/{id}/renew", tag = "hits", params(("id" = u64, Path)), request_body = Fence, responses((status = 200, body = Done)))]
pub(super) async fn renew(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(Fence { fence }): Json<Fence>,
) -> Result<Json<Done>, WebError> {
    let lease = lease(&desk, &visit, id, fence).await?;
    Ok(Json(Done { done: desk.inner.store.renew(&lease, desk.lease_time()).await? }))
}

/// Gives it back.
#[utoipa::path(post, path = "/api/v1/hits/{id}/release", tag = "hits", params(("id" = u64, Path)), request_body = Fence, responses((status = 200, body = Done)))]
pub(super) async fn release(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(Fence { fence }): Json<Fence>,
) -> Result<Json<Done>, WebError> {
    let lease = lease(&desk, &visit, id, fence).await?;
    Ok(Json(Done { done: desk.inner.store.release(&lease, None).await? }))
}

/// Gives it back, not to come again to who asks.
#[utoipa::path(post, path = "/api/v1/hits/{id}/skip", tag = "hits", params(("id" = u64, Path)), request_body = Fence, responses((status = 200, body = Done)))]
pub(super) async fn skip(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(Fence { fence }): Json<Fence>,
) -> Result<Json<Done>, WebError> {
    let lease = lease(&desk, &visit, id, fence).await?;
    Ok(Json(Done { done: desk.inner.store.release(&lease, desk.away_until()).await? }))
}

/// Decides a hit that who asks holds.
#[utoipa::path(
    post, path = "/api/v1/hits/{id}/decide", tag = "hits",
    params(("id" = u64, Path), ("If-Match" = Option<String>, Header, description = "the version that was seen")),
    request_body = DecisionWanted,
    responses((status = 200, body = DecisionMade), (status = 409, body = Problem), (status = 412, body = Problem))
)]
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(wanted): Json<DecisionWanted>,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    let hit = tenant::hit(&desk, account, HitId(id)).await?;
    matches(&headers, hit.decisions.len())?;
    let verdict = match wanted.verdict.as_str() {
        "confirm" => Verdict::Confirm,
        "dismiss" => Verdict::Dismiss,
        "escalate" => Verdict::Escalate,
        "approve" => Verdict::Approve,
        "return" => Verdict::Return,
        _ => return Err(WebError::Field("verdict")),
    };
    let reason = review::reason(verdict, &wanted.reason)?;
    let ask = review::Ask { verdict, reason, note: wanted.note, looked_ms: wanted.looked_ms };
    let mut decision = review::decide(account, desk.inner.clock.now(), ask)?;
    decision.second = verdict == Verdict::Confirm && desk.inner.review.needs_second(&hit);
    let lease = LeaseRef { hit: hit.id, worker: account.name.clone(), fence: wanted.fence };
    match desk.complete(&lease, decision.clone()).await? {
        Outcome::Fenced => Err(WebError::Taken),
        Outcome::Done | Outcome::AlreadyDone => Ok(with_version(hit.decisions.len() + 1, DecisionMade::from(decision))),
    }
}

/// Takes the newest decision back.
#[utoipa::path(
    post, path = "/api/v1/hits/{id}/undo", tag = "hits",
    params(("id" = u64, Path), ("If-Match" = Option<String>, Header, description = "the version that was seen")),
    responses((status = 200, body = DecisionMade), (status = 409, body = Problem), (status = 412, body = Problem))
)]
pub(super) async fn undo(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    let hit = tenant::hit(&desk, account, HitId(id)).await?;
    matches(&headers, hit.decisions.len())?;
    let decision = review::undo(account, desk.inner.clock.now(), &hit)?;
    if desk.inner.store.reopen(hit.id, decision.clone()).await? == Outcome::Fenced {
        return Err(WebError::Taken);
    }
    desk.inner.board.look_again(&*desk.inner.store, hit.id).await?;
    desk.undo_repeats(account, hit.id).await?;
    Ok(with_version(hit.decisions.len() + 1, DecisionMade::from(decision)))
}

async fn lease(desk: &Desk, visit: &Visit, id: u64, fence: u64) -> Result<LeaseRef, WebError> {
    let account = visit.account()?;
    tenant::hit(desk, account, HitId(id)).await?;
    Ok(LeaseRef { hit: HitId(id), worker: account.name.clone(), fence })
}

/// Makes a decided hit one whose answer is known: it comes back unmarked, to see how well decisions hold.
#[utoipa::path(put, path = "/api/v1/hits/{id}/gold", tag = "hits", params(("id" = u64, Path)), responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn gold(State(desk): State<Desk>, visit: Visit, Path(id): Path<u64>) -> Result<StatusCode, WebError> {
    desk.set_gold(visit.account()?, HitId(id), true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// It does so no longer.
#[utoipa::path(delete, path = "/api/v1/hits/{id}/gold", tag = "hits", params(("id" = u64, Path)), responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn no_gold(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<StatusCode, WebError> {
    desk.set_gold(visit.account()?, HitId(id), false).await?;
    Ok(StatusCode::NO_CONTENT)
}
