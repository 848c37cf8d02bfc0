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
    /// A reviewer says it is a violation, and a second person must say so too.
    Proposed,
    /// A reviewer wants someone else to decide.
    Escalated,
}

impl HitState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Open, Self::Confirmed, Self::Dismissed, Self::Proposed, Self::Escalated];

    /// Whether a person has yet to say something.
    pub fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Proposed | Self::Escalated)
    }
}

impl Hit {
    /// Where `decision` takes this hit; none where it may not be made on the hit as it stands. Approving and returning is
    /// for another person than who proposed; what was escalated is for another than who escalated.
    pub fn after(&self, decision: &Decision) -> Option<HitState> {
        let other = self.decisions.last().is_none_or(|newest| newest.by != decision.by);
        let may = match (decision.verdict, self.state) {
            (Verdict::Confirm | Verdict::Dismiss, HitState::Escalated)
            | (Verdict::Approve | Verdict::Return, HitState::Proposed) => other,
            (Verdict::Confirm | Verdict::Dismiss | Verdict::Escalate, state) => state == HitState::Open,
            (Verdict::Approve | Verdict::Return, _) => false,
            (Verdict::Reopen, state) => state != HitState::Open,
        };
        may.then(|| decision.leads_to())
    }

    /// Whether `worker` may say what this hit waits for.
    pub fn waits_for(&self, worker: &AccountName) -> bool {
        match self.state {
            HitState::Open => true,
            HitState::Proposed | HitState::Escalated => self.decisions.last().is_none_or(|newest| newest.by != *worker),
            HitState::Confirmed | HitState::Dismissed => false,
        }
    }
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
    /// Someone else shall decide.
    Escalate,
    /// A second person agrees that it is a violation.
    Approve,
    /// A second person does not agree; the hit is open again.
    Return,
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
    /// Reopen: a third person sees it otherwise.
    Overruled,
    /// Escalate: beyond what this reviewer can tell.
    NeedsSenior,
    /// Escalate: beyond this desk, such as a crime.
    NeedsAuthority,
    /// Approve: the second person saw the same.
    SecondAgrees,
    /// Return: the proof does not carry it.
    ProofThin,
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
            Verdict::Reopen => &[Self::Undo, Self::Overruled],
            Verdict::Escalate => &[Self::NeedsSenior, Self::NeedsAuthority],
            Verdict::Approve => &[Self::SecondAgrees],
            Verdict::Return => &[Self::ProofThin],
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
            Self::Overruled => "overruled",
            Self::NeedsSenior => "needs-senior",
            Self::NeedsAuthority => "needs-authority",
            Self::SecondAgrees => "second-agrees",
            Self::ProofThin => "proof-thin",
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
    /// Confirm: a second person must agree before it counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second: bool,
    /// The act it is a part of, where many hits were decided at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
    /// The dismissal that it repeats, where the desk remembered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precedent: Option<HitId>,
}

impl Decision {
    /// The state that it brings a hit into.
    pub fn leads_to(&self) -> HitState {
        match self.verdict {
            Verdict::Confirm if self.second => HitState::Proposed,
            Verdict::Confirm | Verdict::Approve => HitState::Confirmed,
            Verdict::Dismiss => HitState::Dismissed,
            Verdict::Escalate => HitState::Escalated,
            Verdict::Reopen | Verdict::Return => HitState::Open,
        }
    }

    /// What it says of the hit in the end: that it is a violation, that it is none, or nothing yet.
    pub fn settles(&self) -> Verdict {
        match self.leads_to() {
            HitState::Confirmed => Verdict::Confirm,
            HitState::Dismissed => Verdict::Dismiss,
            HitState::Open | HitState::Proposed | HitState::Escalated => Verdict::Reopen,
        }
    }
}
