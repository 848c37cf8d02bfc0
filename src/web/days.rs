//! Hits over time: what each of the last days brought, as numbers and as a chart.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{
    Desk,
    chart::{Chart, Point, Shows},
    words::Words,
};
use crate::{model::HitState, review::Entry};

/// Days that are counted.
const DAYS: i64 = 30;

/// What one day brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub day: Date,
    /// Hits found.
    pub hits: u64,
    /// Of them, confirmed since.
    pub confirmed: u64,
    /// Of them, dismissed since.
    pub dismissed: u64,
}

/// The last thirty days, the oldest first, days without hits among them.
pub(super) fn counts(desk: &Desk, entries: &[Entry]) -> Vec<Count> {
    let zone = &desk.inner.zone;
    let today = desk.inner.clock.now().to_zoned(zone.clone()).date();
    let mut found: BTreeMap<Date, [u64; 3]> = BTreeMap::new();
    for entry in entries {
        let [hits, confirmed, dismissed] = found.entry(entry.found_at.to_zoned(zone.clone()).date()).or_default();
        *hits += 1;
        *confirmed += u64::from(entry.state == HitState::Confirmed);
        *dismissed += u64::from(entry.state == HitState::Dismissed);
    }
    let day = |back: i64| {
        let day = today.checked_sub(jiff::Span::new().days(back)).ok()?;
        let [hits, confirmed, dismissed] = found.get(&day).copied().unwrap_or_default();
        Some(Count { day, hits, confirmed, dismissed })
    };
    (0..DAYS).rev().filter_map(day).collect()
}

/// The same as a chart, confirmed hits apart; each day leads to its hits under `path`.
pub(super) fn chart(desk: &Desk, path: &str, entries: &[Entry], words: Words) -> Chart {
    let point = |Count { day, hits, confirmed, .. }: Count| {
        let href = if hits > 0 { format!("{path}?day={day}") } else { String::new() };
        Point { label: day.to_string(), short: day.strftime("%m-%d").to_string(), value: hits, part: confirmed, href }
    };
    let shows = Shows {
        title: words.say("chart-days"),
        counts: words.say("chart-hits"),
        over: words.say("chart-day"),
        part: Some(words.say("state-confirmed")),
    };
    Chart::of(shows, counts(desk, entries).into_iter().map(point).collect(), words)
}
