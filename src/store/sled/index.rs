//! The index over the journal: layers that can be rebuilt, a guarded open, batches that say how far they reach.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::{Bound, ControlFlow},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{
    apply::apply,
    delta::{self, Delta, Opened},
    keys,
    layers::Layers,
    pace::Pace,
    table::Step,
    view::{Changes, View},
};
use crate::{
    model::{Capture, Hit},
    store::{
        content::ContentStore,
        disk,
        event::Entry,
        folder::{SNAPSHOT_FORMAT, index_dir, io, journal_dir, raise_format, sync_dir},
        journal::{self, Begin, Head},
        port::{Counts, StoreError, StoredListing},
        settings::Settings,
        snapshot::{self, Snapshot},
    },
};

/// Changes gathered before a rebuild writes them.
const REBUILD_CHANGES: usize = 4096;
/// Set-aside indexes looked at when naming the next.
const MAX_SET_ASIDE: u32 = 10_000;
/// Snapshots kept: the one in use, and the one before, should the disk spoil it.
const KEPT_SNAPSHOTS: usize = 2;
/// A delta is merged when it is this part of what it lies over, however much that is: each merge may write all of it again.
const LEAST_PART: u64 = 32;
/// While the index is brought up to the journal a delta may grow to so many times that: whoever opens the store waits for each
/// merge, and one in the background takes in all of it later.
const CATCHING_UP: u64 = 3;
/// An empty index that is so many records behind is brought up in memory.
const FAR: u64 = if cfg!(test) { 4 } else { 1000 };

/// By queue, a key that no live key comes before.
type Fronts = BTreeMap<&'static [u8], Vec<u8>>;

/// Lets whoever changes layers in between two groups of the writer, who would else take the lock again at once.
#[derive(Debug, Default)]
struct Gate {
    lock: Mutex<()>,
    waiting: AtomicUsize,
}

impl Gate {
    fn enter(&self) -> MutexGuard<'_, ()> {
        while self.waiting.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn between(&self) -> MutexGuard<'_, ()> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let entered = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        entered
    }
}

/// The index.
#[derive(Debug)]
pub(in crate::store) struct Index {
    root: PathBuf,
    layers: RwLock<Arc<Layers>>,
    content: ContentStore,
    settings: Settings,
    gate: Gate,
    /// One merge at a time.
    merging: Mutex<()>,
    /// Set when the store closes: a merge at hand is given up, since the next opening can make it.
    closing: AtomicBool,
    /// Where the first live key of a queue is, at the earliest: what was removed before need not be walked over.
    fronts: Mutex<Fronts>,
}

impl Index {
    /// Opens the index in the data folder `root`, or makes it; one that cannot be used is set aside, and a snapshot too.
    pub fn open(root: &Path, content: ContentStore, settings: &Settings) -> Result<Self, StoreError> {
        let mut base = None;
        for (_, path) in snapshot::newest(root)? {
            match Snapshot::open(&path, settings.cache_bytes / 2) {
                Ok(opened) => {
                    base = Some(Arc::new(opened));
                    break;
                }
                Err(error @ StoreError::Damaged { .. }) => snapshot::set_aside(&path, &error)?,
                Err(error) => return Err(error),
            }
        }
        let layers = match chain(root, base.clone(), settings)? {
            Ok(layers) => layers,
            Err(what) => {
                set_aside(root, &what)?;
                begin(root, base, settings)?
            }
        };
        Ok(Self::over(root, layers, content, settings))
    }

    /// Opens the index below `root` as it is, or says why it cannot be used; none is set aside.
    pub fn open_existing(
        root: &Path,
        content: ContentStore,
        settings: &Settings,
    ) -> Result<Result<Self, String>, StoreError> {
        let newest = snapshot::newest(root)?.into_iter().next();
        let base = match newest.map(|(_, path)| Snapshot::open(&path, settings.cache_bytes / 2)).transpose() {
            Ok(base) => base.map(Arc::new),
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(chain(root, base, settings)?.map(|layers| Self::over(root, layers, content, settings)))
    }

    fn over(root: &Path, layers: Layers, content: ContentStore, settings: &Settings) -> Self {
        Self {
            root: root.to_owned(),
            layers: RwLock::new(Arc::new(layers)),
            content,
            settings: settings.clone(),
            gate: Gate::default(),
            merging: Mutex::default(),
            closing: AtomicBool::new(false),
            fronts: Mutex::default(),
        }
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
                "it ends at sequence {}, though sequence {} had been acknowledged: restore a backup, or remove {} and {} to go on without",
                head.seq,
                applied.seq,
                index_dir(&self.root).display(),
                crate::store::folder::snapshot_dir(&self.root).display(),
            ),
        })
    }

    /// Makes the index fit a journal that ends at `head`: catches up, or is set aside and rebuilt.
    pub fn fit(self, head: Head) -> Result<Self, StoreError> {
        let mut index = self;
        let dir = journal_dir(&index.root);
        let begin = Begin::of(&dir)?;
        if index.applied()?.seq < begin.head.seq {
            let what = format!(
                "it begins behind sequence {}, and no snapshot that can be used reaches that far: bring one back from a backup, or \
                 the older segments from {}",
                begin.head.seq, begin.kept_in
            );
            return Err(StoreError::Damaged { path: dir.display().to_string(), what });
        }
        let belongs = |to: Head| Ok::<_, StoreError>(journal::hash_at(&dir, to.seq)? == Some(to.hash));
        if !belongs(index.applied()?)? {
            let (root, content, settings) = (index.root.clone(), index.content.clone(), index.settings.clone());
            let base = index.layers().base.clone();
            drop(index);
            set_aside(&root, "it does not belong to this journal")?;
            if let Some(base) = base
                && !belongs(base.head())?
            {
                let what = "it does not belong to this journal".to_owned();
                let path = base.path().display().to_string();
                snapshot::set_aside(base.path(), &StoreError::Damaged { path, what })?;
            }
            index = Self::open(&root, content, &settings)?;
            // An older snapshot may be another journal's too.
            if !belongs(index.applied()?)? {
                return index.fit(head);
            }
        }
        match index.follow(head) {
            // An index that a power cut made older may need bodies that have gone since.
            Err(StoreError::Damaged { what, .. }) => {
                let (root, content, settings) = (index.root.clone(), index.content.clone(), index.settings.clone());
                drop(index);
                set_aside(&root, &what)?;
                let index = Self::open(&root, content, &settings)?;
                index.follow(head).map(|()| index)
            }
            followed => followed.map(|()| index),
        }
    }

    /// Makes sure that it is at `head`: what the journal has, it learns.
    pub fn follow(&self, head: Head) -> Result<(), StoreError> {
        self.fronts().clear();
        let applied = self.applied()?;
        if applied != head {
            tracing::info!(from = applied.seq, to = head.seq, "bringing the index up to the journal");
            self.catch_up(&journal_dir(&self.root), head)?;
        }
        let layers = self.layers();
        keys::WORKED_OFF.into_iter().try_for_each(|queue| self.find_front(&layers, queue))
    }

    /// How far the journal is applied.
    pub fn applied(&self) -> Result<Head, StoreError> {
        self.layers().fresh.applied()
    }

    /// The counters it keeps.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.view()?.meta().counts)
    }

    /// The first key, if any, at which this index is not as `other`.
    pub fn first_difference(&self, other: &Self) -> Result<Option<Vec<u8>>, StoreError> {
        let all = |index: &Self| index.layers().range(Bound::Unbounded, &[]);
        let (mut own, mut others) = (all(self), all(other));
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

    /// Shows every listing.
    pub fn each_listing(&self, show: &mut dyn FnMut(StoredListing)) -> Result<(), StoreError> {
        let view = self.view()?;
        view.scan(keys::LISTINGS, None).try_for_each(|step| view.decode(&step?.1).map(&mut *show))
    }

    /// A view for reading alone; what is kept inline does not matter to it.
    fn view(&self) -> Result<View<'_>, StoreError> {
        View::new(self, 0)
    }

    /// The layers at this moment.
    pub(super) fn layers(&self) -> Arc<Layers> {
        Arc::clone(&self.layers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn content(&self) -> &ContentStore {
        &self.content
    }

    /// Held while a group is decided and written: the layer that is written to does not change meanwhile.
    pub fn enter(&self) -> MutexGuard<'_, ()> {
        self.gate.enter()
    }

    /// Writes changes that reach `head`, all or none.
    pub(super) fn write(&self, layers: &Layers, changes: Changes, head: Head) -> Result<(), StoreError> {
        let mut moved = BTreeSet::new();
        let mut writes = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            moved.extend(self.move_front(&key, value.is_some()));
            let hides = value.is_none() && layers.has_below(&key)?;
            writes.push((key, if hides { Some(delta::GONE.to_vec()) } else { value }));
        }
        layers.fresh.write(writes, head)?;
        for queue in moved {
            if let Err(error) = self.find_front(layers, queue) {
                // The changes stand; a walk only takes longer.
                tracing::warn!(%error, "cannot find the front of a queue");
                self.fronts().remove(queue);
            }
        }
        Ok(())
    }

    /// Where a walk over `prefix` may begin.
    pub fn front(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        self.fronts().get(prefix).cloned()
    }

    /// Before a key is written: a queue's front goes back to one that comes before it. Returns the queue when its first
    /// key goes, so that the front has to be found anew.
    fn move_front(&self, key: &[u8], comes: bool) -> Option<&'static [u8]> {
        let queue = keys::WORKED_OFF.into_iter().find(|queue| key.starts_with(queue))?;
        let mut fronts = self.fronts();
        match (fronts.get_mut(queue), comes) {
            (Some(front), true) => {
                if key < front.as_slice() {
                    *front = key.to_vec();
                }
                None
            }
            (Some(front), false) => (key == front.as_slice()).then_some(queue),
            (None, comes) => (!comes).then_some(queue),
        }
    }

    /// Walks from a queue's front to its first live key. Only by whoever writes.
    fn find_front(&self, layers: &Layers, queue: &'static [u8]) -> Result<(), StoreError> {
        let begin = self.front(queue).unwrap_or_else(|| queue.to_vec());
        let first = layers.range(Bound::Included(begin), queue).next().transpose()?;
        // Behind every key that the queue can have.
        let front = first.map_or_else(|| [queue, &[u8::MAX; 16]].concat(), |(key, _)| key);
        self.fronts().insert(queue, front);
        Ok(())
    }

    fn fronts(&self) -> MutexGuard<'_, Fronts> {
        self.fronts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the journal in `journal` up to `head`, its end.
    pub fn catch_up(&self, journal: &Path, head: Head) -> Result<(), StoreError> {
        let from = self.applied()?;
        let mut reached = from;
        while reached.seq < head.seq {
            if head.seq - reached.seq >= FAR {
                self.float()?;
            }
            self.catch_up_a_part(journal, &mut reached, head)?;
            if reached.seq < head.seq {
                self.merge_now()?;
            }
        }
        match self.applied()? {
            applied if applied == head => Ok(()),
            applied => Err(stopped(&format!("the index reached sequence {} of {}", applied.seq, head.seq))),
        }
    }

    /// Has changes be kept in memory, where there are none yet.
    fn float(&self) -> Result<(), StoreError> {
        let layers = self.layers();
        if layers.frozen.is_some() || layers.fresh.applied()? != layers.fresh.base() {
            return Ok(());
        }
        let fresh = Delta::begin_in_memory(Arc::clone(&layers.fresh), layers.get(keys::STATE)?)?;
        self.put(Layers { fresh: Arc::new(fresh), frozen: None, base: layers.base.clone() });
        Ok(())
    }

    /// Applies what fits into one delta, at least something.
    fn catch_up_a_part(&self, journal: &Path, reached: &mut Head, end: Head) -> Result<(), StoreError> {
        let mut view = View::new(self, self.settings.inline_bytes)?;
        let mut last = *reached;
        journal::read_while(journal, reached.seq + 1..=end.seq, &mut |head, payload| {
            if head.seq != last.seq + 1 {
                let what =
                    format!("sequence {} is not in it: bring its oldest segments back from a backup", last.seq + 1);
                return Err(StoreError::Damaged { path: journal.display().to_string(), what });
            }
            apply(&mut view, &Entry::decode(head.seq, payload)?)?;
            last = *head;
            if view.pending() < REBUILD_CHANGES && head.seq != end.seq {
                return Ok(ControlFlow::Continue(()));
            }
            view.commit(*head)?;
            Ok(if self.is_full_by(CATCHING_UP) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if last.seq == reached.seq {
            return Err(stopped(&format!("the journal ends before sequence {}", end.seq)));
        }
        *reached = last;
        Ok(())
    }

    /// Whether so much was changed since the last snapshot that the next is due, or some of it is in memory alone.
    pub fn is_full(&self) -> bool {
        self.is_full_by(1) || self.layers().fresh.is_in_memory()
    }

    pub(super) fn is_full_by(&self, times: u64) -> bool {
        let layers = self.layers();
        let least = layers.base.as_ref().map_or(0, |base| base.bytes() / LEAST_PART);
        layers.fresh.written() >= self.settings.snapshot_bytes.max(least).saturating_mul(times)
    }

    /// Makes the next snapshot of everything by now. Returns the sequence it reaches; none when nothing was changed since
    /// the last.
    ///
    /// What was changed is first counted and held against what was written; if they differ, the index is rebuilt.
    pub fn merge_now(&self) -> Result<Option<u64>, StoreError> {
        self.merge_once(&Pace::of(self))
    }

    /// Like [`merge_now`](Self::merge_now), with rests, so that others get at the store and the machine.
    pub fn merge_with_rests(&self) -> Result<Option<u64>, StoreError> {
        self.merge_once(&Pace::with_rests(self))
    }

    fn merge_once(&self, pace: &Pace<'_>) -> Result<Option<u64>, StoreError> {
        let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.freeze()? {
            return Ok(None);
        }
        match self.merge(pace) {
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(%error, "a part of the index is damaged; it is rebuilt from the journal");
                self.heal()?;
                Ok(None)
            }
            merged => merged.map(Some),
        }
    }

    /// The hashes of the bodies that any layer's values lie in, hidden ones too, and those of every kept snapshot: with
    /// them the index can be opened again whatever a power cut leaves of it.
    pub fn bodies(&self) -> Result<HashSet<String>, StoreError> {
        let mut bodies = HashSet::new();
        let mut add = |step: Step| {
            let (key, value) = step?;
            if key.first() != Some(&keys::OWN) {
                bodies.extend(super::view::body_of(&value));
            }
            Ok(())
        };
        let layers = self.layers();
        for delta in std::iter::once(&layers.fresh).chain(&layers.frozen) {
            delta.range(Bound::Unbounded).try_for_each(&mut add)?;
        }
        for (_, path) in snapshot::newest(&self.root)? {
            match Snapshot::open(&path, 0) {
                Ok(kept) => Arc::new(kept).range(Bound::Unbounded).try_for_each(&mut add)?,
                // The next one has taken its place meanwhile, or nobody will open it again.
                Err(StoreError::Damaged { .. }) => {}
                Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bodies)
    }

    /// Reads all of the snapshot in use and holds it against what it says of itself; when it is damaged, the index is rebuilt.
    pub fn prove_snapshot(&self) -> Result<(), StoreError> {
        let Some(base) = self.layers().base.clone() else { return Ok(()) };
        match base.prove() {
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(%error, "the snapshot is damaged; the index is rebuilt from the journal");
                let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
                self.heal()
            }
            proved => proved,
        }
    }

    /// Whether a merge was begun and not ended.
    pub fn is_merging(&self) -> bool {
        self.layers().frozen.is_some()
    }

    /// Whether [`close`](Self::close) was asked.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Has a merge at hand be given up.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Puts an empty delta on top; false when there is nothing below it to merge.
    fn freeze(&self) -> Result<bool, StoreError> {
        let layers = self.layers();
        if layers.frozen.is_some() {
            return Ok(true);
        }
        if layers.fresh.applied()? == layers.fresh.base() {
            return Ok(false);
        }
        let dir = next_place(&self.root)?;
        let table = Delta::prepare(&dir, self.settings.cache_bytes)?;
        let _alone = self.gate.between();
        let layers = self.layers();
        let begun = layers
            .get(keys::STATE)
            .and_then(|state| Delta::begin(table, &dir, layers.fresh.applied()?, state, layers.fresh.is_in_memory()));
        let fresh = match begun {
            Ok(fresh) => fresh,
            Err(error) => {
                // It may have come to be, and would not fit what is written to the old one from now on.
                drop(disk::remove_folder(&dir));
                return Err(error);
            }
        };
        self.put(Layers { fresh: Arc::new(fresh), frozen: Some(Arc::clone(&layers.fresh)), base: layers.base.clone() });
        Ok(true)
    }

    /// Merges the frozen delta and the snapshot below it into the next.
    fn merge(&self, pace: &Pace<'_>) -> Result<u64, StoreError> {
        let layers = self.layers();
        let Some(frozen) = &layers.frozen else { return Ok(layers.base_head().seq) };
        frozen.prove(pace)?;
        let head = frozen.applied()?;
        let mut changes = frozen.range(Bound::Unbounded).filter_map(|step| match step {
            Ok((key, _)) if key.first() == Some(&keys::OWN) => None,
            Ok((key, value)) => Some(Ok((key, Some(value).filter(|value| value != delta::GONE)))),
            Err(error) => Some(Err(error)),
        });
        // Before the first snapshot, so that a program that cannot read it says so.
        raise_format(&self.root, SNAPSHOT_FORMAT)?;
        let cache = self.settings.cache_bytes / 2;
        let merge =
            snapshot::Merge { head, base: layers.base.as_deref(), changes: &mut changes, pause: &|| pace.step() };
        let base = snapshot::write(&self.root, merge, cache)?;
        tracing::info!(seq = head.seq, bytes = base.bytes(), "made a snapshot");
        self.put(Layers { fresh: Arc::clone(&layers.fresh), frozen: None, base: Some(base) });
        frozen.retire();
        for (_, path) in snapshot::newest(&self.root)?.into_iter().skip(KEPT_SNAPSHOTS) {
            disk::remove(&path).map_err(io(|| format!("removing {}", path.display())))?;
        }
        Ok(head.seq)
    }

    /// Rebuilds the layers beside the damaged ones, from the newest snapshot that is whole, and takes their place.
    fn heal(&self) -> Result<(), StoreError> {
        let mut base = None;
        for (_, path) in snapshot::newest(&self.root)? {
            let proved = Snapshot::open(&path, self.settings.cache_bytes / 2).and_then(|opened| {
                opened.prove()?;
                Ok(opened)
            });
            match proved {
                Ok(opened) => {
                    base = Some(Arc::new(opened));
                    break;
                }
                Err(error @ StoreError::Damaged { .. }) => snapshot::set_aside(&path, &error)?,
                Err(error) => return Err(error),
            }
        }
        let old: Vec<Arc<Delta>> = {
            let layers = self.layers();
            std::iter::once(&layers.fresh).chain(&layers.frozen).map(Arc::clone).collect()
        };
        let rebuilt =
            Self::over(&self.root, begin(&self.root, base, &self.settings)?, self.content.clone(), &self.settings);
        let journal = journal_dir(&self.root);
        rebuilt.catch_up(&journal, self.applied()?)?;
        let _alone = self.gate.between();
        rebuilt.catch_up(&journal, self.applied()?)?;
        self.put((*rebuilt.layers()).clone());
        self.fronts().clear();
        for delta in old {
            delta.retire();
        }
        Ok(())
    }

    fn put(&self, layers: Layers) {
        *self.layers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(layers);
    }
}

/// The deltas over `base`, as they lie in the data folder; or why they cannot be used. What was merged already goes.
fn chain(root: &Path, base: Option<Arc<Snapshot>>, settings: &Settings) -> Result<Result<Layers, String>, StoreError> {
    if disk::exists(&index_dir(root).join("db")) {
        return Ok(Err("it has the form it had before there were snapshots".to_owned()));
    }
    let mut deltas = Vec::new();
    let merged = base.as_ref().map_or(0, |base| base.head().seq);
    for (_, dir) in delta::folders(root)? {
        match Delta::open(&dir, settings.cache_bytes) {
            Opened::Usable(delta) if delta.applied()?.seq <= merged && delta.base().seq < merged => delta.retire(),
            Opened::Usable(delta) => deltas.push(delta),
            Opened::Unused => disk::remove_folder(&dir).map_err(io(|| format!("removing {}", dir.display())))?,
            Opened::Broken(what) => return Ok(Err(what)),
        }
    }
    let mut at = base.as_ref().map_or(Head::START, |base| base.head());
    let mut found: Vec<Arc<Delta>> = Vec::new();
    while let Some(place) = deltas.iter().position(|delta| delta.base() == at) {
        let delta = deltas.swap_remove(place);
        at = delta.applied()?;
        found.push(Arc::new(delta));
        if at == found.last().map_or(at, |delta| delta.base()) {
            break;
        }
    }
    // What was begun over changes in memory that were not merged before the process ended.
    for afloat in deltas.extract_if(.., |delta| delta.is_afloat()) {
        afloat.retire();
    }
    if !deltas.is_empty() {
        return Ok(Err("its parts do not follow each other".to_owned()));
    }
    match (found.pop(), found.pop()) {
        (Some(fresh), frozen) if found.is_empty() => Ok(Ok(Layers { fresh, frozen, base })),
        (None, _) => begin(root, base, settings).map(Ok),
        _ => Ok(Err("it has more parts than one merge can leave".to_owned())),
    }
}

/// Layers without changes over `base`.
fn begin(root: &Path, base: Option<Arc<Snapshot>>, settings: &Settings) -> Result<Layers, StoreError> {
    disk::make_folders(&index_dir(root)).map_err(io(|| format!("making {}", index_dir(root).display())))?;
    sync_dir(root)?;
    let dir = next_place(root)?;
    let head = base.as_ref().map_or(Head::START, |base| base.head());
    let state = base.as_ref().map_or(Ok(None), |base| base.get(keys::STATE))?;
    let fresh = Delta::begin(Delta::prepare(&dir, settings.cache_bytes)?, &dir, head, state, false)?;
    Ok(Layers { fresh: Arc::new(fresh), frozen: None, base })
}

/// Where the next delta goes.
fn next_place(root: &Path) -> Result<PathBuf, StoreError> {
    let last = delta::folders(root)?.last().map_or(0, |(number, _)| *number);
    Ok(delta::place(root, last.saturating_add(1)))
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
