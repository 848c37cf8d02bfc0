//! SQLite with the same duties: record, dedupe key, queue in two orders with facets, leases with fences, counters.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use markwarden::{
    model::{AccountName, Hit, HitId, HitState, NewHit, Timestamp},
    store::{Cursor, LeaseRef, StoredListing},
};
use rusqlite::{Connection, OptionalExtension, backup::Backup, params};

use crate::engine::{
    Answer, Asked, CACHE_BYTES, Command, Pages, Peer, TTL, Transactions, copy_file, dismissal, queued,
};

const FILE: &str = "peer.sqlite";
const SCHEMA: &str = "
create table if not exists listings (id text primary key, json blob not null);
create table if not exists hits (id integer primary key, json blob not null);
create table if not exists dedupe (key blob primary key, id integer not null) without rowid;
create table if not exists queue (
    state integer, place integer, id integer, severity text, family text, platform text,
    primary key (state, place, id)) without rowid;
create index if not exists oldest on queue (id) where state = 0;
create table if not exists leases (id integer primary key, worker text not null, fence integer not null, until integer not null);
create index if not exists own on leases (worker, id);
create index if not exists ends on leases (until);
create table if not exists fences (id integer primary key, fence integer not null);
create table if not exists meta (name text primary key, value integer not null) without rowid;
";
const OPEN: u8 = 0;
const DISMISSED: u8 = 2;
/// Pages copied between two looks whether someone wrote.
const PAGES_AT_ONCE: i32 = 10_000;

fn connection(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.pragma_update(None, "cache_size", -((CACHE_BYTES / 1024) as i64)).unwrap();
    connection.set_prepared_statement_cache_capacity(64);
    connection
}

pub fn open(dir: &Path, group: usize) -> Peer {
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join(FILE);
    let writer = connection(&path);
    writer.execute_batch(SCHEMA).unwrap();
    Peer::new(Writer(writer), Reader { path, idle: Mutex::default() }, group)
}

pub fn backup(dir: &Path, target: &Path) {
    std::fs::create_dir_all(target).unwrap();
    let (from, path) = (connection(&dir.join(FILE)), target.join(FILE));
    let mut to = Connection::open(&path).unwrap();
    Backup::new(&from, &mut to).unwrap().run_to_completion(PAGES_AT_ONCE, Duration::ZERO, None).unwrap();
    to.close().unwrap();
    std::fs::File::open(path).unwrap().sync_all().unwrap();
}

pub fn restore(saved: &Path, dir: &Path) {
    copy_file(&saved.join(FILE), &dir.join(FILE));
    let said: String = connection(&dir.join(FILE)).query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

struct Writer(Connection);

impl Transactions for Writer {
    fn run(&mut self, group: &[Command]) -> Vec<Answer> {
        let transaction = self.0.transaction().unwrap();
        let now = Timestamp::now();
        let answers = group.iter().map(|command| run(&transaction, command, now)).collect();
        transaction.commit().unwrap();
        answers
    }
}

fn run(sql: &Connection, command: &Command, now: Timestamp) -> Answer {
    match command {
        Command::Listings(listings) => {
            for (id, listing) in listings {
                let known = one(sql, "select json from listings where id = ?", id.as_str());
                let known: Option<StoredListing> = known.map(|json: Vec<u8>| serde_json::from_slice(&json).unwrap());
                count(sql, "listings", i64::from(known.is_none()));
                let first_seen = known.map_or(now, |known| known.first_seen);
                let stored = StoredListing { listing: listing.clone(), capture: None, first_seen, last_seen: now };
                let json = serde_json::to_vec(&stored).unwrap();
                execute(
                    sql,
                    "insert into listings values (?, ?) on conflict (id) do update set json = excluded.json",
                    params![id.as_str(), json],
                );
            }
            Answer::Written
        }
        Command::Hits(hits) => {
            hits.iter().for_each(|hit| add(sql, hit));
            Answer::Written
        }
        Command::Claim(worker) => Answer::Claimed(claim(sql, worker, now.as_millisecond()).map(Box::new)),
        Command::Decide(lease) => Answer::Decided(decide(sql, lease, now.as_millisecond())),
    }
}

fn one<T: rusqlite::types::FromSql>(sql: &Connection, query: &str, key: impl rusqlite::ToSql) -> Option<T> {
    sql.prepare_cached(query).unwrap().query_row([key], |row| row.get(0)).optional().unwrap()
}

fn execute(sql: &Connection, statement: &str, values: impl rusqlite::Params) {
    sql.prepare_cached(statement).unwrap().execute(values).unwrap();
}

fn count(sql: &Connection, name: &str, by: i64) {
    execute(
        sql,
        "insert into meta values (?1, ?2) on conflict (name) do update set value = value + excluded.value",
        params![name, by],
    );
}

fn add(sql: &Connection, what: &NewHit) {
    let dedupe = u128::from_str_radix(&what.dedupe, 16).unwrap().to_be_bytes();
    if one::<u64>(sql, "select id from dedupe where key = ?", dedupe).is_some() {
        return;
    }
    count(sql, "last", 1);
    let id: u64 = one(sql, "select value from meta where name = ?", "last").unwrap();
    let json = serde_json::to_vec(&queued(id, what.clone())).unwrap();
    execute(sql, "insert into dedupe values (?, ?)", params![dedupe, id]);
    execute(sql, "insert into hits values (?, ?)", params![id, json]);
    enqueue(sql, OPEN, id, what);
    count(sql, "open", 1);
}

fn enqueue(sql: &Connection, state: u8, id: u64, what: &NewHit) {
    let severity = serde_json::to_value(what.severity).unwrap();
    execute(
        sql,
        "insert into queue values (?, ?, ?, ?, ?, ?)",
        params![state, 255 - what.priority, id, severity.as_str(), what.family, what.listing.platform],
    );
}

fn claim(sql: &Connection, worker: &str, now: i64) -> Option<(Hit, LeaseRef)> {
    let own = "select id, fence from leases where worker = ? and until > ? order by id limit 1";
    let own = sql.prepare_cached(own).unwrap().query_row(params![worker, now], |row| Ok((row.get(0)?, row.get(1)?)));
    let (id, fence): (u64, u64) = match own.optional().unwrap() {
        Some(own) => own,
        None => {
            let free = "select q.id from queue q left join leases l on l.id = q.id
                        where q.state = 0 and (l.until is null or l.until <= ?) order by q.place, q.id limit 1";
            let id: u64 = one(sql, free, now)?;
            (id, one::<u64>(sql, "select fence from fences where id = ?", id).unwrap_or(0) + 1)
        }
    };
    let until = now + TTL.as_millis() as i64;
    execute(sql, "insert or replace into leases values (?, ?, ?, ?)", params![id, worker, fence, until]);
    execute(sql, "insert or replace into fences values (?, ?)", params![id, fence]);
    let worker = AccountName::new(worker).unwrap();
    Some((hit(sql, id), LeaseRef { hit: HitId(id), worker, fence }))
}

fn hit(sql: &Connection, id: u64) -> Hit {
    serde_json::from_slice(&one::<Vec<u8>>(sql, "select json from hits where id = ?", id).unwrap()).unwrap()
}

fn decide(sql: &Connection, lease: &LeaseRef, now: i64) -> bool {
    let id = lease.hit.0;
    let mut ended =
        sql.prepare_cached("delete from leases where id = ? and worker = ? and fence = ? and until > ?").unwrap();
    if ended.execute(params![id, lease.worker.as_str(), lease.fence, now]).unwrap() == 0 {
        return false;
    }
    let mut hit = hit(sql, id);
    execute(
        sql,
        "delete from queue where state = ? and place = ? and id = ?",
        params![OPEN, 255 - hit.what.priority, id],
    );
    enqueue(sql, DISMISSED, id, &hit.what);
    hit.state = HitState::Dismissed;
    hit.decisions.push(dismissal(lease));
    execute(sql, "update hits set json = ? where id = ?", params![serde_json::to_vec(&hit).unwrap(), id]);
    count(sql, "open", -1);
    count(sql, "dismissed", 1);
    true
}

/// Connections for reading, one for each that reads at once.
struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Pages for Reader {
    fn page(&self, asked: &Asked) -> (Vec<(Hit, Option<String>)>, Option<Cursor>) {
        let sql = self.idle.lock().unwrap().pop().unwrap_or_else(|| connection(&self.path));
        let now = Timestamp::now().as_millisecond();
        let (place, id) = asked.after.map_or((0, 0), |after| (255 - after.priority, after.id.0));
        let query = "select h.json, l.worker from queue q join hits h on h.id = q.id
                     left join leases l on l.id = q.id and l.until > ?1
                     where q.state = 0 and (q.place, q.id) > (?2, ?3) and (?4 is null or q.platform = ?4)
                     order by q.place, q.id limit ?5";
        let mut rows: Vec<(Hit, Option<String>)> = {
            let mut query = sql.prepare_cached(query).unwrap();
            let values = params![now, place, id, asked.platform, asked.count + 1];
            let row = |row: &rusqlite::Row<'_>| {
                let hit = serde_json::from_slice(row.get_ref(0)?.as_blob().unwrap()).unwrap();
                Ok((hit, row.get(1)?))
            };
            query.query_map(values, row).unwrap().map(Result::unwrap).collect()
        };
        self.idle.lock().unwrap().push(sql);
        let more = rows.len() > asked.count;
        rows.truncate(asked.count);
        let next = rows.last().filter(|_| more).map(|(hit, _)| Cursor { priority: hit.what.priority, id: hit.id });
        (rows, next)
    }
}
