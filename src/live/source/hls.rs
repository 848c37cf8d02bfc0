//! HLS: the playlist is asked for again and again, and each new segment of subtitles (or sound) is read once.

use std::{collections::VecDeque, time::Duration};

use http::{HeaderValue, header};
use url::Url;

use super::{Again, address, extra, rest};
use crate::{
    crawl::{Exchange, Extra, FetchError, Pace},
    live::{
        CueClock, LiveError, SegmentClock, cipher,
        contract::{Told, When},
        event::What,
        hls::{Key, Media, Playlist, Segment},
        room::{Heard, Hearing},
        transcribe::transcribe,
        webvtt::Captions,
    },
    model::{Capture, Timestamp},
};

/// Segments before the newest one at which listening to a live room begins.
const BEHIND: usize = 3;
/// Shortest and longest time between two looks at a playlist.
const LOOK: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// Looks without a new segment after which the room counts as over.
const MAX_SILENT_LOOKS: u32 = 40;
/// Cues that are remembered, to tell one that goes on from one that is new.
const REMEMBERED: usize = 64;
/// Keys of segments that are remembered; and the longest answer for one, which has 16 bytes.
const MAX_KEYS: usize = 8;
const MAX_KEY_BYTES: u64 = 1024;
/// How far two tellings of one cue may be apart, in milliseconds.
const SAME_CUE_MS: i64 = 500;

/// Hears an HLS source to its end.
pub(in crate::live) async fn hls(hearing: &Hearing<'_>) -> Result<(), LiveError> {
    let extra = extra(hearing)?;
    let first = address(hearing, "hls")?;
    let mut again = Again::new();
    let playlist = loop {
        match choose(hearing, &extra, &first).await {
            Ok(playlist) => break playlist,
            Err(error) => again.wait(hearing, error).await?,
        }
    };
    let mut track = Track {
        hearing,
        extra,
        playlist,
        clock: SegmentClock::default(),
        cues: Cues::default(),
        keys: Keys::default(),
        next: None,
    };
    let mut silent = 0;
    loop {
        let look = match track.look().await {
            Ok(look) => look,
            Err(error) => {
                again.wait(hearing, error).await?;
                continue;
            }
        };
        again.heard();
        if look.ended {
            return Ok(());
        }
        silent = if look.new { 0 } else { silent + 1 };
        if silent > MAX_SILENT_LOOKS {
            return Ok(());
        }
        // RFC 8216 §6.3.4: a target duration after a change, half of it otherwise.
        let target = Duration::from_millis(look.target_ms);
        let wait = if look.new { target } else { target / 2 };
        rest(hearing, wait.clamp(LOOK[0], LOOK[1])).await?;
    }
}

/// The media playlist to read: the address itself, or a rendition of the master playlist there.
async fn choose(hearing: &Hearing<'_>, extra: &Extra, first: &Url) -> Result<Url, LiveError> {
    let (answer, _) = fetch(hearing, first, extra).await?;
    let at = answer.url.clone();
    let Playlist::Master(master) = playlist(&answer)? else { return Ok(at) };
    let wanted = if hearing.source.transcribe.is_some() { "AUDIO" } else { "SUBTITLES" };
    let offered: Vec<_> = master.renditions.iter().filter(|one| one.kind == wanted && one.uri.is_some()).collect();
    let language = hearing.source.language.as_str();
    let speaks = |one: &&&crate::live::Rendition| {
        !language.is_empty() && one.language.as_deref().is_some_and(|tag| tag.starts_with(language))
    };
    let chosen = offered.iter().find(speaks).or_else(|| offered.iter().find(|one| one.default)).or(offered.first());
    let uri = match chosen.and_then(|one| one.uri.as_deref()) {
        Some(uri) => uri,
        // Sound alone is part of the cheapest variant where it is no rendition of its own.
        None if hearing.source.transcribe.is_some() => {
            let cheapest = master.variants.iter().min_by_key(|variant| variant.bandwidth);
            cheapest.map_or("", |variant| variant.uri.as_str())
        }
        None => "",
    };
    if uri.is_empty() {
        let what = "the room has no subtitles; name a transcriber to have its sound written down".to_owned();
        return Err(LiveError::Content { url: at.to_string(), what });
    }
    at.join(uri).map_err(|error| LiveError::Content { url: at.to_string(), what: error.to_string() })
}

/// One rendition that is followed.
struct Track<'a> {
    hearing: &'a Hearing<'a>,
    extra: Extra,
    playlist: Url,
    clock: SegmentClock,
    cues: Cues,
    keys: Keys,
    /// Number of the next segment.
    next: Option<u64>,
}

/// What a look at the playlist showed.
struct Look {
    new: bool,
    ended: bool,
    target_ms: u64,
}

impl Track<'_> {
    async fn look(&mut self) -> Result<Look, LiveError> {
        let (answer, capture) = fetch(self.hearing, &self.playlist, &self.extra).await?;
        let Playlist::Media(media) = playlist(&answer)? else {
            let what = "a master playlist stands where a media playlist was".to_owned();
            return Err(LiveError::Content { url: answer.url.to_string(), what });
        };
        let edge_ms = answer.finished.as_millisecond();
        let fresh = self.fresh(&media);
        if let Some(capture) = capture.filter(|_| !fresh.is_empty()) {
            let arrived_ms = self.hearing.now_ms();
            self.hearing.tell(Heard { arrived_ms, capture: Some(capture), ..Heard::default() }).await?;
        }
        // Segments before those that are read tell when these begin.
        let behind: u64 = media.segments.iter().map(|segment| segment.duration_ms).sum();
        let mut edge = edge_ms - i64::try_from(behind).unwrap_or(0);
        let (mut refused, mut readable) = (None, false);
        for segment in &media.segments {
            edge += i64::try_from(segment.duration_ms).unwrap_or(0);
            if !fresh.contains(&segment.sequence) {
                continue;
            }
            let times = self.clock.place(segment, edge);
            let closed = segment.key.as_deref().filter(|key| !key.is_plain());
            match closed {
                Some(key) => refused = Some(key.method.clone()),
                None if segment.gap => {}
                None => {
                    readable = true;
                    self.read(&answer.url, segment, times).await?;
                }
            }
            self.next = Some(segment.sequence.saturating_add(1));
        }
        if let Some(method) = refused {
            let url = self.playlist.to_string();
            if !readable {
                return Err(LiveError::Encrypted { url, method });
            }
            tracing::info!(url, method, "segments that are encrypted otherwise than with AES-128 are passed over");
        }
        Ok(Look { new: !fresh.is_empty(), ended: media.ended, target_ms: media.target_ms })
    }

    /// Numbers of segments that were not read yet.
    fn fresh(&mut self, media: &Media) -> Vec<u64> {
        let newest = media.segments.last().map_or(0, |last| last.sequence);
        // A number far below the one that is due: the encoder began anew.
        if self.next.is_some_and(|next| newest.saturating_add(1) < next) {
            self.next = None;
        }
        let from = self.next.unwrap_or_else(|| {
            let all = media.ended || self.hearing.source.from_start;
            let skipped = if all { 0 } else { media.segments.len().saturating_sub(BEHIND) };
            media.segments.get(skipped).map_or(0, |segment| segment.sequence)
        });
        media.segments.iter().map(|segment| segment.sequence).filter(|number| *number >= from).collect()
    }

    async fn read(&mut self, base: &Url, segment: &Segment, times: (i64, i64)) -> Result<(), LiveError> {
        let url = base
            .join(&segment.uri)
            .map_err(|error| LiveError::Content { url: base.to_string(), what: error.to_string() })?;
        let mut extra = self.extra.clone();
        if let Some((first, length)) = segment.byte_range {
            let range = format!("bytes={first}-{}", first.saturating_add(length).saturating_sub(1));
            if let Ok(range) = HeaderValue::from_str(&range) {
                extra.headers.insert(header::RANGE, range);
            }
        }
        // A segment that is gone costs itself only.
        let fetched = async {
            let key = match &segment.key {
                Some(key) => Some(self.keys.get(self.hearing, &self.extra, base, key).await?),
                None => None,
            };
            fetch(self.hearing, &url, &extra).await.map(|(answer, capture)| (answer, capture, key))
        };
        let (answer, capture, key) = match fetched.await {
            Ok(fetched) => fetched,
            Err(LiveError::Fetch(error @ FetchError::Status { .. })) => {
                tracing::debug!(%error, "a segment of a room is not read");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (body, capture) = match key.zip(segment.key.as_deref()) {
            None => (answer.body, capture),
            Some((key, about)) => {
                let iv = about.iv.unwrap_or_else(|| cipher::vector_of(segment.sequence));
                let Some(plain) = cipher::decrypted(&key, &iv, &answer.body) else {
                    tracing::warn!(%url, "a segment of a room does not open with its key");
                    return Ok(());
                };
                let made = self.made(capture, &plain, answer.finished).await?;
                (plain.into(), made)
            }
        };
        let told = if let Some(transcriber) = &self.hearing.source.transcribe {
            let spoken = transcribe(transcriber, &segment.uri, &body).await;
            match spoken {
                Ok(captions) => self.cues.told(&captions, times.0),
                Err(error) => {
                    tracing::warn!(%url, %error, "a segment of a room is not written down");
                    Vec::new()
                }
            }
        } else {
            let text = String::from_utf8_lossy(&body);
            let captions = Captions::parse_webvtt(&text).or_else(|| Captions::parse_srt(&text)).unwrap_or_default();
            let offset = self.cues.clock.offset(segment, times, &captions);
            self.cues.told(&captions, offset)
        };
        let arrived_ms = self.hearing.now_ms();
        let begins_ms = Some(times.0);
        self.hearing.tell(Heard { told, arrived_ms, capture, begins_ms, ..Heard::default() }).await
    }
}

impl Track<'_> {
    /// Writes down what an encrypted segment holds, as made of the answer that `of` cites; that one is kept too.
    async fn made(&self, of: Option<Capture>, plain: &[u8], at: Timestamp) -> Result<Option<Capture>, LiveError> {
        let Some((warc, of)) = self.hearing.gate.services.warc.as_ref().zip(of) else { return Ok(None) };
        let kind = if self.hearing.source.transcribe.is_some() { "application/octet-stream" } else { "text/vtt" };
        let made = warc.write_conversion(&of, kind, plain, at).await?.capture;
        let arrived_ms = self.hearing.now_ms();
        self.hearing.tell(Heard { arrived_ms, capture: Some(of), ..Heard::default() }).await?;
        Ok(Some(made))
    }
}

/// Keys that were fetched lately, by their address.
#[derive(Debug, Default)]
struct Keys {
    lately: VecDeque<(Url, cipher::KeyBytes)>,
}

impl Keys {
    /// The key that `key` names, fetched like everything else.
    async fn get(
        &mut self,
        hearing: &Hearing<'_>,
        extra: &Extra,
        base: &Url,
        key: &Key,
    ) -> Result<cipher::KeyBytes, LiveError> {
        let wrong = |what: String| LiveError::Content { url: base.to_string(), what };
        let url = base.join(&key.uri).map_err(|error| wrong(error.to_string()))?;
        if let Some((_, known)) = self.lately.iter().find(|(at, _)| *at == url) {
            return Ok(*known);
        }
        let fetched = fetch_at_most(hearing, &url, extra, MAX_KEY_BYTES).await;
        let (answer, capture) = fetched.map_err(|error| match error {
            LiveError::Fetch(FetchError::TooLarge { .. }) => {
                let method = format!("a key of more than {MAX_KEY_BYTES} bytes");
                LiveError::Encrypted { url: url.to_string(), method }
            }
            error => error,
        })?;
        let Ok(bytes) = cipher::KeyBytes::try_from(&*answer.body) else {
            let method = format!("a key of {} bytes", answer.body.len());
            return Err(LiveError::Encrypted { url: url.to_string(), method });
        };
        if let Some(capture) = capture {
            let arrived_ms = hearing.now_ms();
            hearing.tell(Heard { arrived_ms, capture: Some(capture), ..Heard::default() }).await?;
        }
        if self.lately.len() >= MAX_KEYS {
            self.lately.pop_front();
        }
        self.lately.push_back((url, bytes));
        Ok(bytes)
    }
}

/// Cues that were told lately: one that spans segments stands in each of them.
#[derive(Debug, Default)]
struct Cues {
    clock: CueClock,
    lately: VecDeque<(i64, String)>,
}

impl Cues {
    /// What is new in `captions`, whose times count from `offset_ms`.
    fn told(&mut self, captions: &Captions, offset_ms: i64) -> Vec<Told> {
        let mut told = Vec::new();
        for cue in &captions.cues {
            let at = offset_ms.saturating_add(i64::try_from(cue.start_ms).unwrap_or(0));
            let known = |(other, text): &(i64, String)| (other - at).abs() <= SAME_CUE_MS && *text == cue.text;
            if self.lately.iter().any(known) {
                continue;
            }
            if self.lately.len() >= REMEMBERED {
                self.lately.pop_front();
            }
            self.lately.push_back((at, cue.text.clone()));
            let what = What::Caption { speaker: cue.speaker.clone(), text: cue.text.clone() };
            told.push(Told { when: When::Media(at), what });
        }
        told
    }
}

/// Fetches and writes down; anything but success is an error.
async fn fetch(hearing: &Hearing<'_>, url: &Url, extra: &Extra) -> Result<(Exchange, Option<Capture>), LiveError> {
    fetch_at_most(hearing, url, extra, hearing.gate.limits().max_body_bytes).await
}

/// The same, of at most `most` bytes.
async fn fetch_at_most(
    hearing: &Hearing<'_>,
    url: &Url,
    extra: &Extra,
    most: u64,
) -> Result<(Exchange, Option<Capture>), LiveError> {
    let gate = hearing.gate;
    let limits = Pace { max_body_bytes: most, ..gate.limits() };
    // A playlist may name any host; what is secret is for the configured one.
    let own = Url::parse(&hearing.source.url).is_ok_and(|own| own.origin() == url.origin());
    let others = || Extra { headers: extra.headers.clone(), via: extra.via.clone(), ..Extra::default() };
    let extra = if own { extra.clone() } else { others() };
    let answer = gate.services.fetcher.fetch_with(url, &extra, &limits, gate.guard(), gate).await?;
    let capture = match &gate.services.warc {
        Some(warc) => Some(crate::crawl::write_down(warc, &answer.last).await?.capture),
        None => None,
    };
    if !answer.last.status.is_success() {
        let status = answer.last.status.as_u16();
        return Err(FetchError::Status { url: url.to_string(), status }.into());
    }
    Ok((answer.last, capture))
}

fn playlist(answer: &Exchange) -> Result<Playlist, LiveError> {
    let text = String::from_utf8_lossy(&answer.body);
    Playlist::parse(&text)
        .ok_or_else(|| LiveError::Content { url: answer.url.to_string(), what: "this is no HLS playlist".into() })
}
