//! A disk in memory that behaves as badly as a real one may.
//!
//! What is written is there for whoever reads, and lasts only when it was synced. [`Disk::cut_power`] leaves of each write
//! since then any of its sectors, of each change of names since its folder was synced any that still makes sense. After
//! a sync that failed, what it should have written is never written by a later one: the system forgets which pages were
//! changed. Everything is drawn from one seed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::How;

const SECTOR: usize = 512;

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

/// A file's bytes: as read now, as they last, and what was written since.
#[derive(Debug, Clone, Default)]
struct Body {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
    /// Written, and forgotten by a sync that failed: it may have reached the disk or not.
    forgotten: Vec<(usize, Vec<u8>)>,
    modified: Duration,
}

/// A change of names: those that go, and those that come.
#[derive(Debug, Clone)]
struct Change {
    gone: Option<PathBuf>,
    come: Option<(PathBuf, Option<usize>)>,
    synced: bool,
}

#[derive(Debug, Default)]
struct State {
    bodies: Vec<Body>,
    /// Names as they are now: a file's body, or a folder.
    live: BTreeMap<PathBuf, Option<usize>>,
    durable: BTreeMap<PathBuf, Option<usize>>,
    changes: Vec<Change>,
    random: fastrand::Rng,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    tables: BTreeMap<PathBuf, Table>,
    off: bool,
    met: BTreeSet<&'static str>,
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no space left: a write is cut short.
    Full,
    /// The device does not answer: a write is cut short, a sync forgets what it should have written.
    Broken,
    /// The power goes, in the middle of a write.
    PowerCut,
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

impl Disk {
    /// An empty disk with one folder, `/`.
    pub fn new(seed: u64) -> Arc<Self> {
        let random = fastrand::Rng::with_seed(seed);
        let root = BTreeMap::from([(PathBuf::from("/"), None)]);
        Arc::new(Self(Mutex::new(State { live: root.clone(), durable: root, random, ..State::default() })))
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

    /// Has the operation with this number go wrong.
    pub fn fail(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// The faults that were met, by the operation they met.
    pub fn met(&self) -> BTreeSet<&'static str> {
        self.state().met.clone()
    }

    /// Forgets the faults that did not happen.
    pub fn heal(&self) {
        self.state().faults.clear();
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
        // How much of what was not synced lasts: none of it, some, nearly all.
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][state.random.usize(..5)];
        for body in &mut state.bodies {
            let Body { durable, pending, forgotten, .. } = body;
            for (at, bytes) in forgotten.drain(..).chain(pending.drain(..)) {
                write_some(durable, at, &bytes, share, &mut state.random);
            }
            body.live = body.durable.clone();
        }
        for change in std::mem::take(&mut state.changes) {
            if change.synced || state.random.f64() < share {
                alter(&mut state.durable, &change);
            }
        }
        // A name needs the folders above it.
        let durable = std::mem::take(&mut state.durable);
        for (path, body) in durable {
            if path.parent().is_none_or(|folder| state.durable.get(folder) == Some(&None)) {
                state.durable.insert(path, body);
            }
        }
        state.live = state.durable.clone();
        state.tables.retain(|folder, _| state.live.contains_key(folder));
        for table in state.tables.values() {
            table.cut(&mut state.random);
        }
    }

    /// Flips one bit of a file, at rest.
    pub fn flip(&self, path: &Path, bit: usize) {
        let state = &mut *self.state();
        if let Some(&Some(body)) = state.live.get(path) {
            let Body { live, durable, .. } = &mut state.bodies[body];
            for bytes in [live, durable] {
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(self: &Arc<Self>, path: &Path, how: How) -> io::Result<Handle> {
        let mut state = self.state();
        state.power()?;
        let known = state.live.get(path).copied();
        let body = match (known, how) {
            (Some(None), _) => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            (None, How::Read | How::Write) => return Err(io::Error::from(io::ErrorKind::NotFound)),
            (Some(Some(_)), How::CreateNew) => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            (Some(Some(body)), How::Read | How::Write) => body,
            // Cutting a file to nothing is as good as another file: nothing here relies on what was in it.
            (_, How::Create | How::CreateNew) => {
                state.folder_of(path)?;
                state.begin("create")?;
                state.bodies.push(Body::default());
                let body = state.bodies.len() - 1;
                state.change(None, Some((path.to_owned(), Some(body))));
                body
            }
        };
        drop(state);
        Ok(Handle { disk: Arc::clone(self), body })
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        state.power()?;
        match state.live.get(path) {
            Some(&Some(body)) => Ok(state.bodies[body].live.clone()),
            Some(None) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.power()?;
        if state.live.get(folder) != Some(&None) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let below = state.live.keys().filter(|path| path.parent() == Some(folder));
        Ok(below.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(super) fn about(&self, path: &Path) -> io::Result<(u64, SystemTime)> {
        let state = self.state();
        state.power()?;
        match state.live.get(path) {
            Some(&Some(body)) => {
                let body = &state.bodies[body];
                Ok((body.live.len() as u64, SystemTime::UNIX_EPOCH + body.modified))
            }
            Some(None) => Ok((0, SystemTime::UNIX_EPOCH)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.state().live.contains_key(path)
    }

    pub(super) fn make_folders(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let folders: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
        for folder in folders.into_iter().rev() {
            if !state.live.contains_key(&folder) {
                state.begin("make a folder")?;
                state.change(None, Some((folder, None)));
            }
        }
        state.power()
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let body = *state.live.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.folder_of(to)?;
        state.begin("rename")?;
        state.change(Some(from.to_owned()), Some((to.to_owned(), body)));
        if let Some(table) = state.tables.remove(from) {
            state.tables.insert(to.to_owned(), table);
        }
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.live.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        state.begin("remove")?;
        state.change(Some(path.to_owned()), None);
        state.tables.remove(path);
        Ok(())
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.live.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        state.begin("remove a folder")?;
        let below: Vec<PathBuf> = state.live.keys().filter(|name| name.starts_with(path)).cloned().collect();
        for name in below.into_iter().rev() {
            state.tables.remove(&name);
            state.change(Some(name), None);
        }
        Ok(())
    }

    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.folder_of(&path.join("x"))?;
        state.begin("sync a folder")?;
        let here = |name: &PathBuf| name.parent() == Some(path);
        for change in &mut state.changes {
            let gone = change.gone.as_ref().is_some_and(here);
            change.synced |= gone || change.come.as_ref().is_some_and(|(name, _)| here(name));
        }
        Ok(())
    }
}

impl State {
    fn power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Begins an operation that changes something, or says what goes wrong with it.
    fn begin(&mut self, what: &'static str) -> io::Result<()> {
        self.power()?;
        self.operations += 1;
        let Some(fault) = self.faults.remove(&self.operations) else { return Ok(()) };
        self.met.insert(what);
        Err(match fault {
            Fault::Full => io::Error::from(io::ErrorKind::StorageFull),
            Fault::Broken => io::Error::other("the device does not answer"),
            Fault::PowerCut => {
                self.off = true;
                io::Error::other("the power went")
            }
        })
    }

    fn folder_of(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().and_then(|folder| self.live.get(folder));
        if folder == Some(&None) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    }

    fn change(&mut self, gone: Option<PathBuf>, come: Option<(PathBuf, Option<usize>)>) {
        let change = Change { gone, come, synced: false };
        alter(&mut self.live, &change);
        self.changes.push(change);
    }
}

fn alter(names: &mut BTreeMap<PathBuf, Option<usize>>, change: &Change) {
    if let Some(gone) = &change.gone {
        names.remove(gone);
    }
    if let Some((name, body)) = &change.come {
        names.insert(name.clone(), *body);
    }
}

impl Handle {
    pub(super) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        state.power()?;
        let begin = usize::try_from(at).unwrap_or(usize::MAX);
        let found = state.bodies[self.body].live.get(begin..begin.saturating_add(bytes.len()));
        bytes.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    pub(super) fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let begun = state.begin("write");
        let part = match begun {
            Ok(()) => bytes.len(),
            // Off already, or cut short now.
            Err(_) if state.off && !state.met.contains("write") => 0,
            // The system takes a write sector by sector.
            Err(_) => (state.random.usize(at..=at + bytes.len()) / SECTOR * SECTOR).max(at) - at,
        };
        let now = Duration::from_secs(state.operations);
        let body = &mut state.bodies[self.body];
        let written = bytes[..part].to_vec();
        write(&mut body.live, at, &written);
        body.pending.push((at, written));
        body.modified = now;
        begun
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = state.begin("sync");
        let off = state.off;
        let body = &mut state.bodies[self.body];
        match begun {
            Ok(()) => {
                let Body { live, durable, pending, forgotten, .. } = body;
                for (at, bytes) in pending.drain(..) {
                    // Whole sectors reach the disk, with whatever else is in them.
                    let begin = at / SECTOR * SECTOR;
                    let end = (at + bytes.len()).next_multiple_of(SECTOR).min(live.len());
                    write(durable, begin, &live[begin..end]);
                    forgotten.retain(|(place, _)| !(begin..end).contains(place));
                }
            }
            Err(_) if off => {}
            Err(_) => {
                for (at, bytes) in std::mem::take(&mut body.pending) {
                    let cut = |begin: usize| begin..((begin / SECTOR + 1) * SECTOR).min(at + bytes.len());
                    let mut place = at;
                    while place < at + bytes.len() {
                        let sector = cut(place);
                        body.forgotten.push((place, bytes[sector.start - at..sector.end - at].to_vec()));
                        place = sector.end;
                    }
                }
            }
        }
        begun
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.power()?;
        Ok(state.bodies[self.body].live.len() as u64)
    }

    pub(super) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.disk.state().bodies[self.body].modified = since;
        Ok(())
    }
}

fn write(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[at..end].copy_from_slice(bytes);
}

/// Writes some of the sectors that `bytes` touch; the length may grow without the bytes.
fn write_some(into: &mut Vec<u8>, at: usize, bytes: &[u8], share: f64, random: &mut fastrand::Rng) {
    let end = at + bytes.len();
    let mut begin = at;
    while begin < end {
        let next = ((begin / SECTOR + 1) * SECTOR).min(end);
        if random.f64() < share {
            write(into, begin, &bytes[begin - at..next - at]);
        }
        begin = next;
    }
}

/// A table of the index on the simulated disk. After a power cut it may be whole, older, empty, or beyond opening.
#[derive(Debug, Clone, Default)]
pub struct Table(Arc<Mutex<TableState>>);

type Values = BTreeMap<Vec<u8>, Vec<u8>>;
type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Debug, Default)]
struct TableState {
    values: Values,
    writes: Vec<Writes>,
    broken: bool,
}

/// The table in `folder` of this thread's disk, made when it is new; none when the thread has no simulated disk.
pub fn table_on_this_thread(folder: &Path) -> Option<Result<Table, String>> {
    on_this_thread(|disk| {
        let mut state = disk.state();
        state.power().map_err(|error| error.to_string())?;
        state.live.entry(folder.to_owned()).or_insert(None);
        state.durable.entry(folder.to_owned()).or_insert(None);
        let table = state.tables.entry(folder.to_owned()).or_default().clone();
        let broken = table.state().broken;
        if broken { Err("it is broken".to_owned()) } else { Ok(table) }
    })
}

impl Table {
    fn state(&self) -> MutexGuard<'_, TableState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state().values.get(key).cloned())
    }

    pub fn range(
        &self,
        range: (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>),
    ) -> std::vec::IntoIter<(Vec<u8>, Vec<u8>)> {
        let state = self.state();
        let found: Vec<_> = state.values.range(range).map(|(key, value)| (key.clone(), value.clone())).collect();
        found.into_iter()
    }

    pub fn write(&self, writes: Writes) -> io::Result<()> {
        on_this_thread(|disk| disk.state().begin("write to the index")).unwrap_or(Ok(()))?;
        let mut state = self.state();
        put(&mut state.values, &writes);
        state.writes.push(writes);
        Ok(())
    }

    fn cut(&self, random: &mut fastrand::Rng) {
        let mut state = self.state();
        match random.u8(..8) {
            0 => state.broken = true,
            1 => state.writes.clear(),
            2..5 => {
                let kept = random.usize(..=state.writes.len());
                state.writes.truncate(kept);
            }
            _ => {}
        }
        let mut values = Values::new();
        state.writes.iter().for_each(|writes| put(&mut values, writes));
        state.values = values;
    }
}

fn put(values: &mut Values, writes: &Writes) {
    for (key, value) in writes.iter().cloned() {
        match value {
            Some(value) => drop(values.insert(key, value)),
            None => drop(values.remove(&key)),
        }
    }
}
