//! Where two people saw a hit differently, and what a third one said.

use super::{Board, Opinion, State};
use crate::model::{AccountName, Check, HitId, HitState, Reason, Remark, Saying, Timestamp, Verdict};

/// How a disagreement was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The hit.
    pub hit: HitId,
    /// Who settled it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// What stands.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// In their own words.
    pub note: String,
    /// Who had decided it, as what.
    pub first: (AccountName, Verdict),
    /// Who had seen it otherwise, as what.
    pub second: (AccountName, Verdict),
}

impl Settlement {
    /// Whether `who` was one of the two, and was right in the end.
    pub fn was_right(&self, who: &AccountName) -> Option<bool> {
        let own = [&self.first, &self.second].into_iter().find(|(name, _)| name == who)?;
        Some(own.1 == self.verdict)
    }
}

impl Board {
    /// Disagreements that wait for a third person, those that waited longest first. Whoever takes the decision back or
    /// changes it ends one too.
    pub fn disputes(&self) -> Vec<Opinion> {
        let state = self.read();
        let mut waiting: Vec<Opinion> = state.opinions("opinion:").filter(|opinion| waits(&state, opinion)).collect();
        waiting.sort_by_key(|opinion| (opinion.at, opinion.hit));
        waiting.dedup_by_key(|opinion| opinion.hit);
        waiting
    }

    /// The disagreement about this hit, while it waits.
    pub fn dispute(&self, hit: HitId) -> Option<Opinion> {
        let state = self.read();
        state.opinions(&format!("opinion:{hit}:")).filter(|opinion| waits(&state, opinion)).min_by_key(|one| one.at)
    }

    /// What `who` said of a disputed hit before they were shown what others had said.
    pub fn third_view(&self, who: &AccountName, hit: HitId) -> Option<Opinion> {
        let state = self.read();
        let own = state.opinions(&format!("opinion:{hit}:{who}")).find(|opinion| opinion.by == *who);
        own.filter(|opinion| opinion.check == Check::Third)
    }

    /// What third persons settled, the newest first.
    pub fn settlements(&self) -> Vec<Settlement> {
        let state = self.read();
        let mut settled: Vec<Settlement> = state.remarks.under("settled:").filter_map(settlement).collect();
        settled.sort_by_key(|one| std::cmp::Reverse((one.at, one.hit)));
        settled
    }
}

impl State {
    fn opinions<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = Opinion> + 's {
        self.remarks.under(prefix).filter_map(super::remarks::opinion)
    }
}

/// Whether a second person saw it otherwise, the decision still stands, and nobody has settled it since.
fn waits(state: &State, opinion: &Opinion) -> bool {
    let stands = match state.entry(opinion.hit).map(|entry| entry.state) {
        Some(HitState::Confirmed) => Verdict::Confirm,
        Some(HitState::Dismissed) => Verdict::Dismiss,
        _ => return false,
    };
    opinion.check == Check::Second
        && opinion.verdict != opinion.against
        && opinion.against == stands
        && state.remarks.get(&format!("settled:{}", opinion.hit)).is_none_or(|settled| settled.at < opinion.at)
}

fn settlement(remark: &Remark) -> Option<Settlement> {
    let Saying::Settled { hit, verdict, reason, note, first, decided, second, said } = &remark.says else {
        return None;
    };
    Some(Settlement {
        hit: *hit,
        by: remark.by.clone(),
        at: remark.at,
        verdict: *verdict,
        reason: *reason,
        note: note.clone(),
        first: (first.clone(), *decided),
        second: (second.clone(), *said),
    })
}
