//! The journal: the record of every change, and the only truth of the store.
//!
//! [`Journal`] appends; [`read`] and [`verify`] look. Records lie in segments that are filled with zeros ahead;
//! each record carries the hash of the one before it, so that nothing can be left out, added or moved unseen.
//! Several records share one sync. What the records mean belongs to [`super::event`].
//!
//! What can be told apart after a crash: a record that was never acknowledged may be torn, that is, at least
//! one of its disk sectors still holds the zeros from before, and nothing behind it was written after a sync that
//! covered it. Such a tail is dropped. Everything else that does not fit is damage and is never guessed at.

mod append;
mod record;
mod scan;
mod segment;

pub(super) use append::Journal;
pub(super) use record::{Head, hex};
pub(super) use scan::{Verified, hash_at, read, verify};
pub(super) use segment::segments;
