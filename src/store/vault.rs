//! A vault: backups that share what they have in common, in a folder or in an S3-compatible store.
//!
//! [`Vault`] keeps `objects/ab/<sha256>`, files by their hash, written once, and `backups/<time>-<seq>.json`, a manifest
//! each. A manifest is written when everything it names is there: what has none is no backup, so a backup that was
//! interrupted is not listed, and the next one goes on where it ended. What a backup holds belongs to [`super::backup`].

mod download;
mod fault;
mod id;
mod kept;
mod place;
mod remote;
mod staging;
mod upload;

use std::{collections::HashMap, fs, future::Future, path::Path, sync::Arc};

use futures_util::TryStreamExt;
use object_store::{ObjectStore, local::LocalFileSystem, path::Path as ObjectPath};
use tokio::{runtime::Runtime, task::JoinSet};

pub use self::{
    download::Flaw,
    id::BackupId,
    kept::KeptInVault,
    place::{Place, PlaceError, Target},
    remote::Access,
    upload::VaultReport,
};
use super::{
    folder::{io, sync_dir},
    port::{StoreError, is_sha256},
};

const OBJECTS: &str = "objects";
const BACKUPS: &str = "backups";
/// Objects that are on their way at the same time.
const CONCURRENT: usize = 8;
/// Larger files go and come in parts of this size: no more of a file is held in memory.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Backups that are listed; a vault with more is refused.
const MAX_BACKUPS: usize = 100_000;
/// Objects that are listed; a vault with more is refused.
const MAX_OBJECTS: u64 = 100_000_000;
/// The bounds of the listings.
const BOUNDS: Bounds = Bounds { backups: MAX_BACKUPS, objects: MAX_OBJECTS };

/// How much of a listing is read.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    backups: usize,
    objects: u64,
}

/// Backups in one place.
pub struct Vault {
    objects: Arc<dyn ObjectStore>,
    /// What stands before `objects` and `backups`.
    base: ObjectPath,
    /// As the person named it.
    name: String,
    runtime: Runtime,
    bounds: Bounds,
}

impl Vault {
    /// The vault in a folder; it is made when `make` says so.
    ///
    /// # Errors
    /// When the folder is absent and not to be made, when it holds something else, or when the disk says no.
    pub fn in_folder(folder: &Path, make: bool) -> Result<Self, StoreError> {
        let name = Place::Folder(folder.to_owned()).to_string();
        if make {
            make_vault(folder)?;
        } else if !Self::is_in(folder) {
            return Err(StoreError::Vault {
                doing: format!("opening {name}"),
                what: "there is no vault".into(),
                mend: "Name the folder that `markwarden backup` was given".into(),
            });
        }
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| fault::told(&format!("opening {name}"), &error))?
            .with_fsync(true);
        Self::over(Arc::new(objects), ObjectPath::default(), name)
    }

    /// Whether a vault lies in this folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(BACKUPS).is_dir()
    }

    /// The vault below `prefix` in a bucket. Nothing is sent yet.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn in_bucket(bucket: &str, prefix: &str, access: Access) -> Result<Self, StoreError> {
        let name = Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() }.to_string();
        let doing = format!("opening {name}");
        let base = ObjectPath::parse(prefix).map_err(|error| fault::told(&doing, &error.into()))?;
        let objects = access.store(bucket, &doing)?;
        Self::over(Arc::new(objects), base, name)
    }

    fn over(objects: Arc<dyn ObjectStore>, base: ObjectPath, name: String) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(io(|| format!("opening {name}")))?;
        Ok(Self { objects, base, name, runtime, bounds: BOUNDS })
    }

    /// The backups in it, oldest first. Names that are none of a backup are passed over.
    ///
    /// # Errors
    /// When the place cannot be reached or says no, or lists more than anybody keeps.
    pub fn backups(&self) -> Result<Vec<BackupId>, StoreError> {
        let doing = format!("listing the backups in {}", self.name);
        let mut names = self.objects.list(Some(&self.base.clone().join(BACKUPS)));
        let mut backups = self.runtime.block_on(async {
            let mut backups = Vec::new();
            while let Some(object) = names.try_next().await.map_err(|error| fault::told(&doing, &error))? {
                let name = object.location.filename().and_then(|name| name.strip_suffix(".json"));
                backups.extend(name.and_then(BackupId::parse));
                if backups.len() > self.bounds.backups {
                    return Err(too_many(&doing, self.bounds.backups as u64));
                }
            }
            Ok(backups)
        })?;
        backups.sort();
        Ok(backups)
    }

    /// Which of the `wanted` hashes are there, with the size they have there.
    async fn present(&self, wanted: &HashMap<&str, u64>) -> Result<HashMap<String, u64>, StoreError> {
        let doing = format!("listing the objects in {}", self.name);
        let mut names = self.objects.list(Some(&self.base.clone().join(OBJECTS)));
        let (mut present, mut listed) = (HashMap::new(), 0);
        while let Some(object) = names.try_next().await.map_err(|error| fault::told(&doing, &error))? {
            if let Some(hash) = object.location.filename().filter(|hash| wanted.contains_key(hash)) {
                present.insert(hash.to_owned(), object.size);
            }
            listed += 1;
            if listed > self.bounds.objects {
                return Err(too_many(&doing, self.bounds.objects));
            }
        }
        Ok(present)
    }

    /// Where the object with this hash lies.
    fn object(&self, hash: &str) -> ObjectPath {
        debug_assert!(is_sha256(hash), "hashes are checked where they come in");
        self.base.clone().join(OBJECTS).join(hash.get(..2).unwrap_or_default()).join(hash)
    }

    /// Where the manifest of this backup lies.
    fn manifest(&self, id: &BackupId) -> ObjectPath {
        self.base.clone().join(BACKUPS).join(format!("{id}.json"))
    }
}

fn too_many(doing: &str, limit: u64) -> StoreError {
    StoreError::Vault {
        doing: doing.to_owned(),
        what: format!("there are more than {limit}"),
        mend: "Name the vault's own place, and begin a new vault when it is full".into(),
    }
}

/// Makes the folder of a vault; refuses one that holds something else.
fn make_vault(folder: &Path) -> Result<(), StoreError> {
    let doing = || format!("making {}", folder.display());
    let backups = folder.join(BACKUPS);
    if Vault::is_in(folder) {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(io(doing))?;
    if fs::read_dir(folder).map_err(io(doing))?.next().is_some() {
        let folder = folder.display();
        return Err(StoreError::Refused(format!(
            "{folder} is not empty and no vault: name a folder that is new or empty"
        )));
    }
    fs::create_dir(&backups).map_err(io(doing))?;
    sync_dir(folder)?;
    // The folder's own name must last too.
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

/// Runs `job` for each item, a few at the same time, and hands on what comes of each. The first failure ends it.
async fn each<Item, Outcome, Job>(
    mut items: impl Iterator<Item = Item>,
    job: impl Fn(Item) -> Job,
    mut done: impl FnMut(Outcome),
) -> Result<(), StoreError>
where
    Outcome: Send + 'static,
    Job: Future<Output = Result<Outcome, StoreError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    loop {
        while running.len() < CONCURRENT
            && let Some(item) = items.next()
        {
            running.spawn(job(item));
        }
        match running.join_next().await {
            Some(Ok(outcome)) => done(outcome?),
            Some(Err(error)) => return Err(StoreError::Stopped(error.to_string())),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
