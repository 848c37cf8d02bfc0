//! What goes with a request besides its address: headers, of which some are secret, a body, a proxy.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use reqwest::header::{HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::crawl::Validators;

/// What goes with a request besides what every request has.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Recorded as they are sent.
    pub headers: HeaderMap,
    /// Sent to the first address alone, not to where that one sends us.
    pub first: HeaderMap,
    /// Sent to the first address's origin alone, and recorded without their values.
    pub secret: HeaderMap,
    /// Asked by POST, with this body and its media type. Where such an answer sends us is not followed.
    pub post: Option<(&'static str, Bytes)>,
    /// Whether an answer that sends us elsewhere is the answer.
    pub stay: bool,
    /// The proxy it goes by.
    pub via: Option<Arc<Via>>,
}

/// A proxy: where it stands, and how it knows us.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Via {
    /// `http://host:port` or `socks5://host:port`.
    pub url: String,
    /// Name and password.
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Via").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What of them goes to one address.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a> {
    extra: &'a Extra,
    with_first: bool,
    with_secret: bool,
}

impl Extra {
    /// A page need not be sent when it is still the one these came with: the host answers 304.
    pub fn unless_changed(known: &Validators) -> Self {
        let value = |known: &Option<String>| HeaderValue::from_str(known.as_deref()?).ok();
        let with = [(IF_NONE_MATCH, value(&known.etag)), (IF_MODIFIED_SINCE, value(&known.last_modified))];
        let first = with.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { first, ..Self::default() }
    }

    /// What of it goes to an address: whether that is the first one, and whether it is of that one's origin.
    pub(super) fn for_address(&self, first: bool, same_origin: bool) -> Headers<'_> {
        Headers { extra: self, with_first: first, with_secret: same_origin }
    }
}

impl Headers<'_> {
    /// Whether something secret goes to the address.
    pub(super) fn tells_secrets(self) -> bool {
        self.with_secret && !self.extra.secret.is_empty()
    }

    /// The headers to record: those of every request, these, and for the secret ones that there were some.
    pub(super) fn joined(self, every: &Arc<HeaderMap>) -> Arc<HeaderMap> {
        let first = self.with_first.then_some(&self.extra.first);
        let plain = || first.into_iter().flatten().chain(&self.extra.headers);
        if plain().next().is_none() && (self.extra.secret.is_empty() || !self.with_secret) {
            return Arc::clone(every);
        }
        let mut all = (**every).clone();
        for (name, value) in plain() {
            all.insert(name, value.clone());
        }
        if self.with_secret {
            for name in self.extra.secret.keys() {
                all.insert(name, HeaderValue::from_static("withheld"));
            }
        }
        Arc::new(all)
    }

    /// The headers to send, where `recorded` are those to record.
    pub(super) fn all(self, recorded: &HeaderMap) -> HeaderMap {
        let mut all = recorded.clone();
        if self.with_secret {
            for (name, value) in &self.extra.secret {
                all.insert(name, value.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_sent_where_it_belongs_and_recorded_nowhere() {
        let every = Arc::new(HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("*/*"))]));
        let secret = HeaderMap::from_iter([(http::header::COOKIE, HeaderValue::from_static("key"))]);
        let extra = Extra { secret, ..Extra::default() };
        let at_home = extra.for_address(true, true);
        let recorded = at_home.joined(&every);
        assert_eq!(
            (recorded["cookie"].as_bytes(), at_home.all(&recorded)["cookie"].as_bytes()),
            (&b"withheld"[..], &b"key"[..])
        );
        let abroad = extra.for_address(false, false);
        let recorded = abroad.joined(&every);
        assert!(!recorded.contains_key("cookie") && !abroad.all(&recorded).contains_key("cookie"));
    }

    #[test]
    fn what_a_page_is_known_by_is_asked_of_its_own_address_alone() {
        let every = Arc::new(HeaderMap::new());
        let known = Validators { etag: Some("\"7\"".into()), last_modified: Some("bad\nvalue".into()) };
        let extra = Extra::unless_changed(&known);
        let asked = extra.for_address(true, true).joined(&every);
        assert_eq!((asked["if-none-match"].as_bytes(), asked.len()), (&b"\"7\""[..], 1));
        assert!(extra.for_address(false, true).joined(&every).is_empty());
    }
}
