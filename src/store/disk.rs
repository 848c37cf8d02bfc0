//! The store's only way to the disk: what it may ask of files and folders, and nothing more.
//!
//! [`File`] and the functions here are the system's own, except in the simulator's tests: there a thread may put a
//! simulated disk in their place that loses what was not synced, tears what was half written, and fails when told to.
//! What is written where, and what has to be synced, belongs to the callers.

#[cfg(test)]
pub(super) mod simulated;

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::SystemTime,
};

use crate::files;

/// Hands a question to this thread's simulated disk, if it has one.
macro_rules! simulated {
    ($ask:expr) => {
        #[cfg(test)]
        if let Some(answer) = simulated::on_this_thread($ask) {
            return answer;
        }
    };
}

/// An open file. Reads and writes say where.
#[derive(Debug)]
pub(super) struct File(Kind);

#[derive(Debug)]
enum Kind {
    System(fs::File),
    #[cfg(test)]
    Simulated(simulated::Handle),
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// To read; it must be there.
    Read,
    /// To read and write; it must be there.
    Write,
    /// To read and write, empty, whether it was there or not.
    Create,
    /// To read and write; it must not be there.
    CreateNew,
}

impl File {
    /// Opens the file at `path`.
    pub fn open(path: &Path, how: How) -> io::Result<Self> {
        simulated!(|disk| disk.open(path, how).map(|handle| Self(Kind::Simulated(handle))));
        let mut options = fs::File::options();
        options.read(true).write(how != How::Read).create(how == How::Create).truncate(how == How::Create);
        options.create_new(how == How::CreateNew).open(path).map(|file| Self(Kind::System(file)))
    }

    /// Fills `bytes` from `at` on.
    pub fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &self.0 {
            Kind::System(file) => read_exact_at(file, at, bytes),
            #[cfg(test)]
            Kind::Simulated(file) => file.read_at(at, bytes),
        }
    }

    /// Writes all of `bytes` from `at` on.
    pub fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::System(file) => file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes)),
            #[cfg(test)]
            Kind::Simulated(file) => file.write_at(at, bytes),
        }
    }

    /// Writes zeros over `begin..end`.
    pub fn write_zeros(&mut self, begin: u64, end: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = begin;
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
            self.write_at(at, ZEROS.get(..part).unwrap_or(&ZEROS))?;
            at += part as u64;
        }
        Ok(())
    }

    /// Makes what was written durable; the length too where it changed.
    pub fn sync(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::System(file) => file.sync_data(),
            #[cfg(test)]
            Kind::Simulated(file) => file.sync(),
        }
    }

    /// Its length.
    pub fn length(&self) -> io::Result<u64> {
        match &self.0 {
            Kind::System(file) => Ok(file.metadata()?.len()),
            #[cfg(test)]
            Kind::Simulated(file) => file.length(),
        }
    }

    /// Says that it was changed at `time`.
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        match &self.0 {
            Kind::System(file) => file.set_modified(time),
            #[cfg(test)]
            Kind::Simulated(file) => file.set_modified(time),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &fs::File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Where the system cannot read at a place without moving another reader's, each read has a handle of its own.
#[cfg(not(unix))]
fn read_exact_at(file: &fs::File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut own = file.try_clone()?;
    own.seek(SeekFrom::Start(at))?;
    own.read_exact(bytes)
}

/// The bytes of a file of at most `limit`.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes"));
    simulated!(|disk| disk.read(path).and_then(|bytes| if bytes.len() as u64 > limit {
        Err(too_large())
    } else {
        Ok(bytes)
    }));
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// The names in a folder, in no order. A name that is no text is left out: nothing of the store has one.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    simulated!(|disk| disk.names(folder));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// A file's length, and when it was changed.
pub(super) fn about(path: &Path) -> io::Result<(u64, SystemTime)> {
    simulated!(|disk| disk.about(path));
    let about = fs::metadata(path)?;
    Ok((about.len(), about.modified()?))
}

/// Whether a file or folder is there.
pub(super) fn exists(path: &Path) -> bool {
    simulated!(|disk| disk.exists(path));
    path.exists()
}

/// The time, as files know it.
pub(super) fn now() -> SystemTime {
    simulated!(|disk| disk.now());
    SystemTime::now()
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<fs::File>,
    #[cfg(test)]
    _simulated: Option<simulated::Lock>,
}

/// Locks the file at `path`, which is made when it is new, against other processes; none when another holds it.
pub(super) fn lock(path: &Path) -> io::Result<Option<Lock>> {
    simulated!(|disk| Ok(disk.lock(path).map(|lock| Lock { _file: None, _simulated: Some(lock) })));
    let file = fs::File::options().create(true).truncate(false).write(true).open(path)?;
    let locked = files::lock(&file)?;
    Ok(locked.then(|| Lock {
        _file: Some(file),
        #[cfg(test)]
        _simulated: None,
    }))
}

/// Makes a folder and those above it.
pub(super) fn make_folders(path: &Path) -> io::Result<()> {
    simulated!(|disk| disk.make_folders(path));
    fs::create_dir_all(path)
}

/// Gives a file another name, in place of what has it.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    simulated!(|disk| disk.rename(from, to));
    fs::rename(from, to)
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    simulated!(|disk| disk.remove(path));
    fs::remove_file(path)
}

/// Removes a folder with all that is in it.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    simulated!(|disk| disk.remove_folder(path));
    fs::remove_dir_all(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    simulated!(|disk| disk.sync_folder(path));
    fs::File::open(path)?.sync_all()
}
