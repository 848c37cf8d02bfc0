//! The server from outside: missed runs are made up for, and what was crawled can be proved.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    demo::{Market, Style},
    model::SystemClock,
    store::{Batch, Filter, Settings, SledStore, Store, Write},
};

use crate::program::markwarden;

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn terminate(child: &mut Child) -> Option<i32> {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    child.wait().unwrap().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_missed_is_made_up_for_once_and_its_evidence_verifies() {
    let market = Market::start().await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let profile = include_str!("../../fixtures/market/sites/jianpu.toml")
        .replace("{jianpu}", market.address(Style::Jianpu))
        .replace("[pace]", "schedule = { cron = \"0 3 * * *\" }\n\n[pace]");
    std::fs::create_dir(place.path().join("sites")).unwrap();
    std::fs::write(place.path().join("sites/jianpu.toml"), profile).unwrap();
    std::fs::write(place.path().join("marks.csv"), market.marks_csv()).unwrap();
    let imported = markwarden(place.path()).args(["marks", "import", "marks.csv"]).output().unwrap();
    assert!(imported.status.success(), "{}", text(&imported));

    let data = place.path().join("data");
    let missed = "2026-01-01T03:00:00+08:00".parse().unwrap();
    {
        let store = SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap();
        let write = Write::Schedule { id: "jianpu".into(), next_due: missed };
        store.apply(Batch { actor: "test".into(), writes: vec![write] }).await.unwrap();
    }

    let mut server =
        markwarden(place.path()).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    assert!(first.starts_with("the desk is at http://127.0.0.1:"), "{first}");
    let rest = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let begun = Instant::now();
    let listings = |market: &Market| market.log().iter().filter(|request| request.path.starts_with("/g/")).count();
    while listings(&market) < 60 {
        assert!(begun.elapsed() < PATIENCE, "{} listings were asked for", listings(&market));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(terminate(&mut server), Some(0));
    assert!(rest.join().unwrap().contains("/enter/"), "while there is no account, a first sign-in is printed");

    let store = SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap();
    let next = store.next_due("jianpu").await.unwrap().unwrap();
    assert!(next > jiff::Timestamp::now(), "the missed run was made up for once: {next}");
    let counts = store.counts().await.unwrap();
    assert!(counts.listings >= 50 && counts.open >= 10, "{counts:?}");
    let page = store.page(&Filter::default(), None, 1).await.unwrap();
    let cited = store.capture(page.rows[0].hit.what.capture.as_ref().unwrap()).await.unwrap().unwrap();
    drop(store);

    let queue = markwarden(place.path()).args(["queue", "--format", "json", "--limit", "5"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&queue.stdout).lines().count(), 5, "{}", text(&queue));
    let verified =
        markwarden(place.path()).args(["evidence", "verify", "data/evidence", "--data", "data"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    break_one_byte(&data.join("evidence").join(&cited.file), cited.offset + cited.length / 2);
    let broken = markwarden(place.path()).args(["evidence", "verify", "--data", "data"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken));
    assert!(text(&broken).contains("1 problems"), "{}", text(&broken));
    market.stop().await;
}

fn break_one_byte(file: &Path, at: u64) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at as usize] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// Asks for `path` of the server at `address`; the body.
fn get(address: &str, path: &str) -> String {
    use std::io::{Read, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What `/readyz` says of the rules once `wanted` holds.
fn rules_when(address: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        let ready: serde_json::Value = serde_json::from_str(&get(address, "/readyz")).unwrap();
        if wanted(&ready["rules"]) {
            return ready["rules"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{ready}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn changed_rules_are_taken_over_when_their_tests_hold_and_refused_otherwise() {
    let place = tempfile::tempdir().unwrap();
    let rules = place.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    let file = rules.join("test.word.toml");
    let good = include_str!("../../fixtures/rules/test.word.toml");
    std::fs::write(&file, good).unwrap();
    // The rules of a first start are trusted where the record of versions has them.
    assert!(markwarden(place.path()).args(["rules", "lock"]).output().unwrap().status.success());
    let mut server = markwarden(place.path())
        .args(["serve", "--no-crawl", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let address = first.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
    let rest = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>().join("\n"));

    let before = rules_when(&address, |rules| rules["active"] == 1);
    // A sentence that does not hold, then a file that cannot be read: the old set stays in use.
    std::fs::write(&file, good.replace("title = \"琉璃塔 摆件\"", "title = \"瓷瓶 摆件\"")).unwrap();
    let refused = rules_when(&address, |rules| !rules["refused_at"].is_null());
    assert_eq!(refused["hash"], before["hash"]);
    std::fs::write(&file, &good[..good.len() / 2]).unwrap();
    let broken = rules_when(&address, |rules| rules["refused_at"] != refused["refused_at"]);
    assert_eq!((&broken["hash"], &broken["active"]), (&before["hash"], &before["active"]));
    // Mended and retired to the shadow: taken over.
    std::fs::write(&file, good.replace("status = \"active\"", "status = \"shadow\"")).unwrap();
    let mended = rules_when(&address, |rules| rules["shadow"] == 1);
    assert!(mended["refused_at"].is_null() && mended["hash"] != before["hash"]);
    assert_eq!(mended["active"], 0);
    assert_eq!(terminate(&mut server), Some(0));
    let said = rest.join().unwrap();
    assert!(said.contains("changed rules are refused") && said.contains("瓷瓶"), "{said}");
}
