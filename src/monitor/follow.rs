//! How what is kept of the journal's notes follows them, and is remembered in a file that may go.

use std::{fs, io, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    files,
    model::Timestamp,
    store::{Store, StoreError},
};

/// Changes read at once.
const CHANGES: usize = 1000;

/// What follows from notes up to a sequence, and from nothing else.
pub trait Follower: Default + Serialize + DeserializeOwned + Send {
    /// Longest file that is read, in bytes.
    const MAX_BYTES: u64;

    /// The sequence up to which notes were taken in.
    fn seq(&mut self) -> &mut u64;

    /// Takes in one note, of a time and an actor; true when that changed anything.
    fn take(&mut self, what: &str, details: &Map<String, Value>, noted: (Timestamp, &str)) -> bool;

    /// Whether what a file remembers has the form of today.
    fn is_of_this_form(&self) -> bool {
        true
    }

    /// What the file at `path` remembers; nothing where there is none, or none of ours: the journal says it again.
    ///
    /// # Errors
    /// When the file is there and the disk says no.
    fn remembered(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(about) if about.len() > Self::MAX_BYTES => return Ok(Self::default()),
            Ok(_) => {}
        }
        let read: Self = serde_json::from_slice(&fs::read(path)?).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), %error, "what is kept of notes cannot be read; the journal is read anew");
            Self::default()
        });
        Ok(if read.is_of_this_form() { read } else { Self::default() })
    }

    /// Writes the file anew, whole or as it was.
    ///
    /// # Errors
    /// When the disk says no.
    fn remember(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec(self).map_err(io::Error::other)?)
    }

    /// Takes in what was noted since the last time; true when that is worth remembering: it changed something, or what was read
    /// need not be read again after a restart.
    ///
    /// # Errors
    /// When the store cannot be read; what was taken in before stays.
    fn follow(&mut self, store: &dyn Store) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async move {
            let newest = store.counts().await?.seq;
            let mut changed = *self.seq() / CHANGES as u64 != newest / CHANGES as u64;
            if newest < *self.seq() {
                // Another store's file, or a store brought back from an older backup.
                *self = Self::default();
                changed = true;
            }
            while *self.seq() < newest {
                let changes = match store.changes_since(*self.seq(), CHANGES).await {
                    Err(StoreError::Away { seq, kept_in }) if seq > *self.seq() => {
                        tracing::warn!(seq, kept_in, "older notes have left the journal and are not known");
                        *self.seq() = seq;
                        continue;
                    }
                    changes => changes?,
                };
                let Some(last) = changes.last().map(|change| change.seq) else { break };
                for change in &changes {
                    for (what, details) in change.notes() {
                        changed |= self.take(what, details, (change.at, &change.actor));
                    }
                }
                *self.seq() = last;
            }
            Ok(changed)
        }
    }
}
