//! How what is kept of the journal's notes follows them.

use serde_json::{Map, Value};

use crate::{
    model::Timestamp,
    store::{Store, StoreError},
};

/// Changes read at once.
const CHANGES: usize = 1000;

/// What follows from notes up to a sequence, and from nothing else.
pub(super) trait Follower: Default {
    /// The sequence up to which notes were taken in.
    fn seq(&mut self) -> &mut u64;

    /// Takes in one note, of a time and an actor; true when that changed anything.
    fn take(&mut self, what: &str, details: &Map<String, Value>, noted: (Timestamp, &str)) -> bool;
}

/// Takes in what was noted since the last time; true when that changed anything.
pub(super) async fn follow<F: Follower>(state: &mut F, store: &dyn Store) -> Result<bool, StoreError> {
    let newest = store.counts().await?.seq;
    let mut changed = false;
    if newest < *state.seq() {
        // Another store's file, or a store brought back from an older backup.
        *state = F::default();
        changed = true;
    }
    while *state.seq() < newest {
        let changes = match store.changes_since(*state.seq(), CHANGES).await {
            Err(StoreError::Away { seq, kept_in }) if seq > *state.seq() => {
                tracing::warn!(seq, kept_in, "older notes have left the journal and are not known");
                *state.seq() = seq;
                continue;
            }
            changes => changes?,
        };
        let Some(last) = changes.last().map(|change| change.seq) else { break };
        for change in &changes {
            for (what, details) in change.notes() {
                changed |= state.take(what, details, (change.at, &change.actor));
            }
        }
        *state.seq() = last;
    }
    Ok(changed)
}
