//! The marketplace's shops do what they are said to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    time::Duration,
};

use markwarden::demo::Style;

use super::{Visit, decoded, get, listings, open, style};

#[tokio::test]
async fn every_listing_page_is_served_and_shows_its_title() {
    let market = open().await;
    let known = listings(&market);
    for (id, expected) in &market.truth().listings {
        let site = style(&expected.site);
        let mut got = get(&market, site, &expected.path).await;
        if got.status == 503 {
            got = get(&market, site, &expected.path).await;
        }
        assert_eq!(got.status, 200, "{id}");
        let text = decoded(site, &got.body);
        let title = &known[id].title;
        let gbk = encoding_rs::GBK.encode(title).0;
        let wanted = if site == Style::Laojie { encoding_rs::GBK.decode(&gbk).0 } else { title.into() };
        assert!(text.contains(wanted.as_ref()), "{id}: {wanted}");
    }
    market.market.stop().await;
}

#[tokio::test]
async fn gbk_is_said_by_the_meta_element_alone() {
    let market = open().await;
    let got = get(&market, Style::Laojie, "/list.php?page=1").await;
    assert_eq!(got.header("content-type"), "text/html");
    assert!(decoded(Style::Laojie, &got.body).contains("charset=gb2312"));
    market.market.stop().await;
}

#[tokio::test]
async fn charsets_lie_on_three_pages() {
    let market = open().await;
    let mut lies = BTreeMap::new();
    for (id, expected) in market.truth().listings.iter().filter(|(_, listing)| !listing.disallowed) {
        let site = style(&expected.site);
        let got = get(&market, site, &expected.path).await;
        let kind = got.header("content-type").to_owned();
        if (site == Style::Xinghe && kind.ends_with("ISO-8859-1")) || (site == Style::Jianpu && kind.ends_with("gbk")) {
            assert!(String::from_utf8(got.body).is_ok(), "{id} is UTF-8 in truth");
            lies.insert(expected.site.clone(), "header");
        } else if site == Style::Laojie && got.status == 200 && decoded(site, &got.body).contains("charset=utf-8") {
            lies.insert(expected.site.clone(), "meta");
        }
    }
    assert_eq!(lies.len(), 3, "{lies:?}");
    market.market.stop().await;
}

#[tokio::test]
async fn pages_move_once_and_in_chains_and_in_circles() {
    let market = open().await;
    let mut path = first_link(&market, "/jump/").await;
    let mut steps = Vec::new();
    loop {
        let got = get(&market, Style::Xinghe, &path).await;
        steps.push(got.status);
        if got.status == 200 {
            break;
        }
        path = got.header("location").to_owned();
    }
    assert_eq!(steps, [302, 302, 200]);
    let moved = first_link(&market, "/goods/100").await;
    assert_eq!(get(&market, Style::Xinghe, &moved).await.status, 301);
    assert_eq!(get(&market, Style::Xinghe, "/goods/10991").await.header("location"), "/goods/10992");
    assert_eq!(get(&market, Style::Xinghe, "/goods/10992").await.header("location"), "/goods/10991");
    assert!(get(&market, Style::Xinghe, "/goods/10994").await.header("location").starts_with("http://10."));
    market.market.stop().await;
}

/// The first address with this beginning that a list of 星河商城 links to.
async fn first_link(market: &Visit, prefix: &str) -> String {
    for page in 1..=6 {
        let text = get(market, Style::Xinghe, &format!("/list/{page}.html")).await.text();
        if let Some(at) = text.find(&format!("href=\"{prefix}")) {
            return text[at + 6..].split('"').next().unwrap().to_owned();
        }
    }
    panic!("no list links to {prefix}");
}

#[tokio::test]
async fn one_page_is_busy_once_and_one_is_missing() {
    let market = open().await;
    let missing = get(&market, Style::Laojie, "/goods.php?id=20994").await;
    assert_eq!(missing.status, 404);
    let mut busy = 0;
    for expected in market.truth().listings.values().filter(|listing| listing.site == "laojie") {
        let got = get(&market, Style::Laojie, &expected.path).await;
        if got.status == 503 {
            busy += 1;
            assert_eq!(got.header("retry-after"), "1");
            assert_eq!(get(&market, Style::Laojie, &expected.path).await.status, 200);
        }
    }
    assert_eq!(busy, 1);
    market.market.stop().await;
}

#[tokio::test]
async fn one_page_never_answers() {
    let market = open().await;
    let address = format!("{}/item/10990.html", market.address(Style::Xinghe));
    let impatient = market.browser.get(address).timeout(Duration::from_millis(150)).send().await;
    assert!(impatient.unwrap_err().is_timeout());
    assert_eq!(market.log().last().unwrap().status, 0, "it left before the answer");
    market.market.stop().await;
}

#[tokio::test]
async fn one_page_is_small_on_the_wire_and_too_large_when_unpacked() {
    let market = open().await;
    let limit = market.profiles().unwrap()[0].pace.max_body_bytes;
    let address = format!("{}/item/10993.html", market.address(Style::Xinghe));
    let response = market.browser.get(address).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let packed = response.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert!((packed.len() as u64) < limit / 10 && unpacked.len() as u64 > limit);
    market.market.stop().await;
}

#[tokio::test]
async fn lists_lead_to_every_public_listing_but_those_of_the_sitemap() {
    let market = open().await;
    let mut linked = BTreeSet::new();
    for page in 1.. {
        let got = get(&market, Style::Xinghe, &format!("/list/{page}.html")).await;
        if got.status == 404 {
            break;
        }
        linked.extend(numbers(&got.text()));
    }
    let index = get(&market, Style::Xinghe, "/sitemap.xml").await.text();
    assert!(index.contains("/sitemap-1.xml<") && index.contains("/sitemap-2.xml.gz<"));
    let packed = get(&market, Style::Xinghe, "/sitemap-2.xml.gz").await;
    let mut second = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut second).unwrap();
    let first = get(&market, Style::Xinghe, "/sitemap-1.xml").await.text();
    let mapped: BTreeSet<String> = numbers(&first).union(&numbers(&second)).cloned().collect();
    assert_eq!(mapped.difference(&linked).count(), 6, "only the sitemap knows these");
    let own = market.truth().listings.keys().filter_map(|id| id.strip_prefix("xinghe:").map(str::to_owned));
    let reached: BTreeSet<String> = linked.union(&mapped).cloned().collect();
    assert!(own.into_iter().all(|number| reached.contains(&number)));
    market.market.stop().await;
}

/// The item numbers named in a text.
fn numbers(text: &str) -> BTreeSet<String> {
    let digits = regex::Regex::new(r"/(?:item|goods|jump)/(\d+)").unwrap();
    digits.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[tokio::test]
async fn the_json_list_ends_and_names_every_listing_once() {
    let market = open().await;
    let (mut path, mut seen) = ("/api/goods".to_owned(), Vec::new());
    loop {
        let got = get(&market, Style::Jianpu, &path).await;
        assert_eq!(got.header("content-type"), "application/json");
        let page: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        seen.extend(page["data"]["list"].as_array().unwrap().iter().map(|item| item["gid"].to_string()));
        match page["data"]["cursor"].as_str() {
            Some(cursor) => path = format!("/api/goods?cursor={cursor}"),
            None => break,
        }
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    let own = market.truth().listings.values().filter(|listing| listing.site == "jianpu").count();
    assert_eq!((seen.len(), distinct.len()), (own + 1, own + 1), "and one that is gone");
    market.market.stop().await;
}

#[tokio::test]
async fn forbidden_listings_are_linked_and_forbidden() {
    let market = open().await;
    let robots = get(&market, Style::Xinghe, "/robots.txt").await.text();
    assert!(robots.contains("Disallow: /private/") && robots.contains(market.address(Style::Xinghe)));
    let forbidden: Vec<_> = market.truth().listings.values().filter(|listing| listing.disallowed).collect();
    assert_eq!(forbidden.len(), 2);
    let mut lists = String::new();
    for page in 1..=6 {
        lists += &get(&market, Style::Xinghe, &format!("/list/{page}.html")).await.text();
    }
    for listing in forbidden {
        let prefixes: &[String] = &market.truth().disallowed["xinghe"];
        assert!(prefixes.iter().any(|prefix| listing.path.starts_with(prefix)), "{}", listing.path);
        assert!(lists.contains(&listing.path), "{}", listing.path);
        assert!(listing.expect.is_empty());
    }
    market.market.stop().await;
}

#[tokio::test]
async fn selectors_of_the_profiles_find_their_facts() {
    let market = open().await;
    let known = listings(&market);
    for profile in market.profiles().unwrap() {
        let site = style(&profile.id);
        let expected =
            market.truth().listings.iter().filter(|(id, listing)| {
                listing.site == profile.id && !listing.disallowed && known[*id].brand.is_some()
            });
        for (id, expected) in expected.take(12) {
            let mut got = get(&market, site, &expected.path).await;
            if got.status == 503 {
                got = get(&market, site, &expected.path).await;
            }
            let page = scraper::Html::parse_document(&decoded(site, &got.body));
            let count = |css: &str| page.select(&scraper::Selector::parse(css).unwrap()).count();
            let select = &profile.listing.select;
            let rows = select.attributes.as_ref().unwrap();
            assert_eq!(count(&rows.rows), known[id].attributes.len(), "{id}");
            assert_eq!(count(&select.reviews.as_ref().unwrap().css), known[id].reviews.len(), "{id}");
            assert_eq!(count(&select.category.as_ref().unwrap().css), known[id].category.len(), "{id}");
            for one in [&select.title, &select.price, &select.brand, &select.seller, &select.seller_id] {
                assert!(one.as_ref().is_none_or(|select| count(&select.css) == 1), "{id} {one:?}");
            }
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn one_page_is_cut_off_in_the_middle_of_a_tag_and_still_shows_its_facts() {
    let market = open().await;
    let known = listings(&market);
    let mut broken = Vec::new();
    for (id, expected) in market.truth().listings.iter().filter(|(_, listing)| listing.site == "jianpu") {
        let text = get(&market, Style::Jianpu, &expected.path).await.text();
        if !text.contains("</body>") {
            assert!(text.ends_with("<a href=\"/g/") && !text.contains("</p>"), "{id}");
            let page = scraper::Html::parse_document(&text);
            let title = page.select(&scraper::Selector::parse("main > h2").unwrap()).next().unwrap();
            assert_eq!(title.text().collect::<String>(), known[id].title);
            broken.push(id);
        }
    }
    assert_eq!(broken.len(), 1);
    market.market.stop().await;
}

#[tokio::test]
async fn the_log_says_who_asked_for_what_and_in_which_order() {
    let market = open().await;
    get(&market, Style::Jianpu, "/robots.txt").await;
    get(&market, Style::Xinghe, "/nothing?here=1").await;
    let log = market.log();
    let lines: Vec<_> = log.iter().map(|line| (line.site, line.path.as_str(), line.status)).collect();
    assert_eq!(lines, [("jianpu", "/robots.txt", 200), ("xinghe", "/nothing?here=1", 404)]);
    assert_eq!(log[0].user_agent, "market-test/1");
    assert!(log[0].at_us <= log[1].at_us);
    market.market.stop().await;
}

#[tokio::test]
async fn addresses_that_mean_nothing_are_answered_with_404() {
    let market = open().await;
    for path in ["/list/0.html", "/list/99.html", "/list/x.html", "/item/1.html", "/list/18446744073709551615.html"] {
        assert_eq!(get(&market, Style::Xinghe, path).await.status, 404, "{path}");
    }
    assert_eq!(get(&market, Style::Jianpu, "/api/goods?cursor=nine").await.status, 404);
    market.market.stop().await;
}

#[tokio::test]
async fn a_closed_market_answers_nobody() {
    let market = open().await;
    let address = format!("{}/robots.txt", market.address(Style::Laojie));
    assert!(market.browser.get(&address).send().await.is_ok());
    let Visit { market, browser } = market;
    market.stop().await;
    assert!(browser.get(&address).send().await.is_err());
}
