//! One's own account: what it may do, the password, the second factor, the browsers that are signed in.

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk, WebError, access::Wanted, api, card::time_words, door, frame::Frame, noted::note, totp, visit::Visit,
    words::Words,
};
use crate::model::{Account, AccountName, Permission};

#[derive(Template)]
#[template(path = "desk/me.html")]
struct MePage {
    f: Frame,
    roles: Vec<String>,
    sees: String,
    by_link: bool,
    problem: Option<String>,
    said: Option<String>,
    has_second: bool,
    /// A secret that waits to be proven.
    secret: String,
    secret_address: String,
    recovery: Vec<String>,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    permissions: Vec<(&'static str, String)>,
    /// A token that was made just now: shown once.
    token: Option<String>,
}

struct TokenRow {
    id: String,
    label: String,
    scope: String,
    expires: String,
    used: String,
}

struct SessionRow {
    id: String,
    agent: String,
    since: String,
    own: bool,
}

/// What the forms of this page send; each its own part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    password: String,
    new_password: String,
    secret: String,
    code: String,
    session: String,
}

/// What the page says beside what always stands there.
#[derive(Default)]
struct Says {
    problem: Option<&'static str>,
    said: Option<&'static str>,
    recovery: Vec<String>,
    token: Option<String>,
}

pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Response, WebError> {
    show(&desk, &visit, Says::default())
}

fn show(desk: &Desk, visit: &Visit, says: Says) -> Result<Response, WebError> {
    let (account, words) = (visit.account()?, visit.words);
    let by_link = visit.session.as_ref().is_some_and(|session| session.by_link);
    let has_second = desk.inner.accounts.has_second(&account.name)?;
    let secret = if has_second || by_link { String::new() } else { totp::new_secret()? };
    let own = visit.session.as_ref().map(|session| session.id.clone()).unwrap_or_default();
    let sessions = desk.inner.sessions.of(&account.name, desk.inner.clock.now());
    let page = MePage {
        roles: role_words(account, words),
        sees: scope_words(account, words),
        by_link,
        problem: says.problem.map(|key| words.say(key)),
        said: says.said.map(|key| words.say(key)),
        has_second,
        secret_address: totp::address(&secret, account.name.as_str()),
        secret,
        recovery: says.recovery,
        token: says.token,
        tokens: desk
            .inner
            .access
            .of(&account.name, desk.inner.clock.now())
            .into_iter()
            .map(|token| TokenRow {
                id: token.id,
                label: super::card::visible(&token.label),
                scope: token.scope.iter().map(|permission| permission.code()).collect::<Vec<_>>().join(" · "),
                expires: time_words(token.expires, &desk.inner.zone),
                used: token.last_used.map_or_else(|| "–".to_owned(), |at| time_words(at, &desk.inner.zone)),
            })
            .collect(),
        permissions: Permission::ALL
            .into_iter()
            .filter(|permission| account.may(*permission))
            .map(|permission| (permission.code(), words.say(&format!("may-{}", permission.code()))))
            .collect(),
        sessions: sessions
            .into_iter()
            .map(|session| SessionRow {
                own: session.id == own,
                agent: if session.agent.is_empty() { "–".to_owned() } else { super::card::visible(&session.agent) },
                since: time_words(session.since, &desk.inner.zone),
                id: session.id,
            })
            .collect(),
        f: Frame::new(visit, "account"),
    };
    Ok(Html(page.render()?).into_response())
}

/// The roles in words.
pub(super) fn role_words(account: &Account, words: Words) -> Vec<String> {
    account.roles.iter().map(|role| words.say(&format!("role-{}", role.code()))).collect()
}

/// What somebody sees, in words.
pub(super) fn scope_words(account: &Account, words: Words) -> String {
    let sees = account.sees();
    let list = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(|name| super::card::visible(name)).collect::<Vec<_>>().join("；")
    };
    let parts: Vec<String> = sees.holders.iter().chain(&sees.platforms).map(list).collect();
    if parts.is_empty() { words.say("sees-everything") } else { parts.join(" · ") }
}

/// Gives oneself another password: the old one is asked for, all other sessions end.
pub(super) async fn password(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    let name = kept(&visit)?;
    if !right_password(&desk, &name, &sent.password).await? {
        return show(&desk, &visit, Says { problem: Some("password-wrong"), ..Says::default() });
    }
    let accounts = desk.inner.accounts.clone();
    let (of, new) = (name.clone(), sent.new_password);
    door::checked(&desk, move || accounts.set_password(&of, &new)).await?;
    let own = visit.session.as_ref().map(|session| session.id.clone()).unwrap_or_default();
    desk.inner.sessions.end_of(&name, |session| session.id != own);
    note(&desk, &name, "account.password", &[("account", name.as_str().into())]).await?;
    show(&desk, &visit, Says { said: Some("password-changed"), ..Says::default() })
}

/// Takes up a second factor, once a code proves that its secret was taken down; needs the password.
pub(super) async fn set_second(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    let name = kept(&visit)?;
    if desk.inner.accounts.has_second(&name)? || !right_password(&desk, &name, &sent.password).await? {
        return show(&desk, &visit, Says { problem: Some("password-wrong"), ..Says::default() });
    }
    match desk.inner.accounts.set_second(&name, &sent.secret, &sent.code, desk.inner.clock.now())? {
        Some(recovery) => {
            note(&desk, &name, "account.second-factor", &[("account", name.as_str().into())]).await?;
            show(&desk, &visit, Says { said: Some("second-set"), recovery, ..Says::default() })
        }
        None => show(&desk, &visit, Says { problem: Some("second-wrong"), ..Says::default() }),
    }
}

/// Gives one's second factor up; needs the password.
pub(super) async fn remove_second(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    let name = kept(&visit)?;
    if !right_password(&desk, &name, &sent.password).await? {
        return show(&desk, &visit, Says { problem: Some("password-wrong"), ..Says::default() });
    }
    desk.inner.accounts.remove_second(&name)?;
    note(&desk, &name, "account.second-factor-removed", &[("account", name.as_str().into())]).await?;
    show(&desk, &visit, Says { said: Some("second-removed"), ..Says::default() })
}

/// Signs one of one's own browsers out, or all others.
pub(super) async fn end_session(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    let name = &visit.account()?.name;
    let own = visit.session.as_ref().map(|session| session.id.clone()).unwrap_or_default();
    let others = sent.session == "others";
    desk.inner.sessions.end_of(name, |session| if others { session.id != own } else { session.id == sent.session });
    Ok(Redirect::to("/account").into_response())
}

/// Makes a token for a program; it is shown once.
pub(super) async fn make_token(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    let one = |wanted: &str| sent.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
    let scope: Option<_> =
        sent.iter().filter(|(name, _)| name == "scope").map(|(_, code)| Permission::from_code(code)).collect();
    let days = one("days").parse().map_err(|_| WebError::Field("days"))?;
    let wanted = Wanted { label: one("label").to_owned(), scope: scope.ok_or(WebError::Field("scope"))?, days };
    let (token, _) = api::make_for(&desk, &visit, wanted).await?;
    show(&desk, &visit, Says { token: Some(token), ..Says::default() })
}

/// Revokes one of one's own tokens.
pub(super) async fn revoke_token(
    State(desk): State<Desk>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    let name = &visit.account()?.name;
    if desk.inner.access.revoke(name, &sent.session)? {
        note(&desk, name, "token.revoked", &[("token", sent.session.into())]).await?;
    }
    Ok(Redirect::to("/account").into_response())
}

/// The name of an account that is kept in the file: who came by a one-time link has no password to change.
fn kept(visit: &Visit) -> Result<AccountName, WebError> {
    match &visit.session {
        Some(session) if !session.by_link => Ok(session.account.name.clone()),
        Some(_) => Err(WebError::MayNot),
        None => Err(WebError::SignedOut),
    }
}

/// Whether this is the password, at the pace of sign-ins: a stolen session must not guess it faster.
async fn right_password(desk: &Desk, name: &AccountName, password: &str) -> Result<bool, WebError> {
    if desk.inner.throttle.begin(name.as_str(), desk.inner.clock.now()).is_err() {
        return Ok(false);
    }
    let right = door::check(desk, name.to_string(), password.to_owned()).await?.is_some();
    if right {
        desk.inner.throttle.succeeded(name.as_str());
    }
    Ok(right)
}
