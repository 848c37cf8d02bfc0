//! Bringing a backup back from a vault, and reading all of one to see whether it could be.

use std::{fs, io::Write, path::Path, sync::Arc};

use futures_util::TryStreamExt;
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path as ObjectPath};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{BackupId, Vault, each, fault};
use crate::store::{
    backup::{BackupReport, MAX_MANIFEST_BYTES, Manifest, ManifestFile, Progress, make_empty, settle_restored},
    folder::{io, sync_dir},
    journal::hex,
    port::StoreError,
    settings::Settings,
};

/// Something that is wrong with a backup in a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The file of the backup.
    pub path: String,
    /// The object that should hold it.
    pub object: String,
    /// What does not fit.
    pub what: String,
}

/// Why an object could not be had.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is not what the manifest says.
    Flaw(String),
    /// It could not be read.
    Place(Error),
    /// Its bytes could not be written.
    Disk(std::io::Error),
}

/// What a download needs to know.
pub(super) struct Wanted {
    file: ManifestFile,
    at: ObjectPath,
    place: String,
    objects: Arc<dyn ObjectStore>,
}

impl Vault {
    /// Brings a backup, the newest when none is named, into `target`, which must be empty or absent: every file's hash is
    /// compared, then the store is opened and its sequence, last hash and counters are held against the manifest.
    ///
    /// # Errors
    /// When there is no such backup, it is damaged or of a newer format, `target` is not empty, or the place or the disk
    /// says no. What was written until then is no store and can be removed.
    pub fn restore(
        &self,
        at: Option<BackupId>,
        target: &Path,
        settings: &Settings,
        progress: Progress<'_>,
    ) -> Result<(BackupId, BackupReport), StoreError> {
        let (id, manifest, sha256) = self.read_manifest(at)?;
        make_empty(target)?;
        let (mut done, total) = (0, manifest.bytes());
        let download = each(
            manifest.files.iter().map(|file| self.wanted(file)),
            |wanted| {
                let to = target.join(&wanted.file.path);
                async move { wanted.write_to(&to).await.map(|()| wanted.file.bytes) }
            },
            |bytes| {
                done += bytes;
                progress(done, total);
            },
        );
        self.runtime.block_on(download)?;
        settle_restored(target, settings, &manifest)?;
        Ok((id, manifest.report(sha256)))
    }

    /// Reads every object of a backup, the newest when none is named, and says which are not what its manifest says.
    ///
    /// # Errors
    /// When there is no such backup, its manifest is damaged or of a newer format, or the place cannot be reached.
    pub fn verify(
        &self,
        at: Option<BackupId>,
        progress: Progress<'_>,
    ) -> Result<(BackupId, BackupReport, Vec<Flaw>), StoreError> {
        let (id, manifest, sha256) = self.read_manifest(at)?;
        let (mut done, total) = (0, manifest.bytes());
        let mut flaws = Vec::new();
        let look = each(
            manifest.files.iter().map(|file| self.wanted(file)),
            |wanted| async move {
                let bytes = wanted.file.bytes;
                match wanted.receive(|_| Ok(())).await {
                    Ok(()) => Ok((bytes, None)),
                    Err(Broken::Flaw(what)) => {
                        let object = wanted.at.to_string();
                        Ok((bytes, Some(Flaw { path: wanted.file.path, object, what })))
                    }
                    Err(broken) => Err(wanted.told("reading", broken)),
                }
            },
            |(bytes, flaw)| {
                done += bytes;
                progress(done, total);
                flaws.extend(flaw);
            },
        );
        self.runtime.block_on(look)?;
        flaws.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((id, manifest.report(sha256), flaws))
    }

    /// The manifest of this backup, or of the newest, with its hash.
    pub(super) fn read_manifest(&self, at: Option<BackupId>) -> Result<(BackupId, Manifest, String), StoreError> {
        let none = |what: String| StoreError::Vault {
            doing: format!("reading a backup from {}", self.name),
            what,
            mend: "`markwarden backup list` shows what is there".into(),
        };
        let id = match at {
            Some(id) => id,
            None => self.backups()?.pop().ok_or_else(|| none("it holds no backup".into()))?,
        };
        let at = self.manifest(&id);
        let doing = format!("reading {at} in {}", self.name);
        let bytes = self.runtime.block_on(read_bounded(&*self.objects, &at, MAX_MANIFEST_BYTES));
        let bytes = match bytes {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(none(format!("the manifest {at} has more than {MAX_MANIFEST_BYTES} bytes"))),
            Err(error) if fault::is_absent(&error) => return Err(none(format!("there is no backup {id}"))),
            Err(error) => return Err(fault::told(&doing, &error)),
        };
        let manifest = Manifest::parse(&format!("{at} in {}", self.name), &bytes)?;
        Ok((id, manifest, hex(&Sha256::digest(&bytes))))
    }

    pub(super) fn wanted(&self, file: &ManifestFile) -> Wanted {
        let (place, objects) = (self.name.clone(), Arc::clone(&self.objects));
        Wanted { file: file.clone(), at: self.object(&file.sha256), place, objects }
    }
}

impl Wanted {
    /// Reads the object, hands its bytes to `take`, and compares size and hash. Reads no more than the manifest says.
    pub(super) async fn receive(&self, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<(), Broken> {
        let found = match self.objects.get(&self.at).await {
            Ok(found) => found,
            Err(error) if fault::is_absent(&error) => return Err(Broken::Flaw("it is missing".into())),
            Err(error) => return Err(Broken::Place(error)),
        };
        let expected = self.file.bytes;
        let other_size = |bytes| Err(Broken::Flaw(format!("it has {bytes} bytes where the manifest says {expected}")));
        if found.meta.size != expected {
            return other_size(found.meta.size);
        }
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(Broken::Place)? {
            bytes += chunk.len() as u64;
            if bytes > expected {
                return other_size(bytes);
            }
            hasher.update(&chunk);
            take(&chunk).map_err(Broken::Disk)?;
        }
        let hash = hex(&hasher.finalize());
        match bytes == expected {
            false => other_size(bytes),
            true if hash != self.file.sha256 => Err(Broken::Flaw(format!("its bytes have the hash {hash}"))),
            true => Ok(()),
        }
    }

    /// Writes the object to a new file, durably.
    pub(super) async fn write_to(&self, to: &Path) -> Result<(), StoreError> {
        let doing = || format!("writing {}", to.display());
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(io(doing))?;
        }
        let mut file = fs::File::create_new(to).map_err(io(doing))?;
        self.receive(|chunk| file.write_all(chunk)).await.map_err(|broken| self.told("restoring", broken))?;
        tokio::task::spawn_blocking(move || file.sync_all())
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(io(doing))?;
        to.parent().map_or(Ok(()), sync_dir)
    }

    pub(super) fn told(&self, doing: &str, broken: Broken) -> StoreError {
        let doing = format!("{doing} {} from {} in {}", self.file.path, self.at, self.place);
        match broken {
            Broken::Flaw(what) => StoreError::Vault {
                doing,
                what,
                mend: "`markwarden backup verify` names everything that is wrong. Another backup may be whole: name it with \
                       --at. An object that was removed from the vault is put there again by the next backup, if the store \
                       still has it"
                    .into(),
            },
            Broken::Place(error) => fault::told(&doing, &error),
            Broken::Disk(source) => StoreError::Io { doing, source },
        }
    }
}

/// The bytes of an object; none when it has more than `limit`.
pub(super) async fn read_bounded(
    objects: &dyn ObjectStore,
    at: &ObjectPath,
    limit: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let found = objects.get(at).await?;
    if found.meta.size > limit {
        return Ok(None);
    }
    let mut chunks = found.into_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}
