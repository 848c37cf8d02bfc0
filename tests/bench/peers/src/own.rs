//! Our store, asked through its port.

use std::{path::Path, sync::Arc};

use markwarden::{
    model::{AccountName, Hit, HitState, SystemClock},
    store::{Batch, ClaimSpec, Cursor, Filter, Order, Outcome, Settings, SledStore, Store, Write},
};

use crate::engine::{Answer, Asked, CACHE_BYTES, Command, Engine, TTL, dismissal};

struct Own(SledStore);

fn settings() -> Settings {
    Settings { cache_bytes: CACHE_BYTES, ..Settings::default() }
}

pub fn open(dir: &Path) -> impl Engine + use<> {
    Own(SledStore::open(dir, &settings(), Arc::new(SystemClock)).unwrap())
}

pub fn backup(dir: &Path, target: &Path) {
    markwarden::store::backup(dir, target, &mut |_, _| ()).unwrap();
}

pub fn restore(saved: &Path, dir: &Path) {
    markwarden::store::restore(saved, dir, &settings(), &mut |_, _| ()).unwrap();
}

/// Each thread that asks waits by itself.
fn wait<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

impl Engine for Own {
    fn ask(&self, command: Command) -> Answer {
        let apply = |writes| drop(wait(self.0.apply(Batch { actor: "monitor".into(), writes })).unwrap());
        match command {
            Command::Listings(listings) => {
                apply(
                    listings.into_iter().map(|(id, listing)| Write::Listing { id, listing, capture: None }).collect(),
                );
                Answer::Written
            }
            Command::Hits(hits) => {
                apply(hits.into_iter().map(Write::Hit).collect());
                Answer::Written
            }
            Command::Claim(worker) => {
                let worker = AccountName::new(&worker).unwrap();
                let spec = ClaimSpec { worker, filter: Filter::default(), order: Order::Priority, max: 1, ttl: TTL };
                let lease = wait(self.0.claim(&spec)).unwrap().into_iter().next();
                Answer::Claimed(lease.map(|lease| Box::new((lease.hit, lease.lease))))
            }
            Command::Decide(lease) => {
                let outcome = wait(self.0.complete(&lease, dismissal(&lease))).unwrap();
                Answer::Decided(outcome == Outcome::Done)
            }
        }
    }

    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>) {
        let filter = Filter { state: Some(HitState::Open), platform: asked.platform.clone(), ..Filter::default() };
        let page = wait(self.0.page(&filter, asked.after, asked.count)).unwrap();
        let rows = page.rows.into_iter().map(|row| (row.hit, row.held_by.map(|worker| worker.to_string())));
        (rows.collect(), page.next)
    }

    fn settle(&self) {
        self.0.seal().unwrap();
        self.0.snapshot().unwrap();
    }
}
