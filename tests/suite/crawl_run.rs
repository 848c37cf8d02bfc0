//! A whole run, seen from the shop and from the sink.

use std::{io::Write, time::Duration};

use markwarden::{
    crawl::{CrawlError, Settings},
    evidence::{Record, verify_warc},
};

use crate::shop::{Crawler, Desk, Reply, Shop};

/// Lists of five listings each, up to `lists`, and a robots.txt.
fn site(robots: &'static str, lists: usize) -> impl Fn(&str, usize) -> Reply {
    move |path, _| match path.rsplit_once('/') {
        Some(("", "robots.txt")) => Reply::html(robots),
        Some(("/list", number)) => {
            let number: usize = number.parse().unwrap();
            let next = (number + 1 < lists).then(|| format!("/list/{}", number + 1));
            Reply::list((0..5).map(|item| format!("/p/{}", number * 5 + item)), next.as_deref())
        }
        Some(("/p", number)) => Reply::listing(&format!("item {number:0>3}")),
        _ => Reply::status(404),
    }
}

fn titles(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("item {number:0>3}")).collect()
}

/// What a pace of 100 ms must leave at the shop: a busy machine may note one arrival late, and the next in time.
const SHORTEST: Duration = Duration::from_millis(70);

#[tokio::test]
async fn every_listing_is_read_once_and_nothing_forbidden_is_asked_for() {
    let shop = Shop::open(site("user-agent: *\ndisallow: /p/7$\ndisallow: /p/12\n", 4)).await;
    let crawler = Crawler::new(Settings::default()).keeping_evidence();
    let desk = Desk::default();
    let report = crawler.run(&shop.profile("/list/0", "concurrency = 4", ""), &desk).await;
    let expected: Vec<String> =
        titles(20).into_iter().filter(|title| !title.ends_with("007") && !title.ends_with("012")).collect();
    assert_eq!(desk.titles(), expected);
    assert_eq!((report.listings, report.lists, report.denied_by_robots, report.pages), (18, 4, 2, 22));
    assert!(shop.asked()[0] == "/robots.txt" && shop.times("/p/7") == 0 && shop.times("/p/12") == 0);
    assert!(report.fates.iter().any(|fate| fate.kind == "robots" && fate.detail.contains("3: disallow: /p/12")));
    assert!(!report.interrupted && report.left == 0);
    assert!(!crawler.services.frontier.join("shop.log").exists());
}

#[tokio::test]
async fn every_page_is_kept_as_a_record_that_verifies_and_is_found_again() {
    let shop = Shop::open(site("", 1)).await;
    let crawler = Crawler::new(Settings::default()).keeping_evidence();
    let desk = Desk::default();
    crawler.run(&shop.profile("/list/0", "", ""), &desk).await;
    let folder = crawler.folder.path().join("warc");
    for page in desk.pages.lock().unwrap().iter() {
        let capture = page.capture.as_ref().unwrap();
        let report = verify_warc(&folder.join(&capture.file)).unwrap();
        // warcinfo, then a response and a request for robots.txt and each page.
        assert!(report.sound() && report.records == 1 + 2 * 7, "{report:?}");
        let record = Record::read(&page.record, 1 << 20).unwrap();
        let (head, body) = record.http().unwrap();
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(page.listing.is_none() || body.starts_with(b"<html><head><script"));
    }
    let agent = shop.header("/p/1", "user-agent");
    assert!(agent.starts_with("Markwarden/"), "{agent}");
    assert_eq!(shop.header("/p/1", "accept-encoding"), "gzip, br, zstd");
}

#[tokio::test]
async fn sitemaps_of_robots_txt_are_read_through_their_index_and_gzip() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::html("sitemap: /sitemap.xml\n"),
        "/sitemap.xml" => Reply::html("<sitemapindex><sitemap><loc>/s1.xml.gz</loc></sitemap><sitemap><loc>/sitemap.xml</loc></sitemap></sitemapindex>"),
        "/s1.xml.gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"<urlset><url><loc>/p/1</loc></url><url><loc>/about</loc></url><url><loc>http://other.example/p/2</loc></url></urlset>").unwrap();
            Reply::html(encoder.finish().unwrap())
        }
        "/p/1" => Reply::listing("one"),
        _ => Reply::list([], None),
    })
    .await;
    let desk = Desk::default();
    let profile = shop.profile("/list", "", "sitemaps_from_robots = true");
    let report = Crawler::new(Settings::default()).run(&profile, &desk).await;
    assert_eq!(desk.titles(), ["one"]);
    assert_eq!((report.sitemaps, report.dropped["unmatched"], report.dropped["scope"]), (2, 1, 1));
    assert_eq!(shop.times("/about"), 0);
}

#[tokio::test]
async fn the_pace_is_kept_by_the_shops_own_clock() {
    let shop = Shop::open(site("", 1)).await;
    let profile = shop.profile("/list/0", "delay = \"100ms\"\nconcurrency = 3", "");
    Crawler::new(Settings::default()).run(&profile, &Desk::default()).await;
    assert!(shop.shortest_gap() >= SHORTEST, "{:?}", shop.shortest_gap());
}

#[tokio::test]
async fn a_longer_crawl_delay_wins_over_the_profile() {
    let shop = Shop::open(site("user-agent: markwarden\ncrawl-delay: 0.1\n", 1)).await;
    let profile = shop.profile("/list/0", "delay = \"1ms\"", "");
    Crawler::new(Settings::default()).run(&profile, &Desk::default()).await;
    assert!(shop.shortest_gap() >= SHORTEST, "{:?}", shop.shortest_gap());
}

#[tokio::test]
async fn two_profiles_of_one_host_keep_its_pace_together() {
    let shop = Shop::open(site("", 1)).await;
    let crawler = Crawler::new(Settings::default());
    let first = shop.profile("/list/0", "delay = \"100ms\"", "");
    let mut second = first.clone();
    second.id = "second".into();
    let desk = Desk::default();
    futures_util::future::join(crawler.run(&first, &desk), crawler.run(&second, &desk)).await;
    assert_eq!(desk.titles().len(), 10);
    assert!(shop.shortest_gap() >= SHORTEST, "{:?}", shop.shortest_gap());
}

#[tokio::test]
async fn a_crawl_that_was_killed_goes_on_and_repeats_only_what_was_on_the_way() {
    let shop = Shop::open(site("", 10)).await;
    let crawler = Crawler::new(Settings::default());
    let profile = shop.profile("/list/0", "concurrency = 3", "");
    let desk = Desk::default();
    let mut kills = 0;
    loop {
        let before = desk.len();
        let some_more = async {
            while desk.len() < before + 9 {
                desk.taken.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = some_more => kills += 1,
            report = crawler.run(&profile, &desk) => break assert!(!report.interrupted),
        }
    }
    let mut found = desk.titles();
    found.dedup();
    assert_eq!(found, titles(50));
    let repeated = desk.len() - 60;
    assert!(kills >= 5 && repeated <= kills * 3, "{kills} kills, {repeated} pages again");
}

#[tokio::test]
async fn a_crawl_that_is_asked_to_stop_leaves_the_rest_for_the_next() {
    let shop = Shop::open(site("", 10)).await;
    let crawler = Crawler::new(Settings::default());
    let profile = shop.profile("/list/0", "delay = \"2ms\"", "");
    let desk = Desk::default();
    let stopping = async {
        while desk.len() < 20 {
            desk.taken.notified().await;
        }
        crawler.stop.send(true).unwrap();
    };
    let (report, ()) = futures_util::future::join(crawler.run(&profile, &desk), stopping).await;
    assert!(report.interrupted && report.left > 0, "{report:?}");
    crawler.stop.send(false).unwrap();
    let second = crawler.run(&profile, &desk).await;
    assert_eq!((second.resumed, second.interrupted), (report.left, false));
    assert_eq!(desk.titles(), titles(50));
}

#[tokio::test]
async fn a_page_the_sink_refuses_comes_again() {
    let shop = Shop::open(site("", 1)).await;
    let crawler = Crawler::new(Settings::default());
    let profile = shop.profile("/list/0", "", "");
    let full = Desk { most: Some(3), ..Desk::default() };
    let refused = markwarden::crawl::run(&profile, &crawler.services, &full).await;
    assert!(matches!(refused, Err(CrawlError::Sink(_))), "{refused:?}");
    let desk = Desk::default();
    let report = crawler.run(&profile, &desk).await;
    assert_eq!((report.resumed, full.titles().len() + desk.titles().len()), (3, 5));
}

#[tokio::test]
async fn a_spent_budget_ends_the_run() {
    let shop = Shop::open(site("", 10)).await;
    let crawler = Crawler::new(Settings::default());
    let report = crawler.run(&shop.profile("/list/0", "max_pages = 12", ""), &Desk::default()).await;
    assert!(report.budget_spent && report.left > 0 && report.pages == 12, "{report:?}");
    assert!(!crawler.services.frontier.join("shop.log").exists());
}

#[tokio::test]
async fn an_endless_list_ends_at_its_depth() {
    let shop = Shop::open(|path, _| match path.strip_prefix("/list/") {
        Some(number) => Reply::list([], Some(&format!("/list/{}", number.parse::<u64>().unwrap() + 1))),
        None => Reply::status(404),
    })
    .await;
    let profile = shop.profile("/list/0", "max_depth = 7", "");
    let report = Crawler::new(Settings::default()).run(&profile, &Desk::default()).await;
    assert_eq!((report.lists, report.dropped["depth"]), (8, 1));
}
