//! One hit on the board, and where its words are kept.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{
    model::{Handling, Hit, HitId, HitState, Severity, Timestamp},
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
    /// When it was found.
    pub found_at: Timestamp,
    /// When the newest decision was made.
    pub decided_at: Option<Timestamp>,
    /// What it is held against others by.
    pub like: Likeness,
    /// The act that its newest decision is a part of.
    pub act: Option<Arc<str>>,
    /// The dismissal that its newest decision repeats.
    pub precedent: Option<HitId>,
    pub(super) family: u32,
    pub(super) platform: u32,
    /// Who made the newest decision.
    pub(super) by: u32,
    pub(super) text: Range<usize>,
}

impl Entry {
    pub(super) fn new(hit: &Hit, like: Likeness, symbols: &mut Symbols, arena: &mut Arena) -> Self {
        let what = &hit.what;
        Self {
            id: hit.id,
            state: hit.state,
            decisions: 0,
            priority: what.priority,
            severity: what.severity,
            handling: Handling::of(&what.findings),
            found_at: what.found_at,
            decided_at: None,
            like,
            act: None,
            precedent: None,
            family: symbols.add(&what.family),
            platform: symbols.add(what.listing.platform.as_deref().unwrap_or("")),
            by: 0,
            text: arena.add(hit.id, &text_of(hit)),
        }
    }

    pub(super) fn queued(&self) -> Queued {
        Queued { severity: self.severity, priority: self.priority, sla_minutes: self.handling.sla_minutes }
    }

    /// Takes over where the hit stands.
    pub(super) fn stands(&mut self, hit: &Hit, symbols: &mut Symbols) {
        let newest = hit.decisions.last();
        self.state = hit.state;
        self.decisions = hit.decisions.len();
        self.decided_at = newest.map(|made| made.at);
        self.by = newest.map_or(0, |made| symbols.add(made.by.as_str()));
        self.act = newest.and_then(|made| made.act.as_deref()).map(Arc::from);
        self.precedent = newest.and_then(|made| made.precedent);
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
    let mut seen = std::collections::BTreeSet::new();
    parts.retain(|part| !part.is_empty() && seen.insert(part.clone()));
    let mut text = parts.join("\u{1f}").to_lowercase().replace('\n', " ");
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Names that many hits share, as numbers; 0 is the empty one.
#[derive(Debug)]
pub(super) struct Symbols {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Default for Symbols {
    fn default() -> Self {
        let empty: Arc<str> = Arc::from("");
        Self { names: vec![Arc::clone(&empty)], numbers: HashMap::from([(empty, 0)]) }
    }
}

impl Symbols {
    pub fn add(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let Ok(number) = u32::try_from(self.names.len()) else { return 0 };
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The numbers of names that contain `word`, in lower case.
    pub fn containing(&self, word: &str) -> std::collections::HashSet<u32> {
        let numbers = (0_u32..).zip(&self.names).filter(|(_, name)| name.to_lowercase().contains(word));
        numbers.map(|(number, _)| number).collect()
    }
}

/// The texts of all hits, one after the other.
#[derive(Debug, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// Where the text of each begins.
    begins: Vec<(usize, HitId)>,
}

impl Arena {
    pub fn add(&mut self, id: HitId, text: &str) -> Range<usize> {
        let begin = self.bytes.len();
        self.begins.push((begin, id));
        self.bytes.extend_from_slice(text.as_bytes());
        // No word goes over the end of a text.
        self.bytes.push(b'\n');
        begin..begin + text.len()
    }

    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// The hits whose text contains `word`, as they were added.
    pub fn containing(&self, word: &str) -> Vec<HitId> {
        let finder = memchr::memmem::Finder::new(word.as_bytes());
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(offset) = self.bytes.get(at..).and_then(|rest| finder.find(rest)) {
            let behind = self.begins.partition_point(|(begin, _)| *begin <= at + offset);
            let Some((_, id)) = behind.checked_sub(1).and_then(|place| self.begins.get(place)) else { break };
            found.push(*id);
            at = self.begins.get(behind).map_or(self.bytes.len(), |(begin, _)| *begin);
        }
        found
    }
}
