//! One request as its handler sees it: who asks, in which language, how the page shall look.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header, request},
};

use super::{
    Desk, WebError,
    access::AccessToken,
    api,
    tokens::Session,
    words::{Language, Words},
};
use crate::model::{Account, Permission};

/// Name of the session cookie, without and with https.
const COOKIE: &str = "desk";
const SECURE_COOKIE: &str = "__Host-desk";
/// What is counted: read by programs with a token, like the API, and not at its pace.
const METRICS: &str = "/metrics";

/// Light, dark, or as the system says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The next one the switch offers.
    pub(super) fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// Who asks, and how they want it.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub session: Option<Session>,
    pub cookie: Option<String>,
    pub words: Words,
    pub theme: Theme,
    /// Whether single keys act.
    pub keys: bool,
    /// The keys of who asks, where they changed any.
    pub keymap: std::collections::BTreeMap<String, String>,
    /// Path and query.
    pub here: String,
    /// The island asks, not a page.
    pub wants_json: bool,
    /// What the browser calls itself.
    pub agent: String,
    /// It asks the API.
    pub is_api: bool,
    /// The token that a program sent, where it is good.
    pub token: Option<AccessToken>,
    /// A token was sent, good or not: cookies say nothing then.
    pub by_token: bool,
}

impl Visit {
    /// Reads a request's cookies and headers.
    pub(super) fn read(desk: &Desk, headers: &HeaderMap, uri: &Uri) -> Self {
        let settings = &desk.inner.settings;
        let name = if settings.secure_cookie { SECURE_COOKIE } else { COOKIE };
        let value = |wanted| cookie(headers, wanted);
        let is_api = uri.path().starts_with(api::API);
        let for_programs = is_api || uri.path() == METRICS;
        let bearer = text(headers, header::AUTHORIZATION).filter(|_| for_programs);
        let token = bearer
            .and_then(|sent| sent.strip_prefix("Bearer "))
            .and_then(|sent| desk.inner.access.find(sent.trim(), desk.inner.clock.now()));
        let session_cookie = value(name).filter(|_| bearer.is_none());
        let language = value("lang")
            .and_then(|tag| Language::from_tag(&tag))
            .or_else(|| text(headers, header::ACCEPT_LANGUAGE).and_then(Language::accepted))
            .unwrap_or(settings.language);
        let session = match &token {
            Some(token) => of_token(desk, token),
            None => session_cookie.as_deref().and_then(|cookie| session(desk, cookie)),
        };
        let keymap = session.as_ref().map(|session| desk.inner.board.keys(&session.account.name)).unwrap_or_default();
        Self {
            session,
            keymap,
            is_api,
            by_token: bearer.is_some(),
            token,
            cookie: session_cookie,
            words: Words(language),
            theme: value("theme").map_or(Theme::System, |name| Theme::from_name(&name)),
            keys: value("keys").as_deref() != Some("off"),
            here: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            agent: text(headers, header::USER_AGENT).unwrap_or_default().to_owned(),
            wants_json: for_programs
                || text(headers, header::ACCEPT).is_some_and(|accept| accept.contains("application/json")),
        }
    }

    /// Whether they may do this.
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.session.as_ref().is_some_and(|session| session.account.may(permission))
            && self.token.as_ref().is_none_or(|token| token.scope.contains(&permission))
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// When nobody is; the guard lets no such request through to a page that asks.
    pub(super) fn account(&self) -> Result<&Account, WebError> {
        self.session.as_ref().map(|session| &session.account).ok_or(WebError::SignedOut)
    }
}

/// Who a token stands for, if the account still exists.
fn of_token(desk: &Desk, token: &AccessToken) -> Option<Session> {
    match desk.inner.accounts.find(&token.account) {
        Ok(account) => Some(Session::of_token(account?, desk.inner.clock.now())),
        Err(error) => {
            tracing::error!(%error, "cannot read accounts");
            None
        }
    }
}

/// The session a cookie names, if its account still exists with the role it had.
fn session(desk: &Desk, cookie: &str) -> Option<Session> {
    let mut session = desk.inner.sessions.find(cookie, desk.inner.clock.now())?;
    if !session.by_link {
        match desk.inner.accounts.find(&session.account.name) {
            Ok(Some(account)) => session.account = account,
            Ok(None) => return None,
            Err(error) => {
                tracing::error!(%error, "cannot read accounts");
                return None;
            }
        }
    }
    Some(session)
}

/// The `Set-Cookie` value that signs a browser in; an empty `value` signs it out.
pub(super) fn session_cookie(desk: &Desk, value: &str) -> String {
    let settings = &desk.inner.settings;
    let (name, secure) = if settings.secure_cookie { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    let age = if value.is_empty() { 0 } else { u64::from(settings.session_hours) * 3600 };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

impl FromRequestParts<Desk> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, desk: &Desk) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::read(desk, &parts.headers, &parts.uri)))
    }
}
