//! Brings an archive up to its store: what changed is added, or everything is built anew.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{
    Archive, ArchiveError, Prices, Verdicts,
    build::Builder,
    folder::{Manifest, clear, put},
    scan::unpacking,
    segment::{MAX_LISTINGS, Unpacker, identity},
};
use crate::{
    model::Listing,
    store::{Change, SledStore, Store, StoreError},
};

/// Changes of the journal after which everything is built anew.
const MAX_CHANGES: u64 = 200_000;
/// Changes read at once.
const CHANGES: usize = 1000;

/// The archive in `folder` of what `store` holds by now, built with so many `threads` where it must be; `progress` is told of
/// listings as they are taken in, and `stop` ends it.
///
/// # Errors
/// When the store or the disk says no, or it was stopped while everything was built.
pub fn refresh(
    folder: &Path,
    store: &SledStore,
    threads: usize,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Archive, ArchiveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| ArchiveError::Io { file: "the runtime".into(), source })?;
    let threads = if threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { threads };
    match Archive::open(folder).and_then(|archive| is_of(&archive, store).map(|()| archive)) {
        Ok(archive) => {
            let newest = runtime.block_on(store.counts())?.seq;
            if newest == archive.manifest.seq {
                return Ok(archive);
            }
            let outdated = 2 * archive.manifest.outdated > archive.manifest.listings.max(1000);
            if newest - archive.manifest.seq <= MAX_CHANGES && !outdated {
                match runtime.block_on(follow(folder, &archive, store, newest, threads)) {
                    Err(ArchiveError::Store(StoreError::Away { .. })) => {}
                    followed => {
                        followed?;
                        return Archive::open(folder);
                    }
                }
            }
        }
        Err(error) if error.is_mended_by_building() => {
            if !matches!(error, ArchiveError::Missing) {
                tracing::warn!(%error, "the archive is built anew");
            }
        }
        Err(error) => return Err(error),
    }
    clear(folder)?;
    // What is written meanwhile is newer than this sequence and is read again as a change.
    let seq = runtime.block_on(store.counts())?.seq;
    let mut builder = Builder::new(folder, format!("{seq:020}"), threads);
    let mut failure = None;
    store.each_listing(&mut |stored| {
        if failure.is_none() && stop.load(Ordering::Relaxed) {
            failure = Some(ArchiveError::Stopped);
        }
        if failure.is_none() {
            failure = builder.push(stored.listing).err();
            progress(1);
        }
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    let segments = builder.finish()?;
    let verdicts = runtime.block_on(Verdicts::read(store))?;
    let prices = runtime.block_on(Prices::read(store))?;
    let mut manifest = Manifest { seq, head: head(store, seq)?, segments, ..Manifest::default() };
    (manifest.listings, manifest.outdated) = Archive::counted(folder, &manifest)?;
    put(folder, manifest, (&verdicts, &prices))?;
    Archive::open(folder)
}

/// Whether the archive is of this store.
fn is_of(archive: &Archive, store: &SledStore) -> Result<(), ArchiveError> {
    match head(store, archive.manifest.seq) {
        Ok(head) if head == archive.manifest.head => Ok(()),
        Ok(_) => Err(ArchiveError::Foreign("the journal has another history".into())),
        Err(ArchiveError::Store(StoreError::Away { .. })) => {
            Err(ArchiveError::Foreign("the journal no longer has the record it reaches".into()))
        }
        Err(error) => Err(error),
    }
}

/// The chained hash of the record `seq`; empty where there is none.
fn head(store: &SledStore, seq: u64) -> Result<String, ArchiveError> {
    let mut found = String::new();
    if seq == 0 {
        return Ok(found);
    }
    store.records(seq..=seq, &mut |record| {
        found = record.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(())
    })?;
    Ok(found)
}

/// Adds what changed since `archive` was made, up to `newest`.
async fn follow(
    folder: &Path,
    archive: &Archive,
    store: &SledStore,
    newest: u64,
    threads: usize,
) -> Result<(), ArchiveError> {
    let mut verdicts = archive.verdicts.clone();
    let mut changed: HashMap<u64, Listing> = HashMap::new();
    let mut nameless = Vec::new();
    let mut seq = archive.manifest.seq;
    while seq < newest {
        let changes = store.changes_since(seq, CHANGES).await?;
        let Some(last) = changes.last().map(|change| change.seq) else { break };
        for change in &changes {
            for listing in listings(change) {
                match identity(&listing) {
                    0 => nameless.push(listing),
                    id => drop(changed.insert(id, listing)),
                }
            }
            verdicts.follow(change, store).await?;
        }
        seq = last;
    }
    let mut manifest = Manifest { seq, head: head(store, seq)?, ..archive.manifest.clone() };
    if !changed.is_empty() || !nameless.is_empty() {
        let mut builder = Builder::new(folder, format!("{seq:020}"), threads);
        // A last segment with room is written anew with what is added, so that small ones do not pile up.
        let room = archive.segments.last().filter(|part| part.segment.ids.len() + changed.len() <= MAX_LISTINGS);
        if let Some(part) = room {
            manifest.segments.pop();
            let mut unpacker = Unpacker::new().map_err(unpacking)?;
            for block in 0..part.segment.blocks() {
                let is_kept = |number: usize| {
                    part.segment.ids.get(number).is_some_and(|id| part.counts(number) && !changed.contains_key(id))
                };
                for listing in part.segment.listings(block, is_kept, &mut unpacker)? {
                    builder.push(listing)?;
                }
            }
        }
        let mut added: Vec<Listing> = changed.into_values().chain(nameless).collect();
        added.sort_by(|a, b| a.id.cmp(&b.id));
        added.into_iter().try_for_each(|listing| builder.push(listing))?;
        manifest.segments.extend(builder.finish()?);
    }
    (manifest.listings, manifest.outdated) = Archive::counted(folder, &manifest)?;
    put(folder, manifest, (&verdicts, &Prices::read(store).await?))
}

/// The listings that a change wrote.
fn listings(change: &Change) -> impl Iterator<Item = Listing> {
    change.writes().filter_map(|write| {
        (write.get("write")?.as_str()? == "listing").then_some(())?;
        serde_json::from_value(write.get("listing")?.clone()).ok()
    })
}
