//! Alerts of the account itself.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::Problem;
use crate::{
    alert::{Subscription, Target},
    web::{
        Desk, WebError,
        alerts::{self, Sent},
        visit::Visit,
    },
};

/// An alert.
#[derive(Serialize, ToSchema)]
pub(super) struct AlertLine {
    id: String,
    name: String,
    /// The filter, as in the queue's address.
    query: String,
    /// `mail` or `webhook`.
    kind: &'static str,
    to: String,
    when: String,
    /// Hits that wait to be told.
    waiting: u64,
    /// Why it rests, where it does.
    stopped: Option<String>,
    /// The key of a webhook; told only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<Subscription> for AlertLine {
    fn from(one: Subscription) -> Self {
        let (kind, to) = match one.to {
            Target::Mail { to } => ("mail", to),
            Target::Webhook { url, .. } => ("webhook", url),
        };
        Self {
            id: one.id,
            name: one.name,
            query: one.query,
            kind,
            to,
            when: one.when.code().to_owned(),
            waiting: one.waiting.len() as u64 + one.waiting_more,
            stopped: one.stopped,
            secret: None,
        }
    }
}

/// An alert to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertWanted {
    name: String,
    /// The filter, as in the queue's address; empty for all open hits.
    #[serde(default)]
    query: String,
    /// `mail` or `webhook`.
    kind: String,
    /// An address, or a URL.
    to: String,
    /// `now`, `hourly` or `daily`.
    when: String,
}

/// The account's alerts.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", responses((status = 200, body = Vec<AlertLine>)))]
pub(super) async fn list(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<AlertLine>>, WebError> {
    let account = visit.account()?;
    let own = desk.inner.alerts.as_ref().map(|alerts| alerts.book.of(&account.name)).unwrap_or_default();
    Ok(Json(own.into_iter().map(AlertLine::from).collect()))
}

/// Makes an alert; a webhook's key is told this once.
#[utoipa::path(post, path = "/api/v1/alerts", tag = "alerts", request_body = AlertWanted, responses((status = 200, body = AlertLine), (status = 422, body = Problem)))]
pub(super) async fn add(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<AlertWanted>,
) -> Result<Json<AlertLine>, WebError> {
    let AlertWanted { name, query, kind, to, when } = wanted;
    let made = alerts::subscribe(&desk, visit.account()?, &Sent { name, query, kind, to, when }).await?;
    let made = made.map_err(|_| WebError::Field("to"))?;
    let secret = match &made.to {
        Target::Webhook { secret, .. } => Some(secret.clone()),
        Target::Mail { .. } => None,
    };
    Ok(Json(AlertLine { secret, ..made.into() }))
}

/// Does something with one of them: test, stop or start.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/{act}", tag = "alerts", params(("id" = String, Path), ("act" = String, Path)), responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn act(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    if act == "remove" {
        return Err(WebError::NotFound);
    }
    alerts::go(&desk, &visit, &id, &act).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one of them.
#[utoipa::path(delete, path = "/api/v1/alerts/{id}", tag = "alerts", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<StatusCode, WebError> {
    alerts::go(&desk, &visit, &id, "remove").await?;
    Ok(StatusCode::NO_CONTENT)
}
