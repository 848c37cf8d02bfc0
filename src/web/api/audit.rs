//! The journal, for programs.

use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    cursor, hits,
    shape::{Entry, Problem},
};
use crate::web::{
    Desk, WebError,
    audit::{self, Wanted},
};

/// Entries of the journal, the newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit",
    params(
        ("actor" = Option<String>, Query), ("act" = Option<String>, Query), ("object" = Option<String>, Query),
        ("day" = Option<String>, Query, description = "such as 2026-11-28, in the desk's time zone"),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)
    ),
    responses((status = 200, body = Vec<Entry>), (status = 422, body = Problem))
)]
pub(super) async fn list(State(desk): State<Desk>, uri: Uri) -> Result<Response, WebError> {
    let query = uri.query().unwrap_or_default();
    let mut wanted = Wanted::parse(query)?;
    let list = format!("audit {}", wanted.kept());
    let pair = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes()).take(32);
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (before, limit) = (pair("cursor"), pair("limit"));
    if !before.is_empty() {
        wanted.before = Some(cursor::open(&list, &before)?.parse().map_err(|_| WebError::Field("cursor"))?);
    }
    let found = audit::read(&desk, &wanted, cursor::rows(&limit)?).await?;
    let rows: Vec<Entry> = found
        .entries
        .into_iter()
        .map(|entry| Entry {
            seq: entry.change.seq,
            at: entry.change.at.to_string(),
            actor: entry.change.actor,
            act: entry.act,
            what: entry.change.what,
        })
        .collect();
    let mut answer = Json(rows).into_response();
    if let Some(next) = found.before {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().take(32).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        hits::put_link(&mut answer, &cursor::link(uri.path(), &pairs, &cursor::seal(&list, &next.to_string())));
    }
    Ok(answer)
}

/// What the journal is worth.
#[derive(Serialize, ToSchema)]
pub(super) struct Verified {
    /// Whether every record stands and fits.
    sound: bool,
    records: u64,
    /// The hash of the newest record.
    head: String,
    /// Records that the newest signed checkpoint covers, where there is one.
    checkpoint: Option<u64>,
    /// What does not fit.
    why: Option<String>,
}

/// Verifies the whole journal.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = Verified), (status = 404, body = Problem)))]
pub(super) async fn verify(State(desk): State<Desk>) -> Result<Json<Verified>, WebError> {
    Ok(Json(match audit::verified(&desk).await? {
        Ok(found) => {
            Verified { sound: true, records: found.records, head: found.head, checkpoint: found.checkpoint, why: None }
        }
        Err(why) => Verified { sound: false, records: 0, head: String::new(), checkpoint: None, why: Some(why) },
    }))
}
