//! redb with the same duties: record, dedupe key, queue in two orders with facets, leases with fences, counters.

use std::{path::Path, sync::Arc};

use markwarden::{
    model::{Hit, HitId, HitState, NewHit, Timestamp},
    store::{Cursor, LeaseRef, StoredListing},
};
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};
use serde_json::json;

use crate::engine::{
    Answer, Asked, CACHE_BYTES, Command, Pages, Peer, TTL, Transactions, copy_file, dismissal, queued,
};

const FILE: &str = "peer.redb";
const LISTINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("listings");
const HITS: TableDefinition<u64, &[u8]> = TableDefinition::new("hits");
const DEDUPE: TableDefinition<[u8; 16], u64> = TableDefinition::new("dedupe");
/// State, 255 less the priority, id: facets.
const QUEUE: TableDefinition<(u8, u8, u64), &[u8]> = TableDefinition::new("queue");
const OLDEST: TableDefinition<u64, &[u8]> = TableDefinition::new("oldest");
/// Worker, fence, until in milliseconds.
const LEASES: TableDefinition<u64, (&str, u64, i64)> = TableDefinition::new("leases");
const OWN: TableDefinition<(&str, u64), ()> = TableDefinition::new("own");
const ENDS: TableDefinition<(i64, u64), ()> = TableDefinition::new("ends");
const FENCES: TableDefinition<u64, u64> = TableDefinition::new("fences");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

const OPEN: u8 = 0;
const DISMISSED: u8 = 2;

fn database(dir: &Path) -> Database {
    std::fs::create_dir_all(dir).unwrap();
    Builder::new().set_cache_size(CACHE_BYTES as usize).create(dir.join(FILE)).unwrap()
}

pub fn open(dir: &Path, group: usize) -> Peer {
    let database = Arc::new(database(dir));
    let transaction = database.begin_write().unwrap();
    drop(Tables::open(&transaction));
    transaction.commit().unwrap();
    Peer::new(Writer(Arc::clone(&database)), Reader(database), group)
}

/// redb copies no open database: its file, closed.
pub fn backup(dir: &Path, target: &Path) {
    copy_file(&dir.join(FILE), &target.join(FILE));
}

pub fn restore(saved: &Path, dir: &Path) {
    copy_file(&saved.join(FILE), &dir.join(FILE));
    assert!(database(dir).check_integrity().unwrap());
}

struct Tables<'t> {
    listings: Table<'t, &'static str, &'static [u8]>,
    hits: Table<'t, u64, &'static [u8]>,
    dedupe: Table<'t, [u8; 16], u64>,
    queue: Table<'t, (u8, u8, u64), &'static [u8]>,
    oldest: Table<'t, u64, &'static [u8]>,
    leases: Table<'t, u64, (&'static str, u64, i64)>,
    own: Table<'t, (&'static str, u64), ()>,
    ends: Table<'t, (i64, u64), ()>,
    fences: Table<'t, u64, u64>,
    meta: Table<'t, &'static str, u64>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Self {
        Self {
            listings: transaction.open_table(LISTINGS).unwrap(),
            hits: transaction.open_table(HITS).unwrap(),
            dedupe: transaction.open_table(DEDUPE).unwrap(),
            queue: transaction.open_table(QUEUE).unwrap(),
            oldest: transaction.open_table(OLDEST).unwrap(),
            leases: transaction.open_table(LEASES).unwrap(),
            own: transaction.open_table(OWN).unwrap(),
            ends: transaction.open_table(ENDS).unwrap(),
            fences: transaction.open_table(FENCES).unwrap(),
            meta: transaction.open_table(META).unwrap(),
        }
    }

    fn run(&mut self, command: &Command, now: Timestamp) -> Answer {
        match command {
            Command::Listings(listings) => {
                for (id, listing) in listings {
                    let known = self.listings.get(id.as_str()).unwrap();
                    let known: Option<StoredListing> = known.map(|json| serde_json::from_slice(json.value()).unwrap());
                    self.count("listings", i64::from(known.is_none()));
                    let first_seen = known.map_or(now, |known| known.first_seen);
                    let stored = StoredListing { listing: listing.clone(), capture: None, first_seen, last_seen: now };
                    self.listings.insert(id.as_str(), serde_json::to_vec(&stored).unwrap().as_slice()).unwrap();
                }
                Answer::Written
            }
            Command::Hits(hits) => {
                hits.iter().for_each(|hit| self.add(hit));
                Answer::Written
            }
            Command::Claim(worker) => Answer::Claimed(self.claim(worker, now.as_millisecond()).map(Box::new)),
            Command::Decide(lease) => Answer::Decided(self.decide(lease, now.as_millisecond())),
        }
    }

    fn count(&mut self, name: &str, by: i64) {
        let before = self.meta.get(name).unwrap().map_or(0, |count| count.value());
        self.meta.insert(name, before.strict_add_signed(by)).unwrap();
    }

    fn add(&mut self, what: &NewHit) {
        let dedupe = u128::from_str_radix(&what.dedupe, 16).unwrap().to_be_bytes();
        if self.dedupe.get(dedupe).unwrap().is_some() {
            return;
        }
        self.count("last", 1);
        let id = self.meta.get("last").unwrap().unwrap().value();
        let facets = facets(what);
        self.dedupe.insert(dedupe, id).unwrap();
        self.hits.insert(id, serde_json::to_vec(&queued(id, what.clone())).unwrap().as_slice()).unwrap();
        self.queue.insert((OPEN, 255 - what.priority, id), facets.as_slice()).unwrap();
        self.oldest.insert(id, facets.as_slice()).unwrap();
        self.count("open", 1);
    }

    fn held(&self, id: u64, now: i64) -> Option<(String, u64)> {
        let lease = self.leases.get(id).unwrap()?;
        let (worker, fence, until) = lease.value();
        (now < until).then(|| (worker.to_owned(), fence))
    }

    fn claim(&mut self, worker: &str, now: i64) -> Option<(Hit, LeaseRef)> {
        let own = self.own.range((worker, 0)..=(worker, u64::MAX)).unwrap().next();
        let own = own.map(|step| step.unwrap().0.value().1).filter(|&id| self.held(id, now).is_some());
        let free = || {
            let queue = self.queue.range((OPEN, 0, 0)..(OPEN + 1, 0, 0)).unwrap();
            queue.map(|step| step.unwrap().0.value().2).find(|&id| self.held(id, now).is_none())
        };
        let id = own.or_else(free)?;
        let fence = match self.held(id, now) {
            Some((_, fence)) => fence,
            None => self.fences.get(id).unwrap().map_or(0, |fence| fence.value()) + 1,
        };
        let until = now + TTL.as_millis() as i64;
        self.end(id);
        self.leases.insert(id, (worker, fence, until)).unwrap();
        self.own.insert((worker, id), ()).unwrap();
        self.ends.insert((until, id), ()).unwrap();
        self.fences.insert(id, fence).unwrap();
        let worker = markwarden::model::AccountName::new(worker).unwrap();
        Some((self.hit(id), LeaseRef { hit: HitId(id), worker, fence }))
    }

    fn end(&mut self, id: u64) {
        let lease = self.leases.remove(id).unwrap().map(|lease| {
            let (worker, _, until) = lease.value();
            (worker.to_owned(), until)
        });
        if let Some((worker, until)) = lease {
            self.own.remove((worker.as_str(), id)).unwrap();
            self.ends.remove((until, id)).unwrap();
        }
    }

    fn hit(&self, id: u64) -> Hit {
        serde_json::from_slice(self.hits.get(id).unwrap().unwrap().value()).unwrap()
    }

    fn decide(&mut self, lease: &LeaseRef, now: i64) -> bool {
        let id = lease.hit.0;
        if self.held(id, now) != Some((lease.worker.to_string(), lease.fence)) {
            return false;
        }
        let mut hit = self.hit(id);
        self.end(id);
        self.queue.remove((OPEN, 255 - hit.what.priority, id)).unwrap();
        self.oldest.remove(id).unwrap();
        self.queue.insert((DISMISSED, 255 - hit.what.priority, id), facets(&hit.what).as_slice()).unwrap();
        hit.state = HitState::Dismissed;
        hit.decisions.push(dismissal(lease));
        self.hits.insert(id, serde_json::to_vec(&hit).unwrap().as_slice()).unwrap();
        self.count("open", -1);
        self.count("dismissed", 1);
        true
    }
}

fn facets(what: &NewHit) -> Vec<u8> {
    let (priority, severity, family) = (what.priority, what.severity, &what.family);
    json!({"priority": priority, "severity": severity, "family": family, "platform": what.listing.platform})
        .to_string()
        .into_bytes()
}

struct Writer(Arc<Database>);

impl Transactions for Writer {
    fn run(&mut self, group: &[Command]) -> Vec<Answer> {
        let mut transaction = self.0.begin_write().unwrap();
        transaction.set_durability(Durability::Immediate).unwrap();
        let now = Timestamp::now();
        let answers = {
            let mut tables = Tables::open(&transaction);
            group.iter().map(|command| tables.run(command, now)).collect()
        };
        transaction.commit().unwrap();
        answers
    }
}

struct Reader(Arc<Database>);

impl Pages for Reader {
    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>) {
        let transaction: ReadTransaction = self.0.begin_read().unwrap();
        let (queue, hits, leases) = (
            transaction.open_table(QUEUE).unwrap(),
            transaction.open_table(HITS).unwrap(),
            transaction.open_table(LEASES).unwrap(),
        );
        let now = Timestamp::now().as_millisecond();
        let begin = asked.after.map_or((OPEN, 0, 0), |after| (OPEN, 255 - after.priority, after.id.0 + 1));
        let mut rows: Vec<(Hit, Option<String>)> = Vec::new();
        for step in queue.range(begin..(OPEN + 1, 0, 0)).unwrap() {
            let (key, value) = step.unwrap();
            let facets: serde_json::Value = serde_json::from_slice(value.value()).unwrap();
            if asked.platform.as_ref().is_some_and(|platform| facets["platform"] != **platform) {
                continue;
            }
            if rows.len() == asked.count {
                let next = rows.last().map(|(hit, _)| Cursor { priority: hit.what.priority, id: hit.id });
                return (rows, next);
            }
            let id = key.value().2;
            let hit = serde_json::from_slice(hits.get(id).unwrap().unwrap().value()).unwrap();
            let lease = leases.get(id).unwrap();
            let held_by = lease.filter(|lease| now < lease.value().2).map(|lease| lease.value().0.to_owned());
            rows.push((hit, held_by));
        }
        (rows, None)
    }
}
