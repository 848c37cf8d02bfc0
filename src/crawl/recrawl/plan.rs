//! Which listings of a profile are looked at again next, and why then.

use std::{cmp::Reverse, collections::BinaryHeap, collections::HashMap};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{FINDING, Habit, Intervals, Watched};
use crate::{
    crawl::{
        Coverage, CoverageError, Known, Profile, Recrawl,
        coverage::{days_between, short_hash},
    },
    model::Timestamp,
};

/// When listings of a profile are looked at again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Listings that are watched.
    pub listings: u64,
    /// Visits a day that the intervals of all of them come to; more than the budget when even the longest are too short.
    pub per_day: f64,
    /// Of the budget of today.
    pub left_today: u64,
    /// Those whose time comes first, the most overdue first.
    pub next: Vec<Visit>,
}

/// A visit to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// The listing's address.
    pub url: String,
    /// When.
    pub due: Timestamp,
    /// Changes a day, as learnt.
    pub rate: f64,
    /// Visits that this listing's own rate is learnt from; its section's, where it is 0.
    pub seen: u32,
    /// What it matters beside others.
    pub weight: f64,
    /// Days from visit to visit.
    pub interval: f64,
}

impl Visit {
    /// Why then, in words.
    pub fn why(&self) -> String {
        let every = |days: f64| if days < 2.0 { format!("{:.1} h", days * 24.0) } else { format!("{days:.1} days") };
        let from = match self.seen {
            0 | 1 => "as its section does".to_owned(),
            visits => format!("learnt from {visits} visits"),
        };
        format!(
            "changes every {} ({from}), weight {:.1}: looked at every {}",
            every(1.0 / self.rate),
            self.weight,
            every(self.interval)
        )
    }
}

/// One listing while a plan is made.
struct Candidate {
    section: u64,
    watched: Watched,
    weight: f64,
}

/// Plans visits to the known listings of `profile`: the first `most` that are due before `until`. `weigh` says what a listing
/// matters beside others, 1 being usual.
///
/// None where the profile has no `[recrawl]`.
///
/// # Errors
/// When coverage cannot be read.
pub fn plan(
    coverage: &Coverage,
    profile: &Profile,
    (now, until): (Timestamp, Timestamp),
    most: usize,
    weigh: &dyn Fn(&Known) -> f64,
) -> Result<Option<Plan>, CoverageError> {
    let Some(recrawl) = &profile.recrawl else { return Ok(None) };
    let bounds = recrawl.intervals();
    let mut sections: HashMap<u64, Watched> = HashMap::new();
    let mut all = Watched::default();
    let mut candidates = Vec::new();
    for known in coverage.addresses(&profile.id) {
        let known = known?;
        if !is_watched(&known) {
            continue;
        }
        let section = section_of(&known);
        sections.entry(section).or_default().add(&known.watched);
        all.add(&known.watched);
        candidates.push(Candidate { section, watched: known.watched, weight: weigh(&known) });
    }
    // A section of which little is known changes as the site does.
    let site = all.pooled_rate();
    let rates: HashMap<u64, f64> = sections.iter().map(|(section, watched)| (*section, watched.rate(site))).collect();
    let rate = |section: u64, watched: &Watched| watched.rate(rates.get(&section).copied().unwrap_or(site));
    let habits: Vec<Habit> =
        candidates.iter().map(|one| Habit { rate: rate(one.section, &one.watched), weight: one.weight }).collect();
    drop(candidates);
    let price = bounds.price(&habits, f64::from(recrawl.budget_per_day));
    let per_day = habits.iter().map(|habit| 1.0 / bounds.at(*habit, price)).sum();

    let mut first: BinaryHeap<(Timestamp, Reverse<Ordered>)> = BinaryHeap::new();
    for known in coverage.addresses(&profile.id) {
        let known = known?;
        if !is_watched(&known) {
            continue;
        }
        let habit = Habit { rate: rate(section_of(&known), &known.watched), weight: weigh(&known) };
        let visit = visit(&known, habit, bounds, price);
        if visit.due <= until {
            first.push((visit.due, Reverse(Ordered(visit))));
            if first.len() > most {
                first.pop();
            }
        }
    }
    let next = first.into_sorted_vec().into_iter().map(|(_, Reverse(Ordered(visit)))| visit).collect();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let spent =
        coverage.looked_again(&profile.id)?.last().filter(|(day, _)| *day == today).map_or(0, |(_, count)| *count);
    let left_today = u64::from(recrawl.budget_per_day).saturating_sub(spent);
    Ok(Some(Plan { listings: habits.len() as u64, per_day, left_today, next }))
}

/// Whether it is a listing that may be asked for.
fn is_watched(known: &Known) -> bool {
    known.facts.is_some() && !matches!(known.last.kind.as_str(), "robots" | "scope")
}

fn section_of(known: &Known) -> u64 {
    u64::from_str_radix(&short_hash(known.stands.section.as_bytes()), 16).unwrap_or_default()
}

fn visit(known: &Known, habit: Habit, bounds: Intervals, price: f64) -> Visit {
    let gone = matches!(known.last.kind.as_str(), "status_404" | "status_410");
    let interval = if gone { bounds.most } else { bounds.at(habit, price) };
    let had = known.had_at.unwrap_or(known.last.at);
    // One that failed since is not asked for again at once.
    let tried = known.last.at;
    let failed = days_between(had, tried) > 0.0;
    let from = if failed { tried } else { had };
    let due = from.saturating_add(SignedDuration::from_secs_f64(interval * 86_400.0)).unwrap_or(Timestamp::MAX);
    Visit { url: known.url.clone(), due, rate: habit.rate, seen: known.visits, weight: habit.weight, interval }
}

impl Recrawl {
    /// Its bounds, in days.
    fn intervals(&self) -> Intervals {
        let days = |duration: std::time::Duration| duration.as_secs_f64() / 86_400.0;
        Intervals { least: days(self.min), most: days(self.max), finding: FINDING }
    }
}

/// In the order of addresses, where two are due at the same time.
#[derive(Debug)]
struct Ordered(Visit);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.0.url == other.0.url
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.url.cmp(&other.0.url)
    }
}
