//! The sources a room is heard from. Each ends with its stream, or when the room is left; one that breaks off is opened again.

mod hls;
mod poll;
mod socket;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use url::Url;

pub(super) use hls::hls;
pub(super) use poll::poll;
pub(super) use socket::socket;
pub(super) use stream::stream;

use super::{
    contract::Told,
    room::{Heard, Hearing, LiveError},
};
use crate::crawl::{Extra, FetchError, Proxy, Refusal};

/// Longest wait before a source is opened again; waits double from a second.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How often a source is opened again without having sent anything.
const MAX_TRIES: u32 = 6;

/// The source's address over HTTP.
fn address(hearing: &Hearing<'_>, kind: &'static str) -> Result<Url, LiveError> {
    let wrong = |what: String| LiveError::Address {
        room: hearing.gate.room.id.clone(),
        url: hearing.source.url.clone(),
        kind,
        what,
    };
    let url = Url::parse(&hearing.source.url).map_err(|error| wrong(error.to_string()))?;
    // A WebSocket begins as a request over HTTP.
    let scheme = match (kind, url.scheme()) {
        ("websocket", "ws") => "http",
        ("websocket", "wss") => "https",
        (_, scheme @ ("http" | "https")) => scheme,
        (_, other) => return Err(wrong(format!("{other} is not spoken"))),
    };
    let text = format!("{scheme}{}", url.as_str().get(url.scheme().len()..).unwrap_or(""));
    Url::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// The source's own headers.
fn extra(hearing: &Hearing<'_>) -> Result<Extra, LiveError> {
    let wrong = |name: &str| LiveError::Content {
        url: hearing.source.url.clone(),
        what: format!("the header `{name}` of its settings cannot be sent"),
    };
    let header = |name: &str, value: &str| -> Result<(HeaderName, HeaderValue), LiveError> {
        let parsed = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        parsed.ok_or_else(|| wrong(name))
    };
    let via = hearing.gate.room.proxy.as_ref().map(Proxy::ready).transpose()?;
    let mut extra = Extra { via, ..Extra::default() };
    for (name, value) in &hearing.source.headers {
        let (name, value) = header(name, value)?;
        extra.headers.insert(name, value);
    }
    for (name, secret) in &hearing.source.secret_headers {
        let (name, mut value) = header(name, &secret.read()?)?;
        value.set_sensitive(true);
        extra.secret.insert(name, value);
    }
    Ok(extra)
}

/// The same for a stream, whose pieces are not compressed.
fn extra_of_stream(hearing: &Hearing<'_>, accept: &'static str) -> Result<Extra, LiveError> {
    let mut extra = extra(hearing)?;
    extra.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    extra.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    Ok(extra)
}

/// Reads one message of a stream and hands it over.
async fn message(hearing: &Hearing<'_>, frame: Bytes) -> Result<(), LiveError> {
    let arrived_ms = hearing.now_ms();
    let (told, unread) = match told(hearing, &frame) {
        Ok(told) => (told, false),
        Err(what) => {
            tracing::debug!(room = hearing.gate.room.id, what, "a message of a room is not read");
            (Vec::new(), true)
        }
    };
    hearing.tell(Heard { told, arrived_ms, capture: None, raw: Some(frame), unread, begins_ms: None }).await
}

/// What a frame tells, in order, by its framing and the source's contract; what is wrong with it where it cannot be read.
fn told(hearing: &Hearing<'_>, frame: &[u8]) -> Result<Vec<Told>, String> {
    let (source, room) = (hearing.source, &hearing.gate.room.id);
    let messages = source.framing.messages(frame).map_err(|error| error.to_string())?;
    let Some(protobuf) = &source.protobuf else {
        return Ok(messages.iter().flat_map(|message| source.fields.read(message, room)).collect());
    };
    let mut told = Vec::new();
    for message in &messages {
        let values = protobuf.read(message).map_err(|error| error.to_string())?;
        told.extend(source.fields.read_protobuf(&values, room));
    }
    Ok(told)
}

/// Waits before a source is opened again; an error when it was tried often enough, or the room is left.
struct Again {
    tries: u32,
}

impl Again {
    fn new() -> Self {
        Self { tries: 0 }
    }

    /// It sent something: the next break is a first one.
    fn heard(&mut self) {
        self.tries = 0;
    }

    async fn wait(&mut self, hearing: &Hearing<'_>, error: LiveError) -> Result<(), LiveError> {
        let hopeless = match &error {
            LiveError::Fetch(FetchError::Refused(_) | FetchError::Client(_) | FetchError::UserAgent { .. }) => true,
            LiveError::Fetch(FetchError::Status { status, .. }) => (400..500).contains(status) && *status != 429,
            LiveError::Fetch(_) | LiveError::Content { .. } => false,
            _ => true,
        };
        self.tries += 1;
        if hopeless || self.tries > MAX_TRIES {
            return Err(error);
        }
        let wait = Duration::from_secs(1 << (self.tries - 1).min(6)).min(MAX_WAIT);
        tracing::info!(source = hearing.source.url, %error, wait_s = wait.as_secs(), "a source is opened again");
        rest(hearing, wait).await
    }
}

/// Waits for `time`; an error when the room is left meanwhile.
async fn rest(hearing: &Hearing<'_>, time: Duration) -> Result<(), LiveError> {
    let mut stop = hearing.gate.services.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        _ = stop.wait_for(|stop| *stop) => Err(FetchError::Refused(Refusal::Stopping).into()),
    }
}
