//! One host of a run: its pace, its robots.txt, and whether it is visited at all.

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;

use crate::crawl::{pace::HostPace, robots::AgentRules};

/// One host of a run.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) host: String,
    pub(super) pace: Arc<HostPace>,
    http: OnceCell<HostRules>,
    https: OnceCell<HostRules>,
    closed: OnceLock<String>,
}

/// What a robots.txt said.
#[derive(Debug, Default)]
pub(super) struct HostRules {
    pub(super) rules: AgentRules,
    pub(super) sitemaps: Vec<String>,
}

impl Lane {
    pub(super) fn new(pace: Arc<HostPace>, host: String) -> Self {
        Self { host, pace, http: OnceCell::new(), https: OnceCell::new(), closed: OnceLock::new() }
    }

    /// The place of the robots.txt for a scheme: each has its own.
    pub(super) fn rules(&self, scheme: &str) -> &OnceCell<HostRules> {
        if scheme == "https" { &self.https } else { &self.http }
    }

    /// Visits the host no more in this run; what waits is left for the next one.
    pub(super) fn close(&self, why: &str) -> bool {
        self.closed.set(why.to_owned()).is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }
}
