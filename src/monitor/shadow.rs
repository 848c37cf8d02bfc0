//! What rules in shadow would have found: counted by day and rule, never queued.
//!
//! Main type: [`Shadow`]. The counts are kept in one file that is written aside and renamed; what was counted since it was
//! last written is lost when the process is killed.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    hash::{BuildHasher, RandomState},
    io,
    path::Path,
};

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    files,
    model::{Finding, Listing},
};

/// Days that are kept, samples of a rule and day, characters of a sample's title.
const DAYS: i32 = 400;
const SAMPLES: usize = 3;
const TITLE_CHARS: usize = 120;
/// Listings of a day that are told apart for each rule; further ones are counted each time they are seen.
const MAX_SEEN: usize = 1_000_000;
/// Longest file that is read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// What one rule would have found on one day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowCount {
    /// The rule's version that day, the newest.
    pub version: u32,
    /// Listings in which it would have made a hit.
    pub listings: u64,
    /// Findings that stand in them.
    pub findings: u64,
    /// The first ones.
    pub samples: Vec<ShadowSample>,
}

/// A listing in which a rule in shadow found something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowSample {
    /// The listing's id.
    pub listing: String,
    /// Its title.
    pub title: String,
    /// The words that were found.
    pub text: String,
}

/// Counts by day and rule.
#[derive(Debug, Default)]
pub struct Shadow {
    days: BTreeMap<Date, BTreeMap<String, ShadowCount>>,
    day: Option<Date>,
    seen: HashSet<u64>,
    state: RandomState,
    changed: bool,
}

impl Shadow {
    /// Reads what was counted before; nothing when there is no file.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or is none of ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(what) if what.len() > MAX_BYTES => {
                return Err(io::Error::other(format!("it has more than {MAX_BYTES} bytes")));
            }
            Ok(_) => fs::read(path)?,
        };
        let days = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        Ok(Self { days, ..Self::default() })
    }

    /// Writes the counts, when they have changed since they were written.
    ///
    /// # Errors
    /// When the disk says no; then they are written the next time.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        files::replace(path, &serde_json::to_vec(&self.days).map_err(io::Error::other)?)?;
        self.changed = false;
        Ok(())
    }

    /// The counts by day and rule.
    pub fn days(&self) -> &BTreeMap<Date, BTreeMap<String, ShadowCount>> {
        &self.days
    }

    /// Counts what rules in shadow found in `listing` on `day`; a listing that is seen again that day counts once.
    ///
    /// `version` gives the version of a rule.
    pub fn count(&mut self, day: Date, listing: &Listing, findings: &[Finding], version: impl Fn(&str) -> u32) {
        if self.day != Some(day) {
            self.day = Some(day);
            self.seen.clear();
            let oldest = day.checked_sub(DAYS.days()).unwrap_or(day);
            self.days.retain(|known, _| *known >= oldest);
        }
        let mut by_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.suppressed.is_none()) {
            by_rule.entry(&finding.reference).or_default().push(finding);
        }
        for (rule, found) in by_rule {
            let platform = listing.platform.as_deref().unwrap_or("");
            let seen = self.state.hash_one((platform, &listing.id, rule));
            let known = !listing.id.is_empty() && self.seen.contains(&seen);
            if known {
                continue;
            }
            if self.seen.len() < MAX_SEEN {
                self.seen.insert(seen);
            }
            let count = self.days.entry(day).or_default().entry(rule.to_owned()).or_default();
            count.version = version(rule);
            count.listings += 1;
            count.findings += found.len() as u64;
            if let Some(first) = found.first().filter(|_| count.samples.len() < SAMPLES) {
                count.samples.push(ShadowSample {
                    listing: listing.id.clone(),
                    title: listing.title.chars().take(TITLE_CHARS).collect(),
                    text: first.text.clone(),
                });
            }
            self.changed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::group::tests::finding;

    fn on(day: &str) -> Date {
        day.parse().unwrap()
    }

    fn listing(id: &str) -> Listing {
        Listing { id: id.to_owned(), title: "国家级毛巾".repeat(60), ..Listing::default() }
    }

    #[test]
    fn a_listing_counts_once_a_day_and_counts_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shadow.json");
        let mut shadow = Shadow::open(&path).unwrap();
        let found = [finding("f", "title", 0.9), finding("f", "title", 0.5)];
        for (day, id) in [("2026-11-25", "1"), ("2026-11-25", "1"), ("2026-11-25", "2"), ("2026-11-26", "1")] {
            shadow.count(on(day), &listing(id), &found, |_| 4);
        }
        let aside = Finding { suppressed: Some("covered".into()), ..finding("f", "title", 0.9) };
        shadow.count(on("2026-11-26"), &listing("3"), &[aside], |_| 4);
        shadow.save(&path).unwrap();
        let read = Shadow::open(&path).unwrap();
        assert_eq!(read.days(), shadow.days());
        let first = &read.days()[&on("2026-11-25")]["m"];
        assert_eq!((first.version, first.listings, first.findings, first.samples.len()), (4, 2, 4, 2));
        assert_eq!(first.samples[0].title.chars().count(), TITLE_CHARS);
        assert_eq!(read.days()[&on("2026-11-26")]["m"].listings, 1);
        fs::write(&path, "{").unwrap();
        assert!(Shadow::open(&path).is_err());
    }

    #[test]
    fn old_days_are_let_go() {
        let mut shadow = Shadow::default();
        for day in ["2025-01-01", "2026-11-26"] {
            shadow.count(on(day), &listing("1"), &[finding("f", "title", 0.9)], |_| 1);
        }
        assert_eq!(shadow.days().len(), 1);
    }
}
