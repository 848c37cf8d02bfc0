//! A campaign from outside: from a few words to a tried rule, live only when a person says so, with a report of its own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    campaign::Campaigns,
    crawl::Fetched,
    matcher::Settings as MatcherSettings,
    model::{Listing, ListingId, SystemClock},
    monitor::Monitor,
    rules::RuleSet,
    store::{Batch, Settings, SledStore, Store, Write},
};
use serde_json::{Value, json};

use crate::program::{Server, markwarden};

/// Longest wait for the server; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(place).env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)))
}

/// A listing that was captured on a day, of a seller.
fn listing(n: usize, title: &str, day: &str) -> Listing {
    serde_json::from_value(json!({
        "id": format!("p:{n}"), "platform": "p", "title": title, "category": "食品", "captured_at": format!("{day}T08:00:00Z"),
        "seller": {"id": format!("s{}", n % 2), "name": "山里人家"},
    }))
    .unwrap()
}

/// A rule folder without rules and a store of twelve listings, three with the words.
async fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("rules")).unwrap();
    let store = open(place.path());
    let titles = ["江里野鱼 现货", "江·里·野·鱼 特惠", "拒绝江里野鱼", "养殖草鱼", "海虾", "江里野鱼干"];
    let writes = (0..12).map(|n| {
        let listing = listing(n, titles[n % titles.len()], "2026-12-05");
        Write::Listing { id: ListingId::new(&listing.id).unwrap(), listing, capture: None }
    });
    store.apply(Batch { actor: "test".into(), writes: writes.collect() }).await.unwrap();
    place
}

fn open(place: &Path) -> SledStore {
    SledStore::open(&place.join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap()
}

const NEW: [&str; 14] = [
    "campaign",
    "new",
    "长江野鱼",
    "--words",
    "江里野鱼",
    "--sector",
    "food",
    "--from",
    "2026-12-01",
    "--to",
    "2026-12-31",
    "--cites",
    "yangtze-protection-law.fishing-ban",
    "--id",
];

fn new(place: &Path, id: &str, more: &[&str]) -> Output {
    run(place, &[&NEW[..], &[id], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_words_become_a_tried_draft_and_a_person_sets_it_live() {
    let place = place().await;
    let drafted = new(place.path(), "jiang", &["--format", "json"]);
    assert_eq!(drafted.status.code(), Some(0), "{}", said(&drafted));
    let report = json_of(&drafted);
    assert_eq!((&report["listings"], &report["of"], &report["set_aside"]), (&json!(6), &json!(12), &json!(2)));
    let rule = place.path().join("rules/campaign.jiang.toml");
    let file = place.path().join("rules/campaigns/jiang.toml");
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert!(text(&rule).contains("status = \"draft\"") && text(&file).contains("status = \"draft\""));
    assert!(said(&drafted).contains("stays a draft"), "nobody said that it goes live: {}", said(&drafted));
    assert_eq!(new(place.path(), "jiang", &[]).status.code(), Some(2), "it is there already");
    assert_eq!(new(place.path(), "other", &["--yes"]).status.code(), Some(2), "--yes without a name");

    let show = run(place.path(), &["campaign", "show", "jiang"]);
    assert!(said(&show).contains("tried on 12 listings"), "{}", said(&show));
    // What it finds is changed: what was tried is something else.
    let before = text(&rule);
    std::fs::write(&rule, before.replace("score = 50", "score = 60")).unwrap();
    let start = ["campaign", "start", "jiang", "--by", "Li Lan"];
    let untried = run(place.path(), &start);
    assert_eq!(untried.status.code(), Some(1), "{}", said(&untried));
    assert!(said(&untried).contains("rules backtest campaign.jiang --record"), "{}", said(&untried));
    assert!(text(&rule).contains("\"draft\"") && text(&file).contains("\"draft\""), "nothing was changed");
    std::fs::write(&rule, before).unwrap();
    let live = run(place.path(), &start);
    assert_eq!(live.status.code(), Some(0), "{}", said(&live));
    assert!(text(&rule).contains("status = \"active\"") && text(&file).contains("status = \"on\""));
    let listed = run(place.path(), &["campaign", "list", "--format", "json"]);
    assert_eq!(json_of(&listed)["status"], "on");

    let ended = run(place.path(), &["campaign", "end", "jiang", "--by", "Li Lan", "--why", "over"]);
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    assert!(text(&rule).contains("status = \"retired\"") && text(&file).contains("status = \"ended\""));
    assert_eq!(run(place.path(), &start).status.code(), Some(2), "an ended campaign does not start again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_makes_a_live_campaign_whose_findings_carry_its_id_and_whose_report_counts_them() {
    let place = place().await;
    let made = new(place.path(), "jiang", &["--yes", "--by", "Li Lan"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(said(&made).contains("is live"), "{}", said(&made));
    {
        let folder = place.path().join("rules");
        let set = Arc::new(RuleSet::read_folder(&folder).unwrap());
        let store: Arc<dyn Store> = Arc::new(open(place.path()));
        let campaigns = Campaigns::read_folder(&folder).unwrap();
        let monitor = Monitor::new(Arc::clone(&store), Arc::new(SystemClock), Some(set), MatcherSettings::default())
            .await
            .unwrap()
            .with_rulebook(folder, campaigns, Vec::new());
        for (n, day, hits) in
            [(100, "2026-12-05", 1), (101, "2026-12-31", 1), (102, "2026-11-30", 0), (103, "2027-01-01", 0)]
        {
            let listing = listing(n, "江里野鱼 现货", day);
            let page = Fetched { listing_id: ListingId::new(&listing.id).ok(), listing: Some(listing), ..fetched() };
            let seen = monitor.see(page).await.unwrap();
            assert_eq!(seen.new_hits, hits, "{day}");
            assert!(
                seen.findings
                    .findings
                    .iter()
                    .all(|found| found.campaign.as_deref() == Some("jiang") && found.version == Some(1))
            );
        }
    }
    let report = run(place.path(), &["campaign", "report", "jiang", "--form", "json"]);
    let report = json_of(&report);
    assert_eq!((&report["listings"], &report["hits"], &report["open"]), (&json!(14), &json!(2), &json!(2)));
    assert_eq!((&report["sellers"], &report["checked"]), (&json!(2), &Value::Null));
    let csv = run(place.path(), &["campaign", "report", "jiang", "--form", "csv"]);
    let lines: Vec<String> = String::from_utf8_lossy(&csv.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[1].starts_with("jiang,all,,14,2,2,0,0"), "{lines:?}");
    let text = run(place.path(), &["campaign", "report", "jiang"]);
    assert!(said(&text).contains("listings looked at   14"), "{}", said(&text));
    assert_eq!(run(place.path(), &["campaign", "report", "no-such"]).status.code(), Some(2));

    let command = &mut markwarden(place.path());
    let mut server = Server(command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.for_each(drop));
    let begun = Instant::now();
    while !place.path().join("data/server.json").exists() {
        assert!(begun.elapsed() < PATIENCE, "the server can be asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = json_of(&run(place.path(), &["campaign", "report", "jiang", "--form", "json"]));
    for part in ["listings", "hits", "open", "judged", "rules", "sellers", "most"] {
        assert_eq!(asked[part], report[part], "{part} of {asked}");
    }
    assert_eq!(asked["checked"], json!({"again": 0, "gone": 0}), "the server keeps what crawls saw");
}

fn fetched() -> Fetched {
    Fetched {
        profile: "p".into(),
        url: "https://p.example/1".into(),
        status: 200,
        listing: None,
        listing_id: None,
        others: Vec::new(),
        capture: None,
        record: Vec::new(),
    }
}
