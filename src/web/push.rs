//! `POST /feeds/listings`: authorised feeds push listings as JSON lines. No session, no page: a token, bounds, and problem+json.
//!
//! Listings belong to the feed's own marketplace. The same listing again changes nothing, whatever the key; a request that is
//! sent again with its `Idempotency-Key` gets its first answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    evidence::WarcWriter,
    intake::{Feed, Feeds, Options, Origin, Row, Settings, json_lines},
    model::{Clock, Listing},
    monitor::Monitor,
    store::{Batch, Store, Write},
};

/// Longest body, in bytes.
pub const MAX_PUSH_BYTES: usize = 8 * 1024 * 1024;
/// Most listings in one body.
pub const MAX_PUSH_LISTINGS: usize = 5_000;
/// Longest `Idempotency-Key`, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// Answers that are remembered by their key.
const MAX_ANSWERS: usize = 1_000;
/// Bodies that are worked on at the same time.
const AT_ONCE: usize = 2;
/// Mistakes that an answer lists one by one.
const MAX_TOLD: usize = 100;
/// Longest time in which a body must have arrived.
const ARRIVAL: Duration = Duration::from_secs(30);

/// What the endpoint is made of.
pub struct PushParts {
    /// Who may push.
    pub feeds: Feeds,
    /// Takes the listings.
    pub monitor: Arc<Monitor>,
    /// Where it is noted that something was pushed.
    pub store: Arc<dyn Store>,
    /// Keeps what was pushed, where evidence is kept.
    pub warc: Option<Arc<WarcWriter>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How much a feed may push.
    pub settings: Settings,
}

struct Push {
    parts: PushParts,
    at_once: Semaphore,
    minutes: Mutex<HashMap<String, Minute>>,
    answers: Mutex<Answers>,
}

/// What a feed did in one minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    minute: i64,
    requests: u32,
    listings: u32,
}

/// Answers by feed and key, the oldest first.
#[derive(Debug, Default)]
struct Answers {
    order: VecDeque<(String, String)>,
    known: HashMap<(String, String), (String, Value)>,
}

/// Why nothing was taken.
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    retry_after: Option<i64>,
}

/// The endpoint.
pub fn push(parts: PushParts) -> Router {
    let push = Push { parts, at_once: Semaphore::new(AT_ONCE), minutes: Mutex::default(), answers: Mutex::default() };
    Router::new().route("/feeds/listings", post(receive)).with_state(Arc::new(push))
}

async fn receive(State(push): State<Arc<Push>>, headers: HeaderMap, body: Body) -> Response {
    match push.receive(&headers, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

impl Push {
    async fn receive(&self, headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
        let feed = self.authorised(headers)?;
        check_kind(headers)?;
        let key = key_of(headers)?;
        self.count(&feed, 1, 0)?;
        let _turn = self.at_once.acquire().await.map_err(|_| internal("stopping"))?;
        let body = tokio::time::timeout(ARRIVAL, to_bytes(body, MAX_PUSH_BYTES)).await;
        let body =
            body.map_err(|_| refusal(408, "slow", format!("the body did not arrive within {} s", ARRIVAL.as_secs())))?;
        let body = body.map_err(|_| {
            refusal(413, "too-long", format!("a body has at most {MAX_PUSH_BYTES} bytes: send several"))
        })?;
        let origin = Origin::new("feed", &feed.name, &body);
        if let Some(answer) = self.known(&feed, key.as_deref(), &origin.sha256)? {
            return Ok(answer);
        }
        let options = Options { platform: Some(feed.platform.clone()), ..Options::default() };
        let (mut rows, mut wrong): (Vec<(u64, Listing)>, Vec<Value>) = (Vec::new(), Vec::new());
        let mut rejected = 0_u64;
        for row in json_lines(&body, &options) {
            match of_the_feed(row, &feed) {
                Ok(row) => rows.push(row),
                Err((line, detail)) => {
                    rejected += 1;
                    if wrong.len() < MAX_TOLD {
                        wrong.push(json!({"line": line, "detail": detail}));
                    }
                }
            }
        }
        if rows.len() > MAX_PUSH_LISTINGS {
            return Err(refusal(
                413,
                "too-many",
                format!("a body has at most {MAX_PUSH_LISTINGS} listings: send several"),
            ));
        }
        self.count(&feed, 0, u32::try_from(rows.len()).unwrap_or(u32::MAX))?;
        let warc = self.parts.warc.as_deref();
        let delivered = self.parts.monitor.deliver(rows, &origin, warc).await.map_err(|error| {
            tracing::error!(feed = feed.name, %error, "what a feed pushed cannot be kept");
            internal("what was sent cannot be kept now: send it again later")
        })?;
        self.note(&feed, &origin, delivered.accepted, rejected).await?;
        let answer = json!({
            "accepted": delivered.accepted, "unchanged": delivered.unchanged, "new_hits": delivered.new_hits,
            "rejected": rejected, "problems": wrong, "sha256": origin.sha256,
        });
        self.remember(&feed, key, &origin.sha256, &answer);
        Ok(answer)
    }

    fn authorised(&self, headers: &HeaderMap) -> Result<Feed, Refusal> {
        let unknown = || refusal(401, "unauthorised", "send Authorization: Bearer with the feed's token".into());
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unknown)?;
        let (scheme, token) = value.split_once(' ').ok_or_else(unknown)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unknown());
        }
        let found = self.parts.feeds.whose(token.trim()).map_err(|error| {
            tracing::error!(%error, "feeds cannot be read");
            internal("feeds cannot be read")
        })?;
        found.ok_or_else(unknown)
    }

    /// Counts what a feed does in this minute.
    fn count(&self, feed: &Feed, requests: u32, listings: u32) -> Result<(), Refusal> {
        let now = self.parts.clock.now().as_second();
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minutes.entry(feed.name.clone()).or_default();
        if minute.minute != now.div_euclid(60) {
            *minute = Minute { minute: now.div_euclid(60), ..Minute::default() };
        }
        let (most, many) = (self.parts.settings.feed_requests_per_minute, self.parts.settings.feed_listings_per_minute);
        let over = minute.requests.saturating_add(requests) > most || minute.listings.saturating_add(listings) > many;
        if over {
            let detail = format!("a feed may send {most} requests and {many} listings in a minute");
            return Err(Refusal { retry_after: Some(60 - now.rem_euclid(60)), ..refusal(429, "too-fast", detail) });
        }
        minute.requests += requests;
        minute.listings += listings;
        Ok(())
    }

    /// The answer a request with this key had.
    fn known(&self, feed: &Feed, key: Option<&str>, sha256: &str) -> Result<Option<Value>, Refusal> {
        let Some(key) = key else { return Ok(None) };
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.known.get(&(feed.name.clone(), key.to_owned())) {
            Some((before, answer)) if before == sha256 => Ok(Some(answer.clone())),
            Some(_) => Err(refusal(422, "key-reused", "this Idempotency-Key came with another body before".into())),
            None => Ok(None),
        }
    }

    fn remember(&self, feed: &Feed, key: Option<String>, sha256: &str, answer: &Value) {
        let Some(key) = key else { return };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (feed.name.clone(), key);
        if answers.known.insert(at.clone(), (sha256.to_owned(), answer.clone())).is_none() {
            answers.order.push_back(at);
        }
        while answers.order.len() > MAX_ANSWERS
            && let Some(oldest) = answers.order.pop_front()
        {
            answers.known.remove(&oldest);
        }
    }

    async fn note(&self, feed: &Feed, origin: &Origin, accepted: u64, rejected: u64) -> Result<(), Refusal> {
        let details = json!({"feed": feed.name, "sha256": origin.sha256, "accepted": accepted, "rejected": rejected});
        let Value::Object(details) = details else { return Ok(()) };
        let note = Write::Note { what: "push".into(), details };
        let noted = self.parts.store.apply(Batch { actor: "feed".into(), writes: vec![note] }).await;
        noted.map(drop).map_err(|_| internal("what was sent is kept, but cannot be noted: send it again later"))
    }
}

/// A listing of the feed's own marketplace, or what is wrong with the line.
fn of_the_feed(row: Row, feed: &Feed) -> Result<(u64, Listing), (u64, String)> {
    let (line, listing) = row.map_err(|error| (error.row, error.what))?;
    if listing.platform.as_deref() != Some(&feed.platform) {
        return Err((line, format!("its platform is not the feed's, {}", feed.platform)));
    }
    let own = format!("{}:", feed.platform);
    // Without a number of its own it is known by its address, which another's listing may have.
    if !listing.id.starts_with(&own) {
        return Err((line, "it has no id".into()));
    }
    Ok((line, listing))
}

fn check_kind(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = matches!(kind.as_str(), "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines");
    if !fits || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(refusal(415, "kind", "send JSON lines as application/x-ndjson, uncompressed".into()));
    }
    Ok(())
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES);
    let wrong = || refusal(400, "key", format!("an Idempotency-Key has 1 to {MAX_KEY_BYTES} plain characters"));
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

fn refusal(status: u16, kind: &'static str, detail: String) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal { status, kind, detail, retry_after: None }
}

fn internal(detail: &str) -> Refusal {
    refusal(503, "unavailable", detail.to_owned())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:markwarden:push-{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
