//! Caring for a store: journals that were tampered with, indexes that broke, backups, the doctor, old formats.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use markwarden::{
    model::Verdict,
    store::{
        Ailment, Counts, Gravity, Outcome, Settings, SledStore, Store, StoreError, Write, backup, doctor,
        rebuild_index, restore,
    },
};

use crate::store_shop::{
    account, batch, capture, claim, clock, decision, hit_id, listing_write, mark, new_hit, noon, open, small, wait,
};

/// A store with a bit of everything, over several segments.
fn furnished(dir: &Path) -> Counts {
    let clock = clock();
    let store = open(dir, &clock);
    for n in 0..12 {
        let writes = vec![listing_write(n), Write::Hit(new_hit(n)), Write::Mark(mark(n, "云雀"))];
        wait(store.apply(batch(writes))).unwrap();
    }
    let leases = wait(store.claim(&claim("lin", 5))).unwrap();
    for lease in leases.iter().skip(1) {
        let decision = decision(Verdict::Confirm, "lin", noon());
        assert_eq!(wait(store.complete(&lease.lease, decision)).unwrap(), Outcome::Done);
    }
    wait(store.reopen(leases[1].hit.id, decision(Verdict::Reopen, "lin", noon()))).unwrap();
    wait(store.counts()).unwrap()
}

fn reopened(dir: &Path) -> Result<SledStore, StoreError> {
    SledStore::open(dir, &small(), clock())
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every file below `dir` with its bytes.
fn picture(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn examine(dir: &Path) -> Vec<Ailment> {
    doctor(dir, &small(), &mut |_, _| ()).unwrap()
}

fn wrong(ailments: &[Ailment]) -> Vec<&str> {
    ailments.iter().filter(|ailment| ailment.gravity > Gravity::Note).map(|ailment| ailment.what.as_str()).collect()
}

fn markwarden(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_markwarden")).args(arguments).output().unwrap()
}

/// Changes a journal in many ways. Each must be refused, or leave everything acknowledged in place; with the index beside it
/// that holds even where the newest records are wiped out.
#[test]
fn a_changed_journal_is_refused_or_has_lost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let counts = furnished(dir.path());
    let files = segments(dir.path());
    assert!(files.len() > 2, "the journal should have several segments");
    let mut refused = 0;
    for round in 0..400 {
        let path = &files[fastrand::usize(..files.len())];
        let whole = fs::read(path).unwrap();
        let used = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        let mut changed = whole.clone();
        let at = fastrand::usize(..used);
        match round % 8 {
            0..4 => changed[at] ^= 1 << fastrand::u8(..8),
            4 => changed.truncate(at),
            5 => changed[at..].fill(0),
            6 => {
                let end = (at + fastrand::usize(1..200)).min(used);
                changed[at..end].fill(fastrand::u8(..));
            }
            _ => changed[fastrand::usize(used..whole.len())..][0] = 7,
        }
        if changed == whole {
            continue;
        }
        fs::write(path, &changed).unwrap();
        match reopened(dir.path()) {
            Ok(store) => assert_eq!(wait(store.counts()).unwrap(), counts, "round {round}, byte {at} of {path:?}"),
            Err(StoreError::Damaged { .. } | StoreError::Newer { .. }) => {
                refused += 1;
                assert!(fs::read(path).unwrap() == changed, "a refused journal is left alone");
            }
            Err(other) => panic!("{other}"),
        }
        fs::write(path, &whole).unwrap();
    }
    assert!(refused > 250, "only {refused} refused");
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap(), counts);
}

#[test]
fn damage_in_the_middle_names_the_sequence_and_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let path = &segments(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[200] ^= 1;
    fs::write(path, bytes).unwrap();
    let said = reopened(dir.path()).unwrap_err().to_string();
    assert!(said.contains("00000001.seg: sequence 1: its payload") && said.contains("doctor"), "{said}");
    let ailments = examine(dir.path());
    assert!(ailments[0].gravity == Gravity::Error && ailments[0].advice.contains("backup"), "{ailments:?}");
}

#[test]
fn a_segment_that_is_gone_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let files = segments(dir.path());
    for path in [&files[0], &files[1], files.last().unwrap()] {
        let aside = dir.path().join("aside");
        fs::rename(path, &aside).unwrap();
        assert!(matches!(reopened(dir.path()), Err(StoreError::Damaged { .. })), "{path:?}");
        fs::rename(&aside, path).unwrap();
    }
    reopened(dir.path()).unwrap();
}

#[test]
fn an_unfinished_write_at_the_end_is_dropped_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let counts = furnished(dir.path());
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    // What one more act writes, torn so that its last sector is not there.
    wait(reopened(dir.path()).unwrap().apply(batch(vec![Write::Hit(new_hit(40))]))).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let last = segments(dir.path()).pop().unwrap();
    assert_eq!(last, path, "the act should lie in the same segment");
    let mut torn = fs::read(&path).unwrap();
    let sector = (used / 512 + 1) * 512;
    torn[sector..].fill(0);
    fs::write(&path, torn).unwrap();
    let store = reopened(dir.path()).unwrap();
    assert_eq!(wait(store.counts()).unwrap(), counts);
    let receipt = wait(store.apply(batch(vec![Write::Hit(new_hit(41))]))).unwrap();
    assert_eq!(receipt.seq, counts.seq + 1);
    drop(store);
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap().open, counts.open + 1);
}

#[test]
fn a_broken_index_is_set_aside_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let counts = furnished(dir.path());
    for round in 0..40 {
        let files: Vec<_> =
            picture(&dir.path().join("index")).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        let (path, mut bytes) = files[fastrand::usize(..files.len())].clone();
        let at = fastrand::usize(..bytes.len());
        match round % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at..].fill(0xA5),
            _ => drop(fs::remove_dir_all(dir.path().join("index"))),
        }
        if round % 3 < 2 {
            fs::write(path, bytes).unwrap();
        }
        let store = reopened(dir.path()).unwrap();
        assert_eq!(wait(store.counts()).unwrap(), counts, "round {round}");
        drop(store);
        assert_eq!(wrong(&examine(dir.path())), Vec::<&str>::new(), "round {round}");
    }
}

#[test]
fn an_index_of_another_journal_is_not_believed() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counts = furnished(dir.path());
    wait(open(other.path(), &clock()).apply(batch(vec![Write::Hit(new_hit(30))]))).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    fs::rename(other.path().join("index"), dir.path().join("index")).unwrap();
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap(), counts);
    assert!(dir.path().join("index.bad.1").exists());
}

#[test]
fn when_the_disk_says_no_nothing_is_acknowledged_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &clock());
    let mut acknowledged = 0;
    // Without its folder the journal cannot begin another segment.
    fs::rename(dir.path().join("journal"), dir.path().join("gone")).unwrap();
    let error = loop {
        match wait(store.apply(batch(vec![Write::Hit(new_hit(acknowledged))]))) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Stopped(_)), "{error}");
    assert!(matches!(wait(store.claim(&claim("lin", 1))), Err(StoreError::Stopped(_))));
    assert!(wait(store.hit(hit_id(1))).unwrap().is_some());
    assert_eq!(wait(store.counts()).unwrap().open, u64::from(acknowledged));
    drop(store);
    fs::rename(dir.path().join("gone"), dir.path().join("journal")).unwrap();
    let store = reopened(dir.path()).unwrap();
    assert_eq!(wait(store.counts()).unwrap().open, u64::from(acknowledged));
    wait(store.apply(batch(vec![Write::Hit(new_hit(acknowledged))]))).unwrap();
}

#[test]
fn what_cannot_be_read_back_or_is_too_large_is_refused_and_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &clock());
    let mut no_number = new_hit(1);
    no_number.findings[0].score = f64::NAN;
    let mut large = new_hit(2);
    large.listing.description = Some("长".repeat(6 * 1024 * 1024));
    let schedule = Write::Schedule { id: "x".repeat(513), next_due: noon() };
    for write in [Write::Hit(no_number), Write::Hit(large), schedule] {
        let result = wait(store.apply(batch(vec![Write::Hit(new_hit(3)), write])));
        assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    }
    assert_eq!(wait(store.counts()).unwrap(), Counts::default());
    let hosts = vec!["h".to_owned(); 10_001];
    assert!(matches!(wait(store.claim_hosts(&hosts, "w", claim("lin", 1).ttl)), Err(StoreError::Refused(_))));
    wait(store.apply(batch(vec![Write::Hit(new_hit(3))]))).unwrap();
}

#[test]
fn a_text_filter_reads_only_so_much_and_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { scan_limit: 4, ..small() };
    let store = SledStore::open(dir.path(), &settings, clock()).unwrap();
    wait(store.apply(batch((0..30).map(|n| Write::Hit(new_hit(n))).collect()))).unwrap();
    let filter = markwarden::store::Filter { text: Some("第7款".into()), ..Default::default() };
    let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = wait(store.page(&filter, cursor, 2)).unwrap();
        found.extend(page.rows);
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 1);
    assert!(pages >= 30 / 4, "{pages}");
}

#[test]
fn a_newer_store_is_refused_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let change = |path: &Path, at: usize, byte: u8| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] = byte;
        fs::write(path, bytes).unwrap();
    };
    // The folder's format, then a segment's.
    let cases = [(dir.path().join("FORMAT"), 9, b'9', b'1'), (segments(dir.path())[0].clone(), 8, 2, 1)];
    for (path, at, newer, now) in cases {
        change(&path, at, newer);
        let before = picture(dir.path());
        let error = reopened(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        let without_index = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
            files.into_iter().filter(|(path, _)| !path.starts_with(dir.path().join("index"))).collect()
        };
        assert_eq!(without_index(picture(dir.path())), without_index(before));
        change(&path, at, now);
    }
    reopened(dir.path()).unwrap();
}

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
fn the_doctor_changes_nothing_and_finds_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let before = picture(dir.path());
    assert_eq!(examine(dir.path()), vec![]);
    assert_eq!(picture(dir.path()), before);

    let store = open(dir.path(), &clock());
    assert!(examine(dir.path())[0].what.contains("in use"));
    let mut cites = new_hit(50);
    cites.evidence = Some(store.content().put(b"the record").unwrap());
    wait(store.apply(batch(vec![Write::Hit(cites.clone()), Write::Capture(capture(1))]))).unwrap();
    drop(store);
    assert_eq!(wrong(&examine(dir.path())).len(), 1, "the capture's record is missing");
    fs::create_dir(dir.path().join("evidence")).unwrap();
    fs::write(dir.path().join("evidence/a.warc.gz"), b"record").unwrap();
    assert!(wrong(&examine(dir.path())).is_empty());

    let hash = cites.evidence.unwrap();
    let body = dir.path().join("content/sha256").join(&hash[..2]).join(&hash[2..4]).join(&hash);
    let bytes = fs::read(&body).unwrap();
    fs::write(&body, b"\0another record").unwrap();
    assert!(wrong(&examine(dir.path()))[0].contains(&hash));
    fs::remove_file(&body).unwrap();
    assert!(wrong(&examine(dir.path()))[0].contains("is missing"));
    fs::write(&body, bytes).unwrap();

    fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(wrong(&examine(dir.path())), ["the index is missing"]);
    rebuild_index(dir.path(), &small()).unwrap();
    assert_eq!(examine(dir.path()), vec![]);
}

#[test]
fn the_doctor_mends_an_index_and_never_touches_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let counts = furnished(dir.path());
    let journal = picture(&dir.path().join("journal"));
    for file in picture(&dir.path().join("index")) {
        fs::write(&file.0, vec![0xFF; file.1.len()]).unwrap();
    }
    assert_eq!(markwarden(&["doctor", "--data", data]).status.code(), Some(1));
    let mended = markwarden(&["doctor", "--data", data, "--repair", "--format", "json"]);
    assert_eq!(mended.status.code(), Some(0), "{mended:?}");
    let note: serde_json::Value = serde_json::from_slice(&mended.stdout).unwrap();
    assert_eq!(note["gravity"], "note");
    assert_eq!(picture(&dir.path().join("journal")), journal);
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap(), counts);
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

/// The stored form of today stays readable: this folder was written by the first version of format 1.
#[test]
fn a_store_of_format_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store/format-1");
    for (path, bytes) in picture(&fixture) {
        let to = dir.path().join(path.strip_prefix(&fixture).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let later = clock();
    later.advance(jiff::SignedDuration::from_hours(1));
    let store = open(dir.path(), &later);
    let counts = wait(store.counts()).unwrap();
    let expected = Counts { listings: 12, captures: 0, marks: 12, open: 9, confirmed: 3, dismissed: 0, seq: 18 };
    assert_eq!(counts, expected);
    let hit = wait(store.hit(hit_id(5))).unwrap().unwrap();
    assert_eq!(hit.what.dedupe, format!("{:032x}", 4));
    assert_eq!(hit.what.findings[0].score, 0.9);
    // Leases outlive the process that gave them, and so do fences.
    let lease = wait(store.claim_one(hit_id(7), &account("wang"), claim("wang", 1).ttl)).unwrap().unwrap();
    assert_eq!(lease.lease.fence, 2);
}
