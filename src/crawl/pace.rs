//! When a host may be asked next. The pace belongs to the host: whoever asks it, the starts of two
//! requests stay apart by the delay in force, and a host that asks for rest gets it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use url::Url;

use super::fetch::host_of;

/// Most hosts remembered; those at rest are forgotten first.
const MAX_HOSTS: usize = 100_000;
/// Added to a delay, at most a tenth of it: what a request may lose on its way, so that the host never sees less.
const MARGIN: Duration = Duration::from_millis(10);

/// The hosts this process asks.
#[derive(Debug, Default)]
pub struct Hosts {
    hosts: Mutex<HashMap<String, Arc<HostPace>>>,
    /// Hosts that nobody asks, because a person said so.
    halted: RwLock<BTreeSet<String>>,
}

impl Hosts {
    /// Asks nothing of these hosts, and of all others again; each with a port means that port alone.
    pub fn halt(&self, hosts: BTreeSet<String>) {
        *self.halted.write().unwrap_or_else(PoisonError::into_inner) = hosts;
    }

    /// Whether a person stopped all requests to the host of `url`.
    pub fn is_halted(&self, url: &Url) -> bool {
        let halted = self.halted.read().unwrap_or_else(PoisonError::into_inner);
        let name = url.host_str().unwrap_or_default().trim_end_matches('.');
        !halted.is_empty() && (halted.contains(name) || halted.contains(&host_of(url)))
    }

    /// The pace of `host` (with its port where it is not the scheme's own).
    pub fn get(&self, host: &str) -> Arc<HostPace> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(host) {
            return Arc::clone(known);
        }
        if hosts.len() >= MAX_HOSTS {
            let now = Instant::now();
            hosts.retain(|_, pace| Arc::strong_count(pace) > 1 || pace.turns().earliest() > now);
        }
        let pace = Arc::new(HostPace::default());
        hosts.insert(host.to_owned(), Arc::clone(&pace));
        pace
    }
}

/// When one host may be asked next.
#[derive(Debug, Default)]
pub struct HostPace {
    turns: Mutex<Turns>,
}

#[derive(Debug)]
struct Turns {
    /// The next free slot.
    next: Instant,
    /// Nobody asks before.
    held: Instant,
    /// When the last request really started: whoever slept too long pushes back who comes after.
    started: Option<Instant>,
}

impl Default for Turns {
    fn default() -> Self {
        let now = Instant::now();
        Self { next: now, held: now, started: None }
    }
}

impl Turns {
    fn earliest(&self) -> Instant {
        self.next.max(self.held)
    }

    /// From when on a request may start, `step` after the last one really did.
    fn open_from(&self, step: Duration) -> Instant {
        self.started.map_or(self.held, |started| self.held.max(started + step))
    }
}

impl HostPace {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the host may be asked; the next turn comes `delay` later.
    pub async fn turn(&self, delay: Duration) {
        let step = delay + MARGIN.min(delay / 10);
        let mut slot = {
            let mut turns = self.turns();
            let slot = turns.earliest().max(Instant::now());
            turns.next = slot + step;
            slot
        };
        loop {
            if slot > Instant::now() {
                sleep_until(slot).await;
            }
            // While this one slept, another answer may have asked for rest, or a request before it started late.
            let mut turns = self.turns();
            let now = Instant::now();
            slot = turns.open_from(step);
            if slot <= now {
                turns.started = Some(now);
                turns.next = turns.next.max(now + step);
                return;
            }
        }
    }

    /// Nobody asks the host for `wait` from now.
    pub fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut turns = self.turns();
        turns.held = turns.held.max(until);
    }

    /// How long until the host may be asked.
    pub fn rest(&self) -> Duration {
        self.turns().earliest().saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn starts_stay_apart_by_the_delay_whoever_asks() {
        let delay = Duration::from_millis(20);
        let hosts = Arc::new(Hosts::default());
        let begun = Instant::now();
        let askers = (0..4).map(|_| {
            let hosts = Arc::clone(&hosts);
            async move {
                hosts.get("h").turn(delay).await;
                begun.elapsed()
            }
        });
        let mut starts = futures_util::future::join_all(askers).await;
        starts.sort();
        for (index, start) in starts.iter().enumerate() {
            assert!(*start >= delay * index as u32, "{index}: {starts:?}");
        }
    }

    #[tokio::test]
    async fn a_host_that_asks_for_rest_gets_it_even_from_those_who_wait_already() {
        let pace = HostPace::default();
        let begun = Instant::now();
        pace.turn(Duration::from_millis(20)).await;
        let waiting = async {
            pace.turn(Duration::from_millis(20)).await;
            begun.elapsed()
        };
        // Polled after the waiting one has its turn, before the turn has come.
        let resting = async { pace.hold(Duration::from_millis(80)) };
        let (started, ()) = futures_util::future::join(waiting, resting).await;
        assert!(started >= Duration::from_millis(80), "{started:?}");
        assert!(pace.rest() > Duration::ZERO);
    }

    #[tokio::test]
    async fn no_delay_leaves_no_wait_behind() {
        let pace = HostPace::default();
        for _ in 0..1000 {
            pace.turn(Duration::ZERO).await;
        }
        assert_eq!(pace.rest(), Duration::ZERO);
    }
}
