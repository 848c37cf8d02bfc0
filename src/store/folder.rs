//! The data folder: its format, its lock, where its parts lie, and the disk habits they share.
//!
//! What the parts hold is theirs to say.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    disk::{self, How, Lock},
    port::StoreError,
};

/// The newest format of the data folder this program reads, and the one it writes. 2 may hold sealed segments, 3 snapshots
/// and a journal whose oldest segments have left; a folder keeps an older format until it holds one of these.
pub(super) const FORMAT: u32 = 3;

const FORMAT_FILE: &str = "FORMAT";
/// A format file larger than this is none.
const MAX_FORMAT_BYTES: u64 = 4096;

/// The data folder, held by this process until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    _lock: Lock,
}

impl Folder {
    /// Makes the folder if it is new, checks its format before anything else, and locks it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let known = check_format(root)?;
        disk::make_folders(root).map_err(io(|| format!("making the data folder {}", root.display())))?;
        let lock = lock(root)?;
        if !known {
            settle_names(root)?;
            write_format(root)?;
        }
        for part in [journal_dir(root), content_dir(root)] {
            disk::make_folders(&part).map_err(io(|| format!("making {}", part.display())))?;
        }
        sync_dir(root)?;
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Makes the folder's own name durable, and those of the folders above it, which may be as new: without them a power cut
/// takes everything in it. Only the folder right above it must allow that; others that do not were not made for it.
fn settle_names(root: &Path) -> Result<(), StoreError> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    for (height, above) in root.ancestors().skip(1).enumerate() {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk::sync_folder(above) {
            Err(error)
                if height > 0
                    && matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported) => {}
            synced => synced.map_err(io(|| format!("syncing the folder {}", above.display())))?,
        }
    }
    Ok(())
}

/// Where the journal's segments lie.
pub(super) fn journal_dir(root: &Path) -> PathBuf {
    root.join("journal")
}

/// Where the content store lies.
pub(super) fn content_dir(root: &Path) -> PathBuf {
    root.join("content")
}

/// Where snapshots of the index lie.
pub(super) fn snapshot_dir(root: &Path) -> PathBuf {
    root.join("snapshot")
}

/// Where the index's changes since lie.
pub(super) fn index_dir(root: &Path) -> PathBuf {
    root.join("index")
}

/// The file that names the folder's format.
pub(super) fn format_file(root: &Path) -> PathBuf {
    root.join(FORMAT_FILE)
}

/// Writes the newest format into the folder, durably.
pub(super) fn write_format(root: &Path) -> Result<(), StoreError> {
    write_this_format(root, FORMAT)
}

fn write_this_format(root: &Path, format: u32) -> Result<(), StoreError> {
    write_new(&format_file(root), format!("format = {format}\n").as_bytes())
}

/// The first format with sealed segments.
pub(super) const SEALED_FORMAT: u32 = 2;
/// The first format with snapshots.
pub(super) const SNAPSHOT_FORMAT: u32 = 3;

/// Moves a folder of an older format to this one; every older form stays readable in it.
pub(super) fn raise_format(root: &Path, to: u32) -> Result<(), StoreError> {
    if format_of(root)?.is_some_and(|found| found < to) {
        tracing::info!(folder = %root.display(), to, "moving the data folder to a newer format");
        return write_this_format(root, to);
    }
    Ok(())
}

/// Whether the folder holds a store of a format this program reads; false when it holds none yet.
pub(super) fn check_format(root: &Path) -> Result<bool, StoreError> {
    Ok(format_of(root)?.is_some())
}

/// The folder's format, which this program reads; none when it holds no store yet.
fn format_of(root: &Path) -> Result<Option<u32>, StoreError> {
    let path = format_file(root);
    let text = match disk::read(&path, MAX_FORMAT_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if disk::exists(&journal_dir(root)) {
                let what = "this file is missing beside a journal: bring it back from a backup".to_owned();
                return Err(StoreError::Damaged { path: path.display().to_string(), what });
            }
            return Ok(None);
        }
        Err(source) => return Err(StoreError::Io { doing: format!("reading {}", path.display()), source }),
    };
    let first = text.lines().next().unwrap_or("");
    let found = first.strip_prefix("format = ").and_then(|number| number.trim().parse::<u32>().ok());
    match found {
        Some(0) | None => Err(StoreError::Damaged {
            path: format!("{}:1", path.display()),
            what: format!("expected `format = {FORMAT}`, found `{}`", first.chars().take(40).collect::<String>()),
        }),
        Some(found) if found > FORMAT => {
            Err(StoreError::Newer { path: format!("{}:1", path.display()), found, supported: FORMAT })
        }
        Some(found) => Ok(Some(found)),
    }
}

/// Locks the folder against other processes for as long as the lock lives.
pub(super) fn lock(root: &Path) -> Result<Lock, StoreError> {
    let path = root.join("lock");
    let lock = disk::lock(&path).map_err(io(|| format!("locking {}", path.display())))?;
    lock.ok_or_else(|| StoreError::InUse { path: root.display().to_string() })
}

/// Names what was being done when the system said no.
pub(super) fn io(doing: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing: doing(), source }
}

/// Makes the names in a folder durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    disk::sync_folder(path).map_err(io(|| format!("syncing the folder {}", path.display())))
}

/// Writes a file so that it is there whole or not at all, and durable.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let temporary = path.with_file_name(format!(".{name}.{:016x}", fastrand::u64(..)));
    let doing = || format!("writing {}", path.display());
    let written = disk::File::open(&temporary, How::CreateNew)
        .and_then(|mut file| file.write_at(0, bytes).and_then(|()| file.sync()))
        .and_then(|()| disk::rename(&temporary, path));
    if let Err(source) = written {
        // The temporary file may never have come to be; the error that matters is the first.
        drop(disk::remove(&temporary));
        return Err(StoreError::Io { doing: doing(), source });
    }
    path.parent().map_or(Ok(()), sync_dir)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_newer_folder_is_refused_by_line_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("FORMAT"), "format = 4\nnobody knows\n").unwrap();
        let error = Folder::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("FORMAT:1 was written in format 4"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let held = Folder::open(dir.path()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(StoreError::InUse { .. })));
        drop(held);
        assert!(Folder::open(dir.path()).is_ok());
    }

    #[test]
    fn a_format_that_says_nothing_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "format = 0", "format = x", "hello", &"9".repeat(5000)] {
            fs::write(dir.path().join("FORMAT"), text).unwrap();
            assert!(check_format(dir.path()).is_err(), "{text:.20}");
        }
        fs::remove_file(dir.path().join("FORMAT")).unwrap();
        fs::create_dir(dir.path().join("journal")).unwrap();
        assert!(matches!(check_format(dir.path()), Err(StoreError::Damaged { .. })));
    }
}
