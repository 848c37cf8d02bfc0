//! The shops' own access log: what was asked, when, by whom, and what it was answered.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

/// Most requests that are kept; a market that stays up for days keeps the first.
const MAX_REQUESTS: usize = 100_000;

/// One request a shop received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The site's id.
    pub site: &'static str,
    /// Path and query as they came.
    pub path: String,
    /// Microseconds from the market's start to the request's arrival.
    pub at_us: u64,
    /// What it called itself.
    pub user_agent: String,
    /// What it was answered; 0 when it left before the answer.
    pub status: u16,
}

/// Collects requests in the order of their arrival.
#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    requests: Mutex<Vec<Request>>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), requests: Mutex::new(Vec::new()) }
    }

    /// Notes an arrival; the place in the log is for [`answered`](Self::answered).
    pub(super) fn arrived(&self, site: &'static str, path: String, user_agent: String) -> usize {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let at_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if requests.len() >= MAX_REQUESTS {
            return usize::MAX;
        }
        requests.push(Request { site, path, at_us, user_agent, status: 0 });
        requests.len() - 1
    }

    pub(super) fn answered(&self, place: usize, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(request) = requests.get_mut(place) {
            request.status = status;
        }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_full_keeps_what_it_has() {
        let log = Log::new();
        for _ in 0..MAX_REQUESTS {
            log.arrived("xinghe", String::new(), String::new());
        }
        let place = log.arrived("xinghe", "/late".into(), String::new());
        log.answered(place, 200);
        assert_eq!(log.requests().len(), MAX_REQUESTS);
        assert!(log.requests().iter().all(|request| request.path.is_empty() && request.status == 0));
    }
}
