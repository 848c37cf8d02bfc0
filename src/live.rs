//! Live rooms: what is said, written and shown, from every source, on one timeline.
//!
//! [`watch`] listens to a [`Room`]; the parsers below read what its sources send. The room knows neither marks nor rules:
//! what an [`Event`] means is the monitor's business.

mod air;
mod align;
mod cipher;
mod contract;
mod event;
mod framing;
mod gate;
mod hls;
mod protobuf;
mod record;
mod recording;
mod room;
mod settings;
mod source;
mod sse;
mod transcribe;
mod webvtt;

pub use air::{Heard as HeardRoom, OnAir};
pub use align::{CueClock, SegmentClock, unix_ms};
pub use contract::{Fields, Told, When};
pub use event::{Event, MAX_TEXT_CHARS, What};
pub use framing::{Framing, FramingError, MAX_DECODED_BYTES, packet};
pub use hls::{Key, MAX_SEGMENTS, Master, Media, Playlist, Rendition, Segment, Variant};
pub use protobuf::{FieldPath, FieldPathError, MAX_PATH, Protobuf, ProtobufError};
pub use recording::{RecordingError, read_recording};
pub use room::{ListenError, Listener, LiveError, RoomClock, RoomReport, Services, watch};
pub use settings::{Room, Settings, Source, SourceKind, Transcriber};
pub use sse::{Lines, MAX_MESSAGE_BYTES, ServerSent};
pub use transcribe::{TranscribeError, transcribe};
pub use webvtt::{Captions, Cue, MAX_CUES, TimestampMap};
