//! sled itself: a guarded open, batches that say how far they reach, setting aside and rebuilding.

use std::{
    ops::Bound,
    path::{Path, PathBuf},
};

use super::{
    apply::apply,
    keys,
    table::{Table, head_bytes, head_of},
    view::View,
};
use crate::model::{Capture, Hit};
use crate::store::{
    content::ContentStore,
    disk,
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

/// The index over the journal.
#[derive(Debug)]
pub(in crate::store) struct Index {
    root: PathBuf,
    table: Table,
    content: ContentStore,
}

impl Index {
    /// Opens the index in the data folder `root`; one that cannot be opened is set aside.
    pub fn open(root: &Path, content: ContentStore, settings: &Settings) -> Result<Self, StoreError> {
        let dir = index_dir(root);
        match Table::open(&dir, settings.cache_bytes) {
            Ok(table) => Ok(Self { root: root.to_owned(), table, content }),
            Err(what) => {
                set_aside(root, &what)?;
                let table = Table::open(&dir, settings.cache_bytes).map_err(|what| stopped(&what))?;
                Ok(Self { root: root.to_owned(), table, content })
            }
        }
    }

    /// Opens the index below `root` if it can be opened; none is set aside.
    pub fn open_existing(root: &Path, content: ContentStore, settings: &Settings) -> Option<Self> {
        Table::open(&index_dir(root), settings.cache_bytes).ok().map(|table| Self {
            root: root.to_owned(),
            table,
            content,
        })
    }

    /// Refuses a journal that ends at `head` when the index reaches further: that is proof that acknowledged records are
    /// gone; it is damage, not something to rebuild from.
    pub fn refuse_if_ahead(&self, head: Head) -> Result<(), StoreError> {
        let applied = self.applied()?;
        if applied.seq <= head.seq {
            return Ok(());
        }
        Err(StoreError::Damaged {
            path: journal_dir(&self.root).display().to_string(),
            what: format!(
                "it ends at sequence {}, though sequence {} had been acknowledged: restore a backup, or remove {} to go on without",
                head.seq,
                applied.seq,
                index_dir(&self.root).display()
            ),
        })
    }

    /// Makes the index fit a journal that ends at `head`, which was just verified: catches up, or is set aside and rebuilt.
    pub fn fit(self, root: &Path, content: ContentStore, settings: &Settings, head: Head) -> Result<Self, StoreError> {
        let applied = self.applied()?;
        let why = if journal::hash_at(&journal_dir(root), applied.seq)? == Some(applied.hash) {
            match self.follow(head, settings) {
                // An index that a power cut made older may need bodies that have gone since.
                Err(StoreError::Damaged { what, .. }) => what,
                followed => return followed.map(|()| self),
            }
        } else {
            "it does not belong to this journal".to_owned()
        };
        let Self { table, .. } = self;
        drop(table);
        set_aside(root, &why)?;
        let index = Self::open(root, content, settings)?;
        index.follow(head, settings)?;
        Ok(index)
    }

    /// Makes sure that it is at `head`: what the journal has, it learns.
    pub fn follow(&self, head: Head, settings: &Settings) -> Result<(), StoreError> {
        let applied = self.applied()?;
        if applied == head {
            return Ok(());
        }
        tracing::info!(from = applied.seq, to = head.seq, "bringing the index up to the journal");
        self.catch_up(&journal_dir(&self.root), head, settings)
    }

    /// How far the journal is applied.
    pub fn applied(&self) -> Result<Head, StoreError> {
        let Some(value) = self.table.get(keys::APPLIED)? else { return Ok(Head::START) };
        head_of(&value).ok_or_else(|| StoreError::Damaged {
            path: "index".into(),
            what: "it does not say how far it reaches".into(),
        })
    }

    /// The counters it keeps.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.view()?.meta().counts)
    }

    /// The first key, if any, at which this index is not as `other`.
    pub fn first_difference(&self, other: &Self) -> Result<Option<Vec<u8>>, StoreError> {
        let all = || Bound::Included(Vec::new());
        let (mut own, mut others) = (self.table.range(all()), other.table.range(all()));
        loop {
            let (mine, theirs) = (own.next().transpose()?, others.next().transpose()?);
            match (mine, theirs) {
                (None, None) => return Ok(None),
                (mine, theirs) if mine == theirs => {}
                (Some((mine, _)), Some((theirs, _))) => return Ok(Some(mine.min(theirs))),
                (Some((key, _)), None) | (None, Some((key, _))) => return Ok(Some(key)),
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

    pub fn table(&self) -> &Table {
        &self.table
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
        self.table.write(changes.into_iter().chain([(keys::APPLIED.to_vec(), Some(head_bytes(head)))]))
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

fn stopped(what: &str) -> StoreError {
    StoreError::Io { doing: "opening the index".into(), source: std::io::Error::other(what.to_owned()) }
}

/// Renames the index so that a new one can take its place; nothing of it is thrown away.
pub(in crate::store) fn set_aside(root: &Path, why: &str) -> Result<(), StoreError> {
    let dir = index_dir(root);
    if !disk::exists(&dir) {
        return Ok(());
    }
    let target = (1..MAX_SET_ASIDE).map(|n| root.join(format!("index.bad.{n}"))).find(|target| !disk::exists(target));
    let target = target.ok_or_else(|| stopped("too many set-aside indexes: remove some of index.bad.*"))?;
    tracing::warn!(why, to = %target.display(), "the index is set aside and rebuilt from the journal");
    disk::rename(&dir, &target).map_err(io(|| format!("setting {} aside", dir.display())))?;
    sync_dir(root)
}
