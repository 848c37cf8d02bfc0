//! One host of a run: its pace, its robots.txt, and whether it is visited at all.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

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
    pages: AtomicU64,
    bytes: AtomicU64,
}

/// What a robots.txt said.
#[derive(Debug, Default)]
pub(super) struct HostRules {
    pub(super) rules: AgentRules,
    pub(super) sitemaps: Vec<String>,
}

impl Lane {
    pub(super) fn new(pace: Arc<HostPace>, host: String) -> Self {
        let (http, https, closed) = (OnceCell::new(), OnceCell::new(), OnceLock::new());
        Self { host, pace, http, https, closed, pages: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Takes a page from the host's budget of pages; false when that or its budget of bytes is spent.
    pub(super) fn charge(&self, pages: u64, bytes: u64) -> bool {
        self.bytes.load(Ordering::Relaxed) < bytes && self.pages.fetch_add(1, Ordering::Relaxed) < pages
    }

    /// So many bytes of a body came from it.
    pub(super) fn came(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
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
