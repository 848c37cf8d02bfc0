//! Opens a store that was killed or lost its power, and holds it against what it had acknowledged.
//!
//! `store_check DIR [--whole] [--damaged] < LINES` reads what `store_writer` said and prints how long opening took and what was
//! checked, as `name value` pairs. With `--whole` the doctor compares the index with one rebuilt from the journal; with
//! `--damaged` its files were tampered with, and what the doctor finds may be gone after the repair it advises.
//! Exits with 1 and says what is wrong when anything acknowledged is lost, told twice or changed.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::BufRead,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use markwarden::{
    model::{Hit, HitId, HitState, ListingId, SystemClock, Timestamp},
    store::{Ailment, Filter, Gravity, Settings, SledStore, Store, doctor, rebuild_index},
};
use serde_json::Value;

type Checked<T> = Result<T, String>;

/// Fails with a sentence unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err(format!($($sentence)+));
        }
    };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(dir) = arguments.first() else {
        eprintln!("store_check DIR [--whole] [--damaged] < LINES");
        return ExitCode::from(2);
    };
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    match check(Path::new(dir), asked("--whole"), asked("--damaged")) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{dir}: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn check(dir: &Path, whole: bool, damaged: bool) -> Checked<String> {
    let mut said = Said::default();
    for line in std::io::stdin().lock().lines() {
        said.hear(&line.map_err(|error| error.to_string())?)?;
    }
    said.agrees_with_itself()?;
    let settings = Settings { cache_bytes: 1 << 20, inline_bytes: 1024, ..Settings::default() };
    let begin = Instant::now();
    let store = SledStore::open(dir, &settings, Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let opened = begin.elapsed();
    let told = Told::by(&store)?;
    said.stands_in(&store, &told)?;
    drop(store);
    if whole {
        let ailments = || -> Checked<Vec<Ailment>> {
            let found = doctor(dir, &settings, &mut |_, _| ()).map_err(|error| error.to_string())?;
            Ok(found.into_iter().filter(|ailment| ailment.gravity > Gravity::Note).collect())
        };
        let mut wrong = ailments()?;
        if damaged && !wrong.is_empty() {
            rebuild_index(dir, &settings).map_err(|error| error.to_string())?;
            wrong = ailments()?;
        }
        hold!(wrong.is_empty(), "the doctor finds {wrong:?}");
    }
    let micros = opened.as_micros();
    let lines = said.hits.len() + said.listings.len() + said.leases.len() + said.ended.len() + said.decided.len();
    Ok(format!("opened_us {micros} acknowledged {lines} sequence {}", told.seq))
}

/// A lease as its line says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lent {
    what: String,
    fence: u64,
    worker: String,
    until: Timestamp,
}

/// What the writer said.
#[derive(Debug, Default)]
struct Said {
    hits: HashMap<String, HitId>,
    listings: HashSet<String>,
    leases: Vec<(Lent, Timestamp)>,
    ending: HashSet<(String, u64)>,
    ended: HashSet<(String, u64)>,
    decided: HashMap<HitId, (u64, String)>,
}

impl Said {
    fn hear(&mut self, line: &str) -> Checked<()> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{line}` has no number"));
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| format!("`{line}` has no time"));
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["hit", id, key] => {
                let id = HitId(number(id)?);
                let known = *self.hits.entry((*key).to_owned()).or_insert(id);
                hold!(known == id, "the key {key} has two hits: {known} and {id}");
            }
            ["listing", id] => drop(self.listings.insert((*id).to_owned())),
            ["lease", what, fence, worker, from, until] => {
                let (what, worker) = ((*what).to_owned(), (*worker).to_owned());
                self.leases.push((Lent { what, fence: number(fence)?, worker, until: time(until)? }, time(from)?));
            }
            ["ending", what, fence] => drop(self.ending.insert(((*what).to_owned(), number(fence)?))),
            ["ended", what, fence] => drop(self.ended.insert(((*what).to_owned(), number(fence)?))),
            ["decided", id, fence, by] => {
                let before = self.decided.insert(HitId(number(id)?), (number(fence)?, (*by).to_owned()));
                hold!(before.is_none(), "hit {id} was decided twice");
            }
            _ => hold!(line == "ready", "`{line}` says nothing"),
        }
        Ok(())
    }

    /// Whatever the store holds now: no two had the same lease, and none was lent before the one before it had ended.
    fn agrees_with_itself(&self) -> Checked<()> {
        let mut by_fence: BTreeMap<(&str, u64), (&str, Timestamp, Timestamp)> = BTreeMap::new();
        for (lent, from) in &self.leases {
            let Lent { what, fence, worker, until } = lent;
            let (first, begin, end) = by_fence.entry((what, *fence)).or_insert((worker, *from, *until));
            hold!(*first == worker, "{first} and {worker} both hold {what} with fence {fence}");
            (*begin, *end) = ((*begin).min(*from), (*end).max(*until));
        }
        for (((what, fence), (worker, _, until)), ((next, later), (other, from, _))) in
            by_fence.iter().zip(by_fence.iter().skip(1))
        {
            let given_back = || self.ending.contains(&((*what).to_owned(), *fence));
            hold!(
                what != next || from >= until || given_back(),
                "{what} was lent to {other} with fence {later} at {from}, and to {worker} with fence {fence} until {until}"
            );
        }
        Ok(())
    }

    /// All of it is in the store.
    fn stands_in(&self, store: &SledStore, told: &Told) -> Checked<()> {
        let hits = all_hits(store)?;
        let keys: HashSet<&str> = hits.values().map(|hit| hit.what.dedupe.as_str()).collect();
        hold!(keys.len() == hits.len(), "a key has two hits");
        for (key, id) in &self.hits {
            hold!(hits.get(id).is_some_and(|hit| hit.what.dedupe == *key), "hit {id} with the key {key} is lost");
        }
        for (id, (fence, by)) in &self.decided {
            let last = hits.get(id).and_then(|hit| hit.decisions.last());
            let stands = last.is_some_and(|last| last.by.as_str() == by && last.note == format!("fence {fence}"));
            hold!(stands, "the decision of {by} on hit {id} is lost");
        }
        for hit in hits.values() {
            let decided = hit.state == HitState::Confirmed;
            hold!(
                hit.decisions.len() == usize::from(decided),
                "hit {} was decided twice, or its decision lost",
                hit.id
            );
        }
        for id in &self.listings {
            let id = ListingId::new(id).map_err(|error| error.to_string())?;
            hold!(wait(store.listing(&id))?.is_some(), "the listing {id} is lost");
        }
        for (lent, _) in &self.leases {
            hold!(told.lent.contains(lent), "the lease {lent:?} is lost");
        }
        for (what, fence) in &self.ended {
            hold!(told.ended.contains(&(what.clone(), *fence)), "the end of {what}, fence {fence}, is lost");
        }
        let counts = wait(store.counts())?;
        let confirmed = hits.values().filter(|hit| hit.state == HitState::Confirmed).count() as u64;
        let expected = (hits.len() as u64 - confirmed, confirmed);
        hold!((counts.open, counts.confirmed) == expected, "{counts:?}, though there are {expected:?}");
        Ok(())
    }
}

/// What the journal tells of leases.
#[derive(Debug, Default)]
struct Told {
    seq: u64,
    lent: HashSet<Lent>,
    ended: HashSet<(String, u64)>,
    held: HashMap<String, Lent>,
    fences: HashMap<String, u64>,
}

impl Told {
    /// Reads the whole journal; no lease in it may be given while another runs.
    fn by(store: &SledStore) -> Checked<Self> {
        let mut told = Self::default();
        loop {
            let changes = wait(store.changes_since(told.seq, 1000))?;
            if changes.is_empty() {
                return Ok(told);
            }
            for change in changes {
                hold!(change.seq == told.seq + 1, "sequence {} follows {}", change.seq, told.seq);
                told.seq = change.seq;
                told.take(change.at, &change.what).map_err(|wrong| format!("sequence {}: {wrong}", change.seq))?;
            }
        }
    }

    fn take(&mut self, at: Timestamp, what: &Value) -> Checked<()> {
        let Some((kind, event)) = what.as_object().and_then(|object| object.iter().next()) else {
            return Err("it says nothing".to_owned());
        };
        match kind.as_str() {
            "leased" => each(&event["leases"]).try_for_each(|grant| self.grant(at, name("hit", grant), grant)),
            "hosts_leased" => each(&event["leases"]).try_for_each(|grant| self.grant(at, name("host", grant), grant)),
            "completed" => {
                let what = name("hit", event);
                let held = self.held.get(&what).filter(|held| Some(held.fence) == event["fence"].as_u64());
                hold!(held.is_some_and(|held| at < held.until), "{what} was decided by someone who did not hold it");
                self.end(&what)
            }
            "released" => self.end(&name("hit", event)),
            "host_done" => self.end(&name("host", event)),
            "expired" => each(&event["hits"]).try_for_each(|id| {
                let what = format!("hit:{id}");
                let over = self.held.remove(&what).is_some_and(|held| held.until <= at);
                if over { Ok(()) } else { Err(format!("the lease of {what} had not run out")) }
            }),
            _ => Ok(()),
        }
    }

    fn grant(&mut self, at: Timestamp, what: String, grant: &Value) -> Checked<()> {
        let fence = grant["fence"].as_u64().unwrap_or(0);
        let worker = grant["worker"].as_str().unwrap_or_default().to_owned();
        let until = grant["until"].as_str().and_then(|until| until.parse().ok()).ok_or("a lease without an end")?;
        let held = self.held.get(&what);
        let renewed = held.is_some_and(|held| held.fence == fence && held.worker == worker);
        let free = held.is_none_or(|held| held.until <= at);
        hold!(renewed || free, "{what} was lent to {worker} at {at} while it was held: {held:?}");
        let before = self.fences.insert(what.clone(), fence).unwrap_or(0);
        hold!(renewed || before < fence, "{what} was lent with fence {fence} after {before}");
        let lent = Lent { what: what.clone(), fence, worker, until };
        self.lent.insert(lent.clone());
        self.held.insert(what, lent);
        Ok(())
    }

    fn end(&mut self, what: &str) -> Checked<()> {
        let held = self.held.remove(what).ok_or_else(|| format!("{what} was given back by nobody"))?;
        self.ended.insert((held.what, held.fence));
        Ok(())
    }
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `hit:7` or `host:a.example`, as the event's own field says.
fn name(kind: &str, event: &Value) -> String {
    let value = &event[kind];
    value.as_str().map_or_else(|| format!("{kind}:{value}"), |text| format!("{kind}:{text}"))
}

fn all_hits(store: &SledStore) -> Checked<HashMap<HitId, Hit>> {
    let (mut hits, mut cursor) = (HashMap::new(), None);
    loop {
        let page = wait(store.page(&Filter::default(), cursor, 200))?;
        for hit in page.rows.into_iter().map(|row| row.hit) {
            let twice = hits.insert(hit.id, hit);
            hold!(twice.is_none(), "a page shows a hit twice: {twice:?}");
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(hits);
        }
    }
}

fn wait<T, E: std::fmt::Display>(future: impl Future<Output = Result<T, E>>) -> Checked<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(future).map_err(|error| error.to_string())
}
