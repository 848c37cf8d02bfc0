//! A crawl among hosts that mean it harm, or are merely unwell.

use std::{collections::BTreeMap, io::Write, net::IpAddr};

use markwarden::crawl::{CrawlError, Settings, run};

use crate::shop::{Crawler, Desk, Reply, Shop};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn redirects_are_followed_within_the_site_and_end_in_time() {
    let shop = Shop::open(|path, _| match path {
        "/list" => Reply::list(["old", "round", "far", "known"].map(|name| format!("/p/{name}")), None),
        "/p/old" => Reply::moved("/p/new#top"),
        "/p/new" => Reply::listing("new"),
        "/p/known" => Reply::moved("/p/new"),
        "/p/round" => Reply::moved("/p/round2"),
        "/p/round2" => Reply::moved("/p/round"),
        "/p/far" => Reply::moved("/p/far1"),
        far if far.starts_with("/p/far") => Reply::moved(&format!("{far}1")),
        _ => Reply::status(404),
    })
    .await;
    let desk = Desk::default();
    let report = Crawler::new(Settings::default()).run(&shop.profile("/list", "max_redirects = 3", ""), &desk).await;
    assert_eq!(desk.titles(), ["new"]);
    assert_eq!((report.failed["redirects"], report.moved_to_known), (2, 1));
    assert_eq!(shop.asked().iter().filter(|path| path.starts_with("/p/far")).count(), 4);
}

#[tokio::test]
async fn no_redirect_or_name_leads_to_a_private_address_or_off_the_site() {
    let targets = [
        "http://10.0.0.1/p/",
        "http://inside.example/p/",
        "http://0xa9fea9fe/p/",
        "http://other.example/p/",
        "file:///etc/passwd",
    ];
    let shop = Shop::open(move |path, _| match path.strip_prefix("/p/") {
        Some(number) => Reply::moved(targets[number.parse::<usize>().unwrap()]),
        None if path == "/list" => Reply::list((0..targets.len()).map(|number| format!("/p/{number}")), None),
        None => Reply::status(404),
    })
    .await;
    let settings = Settings {
        addresses: BTreeMap::from([("inside.example".to_owned(), IpAddr::from([192, 168, 0, 1]))]),
        ..Settings::default()
    };
    let hosts = format!("hosts = [{:?}, \"10.0.0.1\", \"inside.example\", \"169.254.169.254\"]", shop.host);
    let crawler = Crawler::new(settings);
    let report = crawler.run(&shop.profile("/list", "retries = 0", &hosts), &Desk::default()).await;
    let details: Vec<&str> = report.fates.iter().map(|fate| fate.detail.as_str()).collect();
    assert_eq!(details.iter().filter(|detail| detail.contains("not a public address")).count(), 3, "{details:#?}");
    assert_eq!((report.failed["scope"], report.failed["refused"]), (1, 1), "{details:#?}");
}

#[tokio::test]
async fn this_machine_is_out_of_bounds_unless_the_profile_says_otherwise() {
    let shop = Shop::open(|_, _| Reply::listing("secret")).await;
    let mut profile = shop.profile("/p/1", "retries = 0", "");
    profile.allow_loopback = false;
    let crawler = Crawler::new(Settings { contact: "mail@shop.example".into(), ..Settings::default() });
    let report = crawler.run(&profile, &Desk::default()).await;
    assert!(shop.asked().is_empty() && report.pages == 0, "{report:?}");
    let nobody = Crawler::new(Settings::default());
    assert!(matches!(run(&profile, &nobody.services, &Desk::default()).await, Err(CrawlError::NoContact { .. })));
}

#[tokio::test]
async fn slow_large_broken_and_missing_pages_are_named_and_the_rest_is_read() {
    let shop = Shop::open(|path, _| match path {
        "/list" => Reply::list(
            ["slow", "bomb", "large", "broken", "gone", "empty", "fine"].map(|name| format!("/p/{name}")),
            None,
        ),
        "/p/slow" => Reply::Never,
        "/p/bomb" => Reply::html(gzip(&vec![b' '; 3 << 20])).with("content-encoding", "gzip"),
        "/p/large" => Reply::html(vec![b' '; 2 << 20]),
        "/p/broken" => Reply::html("no gzip").with("content-encoding", "gzip"),
        "/p/gone" => Reply::status(410),
        "/p/empty" => Reply::html(""),
        "/p/fine" => Reply::listing("fine"),
        _ => Reply::status(404),
    })
    .await;
    let desk = Desk::default();
    let pace = "timeout = \"2s\"\nretries = 1\nmax_body_bytes = 1048576\nconcurrency = 8";
    let report = Crawler::new(Settings::default()).run(&shop.profile("/list", pace, ""), &desk).await;
    assert_eq!(desk.titles(), ["fine"]);
    let failed: Vec<(&str, u64)> = report.failed.iter().map(|(kind, &count)| (kind.as_str(), count)).collect();
    assert_eq!(
        failed,
        [("no_facts", 1), ("status_410", 1), ("timeout", 1), ("too_large", 2), ("undecodable", 1)],
        "{:#?}",
        report.fates
    );
    assert_eq!((report.retries, shop.times("/p/slow"), shop.times("/p/gone")), (1, 2, 1));
}

#[tokio::test]
async fn a_host_that_asks_to_come_back_is_asked_again_then() {
    let shop = Shop::open(|path, before| match path {
        "/p/1" if before == 0 => Reply::status(503).with("retry-after", "1"),
        "/p/1" if before == 1 => Reply::status(429),
        "/p/1" => Reply::listing("one"),
        _ => Reply::status(404),
    })
    .await;
    let desk = Desk::default();
    let report = Crawler::new(Settings::default()).run(&shop.profile("/p/1", "", ""), &desk).await;
    assert_eq!((desk.titles(), report.retries), (vec!["one".to_owned()], 2));
}

#[tokio::test]
async fn a_host_that_asks_for_a_long_rest_is_left_for_a_later_run() {
    let shop = Shop::open(|path, _| match path {
        "/list" => Reply::list((0..3).map(|number| format!("/p/{number}")), None),
        "/robots.txt" => Reply::status(404),
        _ => Reply::status(503).with("retry-after", "3600"),
    })
    .await;
    let crawler = Crawler::new(Settings::default());
    let report = crawler.run(&shop.profile("/list", "", ""), &Desk::default()).await;
    assert_eq!((report.failed["asked_to_wait"], report.left, shop.asked().len()), (1, 3, 3), "{report:?}");
    assert!(crawler.services.frontier.join("shop.log").exists());
}

#[tokio::test]
async fn while_robots_txt_cannot_be_had_nothing_else_is_asked_for() {
    let shop = Shop::open(|path, before| match path {
        "/robots.txt" if before < 2 => Reply::status(500),
        "/robots.txt" => Reply::html("user-agent: *\nallow: /\n"),
        "/p/1" => Reply::listing("one"),
        _ => Reply::status(404),
    })
    .await;
    let (crawler, desk) = (Crawler::new(Settings::default()), Desk::default());
    let profile = shop.profile("/p/1", "retries = 1", "");
    let report = crawler.run(&profile, &desk).await;
    assert_eq!((report.pages, report.left, shop.asked()), (0, 1, vec!["/robots.txt".to_owned(); 2]), "{report:?}");
    assert_eq!(crawler.run(&profile, &desk).await.resumed, 1);
    assert_eq!(desk.titles(), ["one"]);
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_page_is_not_followed() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::html("user-agent: *\ndisallow: /p/secret"),
        "/p/1" => Reply::moved("/p/%73ecret"),
        _ => Reply::listing("secret"),
    })
    .await;
    let desk = Desk::default();
    let report = Crawler::new(Settings::default()).run(&shop.profile("/p/1", "", ""), &desk).await;
    assert_eq!((report.denied_by_robots, shop.asked().len(), desk.titles().len()), (1, 2, 0));
}
