//! The compactor: makes the next snapshot when the writer says that one is due, and once a day if anything was changed.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::index::Index;
use crate::store::{folder::io, port::StoreError};

const AT_LEAST_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The thread, which ends when this is dropped: a merge at hand is given up.
#[derive(Debug)]
pub(super) struct Compactor {
    index: Arc<Index>,
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    /// Starts compacting `index`.
    pub fn start(index: Arc<Index>) -> Result<Self, StoreError> {
        let (bell, rung) = sync_channel(1);
        let own = Arc::clone(&index);
        let thread = std::thread::Builder::new()
            .name("store-compactor".into())
            .spawn(move || serve(&own, &rung))
            .map_err(io(|| "starting the store's compactor".to_owned()))?;
        Ok(Self { index, bell: Some(bell), thread: Some(thread) })
    }

    /// What the writer rings when a snapshot is due.
    pub fn bell(&self) -> Option<SyncSender<()>> {
        self.bell.clone()
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.index.close();
        self.bell = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's compactor ended by a panic");
        }
    }
}

/// How far a merge steps back for those who write and read: a thread's nice value.
const NICE: i32 = 10;

/// Merging can wait, a reviewer cannot. On other systems threads have no priority of their own.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "the compactor keeps its priority");
    }
}

fn serve(index: &Index, rung: &Receiver<()>) {
    step_back();
    // What was begun before the store was closed.
    let mut due = index.is_merging() || index.is_full();
    loop {
        match due.then(|| index.merge_with_rests()) {
            Some(Err(StoreError::Stopped(_))) => return,
            Some(Err(error)) => {
                tracing::warn!(%error, "no snapshot was made; the last one and the journal have everything")
            }
            _ => {}
        }
        due = match rung.recv_timeout(AT_LEAST_EVERY) {
            // It may have been rung while the last merge was under way.
            Ok(()) => index.is_full(),
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}
