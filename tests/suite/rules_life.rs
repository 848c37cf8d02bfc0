//! The life of a rule from outside: no rule goes live untried, and one that is right too seldom goes back to shadow.

use std::{
    io::{BufRead, BufReader, Read, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    campaign::Campaigns,
    matcher::Settings as MatcherSettings,
    model::{AccountName, Decision, Listing, ListingId, Reason, SystemClock, Timestamp, Verdict},
    monitor::{Gate, Monitor, Why, hits},
    rules::{Floor, RuleSet},
    store::{Batch, ClaimSpec, Filter, Order, Settings, SledStore, Store, Write},
};
use serde_json::{Value, json};

const RULE: &str = include_str!("../../fixtures/rules/test.word.toml");
/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(place).env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn file(place: &Path) -> std::path::PathBuf {
    place.join("rules/test.word.toml")
}

/// A folder with the rule in shadow, its record of versions, and a store with three listings.
async fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("rules")).unwrap();
    let rule = RULE.replace("status = \"active\"", "# tried since May\nstatus = \"shadow\"");
    std::fs::write(file(place.path()), rule).unwrap();
    assert!(run(place.path(), &["rules", "lock"]).status.success());
    let data = place.path().join("data");
    let store = SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap();
    let listing =
        |n: usize| Listing { id: n.to_string(), title: format!("琉璃塔 摆件 {n}"), ..Listing::default() };
    let writes = (0..3).map(|n| Write::Listing {
        id: ListingId::new(&n.to_string()).unwrap(),
        listing: listing(n),
        capture: None,
    });
    store.apply(Batch { actor: "test".into(), writes: writes.collect() }).await.unwrap();
    place
}

fn journal_has(place: &Path, text: &str) -> bool {
    let store = SledStore::open(&place.join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
    let mut found = false;
    store
        .records(1..=u64::MAX, &mut |record| {
            found |= String::from_utf8_lossy(record.bytes).contains(text);
            Ok(())
        })
        .unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_goes_live_only_after_its_very_version_was_tried() {
    let place = place().await;
    let promote = ["rules", "promote", "test.word", "--by", "Li Lan", "--why", "96 of 100"];
    let untried = run(place.path(), &promote);
    assert_eq!(untried.status.code(), Some(1), "{}", said(&untried));
    assert!(said(&untried).contains("markwarden rules backtest test.word --record"), "{}", said(&untried));
    assert!(said(&untried).contains("none of any version"), "{}", said(&untried));
    let tried = run(place.path(), &["rules", "backtest", "test.word", "--record"]);
    assert!(tried.status.success(), "{}", said(&tried));
    // What it finds is changed without a new version: that is not what was tried.
    let before = std::fs::read_to_string(file(place.path())).unwrap();
    std::fs::write(
        file(place.path()),
        before.replace("score = 50", "score = 60").replace("version = 1", "version = 2"),
    )
    .unwrap();
    let newer = run(place.path(), &promote);
    assert_eq!(newer.status.code(), Some(1));
    assert!(said(&newer).contains("the last one is of version 1"), "{}", said(&newer));
    std::fs::write(file(place.path()), &before).unwrap();
    let live = run(place.path(), &promote);
    assert_eq!(live.status.code(), Some(0), "{}", said(&live));
    assert_eq!(std::fs::read_to_string(file(place.path())).unwrap(), before.replace("\"shadow\"", "\"active\""));
    assert!(journal_has(place.path(), "rules.promoted") && journal_has(place.path(), "cli:Li Lan"));
    assert!(run(place.path(), &["rules", "check", "rules"]).status.success());
    let again = run(place.path(), &promote);
    assert!(said(&again).contains("active already"), "{}", said(&again));
    let retired = run(place.path(), &["rules", "retire", "test.word", "--by", "Li Lan"]);
    assert_eq!(retired.status.code(), Some(0), "{}", said(&retired));
    assert!(std::fs::read_to_string(file(place.path())).unwrap().contains("# tried since May\nstatus = \"retired\""));
    assert_eq!(run(place.path(), &["rules", "promote", "no.such", "--by", "x"]).status.code(), Some(2));
    assert_eq!(run(place.path(), &["rules", "promote", "test.word", "--by", " "]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_whose_sentences_do_not_hold_does_not_go_live() {
    let place = place().await;
    assert!(run(place.path(), &["rules", "backtest", "test.word", "--record"]).status.success());
    let before = std::fs::read_to_string(file(place.path())).unwrap();
    std::fs::write(file(place.path()), before.replace("title = \"琉璃塔 灯\"", "title = \"瓷瓶 灯\"")).unwrap();
    let failed = run(place.path(), &["rules", "promote", "test.word", "--by", "Li Lan"]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(said(&failed).contains("瓷瓶"), "{}", said(&failed));
    assert!(std::fs::read_to_string(file(place.path())).unwrap().contains("\"shadow\""));
}

/// Asks for `path` of the server at `address`; the body.
fn get(address: &str, path: &str) -> Value {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn rules_when(address: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let ready = get(address, "/readyz");
        if wanted(&ready["rules"]) {
            return ready["rules"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{ready}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn serve(place: &Path) -> (Child, String, std::thread::JoinHandle<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(place).env("NO_COLOR", "1").stdin(Stdio::null());
    let mut server =
        command.args(["serve", "--no-crawl", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
    (server, address, std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_holds_an_untried_rule_in_shadow_until_its_backtest_is_handed_over() {
    let place = place().await;
    let (mut server, address, rest) = serve(place.path());
    rules_when(&address, |rules| rules["shadow"] == 1);
    // Somebody turns it active by hand.
    let before = std::fs::read_to_string(file(place.path())).unwrap();
    std::fs::write(file(place.path()), before.replace("\"shadow\"", "\"active\"")).unwrap();
    let held = rules_when(&address, |rules| !rules["held"][0].is_null());
    assert_eq!((&held["active"], &held["shadow"]), (&json!(0), &json!(1)));
    assert_eq!((&held["held"][0]["rule"], &held["held"][0]["why"]), (&json!("test.word"), &json!("no-backtest")));
    // A trial on listings of a file is no trial on the archive, so it cannot be noted; this one is handed over.
    let handed = place.path().join("data/handed");
    std::fs::create_dir_all(&handed).unwrap();
    let edition = RuleSet::read_folder(&place.path().join("rules")).unwrap().edition("test.word").unwrap();
    let note = json!({"actor": "cli:Li Lan", "at": "2026-11-27T00:00:00Z", "notes": [{"what": "rules.backtest",
        "details": {"rule": "test.word", "version": edition.version, "logic": edition.logic, "of": 3, "listings": 3}}]});
    std::fs::write(handed.join("2.json"), "{").unwrap();
    std::fs::write(handed.join("1.json"), note.to_string()).unwrap();
    let live = rules_when(&address, |rules| rules["active"] == 1);
    assert!(live["held"].as_array().is_none_or(Vec::is_empty));
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let said = rest.join().unwrap();
    assert!(said.contains("held in shadow") && said.contains("--record"), "{said}");
    assert!(said.contains("what was handed over is refused"), "{said}");
    assert!(journal_has(place.path(), "cli:Li Lan"));
    assert!(!handed.join("1.json").exists() && handed.join("2.refused").exists());
}

/// A monitor over the store in `data`, as the server makes it.
async fn monitor(data: &Path, rules: &Path, store: &Arc<dyn Store>) -> Monitor {
    let mut set = RuleSet::read_folder(rules).unwrap();
    let gate = Gate::open(data.join("rules.json"), &**store, &set, true).await.unwrap();
    let held = gate.hold(&mut set);
    let floor = Floor { min_precision: 0.5, min_decisions: 10 };
    Monitor::new(Arc::clone(store), Arc::new(SystemClock), Some(Arc::new(set)), MatcherSettings::default())
        .await
        .unwrap()
        .with_rulebook(rules.to_owned(), Campaigns::default(), held)
        .with_gate(gate, floor)
}

/// Finds and decides `n` hits, from number `from`.
async fn decide(monitor: &Monitor, store: &Arc<dyn Store>, from: usize, n: usize, verdict: Verdict) {
    let worker = AccountName::new("li").unwrap();
    for number in from..from + n {
        let listing = Listing { id: number.to_string(), title: format!("琉璃塔 {number}"), ..Listing::default() };
        let found = monitor.matcher().check(&listing, "2026-11-27".parse().unwrap());
        let id = ListingId::new(&listing.id).unwrap();
        let made = hits(&id, &listing, &found, ("test", &monitor.learnt()), Timestamp::now());
        assert_eq!(made.len(), 1, "the rule is live");
        store.apply(Batch { actor: "test".into(), writes: made.into_iter().map(Write::Hit).collect() }).await.unwrap();
        let spec = ClaimSpec {
            worker: worker.clone(),
            filter: Filter::default(),
            order: Order::Oldest,
            max: 1,
            ttl: Duration::from_secs(60),
        };
        let lease = store.claim(&spec).await.unwrap().remove(0);
        let reason = Reason::for_verdict(verdict)[0];
        let (by, at, note) = (worker.clone(), Timestamp::now(), String::new());
        store
            .complete(
                &lease.lease,
                Decision { verdict, reason, by, at, note, looked_ms: 0, second: false, act: None, precedent: None },
            )
            .await
            .unwrap();
    }
}

async fn look(monitor: &Monitor) -> usize {
    monitor.learn().await.unwrap();
    let sent_back = monitor.hold_to_floor().await.unwrap();
    monitor.follow_rules().await.unwrap();
    monitor.reload_rules();
    sent_back
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_reviewers_keep_dismissing_goes_back_to_shadow_and_stays_there_until_it_is_lifted() {
    let place = tempfile::tempdir().unwrap();
    let (rules, data) = (place.path().join("rules"), place.path().join("data"));
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("test.word.toml"), RULE).unwrap();
    let open =
        || -> Arc<dyn Store> { Arc::new(SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap()) };
    let store = open();
    let here = monitor(&data, &rules, &store).await;
    decide(&here, &store, 0, 9, Verdict::Dismiss).await;
    assert_eq!(look(&here).await, 0, "nine decisions are not enough");
    decide(&here, &store, 9, 3, Verdict::Dismiss).await;
    assert_eq!(look(&here).await, 1);
    let state = here.rules_state().unwrap();
    assert_eq!((state.active, state.shadow, state.held.len()), (0, 1, 1));
    assert!(matches!(state.held[0].why, Why::BelowFloor { confirmed: 0, dismissed: 12, .. }), "{:?}", state.held);
    assert!(state.held[0].told().iter().all(|words| words.contains("test.word") && words.contains("12")));
    assert_eq!(store.counts().await.unwrap().dismissed, 12, "no hit is deleted");
    assert_eq!(look(&here).await, 0, "it is said once");
    here.save_gate().unwrap();
    drop((here, store));

    // After a restart, with the file of what is known and without it, it is still so.
    for keep in [true, false] {
        if !keep {
            std::fs::remove_file(data.join("rules.json")).unwrap();
        }
        let store = open();
        let here = monitor(&data, &rules, &store).await;
        assert_eq!(here.rules_state().unwrap().held.len(), 1, "kept: {keep}");
    }

    // A person lifts it: what was decided before counts no more, what comes after does.
    let (rules_text, data_text) = (rules.display().to_string(), data.display().to_string());
    let shown = ["--rules", &rules_text, "--data", &data_text];
    let untried = run(place.path(), &[&["rules", "promote", "test.word", "--by", "Li Lan"], &shown[..]].concat());
    assert_eq!(untried.status.code(), Some(1), "it was never tried: {}", said(&untried));
    let record = ["rules", "backtest", "test.word", "--record"];
    assert!(run(place.path(), &[&record, &shown[..]].concat()).status.success());
    let lifted = run(place.path(), &[&["rules", "promote", "test.word", "--by", "Li Lan"], &shown[..]].concat());
    assert_eq!(lifted.status.code(), Some(0), "{}", said(&lifted));
    let store = open();
    let here = monitor(&data, &rules, &store).await;
    assert_eq!((look(&here).await, here.rules_state().unwrap().active), (0, 1));
    decide(&here, &store, 100, 10, Verdict::Dismiss).await;
    assert_eq!(look(&here).await, 1, "ten more dismissals send it back again");
    assert_eq!(here.rules_state().unwrap().active, 0);

    // A newer version that was tried is another rule.
    let newer = RULE.replace("version = 1", "version = 2").replace("score = 50", "score = 55");
    std::fs::write(rules.join("test.word.toml"), newer).unwrap();
    here.reload_rules();
    let state = here.rules_state().unwrap();
    assert!(matches!(state.held[..], [ref held] if held.why == Why::NoBacktest && held.version == 2), "{state:?}");
}
