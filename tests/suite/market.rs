//! The fictional marketplace: its files fit together, and its shops do what they are said to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    time::Duration,
};

use markwarden::{
    demo::{Market, Style, Truth, Writing, score},
    model::{FindingKind, Listing},
};

/// A browser that follows nothing and unpacks nothing by itself.
fn browser() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("market-test/1")
        .build()
        .unwrap()
}

struct Got {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// An open market and a browser that walks it.
struct Visit {
    market: Market,
    browser: reqwest::Client,
}

impl std::ops::Deref for Visit {
    type Target = Market;
    fn deref(&self) -> &Market {
        &self.market
    }
}

async fn open() -> Visit {
    Visit { market: Market::start().await.unwrap(), browser: browser() }
}

async fn get(market: &Visit, style: Style, path: &str) -> Got {
    let response = market.browser.get(format!("{}{path}", market.address(style))).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

fn style(site: &str) -> Style {
    Style::ALL.into_iter().find(|style| style.id() == site).unwrap()
}

struct MarkRow {
    holder: String,
    text: String,
    aliases: Vec<String>,
    live: bool,
    sellers: Vec<String>,
}

fn marks(market: &Visit) -> BTreeMap<String, MarkRow> {
    let mut reader = csv::Reader::from_reader(market.marks_csv().as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        header.join(","),
        "id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,well_known,aliases,goods,authorised_sellers"
    );
    let list = |text: &str| text.split(';').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let field = |place: usize| row.get(place).unwrap().to_owned();
            (
                field(0),
                MarkRow {
                    holder: field(1),
                    text: field(2),
                    aliases: list(&field(10)),
                    live: field(6) != "dead" && (field(8).is_empty() || field(8).as_str() > "2026-01-01"),
                    sellers: list(&field(12)),
                },
            )
        })
        .collect()
}

fn listings(market: &Visit) -> BTreeMap<String, &Listing> {
    market.listings().map(|listing| (listing.id.clone(), listing)).collect()
}

#[tokio::test]
async fn the_market_is_as_large_as_it_says() {
    let market = open().await;
    let marks = marks(&market);
    let holders: BTreeSet<&str> = marks.values().map(|mark| mark.holder.as_str()).collect();
    assert_eq!((marks.len(), holders.len()), (30, 6));
    let of = |kind| {
        market.truth().listings.values().filter(|l| l.expect.iter().any(|expected| expected.kind == kind)).count()
    };
    assert!(market.truth().listings.len() >= 150, "{}", market.truth().listings.len());
    assert!(of(FindingKind::Mark) >= 40, "{}", of(FindingKind::Mark));
    assert!(of(FindingKind::Rule) >= 25, "{}", of(FindingKind::Rule));
    market.market.stop().await;
}

#[tokio::test]
async fn every_listing_has_its_truth_and_every_truth_its_listing() {
    let market = open().await;
    let known = listings(&market);
    assert_eq!(known.len(), market.listings().count(), "an id stands twice");
    let truth: BTreeSet<&String> = market.truth().listings.keys().collect();
    assert_eq!(known.keys().collect::<BTreeSet<_>>(), truth);
    for (id, listing) in &known {
        let expected = &market.truth().listings[id];
        assert_eq!(listing.platform.as_deref(), Some(expected.site.as_str()), "{id}");
        assert!(listing.other.is_empty(), "the page's making is no product fact");
        assert!(!expected.why.is_empty(), "{id} says why");
    }
    market.market.stop().await;
}

#[tokio::test]
async fn every_expectation_names_a_known_mark_or_rule_and_a_surface_that_exists() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, listing) in &market.truth().listings {
        let mut families = BTreeSet::new();
        for expected in &listing.expect {
            assert!(families.insert((expected.kind, &expected.family)), "{id}: one entry a family");
            assert!(known[id].surface_text(&expected.surface).is_some(), "{id}: {}", expected.surface);
            assert_eq!(expected.channel == Writing::Combined, !expected.parts.is_empty(), "{id}: parts");
            if expected.kind == FindingKind::Mark {
                assert_eq!(marks[&expected.reference].holder, expected.family, "{id}");
            }
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn a_plain_mark_stands_in_the_surface_and_a_disguised_one_does_not() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, listing) in &market.truth().listings {
        for expected in listing.expect.iter().filter(|expected| expected.kind == FindingKind::Mark) {
            let text = known[id].surface_text(&expected.surface).unwrap().to_lowercase();
            let word = marks[&expected.reference].text.to_lowercase();
            assert_eq!(text.contains(&word), expected.channel == Writing::Plain, "{id}: {word} in {text}");
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn every_disguise_is_shown_at_least_twice() {
    let market = open().await;
    let mut shown = BTreeMap::new();
    for expected in market.truth().listings.values().flat_map(|listing| &listing.expect) {
        *shown.entry(expected.channel.to_string()).or_insert(0) += 1;
    }
    assert_eq!(shown.len(), 14, "{shown:?}");
    assert!(shown.values().all(|count| *count >= 2), "{shown:?}");
    market.market.stop().await;
}

/// A clean listing may carry a live mark's letters only where the truth explains why that is no infringement.
#[tokio::test]
async fn no_ordinary_listing_carries_a_mark_by_accident() {
    let market = open().await;
    let (marks, known) = (marks(&market), listings(&market));
    for (id, expected) in &market.truth().listings {
        let holders: BTreeSet<&str> = expected.expect.iter().map(|expected| expected.family.as_str()).collect();
        for (mark_id, mark) in marks.iter().filter(|(_, mark)| mark.live && !holders.contains(mark.holder.as_str())) {
            for word in mark.aliases.iter().chain([&mark.text]) {
                let there = known[id].surfaces().iter().any(|s| s.text.to_lowercase().contains(&word.to_lowercase()));
                assert!(!there || !expected.why.starts_with("普通商品"), "{id} carries {mark_id} {word}");
            }
        }
    }
    market.market.stop().await;
}

#[tokio::test]
async fn licensed_shops_of_the_register_do_trade_in_the_market() {
    let market = open().await;
    let marks = marks(&market);
    let trading: BTreeSet<&str> = market
        .listings()
        .filter_map(|listing| listing.seller.as_ref())
        .flat_map(|seller| [seller.id.as_deref(), seller.name.as_deref()])
        .flatten()
        .collect();
    let licensed: BTreeSet<&str> = marks.values().flat_map(|mark| mark.sellers.iter().map(String::as_str)).collect();
    assert!(licensed.intersection(&trading).count() >= 7, "{:?}", licensed.intersection(&trading));
    assert!(trading.contains("S2004"), "one licence names a shop by its id");
    market.market.stop().await;
}

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
        let escaped = known[id].title.replace('&', "&#38;").replace('<', "&#60;");
        let gbk = site == Style::Laojie;
        let wanted = if gbk { decoded(site, &encoding_rs::GBK.encode(&escaped).0) } else { escaped };
        assert!(text.contains(&wanted), "{id}: {wanted}");
    }
    market.market.stop().await;
}

fn decoded(site: Style, body: &[u8]) -> String {
    if site == Style::Laojie {
        assert!(std::str::from_utf8(body).is_err(), "GBK is no UTF-8");
        let (text, _, wrong) = encoding_rs::GBK.decode(body);
        assert!(!wrong, "the page is not GBK");
        return text.into_owned();
    }
    String::from_utf8(body.to_vec()).unwrap()
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
    let moved = first_link(&market, "/goods/1004").await;
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
async fn profiles_know_the_addresses_and_match_the_pages() {
    let market = open().await;
    let profiles = market.profiles().unwrap();
    assert_eq!(profiles.len(), 3);
    for profile in &profiles {
        let base = market.address(style(&profile.id));
        assert!(profile.start.iter().all(|start| start.starts_with(base)), "{:?}", profile.start);
        assert!(profile.allow_loopback);
        let id = regex::Regex::new(profile.listing.id.as_deref().unwrap()).unwrap();
        for (listing, expected) in market.truth().listings.iter().filter(|(_, listing)| listing.site == profile.id) {
            let url = url::Url::parse(&format!("{base}{}", expected.path)).unwrap();
            assert!(profile.listing.patterns.iter().any(|pattern| pattern.matches(&url)), "{url}");
            assert!(!profile.lists.iter().any(|list| list.pattern.matches(&url)), "{url}");
            let number = &id.captures(url.as_str()).unwrap()[1];
            assert_eq!(format!("{}:{number}", profile.platform), *listing);
        }
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
    for path in ["/list/0.html", "/list/99.html", "/list/x.html", "/item/1.html", "/list/99999999999999999999.html"] {
        assert_eq!(get(&market, Style::Xinghe, path).await.status, 404, "{path}");
    }
    assert_eq!(get(&market, Style::Jianpu, "/api/goods?cursor=nine").await.status, 404);
    market.market.stop().await;
}

#[tokio::test]
async fn finding_nothing_scores_nothing_and_hides_nothing() {
    let market = open().await;
    let truth: &Truth = market.truth();
    let nothing = score(truth, &BTreeMap::new());
    let expected: usize = truth.listings.values().map(|listing| listing.expect.len()).sum();
    let apart: usize = nothing.unclaimed.values().map(|measure| measure.false_negatives).sum();
    assert_eq!(nothing.misses.len(), expected);
    assert_eq!(nothing.marks.false_negatives + nothing.rules.false_negatives + apart, expected);
    assert_eq!(nothing.marks.precision, None);
    assert_eq!(nothing.not_seen.len(), nothing.listings);
    market.market.stop().await;
}
