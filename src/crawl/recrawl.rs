//! When each listing is looked at again: by how often its facts change, what it is worth to know that, and the budget.
//!
//! Pure. [`Watched`] is what visits told of one listing; with what its section tells of the unseen it gives a rate of changes.
//! [`Intervals`] turns rates and weights into times between visits: the freshest picture of what matters that a budget of
//! visits can buy. Which listings there are, and who asks for them, is others' business.
//!
//! Changes are taken to be a Poisson process. A page with `rate` changes a day, visited every `t` days, is up to date for the
//! share `(1 - e^-x) / x` of the time, with `x = rate t`. Shares weighted and summed are greatest, at a given number of visits,
//! where a further visit is worth the same for every page: `weight / rate (1 - e^-x (1 + x))` is one price for all
//! (Cho and Garcia-Molina 2003; Azar, Horvitz, Lubetzky, Peres, Shahaf, PNAS 2018). A page that changes faster than its
//! weight can pay for is visited seldom: it would be stale again at once. That a change is found at all is worth something
//! too, or nobody would ever look at the fastest: with [`Intervals::finding`] the price is
//! `weight (1 / rate + finding) (1 - e^-x (1 + x))`.

mod plan;
mod sign;

pub use plan::{Plan, Sign, Visit, plan};
pub use sign::Signs;

use serde::{Deserialize, Serialize};

/// What it is worth to find a change, in days of being up to date: an hour.
pub const FINDING: f64 = 1.0 / 24.0;
/// What is taken for a site of which nothing is known, in changes a day.
const UNKNOWN_RATE: f64 = 0.5;
/// How far rates of one section lie apart: the standard deviation of their natural logarithms.
const SPREAD: f64 = 2.0;
/// With every visit, what was seen before counts so much less: a listing may change its habits.
const FADING: f64 = 1.0 / 200.0;
/// No rate is beyond these, in changes a day.
const LEAST_RATE: f64 = 1.0 / 3650.0;
const MOST_RATE: f64 = 1000.0;
/// Halvings of an interval in which a root lies; beyond the precision that is needed.
const HALVINGS: usize = 48;
/// Listings that a price is found with; of more, every so many-th.
const PRICED: usize = 50_000;

/// What visits told of a listing's changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watched {
    /// Visits that found other facts than the visit before, older ones counted for less.
    pub changed: f64,
    /// Days between those visits and the ones before, counted alike.
    pub changed_days: f64,
    /// Days between the other visits and the ones before.
    pub same_days: f64,
}

impl Watched {
    /// Takes in a visit, so many days after the one before.
    pub fn visit(&mut self, days: f64, changed: bool) {
        if !days.is_finite() || days <= 0.0 {
            return;
        }
        for part in [&mut self.changed, &mut self.changed_days, &mut self.same_days] {
            *part *= 1.0 - FADING;
        }
        if changed {
            self.changed += 1.0;
            self.changed_days += days;
        } else {
            self.same_days += days;
        }
    }

    /// Takes in what is known of another listing: for what a section has in common.
    pub fn add(&mut self, other: &Self) {
        self.changed += other.changed;
        self.changed_days += other.changed_days;
        self.same_days += other.same_days;
    }

    /// Changes a day of a listing like those that were pooled here, of whose own changes nothing is known.
    pub fn pooled_rate(&self) -> f64 {
        self.rate(UNKNOWN_RATE)
    }

    /// Changes a day, by what was seen of this listing, and by the rate of its section as long as that is little.
    ///
    /// The likeliest logarithm of the rate where each visit in `changed` says that at least one change came in its days and
    /// the others that none did, and where the logarithms of a section's rates are spread normally.
    pub fn rate(&self, section: f64) -> f64 {
        let usual = section.clamp(LEAST_RATE, MOST_RATE).ln();
        let days = if self.changed > 0.0 { self.changed_days / self.changed } else { 0.0 };
        // Falls from above zero to below it as the rate grows.
        let slope = |log: f64| {
            let rate = log.exp();
            let x = rate * days;
            let seen = if x < 1e-9 { 1.0 } else { x / x.exp_m1() };
            self.changed * seen - rate * self.same_days + (usual - log) / (SPREAD * SPREAD)
        };
        let (mut low, mut high) = (LEAST_RATE.ln(), MOST_RATE.ln());
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
        f64::midpoint(low, high).exp()
    }
}

/// How a listing changes and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habit {
    /// Changes a day.
    pub rate: f64,
    /// What an hour of its being up to date is worth, beside other listings.
    pub weight: f64,
}

/// Between which times a listing is visited, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    /// No sooner.
    pub least: f64,
    /// No later.
    pub most: f64,
    /// What it is worth to find a change, in days of being up to date.
    pub finding: f64,
}

impl Intervals {
    /// The price of a visit at which `habits` together cost `budget` visits a day, as [`at`](Self::at) wants it.
    ///
    /// Where even the longest intervals cost more, the price is so high that all are visited as seldom as may be.
    pub fn price(self, habits: &[Habit], budget: f64) -> f64 {
        let step = habits.len().div_ceil(PRICED).max(1);
        let budget = budget / step as f64;
        let visits = |price: f64| habits.iter().step_by(step).map(|habit| 1.0 / self.at(*habit, price)).sum::<f64>();
        let (mut low, mut high) = (1e-12_f64.ln(), 1e12_f64.ln());
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if visits(middle.exp()) > budget { low = middle } else { high = middle }
        }
        high.exp()
    }

    /// Days from one visit to the next where a visit costs `price`.
    pub fn at(self, habit: Habit, price: f64) -> f64 {
        let share = price / (habit.weight * (1.0 / habit.rate + self.finding));
        let days = if share < 1.0 { changes_at(share) / habit.rate } else { self.most };
        days.clamp(self.least, self.most)
    }
}

/// The `x` with `1 - e^-x (1 + x) = share`, for a share below 1: by Newton's method on `x - ln(1 + x) = -ln(1 - share)`.
fn changes_at(share: f64) -> f64 {
    let wanted = -(-share).ln_1p();
    let mut x = wanted + (2.0 * wanted).sqrt();
    for _ in 0..5 {
        if x <= 0.0 {
            return 0.0;
        }
        x -= (x - x.ln_1p() - wanted) * (1.0 + x) / x;
    }
    x.max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MONTH: Intervals = Intervals { least: 1.0 / 24.0, most: 30.0, finding: 0.0 };

    #[test]
    fn a_listing_of_which_nothing_is_known_changes_like_its_section() {
        let mut section = Watched::default();
        for day in 0..400 {
            section.visit(1.0, day % 4 == 0);
        }
        let pooled = section.pooled_rate();
        // One visit in four finds a change a day after the last one: -ln(3/4).
        assert!((pooled - 0.288).abs() < 0.02, "{pooled}");
        let unseen = Watched::default().rate(pooled);
        assert!((unseen / pooled - 1.0).abs() < 0.01, "{unseen} {pooled}");
    }

    #[test]
    fn what_is_seen_of_a_listing_outweighs_its_section() {
        let (mut quick, mut slow) = (Watched::default(), Watched::default());
        for _ in 0..20 {
            quick.visit(0.25, true);
            slow.visit(2.0, false);
        }
        assert!(quick.rate(0.1) > 4.0, "{}", quick.rate(0.1));
        assert!(slow.rate(4.0) < 0.05, "{}", slow.rate(4.0));
    }

    #[test]
    fn a_listing_that_changes_its_habits_is_believed_in_the_end() {
        let mut listing = Watched::default();
        (0..300).for_each(|_| listing.visit(1.0, true));
        let before = listing.rate(1.0);
        (0..600).for_each(|_| listing.visit(1.0, false));
        assert!(before > 3.0 && listing.rate(1.0) < 0.1, "{before} {}", listing.rate(1.0));
    }

    #[test]
    fn what_is_worth_more_is_visited_more_often_and_what_changes_too_fast_less() {
        let of = |rate, weight| Habit { rate, weight };
        let habits = [of(1.0, 1.0), of(1.0, 8.0), of(500.0, 1.0), of(0.01, 1.0)];
        let price = MONTH.price(&habits, 2.0);
        let days: Vec<f64> = habits.iter().map(|habit| MONTH.at(*habit, price)).collect();
        assert!(days[1] < days[0] && days[2] > days[0] && days[3] > days[0], "{days:?}");
        assert!((days.iter().map(|days| 1.0 / days).sum::<f64>() - 2.0).abs() < 0.01, "{days:?}");
    }

    #[test]
    fn too_small_a_budget_makes_every_visit_as_late_as_may_be() {
        let habits = [Habit { rate: 1.0, weight: 1.0 }; 100];
        let price = MONTH.price(&habits, 1.0);
        assert_eq!(MONTH.at(habits[0], price), 30.0);
        assert_eq!(MONTH.at(habits[0], MONTH.price(&habits, 1e9)), 1.0 / 24.0);
    }

    proptest! {
        #[test]
        fn rates_and_intervals_stay_within_their_bounds(
            visits in prop::collection::vec((prop::num::f64::ANY, any::<bool>()), 0..40),
            prior in prop::num::f64::ANY,
            weight in 1e-3_f64..1e3,
            price in prop::num::f64::POSITIVE,
        ) {
            let mut watched = Watched::default();
            visits.iter().for_each(|(days, changed)| watched.visit(days.abs().min(1e6), *changed));
            let rate = watched.rate(if prior.is_nan() { 1.0 } else { prior });
            prop_assert!((LEAST_RATE * 0.9..=MOST_RATE * 1.1).contains(&rate), "{rate}");
            let days = MONTH.at(Habit { rate, weight }, price);
            prop_assert!((MONTH.least..=MONTH.most).contains(&days), "{days}");
        }

        #[test]
        fn the_equation_of_the_price_is_solved(share in 1e-9_f64..0.999_999) {
            let x = changes_at(share);
            let again = 1.0 - (-x).exp() * (1.0 + x);
            prop_assert!((again - share).abs() <= 1e-6 * share.max(1e-4), "{share} {x} {again}");
        }
    }
}
