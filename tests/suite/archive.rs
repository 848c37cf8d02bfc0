//! The archive from outside: trials read it, keep it up, mend it, and end cleanly when they are stopped.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    model::{Listing, ListingId, SystemClock},
    store::{Batch, Settings, SledStore, Store, Write},
};
use serde_json::Value;

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

fn markwarden(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(place).env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments);
    command
}

fn run(place: &Path, arguments: &[&str]) -> Output {
    markwarden(place, arguments).output().unwrap()
}

fn reports(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn put(place: &Path, listings: impl IntoIterator<Item = (usize, String)>) {
    let store = SledStore::open(&place.join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
    let writes = listings.into_iter().map(|(n, title)| {
        let listing = Listing { id: n.to_string(), title, ..Listing::default() };
        Write::Listing { id: ListingId::new(&listing.id).unwrap(), listing, capture: None }
    });
    store.apply(Batch { actor: "test".into(), writes: writes.collect() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_of_one_rule_says_the_same_as_a_trial_of_all_and_survives_a_damaged_archive() {
    let place = tempfile::tempdir().unwrap();
    let titles = ["国家级 毛巾", "国·家·级 毛巾", "毛巾", "顶级 大米", "国家级非物质文化遗产 宣纸"];
    put(place.path(), (0..200).map(|n| (n, format!("{} {n}", titles[n % titles.len()])))).await;
    let all = reports(&run(place.path(), &["rules", "backtest", "--format", "json", "--samples", "0"]));
    let of_rule = |reports: &[Value]| reports.iter().find(|report| report["rule"] == "ad.absolute").unwrap().clone();
    let one = ["rules", "backtest", "ad.absolute", "--format", "json", "--samples", "0"];
    assert_eq!(reports(&run(place.path(), &one)), [of_rule(&all)]);
    assert_eq!(of_rule(&all)["of"], 200);
    let made = &reports(&run(place.path(), &["rules", "archive", "--format", "json"]))[0];
    assert_eq!((&made["listings"], &made["segments"]), (&200.into(), &1.into()));

    // A listing more, and a byte that is not what it was.
    put(place.path(), [(999, "国家级 枕头".to_owned())]).await;
    let grown = reports(&run(place.path(), &one));
    assert_eq!(grown[0]["listings"].as_u64(), of_rule(&all)["listings"].as_u64().map(|before| before + 1));
    let segment = std::fs::read_dir(place.path().join("data/archive"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 60;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let mended = run(place.path(), &one);
    assert!(
        String::from_utf8_lossy(&mended.stderr).contains("built anew"),
        "{}",
        String::from_utf8_lossy(&mended.stderr)
    );
    assert_eq!(reports(&mended), grown);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_trial_cleanly_and_a_partial_trial_lets_no_rule_go_live() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("rules");
    std::fs::create_dir(&folder).unwrap();
    let rule = include_str!("../../fixtures/rules/test.word.toml").replace("\"active\"", "\"shadow\"");
    std::fs::write(folder.join("test.word.toml"), &rule).unwrap();
    // Every listing is looked at, and is long enough for the person to be quicker.
    put(place.path(), (0..6000).map(|n| (n, format!("{n} {}", "琉璃塔 摆件 ".repeat(60))))).await;
    let mut trial = markwarden(place.path(), &["rules", "backtest", "test.word", "--record", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !place.path().join("data/archive/archive.json").exists() {
        assert!(begun.elapsed() < PATIENCE && trial.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &trial.id().to_string()]).status().unwrap().success());
    trial.wait().unwrap();
    let output = trial.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("of 6000 listings were looked at"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["partial"] == true && report["of"].as_u64().unwrap() < 6000, "{report}");
    let promoted = run(place.path(), &["rules", "promote", "test.word", "--by", "Li Lan"]);
    assert_eq!(promoted.status.code(), Some(1), "{}", String::from_utf8_lossy(&promoted.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_with_the_archive_tells_of_rules_that_never_hit() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("rules");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("test.word.toml"), include_str!("../../fixtures/rules/test.word.toml")).unwrap();
    put(place.path(), (0..1100).map(|n| (n, format!("毛巾 {n}")))).await;
    let checked = run(place.path(), &["rules", "check", "--archive", "--format", "json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let remark = &reports(&checked)[0];
    assert_eq!(
        (&remark["rule"], &remark["remark"], &remark["of"]),
        (&"test.word".into(), &"never-hits".into(), &1100.into())
    );
}

/// The fixture's rule, changed.
fn rule(place: &Path, folder: &str, id: &str, changes: &[(&str, &str)]) {
    let text = include_str!("../../fixtures/rules/test.word.toml").replace("test.word", id);
    let text = changes.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    std::fs::create_dir_all(place.join(folder)).unwrap();
    std::fs::write(place.join(folder).join(format!("{id}.toml")), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_knows_what_goods_of_a_mark_usually_cost() {
    let place = tempfile::tempdir().unwrap();
    let guard = "[clause.cheap]\nwhen = \"price < 0.3 * usual_price\"\n\n[review]";
    let changes = [("\"active\"", "\"draft\""), ("condition = \"word\"", "condition = \"word and cheap\"")];
    rule(place.path(), "rules", "test.cheap", &[&changes[..], &[("[review]", guard)]].concat());
    {
        let store = SledStore::open(&place.path().join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
        let mark = serde_json::json!({"id": "m1", "holder": "h", "text": "云雀", "usual_price": {"amount": "900.00", "currency": "CNY"}});
        let mut writes = vec![Write::Mark(serde_json::from_value(mark).unwrap())];
        for (n, (title, price)) in [
            ("琉璃塔 云雀 联名", "199.00"),
            ("琉璃塔 云·雀 联名", "99.00"),
            ("琉璃塔 云雀 联名", "299.00"),
            ("琉璃塔 无名", "9.00"),
        ]
        .into_iter()
        .enumerate()
        {
            let listing =
                serde_json::json!({"id": n.to_string(), "title": title, "price": {"amount": price, "currency": "CNY"}});
            let listing: Listing = serde_json::from_value(listing).unwrap();
            writes.push(Write::Listing { id: ListingId::new(&listing.id).unwrap(), listing, capture: None });
        }
        store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
    }
    let trial = ["rules", "backtest", "test.cheap", "--format", "json"];
    let report = &reports(&run(place.path(), &trial))[0];
    let found: Vec<&str> =
        report["samples"].as_array().unwrap().iter().map(|sample| sample["listing"].as_str().unwrap()).collect();
    assert_eq!((&report["of"], found), (&4.into(), vec!["0", "1"]));
    // The price changes, and the archive follows.
    {
        let store = SledStore::open(&place.path().join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
        let mark = serde_json::json!({"id": "m1", "holder": "h", "text": "云雀", "usual_price": {"amount": "500.00", "currency": "CNY"}});
        let writes = vec![Write::Mark(serde_json::from_value(mark).unwrap())];
        store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
    }
    assert_eq!(reports(&run(place.path(), &trial))[0]["listings"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_reads_only_listings_that_a_changed_rule_can_find_something_in() {
    let place = tempfile::tempdir().unwrap();
    put(place.path(), (0..400).map(|n| (n, format!("{} {n}", ["琉璃塔", "青瓷瓶", "毛巾", "景泰蓝"][n % 4])))).await;
    for folder in ["rules", "newer"] {
        rule(place.path(), folder, "test.same", &[("琉璃塔", "毛巾")]);
    }
    rule(place.path(), "rules", "test.word", &[]);
    rule(place.path(), "newer", "test.word", &[("琉璃塔", "青瓷瓶"), ("version = 1", "version = 2")]);
    let compared = run(place.path(), &["rules", "diff", "rules", "newer", "--samples", "1", "--format", "json"]);
    let words = String::from_utf8_lossy(&compared.stderr);
    assert_eq!(compared.status.code(), Some(1), "{words}");
    assert!(words.contains("400 listings, 1 rules that changed; 1 others are the same and were not run"), "{words}");
    let change: Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!((&change["rule"], &change["kept"]), (&"test.word".into(), &0.into()));
    assert_eq!((&change["gained"]["listings"], &change["lost"]["listings"]), (&100.into(), &100.into()));
    let same = run(place.path(), &["rules", "diff", "rules", "rules"]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stderr));
}
