//! Captions as text: WebVTT (W3C), whole or in HLS segments with `X-TIMESTAMP-MAP`, and SRT.
//!
//! Read leniently: a cue that cannot be read is passed over. Of the markup only the voice is kept.

use super::event::MAX_TEXT_CHARS;

/// Most cues of one file that are read.
pub const MAX_CUES: usize = 50_000;
/// Longest time of a cue that is believed: a thousand hours.
const MAX_TIME_MS: u64 = 3_600_000_000;

/// A file of captions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captions {
    /// How the cues' times stand to the media's, in an HLS segment.
    pub map: Option<TimestampMap>,
    /// The cues in file order.
    pub cues: Vec<Cue>,
    /// Whether cues were left out over the limit.
    pub truncated: bool,
}

/// `X-TIMESTAMP-MAP`: the same moment by the media's clock and by the cues'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampMap {
    /// By the media's clock, in ticks of 1/90,000 s.
    pub mpegts: u64,
    /// By the cues' clock, in milliseconds.
    pub local_ms: u64,
}

/// One caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it begins by the cues' clock, in milliseconds.
    pub start_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// Who speaks, where a voice is marked.
    pub speaker: Option<String>,
    /// The words, without markup, in one line.
    pub text: String,
}

impl Captions {
    /// Reads WebVTT; none when the text is not.
    #[must_use]
    pub fn parse_webvtt(text: &str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let rest = text.strip_prefix("WEBVTT")?;
        if !rest.is_empty() && !rest.starts_with([' ', '\t', '\n', '\r']) {
            return None;
        }
        let mut captions = Self::blocks(rest, '.');
        let head = rest.lines().take_while(|line| !line.contains("-->"));
        captions.map = head.filter_map(|line| line.trim().strip_prefix("X-TIMESTAMP-MAP=")).find_map(timestamp_map);
        Some(captions)
    }

    /// Reads SRT; none when the text has no cue.
    #[must_use]
    pub fn parse_srt(text: &str) -> Option<Self> {
        let captions = Self::blocks(text.strip_prefix('\u{feff}').unwrap_or(text), ',');
        (!captions.cues.is_empty()).then_some(captions)
    }

    /// Cues: a line with `-->`, and the lines below it up to an empty one.
    fn blocks(text: &str, fraction: char) -> Self {
        let mut captions = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((start_ms, end_ms)) = timing(line, fraction) else { continue };
            let mut words = String::new();
            for line in lines.by_ref() {
                if line.trim().is_empty() {
                    break;
                }
                if words.len() <= 4 * MAX_TEXT_CHARS {
                    words.push_str(if words.is_empty() { "" } else { "\n" });
                    words.push_str(line);
                }
            }
            if captions.cues.len() >= MAX_CUES {
                captions.truncated = true;
                break;
            }
            let (speaker, text) = plain(&words);
            if !text.is_empty() {
                captions.cues.push(Cue { start_ms, end_ms, speaker, text });
            }
        }
        captions
    }
}

/// `MPEGTS:900000,LOCAL:00:00:00.000`, in either order.
fn timestamp_map(value: &str) -> Option<TimestampMap> {
    let (mut mpegts, mut local_ms) = (None, None);
    for part in value.split(',') {
        match part.trim().split_once(':')? {
            ("MPEGTS", ticks) => mpegts = ticks.trim().parse().ok(),
            ("LOCAL", at) => local_ms = time(at.trim(), '.'),
            _ => {}
        }
    }
    Some(TimestampMap { mpegts: mpegts?, local_ms: local_ms? })
}

/// `00:01.000 --> 00:02.500 align:start`.
fn timing(line: &str, fraction: char) -> Option<(u64, u64)> {
    let (start, rest) = line.split_once("-->")?;
    let start = time(start.trim(), fraction)?;
    let end = time(rest.split_whitespace().next()?, fraction)?;
    (start <= end).then_some((start, end))
}

/// `[hours:]minutes:seconds.thousandths`; either sign before the thousandths is read, for both are met in both formats.
fn time(text: &str, fraction: char) -> Option<u64> {
    let other = if fraction == '.' { ',' } else { '.' };
    let (clock, thousandths) = text.split_once(fraction).or_else(|| text.split_once(other))?;
    let mut parts = clock.rsplit(':');
    let digits = |part: &str| (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    let mut number = |least: Option<&str>| -> Option<u64> {
        let part = parts.next().or(least)?;
        digits(part)?;
        part.parse().ok()
    };
    let (seconds, minutes, hours) = (number(None)?, number(None)?, number(Some("0"))?);
    if parts.next().is_some() || seconds > 59 || minutes > 59 || thousandths.len() != 3 {
        return None;
    }
    digits(thousandths)?;
    let ms: u64 = thousandths.parse().ok()?;
    let all = hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?.checked_mul(1000)?.checked_add(ms)?;
    (all <= MAX_TIME_MS).then_some(all)
}

/// A cue's words without markup, and who speaks.
fn plain(words: &str) -> (Option<String>, String) {
    let mut speaker = None;
    let mut text = String::with_capacity(words.len());
    // Pronunciations over characters (`<rt>`) are not said twice.
    let mut reading_aloud = false;
    let mut rest = words;
    while let Some(at) = rest.find(['<', '&', '\n', '{']) {
        let (before, from) = rest.split_at(at);
        if !reading_aloud {
            text.push_str(before);
        }
        let (skipped, kept) = match from.as_bytes().first() {
            Some(b'<') => {
                let Some(end) = from.find('>') else {
                    // A sign that opens nothing is a sign.
                    if !reading_aloud {
                        text.push_str(from);
                    }
                    rest = "";
                    continue;
                };
                let tag = from.get(1..end).unwrap_or("");
                match tag.split(['.', ' ', '\t']).next() {
                    Some("rt") => reading_aloud = true,
                    Some("/rt" | "/ruby") => reading_aloud = false,
                    Some("v") => {
                        let name = tag.split_once([' ', '\t']).map_or("", |(_, name)| name.trim());
                        speaker = speaker.or((!name.is_empty()).then(|| name.to_owned()));
                    }
                    _ => {}
                }
                (end + 1, "")
            }
            // Subtitle editors' orders, such as {\an8}.
            Some(b'{') if from.starts_with("{\\") => (from.find('}').map_or(from.len(), |end| end + 1), ""),
            Some(b'&') => entity(from),
            Some(b'\n') => (1, between(&text, from)),
            _ => (1, from.get(..1).unwrap_or("")),
        };
        if !reading_aloud {
            text.push_str(kept);
        }
        rest = from.get(skipped..).unwrap_or("");
    }
    if !reading_aloud {
        text.push_str(rest);
    }
    (speaker, text.trim().to_owned())
}

/// What stands for a line's end: Chinese lines of one caption follow each other without a space, Latin words do not.
fn between(before: &str, from: &str) -> &'static str {
    let after = from.trim_start_matches('\n');
    let latin = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_punctuation();
    if before.ends_with(latin) && after.starts_with(latin) { " " } else { "" }
}

/// How many bytes an entity takes, and what it stands for.
fn entity(text: &str) -> (usize, &'static str) {
    const KNOWN: [(&str, &str); 7] = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", "\u{a0}"),
        ("&lrm;", "\u{200e}"),
        ("&rlm;", "\u{200f}"),
        ("&quot;", "\""),
    ];
    let known = KNOWN.iter().find(|(name, _)| text.starts_with(name));
    known.map_or((1, "&"), |(name, stands_for)| (name.len(), stands_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start_ms: u64, end_ms: u64, speaker: Option<&str>, text: &str) -> Cue {
        Cue { start_ms, end_ms, speaker: speaker.map(str::to_owned), text: text.to_owned() }
    }

    #[test]
    fn a_segment_keeps_its_map_its_voices_and_its_words() {
        let text = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\nNOTE made up\n\n7\n\
            00:01.500 --> 00:03.000 align:start\n<v 主播 小云>这款<c.big>云雀</c>跑鞋</v>\n今天 &lt;底价&gt;\n\n\
            100:00:00.000 --> 100:00:01.000\nnew\nface <ruby>汉<rt>han</rt></ruby> 1 < 2\n";
        let captions = Captions::parse_webvtt(text).unwrap();
        assert_eq!(captions.map, Some(TimestampMap { mpegts: 900_000, local_ms: 0 }));
        assert_eq!(
            captions.cues,
            [
                cue(1500, 3000, Some("主播 小云"), "这款云雀跑鞋今天 <底价>"),
                cue(360_000_000, 360_001_000, None, "new face 汉 1 < 2"),
            ]
        );
    }

    #[test]
    fn subrip_is_read_with_its_commas_and_orders() {
        let text = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>只剩</i>\r\n三件\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n上链接\r\n";
        let captions = Captions::parse_srt(text).unwrap();
        assert_eq!(captions.cues, [cue(1000, 2500, None, "只剩三件"), cue(3000, 4000, None, "上链接")]);
        assert_eq!(Captions::parse_srt("<html>"), None);
    }

    #[test]
    fn what_is_no_cue_is_passed_over() {
        assert_eq!(Captions::parse_webvtt("WEBVTTX\n"), None);
        let text = "WEBVTT\n\n00:05.000 --> 00:04.000\nbackwards\n\n00:61.000 --> 02:00.000\nno time\n\n\
            99999999:00:00.000 --> 99999999:00:01.000\nbeyond\n\n00:01.000 --> 00:02.000\n\n00:02.000 --> 00:03.000\nleft";
        assert_eq!(Captions::parse_webvtt(text).unwrap().cues, [cue(2000, 3000, None, "left")]);
    }

    #[test]
    fn more_cues_than_the_limit_are_left_out_and_told() {
        let text = format!("WEBVTT\n\n{}", "00:01.000 --> 00:02.000\nx\n\n".repeat(MAX_CUES + 1));
        let captions = Captions::parse_webvtt(&text).unwrap();
        assert!(captions.truncated && captions.cues.len() == MAX_CUES);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_no_cue_ends_before_it_begins(
            text in "(WEBVTT\n\n)?((00:0[0-9]\\.[0-9]{3} --> 00:0[0-9]\\.[0-9]{3}|<[a-z/. ]{0,6}>?|[{&]\\PC{0,6}|\\PC{0,9})\n){0,20}",
        ) {
            for captions in [Captions::parse_webvtt(&text), Captions::parse_srt(&text)].into_iter().flatten() {
                for cue in captions.cues {
                    proptest::prop_assert!(cue.start_ms <= cue.end_ms && !cue.text.is_empty());
                }
            }
        }
    }
}
