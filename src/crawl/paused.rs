//! Profiles that a person paused: their runs end at the next page and none begins until they go on.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use crate::model::Timestamp;

/// The profiles that do not run now: one for the whole process.
#[derive(Debug, Default)]
pub struct Paused {
    profiles: RwLock<BTreeMap<String, Option<Timestamp>>>,
}

impl Paused {
    /// Lets these profiles rest, each until its time or until it is let go on, and all others run.
    pub fn set(&self, profiles: BTreeMap<String, Option<Timestamp>>) {
        *self.profiles.write().unwrap_or_else(PoisonError::into_inner) = profiles;
    }

    /// Whether `profile` rests at `now`.
    pub fn is_paused(&self, profile: &str, now: Timestamp) -> bool {
        let profiles = self.profiles.read().unwrap_or_else(PoisonError::into_inner);
        profiles.get(profile).is_some_and(|until| until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_its_time_and_is_of_its_profile_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let paused = Paused::default();
        assert!(!paused.is_paused("shop", at(0)));
        paused.set(BTreeMap::from([("shop".into(), Some(at(10))), ("other".into(), None)]));
        assert!(paused.is_paused("shop", at(9)) && !paused.is_paused("shop", at(10)));
        assert!(paused.is_paused("other", at(1_000_000)) && !paused.is_paused("shop2", at(0)));
        paused.set(BTreeMap::new());
        assert!(!paused.is_paused("other", at(0)));
    }
}
