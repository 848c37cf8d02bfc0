//! The pace of a merge: a while of work, then a rest, so that those who write and read need not wait for it.

use std::{
    cell::Cell,
    thread,
    time::{Duration, Instant},
};

use super::index::Index;
use crate::store::port::StoreError;

const WORK: Duration = Duration::from_millis(1);
const REST: Duration = Duration::from_millis(2);
/// How often over changes may pile up behind a merge before it takes no more rests.
const TOO_FULL: u64 = 1;
/// Steps between two looks at the clock.
const STEPS: u32 = 16;

/// How a merge of an index goes on.
pub(super) struct Pace<'a> {
    index: &'a Index,
    rests: bool,
    since: Cell<Instant>,
    steps: Cell<u32>,
}

impl<'a> Pace<'a> {
    /// Without rests.
    pub fn of(index: &'a Index) -> Self {
        Self { index, rests: false, since: Cell::new(Instant::now()), steps: Cell::new(0) }
    }

    /// With a rest after each while of work, as long as not too much piles up meanwhile.
    pub fn with_rests(index: &'a Index) -> Self {
        Self { rests: true, ..Self::of(index) }
    }

    /// Between two small parts of the work. An error when the store is being closed.
    pub fn step(&self) -> Result<(), StoreError> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() < STEPS {
            return Ok(());
        }
        self.steps.set(0);
        if self.index.is_closing() {
            return Err(StoreError::Stopped("the store is being closed".into()));
        }
        if self.rests && self.since.get().elapsed() >= WORK {
            if !self.index.is_full_by(TOO_FULL) {
                thread::sleep(REST);
            }
            self.since.set(Instant::now());
        }
        Ok(())
    }
}
