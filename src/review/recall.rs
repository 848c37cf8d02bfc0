//! Recall: a random sample of listings in which nothing was found, and what it says of all that was missed.
//!
//! [`Draw`] keeps of each platform the listings with the smallest numbers under a hash that the seed chooses: the same seed
//! over the same listings draws the same, in whatever order they come and however many look. [`Recall`] weighs what people
//! saw in them.

use std::collections::{BTreeMap, BinaryHeap};

use sha2::{Digest, Sha256};

use super::agreement::interval;
use crate::model::{ListingId, Stratum};

/// Fewest and most listings of a sample.
pub const MIN_SAMPLE: usize = 10;
/// See [`MIN_SAMPLE`].
pub const MAX_SAMPLE: usize = 500;
/// Most platforms that are told apart; listings of all beyond the largest are one stratum.
const MAX_STRATA: usize = 32;
/// Most platforms that are counted while listings come.
const MAX_SOURCES: usize = 512;
/// Longest name of a platform that is kept, in characters.
const MAX_SOURCE_CHARS: usize = 60;
/// Listings that each platform gives where there are enough of them.
const LEAST: u64 = 5;

/// A sample while listings are shown.
#[derive(Debug, Clone)]
pub struct Draw {
    seed: u64,
    size: usize,
    pools: BTreeMap<String, Pool>,
}

#[derive(Debug, Clone, Default)]
struct Pool {
    listings: u64,
    /// The largest number on top.
    kept: BinaryHeap<(u64, ListingId)>,
}

/// A sample that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Where its listings come from.
    pub strata: Vec<Stratum>,
    /// The listings with their stratum, in an order that tells nothing.
    pub listings: Vec<(ListingId, String)>,
}

impl Draw {
    /// Draws `size` listings, within [`MIN_SAMPLE`] and [`MAX_SAMPLE`].
    pub fn new(seed: u64, size: usize) -> Self {
        Self { seed, size: size.clamp(MIN_SAMPLE, MAX_SAMPLE), pools: BTreeMap::new() }
    }

    /// Takes in a listing of a platform.
    pub fn see(&mut self, source: &str, id: ListingId) {
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_le_bytes());
        hasher.update(id.as_str());
        let number = hasher.finalize().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let source: String = source.chars().take(MAX_SOURCE_CHARS).collect();
        let name =
            if self.pools.contains_key(&source) || self.pools.len() < MAX_SOURCES { source } else { String::new() };
        let pool = self.pools.entry(name).or_default();
        pool.listings += 1;
        pool.keep(number, id, self.size);
    }

    /// Takes in what another looked at.
    pub fn merge(&mut self, other: Self) {
        for (source, pool) in other.pools {
            self.pools.entry(source).or_default().merge(pool, self.size);
        }
    }

    /// The sample: each platform's part is as large as its share, and five where it has so many and there is room.
    pub fn finish(mut self) -> Drawn {
        let mut by_size: Vec<(u64, String)> =
            self.pools.iter().map(|(source, pool)| (pool.listings, source.clone())).collect();
        by_size.sort_by(|a, b| b.cmp(a));
        for (_, source) in by_size.into_iter().skip(MAX_STRATA - 1).filter(|(_, source)| !source.is_empty()) {
            if let Some(pool) = self.pools.remove(&source) {
                self.pools.entry(String::new()).or_default().merge(pool, self.size);
            }
        }
        let sizes: Vec<u64> = self.pools.values().map(|pool| pool.listings).collect();
        let parts = shares(&sizes, self.size as u64);
        let (mut strata, mut drawn) = (Vec::new(), Vec::new());
        for ((source, pool), part) in self.pools.into_iter().zip(parts) {
            strata.push(Stratum { source: source.clone(), listings: pool.listings, drawn: part });
            let kept = pool.kept.into_sorted_vec().into_iter().take(usize::try_from(part).unwrap_or(0));
            drawn.extend(kept.map(|(number, id)| (number, id, source.clone())));
        }
        drawn.sort();
        Drawn { strata, listings: drawn.into_iter().map(|(_, id, source)| (id, source)).collect() }
    }
}

impl Pool {
    fn keep(&mut self, number: u64, id: ListingId, most: usize) {
        if self.kept.len() >= most {
            match self.kept.peek() {
                Some((largest, _)) if number < *largest => drop(self.kept.pop()),
                _ => return,
            }
        }
        self.kept.push((number, id));
    }

    fn merge(&mut self, other: Self, most: usize) {
        self.listings += other.listings;
        other.kept.into_iter().for_each(|(number, id)| self.keep(number, id, most));
    }
}

/// How many each gives: no more than it has, all of them `size`, as even as the least and then as near to its share as can be.
fn shares(sizes: &[u64], size: u64) -> Vec<u64> {
    let (all, many) = (sizes.iter().sum::<u64>(), sizes.len() as u64);
    let size = size.min(all);
    let least = LEAST.min(size.checked_div(many).unwrap_or(0));
    let mut parts: Vec<u64> = sizes.iter().map(|listings| least.min(*listings)).collect();
    while parts.iter().sum::<u64>() < size {
        let short = |&at: &usize| sizes[at] as f64 / all as f64 * size as f64 - parts[at] as f64;
        let open = (0..sizes.len()).filter(|&at| parts[at] < sizes[at]);
        let Some(at) = open.max_by(|a, b| short(a).total_cmp(&short(b)).then(b.cmp(a))) else { break };
        parts[at] += 1;
    }
    parts
}

/// What people saw in the listings of one stratum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Listings there are.
    pub listings: u64,
    /// Of them, looked at.
    pub looked: u64,
    /// Of those, with something that stands there.
    pub missed: u64,
}

/// What a sample says of all listings without hits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// Listings without a hit.
    pub listings: u64,
    /// Of them, looked at.
    pub looked: u64,
    /// Of those, with something that stands there.
    pub missed: u64,
    /// The share of listings without a hit in which something stands, with the ends of its 95 % interval.
    pub rate: [f64; 3],
    /// The share that was found of all listings in which something stands, with the ends of its 95 % interval.
    pub recall: [f64; 3],
}

impl Recall {
    /// Weighs what was seen, where `found` listings have something that stands and was found; none where nobody looked.
    ///
    /// Each stratum counts as much as it has listings. The interval is Wilson's over the number of plain random listings
    /// that would tell as much (Kish); what is found counts as known.
    pub fn of(strata: &[Looked], found: f64) -> Option<Self> {
        let seen = || strata.iter().filter(|stratum| stratum.looked > 0);
        let weight: f64 = seen().map(|stratum| stratum.listings as f64).sum();
        if weight <= 0.0 {
            return None;
        }
        // Weighed before it is divided, so that no rounding brings it above 1: no part is more than its stratum.
        let missing: f64 = seen().map(|one| one.listings as f64 * one.missed as f64 / one.looked as f64).sum();
        let rate = missing / weight;
        let squares: f64 = seen().map(|one| (one.listings as f64).powi(2) / one.looked as f64).sum();
        let (low, high) = interval(rate, weight * weight / squares);
        let listings: u64 = strata.iter().map(|stratum| stratum.listings).sum();
        let recall = |rate: f64| {
            let missing = rate * listings as f64;
            if found + missing > 0.0 { found / (found + missing) } else { 0.0 }
        };
        Some(Self {
            listings,
            looked: seen().map(|stratum| stratum.looked).sum(),
            missed: seen().map(|stratum| stratum.missed).sum(),
            rate: [rate, low, high],
            recall: [recall(rate), recall(high), recall(low)],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(seed: u64, size: usize, of: &[(&str, u64)], reversed: bool, parts: usize) -> Drawn {
        let mut all: Vec<(&str, ListingId)> = of
            .iter()
            .flat_map(|&(source, many)| {
                (0..many).map(move |n| (source, ListingId::new(&format!("{source}:{n}")).unwrap()))
            })
            .collect();
        if reversed {
            all.reverse();
        }
        let mut draws: Vec<Draw> = (0..parts).map(|_| Draw::new(seed, size)).collect();
        all.into_iter().enumerate().for_each(|(at, (source, id))| draws[at % parts].see(source, id));
        let mut first = draws.remove(0);
        draws.into_iter().for_each(|draw| first.merge(draw));
        first.finish()
    }

    #[test]
    fn the_same_seed_draws_the_same_whatever_the_order_and_another_draws_others() {
        let of = [("星河商城", 900), ("老街集市", 90), ("简铺", 3)];
        let one = drawn(7, 100, &of, false, 1);
        assert_eq!(one, drawn(7, 100, &of, true, 3));
        assert_ne!(one.listings, drawn(8, 100, &of, false, 1).listings);
        assert_eq!(one.listings.len(), 100);
        let parts: Vec<(u64, u64)> = one.strata.iter().map(|stratum| (stratum.listings, stratum.drawn)).collect();
        assert!(parts.contains(&(3, 3)) && parts.contains(&(90, 8)) && parts.contains(&(900, 89)), "{parts:?}");
    }

    #[test]
    fn more_platforms_than_are_told_apart_are_one_stratum() {
        let names: Vec<String> = (0..MAX_STRATA + 20).map(|n| format!("p{n:03}")).collect();
        let of: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 20)).collect();
        let drawn = drawn(1, 200, &of, false, 2);
        assert!(drawn.strata.len() <= MAX_STRATA, "{}", drawn.strata.len());
        assert_eq!(drawn.strata.iter().map(|stratum| stratum.listings).sum::<u64>(), 20 * names.len() as u64);
        assert_eq!(drawn.listings.len(), 200);
    }

    #[test]
    fn strata_count_as_much_as_they_have_listings() {
        let looked = |listings, looked, missed| Looked { listings, looked, missed };
        assert_eq!(Recall::of(&[looked(100, 0, 0)], 5.0), None);
        let even = Recall::of(&[looked(1000, 100, 10)], 100.0).unwrap();
        let share = super::super::Share::new(10, 100);
        assert!((even.rate[1] - share.low).abs() < 1e-9 && (even.rate[2] - share.high).abs() < 1e-9);
        assert!((even.recall[0] - 0.5).abs() < 1e-9, "100 found, 100 missing: {:?}", even.recall);
        assert!(even.recall[1] < 0.5 && even.recall[2] > 0.5);
        let uneven = Recall::of(&[looked(9_000, 10, 0), looked(1_000, 10, 5)], 100.0).unwrap();
        assert!((uneven.rate[0] - 0.05).abs() < 1e-9, "{:?}", uneven.rate);
        let plain = interval(0.05, 20.0);
        assert!(uneven.rate[2] > plain.1, "unequal weights tell less");
        let all = Recall::of(&[looked(1057, 1, 1), looked(5211, 3, 3)], 0.0).unwrap();
        assert_eq!(all.rate[0].to_bits(), 1.0_f64.to_bits(), "never more than all");
    }

    proptest! {
        #[test]
        fn a_sample_has_its_size_and_no_stratum_gives_more_than_it_has(
            sizes in prop::collection::vec(0_u64..400, 1..40), size in 1_u64..500
        ) {
            let parts = shares(&sizes, size);
            prop_assert_eq!(parts.iter().sum::<u64>(), size.min(sizes.iter().sum()));
            prop_assert!(parts.iter().zip(&sizes).all(|(part, size)| part <= size));
        }

        #[test]
        fn an_estimate_lies_within_its_interval(
            strata in prop::collection::vec((1_u64..10_000, 1_u64..50, 0_u64..50), 1..6), found in 0.0_f64..1e6
        ) {
            let strata: Vec<Looked> = strata
                .into_iter()
                .map(|(listings, looked, missed)| Looked { listings: listings.max(looked), looked, missed: missed.min(looked) })
                .collect();
            let told = Recall::of(&strata, found).unwrap();
            for [value, low, high] in [told.rate, told.recall] {
                prop_assert!((0.0..=1.0).contains(&value) && low <= value + 1e-9 && value <= high + 1e-9, "{:?}", told);
            }
        }
    }
}
