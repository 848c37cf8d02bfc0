//! What a reader sees: a base and what changed since, at one moment.

use std::{ops::Range, sync::Arc};

use super::{
    base::{Base, SpellingPlace},
    delta::{Changes, Delta},
    error::Result,
    registration::Registration,
    scan::Hit,
};
use crate::text::{Folded, fold};

/// A base and the changes since: it never changes, and lives as long as someone looks at it.
#[derive(Debug, Clone)]
pub struct View {
    base: Arc<Base>,
    delta: Arc<Delta>,
}

/// A registered spelling found in a text.
#[derive(Debug, Clone)]
pub struct Occurrence<'a> {
    /// Where, in units.
    pub units: Range<usize>,
    view: &'a View,
    base: Option<SpellingPlace>,
    added: Option<SpellingPlace>,
}

impl View {
    pub(super) fn new(base: Arc<Base>, delta: Arc<Delta>) -> Self {
        Self { base, delta }
    }

    /// A base to which nothing was changed since.
    ///
    /// # Errors
    /// Never, in practice: an empty list of changes can always be made.
    pub fn of(base: Base) -> Result<Self> {
        Self::over(base, &Changes::default())
    }

    /// A base and what was changed since.
    pub(super) fn over(base: Base, changes: &Changes) -> Result<Self> {
        Ok(Self::new(Arc::new(base), Arc::new(Delta::new(changes)?)))
    }

    /// The base.
    pub fn base(&self) -> &Base {
        &self.base
    }

    pub(super) fn base_arc(&self) -> Arc<Base> {
        Arc::clone(&self.base)
    }

    /// What changed since.
    pub fn delta(&self) -> &Delta {
        &self.delta
    }

    /// Every registered spelling in `folded`, overlapping ones too, each once, in no order that means anything.
    ///
    /// A spelling whose last registration went since the base was built is among them, without registrations: who does not
    /// ask for them does not pay for reading them.
    pub fn find(&self, folded: &Folded) -> Vec<Occurrence<'_>> {
        let mut hits = Vec::new();
        self.base.scan(folded, &mut hits);
        let mut found: Vec<Occurrence<'_>> =
            hits.iter().map(|hit| self.occurrence(hit, Some(hit.place), None)).collect();
        if self.delta.added().spellings() == 0 {
            return found;
        }
        hits.clear();
        self.delta.added().scan(folded, &mut hits);
        if hits.is_empty() {
            return found;
        }
        found.extend(hits.iter().map(|hit| self.occurrence(hit, None, Some(hit.place))));
        // What is in both stands side by side once sorted, the base's first.
        found.sort_unstable_by_key(|found| (found.units.start, found.units.end, found.base.is_none()));
        found.dedup_by(|later, earlier| {
            let same = later.units == earlier.units;
            if same {
                earlier.added = later.added;
            }
            same
        });
        found
    }

    /// The registrations of `text` as a whole, however it is written.
    pub fn registrations(&self, text: &str) -> impl Iterator<Item = Registration<'_>> {
        let folded = fold(text);
        self.at(self.base.place_of(&folded), self.delta.added().place_of(&folded))
    }

    fn occurrence(&self, hit: &Hit, base: Option<SpellingPlace>, added: Option<SpellingPlace>) -> Occurrence<'_> {
        let start = hit.start as usize;
        Occurrence { units: start..start + usize::from(hit.units), view: self, base, added }
    }

    fn at(&self, base: Option<SpellingPlace>, added: Option<SpellingPlace>) -> impl Iterator<Item = Registration<'_>> {
        let base = base.into_iter().flat_map(|place| self.base.registrations_of(place));
        let added = added.into_iter().flat_map(|place| self.delta.added().registrations_of(place));
        base.filter(|registration| !self.delta.replaces(registration)).chain(added)
    }
}

impl<'a> Occurrence<'a> {
    /// Who registered it, and for what. None when all of it went since the base was built.
    pub fn registrations(&self) -> impl Iterator<Item = Registration<'a>> + use<'a> {
        self.view.at(self.base, self.added)
    }

    /// The spelling, folded.
    pub fn spelling(&self) -> &'a str {
        let base = self.base.and_then(|place| self.view.base.spelling(place));
        let bytes = base.or_else(|| self.added.and_then(|place| self.view.delta.added().spelling(place)));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}
