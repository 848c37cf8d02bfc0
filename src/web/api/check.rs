//! Try a text or a listing: what would be found, and why a rule hits it or not. Nothing is written.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{
    register::{set, today},
    shape::{Checked, Explained, Problem},
};
use crate::{
    marks::Register,
    matcher::{Matcher, Settings},
    model::{Account, Findings, Listing},
    web::{Desk, WebError, tenant, visit::Visit},
};

/// The listing that is to be looked at.
fn listing(checked: Checked) -> Result<Listing, WebError> {
    match checked {
        Checked { text: Some(title), listing: None } => Ok(Listing { title, ..Listing::default() }),
        Checked { text: None, listing: Some(listing) } => {
            serde_json::from_value(listing).map_err(|_| WebError::Field("listing"))
        }
        _ => Err(WebError::Field("listing")),
    }
}

/// What `account` would see found in `listing`.
pub(in super::super) async fn look(desk: &Desk, account: &Account, listing: &Listing) -> Result<Findings, WebError> {
    let matcher = match &desk.inner.monitor {
        Some(monitor) => monitor.matcher(),
        None => {
            let marks = tenant::marks(desk, account).await?.into_values().collect();
            Arc::new(Matcher::new(Arc::new(Register::new(marks)), None, Settings::default()))
        }
    };
    let day = listing.captured_on().unwrap_or_else(|| today(desk));
    let (sees, platform) = (account.sees(), listing.platform.clone());
    let listing = listing.clone();
    let found = tokio::task::spawn_blocking(move || matcher.check(&listing, day)).await;
    let mut found = found.map_err(|error| WebError::Check(error.to_string()))?;
    if !sees.is_everything() {
        found.findings.retain(|finding| sees.has(&finding.family, platform.as_deref()));
        found.suppressed.retain(|finding| sees.has(&finding.family, platform.as_deref()));
        // The whole listing's risk tells of what others watch for.
        found.risk = found.findings.iter().map(|finding| finding.score).fold(0.0, f64::max);
    }
    Ok(found)
}

/// Matches a text or a listing; the answer is a line of a findings file.
#[utoipa::path(post, path = "/api/v1/check", tag = "check", request_body = Checked, responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(super) async fn check(
    State(desk): State<Desk>,
    visit: Visit,
    Json(checked): Json<Checked>,
) -> Result<Json<Findings>, WebError> {
    Ok(Json(look(&desk, visit.account()?, &listing(checked)?).await?))
}

/// Why a rule hits a text or a listing, and why not.
#[utoipa::path(post, path = "/api/v1/rules/{id}/explain", tag = "rules", params(("id" = String, Path)), request_body = Checked, responses((status = 200, body = Explained), (status = 404, body = Problem)))]
pub(super) async fn explain(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Json(checked): Json<Checked>,
) -> Result<Json<Explained>, WebError> {
    let (set, listing, day) = (set(&desk), listing(checked)?, today(&desk));
    let done = tokio::task::spawn_blocking(move || set.rule(&id).map(|rule| set.explain(rule, &listing, day))).await;
    let explained = done.map_err(|error| WebError::Check(error.to_string()))?.ok_or(WebError::NotFound)?;
    Ok(Json(Explained { hits: explained.hits, lines: serde_json::to_value(explained.lines).unwrap_or_default() }))
}

/// Runs a rule's own tests.
#[utoipa::path(post, path = "/api/v1/rules/{id}/tests", tag = "rules", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(super) async fn tests(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Value>, WebError> {
    let (set, day) = (set(&desk), today(&desk));
    let done = tokio::task::spawn_blocking(move || set.rule(&id).map(|rule| set.trials_of(rule, day))).await;
    let trials = done.map_err(|error| WebError::Check(error.to_string()))?.ok_or(WebError::NotFound)?;
    let failed = trials.iter().filter(|trial| trial.failed()).count();
    Ok(Json(json!({ "failed": failed, "trials": trials })))
}
