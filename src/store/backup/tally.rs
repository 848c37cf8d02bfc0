//! Counting what a journal amounts to, without an index: a second way to the same numbers, so that the two can be
//! held against each other.

use std::collections::{HashMap, HashSet};

use crate::{
    model::{CaptureId, HitId, HitState, ListingId, MarkId},
    store::{
        event::Event,
        port::{Counts, Write},
    },
};

/// Counts events.
#[derive(Debug, Default)]
pub(in crate::store) struct Tally {
    listings: HashSet<ListingId>,
    captures: HashSet<CaptureId>,
    marks: HashSet<MarkId>,
    hits: HashMap<HitId, HitState>,
    seq: u64,
}

impl Tally {
    /// Counts the event with sequence `seq`.
    pub fn add(&mut self, seq: u64, event: &Event) {
        self.seq = seq;
        match event {
            Event::Applied { writes, hits } => {
                for write in writes {
                    self.add_write(write);
                }
                for hit in hits.iter().filter(|hit| hit.new) {
                    self.hits.insert(hit.id, HitState::Open);
                }
            }
            Event::Completed { hit, decision, .. } | Event::Reopened { hit, decision } => {
                self.hits.insert(*hit, decision.leads_to());
            }
            Event::Settled { hits, decision } => {
                self.hits.extend(hits.iter().map(|&hit| (hit, decision.leads_to())));
            }
            _ => {}
        }
    }

    fn add_write(&mut self, write: &Write) {
        match write {
            Write::Listing { id, .. } => {
                self.listings.insert(id.clone());
            }
            Write::Capture(capture) => {
                self.captures.insert(capture.id.clone());
            }
            Write::Mark(mark) => {
                self.marks.insert(mark.id.clone());
            }
            Write::RemoveMark { id } => {
                self.marks.remove(id);
            }
            Write::Hit(_) | Write::Schedule { .. } | Write::Hold { .. } | Write::Remark(_) | Write::Note { .. } => {}
        }
    }

    /// What it amounts to.
    pub fn counts(&self) -> Counts {
        let hits = |state| self.hits.values().filter(|&&found| found == state).count() as u64;
        Counts {
            listings: self.listings.len() as u64,
            captures: self.captures.len() as u64,
            marks: self.marks.len() as u64,
            open: hits(HitState::Open),
            confirmed: hits(HitState::Confirmed),
            dismissed: hits(HitState::Dismissed),
            proposed: hits(HitState::Proposed),
            escalated: hits(HitState::Escalated),
            seq: self.seq,
        }
    }
}
