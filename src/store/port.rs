//! The port: the product's own operations, neither key-value nor SQL.
//!
//! Promises every store keeps, and one suite tests on all of them:
//! - what a method acknowledges is durable;
//! - everything is idempotent by key: the same listing, dedupe key, lease or schedule again changes nothing;
//! - a lease has one holder at a time; who comes late is fenced;
//! - time is the store's own clock.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountName, Capture, CaptureId, Decision, Hit, HitId, HitState, Listing, ListingId, MAX_REMARK_BYTES,
    MAX_REMARK_KEY_BYTES, Mark, MarkId, NewHit, Remark, Scope, Severity, Timestamp, Verdict,
};

/// The store's operations. See the module for what all of them promise.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes everything in `batch` in one act: all of it, or nothing.
    ///
    /// A hit whose dedupe key is known keeps its id, state and decisions.
    async fn apply(&self, batch: Batch) -> Result<Receipt, StoreError>;

    /// Leases up to `spec.max` open hits to `spec.worker`, in `spec.order`; never one that another holds.
    ///
    /// Hits the worker itself holds already come first, with a renewed lease and the same fence.
    async fn claim(&self, spec: &ClaimSpec) -> Result<Vec<Lease>, StoreError>;

    /// Leases up to `max` (1 to 200) of the hits `ids`, in their order: those that wait for `worker`, do not rest from them and
    /// are free or their own. At most [`MAX_AT_ONCE`] ids are looked at.
    async fn claim_among(
        &self,
        ids: &[HitId],
        worker: &AccountName,
        max: usize,
        ttl: Duration,
    ) -> Result<Vec<Lease>, StoreError>;

    /// Leases one named hit, if it waits for the worker and is free (or their own).
    async fn claim_one(&self, hit: HitId, worker: &AccountName, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Extends a lease; false when it is no longer held.
    async fn renew(&self, lease: &LeaseRef, ttl: Duration) -> Result<bool, StoreError>;

    /// Makes one decision on many hits in one act, and ends the leases on them that the decider holds.
    ///
    /// A hit is left as it is where it has other decisions than were seen, where the decision may not be made on it as it
    /// stands, or where somebody else holds it. [`Verdict::Reopen`] takes decisions back whoever holds the hit. At most
    /// [`MAX_AT_ONCE`] hits; the very same act again changes nothing.
    async fn settle(&self, act: &Act) -> Result<Settled, StoreError>;

    /// Decides a leased hit and ends the lease.
    async fn complete(&self, lease: &LeaseRef, decision: Decision) -> Result<Outcome, StoreError>;

    /// Takes the newest decision back: the hit is open again and leased to nobody.
    ///
    /// `decision` must carry [`Verdict::Reopen`](crate::model::Verdict::Reopen); [`Outcome::Fenced`] when the hit is open already.
    async fn reopen(&self, hit: HitId, decision: Decision) -> Result<Outcome, StoreError>;

    /// Gives a lease back; the hit does not come back to the same worker before `not_before`.
    async fn release(&self, lease: &LeaseRef, not_before: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Ends leases that have run out, at most `limit`, those that ended first first; returns how many.
    async fn expire(&self, limit: usize) -> Result<usize, StoreError>;

    /// Hits after `cursor` in queue order (priority down, id up), at most `n` (1 to 200).
    async fn page(&self, filter: &Filter, cursor: Option<Cursor>, n: usize) -> Result<Page, StoreError>;

    /// The hits `ids` with who holds them, in their order, without those that are not known; at most [`MAX_AT_ONCE`].
    async fn rows(&self, ids: &[HitId]) -> Result<Vec<HitRow>, StoreError>;

    /// One hit.
    async fn hit(&self, id: HitId) -> Result<Option<Hit>, StoreError>;

    /// The newest facts of one listing.
    async fn listing(&self, id: &ListingId) -> Result<Option<StoredListing>, StoreError>;

    /// One capture.
    async fn capture(&self, id: &CaptureId) -> Result<Option<Capture>, StoreError>;

    /// Kept counters; never a scan.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Marks changed after `generation`.
    async fn marks_since(&self, generation: u64) -> Result<MarksDelta, StoreError>;

    /// One mark that is watched.
    async fn mark(&self, id: &MarkId) -> Result<Option<Mark>, StoreError>;

    /// Remarks left or changed after `generation`, in the order of their change.
    async fn remarks_since(&self, generation: u64) -> Result<RemarksDelta, StoreError>;

    /// Schedules whose time has come by the store's clock, oldest first.
    async fn due(&self, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// When `schedule` is due next, if it is known.
    async fn next_due(&self, schedule: &str) -> Result<Option<Timestamp>, StoreError>;

    /// Leases those of `hosts` that nobody else holds. `next_at` in the lease is when the host may be asked next.
    async fn claim_hosts(&self, hosts: &[String], worker: &str, ttl: Duration) -> Result<Vec<HostLease>, StoreError>;

    /// Gives a host back and records when it may be asked next; false when the lease was lost.
    async fn host_done(&self, lease: &HostLease, next_at: Timestamp) -> Result<bool, StoreError>;

    /// The journal after sequence `seq`, at most `n` changes: export, replication, audit.
    async fn changes_since(&self, seq: u64, n: usize) -> Result<Vec<Change>, StoreError>;
}

/// Why a store refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk said no; nothing was acknowledged.
    #[error("{doing}: {source}. Nothing was acknowledged; free space or mend the disk, then start again")]
    Io {
        /// What was being done to which file.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder was written by a newer program.
    #[error(
        "{path} was written in format {found}, this program reads up to {supported}: use the newer program, or restore a backup into another folder. Nothing was changed"
    )]
    Newer {
        /// The file that says so.
        path: String,
        /// Its format.
        found: u32,
        /// The newest this program reads.
        supported: u32,
    },
    /// Bytes that must not be guessed at.
    #[error("{path}: {what}. Nothing was changed; `markwarden doctor` explains the ways out")]
    Damaged {
        /// Where.
        path: String,
        /// What does not fit.
        what: String,
    },
    /// Another process holds the folder.
    #[error("{path} is in use by another process: stop it first, or choose another data folder")]
    InUse {
        /// The folder.
        path: String,
    },
    /// What was asked for cannot be done as things are.
    #[error("{0}")]
    NotYet(String),
    /// Records that are asked for have left for a backup.
    #[error(
        "sequences 1 to {seq} of the journal have left for {kept_in}: `markwarden trim --bring-back --kept-in` with that backup brings them back"
    )]
    Away {
        /// The last that has left.
        seq: u64,
        /// Where they are.
        kept_in: String,
    },
    /// The store has stopped after a failed write; reads go on.
    #[error("the store stopped writing after an error: {0}")]
    Stopped(String),
    /// A vault could not be read or written.
    #[error("{doing}: {what}. {mend}")]
    Vault {
        /// What was being done to which object.
        doing: String,
        /// What stands in the way.
        what: String,
        /// What to do about it.
        mend: String,
    },
    /// A value that cannot be stored.
    #[error("cannot store this: {0}")]
    Refused(String),
}

/// Most hits decided, looked at for a claim, or let go of in one act.
pub const MAX_AT_ONCE: usize = 10_000;

/// Longest reason of a hold, in bytes.
pub(super) const MAX_WHY_BYTES: usize = 2000;

/// What is written in one act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Who: an account name, or `monitor`, `crawl`, `cli`.
    pub actor: String,
    /// What, in order.
    pub writes: Vec<Write>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "writes live only until they are in the journal")]
pub enum Write {
    /// The newest facts of a listing.
    Listing {
        /// Its identity.
        id: ListingId,
        /// The facts.
        listing: Listing,
        /// What they were read from.
        capture: Option<CaptureId>,
    },
    /// A capture's record.
    Capture(Capture),
    /// A hit to be queued, once per dedupe key.
    Hit(NewHit),
    /// A mark, new or changed.
    Mark(Mark),
    /// A mark that is no longer watched.
    RemoveMark {
        /// Which.
        id: MarkId,
    },
    /// When a schedule is due next.
    Schedule {
        /// The schedule's name.
        id: String,
        /// Its next time.
        next_due: Timestamp,
    },
    /// A body of the content store that must not go, or may go again: the newest word counts.
    Hold {
        /// SHA-256 of the body, 64 lower-case hex digits.
        sha256: String,
        /// True to hold it, false to let it go.
        hold: bool,
        /// Why, for whoever asks later: a case number, a request.
        why: String,
    },
    /// Something a person at the desk left behind; the same key again replaces it.
    Remark(Remark),
    /// Something that happened and changes no state: a sign-in, a crawl's summary.
    Note {
        /// A stable word for what happened.
        what: String,
        /// Details, without secrets or personal data.
        details: serde_json::Map<String, serde_json::Value>,
    },
}

impl Write {
    /// Refuses what no store may keep, whatever it knows.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Hold { sha256, .. } if !is_sha256(sha256) => {
                Err(StoreError::Refused(format!("a hold of `{sha256:.80}`, which is no SHA-256 in lower-case hex")))
            }
            Self::Hold { why, .. } if why.len() > MAX_WHY_BYTES => {
                let size = why.len();
                Err(StoreError::Refused(format!("a reason of {size} bytes; at most {MAX_WHY_BYTES} are kept")))
            }
            Self::Remark(remark) if remark.key.is_empty() || remark.key.len() > MAX_REMARK_KEY_BYTES => {
                let size = remark.key.len();
                Err(StoreError::Refused(format!(
                    "a remark's key of {size} bytes; 1 to {MAX_REMARK_KEY_BYTES} are kept"
                )))
            }
            Self::Remark(remark) => match serde_json::to_vec(remark).map(|json| json.len()) {
                Ok(size) if size <= MAX_REMARK_BYTES => Ok(()),
                Ok(size) => {
                    Err(StoreError::Refused(format!("a remark of {size} bytes; at most {MAX_REMARK_BYTES} are kept")))
                }
                Err(error) => Err(StoreError::Refused(error.to_string())),
            },
            _ => Ok(()),
        }
    }
}

/// Whether this is a SHA-256 as the content store writes it.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// What a batch became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Its sequence in the journal.
    pub seq: u64,
    /// For each [`Write::Hit`], in order: the hit, and whether it is new.
    pub hits: Vec<HitReceipt>,
}

/// What became of one hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitReceipt {
    /// Its id, new or known.
    pub id: HitId,
    /// False when the dedupe key was known.
    pub new: bool,
}

/// Which hits to lease.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSpec {
    /// For whom.
    pub worker: AccountName,
    /// Which.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// How many at most, 1 to 200.
    pub max: usize,
    /// For how long.
    pub ttl: Duration,
}

/// In which order hits are handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Priority down, then oldest first.
    #[default]
    Priority,
    /// Oldest first.
    Oldest,
}

/// Which hits are meant; empty fields mean all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<HitState>,
    /// Of this holder or rule family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// On this platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// At least this bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whose title, seller or words contain this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only what lies within this; what a person sees is put here, never left to the caller's other fields.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub within: Scope,
}

impl Filter {
    /// Whether `hit` is meant.
    pub fn admits(&self, hit: &Hit) -> bool {
        let what = &hit.what;
        self.state.is_none_or(|state| state == hit.state)
            && self.family.as_ref().is_none_or(|family| *family == what.family)
            && self.platform.as_ref().is_none_or(|platform| what.listing.platform.as_ref() == Some(platform))
            && self.severity.is_none_or(|severity| what.severity >= severity)
            && self.within.has(&what.family, what.listing.platform.as_deref())
            && self.text.as_ref().is_none_or(|text| contains(hit, text))
    }
}

fn contains(hit: &Hit, text: &str) -> bool {
    let text = text.to_lowercase();
    let listing = &hit.what.listing;
    let seller = listing.seller.as_ref().and_then(|seller| seller.name.as_deref()).unwrap_or("");
    [listing.title.as_str(), seller, hit.what.family.as_str()]
        .into_iter()
        .chain(hit.what.findings.iter().flat_map(|finding| [finding.text.as_str(), finding.word.as_str()]))
        .any(|part| part.to_lowercase().contains(&text))
}

/// A hit lent to one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// The hit.
    pub hit: Hit,
    /// What to come back with.
    pub lease: LeaseRef,
    /// Until when.
    pub until: Timestamp,
}

/// Proof of holding a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRef {
    /// Which hit.
    pub hit: HitId,
    /// Whose.
    pub worker: AccountName,
    /// Grows with every lease of the hit: an older one is fenced.
    pub fence: u64,
}

/// One decision on many hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The decision.
    pub decision: Decision,
    /// The hits, each with how many decisions the decider saw on it. The first word on a hit counts.
    pub on: Vec<Seen>,
}

/// A hit as somebody saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub hit: HitId,
    /// How many decisions it had.
    pub decisions: usize,
}

impl Act {
    /// Refuses what no store does.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let many = self.on.len();
        if many > MAX_AT_ONCE {
            return Err(StoreError::Refused(format!("a decision on {many} hits at once; at most {MAX_AT_ONCE}")));
        }
        Ok(())
    }

    /// What becomes of one hit of it, as it stands, held by `holder`.
    pub(super) fn on(&self, hit: Option<&Hit>, seen: usize, holder: Option<&AccountName>) -> Outcome {
        let Some(hit) = hit else { return Outcome::Fenced };
        if let Some(known) = Outcome::of_known(hit, &self.decision) {
            return known;
        }
        let free = self.decision.verdict == Verdict::Reopen || holder.is_none_or(|who| *who == self.decision.by);
        if free && hit.decisions.len() == seen && hit.after(&self.decision).is_some() {
            Outcome::Done
        } else {
            Outcome::Fenced
        }
    }
}

/// What became of an act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// On these the decision stands.
    pub done: Vec<HitId>,
    /// These were left as they are.
    pub left: Vec<HitId>,
    /// How many of those done were not before.
    pub new: usize,
}

impl Settled {
    /// Adds what became of one hit.
    pub(super) fn add(&mut self, hit: HitId, outcome: Outcome) {
        match outcome {
            Outcome::Fenced => self.left.push(hit),
            Outcome::AlreadyDone => self.done.push(hit),
            Outcome::Done => {
                self.done.push(hit);
                self.new += 1;
            }
        }
    }
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It stands.
    Done,
    /// The lease was lost, or the hit is not in the state it asks for; nothing changed.
    Fenced,
    /// The very same decision stands already.
    AlreadyDone,
}

impl Outcome {
    /// What comes of a decision that was made before: it stands, or others came after it, which one that was sent twice
    /// must not take back.
    pub(super) fn of_known(hit: &Hit, decision: &Decision) -> Option<Self> {
        if hit.decisions.last() == Some(decision) {
            return Some(Self::AlreadyDone);
        }
        hit.decisions.contains(decision).then_some(Self::Fenced)
    }
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Priority of its last row.
    pub priority: u8,
    /// Id of its last row.
    pub id: HitId,
}

/// A part of the queue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<HitRow>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// A hit in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct HitRow {
    /// The hit.
    pub hit: Hit,
    /// Who holds it, while the lease runs.
    pub held_by: Option<AccountName>,
}

/// Counters the store keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Listings known.
    pub listings: u64,
    /// Captures recorded.
    pub captures: u64,
    /// Marks watched.
    pub marks: u64,
    /// Hits waiting.
    pub open: u64,
    /// Hits confirmed.
    pub confirmed: u64,
    /// Hits dismissed.
    pub dismissed: u64,
    /// Hits that wait for a second person.
    #[serde(default)]
    pub proposed: u64,
    /// Hits that wait for somebody else than who had them.
    #[serde(default)]
    pub escalated: u64,
    /// The journal's newest sequence.
    pub seq: u64,
}

impl Counts {
    /// All hits, however they stand; they are numbered from one to this.
    pub fn hits(&self) -> u64 {
        self.open + self.confirmed + self.dismissed + self.proposed + self.escalated
    }
}

/// Remarks changed since a generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RemarksDelta {
    /// The newest generation: ask with it next time.
    pub generation: u64,
    /// New or changed remarks.
    pub put: Vec<Remark>,
}

/// Marks changed since a generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MarksDelta {
    /// The newest generation: ask with it next time.
    pub generation: u64,
    /// New or changed marks.
    pub put: Vec<Mark>,
    /// Marks no longer watched.
    pub removed: Vec<MarkId>,
}

/// A schedule whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its name.
    pub id: String,
    /// When it should have run.
    pub due_at: Timestamp,
}

/// A host lent to one crawler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLease {
    /// The host, with its port where not the scheme's own.
    pub host: String,
    /// Whose.
    pub worker: String,
    /// Grows with every lease of the host.
    pub fence: u64,
    /// When it may be asked next.
    pub next_at: Timestamp,
    /// Until when the lease runs.
    pub until: Timestamp,
}

/// A listing in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredListing {
    /// The newest facts.
    pub listing: Listing,
    /// What they were read from.
    pub capture: Option<CaptureId>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// Hits that [`each_hit`] reads at once.
const HITS_AT_ONCE: usize = 200;

/// Shows every hit that `filter` admits, in the queue's order.
///
/// # Errors
/// When the store cannot be read; what was shown before was shown.
pub async fn each_hit(store: &dyn Store, filter: &Filter, mut show: impl FnMut(Hit)) -> Result<(), StoreError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.page(filter, cursor, HITS_AT_ONCE).await?;
        page.rows.into_iter().for_each(|row| show(row.hit));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// One entry of the journal, as others read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its sequence, from 1 without gaps.
    pub seq: u64,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What, as the journal holds it.
    pub what: serde_json::Value,
}

impl Change {
    /// What it wrote, as the journal holds it; nothing where it decided, lent or gave back.
    pub fn writes(&self) -> impl Iterator<Item = &serde_json::Value> {
        let writes = self.what.get("applied").and_then(|applied| applied.get("writes"));
        writes.and_then(serde_json::Value::as_array).into_iter().flatten()
    }

    /// What it notes: of what, with the details.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &serde_json::Map<String, serde_json::Value>)> {
        self.writes().filter_map(|write| {
            (write.get("write")?.as_str()? == "note").then_some(())?;
            Some((write.get("what")?.as_str()?, write.get("details")?.as_object()?))
        })
    }

    /// The hits that it decides or opens again, and what is said of each in the end: that it is a violation, that it is none,
    /// or ([`Verdict::Reopen`]) nothing yet.
    pub fn decided(&self) -> Vec<(HitId, Verdict)> {
        let one = self.what.get("completed").or_else(|| self.what.get("reopened"));
        let Some(event) = one.or_else(|| self.what.get("settled")) else { return Vec::new() };
        let decision: Option<Decision> = event.get("decision").and_then(|value| Decision::deserialize(value).ok());
        let Some(verdict) = decision.map(|decision| decision.settles()) else { return Vec::new() };
        let hits = match (event.get("hit"), event.get("hits").and_then(serde_json::Value::as_array)) {
            (Some(hit), _) => vec![hit.as_u64()],
            (None, Some(hits)) => hits.iter().map(serde_json::Value::as_u64).collect(),
            (None, None) => Vec::new(),
        };
        hits.into_iter().flatten().map(|hit| (HitId(hit), verdict)).collect()
    }

    /// The hits that it queues.
    pub fn queued(&self) -> Vec<HitId> {
        let hits =
            self.what.get("applied").and_then(|applied| applied.get("hits")).and_then(serde_json::Value::as_array);
        let new =
            hits.into_iter().flatten().filter(|hit| hit.get("new").and_then(serde_json::Value::as_bool) == Some(true));
        new.filter_map(|hit| hit.get("id")?.as_u64()).map(HitId).collect()
    }
}
