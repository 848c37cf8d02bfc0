//! The provider, asked through the crawl's fetch: what it says of itself, its keys, and a code turned into a token.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use url::Url;

use super::{OidcError, Settings, token};
use crate::crawl::{Extra, Fetcher, Gate, Guard, Pace, Refusal};

/// Longest wait for an answer, and longest answer in bytes.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: u64 = 256 * 1024;
/// Longest address that a provider names, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// A provider belongs to who named it in the settings: nobody else's pace or robots.txt is asked.
struct Open;

impl Gate for Open {
    async fn admit(&self, _: &Url) -> Result<(), Refusal> {
        Ok(())
    }

    fn retrying(&self, _: &Url, _: Duration, _: bool) {}
}

/// What a provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Debug, Clone, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
}

/// A provider, and its keys as they were read last.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub authorization: Url,
    pub end_session: Option<Url>,
    token: Url,
    jwks: Url,
    /// Whether the client says who it is in the form instead of the header.
    in_form: bool,
    pub keys: Vec<token::Key>,
}

/// How a code is redeemed.
pub(super) struct Redeemed<'a> {
    pub code: &'a str,
    pub verifier: &'a str,
    pub redirect: &'a str,
    pub secret: Option<&'a str>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// Asks the provider of the settings what it says of itself, and for its keys.
    pub(super) async fn discover(fetcher: &Fetcher, settings: &Settings) -> Result<Self, OidcError> {
        let address = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|_| OidcError::Settings("issuer"))?;
        let body = get(fetcher, settings, &address).await?;
        let document: Document =
            serde_json::from_slice(&body).map_err(|_| OidcError::Answer("what it says of itself"))?;
        // Another issuer could be made to speak for this one (Discovery §4.3).
        if document.issuer != settings.issuer {
            return Err(OidcError::Answer("issuer"));
        }
        let methods = &document.code_challenge_methods_supported;
        if !methods.is_empty() && !methods.iter().any(|method| method == "S256") {
            return Err(OidcError::Answer("code_challenge_methods_supported"));
        }
        let place = |text: &str, what| settings.place(text).ok_or(OidcError::Answer(what));
        let ways = &document.token_endpoint_auth_methods_supported;
        let has = |way: &str| ways.iter().any(|known| known == way);
        let mut provider = Self {
            authorization: place(&document.authorization_endpoint, "authorization_endpoint")?,
            token: place(&document.token_endpoint, "token_endpoint")?,
            jwks: place(&document.jwks_uri, "jwks_uri")?,
            end_session: document.end_session_endpoint.as_deref().and_then(|text| settings.place(text)),
            in_form: !ways.is_empty() && !has("client_secret_basic") && has("client_secret_post"),
            keys: Vec::new(),
        };
        provider.read_keys(fetcher, settings).await?;
        Ok(provider)
    }

    /// Reads its keys anew.
    pub(super) async fn read_keys(&mut self, fetcher: &Fetcher, settings: &Settings) -> Result<(), OidcError> {
        self.keys = token::keys(&get(fetcher, settings, &self.jwks).await?)?;
        Ok(())
    }

    /// Turns a code into the ID token.
    pub(super) async fn redeem(
        &self,
        fetcher: &Fetcher,
        settings: &Settings,
        with: Redeemed<'_>,
    ) -> Result<String, OidcError> {
        let (body, secret) = self.question(settings, &with)?;
        let post = Some(("application/x-www-form-urlencoded", Bytes::from(body)));
        let extra = Extra { secret, post, stay: true, ..Extra::default() };
        let body = ask(fetcher, settings, &self.token, &extra).await?;
        let tokens: Tokens = serde_json::from_slice(&body).map_err(|_| OidcError::Answer("id_token"))?;
        Ok(tokens.id_token)
    }

    /// The form that redeems a code, and the headers that say who asks.
    fn question(&self, settings: &Settings, with: &Redeemed<'_>) -> Result<(String, HeaderMap), OidcError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code").append_pair("code", with.code);
        form.append_pair("redirect_uri", with.redirect).append_pair("code_verifier", with.verifier);
        let mut secret = HeaderMap::new();
        match with.secret {
            Some(key) if !self.in_form => {
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", encoded(&settings.client_id), encoded(key)));
                let value = HeaderValue::from_str(&format!("Basic {pair}"));
                secret.insert(header::AUTHORIZATION, value.map_err(|_| OidcError::Settings("client_secret"))?);
            }
            Some(key) => {
                form.append_pair("client_id", &settings.client_id).append_pair("client_secret", key);
            }
            None => {
                form.append_pair("client_id", &settings.client_id);
            }
        }
        Ok((form.finish(), secret))
    }
}

impl Settings {
    /// An address that the provider names, if it may be asked: https, or on a private host that the settings let.
    fn place(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES)?;
        let may = url.scheme() == "https" || (self.allow_private && url.scheme() == "http");
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (may && plain && url.host_str().is_some()).then_some(url)
    }
}

async fn get(fetcher: &Fetcher, settings: &Settings, url: &Url) -> Result<Bytes, OidcError> {
    let extra = Extra { stay: true, ..Extra::default() };
    ask(fetcher, settings, url, &extra).await
}

async fn ask(fetcher: &Fetcher, settings: &Settings, url: &Url, extra: &Extra) -> Result<Bytes, OidcError> {
    settings.place(url.as_str()).ok_or(OidcError::Settings("issuer"))?;
    let pace = Pace { timeout: TIMEOUT, retries: 0, max_body_bytes: MAX_ANSWER_BYTES, ..Pace::default() };
    let guard = Guard { allow_loopback: settings.allow_private, allow_private: settings.allow_private };
    let answer = fetcher.fetch_with(url, extra, &pace, guard, &Open).await?;
    if answer.last.status.is_success() {
        Ok(answer.last.body)
    } else {
        Err(OidcError::Status(answer.last.status.as_u16()))
    }
}
