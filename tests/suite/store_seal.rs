//! Sealed segments of the journal: they read as raw ones did, and no change of them goes unseen.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use markwarden::store::{Counts, Gravity, Settings, SledStore, Store, StoreError, Write, backup, restore};

use crate::store_shop::{
    batch, clock, examine, furnished, hit_id, markwarden, new_hit, picture, reopened, segments, small, wait, wrong,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/store");
/// Changes tried on sealed segments.
const MUTATIONS: usize = 400;

pub fn sealing() -> Settings {
    Settings { seal: true, ..small() }
}

pub fn open(dir: &Path) -> Result<SledStore, StoreError> {
    SledStore::open(dir, &sealing(), clock())
}

/// A store with something in it whose full segments are sealed.
pub fn sealed(dir: &Path) -> Counts {
    let counts = furnished(dir);
    open(dir).unwrap().seal().unwrap();
    assert!(sealed_files(dir).len() > 1 && segments(dir).len() == sealed_files(dir).len() + 1);
    counts
}

pub fn sealed_files(dir: &Path) -> Vec<PathBuf> {
    segments(dir).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "zst")).collect()
}

fn without_index(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    picture(dir).into_iter().filter(|(path, _)| !path.starts_with(dir.join("index"))).collect()
}

pub fn copy(from: &Path, to: &Path) {
    for (path, bytes) in picture(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

#[test]
fn a_sealed_store_reopens_rebuilds_and_tells_its_changes_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let counts = furnished(dir.path());
    let bytes = || -> u64 { segments(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum() };
    let raw = bytes();
    let store = open(dir.path()).unwrap();
    let before = wait(store.changes_since(0, 1000)).unwrap();
    store.seal().unwrap();
    assert_eq!(store.seal().unwrap(), 0);
    assert_eq!(wait(store.changes_since(0, 1000)).unwrap(), before);
    assert_eq!(wait(store.changes_since(3, 2)).unwrap(), before[3..5]);
    wait(store.apply(batch(vec![Write::Hit(new_hit(40))]))).unwrap();
    drop(store);
    assert!(bytes() < raw / 2, "{} of {raw} bytes", bytes());
    for lost in ["nothing", "index"] {
        drop(fs::remove_dir_all(dir.path().join(lost)));
        let store = open(dir.path()).unwrap();
        let now = wait(store.counts()).unwrap();
        assert_eq!((now.open, now.seq), (counts.open + 1, counts.seq + 1));
        assert_eq!(wait(store.changes_since(0, before.len())).unwrap(), before);
    }
    assert_eq!(examine(dir.path()).iter().filter(|ailment| ailment.gravity > Gravity::Note).count(), 0);
}

#[test]
fn full_segments_are_sealed_behind_the_writer_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for n in 0.. {
        wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
        if sealed_files(dir.path()).len() > 2 {
            break;
        }
        assert!(n < 20_000, "nothing was sealed");
    }
    let counts = wait(store.counts()).unwrap();
    drop(store);
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap(), counts);
}

#[test]
fn segments_stay_raw_where_the_settings_say_so() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let settings = Settings { seal: false, ..small() };
    let before = segments(dir.path());
    let store = SledStore::open(dir.path(), &settings, clock()).unwrap();
    assert_eq!(store.seal().unwrap(), 0);
    assert_eq!(segments(dir.path()), before);
}

#[test]
fn each_change_of_a_sealed_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let counts = sealed(dir.path());
    let files = sealed_files(dir.path());
    for round in 0..MUTATIONS {
        let path = &files[fastrand::usize(..files.len())];
        let whole = fs::read(path).unwrap();
        let mut changed = whole.clone();
        let at = fastrand::usize(..whole.len());
        match round % 6 {
            0..3 => changed[at] ^= 1 << fastrand::u8(..8),
            3 => changed.truncate(at),
            4 => changed.push(fastrand::u8(..)),
            _ => {
                let end = (at + fastrand::usize(1..200)).min(whole.len());
                changed[at..end].fill(fastrand::u8(..));
            }
        }
        if changed == whole {
            continue;
        }
        fs::write(path, &changed).unwrap();
        let result = open(dir.path()).map(|_| ());
        assert!(
            matches!(result, Err(StoreError::Damaged { .. } | StoreError::Newer { .. })),
            "round {round}, byte {at} of {path:?}: {result:?}"
        );
        assert!(fs::read(path).unwrap() == changed, "a refused journal is left alone");
        fs::write(path, &whole).unwrap();
    }
    assert_eq!(wait(open(dir.path()).unwrap().counts()).unwrap(), counts);
}

#[test]
fn sealed_segments_that_were_exchanged_or_taken_away_are_noticed() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sealed(dir.path());
    sealed(other.path());
    let files = sealed_files(dir.path());
    let (first, second) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    for (at, bytes) in [(0, &second), (1, &first)] {
        let own = fs::read(&files[at]).unwrap();
        fs::write(&files[at], bytes).unwrap();
        assert!(matches!(open(dir.path()), Err(StoreError::Damaged { .. })));
        fs::remove_file(&files[at]).unwrap();
        assert!(matches!(open(dir.path()), Err(StoreError::Damaged { .. })));
        fs::write(&files[at], own).unwrap();
    }
    let newest = segments(dir.path()).pop().unwrap();
    fs::remove_file(&newest).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let said = open(dir.path()).unwrap_err().to_string();
    assert!(said.contains("missing"), "without an index, too: {said}");
}

#[test]
fn a_damaged_sealed_segment_names_its_sequences_and_the_ways_out() {
    let dir = tempfile::tempdir().unwrap();
    sealed(dir.path());
    let path = &sealed_files(dir.path())[0];
    // The second segment's footer says where the first ends.
    let following = fs::read(&sealed_files(dir.path())[1]).unwrap();
    let last = u64::from_le_bytes(*following[following.len() - 136..].first_chunk().unwrap()) - 1;
    let mut bytes = fs::read(path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    let before = without_index(dir.path());
    let said = open(dir.path()).unwrap_err().to_string();
    assert!(said.contains(&format!("00000001.zst: sequences 1 to {last} are sealed in it")), "{said}");
    assert!(said.contains("backup") && said.contains("doctor"), "{said}");
    let told = markwarden(&["doctor", "--data", dir.path().to_str().unwrap()]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("sequences 1 to"));
    assert!(without_index(dir.path()) == before, "nothing was changed");
}

#[test]
fn a_sealed_store_is_backed_up_while_it_seals_and_comes_back_proved() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let store = Arc::new(open(dir.path()).unwrap());
    let (saved, fresh) = (spare.path().join("saved"), spare.path().join("fresh"));
    let report = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 100..160 {
                wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
            }
        });
        let report = backup(dir.path(), &saved, &mut |_, _| ()).unwrap();
        writing.join().unwrap();
        report
    });
    assert_eq!(restore(&saved, &fresh, &sealing(), &mut |_, _| ()).unwrap(), report);
    assert_eq!(wait(open(&fresh).unwrap().counts()).unwrap(), report.counts);
    assert!(wrong(&examine(&fresh)).is_empty());
}

/// Until its first segment is sealed an older program may go on with the folder; from then on it is told that it cannot.
#[test]
fn a_folder_of_format_1_moves_to_2_when_its_first_segment_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("format-1"), dir.path());
    let format = || fs::read_to_string(dir.path().join("FORMAT")).unwrap();
    let raw = Settings { seal: false, ..small() };
    let counts = wait(SledStore::open(dir.path(), &raw, clock()).unwrap().counts()).unwrap();
    assert!(format().starts_with("format = 1\n"), "{}", format());
    let store = open(dir.path()).unwrap();
    store.seal().unwrap();
    drop(store);
    assert_eq!(format(), "format = 2\n");
    assert_eq!(wait(open(dir.path()).unwrap().counts()).unwrap(), counts);
}

/// The stored form of today stays readable: this folder was sealed by the first version of format 2.
#[test]
fn a_store_of_format_2_opens_with_its_sealed_segments() {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("format-2"), dir.path());
    assert!(sealed_files(dir.path()).len() > 2);
    let store = open(dir.path()).unwrap();
    let expected = Counts {
        listings: 12,
        captures: 0,
        marks: 12,
        open: 9,
        confirmed: 3,
        dismissed: 0,
        seq: 18,
        ..Counts::default()
    };
    assert_eq!(wait(store.counts()).unwrap(), expected);
    assert_eq!(wait(store.hit(hit_id(5))).unwrap().unwrap().what.dedupe, format!("{:032x}", 4));
}

#[test]
fn a_newer_sealed_segment_is_refused_as_newer() {
    let dir = tempfile::tempdir().unwrap();
    sealed(dir.path());
    let path = &sealed_files(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - 152;
    bytes[at] = 2;
    fs::write(path, bytes).unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::Newer { found: 2, supported: 1, .. })));
}
