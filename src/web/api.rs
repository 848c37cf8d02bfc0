//! The API, `/api/v1`: everything a button does, for programs. Sent forms are its own types (`shape`), refusals are
//! problem+json, lists are pages behind opaque cursors.
//!
//! [`ROUTES`] is its part of the table; [`document`] describes it as OpenAPI, and a test holds both to one another.

mod alerts;
mod audit;
mod backtest;
mod check;
mod columns;
mod cursor;
mod disputes;
mod export;
mod hits;
mod many;
mod once;
mod own;
mod pace;
mod people;
mod portal;
mod register;
mod samples;
mod shape;
mod table;
mod tokens;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use http::Method;
use utoipa::OpenApi;

pub(super) use export::row;
pub(super) use hits::put_link;
pub(super) use once::Once;
use once::Turn;
pub(super) use pace::Pace;
pub(super) use register::{set, today};
pub(super) use shape::Problem;
pub(super) use tokens::make_for;

use super::{
    Desk, MAX_BODY_BYTES, WebError, alarms,
    documents::MAX_FORM_BYTES,
    marks::MAX_MARKS_BYTES,
    routes::{
        Needs::{May, SignedIn},
        Route, acts, of, reads,
    },
    seller_file::MAX_FILE_BYTES,
    source,
    visit::Visit,
};
use crate::model::{AccountName, Permission as P};

/// Where it begins.
pub(super) const API: &str = "/api/v1/";
/// Longest text or listing that is checked, in bytes.
const MAX_CHECKED_BYTES: usize = 256 * 1024;

/// What those pages may do: they set styles on their own elements, and nothing else that other pages may not.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Its addresses.
pub(super) const ROUTES: &[Route] = &[
    reads("/api/v1/counts", May(P::ReadHits), || get(hits::counts)),
    reads("/api/v1/hits", May(P::ReadHits), || get(hits::list)),
    acts("/api/v1/hits/claim", May(P::Decide), || post(hits::claim)),
    reads("/api/v1/hits/{id}", May(P::ReadHits), || get(hits::one)),
    reads("/api/v1/hits/{id}/capture", May(P::ReadHits), || get(hits::capture)),
    acts("/api/v1/hits/{id}/claim", May(P::Decide), || post(hits::claim_one)),
    acts("/api/v1/hits/{id}/renew", May(P::Decide), || post(hits::renew)),
    acts("/api/v1/hits/{id}/release", May(P::Decide), || post(hits::release)),
    acts("/api/v1/hits/{id}/skip", May(P::Decide), || post(hits::skip)),
    acts("/api/v1/hits/{id}/decide", May(P::Decide), || post(hits::decide)),
    acts("/api/v1/hits/{id}/undo", May(P::Decide), || post(hits::undo)),
    of(Method::PUT, "/api/v1/hits/{id}/gold", May(P::DecideMany), MAX_BODY_BYTES, || put(hits::gold)),
    of(Method::DELETE, "/api/v1/hits/{id}/gold", May(P::DecideMany), MAX_BODY_BYTES, || delete(hits::no_gold)),
    reads("/api/v1/hits/{id}/notes", May(P::ReadRecords), || get(many::notes)),
    acts("/api/v1/hits/{id}/notes", May(P::DecideMany), || post(many::note)),
    acts("/api/v1/bulk", May(P::DecideMany), || post(many::freeze)),
    reads("/api/v1/bulk/{name}", May(P::DecideMany), || get(many::bulk_state)),
    acts("/api/v1/bulk/{name}/decide", May(P::DecideMany), || post(many::decide)),
    reads("/api/v1/acts/{act}", May(P::ReadRecords), || get(many::act)),
    acts("/api/v1/acts/{act}/undo", May(P::Decide), || post(many::undo)),
    reads("/api/v1/listings/{id}", May(P::ReadHits), || get(hits::listing)),
    reads("/api/v1/marks", May(P::ReadMarks), || get(register::marks)),
    reads("/api/v1/marks/{id}", May(P::ReadMarks), || get(register::mark)),
    of(Method::POST, "/api/v1/marks", May(P::ChangeMarks), MAX_MARKS_BYTES, || post(register::add_marks)),
    of(Method::POST, "/api/v1/marks/trial", May(P::ChangeMarks), MAX_MARKS_BYTES, || post(register::try_marks)),
    acts("/api/v1/marks/{id}/{act}", May(P::ReadMarks), || post(register::step)),
    reads("/api/v1/marks/{id}/channels", May(P::ReadMarks), || get(portal::channels)),
    of(Method::PUT, "/api/v1/marks/{id}/channels", May(P::ChangeMarks), MAX_BODY_BYTES, || put(portal::set_channels)),
    reads("/api/v1/seller-lists", May(P::ReadMarks), || get(portal::sellers)),
    acts("/api/v1/seller-lists", May(P::ListSellers), || post(portal::list_seller)),
    of(Method::POST, "/api/v1/seller-lists/file", May(P::ListSellers), MAX_FILE_BYTES, || post(portal::list_file)),
    of(Method::DELETE, "/api/v1/seller-lists/{id}", May(P::ListSellers), MAX_BODY_BYTES, || {
        delete(portal::unlist_seller)
    }),
    reads("/api/v1/documents", May(P::ReadMarks), || get(portal::documents)),
    of(Method::POST, "/api/v1/documents", May(P::ChangeMarks), MAX_FORM_BYTES, || post(portal::add_document)),
    reads("/api/v1/documents/{id}", May(P::ReadMarks), || get(portal::document)),
    reads("/api/v1/documents/{id}/file", May(P::ReadMarks), || get(portal::document_file)),
    acts("/api/v1/documents/{id}/{act}", May(P::ReadMarks), || post(portal::document_step)),
    reads("/api/v1/alerts", May(P::UseAlerts), || get(alerts::list)),
    acts("/api/v1/alerts", May(P::UseAlerts), || post(alerts::add)),
    acts("/api/v1/alerts/{id}/{act}", May(P::UseAlerts), || post(alerts::act)),
    of(Method::DELETE, "/api/v1/alerts/{id}", May(P::UseAlerts), MAX_BODY_BYTES, || delete(alerts::remove)),
    reads("/api/v1/rules", May(P::ReadRules), || get(register::rules)),
    reads("/api/v1/rules/{id}", May(P::ReadRules), || get(register::rule)),
    of(Method::POST, "/api/v1/rules/{id}/explain", May(P::TryRules), MAX_CHECKED_BYTES, || post(check::explain)),
    acts("/api/v1/rules/{id}/tests", May(P::TryRules), || post(check::tests)),
    acts("/api/v1/rules/{id}/backtest", May(P::TryRules), || post(backtest::begin)),
    reads("/api/v1/rules/{id}/backtest", May(P::ReadRules), || get(backtest::state)),
    of(Method::DELETE, "/api/v1/rules/{id}/backtest", May(P::TryRules), MAX_BODY_BYTES, || delete(backtest::stop)),
    reads("/api/v1/rules/{id}/days", May(P::ReadRules), || get(backtest::days)),
    reads("/api/v1/disputes", May(P::LeadReview), || get(disputes::list)),
    reads("/api/v1/disputes/{id}", May(P::LeadReview), || get(disputes::one)),
    acts("/api/v1/disputes/{id}/view", May(P::LeadReview), || post(disputes::view)),
    acts("/api/v1/disputes/{id}/decide", May(P::LeadReview), || post(disputes::decide)),
    reads("/api/v1/samples", May(P::ReadRecords), || get(samples::list)),
    acts("/api/v1/samples", May(P::LeadReview), || post(samples::draw)),
    of(Method::DELETE, "/api/v1/samples", May(P::LeadReview), MAX_BODY_BYTES, || delete(samples::stop)),
    reads("/api/v1/samples/{name}", May(P::ReadRecords), || get(samples::one)),
    acts("/api/v1/samples/{name}/{id}", May(P::DecideMany), || post(samples::look)),
    of(Method::DELETE, "/api/v1/samples/{name}/{id}", May(P::DecideMany), MAX_BODY_BYTES, || delete(samples::unlook)),
    reads("/api/v1/campaigns", May(P::ReadRules), || get(register::campaigns)),
    of(Method::POST, "/api/v1/check", May(P::ReadHits), MAX_CHECKED_BYTES, || post(check::check)),
    reads("/api/v1/sources", May(P::ReadSources), || get(register::sources)),
    acts("/api/v1/sources/{name}/pause", May(P::RunSources), || post(source::pause_by_program)),
    acts("/api/v1/sources/{name}/continue", May(P::RunSources), || post(source::go_on_by_program)),
    reads("/api/v1/alarms", May(P::ReadSources), || get(alarms::list)),
    acts("/api/v1/alarms/acknowledge", May(P::RunSources), || post(alarms::acknowledged_by_program)),
    reads("/api/v1/audit", May(P::ReadAudit), || get(audit::list)),
    acts("/api/v1/audit/verify", May(P::ReadAudit), || post(audit::verify)),
    reads("/api/v1/accounts", May(P::ManageAccounts), || get(people::list)),
    acts("/api/v1/accounts", May(P::ManageAccounts), || post(people::add)),
    of(Method::PUT, "/api/v1/accounts/{name}", May(P::ManageAccounts), MAX_BODY_BYTES, || put(people::change)),
    acts("/api/v1/accounts/{name}/password", May(P::ManageAccounts), || post(people::new_password)),
    acts("/api/v1/accounts/{name}/sign-out", May(P::ManageAccounts), || post(people::sign_out)),
    of(Method::DELETE, "/api/v1/accounts/{name}", May(P::ManageAccounts), MAX_BODY_BYTES, || delete(people::remove)),
    reads("/api/v1/filters", May(P::ReadHits), || get(own::filters)),
    acts("/api/v1/filters", May(P::ReadHits), || post(own::save)),
    of(Method::DELETE, "/api/v1/filters/{key}", May(P::ReadHits), MAX_BODY_BYTES, || delete(own::forget)),
    reads("/api/v1/keys", SignedIn, || get(own::keys)),
    of(Method::PUT, "/api/v1/keys", SignedIn, MAX_BODY_BYTES, || put(own::set_keys)),
    reads("/api/v1/tokens", SignedIn, || get(tokens::list)),
    acts("/api/v1/tokens", SignedIn, || post(tokens::make)),
    of(Method::DELETE, "/api/v1/tokens/{id}", SignedIn, MAX_BODY_BYTES, || delete(tokens::revoke)),
    reads("/api/v1/exports/{what}", May(P::ReadHits), || get(export::export)),
    reads("/api/v1/openapi.json", SignedIn, || get(openapi)),
    reads("/api/docs/{*file}", SignedIn, || get(docs)),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Markwarden",
        version = "1",
        description = "Everything a button of the desk does. Send a token as `Authorization: Bearer mw_…`; lists give the \
                       next page in `Link`; a POST with an `Idempotency-Key` is done once in 24 hours; refusals are \
                       problem+json (RFC 9457) with a stable `type`. Programs without a browser send no Origin."
    ),
    paths(
        hits::counts,
        hits::list,
        hits::claim,
        hits::one,
        hits::capture,
        hits::claim_one,
        hits::renew,
        hits::release,
        hits::skip,
        hits::decide,
        hits::undo,
        hits::gold,
        hits::no_gold,
        many::notes,
        many::note,
        many::freeze,
        many::bulk_state,
        many::decide,
        many::act,
        many::undo,
        hits::listing,
        register::marks,
        register::mark,
        register::add_marks,
        register::try_marks,
        register::step,
        portal::channels,
        portal::set_channels,
        portal::sellers,
        portal::list_seller,
        portal::list_file,
        portal::unlist_seller,
        portal::documents,
        portal::add_document,
        portal::document,
        portal::document_file,
        portal::document_step,
        alerts::list,
        alerts::add,
        alerts::act,
        alerts::remove,
        register::rules,
        register::rule,
        check::explain,
        check::tests,
        backtest::begin,
        backtest::state,
        backtest::stop,
        backtest::days,
        disputes::list,
        disputes::one,
        disputes::view,
        disputes::decide,
        samples::list,
        samples::draw,
        samples::stop,
        samples::one,
        samples::look,
        samples::unlook,
        register::campaigns,
        check::check,
        register::sources,
        source::pause_by_program,
        source::go_on_by_program,
        alarms::list,
        alarms::acknowledged_by_program,
        audit::list,
        audit::verify,
        people::list,
        people::add,
        people::change,
        people::new_password,
        people::sign_out,
        people::remove,
        own::filters,
        own::save,
        own::forget,
        own::keys,
        own::set_keys,
        tokens::list,
        tokens::make,
        tokens::revoke,
        export::export
    ),
    components(schemas(Problem))
)]
struct Description;

/// The OpenAPI document, as pretty JSON with a line break at its end.
pub fn document() -> String {
    Description::openapi().to_pretty_json().map(|text| text + "\n").unwrap_or_default()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

/// The pages that show the document; they are part of the program.
async fn docs(State(desk): State<Desk>, Path(file): Path<String>) -> Result<Response, WebError> {
    let served = utoipa_swagger_ui::serve(&file, std::sync::Arc::clone(&desk.inner.docs));
    let file = served.map_err(|error| WebError::Docs(error.to_string()))?.ok_or(WebError::NotFound)?;
    let kind = [(header::CONTENT_TYPE, file.content_type)];
    let mut answer = (kind, file.bytes.into_owned()).into_response();
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    Ok(answer)
}

/// How the pages that show the document are set up.
pub(super) fn docs_settings() -> utoipa_swagger_ui::Config<'static> {
    utoipa_swagger_ui::Config::new(["/api/v1/openapi.json"]).validator_url("none")
}

/// Answers a request that was let through: at the account's pace, and once where it asks for that.
pub(super) async fn answer(desk: &Desk, visit: &Visit, request: Request, next: Next) -> Response {
    let Some(session) = &visit.session else { return WebError::SignedOut.into_response() };
    let (name, now) = (&session.account.name, desk.inner.clock.now());
    let left = match desk.inner.pace.count(name, desk.inner.settings.api_per_minute.max(1), now) {
        Ok(left) => left,
        Err(left) => {
            let mut refusal = WebError::TooFast.into_response();
            left.tell(refusal.headers_mut());
            return refusal;
        }
    };
    let mut answer = match request.headers().get("idempotency-key").cloned() {
        Some(key) if *request.method() == Method::POST => once(desk, name, &key, request, next).await,
        _ => next.run(request).await,
    };
    left.tell(answer.headers_mut());
    answer
}

async fn once(desk: &Desk, name: &AccountName, key: &HeaderValue, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // The body was read whole when the request was let through, within its route's bound.
    let Ok(body) = to_bytes(body, usize::MAX).await else { return WebError::TooLong.into_response() };
    let target = parts.uri.to_string();
    let turn =
        desk.inner.once.begin(name, key.to_str().unwrap_or(""), &[target.as_bytes(), &body], desk.inner.clock.now());
    let key = match turn {
        Turn::First(key) => key,
        Turn::Again(answer) => return answer,
        Turn::Other => return WebError::Reused.into_response(),
        Turn::Running => return WebError::Taken.into_response(),
        Turn::Bad => return WebError::Field("Idempotency-Key").into_response(),
    };
    let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
    // A refusal did nothing: the same may be tried again.
    if !answer.status().is_success() {
        desk.inner.once.forget(&key);
        return answer;
    }
    let (parts, body) = answer.into_parts();
    match to_bytes(body, once::MAX_ANSWER_BYTES).await {
        Ok(body) => {
            desk.inner.once.keep(key, parts.status, parts.headers.get(header::CONTENT_TYPE).cloned(), body.clone());
            Response::from_parts(parts, Body::from(body))
        }
        Err(error) => {
            desk.inner.once.forget(&key);
            WebError::Check(error.to_string()).into_response()
        }
    }
}

/// An answer with the version of what it shows, for `If-Match`.
fn with_version<T: serde::Serialize>(version: usize, value: T) -> Response {
    ([(header::ETAG, format!("\"{version}\""))], Json(value)).into_response()
}

/// Refuses when the sender knows another version than `version`.
fn matches(headers: &http::HeaderMap, version: usize) -> Result<(), WebError> {
    let Some(wanted) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let own = format!("\"{version}\"");
    let fits =
        wanted.to_str().is_ok_and(|list| list.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == own));
    if fits { Ok(()) } else { Err(WebError::Stale) }
}
