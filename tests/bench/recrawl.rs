//! How fresh the recrawl policy keeps what it watches, against Nutch's adaptive rule and against one who knows every rate.
//!
//! `cargo bench --bench recrawl -- [listings] [runs]`. A world of listings whose facts change by Poisson processes, rates
//! log-uniform from one in 30 days to 24 a day, weights log-normal, one visit a listing and day; 25 days are measured after 15
//! to warm up. Every policy meets the same worlds with the same changes. Freshness is the weighted share of listings' time in
//! which what is known of them is current; delay the weighted mean time from a change to the visit that finds it.
//!
//! `Signed` is ours with a sitemap that is read four times a day, whose `lastmod` moves with so many of the changes and, at each
//! reading, for so many listings that did not change; `Unsigned` the same with one that moves for everybody now and then and
//! tells nothing.

#![allow(clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::{cmp::Reverse, collections::BinaryHeap};

use markwarden::crawl::{FINDING, Habit, Intervals, Signs, Watched};

const DAYS: f64 = 40.0;
const WARM: f64 = 15.0;
/// Visits a listing and day.
const BUDGET: f64 = 1.0;
const BOUNDS: Intervals = Intervals { least: 1.0 / 1440.0, most: 30.0, finding: 0.0 };
/// As the crawl has it.
const OURS: Intervals = Intervals { finding: FINDING, ..BOUNDS };
/// How often prices are found anew, in days.
const PRICE_EVERY: f64 = 1.0;
/// How often the sitemap is read, in days; the share of changes it tells, and of readings at which it tells one that was none.
const READ_EVERY: f64 = 0.25;
const TELLS: f64 = 0.85;
const LIES: f64 = 0.01;
const IDLE: f64 = 0.1;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    Uniform,
    Proportional,
    Nutch,
    Ours,
    Signed,
    Unsigned,
    Oracle,
}

impl Policy {
    /// Whether it learns rates and pays a price.
    fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Signed | Self::Unsigned)
    }

    fn is_told(self) -> bool {
        matches!(self, Self::Signed | Self::Unsigned)
    }
}

struct Listing {
    habit: Habit,
    /// Of its changes only: every policy sees the same.
    chance: fastrand::Rng,
    next_change: f64,
    last_visit: f64,
    stale: f64,
    watched: Watched,
    /// Nutch's: the interval, and when it last saw a change.
    interval: f64,
    modified: f64,
    /// The sitemap's: whether it says so, whether its next change will be told; and the key it is due by.
    said: bool,
    telling: bool,
    due: u64,
}

fn exponential(chance: &mut fastrand::Rng, rate: f64) -> f64 {
    -(1.0 - chance.f64()).ln() / rate
}

fn normal(chance: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - chance.f64()).ln()).sqrt() * (std::f64::consts::TAU * chance.f64()).cos()
}

fn world(listings: usize, seed: u64) -> Vec<Listing> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let (slowest, fastest) = ((1.0_f64 / 30.0).ln(), 24.0_f64.ln());
    let mut made: Vec<Listing> = (0..listings)
        .map(|_| {
            let rate = (slowest + chance.f64() * (fastest - slowest)).exp();
            let weight = normal(&mut chance).exp();
            let mut own = chance.fork();
            let next_change = exponential(&mut own, rate);
            Listing {
                habit: Habit { rate, weight },
                chance: own,
                next_change,
                last_visit: 0.0,
                stale: 0.0,
                watched: Watched::default(),
                interval: 1.0,
                modified: 0.0,
                said: false,
                telling: false,
                due: 0,
            }
        })
        .collect();
    let all: f64 = made.iter().map(|listing| listing.habit.weight).sum();
    made.iter_mut().for_each(|listing| listing.habit.weight /= all);
    made
}

/// Times as keys of a heap: they are never negative, so their bits are in order.
fn key(at: f64) -> u64 {
    at.max(0.0).to_bits()
}

/// Freshness, delay in hours, visits a listing and day.
fn run(policy: Policy, listings: usize, seed: u64) -> [f64; 3] {
    let mut world = world(listings, seed);
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let (step, budget) = (1.0 / (listings as f64 * BUDGET), listings as f64 * BUDGET);
    let habits: Vec<Habit> = world.iter().map(|listing| listing.habit).collect();
    let fastest: f64 = habits.iter().map(|habit| habit.rate).sum();
    let known = BOUNDS.price(&habits, budget);
    let (mut price, mut pooled, mut priced) = (0.0, Watched::default().pooled_rate(), 1.0);
    let mut due: BinaryHeap<Reverse<(u64, usize)>> = world
        .iter()
        .enumerate()
        .map(|(index, listing)| {
            let first = match policy {
                Policy::Oracle => BOUNDS.at(listing.habit, known),
                Policy::Proportional => fastest / listing.habit.rate / budget,
                _ => 1.0 / BUDGET,
            };
            Reverse((key(chance.f64() * first), index))
        })
        .collect();
    let (mut waited, mut weighed, mut visits, mut now) = (0.0, 0.0, 0_u64, 0.0);
    let (mut signs, mut reading, mut telling) = (Signs::default(), READ_EVERY, fastrand::Rng::with_seed(seed ^ 0x7e11));
    for Reverse((at, index)) in &due {
        world[*index].due = *at;
    }
    while now < DAYS {
        now += step;
        if policy.is_told() && now >= reading {
            reading = now + READ_EVERY;
            for (index, listing) in world.iter_mut().enumerate() {
                let lies = telling.f64() < if policy == Policy::Signed { LIES } else { IDLE };
                let told = policy == Policy::Signed && listing.telling && listing.next_change <= now;
                if !listing.said && (told || lies) && price > 0.0 {
                    listing.said = true;
                    listing.due = key(listing.last_visit + wait(policy, listing, &signs, (price, pooled)));
                    due.push(Reverse((listing.due, index)));
                }
            }
        }
        if policy.is_ours() && now >= priced {
            priced = now + PRICE_EVERY;
            let mut section = Watched::default();
            world.iter().for_each(|listing| section.add(&listing.watched));
            pooled = section.pooled_rate();
            let learnt: Vec<Habit> = world
                .iter()
                .map(|listing| Habit { rate: listing.watched.rate(pooled), weight: listing.habit.weight })
                .collect();
            price = OURS.price(&learnt, budget);
            let again = |(index, listing): (usize, &mut Listing)| {
                listing.due = key(listing.last_visit + wait(policy, listing, &signs, (price, pooled)));
                Reverse((listing.due, index))
            };
            due = world.iter_mut().enumerate().map(again).collect();
        }
        // What was told since stands there twice.
        while due.peek().is_some_and(|Reverse((at, index))| *at != world[*index].due) {
            due.pop();
        }
        let Some(&Reverse((at, index))) = due.peek() else { break };
        if policy == Policy::Nutch && at > key(now) {
            continue;
        }
        due.pop();
        visits += 1;
        let listing = &mut world[index];
        let changed = listing.next_change <= now;
        if changed {
            if now > WARM {
                listing.stale += now - listing.next_change.max(WARM);
                waited += listing.habit.weight * (now - listing.next_change);
                weighed += listing.habit.weight;
            }
            listing.next_change = now + exponential(&mut listing.chance, listing.habit.rate);
        }
        listing.watched.visit(now - listing.last_visit, changed);
        listing.last_visit = now;
        if policy.is_told() {
            signs.visit(listing.said, changed);
            (listing.said, listing.telling) = (false, telling.f64() < TELLS);
        }
        let interval = match policy {
            Policy::Uniform => 1.0 / BUDGET,
            Policy::Proportional => fastest / listing.habit.rate / budget,
            Policy::Oracle => BOUNDS.at(listing.habit, known),
            Policy::Nutch => nutch(listing, now, changed),
            _ if price == 0.0 => 1.0 / BUDGET,
            _ => wait(policy, listing, &signs, (price, pooled)),
        };
        listing.due = key(now + interval);
        due.push(Reverse((listing.due, index)));
    }
    let mut stale = 0.0;
    for listing in &mut world {
        if listing.next_change < DAYS {
            listing.stale += DAYS - listing.next_change.max(WARM);
        }
        stale += listing.habit.weight * listing.stale / (DAYS - WARM);
    }
    [1.0 - stale, 24.0 * waited / weighed, visits as f64 / (listings as f64 * DAYS)]
}

/// Days from a listing's last visit to the next.
fn wait(policy: Policy, listing: &Listing, signs: &Signs, (price, pooled): (f64, f64)) -> f64 {
    let habit = Habit { rate: listing.watched.rate(pooled), weight: listing.habit.weight };
    let interval = OURS.at(habit, price);
    if policy.is_told() {
        signs.wait(listing.said, interval, habit.rate).clamp(OURS.least, OURS.most)
    } else {
        interval
    }
}

/// Apache Nutch's AdaptiveFetchSchedule: increase .4, decrease .2, synchronization .3; most overdue first under the budget.
fn nutch(listing: &mut Listing, now: f64, changed: bool) -> f64 {
    let mut interval = listing.interval * if changed { 0.8 } else { 1.4 };
    if changed {
        listing.modified = now;
    }
    let since = now - listing.modified;
    interval = interval.max(since).clamp(60.0 / 86_400.0, 365.0);
    listing.interval = interval;
    interval - 0.3 * since
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let (listings, runs) = (numbers.next().unwrap_or(2000), numbers.next().unwrap_or(5));
    println!("{listings} listings, {runs} worlds");
    println!(
        "{:14} {:>10} {:>12} {:>10} {:>12} {:>12}",
        "policy", "freshness", "of oracle", "delay h", "of Nutch", "visits"
    );
    let policies = [
        Policy::Uniform,
        Policy::Proportional,
        Policy::Nutch,
        Policy::Ours,
        Policy::Signed,
        Policy::Unsigned,
        Policy::Oracle,
    ];
    let means = policies.map(|policy| {
        let mut sum = [0.0; 3];
        for seed in 0..runs {
            let figures = run(policy, listings, 11 + seed as u64);
            sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure / runs as f64);
        }
        sum
    });
    let (nutch, oracle) = (means[2], means[6]);
    for (policy, [fresh, delay, visits]) in policies.iter().zip(means) {
        println!(
            "{:14} {fresh:>10.3} {:>12.3} {delay:>10.1} {:>12.2} {visits:>12.2}",
            format!("{policy:?}").to_lowercase(),
            fresh / oracle[0],
            delay / nutch[1]
        );
    }
}
