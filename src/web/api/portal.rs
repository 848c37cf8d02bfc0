//! What a rights holder does on the portal's pages: lists of sellers, documents, ways of writing.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::shape::{Mistake, Problem, Wrong};
use crate::{
    model::{Account, Channel, ListedSeller},
    monitor,
    web::{
        Desk, WebError,
        documents::{self, Filed},
        marks, seller_file,
        seller_lists::{self, Sent},
        visit::Visit,
    },
};

/// A seller to be put on a list. Every empty part of the scope means that nothing is left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SellerWanted {
    /// `allow`, `deny` or `watch`.
    list: String,
    /// The shop's name, its id, or the number of its licence, as listings give it.
    seller: String,
    /// Whose list it is; empty for all holders, or for an account's only one.
    holder: String,
    platforms: Vec<String>,
    /// Nice classes.
    classes: Vec<u8>,
    goods: Vec<String>,
    /// Offices, such as `CN`.
    territory: Vec<String>,
    /// First and last day.
    from: String,
    until: String,
    /// The id of the letter's document.
    letter: String,
    why: String,
}

impl From<SellerWanted> for Sent {
    fn from(wanted: SellerWanted) -> Self {
        let SellerWanted { list, seller, holder, platforms, classes, goods, territory, from, until, letter, why } =
            wanted;
        let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
        let (platforms, goods, territory) = (platforms.join("\n"), goods.join("\n"), territory.join("\n"));
        let classes = classes.join(" ");
        Self { list, seller, holder, platforms, classes, goods, territory, from, until, letter, why }
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_else(|_| json!({}))
}

/// A field of an address.
fn pair(uri: &Uri, wanted: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).take(32);
    pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn own<'l>(
    account: &'l Account,
    all: impl Iterator<Item = &'l ListedSeller>,
) -> impl Iterator<Item = &'l ListedSeller> {
    all.filter(|listed| seller_lists::sees(account, listed))
}

/// The lists of sellers that the account sees.
#[utoipa::path(get, path = "/api/v1/seller-lists", tag = "portal", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn sellers(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<Value>>, WebError> {
    let known = seller_lists::known(&desk).await?;
    Ok(Json(own(visit.account()?, known.all()).map(value).collect()))
}

/// Puts a seller on a list; the same again only says it anew.
#[utoipa::path(post, path = "/api/v1/seller-lists", tag = "portal", request_body = SellerWanted, responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(super) async fn list_seller(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<SellerWanted>,
) -> Result<Json<Value>, WebError> {
    let account = visit.account()?;
    let known = seller_lists::known(&desk).await?;
    let listed = seller_lists::listed(&desk, account, &known, &wanted.into())?;
    seller_lists::write(&desk, account, vec![monitor::list(&listed)]).await?;
    Ok(Json(value(&listed)))
}

/// Takes a seller off a list.
#[utoipa::path(delete, path = "/api/v1/seller-lists/{id}", tag = "portal", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn unlist_seller(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<StatusCode, WebError> {
    seller_lists::take_off(&desk, visit.account()?, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many sellers of a file are new.
#[derive(Serialize, ToSchema)]
pub(super) struct Listed {
    new: usize,
}

/// Takes a file of sellers, whole or not at all.
#[utoipa::path(
    post, path = "/api/v1/seller-lists/file", tag = "portal",
    params(("name" = Option<String>, Query, description = "ends in .csv (when absent) or .xlsx"), ("list" = Option<String>, Query, description = "for rows that name none")),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Listed), (status = 422, body = Wrong))
)]
pub(super) async fn list_file(
    State(desk): State<Desk>,
    visit: Visit,
    uri: Uri,
    body: Bytes,
) -> Result<Response, WebError> {
    let name = Some(pair(&uri, "name")).filter(|name| !name.is_empty()).unwrap_or_else(|| "sellers.csv".to_owned());
    match seller_file::take(&desk, visit.account()?, (&name, &body, &pair(&uri, "list"))).await? {
        Ok(new) => Ok(Json(Listed { new }).into_response()),
        Err(mistakes) => Ok(wrong(mistakes)),
    }
}

fn wrong(mistakes: Vec<seller_file::Mistake>) -> Response {
    let told = mistakes.into_iter().map(|one| Mistake {
        line: usize::try_from(one.row).unwrap_or(0),
        message: one.what,
        help: "mend the row and send the file again".to_owned(),
    });
    let body = Wrong {
        kind: "urn:markwarden:problem-sellers",
        title: "Unprocessable Entity",
        status: 422,
        detail: "nothing was taken: mend the rows named".to_owned(),
        mistakes: told.collect(),
    };
    let mut answer = (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
    let kind = http::HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    answer
}

/// The documents that the account sees.
#[utoipa::path(get, path = "/api/v1/documents", tag = "portal", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn documents(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<Value>>, WebError> {
    Ok(Json(documents::all(&desk, visit.account()?).await?.iter().map(value).collect()))
}

/// Hands a document in: a PDF, JPEG or PNG as the body.
#[utoipa::path(
    post, path = "/api/v1/documents", tag = "portal",
    params(
        ("kind" = String, Query, description = "certificate or letter"), ("title" = String, Query),
        ("holder" = Option<String>, Query), ("mark" = Option<String>, Query, description = "the id of the mark it is about"),
        ("from" = Option<String>, Query, description = "its first day"), ("until" = Option<String>, Query)
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Object), (status = 413, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn add_document(
    State(desk): State<Desk>,
    visit: Visit,
    uri: Uri,
    bytes: Bytes,
) -> Result<Json<Value>, WebError> {
    let title: String = pair(&uri, "title").chars().filter(|c| !c.is_control()).take(120).collect();
    if title.trim().is_empty() {
        return Err(WebError::Field("title"));
    }
    let (kind, holder, mark) = (pair(&uri, "kind"), pair(&uri, "holder"), pair(&uri, "mark"));
    let (from, until) = (pair(&uri, "from"), pair(&uri, "until"));
    let filed =
        Filed { title: &title, bytes: &bytes, kind: &kind, holder: &holder, mark: &mark, from: &from, until: &until };
    Ok(Json(value(&documents::file(&desk, visit.account()?, filed).await?)))
}

/// What is known of a document.
#[utoipa::path(get, path = "/api/v1/documents/{id}", tag = "portal", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(super) async fn document(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Json<Value>, WebError> {
    Ok(Json(value(&documents::one(&desk, visit.account()?, &id).await?)))
}

/// The document itself.
#[utoipa::path(get, path = "/api/v1/documents/{id}/file", tag = "portal", params(("id" = String, Path)), responses((status = 200, description = "its bytes", content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(super) async fn document_file(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    documents::download(State(desk), visit, Path(id)).await
}

/// Takes a step with a document: verify, refuse or withdraw.
#[utoipa::path(post, path = "/api/v1/documents/{id}/{act}", tag = "portal", params(("id" = String, Path), ("act" = String, Path)), responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn document_step(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    documents::go(&desk, &visit, &id, &act).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A way of writing a mark, and what became of the newest hits written so.
#[derive(Serialize, ToSchema)]
pub(super) struct Way {
    /// Such as `homophone`; absent for what is written plainly.
    channel: Option<String>,
    watched: bool,
    waiting: usize,
    confirmed: u64,
    dismissed: u64,
}

/// Which ways of writing are not looked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unwatched {
    /// Such as `homophone`; all others are looked for.
    unwatched: Vec<String>,
}

/// The ways of writing a mark.
#[utoipa::path(get, path = "/api/v1/marks/{id}/channels", tag = "portal", params(("id" = String, Path)), responses((status = 200, body = Vec<Way>), (status = 404, body = Problem)))]
pub(super) async fn channels(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Json<Vec<Way>>, WebError> {
    let account = visit.account()?;
    let entry = marks::one(&desk, account, &id).await?;
    let told = marks::by_channel(&desk, account, &entry.mark.id).await?;
    let ways = std::iter::once(None).chain(Channel::ALL.into_iter().map(Some)).map(|channel| {
        let told = told.get(&channel).copied().unwrap_or_default();
        Way {
            channel: channel.map(|channel| channel.to_string()),
            watched: channel.is_none_or(|channel| !entry.mark.unwatched.contains(&channel)),
            waiting: told.waiting,
            confirmed: told.confirmed,
            dismissed: told.dismissed,
        }
    });
    Ok(Json(ways.collect()))
}

/// Says which of them are not looked for.
#[utoipa::path(put, path = "/api/v1/marks/{id}/channels", tag = "portal", params(("id" = String, Path)), request_body = Unwatched, responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set_channels(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
    Json(Unwatched { unwatched }): Json<Unwatched>,
) -> Result<StatusCode, WebError> {
    marks::one(&desk, visit.account()?, &id).await?;
    let unwatched: Option<Vec<Channel>> = unwatched.iter().map(|name| Channel::from_name(name)).collect();
    marks::watch(&desk, &visit, &id, &unwatched.ok_or(WebError::Field("unwatched"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}
