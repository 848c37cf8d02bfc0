//! Bringing a backup into an empty folder, and proving that nothing is missing.

use std::{
    fs,
    path::{Component, Path},
    sync::Arc,
};

use super::{BackupReport, FORMAT, MANIFEST, Manifest, Progress, copy_hashed, finish_folder, hash_file, make_empty};
use crate::{
    model::SystemClock,
    store::{
        disk,
        folder::{format_file, io},
        journal::hex,
        port::{Counts, StoreError},
        settings::Settings,
        sled::SledStore,
    },
};

/// A manifest names each body; larger ones are not read.
const MAX_MANIFEST_BYTES: u64 = 512 * 1024 * 1024;

/// Brings the backup in `from` into `target`, which must be empty or absent: every file's hash is compared, then the store
/// is opened and its sequence, last hash and counters are held against the manifest.
///
/// # Errors
/// When the backup is damaged or of a newer format, `target` is not empty, or the disk says no. What was copied until
/// then is no store and can be removed.
pub fn restore(
    from: &Path,
    target: &Path,
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<BackupReport, StoreError> {
    let path = from.join(MANIFEST);
    let manifest = read_manifest(&path)?;
    if let Some(file) = manifest.files.iter().find(|file| !is_allowed(&file.path)) {
        let what = format!("`{:.200}` is no file of a backup", file.path);
        return Err(StoreError::Damaged { path: path.display().to_string(), what });
    }
    make_empty(target)?;
    let (mut done, total) = (0, manifest.files.iter().map(|file| file.bytes).sum());
    for file in &manifest.files {
        let source = from.join(&file.path);
        let (bytes, sha256) = copy_hashed(&source, &target.join(&file.path))?;
        if (bytes, &sha256) != (file.bytes, &file.sha256) {
            let what = format!(
                "it has {bytes} bytes and the hash {sha256}, the manifest says {} and {}",
                file.bytes, file.sha256
            );
            return Err(StoreError::Damaged { path: source.display().to_string(), what });
        }
        done += bytes;
        progress(done, total);
    }
    finish_folder(target)?;
    if let Err(error) = prove(target, settings, &manifest) {
        fs::remove_file(format_file(target)).map_err(io(|| format!("withdrawing {}", target.display())))?;
        return Err(error);
    }
    Ok(manifest.report(hash_file(&path)?.1))
}

fn read_manifest(path: &Path) -> Result<Manifest, StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.display().to_string(), what };
    let bytes =
        disk::read(path, MAX_MANIFEST_BYTES).map_err(io(|| format!("reading the backup's {}", path.display())))?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("it is no manifest: {error}")))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if format > u64::from(FORMAT) {
        let found = u32::try_from(format).unwrap_or(u32::MAX);
        return Err(StoreError::Newer { path: path.display().to_string(), found, supported: FORMAT });
    }
    serde_json::from_value(value).map_err(|error| damaged(format!("it is no manifest: {error}")))
}

/// Plain names below the parts a backup has; nothing that leads out of the folder.
fn is_allowed(path: &str) -> bool {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let first = path.split('/').next().unwrap_or("");
    plain
        && !path.contains('\\')
        && (["journal", "content", "evidence"].contains(&first) || path.starts_with("ledger/checkpoints/"))
}

fn prove(target: &Path, settings: &Settings, manifest: &Manifest) -> Result<(), StoreError> {
    // What was restored stays what the manifest says, file by file.
    let settings = Settings { seal: false, ..settings.clone() };
    let store = SledStore::open(target, &settings, Arc::new(SystemClock))?;
    let (head, counts): (_, Counts) = store.standing()?;
    let found = (head.seq, hex(&head.hash), counts);
    if found != (manifest.seq, manifest.hash.clone(), manifest.counts) {
        let what = format!("the restored store ends at {found:?}, the manifest says {manifest:.300?}");
        return Err(StoreError::Damaged { path: target.display().to_string(), what });
    }
    Ok(())
}
