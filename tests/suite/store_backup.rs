//! Backups: taken while the store is in use, proved when they come back, refused when changed.

use std::{fs, sync::Arc};

use markwarden::store::{Store, StoreError, Write, backup, restore};

use crate::store_shop::{
    batch, clock, examine, furnished, hit_id, markwarden, new_hit, open, picture, reopened, small, wait, wrong,
};

#[test]
fn a_backup_taken_while_writing_comes_back_proved() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let acknowledged = furnished(dir.path());
    let store = Arc::new(open(dir.path(), &clock()));
    store.content().put("一页".repeat(900).as_bytes()).unwrap();
    fs::create_dir(dir.path().join("evidence")).unwrap();
    fs::write(dir.path().join("evidence/a.warc.gz"), b"record").unwrap();
    let (saved, fresh) = (spare.path().join("saved"), spare.path().join("fresh"));
    let report = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 100..140 {
                wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
            }
        });
        let report = backup(dir.path(), &saved, &mut |_, _| ()).unwrap();
        writing.join().unwrap();
        report
    });
    assert!(report.seq >= acknowledged.seq && report.counts.open >= acknowledged.open);
    assert_eq!(restore(&saved, &fresh, &small(), &mut |_, _| ()).unwrap(), report);
    let restored = reopened(&fresh).unwrap();
    assert_eq!(wait(restored.counts()).unwrap(), report.counts);
    assert_eq!(wait(restored.hit(hit_id(3))).unwrap(), wait(store.hit(hit_id(3))).unwrap());
    assert_eq!(fs::read(fresh.join("evidence/a.warc.gz")).unwrap(), b"record");
    drop(restored);
    assert!(wrong(&examine(&fresh)).is_empty());
    // Neither goes over something that is there.
    assert!(matches!(backup(dir.path(), &saved, &mut |_, _| ()), Err(StoreError::Refused(_))));
    assert!(matches!(restore(&saved, &fresh, &small(), &mut |_, _| ()), Err(StoreError::Refused(_))));
}

#[test]
fn a_backup_with_a_changed_file_is_not_restored() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let saved = spare.path().join("saved");
    backup(dir.path(), &saved, &mut |_, _| ()).unwrap();
    for (round, (path, bytes)) in picture(&saved).into_iter().enumerate() {
        let mut changed = bytes.clone();
        let at = fastrand::usize(..bytes.len());
        changed[at] ^= 0x20;
        let target = spare.path().join(round.to_string());
        fs::write(&path, &changed).unwrap();
        let result = restore(&saved, &target, &small(), &mut |_, _| ());
        // White space and letter case in the manifest are not all meaning; what is restored is still the whole.
        if let Err(error) = result {
            assert!(
                matches!(error, StoreError::Damaged { .. } | StoreError::Newer { .. } | StoreError::Io { .. }),
                "{error}"
            );
            assert!(!target.join("journal").exists() || reopened(&target).is_err(), "{path:?} byte {at}");
        } else {
            assert!(path.ends_with("manifest.json"), "{path:?} byte {at}");
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_manifest_that_leads_out_of_the_folder_is_refused() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let saved = spare.path().join("saved");
    backup(dir.path(), &saved, &mut |_, _| ()).unwrap();
    let manifest = fs::read_to_string(saved.join("manifest.json")).unwrap();
    for path in ["../escaped", "/tmp/escaped", "journal/../../escaped", "index/db", "FORMAT"] {
        fs::write(saved.join("manifest.json"), manifest.replacen("journal/00000001.seg", path, 1)).unwrap();
        let target = spare.path().join("target");
        assert!(
            matches!(restore(&saved, &target, &small(), &mut |_, _| ()), Err(StoreError::Damaged { .. })),
            "{path}"
        );
        assert!(!target.exists() && !spare.path().join("escaped").exists());
    }
}

#[test]
fn backup_and_restore_work_from_the_command_line() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counts = furnished(dir.path());
    let data = dir.path().to_str().unwrap();
    let (saved, fresh) = (spare.path().join("saved"), spare.path().join("fresh"));
    let (saved, fresh) = (saved.to_str().unwrap(), fresh.to_str().unwrap());
    let told = markwarden(&["backup", "--data", data, "--to", saved, "--format", "json"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let report: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(report["seq"], counts.seq);
    assert_eq!(markwarden(&["restore", "--from", saved, "--to", fresh]).status.code(), Some(0));
    assert_eq!(markwarden(&["restore", "--from", saved, "--to", fresh]).status.code(), Some(2));
    let nothing = spare.path().join("nothing");
    let told = markwarden(&["doctor", "--data", nothing.to_str().unwrap()]);
    assert_eq!(told.status.code(), Some(1));
    assert!(!nothing.exists());
}
