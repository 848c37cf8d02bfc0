//! What a run learns from the runs before it, and what it can say of an address.

use std::{path::Path, process::Command};

use markwarden::crawl::{Coverage, Known, Settings, estimate};
use url::Url;

use crate::shop::{Crawler, Desk, Reply, Shop};

/// A list of three listings with entity tags, and a stranger's address; the first title and its tag change with `version`.
fn site(version: &'static str) -> impl Fn(&str, usize) -> Reply {
    move |path, _| match path {
        "/robots.txt" => Reply::html("user-agent: *\ndisallow: /p/secret\n"),
        "/list" => {
            let items = ["/p/1", "/p/2", "/p/3", "/p/secret", "/p/gone", "/about", "https://elsewhere.example/p/9"];
            Reply::list(items.map(str::to_owned), None).with("etag", "\"list\"")
        }
        "/p/1" => Reply::listing(&format!("item 1 {version}")).with("etag", &format!("\"1-{version}\"")),
        "/p/2" => Reply::listing("item 2").with("etag", "\"2\""),
        "/p/3" => Reply::listing("item 3"),
        _ => Reply::status(404),
    }
}

fn known(coverage: &Coverage, url: &str) -> Known {
    coverage.get("shop", &Url::parse(url).unwrap()).unwrap().unwrap_or_else(|| panic!("{url} is not known"))
}

#[tokio::test]
async fn a_page_that_did_not_change_is_not_sent_again() {
    let shop = Shop::open(site("a")).await;
    let crawler = Crawler::new(Settings::default()).keeping_evidence().keeping_coverage();
    let profile = shop.profile("/list", "", "");
    let first = crawler.run(&profile, &Desk::default()).await;
    assert_eq!((first.listings, first.unchanged, first.lists), (3, 0, 1));
    let desk = Desk::default();
    let second = crawler.run(&profile, &desk).await;
    // The list is needed whole for what it names; the third listing's host says nothing to ask by, and sends the same bytes.
    assert_eq!((second.listings, second.unchanged, second.lists), (0, 3, 1), "{second:?}");
    assert!(desk.titles().is_empty());
    let unchanged = desk.pages.lock().unwrap().iter().filter(|page| page.status == 304).count();
    assert_eq!(unchanged, 2);
    let coverage = crawler.services.coverage.as_ref().unwrap();
    let one = known(coverage, &shop.url("/p/1"));
    assert_eq!((one.visits, one.changes, one.last.kind.as_str(), one.runs), (2, 0, "unchanged", 0b11));
    let estimate = estimate(coverage, "shop").unwrap().unwrap();
    assert_eq!((estimate.earlier, estimate.later, estimate.both, estimate.all), (3, 3, 3, 3.0));
    let runs = coverage.runs("shop").unwrap();
    assert_eq!(runs.iter().map(|run| (run.run, run.report.unchanged)).collect::<Vec<_>>(), [(1, 0), (2, 3)]);
}

#[tokio::test]
async fn a_page_that_changed_is_sent_and_its_change_is_counted() {
    let before = Shop::open(site("a")).await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    crawler.run(&before.profile("/list", "", ""), &Desk::default()).await;
    // The same tag with another page: whoever looks otherwise at listings needs them whole, changed or not.
    let desk = Desk { looks_with: "newer rules".into(), ..Desk::default() };
    let report = crawler.run(&before.profile("/list", "", ""), &desk).await;
    assert_eq!((report.listings, report.unchanged), (3, 0));
    let coverage = crawler.services.coverage.as_ref().unwrap();
    assert_eq!(known(coverage, &before.url("/p/1")).changes, 0);
    let report = crawler.run(&before.profile("/list", "", ""), &desk).await;
    assert_eq!((report.listings, report.unchanged), (0, 3));
}

#[tokio::test]
async fn the_same_bytes_are_read_again_where_they_would_be_read_otherwise() {
    let shop = Shop::open(|path, before| match path {
        // Other bytes with the same facts, then the same bytes.
        "/p/1" => Reply::html(format!(
            "<script type=\"application/ld+json\">{{\"@type\":\"Product\",\"name\":\"item\",\"offers\":{{\"price\":\"9.90\",\"priceCurrency\":\"CNY\"}}}}</script><!-- {} -->",
            before.min(1)
        )),
        _ => Reply::status(404),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let mut told = Vec::new();
    for more in ["", "", "", "[listing.select]\nsubtitle = \"p.sub\"\n"] {
        // The profile's last table is that of listings.
        let text = shop.profile_file("/p/1", "", "") + more;
        let profile = markwarden::crawl::Profile::parse("shop.toml", &text).unwrap();
        let report = crawler.run(&profile, &Desk::default()).await;
        told.push((report.listings, report.unchanged));
    }
    assert_eq!(told, [(1, 0), (1, 0), (0, 1), (1, 0)]);
    let one = known(crawler.services.coverage.as_ref().unwrap(), &shop.url("/p/1"));
    assert_eq!((one.visits, one.changes), (4, 0));
}

#[tokio::test]
async fn facts_that_change_are_counted() {
    let shop = Shop::open(|path, before| match path {
        "/p/1" => Reply::listing(&format!("item {}", before / 2)),
        _ => Reply::status(404),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    for _ in 0..5 {
        crawler.run(&shop.profile("/p/1", "", ""), &Desk::default()).await;
    }
    let one = known(crawler.services.coverage.as_ref().unwrap(), &shop.url("/p/1"));
    assert_eq!((one.visits, one.changes, one.last.kind.as_str()), (5, 2, "listing"));
    assert!(one.changed_at.is_some());
}

#[tokio::test]
async fn every_address_that_was_named_says_what_became_of_it() {
    let shop = Shop::open(site("a")).await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    crawler.run(&shop.profile("/list", "", ""), &Desk::default()).await;
    let coverage = crawler.services.coverage.as_ref().unwrap();
    for (path, kind, words) in [
        ("/list", "list", ""),
        ("/p/1", "listing", ""),
        ("/p/secret", "robots", "disallow: /p/secret"),
        ("/p/gone", "status_404", "answered 404"),
        ("/about", "unmatched", "not queued"),
    ] {
        let known = known(coverage, &shop.url(path));
        assert_eq!(known.last.kind, kind, "{path}");
        assert!(known.last.detail.contains(words), "{path}: {}", known.last.detail);
    }
    let stranger = known(coverage, "https://elsewhere.example/p/9");
    assert_eq!((stranger.last.kind.as_str(), stranger.visits, stranger.depth), ("scope", 0, 1));
}

/// What the program prints, and its exit code.
async fn markwarden(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.args(arguments).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text, output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_ask_what_became_of_an_address_what_runs_when_and_what_runs_did() {
    let shop = Shop::open(site("a")).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::create_dir(place.join("sites")).unwrap();
    let more = "[schedule]\ncron = \"30 9 * * *\"\nzone = \"Asia/Shanghai\"\n";
    std::fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", more)).unwrap();
    let (nothing, code) = markwarden(place, &["crawl", "why", &shop.url("/p/1")]).await;
    assert!(nothing.contains("shop: never named") && code == Some(1), "{nothing}");
    for _ in 0..2 {
        let (report, code) = markwarden(place, &["crawl", "shop"]).await;
        assert_eq!(code, Some(0), "{report}");
    }
    for (path, words, code) in [
        ("/p/1", "shop: had not changed", 0),
        ("/p/1", "had      2 times, the last in run 2; its facts changed 0 times", 0),
        ("/p/1", "asked for by its entity tag \"1-a\"", 0),
        ("/p/3", "asked for whole: its host sends nothing to ask by", 0),
        ("/p/secret", "robots.txt forbids it", 1),
        ("/p/gone", "not read: the host answered 404", 1),
        ("/p/unknown", "it would be visited as a listing if one did", 1),
        ("/other", "never to be visited", 1),
    ] {
        let (answer, found) = markwarden(place, &["crawl", "why", &shop.url(path)]).await;
        assert!(answer.contains(words) && found == Some(code), "{path}: {found:?} {answer}");
    }
    let (plan, _) = markwarden(place, &["crawl", "plan"]).await;
    assert!(plan.contains("`30 9 * * *` in Asia/Shanghai") && plan.contains("T01:30:00Z"), "{plan}");
    assert!(plan.contains("2 of them listings that are asked for only if they changed"), "{plan}");
    let (status, _) = markwarden(place, &["crawl", "status", "shop"]).await;
    assert!(status.contains("about 3 in all") && status.contains("unchanged"), "{status}");
    let (json, _) = markwarden(place, &["--format", "json", "crawl", "status", "shop"]).await;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&status["runs"][1]["report"]["unchanged"], &status["addresses"]["robots"]), (&3.into(), &1.into()));
    let (unknown, code) = markwarden(place, &["crawl", "status", "nobody"]).await;
    assert!(unknown.contains("no run of nobody is known") && code == Some(2), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_goods_under_two_addresses_are_told() {
    let shop = Shop::open(|path, _| match path {
        "/list" => Reply::list(["/p/1", "/p/2", "/p/3"].map(str::to_owned), None),
        "/p/1" => Reply::listing("云雀 气垫跑鞋 男女同款 透气网面 缓震回弹 42码"),
        "/p/2" => Reply::listing("【云雀】气垫跑鞋·男女同款·透气網面·緩震回彈 42码"),
        "/p/3" => Reply::listing("云雀 气垫跑鞋 男女同款 透气网面 缓震回弹 43码"),
        _ => Reply::status(404),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::create_dir(place.join("sites")).unwrap();
    std::fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", "")).unwrap();
    let (report, code) = markwarden(place, &["crawl", "shop"]).await;
    assert_eq!(code, Some(0), "{report}");
    let (told, _) = markwarden(place, &["crawl", "versions", &shop.url("/p/1")]).await;
    assert!(told.contains("also seen as") && told.contains("shop:2") && told.contains("100 % alike"), "{told}");
    assert!(!told.contains("shop:3"), "another size is another article: {told}");
    let (json, _) = markwarden(place, &["--format", "json", "crawl", "versions", "shop:2"]).await;
    let history: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(history["also_seen_as"][0]["listing"], "shop:1", "{history}");
}
