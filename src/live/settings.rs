//! Settings of live rooms, the `[live]` table of `config.toml`.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{contract::Fields, framing::Framing, protobuf::Protobuf};
use crate::{
    crawl::{Proxy, Secret},
    model::Timestamp,
};

/// How this installation listens to live rooms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Days after which the evidence files of rooms go; what hits cite is kept apart. 0 keeps all.
    pub retain_days: u32,
    /// Size at which an evidence file of rooms is full, in bytes.
    pub warc_max_bytes: u64,
    /// The rooms.
    #[serde(rename = "room", skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<Room>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retain_days: 90, warc_max_bytes: 64 * 1024 * 1024, rooms: Vec::new() }
    }
}

/// One live room, and where it can be heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Its name in commands and, with the platform, in the store.
    pub id: String,
    /// Its title for people.
    #[serde(default)]
    pub title: String,
    /// The platform.
    #[serde(default)]
    pub platform: String,
    /// Its page, for people.
    #[serde(default)]
    pub page: String,
    /// When the broadcast began, where that is known; else it counts from when it is first heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Who sells there.
    #[serde(default)]
    pub seller: String,
    /// What is sold there, from the widest category to the narrowest.
    #[serde(default)]
    pub category: Vec<String>,
    /// Allows addresses of this machine: for demonstrations and tests only.
    #[serde(default)]
    pub allow_loopback: bool,
    /// Whether robots.txt is asked; false only where the platform's own feed was granted.
    #[serde(default = "yes")]
    pub robots: bool,
    /// From one request to a host to the next, in milliseconds; a longer crawl-delay of robots.txt wins.
    #[serde(default = "delay_ms")]
    pub delay_ms: u64,
    /// The proxy that its sources go by, as a profile names one; robots.txt is asked for without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Where it can be heard.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
}

fn yes() -> bool {
    true
}

fn delay_ms() -> u64 {
    250
}

impl Room {
    /// The delay between two requests to a host.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// The room's identity in the store.
    pub fn listing_id(&self) -> String {
        format!("live:{}:{}", self.platform, self.id)
    }
}

/// Where a room can be heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// How it speaks.
    pub kind: SourceKind,
    /// Its address.
    pub url: String,
    /// For HLS: the language of the subtitles that are read; the default ones when empty.
    #[serde(default)]
    pub language: String,
    /// For HLS: from the oldest segment that is still there, not from the newest.
    #[serde(default)]
    pub from_start: bool,
    /// How messages are packed.
    #[serde(default)]
    pub framing: Framing,
    /// Where things stand in a message.
    #[serde(default)]
    pub fields: Fields,
    /// Where they stand where messages are Protocol Buffers instead of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protobuf: Option<Protobuf>,
    /// WebSocket: sent after connecting, in order.
    #[serde(default)]
    pub hello: Vec<String>,
    /// WebSocket: sent again and again.
    #[serde(default)]
    pub heartbeat: String,
    /// Seconds from one heartbeat, or one poll, to the next.
    #[serde(default = "every_seconds")]
    pub every_seconds: u64,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are kept out of settings, logs and evidence.
    #[serde(default)]
    pub secret_headers: BTreeMap<String, Secret>,
    /// For HLS: where the sound is written down, when the room has no subtitles.
    #[serde(default)]
    pub transcribe: Option<Transcriber>,
}

fn every_seconds() -> u64 {
    30
}

/// How a source speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Playlists over HTTP, with subtitles or with sound to be written down.
    #[default]
    Hls,
    /// Messages over a WebSocket.
    Websocket,
    /// Server-sent events.
    Sse,
    /// Lines of JSON that go on.
    Ndjson,
    /// A JSON document that is asked for again and again.
    Poll,
}

/// An endpoint that speaks OpenAI's `POST /v1/audio/transcriptions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcriber {
    /// Its address.
    pub url: String,
    /// The model it is asked for.
    pub model: String,
    /// The language of the room (ISO 639-1).
    #[serde(default)]
    pub language: String,
    /// Its key.
    #[serde(default)]
    pub key: Option<Secret>,
}
