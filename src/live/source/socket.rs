//! Messages over a WebSocket (RFC 6455). The connection is the fetcher's, with its guards; only the protocol is the library's.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use url::Url;

use super::{Again, address, extra, message};
use crate::{
    crawl::Extra,
    live::{LiveError, framing::MAX_DECODED_BYTES, room::Hearing},
};

/// Longest silence after which a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(120);
/// Shortest time between two heartbeats.
const SHORTEST: Duration = Duration::from_secs(1);

/// Hears a WebSocket; connected again when it breaks off, until the other side closes it in order.
pub(in crate::live) async fn socket(hearing: &Hearing<'_>) -> Result<(), LiveError> {
    let url = address(hearing, "websocket")?;
    let extra = extra(hearing)?;
    let mut again = Again::new();
    loop {
        let mut stop = hearing.gate.services.stop.clone();
        let ended = tokio::select! {
            ended = connection(hearing, &url, &extra, &mut again) => ended,
            _ = stop.wait_for(|stop| *stop) => return Err(LiveError::Left),
        };
        match ended {
            Ok(()) => return Ok(()),
            Err(error) => again.wait(hearing, error).await?,
        }
    }
}

/// One connection, to its end.
async fn connection(hearing: &Hearing<'_>, url: &Url, extra: &Extra, again: &mut Again) -> Result<(), LiveError> {
    let mut socket = connect(hearing, url, extra).await?;
    let broken = |what: String| LiveError::Content { url: url.to_string(), what };
    let source = hearing.source;
    let binary = |text: &str, opens: bool| -> Message {
        let packed = source.framing.pack(text, opens);
        match String::from_utf8(packed) {
            Ok(text) if source.framing != crate::live::Framing::Bilibili => Message::text(text),
            Ok(text) => Message::binary(text.into_bytes()),
            Err(error) => Message::binary(error.into_bytes()),
        }
    };
    for hello in &source.hello {
        socket.send(binary(hello, true)).await.map_err(|error| broken(error.to_string()))?;
    }
    let mut beat = tokio::time::interval(Duration::from_secs(source.every_seconds).max(SHORTEST));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat.reset();
    let beats = !source.heartbeat.is_empty() || source.framing == crate::live::Framing::Bilibili;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(SILENCE, socket.next()) => next,
            _ = beat.tick(), if beats => {
                socket.send(binary(&source.heartbeat, false)).await.map_err(|error| broken(error.to_string()))?;
                continue;
            }
        };
        let frame = match next {
            Err(_) => return Err(broken(format!("nothing came for {} s", SILENCE.as_secs()))),
            Ok(None) => return Err(broken("the connection broke off".into())),
            Ok(Some(Err(error))) => return Err(broken(error.to_string())),
            Ok(Some(Ok(Message::Text(text)))) => Bytes::from(text),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            // Going away, restarting and the like are breaks.
            Ok(Some(Ok(Message::Close(Some(frame))))) if frame.code != CloseCode::Normal => {
                return Err(broken(format!("the other side closed: {}", frame.code)));
            }
            Ok(Some(Ok(Message::Close(_)))) => return Ok(()),
            Ok(Some(Ok(_))) => continue,
        };
        again.heard();
        message(hearing, frame).await?;
    }
}

async fn connect(
    hearing: &Hearing<'_>,
    url: &Url,
    extra: &Extra,
) -> Result<WebSocketStream<reqwest::Upgraded>, LiveError> {
    let key = generate_key();
    let mut extra = extra.clone();
    extra.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    extra.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    extra.headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        extra.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    let gate = hearing.gate;
    let upgraded = gate.services.fetcher.upgrade(url, &extra, gate.guard(), gate).await?;
    let accepted = upgraded.headers.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        let what = "the other side does not speak WebSocket (Sec-WebSocket-Accept differs)".to_owned();
        return Err(LiveError::Content { url: url.to_string(), what });
    }
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_DECODED_BYTES)).max_frame_size(Some(MAX_DECODED_BYTES));
    Ok(WebSocketStream::from_raw_socket(upgraded.connection, Role::Client, Some(config)).await)
}
