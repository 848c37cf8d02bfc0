//! The journal of one moment, and the newest snapshot, kept beside the store while it is uploaded: the store writes on meanwhile.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::store::{
    backup::{Copied, copy_hashed, copy_state},
    disk::Lock,
    folder::{io, journal_dir, lock, snapshot_dir},
    port::StoreError,
};

/// Hidden, so that neither backup nor doctor looks into it.
const FOLDER: &str = ".backup";

/// A verified copy of the journal, in the data folder; gone when it is dropped. One backup at a time has it.
#[derive(Debug)]
pub(super) struct Staging {
    root: PathBuf,
    _lock: Lock,
}

impl Staging {
    /// Copies the journal and the newest snapshot of the store in `data`. Segments that are not written to any more are linked, not copied.
    pub fn take(data: &Path) -> Result<(Self, Copied), StoreError> {
        let root = data.join(FOLDER);
        fs::create_dir_all(&root).map_err(io(|| format!("making {}", root.display())))?;
        let lock = lock(&root)?;
        let staging = Self { root, _lock: lock };
        let copied = copy_state(data, &staging.root, link)?;
        Ok((staging, copied))
    }

    /// The folder that has the copy as its `journal`.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        for folder in [journal_dir(&self.root), snapshot_dir(&self.root)] {
            if let Err(error) = fs::remove_dir_all(&folder)
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove a temporary folder");
            }
        }
    }
}

/// A second name for the same bytes; a copy where the disk knows none.
fn link(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(source) if source.kind() == ErrorKind::NotFound => {
            Err(StoreError::Io { doing: format!("linking {}", from.display()), source })
        }
        Err(_) => copy_hashed(from, to).map(drop),
    }
}
