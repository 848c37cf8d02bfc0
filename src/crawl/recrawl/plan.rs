//! Which listings of a profile are looked at again next, and why then.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map::Entry},
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{FINDING, Habit, Intervals, Signs, Watched, sign};
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
    /// What who names it says of its changes; nothing where it is named without a time.
    #[serde(default)]
    pub sign: Option<Sign>,
}

/// What a sitemap, a feed or a list says of a listing's changes, and what that is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// Whether it says that the listing has changed since it was had.
    pub said: bool,
    /// By what factor that changes the odds, as the host's earlier signs proved.
    pub odds: f64,
    /// What those came to.
    pub proved: Signs,
}

impl Visit {
    /// Why then, in words.
    pub fn why(&self) -> String {
        let every = |days: f64| if days < 2.0 { format!("{:.1} h", days * 24.0) } else { format!("{days:.1} days") };
        let from = match self.seen {
            0 | 1 => "as its section does".to_owned(),
            visits => format!("learnt from {visits} visits"),
        };
        let (changes, weight, interval) = (every(1.0 / self.rate), self.weight, every(self.interval));
        let sign = self.sign.map(|sign| sign.words()).unwrap_or_default();
        format!("changes every {changes} ({from}), weight {weight:.1}: looked at every {interval}{sign}")
    }
}

impl Sign {
    /// What it comes to, to be added to a sentence.
    fn words(&self) -> String {
        let Signs { said_changed, said_same, silent_changed, silent_same } = self.proved;
        let said = if self.said { "sooner: named as changed since" } else { "named as unchanged since" };
        format!(
            ", {said}, which multiplies the odds by {:.2} (this host named {said_changed:.0} of {:.0} changes, and {said_same:.0} of {:.0} visits without one)",
            self.odds,
            said_changed + silent_changed,
            said_same + silent_same
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

    let mut signs: HashMap<String, Signs> = HashMap::new();
    let mut first: BinaryHeap<(Timestamp, Reverse<Ordered>)> = BinaryHeap::new();
    for known in coverage.addresses(&profile.id) {
        let known = known?;
        if !is_watched(&known) {
            continue;
        }
        let habit = Habit { rate: rate(section_of(&known), &known.watched), weight: weigh(&known) };
        let sign = match known.is_said_to_have_changed() {
            Some(said) => {
                let proved = match signs.entry(known.host()) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(unknown) => *unknown.insert(coverage.signs(&known.host())?),
                };
                Some(Sign { said, odds: proved.odds(said), proved })
            }
            None => None,
        };
        let visit = visit(&known, habit, sign, (bounds, price));
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

fn visit(known: &Known, habit: Habit, sign: Option<Sign>, (bounds, price): (Intervals, f64)) -> Visit {
    let gone = matches!(known.last.kind.as_str(), "status_404" | "status_410");
    let interval = if gone { bounds.most } else { bounds.at(habit, price) };
    let wait = match sign.filter(|_| !gone) {
        Some(sign) => sign::moved(interval, habit.rate, sign.odds).clamp(bounds.least, bounds.most),
        None => interval,
    };
    let had = known.had_at.unwrap_or(known.last.at);
    // One that failed since is not asked for again at once.
    let tried = known.last.at;
    let failed = days_between(had, tried) > 0.0;
    let from = if failed { tried } else { had };
    let due = from.saturating_add(SignedDuration::from_secs_f64(wait * 86_400.0)).unwrap_or(Timestamp::MAX);
    Visit { url: known.url.clone(), due, rate: habit.rate, seen: known.visits, weight: habit.weight, interval, sign }
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Intervals = Intervals { least: 1.0 / 24.0, most: 30.0, finding: 0.0 };

    fn at(day: f64) -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_secs_f64(day * 86_400.0)
    }

    /// Days from the last visit to the next of a listing that changes every four days.
    fn wait(sign: Option<(bool, f64)>) -> f64 {
        let url = url::Url::parse("https://shop.example/p/1").unwrap();
        let mut known = Known::new(&url, 0, at(0.0));
        known.had_at = Some(at(0.0));
        let sign = sign.map(|(said, odds)| Sign { said, odds, proved: Signs::default() });
        let visit = visit(&known, Habit { rate: 0.25, weight: 1.0 }, sign, (BOUNDS, 0.2));
        days_between(at(0.0), visit.due)
    }

    #[test]
    fn a_sign_that_proved_true_brings_the_visit_forward_and_one_that_did_not_leaves_it() {
        let usual = wait(None);
        assert!((usual - wait(Some((true, 1.0)))).abs() < 1e-3, "{usual}");
        assert!(wait(Some((true, 20.0))) < usual / 3.0 && wait(Some((true, 20.0))) >= BOUNDS.least);
        assert!(wait(Some((false, 0.1))) > usual * 1.5 && wait(Some((false, 1e-9))) <= BOUNDS.most);
    }

    #[test]
    fn what_is_said_is_held_against_the_last_visit() {
        let url = url::Url::parse("https://shop.example/p/1").unwrap();
        let mut known = Known::new(&url, 0, at(0.0));
        assert_eq!(known.is_said_to_have_changed(), None);
        known.had_at = Some(at(10.0));
        known.said = Some(at(3.0));
        assert_eq!(known.is_said_to_have_changed(), Some(false), "before it was had");
        known.said = Some(at(11.0));
        assert_eq!(known.is_said_to_have_changed(), Some(true));
        known.said_then = known.said;
        assert_eq!(known.is_said_to_have_changed(), Some(false));
        // A day given as its end lies after the visit on that day; it is said again, not anew.
        known.said = Some(at(12.0));
        assert_eq!(known.is_said_to_have_changed(), Some(true));
    }
}
