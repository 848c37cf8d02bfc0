//! The content store: bodies by their SHA-256, written once, compressed where it pays.
//!
//! [`ContentStore`] is a folder `sha256/ab/cd/<hex>`; each file is one codec byte, then the body. What a body means,
//! and how long it is kept, belongs to whoever cites its hash.

mod references;
mod scrub;
mod sweep;

use std::{
    collections::HashSet,
    io,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

pub use references::Hold;
pub(super) use references::References;
pub use scrub::ScrubReport;
pub(super) use sweep::Sweep;
pub use sweep::{MIN_RETAIN_DAYS, SweepReport};

use super::{
    disk::{self, File, How},
    folder::{io as doing, sync_dir, write_new},
    journal::hex,
    port::{StoreError, is_sha256},
};

/// Largest body kept.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

const RAW: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_LEVEL: i32 = 3;
/// Smaller bodies are not worth a try.
const COMPRESS_FROM_BYTES: usize = 256;

/// Bodies by hash, in one folder. Cheap to clone; many may write at once.
#[derive(Debug, Clone)]
pub struct ContentStore {
    root: PathBuf,
    /// Where bodies are read that are not here.
    below: Option<PathBuf>,
    /// Held while a body is found to be there, or taken out of its place.
    gate: Arc<Mutex<()>>,
    /// Held by the one sweep at a time.
    sweeping: Arc<Mutex<()>>,
    /// Folders whose names were made durable by this process.
    settled: Arc<Mutex<HashSet<PathBuf>>>,
}

impl ContentStore {
    /// The store in `dir`, which is made when it is new.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let root = dir.join("sha256");
        disk::make_folders(&root).map_err(doing(|| format!("making {}", root.display())))?;
        sync_dir(dir)?;
        let store = Self::at(root);
        store.bring_all_back()?;
        Ok(store)
    }

    /// The store in `dir` as it is: nothing is made.
    pub(super) fn existing(dir: &Path) -> Self {
        Self::at(dir.join("sha256"))
    }

    fn at(root: PathBuf) -> Self {
        Self { root, below: None, gate: Arc::default(), sweeping: Arc::default(), settled: Arc::default() }
    }

    /// The same store, which reads from the one in `dir` what it does not have, and changes nothing there.
    pub(super) fn over(self, dir: &Path) -> Self {
        Self { below: Some(dir.join("sha256")), ..self }
    }

    /// Whether there is a body with this hash; whether it is unharmed, only [`get`](Self::get) says.
    pub(super) fn has(&self, hash: &str) -> bool {
        self.path(hash).is_ok_and(|path| disk::exists(&path))
    }

    /// Keeps `body`, durably, and returns its SHA-256 in hex; a body that is there already only becomes young again.
    ///
    /// # Errors
    /// When it is larger than [`MAX_BODY_BYTES`], or the disk says no.
    pub fn put(&self, body: &[u8]) -> Result<String, StoreError> {
        if body.len() > MAX_BODY_BYTES {
            let size = body.len();
            return Err(StoreError::Refused(format!("a body of {size} bytes; at most {MAX_BODY_BYTES} are kept")));
        }
        let hash = hex(&Sha256::digest(body));
        let path = self.path(&hash)?;
        if self.renew(&path)? {
            self.settle(&path)?;
            return Ok(hash);
        }
        self.make_folders(&path)?;
        if let Err(error) = write_new(&path, &pack(body)) {
            // The body may be there by its name, and the name not last.
            self.unsettle(&path);
            return Err(error);
        }
        self.settle(&path)?;
        Ok(hash)
    }

    /// The body with this hash, or none; hashed again before it is handed out.
    ///
    /// # Errors
    /// When `hash` is no SHA-256 in hex, the file does not hold that body, or the disk says no.
    pub fn get(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut path = self.path(hash)?;
        if let Some(below) = self.below.as_ref().filter(|_| !disk::exists(&path)) {
            path = below.join(path.strip_prefix(&self.root).unwrap_or(&path));
        }
        // The codec byte, and the little that an incompressible body grows by.
        let packed = match disk::read(&path, MAX_BODY_BYTES as u64 + 64 * 1024) {
            Ok(packed) => packed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { doing: format!("reading {}", path.display()), source }),
        };
        let damaged = |what: String| StoreError::Damaged { path: path.display().to_string(), what };
        let body = unpack(&packed).map_err(|error| damaged(format!("the body cannot be unpacked: {error}")))?;
        let found = hex(&Sha256::digest(&body));
        if found != hash {
            return Err(damaged(format!("its body has the hash {found}")));
        }
        Ok(Some(body))
    }

    /// Makes a body young, if it is there: whoever puts it is about to cite it.
    fn renew(&self, path: &Path) -> Result<bool, StoreError> {
        let _alone = self.alone();
        let renewed = File::open(path, How::Write).and_then(|file| file.set_modified(disk::now()));
        match renewed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { doing: format!("touching {}", path.display()), source }),
        }
    }

    /// Makes the name of a body durable, and those of the folders above it: a name lasts only when each of them does.
    /// Whoever made one that was found may have been killed before, so that being there proves nothing.
    fn settle(&self, path: &Path) -> Result<(), StoreError> {
        let Some(second) = path.parent() else { return Ok(()) };
        let mut settled = self.settled();
        if settled.contains(second) {
            return Ok(());
        }
        sync_dir(second)?;
        second.parent().map_or(Ok(()), sync_dir)?;
        sync_dir(&self.root)?;
        settled.insert(second.to_owned());
        Ok(())
    }

    /// Has the next [`settle`](Self::settle) look at the folder of a body again.
    fn unsettle(&self, path: &Path) {
        path.parent().map(|folder| self.settled().remove(folder));
    }

    fn settled(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, hash: &str) -> Result<PathBuf, StoreError> {
        match (hash.get(..2), hash.get(2..4)) {
            (Some(first), Some(second)) if is_sha256(hash) => Ok(self.root.join(first).join(second).join(hash)),
            _ => Err(StoreError::Refused(format!("`{hash:.80}` is no SHA-256 in lower-case hex"))),
        }
    }

    fn make_folders(&self, path: &Path) -> Result<(), StoreError> {
        let Some(second) = path.parent().filter(|folder| !disk::exists(folder)) else { return Ok(()) };
        disk::make_folders(second).map_err(doing(|| format!("making {}", second.display())))
    }
}

fn pack(body: &[u8]) -> Vec<u8> {
    if body.len() >= COMPRESS_FROM_BYTES
        && let Ok(packed) = zstd::bulk::compress(body, ZSTD_LEVEL)
        && packed.len() < body.len() - body.len() / 16
    {
        return [&[ZSTD], packed.as_slice()].concat();
    }
    [&[RAW], body].concat()
}

fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    match packed.split_first() {
        Some((&RAW, body)) => Ok(body.to_vec()),
        Some((&ZSTD, packed)) => {
            let mut body = Vec::new();
            let limit = MAX_BODY_BYTES as u64;
            zstd::stream::read::Decoder::new(packed)?.take(limit + 1).read_to_end(&mut body)?;
            if body.len() as u64 > limit { Err(wrong("it is larger than a body may be")) } else { Ok(body) }
        }
        Some((codec, _)) => Err(wrong(&format!("codec {codec} is unknown"))),
        None => Err(wrong("it is empty")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file_of(dir: &Path, hash: &str) -> PathBuf {
        dir.join("sha256").join(&hash[..2]).join(&hash[2..4]).join(hash)
    }

    #[test]
    fn a_body_comes_back_and_text_is_stored_smaller() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        let text = "云雀跑鞋 ".repeat(1000);
        let noise: Vec<u8> = (0..5000).map(|_| fastrand::u8(..)).collect();
        for body in [b"".as_slice(), b"x", text.as_bytes(), &noise] {
            let hash = store.put(body).unwrap();
            assert_eq!(store.put(body).unwrap(), hash);
            assert_eq!(store.get(&hash).unwrap().as_deref(), Some(body));
        }
        let hash = store.put(text.as_bytes()).unwrap();
        assert!(fs::metadata(file_of(dir.path(), &hash)).unwrap().len() < 1000);
    }

    #[test]
    fn a_changed_body_is_never_handed_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        let hash = store.put(&b"evidence ".repeat(100)).unwrap();
        let path = file_of(dir.path(), &hash);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            fs::write(&path, changed).unwrap();
            assert!(!matches!(store.get(&hash), Ok(Some(body)) if body != b"evidence ".repeat(100)), "byte {at}");
        }
        fs::write(&path, b"").unwrap();
        assert!(store.get(&hash).is_err());
    }

    #[test]
    fn a_body_over_the_bound_is_refused_packed_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        let bomb = vec![0; MAX_BODY_BYTES + 1];
        assert!(matches!(store.put(&bomb), Err(StoreError::Refused(_))));
        let hash = "0".repeat(64);
        let path = file_of(dir.path(), &hash);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, [&[ZSTD], zstd::bulk::compress(&bomb, 1).unwrap().as_slice()].concat()).unwrap();
        assert!(store.get(&hash).unwrap_err().to_string().contains("larger"));
    }

    #[test]
    fn a_hash_that_is_a_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        for hash in ["", "../../etc/passwd", &"A".repeat(64), &"星".repeat(32)] {
            assert!(matches!(store.get(hash), Err(StoreError::Refused(_))));
        }
        assert_eq!(store.get(&"0".repeat(64)).unwrap(), None);
    }
}
