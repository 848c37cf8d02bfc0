//! Notices when a profile stops finding what it used to: a site that changed its markup.
//!
//! Pure. Every listing that was read says which fields it had. A [`Drift`] compares the newest ones with those before; where a
//! field stands in so many fewer that chance hardly explains it, it raises an [`Alarm`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Listing, Timestamp};

/// Listings below which nothing is said.
const FEWEST: f64 = 20.0;
/// Standard errors of the intervals that may not meet: about one false alarm in a million fields.
const SIGMAS: f64 = 3.3;
/// Smallest fall of a share that is an alarm, whatever the numbers.
const LEAST_FALL: f64 = 0.1;
/// How much of what was usual still counts when more is taken in.
const KEPT: f64 = 0.9;

/// How many listings were read, and in how many each field stood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fill {
    /// Pages at addresses of listings, read or not.
    pub listings: f64,
    /// Those with the field.
    pub filled: BTreeMap<String, f64>,
}

impl Fill {
    /// Counts a page that should be a listing; none where it had no facts.
    pub fn count(&mut self, listing: Option<&Listing>) {
        self.listings += 1.0;
        let fields = listing.map(fields_of).into_iter().flatten();
        for (field, _) in fields.filter(|(_, stands)| *stands) {
            match self.filled.get_mut(field) {
                Some(count) => *count += 1.0,
                None => drop(self.filled.insert(field.to_owned(), 1.0)),
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.listings += other.listings;
        for (field, count) in &other.filled {
            *self.filled.entry(field.clone()).or_default() += count;
        }
    }

    fn fade(&mut self) {
        self.listings *= KEPT;
        self.filled.values_mut().for_each(|count| *count *= KEPT);
    }

    fn of(&self, field: &str) -> f64 {
        self.filled.get(field).copied().unwrap_or_default()
    }
}

/// The fields that are watched, and whether they stand in `listing`.
fn fields_of(listing: &Listing) -> [(&'static str, bool); 12] {
    let seller = listing.seller.as_ref();
    [
        ("title", true),
        ("subtitle", listing.subtitle.is_some()),
        ("description", listing.description.is_some()),
        ("price", listing.price.is_some()),
        ("sku", listing.sku.is_some()),
        ("brand", listing.brand.is_some()),
        ("availability", listing.availability.is_some()),
        ("seller", seller.is_some_and(|seller| seller.name.is_some() || seller.id.is_some())),
        ("category", !listing.category.is_empty()),
        ("images", !listing.images.is_empty()),
        ("attributes", !listing.attributes.is_empty()),
        ("reviews", !listing.reviews.is_empty()),
    ]
}

/// A field that stands in far fewer listings than was usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Which; `title` is every listing that could be read at all.
    pub field: String,
    /// Its share of listings before, and of the newest.
    pub usual: f64,
    /// See `usual`.
    pub now: f64,
    /// How many the newest are.
    pub of: u64,
    /// Since when.
    pub since: Timestamp,
}

/// What a profile usually finds, and what it finds now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drift {
    /// What is read with now; other settings begin the newest anew.
    read_with: String,
    usual: Fill,
    newest: Fill,
    /// Those that stand.
    pub alarms: Vec<Alarm>,
}

impl Drift {
    /// Takes in what a run read with these settings; gives the alarms that it raised.
    ///
    /// The newest listings wait until there are enough of them to be judged. While an alarm stands, what is usual stays what
    /// it was; it ends when the field is back.
    pub fn take(&mut self, fill: &Fill, read_with: &str, at: Timestamp) -> Vec<Alarm> {
        if self.read_with != read_with {
            self.read_with = read_with.to_owned();
            self.newest = Fill::default();
        }
        self.newest.add(fill);
        if self.newest.listings < FEWEST {
            return Vec::new();
        }
        let newest = std::mem::take(&mut self.newest);
        let before = std::mem::take(&mut self.alarms);
        let mut raised = Vec::new();
        if self.usual.listings >= FEWEST {
            for field in self.usual.filled.keys() {
                let Some(mut alarm) = alarm(field, &self.usual, &newest, at) else { continue };
                match before.iter().find(|known| known.field == *field) {
                    Some(known) => alarm.since = known.since,
                    None => raised.push(alarm.clone()),
                }
                self.alarms.push(alarm);
            }
        }
        if self.alarms.is_empty() {
            self.usual.fade();
            self.usual.add(&newest);
        }
        raised
    }
}

/// An alarm where the intervals of both shares (Wilson 1927) do not meet and the share fell by a tenth at least.
fn alarm(field: &str, usual: &Fill, newest: &Fill, at: Timestamp) -> Option<Alarm> {
    let (low, _) = wilson(usual.of(field), usual.listings);
    let (_, high) = wilson(newest.of(field), newest.listings);
    let (before, now) = (usual.of(field) / usual.listings, newest.of(field) / newest.listings);
    (high < low && before - now >= LEAST_FALL).then(|| Alarm {
        field: field.to_owned(),
        usual: before,
        now,
        of: newest.listings as u64,
        since: at,
    })
}

/// Wilson's interval of a share.
fn wilson(count: f64, of: f64) -> (f64, f64) {
    let (share, square) = (count / of, SIGMAS * SIGMAS);
    let middle = (share + square / (2.0 * of)) / (1.0 + square / of);
    let half = SIGMAS / (1.0 + square / of) * (share * (1.0 - share) / of + square / (4.0 * of * of)).sqrt();
    (middle - half, middle + half)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// So many listings, so many of them with a price.
    fn fill(listings: usize, prices: usize) -> Fill {
        let mut fill = Fill::default();
        for n in 0..listings {
            let text = if n < prices {
                r#"{"title":"t","price":{"amount":"1","currency":"CNY"}}"#
            } else {
                r#"{"title":"t"}"#
            };
            fill.count(Some(&serde_json::from_str(text).unwrap()));
        }
        fill
    }

    #[test]
    fn a_field_that_is_gone_raises_an_alarm_at_once_and_once() {
        let mut drift = Drift::default();
        assert_eq!(drift.take(&fill(60, 58), "a", at(1)), []);
        let raised = drift.take(&fill(40, 0), "a", at(2));
        assert_eq!(raised.iter().map(|alarm| (alarm.field.as_str(), alarm.of)).collect::<Vec<_>>(), [("price", 40)]);
        assert_eq!(drift.take(&fill(40, 0), "a", at(3)), []);
        assert_eq!(drift.alarms[0].since, at(2));
        // What stands wrong never becomes usual; the alarm ends when the field is back.
        for n in 4..30 {
            drift.take(&fill(40, 0), "a", at(n));
        }
        assert_eq!(drift.alarms.len(), 1);
        drift.take(&fill(40, 40), "b", at(40));
        assert_eq!(drift.alarms, []);
    }

    #[test]
    fn pages_that_cannot_be_read_any_more_are_told_by_their_title() {
        let mut drift = Drift::default();
        drift.take(&fill(50, 50), "a", at(1));
        let mut broken = Fill::default();
        (0..30).for_each(|_| broken.count(None));
        let fields: Vec<String> = drift.take(&broken, "a", at(2)).into_iter().map(|alarm| alarm.field).collect();
        assert_eq!(fields, ["price", "title"]);
    }

    #[test]
    fn small_numbers_wait_and_small_falls_are_no_alarm() {
        let mut drift = Drift::default();
        drift.take(&fill(200, 190), "a", at(1));
        assert_eq!(drift.take(&fill(19, 0), "a", at(2)), []);
        // With the next one they are enough.
        assert_eq!(drift.take(&fill(1, 0), "a", at(3)).len(), 1);
        let mut drift = Drift::default();
        drift.take(&fill(1000, 1000), "a", at(1));
        assert_eq!(drift.take(&fill(1000, 920), "a", at(2)), []);
        assert_eq!(Drift::default().take(&fill(500, 0), "a", at(1)), []);
    }

    proptest! {
        #[test]
        fn chance_alone_raises_no_alarm(seed in any::<u64>(), share in 0.05_f64..0.95, many in 20_usize..200) {
            let mut chance = fastrand::Rng::with_seed(seed);
            let mut drift = Drift::default();
            for n in 0..5 {
                let prices = (0..many).filter(|_| chance.f64() < share).count();
                prop_assert_eq!(drift.take(&fill(many, prices), "a", at(n)), []);
            }
        }
    }
}
