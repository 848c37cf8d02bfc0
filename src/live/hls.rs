//! HLS playlists (RFC 8216): what a room offers, and the segments of one rendition.
//!
//! Read line by line, leniently: an unknown tag is passed over, a broken one costs its own meaning and nothing else. Of the
//! crates, m3u8-rs keeps durations as `f32`, reads without a bound, and refuses the playlist for one broken tag; what a room
//! needs is these two pages.

use std::sync::Arc;

use jiff::Timestamp;

/// Most segments of a playlist that are read; a longer one is read from its end.
pub const MAX_SEGMENTS: usize = 20_000;
/// Most renditions and variants of a master playlist that are read.
pub const MAX_RENDITIONS: usize = 1000;
/// Longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Longest duration that is believed, of a segment and of the target, in milliseconds.
const MAX_DURATION_MS: u64 = 3_600_000;

/// A playlist.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// Names the playlists of each rendition.
    Master(Master),
    /// Names the segments of one.
    Media(Media),
}

/// A master playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Master {
    /// Subtitles, audio and other renditions.
    pub renditions: Vec<Rendition>,
    /// Streams by quality.
    pub variants: Vec<Variant>,
}

/// One rendition of a master playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendition {
    /// `SUBTITLES`, `AUDIO`, `CLOSED-CAPTIONS`, `VIDEO`.
    pub kind: String,
    /// Its group.
    pub group: String,
    /// Its language (BCP 47), where told.
    pub language: Option<String>,
    /// Its name for people.
    pub name: String,
    /// Where its playlist stands, as written; none where it is part of the variants.
    pub uri: Option<String>,
    /// Whether it is played unless another is chosen.
    pub default: bool,
}

/// One variant of a master playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variant {
    /// Bits a second at most.
    pub bandwidth: u64,
    /// Where its playlist stands, as written.
    pub uri: String,
}

/// A media playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Media {
    /// Longest segment, in milliseconds.
    pub target_ms: u64,
    /// Number of the first segment read.
    pub sequence: u64,
    /// Whether no segment will follow.
    pub ended: bool,
    /// The segments, oldest first.
    pub segments: Vec<Segment>,
    /// Whether segments before these were left out over the limit.
    pub truncated: bool,
}

/// One segment of a media playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub sequence: u64,
    /// Where it stands, as written.
    pub uri: String,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// Number of the stretch without a break that it belongs to.
    pub discontinuity: u64,
    /// When it began by the encoder's clock, where its own tag tells.
    pub program_date_time: Option<Timestamp>,
    /// First byte and length where it is a part of what stands there.
    pub byte_range: Option<(u64, u64)>,
    /// What it is encrypted with; none where it stands as it is.
    pub key: Option<Arc<Key>>,
    /// Whether it is missing by the playlist's own word.
    pub gap: bool,
}

/// What segments are encrypted with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// `AES-128`, `SAMPLE-AES` or another, as written.
    pub method: String,
    /// Where the key stands, as written.
    pub uri: String,
    /// The initialization vector, where one is written; else the segment's number is.
    pub iv: Option<[u8; 16]>,
    /// How the key is wrapped; `identity` is not at all.
    pub format: String,
}

impl Key {
    /// Whether it is a key of sixteen bytes for whole segments: nothing else is read.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.method == "AES-128" && self.format == "identity" && !self.uri.is_empty()
    }

    fn of(value: &str) -> Option<Self> {
        let text = |name| attribute(value, name).unwrap_or_default().to_owned();
        let method = text("METHOD");
        if method.is_empty() || method == "NONE" {
            return None;
        }
        let format = attribute(value, "KEYFORMAT").unwrap_or("identity").to_owned();
        Some(Self { method, uri: text("URI"), iv: attribute(value, "IV").and_then(vector), format })
    }
}

/// `0x` and up to 32 hexadecimal digits.
fn vector(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

impl Playlist {
    /// Reads a playlist; none when the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && line.len() <= MAX_LINE_BYTES);
        if !lines.next()?.starts_with("#EXTM3U") {
            return None;
        }
        let mut reading = Reading::default();
        lines.for_each(|line| reading.line(line));
        reading.into_playlist()
    }
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    master: Master,
    media: Media,
    is_master: bool,
    is_media: bool,
    /// What the tags before an address said of it.
    next: Segment,
    next_variant: Option<u64>,
    sequence: u64,
    discontinuity: u64,
    /// What follows is encrypted with, and whether a segment came since that was said.
    key: Option<Arc<Key>>,
    key_used: bool,
    /// Where the last byte range ended.
    range_end: u64,
}

impl Reading {
    fn line(&mut self, line: &str) {
        if !line.starts_with('#') {
            return self.address(line);
        }
        let Some(tag) = line.strip_prefix("#EXT") else { return };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name {
            "INF" => {
                self.is_media = true;
                self.next.duration_ms = seconds_ms(value.split(',').next().unwrap_or("")).unwrap_or(0);
            }
            "-X-TARGETDURATION" => {
                self.is_media = true;
                self.media.target_ms = seconds_ms(value).unwrap_or(0);
            }
            "-X-MEDIA-SEQUENCE" => self.sequence = value.trim().parse().unwrap_or(0),
            "-X-DISCONTINUITY-SEQUENCE" => self.discontinuity = value.trim().parse().unwrap_or(0),
            "-X-DISCONTINUITY" => self.discontinuity = self.discontinuity.saturating_add(1),
            "-X-PROGRAM-DATE-TIME" => self.next.program_date_time = date_time(value.trim()),
            "-X-BYTERANGE" => self.next.byte_range = self.byte_range(value.trim()),
            "-X-KEY" => self.key(Key::of(value)),
            "-X-GAP" => self.next.gap = true,
            "-X-ENDLIST" => self.media.ended = true,
            "-X-MEDIA" => self.rendition(value),
            "-X-STREAM-INF" => {
                self.is_master = true;
                let bandwidth = attribute(value, "BANDWIDTH").and_then(|text| text.parse().ok());
                self.next_variant = Some(bandwidth.unwrap_or(0));
            }
            _ => {}
        }
    }

    fn address(&mut self, uri: &str) {
        if let Some(bandwidth) = self.next_variant.take() {
            if self.master.variants.len() < MAX_RENDITIONS {
                self.master.variants.push(Variant { bandwidth, uri: uri.to_owned() });
            }
            return;
        }
        let segment = Segment {
            sequence: self.sequence,
            uri: uri.to_owned(),
            discontinuity: self.discontinuity,
            key: self.key.clone(),
            ..std::mem::take(&mut self.next)
        };
        self.key_used = true;
        self.sequence = self.sequence.saturating_add(1);
        self.media.segments.push(segment);
        // Dropped in blocks: dropping one from the front for each that comes would move all of them each time.
        if self.media.segments.len() >= 2 * MAX_SEGMENTS {
            self.keep_newest();
        }
    }

    /// Of several keys that are offered for the same segments, one that can be used stays.
    fn key(&mut self, key: Option<Key>) {
        let usable = |key: Option<&Key>| key.is_none_or(Key::is_plain);
        let offered_beside = !self.key_used && self.key.as_deref().is_some_and(Key::is_plain);
        if offered_beside && !usable(key.as_ref()) {
            return;
        }
        self.key = key.map(Arc::new);
        self.key_used = false;
    }

    fn keep_newest(&mut self) {
        let over = self.media.segments.len().saturating_sub(MAX_SEGMENTS);
        self.media.truncated |= over > 0;
        self.media.segments.drain(..over);
    }

    fn rendition(&mut self, value: &str) {
        self.is_master = true;
        if self.master.renditions.len() >= MAX_RENDITIONS {
            return;
        }
        let text = |name| attribute(value, name).map(str::to_owned);
        self.master.renditions.push(Rendition {
            kind: text("TYPE").unwrap_or_default(),
            group: text("GROUP-ID").unwrap_or_default(),
            language: text("LANGUAGE"),
            name: text("NAME").unwrap_or_default(),
            uri: text("URI"),
            default: attribute(value, "DEFAULT") == Some("YES"),
        });
    }

    /// `length[@first]`; without a first byte it goes on where the last range ended.
    fn byte_range(&mut self, value: &str) -> Option<(u64, u64)> {
        let (length, first) = value.split_once('@').map_or((value, None), |(length, first)| (length, Some(first)));
        let length: u64 = length.trim().parse().ok()?;
        let first: u64 = match first {
            Some(first) => first.trim().parse().ok()?,
            None => self.range_end,
        };
        self.range_end = first.checked_add(length)?;
        Some((first, length))
    }

    fn into_playlist(mut self) -> Option<Playlist> {
        if self.is_master && !self.is_media {
            return Some(Playlist::Master(self.master));
        }
        self.keep_newest();
        self.media.sequence = self.media.segments.first().map_or(self.sequence, |first| first.sequence);
        self.is_media.then_some(Playlist::Media(self.media))
    }
}

/// The value of an attribute in a list such as `TYPE=AUDIO,NAME="a, b"`, without its quotes.
fn attribute<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = list;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.strip_prefix(',').unwrap_or(next))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if name.trim() == wanted {
            return Some(value.trim());
        }
        rest = next;
    }
    None
}

/// Seconds with a fraction as milliseconds.
fn seconds_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().parse().ok()?;
    let ms = (seconds * 1000.0).round();
    (0.0..=MAX_DURATION_MS as f64).contains(&ms).then_some(ms as u64)
}

/// ISO 8601 as packagers write it: also without a colon in the offset, and without an offset, which means UTC.
fn date_time(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(at) = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text) {
        return at.to_timestamp().ok();
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(text: &str) -> Media {
        let Some(Playlist::Media(media)) = Playlist::parse(text) else { panic!("no media playlist: {text}") };
        media
    }

    #[test]
    fn a_master_playlist_names_its_subtitles() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"中文, 主播\",LANGUAGE=\"zh\",DEFAULT=YES,URI=\"s/zh.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1280000,SUBTITLES=\"s\"\r\nv/low.m3u8\n";
        let Some(Playlist::Master(master)) = Playlist::parse(text) else { panic!() };
        let subtitles = &master.renditions[0];
        assert_eq!((subtitles.kind.as_str(), subtitles.name.as_str()), ("SUBTITLES", "中文, 主播"));
        assert_eq!((subtitles.uri.as_deref(), subtitles.default), (Some("s/zh.m3u8"), true));
        assert_eq!(master.variants, [Variant { bandwidth: 1_280_000, uri: "v/low.m3u8".into() }]);
    }

    #[test]
    fn segments_keep_number_time_and_stretch() {
        let media = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:40\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-11-23T08:00:00.250Z\n#EXTINF:6.006,\na.vtt\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-11-23T16:00:10+0800\n#EXTINF:5,\nb.vtt\n",
        );
        let told: Vec<_> = media
            .segments
            .iter()
            .map(|one| (one.sequence, one.discontinuity, one.duration_ms, one.program_date_time.unwrap().to_string()))
            .collect();
        assert_eq!(
            told,
            [(40, 2, 6006, "2026-11-23T08:00:00.25Z".into()), (41, 3, 5000, "2026-11-23T08:00:10Z".into())]
        );
        assert!(!media.ended && media.target_ms == 6000);
    }

    #[test]
    fn byte_ranges_follow_each_other_and_keys_close_what_comes_after() {
        let media = media(
            "#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:100@50\na\n#EXTINF:4,\n#EXT-X-BYTERANGE:20\na\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:4,\nb\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-GAP\n#EXTINF:4,\nc\n#EXT-X-ENDLIST",
        );
        let told: Vec<_> = media.segments.iter().map(|one| (one.byte_range, one.key.is_some(), one.gap)).collect();
        assert_eq!(
            told,
            [
                (Some((50, 100)), false, false),
                (Some((150, 20)), false, false),
                (None, true, false),
                (None, false, true)
            ]
        );
        assert!(media.ended);
    }

    #[test]
    fn a_key_is_read_with_its_vector_and_one_that_can_be_used_is_preferred() {
        let media = media(
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k,1\",IV=0x0102\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXTINF:4,\na\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:4,\nb\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"other\",IV=nonsense\n#EXTINF:4,\nc\n",
        );
        let keys: Vec<&Key> = media.segments.iter().map(|one| one.key.as_deref().unwrap()).collect();
        let mut iv = [0; 16];
        (iv[14], iv[15]) = (1, 2);
        assert_eq!((keys[0].uri.as_str(), keys[0].iv, keys[0].is_plain()), ("k,1", Some(iv), true));
        assert_eq!((keys[1].method.as_str(), keys[1].is_plain()), ("SAMPLE-AES", false));
        assert_eq!((keys[2].iv, keys[2].is_plain()), (None, false));
    }

    #[test]
    fn a_broken_tag_costs_its_own_meaning_only() {
        let media = media("#EXTM3U\n#EXT-X-TARGETDURATION:soon\n#EXT-X-PROGRAM-DATE-TIME:never\n#EXTINF:-1,\na.vtt\n");
        assert_eq!((media.target_ms, media.segments[0].duration_ms), (0, 0));
        assert_eq!(media.segments[0].program_date_time, None);
        assert_eq!(Playlist::parse("<html>not found</html>"), None);
        assert_eq!(Playlist::parse("#EXTM3U\nonly-an-address\n"), None);
    }

    #[test]
    fn an_endless_playlist_is_read_from_its_end() {
        let mut text = String::from("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n");
        for number in 0..(2 * MAX_SEGMENTS + 7) {
            text.push_str(&format!("#EXTINF:2,\n{number}.vtt\n"));
        }
        let media = media(&text);
        assert!(media.truncated && media.segments.len() == MAX_SEGMENTS);
        let (first, last) = (&media.segments[0], media.segments.last().unwrap());
        assert_eq!((first.sequence - 5).to_string() + ".vtt", first.uri);
        assert_eq!(last.uri, format!("{}.vtt", 2 * MAX_SEGMENTS + 6));
        assert_eq!(media.sequence, first.sequence);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_numbers_rise_by_one(
            lines in proptest::collection::vec("(#EXTINF:[0-9.]{0,6},|#EXT-X-[A-Z-]{1,22}:[0-9A-Za-z@=\",:+.-]{0,20}|[a-z]{1,8}|\\PC{0,20})", 0..40),
        ) {
            if let Some(Playlist::Media(media)) = Playlist::parse(&format!("#EXTM3U\n{}", lines.join("\n"))) {
                for pair in media.segments.windows(2) {
                    proptest::prop_assert_eq!(pair[0].sequence.saturating_add(1), pair[1].sequence);
                }
            }
        }
    }
}
