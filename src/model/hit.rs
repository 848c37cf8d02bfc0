//! A hit: a listing's findings for one holder or rule family, waiting for a person.

use serde::{Deserialize, Serialize};

use super::{AccountName, CaptureId, Finding, HitId, Listing, Severity, Timestamp};

/// What the monitor hands to the store; the store gives it an id, once per `dedupe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewHit {
    /// Same listing, family and evidence: same hit. 32 hex digits.
    pub dedupe: String,
    /// The listing as it was matched.
    pub listing: Listing,
    /// The holder, or the rule family.
    pub family: String,
    /// Why, strongest first; never empty.
    pub findings: Vec<Finding>,
    /// 0 (last) to 255 (first).
    pub priority: u8,
    /// The worst of its findings.
    pub severity: Severity,
    /// What was fetched.
    pub capture: Option<CaptureId>,
    /// SHA-256 (hex) of the evidence record in the content store, where it was copied there to outlive its WARC file.
    pub evidence: Option<String>,
    /// The set of marks and rules it was matched with.
    pub matched_with: String,
    /// When it was found.
    pub found_at: Timestamp,
}

/// A hit in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub struct Hit {
    /// Its number.
    pub id: HitId,
    /// What was found.
    #[serde(flatten)]
    pub what: NewHit,
    /// Where it stands.
    pub state: HitState,
    /// Every decision on it, oldest first; an undo is a decision too.
    pub decisions: Vec<Decision>,
}

/// A hit as it is read: field by field, where serde would first gather all of a flattened struct's fields, which takes as
/// long as the rest of reading it. A list reads fifty.
#[derive(Deserialize)]
struct Flat {
    id: HitId,
    dedupe: String,
    listing: Listing,
    family: String,
    findings: Vec<Finding>,
    priority: u8,
    severity: Severity,
    capture: Option<CaptureId>,
    evidence: Option<String>,
    matched_with: String,
    found_at: Timestamp,
    state: HitState,
    #[serde(default)]
    decisions: Vec<Decision>,
}

impl From<Flat> for Hit {
    fn from(flat: Flat) -> Self {
        let Flat { id, dedupe, listing, family, findings, priority, severity, .. } = flat;
        let Flat { capture, evidence, matched_with, found_at, state, decisions, .. } = flat;
        let what =
            NewHit { dedupe, listing, family, findings, priority, severity, capture, evidence, matched_with, found_at };
        Self { id, what, state, decisions }
    }
}

/// Where a hit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitState {
    /// Waits for a reviewer.
    Open,
    /// A reviewer says it is a violation.
    Confirmed,
    /// A reviewer says it is not.
    Dismissed,
}

/// What a reviewer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is a violation.
    Confirm,
    /// It is not.
    Dismiss,
    /// Takes the decision before back; the hit is open again.
    Reopen,
}

/// Why a reviewer said it: stable codes, named in the locale files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Confirm: the mark is used without permission.
    MarkInfringed,
    /// Confirm: counterfeit goods.
    Counterfeit,
    /// Confirm: the mark is hidden on purpose.
    Disguised,
    /// Confirm: unlawful advertising wording.
    FalseAdvertising,
    /// Confirm: a required proof is missing.
    ProofMissing,
    /// Dismiss: names the goods it fits or their origin.
    NominativeUse,
    /// Dismiss: the seller has a licence.
    Authorised,
    /// Dismiss: genuine second-hand or resold goods.
    GenuineResale,
    /// Dismiss: a common word, not the mark.
    CommonWord,
    /// Dismiss: the wording is lawful here.
    LawfulWording,
    /// Dismiss: the program read it wrongly.
    WrongMatch,
    /// Reopen: taken back.
    Undo,
}

impl Reason {
    /// Reasons a verdict may carry, in the order of the number keys.
    pub fn for_verdict(verdict: Verdict) -> &'static [Self] {
        match verdict {
            Verdict::Confirm => {
                &[Self::MarkInfringed, Self::Counterfeit, Self::Disguised, Self::FalseAdvertising, Self::ProofMissing]
            }
            Verdict::Dismiss => &[
                Self::NominativeUse,
                Self::Authorised,
                Self::GenuineResale,
                Self::CommonWord,
                Self::LawfulWording,
                Self::WrongMatch,
            ],
            Verdict::Reopen => &[Self::Undo],
        }
    }

    /// Its stable code, as in files and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::MarkInfringed => "mark-infringed",
            Self::Counterfeit => "counterfeit",
            Self::Disguised => "disguised",
            Self::FalseAdvertising => "false-advertising",
            Self::ProofMissing => "proof-missing",
            Self::NominativeUse => "nominative-use",
            Self::Authorised => "authorised",
            Self::GenuineResale => "genuine-resale",
            Self::CommonWord => "common-word",
            Self::LawfulWording => "lawful-wording",
            Self::WrongMatch => "wrong-match",
            Self::Undo => "undo",
        }
    }
}

/// A recorded human decision on a hit. Nothing acts outward without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Who.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// In the reviewer's own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Milliseconds the reviewer looked at it.
    #[serde(default)]
    pub looked_ms: u64,
}
