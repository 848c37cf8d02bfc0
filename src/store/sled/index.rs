//! sled itself: a guarded open, batches that say how far they reach, setting aside and rebuilding.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Duration,
};

use super::{apply::apply, keys, view::View};
use crate::model::{Capture, Hit};
use crate::store::{
    content::ContentStore,
    event::Entry,
    folder::{index_dir, io, journal_dir, sync_dir},
    journal::{self, Head},
    port::{Counts, StoreError},
    settings::Settings,
};

/// Changes gathered before a rebuild writes them.
const REBUILD_CHANGES: usize = 4096;
/// Set-aside indexes looked at when naming the next.
const MAX_SET_ASIDE: u32 = 10_000;
const FLUSH_EVERY_MS: u64 = 500;
/// How often and how long a closing index's lock is waited for: 5 s in all.
const LOCK_TRIES: u32 = 500;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// The index over the journal.
#[derive(Debug)]
pub(in crate::store) struct Index {
    db: ::sled::Db,
    content: ContentStore,
}

impl Index {
    /// Opens the index in the data folder `root`; one that cannot be opened is set aside.
    pub fn open(root: &Path, content: ContentStore, settings: &Settings) -> Result<Self, StoreError> {
        let dir = index_dir(root);
        match open_db(&dir, settings) {
            Ok(db) => Ok(Self { db, content }),
            Err(what) => {
                set_aside(root, &what)?;
                let db = open_db(&dir, settings).map_err(|what| stopped(&what))?;
                Ok(Self { db, content })
            }
        }
    }

    /// Opens the index below `root` if it can be opened; none is set aside.
    pub fn open_existing(root: &Path, content: ContentStore, settings: &Settings) -> Option<Self> {
        open_db(&index_dir(root), settings).ok().map(|db| Self { db, content })
    }

    /// Makes the index fit a journal that ends at `head`: catches up, or is set aside and rebuilt.
    ///
    /// An index that reaches further than the journal is proof that acknowledged records are gone; that is damage, not something to rebuild from.
    pub fn fit(self, root: &Path, content: ContentStore, settings: &Settings, head: Head) -> Result<Self, StoreError> {
        let applied = self.applied()?;
        if applied.seq > head.seq {
            return Err(StoreError::Damaged {
                path: journal_dir(root).display().to_string(),
                what: format!(
                    "it ends at sequence {}, though sequence {} had been acknowledged: restore a backup, or remove {} to go on without",
                    head.seq,
                    applied.seq,
                    index_dir(root).display()
                ),
            });
        }
        let mut index = self;
        if journal::hash_at(&journal_dir(root), applied.seq)? != Some(applied.hash) {
            let Self { db, .. } = index;
            drop(db);
            set_aside(root, "it does not belong to this journal")?;
            index = Self::open(root, content, settings)?;
        }
        let from = index.applied()?.seq;
        if from < head.seq {
            tracing::info!(from, to = head.seq, "bringing the index up to the journal");
            index.catch_up(&journal_dir(root), head, settings)?;
        }
        Ok(index)
    }

    /// How far the journal is applied.
    pub fn applied(&self) -> Result<Head, StoreError> {
        let Some(value) = self.db.get(keys::APPLIED).map_err(broken)? else { return Ok(Head::START) };
        let (seq, hash) = (value.first_chunk(), value.last_chunk());
        match (seq, hash) {
            (Some(seq), Some(hash)) if value.len() == 40 => Ok(Head { seq: u64::from_be_bytes(*seq), hash: *hash }),
            _ => Err(StoreError::Damaged { path: "index".into(), what: "it does not say how far it reaches".into() }),
        }
    }

    /// The counters it keeps.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.view()?.meta().counts)
    }

    /// The first key, if any, at which this index is not as `other`.
    pub fn first_difference(&self, other: &Self) -> Result<Option<Vec<u8>>, StoreError> {
        let (mut own, mut others) = (self.db.iter(), other.db.iter());
        loop {
            let (mine, theirs) = (own.next().transpose().map_err(broken)?, others.next().transpose().map_err(broken)?);
            match (mine, theirs) {
                (None, None) => return Ok(None),
                (mine, theirs) if mine == theirs => {}
                (Some((mine, _)), Some((theirs, _))) => return Ok(Some(mine.min(theirs).to_vec())),
                (Some((key, _)), None) | (None, Some((key, _))) => return Ok(Some(key.to_vec())),
            }
        }
    }

    /// Shows every hit.
    pub fn each_hit(&self, show: &mut dyn FnMut(Hit)) -> Result<(), StoreError> {
        let view = self.view()?;
        view.scan(keys::HITS, None).try_for_each(|step| view.decode(&step?.1).map(&mut *show))
    }

    /// Shows every capture.
    pub fn each_capture(&self, show: &mut dyn FnMut(Capture)) -> Result<(), StoreError> {
        let view = self.view()?;
        view.scan(keys::CAPTURES, None).try_for_each(|step| view.decode(&step?.1).map(&mut *show))
    }

    /// A view for reading alone; what is kept inline does not matter to it.
    fn view(&self) -> Result<View<'_>, StoreError> {
        View::new(self, 0)
    }

    pub fn tree(&self) -> &::sled::Tree {
        &self.db
    }

    pub fn content(&self) -> &ContentStore {
        &self.content
    }

    /// Writes changes that reach `head`, all or none.
    pub fn write(
        &self,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
        head: Head,
    ) -> Result<(), StoreError> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(keys::APPLIED, [head.seq.to_be_bytes().as_slice(), &head.hash].concat());
        self.db.apply_batch(batch).map_err(broken)
    }

    /// Applies the journal in `journal` up to `head`, its end.
    pub fn catch_up(&self, journal: &Path, head: Head, settings: &Settings) -> Result<(), StoreError> {
        let from = self.applied()?.seq;
        let mut view = View::new(self, settings.inline_bytes)?;
        let end = head.seq;
        journal::read(journal, from + 1..=end, &mut |head, payload| {
            apply(&mut view, &Entry::decode(head.seq, payload)?)?;
            if view.pending() >= REBUILD_CHANGES || head.seq == end { view.commit(*head) } else { Ok(()) }
        })?;
        match self.applied()? {
            applied if applied == head => Ok(()),
            applied => Err(stopped(&format!("the index reached sequence {} of {}", applied.seq, head.seq))),
        }
    }
}

/// What sled says when it cannot go on.
pub(super) fn broken(error: ::sled::Error) -> StoreError {
    StoreError::Io { doing: "using the index".into(), source: std::io::Error::other(error) }
}

fn stopped(what: &str) -> StoreError {
    StoreError::Io { doing: "opening the index".into(), source: std::io::Error::other(what.to_owned()) }
}

/// Opens sled, waiting while an index of this process that was just closed still holds its lock: sled's own
/// threads let go of it a little after the last handle is gone. Other processes are kept out by the folder's lock.
fn open_db(dir: &Path, settings: &Settings) -> Result<::sled::Db, String> {
    for _ in 0..LOCK_TRIES {
        match try_open_db(dir, settings) {
            Err(what) if what.contains("could not acquire lock") => thread::sleep(LOCK_WAIT),
            opened => return opened,
        }
    }
    try_open_db(dir, settings)
}

/// sled may panic on what a power cut left behind; that is a failed open like any other.
fn try_open_db(dir: &Path, settings: &Settings) -> Result<::sled::Db, String> {
    let open = || {
        let db = ::sled::Config::new()
            .path(dir)
            .cache_capacity(settings.cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()
            .map_err(|error| error.to_string())?;
        let applied = db.get(keys::APPLIED).map_err(|error| error.to_string())?;
        let first = db.iter().next().transpose().map_err(|error| error.to_string())?;
        match applied {
            None if first.is_some() => Err("it does not say how far it reaches".to_owned()),
            Some(value) if value.len() != 40 => Err("it does not say how far it reaches".to_owned()),
            _ => Ok(db),
        }
    };
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err("opening it failed beyond recovery".to_owned()))
}

/// Renames the index so that a new one can take its place; nothing of it is thrown away.
pub(in crate::store) fn set_aside(root: &Path, why: &str) -> Result<(), StoreError> {
    let dir = index_dir(root);
    if !dir.exists() {
        return Ok(());
    }
    let target = (1..MAX_SET_ASIDE).map(|n| root.join(format!("index.bad.{n}"))).find(|target| !target.exists());
    let target = target.ok_or_else(|| stopped("too many set-aside indexes: remove some of index.bad.*"))?;
    tracing::warn!(why, to = %target.display(), "the index is set aside and rebuilt from the journal");
    fs::rename(&dir, &target).map_err(io(|| format!("setting {} aside", dir.display())))?;
    sync_dir(root)
}
