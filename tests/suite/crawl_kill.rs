//! `markwarden crawl` killed with -9 again and again: it goes on, and asks again only for what was on the way.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::shop::{Reply, Shop};

const LISTINGS: usize = 80;
const CONCURRENCY: usize = 3;

fn crawl(folder: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(["crawl", "--format", "json", "--data"])
        .args([folder.join("data"), folder.join("shop.toml")])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_crawl_goes_on_and_asks_again_only_for_what_was_on_the_way() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        "/list" => Reply::list((0..LISTINGS).map(|number| format!("/p/{number}")), None),
        listing => Reply::listing(listing),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let pace = format!("delay = \"1ms\"\nconcurrency = {CONCURRENCY}");
    std::fs::write(folder.path().join("shop.toml"), shop.profile_file("/list", &pace, "")).unwrap();
    let kills = 5;
    for _ in 0..kills {
        let more = shop.asked().len() + 14;
        let mut child = crawl(folder.path());
        let served = tokio::time::timeout(Duration::from_secs(60), shop.has_served(more)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        served.expect("the crawl asks for pages");
    }
    let last = crawl(folder.path());
    let output = tokio::task::spawn_blocking(move || last.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["store"]["listings"], LISTINGS, "{report}");
    assert!(report["resumed"].as_u64().unwrap() > 0, "{report}");
    let pages = shop.asked().iter().filter(|path| *path != "/robots.txt").count();
    assert!(pages <= LISTINGS + 1 + kills * CONCURRENCY, "{pages} requests for {} pages", LISTINGS + 1);
    let verify = ["evidence", "verify"].map(std::ffi::OsString::from);
    let verified = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(verify)
        .arg(folder.path().join("data").join(markwarden::app::EVIDENCE))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
