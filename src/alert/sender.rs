//! Sends one message: to a mail relay, or by the crawl's fetch to a webhook, which reaches no private address that the
//! settings do not name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{Message, Settings, Subscription, Target, mail, payload, sign};
use crate::{
    crawl::{Extra, FetchError, Fetcher, Gate, Guard, Pace, Refusal},
    model::Clock,
};

/// Longest time for one request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer that is read; nothing in it counts.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// Longest address of a webhook, in bytes.
const MAX_URL_BYTES: usize = 2000;

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The settings do not allow it.
    #[error("{0}")]
    Settings(String),
    /// The relay did not take it.
    #[error("the mail relay: {0}")]
    Mail(String),
    /// The webhook was not reached.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It answered something else than 2xx.
    #[error("it answered {0}")]
    Status(u16),
}

/// Sends messages as the settings say.
#[derive(Debug, Clone)]
pub struct Sender {
    settings: Settings,
    fetcher: Arc<Fetcher>,
    clock: Arc<dyn Clock>,
}

/// A webhook belongs to who named it: nobody else's pace or robots.txt is asked.
struct Open;

impl Gate for Open {
    async fn admit(&self, _: &Url) -> Result<(), Refusal> {
        Ok(())
    }

    fn retrying(&self, _: &Url, _: Duration, _: bool) {}
}

impl Sender {
    /// A sender by these settings.
    pub fn new(settings: Settings, fetcher: Arc<Fetcher>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, fetcher, clock }
    }

    /// Whether there is a mail relay.
    pub fn mails(&self) -> bool {
        self.settings.mail.is_some()
    }

    /// Looks whether messages may go there.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, to: &Target) -> Result<(), SendError> {
        let refused = |what: &str| Err(SendError::Settings(what.to_owned()));
        match to {
            Target::Mail { to } => match &self.settings.mail {
                None => refused("the settings name no mail relay"),
                Some(_) if to.len() > 254 || to.parse::<lettre::Address>().is_err() => {
                    refused("this is no mail address")
                }
                Some(relay) if !relay.admits(to) => {
                    refused("the settings allow no mail to this domain (alerts.mail.domains)")
                }
                Some(_) => Ok(()),
            },
            Target::Webhook { url, .. } => {
                let Some(parsed) = Url::parse(url).ok().filter(|_| url.len() <= MAX_URL_BYTES) else {
                    return refused("this is no address");
                };
                if !parsed.username().is_empty() || parsed.password().is_some() || parsed.host_str().is_none() {
                    return refused("this is no address of a webhook");
                }
                let named = self.is_named(&parsed);
                match parsed.scheme() {
                    "https" => {}
                    "http" if named => {}
                    _ => return refused("a webhook is reached by https, unless the settings name its host"),
                }
                self.guard(named).check_host(&parsed).map_err(|private| SendError::Settings(private.to_string()))
            }
        }
    }

    fn is_named(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.settings.private_hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    fn guard(&self, named: bool) -> Guard {
        Guard { allow_loopback: named, allow_private: named }
    }

    /// Sends one message, once. The address is looked at anew each time.
    ///
    /// # Errors
    /// When it did not arrive.
    pub async fn send(&self, subscription: &Subscription, message: &Message) -> Result<(), SendError> {
        self.check(&subscription.to)?;
        match (&subscription.to, &self.settings.mail) {
            (Target::Mail { to }, Some(relay)) => {
                mail::send(relay, (subscription, message), to, &self.settings.desk).await
            }
            (Target::Mail { .. }, None) => Err(SendError::Settings("the settings name no mail relay".into())),
            (Target::Webhook { url, secret }, _) => self.post((subscription, message), url, secret).await,
        }
    }

    async fn post(
        &self,
        (subscription, message): (&Subscription, &Message),
        url: &str,
        secret: &str,
    ) -> Result<(), SendError> {
        let url = Url::parse(url).map_err(|_| SendError::Settings("this is no address".into()))?;
        let body = payload(subscription, message, &self.settings.desk);
        let second = self.clock.now().as_second();
        let signature = sign(secret, &message.id, second, &body)
            .ok_or_else(|| SendError::Settings("the key of this webhook is damaged".into()))?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| SendError::Settings(error.to_string()));
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("webhook-id"), value(&message.id)?),
            (HeaderName::from_static("webhook-timestamp"), value(&second.to_string())?),
            (HeaderName::from_static("webhook-signature"), value(&signature)?),
        ]);
        let extra = Extra {
            secret: headers,
            post: Some(("application/json", Bytes::from(body))),
            stay: true,
            ..Extra::default()
        };
        let pace = Pace { timeout: TIMEOUT, retries: 0, max_body_bytes: MAX_ANSWER_BYTES, ..Pace::default() };
        let guard = self.guard(self.is_named(&url));
        let answer = self.fetcher.fetch_with(&url, &extra, &pace, guard, &Open).await?;
        let status = answer.last.status;
        if status.is_success() { Ok(()) } else { Err(SendError::Status(status.as_u16())) }
    }
}
