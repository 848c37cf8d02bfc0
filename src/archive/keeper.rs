//! Who keeps the archive up: one caller at a time brings it up to the store and reads it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Archive, ArchiveError, refresh};
use crate::store::SledStore;

/// How often a caller that waits for its turn looks whether it was stopped.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The archive of one store.
pub struct Keeper {
    folder: PathBuf,
    store: Arc<SledStore>,
    turn: Mutex<()>,
}

impl Keeper {
    /// Keeps the archive in `folder` up to `store`.
    pub fn new(folder: PathBuf, store: Arc<SledStore>) -> Self {
        Self { folder, store, turn: Mutex::default() }
    }

    /// The archive as the store stands now; waits while another brings it up. See [`refresh`].
    ///
    /// # Errors
    /// When the store or the disk says no, or `stop` became true while it waited or everything was built.
    pub fn fresh(&self, threads: usize, stop: &AtomicBool, progress: &dyn Fn(u64)) -> Result<Archive, ArchiveError> {
        let _turn = loop {
            match self.turn.try_lock() {
                Ok(turn) => break turn,
                // Whoever broke off left a folder that is proved when it is opened.
                Err(TryLockError::Poisoned(turn)) => break turn.into_inner(),
                Err(TryLockError::WouldBlock) if stop.load(Ordering::Relaxed) => return Err(ArchiveError::Stopped),
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK_EVERY),
            }
        };
        refresh(&self.folder, &self.store, threads, stop, progress)
    }
}
