//! Listening to a room: [`watch`] runs its sources side by side, puts what they tell on one timeline, and hands it to the
//! [`Listener`] as it comes.
//!
//! What is heard is written down before it counts: an answer over HTTP as its own record, messages of a stream together,
//! at once when the listener has something to say and every few seconds otherwise.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::future::{Either, join_all, select};
use tokio::sync::{mpsc, watch};

use super::{
    Event, OnAir, Room, SourceKind,
    contract::{Told, When},
    event::What,
    gate::RoomGate,
    record::Transcript,
    source,
};
use crate::{
    crawl::{FetchError, Fetcher, Hosts, Refusal},
    evidence::{EvidenceError, WarcWriter},
    model::{Capture, CaptureId, Clock},
};

/// What sources may tell before the room is through with it; then they are made to wait.
const WAITING: usize = 1024;
/// How long messages of a stream may wait to be written down.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How far a message's own time may be from its arrival; further, its arrival counts.
const MAX_SKEW_MS: i64 = 600_000;

/// How far what is seen lies behind what is written, at the most: a room whose start is not known begins so long before the
/// first message, so that nothing said lies before its start.
const BEHIND_MS: i64 = 60_000;

/// What rooms share.
#[derive(Clone)]
pub struct Services {
    /// Makes the requests.
    pub fetcher: Arc<Fetcher>,
    /// When each host may be asked next: one for the whole process.
    pub hosts: Arc<Hosts>,
    /// Keeps what is heard; none where it is not kept.
    pub warc: Option<Arc<WarcWriter>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Which rooms are on the air: one for the whole process.
    pub air: Arc<OnAir>,
    /// Becomes true when rooms are to be left.
    pub stop: watch::Receiver<bool>,
}

/// Listens to a room.
#[async_trait]
pub trait Listener: Send {
    /// Hears one event; `capture` is where it was written down, if it was already. True when there is something to keep.
    async fn hear(&mut self, event: Event, capture: Option<&CaptureId>) -> bool;

    /// Keeps what was found; `captures` were written since the last time, `messages` among them is that of a stream's messages.
    ///
    /// When this returns, nothing of it may be lost.
    async fn keep(&mut self, captures: Vec<Capture>, messages: Option<CaptureId>) -> Result<(), ListenError>;
}

/// Why a listener did not keep something.
#[derive(Debug, thiserror::Error)]
#[error("what was heard was not kept: {0}")]
pub struct ListenError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why a room is heard no more.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// An address that is none.
    #[error("the room {room}: `{url}` is no address a {kind} source can have: {what}")]
    Address {
        /// The room.
        room: String,
        /// The address.
        url: String,
        /// The source's kind.
        kind: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A source without which there is nothing to hear.
    #[error("the room {room} has no source: name one with [[live.room.source]]")]
    NoSource {
        /// The room.
        room: String,
    },
    /// Nobody can be reached about it.
    #[error(
        "listening to {room} says to nobody who listens: set crawl.contact in config.toml to a web or mail address"
    )]
    NoContact {
        /// The room.
        room: String,
    },
    /// Not fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is not what the source should send.
    #[error("{url}: {what}")]
    Content {
        /// Where it came from.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// A secret is not there.
    #[error(transparent)]
    Secret(#[from] crate::crawl::SecretError),
    /// The proxy cannot be gone by.
    #[error(transparent)]
    Proxy(#[from] crate::crawl::PartsError),
    /// None of its segments can be read.
    #[error(
        "{url}: its segments are encrypted with {method}, which is not read; only AES-128 with a key of its own is"
    )]
    Encrypted {
        /// The playlist.
        url: String,
        /// As the playlist names it.
        method: String,
    },
    /// Not written down.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Not kept.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The room's books are closed.
    #[error("the room is left")]
    Left,
}

/// What became of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct RoomReport {
    /// The room.
    pub room: String,
    /// Captions heard.
    pub captions: u64,
    /// Comments read.
    pub comments: u64,
    /// Changes of the shelf seen.
    pub shelf: u64,
    /// Messages of streams that could not be read.
    pub unread: u64,
    /// Sources that ended with an error, in words.
    pub failures: Vec<String>,
}

/// What a source hands over.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) told: Vec<Told>,
    /// When it arrived, in milliseconds since 1970.
    pub(super) arrived_ms: i64,
    /// Where it was written down already.
    pub(super) capture: Option<Capture>,
    /// The message as it came, to be written down.
    pub(super) raw: Option<bytes::Bytes>,
    /// A message that could not be read.
    pub(super) unread: bool,
    /// When the room starts at the latest, where the source knows.
    pub(super) begins_ms: Option<i64>,
}

/// One source at work.
pub(super) struct Hearing<'a> {
    pub(super) gate: &'a RoomGate<'a>,
    pub(super) source: &'a super::Source,
    pub(super) out: mpsc::Sender<Heard>,
}

impl Hearing<'_> {
    /// Now, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.gate.services.clock.now().as_millisecond()
    }

    /// Hands `heard` over; an error when the room is left.
    pub(super) async fn tell(&self, heard: Heard) -> Result<(), LiveError> {
        self.out.send(heard).await.map_err(|_| LiveError::Left)
    }
}

/// The room's clock: what sources say of time becomes milliseconds from the room's start.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoomClock {
    epoch_ms: Option<i64>,
    /// Whether times far from their arrival are believed: in a recording they are.
    recorded: bool,
}

impl RoomClock {
    /// A clock that starts with the first event.
    #[must_use]
    pub fn new(recorded: bool) -> Self {
        Self { epoch_ms: None, recorded }
    }

    /// When the room started, in milliseconds since 1970; none before the first event.
    #[must_use]
    pub fn epoch_ms(&self) -> Option<i64> {
        self.epoch_ms
    }

    /// Lets the room start at `epoch_ms`, unless it has started.
    pub(super) fn start(&mut self, epoch_ms: i64) {
        self.epoch_ms.get_or_insert(epoch_ms);
    }

    /// The place of `told`, which arrived at `arrived_ms`, on the room's timeline.
    pub fn place(&mut self, told: Told, arrived_ms: i64) -> Event {
        let at = match told.when {
            When::Media(at) => at,
            When::Unix(at) if self.recorded || (at - arrived_ms).abs() <= MAX_SKEW_MS => at,
            When::Unix(_) | When::Arrival => arrived_ms,
            When::Room(at_ms) => return Event { at_ms, what: told.what },
        };
        let epoch = *self.epoch_ms.get_or_insert(at);
        Event { at_ms: u64::try_from(at.saturating_sub(epoch)).unwrap_or(0), what: told.what }
    }
}

/// Listens to `room` until every source has ended or it is told to stop.
///
/// # Errors
/// When no source can be heard, or what was heard cannot be kept.
pub async fn watch(room: &Room, services: &Services, listener: &mut dyn Listener) -> Result<RoomReport, LiveError> {
    if room.sources.is_empty() {
        return Err(LiveError::NoSource { room: room.id.clone() });
    }
    if !room.allow_loopback && services.fetcher.settings().contact.is_empty() {
        return Err(LiveError::NoContact { room: room.id.clone() });
    }
    let gate = RoomGate::new(room, services);
    let (out, inbox) = mpsc::channel(WAITING);
    let mut report = RoomReport { room: room.id.clone(), ..RoomReport::default() };
    let listened = async {
        let hearings: Vec<_> =
            room.sources.iter().map(|source| hear(Hearing { gate: &gate, source, out: out.clone() })).collect();
        // The room is through when every source has let go of its end.
        drop(out);
        let sources = std::pin::pin!(join_all(hearings));
        let consuming = std::pin::pin!(consume(room, services, inbox, listener, &mut report));
        match select(sources, consuming).await {
            Either::Left((ended, consuming)) => {
                consuming.await?;
                Ok::<_, LiveError>(ended)
            }
            Either::Right((kept, sources)) => {
                kept?;
                Ok(sources.await)
            }
        }
    }
    .await;
    services.air.left(&room.id);
    let ended = listened?;
    let left =
        |error: &LiveError| matches!(error, LiveError::Left | LiveError::Fetch(FetchError::Refused(Refusal::Stopping)));
    let failed: Vec<LiveError> = ended.into_iter().filter_map(Result::err).filter(|error| !left(error)).collect();
    report.failures = failed.iter().map(ToString::to_string).collect();
    let heard = report.captions + report.comments + report.shelf > 0;
    match failed.into_iter().next() {
        Some(error) if !heard && report.failures.len() == room.sources.len() => Err(error),
        _ => Ok(report),
    }
}

async fn hear(hearing: Hearing<'_>) -> Result<(), LiveError> {
    let ended = match hearing.source.kind {
        SourceKind::Hls => source::hls(&hearing).await,
        SourceKind::Websocket => source::socket(&hearing).await,
        SourceKind::Sse | SourceKind::Ndjson => source::stream(&hearing).await,
        SourceKind::Poll => source::poll(&hearing).await,
    };
    if let Err(error) = &ended {
        tracing::warn!(room = hearing.gate.room.id, source = hearing.source.url, %error, "a source of a room ended");
    }
    ended
}

/// Takes what sources tell, in order of arrival, until none is left.
async fn consume(
    room: &Room,
    services: &Services,
    mut inbox: mpsc::Receiver<Heard>,
    listener: &mut dyn Listener,
    report: &mut RoomReport,
) -> Result<(), LiveError> {
    let mut clock = RoomClock::new(false);
    if let Some(at) = room.started_at {
        clock.start(at.as_millisecond());
    }
    let with_video = room.sources.iter().any(|source| source.kind == SourceKind::Hls);
    let mut transcript = Transcript::new(room, services);
    let mut captures = Vec::new();
    let mut kept = Instant::now();
    loop {
        let next = tokio::time::timeout(WRITE_EVERY, inbox.recv()).await;
        let ended = matches!(next, Ok(None));
        let mut keep = ended;
        if let Ok(Some(heard)) = next {
            if let Some(raw) = &heard.raw {
                transcript.add(raw, heard.arrived_ms);
            }
            report.unread += u64::from(heard.unread);
            match heard.begins_ms {
                Some(begins_ms) => clock.start(begins_ms),
                None if with_video && !heard.told.is_empty() => clock.start(heard.arrived_ms - BEHIND_MS),
                None => {}
            }
            let capture = heard.capture.as_ref().map(|capture| capture.id.clone());
            for told in heard.told {
                count(report, &told.what);
                let event = clock.place(told, heard.arrived_ms);
                keep |= listener.hear(event, capture.as_ref()).await;
            }
            captures.extend(heard.capture);
            services.air.heard(&room.id, heard.arrived_ms, services.clock.now().as_millisecond());
        }
        let waits = !captures.is_empty() && kept.elapsed() >= WRITE_EVERY;
        if keep || waits || transcript.is_due(WRITE_EVERY) {
            let written = transcript.write().await?;
            let messages = written.as_ref().map(|capture| capture.id.clone());
            captures.extend(written);
            listener.keep(std::mem::take(&mut captures), messages).await?;
            kept = Instant::now();
        }
        if ended {
            return Ok(());
        }
    }
}

fn count(report: &mut RoomReport, what: &What) {
    match what {
        What::Caption { .. } => report.captions += 1,
        What::Comment { .. } => report.comments += 1,
        What::Shelf(_) => report.shelf += 1,
    }
}
