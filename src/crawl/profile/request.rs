//! What a profile sends with every request: headers, cookies, secrets, and the proxy it goes by.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::crawl::{Secret, SecretError, fetch::Via};

/// Headers that are not a profile's business: they say who we are, frame the message, or belong to the crawl.
const OURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-modified-since",
    "if-none-match",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Characters of an address that an error repeats.
const MAX_SHOWN: usize = 80;

/// What goes with every request of a profile, except those for robots.txt.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestParts {
    /// Headers, recorded as they are sent.
    pub headers: BTreeMap<String, String>,
    /// Cookies, recorded as they are sent.
    pub cookies: BTreeMap<String, String>,
    /// Headers whose values are in the environment or a file, and in no record.
    pub secret_headers: BTreeMap<String, Secret>,
    /// Cookies of the same kind.
    pub secret_cookies: BTreeMap<String, Secret>,
    /// The proxy that requests go by.
    pub proxy: Option<Proxy>,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `http://host:port` (CONNECT for https) or `socks5://host:port`.
    pub url: String,
    /// `name:password`, where it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl Proxy {
    /// Whether its address is one that a proxy can have, without a login in it.
    pub fn is_proxy(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|parsed| {
            matches!(parsed.scheme(), "http" | "https" | "socks5")
                && parsed.host_str().is_some_and(|host| !host.is_empty())
                && parsed.username().is_empty()
                && parsed.password().is_none()
        })
    }

    /// Reads its secret, and makes it ready to be gone by.
    ///
    /// # Errors
    /// When its address or its secret is none.
    pub(crate) fn ready(&self) -> Result<Arc<Via>, PartsError> {
        if !self.is_proxy() {
            return Err(PartsError::Proxy { url: self.url.chars().take(MAX_SHOWN).collect() });
        }
        let login = self.secret.as_ref().map(Secret::read).transpose()?;
        let login = login.map(|login| login.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned())));
        let login = login.map(|login| login.ok_or(PartsError::Login)).transpose()?;
        Ok(Arc::new(Via { url: self.url.clone(), login }))
    }
}

/// The same, ready to be sent.
#[derive(Debug, Clone, Default)]
pub(in crate::crawl) struct Ready {
    pub(in crate::crawl) headers: HeaderMap,
    pub(in crate::crawl) secret: HeaderMap,
    pub(in crate::crawl) via: Option<Arc<Via>>,
}

/// Why a request cannot be made as the profile says.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// A secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A value that is no header; it is not repeated here, for it may be secret.
    #[error("the value of `{name}` cannot be sent: line ends and control characters are none of a header's")]
    Value {
        /// The header or cookie.
        name: String,
    },
    /// A login that is none.
    #[error("the proxy's secret must be `name:password`")]
    Login,
    /// An address that no proxy has.
    #[error("`{url}` is no proxy: http://host:port or socks5://host:port, its login under `secret`")]
    Proxy {
        /// The address, its beginning.
        url: String,
    },
}

impl RequestParts {
    /// Whether any part of it is secret.
    pub fn has_secrets(&self) -> bool {
        !self.secret_headers.is_empty() || !self.secret_cookies.is_empty()
    }

    /// What is wrong with it: the text that is wrong, and why.
    pub(super) fn mistake(&self) -> Option<(String, String)> {
        for name in self.headers.keys().chain(self.secret_headers.keys()) {
            let lower = name.to_ascii_lowercase();
            if name.parse::<HeaderName>().is_err() {
                return Some((name.clone(), format!("`{name}` is no name of a header")));
            }
            if OURS.contains(&lower.as_str()) || lower.starts_with("proxy-") || lower.starts_with("sec-") {
                return Some((name.clone(), format!("the header `{name}` is not a profile's to send")));
            }
        }
        for name in self.cookies.keys().chain(self.secret_cookies.keys()) {
            if name.is_empty() || name.contains([';', '=', ' ', ',', '"']) || !name.is_ascii() {
                return Some((name.clone(), format!("`{name}` is no name of a cookie")));
            }
        }
        if let Some((name, _)) = self.cookies.iter().find(|(_, value)| value.contains([';', '\r', '\n'])) {
            return Some((name.clone(), format!("the value of the cookie `{name}` ends it early")));
        }
        let proxy = self.proxy.as_ref().filter(|proxy| !proxy.is_proxy())?;
        let url = proxy.url.chars().take(MAX_SHOWN).collect();
        Some((proxy.url.clone(), PartsError::Proxy { url }.to_string()))
    }

    /// Reads the secrets and makes everything ready to be sent.
    pub(in crate::crawl) fn ready(&self) -> Result<Ready, PartsError> {
        let mut ready = Ready::default();
        let value = |name: &str, value: &str, secret: bool| -> Result<HeaderValue, PartsError> {
            let mut value = HeaderValue::from_str(value).map_err(|_| PartsError::Value { name: name.to_owned() })?;
            value.set_sensitive(secret);
            Ok(value)
        };
        let name = |name: &str| name.parse::<HeaderName>().map_err(|_| PartsError::Value { name: name.to_owned() });
        for (key, text) in &self.headers {
            ready.headers.insert(name(key)?, value(key, text, false)?);
        }
        for (key, secret) in &self.secret_headers {
            ready.secret.insert(name(key)?, value(key, &secret.read()?, true)?);
        }
        let mut cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (key, secret) in &self.secret_cookies {
            let text = secret.read()?;
            if text.contains(';') {
                return Err(PartsError::Value { name: key.clone() });
            }
            cookies.push(format!("{key}={text}"));
        }
        if !cookies.is_empty() {
            // One header holds them all: a secret one makes it secret.
            let secret = !self.secret_cookies.is_empty();
            let all = value("cookie", &cookies.join("; "), secret)?;
            if secret { &mut ready.secret } else { &mut ready.headers }.insert(header::COOKIE, all);
        }
        ready.via = self.proxy.as_ref().map(Proxy::ready).transpose()?;
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_profiles_to_send_is_refused() {
        for text in [
            "headers = { user-agent = 'x' }",
            "headers = { Host = 'x' }",
            "headers = { 'a b' = 'x' }",
            "secret_headers = { Proxy-Authorization = { env = 'X' } }",
            "cookies = { 'a;b' = 'x' }",
            "cookies = { a = 'x; b=y' }",
            "proxy = { url = 'ftp://h:1' }",
            "proxy = { url = 'socks5://name:word@h:1' }",
        ] {
            assert!(toml::from_str::<RequestParts>(text).unwrap().mistake().is_some(), "{text}");
        }
        let fine = "headers = { x-region = '31' }\ncookies = { a = '1', b = '2' }\nproxy = { url = 'socks5://127.0.0.1:1080' }";
        let fine: RequestParts = toml::from_str(fine).unwrap();
        assert!(fine.mistake().is_none());
        let ready = fine.ready().unwrap();
        assert_eq!((ready.headers["cookie"].to_str().unwrap(), ready.secret.len()), ("a=1; b=2", 0));
    }
}
