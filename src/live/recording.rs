//! A room that was recorded: lines of JSON in the source contract, WebVTT, SRT, or a local HLS playlist with its segments.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use super::{
    Event, Fields,
    align::{CueClock, SegmentClock},
    contract::{Told, When},
    event::What,
    hls::Playlist,
    room::RoomClock,
    webvtt::Captions,
};

/// Longest file of a recording that is read, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Why a recording is not read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The disk said no.
    #[error("reading {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Over the limit.
    #[error("{path} has more than {MAX_FILE_BYTES} bytes: cut the recording into parts")]
    TooLarge {
        /// Which file.
        path: String,
    },
    /// Nothing in it is a recording.
    #[error(
        "{path} is no recording of a live room: lines of JSON such as {{\"kind\":\"caption\",\"at_ms\":1500,\"text\":\"…\"}}, \
         WebVTT, SRT, or an HLS playlist beside its segments is expected"
    )]
    Unknown {
        /// Which file.
        path: String,
    },
}

/// The events of the recording at `path`, in the order of their time; messages stand where `fields` say.
///
/// # Errors
/// When a file cannot be read, or is no recording.
pub fn read_recording(path: &Path, fields: &Fields) -> Result<Vec<Event>, RecordingError> {
    let text = read(path)?;
    let mut events = if text.trim_start_matches('\u{feff}').starts_with("#EXTM3U") {
        of_playlist(path, &text)?
    } else if let Some(captions) = Captions::parse_webvtt(&text) {
        of_captions(&captions)
    } else {
        of_lines(&text, fields)
    };
    if events.is_empty() {
        events = Captions::parse_srt(&text).map(|captions| of_captions(&captions)).unwrap_or_default();
    }
    if events.is_empty() {
        return Err(RecordingError::Unknown { path: path.display().to_string() });
    }
    events.sort_by_key(|event| event.at_ms);
    Ok(events)
}

fn read(path: &Path) -> Result<String, RecordingError> {
    let shown = || path.display().to_string();
    let failed = |source| RecordingError::Read { path: shown(), source };
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(RecordingError::TooLarge { path: shown() });
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn of_captions(captions: &Captions) -> Vec<Event> {
    let event = |cue: &super::Cue| Event {
        at_ms: cue.start_ms,
        what: What::Caption { speaker: cue.speaker.clone(), text: cue.text.clone() },
    };
    captions.cues.iter().map(event).collect()
}

fn of_lines(text: &str, fields: &Fields) -> Vec<Event> {
    let mut clock = RoomClock::new(true);
    let mut arrived_ms = 0;
    let mut events = Vec::new();
    for line in text.lines() {
        for told in fields.read(line.as_bytes(), "recording") {
            // What does not say when it was follows what stands before it.
            let event = clock.place(told, arrived_ms);
            arrived_ms = clock.epoch_ms().unwrap_or(0).saturating_add(i64::try_from(event.at_ms).unwrap_or(0));
            events.push(event);
        }
    }
    events
}

/// Segments beside the playlist, at addresses that stay inside its folder.
fn of_playlist(path: &Path, text: &str) -> Result<Vec<Event>, RecordingError> {
    let Some(Playlist::Media(media)) = Playlist::parse(text) else {
        return Err(RecordingError::Unknown { path: path.display().to_string() });
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut segments, mut cues, mut clock) = (SegmentClock::default(), CueClock::default(), RoomClock::new(true));
    let mut events: Vec<Event> = Vec::new();
    let mut edge = 0;
    for segment in &media.segments {
        edge += i64::try_from(segment.duration_ms).unwrap_or(0);
        let times = segments.place(segment, edge);
        let name = Path::new(&segment.uri);
        let inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || segment.key.is_some() || segment.gap {
            continue;
        }
        let Some(captions) = Captions::parse_webvtt(&read(&folder.join(name))?) else { continue };
        // The room starts with its first segment, not with the first word.
        if clock.epoch_ms().is_none() {
            clock.start(times.0);
        }
        let offset = cues.offset(segment, times, &captions);
        for cue in &captions.cues {
            let when = When::Unix(offset.saturating_add(i64::try_from(cue.start_ms).unwrap_or(0)));
            let what = What::Caption { speaker: cue.speaker.clone(), text: cue.text.clone() };
            let event = clock.place(Told { when, what }, times.0);
            if !events.iter().rev().take(64).any(|known| *known == event) {
                events.push(event);
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_when_and_lines_that_do_not_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("room.jsonl");
        let lines = "{\"kind\":\"caption\",\"at\":\"2026-11-23T08:00:00Z\",\"text\":\"一\"}\n{\"kind\":\"gift\"}\n\
            {\"kind\":\"comment\",\"text\":\"二\"}\n{\"kind\":\"caption\",\"at\":\"2026-11-23T08:00:02Z\",\"text\":\"三\"}\n";
        fs::write(&path, lines).unwrap();
        let events = read_recording(&path, &Fields::default()).unwrap();
        assert_eq!(events.iter().map(|event| event.at_ms).collect::<Vec<_>>(), [0, 0, 2000]);
        fs::write(&path, "nothing of the sort").unwrap();
        assert!(matches!(read_recording(&path, &Fields::default()), Err(RecordingError::Unknown { .. })));
    }

    #[test]
    fn a_playlist_is_read_with_the_segments_beside_it_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let map = "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000";
        fs::write(folder.path().join("a.vtt"), format!("WEBVTT\n{map}\n\n00:01.000 --> 00:07.000\n这款\n")).unwrap();
        fs::write(
            folder.path().join("b.vtt"),
            format!("WEBVTT\n{map}\n\n00:01.000 --> 00:07.000\n这款\n\n00:08.000 --> 00:09.000\n云雀\n"),
        )
        .unwrap();
        let path = folder.path().join("room.m3u8");
        let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.vtt\n#EXTINF:6,\nb.vtt\n#EXTINF:6,\n../c.vtt\n#EXTINF:6,\n/etc/passwd\n#EXT-X-ENDLIST\n";
        fs::write(&path, playlist).unwrap();
        let events = read_recording(&path, &Fields::default()).unwrap();
        assert_eq!(events.iter().map(|event| event.at_ms).collect::<Vec<_>>(), [1000, 8000]);
    }
}
