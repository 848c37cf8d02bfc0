//! What became of every address a crawl ever named, kept from run to run: so that a page that did not change is not sent
//! again, and that a person can ask why an address was visited or not.
//!
//! A table in sled, an entry for each address and profile. It is derived and may be lost: then pages are fetched whole once
//! more. One that cannot be opened is set aside, and a new one begun.

mod alike;
mod estimate;
mod versions;

use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Alarm, Ask, Canary, CanaryAlarm, Drift, RunReport, Signs, Watched, canaries, canonical, fetch::host_of};
use crate::model::{CaptureId, Listing, Timestamp};
pub use alike::{Alike, MAX_ALIKE, NEAR_BITS, NearCopies, fingerprint};
pub use estimate::{Estimate, estimate};
pub use versions::{LISTING_CHANGED, Version, VersionsError};

/// Memory for what is read often, in bytes.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How often what was written goes to the disk, in milliseconds.
const FLUSH_EVERY_MS: u64 = 1000;
/// Longest validator that is kept; a longer one is not asked with.
const MAX_VALIDATOR: usize = 512;
/// Longest reason that is kept, in characters.
const MAX_DETAIL: usize = 300;
/// Runs of a profile that are kept.
const MAX_RUNS: u64 = 100;
/// Longest name of a section that is kept, in characters.
const MAX_SECTION: usize = 80;
/// Days of which it is kept how many listings were looked at again.
const MAX_DAYS: usize = 40;
/// Bytes of an address's hash in its key.
const HASH_BYTES: usize = 16;

/// How often and how long a table that is being closed is waited for.
const LOCK_TRIES: u32 = 50;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// What a question found that is kept, in its order.
const MAX_FOUND: usize = 1000;

const ADDRESSES: u8 = b'a';
const QUERIES: u8 = b'q';
const RUNS: u8 = b'r';
const DAYS: u8 = b'd';
const DRIFT: u8 = b'f';
const CANARIES: u8 = b'c';
const SPENT: u8 = b'e';
const SIGNS: u8 = b'l';

/// Why coverage cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// Another process has it open.
    #[error(
        "the crawl's coverage {path} is in use by another markwarden: stop it first, or ask again when it has ended"
    )]
    InUse {
        /// The folder.
        path: String,
    },
    /// The disk said no.
    #[error("using the crawl's coverage {path}: {source}")]
    Io {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What a host said by which it can tell whether a page has changed (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validators {
    /// Its entity tag, as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it says that the page was last modified, as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Validators {
    /// What an answer's headers say; what is too long to be sent back is left out.
    pub(super) fn new(etag: Option<&str>, last_modified: Option<&str>) -> Self {
        let kept = |value: Option<&str>| value.filter(|value| value.len() <= MAX_VALIDATOR).map(str::to_owned);
        Self { etag: kept(etag), last_modified: kept(last_modified) }
    }

    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What became of an address the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// In a word: `listing`, `list`, `sitemap`, `unchanged`, or why not, as in a run's report: `robots`, `status_404`, …
    pub kind: String,
    /// For a person.
    pub detail: String,
}

impl Outcome {
    pub(super) fn new(at: Timestamp, kind: &str, detail: &str) -> Self {
        Self { at, kind: kind.to_owned(), detail: detail.chars().take(MAX_DETAIL).collect() }
    }
}

/// What became of a question that was put to a site, the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The query's id.
    pub query: String,
    /// The word.
    pub keyword: String,
    /// The region.
    pub region: String,
    /// The order.
    pub sort: String,
    /// The run it was asked in.
    pub run: u64,
    /// Pages of answers that were read.
    pub pages: u32,
    /// Listings they named.
    pub listings: u64,
    /// Those among them that no page before had named.
    pub new: u64,
    /// Why it stopped: `no_next`, `empty`, `nothing_new`, `max_pages`, or what stood in the way; `going_on` while it has not.
    pub last: Outcome,
    /// What was found, in the order of its first place: addresses, or identities where there is none.
    pub found: Vec<String>,
}

impl Asking {
    pub(super) fn new(ask: &Ask, run: u64) -> Self {
        let Ask { query, keyword, region, sort, .. } = ask.clone();
        let last = Outcome::new(Timestamp::UNIX_EPOCH, "", "");
        Self { query, keyword, region, sort, run, pages: 0, listings: 0, new: 0, last, found: Vec::new() }
    }

    /// Keeps what was found, as far as it is kept.
    pub(super) fn keep(&mut self, found: Vec<String>) {
        let room = MAX_FOUND.saturating_sub(self.found.len());
        self.found.extend(found.into_iter().take(room));
    }
}

/// What is known of an address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// As it was asked for or named.
    pub url: String,
    /// When it was named first.
    pub since: Timestamp,
    /// Steps from a start page.
    pub depth: u16,
    /// The last time.
    pub last: Outcome,
    /// How often it was fetched, unchanged or not.
    #[serde(default)]
    pub visits: u32,
    /// How often its product facts were others than before.
    #[serde(default)]
    pub changes: u32,
    /// When they were last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// The first 64 bits of SHA-256 over its product facts, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// What the host can be asked with.
    #[serde(default)]
    pub validators: Validators,
    /// The first 64 bits of SHA-256 over the page its facts were read from, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// What its facts were looked at with: when that changes, the page is fetched whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub looked_with: String,
    /// The last run it was had in, and in its bits the 63 runs before: bit 0 is that run itself.
    #[serde(default)]
    pub run: u64,
    /// See `run`.
    #[serde(default)]
    pub runs: u64,
    /// When it was had last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had_at: Option<Timestamp>,
    /// What visits told of its changes.
    #[serde(default)]
    pub watched: Watched,
    /// What of its listing says how much it matters.
    #[serde(default)]
    pub stands: Standing,
    /// What was kept of it when it was sent last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureId>,
    /// What its facts were read with: when that changes, other facts are no change of the listing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub read_with: String,
    /// When it changed last, by who named it last: a sitemap's `lastmod`, or the time beside an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Timestamp>,
    /// What `said` was when it was had last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_then: Option<Timestamp>,
}

/// Where a listing belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Its identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listing: String,
    /// Who sells it, as [`seller_key`] has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seller: String,
    /// Its widest category, else the folder of its address: listings of one section change alike.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub section: String,
}

impl Standing {
    /// Where `listing` at `url` belongs.
    pub fn of(listing: &Listing, url: &Url) -> Self {
        let folder = || url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let section = listing.category.first().map_or_else(folder, String::as_str);
        Self {
            listing: listing.id.clone(),
            seller: seller_key(listing).unwrap_or_default(),
            section: section.chars().take(MAX_SECTION).collect(),
        }
    }
}

/// A seller in one word that tells no name: the first 64 bits of SHA-256 over platform and identity, in hex.
pub fn seller_key(listing: &Listing) -> Option<String> {
    let seller = listing.seller.as_ref()?;
    let who = seller.id.as_deref().or(seller.name.as_deref())?;
    let platform = listing.platform.as_deref().unwrap_or("");
    Some(short_hash(format!("{platform}\0{who}").as_bytes()))
}

/// What was read of a listing on a visit.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) hash: String,
    pub(super) stands: Standing,
}

impl Facts {
    /// Those of `listing` at `url`.
    pub(super) fn of(listing: &Listing, url: &Url) -> Self {
        Self { hash: facts_of(listing), stands: Standing::of(listing, url) }
    }
}

impl Known {
    pub(super) fn new(url: &Url, depth: u16, at: Timestamp) -> Self {
        let last = Outcome { at, kind: String::new(), detail: String::new() };
        Self {
            url: url.to_string(),
            since: at,
            depth,
            last,
            visits: 0,
            changes: 0,
            changed_at: None,
            facts: None,
            validators: Validators::default(),
            page: None,
            looked_with: String::new(),
            run: 0,
            runs: 0,
            had_at: None,
            watched: Watched::default(),
            stands: Standing::default(),
            capture: None,
            read_with: String::new(),
            said: None,
            said_then: None,
        }
    }

    /// Notes what became of it.
    pub(super) fn ended(&mut self, at: Timestamp, kind: &str, detail: &str) {
        self.last = Outcome::new(at, kind, detail);
    }

    /// Notes that it was had in the run with this number; in none, when it is 0.
    pub(super) fn had(&mut self, run: u64) {
        self.named_in(run);
        self.visits = self.visits.saturating_add(1);
    }

    /// Notes that it was met in the run with this number.
    pub(super) fn named_in(&mut self, run: u64) {
        if run == 0 {
            return;
        }
        let later = run.saturating_sub(self.run);
        self.runs = if later < 64 { self.runs << later | 1 } else { 1 };
        self.run = run;
    }

    /// Notes whether its facts were others than at the visit before.
    pub(super) fn watch(&mut self, at: Timestamp, changed: bool) {
        if let Some(before) = self.had_at.replace(at) {
            self.watched.visit(days_between(before, at), changed);
        }
    }

    /// Whether who names it says that it has changed since it was had; nothing where they do not say when it does.
    pub fn is_said_to_have_changed(&self) -> Option<bool> {
        let (said, had_at) = (self.said?, self.had_at?);
        Some(self.said_then.map_or(said > had_at, |then| said != then))
    }

    /// The host it stands on, in lower case.
    pub(super) fn host(&self) -> String {
        Url::parse(&self.url).map(|url| host_of(&url)).unwrap_or_default()
    }

    /// Notes its product facts; says whether they are others than before.
    pub(super) fn facts_are(&mut self, facts: String, at: Timestamp) -> bool {
        let changed = self.facts.as_ref().is_some_and(|before| *before != facts);
        if changed {
            self.changes = self.changes.saturating_add(1);
            self.changed_at = Some(at);
        }
        self.facts = Some(facts);
        changed
    }

    /// Whether it was had in the run with this number.
    pub fn was_had_in(&self, run: u64) -> bool {
        self.run.checked_sub(run).is_some_and(|before| before < 64 && self.runs >> before & 1 == 1)
    }
}

/// Days from one time to a later one.
pub(super) fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

/// The first 64 bits of SHA-256, in hex.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The first 64 bits of SHA-256 over what a listing says of its product, in hex: not when, and not where.
pub(super) fn facts_of(listing: &Listing) -> String {
    let facts = Listing { captured_at: None, url: None, ..listing.clone() };
    short_hash(&serde_json::to_vec(&facts).unwrap_or_default())
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Its number, counted from 1 for each profile.
    pub run: u64,
    /// When it ended.
    pub at: Timestamp,
    /// What it did; single fates are with their addresses.
    pub report: RunReport,
}

/// What a profile's runs took, all of them and all looks at listings again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Requests for pages, redirects and repetitions included.
    pub requests: u64,
    /// Bytes of bodies as they came over the wire.
    pub bytes: u64,
    /// How long requests took, together, in milliseconds.
    pub fetching_ms: u64,
    /// How long reading, matching and keeping what came took, together, in milliseconds.
    pub handling_ms: u64,
    /// Since when it is counted.
    pub since: Timestamp,
}

impl Spent {
    fn add(&mut self, report: &RunReport) {
        self.requests += report.pages + report.redirects + report.retries;
        self.bytes += report.bytes;
        self.fetching_ms += report.fetching_ms;
        self.handling_ms += report.handling_ms;
    }
}

/// What became of every address.
pub struct Coverage {
    folder: PathBuf,
    table: sled::Db,
    /// One follows the journal at a time.
    following: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coverage").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Coverage {
    /// Opens the coverage in `folder`, or begins one.
    ///
    /// # Errors
    /// When another process has it, or the disk says no.
    pub fn open(folder: &Path) -> Result<Self, CoverageError> {
        let table = match open_table(folder) {
            Ok(table) => table,
            Err(Trouble::InUse) => return Err(CoverageError::InUse { path: folder.display().to_string() }),
            Err(Trouble::Broken(what)) => {
                let aside = folder.with_extension("broken");
                tracing::warn!(folder = %folder.display(), aside = %aside.display(), what, "the crawl's coverage cannot be read; it is set aside and begun anew");
                let failed = |source| CoverageError::Io { path: folder.display().to_string(), source };
                let gone = if aside.is_dir() { std::fs::remove_dir_all(&aside) } else { std::fs::remove_file(&aside) };
                match gone {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => std::fs::rename(folder, &aside).map_err(failed)?,
                }
                open_table(folder).map_err(|trouble| failed(io::Error::other(trouble.to_string())))?
            }
        };
        Ok(Self { folder: folder.to_owned(), table, following: tokio::sync::Mutex::default() })
    }

    /// What is known of an address in a profile's crawls.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, profile: &str, url: &Url) -> Result<Option<Known>, CoverageError> {
        let found = self.table.get(address_key(profile, url)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read))
    }

    /// What is known of an address, in the crawls of every profile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(&self, url: &Url) -> Result<Vec<(String, Known)>, CoverageError> {
        let prefix = hash_key(url);
        self.scan(&prefix)
    }

    /// Every address of a profile that was ever named, in no order that means anything.
    pub fn addresses(&self, profile: &str) -> impl Iterator<Item = Result<Known, CoverageError>> {
        let wanted = profile.as_bytes().to_vec();
        self.table.scan_prefix([ADDRESSES]).filter_map(move |entry| match entry {
            Ok((key, value)) => {
                let own = key.get(1 + HASH_BYTES..).is_some_and(|profile| profile == wanted);
                own.then(|| read(&value).map(Ok)).flatten()
            }
            Err(error) => Some(Err(self.failed(error))),
        })
    }

    /// The runs of a profile that are kept, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn runs(&self, profile: &str) -> Result<Vec<Ended>, CoverageError> {
        let runs = self.table.scan_prefix(runs_key(profile)).values();
        runs.filter_map(|run| match run {
            Ok(run) => read(&run).map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        })
        .collect()
    }

    /// The newest `most` runs of a profile, the oldest of them first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn newest_runs(&self, profile: &str, most: usize) -> Result<Vec<Ended>, CoverageError> {
        let runs = self.table.scan_prefix(runs_key(profile)).values().rev().take(most);
        let runs = runs.filter_map(|run| match run {
            Ok(run) => read(&run).map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        });
        let mut runs: Vec<Ended> = runs.collect::<Result<_, _>>()?;
        runs.reverse();
        Ok(runs)
    }

    pub(super) fn put(&self, profile: &str, url: &Url, known: &Known) -> Result<(), CoverageError> {
        let value = serde_json::to_vec(known).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(address_key(profile, url), value).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// What is known of a question.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn asking(&self, profile: &str, ask: &Ask) -> Result<Option<Asking>, CoverageError> {
        let key = asking_key(profile, [&ask.query, &ask.keyword, &ask.region, &ask.sort]);
        let found = self.table.get(key).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read))
    }

    /// Every question a profile ever put, in no order that means anything.
    pub fn askings(&self, profile: &str) -> impl Iterator<Item = Result<Asking, CoverageError>> {
        self.table.scan_prefix(profile_key(QUERIES, profile)).filter_map(|entry| match entry {
            Ok((_, value)) => read(&value).map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        })
    }

    pub(super) fn put_asking(&self, profile: &str, asking: &Asking) -> Result<(), CoverageError> {
        let value = serde_json::to_vec(asking).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        let key = asking_key(profile, [&asking.query, &asking.keyword, &asking.region, &asking.sort]);
        self.table.insert(key, value).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// The number of the run that begins now.
    pub(super) fn next_run(&self, profile: &str) -> Result<u64, CoverageError> {
        let newest_first = self.table.scan_prefix(runs_key(profile)).values().rev();
        let mut readable = newest_first.filter_map(|run| match run {
            Ok(run) => read::<Ended>(&run).map(Ok),
            Err(error) => Some(Err(self.failed(error))),
        });
        Ok(readable.next().transpose()?.map_or(1, |last| last.run + 1))
    }

    /// Notes what a run did, and forgets those long past.
    pub(super) fn ended(&self, run: u64, at: Timestamp, report: &RunReport) -> Result<(), CoverageError> {
        let key = |run: u64| [runs_key(&report.profile).as_slice(), &run.to_be_bytes()].concat();
        let report = RunReport { fates: Vec::new(), ..report.clone() };
        let ended = Ended { run, at, report };
        let value = serde_json::to_vec(&ended).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(key(run), value).map_err(|error| self.failed(error))?;
        if let Some(old) = run.checked_sub(MAX_RUNS) {
            self.table.remove(key(old)).map_err(|error| self.failed(error))?;
        }
        self.table.flush().map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Listings looked at again on each of the last days that had any, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn looked_again(&self, profile: &str) -> Result<Vec<(Date, u64)>, CoverageError> {
        let found = self.table.get(days_key(profile)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read).unwrap_or_default())
    }

    /// Charges `visits` to the budget of a day.
    pub(super) fn look_again(&self, profile: &str, day: Date, visits: u64) -> Result<(), CoverageError> {
        let mut days = self.looked_again(profile)?;
        match days.last_mut() {
            Some((last, count)) if *last == day => *count += visits,
            _ => days.push((day, visits)),
        }
        let kept = days.len().saturating_sub(MAX_DAYS);
        let value = serde_json::to_vec(days.get(kept..).unwrap_or_default());
        let value = value.map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(days_key(profile), value).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// What a profile's runs took; nothing before its first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn spent(&self, profile: &str) -> Result<Spent, CoverageError> {
        let found = self.table.get(spent_key(profile)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read).unwrap_or_default())
    }

    /// Adds what a run took that ended at `at`.
    pub(super) fn spend(&self, report: &RunReport, at: Timestamp) -> Result<(), CoverageError> {
        let mut spent = self.spent(&report.profile)?;
        if spent.requests == 0 {
            spent.since = at;
        }
        spent.add(report);
        let value = serde_json::to_vec(&spent).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(spent_key(&report.profile), value).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// What the signs of change came to that stand beside addresses of `host`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn signs(&self, host: &str) -> Result<Signs, CoverageError> {
        let found = self.table.get(signs_key(host)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read).unwrap_or_default())
    }

    /// Takes in a visit on `host`: whether a sign had said that its page changed, and whether it had.
    pub(super) fn proved(&self, host: &str, said: bool, changed: bool) -> Result<(), CoverageError> {
        let mut signs = self.signs(host)?;
        signs.visit(said, changed);
        let value = serde_json::to_vec(&signs).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(signs_key(host), value).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Fields of a profile's listings that are hardly found any more.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn alarms(&self, profile: &str) -> Result<Vec<Alarm>, CoverageError> {
        Ok(self.drift_of(profile)?.alarms)
    }

    /// Holds what was read against what is usual; gives the alarms that this raised.
    pub(super) fn drift(
        &self,
        report: &RunReport,
        read_with: &str,
        at: Timestamp,
    ) -> Result<Vec<Alarm>, CoverageError> {
        let mut drift = self.drift_of(&report.profile)?;
        let raised = drift.take(&report.fill, read_with, at);
        let value = serde_json::to_vec(&drift).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(drift_key(&report.profile), value).map_err(|error| self.failed(error))?;
        Ok(raised)
    }

    /// Canaries of a profile that are not read as they must be.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn canary_alarms(&self, profile: &str) -> Result<Vec<CanaryAlarm>, CoverageError> {
        let found = self.table.get(canaries_key(profile)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read).unwrap_or_default())
    }

    /// Takes in what a run read of its canaries; gives the alarms that this raised.
    pub(super) fn canaries(
        &self,
        report: &RunReport,
        canaries: &[Canary],
        at: Timestamp,
    ) -> Result<Vec<CanaryAlarm>, CoverageError> {
        let before = self.canary_alarms(&report.profile)?;
        let (standing, raised) = canaries::after(before, canaries, &report.canaries, at);
        let value = serde_json::to_vec(&standing).map_err(|error| self.failed(sled::Error::Io(error.into())))?;
        self.table.insert(canaries_key(&report.profile), value).map_err(|error| self.failed(error))?;
        Ok(raised)
    }

    fn drift_of(&self, profile: &str) -> Result<Drift, CoverageError> {
        let found = self.table.get(drift_key(profile)).map_err(|error| self.failed(error))?;
        Ok(found.as_deref().and_then(read).unwrap_or_default())
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(String, Known)>, CoverageError> {
        let mut found = Vec::new();
        for entry in self.table.scan_prefix(prefix) {
            let (key, value) = entry.map_err(|error| self.failed(error))?;
            let profile = key.get(prefix.len()..).map(String::from_utf8_lossy).unwrap_or_default();
            if let Some(known) = read(&value) {
                found.push((profile.into_owned(), known));
            }
        }
        Ok(found)
    }

    fn failed(&self, error: sled::Error) -> CoverageError {
        CoverageError::Io { path: self.folder.display().to_string(), source: io::Error::other(error) }
    }
}

/// An entry; one that cannot be read is as good as none.
fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

fn hash_key(url: &Url) -> Vec<u8> {
    let digest = Sha256::digest(canonical(url).as_str());
    let hash = digest.first_chunk::<HASH_BYTES>().copied().unwrap_or_default();
    [&[ADDRESSES], hash.as_slice()].concat()
}

fn address_key(profile: &str, url: &Url) -> Vec<u8> {
    [hash_key(url).as_slice(), profile.as_bytes()].concat()
}

fn runs_key(profile: &str) -> Vec<u8> {
    profile_key(RUNS, profile)
}

/// Names of profiles hold no 0.
fn profile_key(kind: u8, profile: &str) -> Vec<u8> {
    [&[kind], profile.as_bytes(), &[0]].concat()
}

fn asking_key(profile: &str, parts: [&str; 4]) -> Vec<u8> {
    let digest = Sha256::digest(parts.join("\n"));
    let hash = digest.first_chunk::<HASH_BYTES>().copied().unwrap_or_default();
    [profile_key(QUERIES, profile).as_slice(), &hash].concat()
}

fn days_key(profile: &str) -> Vec<u8> {
    [&[DAYS], profile.as_bytes()].concat()
}

fn canaries_key(profile: &str) -> Vec<u8> {
    [&[CANARIES], profile.as_bytes()].concat()
}

fn spent_key(profile: &str) -> Vec<u8> {
    [&[SPENT], profile.as_bytes()].concat()
}

fn signs_key(host: &str) -> Vec<u8> {
    [&[SIGNS], host.as_bytes()].concat()
}

fn drift_key(profile: &str) -> Vec<u8> {
    [&[DRIFT], profile.as_bytes()].concat()
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it is in use")]
    InUse,
    #[error("{0}")]
    Broken(String),
}

/// sled may panic on what a power cut left behind; that is a failed open like any other.
fn open_table(folder: &Path) -> Result<sled::Db, Trouble> {
    let open = || {
        sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()
            .map_err(|error| error.to_string())
    };
    for _ in 0..LOCK_TRIES {
        let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err("opening it failed".to_owned()));
        match opened {
            Ok(table) => return Ok(table),
            // A table that was just closed here lets go of its lock a moment later.
            Err(what) if what.contains("could not acquire lock") => std::thread::sleep(LOCK_WAIT),
            Err(what) => return Err(Trouble::Broken(what)),
        }
    }
    Err(Trouble::InUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap()
    }

    fn url(path: &str) -> Url {
        Url::parse(&format!("https://shop.example{path}")).unwrap()
    }

    #[test]
    fn an_address_is_known_by_what_it_means_for_each_profile() {
        let folder = tempfile::tempdir().unwrap();
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        let mut known = Known::new(&url("/p/1"), 2, at(0));
        known.had(1);
        known.ended(at(0), "listing", "");
        coverage.put("shop", &url("/p/1"), &known).unwrap();
        coverage.put("shop2", &url("/p/1"), &known).unwrap();
        assert_eq!(coverage.get("shop", &url("/p/1?utm_source=x#top")).unwrap().as_ref(), Some(&known));
        assert_eq!(coverage.get("sho", &url("/p/1")).unwrap(), None);
        let profiles: Vec<String> =
            coverage.of(&url("/p/1")).unwrap().into_iter().map(|(profile, _)| profile).collect();
        assert_eq!(profiles, ["shop", "shop2"]);
        assert_eq!(coverage.addresses("shop").count(), 1);
        let again = Coverage::open(&folder.path().join("coverage"));
        assert!(matches!(again, Err(CoverageError::InUse { .. })), "{again:?}");
    }

    #[test]
    fn runs_an_address_was_had_in_are_remembered() {
        let mut known = Known::new(&url("/"), 0, at(0));
        for run in [1, 2, 5] {
            known.had(run);
        }
        let had: Vec<u64> = (0..8).filter(|run| known.was_had_in(*run)).collect();
        assert_eq!((had, known.visits), (vec![1, 2, 5], 3));
        known.had(900);
        assert!(known.was_had_in(900) && !known.was_had_in(5));
    }

    #[test]
    fn facts_change_when_the_product_does_and_not_with_time() {
        let listing = |title: &str| Listing { title: title.into(), captured_at: Some(at(1)), ..Listing::default() };
        let mut known = Known::new(&url("/"), 0, at(0));
        assert!(!known.facts_are(facts_of(&listing("a")), at(1)));
        let later = Listing { captured_at: Some(at(2)), ..listing("a") };
        assert!(!known.facts_are(facts_of(&later), at(2)));
        assert!(known.facts_are(facts_of(&listing("b")), at(3)));
        assert_eq!((known.changes, known.changed_at), (1, Some(at(3))));
    }

    #[test]
    fn runs_are_numbered_kept_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        let report = RunReport { profile: "shop".into(), pages: 3, ..RunReport::default() };
        for expected in 1..=MAX_RUNS + 2 {
            let run = coverage.next_run("shop").unwrap();
            assert_eq!(run, expected);
            coverage.ended(run, at(0), &report).unwrap();
        }
        let runs = coverage.runs("shop").unwrap();
        assert_eq!((runs.len() as u64, runs.first().map(|run| run.run)), (MAX_RUNS, Some(3)));
        assert_eq!(coverage.next_run("other").unwrap(), 1);
    }

    #[test]
    fn one_that_cannot_be_read_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coverage");
        for _ in 0..2 {
            std::fs::write(&path, b"no folder").unwrap();
            let coverage = Coverage::open(&path).unwrap();
            assert_eq!(coverage.runs("shop").unwrap(), []);
            assert_eq!(std::fs::read(folder.path().join("coverage.broken")).unwrap(), b"no folder");
            drop(coverage);
            std::fs::remove_dir_all(&path).unwrap();
        }
    }
}
