//! Bringing a backup into an empty folder, and proving that nothing is missing.

use std::{fs, path::Path, sync::Arc};

use super::{BackupReport, MANIFEST, MAX_MANIFEST_BYTES, Manifest, Progress, copy_hashed, hash_file, make_empty};
use crate::{
    model::SystemClock,
    store::{
        disk,
        folder::{format_file, io, write_format},
        journal::hex,
        port::{Counts, StoreError},
        settings::Settings,
        sled::SledStore,
    },
};

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
    let manifest = read_manifest(from)?;
    make_empty(target)?;
    let (mut done, total) = (0, manifest.bytes());
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
    settle_restored(target, settings, &manifest)?;
    Ok(manifest.report(hash_file(&from.join(MANIFEST))?.1))
}

/// The manifest of the backup in the folder `from`.
pub(in crate::store) fn read_manifest(from: &Path) -> Result<Manifest, StoreError> {
    let path = from.join(MANIFEST);
    let bytes =
        disk::read(&path, MAX_MANIFEST_BYTES).map_err(io(|| format!("reading the backup's {}", path.display())))?;
    Manifest::parse(&path.display().to_string(), &bytes)
}

/// Makes the restored files a store and proves it; takes that back when the proof fails. Without the format file, which is
/// written last, a half restored folder is no store.
pub(in crate::store) fn settle_restored(
    target: &Path,
    settings: &Settings,
    manifest: &Manifest,
) -> Result<(), StoreError> {
    write_format(target)?;
    if let Err(error) = prove(target, settings, manifest) {
        fs::remove_file(format_file(target)).map_err(io(|| format!("withdrawing {}", target.display())))?;
        return Err(error);
    }
    Ok(())
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
