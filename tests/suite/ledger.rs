//! The ledger: checkpoints over the journal, what they notice, and stamps by an authority.

use std::{
    fs,
    io::{Read, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
};

use markwarden::{
    evidence::{
        Checkpoint, EvidenceError, Http, Ledger, Options, Proof, PublicKey, Signed, Source, WarcWriter, make_bundle,
        verify_bundle, verify_consistency,
    },
    model::{HitId, NewHit, Verdict},
    store::{Store, Write},
};
use tempfile::TempDir;

use super::store_shop::{
    account, batch, clock, decision, furnished, listing_write, markwarden, new_hit, noon, open, wait,
};

fn checkpoint(dir: &Path) -> Result<Signed, EvidenceError> {
    let store = open(dir, &clock());
    wait(Ledger::open(dir)?.checkpoint(&store))
}

fn record(dir: &Path, numbers: std::ops::Range<u32>) {
    let store = open(dir, &clock());
    for n in numbers {
        wait(store.apply(batch(vec![listing_write(n), Write::Hit(new_hit(n))]))).unwrap();
    }
}

#[test]
fn every_record_is_proven_against_a_checkpoint_with_the_public_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let signed = checkpoint(dir.path()).unwrap();
    let store = open(dir.path(), &clock());
    let ledger = Ledger::open(dir.path()).unwrap();
    let key: PublicKey = ledger.public_key().to_string().parse().unwrap();
    let mut records = Vec::new();
    store
        .records(1..=signed.checkpoint.size, &mut |record| {
            records.push((record.seq, record.hash));
            Ok(())
        })
        .unwrap();
    assert_eq!(records.len() as u64, signed.checkpoint.size);
    for (seq, hash) in records {
        let proof = Proof::read(&ledger.prove(seq, &signed).unwrap().text()).unwrap();
        assert_eq!(proof.verify(&hash, &key).unwrap(), signed.checkpoint);
        assert!(proof.verify(&[0; 32], &key).is_err());
    }
    assert!(ledger.prove(0, &signed).is_err() && ledger.prove(signed.checkpoint.size + 1, &signed).is_err());
}

#[test]
fn a_later_checkpoint_is_proven_to_contain_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..5);
    let old = checkpoint(dir.path()).unwrap();
    assert_eq!(checkpoint(dir.path()).unwrap(), old, "nothing was recorded meanwhile");
    record(dir.path(), 5..11);
    let new = checkpoint(dir.path()).unwrap();
    assert!(new.checkpoint.size > old.checkpoint.size);
    let ledger = Ledger::open(dir.path()).unwrap();
    let path = ledger.prove_growth(old.checkpoint.size, new.checkpoint.size).unwrap();
    let head = |signed: &'_ Signed| (signed.checkpoint.size, signed.checkpoint.root);
    let ((old_size, old_root), (new_size, new_root)) = (head(&old), head(&new));
    assert!(verify_consistency((old_size, &old_root), (new_size, &new_root), &path));
    assert!(!verify_consistency((old_size, &new_root), (new_size, &new_root), &path));
    assert!(ledger.prove_growth(new_size, old_size).is_err());
    assert_eq!(ledger.covering(old_size).unwrap(), Some(old));
    assert_eq!(ledger.covering(old_size + 1).unwrap(), Some(new));
}

#[test]
fn wiping_the_newest_records_together_with_the_index_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..3);
    let before = Pictured::of(dir.path());
    record(dir.path(), 3..6);
    checkpoint(dir.path()).unwrap();
    before.bring_back(dir.path());
    let error = checkpoint(dir.path()).unwrap_err();
    assert!(matches!(error, EvidenceError::Rewritten { .. }), "{error}");
    record(dir.path(), 10..20);
    let error = checkpoint(dir.path()).unwrap_err();
    assert!(matches!(error, EvidenceError::Rewritten { .. }), "other records do not stand in for them: {error}");
}

#[test]
fn a_damaged_tree_is_built_again_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..7);
    checkpoint(dir.path()).unwrap();
    record(dir.path(), 7..9);
    let path = dir.path().join("ledger/tree");
    let whole = fs::read(&path).unwrap();
    // The three subtrees of the root over seven records.
    for at in [6 * 32, 9 * 32 + 5, 10 * 32 + 31] {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        fs::write(&path, broken).unwrap();
        checkpoint(dir.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap()[..whole.len()], whole, "byte {at}");
    }
    let mut broken = fs::read(&path).unwrap();
    broken[0] ^= 1;
    fs::write(&path, broken).unwrap();
    let signed = checkpoint(dir.path()).unwrap();
    let error = Ledger::open(dir.path()).unwrap().prove(2, &signed).unwrap_err();
    assert!(error.to_string().contains("remove it"), "{error}");
    fs::remove_file(&path).unwrap();
    checkpoint(dir.path()).unwrap();
    assert!(fs::read(&path).unwrap().starts_with(&whole));
}

#[test]
fn the_commands_print_a_checkpoint_that_the_printed_key_opens() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..2);
    let data = dir.path().to_str().unwrap();
    let told = |arguments: &[&str]| {
        let output = markwarden(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let note = told(&["evidence", "checkpoint", "--data", data]);
    let key: PublicKey = told(&["evidence", "key", "--data", data]).parse().unwrap();
    assert_eq!(Checkpoint::open(&note, &key).unwrap().size, 2);
}

/// A decided hit with its capture, in a store of its own; its number.
pub fn decided_hit(dir: &Path) -> u64 {
    let options = Options {
        folder: dir.join("evidence"),
        max_bytes: 1 << 20,
        software: "markwarden test".into(),
        name: markwarden::evidence::CRAWLED,
    };
    let writer = WarcWriter::open(options, clock()).unwrap();
    let http = Http {
        url: "http://shop.example/p/1",
        request_head: b"GET /p/1 HTTP/1.1\r\nhost: shop.example\r\n\r\n",
        response_head: b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n",
        body: "<h1>云雀 跑鞋</h1>".as_bytes(),
        remote: None,
        protocol: None,
        at: noon(),
    };
    let capture = wait(writer.write(&http, 200, noon())).unwrap().capture;
    let store = open(dir, &clock());
    let hit = NewHit { capture: Some(capture.id.clone()), ..new_hit(0) };
    wait(store.apply(batch(vec![Write::Capture(capture), Write::Hit(new_hit(1)), Write::Hit(hit)]))).unwrap();
    let lease = wait(store.claim_one(HitId(2), &account("lin"), std::time::Duration::from_secs(60))).unwrap().unwrap();
    wait(store.complete(&lease.lease, decision(Verdict::Confirm, "lin", noon()))).unwrap();
    2
}

pub fn bundle(dir: &Path, hit: u64) -> Result<(Vec<u8>, PublicKey), EvidenceError> {
    let store = open(dir, &clock());
    let mut ledger = Ledger::open(dir)?;
    let key = ledger.public_key().clone();
    let source = Source { store: &store, ledger: &mut ledger, captures: &dir.join("evidence") };
    Ok((wait(make_bundle(source, HitId(hit)))?, key))
}

#[test]
fn a_bundle_proves_a_hit_its_decision_and_its_capture_to_whoever_has_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let hit = decided_hit(dir.path());
    let (bytes, key) = bundle(dir.path(), hit).unwrap();
    let report = verify_bundle(&bytes, &key).unwrap();
    assert_eq!((report.hit.0, report.records, report.capture, report.stamped_at), (hit, 2, true, None));
    record(dir.path(), 5..9);
    checkpoint(dir.path()).unwrap();
    assert!(bundle(dir.path(), hit).unwrap().0 == bytes, "the same bytes, whatever came later");
    let stranger = tempfile::tempdir().unwrap();
    assert!(verify_bundle(&bytes, Ledger::open(stranger.path()).unwrap().public_key()).is_err());
    assert!(bundle(dir.path(), 99).is_err());
    let warc = fs::read_dir(dir.path().join("evidence")).unwrap().map(|entry| entry.unwrap().path());
    let warc = warc.into_iter().find(|path| path.to_string_lossy().ends_with(".gz")).unwrap();
    let mut changed = fs::read(&warc).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&warc, changed).unwrap();
    assert!(bundle(dir.path(), hit).is_err(), "a capture that changed is not bundled");
}

#[test]
fn the_commands_write_a_bundle_and_verify_it() {
    let dir = tempfile::tempdir().unwrap();
    let hit = decided_hit(dir.path()).to_string();
    let data = dir.path().to_str().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (out, key) = (place("hit.tar"), place("key.pub"));
    fs::write(&key, markwarden(&["evidence", "key", "--data", data]).stdout).unwrap();
    let make = || markwarden(&["evidence", "bundle", &hit, "--data", data, "--out", &out]).status.code();
    assert_eq!((make(), make()), (Some(0), Some(2)), "a file that is there is not overwritten");
    let verify = || markwarden(&["evidence", "verify", &out, "--key", &key]).status.code();
    assert_eq!(verify(), Some(0));
    let mut changed = fs::read(&out).unwrap();
    changed[700] ^= 1;
    fs::write(&out, changed).unwrap();
    assert_eq!(verify(), Some(1));
}

#[test]
fn an_authority_stamps_a_checkpoint_and_openssl_accepts_it() {
    let Some(authority) = Authority::new() else {
        println!("skipped: `openssl` is absent; tests/run installs it");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..3);
    let signed = checkpoint(dir.path()).unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    let url = authority.serve(1);
    let stamp = wait(ledger.stamp(&signed, &url)).unwrap();
    assert!(stamp.at.starts_with("20") && stamp.at.ends_with('Z'), "{}", stamp.at);
    assert_eq!(wait(ledger.stamp(&signed, &url)).unwrap().at, stamp.at, "a stamped checkpoint is not stamped again");
    let answer = ledger.stamp_of(&signed).unwrap().unwrap();
    authority.accepts(signed.note.as_bytes(), &answer);
    assert!(markwarden::evidence::Stamp::read(&answer, b"something else").is_err());
}

#[test]
fn an_answer_that_is_no_stamp_or_too_long_leaves_the_checkpoint_without_one() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..1);
    let signed = checkpoint(dir.path()).unwrap();
    let ledger = Ledger::open(dir.path()).unwrap();
    for (answer, said) in [(vec![0x30, 0x05, 0x30, 0x03, 2, 1, 2], "refused"), (vec![0; 300_000], "more than")] {
        let url = serve(1, move |_| answer.clone());
        let error = wait(ledger.stamp(&signed, &url)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(ledger.stamp_of(&signed).unwrap(), None);
}

/// The journal and index as they were.
struct Pictured(Vec<(std::path::PathBuf, Vec<u8>)>);

impl Pictured {
    fn of(dir: &Path) -> Self {
        Self(super::store_shop::picture(dir))
    }

    fn bring_back(&self, dir: &Path) {
        for part in ["journal", "index"] {
            fs::remove_dir_all(dir.join(part)).unwrap();
        }
        for (path, bytes) in &self.0 {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// A time stamp authority of `openssl ts`.
struct Authority(TempDir);

impl Authority {
    fn new() -> Option<Self> {
        Command::new("openssl").arg("version").output().ok()?;
        let authority = Self(tempfile::tempdir().unwrap());
        let config = "[req]\ndistinguished_name=dn\nx509_extensions=ca\nprompt=no\n[dn]\nCN=Test authority\n[ca]\n\
                      basicConstraints=critical,CA:true\nextendedKeyUsage=critical,timeStamping\n\
                      [tsa]\ndefault_tsa=one\n[one]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4\n\
                      digests=sha256\nsigner_cert=cert.pem\nsigner_key=key.pem\n";
        authority.write("ts.cnf", config.as_bytes());
        authority.write("serial", b"01\n");
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config ts.cnf -keyout key.pem -out cert.pem",
        );
        Some(authority)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output().unwrap();
        let said = [output.stderr.clone(), output.stdout.clone()].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "openssl {arguments}: {said}");
        said
    }

    /// Answers `count` requests on loopback.
    fn serve(&self, count: usize) -> String {
        let folder = self.0.path().to_owned();
        serve(count, move |query| {
            fs::write(folder.join("query"), query).unwrap();
            let reply = "ts -reply -config ts.cnf -section one -queryfile query -out reply".split(' ');
            assert!(Command::new("openssl").args(reply).current_dir(&folder).output().unwrap().status.success());
            fs::read(folder.join("reply")).unwrap()
        })
    }

    fn accepts(&self, data: &[u8], answer: &[u8]) {
        self.write("data", data);
        self.write("answer", answer);
        assert!(self.openssl("ts -verify -data data -in answer -CAfile cert.pem").contains("Verification: OK"));
    }
}

/// A server that answers `count` posts.
fn serve(count: usize, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for _ in 0..count {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let body = loop {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
                let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if request.len() >= head + 4 + length.parse::<usize>().unwrap() {
                    break request[head + 4..].to_vec();
                }
            };
            let body = answer(&body);
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            // A client that has read enough may hang up.
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    });
    url
}
