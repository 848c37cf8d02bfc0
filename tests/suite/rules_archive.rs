//! Rules tried on listings that are known already, from the command line.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use markwarden::{
    marks::Register,
    matcher::{Matcher, Settings as MatcherSettings},
    model::{AccountName, Decision, Listing, ListingId, Reason, SystemClock, Verdict},
    monitor::{Learnt, hits},
    rules::RuleSet,
    store::{Batch, ClaimSpec, Filter, Order, Settings, SledStore, Store, Write},
};
use serde_json::Value;

const RULE: &str = include_str!("../../fixtures/rules/test.word.toml");

fn run(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(place).env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// A folder with the rule, a newer one that also looks for 琉璃盏 and no longer for the lamp, and six listings.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (folder, rule) in [
        ("rules", RULE.to_owned()),
        (
            "newer",
            RULE.replace("version = 1", "version = 2")
                .replace(
                    "words = [\"琉璃塔\"]",
                    "words = [\"琉璃塔\", \"琉璃盏\"]\n\n[clause.lamp]\ncover = true\nwords = [\"琉璃塔灯\"]",
                )
                .replace("琉璃塔 灯", "琉璃塔 瓶"),
        ),
    ] {
        std::fs::create_dir(place.path().join(folder)).unwrap();
        std::fs::write(place.path().join(folder).join("test.word.toml"), rule).unwrap();
    }
    let listings: String = titles()
        .iter()
        .enumerate()
        .map(|(at, title)| serde_json::json!({"id": at.to_string(), "title": title}).to_string() + "\n")
        .collect();
    std::fs::write(place.path().join("listings.jsonl"), listings).unwrap();
    place
}

fn titles() -> [&'static str; 6] {
    ["琉璃塔 摆件", "琉·璃·塔 模型", "琉璃盏 一对", "琉璃塔灯 客厅", "木塔 模型", "琉璃塔 琉璃塔"]
}

#[test]
fn a_backtest_counts_and_shows_what_a_rule_would_find() {
    let place = place();
    let output =
        run(place.path(), &["rules", "backtest", "test.word", "--listings", "listings.jsonl", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let [report] = &lines(&output)[..] else { panic!("{output:?}") };
    assert_eq!((&report["listings"], &report["findings"], &report["of"]), (&4.into(), &5.into(), &6.into()));
    assert_eq!(report["samples"].as_array().unwrap().len(), 3);
    assert!(report["precision"].is_null());
    let unknown = run(place.path(), &["rules", "backtest", "no.such", "--listings", "listings.jsonl"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_change_of_rules_shows_what_is_gained_and_lost() {
    let place = place();
    let output =
        run(place.path(), &["rules", "diff", "rules", "newer", "--listings", "listings.jsonl", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let [change] = &lines(&output)[..] else { panic!("{output:?}") };
    assert_eq!((&change["before"], &change["after"], &change["kept"]), (&1.into(), &2.into(), &3.into()));
    assert_eq!(change["gained"]["samples"][0]["listing"], "2");
    assert_eq!(change["lost"]["samples"][0]["listing"], "3");
    let same = run(place.path(), &["rules", "diff", "rules", "rules", "--listings", "listings.jsonl"]);
    assert_eq!(same.status.code(), Some(0));
}

/// Stores the listings and their hits, and decides two: the first confirmed, the second dismissed.
async fn archive(data: &Path, rules: &Path) {
    let store = SledStore::open(data, &Settings::default(), Arc::new(SystemClock)).unwrap();
    let set = Arc::new(RuleSet::read_folder(rules).unwrap());
    let matcher = Matcher::new(Arc::new(Register::default()), Some(set), MatcherSettings::default());
    let mut writes = Vec::new();
    for (at, title) in titles().iter().enumerate() {
        let listing = Listing { id: at.to_string(), title: (*title).to_owned(), ..Listing::default() };
        let id = ListingId::new(&listing.id).unwrap();
        let findings = matcher.check(&listing, "2026-11-26".parse().unwrap());
        let made_with = (matcher.version(), &Learnt::default());
        writes.extend(hits(&id, &listing, &findings, made_with, jiff::Timestamp::now()).into_iter().map(Write::Hit));
        writes.push(Write::Listing { id, listing, capture: None });
    }
    store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
    let worker = AccountName::new("lin").unwrap();
    for (verdict, reason) in [(Verdict::Confirm, Reason::FalseAdvertising), (Verdict::Dismiss, Reason::NominativeUse)] {
        let spec = ClaimSpec {
            worker: worker.clone(),
            filter: Filter::default(),
            order: Order::Oldest,
            max: 1,
            ttl: Duration::from_secs(60),
        };
        let lease = store.claim(&spec).await.unwrap().remove(0);
        let decision = Decision {
            verdict,
            reason,
            by: worker.clone(),
            at: jiff::Timestamp::now(),
            note: String::new(),
            looked_ms: 0,
            second: false,
            act: None,
            precedent: None,
        };
        store.complete(&lease.lease, decision).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_say_how_often_a_rule_was_right_and_a_result_is_noted() {
    let place = place();
    let data = place.path().join("data");
    archive(&data, &place.path().join("rules")).await;
    let output = run(place.path(), &["rules", "backtest", "--record", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let [report] = &lines(&output)[..] else { panic!("{output:?}") };
    assert_eq!((&report["judged"]["confirmed"], &report["judged"]["dismissed"]), (&1.into(), &1.into()));
    assert_eq!(report["precision"]["share"], 0.5);
    let noted = |name: &str| -> bool {
        let store = SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap();
        let mut found = false;
        store
            .records(1..=u64::MAX, &mut |record| {
                found |= String::from_utf8_lossy(record.bytes).contains(name);
                Ok(())
            })
            .unwrap();
        found
    };
    assert!(noted("rules.backtest") && !noted("rules.never"));
    let stats = run(place.path(), &["rules", "stats", "--format", "json"]);
    let [stats] = &lines(&stats)[..] else { panic!("{stats:?}") };
    assert_eq!((&stats["judged"]["confirmed"], &stats["shadow_listings"]), (&1.into(), &0.into()));
}
