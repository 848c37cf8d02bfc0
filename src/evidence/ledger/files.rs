//! Where the ledger's parts lie: `ledger/` in the data folder, with the private key, the tree, and a file for each
//! checkpoint and stamp. Every file is there whole or not at all.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use super::{MAX_NOTE_BYTES, SigningKey, stamp::MAX_STAMP_BYTES};
use crate::{evidence::EvidenceError, files};

/// The ledger's folder, locked for this process.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    _lock: File,
}

impl Files {
    /// Makes the folder if it is new, and locks it.
    pub fn open(data: &Path) -> Result<Self, EvidenceError> {
        let root = data.join("ledger");
        let checkpoints = root.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(EvidenceError::io("making", &checkpoints))?;
        sync_dir(data)?;
        sync_dir(&root)?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(EvidenceError::io("opening", &path))?;
        if files::lock(&lock).map_err(EvidenceError::io("locking", &path))? {
            return Ok(Self { root, _lock: lock });
        }
        Err(EvidenceError::InUse { path: root.display().to_string() })
    }

    /// The private key; made when there is none and nothing was signed yet.
    pub fn key(&self) -> Result<SigningKey, EvidenceError> {
        let path = self.root.join("key");
        match read_bounded(&path, MAX_NOTE_BYTES)? {
            Some(text) => SigningKey::parse(&String::from_utf8_lossy(&text)),
            None if !self.sizes()?.is_empty() => Err(EvidenceError::Key(format!(
                "{} is missing though checkpoints were signed with it: bring it back, or move the folder {} away to \
                 begin a new ledger",
                path.display(),
                self.root.display()
            ))),
            None => {
                let key = SigningKey::generate()?;
                write_new(&path, key.secret().as_bytes())?;
                Ok(key)
            }
        }
    }

    /// The tree's file.
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// The sizes at which checkpoints were signed, ascending.
    pub fn sizes(&self) -> Result<Vec<u64>, EvidenceError> {
        let folder = self.root.join("checkpoints");
        let mut sizes = Vec::new();
        for entry in fs::read_dir(&folder).map_err(EvidenceError::io("reading", &folder))? {
            let name = entry.map_err(EvidenceError::io("reading", &folder))?.file_name();
            sizes.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// The signed checkpoint at `size`.
    pub fn checkpoint(&self, size: u64) -> Result<String, EvidenceError> {
        let path = self.of(size, "");
        let bytes = read_bounded(&path, MAX_NOTE_BYTES)?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| EvidenceError::Note(format!("{} is no text", path.display())))
    }

    /// Keeps a signed checkpoint.
    pub fn put_checkpoint(&self, size: u64, note: &str) -> Result<(), EvidenceError> {
        write_new(&self.of(size, ""), note.as_bytes())
    }

    /// Whether the checkpoint at `size` carries a stamp.
    pub fn has_stamp(&self, size: u64) -> bool {
        self.of(size, ".tsr").exists()
    }

    /// The stamp on the checkpoint at `size`.
    pub fn stamp(&self, size: u64) -> Result<Option<Vec<u8>>, EvidenceError> {
        read_bounded(&self.of(size, ".tsr"), MAX_STAMP_BYTES)
    }

    /// Keeps a stamp.
    pub fn put_stamp(&self, size: u64, answer: &[u8]) -> Result<(), EvidenceError> {
        write_new(&self.of(size, ".tsr"), answer)
    }

    fn of(&self, size: u64, ending: &str) -> PathBuf {
        self.root.join("checkpoints").join(format!("{size:020}{ending}"))
    }
}

/// The file's bytes; none when there is no such file.
pub(in crate::evidence) fn read_bounded(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, EvidenceError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EvidenceError::io("opening", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(EvidenceError::io("reading", path))?;
    if bytes.len() > limit {
        let error = std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("more than {limit} bytes"));
        return Err(EvidenceError::io("reading", path)(error));
    }
    Ok(Some(bytes))
}

/// Writes a file that only its owner reads, whole or not at all, durably.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    files::replace_private(path, bytes).map_err(EvidenceError::io("writing", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(path: &Path) -> Result<(), EvidenceError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(EvidenceError::io("syncing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_key_is_its_owners_alone_and_is_not_made_twice() {
        let dir = tempfile::tempdir().unwrap();
        let first = Files::open(dir.path()).unwrap().key().unwrap();
        let files = Files::open(dir.path()).unwrap();
        assert_eq!(files.key().unwrap().public(), first.public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("ledger/key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(matches!(Files::open(dir.path()), Err(EvidenceError::InUse { .. })));
        files.put_checkpoint(3, "x").unwrap();
        fs::remove_file(dir.path().join("ledger/key")).unwrap();
        assert!(files.key().unwrap_err().to_string().contains("bring it back"));
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, [0; 11]).unwrap();
        assert!(read_bounded(&path, 10).is_err() && read_bounded(&path, 11).unwrap().is_some());
    }
}
