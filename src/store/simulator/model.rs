//! What the store must say: the model in memory, given the same commands at the same times.

use std::sync::Arc;

use futures_util::FutureExt;

use super::audit::Audit;
use crate::{
    model::{Clock, ManualClock, Timestamp},
    store::{
        memory::MemoryStore,
        port::{Batch, Outcome, Store, StoreError},
        sled::{Answer, Command},
    },
};

/// What a question to a store that never waits comes to.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing is waited for here")
}

/// The model, and the books kept beside it.
#[derive(Debug)]
pub struct Model {
    clock: Arc<ManualClock>,
    pub store: MemoryStore,
    pub audit: Audit,
}

impl Model {
    pub fn new(at: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::new(at));
        let told: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        Self { clock, store: MemoryStore::new(told), audit: Audit::default() }
    }

    pub fn set_clock(&self, at: Timestamp) {
        self.clock.advance(at.duration_since(self.clock.now()));
    }

    /// What `command` comes to at `at`.
    pub fn decide(&mut self, at: Timestamp, command: &Command) -> Result<Answer, StoreError> {
        self.set_clock(at);
        let answer = now(ask(&self.store, command.clone()));
        if let Ok(answer) = &answer {
            self.audit.book(at, command, answer);
        }
        answer
    }
}

async fn ask(store: &MemoryStore, command: Command) -> Result<Answer, StoreError> {
    Ok(match command {
        Command::Apply { actor, writes } => Answer::Receipt(store.apply(Batch { actor, writes }).await?),
        Command::Claim(spec) => Answer::Leases(store.claim(&spec).await?),
        Command::ClaimAmong { ids, worker, max, ttl } => {
            Answer::Leases(store.claim_among(&ids, &worker, max, ttl).await?)
        }
        Command::Settle(act) => Answer::Settled(store.settle(&act).await?),
        Command::ClaimOne { hit, worker, ttl } => {
            Answer::Leases(store.claim_one(hit, &worker, ttl).await?.into_iter().collect())
        }
        Command::Renew { lease, ttl } => Answer::Held(store.renew(&lease, ttl).await?),
        Command::Complete { lease, decision } => Answer::Outcome(store.complete(&lease, decision).await?),
        Command::Reopen { hit, decision } => Answer::Outcome(store.reopen(hit, decision).await?),
        Command::Release { lease, not_before } => Answer::Held(store.release(&lease, not_before).await?),
        Command::Expire { limit } => Answer::Ended(store.expire(limit).await?),
        Command::ClaimHosts { hosts, worker, ttl } => Answer::Hosts(store.claim_hosts(&hosts, &worker, ttl).await?),
        Command::HostDone { lease, next_at } => Answer::Held(store.host_done(&lease, next_at).await?),
    })
}

/// Whether an answer says that something changed: that it has a record in the journal.
pub fn changed(answer: &Result<Answer, StoreError>) -> bool {
    match answer {
        Ok(Answer::Receipt(_)) => true,
        Ok(Answer::Leases(leases)) => !leases.is_empty(),
        Ok(Answer::Held(held)) => *held,
        Ok(Answer::Outcome(outcome)) => *outcome == Outcome::Done,
        Ok(Answer::Settled(settled)) => settled.new > 0,
        Ok(Answer::Ended(count)) => *count > 0,
        Ok(Answer::Hosts(leases)) => !leases.is_empty(),
        Err(_) => false,
    }
}
