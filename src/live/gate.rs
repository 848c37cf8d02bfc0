//! What every request of a room passes: the stop, robots.txt, the host's pace.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{Mutex, OnceCell};
use url::Url;

use super::{Room, Services};
use crate::crawl::{AgentRules, FetchError, Gate, Guard, MAX_ROBOTS_BYTES, Pace, Refusal, Robots, host_of};

/// Most hosts of one room.
const MAX_HOSTS: usize = 100;

/// The gate of one room.
pub(super) struct RoomGate<'a> {
    pub(super) room: &'a Room,
    pub(super) services: &'a Services,
    /// By origin; fetched once for as long as the room is listened to.
    rules: Mutex<HashMap<String, Arc<OnceCell<AgentRules>>>>,
}

impl<'a> RoomGate<'a> {
    pub(super) fn new(room: &'a Room, services: &'a Services) -> Self {
        Self { room, services, rules: Mutex::default() }
    }

    /// Which addresses may be connected to.
    pub(super) fn guard(&self) -> Guard {
        Guard { allow_loopback: self.room.allow_loopback, allow_private: false }
    }

    /// Limits of one request.
    pub(super) fn limits(&self) -> Pace {
        Pace { delay: self.room.delay(), timeout: Duration::from_secs(20), retries: 1, ..Pace::default() }
    }

    pub(super) fn stopping(&self) -> bool {
        *self.services.stop.borrow()
    }

    /// Waits for `work` unless the room is told to stop.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        let mut stop = self.services.stop.clone();
        tokio::select! {
            biased;
            done = work => Ok(done),
            _ = stop.wait_for(|stop| *stop) => Err(Refusal::Stopping),
        }
    }

    async fn rules_of(&self, url: &Url) -> Result<Arc<OnceCell<AgentRules>>, Refusal> {
        let origin = url.origin().ascii_serialization();
        let cell = {
            let mut rules = self.rules.lock().await;
            if rules.len() >= MAX_HOSTS && !rules.contains_key(&origin) {
                return Err(Refusal::Scope { host: host_of(url) });
            }
            Arc::clone(rules.entry(origin).or_default())
        };
        cell.get_or_init(|| self.fetch_robots(url)).await;
        Ok(cell)
    }

    async fn fetch_robots(&self, url: &Url) -> AgentRules {
        let robots = match url.join("/robots.txt") {
            Ok(at) => self.robots_at(&at).await,
            Err(error) => Robots::deny_all(&format!("the address of robots.txt cannot be formed: {error}")),
        };
        robots.rules_for(&self.services.fetcher.settings().product)
    }

    async fn robots_at(&self, at: &Url) -> Robots {
        let limits = Pace { max_body_bytes: 8 * MAX_ROBOTS_BYTES as u64, ..self.limits() };
        match self.services.fetcher.fetch(at, &limits, self.guard(), &RobotsGate(self)).await {
            Ok(answer) => match answer.last.status.as_u16() {
                200..=299 => Robots::parse(&answer.last.body),
                429 => Robots::deny_all("robots.txt answered 429: the host asks for rest"),
                300..=499 => Robots::allow_all(),
                status => Robots::deny_all(&format!("robots.txt answered {status}")),
            },
            Err(FetchError::Redirects { .. }) => Robots::allow_all(),
            Err(error) => Robots::deny_all(&format!("robots.txt could not be had: {error}")),
        }
    }

    async fn turn(&self, url: &Url, delay: Duration) -> Result<(), Refusal> {
        let pace = self.services.hosts.get(&host_of(url));
        self.unless_stopped(pace.turn(delay)).await
    }
}

impl Gate for RoomGate<'_> {
    async fn admit(&self, url: &Url) -> Result<(), Refusal> {
        if self.stopping() {
            return Err(Refusal::Stopping);
        }
        if self.services.hosts.is_halted(url) {
            return Err(Refusal::Halted { host: host_of(url) });
        }
        let mut delay = self.room.delay();
        if self.room.robots {
            let cell = self.rules_of(url).await?;
            if let Some(rules) = cell.get() {
                let ruling = rules.check(url.as_str());
                if !ruling.allowed && rules.unreachable() {
                    return Err(Refusal::Unreachable { host: host_of(url), why: ruling.reason() });
                }
                if !ruling.allowed {
                    return Err(Refusal::Robots { url: url.to_string(), line: ruling.reason() });
                }
                delay = delay.max(rules.delay().unwrap_or_default());
            }
        }
        self.turn(url, delay).await
    }

    fn retrying(&self, url: &Url, wait: Duration, rest: bool) {
        if rest {
            self.services.hosts.get(&host_of(url)).hold(wait);
        }
    }
}

/// Requests for robots.txt itself: no robots, but the pace.
struct RobotsGate<'g, 'a>(&'g RoomGate<'a>);

impl Gate for RobotsGate<'_, '_> {
    async fn admit(&self, url: &Url) -> Result<(), Refusal> {
        if self.0.stopping() {
            return Err(Refusal::Stopping);
        }
        if self.0.services.hosts.is_halted(url) {
            return Err(Refusal::Halted { host: host_of(url) });
        }
        self.0.turn(url, self.0.room.delay()).await
    }

    fn retrying(&self, url: &Url, wait: Duration, rest: bool) {
        self.0.retrying(url, wait, rest);
    }
}
