//! How fast passwords may be guessed. A try is counted before it is checked, so that many at once gain nothing.
//!
//! After [`FREE_TRIES`] wrong ones a name waits 1, 2, 4 … seconds, at most [`LONGEST_WAIT`]; an hour
//! after its last try it is forgotten. All names together have [`TRIES_A_MINUTE`]. Names that do not exist count alike.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::model::Timestamp;

/// Wrong tries a name has before it must wait.
const FREE_TRIES: u32 = 5;
/// Longest wait of a name, in seconds.
const LONGEST_WAIT: i64 = 300;
/// Tries of all names in a minute that did not succeed.
const TRIES_A_MINUTE: u32 = 60;
/// When a name's tries are forgotten, in seconds after the last.
const MEMORY: i64 = 3600;
/// Most names remembered: more are refused until some are forgotten.
const MAX_NAMES: usize = 10_000;

/// Counts sign-in tries.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Tries>);

#[derive(Debug, Default)]
struct Tries {
    names: HashMap<[u8; 32], Name>,
    minute: i64,
    in_minute: u32,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    tries: u32,
    last: Timestamp,
}

impl Throttle {
    /// Counts a try of `name`; or how many seconds it must wait first.
    pub(super) fn begin(&self, name: &str, now: Timestamp) -> Result<(), i64> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.as_second().div_euclid(60);
        if tries.minute != minute {
            tries.minute = minute;
            tries.in_minute = 0;
            tries.names.retain(|_, name| seconds(name.last, now) < MEMORY);
        }
        let key = key(name);
        let known = tries.names.get(&key).copied();
        if let Some(known) = known {
            let left = wait_after(known.tries) - seconds(known.last, now);
            if left > 0 {
                return Err(left);
            }
        }
        if tries.in_minute >= TRIES_A_MINUTE || (known.is_none() && tries.names.len() >= MAX_NAMES) {
            return Err(60 - now.as_second().rem_euclid(60));
        }
        tries.in_minute += 1;
        let count = known.map_or(0, |known| known.tries);
        tries.names.insert(key, Name { tries: count.saturating_add(1), last: now });
        Ok(())
    }

    /// Forgets the tries of a name that signed in.
    pub(super) fn succeeded(&self, name: &str) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.in_minute = tries.in_minute.saturating_sub(1);
        tries.names.remove(&key(name));
    }
}

fn key(name: &str) -> [u8; 32] {
    Sha256::digest(name.trim().as_bytes()).into()
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    SignedDuration::as_secs(&to.duration_since(from))
}

fn wait_after(tries: u32) -> i64 {
    match tries.checked_sub(FREE_TRIES) {
        None => 0,
        Some(doublings) => 1_i64.checked_shl(doublings).unwrap_or(LONGEST_WAIT).clamp(1, LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn after_some_wrong_tries_a_name_waits_longer_and_longer() {
        let throttle = Throttle::default();
        for _ in 0..FREE_TRIES {
            throttle.begin("lin", at(0)).unwrap();
        }
        assert_eq!(throttle.begin("lin", at(0)), Err(1));
        assert!(throttle.begin("wu", at(0)).is_ok());
        throttle.begin("lin", at(1)).unwrap();
        assert_eq!(throttle.begin("lin", at(1)), Err(2));
        throttle.succeeded("lin");
        assert!(throttle.begin("lin", at(1)).is_ok());
    }

    #[test]
    fn the_wait_has_an_upper_bound() {
        assert_eq!(wait_after(FREE_TRIES + 8), 256);
        assert_eq!(wait_after(FREE_TRIES + 9), LONGEST_WAIT);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn all_names_together_have_so_many_tries_a_minute() {
        let throttle = Throttle::default();
        for number in 0..TRIES_A_MINUTE {
            throttle.begin(&number.to_string(), at(120)).unwrap();
        }
        assert_eq!(throttle.begin("another", at(130)), Err(50));
        assert!(throttle.begin("another", at(180)).is_ok());
    }

    #[test]
    fn more_names_than_are_remembered_wait_for_the_next_minute() {
        let throttle = Throttle::default();
        let known = Name { tries: 1, last: at(0) };
        for number in 0..MAX_NAMES {
            throttle.0.lock().unwrap().names.insert(key(&number.to_string()), known);
        }
        assert!(throttle.begin("another", at(0)).is_err());
        assert!(throttle.begin("another", at(MEMORY + 60)).is_ok());
    }
}
