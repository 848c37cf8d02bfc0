//! What every request of a run passes: the stop, the scope, robots.txt, the host's pace.

use std::time::Duration;

use futures_util::future::{Either, select};
use url::Url;

use super::{
    Run,
    lane::{HostRules, Lane},
    visit::record,
};
use crate::crawl::{
    Extra, FetchError, Gate, MAX_ROBOTS_BYTES, Pace, Refusal, Robots,
    fetch::{Answer, host_of},
};

/// Redirects followed to a robots.txt (RFC 9309 §2.3.1.2).
const ROBOTS_REDIRECTS: u32 = 5;
/// Longest robots.txt accepted; what is over the parser's bound is ignored, not refused.
const ROBOTS_BODY_BYTES: u64 = 8 * MAX_ROBOTS_BYTES as u64;

impl Gate for Run<'_> {
    async fn admit(&self, url: &Url) -> Result<(), Refusal> {
        if self.stopping() {
            return Err(Refusal::Stopping);
        }
        let host = host_of(url);
        if self.crawl.hosts.is_halted(url) {
            return Err(Refusal::Halted { host });
        }
        let Some(lane) = self.by_host.get(&host).and_then(|&index| self.lanes.get(index)) else {
            return Err(Refusal::Scope { host });
        };
        let rules = &self.host_rules(lane, url).await.rules;
        let ruling = rules.check(url.as_str());
        if !ruling.allowed {
            return Err(if rules.unreachable() {
                Refusal::Unreachable { host, why: ruling.reason() }
            } else {
                Refusal::Robots { url: url.to_string(), line: ruling.reason() }
            });
        }
        let delay = rules.delay().unwrap_or_default().max(self.profile.pace.delay);
        self.turn(lane, delay).await?;
        // Somebody may have spoken while it waited.
        if self.stopping() {
            return Err(Refusal::Stopping);
        }
        if self.crawl.hosts.is_halted(url) { Err(Refusal::Halted { host }) } else { Ok(()) }
    }

    fn retrying(&self, url: &Url, wait: Duration, rest: bool) {
        self.tally().retries += 1;
        if rest {
            self.crawl.hosts.get(&host_of(url)).hold(wait);
        }
    }
}

impl Run<'_> {
    /// Waits for the host's turn, unless asked to stop.
    async fn turn(&self, lane: &Lane, delay: Duration) -> Result<(), Refusal> {
        let turn = std::pin::pin!(lane.pace.turn(delay));
        if delay.is_zero() && lane.pace.rest().is_zero() {
            turn.await;
            return Ok(());
        }
        match select(turn, std::pin::pin!(self.asked_to_stop())).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(Refusal::Stopping),
        }
    }

    /// The rules of the host `url` stands on; fetched once a run.
    async fn host_rules<'l>(&self, lane: &'l Lane, url: &Url) -> &'l HostRules {
        let cell = lane.rules(url.scheme());
        match cell.get() {
            Some(rules) => rules,
            None => cell.get_or_init(|| self.fetch_robots(url)).await,
        }
    }

    /// Sitemaps named by the robots.txt of the host `url` stands on.
    pub(super) async fn sitemaps_of(&self, url: &Url) -> Vec<Url> {
        let Some(lane) = self.by_host.get(&host_of(url)).and_then(|&index| self.lanes.get(index)) else {
            return Vec::new();
        };
        let rules = self.host_rules(lane, url).await;
        rules.sitemaps.iter().filter_map(|sitemap| url.join(sitemap).ok()).collect()
    }

    async fn fetch_robots(&self, url: &Url) -> HostRules {
        let robots = match url.join("/robots.txt") {
            Ok(at) => self.robots_at(&at).await,
            Err(error) => Robots::deny_all(&format!("the address of robots.txt cannot be formed: {error}")),
        };
        let rules = robots.rules_for(&self.crawl.fetcher.settings().product);
        // The connection was opened for robots.txt: counted from its answer, the host sees the whole delay.
        let delay = rules.delay().unwrap_or_default().max(self.profile.pace.delay);
        self.crawl.hosts.get(&host_of(url)).hold(delay);
        HostRules { rules, sitemaps: robots.sitemaps().to_vec() }
    }

    async fn robots_at(&self, at: &Url) -> Robots {
        let limits =
            Pace { max_body_bytes: ROBOTS_BODY_BYTES, max_redirects: ROBOTS_REDIRECTS, ..self.profile.pace.clone() };
        // Nothing of the profile's is told here, but the way is the same.
        let extra = Extra { via: self.parts.via.clone(), ..Extra::default() };
        let result = self.crawl.fetcher.fetch_with(at, &extra, &limits, self.guard, &RobotsGate(self)).await;
        match result {
            Ok(answer) => self.robots_of(&answer).await,
            // More redirects than the standard asks for count as no file.
            Err(FetchError::Redirects { .. }) => Robots::allow_all(),
            Err(error) => Robots::deny_all(&format!("robots.txt could not be had: {error}")),
        }
    }

    async fn robots_of(&self, answer: &Answer) -> Robots {
        for exchange in answer.hops.iter().chain(std::iter::once(&answer.last)) {
            if let Err(error) = record(self.crawl, exchange).await {
                self.fail(error.into());
            }
        }
        match answer.last.status.as_u16() {
            200..=299 => Robots::parse(&answer.last.body),
            429 => Robots::deny_all("robots.txt answered 429: the host asks for rest"),
            // Redirects that lead nowhere, and everything else the client got wrong: there is no file.
            300..=499 => Robots::allow_all(),
            status => Robots::deny_all(&format!("robots.txt answered {status}")),
        }
    }
}

/// Requests for robots.txt itself: any host, no robots, but the pace.
struct RobotsGate<'r, 'a>(&'r Run<'a>);

impl Gate for RobotsGate<'_, '_> {
    async fn admit(&self, url: &Url) -> Result<(), Refusal> {
        if self.0.stopping() {
            return Err(Refusal::Stopping);
        }
        if self.0.crawl.hosts.is_halted(url) {
            return Err(Refusal::Halted { host: host_of(url) });
        }
        let pace = self.0.crawl.hosts.get(&host_of(url));
        let turn = std::pin::pin!(pace.turn(self.0.profile.pace.delay));
        match select(turn, std::pin::pin!(self.0.asked_to_stop())).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(Refusal::Stopping),
        }
    }

    fn retrying(&self, url: &Url, wait: Duration, rest: bool) {
        self.0.retrying(url, wait, rest);
    }
}
