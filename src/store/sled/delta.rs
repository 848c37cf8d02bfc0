//! A delta: the changes of the index since a sequence, in a table of sled's in a numbered folder of its own; or in memory,
//! where the index is brought up to a journal far ahead of it, until they are merged: that takes a third of the time, and
//! whoever loses them has the journal.
//!
//! It says from which record of the journal on it knows changes, how far it reaches, and what its entries amount to, all in
//! the same batch as the changes. A value that only says "gone" hides what a lower layer has.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    filter::Filter,
    keys,
    pace::Pace,
    table::{Step, Table, head_bytes, head_of},
};
use crate::store::{
    disk,
    folder::{index_dir, io, sync_dir},
    journal::Head,
    port::StoreError,
    snapshot::Sums,
};

/// The value that hides a lower layer's. No other value has this first byte.
pub(super) const GONE: &[u8] = &[0];

/// One delta. Its folder goes with it once it is retired.
#[derive(Debug)]
pub(super) struct Delta {
    // Closed before its folder may go.
    table: Table,
    folder: DeltaFolder,
    /// Of one that was begun by this process: the keys it may have.
    filter: Option<Filter>,
    /// Where it begins.
    base: Head,
    /// Of one in memory: the empty one on the disk that it stands for, so that its folder's number is not given out again
    /// while sled's threads may still write there.
    stands_for: Option<Arc<Self>>,
    /// Whether what it lay over when it was begun would not outlive the process.
    afloat: bool,
    /// What its entries amount to, and the bytes ever written to it.
    standing: Mutex<Standing>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Standing {
    written: u64,
    sums: Sums,
}

#[derive(Debug)]
struct DeltaFolder {
    path: PathBuf,
    retired: AtomicBool,
}

impl Drop for DeltaFolder {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Relaxed)
            && let Err(error) = disk::remove_folder(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a part of the index that is no longer needed stays behind");
        }
    }
}

/// What a delta's folder turned out to hold.
#[derive(Debug)]
pub(super) enum Opened {
    /// A delta that can be used.
    Usable(Delta),
    /// One that was never written to.
    Unused,
    /// Something else: why.
    Broken(String),
}

impl Delta {
    /// Opens the delta in `dir`.
    pub fn open(dir: &Path, cache_bytes: u64) -> Opened {
        match Table::open(dir, cache_bytes) {
            Ok(table) => Self::from_table(table, dir).unwrap_or_else(|error| Opened::Broken(error.to_string())),
            Err(what) => Opened::Broken(what),
        }
    }

    fn from_table(table: Table, dir: &Path) -> Result<Opened, StoreError> {
        let (base, standing) = match (table.get(keys::BASE)?, table.get(keys::SUMS)?) {
            (None, None) => return Ok(Opened::Unused),
            (base, standing) => {
                let standing = standing.as_deref().and_then(Standing::decode);
                (base.as_deref().and_then(head_of), standing)
            }
        };
        Ok(match (base, standing) {
            (Some(base), Some(standing)) => {
                let afloat = table.get(keys::OVER_MEMORY)?.is_some();
                Opened::Usable(Self { afloat, ..Self::new(table, dir, base, standing, None) })
            }
            _ => Opened::Broken("it does not say where it begins or what it amounts to".to_owned()),
        })
    }

    fn new(table: Table, dir: &Path, base: Head, standing: Standing, filter: Option<Filter>) -> Self {
        let folder = DeltaFolder { path: dir.to_owned(), retired: AtomicBool::new(false) };
        Self { table, folder, filter, base, stands_for: None, afloat: false, standing: Mutex::new(standing) }
    }

    /// Makes the delta's table in `dir`; nothing stands in it before [`begin`](Self::begin).
    pub fn prepare(dir: &Path, cache_bytes: u64) -> Result<Table, StoreError> {
        let making = || io(|| format!("making {}", dir.display()));
        disk::make_folders(dir).map_err(making())?;
        dir.parent().map_or(Ok(()), sync_dir)?;
        Table::open(dir, cache_bytes).map_err(|what| making()(std::io::Error::other(what)))
    }

    /// Begins a prepared delta at `base`, with the counters that stand there. `afloat` when what it lies over is in memory.
    pub fn begin(
        table: Table,
        dir: &Path,
        base: Head,
        state: Option<Vec<u8>>,
        afloat: bool,
    ) -> Result<Self, StoreError> {
        let delta = Self { afloat, ..Self::new(table, dir, base, Standing::default(), Some(Filter::new())) };
        let own = std::iter::once((keys::BASE.to_vec(), Some(head_bytes(base))));
        let own = own.chain(afloat.then(|| (keys::OVER_MEMORY.to_vec(), Some(Vec::new()))));
        let state = state.map(|state| (keys::STATE.to_vec(), Some(state)));
        delta.write_with(state.into_iter().collect(), base, own.collect())?;
        Ok(delta)
    }

    /// Begins a delta in memory in place of `empty`.
    pub fn begin_in_memory(empty: Arc<Self>, state: Option<Vec<u8>>) -> Result<Self, StoreError> {
        let delta = Self::begin(Table::in_memory(), Path::new("index in memory"), empty.base, state, false)?;
        Ok(Self { stands_for: Some(empty), ..delta })
    }

    /// Whether it goes with the process.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.table, Table::Memory(_))
    }

    /// Whether it lay over one in memory when it was begun: what it has is of no use where that one was not merged.
    pub fn is_afloat(&self) -> bool {
        self.afloat
    }

    /// The record behind which its changes begin.
    pub fn base(&self) -> Head {
        self.base
    }

    /// How far it reaches.
    pub fn applied(&self) -> Result<Head, StoreError> {
        let value = self.table.get(keys::APPLIED)?;
        value.as_deref().and_then(head_of).ok_or_else(|| StoreError::Damaged {
            path: self.folder.path.display().to_string(),
            what: "it does not say how far it reaches".into(),
        })
    }

    /// The bytes ever written to it.
    pub fn written(&self) -> u64 {
        self.standing().written
    }

    /// What it says about `key`: a value, [`GONE`], or nothing.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.filter.as_ref().is_some_and(|filter| !filter.may_have(key)) {
            return Ok(None);
        }
        self.table.get(key)
    }

    /// Its entries from `begin` on, its own among them.
    pub fn range(&self, begin: std::ops::Bound<Vec<u8>>) -> Box<dyn Iterator<Item = Step>> {
        self.table.range(begin)
    }

    /// Writes changes that reach `head`, all or none. A value of none takes the key out of this layer.
    pub fn write(&self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>, head: Head) -> Result<(), StoreError> {
        self.write_with(changes, head, Vec::new())
    }

    fn write_with(
        &self,
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        head: Head,
        own: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let mut standing = self.standing();
        let mut batch = Vec::with_capacity(changes.len() + 3);
        for (key, new) in changes {
            let old = self.get(&key)?;
            if old == new {
                continue;
            }
            if let Some(old) = &old {
                standing.sums.take(&key, old);
            }
            if let Some(new) = &new {
                self.filter.iter().for_each(|filter| filter.add(&key));
                standing.sums.add(&key, new);
                standing.written += (key.len() + new.len()) as u64;
            }
            batch.push((key, new));
        }
        batch.extend(own);
        batch.push((keys::APPLIED.to_vec(), Some(head_bytes(head))));
        batch.push((keys::SUMS.to_vec(), Some(standing.encode())));
        self.table.write(batch)?;
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        Ok(())
    }

    /// Reads all of it and holds what it amounts to against what it says. Only where nobody writes to it.
    pub fn prove(&self, pace: &Pace<'_>) -> Result<(), StoreError> {
        let mut sums = Sums::default();
        for step in self.range(std::ops::Bound::Unbounded) {
            pace.step()?;
            let (key, value) = step?;
            if key.first() != Some(&keys::OWN) {
                sums.add(&key, &value);
            }
        }
        match sums.first_difference(&self.standing().sums) {
            None => Ok(()),
            Some(prefix) => Err(StoreError::Damaged {
                path: self.folder.path.display().to_string(),
                what: format!("what begins with `{}` is not what was written", prefix.escape_ascii()),
            }),
        }
    }

    /// Has its folder go once nobody reads it any more.
    pub fn retire(&self) {
        self.stands_for.iter().for_each(|empty| empty.retire());
        self.folder.retired.store(!self.is_in_memory(), Ordering::Relaxed);
    }

    fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Standing {
    fn encode(&self) -> Vec<u8> {
        [self.written.to_le_bytes().as_slice(), &self.sums.encode()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (written, sums) = bytes.split_first_chunk()?;
        Some(Self { written: u64::from_le_bytes(*written), sums: Sums::decode(sums)? })
    }
}

/// The numbered folders of deltas in the data folder `root`, in order.
pub(super) fn folders(root: &Path) -> Result<Vec<(u32, PathBuf)>, StoreError> {
    let dir = index_dir(root);
    if !disk::exists(&dir) {
        return Ok(Vec::new());
    }
    let names = disk::names(&dir).map_err(io(|| format!("listing {}", dir.display())))?;
    let mut found: Vec<(u32, PathBuf)> =
        names.iter().filter_map(|name| Some((number_of(name)?, dir.join(name)))).collect();
    found.sort_unstable();
    Ok(found)
}

/// Where the delta with this number lies.
pub(super) fn place(root: &Path, number: u32) -> PathBuf {
    index_dir(root).join(format!("{number:08}"))
}

fn number_of(name: &str) -> Option<u32> {
    (name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        model::{ListingId, SystemClock},
        store::{
            Batch, Settings, SledStore, Store, Write,
            content::ContentStore,
            folder::{content_dir, journal_dir},
            sled::Index,
        },
    };

    async fn furnish(store: &SledStore, from: u32, to: u32) {
        for n in from..to {
            let id = ListingId::new(&format!("shop:{n}")).unwrap();
            let write = Write::Listing { id, listing: crate::model::Listing::default(), capture: None };
            store.apply(Batch { actor: "crawl".into(), writes: vec![write] }).await.unwrap();
        }
    }

    fn equals_the_journal(store: &SledStore) {
        let room = tempfile::tempdir().unwrap();
        let content = ContentStore::open(&content_dir(room.path())).unwrap();
        let rebuilt = Index::open(room.path(), content, &Settings::default()).unwrap();
        rebuilt.catch_up(&journal_dir(store.root()), store.index.applied().unwrap()).unwrap();
        assert_eq!(store.index.first_difference(&rebuilt).unwrap(), None);
    }

    #[tokio::test]
    async fn what_sled_changed_or_lost_is_found_and_the_index_is_rebuilt() {
        for with_snapshot in [false, true] {
            for (key, value) in [(&b"ishop:1"[..], Some(&b"\x01{}"[..])), (b"ishop:2", None), (b"qx", Some(b""))] {
                let dir = tempfile::tempdir().unwrap();
                let store = SledStore::open(dir.path(), &Settings::default(), Arc::new(SystemClock)).unwrap();
                if with_snapshot {
                    furnish(&store, 10, 15).await;
                    store.snapshot().unwrap().unwrap();
                }
                furnish(&store, 0, 5).await;
                let value = value.map(<[u8]>::to_vec);
                store.index.layers().fresh.table.write([(key.to_vec(), value)]).unwrap();
                assert_eq!(store.snapshot().unwrap(), None, "what is wrong goes into no snapshot");
                equals_the_journal(&store);
                furnish(&store, 3, 9).await;
                // The compactor may have been faster.
                store.snapshot().unwrap();
                assert!(store.index.layers().base_head() == store.index.applied().unwrap());
                equals_the_journal(&store);
            }
        }
    }

    #[tokio::test]
    async fn a_snapshot_that_rots_while_it_is_used_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path(), &Settings::default(), Arc::new(SystemClock)).unwrap();
        furnish(&store, 0, 9).await;
        let seq = store.snapshot().unwrap().unwrap();
        furnish(&store, 9, 12).await;
        let path = crate::store::snapshot::place(dir.path(), seq);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        store.index.prove_snapshot().unwrap();
        equals_the_journal(&store);
        furnish(&store, 12, 15).await;
        drop(store);
        let store = SledStore::open(dir.path(), &Settings::default(), Arc::new(SystemClock)).unwrap();
        equals_the_journal(&store);
        assert_eq!(store.counts().await.unwrap().listings, 15);
    }
}
