//! What an account keeps for itself: filters, and its own keys.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::Problem;
use crate::{
    review::Saved,
    web::{Desk, WebError, frame::COMMANDS, visit::Visit},
};

/// A filter under a name.
#[derive(Serialize, ToSchema)]
pub(super) struct FilterLine {
    key: String,
    name: String,
    /// As in the queue's address.
    query: String,
    /// Whether everybody sees it.
    shared: bool,
    by: String,
}

impl From<Saved> for FilterLine {
    fn from(one: Saved) -> Self {
        Self { key: one.key, name: one.name, query: one.query, shared: one.shared, by: one.by.into() }
    }
}

/// A filter to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterWanted {
    name: String,
    /// As in the queue's address; empty for all open hits.
    #[serde(default)]
    query: String,
    #[serde(default)]
    shared: bool,
}

/// The filters the account sees: its own, and those that are shared.
#[utoipa::path(get, path = "/api/v1/filters", tag = "own", responses((status = 200, body = Vec<FilterLine>)))]
pub(super) async fn filters(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<FilterLine>>, WebError> {
    let who = &visit.account()?.name;
    desk.follow(true).await?;
    Ok(Json(desk.inner.board.saved(who).into_iter().map(FilterLine::from).collect()))
}

/// Keeps a filter under a name.
#[utoipa::path(post, path = "/api/v1/filters", tag = "own", request_body = FilterWanted, responses((status = 200, body = FilterLine), (status = 422, body = Problem)))]
pub(super) async fn save(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<FilterWanted>,
) -> Result<Json<FilterLine>, WebError> {
    let account = visit.account()?;
    let FilterWanted { name, query, shared } = wanted;
    let (_, key) = desk.save_filter(account, &name, &query, shared).await?;
    let saved = desk.inner.board.saved(&account.name).into_iter().find(|saved| Some(&saved.key) == key.as_ref());
    saved.map(|saved| Json(saved.into())).ok_or(WebError::Field("name"))
}

/// Forgets a filter.
#[utoipa::path(delete, path = "/api/v1/filters/{key}", tag = "own", params(("key" = String, Path)), responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn forget(
    State(desk): State<Desk>,
    visit: Visit,
    Path(key): Path<String>,
) -> Result<StatusCode, WebError> {
    desk.forget_filter(visit.account()?, key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account's keys, by command.
#[utoipa::path(get, path = "/api/v1/keys", tag = "own", responses((status = 200, body = BTreeMap<String, String>)))]
pub(super) async fn keys(State(desk): State<Desk>, visit: Visit) -> Result<Json<BTreeMap<String, String>>, WebError> {
    desk.follow(true).await?;
    let changed = desk.inner.board.keys(&visit.account()?.name);
    let key = |command: &str, usual: &str| changed.get(command).cloned().unwrap_or_else(|| usual.to_owned());
    Ok(Json(COMMANDS.iter().map(|&(command, usual, _)| (command.to_owned(), key(command, usual))).collect()))
}

/// Changes the account's keys: one character each, no two alike, no digits; the usual one where none is sent.
#[utoipa::path(put, path = "/api/v1/keys", tag = "own", request_body = BTreeMap<String, String>, responses((status = 204), (status = 422, body = Problem)))]
pub(super) async fn set_keys(
    State(desk): State<Desk>,
    visit: Visit,
    Json(sent): Json<BTreeMap<String, String>>,
) -> Result<StatusCode, WebError> {
    if sent.keys().any(|named| !COMMANDS.iter().any(|(command, ..)| command == named)) {
        return Err(WebError::Field("command"));
    }
    let kept = desk.keep_keys(visit.account()?, |command| sent.get(command).cloned()).await?;
    kept.map_err(|_| WebError::Field("key"))?;
    Ok(StatusCode::NO_CONTENT)
}
