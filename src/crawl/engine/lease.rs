//! The leases of a run's hosts: nobody else asks them while it lasts.

use std::time::Duration;

use jiff::SignedDuration;

use super::{CrawlError, Run, Services};
use crate::{
    model::Timestamp,
    store::{HostLease, StoreError},
};

/// How long a lease lasts without being renewed.
const TTL: Duration = Duration::from_secs(60);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(20);
/// How often hosts that others hold are asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The leases of all hosts of a run, in the order of its lanes.
#[derive(Debug)]
pub(super) struct Leases {
    worker: String,
    hosts: Vec<String>,
    held: Vec<HostLease>,
}

impl Leases {
    /// Waits until all hosts are ours; none when asked to stop first.
    pub(super) async fn take(crawl: &Services, profile: &str, hosts: &[String]) -> Result<Option<Self>, CrawlError> {
        let mut leases =
            Self { worker: format!("{}/{profile}", crawl.worker), hosts: hosts.to_vec(), held: Vec::new() };
        let mut stop = crawl.stop.clone();
        loop {
            if *crawl.stop.borrow() {
                return Ok(None);
            }
            leases.held = leases.claim(crawl).await?;
            if leases.held.len() == hosts.len() {
                return Ok(Some(leases));
            }
            // Some but not all would let two crawlers wait for each other.
            let now = crawl.clock.now();
            for lease in &leases.held {
                crawl.store.host_done(lease, lease.next_at.max(now)).await?;
            }
            tracing::info!(profile, "waiting for hosts that another crawl is visiting");
            let wait = ASK_AGAIN.mul_f64(1.0 + fastrand::f64());
            drop(tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await);
        }
    }

    async fn claim(&self, crawl: &Services) -> Result<Vec<HostLease>, StoreError> {
        crawl.store.claim_hosts(&self.hosts, &self.worker, TTL).await
    }

    /// How long each host must still be left alone.
    pub(super) fn rests(&self, now: Timestamp) -> Vec<Duration> {
        self.held
            .iter()
            .map(|lease| Duration::try_from(lease.next_at.duration_since(now)).unwrap_or_default())
            .collect()
    }

    /// Gives the hosts back, each with the time it must still be left alone.
    pub(super) async fn give_back(&self, crawl: &Services, rests: &[Duration]) -> Result<(), StoreError> {
        let now = crawl.clock.now();
        for (lease, rest) in self.held.iter().zip(rests) {
            let rest = SignedDuration::try_from(*rest).unwrap_or_default();
            crawl.store.host_done(lease, now.checked_add(rest).unwrap_or(now)).await?;
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Renews the leases for as long as the run lasts; returns only when one is lost.
    pub(super) async fn keep(&self, leases: &mut Leases) -> Result<(), CrawlError> {
        loop {
            tokio::time::sleep(RENEW).await;
            let renewed = leases.claim(self.crawl).await?;
            for before in &leases.held {
                let same = |lease: &&HostLease| lease.host == before.host && lease.fence == before.fence;
                if !renewed.iter().any(|lease| same(&lease)) {
                    return Err(CrawlError::LeaseLost { host: before.host.clone() });
                }
            }
            leases.held = renewed;
        }
    }
}
