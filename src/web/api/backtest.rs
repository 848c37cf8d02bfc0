//! Backtests of rules, and their hits over time.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{register::set, shape::Problem};
use crate::{
    review::Subject,
    web::{Desk, WebError, days, jobs::Job, trials::Tried, visit::Visit},
};

/// Where the backtest of a rule stands.
#[derive(Serialize, ToSchema)]
pub(super) struct BacktestState {
    rule: String,
    /// `none`, `running`, `done`, `stopped` or `failed`.
    state: &'static str,
    by: Option<String>,
    at: Option<String>,
    /// Listings looked at while it runs.
    done: u64,
    /// Of how many; 0 while the archive is brought up.
    of: u64,
    /// Why it failed.
    why: Option<String>,
    result: Option<BacktestResult>,
    /// The newest that is noted in the journal.
    recorded: Option<BacktestNoted>,
}

/// What a backtest came to.
#[derive(Serialize, ToSchema)]
pub(super) struct BacktestResult {
    version: u32,
    logic: String,
    /// Listings that were looked at.
    of: u64,
    /// Listings that it would make a hit of.
    listings: u64,
    findings: u64,
    set_aside: u64,
    /// What reviewers said of such hits before.
    confirmed: u64,
    dismissed: u64,
    review_hours: f64,
    seconds: f64,
    /// Listings that it would hit: `listing`, `title`, `surface`, `text`, `score`.
    #[schema(value_type = Vec<Object>)]
    samples: serde_json::Value,
}

/// A backtest that is noted.
#[derive(Serialize, ToSchema)]
pub(super) struct BacktestNoted {
    version: u32,
    logic: String,
    /// Whether it is of the rule as it is in use.
    current: bool,
    at: String,
    of: u64,
    listings: u64,
}

/// A day of a rule's hits.
#[derive(Serialize, ToSchema)]
pub(super) struct DayLine {
    day: String,
    hits: u64,
    /// Of them, decided since.
    confirmed: u64,
    dismissed: u64,
}

impl From<&Tried> for BacktestResult {
    fn from(tried: &Tried) -> Self {
        let report = &tried.report;
        Self {
            version: tried.edition.version,
            logic: tried.edition.logic.clone(),
            of: tried.of,
            listings: report.listings,
            findings: report.findings,
            set_aside: report.set_aside,
            confirmed: report.judged.confirmed,
            dismissed: report.judged.dismissed,
            review_hours: tried.hours(),
            seconds: tried.seconds,
            samples: serde_json::to_value(&report.samples).unwrap_or_default(),
        }
    }
}

fn told(desk: &Desk, rule: &str, job: Option<&Job<Tried>>) -> BacktestState {
    let set = set(desk);
    let tried = desk.inner.monitor.as_ref().and_then(|monitor| monitor.last_tried(rule));
    let recorded = tried.map(|tried| BacktestNoted {
        current: set.edition(rule).is_some_and(|edition| edition == tried.edition),
        version: tried.edition.version,
        logic: tried.edition.logic,
        at: tried.at.to_string(),
        of: tried.of,
        listings: tried.listings,
    });
    let (done, of) = job.map(Job::progress).unwrap_or_default();
    let ended = job.and_then(Job::ended);
    let state = match (job, ended) {
        (None, _) => "none",
        (_, None) => "running",
        (_, Some(Ok(tried))) if tried.partial => "stopped",
        (_, Some(Ok(_))) => "done",
        (_, Some(Err(_))) => "failed",
    };
    BacktestState {
        rule: rule.to_owned(),
        state,
        by: job.map(|job| job.by.to_string()),
        at: job.map(|job| job.at.to_string()),
        done,
        of,
        why: ended.and_then(|ended| ended.as_ref().err()).cloned(),
        result: ended.and_then(|ended| ended.as_ref().ok()).map(BacktestResult::from),
        recorded,
    }
}

/// Begins a backtest of a rule over the archived listings; a whole one is noted in the journal.
#[utoipa::path(post, path = "/api/v1/rules/{id}/backtest", tag = "rules", params(("id" = String, Path)), responses((status = 202, body = BacktestState), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn begin(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<BacktestState>), WebError> {
    let job = desk.try_rule(&visit.account()?.name, &id)?;
    Ok((StatusCode::ACCEPTED, Json(told(&desk, &id, Some(&job)))))
}

/// Where it stands, and what it came to.
#[utoipa::path(get, path = "/api/v1/rules/{id}/backtest", tag = "rules", params(("id" = String, Path)), responses((status = 200, body = BacktestState), (status = 404, body = Problem)))]
pub(super) async fn state(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<BacktestState>, WebError> {
    set(&desk).rule(&id).ok_or(WebError::NotFound)?;
    if let Some(monitor) = &desk.inner.monitor {
        monitor.follow_rules().await?;
    }
    Ok(Json(told(&desk, &id, desk.inner.trials.find(&id).as_deref())))
}

/// Stops it; what it saw so far is told, and nothing is noted.
#[utoipa::path(delete, path = "/api/v1/rules/{id}/backtest", tag = "rules", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn stop(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, WebError> {
    if desk.inner.trials.stop(&id) { Ok(StatusCode::NO_CONTENT) } else { Err(WebError::NotFound) }
}

/// A rule's hits on each of the last thirty days.
#[utoipa::path(get, path = "/api/v1/rules/{id}/days", tag = "rules", params(("id" = String, Path)), responses((status = 200, body = Vec<DayLine>), (status = 404, body = Problem)))]
pub(super) async fn days(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Vec<DayLine>>, WebError> {
    set(&desk).rule(&id).ok_or(WebError::NotFound)?;
    desk.follow(true).await?;
    let counts = days::counts(&desk, &desk.inner.board.about(&Subject::Reference(id)));
    let line = |count: days::Count| DayLine {
        day: count.day.to_string(),
        hits: count.hits,
        confirmed: count.confirmed,
        dismissed: count.dismissed,
    };
    Ok(Json(counts.into_iter().map(line).collect()))
}
