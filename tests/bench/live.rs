//! How soon what is said in live rooms becomes a hit.
//!
//! `cargo bench --bench live -- [--rooms N] [--rate N] [--seconds N] [--marks N]`. First, so many rooms send so many messages a
//! second each over WebSockets on loopback; all rooms, matching and the store's callers run on one thread (a runtime of
//! one), the senders and the store's own writer on others. One message in 250 names a watched mark that its room has not named
//! before. Printed: from the moment a message is handed to the socket to its finding, and to its hit in the store, which is
//! durable then. Second, one room with subtitles in segments of two seconds: from the moment a segment can be fetched to its
//! hit. Nothing is asserted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::result_large_err, reason = "the handshake's answer is the library's")]

#[path = "evasion/generator.rs"]
#[allow(dead_code)]
mod generator;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use fastrand::Rng;
use futures_util::{SinkExt, future::join_all};
use generator::{Evasions, Language, mark_texts, marks};
use markwarden::{
    crawl::{Fetcher, Hosts, Settings},
    live::{self, Event, ListenError, Listener, Room, Source, SourceKind},
    matcher::{self, Heard},
    model::{Capture, CaptureId, SystemClock},
    monitor::{Monitor, WatchedRoom},
    rules::RuleSet,
    store::{self, Batch, SledStore, Store, Write},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};
use tokio_tungstenite::tungstenite::Message;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One message in so many names a mark.
const PLANTED: u64 = 250;
const SEGMENT: Duration = Duration::from_secs(2);

fn asked(name: &str, usual: usize) -> usize {
    let words: Vec<String> = std::env::args().collect();
    let value = words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    value.map_or(usual, |text| text.parse().unwrap())
}

/// How long it took, each time.
type Times = Arc<Mutex<Vec<Duration>>>;

/// When the message that names a mark in a room was sent.
type Sent = Arc<Mutex<HashMap<(usize, String), Instant>>>;

fn main() {
    let (rooms, rate, seconds) = (asked("--rooms", 200), asked("--rate", 50), asked("--seconds", 20));
    let language = Language::new();
    let texts: Vec<String> = mark_texts(&language, &Evasions::new(), asked("--marks", 10_000))
        .into_iter()
        .filter(|text| text.chars().count() > 2)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = Arc::new(SystemClock);
    let store = SledStore::open(folder.path(), &store::Settings::default(), clock.clone()).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let writes: Vec<Write> = marks(&texts).into_iter().map(Write::Mark).collect();
    println!("{} marks and the built-in rules", writes.len());
    for part in writes.chunks(1000) {
        runtime.block_on(store.apply(Batch { actor: "bench".into(), writes: part.to_vec() })).unwrap();
    }
    let rules = Some(Arc::new(RuleSet::builtin().unwrap()));
    let monitor = Monitor::new(store, clock.clone(), rules, matcher::Settings::default());
    let monitor = Arc::new(runtime.block_on(monitor).unwrap());
    let (stop, stopped) = watch::channel(false);
    let services = live::Services {
        fetcher: Arc::new(Fetcher::new(Arc::new(Settings::default()), clock.clone()).unwrap()),
        hosts: Arc::new(Hosts::default()),
        warc: None,
        clock,
        air: Arc::default(),
        stop: stopped,
    };
    messages(&runtime, &monitor, &services, &language, &texts, [rooms, rate, seconds]);
    segments(&runtime, &monitor, &services, &texts);
    drop(stop);
}

fn messages(
    runtime: &tokio::runtime::Runtime,
    monitor: &Arc<Monitor>,
    services: &live::Services,
    language: &Language,
    texts: &[String],
    [rooms, rate, seconds]: [usize; 3],
) {
    let random = &mut Rng::with_seed(5);
    let clean: Vec<String> = (0..5000).map(|_| language.text(random, 14)).collect();
    let sent: Sent = Arc::default();
    let (address, feeding) = feed(rooms, rate, seconds, Arc::new(clean), Arc::new(texts.to_vec()), Arc::clone(&sent));
    let (to_finding, to_hit) = (Times::default(), Times::default());
    let before = cpu_of_thread();
    let begun = Instant::now();
    let heard: u64 = runtime.block_on(async {
        let listening = (0..rooms).map(|number| {
            let (sent, to_finding, to_hit) = (Arc::clone(&sent), Arc::clone(&to_finding), Arc::clone(&to_hit));
            async move {
                let room = room(number, SourceKind::Websocket, format!("ws://{address}/{number}"));
                let waiting: Arc<Mutex<Vec<Instant>>> = Arc::default();
                let into = Arc::clone(&waiting);
                let show = move |heard: &Heard| {
                    for finding in &heard.findings {
                        let known = sent.lock().unwrap().remove(&(number, finding.reference.clone()));
                        if let Some(at) = known {
                            to_finding.lock().unwrap().push(at.elapsed());
                            into.lock().unwrap().push(at);
                        }
                    }
                };
                let inner = monitor.watch(&room, Some(Box::new(show))).unwrap();
                let mut timed = Timed { inner, waiting, to_hit };
                let report = live::watch(&room, services, &mut timed).await.unwrap();
                report.comments + report.captions
            }
        });
        join_all(listening).await.into_iter().sum()
    });
    let (took, cpu) = (begun.elapsed(), cpu_of_thread() - before);
    let planted = feeding.join().unwrap();
    println!(
        "{rooms} rooms x {rate} messages a second for {seconds} s: {heard} heard in {:.1} s, {:.0} a second; the listening thread used {:.0} % of a core",
        took.as_secs_f64(),
        heard as f64 / took.as_secs_f64(),
        100.0 * cpu / took.as_secs_f64()
    );
    println!("{planted} messages named a mark");
    tell("message to finding", &to_finding);
    tell("message to durable hit", &to_hit);
}

fn room(number: usize, kind: SourceKind, url: String) -> Room {
    let source = Source { kind, url, every_seconds: 30, from_start: true, ..Source::default() };
    Room {
        id: format!("room-{number}"),
        platform: "bench".into(),
        allow_loopback: true,
        delay_ms: 0,
        sources: vec![source],
        ..Room::default()
    }
}

/// Notes when what was sent has become a hit.
struct Timed {
    inner: WatchedRoom,
    waiting: Arc<Mutex<Vec<Instant>>>,
    to_hit: Times,
}

#[async_trait]
impl Listener for Timed {
    async fn hear(&mut self, event: Event, capture: Option<&CaptureId>) -> bool {
        self.inner.hear(event, capture).await
    }

    async fn keep(&mut self, captures: Vec<Capture>, messages: Option<CaptureId>) -> Result<(), ListenError> {
        let sent = std::mem::take(&mut *self.waiting.lock().unwrap());
        self.inner.keep(captures, messages).await?;
        self.to_hit.lock().unwrap().extend(sent.iter().map(Instant::elapsed));
        Ok(())
    }
}

/// Sends on a thread of its own; gives how many messages named a mark.
fn feed(
    rooms: usize,
    rate: usize,
    seconds: usize,
    clean: Arc<Vec<String>>,
    texts: Arc<Vec<String>>,
    sent: Sent,
) -> (std::net::SocketAddr, std::thread::JoinHandle<usize>) {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let mut sending = Vec::new();
            for _ in 0..rooms {
                let (stream, _) = listener.accept().await.unwrap();
                let (clean, texts, sent) = (Arc::clone(&clean), Arc::clone(&texts), Arc::clone(&sent));
                sending.push(tokio::spawn(one(stream, rate, seconds, clean, texts, sent)));
            }
            join_all(sending).await.into_iter().map(Result::unwrap).sum()
        })
    });
    (told.recv().unwrap(), thread)
}

async fn one(
    stream: tokio::net::TcpStream,
    rate: usize,
    seconds: usize,
    clean: Arc<Vec<String>>,
    texts: Arc<Vec<String>>,
    sent: Sent,
) -> usize {
    let mut number = 0;
    let asked = |request: &tokio_tungstenite::tungstenite::handshake::server::Request, response| {
        number = request.uri().path().trim_start_matches('/').parse().unwrap();
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, asked).await.unwrap();
    let mut random = Rng::with_seed(number as u64);
    let mut planted = 0;
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate as f64));
    for message in 0..rate * seconds {
        beat.tick().await;
        let plain = &clean[random.usize(..clean.len())];
        let speaks = random.u64(..PLANTED) == 0;
        let message = if speaks {
            let mark = (number * 131 + planted * 7) % texts.len();
            planted += 1;
            sent.lock().unwrap().insert((number, mark.to_string()), Instant::now());
            serde_json::json!({"kind": "caption", "text": format!("正品{}，{plain}", texts[mark])})
        } else {
            serde_json::json!({"kind": "comment", "viewer": message % 97, "text": plain})
        };
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    drop(socket.close(None).await);
    planted
}

/// A room with subtitles, in real time.
fn segments(runtime: &tokio::runtime::Runtime, monitor: &Arc<Monitor>, services: &live::Services, texts: &[String]) {
    const SEGMENTS: usize = 15;
    let begun = Instant::now();
    let said: Vec<String> = (0..SEGMENTS).map(|number| texts[number * 11 + 3].clone()).collect();
    let of = texts.iter().enumerate().map(|(at, text)| (text.clone(), at.to_string())).collect::<HashMap<_, _>>();
    let ends: HashMap<String, Instant> = said
        .iter()
        .enumerate()
        .map(|(number, text)| (of[text].clone(), begun + SEGMENT * (number as u32 + 1)))
        .collect();
    let to_hit = Times::default();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
                let played = (begun.elapsed().as_millis() / SEGMENT.as_millis()) as usize;
                let body = page(&path, played.min(SEGMENTS), SEGMENTS, &said);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body.as_bytes()).await.unwrap();
            }
        });
        let waiting: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let into = Arc::clone(&waiting);
        let show = move |heard: &Heard| {
            let known = heard.findings.iter().filter_map(|finding| ends.get(&finding.reference));
            into.lock().unwrap().extend(known.copied());
        };
        let room = room(9999, SourceKind::Hls, format!("http://{address}/s.m3u8"));
        let inner = monitor.watch(&room, Some(Box::new(show))).unwrap();
        let mut timed = Timed { inner, waiting, to_hit: Arc::clone(&to_hit) };
        live::watch(&room, services, &mut timed).await.unwrap();
        serving.abort();
    });
    println!("subtitles in segments of {} s, one claim in each of {SEGMENTS}", SEGMENT.as_secs());
    tell("segment there to durable hit", &to_hit);
}

fn page(path: &str, played: usize, all: usize, said: &[String]) -> String {
    let seconds = SEGMENT.as_secs();
    if let Some(number) = path.strip_prefix('/').and_then(|path| path.strip_suffix(".vtt")) {
        let number: usize = number.parse().unwrap();
        return format!("WEBVTT\n\n00:00.100 --> 00:01.900\n这是正品{}，大家放心\n", said[number]);
    }
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{seconds}\n");
    (0..played).for_each(|number| text.push_str(&format!("#EXTINF:{seconds},\n{number}.vtt\n")));
    text + if played == all { "#EXT-X-ENDLIST\n" } else { "" }
}

fn tell(what: &str, times: &Mutex<Vec<Duration>>) {
    let mut times = times.lock().unwrap().clone();
    times.sort();
    let at = |share: f64| {
        times.get(((times.len() as f64 - 1.0) * share).round() as usize).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    println!(
        "  {what}: {} found; p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// CPU seconds this thread has used.
fn cpu_of_thread() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
