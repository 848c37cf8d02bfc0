//! The market's live room: an HLS playlist that grows with subtitles in segments, and a WebSocket with comments and the shelf,
//! both on loopback, played from `fixtures/market/live` faster than it was said.
//!
//! [`LiveRoom`] serves; [`room_score`] compares findings with what should be heard there.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::{SinkExt, StreamExt};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;

use super::{MarketError, data};
use crate::{
    live::{Room, Source, SourceKind},
    model::{Finding, Timestamp},
};

/// How much faster than it was said the room is played.
const SPEED: u32 = 16;
/// How long a segment lasts, in milliseconds of the broadcast.
const SEGMENT_MS: u64 = 4000;
/// Segments that a live playlist names.
const WINDOW: usize = 12;
/// The media's clock at the broadcast's beginning, as encoders like it: ten seconds.
const FIRST_TICK: u64 = 900_000;

/// What should be heard in the room.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomTruth {
    /// What this is, in Chinese.
    pub why: String,
    /// What should be found.
    pub expect: Vec<RoomExpectation>,
    /// Rules that are arguable: a finding counts neither way.
    #[serde(default)]
    pub tolerated: BTreeSet<String>,
}

/// One thing that should be found in the room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomExpectation {
    /// The mark or rule.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The second of the broadcast.
    pub second: u64,
    /// The goods pinned then.
    pub goods: String,
    /// Their price of that second.
    pub price: String,
    /// Why, in Chinese.
    pub why: String,
}

/// How what was heard compares with the truth.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RoomScore {
    /// Expected and found, with second, goods and price right.
    pub right: usize,
    /// Expected and not found, or found at another second or price.
    pub missed: Vec<RoomExpectation>,
    /// Found and not expected: rule or mark, and the words.
    pub wrong: Vec<String>,
}

/// Compares `found` with `truth`.
#[must_use]
pub fn room_score(truth: &RoomTruth, found: &[Finding]) -> RoomScore {
    let answers = |expected: &RoomExpectation, finding: &Finding| {
        let moment = finding.moment.as_ref();
        let goods = moment.and_then(|moment| moment.goods.as_ref());
        let price = goods.and_then(|goods| goods.price.as_ref()).map(|price| price.amount.to_string());
        finding.reference == expected.reference
            && moment.is_some_and(|moment| moment.at_ms / 1000 == expected.second)
            && goods.is_some_and(|goods| goods.id == expected.goods)
            && price.as_deref() == Some(expected.price.as_str())
    };
    let (met, missed): (Vec<_>, Vec<_>) =
        truth.expect.iter().cloned().partition(|expected| found.iter().any(|finding| answers(expected, finding)));
    let known = |finding: &&Finding| {
        truth.tolerated.contains(&finding.reference)
            || truth.expect.iter().any(|expected| expected.reference == finding.reference)
    };
    let wrong = found.iter().filter(|finding| !known(finding));
    let wrong = wrong.map(|finding| format!("{} “{}”", finding.reference, finding.text)).collect();
    RoomScore { right: met.len(), missed, wrong }
}

/// One line of the script.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    kind: String,
    at_ms: u64,
    #[serde(default)]
    until_ms: Option<u64>,
    #[serde(default)]
    speaker: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// The script and when it began.
#[derive(Debug)]
struct Broadcast {
    lines: Vec<Line>,
    segments: usize,
    epoch: Timestamp,
    begun: Instant,
    stopped: watch::Receiver<bool>,
}

/// The live room, on the air.
#[derive(Debug)]
pub struct LiveRoom {
    epoch: Timestamp,
    playlist: String,
    messages: String,
    truth: RoomTruth,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl LiveRoom {
    /// Goes on the air, on two free loopback ports.
    ///
    /// # Errors
    /// When no port can be had, or the room's files do not fit together.
    pub async fn start() -> Result<Self, MarketError> {
        let lines = data::text("live/room.jsonl")?;
        let wrong =
            |error: serde_json::Error| MarketError::Data { file: "live/room.jsonl".into(), what: error.to_string() };
        let lines: Vec<Line> = lines
            .lines()
            .filter(|line| !line.is_empty())
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(wrong)?;
        let truth = serde_json::from_str(&data::text("live/truth.json")?)
            .map_err(|error| MarketError::Data { file: "live/truth.json".into(), what: error.to_string() })?;
        let (stop, stopped) = watch::channel(false);
        let last = lines.iter().map(|line| line.until_ms.unwrap_or(line.at_ms)).max().unwrap_or(0);
        let segments = usize::try_from(last / SEGMENT_MS).unwrap_or(0) + 1;
        let (epoch, begun) = (Timestamp::now(), Instant::now());
        let broadcast = Arc::new(Broadcast { lines, segments, epoch, begun, stopped });
        let video = bind().await?;
        let socket = bind().await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(no_port);
        let playlist = format!("http://{}/live/master.m3u8", address(&video)?);
        let messages = format!("ws://{}/live/messages", address(&socket)?);
        let tasks = vec![
            tokio::spawn(Arc::clone(&broadcast).serve_video(video)),
            tokio::spawn(broadcast.serve_messages(socket)),
        ];
        Ok(Self { epoch, playlist, messages, truth, tasks, stop })
    }

    /// The room as settings name it.
    #[must_use]
    pub fn room(&self) -> Room {
        let source = |kind, url: &str| Source { kind, url: url.to_owned(), every_seconds: 30, ..Source::default() };
        let video = Source { from_start: true, language: "zh".into(), ..source(SourceKind::Hls, &self.playlist) };
        Room {
            id: "room-1".into(),
            title: "星河直播间".into(),
            platform: "xinghe".into(),
            page: self.playlist.clone(),
            started_at: Some(self.epoch),
            seller: "星河杂货铺".into(),
            category: Vec::new(),
            allow_loopback: true,
            robots: true,
            delay_ms: 10,
            proxy: None,
            sources: vec![video, source(SourceKind::Websocket, &self.messages)],
        }
    }

    /// What should be heard in it.
    #[must_use]
    pub fn truth(&self) -> &RoomTruth {
        &self.truth
    }

    /// Goes off the air.
    pub fn stop(self) {
        self.stop.send_replace(true);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bind() -> Result<TcpListener, MarketError> {
    TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)
}

fn no_port(source: io::Error) -> MarketError {
    MarketError::Bind { site: "live", source }
}

impl Broadcast {
    /// Milliseconds of the broadcast that have been played.
    fn played_ms(&self) -> u64 {
        u64::try_from((self.begun.elapsed() * SPEED).as_millis()).unwrap_or(u64::MAX)
    }

    async fn serve_video(self: Arc<Self>, listener: TcpListener) {
        let mut stopped = self.stopped.clone();
        let app = Router::new().fallback(answer).with_state(self);
        let end = async move { drop(stopped.wait_for(|stop| *stop).await) };
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(end).await {
            tracing::warn!(%error, "the live room of the fictional marketplace went off the air early");
        }
    }

    fn master() -> String {
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"中文\",LANGUAGE=\"zh-CN\",DEFAULT=YES,URI=\"subs.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=800000,SUBTITLES=\"subs\"\nvideo.m3u8\n"
            .into()
    }

    /// The newest segments that have been played whole; the last one ends it.
    fn playlist(&self) -> String {
        let played = usize::try_from(self.played_ms() / SEGMENT_MS).unwrap_or(usize::MAX).min(self.segments);
        let first = played.saturating_sub(WINDOW);
        let seconds = SEGMENT_MS / 1000;
        // Played so fast, a player must look again after a second.
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for number in first..played {
            let begins = Duration::from_millis(number as u64 * SEGMENT_MS);
            let begins = self.epoch.saturating_add(begins).unwrap_or(self.epoch);
            // Writing to a text does not fail.
            let _ = write!(text, "#EXT-X-PROGRAM-DATE-TIME:{begins}\n#EXTINF:{seconds}.000,\n{number}.vtt\n");
        }
        if played == self.segments {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }

    /// The cues on screen in a segment; their times count from the broadcast's beginning.
    fn segment(&self, number: usize) -> String {
        let (from, to) = (number as u64 * SEGMENT_MS, (number as u64 + 1) * SEGMENT_MS);
        let mut text = format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{FIRST_TICK},LOCAL:00:00:00.000\n\n");
        let clock = |ms: u64| format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000);
        for line in self.lines.iter().filter(|line| line.kind == "caption") {
            let until = line.until_ms.unwrap_or(line.at_ms + 2000);
            if line.at_ms < to && until > from {
                let voice = line.speaker.as_ref().map(|speaker| format!("<v {speaker}>")).unwrap_or_default();
                let _ = write!(text, "{} --> {}\n{voice}{}\n\n", clock(line.at_ms), clock(until), line.text);
            }
        }
        text
    }

    fn page(&self, path: &str) -> Option<(&'static str, String)> {
        const PLAYLIST: &str = "application/vnd.apple.mpegurl";
        let played = usize::try_from(self.played_ms() / SEGMENT_MS).unwrap_or(usize::MAX);
        Some(match path {
            "/robots.txt" => ("text/plain", "User-agent: *\nAllow: /live/\n".into()),
            "/live/master.m3u8" => (PLAYLIST, Self::master()),
            "/live/subs.m3u8" => (PLAYLIST, self.playlist()),
            other => {
                let number: usize = other.strip_prefix("/live/")?.strip_suffix(".vtt")?.parse().ok()?;
                (number < played.min(self.segments)).then(|| ("text/vtt", self.segment(number)))?
            }
        })
    }

    async fn serve_messages(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).send_messages(stream));
        }
    }

    /// Comments, gifts and the shelf, as they come; a plain request is told about robots.
    async fn send_messages(self: Arc<Self>, stream: TcpStream) {
        let mut begun = [0; 16];
        if matches!(stream.peek(&mut begun).await, Ok(length) if begun.get(..length).is_some_and(|head| head.starts_with(b"GET /robots.txt")))
        {
            no_robots(stream).await;
            return;
        }
        let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
        let (mut out, _in) = socket.split();
        for line in self.lines.iter().filter(|line| line.kind != "caption") {
            let due = Duration::from_millis(line.at_ms) / SPEED;
            tokio::time::sleep(due.saturating_sub(self.begun.elapsed())).await;
            let at = self.epoch.saturating_add(Duration::from_millis(line.at_ms)).unwrap_or(self.epoch);
            let mut message = line.rest.clone();
            message.insert("kind".into(), line.kind.clone().into());
            message.insert("at".into(), at.to_string().into());
            message.insert("text".into(), line.text.clone().into());
            let message = serde_json::Value::Object(message).to_string();
            if out.send(Message::text(message)).await.is_err() {
                return;
            }
        }
        // Nobody needs to know that whoever listened is gone.
        drop(out.close().await);
    }
}

/// There is no robots.txt: everything may be asked.
async fn no_robots(mut stream: TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut request = [0; 4096];
    drop(stream.read(&mut request).await);
    let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    drop(stream.write_all(answer).await);
}

async fn answer(State(broadcast): State<Arc<Broadcast>>, request: Request) -> Response {
    let page = broadcast.page(request.uri().path());
    let (status, kind, body) = match page {
        Some((kind, body)) => (StatusCode::OK, kind, body),
        None => (StatusCode::NOT_FOUND, "text/plain", String::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Ok(kind) = header::HeaderValue::from_str(kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}
