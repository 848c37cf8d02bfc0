//! What went wrong, as a page for people or problem+json for the island.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::json;

use super::{accounts::AccountsError, frame::Frame, visit::Visit};
use crate::{
    alert::BookError,
    monitor::{StepError, WorksError},
    review::ReviewError,
    store::StoreError,
};

/// Why the desk refused.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision may not stand.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// The accounts cannot be read.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// A page could not be written.
    #[error("cannot write the page: {0}")]
    Render(#[from] askama::Error),
    /// The listener failed.
    #[error("the desk stopped: {0}")]
    Serve(std::io::Error),
    /// A password check was broken off.
    #[error("the password could not be checked: {0}")]
    Check(String),
    /// The settings name no time zone.
    #[error("`{0}` is no time zone: write time_zone = \"Asia/Shanghai\" or another IANA name")]
    TimeZone(String),
    /// There is no such page or hit.
    #[error("there is nothing at this address")]
    NotFound,
    /// Nobody is signed in.
    #[error("sign in first")]
    SignedOut,
    /// The request came from another site or carries no valid form token.
    #[error("this request did not come from a page of this desk: reload the page and try again")]
    Foreign,
    /// The Host header names another host.
    #[error("this desk does not answer to the name in the address: use its own, or add it to web.hosts")]
    Host,
    /// What runs behind the desk cannot be asked.
    #[error(transparent)]
    Works(#[from] WorksError),
    /// What became of addresses cannot be read.
    #[error(transparent)]
    Coverage(#[from] crate::crawl::CoverageError),
    /// What is counted cannot be written.
    #[error("cannot write the metrics: {0}")]
    Metrics(String),
    /// A form field holds something the desk never sends.
    #[error("the field {0} holds a value that is not known")]
    Field(&'static str),
    /// The body is longer than forms are.
    #[error("the request is too long")]
    TooLong,
    /// The request took too long.
    #[error("the request took too long: try again")]
    Slow,
    /// A mark does not stand where that step begins.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Tokens cannot be read or written.
    #[error("the file of tokens: {0}")]
    Tokens(String),
    /// An account has as many tokens as it may.
    #[error("this account has 50 tokens: revoke one first")]
    TooManyTokens,
    /// The sender knows another version.
    #[error("it was changed meanwhile: read it again")]
    Stale,
    /// The same key was sent with another request, or while the first is still done.
    #[error("this Idempotency-Key was used for another request")]
    Reused,
    /// More requests than an account may send.
    #[error("too many requests: wait a little")]
    TooFast,
    /// The pages that show the API.
    #[error("the pages of the API: {0}")]
    Docs(String),
    /// The account has no role that allows this.
    #[error("your roles do not allow this")]
    MayNot,
    /// Alerts cannot be read or changed.
    #[error(transparent)]
    Alert(#[from] BookError),
    /// The provider of sign-ins cannot be asked, or answers what does not fit.
    #[error("the provider of sign-ins does not answer as it should")]
    Provider,
    /// Work of this kind runs already.
    #[error("this kind of work runs already: wait for its end, or stop it")]
    Busy,
    /// There is no archive of the listings here.
    #[error("this server keeps no archive of its listings")]
    NoArchive,
    /// Someone else holds or decided the hit.
    #[error("someone else decided or holds this hit")]
    Taken,
}

impl WebError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Store(StoreError::Stopped(_) | StoreError::Io { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Review(ReviewError::MayNotDecide(_) | ReviewError::NotYours { .. } | ReviewError::Involved(_))
            | Self::Foreign
            | Self::MayNot => StatusCode::FORBIDDEN,
            Self::Review(ReviewError::NothingToUndo(_) | ReviewError::ViewFirst(_))
            | Self::Taken
            | Self::Busy
            | Self::NoArchive => StatusCode::CONFLICT,
            Self::Review(_) | Self::Field(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Step(StepError::Unknown(_)) => StatusCode::NOT_FOUND,
            Self::Step(StepError::SamePerson(_)) => StatusCode::FORBIDDEN,
            Self::Step(_) => StatusCode::CONFLICT,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::Reused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooFast => StatusCode::TOO_MANY_REQUESTS,
            Self::Alert(BookError::Unknown) => StatusCode::NOT_FOUND,
            Self::TooManyTokens | Self::Alert(BookError::TooMany | BookError::Busy) => StatusCode::CONFLICT,
            Self::NotFound | Self::Accounts(AccountsError::Unknown(_)) => StatusCode::NOT_FOUND,
            Self::Accounts(AccountsError::Exists(_) | AccountsError::LastAdmin(_)) => StatusCode::CONFLICT,
            Self::Accounts(AccountsError::Password | AccountsError::Roles) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Provider => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Store(_) => "problem-store",
            Self::Review(ReviewError::MayNotDecide(_)) => "problem-role",
            Self::Review(ReviewError::NotYours { .. }) => "problem-not-yours",
            Self::Review(ReviewError::NothingToUndo(_)) => "problem-nothing-to-undo",
            Self::Review(ReviewError::Involved(_)) => "problem-involved",
            Self::Review(ReviewError::ViewFirst(_)) => "problem-view-first",
            Self::Busy => "problem-busy",
            Self::Provider => "oidc-away",
            Self::NoArchive => "problem-no-archive",
            Self::Review(ReviewError::LongNote(_)) => "problem-long-note",
            Self::Review(ReviewError::WrongReason { .. }) | Self::Field(_) => "problem-field",
            Self::NotFound => "problem-not-found",
            Self::SignedOut => "problem-signed-out",
            Self::Foreign => "problem-foreign",
            Self::Host => "problem-host",
            Self::TooLong => "problem-too-long",
            Self::Slow => "problem-slow",
            Self::Taken => "problem-taken",
            Self::MayNot => "problem-may-not",
            Self::Step(StepError::Unknown(_)) => "problem-not-found",
            Self::Step(StepError::SamePerson(_)) => "problem-same-person",
            Self::Step(_) => "problem-step",
            Self::Stale => "problem-stale",
            Self::Reused => "problem-reused",
            Self::TooFast => "problem-too-fast",
            Self::TooManyTokens => "problem-too-many-tokens",
            Self::Alert(BookError::Unknown) => "problem-not-found",
            Self::Alert(BookError::TooMany) => "problem-too-many-alerts",
            Self::Alert(BookError::Busy) => "problem-alert-busy",
            Self::Accounts(AccountsError::Exists(_)) => "problem-account-exists",
            Self::Accounts(AccountsError::Unknown(_)) => "problem-not-found",
            Self::Accounts(AccountsError::Password) => "problem-password",
            Self::Accounts(AccountsError::Roles) => "problem-roles",
            Self::Accounts(AccountsError::LastAdmin(_)) => "problem-last-admin",
            _ => "problem-internal",
        }
    }
}

/// A refusal on its way out: the guard, which knows language and looks, writes its page.
#[derive(Debug, Clone)]
pub(super) struct Refused(Arc<WebError>);

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Refused(Arc::new(self)));
        response
    }
}

#[derive(Template)]
#[template(path = "desk/message.html")]
struct Message {
    f: Frame,
    title: String,
    words: String,
}

/// problem+json, with what the refusal's headers say of the pace.
fn problem(status: StatusCode, key: &str, visit: &Visit, headers: &HeaderMap) -> Response {
    let body = json!({
        "type": format!("urn:markwarden:{key}"),
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": visit.words.say(key),
    });
    let mut answer = (status, body.to_string()).into_response();
    for name in [header::RETRY_AFTER.as_str(), "ratelimit", "ratelimit-policy"] {
        if let (Some(value), Ok(name)) = (headers.get(name), HeaderName::from_bytes(name.as_bytes())) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}

/// Gives a refusal its body, in the visitor's language.
pub(super) fn explain(response: Response, visit: &Visit) -> Response {
    let Some(Refused(error)) = response.extensions().get::<Refused>().cloned() else {
        // What axum itself refuses: a body that is no JSON of that form, a method that is not there.
        let refused = visit.is_api && response.status().is_client_error();
        return if refused { problem(response.status(), "problem-field", visit, response.headers()) } else { response };
    };
    let status = response.status();
    if visit.wants_json {
        return problem(status, error.key(), visit, response.headers());
    }
    let words = visit.words.say(error.key());
    let title = visit.words.say(if status == StatusCode::NOT_FOUND { "not-found" } else { "refused" });
    let page = Message { f: Frame::new(visit, ""), title, words };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => (status, error.to_string()).into_response(),
    }
}
