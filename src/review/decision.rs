//! One decision: checked values in, a [`Decision`] or a refusal out.

use crate::model::{Account, Decision, Hit, HitState, Permission, Reason, Role, Timestamp, Verdict};

/// Longest note a reviewer may leave, in characters.
pub const MAX_NOTE_CHARS: usize = 2_000;
/// Longest time on one hit that is believed: a tab left open overnight says nothing about the hit.
pub const MAX_LOOKED_MS: u64 = 60 * 60 * 1000;

/// What a reviewer asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// In their own words.
    pub note: String,
    /// How long they looked.
    pub looked_ms: u64,
}

/// Why a decision was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// An auditor reads everything and decides nothing.
    #[error("{0} may read hits but not decide them: ask an admin for the role reviewer")]
    MayNotDecide(String),
    /// The reason does not go with the verdict.
    #[error("the reason {reason} does not go with this verdict: choose one of {allowed}")]
    WrongReason {
        /// What was sent.
        reason: String,
        /// What may be sent.
        allowed: String,
    },
    /// The note is too long.
    #[error("the note has {0} characters, at most {MAX_NOTE_CHARS} are kept: shorten it")]
    LongNote(usize),
    /// Who settles a disagreement must not be one of those who disagree.
    #[error("hit {0} was decided or judged by you: a third person settles it")]
    Involved(u64),
    /// Who settles a disagreement says first what they see themselves.
    #[error("say first what you see in hit {0} yourself: what the others said is shown then")]
    ViewFirst(u64),
    /// There is nothing to take back.
    #[error("hit {0} is open: there is no decision to take back")]
    NothingToUndo(u64),
    /// Someone else's decision.
    #[error("hit {hit} was decided by {by}: only they or an admin can take it back")]
    NotYours {
        /// The hit.
        hit: u64,
        /// Who decided it.
        by: String,
    },
}

/// The decision `who` makes at `at`, if it may stand.
///
/// # Errors
/// When the role decides nothing, the reason does not go with the verdict, or the note is too long.
pub fn decide(who: &Account, at: Timestamp, ask: Ask) -> Result<Decision, ReviewError> {
    if !who.decides() {
        return Err(ReviewError::MayNotDecide(who.name.to_string()));
    }
    let allowed = Reason::for_verdict(ask.verdict);
    if ask.verdict == Verdict::Reopen || !allowed.contains(&ask.reason) {
        return Err(wrong_reason(ask.reason.code(), ask.verdict));
    }
    let note = ask.note.trim().to_owned();
    let length = note.chars().count();
    if length > MAX_NOTE_CHARS {
        return Err(ReviewError::LongNote(length));
    }
    Ok(Decision {
        verdict: ask.verdict,
        reason: ask.reason,
        by: who.name.clone(),
        at,
        note,
        looked_ms: ask.looked_ms.min(MAX_LOOKED_MS),
        second: false,
        act: None,
        precedent: None,
    })
}

/// The decision that takes the newest one on `hit` back.
///
/// # Errors
/// When the hit is open, or someone else decided it (not the desk by itself) and `who` is no admin.
pub fn undo(who: &Account, at: Timestamp, hit: &Hit) -> Result<Decision, ReviewError> {
    if !who.decides() {
        return Err(ReviewError::MayNotDecide(who.name.to_string()));
    }
    let newest = match hit.decisions.last() {
        Some(newest) if hit.state != HitState::Open => newest,
        _ => return Err(ReviewError::NothingToUndo(hit.id.0)),
    };
    // What the desk repeated by itself is nobody's own.
    if newest.by != who.name && newest.precedent.is_none() && !who.roles.has(Role::Admin) {
        return Err(ReviewError::NotYours { hit: hit.id.0, by: newest.by.to_string() });
    }
    Ok(reopened(who, at, Reason::Undo))
}

/// The decision by which a third person takes the newest one on `hit` back, so that their own can take its place.
///
/// # Errors
/// When the hit is open, or `who` decided it before, or may not settle disagreements.
pub fn overrule(who: &Account, at: Timestamp, hit: &Hit) -> Result<Decision, ReviewError> {
    if !who.may(Permission::LeadReview) {
        return Err(ReviewError::MayNotDecide(who.name.to_string()));
    }
    if hit.decisions.iter().any(|made| made.by == who.name) {
        return Err(ReviewError::Involved(hit.id.0));
    }
    if hit.state == HitState::Open {
        return Err(ReviewError::NothingToUndo(hit.id.0));
    }
    Ok(reopened(who, at, Reason::Overruled))
}

/// The decision that opens a hit again.
fn reopened(who: &Account, at: Timestamp, reason: Reason) -> Decision {
    Decision {
        verdict: Verdict::Reopen,
        reason,
        by: who.name.clone(),
        at,
        note: String::new(),
        looked_ms: 0,
        second: false,
        act: None,
        precedent: None,
    }
}

/// The reason `code` names, if `verdict` may carry it.
///
/// # Errors
/// When it may not.
pub fn reason(verdict: Verdict, code: &str) -> Result<Reason, ReviewError> {
    let known = Reason::for_verdict(verdict).iter().copied().find(|reason| reason.code() == code);
    known.ok_or_else(|| wrong_reason(code, verdict))
}

fn wrong_reason(code: &str, verdict: Verdict) -> ReviewError {
    let allowed: Vec<&str> = Reason::for_verdict(verdict).iter().map(|reason| reason.code()).collect();
    ReviewError::WrongReason { reason: code.chars().take(40).collect(), allowed: allowed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, HitId, Listing, NewHit, Severity};

    fn who(name: &str, role: Role) -> Account {
        Account::new(AccountName::new(name).unwrap(), role)
    }

    fn ask(verdict: Verdict, reason: Reason) -> Ask {
        Ask { verdict, reason, note: String::new(), looked_ms: 0 }
    }

    fn hit(state: HitState, decisions: Vec<Decision>) -> Hit {
        let what = NewHit {
            dedupe: "0".into(),
            listing: Listing::default(),
            family: "云雀".into(),
            findings: Vec::new(),
            priority: 1,
            severity: Severity::Low,
            capture: None,
            evidence: None,
            matched_with: String::new(),
            found_at: Timestamp::UNIX_EPOCH,
        };
        Hit { id: HitId(1), what, state, decisions }
    }

    #[test]
    fn a_verdict_carries_only_its_own_reasons() {
        let lin = who("lin", Role::Reviewer);
        for verdict in [Verdict::Confirm, Verdict::Dismiss] {
            for reason in Reason::for_verdict(verdict) {
                assert!(decide(&lin, Timestamp::UNIX_EPOCH, ask(verdict, *reason)).is_ok());
            }
        }
        let refused = decide(&lin, Timestamp::UNIX_EPOCH, ask(Verdict::Confirm, Reason::CommonWord)).unwrap_err();
        assert!(refused.to_string().contains("mark-infringed"), "{refused}");
        assert!(decide(&lin, Timestamp::UNIX_EPOCH, ask(Verdict::Reopen, Reason::Undo)).is_err());
        assert!(reason(Verdict::Dismiss, "counterfeit").is_err());
    }

    #[test]
    fn an_auditor_decides_nothing() {
        let auditor = who("audit", Role::Auditor);
        let refused = decide(&auditor, Timestamp::UNIX_EPOCH, ask(Verdict::Dismiss, Reason::CommonWord));
        assert_eq!(refused, Err(ReviewError::MayNotDecide("audit".into())));
        assert!(undo(&auditor, Timestamp::UNIX_EPOCH, &hit(HitState::Confirmed, Vec::new())).is_err());
    }

    #[test]
    fn a_long_note_is_refused_and_a_long_look_is_capped() {
        let lin = who("lin", Role::Reviewer);
        let mut long = ask(Verdict::Dismiss, Reason::CommonWord);
        long.note = "字".repeat(MAX_NOTE_CHARS + 1);
        assert_eq!(decide(&lin, Timestamp::UNIX_EPOCH, long), Err(ReviewError::LongNote(MAX_NOTE_CHARS + 1)));
        let mut slow = ask(Verdict::Dismiss, Reason::CommonWord);
        slow.looked_ms = u64::MAX;
        assert_eq!(decide(&lin, Timestamp::UNIX_EPOCH, slow).unwrap().looked_ms, MAX_LOOKED_MS);
    }

    #[test]
    fn only_a_third_person_who_leads_overrules() {
        let lin = who("lin", Role::Approver);
        let made = decide(&lin, Timestamp::UNIX_EPOCH, ask(Verdict::Confirm, Reason::Counterfeit)).unwrap();
        let decided = hit(HitState::Confirmed, vec![made]);
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(overrule(&lin, at, &decided), Err(ReviewError::Involved(1)));
        assert_eq!(overrule(&who("wu", Role::Reviewer), at, &decided), Err(ReviewError::MayNotDecide("wu".into())));
        let made = overrule(&who("hu", Role::Approver), at, &decided).unwrap();
        assert_eq!(decided.after(&made), Some(HitState::Open));
    }

    #[test]
    fn only_who_decided_or_an_admin_takes_it_back() {
        let lin = who("lin", Role::Reviewer);
        let made = decide(&lin, Timestamp::UNIX_EPOCH, ask(Verdict::Confirm, Reason::Counterfeit)).unwrap();
        let decided = hit(HitState::Confirmed, vec![made]);
        assert_eq!(undo(&lin, Timestamp::UNIX_EPOCH, &decided).unwrap().verdict, Verdict::Reopen);
        assert!(undo(&who("root", Role::Admin), Timestamp::UNIX_EPOCH, &decided).is_ok());
        let other = undo(&who("wu", Role::Reviewer), Timestamp::UNIX_EPOCH, &decided);
        assert_eq!(other, Err(ReviewError::NotYours { hit: 1, by: "lin".into() }));
        let mut repeated = decided.clone();
        repeated.decisions[0].precedent = Some(HitId(7));
        assert!(
            undo(&who("wu", Role::Reviewer), Timestamp::UNIX_EPOCH, &repeated).is_ok(),
            "the desk did it by itself"
        );
        let open = undo(&lin, Timestamp::UNIX_EPOCH, &hit(HitState::Open, Vec::new()));
        assert_eq!(open, Err(ReviewError::NothingToUndo(1)));
    }
}
