//! The content store over years: bodies that rot, bodies that are held, bodies that may go and those that never do.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use markwarden::{
    model::SystemClock,
    store::{SledStore, Store, StoreError, Write},
};

use crate::store_shop::{batch, examine, furnished, listing_write, markwarden, new_hit, small, wait, wrong};

const DAY: Duration = Duration::from_secs(86400);

/// The store by the machine's own clock, as files' times are.
fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, &small(), Arc::new(SystemClock)).unwrap()
}

fn file_of(dir: &Path, hash: &str) -> PathBuf {
    dir.join("content/sha256").join(&hash[..2]).join(&hash[2..4]).join(hash)
}

/// Makes a body look as if nobody had put it for so many days.
fn age(dir: &Path, hash: &str, days: u32) {
    let file = fs::File::options().append(true).open(file_of(dir, hash)).unwrap();
    file.set_modified(SystemTime::now() - DAY * days).unwrap();
}

fn old_body(dir: &Path, store: &SledStore, text: &str) -> String {
    let hash = store.content().put(text.repeat(100).as_bytes()).unwrap();
    age(dir, &hash, 100);
    hash
}

fn hold(store: &SledStore, hash: &str, hold: bool) {
    let write = Write::Hold { sha256: hash.to_owned(), hold, why: "案 7".into() };
    wait(store.apply(batch(vec![write]))).unwrap();
}

fn cite(store: &SledStore, n: u32, hash: &str) {
    let mut hit = new_hit(n);
    hit.evidence = Some(hash.to_owned());
    wait(store.apply(batch(vec![Write::Hit(hit)]))).unwrap();
}

#[test]
fn only_old_bodies_that_nobody_cites_holds_or_uses_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [cited, held, released, stray] =
        ["cited", "held", "released", "stray"].map(|text| old_body(dir.path(), &store, text));
    let young = store.content().put(b"young").unwrap();
    age(dir.path(), &young, 29);
    cite(&store, 1, &cited);
    hold(&store, &held, true);
    hold(&store, &released, true);
    hold(&store, &released, false);
    // A listing too large for the index lies in a body as well, and so does the hit; the listing's older text does too.
    let Write::Listing { id, mut listing, capture } = listing_write(4) else { unreachable!() };
    for text in ["旧文", "新文"] {
        listing.description = Some(text.repeat(500));
        let (id, listing, capture) = (id.clone(), listing.clone(), capture.clone());
        wait(store.apply(batch(vec![Write::Listing { id, listing, capture }]))).unwrap();
    }
    all_bodies(dir.path()).iter().for_each(|hash| age(dir.path(), hash, 100));
    age(dir.path(), &young, 29);
    let trial = store.sweep(30, true).unwrap();
    assert_eq!((trial.cited, trial.held, trial.indexed, trial.young, trial.removed), (1, 1, 2, 1, 3));
    assert!(store.content().get(&stray).unwrap().is_some(), "a trial removes nothing");
    assert_eq!(store.sweep(30, false).unwrap(), trial);
    for (hash, there) in [(&cited, true), (&held, true), (&young, true), (&released, false), (&stray, false)] {
        assert_eq!(store.content().get(hash).unwrap().is_some(), there);
    }
    assert_eq!(store.sweep(30, false).unwrap().removed, 0);
    assert_eq!(store.holds().unwrap().into_keys().collect::<Vec<_>>(), [held]);
    drop(store);
    assert!(wrong(&examine(dir.path())).is_empty());
}

/// The hashes of all bodies.
fn all_bodies(dir: &Path) -> Vec<String> {
    let files = crate::store_shop::picture(&dir.join("content/sha256"));
    files.into_iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_body_put_today_stays_whatever_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = old_body(dir.path(), &store, "old");
    let fresh = store.content().put(b"fresh").unwrap();
    // Put again is young again: whoever put it is about to cite it.
    store.content().put("old".repeat(100).as_bytes()).unwrap();
    assert_eq!(store.sweep(0, false).unwrap().young, 2);
    assert!([old, fresh].iter().all(|hash| store.content().get(hash).unwrap().is_some()));
}

#[test]
fn a_body_cited_while_others_go_is_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bodies: Vec<String> = (0..60).map(|n| old_body(dir.path(), &store, &format!("body {n}"))).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    store.sweep(30, false).unwrap();
                }
            });
        }
        for (n, hash) in (0..).zip(&bodies) {
            // The proper way: put, then cite.
            store.content().put(format!("body {n}").repeat(100).as_bytes()).unwrap();
            cite(&store, n, hash);
            age(dir.path(), hash, 100);
        }
        done.store(true, Relaxed);
    });
    store.sweep(30, false).unwrap();
    for hash in &bodies {
        assert!(store.content().get(hash).unwrap().is_some(), "{hash}");
    }
}

#[test]
fn a_sweep_that_was_killed_half_way_has_lost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let hash = old_body(dir.path(), &store, "leaving");
    drop(store);
    let leaving = dir.path().join("content/.leaving");
    fs::create_dir(&leaving).unwrap();
    fs::rename(file_of(dir.path(), &hash), leaving.join(&hash)).unwrap();
    assert!(open(dir.path()).content().get(&hash).unwrap().is_some());
}

#[test]
fn a_scrub_goes_on_where_the_last_one_ended_and_finds_every_damaged_body() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut hashes: Vec<String> = (0..25).map(|n| store.content().put(format!("{n}").as_bytes()).unwrap()).collect();
    hashes.sort();
    let damaged = vec![hashes[3].clone(), hashes[17].clone()];
    for hash in &damaged {
        fs::write(file_of(dir.path(), hash), b"\0rotten").unwrap();
    }
    for _ in 0..2 {
        let (mut found, mut checked, mut calls) = (Vec::new(), 0, 0);
        loop {
            // Each time as another run of the program would.
            let report = store.content().clone().scrub(10).unwrap();
            found.extend(report.damaged);
            (checked, calls) = (checked + report.checked, calls + 1);
            if report.finished {
                break;
            }
        }
        assert_eq!((found, checked, calls), (damaged.clone(), 25, 3));
    }
    // A cursor that says nothing only makes it begin anew.
    fs::write(dir.path().join("content/.scrub"), "x".repeat(1000)).unwrap();
    assert_eq!(store.content().scrub(100).unwrap().checked, 25);
}

#[test]
fn a_hold_names_a_body_and_a_reason_of_bounded_length() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let sha256 = "ab".repeat(32);
    for (sha256, why) in
        [("xyz".to_owned(), String::new()), (sha256.to_uppercase(), String::new()), (sha256, "字".repeat(700))]
    {
        let write = Write::Hold { sha256, hold: true, why };
        assert!(matches!(wait(store.apply(batch(vec![write]))), Err(StoreError::Refused(_))));
    }
    assert!(store.holds().unwrap().is_empty());
}

#[test]
fn bodies_are_checked_held_and_swept_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let store = open(dir.path());
    let hash = old_body(dir.path(), &store, "held");
    drop(store);
    let run = |arguments: &[&str]| {
        let told = markwarden(&[&["bodies", "--data", dir.path().to_str().unwrap()], arguments].concat());
        (told.status.code().unwrap(), String::from_utf8(told.stdout).unwrap())
    };
    assert_eq!(run(&["hold", &hash, "--why", "case 7"]).0, 0);
    let (_, holds) = run(&["holds", "--format", "json"]);
    assert!(holds.contains(&hash) && holds.contains("case 7"), "{holds}");
    assert!(run(&["sweep", "--retain-days", "30"]).1.contains("removed           0"));
    assert_eq!(run(&["release", &hash, "--why", "settled"]).0, 0);
    assert!(run(&["sweep", "--retain-days", "30", "--trial"]).1.contains("would go          1"));
    assert!(run(&["sweep", "--retain-days", "30"]).1.contains("removed           1"));
    assert_eq!(run(&["check"]).0, 0);
    let (path, _) = crate::store_shop::picture(&dir.path().join("content/sha256")).pop().unwrap();
    fs::write(path, b"\0rotten").unwrap();
    assert_eq!(run(&["check"]).0, 1);
}
