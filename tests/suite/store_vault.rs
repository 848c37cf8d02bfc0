//! Vaults: many backups that share what they have in common, in a folder and in an S3-compatible store.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use markwarden::{
    model::{Clock, ManualClock, NewHit, Timestamp},
    store::{SledStore, Store, StoreError, Vault, VaultReport, Write},
};

use crate::store_shop::{
    batch, clock, examine, furnished, hit_id, markwarden, new_hit, noon, open, picture, reopened, small, wait, wrong,
};

fn take(vault: &Vault, data: &Path, clock: &dyn Clock) -> VaultReport {
    vault.backup(data, clock, &mut |_, _| ()).unwrap()
}

/// One more hit, and one more WARC file.
fn grow(data: &Path, n: u32) {
    let store = open(data, &clock());
    wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
    fs::create_dir_all(data.join("evidence")).unwrap();
    fs::write(data.join(format!("evidence/{n}.warc.gz")), format!("record {n}")).unwrap();
}

/// The hashes of a backup's files.
fn hashes(vault: &Path, id: &str) -> HashSet<String> {
    let manifest = fs::read(vault.join(format!("backups/{id}.json"))).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap().iter();
    files.map(|file| file["sha256"].as_str().unwrap().to_owned()).collect()
}

fn later(clock: &ManualClock) {
    clock.advance(jiff::SignedDuration::from_secs(3600));
}

#[test]
fn a_second_backup_sends_only_what_is_new_and_either_comes_back() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    grow(dir.path(), 100);
    let clock = ManualClock::new(noon());
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let first = take(&vault, dir.path(), &clock);
    assert_eq!(first.new_objects, first.backup.files, "no two files have the same bytes");
    assert_eq!(first.new_bytes, first.backup.bytes);
    later(&clock);
    let same = take(&vault, dir.path(), &clock);
    assert_eq!((same.new_objects, same.new_bytes), (0, 0));
    assert_eq!(same.backup, first.backup);
    later(&clock);
    grow(dir.path(), 101);
    let second = take(&vault, dir.path(), &clock);
    let (before, after) = (hashes(spare.path(), &first.id), hashes(spare.path(), &second.id));
    assert_eq!(second.new_objects, after.difference(&before).count() as u64);
    assert!(after.intersection(&before).count() >= 3, "full segments and the old WARC file are not sent again");
    assert!(second.new_bytes < second.backup.bytes);
    assert!(second.backup.seq > first.backup.seq);
    let ids: Vec<_> = vault.backups().unwrap();
    assert_eq!(ids.iter().map(ToString::to_string).collect::<Vec<_>>(), [&*first.id, &*same.id, &*second.id]);
    for (at, expected) in [(Some(ids[0]), &first), (Some(ids[2]), &second), (None, &second)] {
        let fresh = tempfile::tempdir().unwrap();
        let (id, report) = vault.restore(at, fresh.path(), &small(), &mut |_, _| ()).unwrap();
        assert_eq!((id.to_string(), &report), (expected.id.clone(), &expected.backup));
        let restored = reopened(fresh.path()).unwrap();
        assert_eq!(wait(restored.counts()).unwrap(), report.counts);
        assert!(wait(restored.hit(hit_id(3))).unwrap().is_some());
        drop(restored);
        assert_eq!(fresh.path().join("evidence/101.warc.gz").exists(), expected.id == second.id);
        assert!(wrong(&examine(fresh.path())).is_empty());
    }
}

#[test]
fn a_changed_or_missing_object_is_named() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    grow(dir.path(), 100);
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let report = take(&vault, dir.path(), &*clock());
    for (round, (path, bytes)) in picture(&spare.path().join("objects")).into_iter().enumerate() {
        let mut changed = bytes.clone();
        changed[fastrand::usize(..bytes.len())] ^= 1;
        let kinds = [Some(changed), Some(bytes[1..].to_vec()), Some([&bytes[..], b"x"].concat()), None];
        for (kind, broken) in kinds.into_iter().enumerate() {
            match broken {
                Some(broken) => fs::write(&path, broken).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let (_, _, flaws) = vault.verify(None, &mut |_, _| ()).unwrap();
            let [flaw] = flaws.as_slice() else { panic!("{flaws:?}") };
            assert!(path.ends_with(&flaw.object), "{flaw:?}");
            if kind != round % 4 {
                continue;
            }
            let fresh = tempfile::tempdir().unwrap();
            let error = vault.restore(None, fresh.path(), &small(), &mut |_, _| ()).unwrap_err();
            assert!(matches!(error, StoreError::Vault { .. }), "{error}");
            assert!(error.to_string().contains(&flaw.path) && error.to_string().contains(&flaw.object), "{error}");
            assert!(reopened(fresh.path()).is_err() || !fresh.path().join("journal").exists());
        }
        fs::write(&path, &bytes).unwrap();
    }
    let (_, whole, flaws) = vault.verify(None, &mut |_, _| ()).unwrap();
    assert_eq!((whole, flaws), (report.backup, vec![]));
}

#[test]
fn a_vault_in_a_folder_works_from_the_command_line() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counts = furnished(dir.path());
    let (data, fresh) = (dir.path().to_str().unwrap(), spare.path().join("fresh"));
    let vault = format!("vault:{}", spare.path().join("vault").display());
    let told = markwarden(&["backup", "--data", data, "--to", &vault, "--format", "json"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let report: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(report["seq"], counts.seq);
    assert_eq!(report["new_objects"], report["files"]);
    let id = report["id"].as_str().unwrap();
    let told = markwarden(&["backup", "list", "--from", &vault]);
    assert!(String::from_utf8_lossy(&told.stdout).starts_with(id), "{told:?}");
    assert_eq!(markwarden(&["backup", "verify", "--from", &vault]).status.code(), Some(0));
    let restore = ["restore", "--from", &vault, "--at", id, "--to", fresh.to_str().unwrap()];
    let told = markwarden(&restore);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(markwarden(&restore).status.code(), Some(2), "the folder is not empty any more");
}

#[test]
fn a_manifest_that_leads_out_of_the_folder_or_lies_is_refused() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let vault = Vault::in_folder(&spare.path().join("vault"), true).unwrap();
    let report = take(&vault, dir.path(), &*clock());
    let path = spare.path().join(format!("vault/backups/{}.json", report.id));
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let target = spare.path().join("target");
    let refused = |field: &str, value: serde_json::Value| {
        let mut hostile = manifest.clone();
        hostile["files"][0][field] = value.clone();
        fs::write(&path, hostile.to_string()).unwrap();
        let error = vault.restore(None, &target, &small(), &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{value}: {error}");
        assert!(vault.verify(None, &mut |_, _| ()).is_err(), "{value}");
        assert!(!target.exists() && !spare.path().join("escaped").exists(), "{value}");
    };
    for hostile in [
        "../escaped",
        "/tmp/escaped",
        "journal/../../escaped",
        "journal/..\\..\\escaped",
        "journal",
        "journalx/1",
        "ledger/key",
        "accounts.json",
        "index/db",
        "FORMAT",
        "",
    ] {
        refused("path", hostile.into());
    }
    for hostile in ["", "../../../../etc/passwd", &"A".repeat(64), &"0".repeat(63), &"星".repeat(32)] {
        refused("sha256", hostile.into());
    }
    refused("bytes", u64::MAX.into());
    refused("bytes", (-1).into());
    let mut endless = manifest.clone();
    endless["files"][0]["bytes"] = 1.into();
    fs::write(&path, endless.to_string()).unwrap();
    let (_, _, flaws) = vault.verify(None, &mut |_, _| ()).unwrap();
    assert!(flaws[0].what.contains("where the manifest says 1"), "{flaws:?}");
    let mut newer = manifest.clone();
    newer["format"] = 3.into();
    fs::write(&path, newer.to_string()).unwrap();
    let error = vault.restore(None, &target, &small(), &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 3, .. }), "{error}");
    // Two files of one name: the second is not written over the first.
    let mut twice = manifest.clone();
    twice["files"][1] = manifest["files"][0].clone();
    fs::write(&path, twice.to_string()).unwrap();
    assert!(vault.restore(None, &target, &small(), &mut |_, _| ()).is_err());
    assert!(reopened(&target).is_err());
}

#[test]
fn a_file_larger_than_any_manifest_is_not_read() {
    let spare = tempfile::tempdir().unwrap();
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let id = "20260315T120000.000Z-1";
    let file = fs::File::create(spare.path().join(format!("backups/{id}.json"))).unwrap();
    file.set_len(513 * 1024 * 1024).unwrap();
    let error = vault.verify(None, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains(id) && error.contains("has more than"), "{error}");
}

#[test]
fn every_body_that_a_backup_of_a_busy_store_cites_is_in_it() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let store = Arc::new(open(dir.path(), &clock()));
    let clock = ManualClock::new(noon());
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                (1000 * (writer + 1)..)
                    .take_while(|_| !done.load(Ordering::SeqCst))
                    .for_each(|n| cite_a_body(store, n));
            });
        }
        for _ in 0..4 {
            later(&clock);
            let acknowledged = wait(store.counts()).unwrap();
            let report = take(&vault, dir.path(), &clock);
            assert!(report.backup.seq >= acknowledged.seq);
        }
        done.store(true, Ordering::SeqCst);
    });
    let ids = vault.backups().unwrap();
    assert!(ids.windows(2).all(|pair| pair[0].seq <= pair[1].seq), "{ids:?}");
    for id in ids {
        let fresh = tempfile::tempdir().unwrap();
        vault.restore(Some(id), fresh.path(), &small(), &mut |_, _| ()).unwrap();
        assert_eq!(wrong(&examine(fresh.path())), Vec::<&str>::new(), "{id}");
    }
}

/// A hit that cites a body of its own, which is there before.
fn cite_a_body(store: &SledStore, n: u32) {
    let body = store.content().put(format!("第{n}款").as_bytes()).unwrap();
    let hit = NewHit { evidence: Some(body), ..new_hit(n) };
    wait(store.apply(batch(vec![Write::Hit(hit)]))).unwrap();
}

/// While it is asked for the time, the store takes in one more hit.
#[derive(Debug)]
struct Busy<'a>(&'a SledStore);

impl Clock for Busy<'_> {
    fn now(&self) -> Timestamp {
        cite_a_body(self.0, 100);
        noon()
    }
}

#[test]
fn a_body_that_comes_as_the_backup_begins_is_in_it_as_its_hit_is() {
    let (dir, spare, fresh) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counts = furnished(dir.path());
    let store = open(dir.path(), &clock());
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let report = take(&vault, dir.path(), &Busy(&store));
    assert_eq!(report.backup.counts.open, counts.open + 1, "acknowledged before the time of the backup");
    vault.restore(None, fresh.path(), &small(), &mut |_, _| ()).unwrap();
    assert_eq!(wrong(&examine(fresh.path())), Vec::<&str>::new());
}

#[test]
fn a_folder_that_is_something_else_is_no_vault_and_a_vault_is_no_plain_folder() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let data = dir.path().to_str().unwrap();
    let said = |arguments: &[&str]| {
        let output = markwarden(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    fs::write(spare.path().join("letter.txt"), "dear").unwrap();
    let other = format!("vault:{}", spare.path().display());
    assert!(said(&["backup", "--data", data, "--to", &other]).contains("not empty and no vault"));
    assert!(said(&["backup", "list", "--from", &other]).contains("there is no vault"));
    assert_eq!(fs::read_dir(spare.path()).unwrap().count(), 1);
    let plain = spare.path().join("v");
    let (plain, vault) = (plain.to_str().unwrap(), format!("vault:{}", plain.display()));
    assert_eq!(markwarden(&["backup", "--data", data, "--to", &vault]).status.code(), Some(0));
    let fresh = spare.path().join("fresh");
    let fresh = fresh.to_str().unwrap();
    assert!(said(&["restore", "--from", plain, "--to", fresh]).contains(&format!("name it as {vault}")));
    assert!(said(&["backup", "list", "--from", plain]).contains(&vault));
    assert!(said(&["restore", "--from", &vault, "--to", fresh, "--at", "yesterday"]).contains("names no backup"));
    let none = ["restore", "--from", &vault, "--to", fresh, "--at", "20260315T120000.000Z-1"];
    assert!(said(&none).contains("there is no backup 20260315T120000.000Z-1"));
    let told = said(&["backup", "--data", data, "--to", "s3://AKIDTEST:geheim@beifen/v"]);
    assert!(told.contains("must not hold a user name") && !told.contains("geheim"), "{told}");
    assert!(said(&["backup", "--data", data, "--to", "https://beifen/v"]).contains("s3://BUCKET/PREFIX"));
    assert!(said(&["backup"]).contains("--to"), "one of a command and a place is needed");
}

#[test]
fn two_backups_of_one_store_are_not_taken_at_the_same_time() {
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    let vault = Vault::in_folder(spare.path(), true).unwrap();
    let mut met = false;
    vault
        .backup(dir.path(), &*clock(), &mut |_, _| {
            let other = || {
                let other = Vault::in_folder(spare.path(), false).unwrap();
                other.backup(dir.path(), &*clock(), &mut |_, _| ()).unwrap_err()
            };
            let error = std::thread::scope(|scope| scope.spawn(other).join().unwrap());
            met |= matches!(error, StoreError::InUse { .. });
        })
        .unwrap();
    assert!(met);
    assert_eq!(vault.backups().unwrap().len(), 1);
    assert!(!dir.path().join(".backup/journal").exists(), "nothing is left of the journal's copy");
    assert_eq!(wrong(&examine(dir.path())), Vec::<&str>::new());
}
