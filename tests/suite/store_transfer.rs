//! The whole store as lines of JSON: out, in, equal; and refused when a byte of it changed.

use std::{fs, path::Path, sync::Arc};

use markwarden::store::{MAX_BODY_BYTES, SledStore, Store, StoreError, TransferReport, Write, backup, export, import};

use crate::store_shop::{
    batch, clock, examine, furnished, hit_id, listing_write, markwarden, new_hit, open, reopened, small, wait, wrong,
};

fn exported(data: &Path) -> (Vec<u8>, TransferReport) {
    let mut lines = Vec::new();
    let report = export(data, &mut lines, &mut |_, _| ()).unwrap();
    (lines, report)
}

fn imported(lines: &[u8], to: &Path) -> Result<TransferReport, StoreError> {
    import(lines, to, &small(), &mut |_, _| ())
}

/// A store with groups of several acts, and with two bodies: one cited, one held; a third is neither.
fn with_bodies(dir: &Path) -> [String; 3] {
    furnished(dir);
    let store = Arc::new(open(dir, &clock()));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                for n in 0..10 {
                    wait(store.apply(batch(vec![listing_write(100 + worker * 10 + n)]))).unwrap();
                }
            });
        }
    });
    let bodies = ["引用的".repeat(500), "扣留的".repeat(500), "无人要的".repeat(500)]
        .map(|body| store.content().put(body.as_bytes()).unwrap());
    let mut cites = new_hit(90);
    cites.evidence = Some(bodies[0].clone());
    let hold = Write::Hold { sha256: bodies[1].clone(), hold: true, why: "案 7".into() };
    wait(store.apply(batch(vec![Write::Hit(cites), hold]))).unwrap();
    bodies
}

#[test]
fn an_export_comes_back_as_a_store_with_equal_hashes() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [cited, held, neither] = with_bodies(dir.path());
    let (lines, report) = exported(dir.path());
    assert_eq!((report.bodies, report.missing.len()), (2, 0));
    let fresh = spare.path().join("fresh");
    assert_eq!(imported(&lines, &fresh).unwrap(), report);
    // The same journal: an export of the new store is the same bytes, and a backup says the same hash.
    assert_eq!(exported(&fresh).0, lines);
    let saved = |data: &Path, name: &str| backup(data, &spare.path().join(name), &mut |_, _| ()).unwrap().hash;
    assert_eq!(saved(&fresh, "a"), saved(dir.path(), "b"));
    let (old, new) = (reopened(dir.path()).unwrap(), reopened(&fresh).unwrap());
    assert_eq!(wait(new.hit(hit_id(3))).unwrap(), wait(old.hit(hit_id(3))).unwrap());
    assert_eq!(wait(new.counts()).unwrap(), wait(old.counts()).unwrap());
    for (hash, there) in [(cited, true), (held, true), (neither, false)] {
        assert_eq!(new.content().get(&hash).unwrap().is_some(), there);
    }
    // It is a store like any other: it goes on.
    wait(new.apply(batch(vec![Write::Hit(new_hit(91))]))).unwrap();
    drop(new);
    assert!(wrong(&examine(&fresh)).is_empty());
    assert!(matches!(imported(&lines, &fresh), Err(StoreError::Refused(_))), "nothing goes over what is there");
}

#[test]
fn an_empty_store_goes_out_and_in() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(dir.path(), &clock()));
    let (lines, report) = exported(dir.path());
    assert_eq!(imported(&lines, &spare.path().join("fresh")).unwrap(), report);
    assert_eq!(lines.split(|&byte| byte == b'\n').count(), 3);
}

#[test]
fn an_export_taken_while_writing_is_whole() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let acknowledged = furnished(dir.path());
    let store = open(dir.path(), &clock());
    let (lines, report) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 100..160 {
                wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
            }
        });
        let taken = exported(dir.path());
        writing.join().unwrap();
        taken
    });
    assert!(report.seq >= acknowledged.seq);
    assert_eq!(imported(&lines, &spare.path().join("fresh")).unwrap().counts, report.counts);
}

#[test]
fn a_changed_cut_or_reordered_export_makes_no_store() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_bodies(dir.path());
    let (lines, _) = exported(dir.path());
    let rows: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').collect();
    for round in 0..160 {
        let changed = match round % 4 {
            0 | 1 => {
                let mut changed = lines.clone();
                let at = fastrand::usize(..changed.len());
                changed[at] ^= 1 << fastrand::u8(..7);
                changed
            }
            2 => lines[..fastrand::usize(..lines.len())].to_vec(),
            _ => {
                let mut rows = rows.clone();
                let at = fastrand::usize(..rows.len() - 1);
                if round % 8 == 3 {
                    rows.swap(at, at + 1);
                } else {
                    rows.remove(at);
                }
                rows.concat()
            }
        };
        let target = spare.path().join(round.to_string());
        let error = imported(&changed, &target).expect_err(&format!("round {round}"));
        let explained = matches!(error, StoreError::Damaged { .. } | StoreError::Newer { .. } | StoreError::Refused(_));
        assert!(explained && !target.join("FORMAT").exists(), "round {round}: {error}");
    }
    let more = [lines.as_slice(), b"{}\n"].concat();
    assert!(imported(&more, &spare.path().join("more")).unwrap_err().to_string().contains("stands behind"));
}

#[test]
fn a_newer_export_and_an_endless_line_are_refused_before_anything_is_made() {
    let spare = tempfile::tempdir().unwrap();
    let target = spare.path().join("fresh");
    let newer = br#"{"kind":"markwarden-export","format":2,"more":"fields"}
"#;
    assert!(matches!(imported(newer, &target), Err(StoreError::Newer { found: 2, .. })));
    let endless = vec![b'x'; MAX_BODY_BYTES * 2];
    assert!(imported(&endless, &target).unwrap_err().to_string().contains("bytes or more"));
    assert!(!target.exists());
}

#[test]
fn a_cited_body_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let [cited, ..] = with_bodies(dir.path());
    fs::remove_file(dir.path().join("content/sha256").join(&cited[..2]).join(&cited[2..4]).join(&cited)).unwrap();
    assert_eq!(exported(dir.path()).1.missing, [cited]);
}

#[test]
fn export_and_import_work_from_the_command_line() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let data = dir.path().to_str().unwrap();
    let (file, fresh) = (spare.path().join("all.jsonl"), spare.path().join("fresh"));
    let (file, fresh) = (file.to_str().unwrap(), fresh.to_str().unwrap());
    let told = markwarden(&["export", "--data", data, "--out", file, "--format", "json"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let piped = markwarden(&["export", "--data", data]);
    assert_eq!(piped.stdout, fs::read(file).unwrap());
    assert!(
        piped
            .stdout
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .all(|line| { serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.is_object()) })
    );
    assert_eq!(markwarden(&["export", "--data", data, "--out", file]).status.code(), Some(2));
    let back = markwarden(&["import", file, "--to", fresh, "--format", "json"]);
    assert_eq!(back.status.code(), Some(0), "{back:?}");
    assert_eq!(back.stdout, told.stdout);
    assert_eq!(markwarden(&["import", file, "--to", fresh]).status.code(), Some(2));
    drop(SledStore::open(Path::new(fresh), &small(), clock()).unwrap());
}
