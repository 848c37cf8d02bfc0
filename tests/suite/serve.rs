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

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

fn markwarden(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

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
