//! Sign-in at a provider of OpenID Connect: authorization code with PKCE, state and nonce, for accounts that exist here.
//!
//! The provider says who somebody is, never what they may do: a claim names an account of the file, with the roles and the
//! second factor it has there. Nobody is added. Without `[desk.oidc]` in the settings nothing of it is reachable.

mod provider;
mod token;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use url::Url;

use super::{
    Desk, WebError, door,
    noted::note,
    tokens::{after, random_token, same},
    visit::{Visit, cookie},
};
use crate::{
    crawl::{FetchError, Fetcher, Secret, SecretError},
    model::{Account, AccountName, Clock, Timestamp},
};
use provider::{Provider, Redeemed};
use token::{Claims, Expected, TokenError};

/// Sign-ins under way at once; the oldest goes.
const MAX_FLOWS: usize = 1_000;
/// How long one may take.
const FLOW: Duration = Duration::from_secs(600);
/// How long what a provider says of itself is believed, and how often its keys are read anew for one that is not known.
const KNOWN_SECONDS: i64 = 3600;
const KEYS_SECONDS: i64 = 60;
/// Longest code or state that comes back, in bytes.
const MAX_SENT_BYTES: usize = 2048;
/// The cookie that binds a sign-in under way to its browser.
const COOKIE: &str = "oidc";

/// Which provider, and whom it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the button says.
    #[serde(default)]
    pub name: String,
    /// The provider's issuer, to the letter.
    pub issuer: String,
    /// How this desk is known there.
    pub client_id: String,
    /// Its secret; without one it is a public client, which PKCE protects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Where people reach this desk, such as `https://desk.example`.
    pub desk: String,
    /// The claim that names the account; `email` counts only where the provider says it verified it.
    #[serde(default = "subject")]
    pub claim: String,
    /// Accounts by the claim's value; where empty, the value is the account's name.
    #[serde(default)]
    pub accounts: BTreeMap<String, String>,
    /// Whether the provider may be on this machine or in a private network, also by http.
    #[serde(default)]
    pub allow_private: bool,
}

fn subject() -> String {
    "sub".to_owned()
}

/// Why nobody could be signed in.
#[derive(Debug, thiserror::Error)]
enum OidcError {
    /// A setting that cannot be used.
    #[error("desk.oidc.{0} cannot be used: see config.toml")]
    Settings(&'static str),
    /// The secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The provider was not reached.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It answered with an error.
    #[error("the provider answered with status {0}")]
    Status(u16),
    /// It answered with something else than was asked for.
    #[error("the provider's answer does not fit: {0}")]
    Answer(&'static str),
    /// Its token is not believed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Sign-in at one provider.
pub struct Oidc {
    settings: Settings,
    fetcher: Arc<Fetcher>,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
    flows: Lock<HashMap<String, Flow>>,
}

struct Known {
    provider: Provider,
    since: Timestamp,
    keys_since: Timestamp,
}

/// A sign-in under way.
struct Flow {
    nonce: String,
    verifier: String,
    /// What the browser's cookie must say.
    browser: String,
    back: String,
    until: Timestamp,
}

impl Oidc {
    /// Sign-in at the provider of `settings`, which is asked when somebody comes.
    pub fn new(settings: Settings, fetcher: Arc<Fetcher>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, fetcher, clock, known: Mutex::default(), flows: Lock::default() }
    }

    /// What the button says.
    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    fn redirect(&self) -> String {
        format!("{}/sign-in/oidc/back", self.settings.desk.trim_end_matches('/'))
    }

    /// The provider as it is known, asked anew after an hour.
    async fn provider(&self) -> Result<Provider, OidcError> {
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| age(known.since, now) < KNOWN_SECONDS) {
            return Ok(known.provider.clone());
        }
        let provider = Provider::discover(&self.fetcher, &self.settings).await?;
        *known = Some(Known { provider: provider.clone(), since: now, keys_since: now });
        Ok(provider)
    }

    /// Its keys read anew, at most once a minute.
    async fn newer_keys(&self) -> Result<Vec<token::Key>, OidcError> {
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        let Some(known) = known.as_mut() else { return Ok(Vec::new()) };
        if age(known.keys_since, now) >= KEYS_SECONDS {
            known.provider.read_keys(&self.fetcher, &self.settings).await?;
            known.keys_since = now;
        }
        Ok(known.provider.keys.clone())
    }

    /// Begins a sign-in: where the browser goes, and what its cookie says.
    async fn begin(&self, back: String) -> Result<(Url, String), WebError> {
        let provider = self.provider().await.map_err(away)?;
        let (state, nonce, verifier, browser) = (random_token()?, random_token()?, random_token()?, random_token()?);
        let mut to = provider.authorization;
        to.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid profile email")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect())
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256");
        let now = self.clock.now();
        let flow = Flow { nonce, verifier, browser: browser.clone(), back, until: after(now, FLOW) };
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        flows.retain(|_, flow| now < flow.until);
        if flows.len() >= MAX_FLOWS
            && let Some(oldest) = flows.iter().min_by_key(|(_, flow)| flow.until).map(|(state, _)| state.clone())
        {
            flows.remove(&oldest);
        }
        flows.insert(state, flow);
        Ok((to, browser))
    }

    /// The sign-in under way that `state` names, if this browser began it; it is used up either way.
    fn take(&self, state: &str, browser: &str) -> Option<Flow> {
        let now = self.clock.now();
        let flow = self.flows.lock().unwrap_or_else(PoisonError::into_inner).remove(state)?;
        (now < flow.until && same(browser, &flow.browser)).then_some(flow)
    }

    /// What the provider says of who came back with `code`.
    async fn claims(&self, code: &str, flow: &Flow) -> Result<Claims, OidcError> {
        let provider = self.provider().await?;
        let secret = self.settings.client_secret.as_ref().map(Secret::read).transpose()?;
        let redirect = self.redirect();
        let with = Redeemed { code, verifier: &flow.verifier, redirect: &redirect, secret: secret.as_deref() };
        let token = provider.redeem(&self.fetcher, &self.settings, with).await?;
        let (issuer, client) = (self.settings.issuer.as_str(), self.settings.client_id.as_str());
        let expected = Expected { issuer, client, nonce: &flow.nonce, now: self.clock.now() };
        match token::check(&token, &provider.keys, &expected) {
            // Keys change; the provider is asked once more before it is believed not to have it.
            Err(TokenError::UnknownKey) => Ok(token::check(&token, &self.newer_keys().await?, &expected)?),
            checked => Ok(checked?),
        }
    }

    /// The name of the account that the claims mean, whether or not there is one.
    fn account(&self, claims: &Claims) -> Option<AccountName> {
        let claim = self.settings.claim.as_str();
        if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return None;
        }
        let value = claims.get(claim)?.as_str()?;
        let name = if self.settings.accounts.is_empty() { value } else { self.settings.accounts.get(value)? };
        AccountName::new(name).ok()
    }
}

fn age(since: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(since).as_secs()
}

/// What went wrong stands in the log; strangers are told only that it did.
fn away(error: OidcError) -> WebError {
    tracing::warn!(%error, "cannot sign in at the provider");
    WebError::Provider
}

/// A field of an address, at most as long as is kept.
fn field(query: &str, wanted: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes()).take(32);
    let found = pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    found.filter(|value| value.len() <= MAX_SENT_BYTES).unwrap_or_default()
}

/// Sends a browser to the provider.
pub(super) async fn begin(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response, WebError> {
    let oidc = desk.inner.oidc.clone().ok_or(WebError::NotFound)?;
    let back = field(&query.unwrap_or_default(), "back");
    match oidc.begin(back.clone()).await {
        Ok((to, browser)) => {
            let secure = if desk.inner.settings.secure_cookie { "; Secure" } else { "" };
            let cookie = format!("{COOKIE}={browser}; Path=/sign-in/oidc; HttpOnly; SameSite=Lax; Max-Age=600{secure}");
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(to.as_str())).into_response())
        }
        Err(WebError::Provider) => refused(&desk, &visit, "oidc-away", back),
        Err(other) => Err(other),
    }
}

fn refused(desk: &Desk, visit: &Visit, key: &str, back: String) -> Result<Response, WebError> {
    let words = Some(visit.words.say(key));
    door::sign_in_again(desk, visit, words, String::new(), back, StatusCode::UNAUTHORIZED)
}

/// Takes in who comes back from the provider.
pub(super) async fn back(
    State(desk): State<Desk>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, WebError> {
    let oidc = desk.inner.oidc.clone().ok_or(WebError::NotFound)?;
    let query = query.unwrap_or_default();
    let (code, state) = (field(&query, "code"), field(&query, "state"));
    let browser = cookie(&headers, COOKIE).unwrap_or_default();
    let Some(flow) = oidc.take(&state, &browser) else { return refused(&desk, &visit, "oidc-late", String::new()) };
    if code.is_empty() {
        return refused(&desk, &visit, "oidc-refused", flow.back);
    }
    let claims = match oidc.claims(&code, &flow).await {
        Ok(claims) => claims,
        Err(error) => {
            drop(away(error));
            return refused(&desk, &visit, "oidc-away", flow.back);
        }
    };
    let found = match oidc.account(&claims) {
        Some(name) => desk.inner.accounts.find(&name)?,
        None => None,
    };
    let Some(account) = found else {
        // Whom the provider named is not written down: it is nobody here.
        note(&desk, &AccountName::new(COOKIE).map_err(|_| WebError::NotFound)?, "account.sign-in-refused", &[]).await?;
        return refused(&desk, &visit, "oidc-nobody", flow.back);
    };
    arrived(&desk, &visit, account, flow.back).await
}

async fn arrived(desk: &Desk, visit: &Visit, account: Account, back: String) -> Result<Response, WebError> {
    note(desk, &account.name, "account.identified", &[("by", Value::from(COOKIE))]).await?;
    door::identified(desk, visit, account, back).await
}

/// Sends a browser to where the provider ends its own session, if it tells where.
pub(super) async fn out(State(desk): State<Desk>) -> Result<Redirect, WebError> {
    let oidc = desk.inner.oidc.clone().ok_or(WebError::NotFound)?;
    let mut to = oidc.provider().await.map_err(away)?.end_session.ok_or(WebError::NotFound)?;
    let home = format!("{}/sign-in", oidc.settings.desk.trim_end_matches('/'));
    to.query_pairs_mut()
        .append_pair("client_id", &oidc.settings.client_id)
        .append_pair("post_logout_redirect_uri", &home);
    Ok(Redirect::to(to.as_str()))
}
