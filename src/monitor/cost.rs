//! What a confirmed hit costs: what the crawls of a platform took, shared among the hits that reviewers confirmed there.

use serde::{Deserialize, Serialize};

use super::OfPlatform;
use crate::crawl::Spent;

/// What was spent on a platform, and on each of its confirmed hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// What crawls took, of every profile of the platform.
    pub spent: Spent,
    /// How long reviewers looked at its hits, together, in milliseconds; where the desk knows it.
    pub looked_ms: u64,
    /// Hits that were decided, and confirmed.
    pub decided: u64,
    /// See `decided`.
    pub confirmed: u64,
    /// What one confirmed hit cost; none before there is one.
    pub each: Option<Each>,
}

/// What one confirmed hit cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Each {
    /// Requests.
    pub requests: f64,
    /// Bytes over the wire.
    pub bytes: f64,
    /// Seconds of fetching, and of reading, matching and keeping.
    pub fetching_s: f64,
    /// See `fetching_s`.
    pub handling_s: f64,
    /// Minutes of reviewers.
    pub reviewer_minutes: f64,
}

/// The cost of the confirmed hits of a platform whose profiles spent `spent`.
#[must_use]
pub fn cost(spent: impl IntoIterator<Item = Spent>, hits: OfPlatform) -> Cost {
    let mut all = Spent::default();
    for one in spent {
        all.since = match (all.requests, one.requests) {
            (0, _) => one.since,
            (_, 0) => all.since,
            _ => all.since.min(one.since),
        };
        all.requests += one.requests;
        all.bytes += one.bytes;
        all.fetching_ms += one.fetching_ms;
        all.handling_ms += one.handling_ms;
    }
    let (confirmed, looked_ms) = (hits.confirmed(), hits.looked_ms);
    let share = |value: u64| value as f64 / confirmed as f64;
    let each = (confirmed > 0).then(|| Each {
        requests: share(all.requests),
        bytes: share(all.bytes),
        fetching_s: share(all.fetching_ms) / 1000.0,
        handling_s: share(all.handling_ms) / 1000.0,
        reviewer_minutes: share(looked_ms) / 60_000.0,
    });
    Cost { spent: all, looked_ms, decided: hits.decided(), confirmed, each }
}

impl Cost {
    /// In English, for a terminal.
    #[must_use]
    pub fn words(&self) -> String {
        let Some(each) = self.each else {
            return format!(
                "{} requests, {:.1} MB so far, and no confirmed hit yet",
                self.spent.requests,
                self.spent.bytes as f64 / 1e6
            );
        };
        format!(
            "a confirmed hit ({} of {} decided) cost {:.1} requests, {:.2} MB, {:.2} s of fetching, {:.2} s of handling, {:.1} reviewer minutes",
            self.confirmed,
            self.decided,
            each.requests,
            each.bytes / 1e6,
            each.fetching_s,
            each.handling_s,
            each.reviewer_minutes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn profiles_of_one_platform_share_its_hits_and_none_is_divided_by_nothing() {
        let spent = |requests, second| Spent {
            requests,
            bytes: 1000 * requests,
            fetching_ms: 500,
            handling_ms: 100,
            since: Timestamp::from_second(second).unwrap(),
        };
        let both = cost([spent(30, 20), spent(10, 5), Spent::default()], OfPlatform::default());
        assert_eq!((both.spent.requests, both.spent.since.as_second(), both.each), (40, 5, None));
        assert!(both.words().contains("no confirmed hit yet"));
        assert_eq!(cost([], OfPlatform::default()).spent, Spent::default());
    }
}
