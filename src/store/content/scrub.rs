//! Hashing bodies again, a few at a time, so that rot is found before the body is needed.

use std::path::Path;

use serde::Serialize;

use super::ContentStore;
use crate::store::{
    disk,
    folder::{io, write_new},
    port::{StoreError, is_sha256},
};

/// Where the last scrub ended; hidden, so that neither backup nor doctor takes it for a body.
const CURSOR: &str = ".scrub";
const MAX_CURSOR_BYTES: u64 = 64;

/// What a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScrubReport {
    /// Bodies hashed again.
    pub checked: u64,
    /// The hashes of those that are damaged.
    pub damaged: Vec<String>,
    /// Whether the last body was reached: the next scrub begins anew.
    pub finished: bool,
}

impl ContentStore {
    /// Hashes at most `limit` bodies again, going on where the last scrub ended, and remembers where it ends.
    ///
    /// # Errors
    /// When the disk says no. A damaged body is no error but an answer.
    pub fn scrub(&self, limit: usize) -> Result<ScrubReport, StoreError> {
        let limit = limit.max(1);
        let place = self.root.with_file_name(CURSOR);
        let after = cursor(&place);
        let hashes = self.hashes_after(&after, limit)?;
        let mut report = ScrubReport { finished: hashes.len() < limit, ..ScrubReport::default() };
        for hash in &hashes {
            report.checked += 1;
            match self.get(hash) {
                Ok(_) => {}
                Err(StoreError::Damaged { .. }) => report.damaged.push(hash.clone()),
                Err(error) => return Err(error),
            }
        }
        let end = if report.finished { "" } else { hashes.last().map_or("", String::as_str) };
        write_new(&place, end.as_bytes())?;
        Ok(report)
    }

    /// Every body's hash behind `after`, in order, at most `limit`.
    pub(super) fn hashes_after(&self, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for first in names(&self.root)? {
            if first.as_str() < after.get(..2).unwrap_or("") {
                continue;
            }
            for second in names(&self.root.join(&first))? {
                if format!("{first}{second}").as_str() < after.get(..4).unwrap_or("") {
                    continue;
                }
                let hashes = names(&self.root.join(&first).join(second))?;
                found.extend(hashes.into_iter().filter(|hash| is_sha256(hash) && hash.as_str() > after));
                if found.len() >= limit {
                    found.truncate(limit);
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

/// A cursor that cannot be read only makes the scrub begin anew.
fn cursor(place: &Path) -> String {
    let bytes = disk::read(place, MAX_CURSOR_BYTES).unwrap_or_default();
    String::from_utf8(bytes).ok().filter(|text| is_sha256(text)).unwrap_or_default()
}

/// What lies in a folder, in order, but for what is being written; nothing when there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    if !disk::exists(folder) {
        return Ok(Vec::new());
    }
    let mut names = disk::names(folder).map_err(io(|| format!("listing {}", folder.display())))?;
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    Ok(names)
}
