//! One page over HTTP, under limits: [`Fetcher::fetch`] follows redirects hop by hop and tries again
//! where that makes sense. Every request passes the caller's [`Gate`] first: scope, robots and pace
//! are decided there.

mod body;
mod error;
mod exchange;
mod extra;
mod retry;
mod stream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Response,
    dns::Resolve as _,
    header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT},
};
use tokio::sync::Semaphore;
use url::Url;

use super::{
    Pace, Settings,
    address::{Guard, GuardedResolver, PrivateAddress},
};
use crate::model::Clock;
pub use error::{FetchError, Refusal};
pub use exchange::{Exchange, host_of};
pub use extra::{Extra, Via};
pub use stream::{Body, Upgraded};

pub(super) use body::{gunzipped, without_encoding};

/// Headers of an answer that are read; more end the connection.
const MAX_HEADERS: usize = 100;
/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest address that is asked for, in bytes.
pub(super) const MAX_URL_BYTES: usize = 8 * 1024;

/// Decides on every request before it is made: the first, each retry, each redirect.
pub trait Gate: Sync {
    /// Waits for the host's turn, or refuses.
    fn admit(&self, url: &Url) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// A request will be repeated after `wait`; with `rest`, the host itself asked for it.
    fn retrying(&self, url: &Url, wait: Duration, rest: bool);
}

/// What a page's request led to.
#[derive(Debug)]
pub struct Answer {
    /// Redirects on the way, in order.
    pub hops: Vec<Exchange>,
    /// The last answer, whatever its status.
    pub last: Exchange,
}

/// Makes requests.
#[derive(Debug)]
pub struct Fetcher {
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    headers: Arc<HeaderMap>,
    connections: Semaphore,
    fixed: Arc<std::collections::BTreeMap<String, std::net::IpAddr>>,
    clients: Mutex<HashMap<Kind, Client>>,
}

/// What tells clients apart: connections are shared among requests of one kind alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    guard: Guard,
    speaks: Speaks,
    via: Option<Arc<Via>>,
}

impl Fetcher {
    /// A fetcher that says who it is by `settings`.
    ///
    /// # Errors
    /// When product or contact cannot stand in a User-Agent.
    pub fn new(settings: Arc<Settings>, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        let agent = settings.user_agent();
        let agent = HeaderValue::from_str(&agent).map_err(|_| FetchError::UserAgent { agent })?;
        let headers = HeaderMap::from_iter([
            (USER_AGENT, agent),
            (
                ACCEPT,
                HeaderValue::from_static(
                    "text/html,application/xhtml+xml,application/json,application/xml;q=0.9,*/*;q=0.5",
                ),
            ),
            (ACCEPT_LANGUAGE, HeaderValue::from_static("zh-CN,zh;q=0.9,en;q=0.5")),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd")),
        ]);
        let connections = Semaphore::new(settings.connections.max(1));
        let fixed = Arc::new(settings.addresses.clone());
        Ok(Self { settings, clock, headers: Arc::new(headers), connections, fixed, clients: Mutex::default() })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Fetches `url` within `limits`, through `gate`; any status is an answer.
    ///
    /// # Errors
    /// When a hop is refused, or no answer came within the limits after all retries.
    pub async fn fetch<G: Gate>(&self, url: &Url, limits: &Pace, guard: Guard, gate: &G) -> Result<Answer, FetchError> {
        self.fetch_with(url, &Extra::default(), limits, guard, gate).await
    }

    /// The same with headers of its own.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub async fn fetch_with<G: Gate>(
        &self,
        url: &Url,
        extra: &Extra,
        limits: &Pace,
        guard: Guard,
        gate: &G,
    ) -> Result<Answer, FetchError> {
        let mut attempt = 0;
        loop {
            let result = self.follow(url, extra, limits, guard, gate).await;
            let Some(wait) = retry::wait(&result, limits, attempt, self.clock.now()) else { return result };
            // After redirects, it is the last host that answered.
            let asker = result.as_ref().map_or(url, |answer| &answer.last.url);
            gate.retrying(asker, wait.time, wait.asked);
            if wait.asked && wait.time > self.settings.max_retry_after() {
                return Err(FetchError::AskedToWait { host: host_of(asker), seconds: wait.time.as_secs() });
            }
            tracing::debug!(%url, attempt, wait_ms = wait.time.as_millis(), "trying again");
            tokio::time::sleep(wait.time).await;
            attempt += 1;
        }
    }

    /// One attempt, redirects included.
    async fn follow<G: Gate>(
        &self,
        first: &Url,
        extra: &Extra,
        limits: &Pace,
        guard: Guard,
        gate: &G,
    ) -> Result<Answer, FetchError> {
        let mut hops: Vec<Exchange> = Vec::new();
        let mut url = first.clone();
        let mut left = limits.timeout;
        loop {
            refuse_early(&url, guard)?;
            if extra.via.is_some() {
                self.refuse_private(&url, guard).await?;
            }
            gate.admit(&url).await?;
            let begun = Instant::now();
            let late = || FetchError::Timeout { url: url.to_string(), seconds: limits.timeout.as_secs_f64() };
            // What is secret is told to whom it was meant for, not to where that one sends us.
            let headers = extra.for_address(hops.is_empty(), url.origin() == first.origin());
            let last = tokio::time::timeout(left, self.once(&url, (extra, headers), limits.max_body_bytes, guard))
                .await
                .map_err(|_| late())??;
            left = left.saturating_sub(begun.elapsed());
            if extra.stay || extra.post.is_some() {
                return Ok(Answer { hops, last });
            }
            let Some(next) = redirect(&last)? else { return Ok(Answer { hops, last }) };
            let seen = next == last.url || hops.iter().any(|hop| hop.url == next);
            if seen || hops.len() >= limits.max_redirects as usize {
                return Err(FetchError::Redirects { url: url.to_string(), count: hops.len() + 1, around: seen });
            }
            hops.push(last);
            url = next;
        }
    }

    /// One request and its answer.
    async fn once(
        &self,
        url: &Url,
        (extra, headers): (&Extra, extra::Headers<'_>),
        max_body: u64,
        guard: Guard,
    ) -> Result<Exchange, FetchError> {
        let _slot = self.connections.acquire().await.map_err(|_| FetchError::Stopped)?;
        let started = self.clock.now();
        let mut sent = headers.joined(&self.headers);
        if let Some((kind, _)) = &extra.post {
            Arc::make_mut(&mut sent).insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let posted = extra.post.as_ref().map(|(_, body)| body.clone());
        let client = self.client(guard, Speaks::Any, extra.via.clone())?;
        let request = match &posted {
            Some(body) => client.post(url.clone()).body(body.clone()),
            None => client.get(url.clone()),
        };
        let request = request.headers(headers.all(&sent));
        let mut response = request.send().await.map_err(|error| FetchError::network(url, &error))?;
        let raw = read(&mut response, url, max_body).await?;
        let finished = self.clock.now();
        let body = body::decoded(&raw, response.headers(), max_body)
            .map_err(|error| FetchError::body(url, error, max_body))?;
        Ok(Exchange {
            url: url.clone(),
            status: response.status(),
            version: response.version(),
            // By a proxy, it is the proxy's.
            remote: response.remote_addr().filter(|_| extra.via.is_none()),
            headers: std::mem::take(response.headers_mut()),
            sent,
            posted,
            secret: headers.tells_secrets(),
            raw,
            body,
            started,
            finished,
        })
    }

    /// Refuses a host that is at no public address, before a proxy is asked to reach it. A SOCKS proxy is given an address
    /// that was looked up and admitted here; one that speaks HTTP looks the name up itself, in its own network.
    async fn refuse_private(&self, url: &Url, guard: Guard) -> Result<(), FetchError> {
        let Some(url::Host::Domain(host)) = url.host() else { return Ok(()) };
        let broken = |what: String| FetchError::Network { url: url.to_string(), what };
        let name = host.parse().map_err(|_| broken(format!("{host} is no name of a host")))?;
        let resolver = GuardedResolver::new(guard, Arc::clone(&self.fixed));
        match resolver.resolve(name).await.map(|mut found| found.next()) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(broken(format!("{host} has no address"))),
            Err(error) => Err(match error.downcast::<PrivateAddress>() {
                Ok(private) => Refusal::Private(*private).into(),
                Err(other) => broken(other.to_string()),
            }),
        }
    }

    fn client(&self, guard: Guard, speaks: Speaks, via: Option<Arc<Via>>) -> Result<Client, FetchError> {
        let kind = Kind { guard, speaks, via };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        // Fails only when another part of the program has installed one, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let unusable = |error: reqwest::Error| FetchError::Client(error.to_string());
        let mut resolver = GuardedResolver::new(guard, Arc::clone(&self.fixed));
        let mut builder = Client::builder().no_proxy();
        if let Some(via) = &kind.via {
            let mut proxy = reqwest::Proxy::all(&via.url).map_err(unusable)?;
            if let Some((name, word)) = &via.login {
                proxy = proxy.basic_auth(name, word);
            }
            builder = builder.proxy(proxy);
            // Proxies stand in private networks; that one may be reached, and no page of its name.
            resolver = resolver.trusting(Url::parse(&via.url).ok().and_then(|url| url.host_str().map(str::to_owned)));
        }
        let mut builder = builder
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(64 * 1024);
        if speaks == Speaks::OldOnly {
            builder = builder.http1_only();
        }
        let client = builder.build().map_err(unusable)?;
        clients.insert(kind, client.clone());
        Ok(client)
    }
}

/// Which HTTP a client may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Speaks {
    /// What both sides like best.
    Any,
    /// HTTP/1.1, which alone can become another protocol.
    OldOnly,
}

/// What no gate needs to be asked about.
fn refuse_early(url: &Url, guard: Guard) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Scheme { url: url.to_string() }.into());
    }
    if url.as_str().len() > MAX_URL_BYTES {
        return Err(Refusal::TooLong { bytes: url.as_str().len() }.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials { host: url.host_str().unwrap_or_default().to_owned() }.into());
    }
    guard.check_host(url).map_err(|private| Refusal::Private(private).into())
}

/// Where an answer sends us, if it does.
fn redirect(answer: &Exchange) -> Result<Option<Url>, FetchError> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = answer.headers.get(LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let unusable =
        || FetchError::Location { url: answer.url.to_string(), location: location.chars().take(200).collect() };
    let mut next = answer.url.join(&location).map_err(|_| unusable())?;
    next.set_fragment(None);
    Ok(Some(next))
}

/// The body as it comes over the wire, at most `limit` bytes.
async fn read(response: &mut Response, url: &Url, limit: u64) -> Result<Bytes, FetchError> {
    let too_large = || FetchError::TooLarge { url: url.to_string(), limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let broken = |error| FetchError::network(url, &error);
    let Some(first) = response.chunk().await.map_err(broken)? else { return Ok(Bytes::new()) };
    // The length a host states is a hint, not a promise: it saves copies and reserves no more than the limit.
    let likely = usize::try_from(response.content_length().unwrap_or(0).min(limit)).unwrap_or(0);
    let mut all: Option<BytesMut> = None;
    let mut length = first.len() as u64;
    while let Some(more) = response.chunk().await.map_err(broken)? {
        length += more.len() as u64;
        if length > limit {
            return Err(too_large());
        }
        let all = all.get_or_insert_with(|| {
            let mut all = BytesMut::with_capacity(likely.max(first.len() + more.len()));
            all.extend_from_slice(&first);
            all
        });
        all.extend_from_slice(&more);
    }
    if length > limit {
        return Err(too_large());
    }
    Ok(all.map_or(first, BytesMut::freeze))
}
