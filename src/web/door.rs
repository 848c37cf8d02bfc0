//! In and out: sign-in, one-time links, preferences, help.

use std::time::Duration;

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    AccountsError, Desk, WebError,
    accounts::SecondCheck,
    frame::Frame,
    noted::note,
    tokens::Arrival,
    visit::{Theme, Visit, session_cookie},
    words::Language,
};
use crate::model::Account;

/// How long a preference lasts, in seconds: a year.
const PREFERENCE_AGE: u32 = 365 * 24 * 3600;

#[derive(Template)]
#[template(path = "desk/sign_in.html")]
struct SignInPage {
    f: Frame,
    problem: Option<String>,
    name: String,
    back: String,
    /// What the button says that leads to a provider, where there is one.
    provider: Option<String>,
    /// Where that button leads.
    provider_at: String,
    /// Whether somebody signed out just now.
    out: bool,
}

#[derive(Template)]
#[template(path = "desk/second.html")]
struct SecondPage {
    f: Frame,
    problem: Option<String>,
    ticket: String,
    back: String,
}

#[derive(Template)]
#[template(path = "desk/help.html")]
struct HelpPage {
    f: Frame,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub(super) struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    back: String,
}

/// What the form of the second factor sends.
#[derive(Deserialize)]
pub(super) struct Second {
    ticket: String,
    code: String,
    #[serde(default)]
    back: String,
}

/// What the switches send; one of them at a time.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preferences {
    lang: String,
    theme: String,
    keys: String,
    back: String,
}

pub(super) async fn home() -> Redirect {
    Redirect::to("/queue")
}

/// Whether the desk and its store answer.
pub(super) async fn health(State(desk): State<Desk>) -> Result<&'static str, WebError> {
    desk.inner.store.counts().await?;
    Ok("ok\n")
}

/// Whether the store answers, which rules are in use, and how many alarms nobody has seen. Why a change of them was refused is in the log: files are named there.
pub(super) async fn ready(State(desk): State<Desk>) -> Result<Json<serde_json::Value>, WebError> {
    let counts = desk.inner.store.counts().await?;
    let rules = desk.inner.monitor.as_ref().and_then(|monitor| monitor.rules_state()).map(|state| {
        let refused = state.refused.map(|refused| refused.at);
        json!({
            "hash": state.hash, "active": state.active, "shadow": state.shadow, "campaigns": state.campaigns,
            "since": state.since, "held": state.held, "refused_at": refused,
        })
    });
    // Strangers are answered: how many of which kind, and no names.
    let mut warnings = std::collections::BTreeMap::<&str, u64>::new();
    for alarm in desk.alarms().await?.iter().filter(|alarm| alarm.seen.is_none()) {
        *warnings.entry(alarm.kind.code()).or_default() += 1;
    }
    Ok(Json(json!({"store": {"seq": counts.seq}, "rules": rules, "warnings": warnings})))
}

pub(super) async fn nothing_here() -> WebError {
    WebError::NotFound
}

pub(super) async fn help(visit: Visit) -> Result<Html<String>, WebError> {
    Ok(Html(HelpPage { f: Frame::new(&visit, "help") }.render()?))
}

pub(super) async fn sign_in_page(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response, WebError> {
    let back = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "back")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    if visit.session.is_some() {
        return Ok(Redirect::to(&own_path(&back)).into_response());
    }
    sign_in_again(&desk, &visit, None, String::new(), back, StatusCode::OK)
}

/// The page of the door again, with what was wrong.
pub(super) fn sign_in_again(
    desk: &Desk,
    visit: &Visit,
    problem: Option<String>,
    name: String,
    back: String,
    status: StatusCode,
) -> Result<Response, WebError> {
    let provider = desk.inner.oidc.as_ref().map(|oidc| match oidc.name() {
        "" => visit.words.say("oidc-sign-in"),
        name => name.to_owned(),
    });
    let encoded: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    let page = SignInPage {
        provider_at: format!("/sign-in/oidc?back={encoded}"),
        out: provider.is_some() && visit.here.contains("out=1"),
        provider,
        problem,
        name,
        back,
        f: Frame::new(visit, "sign-in"),
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// Checks a password, at a bounded pace, and starts a session.
pub(super) async fn sign_in(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<SignIn>,
) -> Result<Response, WebError> {
    let name: String = form.name.trim().chars().take(128).collect();
    if let Err(seconds) = desk.inner.throttle.begin(&name, desk.inner.clock.now()) {
        let words = visit.words.count("sign-in-wait", u64::try_from(seconds).unwrap_or(1));
        let mut page = sign_in_again(&desk, &visit, Some(words), name, form.back, StatusCode::TOO_MANY_REQUESTS)?;
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    let Some(account) = check(&desk, name.clone(), form.password).await? else {
        let words = visit.words.say("sign-in-wrong");
        return sign_in_again(&desk, &visit, Some(words), name, form.back, StatusCode::UNAUTHORIZED);
    };
    desk.inner.throttle.succeeded(&name);
    if desk.inner.accounts.has_second(&account.name)? {
        let ticket = desk.inner.halfway.begin(account, desk.inner.clock.now())?;
        return ask_code(&visit, ticket, form.back, None);
    }
    arrive(&desk, &visit, account, &form.back).await
}

fn ask_code(visit: &Visit, ticket: String, back: String, problem: Option<String>) -> Result<Response, WebError> {
    let status = if problem.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    let page = SecondPage { f: Frame::new(visit, "sign-in"), problem, ticket, back };
    Ok((status, Html(page.render()?)).into_response())
}

/// Checks the second factor of somebody whose password was right.
pub(super) async fn second(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<Second>,
) -> Result<Response, WebError> {
    let now = desk.inner.clock.now();
    let Some(account) = desk.inner.halfway.take_try(&form.ticket, now) else {
        let words = visit.words.say("second-late");
        return sign_in_again(&desk, &visit, Some(words), String::new(), form.back, StatusCode::UNAUTHORIZED);
    };
    // Whoever knows the password gets new tickets: codes have a pace of their own.
    let pace = format!("\u{1}second {}", account.name);
    if let Err(seconds) = desk.inner.throttle.begin(&pace, now) {
        let words = visit.words.count("sign-in-wait", u64::try_from(seconds).unwrap_or(1));
        return ask_code(&visit, form.ticket, form.back, Some(words));
    }
    match desk.inner.accounts.check_second(&account.name, &form.code, now)? {
        SecondCheck::Wrong => ask_code(&visit, form.ticket, form.back, Some(visit.words.say("second-wrong"))),
        SecondCheck::NotAsked | SecondCheck::Right | SecondCheck::Recovered(_) => {
            desk.inner.throttle.succeeded(&pace);
            desk.inner.halfway.end(&form.ticket);
            arrive(&desk, &visit, account, &form.back).await
        }
    }
}

/// Goes on with somebody whom a provider identified: the second factor that they have here is still asked for.
pub(super) async fn identified(
    desk: &Desk,
    visit: &Visit,
    account: Account,
    back: String,
) -> Result<Response, WebError> {
    if desk.inner.accounts.has_second(&account.name)? {
        let ticket = desk.inner.halfway.begin(account, desk.inner.clock.now())?;
        return ask_code(visit, ticket, back, None);
    }
    arrive(desk, visit, account, &back).await
}

/// Starts a session for somebody whose sign-in is complete.
async fn arrive(desk: &Desk, visit: &Visit, account: Account, back: &str) -> Result<Response, WebError> {
    if let Some(old) = &visit.cookie {
        desk.inner.sessions.end(old);
    }
    note(desk, &account.name, "account.sign-in", &[]).await?;
    enter_as(desk, visit, account, false, &own_path(back))
}

pub(super) async fn check(desk: &Desk, name: String, password: String) -> Result<Option<Account>, WebError> {
    let accounts = desk.inner.accounts.clone();
    checked(desk, move || accounts.verify(&name, &password)).await
}

/// Does what hashes a password, a few at a time and off the threads that answer.
pub(super) async fn checked<T: Send + 'static>(
    desk: &Desk,
    work: impl FnOnce() -> Result<T, AccountsError> + Send + 'static,
) -> Result<T, WebError> {
    let turn = desk.inner.checks.acquire().await.map_err(|error| WebError::Check(error.to_string()))?;
    let done = tokio::task::spawn_blocking(work).await;
    drop(turn);
    Ok(done.map_err(|error| WebError::Check(error.to_string()))??)
}

fn enter_as(desk: &Desk, visit: &Visit, account: Account, by_link: bool, to: &str) -> Result<Response, WebError> {
    let lifetime = Duration::from_secs(u64::from(desk.inner.settings.session_hours) * 3600);
    let who = Arrival { account, by_link, agent: visit.agent.clone() };
    let cookie = desk.inner.sessions.start(who, desk.inner.clock.now(), lifetime)?;
    Ok(([(header::SET_COOKIE, session_cookie(desk, &cookie))], Redirect::to(to)).into_response())
}

/// Signs in whom a one-time link names.
pub(super) async fn enter(
    State(desk): State<Desk>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    match desk.inner.links.redeem(&token, desk.inner.clock.now()) {
        Some(account) => {
            note(&desk, &account.name, "account.sign-in-by-link", &[]).await?;
            enter_as(&desk, &visit, account, true, "/queue")
        }
        None => {
            let words = visit.words.say("link-used");
            sign_in_again(&desk, &visit, Some(words), String::new(), String::new(), StatusCode::UNAUTHORIZED)
        }
    }
}

pub(super) async fn sign_out(State(desk): State<Desk>, visit: Visit) -> Response {
    if let Some(cookie) = &visit.cookie {
        desk.inner.sessions.end(cookie);
    }
    // The provider may hold a session of its own; ending it is offered there.
    let to = if desk.inner.oidc.is_some() { "/sign-in?out=1" } else { "/sign-in" };
    ([(header::SET_COOKIE, session_cookie(&desk, ""))], Redirect::to(to)).into_response()
}

/// Remembers language, theme or keys in a cookie of the browser.
pub(super) async fn preferences(State(desk): State<Desk>, Form(form): Form<Preferences>) -> Response {
    let chosen = [
        ("lang", Language::from_tag(&form.lang).map(Language::tag)),
        ("theme", (!form.theme.is_empty()).then(|| Theme::from_name(&form.theme).name())),
        ("keys", (!form.keys.is_empty()).then_some(if form.keys == "off" { "off" } else { "on" })),
    ];
    let secure = if desk.inner.settings.secure_cookie { "; Secure" } else { "" };
    let mut headers = HeaderMap::new();
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={PREFERENCE_AGE}{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    (headers, Redirect::to(&own_path(&form.back))).into_response()
}

/// `path` if it is one of this desk's own, else the queue: a link may not send people elsewhere.
fn own_path(path: &str) -> String {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.starts_with("/enter/")
        && path.len() < 2048
        && path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if own { path.to_owned() } else { "/queue".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn after_sign_in_nobody_is_sent_elsewhere() {
        assert_eq!(own_path("/hits/7?text=a"), "/hits/7?text=a");
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nX: y", "/enter/abc"] {
            assert_eq!(own_path(path), "/queue", "{path}");
        }
        assert_eq!(own_path(&format!("/{}", "a".repeat(3000))), "/queue");
    }
}
