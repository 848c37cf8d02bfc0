//! Taking a backup into a vault: what is there already is not sent again.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use object_store::{Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, path::Path as ObjectPath};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{BackupId, PART_BYTES, Vault, download::read_bounded, each, fault, staging::Staging};
use crate::{
    model::Clock,
    store::{
        backup::{BackupReport, Copied, Manifest, ManifestFile, Progress, check_store, hash_file, parts, relative},
        folder::io,
        journal::hex,
        port::StoreError,
    },
};

/// How often an object is sent when the place does not say whether it came.
const MAX_TRIES: u32 = 3;
/// More parts no S3-compatible store takes of one object.
const MAX_PARTS: u64 = 10_000;
/// Bodies may go while a backup is taken when nobody cites them; nothing else may.
const CONTENT: &str = "content/";

/// What a backup in a vault holds, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultReport {
    /// Its name in the vault.
    pub id: String,
    /// What it holds.
    #[serde(flatten)]
    pub backup: BackupReport,
    /// Objects that were not in the vault before.
    pub new_objects: u64,
    /// The bytes they have.
    pub new_bytes: u64,
}

/// A file that is to be in the backup.
#[derive(Debug)]
struct Source {
    file: PathBuf,
    entry: ManifestFile,
}

/// What became of a file that was to be sent.
#[derive(Debug)]
enum Sent {
    /// It is in the vault.
    There(u64),
    /// It went before it was sent, as a body may that nobody cites.
    Gone(String),
}

impl Vault {
    /// Backs up the store in `data`, which may be in use meanwhile; everything it had acknowledged before the call is in
    /// the backup.
    ///
    /// # Errors
    /// When `data` holds no store or its journal is damaged, another backup of it is being taken, the place cannot be
    /// reached or says no, or the disk does. The vault lists no new backup then.
    pub fn backup(&self, data: &Path, clock: &dyn Clock, progress: Progress<'_>) -> Result<VaultReport, StoreError> {
        check_store(data)?;
        // A place that cannot be reached says so before everything is hashed.
        self.backups()?;
        let taken_at = clock.now();
        let (staging, copied) = Staging::take(data)?;
        let id = BackupId::new(taken_at, copied.head.seq);
        let mut sources = staged(&staging, &copied)?;
        let (mut done, mut total) = (copied.bytes, copied.bytes);
        let files = parts(data)?;
        total += files.iter().map(|(_, bytes)| bytes).sum::<u64>();
        for (file, size) in files {
            sources.extend(hashed(data, file)?);
            done += size;
            progress(done, total);
        }
        let missing = self.missing(&sources)?;
        total = done + missing.iter().map(|missing| missing.bytes).sum::<u64>();
        let (mut new_objects, mut new_bytes, mut gone) = (0, 0, HashSet::new());
        let send = each(
            missing.into_iter(),
            |upload| send(Arc::clone(&self.objects), self.name.clone(), upload),
            |sent| match sent {
                Sent::There(bytes) => {
                    new_objects += 1;
                    new_bytes += bytes;
                    progress(done + new_bytes, total);
                }
                Sent::Gone(hash) => drop(gone.insert(hash)),
            },
        );
        self.runtime.block_on(send)?;
        let files = sources.into_iter().map(|source| source.entry).filter(|entry| !gone.contains(&entry.sha256));
        let manifest = Manifest::new(&copied, files.collect());
        let json = Bytes::from(manifest.to_json()?);
        let backup = manifest.report(hex(&Sha256::digest(&json)));
        self.runtime.block_on(self.put_manifest(&id, json))?;
        Ok(VaultReport { id: id.to_string(), backup, new_objects, new_bytes })
    }

    /// What has to be sent: each hash once, unless an object of its size is there.
    fn missing(&self, sources: &[Source]) -> Result<Vec<Upload>, StoreError> {
        let wanted: HashMap<&str, u64> =
            sources.iter().map(|source| (source.entry.sha256.as_str(), source.entry.bytes)).collect();
        let present = self.runtime.block_on(self.present(&wanted))?;
        let mut seen = HashSet::new();
        let missing = sources.iter().filter(|Source { entry, .. }| {
            present.get(&entry.sha256) != Some(&entry.bytes) && seen.insert(entry.sha256.as_str())
        });
        Ok(missing
            .map(|Source { file, entry }| Upload {
                file: file.clone(),
                path: entry.path.clone(),
                bytes: entry.bytes,
                // Of another size it is damaged, whoever did that.
                replace: present.contains_key(&entry.sha256),
                at: self.object(&entry.sha256),
                sha256: entry.sha256.clone(),
            })
            .collect())
    }

    /// Makes the backup one that is listed. Another of the same name is never replaced.
    async fn put_manifest(&self, id: &BackupId, json: Bytes) -> Result<(), StoreError> {
        let at = self.manifest(id);
        let doing = format!("writing {at} in {}", self.name);
        match self.put_new(&at, &json).await {
            Ok(()) => Ok(()),
            Err(Error::AlreadyExists { .. }) => Err(StoreError::Vault {
                doing,
                what: "another backup has this name".into(),
                mend: "Start again".into(),
            }),
            Err(error) => Err(fault::told(&doing, &error)),
        }
    }

    /// Writes a new object; that it holds these bytes already is as well, since an answer may have been lost.
    async fn put_new(&self, at: &ObjectPath, bytes: &Bytes) -> Result<(), Error> {
        let mut mode = PutMode::Create;
        let mut tries = 1;
        loop {
            match self.objects.put_opts(at, bytes.clone().into(), mode.clone().into()).await {
                Ok(_) => return Ok(()),
                Err(error @ Error::AlreadyExists { .. }) => {
                    let found = read_bounded(&*self.objects, at, bytes.len() as u64).await?;
                    return if found.is_some_and(|found| found == *bytes) { Ok(()) } else { Err(error) };
                }
                // Looking first is the next best where the place knows no conditions.
                Err(error) if fault::is_unconditional(&error) && mode == PutMode::Create => {
                    match self.objects.head(at).await {
                        Ok(_) => return Err(Error::AlreadyExists { path: at.to_string(), source: error.into() }),
                        Err(error) if fault::is_absent(&error) => mode = PutMode::Overwrite,
                        Err(error) => return Err(error),
                    }
                }
                Err(Error::Generic { .. }) if tries < MAX_TRIES => {}
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }
}

/// The segments of the copied journal.
fn staged(staging: &Staging, copied: &Copied) -> Result<Vec<Source>, StoreError> {
    let source = |file: &PathBuf| {
        let (bytes, sha256) = hash_file(file)?;
        let path = relative(staging.root(), file)?;
        Ok(Source { file: file.clone(), entry: ManifestFile { path, bytes, sha256 } })
    };
    copied.files.iter().map(source).collect()
}

/// A file with its hash as it is by now; none when it is a body that went.
fn hashed(data: &Path, file: PathBuf) -> Result<Option<Source>, StoreError> {
    let path = relative(data, &file)?;
    match hash_file(&file) {
        Ok((bytes, sha256)) => Ok(Some(Source { file, entry: ManifestFile { path, bytes, sha256 } })),
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && path.starts_with(CONTENT) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A file on its way.
#[derive(Debug)]
struct Upload {
    file: PathBuf,
    path: String,
    bytes: u64,
    sha256: String,
    at: ObjectPath,
    replace: bool,
}

/// Sends the first bytes of a file, as many as were hashed: what was appended since is left out.
async fn send(objects: Arc<dyn ObjectStore>, place: String, upload: Upload) -> Result<Sent, StoreError> {
    let reading = || format!("reading {}", upload.file.display());
    let file = match File::open(&upload.file) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound && upload.path.starts_with(CONTENT) => {
            return Ok(Sent::Gone(upload.sha256));
        }
        Err(error) => return Err(io(reading)(error)),
    };
    let sending = || format!("writing {} of {} in {place}", upload.at, upload.path);
    if upload.bytes > PART_BYTES {
        let parts = objects.put_multipart(&upload.at).await.map_err(|error| fault::told(&sending(), &error))?;
        send_parts(parts, file, &upload, &sending()).await?;
    } else {
        let (_, part) = read_part(file, upload.bytes).await.map_err(io(reading))?;
        if hex(&Sha256::digest(&part)) != upload.sha256 {
            return Err(changed(&upload));
        }
        put_object(&*objects, &upload.at, &part, upload.replace)
            .await
            .map_err(|error| fault::told(&sending(), &error))?;
    }
    tracing::debug!(path = upload.path, object = %upload.at, bytes = upload.bytes, "put an object into the vault");
    Ok(Sent::There(upload.bytes))
}

/// Sends a file in parts; the object is there after the last one, if the bytes had the hash.
async fn send_parts(
    mut parts: Box<dyn MultipartUpload>,
    mut file: File,
    upload: &Upload,
    sending: &str,
) -> Result<(), StoreError> {
    let size = PART_BYTES.max(upload.bytes.div_ceil(MAX_PARTS));
    let mut hasher = Sha256::new();
    let mut left = upload.bytes;
    let outcome = loop {
        if left == 0 {
            break if hex(&hasher.finalize()) == upload.sha256 { Ok(()) } else { Err(changed(upload)) };
        }
        let part;
        (file, part) = match read_part(file, size.min(left)).await {
            Ok(read) => read,
            Err(error) => break Err(io(|| format!("reading {}", upload.file.display()))(error)),
        };
        if part.is_empty() {
            break Err(changed(upload));
        }
        hasher.update(&part);
        left -= part.len() as u64;
        if let Err(error) = parts.put_part(part.into()).await {
            break Err(fault::told(sending, &error));
        }
    };
    if outcome.is_err() {
        // What came is no object; a place that keeps it clears it by its own rules.
        drop(parts.abort().await);
        return outcome;
    }
    parts.complete().await.map(drop).map_err(|error| fault::told(sending, &error))
}

fn changed(upload: &Upload) -> StoreError {
    StoreError::Vault {
        doing: format!("backing up {}", upload.file.display()),
        what: "it changed between being hashed and being sent".into(),
        mend: "Start again; `markwarden doctor` says whether it is sound".into(),
    }
}

/// The next `size` bytes, fewer at the end.
async fn read_part(mut file: File, size: u64) -> std::io::Result<(File, Bytes)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut part = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        (&mut file).take(size).read_to_end(&mut part)?;
        Ok((file, part.into()))
    });
    read.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// Writes an object, whose name says what its bytes are: one of its size that is there already is as well, and one of
/// another size is damaged and replaced.
async fn put_object(objects: &dyn ObjectStore, at: &ObjectPath, bytes: &Bytes, replace: bool) -> Result<(), Error> {
    let mut mode = if replace { PutMode::Overwrite } else { PutMode::Create };
    let mut tries = 1;
    loop {
        match objects.put_opts(at, bytes.clone().into(), mode.clone().into()).await {
            Ok(_) => return Ok(()),
            Err(Error::AlreadyExists { .. }) => match objects.head(at).await {
                Ok(found) if found.size == bytes.len() as u64 => return Ok(()),
                Ok(_) => mode = PutMode::Overwrite,
                Err(error) if fault::is_absent(&error) && tries < MAX_TRIES => {}
                Err(error) => return Err(error),
            },
            Err(error) if fault::is_unconditional(&error) && mode == PutMode::Create => mode = PutMode::Overwrite,
            Err(Error::Generic { .. }) if tries < MAX_TRIES => {}
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::store::vault::tests::wait;

    fn upload(file: &Path, path: &str, bytes: &[u8]) -> Upload {
        let sha256 = hex(&Sha256::digest(bytes));
        let (file, path, at) = (file.to_owned(), path.to_owned(), ObjectPath::from(sha256.as_str()));
        Upload { file, path, bytes: bytes.len() as u64, sha256, at, replace: false }
    }

    #[test]
    fn what_was_appended_since_is_left_out_and_what_changed_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.warc.gz");
        for size in [10, PART_BYTES as usize + 1] {
            let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let upload = || upload(&file, "evidence/a.warc.gz", &bytes);
            std::fs::write(&file, [&bytes[..], b"appended"].concat()).unwrap();
            let sent = wait(send(Arc::clone(&objects), "here".into(), upload())).unwrap();
            assert!(matches!(sent, Sent::There(sent) if sent == size as u64));
            let found = wait(async { objects.get(&upload().at).await.unwrap().bytes().await.unwrap() });
            assert!(found == bytes);
            let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let mut changed = bytes.clone();
            changed[size - 1] ^= 1;
            for changed in [&changed[..], &bytes[1..]] {
                std::fs::write(&file, changed).unwrap();
                let error = wait(send(Arc::clone(&objects), "here".into(), upload())).unwrap_err();
                assert!(error.to_string().contains("it changed"), "{error}");
                assert!(matches!(wait(objects.head(&upload().at)), Err(Error::NotFound { .. })));
            }
        }
    }

    #[test]
    fn only_a_body_may_be_gone_when_its_turn_comes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gone");
        let sent = |path: &str| wait(send(Arc::new(InMemory::new()), "here".into(), upload(&file, path, b"body")));
        assert!(matches!(sent("content/sha256/ab/cd/abcd"), Ok(Sent::Gone(_))));
        assert!(matches!(sent("evidence/a.warc.gz"), Err(StoreError::Io { .. })));
        assert!(hashed(dir.path(), dir.path().join("content/gone")).unwrap().is_none());
        assert!(hashed(dir.path(), dir.path().join("evidence/gone")).is_err());
    }
}
