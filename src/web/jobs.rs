//! Long work of the server that a page looks at: how far it is, who began it, a way to stop it, and what it came to.
//!
//! Of each kind one runs at a time. What ended is kept until the server ends or newer work takes its place; what must last
//! is in the journal.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::WebError;
use crate::model::{AccountName, Timestamp};

/// Ended work that is kept; the oldest goes.
const MAX_KEPT: usize = 64;

/// One piece of work.
#[derive(Debug)]
pub(super) struct Job<T> {
    /// Who began it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// Becomes true when it is to end.
    pub stop: AtomicBool,
    done: AtomicU64,
    of: AtomicU64,
    ended: OnceLock<Result<T, String>>,
}

impl<T> Job<T> {
    /// Counts what is done with.
    pub(super) fn advance(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    /// Begins to count anew, up to `of`.
    pub(super) fn count_to(&self, of: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.of.store(of, Ordering::Relaxed);
    }

    /// How much is done with, and of how much.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }

    /// What it came to, or why it broke off; none while it runs.
    pub(super) fn ended(&self) -> Option<&Result<T, String>> {
        self.ended.get()
    }

    /// Says what it came to. The first word counts.
    pub(super) fn end(&self, result: Result<T, String>) {
        drop(self.ended.set(result));
    }
}

/// Work of one kind, by name.
#[derive(Debug)]
pub(super) struct Jobs<T>(Mutex<BTreeMap<String, Arc<Job<T>>>>);

impl<T> Default for Jobs<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Jobs<T> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Job<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a piece of work.
    ///
    /// # Errors
    /// When one of this kind runs.
    pub(super) fn begin(&self, name: &str, by: AccountName, at: Timestamp) -> Result<Arc<Job<T>>, WebError> {
        let mut jobs = self.lock();
        if jobs.values().any(|job| job.ended().is_none()) {
            return Err(WebError::Busy);
        }
        while jobs.len() >= MAX_KEPT {
            let oldest = jobs.iter().min_by_key(|(_, job)| job.at).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { break };
            jobs.remove(&oldest);
        }
        let (done, of) = (AtomicU64::new(0), AtomicU64::new(0));
        let job = Arc::new(Job { by, at, stop: AtomicBool::new(false), done, of, ended: OnceLock::new() });
        jobs.insert(name.to_owned(), Arc::clone(&job));
        Ok(job)
    }

    /// The newest work of this name.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Job<T>>> {
        self.lock().get(name).cloned()
    }

    /// Stops what runs under this name; false where nothing does.
    pub(super) fn stop(&self, name: &str) -> bool {
        let running = self.find(name).filter(|job| job.ended().is_none());
        running.is_some_and(|job| {
            job.stop.store(true, Ordering::Relaxed);
            true
        })
    }

    /// Stops everything: the server ends.
    pub(super) fn stop_all(&self) {
        self.lock().values().for_each(|job| job.stop.store(true, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_the_oldest_of_those_that_ended_go() {
        let jobs: Jobs<u32> = Jobs::default();
        let who = AccountName::new("lin").unwrap();
        let at = |n: i64| Timestamp::from_second(n).unwrap();
        let first = jobs.begin("first", who.clone(), at(0)).unwrap();
        assert!(matches!(jobs.begin("second", who.clone(), at(1)), Err(WebError::Busy)));
        assert!(jobs.stop("first") && first.stop.load(Ordering::Relaxed));
        first.end(Ok(7));
        assert!(!jobs.stop("first"), "it has ended");
        assert_eq!(jobs.find("first").unwrap().ended(), Some(&Ok(7)));
        for n in 1..=MAX_KEPT {
            jobs.begin(&n.to_string(), who.clone(), at(i64::try_from(n).unwrap())).unwrap().end(Ok(1));
        }
        assert!(jobs.find("first").is_none() && jobs.find(&MAX_KEPT.to_string()).is_some());
    }
}
