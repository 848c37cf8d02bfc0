//! One clock for a room: what each source says of time becomes milliseconds from the room's start.
//!
//! A segment has a time by its tag (`EXT-X-PROGRAM-DATE-TIME`), by the segment before it, or else by its arrival. A cue's
//! media time (`X-TIMESTAMP-MAP`) stands to that clock at an offset that nothing tells: it is narrowed down by every cue, for
//! a cue is on screen at some time of each segment that carries it. [`SegmentClock`] does the first, [`CueClock`] the second.

use jiff::Timestamp;

use super::{hls::Segment, webvtt::Captions};

/// Where the media's clock of 33 bits begins anew, in milliseconds.
const WRAP_MS: i64 = (1 << 33) / 90;
/// How far a segment's own time may be from where the one before it ended before it counts as a new beginning.
const JUMP_MS: i64 = 10_000;

/// Milliseconds of a time since 1970.
pub fn unix_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Times of segments, in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct SegmentClock {
    /// The next segment's number, its stretch, and when it begins.
    next: Option<(u64, u64, i64)>,
}

impl SegmentClock {
    /// When `segment` begins, and when it ends; `edge_ms` is when its end can have happened at the latest, by the arrival of
    /// the playlist that names it.
    pub fn place(&mut self, segment: &Segment, edge_ms: i64) -> (i64, i64) {
        let length = i64::try_from(segment.duration_ms).unwrap_or(0);
        let follows = self.next.filter(|(number, _, _)| *number == segment.sequence).map(|(_, _, at)| at);
        let start = match (segment.program_date_time.map(unix_ms), follows) {
            // Packagers round their tags: a small step is no new beginning.
            (Some(tagged), Some(at)) if (tagged - at).abs() < JUMP_MS.min(length / 2) => at,
            (Some(tagged), _) => tagged,
            (None, Some(at)) => at,
            (None, None) => edge_ms - length,
        };
        self.next = Some((segment.sequence.saturating_add(1), segment.discontinuity, start + length));
        (start, start + length)
    }
}

/// From cue times to times since 1970, for one stretch without a break.
#[derive(Debug, Clone, Default)]
pub struct CueClock {
    stretch: Option<u64>,
    /// The offset is at least and at most this.
    bounds: Option<(i64, i64)>,
    /// The last offset that was used, for unwrapping.
    offset: Option<i64>,
}

impl CueClock {
    /// The offset, in milliseconds, that turns the cue times of `captions`, the content of `segment` from `start` to `end`,
    /// into milliseconds since 1970.
    pub fn offset(&mut self, segment: &Segment, (start, end): (i64, i64), captions: &Captions) -> i64 {
        if self.stretch != Some(segment.discontinuity) {
            *self = Self { stretch: Some(segment.discontinuity), ..Self::default() };
        }
        // From the cues' clock to the media's.
        let to_media = captions
            .map
            .map_or(0, |map| i64::try_from(map.mpegts / 90).unwrap_or(0) - i64::try_from(map.local_ms).unwrap_or(0));
        let media = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX / 4).saturating_add(to_media);
        // The first guess: the map names the segment's own start.
        let begun = captions.map.map_or(0, |map| i64::try_from(map.local_ms).unwrap_or(0));
        let guess = start - begun - to_media;
        let Some(first) = captions.cues.first() else { return self.offset.unwrap_or(guess) + to_media };
        // Without a map, cues that fit into the segment count from its start.
        let length = u64::try_from(end - start).unwrap_or(0);
        if captions.map.is_none() && captions.cues.iter().all(|cue| cue.start_ms <= length) {
            return start;
        }
        let unwrapped = |bound: i64| match self.offset {
            // After the media's clock began anew, the same offset is one turn later.
            Some(known) => bound - ((bound - known) as f64 / WRAP_MS as f64).round() as i64 * WRAP_MS,
            None => bound,
        };
        let turn = unwrapped(start - media(first.start_ms)) - (start - media(first.start_ms));
        // Every cue is on screen at some time of the segment.
        let least = captions.cues.iter().map(|cue| start - media(cue.end_ms) + turn).max().unwrap_or(guess);
        let most = captions.cues.iter().map(|cue| end - media(cue.start_ms) + turn).min().unwrap_or(guess);
        let (low, high) = self.bounds.map_or((least, most), |(low, high)| (low.max(least), high.min(most)));
        // Where the encoder's clocks drift, what this segment says is nearer than what the first ones said.
        let (low, high) = if low > high { (least.min(most), most.max(least)) } else { (low, high) };
        self.bounds = Some((low, high));
        let offset = self.offset.unwrap_or(guess + turn).clamp(low, high);
        self.offset = Some(offset);
        offset - turn + to_media
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::webvtt::{Cue, TimestampMap};

    fn segment(sequence: u64, tagged: Option<&str>) -> Segment {
        let program_date_time = tagged.map(|text| text.parse().unwrap());
        Segment { sequence, duration_ms: 6000, program_date_time, ..Segment::default() }
    }

    fn captions(map: Option<(u64, u64)>, cues: &[(u64, u64)]) -> Captions {
        let map = map.map(|(mpegts, local_ms)| TimestampMap { mpegts, local_ms });
        let cue = |&(start_ms, end_ms): &(u64, u64)| Cue { start_ms, end_ms, speaker: None, text: "x".into() };
        Captions { map, cues: cues.iter().map(cue).collect(), truncated: false }
    }

    #[test]
    fn segments_follow_each_other_until_their_tag_says_otherwise() {
        let mut clock = SegmentClock::default();
        let zero = unix_ms("2026-11-23T08:00:00Z".parse().unwrap());
        assert_eq!(clock.place(&segment(1, Some("2026-11-23T08:00:00Z")), 0), (zero, zero + 6000));
        assert_eq!(clock.place(&segment(2, None), 0).0, zero + 6000);
        assert_eq!(clock.place(&segment(3, Some("2026-11-23T08:00:12.040Z")), 0).0, zero + 12_000);
        assert_eq!(clock.place(&segment(4, Some("2026-11-23T09:00:00Z")), 0).0, zero + 3_600_000);
        assert_eq!(SegmentClock::default().place(&segment(9, None), zero), (zero - 6000, zero));
    }

    #[test]
    fn a_map_that_names_the_segments_start_is_exact() {
        let mut clock = CueClock::default();
        for number in 0..3_i64 {
            let start = 1_000_000 + number * 6000;
            let map = Some(((number as u64 * 6000 + 10_000) * 90, 0));
            let offset =
                clock.offset(&segment(number as u64, None), (start, start + 6000), &captions(map, &[(500, 2000)]));
            assert_eq!(offset, start, "{number}");
        }
    }

    #[test]
    fn a_map_of_the_whole_stream_is_found_within_a_segment_and_narrowed_by_each() {
        // The stream began at 1,000,000; we came in at its thousandth segment. Cues count from the stream's beginning.
        let mut clock = CueClock::default();
        let mut worst = i64::MAX;
        for (number, at) in [(1000_i64, 5500), (1001, 100), (1002, 3000)] {
            let (start, cue) = (1_000_000 + number * 6000, (number * 6000 + at) as u64);
            let offset = clock.offset(
                &segment(number as u64, None),
                (start, start + 6000),
                &captions(Some((900_000, 0)), &[(cue, cue + 300)]),
            );
            let error = (offset - 1_000_000).abs();
            assert!(error <= worst.min(6000), "{number}: {error}");
            worst = error;
        }
        assert!(worst < 1000, "{worst}");
    }

    #[test]
    fn the_medias_clock_may_begin_anew() {
        let mut clock = CueClock::default();
        let last = (1_u64 << 33) - 90 * 4000;
        let before = captions(Some((last, 0)), &[(0, 1000)]);
        assert_eq!(clock.offset(&segment(1, None), (50_000, 56_000), &before), 50_000);
        let after = captions(Some((2000 * 90, 0)), &[(0, 1000)]);
        let offset = clock.offset(&segment(2, None), (56_000, 62_000), &after);
        assert!((offset - 56_000).abs() <= 1, "{offset}");
    }

    #[test]
    fn cues_without_a_map_count_from_their_segment_or_from_the_stream() {
        let mut clock = CueClock::default();
        assert_eq!(clock.offset(&segment(7, None), (90_000, 96_000), &captions(None, &[(1000, 2000)])), 90_000);
        let offset = clock.offset(&segment(8, None), (96_000, 102_000), &captions(None, &[(50_000, 52_000)]));
        assert!((96_000..=102_000).contains(&(offset + 50_000)), "{offset}");
    }

    proptest::proptest! {
        #[test]
        fn a_cue_is_placed_within_its_segment_or_a_cues_length_from_it(
            mpegts in 0_u64..(1 << 33), local in 0_u64..1_000_000, first in 0_u64..10_000_000, length in 0_u64..5000, start in 0_i64..2_000_000_000_000,
        ) {
            let captions = captions(Some((mpegts, local)), &[(first, first + length)]);
            let offset = CueClock::default().offset(&segment(1, None), (start, start + 6000), &captions);
            let at = offset + first as i64;
            proptest::prop_assert!((start - length as i64..=start + 6000).contains(&at), "{at} of {start}");
        }
    }
}
