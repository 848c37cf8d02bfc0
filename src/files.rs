//! What every room that keeps files needs of the disk.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often and how long a lock is waited for, 200 ms in all: a process that is just being started by this one holds
/// everything that is open here for a moment, a lock that was let go of meanwhile too.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// Locks an open file until it is closed; false when somebody else keeps it.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_WAIT),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Writes the file at `path` anew: it is there whole and synced, or stays as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    finish(File::create(&aside)?, &aside, path, bytes)
}

/// The same, and only its owner may read it.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    // One that was left behind may be open to others.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    finish(options.open(&aside)?, &aside, path, bytes)
}

/// Where a file is written before it takes the place of `path`.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn finish(mut file: File, aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_private_one_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace(&path, b"one").unwrap();
        fs::write(aside(&path), b"left behind by a killed program, and longer").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::write(aside(&path), b"left behind").unwrap();
        replace_private(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_lock_is_had_once_and_again_when_it_was_let_go_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            || File::options().create(true).truncate(false).write(true).open(folder.path().join("lock")).unwrap();
        let (first, second) = (open(), open());
        assert!(lock(&first).unwrap());
        assert!(!lock(&second).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(LOCK_WAIT);
                drop(first);
            });
            assert!(lock(&second).unwrap());
        });
    }
}
