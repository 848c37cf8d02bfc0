//! Thousands of single changes to a journal's files, raw and sealed: none gives another state unseen.
//!
//! `MARKWARDEN_MUTATIONS` sets how many, `MARKWARDEN_SEED` repeats a run.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use fastrand::Rng;

use super::{
    Journal, check,
    record::{Found, Head, find},
    segment::HEADER_BYTES,
    verify,
};
use crate::{
    model::{ListingId, SystemClock, Timestamp},
    store::{
        backup::backup,
        event::{Entry, Event},
        folder::journal_dir,
        port::{Batch, Store, StoreError, Write},
        settings::Settings,
        sled::SledStore,
        trim::{KeptInFolder, trim},
    },
};

const MUTATIONS: usize = 10_000;
/// Every so many the whole store is opened on the changed journal, whatever the journal alone says.
const OPEN_EVERY: usize = 100;
const SEGMENT_BYTES: u64 = 4096;
const SECTOR_BYTES: usize = 512;
/// Records that were written and never acknowledged: the process ended before the sync did.
const UNACKNOWLEDGED: usize = 3;
/// The file that says where a trimmed journal begins.
const BEGIN: &str = "begin.json";

/// The journal's files by name.
type Files = BTreeMap<String, Vec<u8>>;
/// A journal's records: where each stands, and its payload.
type Records = Vec<(Head, Vec<u8>)>;

/// A store whose journal has sealed segments, raw ones, and an unacknowledged tail that its index knows nothing of.
struct Original {
    dir: tempfile::TempDir,
    files: Files,
    records: Records,
    acknowledged: usize,
}

impl Original {
    /// With `trimmed`, its oldest segments have left for a backup.
    ///
    /// Which records share a sync differs from time to time, and with it where segments end. Where the tail begins a segment
    /// of its own, no cut could take away anything acknowledged without being seen, so another one is written then.
    fn new(trimmed: bool) -> Self {
        let mixed = |original: &Self| {
            let newest = original.files.iter().rfind(|(name, _)| is_raw(name));
            newest.is_some_and(|(_, bytes)| places(bytes).len() > UNACKNOWLEDGED)
        };
        (0..20).map(|_| Self::written(trimmed)).find(mixed).unwrap()
    }

    fn written(trimmed: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (seal, numbers) in [(true, 0..18), (true, 18..36), (false, 36..54)] {
            let store = open(dir.path(), seal).unwrap();
            let half = numbers.start + 14;
            for n in numbers.clone() {
                write(&store, n);
                if n == half {
                    store.snapshot().unwrap();
                }
            }
            store.seal().unwrap();
            store.snapshot().unwrap();
            drop(store);
            if trimmed && numbers.start == 0 {
                trim_to_backup(dir.path());
            }
        }
        let journal = journal_dir(dir.path());
        let acknowledged = read(&journal).unwrap().0.len();
        let end = verify(&journal, &mut |_, _| Ok(())).unwrap();
        let mut tail = Journal::resume(&journal, SEGMENT_BYTES, end).unwrap();
        for n in 0..UNACKNOWLEDGED {
            tail.stage(&note(n).encode().unwrap()).unwrap();
        }
        tail.commit().unwrap();
        let files = files(&journal);
        let (sealed, raw) = (|name: &&String| name.ends_with(".zst"), |name: &&String| is_raw(name));
        assert!(files.keys().filter(sealed).count() > 2 && files.keys().filter(raw).count() > 2, "{:?}", files.keys());
        assert_eq!(files.contains_key(BEGIN), trimmed);
        Self { files, records: read(&journal).unwrap().0, acknowledged, dir }
    }
}

fn trim_to_backup(data: &Path) {
    let saved = tempfile::tempdir().unwrap();
    backup(data, &saved.path().join("saved"), &mut |_, _| ()).unwrap();
    let kept = KeptInFolder::open(&saved.path().join("saved")).unwrap();
    assert!(trim(data, &kept, false, &mut |_, _| ()).unwrap().segments > 0);
}

fn open(dir: &Path, seal: bool) -> Result<SledStore, StoreError> {
    let settings = Settings { seal, segment_bytes: SEGMENT_BYTES, cache_bytes: 1 << 20, ..Settings::default() };
    SledStore::open(dir, &settings, Arc::new(SystemClock))
}

/// Two acts that mostly share a sync.
fn write(store: &SledStore, n: u32) {
    let listing = |part: &str| Write::Listing {
        id: ListingId::new(&format!("星集:{n}-{part}")).unwrap(),
        listing: serde_json::from_value(
            serde_json::json!({"title": format!("云雀 跑鞋 第{n}款").repeat(n as usize % 9 + 1)}),
        )
        .unwrap(),
        capture: None,
    };
    let apply = |part| store.apply(Batch { actor: "monitor".into(), writes: vec![listing(part)] });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, other) = runtime.block_on(async { tokio::join!(apply("a"), apply("b")) });
    one.and(other).unwrap();
}

fn note(n: usize) -> Entry {
    let write = Write::Note { what: format!("crawl.done.{n}"), details: serde_json::Map::new() };
    let event = Event::Applied { writes: vec![write], hits: Vec::new() };
    Entry { at: Timestamp::UNIX_EPOCH, actor: "crawl".into(), event }
}

/// All records, and whether something stands behind them. The glance that opening takes at a journal says the same.
fn read(journal: &Path) -> Result<(Records, bool), StoreError> {
    let mut records = Records::new();
    let mut keep = |head: &Head, payload: &[u8]| {
        records.push((*head, payload.to_vec()));
        Ok(())
    };
    let (checked, verified) = (check(journal), verify(journal, &mut keep));
    match (checked, verified) {
        (Ok(checked), Ok(verified)) => {
            assert_eq!((checked.head, checked.end, checked.tail), (verified.head, verified.end, verified.tail));
            Ok((records, verified.tail))
        }
        (Err(_), Err(error)) => Err(error),
        (checked, verified) => panic!("at a glance {checked:?}, read whole {verified:?}"),
    }
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

/// Makes `folder` hold `to` where it held `from`.
fn put(folder: &Path, from: &Files, to: &Files) {
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, bytes) in to.iter().filter(|(name, bytes)| from.get(*name) != Some(bytes)) {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Where the records of a raw segment lie.
fn places(segment: &[u8]) -> Vec<Range<usize>> {
    let before = Head { seq: u64::from_le_bytes(*segment[16..].first_chunk().unwrap()) - 1, ..Head::START };
    let hash = *segment[32..].first_chunk().unwrap();
    let (mut head, mut at, mut places) = (Head { hash, ..before }, HEADER_BYTES, Vec::new());
    while let Found::Record { head: next, end, .. } = find(segment, at, &head) {
        places.push(at..end);
        (head, at) = (next, end);
    }
    places
}

fn is_raw(name: &str) -> bool {
    name.ends_with(".seg")
}

/// One change to one file, or to names; says what it is.
fn mutate(random: &mut Rng, files: &mut Files) -> String {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[random.usize(..names.len())].clone();
    let whole = files[&name].clone();
    let size = whole.len();
    // A part of the file that is not much longer than a record.
    let range = |random: &mut Rng| {
        let begin = random.usize(..size);
        begin..(begin + random.usize(1..400)).min(size)
    };
    let sectors = |random: &mut Rng| {
        let begin = random.usize(..size) / SECTOR_BYTES * SECTOR_BYTES;
        begin..(begin + SECTOR_BYTES * random.usize(1..4)).min(size)
    };
    let changed = |what: String, bytes: Vec<u8>, files: &mut Files| {
        files.insert(name.clone(), bytes);
        format!("{name}: {what}")
    };
    let mut bytes = whole.clone();
    match random.u8(..40) {
        0..9 => {
            let (at, bit) = (random.usize(..size), random.u8(..8));
            bytes[at] ^= 1 << bit;
            changed(format!("bit {bit} of byte {at}"), bytes, files)
        }
        9..14 => {
            let (at, byte) = (random.usize(..size), random.u8(..));
            bytes[at] = byte;
            changed(format!("byte {at} = {byte}"), bytes, files)
        }
        14..17 => {
            let at = random.usize(..size);
            bytes.truncate(at);
            changed(format!("cut at {at}"), bytes, files)
        }
        17..20 => {
            let sectors = sectors(random);
            bytes[sectors.clone()].fill(0);
            changed(format!("zeros in {sectors:?}"), bytes, files)
        }
        20..22 => {
            // Everything from somewhere on, as a file that was grown and not written.
            let at = random.usize(..size);
            bytes[at..].fill(0);
            changed(format!("zeros from {at}"), bytes, files)
        }
        22..25 => {
            let (one, other) = (range(random), range(random));
            let length = one.len().min(other.len()).min(one.start.abs_diff(other.start));
            for n in 0..length {
                bytes.swap(one.start + n, other.start + n);
            }
            changed(format!("{length} bytes from {} and from {} exchanged", one.start, other.start), bytes, files)
        }
        25..28 => {
            let (from, to) = (range(random), random.usize(..size));
            let length = from.len().min(size - to);
            bytes.copy_within(from.start..from.start + length, to);
            changed(format!("{length} bytes from {} written to {to}", from.start), bytes, files)
        }
        28..34 => {
            let places = if is_raw(&name) { places(&whole) } else { vec![range(random)] };
            let place = places[random.usize(..places.len())].clone();
            if random.bool() {
                let removed: Vec<u8> = bytes.drain(place.clone()).collect();
                bytes.resize(size, 0);
                changed(format!("{} bytes taken out at {}", removed.len(), place.start), bytes, files)
            } else {
                bytes.splice(place.end..place.end, whole[place.clone()].iter().copied());
                // In a raw segment the zeros behind the records make room.
                bytes.truncate(if is_raw(&name) { size } else { bytes.len() });
                changed(format!("{place:?} twice"), bytes, files)
            }
        }
        34..36 => {
            let length = random.usize(1..600);
            bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(length));
            changed(format!("garbage behind it, {} bytes in all", bytes.len()), bytes, files)
        }
        36 => {
            files.remove(&name);
            format!("{name} removed")
        }
        37 | 38 => {
            let (number, kind) = (random.usize(1..names.len() + 3), ["seg", "zst"][random.usize(..2)]);
            let to = format!("{number:08}.{kind}");
            files.remove(&name);
            files.insert(to.clone(), whole);
            format!("{name} renamed to {to}")
        }
        _ => {
            let other = names[random.usize(..names.len())].clone();
            let theirs = files[&other].clone();
            files.insert(other.clone(), whole);
            files.insert(name.clone(), theirs);
            format!("{name} and {other} exchanged")
        }
    }
}

/// Whether every changed byte lies behind the records of a raw segment, where only zeros were, or only tells people where
/// older segments went.
fn carries_nothing(original: &Original, changed: &Files) -> bool {
    let begin = |bytes: &[u8]| {
        let stored: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        [stored["number"].clone(), stored["seq"].clone(), stored["hash"].as_str().unwrap().to_lowercase().into()]
    };
    changed.len() == original.files.len()
        && changed.iter().all(|(name, bytes)| match original.files.get(name) {
            Some(whole) if whole == bytes => true,
            Some(whole) if is_raw(name) && whole.len() == bytes.len() => {
                let used = places(whole).last().map_or(HEADER_BYTES, |last| last.end);
                whole[..used] == bytes[..used]
            }
            Some(whole) if name == BEGIN => begin(whole) == begin(bytes),
            _ => false,
        })
}

/// What became of a changed journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Not opened; the message names a sequence or a file.
    Refused,
    /// Shorter than what the index had been told is durable, which refuses it.
    RefusedByIndex,
    /// The same records: what was changed carries nothing.
    Same,
    /// Records that were never acknowledged are dropped, none else.
    TailDropped,
}

/// The fate by reading the journal alone; [`Fate::RefusedByIndex`] still has to be seen to come true.
fn fate(original: &Original, changed: &Files) -> Result<Fate, String> {
    let (records, tail) = match read(&journal_dir(original.dir.path())) {
        Ok(read) => read,
        Err(error) => return said(&error, changed),
    };
    let known = &original.records;
    if !known.starts_with(&records) {
        return Err(format!("another state: {} records of {}", records.len(), known.len()));
    }
    let newest = |files: &Files| files.iter().rfind(|(name, _)| is_raw(name)).map(|(_, bytes)| bytes.clone());
    let newest = newest(changed) != newest(&original.files);
    match records.len() {
        count if count == known.len() && !carries_nothing(original, changed) => Err("unseen".into()),
        count if count == known.len() && newest && !tail => Err("what stands behind the end is not told of".into()),
        count if count == known.len() => Ok(Fate::Same),
        count if count >= original.acknowledged => Ok(Fate::TailDropped),
        _ => Ok(Fate::RefusedByIndex),
    }
}

fn said(error: &StoreError, changed: &Files) -> Result<Fate, String> {
    let text = error.to_string();
    let names_it = text.contains("sequence") || changed.keys().any(|name| text.contains(name)) || text.contains(".seg");
    if names_it { Ok(Fate::Refused) } else { Err(format!("it does not say where: {text}")) }
}

/// Opens a store with this journal and the original's index, in a folder of its own.
fn opened(original: &Original, changed: &Files) -> Result<u64, StoreError> {
    let dir = tempfile::tempdir().unwrap();
    copy(original.dir.path(), dir.path());
    put(&journal_dir(dir.path()), &original.files, changed);
    let store = open(dir.path(), false).inspect_err(|_| {
        assert!(files(&journal_dir(dir.path())) == *changed, "a refused journal is left alone");
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.counts()).map(|counts| counts.seq)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_single_change_of_a_journal_gives_another_state_unseen() {
    let originals = [Original::new(false), Original::new(true)];
    let seed = number("MARKWARDEN_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = Rng::with_seed(seed);
    let mut fates: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut round = 0;
    while round < number("MARKWARDEN_MUTATIONS").unwrap_or(MUTATIONS) {
        let original = &originals[round % originals.len()];
        let mut changed = original.files.clone();
        let what = mutate(&mut random, &mut changed);
        if changed == original.files {
            continue;
        }
        round += 1;
        let journal = journal_dir(original.dir.path());
        put(&journal, &original.files, &changed);
        let fate = fate(original, &changed).unwrap_or_else(|wrong| panic!("{what}: {wrong}; seed {seed}"));
        put(&journal, &changed, &original.files);
        *fates.entry(fate).or_default() += 1;
        if fate == Fate::RefusedByIndex || round % OPEN_EVERY == 0 {
            let opened = opened(original, &changed);
            let refused = matches!(fate, Fate::Refused | Fate::RefusedByIndex);
            assert_eq!(opened.is_err(), refused, "{what}: {fate:?}, but {opened:?}; seed {seed}");
            let least = original.records[original.acknowledged - 1].0.seq;
            assert!(opened.is_ok_and(|seq| seq >= least) || refused, "{what}: {fate:?}; seed {seed}");
        }
    }
    eprintln!("journal mutations: {round}, {fates:?}; seed {seed}");
    assert_eq!(fates.len(), 4, "each fate should have come up: {fates:?}");
}
