//! What every room that keeps files needs of the disk.

use std::{
    fs::{File, TryLockError},
    io, thread,
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

#[cfg(test)]
mod tests {
    use super::*;

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
