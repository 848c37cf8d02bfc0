//! What a site may do to hold a crawl: each ends within its budget. And a person's word ends it at once.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use markwarden::crawl::{RunReport, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::shop::{Crawler, Desk, Reply, Shop};

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers as no HTTP library would.
async fn hostile() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
                let ok = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n";
                match path.as_str() {
                    "/p/drip" => {
                        stream.write_all(format!("{ok}content-length: 100000\r\n\r\n").as_bytes()).await?;
                        loop {
                            stream.write_all(b" ").await?;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                    "/p/slow-head" => loop {
                        stream.write_all(b"H").await?;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    },
                    "/p/headers" => {
                        stream.write_all(ok.as_bytes()).await?;
                        loop {
                            stream.write_all(b"x-more: 1\r\n").await?;
                        }
                    }
                    "/p/long-header" => {
                        stream.write_all(format!("{ok}x-long: ").as_bytes()).await?;
                        loop {
                            stream.write_all(&[b'a'; 1024]).await?;
                        }
                    }
                    "/p/endless" => {
                        stream.write_all(format!("{ok}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
                        loop {
                            stream.write_all(b"400\r\n").await?;
                            stream.write_all(&[b' '; 0x400]).await?;
                            stream.write_all(b"\r\n").await?;
                        }
                    }
                    "/list" => {
                        let traps = ["drip", "slow-head", "headers", "long-header", "endless"];
                        let body: String = traps.map(|trap| format!("<a class=item href=/p/{trap}>x</a>")).concat();
                        stream
                            .write_all(
                                format!("{ok}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
                                    .as_bytes(),
                            )
                            .await
                    }
                    _ => {
                        stream
                            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                            .await
                    }
                }
            });
        }
        std::io::Result::Ok(())
    });
    host
}

#[tokio::test]
async fn drips_floods_and_bodies_without_end_are_left_in_time() {
    let host = hostile().await;
    let shop = Shop::open(|_, _| Reply::status(404)).await;
    let pace = "timeout = \"2s\"\nretries = 0\nmax_body_bytes = 1048576\nconcurrency = 5";
    let text = shop.profile_file("/list", pace, "").replace(&shop.host, &host);
    let profile = markwarden::crawl::Profile::parse("shop.toml", &text).unwrap();
    let begun = Instant::now();
    let report = Crawler::new(Settings::default()).run(&profile, &Desk::default()).await;
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    assert_eq!((report.lists, report.listings), (1, 0), "{report:?}");
    let failed = |kind: &str| report.failed.get(kind).copied().unwrap_or_default();
    assert_eq!((failed("timeout"), failed("network"), failed("too_large")), (2, 2, 1), "{:#?}", report.fates);
}

/// What pages made to exhaust their reader come to: a run over one of each.
#[tokio::test]
async fn pages_made_to_exhaust_their_reader_are_read_or_left_in_time() {
    let deep = |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    let script = |json: &str| format!("<script type=\"application/ld+json\">{json}</script><h1>x</h1>");
    let laughs = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let pages: Vec<(&str, String)> = vec![
        ("/p/nested", format!("<h1>nested</h1>{}", deep("<div><b>", "</b></div>", 100_000))),
        ("/p/json", script(&deep("[", "]", 200_000))),
        ("/p/objects", script(&format!("{}1{}", "{\"offers\":".repeat(100_000), "}".repeat(100_000)))),
        ("/p/attributes", format!("<div {}><h1>attributes</h1>", "a=1 ".repeat(500_000))),
        ("/p/entities", format!("<h1>{}</h1>", "&amp;".repeat(200_000))),
        ("/p/laughs", format!("{laughs}<h1>&c;</h1>")),
        ("/list/feed", format!("{laughs}<rss>{}<item><link>/p/&c;</link></item></rss>", "<a>".repeat(10_000))),
    ];
    let names: Vec<String> = pages.iter().map(|(path, _)| (*path).to_owned()).collect();
    let shop = Shop::open(move |path, _| match path {
        "/list" => Reply::list(names.clone(), None),
        _ => pages
            .iter()
            .find(|(known, _)| *known == path)
            .map_or(Reply::status(404), |(_, page)| Reply::html(page.clone())),
    })
    .await;
    let begun = Instant::now();
    let report =
        Crawler::new(Settings::default()).run(&shop.profile("/list", "retries = 0", ""), &Desk::default()).await;
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(report.pages, 8, "{report:?}");
}

/// A shop whose calendar never ends: every page names the next two, and a listing.
async fn calendar() -> Shop {
    Shop::open(|path, _| match path.strip_prefix("/list?day=") {
        Some(day) => {
            let day: u64 = day.parse().unwrap();
            Reply::list(
                [format!("/list?day={}", day * 2), format!("/list?day={}", day * 2 + 1), format!("/p/{day}")],
                None,
            )
        }
        None if path.starts_with("/p/") => Reply::listing(path),
        None => Reply::status(404),
    })
    .await
}

async fn caught(pace: &str) -> (RunReport, usize) {
    let shop = calendar().await;
    let report = Crawler::new(Settings::default()).run(&shop.profile("/list?day=1", pace, ""), &Desk::default()).await;
    (report, shop.asked().len())
}

#[tokio::test]
async fn a_calendar_without_end_ends_with_each_of_the_budgets() {
    let (report, asked) = caught("max_pages = 50").await;
    assert!(report.budget_spent && report.pages == 50 && asked == 51, "{report:?}");
    let (report, _) = caught("max_depth = 4").await;
    assert!(!report.budget_spent && report.lists == 31 && report.dropped["depth"] > 0, "{report:?}");
    let (report, _) = caught("max_bytes = 20000").await;
    assert!(report.budget_spent && (20_000..25_000).contains(&report.bytes), "{report:?}");
    let (report, _) = caught("max_time = \"300ms\"").await;
    assert!(report.budget_spent && report.left > 0 && report.duration_ms < 20_000, "{report:?}");
    // A host's budget leaves the rest for the next run.
    let (report, asked) = caught("max_host_pages = 40").await;
    assert!(!report.budget_spent && report.pages == 40 && asked == 41 && report.left > 0, "{report:?}");
    let (report, _) = caught("max_host_bytes = 20000").await;
    assert!(!report.budget_spent && (20_000..25_000).contains(&report.bytes) && report.left > 0, "{report:?}");
}

#[tokio::test]
async fn a_host_that_a_person_stops_is_asked_nothing_more_and_goes_on_when_resumed() {
    let shop = calendar().await;
    let crawler = Crawler::new(Settings::default());
    let profile = shop.profile("/list?day=1", "delay = \"5ms\"\nmax_pages = 100", "");
    let desk = Desk::default();
    let name = shop.host.split(':').next().unwrap().to_owned();
    let halting = async {
        while desk.len() < 10 {
            desk.taken.notified().await;
        }
        crawler.services.hosts.halt(BTreeSet::from([name.clone()]));
        shop.asked().len()
    };
    let (report, asked) = futures_util::future::join(crawler.run(&profile, &desk), halting).await;
    assert!(report.left > 0 && report.failed["halted"] == 1, "{report:?}");
    // One was on its way.
    assert!(shop.asked().len() <= asked + 1, "{} after {asked}", shop.asked().len());
    let silent = crawler.run(&profile, &desk).await;
    assert_eq!((silent.pages, silent.left, shop.asked().len() <= asked + 1), (0, report.left, true));
    crawler.services.hosts.halt(BTreeSet::new());
    let resumed = crawler.run(&profile, &desk).await;
    assert!(resumed.pages > 0 && resumed.resumed == report.left, "{resumed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_stops_a_host_under_a_running_crawl_and_the_journal_knows_who_did() {
    let shop = calendar().await;
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("shop.toml"), shop.profile_file("/list?day=1", "delay = \"50ms\"", "")).unwrap();
    let markwarden = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
        command.current_dir(place.path()).env("NO_COLOR", "1").args(arguments).stdin(Stdio::null());
        command
    };
    let crawl = markwarden(&["crawl", "./shop.toml"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    tokio::time::timeout(PATIENCE, shop.has_served(10)).await.unwrap();
    let host = shop.host.split(':').next().unwrap().to_owned();
    let stop = markwarden(&["crawl", "stop", &host, "--by", "li", "--why", "they asked"]).output().unwrap();
    assert!(stop.status.success(), "{}", String::from_utf8_lossy(&stop.stderr));
    let output = tokio::task::spawn_blocking(move || crawl.wait_with_output().unwrap()).await.unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("shop: "), "{output:?}");
    let asked = shop.asked().len();
    let listed = markwarden(&["crawl", "stopped"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains(&host) && listed.contains("cli:li") && listed.contains("they asked"), "{listed}");
    assert!(markwarden(&["crawl", "./shop.toml"]).output().unwrap().status.success());
    assert_eq!(shop.asked().len(), asked, "a later run asks nothing either");
    let export = markwarden(&["export"]).output().unwrap();
    assert!(String::from_utf8_lossy(&export.stdout).contains("\"what\":\"crawl.stop\""));
    assert!(markwarden(&["crawl", "resume", &host, "--by", "wu"]).output().unwrap().status.success());
    assert!(markwarden(&["crawl", "stopped"]).output().unwrap().stdout.is_empty());
}
