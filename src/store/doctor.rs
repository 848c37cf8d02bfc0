//! The doctor: says what is wrong with a data folder and what to do.
//!
//! [`doctor`] only reads. [`rebuild_index`] rebuilds the index, which is derivable; nothing here ever touches the journal.

mod index;

use std::{fs, path::Path, sync::Arc};

use serde::Serialize;

use super::{
    backup::{Tally, files_below},
    content::ContentStore,
    event::Entry,
    folder::{check_format, content_dir, io, journal_dir, lock},
    journal::{Begin, Head, hash_at, verify},
    port::{Counts, StoreError},
    settings::Settings,
    sled::{SledStore, set_aside},
    snapshot::{self, Snapshot},
};
use crate::model::SystemClock;

/// Ends the name of the note that stands where a file of evidence stood whose time was over.
pub const RETIRED: &str = ".retired";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Mends itself, or can be mended without loss.
    Warning,
    /// Something is lost or unreadable.
    Error,
}

/// One thing the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ailment {
    /// How bad it is.
    pub gravity: Gravity,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

impl Ailment {
    fn note(what: impl Into<String>, advice: &str) -> Self {
        Self { gravity: Gravity::Note, what: what.into(), advice: advice.to_owned() }
    }

    fn warning(what: impl Into<String>, advice: &str) -> Self {
        Self { gravity: Gravity::Warning, what: what.into(), advice: advice.to_owned() }
    }

    fn error(what: impl Into<String>, advice: &str) -> Self {
        Self { gravity: Gravity::Error, what: what.into(), advice: advice.to_owned() }
    }
}

const WAYS_OUT: &str = "restore the newest backup into another folder and work from there; keep this folder, since \
    everything before the damage can still be read. If the disk has a copy (snapshot, mirror), bring this file back from it";

/// Examines the store in `data` without changing anything; an index is examined in a copy. `progress` hears bodies
/// checked, and how many there are.
///
/// # Errors
/// When the folder cannot be examined at all. What is wrong with it is no error but an answer.
pub fn doctor(
    data: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Ailment>, StoreError> {
    let settings = settings.clamped();
    let mut found = Vec::new();
    match check_format(data) {
        Ok(true) => {}
        Ok(false) => {
            let what = format!("{} holds no store", data.display());
            return Ok(vec![Ailment::error(
                what,
                "name the data folder with --data, or start `markwarden serve` once",
            )]);
        }
        Err(error) => return Ok(vec![unreadable(&error)]),
    }
    look_around(data, &mut found)?;
    match examine_journal(data, &mut found) {
        Ok(counts) => {
            if examine_snapshots(data, &mut found)? {
                index::examine(data, &settings, counts, &mut found)?;
            }
        }
        Err(error) => found.push(unreadable(&error)),
    }
    examine_content(data, progress, &mut found)?;
    found.sort_by_key(|ailment| std::cmp::Reverse(ailment.gravity));
    Ok(found)
}

/// Sets the index aside and rebuilds it from the journal.
///
/// # Errors
/// When another process holds the folder, the journal is damaged, or the disk says no.
pub fn rebuild_index(data: &Path, settings: &Settings) -> Result<Counts, StoreError> {
    if !check_format(data)? {
        return Err(StoreError::Refused(format!("{} holds no store", data.display())));
    }
    let whole = verify(&journal_dir(data), &mut |_, _| Ok(()))?.first == Head::START;
    let held = lock(data)?;
    set_aside(data, "a repair was asked for")?;
    for (_, path) in snapshot::newest(data)? {
        // Where the journal cannot say it all again, only a snapshot that is damaged is set aside, by the opening.
        if whole {
            snapshot::set_aside(&path, &StoreError::NotYet("a repair was asked for".into()))?;
        }
    }
    drop(held);
    // A repair leaves the journal alone, down to its files.
    let settings = Settings { seal: false, ..settings.clone() };
    Ok(SledStore::open(data, &settings, Arc::new(SystemClock))?.standing()?.1)
}

fn unreadable(error: &StoreError) -> Ailment {
    let advice = match error {
        StoreError::Newer { .. } => "use the program that wrote it; nothing says that the folder is damaged",
        _ => WAYS_OUT,
    };
    Ailment::error(error.to_string(), advice)
}

/// What lies in the folder that is no part of the store.
fn look_around(data: &Path, found: &mut Vec<Ailment>) -> Result<(), StoreError> {
    let doing = || format!("listing {}", data.display());
    for entry in fs::read_dir(data).map_err(io(doing))? {
        let name = entry.map_err(io(doing))?.file_name().to_string_lossy().into_owned();
        if name.starts_with("index.bad.") {
            let advice = "remove it when nobody wants to look into why";
            found.push(Ailment::note(format!("{name} is an index that was set aside"), advice));
        }
    }
    Ok(())
}

/// Looks through the journal; says what it amounts to if all of it is there.
fn examine_journal(data: &Path, found: &mut Vec<Ailment>) -> Result<Option<Counts>, StoreError> {
    let mut tally = Tally::default();
    let verified = verify(&journal_dir(data), &mut |head, payload| {
        tally.add(head.seq, &Entry::decode(head.seq, payload)?.event);
        Ok(())
    })?;
    if verified.tail {
        let what =
            format!("an unfinished write stands behind sequence {}; it was never acknowledged", verified.head.seq);
        found.push(Ailment::note(what, "nothing: the next start clears it"));
    }
    let begin = Begin::of(&journal_dir(data))?;
    if begin.head == Head::START {
        return Ok(Some(tally.counts()));
    }
    let what = format!("sequences 1 to {} have left the journal for {}", begin.head.seq, begin.kept_in);
    found.push(Ailment::note(what, "keep that backup: `markwarden trim --bring-back` brings them back"));
    Ok(None)
}

/// Looks through the snapshots; says whether the index can be rebuilt.
fn examine_snapshots(data: &Path, found: &mut Vec<Ailment>) -> Result<bool, StoreError> {
    let dir = journal_dir(data);
    let whole = Begin::of(&dir)?.head == Head::START;
    let mut usable = 0;
    for (_, path) in snapshot::newest(data)? {
        let proved = Snapshot::open(&path, 0).and_then(|opened| {
            opened.prove()?;
            Ok(hash_at(&dir, opened.head().seq)? == Some(opened.head().hash))
        });
        let what = match proved {
            Ok(true) => {
                usable += 1;
                continue;
            }
            Ok(false) => format!("{} does not belong to this journal", path.display()),
            Err(error @ StoreError::Damaged { .. }) => error.to_string(),
            Err(error) => return Err(error),
        };
        found.push(Ailment::warning(what, "run `markwarden doctor --repair`: the index is rebuilt, nothing is lost"));
    }
    if usable == 0 && !whole {
        let what = "the oldest segments have left the journal, and no snapshot can be used";
        let advice = "bring a snapshot back from a backup, or the segments: `markwarden trim --bring-back`";
        found.push(Ailment::error(what, advice));
    }
    Ok(whole || usable > 0)
}

fn examine_content(
    data: &Path,
    progress: &mut dyn FnMut(u64, u64),
    found: &mut Vec<Ailment>,
) -> Result<(), StoreError> {
    let dir = content_dir(data);
    if !dir.join("sha256").exists() {
        found.push(Ailment::warning(
            "the content store is missing",
            "the next start makes it; restore bodies from a backup",
        ));
        return Ok(());
    }
    let store = ContentStore::existing(&dir);
    let files = files_below(&dir)?;
    for ((path, _), done) in files.iter().zip(1..) {
        let hash = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        match store.get(hash) {
            Ok(Some(_)) => {}
            Ok(None) | Err(StoreError::Refused(_)) => {
                found.push(Ailment::note(format!("{} is no body", path.display()), "remove it if it is not yours"));
            }
            Err(error) => found.push(Ailment::error(
                error.to_string(),
                "bring this file back from a backup; a body of the index comes back by `doctor --repair` once the file is removed",
            )),
        }
        progress(done, files.len() as u64);
    }
    Ok(())
}
