//! What a run did: counted in full, listed up to a bound.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use url::Url;

use super::read::{Kind, Yield};
use crate::crawl::{Alarm, CanaryAlarm, CanaryReading, Exchange, Fill, Meter, Profile};

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The profile.
    pub profile: String,
    /// Pages fetched, of every kind and status.
    pub pages: u64,
    /// Pages that are listings and had facts.
    pub listings: u64,
    /// Listings that had not changed, as their host said: they were not sent, read or matched again.
    #[serde(default)]
    pub unchanged: u64,
    /// Known listings that lists named, left to the profile's `[recrawl]`.
    #[serde(default)]
    pub left_to_recrawl: u64,
    /// Pages that are lists.
    pub lists: u64,
    /// Sitemaps read.
    pub sitemaps: u64,
    /// Redirects followed.
    pub redirects: u64,
    /// Pages that redirected to one that is visited anyway.
    pub moved_to_known: u64,
    /// Addresses robots.txt forbids; never requested.
    pub denied_by_robots: u64,
    /// Addresses that were not fetched or not read, by kind: `robots`, `timeout`, `status_404`, …
    pub failed: BTreeMap<String, u64>,
    /// Addresses that were named and not queued, by kind: `scope`, `depth`, `unmatched`, `too_long`.
    pub dropped: BTreeMap<String, u64>,
    /// Requests that were repeated.
    pub retries: u64,
    /// Bytes of bodies as they came over the wire.
    pub bytes: u64,
    /// Bytes of bodies without their encoding.
    pub decoded_bytes: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How long requests took from their departure to the end of their answers, together, in milliseconds.
    #[serde(default)]
    pub fetching_ms: u64,
    /// How long reading, matching and keeping what came took, together, in milliseconds.
    #[serde(default)]
    pub handling_ms: u64,
    /// Addresses an earlier, interrupted run had left.
    pub resumed: u64,
    /// Addresses left for a later run.
    pub left: u64,
    /// Whether it was stopped before it was through.
    pub interrupted: bool,
    /// Whether its budget of pages, bytes or time was spent.
    pub budget_spent: bool,
    /// Which fields the listings had that were read.
    #[serde(default)]
    pub fill: Fill,
    /// Fields that far fewer of them had than was usual: the site may have changed its markup.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// What was read of the profile's canaries.
    #[serde(default)]
    pub canaries: Vec<CanaryReading>,
    /// Canaries that this run was the first to read otherwise than they must be.
    #[serde(default)]
    pub canary_alarms: Vec<CanaryAlarm>,
    /// Pages that a browser rendered.
    #[serde(default)]
    pub rendered: u64,
    /// Requests that those pages made and were allowed.
    #[serde(default)]
    pub page_requests: u64,
    /// What became of single addresses that yielded nothing, up to a bound.
    pub fates: Vec<Fate>,
    /// Fates beyond that bound.
    pub fates_left_out: u64,
}

/// What became of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fate {
    /// The address.
    pub url: String,
    /// The kind, as in the counts.
    pub kind: String,
    /// Why, for a person; for robots, with the deciding line.
    pub detail: String,
}

/// A report in the making.
#[derive(Debug)]
pub(super) struct Tally {
    report: RunReport,
    meter: Meter,
    fetching: Duration,
    handling: Duration,
    max_fates: usize,
    /// Addresses that were left to recrawl, each once.
    left_to_recrawl: HashSet<String>,
    pub(super) retries: u64,
    pub(super) redirects: u64,
    pub(super) moved_to_known: u64,
}

impl Tally {
    pub(super) fn new(profile: &Profile, resumed: u64, max_fates: usize, meter: Meter) -> Self {
        let report = RunReport { profile: profile.id.clone(), resumed, ..RunReport::default() };
        Self {
            report,
            meter,
            fetching: Duration::ZERO,
            handling: Duration::ZERO,
            max_fates,
            left_to_recrawl: HashSet::new(),
            retries: 0,
            redirects: 0,
            moved_to_known: 0,
        }
    }

    pub(super) fn fetched(&mut self, raw: usize, decoded: usize) {
        self.meter.page(raw);
        self.report.pages += 1;
        self.report.bytes += raw as u64;
        self.report.decoded_bytes += decoded as u64;
    }

    /// An answer, a redirect's too.
    pub(super) fn answered(&mut self, exchange: &Exchange) {
        let took = exchange.finished.duration_since(exchange.started).unsigned_abs();
        self.fetching += took;
        self.meter.answer(exchange.status.as_u16(), took);
    }

    /// All that follows from a page was kept.
    pub(super) fn handled(&mut self, took: Duration) {
        self.handling += took;
        self.meter.handled(took);
    }

    /// Bytes of bodies so far, as they came.
    pub(super) fn bytes(&self) -> u64 {
        self.report.bytes
    }

    pub(super) fn read(&mut self, yielded: &Yield, url: &Url) {
        if yielded.kind == Kind::Listing {
            self.report.fill.count(yielded.listing.as_ref());
        }
        match yielded.kind {
            Kind::Listing if yielded.listing.is_some() => self.report.listings += 1,
            Kind::Listing => self.failed("no_facts", url, "the page has no title to be known by: check its selectors"),
            Kind::List => self.report.lists += 1,
            Kind::Sitemap => self.report.sitemaps += 1,
            Kind::Unmatched => {
                self.failed("unmatched", url, "neither a list nor a listing by the profile's patterns");
            }
        }
        if yielded.truncated {
            self.failed("truncated", url, "a part was left out: over a limit, or behind broken markup");
        }
    }

    /// Whether it was named once or often, it counts once.
    pub(super) fn left_to_recrawl(&mut self, url: &Url) {
        if self.left_to_recrawl.insert(url.to_string()) {
            self.report.left_to_recrawl += 1;
        }
    }

    /// Listings whose facts a list carried.
    pub(super) fn carried(&mut self, listings: usize) {
        self.report.listings += listings as u64;
    }

    pub(super) fn unchanged(&mut self) {
        self.report.unchanged += 1;
    }

    /// What was read of a canary; the first time counts.
    pub(super) fn canary(&mut self, reading: CanaryReading) {
        if !self.report.canaries.iter().any(|known| known.url == reading.url) {
            self.report.canaries.push(reading);
        }
    }

    /// A page that a browser rendered.
    pub(super) fn rendered(&mut self) {
        self.report.rendered += 1;
    }

    /// A request of a page that is being rendered, and was not made.
    pub(super) fn page_refused(&mut self, kind: &str, url: &Url, detail: &str) {
        if kind == "robots" {
            self.report.denied_by_robots += 1;
        }
        self.fate(&format!("page_{kind}"), url, detail);
    }

    /// An answer to a request of a page that is being rendered.
    pub(super) fn page_request(&mut self, raw: usize, decoded: usize) {
        self.report.page_requests += 1;
        self.report.bytes += raw as u64;
        self.report.decoded_bytes += decoded as u64;
    }

    /// An address that was not fetched, or yielded nothing.
    pub(super) fn failed(&mut self, kind: &str, url: &Url, detail: &str) {
        if kind == "robots" {
            self.report.denied_by_robots += 1;
        }
        self.meter.failed(kind);
        match self.report.failed.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.report.failed.insert(kind.to_owned(), 1)),
        }
        self.fate(kind, url, detail);
    }

    /// An address that was named and not queued.
    pub(super) fn dropped(&mut self, kind: &str, url: &Url) {
        self.meter.dropped(kind);
        match self.report.dropped.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.report.dropped.insert(kind.to_owned(), 1)),
        }
        self.fate(kind, url, "named by a page and not queued");
    }

    fn fate(&mut self, kind: &str, url: &Url, detail: &str) {
        if self.report.fates.len() < self.max_fates {
            self.report.fates.push(Fate { url: url.to_string(), kind: kind.to_owned(), detail: detail.to_owned() });
        } else {
            self.report.fates_left_out += 1;
        }
    }

    pub(super) fn finish(self, duration: Duration, interrupted: bool, budget_spent: bool, left: u64) -> RunReport {
        RunReport {
            retries: self.retries,
            redirects: self.redirects,
            moved_to_known: self.moved_to_known,
            duration_ms: milliseconds(duration),
            fetching_ms: milliseconds(self.fetching),
            handling_ms: milliseconds(self.handling),
            interrupted,
            budget_spent,
            left,
            ..self.report
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
