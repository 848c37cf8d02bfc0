//! Profiles that test themselves: recorded pages, canaries, and drafts from a page.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use markwarden::demo::{Market, Style};

use crate::{
    program::{Server, markwarden, said_with_code as said},
    shop::{Reply, Shop},
};

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// The market's profiles with their recorded pages, as files in `place/sites`.
fn sites_of(market: &Market, place: &Path) {
    let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/market/sites"));
    let to = place.join("sites");
    fs::create_dir(&to).unwrap();
    for style in Style::ALL {
        let id = style.id();
        let text = fs::read_to_string(from.join(format!("{id}.toml"))).unwrap();
        let text = text.replace(&format!("{{{id}}}"), market.address(style));
        fs::write(to.join(format!("{id}.toml")), text).unwrap();
        fs::create_dir(to.join(id)).unwrap();
        for file in fs::read_dir(from.join(id)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(id).join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_markets_profiles_carry_recorded_pages_and_canaries_that_are_read_as_they_must_be() {
    let market = Market::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    sites_of(&market, place);
    let (offline, code) = said(place, &["crawl", "profile", "check"]).await;
    assert_eq!(code, 0, "{offline}");
    for id in ["xinghe", "laojie", "jianpu"] {
        let pages = fs::read_dir(place.join("sites").join(id)).unwrap().count() / 2;
        assert!(pages >= 2, "{id} has {pages} recorded pages");
        let words = format!("{id}: {pages} recorded pages read, 0 of 1 canaries asked, 0 mistakes");
        assert!(offline.contains(&words), "{offline}");
    }
    assert_eq!(market.log().len(), 0, "nothing is fetched");
    assert!(!place.join("data").exists(), "and nothing is kept");
    let (live, code) = said(place, &["crawl", "profile", "check", "--live"]).await;
    assert_eq!(code, 0, "{live}");
    assert!(live.contains("1 of 1 canaries asked"), "{live}");
    let asked: Vec<String> = market.log().iter().map(|request| request.path.clone()).collect();
    assert_eq!(asked.iter().filter(|path| *path == "/robots.txt").count(), 3, "{asked:?}");

    // A selector that does not find any more what stands there: told with file, line and both values, exit code 1.
    let file = place.join("sites/jianpu.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("brand = \"dd.pinpai\"", "brand = \"dd.nothing\"").replace(".from b", "h1")).unwrap();
    let (wrong, code) = said(place, &["crawl", "profile", "check", "jianpu", "--live"]).await;
    assert_eq!(code, 1, "{wrong}");
    assert!(wrong.contains("profile.fact") && wrong.contains("sites/jianpu/"), "{wrong}");
    assert!(wrong.contains("seller.name is read as “简 铺”"), "{wrong}");
    assert!(wrong.contains("sites/jianpu.toml:"), "the canary is told in the profile: {wrong}");
    let (json, code) = said(place, &["--format", "json", "crawl", "profile", "check", "jianpu"]).await;
    assert_eq!(code, 1);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["code"], &first["level"]), (&"profile.fact".into(), &"error".into()), "{json}");
    assert!(first["line"].as_u64().unwrap() > 3, "{json}");
    market.stop().await;
}

/// A list of three listings with an address each; the price of the first moves when it is asked for the second time, and comes
/// back the fourth time.
async fn shop() -> Shop {
    Shop::open(|path, before| match path {
        "/robots.txt" => Reply::html("user-agent: *\ndisallow: /p/closed\nsitemap: /sitemap.xml\n"),
        "/list" => Reply::list((1..=3).map(|n| format!("/p/{n}")), None),
        "/p/1" => {
            let class = if matches!(before, 1 | 2) { "moved" } else { "price" };
            Reply::html(format!(
                "<html><body><h1>item 1</h1><p>货号：A-1</p><b class=\"{class}\">￥ 12.00</b>\
                 <a href=\"/p/2\">2</a><a href=\"/list?page=2\">more</a></body></html>"
            ))
            .with("etag", &format!("\"{before}\""))
        }
        "/p/2" | "/p/3" => Reply::listing("item"),
        _ => Reply::status(404),
    })
    .await
}

const SELECT: &str = "structured = false\ncurrency = \"CNY\"\n[listing.select]\ntitle = \"h1\"\nprice = \"b.price\"\n";

fn canary(shop: &Shop) -> String {
    format!("[[canary]]\nurl = {:?}\nhas = [\"price\"]\n[canary.facts]\ntitle = \"item 1\"\n", shop.url("/p/1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_read_otherwise_raises_an_alarm_in_the_run_and_in_the_status() {
    let shop = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::create_dir(place.join("sites")).unwrap();
    let profile = [shop.profile_file("/list", "", ""), SELECT.to_owned(), canary(&shop)].concat();
    fs::write(place.join("sites/shop.toml"), profile).unwrap();
    let (first, _) = said(place, &["crawl", "shop"]).await;
    assert!(first.contains("3 listings") && !first.contains("ALARM"), "{first}");
    assert_eq!(shop.asked()[1], "/p/1", "the canary is asked for first, and as any listing: {:?}", shop.asked());
    assert_eq!(shop.times("/p/1"), 1);
    let (second, _) = said(place, &["crawl", "shop"]).await;
    let alarm = format!("ALARM  the canary {} since", shop.url("/p/1"));
    assert!(second.contains(&alarm) && second.contains("price is not read; it should be something"), "{second}");
    let (status, _) = said(place, &["crawl", "status", "shop"]).await;
    assert!(status.contains(&alarm), "{status}");
    // It stands until the canary is read well again, and is told once.
    let (third, _) = said(place, &["crawl", "shop"]).await;
    assert!(!third.contains("ALARM"), "{third}");
    let (status, _) = said(place, &["--format", "json", "crawl", "status", "shop"]).await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["canaries"][0]["differences"][0]["path"], "price", "{status}");
    said(place, &["crawl", "shop"]).await;
    let (status, _) = said(place, &["crawl", "status", "shop"]).await;
    assert!(!status.contains("ALARM"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_recorded_from_the_archive_or_fetched_and_never_over_another() {
    let shop = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::create_dir(place.join("sites")).unwrap();
    fs::write(place.join("sites/shop.toml"), shop.profile_file("/list", "", "") + SELECT).unwrap();
    let one = shop.url("/p/1");
    said(place, &["crawl", "shop"]).await;
    let asked = shop.asked().len();
    let (recorded, code) = said(place, &["crawl", "profile", "record", "shop", &one]).await;
    assert_eq!((code, shop.asked().len()), (0, asked), "the archive has it: {recorded}");
    let facts = fs::read_to_string(place.join("sites/shop/1.toml")).unwrap();
    assert!(facts.contains("price = { amount = \"12.00\", currency = \"CNY\" }"), "{facts}");
    assert!(fs::read_to_string(place.join("sites/shop/1.html")).unwrap().contains("b class=\"price\""));
    let (again, code) = said(place, &["crawl", "profile", "record", "shop", &one]).await;
    assert_eq!(code, 2, "{again}");
    assert!(again.contains("is recorded already"), "{again}");
    // Fetched, the page has changed: the profile finds no price there, and the recorded facts say so.
    let (fetched, code) =
        said(place, &["crawl", "profile", "record", "shop", &one, "--fetch", "--name", "moved"]).await;
    assert_eq!((code, shop.times("/p/1")), (0, 2), "{fetched}");
    let moved = fs::read_to_string(place.join("sites/shop/moved.toml")).unwrap();
    assert!(moved.contains("\"price\"") && !moved.contains("price ="), "{moved}");
    let (checked, code) = said(place, &["crawl", "profile", "check", "shop"]).await;
    assert_eq!(code, 0, "{checked}");
    for (arguments, words) in [
        (["crawl", "profile", "record", "shop", &shop.url("/p/closed")], "robots.txt forbids"),
        (["crawl", "profile", "record", "shop", &shop.url("/p/404")], "answered 404"),
        (["crawl", "profile", "record", "shop", "http://10.0.0.1/p/1"], "not a public address"),
    ] {
        let (refused, code) = said(place, &arguments).await;
        assert!(code == 2 && refused.contains(words), "{refused}");
    }
    assert_eq!(shop.times("/p/closed"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_checked_and_recorded_while_the_server_runs() {
    let shop = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::create_dir(place.join("sites")).unwrap();
    fs::write(
        place.join("sites/shop.toml"),
        [shop.profile_file("/list", "", ""), SELECT.to_owned(), canary(&shop)].concat(),
    )
    .unwrap();
    said(place, &["crawl", "shop"]).await;
    let _server =
        markwarden(place).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().map(Server).unwrap();
    let begun = Instant::now();
    while !place.join("data/server.json").is_file() {
        assert!(begun.elapsed() < PATIENCE, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (recorded, code) = said(place, &["crawl", "profile", "record", "shop", &shop.url("/p/1")]).await;
    assert_eq!((code, shop.times("/p/1")), (0, 1), "{recorded}");
    let (live, code) = said(place, &["crawl", "profile", "check", "shop", "--live"]).await;
    assert_eq!((code, shop.times("/p/1")), (1, 2), "{live}");
    assert!(live.contains("price is not read; it should be something"), "{live}");
    // Who is stopped is not asked, by this way neither.
    let (stopped, code) = said(place, &["crawl", "stop", "127.0.0.1", "--by", "li"]).await;
    assert_eq!(code, 0, "{stopped}");
    let begun = Instant::now();
    loop {
        let (live, code) = said(place, &["crawl", "profile", "check", "shop", "--live"]).await;
        if live.contains("it was stopped with `crawl stop`") {
            assert_eq!(code, 1, "{live}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{live}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_a_profile_says_what_was_found_and_crawls() {
    let shop = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let one = shop.url("/p/1");
    let (refused, code) = said(place, &["crawl", "profile", "new", &one]).await;
    assert!(code == 2 && shop.asked().is_empty(), "this machine is asked only where that is said: {refused}");
    let new = ["crawl", "profile", "new", &one, "--allow-loopback"];
    let (draft, code) = said(place, &new).await;
    assert_eq!(code, 0, "{draft}");
    for words in [
        "sitemaps_from_robots = true",
        "/sitemap.xml",
        "price = \"b.price\"",
        "id = '/p/(\\d+)'",
        "match = \"/list?page=\"",
        "# Not found:",
        "allow_loopback = true",
    ] {
        assert!(draft.contains(words), "{words}: {draft}");
    }
    fs::create_dir(place.join("sites")).unwrap();
    let out = [&new[..], &["--out", "sites/shop.toml"]].concat();
    let (written, code) = said(place, &out).await;
    assert_eq!(code, 0, "{written}");
    let kept = fs::read_to_string(place.join("sites/shop.toml")).unwrap();
    assert!(kept.contains("id = \"shop\""), "{kept}");
    let (again, code) = said(place, &out).await;
    assert!(code == 2 && again.contains("is there already"), "{again}");
    assert_eq!(fs::read_to_string(place.join("sites/shop.toml")).unwrap(), kept);
    let (checked, code) = said(place, &["crawl", "profile", "check"]).await;
    assert!(code == 0 && checked.contains("no page is recorded"), "{checked}");
}
