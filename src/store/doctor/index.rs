//! Holding the index against one rebuilt from the journal, in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Ailment, RETIRED};
use crate::store::{
    backup::files_below,
    content::ContentStore,
    folder::{content_dir, index_dir, io, journal_dir, lock, snapshot_dir},
    journal::{Head, Verified, hash_at, verify},
    port::{Counts, StoreError},
    settings::Settings,
    sled::Index,
};

const REPAIR: &str = "run `markwarden doctor --repair`: the index is rebuilt from the journal, nothing is lost";

/// A folder outside the data folder that goes when it is dropped.
struct Workshop(PathBuf);

impl Workshop {
    fn new() -> Result<Self, StoreError> {
        let path = std::env::temp_dir().join(format!("markwarden-doctor-{:016x}", fastrand::u64(..)));
        let mut builder = fs::DirBuilder::new();
        // The index holds what the store holds: nobody else may read its copy.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(io(|| format!("making {}", path.display())))?;
        Ok(Self(path))
    }

    fn room(&self, name: &str) -> Result<PathBuf, StoreError> {
        let room = self.0.join(name);
        fs::create_dir_all(content_dir(&room)).map_err(io(|| format!("making {}", room.display())))?;
        Ok(room)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "the doctor's folder stays behind");
        }
    }
}

/// Says how the index differs from the journal, and the journal from the evidence it cites.
pub(super) fn examine(
    data: &Path,
    settings: &Settings,
    counts: Option<Counts>,
    found: &mut Vec<Ailment>,
) -> Result<(), StoreError> {
    if !data.join("lock").exists() {
        return Ok(());
    }
    let _held = match lock(data) {
        Ok(held) => held,
        Err(StoreError::InUse { .. }) => {
            let advice = "stop the program and run the doctor again to have its index examined too";
            found.push(Ailment::note("the store is in use; its index was not examined", advice));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let workshop = Workshop::new()?;
    let rebuilt = rebuild(data, &workshop.room("rebuilt")?, settings)?;
    if let Some(counts) = counts.filter(|counts| rebuilt.counts().is_ok_and(|rebuilt| rebuilt != *counts)) {
        found.push(Ailment::error(
            format!("the journal amounts to {counts:?}, an index rebuilt from it says {:?}", rebuilt.counts()?),
            "this is a mistake of the program: keep the folder and report it",
        ));
    }
    examine_cited(data, &rebuilt, found)?;
    if !index_dir(data).exists() {
        found.push(Ailment::warning("the index is missing", "nothing: the next start rebuilds it from the journal"));
        return Ok(());
    }
    compare(data, &workshop.room("copied")?, settings, &rebuilt, found)
}

fn rebuild(data: &Path, room: &Path, settings: &Settings) -> Result<Index, StoreError> {
    let Verified { first, head, .. } = verify(&journal_dir(data), &mut |_, _| Ok(()))?;
    if first != Head::START {
        // What has left the journal only a snapshot still says.
        copy_below(data, &snapshot_dir(data), room)?;
    }
    let content = ContentStore::open(&content_dir(room))?.over(&content_dir(data));
    let index = Index::open(room, content, settings)?;
    index.catch_up(&journal_dir(data), head)?;
    Ok(index)
}

/// Copies a part of the data folder into a room.
fn copy_below(data: &Path, part: &Path, room: &Path) -> Result<(), StoreError> {
    for (from, _) in files_below(part)? {
        let to = room.join(from.strip_prefix(data).unwrap_or(&from));
        let copied = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(&from, &to));
        copied.map_err(io(|| format!("copying {}", from.display())))?;
    }
    Ok(())
}

/// Opens a copy of the index, since opening writes.
fn compare(
    data: &Path,
    room: &Path,
    settings: &Settings,
    rebuilt: &Index,
    found: &mut Vec<Ailment>,
) -> Result<(), StoreError> {
    copy_below(data, &index_dir(data), room)?;
    copy_below(data, &snapshot_dir(data), room)?;
    let content = ContentStore::open(&content_dir(room))?.over(&content_dir(data));
    let copy = match Index::open_existing(room, content, settings)? {
        Ok(copy) => copy,
        Err(what) => {
            found.push(Ailment::warning(format!("the index cannot be used: {what}"), REPAIR));
            return Ok(());
        }
    };
    let (applied, head) = (copy.applied()?, rebuilt.applied()?);
    if applied.seq > head.seq {
        found.push(Ailment::error(
            format!(
                "the journal ends at sequence {}, though sequence {} had been acknowledged: records are gone",
                head.seq, applied.seq
            ),
            super::WAYS_OUT,
        ));
        return Ok(());
    }
    if hash_at(&journal_dir(data), applied.seq)? != Some(applied.hash) {
        found.push(Ailment::warning("the index does not belong to this journal", REPAIR));
        return Ok(());
    }
    if applied.seq < head.seq {
        let what = format!("the index reaches sequence {} of {}", applied.seq, head.seq);
        found.push(Ailment::note(what, "nothing: the next start catches up"));
        copy.catch_up(&journal_dir(data), head)?;
    }
    if let Some(key) = copy.first_difference(rebuilt)? {
        let what = format!("the index differs from the journal at the key {}", key.escape_ascii());
        found.push(Ailment::warning(what, REPAIR));
    }
    Ok(())
}

/// Evidence the store cites must be there.
fn examine_cited(data: &Path, index: &Index, found: &mut Vec<Ailment>) -> Result<(), StoreError> {
    let content = ContentStore::existing(&content_dir(data));
    let advice = "bring it back from a backup: `markwarden restore` into another folder, then copy the file";
    index.each_hit(&mut |hit| {
        if let Some(hash) = &hit.what.evidence
            && !content.has(hash)
        {
            found.push(Ailment::error(format!("the evidence {hash} of hit {} is missing", hit.id), advice));
        }
    })?;
    index.each_capture(&mut |capture| {
        let path = data.join("evidence").join(&capture.file);
        // It went when its time was over, and its note says so.
        if path.with_file_name(format!("{}{RETIRED}", capture.file)).exists() {
            return;
        }
        let size = fs::metadata(&path).map_or(0, |about| about.len());
        if size < capture.offset.saturating_add(capture.length) {
            let what = format!("the record of capture {} is missing from {}", capture.id, path.display());
            found.push(Ailment::error(what, advice));
        }
    })
}
