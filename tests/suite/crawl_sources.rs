//! Where a crawl begins besides pages: feeds, queries, JSON and GraphQL endpoints; and what a profile sends along.

use std::collections::BTreeMap;

use async_trait::async_trait;
use markwarden::crawl::{Asking, CrawlError, Fetched, Profile, RunReport, Settings, Sink, SinkError, run};
use serde_json::{Value, json};

use crate::shop::{Crawler, Desk, Reply, Shop};

/// A profile of the shop with `top` before its tables and `tables` after them.
fn profile(shop: &Shop, top: &str, tables: &str) -> Profile {
    let text = format!(
        "format = 1\nid = \"shop\"\nname = \"shop\"\nplatform = \"shop\"\nallow_loopback = true\n{top}\n\
         [pace]\ndelay = 0\nretries = 0\nbackoff = \"10ms\"\n{tables}\n\
         [listing]\nmatch = [\"/p/\"]\nid = '/p/(\\w+)'\ncurrency = \"CNY\"\n"
    );
    Profile::parse("shop.toml", &text.replace("{shop}", &format!("http://{}", shop.host))).unwrap()
}

fn asked_of(path: &str, before: &str) -> Option<Value> {
    serde_json::from_str(path.strip_prefix(before)?).ok()
}

fn askings(crawler: &Crawler) -> BTreeMap<String, Asking> {
    let coverage = crawler.services.coverage.as_ref().unwrap();
    let all = coverage.askings("shop").map(Result::unwrap);
    all.map(|asking| (format!("{} {} {}", asking.keyword, asking.region, asking.sort).trim().to_owned(), asking))
        .collect()
}

#[tokio::test]
async fn feeds_name_listings_and_what_did_not_change_is_not_asked_for() {
    let shop = Shop::open(|path, _| match path {
        "/new.xml" => Reply::html(
            r#"<feed xmlns="http://www.w3.org/2005/Atom"><link rel="next" href="/new.xml?2"/>
            <entry><link href="/p/1"/><updated>2020-01-01T00:00:00Z</updated></entry>
            <entry><link href="/p/2"/><updated>2099-01-01T00:00:00Z</updated></entry></feed>"#,
        ),
        "/new.xml?2" => Reply::html("<rss><channel><item><link>/p/3</link></item></channel></rss>"),
        path if path.starts_with("/p/") => Reply::listing(path),
        _ => Reply::status(404),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let text = |trust: &str| format!("start = [\"{{shop}}/new.xml\"]\n{trust}");
    let feed = "[[list]]\nmatch = \"/new.xml\"\nfeed = true";
    let trusting = profile(&shop, &text("trust_updated = true"), feed);
    let desk = Desk::default();
    let first = crawler.run(&trusting, &desk).await;
    assert_eq!((desk.titles(), first.lists), (vec!["/p/1".to_owned(), "/p/2".into(), "/p/3".into()], 2));
    let second = crawler.run(&trusting, &Desk::default()).await;
    // The first is older than its last visit and not asked for; the others are, and send the same bytes.
    assert_eq!((second.unchanged, second.listings), (3, 0));
    crawler.run(&profile(&shop, &text(""), feed), &Desk::default()).await;
    assert_eq!(["/p/1", "/p/2", "/p/3"].map(|path| shop.times(path)), [2, 3, 3]);
}

#[tokio::test]
async fn every_question_is_asked_page_by_page_and_the_ledger_knows_what_it_gave() {
    let shop = Shop::open(|path, _| {
        let Some(query) = path.strip_prefix("/s?q=") else { return Reply::listing(path) };
        match query {
            // 云雀 in GBK: two pages and an empty one, or one page that comes again and again.
            "%D4%C6%C8%B8&r=bj&p=1" => Reply::list(["/p/1".to_owned(), "/p/2".into()], None),
            "%D4%C6%C8%B8&r=bj&p=2" => Reply::list(["/p/2".to_owned(), "/p/3".into()], None),
            "%D4%C6%C8%B8&r=bj&p=3" => Reply::list([], None),
            _ if query.starts_with("%D4%C6%C8%B8&r=sh") => Reply::list(["/p/1".to_owned()], None),
            _ if query.starts_with("endless&r=bj") => {
                Reply::list([format!("/p/{}", query.len() + query.as_bytes()[query.len() - 1] as usize)], None)
            }
            _ => Reply::status(500),
        }
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let words = crawler.folder.path().join("words.txt");
    std::fs::write(&words, "# further words\nendless\n云雀\n").unwrap();
    let query = format!(
        "[[query]]\nid = \"search\"\nurl = \"{{shop}}/s?q={{keyword}}&r={{region}}&p={{page}}\"\nkeywords = [\"云雀\"]\n\
         keywords_file = {words:?}\nregions = [\"bj\", \"sh\"]\ncharset = \"gbk\"\nmax_pages = 4\n\
         [[list]]\nmatch = \"/s?\"\nitems = \"a.item\""
    );
    let desk = Desk::default();
    let report = crawler.run(&profile(&shop, "", &query), &desk).await;
    let known = askings(&crawler);
    let told = |name: &str| {
        let asking: &Asking = &known[name];
        (asking.pages, asking.listings, asking.new, asking.last.kind.as_str())
    };
    assert_eq!(known.len(), 4);
    assert_eq!(told("云雀 bj"), (3, 4, 3, "empty"));
    assert_eq!(told("云雀 sh"), (2, 2, 1, "nothing_new"));
    assert_eq!(told("endless bj"), (4, 4, 4, "max_pages"));
    assert_eq!(told("endless sh"), (0, 0, 0, "status_500"));
    let places: Vec<&str> = known["云雀 bj"].found.iter().map(|url| &url[url.len() - 4..]).collect();
    assert_eq!(places, ["/p/1", "/p/2", "/p/3"]);
    assert_eq!(desk.titles().len() as u64, report.listings);
    assert_eq!(shop.times("/p/1"), 1);
}

/// A sink that knows marks.
struct Marks(Vec<String>);

#[async_trait]
impl Sink for Marks {
    async fn fetched(&self, _: Fetched) -> Result<(), SinkError> {
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        self.0.clone()
    }
}

#[tokio::test]
async fn the_registers_marks_are_keywords_and_a_lost_file_of_keywords_ends_the_run() {
    let shop = Shop::open(|_, _| Reply::list([], None)).await;
    let crawler = Crawler::new(Settings::default());
    let query = "[[query]]\nid = \"s\"\nurl = \"{shop}/s?q={keyword}\"\nkeywords = [\"@marks\", \"b\"]\n[[list]]\nmatch = \"/s?\"\nitems = \"a.item\"";
    let marks = Marks(vec!["a".into(), "b".into(), "x".repeat(101)]);
    run(&profile(&shop, "", query), &crawler.services, &marks).await.unwrap();
    let mut asked = shop.asked();
    asked.retain(|path| path.starts_with("/s"));
    asked.sort();
    assert_eq!(asked, ["/s?q=a", "/s?q=b"]);
    let lost = query.replace("keywords =", "keywords_file = \"/nowhere/words.txt\"\nkeywords =");
    let error = run(&profile(&shop, "", &lost), &crawler.services, &marks).await.unwrap_err();
    assert!(matches!(error, CrawlError::Keywords { .. }), "{error}");
}

/// Answers of a GraphQL endpoint: two pages of goods, or an error for another word.
fn graphql(body: &Value) -> Reply {
    let goods = |id: u64, name: &str| json!({"id": id, "name": name, "price": id * 100, "shop": {"name": "店"}});
    let variables = &body["variables"];
    let (edges, cursor, more) = match (variables["q"].as_str(), variables["after"].as_str()) {
        (Some("云雀"), None) => (vec![goods(1, "云雀 跑鞋"), goods(2, "云雀 袜")], "c1", true),
        (Some("云雀"), Some("c1")) => (vec![goods(3, "云雀 帽"), json!({"id": 9})], "c2", false),
        _ => return Reply::json(&json!({"errors": [{"message": "no"}], "data": null})),
    };
    let edges: Vec<Value> = edges.into_iter().map(|node| json!({"node": node})).collect();
    Reply::json(&json!({"data": {"search": {"edges": edges, "pageInfo": {"endCursor": cursor, "hasNextPage": more}}}}))
}

const GRAPHQL: &str = r#"
[[query]]
id = "goods"
url = "{shop}/graphql"
method = "POST"
keywords = ["云雀", "other"]
graphql = "query($q: String!, $after: String) { search(q: $q, after: $after) { edges { node { id } } } }"
variables = { q = "{keyword}", after = "{cursor}" }
[[list]]
match = "/graphql"
[list.json]
items = "/data/search/edges/*/node"
link = "/p/{/id}"
next = "/data/search/pageInfo/endCursor"
more = "/data/search/pageInfo/hasNextPage"
[list.json.facts]
id = "/id"
title = "/name"
price = { at = "/price", fen = true }
seller = "/shop/name"
"#;

#[tokio::test]
async fn a_graphql_endpoint_is_asked_by_post_and_its_answers_are_listings() {
    let shop = Shop::open(|path, _| match asked_of(path, "POST /graphql ") {
        Some(body) => graphql(&body),
        None if path == "/robots.txt" => Reply::status(404),
        None => Reply::listing("a page that is not needed"),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_coverage().keeping_evidence();
    let desk = Desk::default();
    let profile = profile(&shop, "", GRAPHQL);
    let report: RunReport = crawler.run(&profile, &desk).await;
    assert_eq!((report.listings, report.lists, report.pages), (3, 3, 3), "{report:?}");
    assert!(shop.asked().iter().all(|path| !path.starts_with("/p/")));
    {
        let pages = desk.pages.lock().unwrap();
        let two = pages.iter().find(|page| page.others.len() == 1).unwrap();
        let one = two.listing.as_ref().unwrap();
        assert_eq!((one.id.as_str(), one.title.as_str()), ("shop:1", "云雀 跑鞋"));
        assert_eq!(one.price.as_ref().unwrap().amount.to_string(), "1.00");
        assert_eq!(one.url.as_deref(), Some(shop.url("/p/1").as_str()));
        // The record of the request holds what was asked.
        let capture = two.capture.as_ref().unwrap();
        let file = std::fs::read(crawler.folder.path().join("warc").join(&capture.file)).unwrap();
        let request = markwarden::evidence::Record::read(&file[(capture.offset + capture.length) as usize..], 1 << 20);
        let request = String::from_utf8(request.unwrap().block).unwrap();
        assert!(request.starts_with("POST /graphql HTTP/1.1\r\n") && request.contains("云雀"), "{request}");
    }
    let known = askings(&crawler);
    assert_eq!((known["云雀"].pages, known["云雀"].new, known["云雀"].last.kind.as_str()), (2, 3, "no_next"));
    assert_eq!((known["other"].pages, known["other"].last.kind.as_str()), (1, "empty"));
    // What did not change does not come again.
    let again = Desk::default();
    let report = crawler.run(&profile, &again).await;
    assert_eq!((report.listings, report.unchanged, again.titles().len()), (0, 3, 0));
}

#[tokio::test]
async fn a_post_obeys_robots_and_is_never_sent_where_an_answer_points() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::html("user-agent: *\ndisallow: /graphql\n"),
        _ => Reply::moved("/elsewhere"),
    })
    .await;
    let crawler = Crawler::new(Settings::default());
    let report = crawler.run(&profile(&shop, "", GRAPHQL), &Desk::default()).await;
    assert_eq!((report.denied_by_robots, shop.asked()), (2, vec!["/robots.txt".to_owned()]));
    let open = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        _ => Reply::moved("/elsewhere"),
    })
    .await;
    let report = crawler.run(&profile(&open, "", GRAPHQL), &Desk::default()).await;
    assert_eq!((report.failed["status_302"], open.times("/elsewhere")), (2, 0));
}

#[tokio::test]
async fn a_run_that_was_stopped_amid_its_questions_goes_on_with_them() {
    let shop = Shop::open(|path, _| match path.strip_prefix("/s?p=") {
        Some(page) => {
            let page: u64 = page.parse().unwrap();
            Reply::list((0..2).map(|item| format!("/p/{}", page * 2 + item)), None)
        }
        None => Reply::listing(path),
    })
    .await;
    let query = "[[query]]\nid = \"s\"\nurl = \"{shop}/s?p={page}\"\nmax_pages = 5\n[[list]]\nmatch = \"/s?\"\nitems = \"a.item\"";
    let crawler = Crawler::new(Settings::default()).keeping_coverage();
    let profile = profile(&shop, "", query);
    let few = Desk { most: Some(2), ..Desk::default() };
    assert!(run(&profile, &crawler.services, &few).await.is_err());
    let desk = Desk::default();
    crawler.run(&profile, &desk).await;
    let mut pages: Vec<String> = shop.asked().into_iter().filter(|path| path.starts_with("/s?")).collect();
    pages.sort();
    pages.dedup();
    assert_eq!(pages, ["/s?p=1", "/s?p=2", "/s?p=3", "/s?p=4", "/s?p=5"]);
    assert_eq!(desk.titles().len() + few.titles().len(), 10);
}
