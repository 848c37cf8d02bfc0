//! Samples of listings without hits, and what they say of recall.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::Problem;
use crate::{
    model::Missed,
    review::{Recall, Sampled},
    web::{
        Desk, WebError,
        recall::{DRAW, Known},
        visit::Visit,
    },
};

/// A sample.
#[derive(Serialize, ToSchema)]
pub(super) struct SampleLine {
    name: String,
    by: String,
    at: String,
    /// As text: it has 64 bits.
    seed: String,
    strata: Vec<StratumLine>,
    drawn: usize,
    looked: usize,
    recall: Option<RecallLine>,
}

/// A platform's part of a sample.
#[derive(Serialize, ToSchema)]
pub(super) struct StratumLine {
    source: String,
    /// Its listings without a hit.
    listings: u64,
    drawn: u64,
}

/// What a sample says, with the ends of 95 % intervals.
#[derive(Serialize, ToSchema)]
pub(super) struct RecallLine {
    /// Listings without a hit.
    listings: u64,
    looked: u64,
    missed: u64,
    /// The share of listings without a hit in which something stands: value, low, high.
    rate: Vec<f64>,
    /// The share that was found of all listings in which something stands: value, low, high.
    recall: Vec<f64>,
}

impl From<Recall> for RecallLine {
    fn from(recall: Recall) -> Self {
        let Recall { listings, looked, missed, rate, recall } = recall;
        Self { listings, looked, missed, rate: rate.to_vec(), recall: recall.to_vec() }
    }
}

/// A sample, whole.
#[derive(Serialize, ToSchema)]
pub(super) struct SampleWhole {
    #[serde(flatten)]
    line: SampleLine,
    listings: Vec<SampledLine>,
}

/// A listing of a sample.
#[derive(Serialize, ToSchema)]
pub(super) struct SampledLine {
    /// Its number in the sample.
    id: usize,
    listing: String,
    source: String,
    looked_by: Option<String>,
    looked_at: Option<String>,
    missed: Option<MissedWords>,
}

/// What stands in a listing and was not found.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MissedWords {
    /// The words, as they stand in the listing.
    words: String,
    /// The mark or rule that should have found it; empty where there is none for it.
    #[serde(default)]
    reference: String,
}

impl From<Known> for SampleLine {
    fn from(known: Known) -> Self {
        let Known { sample, listings, recall } = known;
        Self {
            name: sample.name,
            by: sample.by.into(),
            at: sample.at.to_string(),
            seed: sample.seed.to_string(),
            strata: sample
                .strata
                .into_iter()
                .map(|one| StratumLine { source: one.source, listings: one.listings, drawn: one.drawn })
                .collect(),
            drawn: listings.len(),
            looked: listings.iter().filter(|one| one.looked.is_some()).count(),
            recall: recall.map(RecallLine::from),
        }
    }
}

impl From<Sampled> for SampledLine {
    fn from(one: Sampled) -> Self {
        let (by, at, missed) = one.looked.map_or((None, None, None), |(by, at, missed)| {
            let missed = missed.map(|Missed { words, reference }| MissedWords { words, reference });
            (Some(by.into()), Some(at.to_string()), missed)
        });
        let listing = one.listing.into();
        Self { id: one.number, listing, source: one.source, looked_by: by, looked_at: at, missed }
    }
}

/// A sample to be drawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleWanted {
    /// Listings, 10 to 500.
    size: usize,
    /// The same over the same listings draws the same; random when absent.
    #[serde(default)]
    seed: Option<u64>,
}

/// How a sample is coming along that was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct Drawing {
    /// Listings looked at.
    done: u64,
    /// Of how many; 0 while the archive is brought up.
    of: u64,
}

/// What somebody saw in a listing of a sample.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookedAt {
    /// Absent where nothing stands there.
    #[serde(default)]
    missed: Option<MissedWords>,
}

/// The newest samples, with what they say.
#[utoipa::path(get, path = "/api/v1/samples", tag = "quality", responses((status = 200, body = Vec<SampleLine>)))]
pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Vec<SampleLine>>, WebError> {
    desk.follow(true).await?;
    Ok(Json(desk.samples().into_iter().map(SampleLine::from).collect()))
}

/// Begins to draw a sample of archived listings without hits; it is in the list when it is drawn.
#[utoipa::path(post, path = "/api/v1/samples", tag = "quality", request_body = SampleWanted, responses((status = 202, body = Drawing), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn draw(
    State(desk): State<Desk>,
    visit: Visit,
    Json(SampleWanted { size, seed }): Json<SampleWanted>,
) -> Result<(StatusCode, Json<Drawing>), WebError> {
    desk.draw(visit.account()?, size, seed).await?;
    let (done, of) = desk.inner.draws.find(DRAW).map(|job| job.progress()).unwrap_or_default();
    Ok((StatusCode::ACCEPTED, Json(Drawing { done, of })))
}

/// Stops the sample that is being drawn.
#[utoipa::path(delete, path = "/api/v1/samples", tag = "quality", responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn stop(State(desk): State<Desk>) -> Result<StatusCode, WebError> {
    if desk.inner.draws.stop(DRAW) { Ok(StatusCode::NO_CONTENT) } else { Err(WebError::NotFound) }
}

/// One sample with its listings.
#[utoipa::path(get, path = "/api/v1/samples/{name}", tag = "quality", params(("name" = String, Path)), responses((status = 200, body = SampleWhole), (status = 404, body = Problem)))]
pub(super) async fn one(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Json<SampleWhole>, WebError> {
    desk.follow(true).await?;
    let known = desk.sample(&name)?;
    let listings = known.listings.iter().cloned().map(SampledLine::from).collect();
    Ok(Json(SampleWhole { listings, line: known.into() }))
}

/// Says what stands in a listing of a sample; the listing itself is at `/api/v1/listings/{id}`.
#[utoipa::path(post, path = "/api/v1/samples/{name}/{id}", tag = "quality", params(("name" = String, Path), ("id" = usize, Path)), request_body = LookedAt, responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn look(
    State(desk): State<Desk>,
    visit: Visit,
    Path((name, id)): Path<(String, usize)>,
    Json(LookedAt { missed }): Json<LookedAt>,
) -> Result<StatusCode, WebError> {
    let missed = missed.map(|MissedWords { words, reference }| Missed { words, reference });
    desk.look(visit.account()?, (&name, id), missed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back what the account said of it.
#[utoipa::path(delete, path = "/api/v1/samples/{name}/{id}", tag = "quality", params(("name" = String, Path), ("id" = usize, Path)), responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn unlook(
    State(desk): State<Desk>,
    visit: Visit,
    Path((name, id)): Path<(String, usize)>,
) -> Result<StatusCode, WebError> {
    desk.unlook(visit.account()?, &name, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
