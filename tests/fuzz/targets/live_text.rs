//! What a room sends as text: playlists, captions, messages, events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::live::{Captions, Fields, Lines, MAX_CUES, MAX_SEGMENTS, Playlist, ServerSent};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Some(Playlist::Media(media)) = Playlist::parse(&text) {
        assert!(media.segments.len() <= MAX_SEGMENTS);
    }
    for captions in [Captions::parse_webvtt(&text), Captions::parse_srt(&text)].into_iter().flatten() {
        assert!(captions.cues.len() <= MAX_CUES);
        assert!(captions.cues.iter().all(|cue| cue.start_ms <= cue.end_ms));
    }
    for fields in [Fields::default(), Fields::bilibili()] {
        drop(fields.read(bytes, "room"));
    }
    let (mut whole, mut cut) = (Vec::new(), Vec::new());
    ServerSent::default().push(bytes, |event| whole.push(event.to_vec()));
    let mut sent = ServerSent::default();
    bytes.iter().for_each(|byte| sent.push(&[*byte], |event| cut.push(event.to_vec())));
    assert_eq!(whole, cut);
    Lines::default().push(bytes, |_| {});
});
