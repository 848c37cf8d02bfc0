//! Notes that a command hands to the running server, which alone may write to the store while it runs.
//!
//! A command that finds the store in use writes a file into a folder of the data folder; the server takes it into the journal
//! and removes it. Only notes of rules, campaigns, stopped hosts, paused profiles and alarms are taken; whoever may write into that folder may write the store itself.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    halt::{RESUMED, STOPPED},
    operations::{ACKNOWLEDGED, CONTINUED, PAUSED},
    standing::{BACKTEST, PROMOTED, WITHDRAWN},
};
use crate::{
    files,
    model::Timestamp,
    store::{Batch, Write},
};

/// The folder in the data folder.
pub const HANDED: &str = "handed";
/// Notes of campaigns begin with this.
const CAMPAIGN: &str = "campaign.";
/// Longest file that is taken, files taken at once, notes in one file.
const MAX_BYTES: u64 = 4 << 20;
const MAX_FILES: usize = 100;
const MAX_NOTES: usize = 10_000;

/// Notes for the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// Who: an account or a person's name, after `cli:`.
    pub actor: String,
    /// When they were handed over.
    pub at: Timestamp,
    notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    what: String,
    details: Map<String, Value>,
}

impl Handed {
    /// Reads what a file says.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("it has more than {MAX_BYTES} bytes"));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if read.notes.len() > MAX_NOTES {
            return Err(format!("it has more than {MAX_NOTES} notes"));
        }
        let known = |what: &str| {
            [BACKTEST, PROMOTED, WITHDRAWN, STOPPED, RESUMED, PAUSED, CONTINUED, ACKNOWLEDGED].contains(&what)
                || what.starts_with(CAMPAIGN)
        };
        match read.notes.iter().find(|note| !known(&note.what)) {
            Some(note) => Err(format!("`{:.80}` is nothing that is handed over", note.what)),
            None if !read.actor.starts_with("cli") => Err("only commands hand something over".into()),
            None => Ok(read),
        }
    }

    /// The notes: what, and the details.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.notes.iter().map(|note| (note.what.as_str(), &note.details))
    }

    /// As the store takes them.
    pub fn batch(self) -> Batch {
        let writes = self.notes.into_iter().map(|Note { what, details }| Write::Note { what, details }).collect();
        Batch { actor: self.actor, writes }
    }
}

/// Hands the notes among `batch` to the server over the data folder `data`.
///
/// # Errors
/// When the disk says no.
pub fn hand_over(data: &Path, batch: Batch, at: Timestamp) -> io::Result<()> {
    let notes = batch.writes.into_iter().filter_map(|write| match write {
        Write::Note { what, details } => Some(Note { what, details }),
        _ => None,
    });
    let handed = Handed { actor: batch.actor, at, notes: notes.collect() };
    let folder = data.join(HANDED);
    fs::create_dir_all(&folder)?;
    let name = format!("{:020}-{:08x}", at.as_nanosecond().max(0), fastrand::u32(..));
    files::replace(&folder.join(format!("{name}.json")), &serde_json::to_vec(&handed).map_err(io::Error::other)?)?;
    File::open(&folder)?.sync_all()
}

/// What waits in the data folder `data`, the oldest first, each with its file; what cannot be taken with the reason.
///
/// # Errors
/// When the disk says no.
pub fn waiting(data: &Path) -> io::Result<Vec<(PathBuf, Result<Handed, String>)>> {
    let entries = match fs::read_dir(data.join(HANDED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files.truncate(MAX_FILES);
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    files.into_iter().map(|path| Ok((path.clone(), Handed::read(&read(&path)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::standing::{TRUSTED, note};
    use proptest::prelude::*;

    fn at() -> Timestamp {
        "2026-11-27T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn notes_of_rules_wait_in_order_and_others_are_refused() {
        let place = tempfile::tempdir().unwrap();
        assert!(waiting(place.path()).unwrap().is_empty());
        for rule in ["a", "b"] {
            let writes = vec![note(BACKTEST, serde_json::json!({"rule": rule}))];
            hand_over(place.path(), Batch { actor: "cli:li".into(), writes }, at()).unwrap();
        }
        let writes = vec![note(TRUSTED, serde_json::json!({"rules": {}}))];
        hand_over(place.path(), Batch { actor: "cli:li".into(), writes }, at()).unwrap();
        let found = waiting(place.path()).unwrap();
        assert_eq!((found.len(), found.iter().filter(|(_, read)| read.is_ok()).count()), (3, 2));
        assert!(Handed::read(&vec![b' '; MAX_BYTES as usize + 1]).is_err());
        let many: Vec<Note> = vec![Note { what: BACKTEST.into(), details: Map::new() }; MAX_NOTES + 1];
        let many = Handed { actor: "cli".into(), at: at(), notes: many };
        assert!(Handed::read(&serde_json::to_vec(&many).unwrap()).unwrap_err().contains("notes"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Handed::read(&bytes);
        }
    }
}
