//! Which rooms are on the air, and how far behind they are heard: for whoever watches the program from outside.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The rooms that are heard now: one for the whole process.
#[derive(Debug, Default)]
pub struct OnAir {
    rooms: Mutex<BTreeMap<String, Heard>>,
}

/// How a room is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// When something came last.
    pub last_ms: i64,
    /// How long what came last waited until it was matched, in milliseconds.
    pub lag_ms: u64,
    /// What came since then.
    pub messages: u64,
}

impl OnAir {
    /// Notes that something of `room` that arrived at `arrived_ms` was matched at `now_ms`.
    pub(super) fn heard(&self, room: &str, arrived_ms: i64, now_ms: i64) {
        let lag_ms = u64::try_from(now_ms.saturating_sub(arrived_ms)).unwrap_or(0);
        let mut rooms = self.lock();
        match rooms.get_mut(room) {
            Some(known) => {
                *known = Heard { since_ms: known.since_ms, last_ms: now_ms, lag_ms, messages: known.messages + 1 }
            }
            None => {
                rooms.insert(room.to_owned(), Heard { since_ms: now_ms, last_ms: now_ms, lag_ms, messages: 1 });
            }
        }
    }

    /// Notes that `room` is not heard any more.
    pub(super) fn left(&self, room: &str) {
        self.lock().remove(room);
    }

    /// The rooms, by name.
    pub fn rooms(&self) -> BTreeMap<String, Heard> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_on_the_air_from_the_first_message_until_it_is_left() {
        let air = OnAir::default();
        air.heard("r", 1_000, 1_020);
        air.heard("r", 2_000, 2_300);
        let heard = air.rooms()["r"];
        assert_eq!((heard.since_ms, heard.last_ms, heard.lag_ms, heard.messages), (1_020, 2_300, 300, 2));
        air.left("r");
        assert!(air.rooms().is_empty());
    }
}
