//! Snapshots and trimming: what a snapshot says stays true without the journal's oldest segments, which leave only for a
//! backup that has them, and come back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use markwarden::store::{
    Counts, KeptInFolder, KeptInVault, Settings, SledStore, Store, StoreError, Vault, Write, backup, bring_back,
    restore, trim,
};

use crate::{
    store_seal::{copy, open, sealed, sealed_files, sealing},
    store_shop::{batch, clock, examine, hit_id, markwarden, new_hit, picture, small, wait, wrong},
};

fn apply(store: &SledStore, writes: Vec<Write>) {
    wait(store.apply(batch(writes))).unwrap();
}

/// A store with sealed segments, a held body, and two snapshots that reach behind the first of them.
fn snapped(dir: &Path) -> Counts {
    sealed(dir);
    let store = open(dir).unwrap();
    let sha256 = store.content().put(b"the held body").unwrap();
    apply(&store, vec![Write::Hold { sha256, hold: true, why: "案 7".into() }]);
    assert_eq!(store.snapshot().unwrap(), Some(wait(store.counts()).unwrap().seq));
    assert_eq!(store.snapshot().unwrap(), None, "nothing was changed since");
    apply(&store, vec![Write::Hit(new_hit(50))]);
    store.snapshot().unwrap().unwrap();
    apply(&store, (51..70).map(|n| Write::Hit(new_hit(n))).collect());
    store.seal().unwrap();
    wait(store.counts()).unwrap()
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let files = picture(&dir.join("snapshot")).into_iter().map(|(path, _)| path);
    files.filter(|path| path.extension().is_some_and(|kind| kind == "snap")).collect()
}

fn silent() -> impl FnMut(u64, u64) {
    |_, _| ()
}

/// A store whose oldest segments have left for the backup beside it.
fn trimmed(root: &Path) -> (PathBuf, KeptInFolder, Counts) {
    let (data, saved) = (root.join("data"), root.join("saved"));
    let counts = snapped(&data);
    backup(&data, &saved, &mut silent()).unwrap();
    let kept = KeptInFolder::open(&saved).unwrap();
    let report = trim(&data, &kept, false, &mut silent()).unwrap();
    assert!(report.segments > 1 && report.begins_behind > 1, "{report:?}");
    (data, kept, counts)
}

#[test]
fn two_snapshots_are_kept_and_an_index_without_changes_is_rebuilt_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let counts = snapped(dir.path());
    assert_eq!(snapshots(dir.path()).len(), 2);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(wait(store.counts()).unwrap(), counts);
    assert_eq!(wait(store.hit(hit_id(1))).unwrap().unwrap().what.dedupe, new_hit(0).dedupe);
    drop(store);
    assert_eq!(wrong(&examine(dir.path())), Vec::<&str>::new());
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let counts = snapped(dir.path());
    for round in 0..12 {
        let store = open(dir.path()).unwrap();
        while snapshots(dir.path()).len() < 2 {
            apply(&store, vec![Write::Note { what: "round".into(), details: serde_json::Map::new() }]);
            store.snapshot().unwrap();
        }
        drop(store);
        let newest = snapshots(dir.path()).pop().unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        let at = fastrand::usize(..bytes.len());
        match round % 3 {
            0 => bytes[at] ^= 1 << fastrand::u32(..8),
            1 => bytes.truncate(at),
            _ => bytes[at..].fill(0),
        }
        fs::write(&newest, bytes).unwrap();
        assert!(!wrong(&examine(dir.path())).is_empty(), "round {round}, byte {at}");
        if round % 2 == 0 {
            fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        let store = open(dir.path()).unwrap();
        let found = wait(store.counts()).unwrap();
        assert_eq!(Counts { seq: 0, ..found }, Counts { seq: 0, ..counts }, "round {round}, byte {at}");
        drop(store);
        assert_eq!(wrong(&examine(dir.path())), Vec::<&str>::new(), "round {round}, byte {at}");
    }
    assert!(
        dir.path()
            .join("snapshot")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".snap.bad") })
    );
}

#[test]
fn a_trimmed_store_has_everything_but_its_oldest_records() {
    let root = tempfile::tempdir().unwrap();
    let (data, kept, counts) = trimmed(root.path());
    for without_index in [false, true] {
        if without_index {
            fs::remove_dir_all(data.join("index")).unwrap();
        }
        let store = open(&data).unwrap();
        assert_eq!(wait(store.counts()).unwrap(), counts);
        assert_eq!(wait(store.hit(hit_id(1))).unwrap().unwrap().what.dedupe, new_hit(0).dedupe);
        assert_eq!(store.holds().unwrap().len(), 1);
        let swept = store.sweep(1, true).unwrap();
        assert_eq!((swept.held, swept.removed), (1, 0), "{swept:?}");
        let error = wait(store.changes_since(0, 10)).unwrap_err();
        assert!(matches!(error, StoreError::Away { .. }) && error.to_string().contains("--bring-back"), "{error}");
        assert_eq!(wait(store.changes_since(counts.seq - 1, 10)).unwrap().len(), 1);
    }
    assert_eq!(wrong(&examine(&data)), Vec::<&str>::new());
    let again = trim(&data, &kept, false, &mut silent()).unwrap();
    assert_eq!(again.segments, 0);
    assert!(!again.because.is_empty());

    let (second, fresh) = (root.path().join("second"), root.path().join("fresh"));
    let report = backup(&data, &second, &mut silent()).unwrap();
    assert_eq!(report.counts, counts);
    assert_eq!(restore(&second, &fresh, &sealing(), &mut silent()).unwrap(), report);
    assert_eq!(wait(open(&fresh).unwrap().counts()).unwrap(), counts);
}

#[test]
fn what_has_left_comes_back_and_the_chain_is_whole_again() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    snapped(&data);
    let before = wait(open(&data).unwrap().changes_since(0, 1000)).unwrap();
    fs::remove_dir_all(&data).unwrap();
    let (data, kept, _) = trimmed(root.path());
    let report = bring_back(&data, &kept, &mut silent()).unwrap();
    assert_eq!((report.begins_behind, report.because.as_str()), (0, ""));
    let store = open(&data).unwrap();
    let after = wait(store.changes_since(0, 1000)).unwrap();
    assert_eq!(after.len(), before.len());
    assert!(matches!(bring_back(&data, &kept, &mut silent()), Err(StoreError::NotYet(_))));
    drop(store);
    assert_eq!(wrong(&examine(&data)), Vec::<&str>::new());
}

#[test]
fn a_segment_leaves_only_when_the_backup_has_the_very_same() {
    let root = tempfile::tempdir().unwrap();
    let (data, saved) = (root.path().join("data"), root.path().join("saved"));
    snapped(&data);
    backup(&data, &saved, &mut silent()).unwrap();
    let kept = KeptInFolder::open(&saved).unwrap();
    let before = picture(&data.join("journal"));
    let would = trim(&data, &kept, true, &mut silent()).unwrap();
    assert!(would.segments > 1);
    assert_eq!(picture(&data.join("journal")), before, "a trial leaves everything");

    let second = sealed_files(&saved)[1].clone();
    let whole = fs::read(&second).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 4;
    fs::write(&second, changed).unwrap();
    let some = trim(&data, &kept, true, &mut silent()).unwrap();
    assert_eq!(some.segments, 1);
    assert!(some.because.contains("segment 2"), "{}", some.because);
    fs::write(&second, &whole).unwrap();

    let own = sealed_files(&data)[0].clone();
    let whole = fs::read(&own).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 4;
    fs::write(&own, changed).unwrap();
    assert_eq!(trim(&data, &kept, true, &mut silent()).unwrap().segments, 0, "here it is another");
    fs::write(&own, whole).unwrap();

    for path in snapshots(&data) {
        fs::remove_file(path).unwrap();
    }
    let error = trim(&data, &kept, false, &mut silent()).unwrap_err();
    assert!(matches!(&error, StoreError::NotYet(what) if what.contains("snapshot")), "{error}");
}

#[test]
fn a_trimmed_store_without_what_it_stands_on_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (data, _, _) = trimmed(root.path());
    let spoilt = root.path().join("spoilt");
    let spoil = |change: &dyn Fn(&Path)| {
        copy(&data, &spoilt);
        change(&spoilt);
        let error = open(&spoilt).err().map(|error| error.to_string());
        let found = wrong(&examine(&spoilt)).len();
        fs::remove_dir_all(&spoilt).unwrap();
        (error.expect("it must be refused"), found)
    };
    let (error, found) = spoil(&|spoilt| {
        fs::remove_dir_all(spoilt.join("snapshot")).unwrap();
        fs::remove_dir_all(spoilt.join("index")).unwrap();
    });
    assert!(error.contains("no snapshot that can be used reaches that far") && found > 0, "{error}");
    let (error, found) = spoil(&|spoilt| fs::remove_file(spoilt.join("journal/begin.json")).unwrap());
    assert!(error.contains("this segment is missing") && found > 0, "{error}");
    let (error, _) = spoil(&|spoilt| fs::remove_file(&sealed_files(spoilt)[0]).unwrap());
    assert!(error.contains("missing"), "{error}");
    let (error, _) = spoil(&|spoilt| {
        let path = spoilt.join("journal/begin.json");
        let text = fs::read_to_string(&path).unwrap();
        let at = text.find("\"hash\": \"").unwrap() + 9;
        let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        fs::write(&path, [&text[..at], digit, &text[at + 1..]].concat()).unwrap();
    });
    assert!(error.contains("does not follow"), "{error}");
}

#[test]
fn segments_leave_for_a_vault_and_come_back_from_it() {
    let root = tempfile::tempdir().unwrap();
    let (data, place) = (root.path().join("data"), root.path().join("vault"));
    let counts = snapped(&data);
    Vault::in_folder(&place, true).unwrap().backup(&data, &*clock(), &mut silent()).unwrap();
    let kept = KeptInVault::open(Vault::in_folder(&place, false).unwrap(), None).unwrap();
    let report = trim(&data, &kept, false, &mut silent()).unwrap();
    assert!(report.segments > 1);
    assert_eq!(wait(open(&data).unwrap().counts()).unwrap(), counts);
    let back = bring_back(&data, &kept, &mut silent()).unwrap();
    assert_eq!((back.segments, back.begins_behind), (report.segments, 0));
    assert_eq!(wrong(&examine(&data)), Vec::<&str>::new());
}

#[test]
fn trimming_works_from_the_command_line() {
    let root = tempfile::tempdir().unwrap();
    let (data, saved) = (root.path().join("data"), root.path().join("saved"));
    snapped(&data);
    let (data, saved) = (data.to_str().unwrap(), saved.to_str().unwrap());
    assert!(markwarden(&["backup", "--data", data, "--to", saved]).status.success());
    let run = |more: &[&str]| {
        let out = markwarden(&[&["trim", "--data", data, "--kept-in", saved, "--format", "json"], more].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    let would = run(&["--dry-run"]);
    assert_eq!(run(&[]), would);
    assert_eq!(run(&["--bring-back"])["begins_behind"], 0);
    let out = markwarden(&["trim", "--data", data, "--kept-in", saved, "--bring-back"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("it is whole"));
}

/// Many snapshots are made by themselves while much is written, and the store stays what it is.
#[test]
fn snapshots_come_by_themselves_when_much_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { snapshot_bytes: 64 * 1024, ..small() };
    let store = SledStore::open(dir.path(), &settings, clock()).unwrap();
    for n in 0..60 {
        apply(&store, (n * 10..n * 10 + 10).map(|n| Write::Hit(new_hit(n))).collect());
    }
    drop(store);
    assert!(!snapshots(dir.path()).is_empty());
    let store = SledStore::open(dir.path(), &settings, clock()).unwrap();
    assert_eq!(wait(store.counts()).unwrap().open, 600);
    drop(store);
    assert_eq!(wrong(&examine(dir.path())), Vec::<&str>::new());
}

/// The stored form of today stays readable: this folder was trimmed by the first version of format 3.
#[test]
fn a_store_of_format_3_opens_with_its_snapshots_and_without_its_oldest_segments() {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store/format-3"), dir.path());
    let store = open(dir.path()).unwrap();
    let expected = Counts {
        listings: 12,
        captures: 0,
        marks: 12,
        open: 22,
        confirmed: 0,
        dismissed: 0,
        seq: 14,
        ..Counts::default()
    };
    assert_eq!(wait(store.counts()).unwrap(), expected);
    assert_eq!(wait(store.hit(hit_id(2))).unwrap().unwrap().what.dedupe, new_hit(1).dedupe);
    let error = wait(store.changes_since(3, 1)).unwrap_err();
    assert!(error.to_string().contains("sequences 1 to 10 of the journal have left for /backup/2026-11"), "{error}");
}
