//! A marketplace that changes its markup while it is crawled: the alarm, the proposal, the replay, and a running server that goes
//! on with the mended profile.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use markwarden::{
    model::SystemClock,
    store::{Batch, Settings, SledStore, Store, Write},
};

use crate::{
    program::{Server, markwarden, said},
    shop::{Reply, Shop},
};

/// Longest wait for anything; crossing it is a failure, not a measurement. A schedule comes every minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// Listings of the marketplace, and after how many of their pages, asked for a second time, it changes its markup.
const LISTINGS: usize = 60;
const CHANGES_AFTER: usize = 30;

/// Listings with a line under the title, whose place changes amid the second time they are asked for. A page stays as it was
/// then, however many runs the schedule brings until somebody mends the profile.
async fn market() -> Shop {
    let again: Mutex<HashMap<String, usize>> = Mutex::default();
    Shop::open(move |path, before| match path.strip_prefix("/p/") {
        Some(number) => {
            let mut again = again.lock().unwrap();
            let asked = again.len();
            let changed = before > 0 && *again.entry(number.to_owned()).or_insert(asked) >= CHANGES_AFTER;
            let class = if changed { "slogan" } else { "sub" };
            // No page comes twice to the byte: one that does is not read again.
            Reply::html(format!(
                "<html><head><title>item {number}</title></head><body><!-- {before} --><h1>item {number}</h1>\
                 <p class=\"{class}\">made for you {number} times</p><p class=\"foot\">all rights reserved</p></body></html>"
            ))
        }
        None if path == "/list" => Reply::list((0..LISTINGS).map(|n| format!("/p/{n}")), None),
        None => Reply::status(404),
    })
    .await
}

/// What `crawl status` says once `wanted` holds.
async fn status_when(place: &Path, wanted: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let status = said(place, &["crawl", "status", "shop"]).await;
        if wanted(&status) {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_that_changes_its_markup_mid_run_is_noticed_mended_and_read_on_without_a_restart() {
    let market = market().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let file = place.join("sites/shop.toml");
    fs::create_dir(place.join("sites")).unwrap();
    let profile = market.profile_file("/list", "", "schedule = { cron = \"* * * * *\" }")
        + "[listing.select]\nsubtitle = \"p.sub\" # under the title\n";
    fs::write(&file, &profile).unwrap();
    // What is usual, and what is true, is known from a run before.
    let first = said(place, &["crawl", "shop"]).await;
    assert!(first.contains("60 listings") && !first.contains("ALARM"), "{first}");
    {
        let store = SledStore::open(&place.join("data"), &Settings::default(), Arc::new(SystemClock)).unwrap();
        let next_due = "2026-01-01T03:00:00+08:00".parse().unwrap();
        let write = Write::Schedule { id: "shop".into(), next_due };
        store.apply(Batch { actor: "test".into(), writes: vec![write] }).await.unwrap();
    }
    let server = markwarden(place).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn();
    let _server = server.map(Server).unwrap();
    let begun = Instant::now();
    while !place.join("data/server.json").is_file() {
        assert!(begun.elapsed() < PATIENCE, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // The run in which it changes tells, while the server runs.
    let status = status_when(place, |status| status.contains("ALARM")).await;
    assert!(status.contains("ALARM  shop: subtitle stands in 50 % of 60 listings, 100 % was usual"), "{status}");

    // The proposal is learnt from the pages that lost the field, and reads those of both markups.
    let proposed = said(place, &["crawl", "mend", "shop"]).await;
    let words =
        "subtitle = \"p.slogan, p.sub\"   right on 30 of 30 pages; the changed profile has it on 60 of 60, right on 60";
    assert!(proposed.contains(words), "{proposed}");
    assert_eq!(fs::read_to_string(&file).unwrap(), profile, "nobody has accepted it");
    let accepted = said(place, &["crawl", "mend", "shop", "--accept"]).await;
    assert!(accepted.contains("are read from their new places"), "{accepted}");
    assert_eq!(fs::read_to_string(&file).unwrap(), profile.replace("\"p.sub\"", "\"p.slogan, p.sub\""));

    // The same server reads on with it: the alarm ends with a run that finds the field in every listing again.
    let status = status_when(place, |status| !status.contains("ALARM")).await;
    assert!(market.times("/p/59") >= 3, "{status}");
    let versions = said(place, &["crawl", "versions", "shop:59"]).await;
    assert!(versions.contains("made for you 59 times"), "{versions}");
}
