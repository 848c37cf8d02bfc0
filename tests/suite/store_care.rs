//! Caring for a store: journals that were tampered with, indexes that broke, the doctor, old and newer formats.

use std::{
    fs,
    path::{Path, PathBuf},
};

use markwarden::{
    model::Verdict,
    store::{Counts, Gravity, Outcome, Settings, SledStore, Store, StoreError, Write, rebuild_index},
};

use crate::store_shop::{
    account, batch, capture, claim, clock, decision, examine, furnished, hit_id, markwarden, new_hit, noon, open,
    picture, reopened, segments, small, wait, wrong,
};

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
fn an_index_of_another_journal_is_not_believed() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counts = furnished(dir.path());
    wait(open(other.path(), &clock()).apply(batch(vec![Write::Hit(new_hit(30))]))).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    fs::rename(other.path().join("index"), dir.path().join("index")).unwrap();
    assert_eq!(wait(reopened(dir.path()).unwrap().counts()).unwrap(), counts);
    assert!(dir.path().join("index.bad.1").exists());
}

/// Found by the simulator: a reopening that was sent twice took back the decision that had been made in between.
#[test]
fn a_decision_that_comes_late_and_again_takes_back_no_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), &clock);
    wait(store.apply(batch(vec![Write::Hit(new_hit(1))]))).unwrap();
    let reopening = decision(Verdict::Reopen, "lin", noon());
    for minute in 1..3 {
        clock.advance(jiff::SignedDuration::from_mins(1));
        let lease = wait(store.claim(&claim("lin", 1))).unwrap().remove(0);
        let made = decision(Verdict::Confirm, "lin", noon() + jiff::SignedDuration::from_mins(minute));
        assert_eq!(wait(store.complete(&lease.lease, made)).unwrap(), Outcome::Done);
        let expected = if minute == 1 { Outcome::Done } else { Outcome::Fenced };
        assert_eq!(wait(store.reopen(lease.hit.id, reopening.clone())).unwrap(), expected);
    }
    assert_eq!(wait(store.hit(hit_id(1))).unwrap().unwrap().decisions.len(), 3);
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
    assert_eq!(counts, expected);
    let hit = wait(store.hit(hit_id(5))).unwrap().unwrap();
    assert_eq!(hit.what.dedupe, format!("{:032x}", 4));
    assert_eq!(hit.what.findings[0].score, 0.9);
    // Leases outlive the process that gave them, and so do fences.
    let lease = wait(store.claim_one(hit_id(7), &account("wang"), claim("wang", 1).ttl)).unwrap().unwrap();
    assert_eq!(lease.lease.fence, 2);
}
