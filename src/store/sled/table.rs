//! One table of the index: sled's, with a guarded opening, or one in memory. Keys and values are bytes; what they mean is not known here.

use std::{
    collections::BTreeMap,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    thread,
    time::Duration,
};

use super::keys;
#[cfg(test)]
use crate::store::disk::simulated;
use crate::store::{journal::Head, port::StoreError};

/// Entries copied at once from a table in memory while it is walked over.
const WALK: usize = 64;
const FLUSH_EVERY_MS: u64 = 500;
/// How often and how long a closing table's lock is waited for: 5 s in all.
const LOCK_TRIES: u32 = 500;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// A table. Cheap to clone; what was written is there at once and lasts when sled sees fit.
#[derive(Debug, Clone)]
pub(in crate::store) enum Table {
    Sled(::sled::Db),
    /// Gone with the process.
    Memory(Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>),
    #[cfg(test)]
    Simulated(simulated::Table),
}

/// A key with its value, or why it cannot be read.
pub(super) type Step = Result<(Vec<u8>, Vec<u8>), StoreError>;

impl Table {
    /// An empty table in memory.
    pub fn in_memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Opens the table in `dir`, or makes it; says why it cannot be used.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Self, String> {
        #[cfg(test)]
        if let Some(opened) = simulated::table_on_this_thread(dir) {
            return opened.map(Self::Simulated);
        }
        // While a table of this process that was just closed still holds its lock: sled's own threads let go of it a
        // little after the last handle is gone. Other processes are kept out by the folder's lock.
        for _ in 0..LOCK_TRIES {
            match open_sled(dir, cache_bytes) {
                Err(what) if what.contains("could not acquire lock") => thread::sleep(LOCK_WAIT),
                opened => return opened.map(Self::Sled),
            }
        }
        open_sled(dir, cache_bytes).map(Self::Sled)
    }

    /// The value at `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Sled(db) => Ok(db.get(key).map_err(broken)?.map(|value| value.to_vec())),
            Self::Memory(table) => Ok(table.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()),
            #[cfg(test)]
            Self::Simulated(table) => Ok(table.get(key)),
        }
    }

    /// Keys and values from `begin` on, in order.
    pub fn range(&self, begin: Bound<Vec<u8>>) -> Box<dyn Iterator<Item = Step>> {
        match self {
            Self::Sled(db) => Box::new(db.range((begin, Bound::Unbounded)).map(|step| match step {
                Ok((key, value)) => Ok((key.to_vec(), value.to_vec())),
                Err(error) => Err(broken(error)),
            })),
            Self::Memory(table) => {
                let (table, mut begin) = (Arc::clone(table), Some(begin));
                let parts = std::iter::from_fn(move || {
                    let table = table.read().unwrap_or_else(PoisonError::into_inner);
                    let walk = table.range((begin.take()?, Bound::Unbounded)).take(WALK);
                    let part: Vec<(Vec<u8>, Vec<u8>)> = walk.map(|(key, value)| (key.clone(), value.clone())).collect();
                    begin = part.last().map(|(key, _)| Bound::Excluded(key.clone()));
                    Some(part)
                });
                Box::new(parts.flatten().map(Ok))
            }
            #[cfg(test)]
            Self::Simulated(table) => Box::new(table.range(begin).map(Ok)),
        }
    }

    /// Writes changes, all or none.
    pub fn write(&self, changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreError> {
        match self {
            Self::Sled(db) => {
                let mut batch = ::sled::Batch::default();
                for (key, value) in changes {
                    match value {
                        Some(value) => batch.insert(key, value),
                        None => batch.remove(key),
                    }
                }
                db.apply_batch(batch).map_err(broken)
            }
            Self::Memory(table) => {
                let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(table.insert(key, value)),
                        None => drop(table.remove(&key)),
                    }
                }
                Ok(())
            }
            #[cfg(test)]
            Self::Simulated(table) => table.write(changes.into_iter().collect()).map_err(using),
        }
    }
}

/// A head as its 40 bytes in the table.
pub(super) fn head_bytes(head: Head) -> Vec<u8> {
    [head.seq.to_be_bytes().as_slice(), &head.hash].concat()
}

/// The head that 40 bytes say.
pub(super) fn head_of(bytes: &[u8]) -> Option<Head> {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(seq), Some(hash)) if bytes.len() == 40 => Some(Head { seq: u64::from_be_bytes(*seq), hash: *hash }),
        _ => None,
    }
}

/// What sled says when it cannot go on.
fn broken(error: ::sled::Error) -> StoreError {
    using(std::io::Error::other(error))
}

fn using(source: std::io::Error) -> StoreError {
    StoreError::Io { doing: "using the index".into(), source }
}

/// sled may panic on what a power cut left behind; that is a failed open like any other.
fn open_sled(dir: &Path, cache_bytes: u64) -> Result<::sled::Db, String> {
    let open = || {
        let db = ::sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()
            .map_err(|error| error.to_string())?;
        let applied = db.get(keys::APPLIED).map_err(|error| error.to_string())?;
        let first = db.iter().next().transpose().map_err(|error| error.to_string())?;
        match applied {
            None if first.is_some() => Err("it does not say how far it reaches".to_owned()),
            Some(value) if head_of(&value).is_none() => Err("it does not say how far it reaches".to_owned()),
            _ => Ok(db),
        }
    };
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err("opening it failed beyond recovery".to_owned()))
}
