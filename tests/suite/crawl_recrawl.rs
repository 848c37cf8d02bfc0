//! Known listings are looked at again by their changes and their weight, and the server says so while it runs.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use markwarden::{
    crawl::{Coverage, Known, Plan, Profile, Settings, host_of, look_again, plan},
    model::Timestamp,
};
use url::Url;

use crate::{
    program::{Server, markwarden, said},
    shop::{Crawler, Desk, Reply, Shop},
};

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

const RECRAWL: &str = "[recrawl]\nbudget_per_day = 48\nmin = \"1h\"\nmax = \"720h\"\n";

/// A list of four listings; the first changes whenever it is asked for, the last is new from the second time on.
async fn shop() -> Shop {
    Shop::open(|path, before| match path {
        "/list" => {
            let items = if before == 0 { 1..=3 } else { 1..=4 };
            Reply::list(items.map(|n| format!("/p/{n}")), None)
        }
        "/p/1" => Reply::listing(&format!("item 1, {before}")),
        "/p/2" => Reply::listing("item 2").with("etag", "\"2\""),
        "/p/3" | "/p/4" => Reply::listing("item"),
        _ => Reply::status(404),
    })
    .await
}

fn planned(coverage: &Coverage, profile: &Profile, ahead: SignedDuration, weigh: &dyn Fn(&Known) -> f64) -> Plan {
    let now = Timestamp::now();
    plan(coverage, profile, (now, now + ahead), 100, weigh).unwrap().unwrap()
}

#[tokio::test]
async fn a_list_brings_what_is_new_and_known_listings_wait_for_their_time() {
    let shop = shop().await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let profile = shop.profile("/list", "", RECRAWL);
    let first = crawler.run(&profile, &Desk::default()).await;
    assert_eq!((first.listings, first.left_to_recrawl), (3, 0));
    let second = crawler.run(&profile, &Desk::default()).await;
    assert_eq!((second.listings, second.left_to_recrawl, second.pages), (1, 3, 2), "{second:?}");
    assert_eq!((shop.times("/p/1"), shop.times("/p/4")), (1, 1));
    let coverage = crawler.services.coverage.as_ref().unwrap();
    let known = |n: u32| coverage.get("shop", &Url::parse(&shop.url(&format!("/p/{n}"))).unwrap()).unwrap().unwrap();
    // Met again is not had again.
    assert_eq!((known(3).visits, known(3).runs, known(3).stands.section.as_str()), (1, 0b11, "/p"));

    let desk = Desk::default();
    let again: Vec<Url> = (1..=3).map(|n| Url::parse(&shop.url(&format!("/p/{n}"))).unwrap()).collect();
    for _ in 0..3 {
        look_again(&profile, again.clone(), &crawler.services, &desk).await.unwrap();
    }
    assert_eq!((shop.times("/list"), shop.times("/p/1"), shop.times("/p/4")), (2, 4, 1));
    let (one, two, three) = (known(1), known(2), known(3));
    assert_eq!((one.visits, one.changes, two.visits, two.changes, three.changes), (4, 3, 4, 0, 0));
    assert!(one.watched.changed > 2.9 && one.watched.changed_days > 0.0, "{one:?}");
    assert!(two.watched.changed == 0.0 && two.watched.same_days > 0.0, "{two:?}");
    // It is no run, and it is charged to the day.
    assert_eq!(coverage.runs("shop").unwrap().len(), 2);
    assert_eq!(coverage.looked_again("shop").unwrap().iter().map(|(_, visits)| visits).sum::<u64>(), 9);
}

#[tokio::test]
async fn what_changes_or_matters_comes_sooner_within_the_budget() {
    let shop = shop().await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let profile = shop.profile("/list", "", RECRAWL);
    crawler.run(&profile, &Desk::default()).await;
    let coverage = crawler.services.coverage.as_ref().unwrap();
    let even = |_: &Known| 1.0;
    assert_eq!(planned(coverage, &profile, SignedDuration::ZERO, &even).next, []);
    let month = SignedDuration::from_hours(30 * 24);
    let plan = planned(coverage, &profile, month, &even);
    assert_eq!((plan.listings, plan.left_today, plan.next.len()), (3, 48, 3));
    assert!(plan.per_day <= 48.1 && plan.next.iter().all(|visit| visit.interval >= 1.0 / 24.0), "{plan:?}");
    let third = shop.url("/p/3");
    let heavy = |known: &Known| if known.url == third { 30.0 } else { 1.0 };
    // A budget that is too small for all: the heavy one first, the others later than before.
    let poor = shop.profile("/list", "", &RECRAWL.replace("48", "1"));
    let plan = planned(coverage, &poor, month, &heavy);
    assert_eq!(plan.next[0].url, third);
    assert!(plan.next[0].why().contains("weight 30.0") && plan.per_day < 1.1, "{plan:?}");
}

#[tokio::test]
async fn a_sitemaps_lastmod_counts_as_much_as_it_proved_to() {
    // The first listing changes whenever it is asked for, and its lastmod moves with the sitemap; the others stay as they are.
    let shop = Shop::open(|path, before| match path {
        "/sitemap.xml" => {
            let item = |n: u32, day: usize| {
                format!("<url><loc>/p/{n}</loc><lastmod>2026-10-{:02}T00:00:00Z</lastmod></url>", day + 1)
            };
            Reply::html(format!("<urlset>{}{}<url><loc>/p/3</loc></url></urlset>", item(1, before), item(2, 0)))
        }
        "/p/1" => Reply::listing(&format!("item 1, {before}")),
        "/p/2" | "/p/3" => Reply::listing("item"),
        "/list" => Reply::list([], None),
        _ => Reply::status(404),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let profile = shop.profile("/list", "", &format!("sitemaps = [{:?}]\n{RECRAWL}", shop.url("/sitemap.xml")));
    let again: Vec<Url> = (1..=3).map(|n| Url::parse(&shop.url(&format!("/p/{n}"))).unwrap()).collect();
    for _ in 0..20 {
        crawler.run(&profile, &Desk::default()).await;
        look_again(&profile, again.clone(), &crawler.services, &Desk::default()).await.unwrap();
    }
    let coverage = crawler.services.coverage.as_ref().unwrap();
    let signs = coverage.signs(&host_of(&again[0])).unwrap();
    // Nothing was said before the first visits, and the third is never named with a time.
    assert!(signs.said_changed > 17.0 && signs.silent_same > 17.0, "{signs:?}");
    assert!(signs.said_same < 1.1 && signs.silent_changed < 1.1, "{signs:?}");
    crawler.run(&profile, &Desk::default()).await;
    let plan = planned(coverage, &profile, SignedDuration::from_hours(40 * 24), &|_| 1.0);
    let sign = |n: usize| plan.next.iter().find(|visit| visit.url == again[n - 1].as_str()).unwrap();
    let (one, two) = (sign(1).sign.unwrap(), sign(2).sign.unwrap());
    assert!(one.said && one.odds > 3.0 && !two.said && two.odds < 0.4, "{one:?} {two:?}");
    assert!(sign(1).why().contains("sooner: named as changed since"), "{}", sign(1).why());
    assert!(sign(2).why().contains("named as unchanged since"), "{}", sign(2).why());
    assert_eq!(sign(3).sign, None);
}

#[test]
fn a_budget_of_nothing_and_times_out_of_order_are_refused() {
    let text = |recrawl: &str| {
        format!(
            "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n\
             [recrawl]\n{recrawl}\n[listing]\nmatch = [\"/p/\"]\n"
        )
    };
    assert!(Profile::parse("s.toml", &text("budget_per_day = 10")).is_ok());
    for (wrong, words) in [
        ("budget_per_day = 0", "a budget of no visits"),
        ("budget_per_day = 5\nmin = \"1m\"", "15 minutes at least"),
        ("budget_per_day = 5\nmin = \"2h\"\nmax = \"1h\"", "no longer than max"),
    ] {
        let refused = Profile::parse("s.toml", &text(wrong)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// Listings with a line under the title, whose place changes the second time they are asked for.
async fn shop_that_changes_its_markup() -> Shop {
    Shop::open(|path, before| match path.strip_prefix("/p/") {
        Some(number) => {
            let class = if before == 0 { "sub" } else { "slogan" };
            let line = format!(
                "<p class=\"{class}\">made for you {number} times</p><p class=\"foot\">all rights reserved</p>"
            );
            Reply::html(format!(
                "<html><head><title>item {number}</title></head><body><h1>item {number}</h1>{line}</body></html>"
            ))
        }
        None if path == "/list" => Reply::list((0..25).map(|n| format!("/p/{n}")), None),
        None => Reply::status(404),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_moved_raises_an_alarm_and_its_new_place_is_found_shown_and_accepted() {
    let shop = shop_that_changes_its_markup().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let file = place.join("sites/shop.toml");
    std::fs::create_dir(place.join("sites")).unwrap();
    let profile = shop.profile_file("/list", "", "") + "[listing.select]\nsubtitle = \"p.sub\" # under the title\n";
    std::fs::write(&file, &profile).unwrap();
    let first = said(place, &["crawl", "shop"]).await;
    assert!(first.contains("25 listings") && !first.contains("ALARM"), "{first}");
    let nothing = said(place, &["crawl", "mend", "shop"]).await;
    assert!(nothing.contains("every field is found as usual"), "{nothing}");
    // Told within the run that met it.
    let second = said(place, &["crawl", "shop"]).await;
    assert!(second.contains("ALARM  subtitle stands in 0 % of 25 listings, where 100 % was usual"), "{second}");
    let status = said(place, &["crawl", "status", "shop"]).await;
    assert!(status.contains("ALARM  shop: subtitle"), "{status}");
    let proposed = said(place, &["crawl", "mend", "shop"]).await;
    assert!(proposed.contains("subtitle = \"p.slogan\"   right on 25 of 25 pages"), "{proposed}");
    assert!(proposed.contains("the changed profile has it on 25 of 25, right on 25"), "{proposed}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), profile, "nobody has accepted it");
    let accepted = said(place, &["crawl", "mend", "shop", "--accept"]).await;
    assert!(accepted.contains("are read from their new places"), "{accepted}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), profile.replace("p.sub\"", "p.slogan\""));
    let third = said(place, &["crawl", "shop"]).await;
    assert!(third.contains("25 listings") && !third.contains("ALARM"), "{third}");
    let status = said(place, &["crawl", "status", "shop"]).await;
    assert!(!status.contains("ALARM"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_ask_about_crawls_while_the_server_runs() {
    let shop = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::create_dir(place.join("sites")).unwrap();
    std::fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", RECRAWL)).unwrap();
    let report = said(place, &["crawl", "shop"]).await;
    assert!(report.contains("3 listings"), "{report}");
    // Without [recrawl] a listing is had whenever a list names it.
    std::fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", "")).unwrap();
    let report = said(place, &["crawl", "shop"]).await;
    assert!(report.contains("2 listings, 2 unchanged"), "{report}");
    std::fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", RECRAWL)).unwrap();
    let own = said(place, &["crawl", "plan"]).await;
    let server =
        markwarden(place).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().map(Server).unwrap();
    let begun = Instant::now();
    while !place.join("data/server.json").is_file() {
        assert!(begun.elapsed() < PATIENCE, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (arguments, words) in [
        (vec!["crawl", "status", "shop"], "addresses by what became of them the last time"),
        (vec!["crawl", "why", &shop.url("/p/1")], "shop: read as a listing"),
        (vec!["crawl", "plan"], "4 listings are looked at again"),
        (vec!["crawl", "plan"], "as its section does"),
        (vec!["crawl", "status", "nobody"], "no run of nobody is known"),
    ] {
        let answer = said(place, &arguments).await;
        assert!(answer.contains(words), "{arguments:?}: {answer}");
    }
    let versions = said(place, &["crawl", "versions", &shop.url("/p/1?utm_source=x")]).await;
    assert!(versions.contains("shop:1  item 1, 1") && versions.contains("item 1, 0 → item 1, 1"), "{versions}");
    let asked = said(place, &["crawl", "plan"]).await;
    assert_eq!(asked.lines().count(), own.lines().count(), "{own}\n{asked}");
    drop(server);
    // Killed, it leaves the file behind; that is no server to ask, and the folder is free.
    let after = said(place, &["crawl", "status", "shop"]).await;
    assert!(after.contains("9 visits"), "{after}");
}
