//! What journal records say about one hit: the hit as it was queued, the decisions on it, its capture.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    evidence::EvidenceError,
    model::{Capture, Decision, Hit, HitId, HitState, NewHit},
    store::{Change, Write},
};

/// What a record says about the hit.
pub(super) enum Part {
    /// It was queued.
    Queued(Box<NewHit>),
    /// It was decided, or a decision was taken back.
    Decided(Decision),
    /// A page was captured.
    Captured(Box<Capture>),
}

/// A hit as the journal tells it.
#[derive(Debug, PartialEq)]
pub(super) struct Story {
    pub hit: Hit,
    pub capture: Option<Capture>,
}

/// What `change` says about the hit `id` or about captures.
pub(super) fn parts(change: &Change, id: HitId) -> Result<Vec<Part>, EvidenceError> {
    #[derive(Deserialize)]
    struct Applied {
        writes: Vec<Write>,
        hits: Vec<Queued>,
    }
    #[derive(Deserialize)]
    struct Queued {
        id: HitId,
        new: bool,
    }
    #[derive(Deserialize)]
    struct Decided {
        hit: HitId,
        decision: Decision,
    }
    let what = &change.what;
    if let Some(applied) = what.get("applied") {
        let Applied { writes, hits } = read(applied, change.seq)?;
        let mut hits = hits.into_iter();
        return Ok(writes
            .into_iter()
            .filter_map(|write| match write {
                Write::Hit(hit) => {
                    hits.next().filter(|queued| queued.new && queued.id == id).map(|_| Part::Queued(Box::new(hit)))
                }
                Write::Capture(capture) => Some(Part::Captured(Box::new(capture))),
                _ => None,
            })
            .collect());
    }
    #[derive(Deserialize)]
    struct Settled {
        hits: Vec<HitId>,
        decision: Decision,
    }
    if let Some(settled) = what.get("settled") {
        let Settled { hits, decision } = read(settled, change.seq)?;
        return Ok(if hits.contains(&id) { vec![Part::Decided(decision)] } else { Vec::new() });
    }
    let Some(decided) = what.get("completed").or_else(|| what.get("reopened")) else { return Ok(Vec::new()) };
    let decided: Decided = read(decided, change.seq)?;
    Ok(if decided.hit == id { vec![Part::Decided(decided.decision)] } else { Vec::new() })
}

/// The hit `id` as `changes` tell it, in their order. Each must say something about it.
pub(super) fn tell(changes: &[Change], id: HitId) -> Result<Story, EvidenceError> {
    let mut queued = None;
    let mut decisions = Vec::new();
    let mut captures = Vec::new();
    for change in changes {
        let parts = parts(change, id)?;
        if parts.is_empty() {
            return Err(EvidenceError::Bundle(format!("sequence {} says nothing about hit {id}", change.seq)));
        }
        for part in parts {
            match part {
                Part::Queued(hit) => queued = Some(*hit),
                Part::Decided(decision) => decisions.push(decision),
                Part::Captured(capture) => captures.push(*capture),
            }
        }
    }
    let what = queued.ok_or_else(|| EvidenceError::Bundle(format!("no record says that hit {id} was queued")))?;
    let state = decisions.last().map_or(HitState::Open, Decision::leads_to);
    let capture = captures.into_iter().rfind(|capture| Some(&capture.id) == what.capture.as_ref());
    if what.capture.is_some() != capture.is_some() {
        return Err(EvidenceError::Bundle(format!("no record tells of the capture of hit {id}")));
    }
    Ok(Story { hit: Hit { id, what, state, decisions }, capture })
}

fn read<T: for<'de> Deserialize<'de>>(value: &Value, seq: u64) -> Result<T, EvidenceError> {
    T::deserialize(value).map_err(|error| EvidenceError::Bundle(format!("sequence {seq} cannot be read: {error}")))
}
