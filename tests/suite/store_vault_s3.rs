//! Vaults in a bucket: against an S3 store of someone else's making, from the command line where people are.

use std::{
    fs,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use markwarden::store::{Store, Write};
use reqwest::Method;

use crate::{
    moto::{BUCKET, Moto, SECRET_KEY, SESSION_TOKEN},
    store_shop::{batch, clock, examine, furnished, new_hit, open, picture, reopened, small, wait, wrong},
};

const VAULT: &str = "s3://beifen/markwarden/备份";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn report(output: &Output) -> serde_json::Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn grow(data: &Path, n: u32) {
    wait(open(data, &clock()).apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
    fs::create_dir_all(data.join("evidence")).unwrap();
    fs::write(data.join(format!("evidence/{n}.warc.gz")), format!("record {n}")).unwrap();
}

#[test]
fn backups_go_to_a_bucket_and_come_back_and_no_secret_is_printed() {
    let Some(moto) = Moto::start("backups in a bucket") else { return };
    let (dir, spare) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    grow(dir.path(), 100);
    let data = dir.path().to_str().unwrap();
    let mut said = String::new();
    let mut run = |arguments: &[&str]| {
        let output = moto.command(arguments).env("MARKWARDEN_LOG", "trace").output().unwrap();
        said.push_str(&text(&output));
        output
    };
    let backup = ["-vv", "backup", "--data", data, "--to", VAULT, "--format", "json"];
    let first = report(&run(&backup));
    assert_eq!(first["new_objects"], first["files"]);
    assert_eq!(moto.keys().len() as u64, first["files"].as_u64().unwrap() + 1, "the objects and the manifest");
    assert!(moto.keys().iter().all(|key| key.starts_with("markwarden/")), "{:?}", moto.keys());
    grow(dir.path(), 101);
    let second = report(&run(&backup));
    let new = second["new_objects"].as_u64().unwrap();
    assert!((2..=3).contains(&new), "the new WARC file, and one segment or two: {second}");
    assert_eq!(moto.keys().len() as u64, first["files"].as_u64().unwrap() + new + 2);
    let same = report(&run(&backup));
    assert_eq!((same["new_objects"].as_u64(), same["new_bytes"].as_u64()), (Some(0), Some(0)));
    let listed = run(&["-vv", "backup", "list", "--from", VAULT]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = listed.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(names, [&first, &second, &same].map(|report| report["id"].as_str().unwrap()));
    for (at, expected) in [(Some(names[0]), &first), (Some(names[1]), &second), (None, &same)] {
        let fresh = spare.path().join(at.unwrap_or("newest"));
        let mut restore = vec!["-vv", "restore", "--from", VAULT, "--to", fresh.to_str().unwrap(), "--format", "json"];
        restore.extend(at.map(|at| ["--at", at]).into_iter().flatten());
        let restored = report(&run(&restore));
        for field in ["files", "bytes", "seq", "hash", "counts", "manifest_sha256"] {
            assert_eq!(restored[field], expected[field], "{field}");
        }
        let doctor = run(&["doctor", "--data", fresh.to_str().unwrap()]);
        assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor));
    }
    assert_eq!(run(&["-vv", "backup", "verify", "--from", VAULT]).status.code(), Some(0));
    assert!(said.contains("put an object into the vault"), "the logs were on");
    assert!(!said.contains(SECRET_KEY) && !said.contains(SESSION_TOKEN));
}

#[test]
fn a_broken_bucket_is_told_by_the_object_and_mended_by_the_next_backup() {
    let Some(moto) = Moto::start("a broken bucket") else { return };
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    grow(dir.path(), 100);
    let data = dir.path().to_str().unwrap();
    let backup = ["backup", "--data", data, "--to", "s3://beifen/v", "--format", "json"];
    let first = report(&moto.run(&backup));
    let objects: Vec<String> = moto.keys().into_iter().filter(|key| key.starts_with("v/objects/")).collect();
    let verify = ["backup", "verify", "--from", "s3://beifen/v"];
    for (key, broken) in objects.iter().zip([Some("x"), None]) {
        match broken {
            Some(bytes) => moto.admin(Method::PUT, &format!("{BUCKET}/{key}"), bytes),
            None => moto.admin(Method::DELETE, &format!("{BUCKET}/{key}"), ""),
        };
        let told = moto.run(&verify);
        assert_eq!(told.status.code(), Some(1), "{}", text(&told));
        assert!(text(&told).contains(key) && text(&told).contains("1 of"), "{}", text(&told));
        let fresh = tempfile::tempdir().unwrap();
        let told = moto.run(&["restore", "--from", "s3://beifen/v", "--to", fresh.path().to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(2));
        assert!(text(&told).contains(key), "{}", text(&told));
        // Absent, or of another size than it must have: it is put there again.
        let mended = report(&moto.run(&backup));
        assert_eq!((mended["new_objects"].as_u64(), &mended["files"]), (Some(1), &first["files"]));
        assert_eq!(moto.run(&verify).status.code(), Some(0));
    }
    // Of the right size and with other bytes: only reading it shows that.
    let key = &objects[0];
    let mut bytes = moto.admin(Method::GET, &format!("{BUCKET}/{key}"), "");
    bytes[0] ^= 1;
    moto.admin(Method::PUT, &format!("{BUCKET}/{key}"), bytes);
    let told = moto.run(&verify);
    assert!(told.status.code() == Some(1) && text(&told).contains(key), "{}", text(&told));
}

#[test]
fn a_refusal_says_what_to_mend() {
    let Some(mut moto) = Moto::start("refusals") else { return };
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    let data = dir.path().to_str().unwrap();
    let all = |command: &mut Command, to: &str| {
        let output = command.args(["--to", to]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let told = text(&output);
        assert!(!told.contains("geheim") && !told.contains(SESSION_TOKEN), "{told}");
        told
    };
    let refused = |moto: &Moto, to: &str| all(&mut moto.command(&["-vv", "backup", "--data", data]), to);
    let told = refused(&moto, "s3://no-such-bucket/v");
    assert!(told.contains("there is no such bucket (NoSuchBucket)") && told.contains("AWS_REGION"), "{told}");
    let told = text(&moto.run(&["backup", "list", "--from", "s3://no-such-bucket/v"]));
    assert!(told.contains("no such bucket"), "{told}");
    let told = text(&moto.run(&["restore", "--from", "s3://beifen/empty", "--to", "nowhere"]));
    assert!(told.contains("it holds no backup") && !Path::new("nowhere").exists(), "{told}");
    let told =
        text(&moto.run(&["restore", "--from", "s3://beifen/v", "--to", "nowhere", "--at", "20260315T120000.000Z-1"]));
    assert!(told.contains("there is no backup 20260315T120000.000Z-1"), "{told}");
    let told = all(moto.command(&["backup", "--data", data]).env_remove("AWS_ACCESS_KEY_ID"), "s3://beifen/v");
    assert!(told.contains("AWS_ACCESS_KEY_ID is not set"), "{told}");
    let plain = "http://s3.example.com";
    let told = all(moto.command(&["backup", "--data", data]).env("AWS_ENDPOINT_URL", plain), "s3://beifen/v");
    assert!(told.contains("--allow-http"), "{told}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let told = all(moto.command(&["backup", "--data", data]).env("AWS_ENDPOINT_URL", nobody), "s3://beifen/v");
    assert!(told.contains("cannot be reached") && told.contains("AWS_ENDPOINT_URL"), "{told}");

    let allowed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":
        ["arn:aws:s3:::beifen","arn:aws:s3:::beifen/mine/*"]}]}"#;
    moto.guard(allowed);
    let without_token = |moto: &Moto, to: &str| {
        let mut command = moto.command(&["backup", "--data", data]);
        command.env_remove("AWS_SESSION_TOKEN").args(["--to", to]).output().unwrap()
    };
    let output = without_token(&moto, "s3://beifen/mine");
    assert_eq!(output.status.code(), Some(0), "the store checks the signature, and it is right: {}", text(&output));
    let told = text(&without_token(&moto, "s3://beifen/others"));
    assert!(told.contains("access is denied (AccessDenied)") && told.contains("Let this key"), "{told}");
    let (key_id, secret_key) = (moto.key_id.clone(), moto.secret_key.clone());
    moto.secret_key = "geheim/anders".into();
    let told = refused(&moto, "s3://beifen/mine");
    assert!(told.contains("credentials are not accepted") && told.contains("AWS_SECRET_ACCESS_KEY"), "{told}");
    assert!(!told.contains(&key_id), "{told}");
    (moto.key_id, moto.secret_key) = ("AKIDNOBODY0000000000".into(), secret_key);
    let told = refused(&moto, "s3://beifen/mine");
    assert!(told.contains("credentials are not accepted (InvalidAccessKeyId)"), "{told}");
}

/// Hands on what comes until `whole` objects were written, then takes the next one and says nothing.
fn interrupting_proxy(target: &str, whole: usize) -> (String, std::sync::mpsc::Receiver<()>) {
    let target = target.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let puts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (reached, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (puts, reached, server) = (Arc::clone(&puts), reached.clone(), TcpStream::connect(&target).unwrap());
            let (mut back, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut to_client)));
            std::thread::spawn(move || {
                let (mut client, mut server, mut bytes) = (client, server, vec![0; 64 * 1024]);
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    if bytes.starts_with(b"PUT ") && puts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= whole {
                        reached.send(()).unwrap();
                        // Hold the line until the client goes.
                        while client.read(&mut bytes).is_ok_and(|read| read > 0) {}
                        return;
                    }
                    if server.write_all(&bytes[..read]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, hear)
}

/// The keys of the bucket once nothing that was on its way arrives any more.
fn settled(moto: &Moto) -> Vec<String> {
    let mut keys = moto.keys();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let now = moto.keys();
        if now == keys {
            return keys;
        }
        keys = now;
    }
}

#[test]
fn an_interrupted_backup_is_not_listed_and_the_next_one_goes_on() {
    let Some(moto) = Moto::start("an interrupted backup") else { return };
    let dir = tempfile::tempdir().unwrap();
    furnished(dir.path());
    for n in 100..120 {
        grow(dir.path(), n);
    }
    let data = dir.path().to_str().unwrap();
    let backup = ["backup", "--data", data, "--to", "s3://beifen/v", "--format", "json"];
    let (proxy, reached) = interrupting_proxy(&moto.endpoint, 5);
    let mut child = moto.command(&backup).env("AWS_ENDPOINT_URL", proxy).spawn().unwrap();
    reached.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let there = settled(&moto);
    assert!(there.iter().all(|key| key.starts_with("v/objects/")), "{there:?}");
    let told = moto.run(&["backup", "list", "--from", "s3://beifen/v"]);
    assert!(told.stdout.is_empty() && text(&told).contains("no backup"), "{}", text(&told));
    // What the killed one kept of the journal is no hindrance.
    let next = report(&moto.run(&backup));
    let (new, files) = (next["new_objects"].as_u64().unwrap(), next["files"].as_u64().unwrap());
    assert_eq!(new, files - there.len() as u64, "{there:?}");
    assert_eq!(moto.run(&["backup", "verify", "--from", "s3://beifen/v"]).status.code(), Some(0));
}

#[test]
fn a_backup_of_a_busy_store_with_large_files_comes_back_from_a_bucket() {
    let Some(moto) = Moto::start("a busy store") else { return };
    let (dir, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnished(dir.path());
    fs::create_dir(dir.path().join("evidence")).unwrap();
    // In three parts, the last one short; and one that is a part to the byte.
    let noise: Vec<u8> = (0..17_000_001).map(|_| fastrand::u8(..)).collect();
    fs::write(dir.path().join("evidence/large.warc.gz"), &noise).unwrap();
    fs::write(dir.path().join("evidence/part.warc.gz"), &noise[..8 << 20]).unwrap();
    fs::write(dir.path().join("evidence/empty.warc.gz"), b"").unwrap();
    let store = Arc::new(open(dir.path(), &clock()));
    let vault = moto.vault("busy").unwrap();
    let report = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 100..200 {
                wait(store.apply(batch(vec![Write::Hit(new_hit(n))]))).unwrap();
            }
        });
        let report = vault.backup(dir.path(), &*clock(), &mut |_, _| ()).unwrap();
        writing.join().unwrap();
        report
    });
    let (_, restored) = vault.restore(None, fresh.path(), &small(), &mut |_, _| ()).unwrap();
    assert_eq!(restored, report.backup);
    assert_eq!(wait(reopened(fresh.path()).unwrap().counts()).unwrap(), restored.counts);
    assert!(wrong(&examine(fresh.path())).is_empty());
    let evidence = |dir: &Path| picture(&dir.join("evidence")).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>();
    assert!(evidence(fresh.path()) == evidence(dir.path()), "the evidence is the same");
}

#[test]
fn a_bucket_is_reached_over_https_where_the_certificate_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("certificate.pem"), dir.path().join("key.pem"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("MARKWARDEN_REQUIRE_MOTO").is_none(), "openssl makes no certificate");
        eprintln!("skipped: a bucket over https: openssl makes no certificate");
        return;
    }
    let Some(mut moto) = Moto::start_with("a bucket over https", &["-c", certificate, "-k", key]) else { return };
    moto.admin(Method::PUT, BUCKET, "");
    furnished(&dir.path().join("data"));
    let data = dir.path().join("data");
    let backup = ["backup", "--data", data.to_str().unwrap(), "--to", "s3://beifen/v", "--format", "json"];
    let told = text(&moto.run(&backup));
    assert!(told.contains("certificate is not trusted") && told.contains("SSL_CERT_FILE"), "{told}");
    moto.certificate = Some(certificate.to_owned());
    report(&moto.run(&backup));
    assert_eq!(moto.run(&["backup", "verify", "--from", "s3://beifen/v"]).status.code(), Some(0));
}
