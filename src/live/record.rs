//! What a stream sent, as it came: lines of JSON with the time of arrival, written down together as one record.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{Room, Services};
use crate::{
    evidence::{EvidenceError, WarcWriter},
    model::{Capture, Clock, Timestamp},
};

/// Bytes after which messages are written down without waiting for more.
const FULL: usize = 1024 * 1024;

/// Messages that wait to be written down.
pub(super) struct Transcript {
    warc: Option<Arc<WarcWriter>>,
    clock: Arc<dyn Clock>,
    uri: String,
    lines: Vec<u8>,
    since: Option<(Instant, Timestamp)>,
}

impl Transcript {
    pub(super) fn new(room: &Room, services: &Services) -> Self {
        // The address of the first stream stands for all: each message is one of them.
        let streams = room.sources.iter().find(|source| source.kind != super::SourceKind::Hls);
        let uri = streams.map_or_else(|| format!("urn:markwarden:{}", room.listing_id()), |source| source.url.clone());
        let (warc, clock) = (services.warc.clone(), Arc::clone(&services.clock));
        Self { warc, clock, uri, lines: Vec::new(), since: None }
    }

    /// Adds a message: its text, or its bytes in base64 where it is none.
    pub(super) fn add(&mut self, message: &[u8], arrived_ms: i64) {
        if self.warc.is_none() {
            return;
        }
        let line = match std::str::from_utf8(message) {
            Ok(text) => json!({"arrived_ms": arrived_ms, "text": text}),
            Err(_) => json!({"arrived_ms": arrived_ms, "base64": BASE64_STANDARD.encode(message)}),
        };
        self.lines.extend_from_slice(line.to_string().as_bytes());
        self.lines.push(b'\n');
        let clock = &self.clock;
        self.since.get_or_insert_with(|| (Instant::now(), clock.now()));
    }

    /// Whether the oldest message has waited for `longest`, or there are many.
    pub(super) fn is_due(&self, longest: Duration) -> bool {
        self.lines.len() >= FULL || self.since.is_some_and(|(since, _)| since.elapsed() >= longest)
    }

    /// Writes down what waits; none when nothing does.
    pub(super) async fn write(&mut self) -> Result<Option<Capture>, EvidenceError> {
        let (Some(warc), Some((_, at))) = (&self.warc, self.since) else { return Ok(None) };
        let written = warc.write_resource(&self.uri, "application/x-ndjson", &self.lines, at).await?;
        self.lines.clear();
        self.since = None;
        Ok(Some(written.capture))
    }
}
