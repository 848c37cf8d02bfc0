//! What the API sends and takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    model::{Account, Capture, Decision, Hit, HitState, Reason, Severity, Verdict},
    store::{Counts as StoreCounts, HitRow, Lease as StoreLease},
};

/// A refusal (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Problem {
    /// Stable: `urn:markwarden:…`.
    #[schema(rename = "type")]
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    /// In the language asked for.
    detail: String,
}

/// Hits by state, and what there is; what an account does not see does not count.
#[derive(Serialize, ToSchema)]
pub(super) struct Counts {
    open: u64,
    confirmed: u64,
    dismissed: u64,
    marks: u64,
    listings: u64,
}

impl From<StoreCounts> for Counts {
    fn from(counts: StoreCounts) -> Self {
        let StoreCounts { open, confirmed, dismissed, marks, listings, .. } = counts;
        Self { open, confirmed, dismissed, marks, listings }
    }
}

/// A hit in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct HitLine {
    id: u64,
    /// `open`, `proposed`, `escalated`, `confirmed` or `dismissed`.
    #[schema(value_type = String)]
    state: HitState,
    /// 0 (last) to 255 (first).
    priority: u8,
    #[schema(value_type = String)]
    severity: Severity,
    /// The holder or rule family.
    family: String,
    title: String,
    platform: Option<String>,
    url: Option<String>,
    seller: Option<String>,
    found_at: String,
    /// Who holds it now.
    held_by: Option<String>,
    /// The words that were found, the strongest first.
    found: Vec<String>,
}

impl From<HitRow> for HitLine {
    fn from(row: HitRow) -> Self {
        let (hit, held_by) = (row.hit, row.held_by.map(Into::into));
        let what = hit.what;
        Self {
            id: hit.id.0,
            state: hit.state,
            priority: what.priority,
            severity: what.severity,
            family: what.family,
            title: what.listing.title,
            platform: what.listing.platform,
            url: what.listing.url,
            seller: what.listing.seller.and_then(|seller| seller.name),
            found_at: what.found_at.to_string(),
            held_by,
            found: what.findings.into_iter().map(|finding| finding.text).collect(),
        }
    }
}

/// A hit, whole.
#[derive(Serialize, ToSchema)]
pub(super) struct HitWhole {
    id: u64,
    #[schema(value_type = String)]
    state: HitState,
    priority: u8,
    #[schema(value_type = String)]
    severity: Severity,
    family: String,
    /// The listing as it was matched; the form of listings files.
    #[schema(value_type = Object)]
    listing: Value,
    /// Why, the strongest first; the form of findings files.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// Every decision, the oldest first; an undo is one too.
    decisions: Vec<DecisionMade>,
    /// Its capture's id.
    capture: Option<String>,
    matched_with: String,
    found_at: String,
}

impl From<Hit> for HitWhole {
    fn from(hit: Hit) -> Self {
        let what = hit.what;
        Self {
            id: hit.id.0,
            state: hit.state,
            priority: what.priority,
            severity: what.severity,
            family: what.family,
            listing: serde_json::to_value(&what.listing).unwrap_or_default(),
            findings: serde_json::to_value(&what.findings).unwrap_or_default(),
            decisions: hit.decisions.into_iter().map(Into::into).collect(),
            capture: what.capture.map(Into::into),
            matched_with: what.matched_with,
            found_at: what.found_at.to_string(),
        }
    }
}

/// A decision that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionMade {
    /// `confirm`, `dismiss`, `escalate`, `approve`, `return` or `reopen`.
    #[schema(value_type = String)]
    verdict: Verdict,
    #[schema(value_type = String)]
    reason: Reason,
    by: String,
    at: String,
    note: String,
    looked_ms: u64,
}

impl From<Decision> for DecisionMade {
    fn from(made: Decision) -> Self {
        let Decision { verdict, reason, by, at, note, looked_ms, .. } = made;
        Self { verdict, reason, by: by.into(), at: at.to_string(), note, looked_ms }
    }
}

/// A decision to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionWanted {
    /// `confirm`, `dismiss` or `escalate`; of a hit that waits for a second person `approve` or `return`.
    pub verdict: String,
    /// A reason that goes with the verdict, such as `counterfeit` or `common-word`.
    pub reason: String,
    /// Of the lease it rests on.
    pub fence: u64,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub looked_ms: u64,
}

/// Which hits to lend.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Claim {
    /// At most this many, 1 to 200; 1 when absent.
    pub max: Option<usize>,
    pub family: String,
    pub platform: String,
    /// At least this bad.
    pub severity: String,
    pub text: String,
    /// `priority` (when empty) or `oldest`.
    pub order: String,
}

/// Which lease is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fence {
    pub fence: u64,
}

/// A hit lent to who asked.
#[derive(Serialize, ToSchema)]
pub(super) struct Lease {
    hit: HitWhole,
    /// To come back with.
    fence: u64,
    until: String,
}

impl From<StoreLease> for Lease {
    fn from(lease: StoreLease) -> Self {
        Self { fence: lease.lease.fence, until: lease.until.to_string(), hit: lease.hit.into() }
    }
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    /// False when the lease was lost before.
    pub done: bool,
}

/// One fetched page and where its record lies.
#[derive(Serialize, ToSchema)]
pub(super) struct CaptureRecord {
    id: String,
    url: String,
    fetched_at: String,
    status: u16,
    file: String,
    offset: u64,
    length: u64,
    record_sha256: String,
    payload_sha256: String,
}

impl From<Capture> for CaptureRecord {
    fn from(capture: Capture) -> Self {
        let Capture { id, url, fetched_at, status, file, offset, length, record_sha256, payload_sha256 } = capture;
        let (id, fetched_at) = (id.into(), fetched_at.to_string());
        Self { id, url, fetched_at, status, file, offset, length, record_sha256, payload_sha256 }
    }
}

/// A listing as it is known now.
#[derive(Serialize, ToSchema)]
pub(super) struct ListingKnown {
    #[schema(value_type = Object)]
    pub listing: Value,
    pub capture: Option<String>,
    pub first_seen: String,
    pub last_seen: String,
}

/// A rule in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleLine {
    pub id: String,
    pub version: u32,
    pub status: String,
    pub severity: String,
    pub family: String,
    pub title_zh: String,
    pub title_en: String,
    pub owner: String,
    pub tests: usize,
    /// The law in force today.
    pub citation: String,
    /// Decisions on hits of this version.
    pub confirmed: u64,
    pub dismissed: u64,
}

/// A rule, whole.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleWhole {
    #[serde(flatten)]
    pub line: RuleLine,
    /// Its file, as it was read.
    pub text: String,
}

/// A text or a listing to be looked at: `text` is a title.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Checked {
    #[serde(default)]
    pub text: Option<String>,
    /// The form of listings files.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub listing: Option<Value>,
}

/// What a rule makes of it, and why.
#[derive(Serialize, ToSchema)]
pub(super) struct Explained {
    pub hits: bool,
    /// In order, in both languages.
    #[schema(value_type = Vec<Object>)]
    pub lines: Value,
}

/// An account, without its secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountLine {
    name: String,
    roles: Vec<String>,
    holders: Option<Vec<String>>,
    platforms: Option<Vec<String>>,
}

impl From<Account> for AccountLine {
    fn from(account: Account) -> Self {
        let list = |names: Option<std::collections::BTreeSet<String>>| names.map(|names| names.into_iter().collect());
        Self {
            roles: account.roles.iter().map(|role| role.code().to_owned()).collect(),
            name: account.name.into(),
            holders: list(account.scope.holders),
            platforms: list(account.scope.platforms),
        }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenWanted {
    /// What it is for.
    pub label: String,
    /// Permissions, such as `read-hits` and `decide`; it never does more than its account may.
    pub scope: Vec<String>,
    /// How long it lasts, 1 to 366.
    pub days: u32,
}

/// A token that was made; it is shown only now.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenMade {
    pub token: String,
    #[serde(flatten)]
    pub line: TokenLine,
}

/// A token, without itself.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenLine {
    pub id: String,
    pub label: String,
    pub scope: Vec<String>,
    pub made: String,
    pub expires: String,
    pub last_used: Option<String>,
}

/// One entry of the journal.
#[derive(Serialize, ToSchema)]
pub(super) struct Entry {
    pub seq: u64,
    pub at: String,
    pub actor: String,
    /// What was done, in a word or two.
    pub act: String,
    #[schema(value_type = Object)]
    pub what: Value,
}

/// Marks that were registered as drafts.
#[derive(Serialize, ToSchema)]
pub(super) struct Drafted {
    /// Marks in the file.
    pub read: usize,
    /// Of them, new or changed.
    pub new: usize,
}

/// A file that was refused whole, as a problem with its mistakes.
#[derive(Serialize, ToSchema)]
pub(super) struct Wrong {
    #[schema(rename = "type")]
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    pub mistakes: Vec<Mistake>,
}

/// One mistake in a file.
#[derive(Serialize, ToSchema)]
pub(super) struct Mistake {
    pub line: usize,
    pub message: String,
    pub help: String,
}
