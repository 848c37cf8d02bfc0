//! What crawls count as they go, for whoever watches the program from outside. Nothing is decided by it, and it begins at
//! nothing with each start.
//!
//! Labels are bounded: profiles are those that this process crawls, kinds are words of this program, never a page's.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// What was not asked for or not queued because something forbids or bounds it; other kinds are failures.
const KEPT_OUT: [&str; 9] = [
    "robots",
    "robots_unreachable",
    "private_address",
    "scope",
    "halted",
    "budget",
    "stopped",
    "asked_to_wait",
    "refused",
];

/// The profile that something was counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProfile {
    profile: String,
}

/// The same, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    profile: String,
    kind: String,
}

type Counters = Family<OfProfile, Counter>;
type Kinds = Family<OfKind, Counter>;
type Times = Family<OfProfile, Histogram, fn() -> Histogram>;

/// What all crawls of this process counted.
#[derive(Debug, Clone)]
pub struct Meters {
    pages: Counters,
    bytes: Counters,
    hits: Counters,
    answers: Kinds,
    failed: Kinds,
    kept_out: Kinds,
    listings: Kinds,
    fetching: Times,
    handling: Times,
    frontier: Family<OfProfile, Gauge>,
}

impl Default for Meters {
    fn default() -> Self {
        let times = || Times::new_with_constructor(times as fn() -> Histogram);
        Self {
            pages: Family::default(),
            bytes: Family::default(),
            hits: Family::default(),
            answers: Family::default(),
            failed: Family::default(),
            kept_out: Family::default(),
            listings: Family::default(),
            fetching: times(),
            handling: times(),
            frontier: Family::default(),
        }
    }
}

/// From a millisecond to half a minute.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Meters {
    /// Names all of it in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let own = registry.sub_registry_with_prefix("crawl");
        // A counter that begins anew is a counter; who reads one that does not know when is misled.
        let counted = |words: &str| format!("{words}; counted since this process started");
        own.register("pages", counted("Pages fetched, of every kind and status"), self.pages.clone());
        own.register_with_unit("body", counted("Bodies as they came over the wire"), Unit::Bytes, self.bytes.clone());
        own.register("hits", counted("Hits made of what was fetched, new ones"), self.hits.clone());
        own.register(
            "answers",
            counted("Answers by the class of their status, redirects included"),
            self.answers.clone(),
        );
        own.register("failures", counted("Addresses that yielded nothing, by kind"), self.failed.clone());
        let words = "Addresses kept out by robots.txt, limits, stops and scope, by kind";
        own.register("kept_out", counted(words), self.kept_out.clone());
        let words = "Listings by what became of their facts: new, changed, unchanged";
        own.register("listings", counted(words), self.listings.clone());
        let words = "From a request's departure to the end of its answer";
        own.register_with_unit("fetch", counted(words), Unit::Seconds, self.fetching.clone());
        let words = "From an answer to all that follows from it being kept";
        own.register_with_unit("handling", counted(words), Unit::Seconds, self.handling.clone());
        own.register("frontier", "Addresses that wait in the run under way", self.frontier.clone());
    }

    /// What is counted for `profile`.
    #[must_use]
    pub fn of(self: &Arc<Self>, profile: &str) -> Meter {
        let of = OfProfile { profile: profile.to_owned() };
        Meter {
            pages: self.pages.get_or_create_owned(&of),
            bytes: self.bytes.get_or_create_owned(&of),
            fetching: self.fetching.get_or_create_owned(&of),
            handling: self.handling.get_or_create_owned(&of),
            frontier: self.frontier.get_or_create_owned(&of),
            profile: of.profile,
            meters: Arc::clone(self),
        }
    }

    /// Counts new hits of `profile`.
    pub fn hits(&self, profile: &str, many: u64) {
        self.hits.get_or_create(&OfProfile { profile: profile.to_owned() }).inc_by(many);
    }
}

/// What one run counts.
#[derive(Debug, Clone)]
pub struct Meter {
    profile: String,
    meters: Arc<Meters>,
    pages: Counter,
    bytes: Counter,
    fetching: Histogram,
    handling: Histogram,
    frontier: Gauge,
}

impl Meter {
    fn count(&self, family: &Kinds, kind: &str) {
        family.get_or_create(&OfKind { profile: self.profile.clone(), kind: kind.to_owned() }).inc();
    }

    pub(super) fn page(&self, bytes: usize) {
        self.pages.inc();
        self.bytes.inc_by(bytes as u64);
    }

    /// An answer with this status, which took so long.
    pub(super) fn answer(&self, status: u16, took: Duration) {
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        };
        self.count(&self.meters.answers, class);
        self.fetching.observe(took.as_secs_f64());
    }

    pub(super) fn handled(&self, took: Duration) {
        self.handling.observe(took.as_secs_f64());
    }

    /// An address that yielded nothing. Which status an answer had is a number that the host picks: it is counted as one.
    pub(super) fn failed(&self, kind: &str) {
        match kind {
            kind if KEPT_OUT.contains(&kind) => self.count(&self.meters.kept_out, kind),
            kind if kind.starts_with("status") => self.count(&self.meters.failed, "status"),
            kind => self.count(&self.meters.failed, kind),
        }
    }

    pub(super) fn dropped(&self, kind: &str) {
        self.count(&self.meters.kept_out, kind);
    }

    /// A listing that is `new`, `changed` or `unchanged`.
    pub(super) fn listing(&self, kind: &str) {
        self.count(&self.meters.listings, kind);
    }

    pub(super) fn waiting(&self, addresses: u64) {
        self.frontier.set(i64::try_from(addresses).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text::encode;

    use super::*;

    #[test]
    fn a_hosts_numbers_make_no_labels_and_what_is_kept_out_is_no_failure() {
        let meters = Arc::new(Meters::default());
        let meter = meters.of("shop");
        for status in 400..460 {
            meter.failed(&format!("status_{status}"));
            meter.answer(status, Duration::from_millis(3));
        }
        meter.failed("robots");
        meter.failed("timeout");
        let mut registry = Registry::default();
        meters.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let has = |line: &str| text.lines().any(|found| found == line);
        assert!(has("crawl_failures_total{profile=\"shop\",kind=\"status\"} 60"), "{text}");
        assert!(has("crawl_failures_total{profile=\"shop\",kind=\"timeout\"} 1"), "{text}");
        assert!(has("crawl_kept_out_total{profile=\"shop\",kind=\"robots\"} 1"), "{text}");
        assert!(has("crawl_answers_total{profile=\"shop\",kind=\"4xx\"} 60"), "{text}");
        assert!(text.contains("of every kind and status; counted since this process started"), "{text}");
        assert!(has("crawl_fetch_seconds_count{profile=\"shop\"} 60"), "{text}");
    }
}
