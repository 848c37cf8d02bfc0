//! One hit on the board: as others see it, and as it is kept.

use std::sync::Arc;

use super::{symbols::Symbols, texts};
use crate::{
    model::{Fingerprint, Handling, Hit, HitId, HitState, Severity, Timestamp},
    review::{similar::Likeness, weight::Queued},
};

/// Longest text kept of a hit to be searched, in bytes; what is longer is cut.
const MAX_TEXT_BYTES: usize = 700;
/// Characters kept around what was found.
const AROUND: usize = 24;

/// A hit on the board.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub id: HitId,
    /// Where it stands.
    pub state: HitState,
    /// How many decisions it has.
    pub decisions: usize,
    /// The place it was queued with.
    pub priority: u8,
    /// The worst of its findings.
    pub severity: Severity,
    /// How its rules want it to be reviewed.
    pub handling: Handling,
    /// When it was found, to the microsecond.
    pub found_at: Timestamp,
    /// When the newest decision was made, to the microsecond.
    pub decided_at: Option<Timestamp>,
    /// What it is held against others by.
    pub like: Likeness,
    /// The act that its newest decision is a part of.
    pub act: Option<Arc<str>>,
    /// The dismissal that its newest decision repeats.
    pub precedent: Option<HitId>,
    /// Who made the newest decision.
    pub(super) by: u32,
}

/// What a walk over all hits reads of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// When it was found, in microseconds.
    pub found: i64,
    /// Its seller's place; 0 where nothing names one.
    pub seller: u32,
    pub family: u32,
    pub platform: u32,
    /// Who made the newest decision.
    pub by: u32,
    /// Its rules' own minutes to decide; 0 where they have none.
    pub sla_minutes: u32,
    /// Where it stands; none where there is no such hit.
    pub state: Option<HitState>,
    pub severity: Severity,
    pub priority: u8,
    pub second_approval: bool,
}

impl Row {
    pub const NONE: Self = Self {
        found: 0,
        seller: 0,
        family: 0,
        platform: 0,
        by: 0,
        sla_minutes: 0,
        state: None,
        severity: Severity::Low,
        priority: 0,
        second_approval: false,
    };

    fn own_minutes(&self) -> Option<u32> {
        (self.sla_minutes > 0).then_some(self.sla_minutes)
    }

    pub fn queued(&self) -> Queued {
        Queued { severity: self.severity, priority: self.priority, sla_minutes: self.own_minutes() }
    }
}

impl Entry {
    pub(super) fn queued(&self) -> Queued {
        Queued { severity: self.severity, priority: self.priority, sla_minutes: self.handling.sla_minutes }
    }
}

/// What else is kept of it.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pub like: Likeness,
    /// In microseconds.
    pub decided: Option<i64>,
    pub act: Option<Arc<str>>,
    /// 0 where there is none.
    pub precedent: u32,
    pub decisions: u32,
    pub text: texts::Place,
    /// The hit before it of the same listing, with the same found, of the same seller; 0 where there is none.
    pub before: Before,
}

/// Hits that came before one, each in a chain of its own; 0 ends it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub listing: u32,
    pub found: u32,
    pub seller: u32,
}

impl Rest {
    pub const NONE: Self = Self {
        like: Likeness { seller: 0, listing: 0, found: 0, reads: Fingerprint(0), same: 0 },
        decided: None,
        act: None,
        precedent: 0,
        decisions: 0,
        text: texts::Place::NONE,
        before: Before { listing: 0, found: 0, seller: 0 },
    };

    /// The hit `id` as others see it; none where there is no such hit.
    pub fn entry(&self, id: u32, row: &Row) -> Option<Entry> {
        Some(Entry {
            id: HitId(u64::from(id)),
            state: row.state?,
            decisions: self.decisions as usize,
            priority: row.priority,
            severity: row.severity,
            handling: Handling { sla_minutes: row.own_minutes(), second_approval: row.second_approval },
            found_at: time(row.found),
            decided_at: self.decided.map(time),
            like: self.like,
            act: self.act.clone(),
            precedent: (self.precedent > 0).then(|| HitId(u64::from(self.precedent))),
            by: row.by,
        })
    }

    /// Takes over where `hit` stands.
    pub fn stands(&mut self, row: &mut Row, hit: &Hit, act: Option<Arc<str>>, symbols: &mut Symbols) {
        let newest = hit.decisions.last();
        row.state = Some(hit.state);
        row.by = newest.map_or(0, |made| symbols.add(made.by.as_str()));
        self.decisions = u32::try_from(hit.decisions.len()).unwrap_or(u32::MAX);
        self.decided = newest.map(|made| made.at.as_microsecond());
        self.act = act;
        self.precedent = newest.and_then(|made| made.precedent).and_then(number).unwrap_or(0);
    }
}

/// Microseconds as a time; the board was given a time before.
pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A hit's number on the board; none for those beyond four billion.
pub(super) fn number(id: HitId) -> Option<u32> {
    u32::try_from(id.0).ok()
}

/// A hit that is to be taken in, with what takes time to make of it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub hit: Hit,
    pub like: Likeness,
    pub text: String,
}

impl Prepared {
    pub fn of(hit: Hit) -> Self {
        Self { like: Likeness::of(&hit), text: text_of(&hit), hit }
    }
}

/// What a search reads of a hit, in lower case: title, seller, family, words found and what stands around them.
fn text_of(hit: &Hit) -> String {
    let listing = &hit.what.listing;
    let seller = listing.seller.as_ref().and_then(|seller| seller.name.as_deref()).unwrap_or("");
    let mut parts = vec![listing.title.clone(), seller.to_owned(), hit.what.family.clone()];
    let surfaces = listing.surfaces();
    for finding in hit.what.findings.iter().take(8) {
        parts.extend([finding.word.clone(), finding.text.clone()]);
        let elsewhere = finding.surface != "title";
        if let Some(surface) = surfaces.iter().find(|surface| elsewhere && surface.path == finding.surface) {
            let begin = finding.start.saturating_sub(AROUND);
            parts.push(
                surface.text.chars().skip(begin).take(2 * AROUND + finding.end - begin.min(finding.end)).collect(),
            );
        }
    }
    parts.push(listing.platform.clone().unwrap_or_default());
    // What stands in the title already is found there.
    let mut text = String::new();
    for part in parts.iter().map(|part| part.to_lowercase().replace('\n', " ")) {
        if !part.is_empty() && !text.contains(&part) {
            if !text.is_empty() {
                text.push('\u{1f}');
            }
            text.push_str(&part);
        }
    }
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
