//! What is watched for, and where: marks, rules, campaigns, sources, accounts.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    cursor, hits,
    shape::{Drafted, Mistake, Problem, RuleLine, RuleWhole, Wrong},
};
use crate::{
    model::{Diagnostic, MarkId},
    monitor::Act,
    rules::{Rule, RuleSet},
    web::{Desk, WebError, marks, tenant, visit::Visit},
};

/// The marks that the account sees, in the form of marks files.
#[utoipa::path(
    get, path = "/api/v1/marks", tag = "register",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Vec<Object>))
)]
pub(super) async fn marks(State(desk): State<Desk>, visit: Visit, uri: Uri) -> Result<Response, WebError> {
    let pair = |wanted: &str| {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).take(32);
        pairs.into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (after, limit) = (pair("cursor"), pair("limit"));
    let after = if after.is_empty() { None } else { Some(cursor::open("marks", &after)?) };
    let rows = cursor::rows(&limit)?;
    let known = tenant::marks(&desk, visit.account()?).await?;
    let mut rest = known.values().filter(|mark| after.as_deref().is_none_or(|after| mark.id.as_str() > after));
    let page: Vec<_> = rest.by_ref().take(rows).collect();
    let next = rest.next().and(page.last()).map(|last| cursor::seal("marks", last.id.as_str()));
    let mut answer = Json(&page).into_response();
    if let Some(next) = next {
        hits::put_link(&mut answer, &cursor::link(uri.path(), &[("limit", &limit)], &next));
    }
    Ok(answer)
}

/// One mark.
#[utoipa::path(get, path = "/api/v1/marks/{id}", tag = "register", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(super) async fn mark(State(desk): State<Desk>, visit: Visit, Path(id): Path<String>) -> Result<Response, WebError> {
    let id = MarkId::new(&id).map_err(|_| WebError::NotFound)?;
    let mark = tenant::marks(&desk, visit.account()?).await?.remove(&id).ok_or(WebError::NotFound)?;
    Ok(Json(mark).into_response())
}

/// Registers marks as drafts; those that are there already as they are sent are left alone.
#[utoipa::path(post, path = "/api/v1/marks", tag = "register", request_body(content = String, content_type = "text/csv"), responses((status = 200, body = Drafted), (status = 422, body = Wrong)))]
pub(super) async fn add_marks(State(desk): State<Desk>, visit: Visit, text: String) -> Result<Response, WebError> {
    let account = visit.account()?;
    match marks::read(account, &text) {
        Ok(read) => {
            let new = marks::draft(&desk, account, &read).await?;
            Ok(Json(Drafted { read: read.len(), new }).into_response())
        }
        Err(mistakes) => Ok(wrong(&mistakes)),
    }
}

/// What marks would have found in the listings of the last 30 days; nothing is written.
#[utoipa::path(post, path = "/api/v1/marks/trial", tag = "register", request_body(content = String, content_type = "text/csv"), responses((status = 200, body = Object), (status = 422, body = Wrong)))]
pub(super) async fn try_marks(State(desk): State<Desk>, visit: Visit, text: String) -> Result<Response, WebError> {
    match marks::read(visit.account()?, &text) {
        Ok(read) => Ok(Json(marks::try_out(&desk, visit.account()?, read).await?).into_response()),
        Err(mistakes) => Ok(wrong(&mistakes)),
    }
}

/// Takes a step with a mark: submit, verify, return, activate or withdraw.
#[utoipa::path(post, path = "/api/v1/marks/{id}/{act}", tag = "register", params(("id" = String, Path), ("act" = String, Path)), responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn step(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    let act = Act::from_code(&act).ok_or(WebError::NotFound)?;
    marks::one(&desk, visit.account()?, &id).await?;
    marks::step(&desk, &visit, &id, act).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A file of marks that was refused whole: each mistake with its line.
fn wrong(mistakes: &[Diagnostic]) -> Response {
    let told = mistakes.iter().map(|mistake| Mistake {
        line: mistake.line_column().0,
        message: mistake.message.clone(),
        help: mistake.help.to_string(),
    });
    let body = Wrong {
        kind: "urn:markwarden:problem-marks",
        title: "Unprocessable Entity",
        status: 422,
        detail: "nothing was registered: mend the lines named".to_owned(),
        mistakes: told.collect(),
    };
    let mut answer = (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
    let kind = http::HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    answer
}

/// The rules in use.
pub(in super::super) fn set(desk: &Desk) -> Arc<RuleSet> {
    let monitor = desk.inner.monitor.as_ref();
    monitor.and_then(|monitor| monitor.matcher().rules().cloned()).unwrap_or_default()
}

/// Today, in UTC.
pub(in super::super) fn today(desk: &Desk) -> Date {
    desk.inner.clock.now().to_zoned(TimeZone::UTC).date()
}

fn line(desk: &Desk, rule: &Rule) -> RuleLine {
    let judged = desk.inner.monitor.as_ref().map(|monitor| monitor.learnt().of_rule(&rule.id, rule.version));
    let (confirmed, dismissed) = judged.unwrap_or_default();
    let word = |value: Result<Value, serde_json::Error>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    RuleLine {
        id: rule.id.clone(),
        version: rule.version,
        status: word(serde_json::to_value(rule.status)),
        severity: word(serde_json::to_value(rule.severity)),
        family: rule.family.clone(),
        title_zh: rule.title.zh.clone(),
        title_en: rule.title.en.clone(),
        owner: rule.owner.clone(),
        tests: rule.tests.len(),
        citation: rule.citation(today(desk)),
        confirmed,
        dismissed,
    }
}

/// The rules in use, with what became of their hits.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = Vec<RuleLine>)))]
pub(super) async fn rules(State(desk): State<Desk>) -> Json<Vec<RuleLine>> {
    Json(set(&desk).rules().iter().map(|rule| line(&desk, rule)).collect())
}

/// One rule, with its text.
#[utoipa::path(get, path = "/api/v1/rules/{id}", tag = "rules", params(("id" = String, Path)), responses((status = 200, body = RuleWhole), (status = 404, body = Problem)))]
pub(super) async fn rule(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<RuleWhole>, WebError> {
    let set = set(&desk);
    let rule = set.rule(&id).ok_or(WebError::NotFound)?;
    Ok(Json(RuleWhole { line: line(&desk, rule), text: set.text(rule).to_owned() }))
}

/// The campaigns.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "rules", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn campaigns(State(desk): State<Desk>) -> Result<Json<Value>, WebError> {
    let monitor = desk.inner.monitor.as_ref();
    let campaigns = monitor.map(|monitor| monitor.matcher().campaigns().all().to_vec()).unwrap_or_default();
    Ok(Json(serde_json::to_value(campaigns).unwrap_or_else(|_| json!([]))))
}

/// The newest note of each source's crawl, and when it is due next.
#[utoipa::path(get, path = "/api/v1/sources", tag = "operators", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn sources(State(desk): State<Desk>) -> Result<Json<Value>, WebError> {
    Ok(Json(serde_json::to_value(super::super::sources::known(&desk).await?).unwrap_or_else(|_| json!([]))))
}
