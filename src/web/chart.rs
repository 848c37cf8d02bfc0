//! Hits over time as a chart: a bar a day, what was confirmed of it inside.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Desk;
use crate::{model::HitState, review::Entry};

/// Days of the chart.
const DAYS: i64 = 30;
/// Its height, in its own units.
const HIGH: usize = 60;

/// What one day brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub day: Date,
    /// Hits found.
    pub hits: usize,
    /// Of them, confirmed since.
    pub confirmed: usize,
    /// Of them, dismissed since.
    pub dismissed: usize,
}

/// The last thirty days, the oldest first, days without hits among them.
pub(super) fn counts(desk: &Desk, entries: &[Entry]) -> Vec<Count> {
    let zone = &desk.inner.zone;
    let today = desk.inner.clock.now().to_zoned(zone.clone()).date();
    let mut found: BTreeMap<Date, [usize; 3]> = BTreeMap::new();
    for entry in entries {
        let [hits, confirmed, dismissed] = found.entry(entry.found_at.to_zoned(zone.clone()).date()).or_default();
        *hits += 1;
        *confirmed += usize::from(entry.state == HitState::Confirmed);
        *dismissed += usize::from(entry.state == HitState::Dismissed);
    }
    let day = |back: i64| {
        let day = today.checked_sub(jiff::Span::new().days(back)).ok()?;
        let [hits, confirmed, dismissed] = found.get(&day).copied().unwrap_or_default();
        Some(Count { day, hits, confirmed, dismissed })
    };
    (0..DAYS).rev().filter_map(day).collect()
}

/// A bar of the chart.
pub(super) struct Day {
    pub x: usize,
    pub y: usize,
    pub height: usize,
    pub confirmed_y: usize,
    pub confirmed_height: usize,
    pub words: String,
}

/// The bars, and how many hits the tallest stands for.
pub(super) fn days(desk: &Desk, entries: &[Entry]) -> (Vec<Day>, usize) {
    let counts = counts(desk, entries);
    let tallest = counts.iter().map(|count| count.hits).max().unwrap_or(0).max(1);
    let day = |(at, count): (usize, &Count)| {
        let (height, confirmed_height) = (count.hits * HIGH / tallest, count.confirmed * HIGH / tallest);
        let words = format!("{}: {} ({})", count.day, count.hits, count.confirmed);
        Day { x: at * 10, y: HIGH - height, height, confirmed_y: HIGH - confirmed_height, confirmed_height, words }
    };
    (counts.iter().enumerate().map(day).collect(), tallest)
}
