//! A registry in its folder: the newest base, the changes since, and how both become the next base.
//!
//! `base-N.registry` holds what every `changes-M.log` with M below N said; those from N on are read over it. A compaction
//! begins the next log, writes base and earlier logs as the base of that number, and only then removes them: a process that
//! is killed anywhere leaves a base and all logs that belong to it.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::SystemTime,
};

use super::{
    base::Base,
    build::{Builder, sync_folder},
    delta::{Change, Changes, Delta},
    error::{RegistryError, Result, damaged, io},
    log::Log,
    view::View,
};
use crate::files;

/// A registry, open for changing by one process, and in it by one thread at a time; it may be read meanwhile.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    view: Current,
    writer: Mutex<Writer>,
    compacting: Mutex<()>,
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    log: Log,
    /// The number of the log.
    number: u64,
    /// Since the base.
    changes: Changes,
    /// Since the log began.
    recent: Changes,
}

impl Registry {
    /// Builds a registry in `folder` of what `fill` adds; one that was there is replaced when all of the new one is written.
    ///
    /// # Errors
    /// When `fill` fails, a record cannot be kept or the disk fails; then what was there stays.
    pub fn build<E: From<RegistryError>>(
        folder: &Path,
        fill: impl FnOnce(&mut Builder) -> Result<(), E>,
    ) -> Result<Self, E> {
        fs::create_dir_all(folder).map_err(io(|| format!("making the folder {}", folder.display())))?;
        let lock = lock(folder)?;
        let files = Files::list(folder)?;
        let number = files.numbers().concat().into_iter().max().map_or(0, |newest| newest + 1);
        let mut builder = Builder::new(folder);
        fill(&mut builder)?;
        builder.finish(&base_path(folder, number), number)?;
        Ok(Self::open_locked(folder, lock)?)
    }

    /// Opens the registry in `folder` for changing. That takes milliseconds and the time to read the changes since its base.
    ///
    /// # Errors
    /// When there is none, it is damaged, of a newer format, or being changed by another process.
    pub fn open(folder: &Path) -> Result<Self> {
        // A folder that holds something else is left as it is.
        Files::list(folder)?.newest(folder)?;
        let lock = lock(folder)?;
        Self::open_locked(folder, lock)
    }

    fn open_locked(folder: &Path, lock: File) -> Result<Self> {
        let files = Files::list(folder)?;
        files.unfinished.iter().try_for_each(|leftover| remove(leftover))?;
        let mut content = Content::load(folder, &files, Log::open)?;
        let (number, log) = match content.logs.pop() {
            Some(newest) => newest,
            None => (content.number, Log::create(&log_path(folder, content.number), content.number)?),
        };
        remove_before(folder, &files, content.number)?;
        Ok(Self {
            folder: folder.to_owned(),
            view: Current::new(View::over(content.base, &content.changes)?),
            writer: Mutex::new(Writer { log, number, changes: content.changes, recent: content.recent }),
            compacting: Mutex::new(()),
            _lock: lock,
        })
    }

    /// What the registry says now. It goes on saying so for whoever holds it.
    pub fn view(&self) -> Arc<View> {
        self.view.get()
    }

    /// Makes changes, all of them or none: when it returns they last, and [`view`](Self::view) shows them.
    ///
    /// The time grows with all changes since the base; bring many together.
    ///
    /// # Errors
    /// When one cannot be kept, there are too many, or the disk fails.
    pub fn apply(&self, changes: &[Change<'_>]) -> Result<()> {
        changes.iter().try_for_each(Change::check)?;
        let mut writer = guard(&self.writer);
        writer.changes.check(changes)?;
        writer.log.append(changes)?;
        for change in changes {
            writer.changes.put(change);
            writer.recent.put(change);
        }
        let delta = Delta::new(&writer.changes)?;
        self.view.set(View::new(self.view().base_arc(), Arc::new(delta)));
        Ok(())
    }

    /// Writes base and changes as the next base. Readers and changes go on meanwhile.
    ///
    /// # Errors
    /// When the disk fails; then everything stays as it was.
    pub fn compact(&self) -> Result<()> {
        let _one = guard(&self.compacting);
        let (view, number) = self.begin_log()?;
        let mut builder = Builder::new(&self.folder);
        for entry in view.base().entries() {
            let (spelling, registrations) = entry?;
            for registration in registrations.filter(|registration| !view.delta().replaces(registration)) {
                builder.add(spelling, &registration)?;
            }
        }
        for entry in view.delta().added().entries() {
            let (spelling, registrations) = entry?;
            for registration in registrations {
                builder.add(spelling, &registration)?;
            }
        }
        let base = builder.finish(&base_path(&self.folder, number), number)?;
        let mut writer = guard(&self.writer);
        writer.changes = writer.recent.clone();
        let delta = Delta::new(&writer.changes)?;
        self.view.set(View::new(Arc::new(base), Arc::new(delta)));
        drop(writer);
        remove_before(&self.folder, &Files::list(&self.folder)?, number)
    }

    /// Begins the next log; gives what the logs before it amount to.
    fn begin_log(&self) -> Result<(Arc<View>, u64)> {
        let mut writer = guard(&self.writer);
        let number = writer.number + 1;
        writer.log = Log::create(&log_path(&self.folder, number), number)?;
        writer.number = number;
        writer.recent = Changes::default();
        Ok((self.view(), number))
    }

    /// Reads the whole base and holds it against its checksums.
    ///
    /// # Errors
    /// When a byte is not as it was written.
    pub fn verify(&self) -> Result<()> {
        self.view().base().verify()
    }

    /// Bytes of the log that changes go to now.
    pub fn log_bytes(&self) -> u64 {
        guard(&self.writer).log.length()
    }
}

/// What is said now, for whoever asks: swapped whole.
#[derive(Debug)]
pub(super) struct Current(RwLock<Arc<View>>);

impl Current {
    pub fn new(view: View) -> Self {
        Self(RwLock::new(Arc::new(view)))
    }

    pub fn get(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, view: View) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

/// What a folder's files say; `L` stands for a log.
#[derive(Debug)]
pub(super) struct Content<L> {
    pub number: u64,
    pub base: Base,
    /// The logs over the base, with their numbers, the newest last.
    pub logs: Vec<(u64, L)>,
    /// Of all these logs.
    pub changes: Changes,
    /// Of the newest log.
    pub recent: Changes,
}

impl<L> Content<L> {
    pub fn load(
        folder: &Path,
        files: &Files,
        mut read_log: impl FnMut(&Path, u64, &mut Changes) -> Result<L>,
    ) -> Result<Self> {
        let number = files.newest(folder)?;
        let path = base_path(folder, number);
        let base = Base::open(&path)?;
        if base.generation() != number {
            return Err(damaged(&path, "it has the name of another one"));
        }
        let mut content =
            Self { number, base, logs: Vec::new(), changes: Changes::default(), recent: Changes::default() };
        let logs = files.logs.iter().map(|log| log.number).filter(|log| *log >= number);
        for (expected, log) in (number..).zip(logs) {
            let path = log_path(folder, expected);
            if log != expected {
                return Err(damaged(&path, "it is missing"));
            }
            content.recent = Changes::default();
            content.logs.push((log, read_log(&path, log, &mut content.recent)?));
            content.changes.take(&content.recent);
            content.changes.check(&[])?;
        }
        Ok(content)
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn base_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("base-{number:010}.registry"))
}

fn log_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("changes-{number:010}.log"))
}

/// What lies in a folder, by number.
#[derive(Debug, Default)]
pub(super) struct Files {
    bases: Vec<Numbered>,
    logs: Vec<Numbered>,
    unfinished: Vec<PathBuf>,
}

/// A base or a log, and what tells whether it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered {
    number: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Files {
    pub fn list(folder: &Path) -> Result<Self> {
        let listing = || io(|| format!("listing {}", folder.display()));
        let mut files = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
            entries => entries.map_err(listing())?,
        };
        for entry in entries {
            let entry = entry.map_err(listing())?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let number = |prefix: &str, suffix: &str| name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok();
            // What went since it was listed is not there.
            let numbered = |number| {
                entry.metadata().ok().map(|known| Numbered {
                    number,
                    length: known.len(),
                    modified: known.modified().ok(),
                })
            };
            if let Some(number) = number("base-", ".registry") {
                files.bases.extend(numbered(number));
            } else if let Some(number) = number("changes-", ".log") {
                files.logs.extend(numbered(number));
            } else if name.ends_with(".new")
                && ["base-", "changes-", ".gather-"].iter().any(|known| name.starts_with(known))
            {
                files.unfinished.push(entry.path());
            }
        }
        files.bases.sort_unstable();
        files.logs.sort_unstable();
        Ok(files)
    }

    /// Whether nothing that counts is another, longer or newer.
    pub fn same(&self, other: &Self) -> bool {
        self.bases == other.bases && self.logs == other.logs
    }

    /// Their numbers.
    pub fn numbers(&self) -> [Vec<u64>; 2] {
        [&self.bases, &self.logs].map(|files| files.iter().map(|file| file.number).collect())
    }

    /// The number of the base that counts.
    fn newest(&self, folder: &Path) -> Result<u64> {
        let newest = self.bases.last().map(|base| base.number);
        newest.ok_or_else(|| RegistryError::Missing { path: folder.display().to_string() })
    }
}

/// Removes bases and logs below `number`: the base of that number says what they said.
fn remove_before(folder: &Path, files: &Files, number: u64) -> Result<()> {
    for old in files.logs.iter().filter(|old| old.number < number) {
        remove(&log_path(folder, old.number))?;
    }
    for old in files.bases.iter().filter(|old| old.number < number) {
        remove(&base_path(folder, old.number))?;
    }
    sync_folder(&base_path(folder, number))
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(io(|| format!("removing {}", path.display())))
}

/// Keeps other processes from changing anything until the file is closed.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io(|| format!("opening {}", path.display())))?;
    let locking = io(|| format!("locking {}", path.display()));
    if files::lock(&file).map_err(locking)? {
        return Ok(file);
    }
    Err(RegistryError::InUse { path: folder.display().to_string() })
}
