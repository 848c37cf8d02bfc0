//! A process that is killed in mid-write loses nothing it has acknowledged.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use markwarden::{
    model::{Hit, HitId, HitState, ListingId, SystemClock},
    store::{Filter, Settings, SledStore, Store},
};

use crate::store_shop::wait;

const KILLS: u32 = 24;
/// A run is killed after this many acknowledged lines at most.
const MAX_LINES: usize = 600;

/// What the killed processes had been told is durable.
#[derive(Default)]
struct Acknowledged {
    hits: HashMap<String, u64>,
    listings: HashSet<String>,
    decided: HashMap<u64, String>,
}

impl Acknowledged {
    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["hit", id, key] => {
                let id = id.parse().unwrap();
                assert_eq!(*self.hits.entry((*key).to_owned()).or_insert(id), id, "{key} has two hits");
            }
            ["listing", id] => drop(self.listings.insert((*id).to_owned())),
            ["decided", id, by] => {
                let before = self.decided.insert(id.parse().unwrap(), (*by).to_owned());
                assert_eq!(before, None, "hit {id} was decided twice");
            }
            _ => assert_eq!(line, "ready"),
        }
    }
}

/// Beside the test's own executable: `target/<profile>/deps/suite-…` and `target/<profile>/examples/store_writer`.
fn writer() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let name = format!("store_writer{}", std::env::consts::EXE_SUFFIX);
    own.parent().unwrap().parent().unwrap().join("examples").join(name)
}

/// Runs the writer until it has said `lines` things, kills it, and hears the rest of what it said.
fn write_and_kill(dir: &Path, run: u32, lines: usize, heard: &mut Acknowledged) {
    let mut child = Command::new(writer())
        .arg(dir)
        .arg(run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo test` builds the writer; with `--test suite` run `cargo build --examples` first");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for said in 0.. {
        if said == lines {
            child.kill().unwrap();
        }
        line.clear();
        // A line without its end was cut by the kill: it promises nothing.
        if out.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            assert!(said >= lines, "the writer ended by itself");
            break;
        }
        heard.hear(line.trim_end());
    }
    child.wait().unwrap();
}

fn all_hits(store: &SledStore) -> Vec<Hit> {
    let (mut hits, mut cursor) = (Vec::new(), None);
    loop {
        let page = wait(store.page(&Filter::default(), cursor, 200)).unwrap();
        hits.extend(page.rows.into_iter().map(|row| row.hit));
        cursor = page.next;
        if cursor.is_none() {
            return hits;
        }
    }
}

fn check(dir: &Path, heard: &Acknowledged) {
    let store = SledStore::open(dir, &Settings::default(), Arc::new(SystemClock)).unwrap();
    let hits: HashMap<HitId, Hit> = all_hits(&store).into_iter().map(|hit| (hit.id, hit)).collect();
    let keys: HashSet<&str> = hits.values().map(|hit| hit.what.dedupe.as_str()).collect();
    assert_eq!(keys.len(), hits.len(), "a dedupe key has two hits");
    for (key, id) in &heard.hits {
        assert_eq!(hits.get(&HitId(*id)).map(|hit| &hit.what.dedupe), Some(key));
    }
    for (id, by) in &heard.decided {
        let hit = hits.get(&HitId(*id)).unwrap();
        assert_eq!(hit.state, HitState::Confirmed);
        assert_eq!(hit.decisions.last().map(|decision| decision.by.as_str()), Some(by.as_str()));
    }
    assert!(hits.values().all(|hit| hit.decisions.len() <= 1), "a hit was decided twice");
    for id in &heard.listings {
        assert!(wait(store.listing(&ListingId::new(id).unwrap())).unwrap().is_some());
    }
    let counts = wait(store.counts()).unwrap();
    let open = hits.values().filter(|hit| hit.state == HitState::Open).count() as u64;
    assert_eq!((counts.open, counts.confirmed), (open, hits.len() as u64 - open));
}

#[test]
fn a_killed_process_has_lost_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut heard = Acknowledged::default();
    for run in 0..KILLS {
        write_and_kill(dir.path(), run, fastrand::usize(1..MAX_LINES), &mut heard);
        check(dir.path(), &heard);
    }
    // Once more from the journal alone.
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    check(dir.path(), &heard);
    assert!(heard.hits.len() > 100 && !heard.decided.is_empty(), "the writers hardly wrote");
}
