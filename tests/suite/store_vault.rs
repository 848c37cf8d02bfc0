//! Vaults: many backups that share what they have in common, in a folder and in an S3-compatible store.

use std::{collections::HashSet, fs, path::Path};

use markwarden::{
    model::{Clock, ManualClock},
    store::{Store, StoreError, Vault, VaultReport, Write},
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
    for (path, bytes) in picture(&spare.path().join("objects")) {
        let mut changed = bytes.clone();
        changed[fastrand::usize(..bytes.len())] ^= 1;
        for broken in [Some(changed), Some(bytes[1..].to_vec()), Some([&bytes[..], b"x"].concat()), None] {
            match broken {
                Some(broken) => fs::write(&path, broken).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let (_, _, flaws) = vault.verify(None, &mut |_, _| ()).unwrap();
            let [flaw] = flaws.as_slice() else { panic!("{flaws:?}") };
            assert!(path.ends_with(&flaw.object), "{flaw:?}");
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
