//! Headers of a request's own: some are told and recorded, some are secret.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderValue};

/// Headers besides those that every request has.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Recorded as they are sent.
    pub headers: HeaderMap,
    /// Sent to the first address's origin alone, and recorded without their values.
    pub secret: HeaderMap,
}

/// What of them goes to one address.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a> {
    extra: &'a Extra,
    with_secret: bool,
}

impl Extra {
    /// What of it goes to an address, by whether it is of the first address's origin.
    pub(super) fn for_origin(&self, same: bool) -> Headers<'_> {
        Headers { extra: self, with_secret: same }
    }
}

impl Headers<'_> {
    /// The headers to record: those of every request, these, and for the secret ones that there were some.
    pub(super) fn joined(self, every: &Arc<HeaderMap>) -> Arc<HeaderMap> {
        if self.extra.headers.is_empty() && (self.extra.secret.is_empty() || !self.with_secret) {
            return Arc::clone(every);
        }
        let mut all = (**every).clone();
        for (name, value) in &self.extra.headers {
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
        let extra = Extra { headers: HeaderMap::new(), secret };
        let at_home = extra.for_origin(true);
        let recorded = at_home.joined(&every);
        assert_eq!(
            (recorded["cookie"].as_bytes(), at_home.all(&recorded)["cookie"].as_bytes()),
            (&b"withheld"[..], &b"key"[..])
        );
        let abroad = extra.for_origin(false);
        let recorded = abroad.joined(&every);
        assert!(!recorded.contains_key("cookie") && !abroad.all(&recorded).contains_key("cookie"));
    }
}
