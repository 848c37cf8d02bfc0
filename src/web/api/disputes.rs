//! Disagreements between two reviewers, for who settles them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::{HitWhole, Problem};
use crate::{
    model::{HitId, Reason, Verdict},
    review,
    web::{
        Desk, WebError,
        disputes::{Disputed, Said, View},
        visit::Visit,
    },
};

/// A disagreement that waits; what was said is not told.
#[derive(Serialize, ToSchema)]
pub(super) struct DisputeLine {
    hit: u64,
    title: String,
    family: String,
    /// Since when.
    since: String,
    /// Whether the account has said what it sees.
    viewed: bool,
}

/// A disputed hit as if it were open, and what was said, once the account has said what it sees.
#[derive(Serialize, ToSchema)]
pub(super) struct DisputeWhole {
    hit: HitWhole,
    views: Vec<ViewLine>,
}

/// What one said: the decision first, then the second person, then the account itself.
#[derive(Serialize, ToSchema)]
pub(super) struct ViewLine {
    by: String,
    #[schema(value_type = String)]
    verdict: Verdict,
    #[schema(value_type = String)]
    reason: Reason,
    note: String,
    at: String,
}

impl From<View> for ViewLine {
    fn from(view: View) -> Self {
        let View { by, verdict, reason, note, at } = view;
        Self { by, verdict, reason, note, at: at.to_string() }
    }
}

/// What the account sees, or settles.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Judged {
    /// `confirm` or `dismiss`.
    verdict: String,
    /// A reason that goes with the verdict.
    reason: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    looked_ms: u64,
}

impl Judged {
    fn read(self) -> Result<Said, WebError> {
        let verdict = match self.verdict.as_str() {
            "confirm" => Verdict::Confirm,
            "dismiss" => Verdict::Dismiss,
            _ => return Err(WebError::Field("verdict")),
        };
        let reason = review::reason(verdict, &self.reason)?;
        Ok(Said { verdict, reason, note: self.note, looked_ms: self.looked_ms })
    }
}

/// The disagreements that the account may settle: none that it is a part of.
#[utoipa::path(get, path = "/api/v1/disputes", tag = "quality", responses((status = 200, body = Vec<DisputeLine>)))]
pub(super) async fn list(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<DisputeLine>>, WebError> {
    let account = visit.account()?;
    let lines = desk.disputes_for(account).await?.into_iter().map(|(opinion, hit)| DisputeLine {
        hit: hit.id.0,
        viewed: desk.inner.board.third_view(&account.name, hit.id).is_some(),
        title: hit.what.listing.title,
        family: hit.what.family,
        since: opinion.at.to_string(),
    });
    Ok(Json(lines.collect()))
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/disputes/{id}", tag = "quality", params(("id" = u64, Path)), responses((status = 200, body = DisputeWhole), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn one(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
) -> Result<Json<DisputeWhole>, WebError> {
    let Disputed { hit, views } = desk.dispute_for(visit.account()?, HitId(id)).await?;
    Ok(Json(DisputeWhole { hit: hit.into(), views: views.into_iter().map(ViewLine::from).collect() }))
}

/// Says what the account sees, before it is told what the two said.
#[utoipa::path(post, path = "/api/v1/disputes/{id}/view", tag = "quality", params(("id" = u64, Path)), request_body = Judged, responses((status = 200, body = DisputeWhole), (status = 404, body = Problem)))]
pub(super) async fn view(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(judged): Json<Judged>,
) -> Result<Json<DisputeWhole>, WebError> {
    desk.view_dispute(visit.account()?, HitId(id), judged.read()?).await?;
    one(State(desk), visit, Path(id)).await
}

/// Settles it; a decision that is overruled is taken back by a reversing one.
#[utoipa::path(post, path = "/api/v1/disputes/{id}/decide", tag = "quality", params(("id" = u64, Path)), request_body = Judged, responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<u64>,
    Json(judged): Json<Judged>,
) -> Result<StatusCode, WebError> {
    desk.settle_dispute(visit.account()?, HitId(id), judged.read()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
