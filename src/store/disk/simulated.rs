//! A disk in memory that behaves as badly as a real one may.
//!
//! What is written is there for whoever reads, and lasts only when it was synced. [`Disk::cut_power`] leaves of each file
//! any of the sectors that were not, and of the changes of names in folders that were not any that still make sense.
//! What a failed sync should have written is never written by a later one, and may be forgotten: the system takes it
//! for written. A sector is written whole or not at all. Everything is drawn from one seed.

mod table;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use jiff::SignedDuration;

use super::How;
use crate::model::{Clock, ManualClock};

pub use table::{Table, table_on_this_thread};

const SECTOR: usize = 512;
/// The longest that a slow operation takes.
const MAX_SLOW_SECONDS: i64 = 900;

thread_local! {
    static DISK: RefCell<Option<Arc<Disk>>> = const { RefCell::new(None) };
}

/// Asks this thread's simulated disk; none when it has none.
pub(super) fn on_this_thread<T>(ask: impl FnOnce(&Arc<Disk>) -> T) -> Option<T> {
    let disk = DISK.with_borrow(Clone::clone);
    disk.map(|disk| ask(&disk))
}

/// While it lives, this thread's files are on the simulated disk.
#[derive(Debug)]
pub struct InPlace;

impl Drop for InPlace {
    fn drop(&mut self) {
        DISK.set(None);
    }
}

/// What the disk is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// An empty file comes.
    Create,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A folder comes.
    MakeFolder,
    /// A name changes.
    Rename,
    /// A name goes.
    Remove,
    /// A folder's names are synced.
    SyncFolder,
    /// The index's table is written to.
    Table,
    /// Anything is read.
    Read,
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// There is no space left: a write is cut short, a sync gives up what it should have written.
    Full,
    /// The device does not answer: likewise.
    Broken,
    /// It takes minutes.
    Slow,
    /// The power goes in the middle of it.
    PowerCut,
}

/// Why an operation was not done.
#[derive(Debug)]
enum Trouble {
    /// It failed.
    Failed(io::Error),
    /// The power went meanwhile: it may have been done.
    Cut,
    /// There is no power.
    Off,
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(error) => error,
            Trouble::Cut | Trouble::Off => Self::other("the power is off"),
        }
    }
}

/// How a sector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sector {
    /// As it lasts.
    Clean,
    /// Written and not synced.
    Dirty,
    /// Written and given up by a sync that failed.
    GivenUp,
}

/// A file's bytes: as read now, and as they last.
#[derive(Debug)]
struct Body {
    live: Vec<u8>,
    durable: Vec<u8>,
    sectors: Vec<Sector>,
    modified: SystemTime,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
    Table(usize),
}

type Names = BTreeMap<PathBuf, Node>;

/// A change of names: one that goes, one that comes, or both at once.
#[derive(Debug, Clone)]
struct Change {
    gone: Option<PathBuf>,
    come: Option<(PathBuf, Node)>,
    synced: bool,
}

#[derive(Debug)]
struct State {
    bodies: Vec<Body>,
    tables: Vec<Table>,
    live: Names,
    durable: Names,
    changes: Vec<Change>,
    locks: BTreeSet<PathBuf>,
    random: fastrand::Rng,
    clock: Arc<ManualClock>,
    operations: u64,
    reads: u64,
    faults: BTreeMap<u64, Fault>,
    read_faults: BTreeSet<u64>,
    met: BTreeMap<(Operation, Fault), u64>,
    off: bool,
    /// Nothing is counted, nothing fails, and every name lasts.
    quiet: bool,
}

/// The disk.
#[derive(Debug)]
pub struct Disk(Mutex<State>);

/// An open file.
#[derive(Debug)]
pub struct Handle {
    disk: Arc<Disk>,
    body: usize,
}

/// A locked file.
#[derive(Debug)]
pub struct Lock {
    disk: Arc<Disk>,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}

impl Disk {
    /// An empty disk with one folder, `/`, whose files know the time by `clock`.
    pub fn new(seed: u64, clock: Arc<ManualClock>) -> Arc<Self> {
        let root = Names::from([(PathBuf::from("/"), Node::Folder)]);
        Arc::new(Self(Mutex::new(State {
            bodies: Vec::new(),
            tables: Vec::new(),
            live: root.clone(),
            durable: root,
            changes: Vec::new(),
            locks: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
            clock,
            operations: 0,
            reads: 0,
            faults: BTreeMap::new(),
            read_faults: BTreeSet::new(),
            met: BTreeMap::new(),
            off: false,
            quiet: false,
        })))
    }

    /// Puts it in the place of this thread's disk.
    pub fn put_in_place(self: &Arc<Self>) -> InPlace {
        DISK.set(Some(Arc::clone(self)));
        InPlace
    }

    /// Operations that change something, so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Has the operation with this number go wrong.
    pub fn fail(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// Has the read with this number fail.
    pub fn fail_read(&self, read: u64) {
        self.state().read_faults.insert(read);
    }

    /// Forgets the faults that did not happen.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.read_faults.clear();
    }

    /// How often each operation met each fault.
    pub fn met(&self) -> BTreeMap<(Operation, Fault), u64> {
        self.state().met.clone()
    }

    /// How many faults were met that an operation failed by.
    pub fn failures(&self) -> u64 {
        self.state().met.iter().filter(|((_, fault), _)| *fault != Fault::Slow).map(|(_, count)| count).sum()
    }

    /// Lets someone look without counting, and without anything going wrong: names and tables made meanwhile last.
    pub fn quietly<T>(&self, look: impl FnOnce() -> T) -> T {
        self.state().quiet = true;
        let seen = look();
        self.state().quiet = false;
        seen
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// The power goes and comes back: what was not synced is there in part.
    pub fn cut_power(&self) {
        let state = &mut *self.state();
        state.off = false;
        state.faults.clear();
        state.read_faults.clear();
        // How much of what was not synced lasts: none of it, some, nearly all.
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][state.random.usize(..5)];
        for body in &mut state.bodies {
            body.cut(share, &mut state.random);
        }
        state.cut_names(share);
        for table in &state.tables {
            table.cut(&mut state.random);
        }
    }

    /// The process ends and the system goes on: what was written stays, but for what a failed sync gave up, and for what
    /// the index's table had not handed over yet.
    pub fn end_process(&self) {
        let state = &mut *self.state();
        for body in &mut state.bodies {
            body.forget(&mut state.random);
        }
        for table in &state.tables {
            table.end_process(&mut state.random);
        }
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, path: &Path) -> bool {
        self.state().live.contains_key(path)
    }

    /// One bit of a file, if there is such a file.
    pub fn bit(&self, path: &Path, bit: usize) -> Option<bool> {
        let state = self.state();
        let byte = *state.body_at(path).ok()?.live.get(bit / 8)?;
        Some(byte >> (bit % 8) & 1 == 1)
    }

    /// Changes one bit of a file, at rest.
    pub fn set_bit(&self, path: &Path, bit: usize, on: bool) {
        let state = &mut *self.state();
        let Some(&Node::File(body)) = state.live.get(path) else { return };
        let Body { live, durable, .. } = &mut state.bodies[body];
        for bytes in [live, durable] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte = *byte & !(1 << (bit % 8)) | u8::from(on) << (bit % 8);
            }
        }
    }

    /// Flips a bit of a table, which its checksums show when it is opened next.
    pub fn flip_tables(&self) {
        self.state().tables.iter().for_each(Table::flip);
    }

    /// Removes every name below `folder`, and its own, as if it had never been.
    pub fn lose(&self, folder: &Path) {
        let state = &mut *self.state();
        state.changes.retain(|change| change.come.as_ref().is_none_or(|(path, _)| !path.starts_with(folder)));
        for names in [&mut state.live, &mut state.durable] {
            names.retain(|path, _| !path.starts_with(folder));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(self: &Arc<Self>, path: &Path, how: How) -> io::Result<Handle> {
        let mut state = self.state();
        let body = match (state.live.get(path).copied(), how) {
            (Some(Node::Folder | Node::Table(_)), _) => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            (None, How::Read | How::Write) => {
                state.read()?;
                return Err(io::Error::from(io::ErrorKind::NotFound));
            }
            (Some(Node::File(_)), How::CreateNew) => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            (Some(Node::File(body)), How::Read | How::Write) => {
                state.read()?;
                body
            }
            // Cutting a file to nothing is as good as another file: nothing here relies on what was in it.
            (_, How::Create | How::CreateNew) => {
                let modified = state.clock.now().into();
                state.bodies.push(Body { live: Vec::new(), durable: Vec::new(), sectors: Vec::new(), modified });
                let body = state.bodies.len() - 1;
                state.change(Operation::Create, None, Some((path.to_owned(), Node::File(body))))?;
                body
            }
        };
        drop(state);
        Ok(Handle { disk: Arc::clone(self), body })
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.read()?;
        state.body_at(path).map(|body| body.live.clone())
    }

    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.read()?;
        state.folder(folder)?;
        let below = state.below(folder).filter(|path| path.parent() == Some(folder));
        Ok(below.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(super) fn about(&self, path: &Path) -> io::Result<(u64, SystemTime)> {
        let mut state = self.state();
        state.read()?;
        state.body_at(path).map(|body| (body.live.len() as u64, body.modified))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.has(path)
    }

    pub(super) fn now(&self) -> SystemTime {
        self.state().clock.now().into()
    }

    pub(super) fn lock(self: &Arc<Self>, path: &Path) -> Option<Lock> {
        let new = self.state().locks.insert(path.to_owned());
        new.then(|| Lock { disk: Arc::clone(self), path: path.to_owned() })
    }

    pub(super) fn make_folders(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let folders: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
        for folder in folders.into_iter().rev() {
            if !state.live.contains_key(&folder) {
                state.change(Operation::MakeFolder, None, Some((folder, Node::Folder)))?;
            }
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let node = *state.live.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.change(Operation::Rename, Some(from.to_owned()), Some((to.to_owned(), node)))
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.body_at(path)?;
        state.change(Operation::Remove, Some(path.to_owned()), None)
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.live.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let mut going: Vec<PathBuf> = state.below(path).cloned().collect();
        going.insert(0, path.to_owned());
        going.into_iter().rev().try_for_each(|name| state.change(Operation::Remove, Some(name), None))
    }

    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.folder(path)?;
        state.begin(Operation::SyncFolder)?;
        let here = |name: &PathBuf| name.parent() == Some(path);
        for change in state.changes.iter_mut().filter(|change| !change.synced) {
            let gone = change.gone.as_ref().is_some_and(here);
            change.synced = gone || change.come.as_ref().is_some_and(|(name, _)| here(name));
        }
        let lasting = state.changes.iter().take_while(|change| change.synced).count();
        for change in state.changes.drain(..lasting) {
            alter(&mut state.durable, &change);
        }
        Ok(())
    }
}

impl State {
    /// Begins an operation that changes something, or says what goes wrong with it.
    fn begin(&mut self, what: Operation) -> Result<(), Trouble> {
        if self.quiet {
            return Ok(());
        }
        if self.off {
            return Err(Trouble::Off);
        }
        self.operations += 1;
        let Some(fault) = self.faults.remove(&self.operations) else { return Ok(()) };
        *self.met.entry((what, fault)).or_default() += 1;
        match fault {
            Fault::Slow => {
                self.clock.advance(SignedDuration::from_secs(self.random.i64(1..=MAX_SLOW_SECONDS)));
                Ok(())
            }
            Fault::Full => Err(Trouble::Failed(io::Error::from(io::ErrorKind::StorageFull))),
            Fault::Broken => Err(Trouble::Failed(io::Error::other("the device does not answer"))),
            Fault::PowerCut => {
                self.off = true;
                Err(Trouble::Cut)
            }
        }
    }

    /// Begins a read.
    fn read(&mut self) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.off {
            return Err(Trouble::Off.into());
        }
        self.reads += 1;
        if self.read_faults.remove(&self.reads) {
            *self.met.entry((Operation::Read, Fault::Broken)).or_default() += 1;
            return Err(io::Error::other("the device cannot read this"));
        }
        Ok(())
    }

    fn folder(&self, path: &Path) -> io::Result<()> {
        let found = self.live.get(path) == Some(&Node::Folder);
        if found { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    }

    fn body_at(&self, path: &Path) -> io::Result<&Body> {
        match self.live.get(path) {
            Some(&Node::File(body)) => Ok(&self.bodies[body]),
            Some(_) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    /// Every name below a folder, however deep.
    fn below(&self, folder: &Path) -> impl Iterator<Item = &PathBuf> {
        let behind = self.live.range::<Path, _>((Bound::Excluded(folder), Bound::Unbounded));
        behind.map(|(path, _)| path).take_while(move |path| path.starts_with(folder))
    }

    fn change(&mut self, what: Operation, gone: Option<PathBuf>, come: Option<(PathBuf, Node)>) -> io::Result<()> {
        if let Some((path, _)) = &come {
            self.folder(path.parent().unwrap_or(path))?;
        }
        let begun = self.begin(what);
        if matches!(begun, Ok(()) | Err(Trouble::Cut)) {
            let change = Change { gone, come, synced: false };
            alter(&mut self.live, &change);
            if self.quiet {
                alter(&mut self.durable, &change);
            } else {
                self.changes.push(change);
            }
        }
        Ok(begun?)
    }

    /// Decides which changes of names last.
    fn cut_names(&mut self, share: f64) {
        // A journal of the file system keeps their order; without one, any of them may be there.
        let ordered = self.random.bool();
        let mut going_on = true;
        for change in std::mem::take(&mut self.changes) {
            let lucky = self.random.f64() < share;
            going_on &= lucky;
            if change.synced || (if ordered { going_on } else { lucky }) {
                alter(&mut self.durable, &change);
            }
        }
        // A name needs the folders above it; they sort before it.
        for (path, node) in std::mem::take(&mut self.durable) {
            if path.parent().is_none_or(|folder| self.durable.get(folder) == Some(&Node::Folder)) {
                self.durable.insert(path, node);
            }
        }
        self.live = self.durable.clone();
    }
}

/// Makes a change; what is below a folder moves with it.
fn alter(names: &mut Names, change: &Change) {
    let mut moved = Vec::new();
    if let Some(gone) = &change.gone {
        names.remove(gone);
        let below = names.range::<Path, _>((Bound::Excluded(gone.as_path()), Bound::Unbounded));
        moved =
            below.take_while(|(path, _)| path.starts_with(gone)).map(|(path, &node)| (path.clone(), node)).collect();
        for (path, _) in &moved {
            names.remove(path);
        }
    }
    if let Some((name, node)) = &change.come {
        names.insert(name.clone(), *node);
        for (path, node) in moved {
            if let Some(Ok(rest)) = change.gone.as_ref().map(|gone| path.strip_prefix(gone)) {
                names.insert(name.join(rest), node);
            }
        }
    }
}

impl Body {
    fn write(&mut self, at: usize, bytes: &[u8], now: SystemTime, random: &mut fastrand::Rng) {
        self.modified = now;
        if bytes.is_empty() {
            return;
        }
        // The system writes what it likes when it likes, so that what is overwritten may have lasted.
        if random.u8(..8) == 0 {
            self.settle(Sector::Dirty, 0.5, Sector::Dirty, random);
        }
        let end = at + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
            self.sectors.resize(end.div_ceil(SECTOR), Sector::Clean);
        }
        self.live[at..end].copy_from_slice(bytes);
        self.sectors[at / SECTOR..end.div_ceil(SECTOR)].fill(Sector::Dirty);
    }

    /// Has a share of the sectors that stand as `from` last; the rest stand as `to`.
    fn settle(&mut self, from: Sector, share: f64, to: Sector, random: &mut fastrand::Rng) {
        for sector in 0..self.sectors.len() {
            if self.sectors[sector] == from {
                let lasts = share >= 1.0 || random.f64() < share;
                if lasts {
                    let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.live.len());
                    if self.durable.len() < range.end {
                        self.durable.resize(range.end, 0);
                    }
                    self.durable[range.clone()].copy_from_slice(&self.live[range]);
                }
                self.sectors[sector] = if lasts { Sector::Clean } else { to };
            }
        }
    }

    fn sync(&mut self, random: &mut fastrand::Rng) {
        self.settle(Sector::Dirty, 1.0, Sector::Clean, random);
        self.durable.resize(self.live.len(), 0);
    }

    fn fail_to_sync(&mut self, random: &mut fastrand::Rng) {
        self.settle(Sector::Dirty, 0.3, Sector::GivenUp, random);
        if random.bool() {
            self.forget(random);
        }
    }

    /// Some of what was given up is read again from where it never came.
    fn forget(&mut self, random: &mut fastrand::Rng) {
        for sector in 0..self.sectors.len() {
            if self.sectors[sector] == Sector::GivenUp && random.bool() {
                let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.live.len());
                self.live[range.clone()].fill(0);
                let lasting = range.start.min(self.durable.len())..range.end.min(self.durable.len());
                let place = lasting.start..lasting.end;
                self.live[place].copy_from_slice(&self.durable[lasting]);
                self.sectors[sector] = Sector::Clean;
            }
        }
    }

    fn cut(&mut self, share: f64, random: &mut fastrand::Rng) {
        if self.sectors.iter().any(|&sector| sector != Sector::Clean) {
            self.settle(Sector::GivenUp, share, Sector::Clean, random);
            self.settle(Sector::Dirty, share, Sector::Clean, random);
            // The length may last without the bytes.
            if random.bool() {
                self.durable.resize(self.live.len(), 0);
            }
            self.live.clone_from(&self.durable);
            self.sectors.truncate(self.live.len().div_ceil(SECTOR));
        }
        if random.bool() {
            self.modified = SystemTime::UNIX_EPOCH;
        }
    }
}

impl Handle {
    pub(super) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.read()?;
        let begin = usize::try_from(at).unwrap_or(usize::MAX);
        let found = state.bodies[self.body].live.get(begin..begin.saturating_add(bytes.len()));
        bytes.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    pub(super) fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let begun = state.begin(Operation::Write);
        let part = match begun {
            Ok(()) | Err(Trouble::Cut) => bytes.len(),
            Err(Trouble::Off) => 0,
            // The system takes a write sector by sector.
            Err(Trouble::Failed(_)) => (state.random.usize(at..=at + bytes.len()) / SECTOR * SECTOR).max(at) - at,
        };
        let now = state.clock.now().into();
        state.bodies[self.body].write(at, &bytes[..part], now, &mut state.random);
        Ok(begun?)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let begun = state.begin(Operation::Sync);
        let body = &mut state.bodies[self.body];
        match begun {
            Ok(()) => body.sync(&mut state.random),
            Err(Trouble::Failed(_)) => body.fail_to_sync(&mut state.random),
            Err(Trouble::Cut | Trouble::Off) => {}
        }
        Ok(begun?)
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.read()?;
        Ok(state.bodies[self.body].live.len() as u64)
    }

    pub(super) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        let mut state = self.disk.state();
        state.read()?;
        state.bodies[self.body].modified = time;
        Ok(())
    }
}
