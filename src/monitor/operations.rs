//! What people who look after the program said: which profiles rest, and which alarms somebody has seen. The journal says so;
//! a file beside remembers what it said, and may go.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{follow::Follower, note};
use crate::{
    crawl::Paused,
    model::Timestamp,
    store::{Store, StoreError, Write},
};

/// The note that a profile rests.
pub const PAUSED: &str = "profile.pause";
/// The note that it goes on.
pub const CONTINUED: &str = "profile.continue";
/// The note that somebody has seen an alarm.
pub const ACKNOWLEDGED: &str = "alarm.acknowledge";
/// Profiles that rest, and alarms that were seen, at the same time; of the latter the oldest go.
const MAX_PAUSES: usize = 10_000;
const MAX_ACKNOWLEDGED: usize = 1_000;
/// Longest name of a profile and of an alarm, in bytes.
const MAX_NAME_BYTES: usize = 300;
/// Longest reason or note, in characters.
pub const MAX_WHY_CHARS: usize = 500;

/// That a person spoke: when, who, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why, or what is done about it.
    pub why: String,
    /// Until when it holds; until it is taken back, where none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operations {
    seq: u64,
    pauses: BTreeMap<String, Said>,
    acknowledged: BTreeMap<String, Said>,
}

impl Follower for Operations {
    const MAX_BYTES: u64 = 64 << 20;

    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }

    fn take(&mut self, what: &str, details: &Map<String, Value>, (at, by): (Timestamp, &str)) -> bool {
        let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default();
        let until = text("until").parse().ok();
        let why: String = text("why").chars().take(MAX_WHY_CHARS).collect();
        let said = Said { at, by: by.to_owned(), why, until };
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty() && name.len() <= MAX_NAME_BYTES);
        match what {
            PAUSED if self.pauses.len() < MAX_PAUSES => {
                named(text("profile")).map(|profile| self.pauses.insert(profile, said)).is_some()
            }
            CONTINUED => self.pauses.remove(text("profile")).is_some(),
            ACKNOWLEDGED => {
                let Some(alarm) = named(text("alarm")) else { return false };
                self.acknowledged.insert(alarm, said);
                if self.acknowledged.len() > MAX_ACKNOWLEDGED {
                    let oldest = self.acknowledged.iter().min_by_key(|(_, said)| said.at).map(|(key, _)| key.clone());
                    oldest.map(|oldest| self.acknowledged.remove(&oldest));
                }
                true
            }
            _ => false,
        }
    }
}

impl Operations {
    /// What the file at `path` remembers; nothing where there is none that can be read.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::remembered(path).unwrap_or_default()
    }

    /// Who paused `profile` and why, while that holds at `now`.
    #[must_use]
    pub fn pause(&self, profile: &str, now: Timestamp) -> Option<&Said> {
        self.pauses.get(profile).filter(|said| said.until.is_none_or(|until| now < until))
    }

    /// The profiles that rest at `now`.
    pub fn pauses(&self, now: Timestamp) -> impl Iterator<Item = (&str, &Said)> {
        let pauses = self.pauses.iter().map(|(profile, said)| (profile.as_str(), said));
        pauses.filter(move |(_, said)| said.until.is_none_or(|until| now < until))
    }

    /// Who has seen the alarm `key` since it began, and what they said of it; where nothing tells when it began, in the last
    /// `hours`.
    #[must_use]
    pub fn acknowledged(&self, key: &str, since: Option<Timestamp>, now: Timestamp, hours: i64) -> Option<&Said> {
        self.acknowledged.get(key).filter(|said| match since {
            Some(since) => said.at >= since,
            None => now.duration_since(said.at).as_hours() < hours,
        })
    }
}

/// The note that `profile` rests, until a time where there is one; `by` is the person.
#[must_use]
pub fn pause_note(profile: &str, by: &str, why: &str, until: Option<Timestamp>) -> Write {
    let mut details = json!({"profile": profile, "by": by, "why": why});
    if let (Some(until), Some(details)) = (until, details.as_object_mut()) {
        details.insert("until".into(), until.to_string().into());
    }
    note(PAUSED, details)
}

/// The note that `profile` goes on.
#[must_use]
pub fn continue_note(profile: &str, by: &str, why: &str) -> Write {
    note(CONTINUED, json!({"profile": profile, "by": by, "why": why}))
}

/// The note that somebody has seen an alarm.
#[must_use]
pub fn acknowledge_note(alarm: &str, by: &str, why: &str) -> Write {
    note(ACKNOWLEDGED, json!({"alarm": alarm, "by": by, "why": why}))
}

/// Keeps this process at what was said.
#[derive(Debug)]
pub struct Operating {
    path: PathBuf,
    paused: Arc<Paused>,
    following: tokio::sync::Mutex<()>,
    known: RwLock<Operations>,
}

impl Operating {
    /// Begins with what the file at `path` remembers; `paused` is what runs of this process ask.
    #[must_use]
    pub fn open(path: PathBuf, paused: Arc<Paused>) -> Self {
        let known = Operations::open(&path);
        paused.set(rests(&known));
        Self { path, paused, following: tokio::sync::Mutex::default(), known: RwLock::new(known) }
    }

    /// Takes over what was noted since the last time.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays in force.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let _alone = self.following.lock().await;
        let mut known = self.known();
        if known.follow(store).await? {
            self.paused.set(rests(&known));
            if let Err(error) = known.remember(&self.path) {
                tracing::warn!(%error, "cannot write which profiles rest");
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Operations {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn rests(known: &Operations) -> BTreeMap<String, Option<Timestamp>> {
    known.pauses.iter().map(|(profile, said)| (profile.clone(), said.until)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::SystemClock,
        store::{Batch, Settings, SledStore},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn a_pause_holds_until_its_time_or_until_it_is_taken_back_whatever_becomes_of_the_file() {
        let place = tempfile::tempdir().unwrap();
        let store = SledStore::open(&place.path().join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
        let path = place.path().join("operations.json");
        let paused = Arc::new(Paused::default());
        let operating = Operating::open(path.clone(), Arc::clone(&paused));
        let later = at(4_000_000_000);
        let writes = vec![pause_note("shop", "li", "their sale", None), pause_note("other", "li", "", Some(later))];
        store.apply(Batch { actor: "li".into(), writes }).await.unwrap();
        operating.follow(&store).await.unwrap();
        let now = Timestamp::now();
        assert!(paused.is_paused("shop", now) && paused.is_paused("other", now) && !paused.is_paused("other", later));
        let writes = vec![continue_note("shop", "wu", ""), acknowledge_note("late:shop", "wu", "known")];
        store.apply(Batch { actor: "wu".into(), writes }).await.unwrap();
        let again = Operating::open(path, Arc::clone(&paused));
        assert!(paused.is_paused("shop", now));
        again.follow(&store).await.unwrap();
        let mut anew = Operations::default();
        anew.follow(&store).await.unwrap();
        for known in [again.known(), anew] {
            assert!(known.pause("shop", now).is_none());
            assert_eq!(
                known.pauses(now).map(|(profile, said)| (profile, said.by.as_str())).collect::<Vec<_>>(),
                [("other", "li")]
            );
            assert_eq!(known.acknowledged("late:shop", Some(later), now, 1).map(|said| said.why.clone()), None);
            assert_eq!(
                known.acknowledged("late:shop", Some(at(1)), now, 1).map(|said| said.why.clone()),
                Some("known".into())
            );
        }
        assert!(!paused.is_paused("shop", now));
    }

    proptest! {
        #[test]
        fn any_notes_are_taken_or_left(notes in prop::collection::vec((0_usize..4, ".{0,400}", ".{0,700}"), 0..40)) {
            let mut known = Operations::default();
            for (kind, name, why) in notes {
                let what = [PAUSED, CONTINUED, ACKNOWLEDGED, "other"][kind];
                let details = json!({"profile": name, "alarm": name, "why": why, "until": why});
                known.take(what, details.as_object().unwrap(), (at(1), "li"));
            }
            let longest = known.pauses.values().chain(known.acknowledged.values()).map(|said| said.why.chars().count());
            prop_assert!(longest.max().unwrap_or(0) <= MAX_WHY_CHARS);
            prop_assert!(known.pauses.keys().all(|name| name.len() <= MAX_NAME_BYTES));
        }
    }
}
