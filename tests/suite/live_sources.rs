//! What sources of live rooms may speak besides plain JSON and plain segments: encrypted segments, Protocol Buffers, proxies.

use aes::Aes128;
use cbc::{
    Encryptor,
    cipher::{BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7},
};
use futures_util::SinkExt;
use markwarden::{
    crawl::Proxy,
    evidence::verify_capture,
    live::{Fields, Framing, LiveError, Protobuf, Source, SourceKind},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    crawl_proxy::socks,
    live::{Office, room, source},
    shop::{Reply, Shop},
};

const KEY: [u8; 16] = *b"a key of sixteen";

fn segment(text: &str) -> String {
    format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n")
}

fn closed(iv: u128, text: &str) -> Vec<u8> {
    let iv = iv.to_be_bytes();
    Encryptor::<Aes128>::new(&KEY.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(segment(text).as_bytes())
}

fn playlist(lines: &str) -> Reply {
    Reply::html(format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n{lines}#EXT-X-ENDLIST\n"))
}

#[tokio::test]
async fn segments_under_aes_128_are_read_and_what_was_read_is_kept_beside_them() {
    let shop = Shop::open(|path, _| match path {
        "/s.m3u8" => playlist(
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:4,\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x2a\n#EXTINF:4,\nb\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:4,\nc\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nd\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:4,\ne\n",
        ),
        "/k" => Reply::html(KEY),
        "/a" => Reply::html(closed(7, "这是正品栖木原绿茶")),
        "/b" => Reply::html(closed(0x2a, "大家看一下")),
        "/d" => Reply::html(segment("没有加密")),
        // It was made with another key's vector and cut: it does not open.
        "/e" => Reply::html(closed(1, "x")[..15].to_vec()),
        _ => Reply::status(404),
    })
    .await;
    let office = Office::new().await;
    let (found, report) = office.listen(&room(vec![source(SourceKind::Hls, shop.url("/s.m3u8"))])).await;
    let report = report.unwrap();
    assert_eq!((report.captions, report.failures.len()), (3, 0), "{report:?}");
    assert!(found.iter().any(|finding| finding.reference == "M-101"));
    assert_eq!((shop.times("/k"), shop.times("/c")), (1, 0), "one key is fetched once");
    let hit = office.hits().await.into_iter().find(|hit| hit.what.findings[0].reference == "M-101").unwrap();
    let capture = office.store.capture(hit.what.capture.as_ref().unwrap()).await.unwrap().unwrap();
    let record = verify_capture(&office.folder.path().join("evidence"), &capture).unwrap();
    assert_eq!(record.header("WARC-Type"), Some("conversion"));
    assert!(String::from_utf8_lossy(record.payload().unwrap()).contains("正品栖木原"));
}

#[tokio::test]
async fn other_encryptions_and_keys_that_are_none_are_refused_with_a_word() {
    let office = Office::new().await;
    for (key, words) in [
        ("METHOD=SAMPLE-AES,URI=\"k\"", "encrypted with SAMPLE-AES, which is not read"),
        ("METHOD=AES-128,URI=\"k\",KEYFORMAT=\"com.widevine\"", "encrypted with AES-128"),
        ("METHOD=AES-128,URI=\"short\"", "a key of 15 bytes"),
        ("METHOD=AES-128,URI=\"long\"", "more than"),
        ("METHOD=AES-128,URI=\"http://10.0.0.1/k\"", "not a public address"),
    ] {
        let lines = format!("#EXT-X-KEY:{key}\n#EXTINF:4,\na\n");
        let shop = Shop::open(move |path, _| match path {
            "/s.m3u8" => playlist(&lines),
            "/k" => Reply::html(KEY),
            "/short" => Reply::html(&KEY[..15]),
            "/long" => Reply::html(vec![0; 4096]),
            _ => Reply::html(closed(7, "这是正品栖木原绿茶")),
        })
        .await;
        let room = room(vec![source(SourceKind::Hls, shop.url("/s.m3u8"))]);
        let heard = tokio::time::timeout(std::time::Duration::from_secs(20), office.listen(&room));
        let Ok((found, report)) = heard.await else { panic!("{key} is tried again and again") };
        let error = report.unwrap_err();
        assert!(error.to_string().contains(words), "{key}: {error}");
        assert!(found.is_empty() && shop.times("/a") == 0, "{key}");
        assert!(!matches!(error, LiveError::Content { .. }), "{key}");
    }
}

/// A field of bytes, as a platform's server writes it.
fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(value);
    out
}

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, plain).unwrap();
    gzip.finish().unwrap()
}

/// A message: what it is in field 1, its body in field 2; there who wrote it in 2.1, the text in 3.
fn message(kind: &str, viewer: u8, text: &str) -> Vec<u8> {
    let body = [bytes(2, &[1 << 3, viewer]), bytes(3, text.as_bytes())].concat();
    [bytes(1, kind.as_bytes()), bytes(2, &body)].concat()
}

#[tokio::test]
async fn comments_in_protocol_buffers_are_read_by_the_numbers_of_their_fields() {
    let messages = [
        message("ChatMessage", 41, "加微信便宜"),
        message("GiftMessage", 42, "火箭"),
        message("Speech", 1, "这是正品栖木原绿茶"),
        message("ChatMessage", 41, "多少钱"),
    ];
    let payload: Vec<u8> = messages.iter().flat_map(|message| bytes(1, message)).collect();
    // One platform packs the payload, another the whole frame.
    let inside = bytes(8, &gzipped(&payload));
    let outside = gzipped(&bytes(8, &payload));
    for (frame, framing, gzip) in [(inside, Framing::None, true), (outside, Framing::Gzip, false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            socket.send(Message::binary(frame)).await.unwrap();
            socket.send(Message::binary(vec![0xff; 3])).await.unwrap();
            socket.close(None).await.unwrap();
        });
        let text = format!(
            "payload = \"8\"\ngzip = {gzip}\nmessages = \"1\"\nkind = \"1\"\nbody = \"2\"\ntext = \"3\"\nviewer = \"2.1\"\n"
        );
        let protobuf: Protobuf = toml::from_str(&text).unwrap();
        let kinds = [("ChatMessage", "comment"), ("Speech", "caption")];
        let kinds = kinds.map(|(word, kind)| (word.to_owned(), kind.to_owned())).into();
        let socket = Source {
            framing,
            fields: Fields { kinds, ..Fields::default() },
            protobuf: Some(protobuf),
            ..source(SourceKind::Websocket, format!("ws://{address}/push"))
        };
        let office = Office::new().await;
        let (found, report) = office.listen(&room(vec![socket])).await;
        let report = report.unwrap();
        assert_eq!((report.comments, report.captions, report.unread), (2, 1, 1), "{framing:?}: {report:?}");
        assert!(found.iter().any(|finding| finding.reference == "M-101"), "{framing:?}: {found:#?}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_room_goes_by_its_own_proxy_with_all_it_asks_for() {
    let other = Shop::open(|_, _| Reply::html(segment("正品栖木原"))).await;
    let elsewhere = other.url("/0.vtt");
    let shop = Shop::open(move |path, _| match path {
        "/s.m3u8" => playlist(&format!("#EXTINF:4,\n{elsewhere}\n")),
        "/lines" => Reply::html("{\"kind\":\"comment\",\"text\":\"好\"}\n"),
        _ => Reply::status(404),
    })
    .await;
    let (proxy, seen) = socks(None).await;
    let sources = vec![source(SourceKind::Hls, shop.url("/s.m3u8")), source(SourceKind::Ndjson, shop.url("/lines"))];
    let mut room = room(sources);
    room.proxy = Some(Proxy { url: format!("socks5://{proxy}"), secret: None });
    let office = Office::new().await;
    let (found, report) = office.listen(&room).await;
    let report = report.unwrap();
    assert_eq!((report.captions, report.comments), (1, 1), "{report:?}");
    assert!(found.iter().any(|finding| finding.reference == "M-101"));
    let went = seen.lock().unwrap().clone();
    assert!(went.contains(&shop.host) && went.contains(&other.host), "{went:?}");
    // What is no proxy is refused before anything is asked for.
    let before = (shop.asked().len(), other.asked().len());
    room.proxy = Some(Proxy { url: "ftp://proxy.example".into(), secret: None });
    let (_, report) = office.listen(&room).await;
    assert!(report.unwrap_err().to_string().contains("is no proxy"));
    assert_eq!((shop.asked().len(), other.asked().len()), before);
}
