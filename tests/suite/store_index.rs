//! Whatever happens to the files of the index, the store opens and nothing is lost: it is rebuilt from the journal.
//!
//! `MARKWARDEN_INDEX_MUTATIONS` sets how many changes are tried, `MARKWARDEN_SEED` repeats a run.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fastrand::Rng;
use markwarden::{
    model::Hit,
    store::{Counts, Filter, KeptInFolder, MarksDelta, Settings, SledStore, Store, StoredListing, Write, backup, trim},
};
use tempfile::TempDir;

use crate::{
    store_shop::{
        batch, claim, clock, examine, furnished, listing_write, mark, new_hit, picture, reopened, small, wait, wrong,
    },
    store_writers::{announce, number, remove_index},
};

const MUTATIONS: usize = 25;
/// What lies beside the journal and is made from it.
const DERIVED: [&str; 2] = ["index", "snapshot"];
/// The doctor looks after every so many.
const EXAMINE_EVERY: usize = 5;

/// All that can be asked of a store.
#[derive(Debug, PartialEq)]
struct Everything {
    counts: Counts,
    hits: Vec<Hit>,
    listings: Vec<Option<StoredListing>>,
    marks: MarksDelta,
}

impl Everything {
    fn of(store: &SledStore) -> Self {
        let (mut hits, mut cursor) = (Vec::new(), None);
        loop {
            let page = wait(store.page(&Filter::default(), cursor, 50)).unwrap();
            hits.extend(page.rows.into_iter().map(|row| row.hit));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let listing = |n| {
            let Write::Listing { id, .. } = listing_write(n) else { unreachable!() };
            wait(store.listing(&id)).unwrap()
        };
        let listings = (0..90).map(listing).collect();
        let (counts, marks) = (wait(store.counts()).unwrap(), wait(store.marks_since(0)).unwrap());
        Self { counts, hits, listings, marks }
    }
}

/// A store with two snapshots and changes over them.
struct Original {
    dir: TempDir,
    everything: Everything,
    /// All its files.
    whole: Vec<(PathBuf, Vec<u8>)>,
    /// Its index as it was some acts ago.
    older: Vec<(PathBuf, Vec<u8>)>,
}

impl Original {
    /// With `trimmed`, the oldest segments of its journal have left for a backup, and snapshots stand in for them.
    fn new(trimmed: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        let settings = Settings { seal: true, ..small() };
        let write = |store: &SledStore, numbers: Range<u32>| {
            for n in numbers {
                let writes = vec![listing_write(n), Write::Hit(new_hit(n)), Write::Mark(mark(n, "星河"))];
                wait(store.apply(batch(writes))).unwrap();
            }
        };
        furnished(&dir);
        let store = SledStore::open(&dir, &settings, clock()).unwrap();
        for numbers in [20..35, 35..50] {
            write(&store, numbers);
            store.snapshot().unwrap().unwrap();
        }
        store.seal().unwrap();
        drop(store);
        let older = derived(&dir);
        let store = SledStore::open(&dir, &settings, clock()).unwrap();
        wait(store.claim(&claim("wang", 20))).unwrap();
        write(&store, 50..80);
        let everything = Everything::of(&store);
        drop(store);
        if trimmed {
            let saved = root.path().join("saved");
            backup(&dir, &saved, &mut |_, _| ()).unwrap();
            let kept = KeptInFolder::open(&saved).unwrap();
            assert!(trim(&dir, &kept, false, &mut |_, _| ()).unwrap().segments > 0);
        }
        Self { whole: picture(&dir), dir: root, everything, older }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

/// The files that can be made again: everything below the index, and its snapshots.
fn derived(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let is_derived = |path: &Path| DERIVED.iter().any(|part| path.starts_with(data.join(part)));
    picture(data).into_iter().filter(|(path, _)| is_derived(path)).collect()
}

fn put(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// One change to files that can be made again; says what it is.
pub fn mutate(data: &Path, older: &[(PathBuf, Vec<u8>)], random: &mut Rng) -> String {
    let files: Vec<_> = derived(data).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    let (path, mut bytes) = files[random.usize(..files.len())].clone();
    let name = path.strip_prefix(data).unwrap().display().to_string();
    let size = bytes.len();
    let (at, length) = (random.usize(..size), random.usize(1..2000));
    let end = (at + length).min(size);
    let what = match random.u8(..16) {
        0 => {
            let part = DERIVED[random.usize(..DERIVED.len())];
            fs::remove_dir_all(data.join(part)).unwrap();
            return format!("{part} removed");
        }
        1 => {
            fs::remove_file(&path).unwrap();
            return format!("{name} removed");
        }
        2 => {
            remove_index(data);
            let index: Vec<_> =
                older.iter().filter(|(path, _)| path.starts_with(data.join("index"))).cloned().collect();
            put(&index);
            return "an older index brought back".into();
        }
        3 => {
            let (other, theirs) = &files[random.usize(..files.len())];
            fs::write(other, &bytes).unwrap();
            bytes.clone_from(theirs);
            format!("exchanged with {}", other.display())
        }
        4..7 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        7 | 8 => {
            let byte = random.u8(..);
            bytes[at..end].fill(byte);
            format!("{byte} in {at}..{end}")
        }
        9 => {
            bytes[at..].fill(0);
            format!("zeros from {at}")
        }
        10 => {
            let to = random.usize(..size - (end - at) + 1);
            bytes.copy_within(at..end, to);
            format!("{at}..{end} written to {to}")
        }
        _ => {
            let flips: Vec<(usize, u8)> =
                (0..random.usize(1..9)).map(|_| (random.usize(..size), 1 << random.u8(..8))).collect();
            for (at, bit) in &flips {
                bytes[*at] ^= bit;
            }
            format!("flipped {flips:?}")
        }
    };
    fs::write(&path, bytes).unwrap();
    format!("{name}: {what}")
}

#[test]
fn an_index_changed_in_any_way_costs_nothing_but_its_rebuilding() {
    let originals = [Original::new(false), Original::new(true)];
    let seed = number("MARKWARDEN_SEED", fastrand::usize(..)) as u64;
    let mut random = Rng::with_seed(seed);
    let (mut refused, mut longest) = (0, Duration::ZERO);
    let mutations = number("MARKWARDEN_INDEX_MUTATIONS", MUTATIONS);
    for round in 1..=mutations {
        let original = &originals[round % originals.len()];
        let data = original.data();
        let what = mutate(&data, &original.older, &mut random);
        let begin = Instant::now();
        // Where records have left the journal, something has to stand in for them.
        if original.data().join("journal/begin.json").exists() && !data.join("snapshot").exists() {
            let said = reopened(&data).map(drop).unwrap_err().to_string();
            assert!(said.contains("bring one back from a backup"), "{what}: {said}; seed {seed}");
            refused += 1;
        } else {
            let store = reopened(&data).unwrap_or_else(|error| panic!("{what}: {error}; seed {seed}"));
            longest = longest.max(begin.elapsed());
            assert!(Everything::of(&store) == original.everything, "{what}: not as it was; seed {seed}");
            drop(store);
            if round % EXAMINE_EVERY == 0 {
                let found = examine(&data);
                // Opening does not read the snapshot before the newest; the doctor does.
                let changed = what.split(['/', ' ', ':']).filter(|word| word.ends_with(".snap"));
                let spare = |line: &str| changed.clone().any(|file| line.contains(file));
                assert!(wrong(&found).into_iter().all(spare), "{what}: {found:?}; seed {seed}");
            }
        }
        fs::remove_dir_all(&data).unwrap();
        put(&original.whole);
    }
    announce(&format!(
        "index mutations: {mutations}, 0 lost, {refused} refused because everything that stood in for records in the \
         backup was removed; opened in at most {:.3} s; seed {seed}",
        longest.as_secs_f64()
    ));
}
