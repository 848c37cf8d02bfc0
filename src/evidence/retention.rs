//! Evidence that is kept for a time only: files of live rooms go when they are old and nothing cites them.
//!
//! What was there stays told: a note beside the file's place says when it went, how long it was, and its SHA-256.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{EvidenceError, LIVE, record::hex};
use crate::{model::Timestamp, store::RETIRED};

/// A file that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Its name.
    pub file: String,
    /// When it went.
    pub at: Timestamp,
    /// How long it was.
    pub bytes: u64,
    /// SHA-256 (hex) of all of it.
    pub sha256: String,
}

/// Whether the file of a capture went because its time was over.
pub fn is_retired(folder: &Path, file: &str) -> bool {
    folder.join(format!("{file}{RETIRED}")).exists()
}

/// Files of live rooms in `folder` that were begun before `before`, the newest of all left out: it may be written to.
///
/// # Errors
/// When the folder cannot be read.
pub fn old_live_files(folder: &Path, before: Timestamp) -> Result<Vec<String>, EvidenceError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(EvidenceError::io("reading", folder)(error)),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(LIVE) && name.ends_with(".warc.gz")).collect();
    names.sort();
    names.pop();
    // A name holds the time of its beginning.
    let first = format!("{LIVE}{}", before.strftime("%Y%m%d%H%M%S"));
    names.retain(|name| *name < first);
    Ok(names)
}

/// Lets `files` of `folder` go, but for those of `cited`.
///
/// # Errors
/// When the disk says no; files that went before are told by their notes.
pub fn retire(
    folder: &Path,
    files: &[String],
    cited: &BTreeSet<String>,
    at: Timestamp,
) -> Result<Vec<Retired>, EvidenceError> {
    files.iter().filter(|file| !cited.contains(*file)).map(|file| retire_one(folder, file, at)).collect()
}

fn retire_one(folder: &Path, name: &str, at: Timestamp) -> Result<Retired, EvidenceError> {
    let path = folder.join(name);
    let (bytes, sha256) = hashed(&path).map_err(EvidenceError::io("reading", &path))?;
    let retired = Retired { file: name.to_owned(), at, bytes, sha256 };
    let note = folder.join(format!("{name}{RETIRED}"));
    let written = File::create(&note).and_then(|mut file| {
        file.write_all(serde_json::to_string(&retired)?.as_bytes())?;
        file.sync_all()
    });
    written.map_err(EvidenceError::io("writing", &note))?;
    // The note lasts before the file goes.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(EvidenceError::io("syncing", folder))?;
    fs::remove_file(&path).map_err(EvidenceError::io("removing", &path))?;
    Ok(retired)
}

/// Length and SHA-256 (hex) of a file.
fn hashed(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex(&hasher.finalize())));
        }
        bytes += read as u64;
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_of_rooms_go_and_leave_a_note_but_what_is_cited_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "live-20260101000000-00001.warc.gz",
            "live-20260102000000-00001.warc.gz",
            "live-20260901000000-00001.warc.gz",
            "markwarden-20260101000000-00001.warc.gz",
        ];
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let before: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let old = old_live_files(folder.path(), before).unwrap();
        assert_eq!(old, names[..2]);
        let cited = BTreeSet::from([names[0].to_owned()]);
        let retired = retire(folder.path(), &old, &cited, before).unwrap();
        assert_eq!((retired.len(), retired[0].file.as_str(), retired[0].bytes), (1, names[1], names[1].len() as u64));
        assert!(is_retired(folder.path(), names[1]) && !folder.path().join(names[1]).exists());
        assert!(!is_retired(folder.path(), names[0]) && folder.path().join(names[0]).exists());
        // The newest may be written to, however old it is.
        let all_old: Timestamp = "2027-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(old_live_files(folder.path(), all_old).unwrap(), [names[0]]);
        assert!(old_live_files(&folder.path().join("none"), all_old).unwrap().is_empty());
    }
}
