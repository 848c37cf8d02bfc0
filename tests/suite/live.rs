//! Live rooms from outside: what is heard over HLS, WebSocket, events and lines becomes hits with second, goods and price.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use markwarden::{
    crawl::{Fetcher, Hosts, Settings},
    demo::{LiveRoom, Market, room_score},
    evidence::{LIVE, Options, WarcWriter, is_retired, verify_capture},
    live::{self, LiveError, Room, Source, SourceKind, Transcriber},
    matcher::{self, Heard},
    model::{Finding, ListingId, ManualClock, SystemClock, Timestamp},
    monitor::Monitor,
    rules::RuleSet,
    store::{Batch, Filter, MemoryStore, Store, Write},
};
use tokio::sync::watch;

use crate::shop::{Reply, Shop};

/// A listener's office: a store with the market's marks and listings, and what is needed to listen.
pub struct Office {
    pub folder: tempfile::TempDir,
    pub store: Arc<dyn Store>,
    monitor: Arc<Monitor>,
    services: live::Services,
    stop: watch::Sender<bool>,
}

impl Office {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let market = Market::start().await.unwrap();
        let marks = markwarden::marks::import_csv("marks.csv", market.marks_csv()).unwrap();
        let mut writes: Vec<Write> = marks.into_iter().map(Write::Mark).collect();
        writes.extend(market.listings().map(|listing| Write::Listing {
            id: ListingId::new(&listing.id).unwrap(),
            listing: listing.clone(),
            capture: None,
        }));
        market.stop().await;
        store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
        let rules = Some(Arc::new(RuleSet::builtin().unwrap()));
        let monitor =
            Monitor::new(Arc::clone(&store), clock.clone(), rules, matcher::Settings::default()).await.unwrap();
        let options =
            Options { folder: folder.path().join("evidence"), max_bytes: 1500, software: "test".into(), name: LIVE };
        let (stop, stopped) = watch::channel(false);
        let services = live::Services {
            fetcher: Arc::new(Fetcher::new(Arc::new(Settings::default()), clock.clone()).unwrap()),
            hosts: Arc::new(Hosts::default()),
            warc: Some(Arc::new(WarcWriter::open(options, clock.clone()).unwrap())),
            clock,
            air: Arc::default(),
            stop: stopped,
        };
        Self { folder, store, monitor: Arc::new(monitor), services, stop }
    }

    /// Listens to the end; what was found, and what the room says of itself.
    pub async fn listen(&self, room: &Room) -> (Vec<Finding>, Result<live::RoomReport, LiveError>) {
        let found: Arc<Mutex<Vec<Finding>>> = Arc::default();
        let into = Arc::clone(&found);
        let show = move |heard: &Heard| into.lock().unwrap().extend(heard.findings.iter().cloned());
        let mut watched = self.monitor.watch(room, Some(Box::new(show))).unwrap();
        let report = live::watch(room, &self.services, &mut watched).await;
        let found = found.lock().unwrap().clone();
        (found, report)
    }

    pub async fn hits(&self) -> Vec<markwarden::model::Hit> {
        let page = self.store.page(&Filter::default(), None, 200).await.unwrap();
        page.rows.into_iter().map(|row| row.hit).collect()
    }
}

pub fn room(sources: Vec<Source>) -> Room {
    Room { id: "r1".into(), platform: "xinghe".into(), allow_loopback: true, delay_ms: 0, sources, ..Room::default() }
}

pub fn source(kind: SourceKind, url: String) -> Source {
    Source { kind, url, every_seconds: 30, ..Source::default() }
}

#[tokio::test]
async fn the_markets_live_room_is_heard_as_its_truth_says() {
    let office = Office::new().await;
    let on_air = LiveRoom::start().await.unwrap();
    let (found, report) = office.listen(&on_air.room()).await;
    let report = report.unwrap();
    assert!(report.failures.is_empty() && report.unread == 0, "{report:?}");
    assert_eq!((report.captions, report.comments, report.shelf), (16, 4, 2));
    let score = room_score(on_air.truth(), &found);
    assert!(score.missed.is_empty() && score.wrong.is_empty(), "{score:#?}");
    on_air.stop();

    let hits = office.hits().await;
    assert!(hits.len() >= score.right - 1, "one a family and goods: {}", hits.len());
    for hit in &hits {
        let finding = &hit.what.findings[0];
        assert!(finding.moment.is_some() && !finding.citation.is_empty(), "{finding:?}");
        let there: String = hit
            .what
            .listing
            .surface_text(&finding.surface)
            .unwrap()
            .chars()
            .skip(finding.start)
            .take(finding.end - finding.start)
            .collect();
        assert_eq!(there, finding.text);
        let capture = office.store.capture(hit.what.capture.as_ref().unwrap()).await.unwrap().unwrap();
        let record = verify_capture(&office.folder.path().join("evidence"), &capture).unwrap();
        let text = String::from_utf8_lossy(record.payload().unwrap()).into_owned();
        let last = finding.continues.last().map_or(&finding.text, |span| &span.text);
        assert!(text.contains(last.as_str()), "the record holds what was said: {text}");
        assert!(!serde_json::to_string(hit).unwrap().contains("u-30"), "viewers stay unnamed");
    }

    // Half a year later only what hits stand on is left, and a note for everything else.
    let later = Timestamp::now().checked_add(std::time::Duration::from_secs(180 * 24 * 3600)).unwrap();
    let later = Arc::new(ManualClock::new(later));
    let monitor = Monitor::new(Arc::clone(&office.store), later, None, matcher::Settings::default()).await.unwrap();
    let folder = office.folder.path().join("evidence");
    assert!(monitor.retire_live_evidence(&folder, 0).await.unwrap().is_empty());
    let retired = monitor.retire_live_evidence(&folder, 90).await.unwrap();
    assert!(!retired.is_empty());
    for one in &retired {
        assert!(is_retired(&folder, &one.file) && !folder.join(&one.file).exists());
    }
    for hit in &hits {
        let capture = office.store.capture(hit.what.capture.as_ref().unwrap()).await.unwrap().unwrap();
        verify_capture(&folder, &capture).unwrap();
    }
}

#[tokio::test]
async fn a_word_across_two_segments_is_one_hit_though_the_room_repeats_it() {
    let shop = Shop::open(|path, before| {
        let segment = |at: u32, text: &str| {
            Reply::html(format!(
                "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:{at:02}.000 --> 00:{:02}.500\n{text}\n",
                at + 1
            ))
        };
        match path {
            "/s.m3u8" => {
                let count = (before + 2).min(4);
                let mut text =
                    String::from("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T08:00:00Z\n");
                (0..count).for_each(|number| text.push_str(&format!("#EXTINF:4,\n{number}.vtt\n")));
                Reply::html(text + if count == 4 { "#EXT-X-ENDLIST\n" } else { "" })
            }
            "/0.vtt" => segment(2, "这是正品栖木"),
            "/1.vtt" => segment(4, "原绿茶"),
            "/2.vtt" => segment(9, "正品栖木"),
            "/3.vtt" => segment(12, "原绿茶"),
            _ => Reply::status(404),
        }
    })
    .await;
    let office = Office::new().await;
    let mut hls = source(SourceKind::Hls, shop.url("/s.m3u8"));
    hls.from_start = true;
    let (_, report) = office.listen(&room(vec![hls])).await;
    assert_eq!(report.unwrap().captions, 4);
    let marks: Vec<_> =
        office.hits().await.into_iter().filter(|hit| hit.what.findings[0].reference == "M-101").collect();
    assert_eq!(marks.len(), 1);
    let finding = &marks[0].what.findings[0];
    assert_eq!((finding.text.as_str(), finding.continues[0].text.as_str()), ("栖木", "原"));
    assert_eq!(finding.moment.as_ref().unwrap().at_ms, 4000);
    for number in 0..4 {
        assert_eq!(shop.times(&format!("/{number}.vtt")), 1, "each segment is fetched once");
    }
}

#[tokio::test]
async fn events_lines_and_documents_speak_one_contract() {
    let shelf = r#"{"kind":"shelf","at_ms":0,"goods":{"id":"10016","title":"绿茶","price":"￥88"}}"#;
    let said = r#"{"kind":"caption","at_ms":61000,"text":"正品栖木原绿茶"}"#;
    let shop = Shop::open(move |path, before| match path {
        "/lines" => Reply::html(format!("{shelf}\n{said}\n{{\"kind\":\"gift\"}}\nno json\n")),
        "/events" if before == 0 => Reply::html(format!("data: {shelf}\n\ndata: {said}\n\n")),
        "/poll" if before < 2 => Reply::html(format!("[{shelf},{said}]")),
        _ => Reply::status(404),
    })
    .await;
    for (kind, path) in [(SourceKind::Ndjson, "/lines"), (SourceKind::Sse, "/events"), (SourceKind::Poll, "/poll")] {
        let office = Office::new().await;
        let mut source = source(kind, shop.url(path));
        source.every_seconds = 1;
        let (found, report) = office.listen(&room(vec![source])).await;
        let report = report.unwrap();
        assert_eq!((report.captions, report.shelf), (1, 1), "{path}: {report:?}");
        let moment = found.iter().find(|finding| finding.reference == "M-101").unwrap().moment.clone().unwrap();
        assert_eq!((moment.at_ms, moment.goods.unwrap().id.as_str()), (61_000, "10016"), "{path}");
        assert!(office.hits().await.iter().all(|hit| hit.what.capture.is_some()), "{path}");
    }
}

#[tokio::test]
async fn packets_under_zlib_come_over_a_websocket_after_the_greeting_and_a_break_is_mended() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let message = |text: &str| format!(r#"{{"cmd":"DANMU_MSG","info":[[0],"{text}",[7,"某某"]]}}"#);
        let mut greetings = Vec::new();
        for text in ["想买正品栖木", "原绿茶"] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            greetings.push(socket.next().await.unwrap().unwrap().into_data());
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &live::packet(0, 5, message(text).as_bytes())).unwrap();
            let packed = live::packet(2, 5, &encoder.finish().unwrap());
            socket.send(Message::binary(packed)).await.unwrap();
            if text == "原绿茶" {
                socket.send(Message::binary(&b"no packet"[..])).await.unwrap();
                socket.close(None).await.unwrap();
            }
            // The first connection breaks off without a word.
        }
        greetings
    });
    let office = Office::new().await;
    let mut socket = source(SourceKind::Websocket, format!("ws://{address}/sub"));
    socket.framing = live::Framing::Bilibili;
    socket.fields = live::Fields::bilibili();
    socket.hello = vec![r#"{"roomid":1}"#.into()];
    let (found, report) = office.listen(&room(vec![socket])).await;
    let report = report.unwrap();
    assert_eq!((report.comments, report.unread), (2, 1), "{report:?}");
    let greetings = serving.await.unwrap();
    assert!(greetings.iter().all(|greeting| greeting.ends_with(br#"{"roomid":1}"#) && greeting[11] == 7));
    // A viewer's two messages are one word; what viewers say weighs little.
    assert!(found.iter().all(|finding| finding.reference != "M-101" || finding.continues.len() == 1), "{found:#?}");
}

#[tokio::test]
async fn sound_is_written_down_by_the_endpoint_of_the_settings_with_its_key() {
    let asr = Shop::open(|path, _| match path {
        "/v1/audio/transcriptions" => Reply::html(
            r#"{"text":"x","segments":[{"start":0.5,"end":1.5,"text":"正品栖木原"},{"start":2.0,"end":3.0,"text":"绿茶"}]}"#,
        ),
        _ => Reply::status(404),
    })
    .await;
    let shop = Shop::open(|path, _| match path {
        "/a.m3u8" => Reply::html("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.aac?x=1\n#EXT-X-ENDLIST\n"),
        "/1.aac?x=1" => Reply::Page(200, vec![("content-type", "audio/aac".into())], vec![0xff, 0xf1, 1, 2, 3]),
        _ => Reply::status(404),
    })
    .await;
    let office = Office::new().await;
    let key = office.folder.path().join("key");
    std::fs::write(&key, "s3cret").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let transcribe = Transcriber {
        url: asr.url("/v1/audio/transcriptions"),
        model: "whisper-1".into(),
        language: "zh".into(),
        key: Some(markwarden::crawl::Secret::File(key)),
    };
    let hls = Source { transcribe: Some(transcribe), ..source(SourceKind::Hls, shop.url("/a.m3u8")) };
    let (found, report) = office.listen(&room(vec![hls])).await;
    assert_eq!(report.unwrap().captions, 2);
    assert!(found.iter().any(|finding| finding.reference == "M-101"));
    assert_eq!(asr.header("/v1/audio/transcriptions", "authorization"), "Bearer s3cret");
    assert!(asr.header("/v1/audio/transcriptions", "content-type").starts_with("multipart/form-data; boundary="));
}

#[tokio::test]
async fn a_room_inside_the_network_is_not_connected_to_by_any_kind_of_source() {
    let shop = Shop::open(|_, _| Reply::html("#EXTM3U\n")).await;
    let office = Office::new().await;
    for kind in [SourceKind::Hls, SourceKind::Websocket, SourceKind::Sse, SourceKind::Ndjson, SourceKind::Poll] {
        let scheme = if kind == SourceKind::Websocket { "ws" } else { "http" };
        let mut room = room(vec![source(kind, format!("{scheme}://{}/x", shop.host))]);
        room.allow_loopback = false;
        // Somebody can be reached, so that only the address stands in the way.
        let settings = Settings { contact: "https://desk.example/".into(), ..Settings::default() };
        let fetcher = Arc::new(Fetcher::new(Arc::new(settings), Arc::new(SystemClock)).unwrap());
        let services = live::Services { fetcher, ..office.services.clone() };
        let mut watched = office.monitor.watch(&room, None).unwrap();
        let error = live::watch(&room, &services, &mut watched).await.unwrap_err();
        assert!(error.to_string().contains("not a public address"), "{kind:?}: {error}");
        room.sources[0].url = "file:///etc/passwd".into();
        assert!(matches!(live::watch(&room, &services, &mut watched).await, Err(LiveError::Address { .. })));
    }
    assert!(shop.asked().is_empty());
}

#[tokio::test]
async fn robots_txt_is_asked_and_obeyed() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::html("User-agent: *\nDisallow: /live/\n"),
        _ => Reply::html("#EXTM3U\n"),
    })
    .await;
    let office = Office::new().await;
    let mut room = room(vec![source(SourceKind::Hls, shop.url("/live/a.m3u8"))]);
    room.robots = true;
    let (_, report) = office.listen(&room).await;
    assert!(report.unwrap_err().to_string().contains("robots.txt forbids"));
    assert_eq!(shop.asked(), ["/robots.txt"]);
}

#[tokio::test]
async fn a_secret_header_is_sent_and_stands_in_no_record() {
    let said = "{\"kind\":\"caption\",\"at_ms\":1,\"text\":\"正品栖木原\"}\n";
    let shop = Shop::open(
        move |_, before| if before == 0 { Reply::html(format!("[{}]", said.trim())) } else { Reply::status(404) },
    )
    .await;
    let office = Office::new().await;
    let key = office.folder.path().join("key");
    std::fs::write(&key, "tok3n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut source = source(SourceKind::Poll, shop.url("/poll"));
    source.secret_headers = BTreeMap::from([("x-token".to_owned(), markwarden::crawl::Secret::File(key))]);
    source.every_seconds = 1;
    let (_, report) = office.listen(&room(vec![source])).await;
    assert_eq!(report.unwrap().captions, 1);
    assert_eq!(shop.header("/poll", "x-token"), "tok3n");
    drop(office.services.warc.clone());
    for entry in std::fs::read_dir(office.folder.path().join("evidence")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&*bytes), &mut plain).ok();
        assert!(!String::from_utf8_lossy(&plain).contains("tok3n"));
    }
}

#[tokio::test]
async fn a_playlist_cannot_send_a_secret_to_another_host() {
    let other = Shop::open(|_, _| Reply::html("WEBVTT\n\n00:01.000 --> 00:02.000\n正品栖木原\n")).await;
    let segment = other.url("/0.vtt");
    let shop = Shop::open(move |_, _| {
        Reply::html(format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:4,\n{segment}\n#EXT-X-ENDLIST\n"))
    })
    .await;
    let office = Office::new().await;
    let key = office.folder.path().join("key");
    std::fs::write(&key, "tok3n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut hls = source(SourceKind::Hls, shop.url("/s.m3u8"));
    hls.secret_headers = BTreeMap::from([("x-token".to_owned(), markwarden::crawl::Secret::File(key))]);
    let (_, report) = office.listen(&room(vec![hls])).await;
    assert_eq!(report.unwrap().captions, 1);
    assert_eq!(shop.header("/s.m3u8", "x-token"), "tok3n");
    assert_eq!(other.header("/0.vtt", "x-token"), "");
}

#[tokio::test]
async fn a_room_is_left_when_it_is_told_to() {
    let shop = Shop::open(|path, _| if path == "/robots.txt" { Reply::status(404) } else { Reply::Never }).await;
    let office = Office::new().await;
    let room = room(vec![source(SourceKind::Sse, shop.url("/events"))]);
    let stop = async {
        shop.has_served(1).await;
        office.stop.send_replace(true);
    };
    let (heard, ()) = futures_util::future::join(office.listen(&room), stop).await;
    assert_eq!(heard.1.unwrap().failures, Vec::<String>::new());
}
