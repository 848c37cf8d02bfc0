//! Many hits at once, and notes on sellers.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::{HitLine, Problem};
use crate::{
    model::{HitId, Verdict},
    review,
    web::{Desk, WebError, bulk, query::Query, tenant, visit::Visit},
};

/// Members of an act that are named.
const NAMED: usize = 200;

/// Which hits are meant, as in the queue's address.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BulkWanted {
    state: String,
    severity: String,
    platform: String,
    family: String,
    text: String,
}

/// A frozen list: what came after it is never swept in.
#[derive(Serialize, ToSchema)]
pub(super) struct BulkState {
    name: String,
    total: usize,
    /// Hits by severity, the worst first.
    parts: Vec<BulkPart>,
    /// Whether it was decided; then the act has the list's name.
    begun: bool,
    done: usize,
    /// Hits that changed meanwhile and were left as they are.
    left: usize,
    /// Members at random, and those least like the rest.
    sample: Vec<HitLine>,
    outliers: Vec<HitLine>,
}

/// Hits of one severity.
#[derive(Serialize, ToSchema)]
pub(super) struct BulkPart {
    severity: String,
    hits: usize,
}

/// A decision on a whole list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkDecision {
    /// `confirm` or `dismiss`.
    verdict: String,
    reason: String,
    #[serde(default)]
    note: String,
    /// How many hits it has; must be said above 500.
    #[serde(default)]
    count: Option<usize>,
}

/// Members of an act to be taken back.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UndoWanted {
    /// Only these hits; all of them when absent.
    only: Option<Vec<u64>>,
}

/// What became of an undo.
#[derive(Serialize, ToSchema)]
pub(super) struct Undone {
    done: usize,
    left: usize,
}

/// Decisions that were made at once.
#[derive(Serialize, ToSchema)]
pub(super) struct ActState {
    act: String,
    /// Hits that still stand by it.
    hits: usize,
    /// The first of them.
    members: Vec<HitLine>,
}

/// A note on a seller.
#[derive(Serialize, ToSchema)]
pub(super) struct NoteLine {
    by: String,
    at: String,
    text: String,
}

/// A note to be left.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteWanted {
    text: String,
}

async fn lines(desk: &Desk, ids: &[HitId]) -> Result<Vec<HitLine>, WebError> {
    Ok(desk.inner.store.rows(ids).await?.into_iter().map(HitLine::from).collect())
}

async fn told(desk: &Desk, visit: &Visit, name: String) -> Result<Json<BulkState>, WebError> {
    let list = bulk::standing(desk, visit.account()?, &name)?;
    let severity = |severity| serde_json::to_value(severity).ok().and_then(|word| word.as_str().map(str::to_owned));
    let part = |(of, hits)| BulkPart { severity: severity(of).unwrap_or_default(), hits };
    Ok(Json(BulkState {
        name,
        total: list.total,
        parts: list.parts.into_iter().map(part).collect(),
        begun: list.begun,
        done: list.done,
        left: list.left,
        sample: lines(desk, &list.sample).await?,
        outliers: lines(desk, &list.outliers).await?,
    }))
}

/// Freezes what a filter means, to be looked at and decided; kept for an hour.
#[utoipa::path(post, path = "/api/v1/bulk", tag = "hits", request_body = BulkWanted, responses((status = 200, body = BulkState), (status = 422, body = Problem)))]
pub(super) async fn freeze(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<BulkWanted>,
) -> Result<Json<BulkState>, WebError> {
    let BulkWanted { state, severity, platform, family, text } = wanted;
    let query = Query { state, severity, platform, family, text, ..Query::default() };
    let name = bulk::freeze_for(&desk, visit.account()?, &query).await?;
    told(&desk, &visit, name).await
}

/// How a frozen list stands.
#[utoipa::path(get, path = "/api/v1/bulk/{name}", tag = "hits", params(("name" = String, Path)), responses((status = 200, body = BulkState), (status = 404, body = Problem)))]
pub(super) async fn bulk_state(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Json<BulkState>, WebError> {
    told(&desk, &visit, name).await
}

/// Begins to make one decision on a frozen list.
#[utoipa::path(post, path = "/api/v1/bulk/{name}/decide", tag = "hits", params(("name" = String, Path)), request_body = BulkDecision, responses((status = 202, body = BulkState), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    Json(BulkDecision { verdict, reason, note, count }): Json<BulkDecision>,
) -> Result<(StatusCode, Json<BulkState>), WebError> {
    let account = visit.account()?;
    let verdict = match verdict.as_str() {
        "confirm" => Verdict::Confirm,
        "dismiss" => Verdict::Dismiss,
        _ => return Err(WebError::Field("verdict")),
    };
    let ask = review::Ask { verdict, reason: review::reason(verdict, &reason)?, note, looked_ms: 0 };
    if !bulk::decide_for(&desk, account, (&name, count), ask)? {
        return Err(WebError::Field("count"));
    }
    Ok((StatusCode::ACCEPTED, told(&desk, &visit, name).await?))
}

/// An act that many hits were decided in.
#[utoipa::path(get, path = "/api/v1/acts/{act}", tag = "hits", params(("act" = String, Path)), responses((status = 200, body = ActState), (status = 404, body = Problem)))]
pub(super) async fn act(State(desk): State<Desk>, Path(act): Path<String>) -> Result<Json<ActState>, WebError> {
    desk.follow(true).await?;
    let entries = desk.inner.board.of_act(&act);
    if entries.is_empty() {
        return Err(WebError::NotFound);
    }
    let named: Vec<HitId> = entries.iter().take(NAMED).map(|entry| entry.id).collect();
    Ok(Json(ActState { act, hits: entries.len(), members: lines(&desk, &named).await? }))
}

/// Takes an act back, or a part of it.
#[utoipa::path(post, path = "/api/v1/acts/{act}/undo", tag = "hits", params(("act" = String, Path)), request_body = UndoWanted, responses((status = 200, body = Undone), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn undo(
    State(desk): State<Desk>,
    visit: Visit,
    Path(act): Path<String>,
    Json(UndoWanted { only }): Json<UndoWanted>,
) -> Result<Json<Undone>, WebError> {
    desk.follow(true).await?;
    let only: Option<Vec<HitId>> = only.map(|ids| ids.into_iter().map(HitId).collect());
    let (done, left) = desk.undo_act(visit.account()?, &act, only.as_deref()).await?;
    Ok(Json(Undone { done, left }))
}

/// Notes on the seller of a hit, the newest first.
#[utoipa::path(get, path = "/api/v1/hits/{id}/notes", tag = "hits", params(("id" = u64, Path)), responses((status = 200, body = Vec<NoteLine>), (status = 404, body = Problem)))]
pub(super) async fn notes(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<Json<Vec<NoteLine>>, WebError> {
    desk.follow(true).await?;
    let hit = tenant::hit(&desk, visit.account()?, HitId(id)).await?;
    let notes = desk.inner.board.notes(review::seller_key(&hit.what.listing)).into_iter();
    Ok(Json(notes.map(|note| NoteLine { by: note.by.into(), at: note.at.to_string(), text: note.text }).collect()))
}

/// Leaves a note on the seller of a hit.
#[utoipa::path(post, path = "/api/v1/hits/{id}/notes", tag = "hits", params(("id" = u64, Path)), request_body = NoteWanted, responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn note(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(NoteWanted { text }): Json<NoteWanted>,
) -> Result<StatusCode, WebError> {
    let account = visit.account()?;
    let hit = tenant::hit(&desk, account, HitId(id)).await?;
    desk.note_seller(account, review::seller_key(&hit.what.listing), &text).await?;
    Ok(StatusCode::NO_CONTENT)
}
