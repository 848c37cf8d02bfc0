//! Looking after the program: what it counts, pauses, alarms, and what a confirmed hit cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, RwLock},
    time::Duration,
};

use markwarden::{
    crawl::{self, Profile, Services, Settings},
    demo::Market,
    marks::import_csv,
    model::{AccountName, Clock, Decision, HitState, Listing, ListingId, ManualClock, Reason, Role, Seller, Verdict},
    monitor::{Halting, Monitor, Operating, Works},
    review,
    rules::RuleSet,
    store::{Batch, Filter, MemoryStore, Store, Write},
};
use prometheus_parse::{Scrape, Value};
use reqwest::{Method, StatusCode};

use crate::{
    desk::Visitor,
    desk_shop::{PASSWORD, Shop as Office},
    shop::{Crawler, Desk, Reply, Shop},
};

/// A market that was crawled, and the desk before it.
pub struct Place {
    pub office: Office,
    pub profiles: Vec<Profile>,
    services: Services,
    monitor: Arc<Monitor>,
    works: Arc<Works>,
    pub market: Market,
    _folder: tempfile::TempDir,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl Place {
    pub async fn open() -> Self {
        let market = Market::start().await.unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T09:30:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let marks = import_csv("marks.csv", market.marks_csv()).unwrap();
        let writes = marks.into_iter().map(Write::Mark).collect();
        store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
        let Crawler { mut services, folder, stop } = Crawler::new(Settings::default()).keeping_coverage();
        (services.store, services.clock) = (store.clone(), clock.clone());
        let rules = Some(Arc::new(RuleSet::builtin().unwrap()));
        let matcher = markwarden::matcher::Settings::default();
        let monitor = Monitor::new(store.clone(), clock.clone(), rules, matcher).await.unwrap();
        let monitor = Arc::new(monitor.with_meters(Arc::clone(&services.meters)));
        let profiles = market.profiles().unwrap();
        let works = Works {
            known: RwLock::new(Arc::new(
                profiles.iter().map(|profile| (profile.id.clone(), Arc::new(profile.clone()))).collect(),
            )),
            rooms: Vec::new(),
            coverage: services.coverage.clone(),
            meters: Arc::clone(&services.meters),
            air: Arc::default(),
            operating: Arc::new(Operating::open(folder.path().join("operations.json"), Arc::clone(&services.paused))),
            halting: Arc::new(Halting::open(folder.path().join("halted.json"), Arc::clone(&services.hosts))),
            risk: Arc::default(),
            data: folder.path().to_owned(),
            least_free: 1,
            clock: clock.clone(),
            gathered: tokio::sync::Mutex::default(),
        };
        let works = Arc::new(works);
        let behind = (Some(Arc::clone(&monitor)), Some(Arc::clone(&works)));
        let apart = (Arc::default(), tempfile::tempdir().unwrap());
        let office = Office::start((store, clock), review::Settings::default(), behind, apart).await;
        Self { office, profiles, services, monitor, works, market, _folder: folder, _stop: stop }
    }

    pub async fn crawl(&self, number: usize) -> crawl::RunReport {
        crawl::run(&self.profiles[number], &self.services, &*self.monitor).await.unwrap()
    }

    /// A token of `name`, who is known to the desk, with these scopes.
    async fn token(&self, name: &str, scopes: &[&str]) -> String {
        let mut who = Visitor::stranger(&self.office);
        who.sign_in(name, PASSWORD).await;
        let mut form = vec![("label", "scraper"), ("days", "1")];
        form.extend(scopes.iter().map(|scope| ("scope", *scope)));
        let page = who.post("/account/tokens", &form).await.text().await.unwrap();
        format!("mw_{}", page.split("mw_").nth(1).unwrap().split('<').next().unwrap())
    }

    async fn metrics(&self, token: &str) -> (StatusCode, String) {
        let client = Visitor::stranger(&self.office).client;
        let request = client.get(format!("{}/metrics", self.office.address)).bearer_auth(token);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
}

/// What the text says, by name and labels.
fn read(text: &str) -> BTreeMap<String, f64> {
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let samples = scrape.samples.into_iter().filter_map(|sample| {
        let labels: BTreeSet<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let name = format!("{}{{{}}}", sample.metric, labels.into_iter().collect::<Vec<_>>().join(","));
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => Some((name, value)),
            Value::Histogram(_) | Value::Summary(_) => None,
        }
    });
    samples.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_crawl_did_stands_in_the_metrics_and_only_who_may_reads_them() {
    let place = Place::open().await;
    let report = place.crawl(0).await;
    assert!(report.pages > 30 && report.listings > 20, "{report:?}");
    let again = place.crawl(0).await;
    let profile = &place.profiles[0].id;
    let token = place.token("root", &["read-metrics"]).await;
    let (status, text) = place.metrics(&token).await;
    assert_eq!(status, StatusCode::OK);
    let found = read(&text);
    let counts = place.office.store.counts().await.unwrap();
    let value = |name: &str| *found.get(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    let of = |name: &str| value(&format!("markwarden_{name}{{profile={profile}}}"));
    assert_eq!(of("crawl_pages_total"), (report.pages + again.pages) as f64);
    assert_eq!(of("crawl_body_bytes_total"), (report.bytes + again.bytes) as f64);
    assert_eq!(
        of("crawl_fetch_seconds_count"),
        (report.pages + report.redirects + again.pages + again.redirects) as f64
    );
    assert_eq!(of("crawl_hits_total"), counts.open as f64);
    assert_eq!(of("crawl_frontier"), 0.0);
    let kind = |name: &str, kind: &str| value(&format!("markwarden_{name}{{kind={kind},profile={profile}}}"));
    assert_eq!(kind("crawl_listings_total", "new"), report.listings as f64);
    assert_eq!(kind("crawl_kept_out_total", "robots"), (report.denied_by_robots + again.denied_by_robots) as f64);
    assert!(kind("crawl_answers_total", "2xx") >= report.listings as f64);
    assert_eq!(value("markwarden_queue_hits{state=open}"), counts.open as f64);
    assert_eq!(value("markwarden_marks_watched{}"), counts.marks as f64);
    assert!(
        value("markwarden_process_resident_memory_bytes{}") > 1e6
            && value("markwarden_process_cpu_seconds_total{}") > 0.0
    );
    // Nothing that a page says becomes a label.
    assert!(found.len() < 200 && !text.contains("http"), "{text}");

    let other = place.token("lin", &["read-hits"]).await;
    assert_eq!(place.metrics(&other).await.0, StatusCode::FORBIDDEN);
    for wrong in ["", "mw_0", &token[..token.len() - 1]] {
        assert_eq!(place.metrics(wrong).await.0, StatusCode::UNAUTHORIZED);
    }
    let stranger = Visitor::stranger(&place.office);
    assert_eq!(stranger.get("/metrics").await.status(), StatusCode::UNAUTHORIZED);
    place.market.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_hit_has_a_price_on_every_page_that_shows_one() {
    let place = Place::open().await;
    let report = place.crawl(0).await;
    let store = &place.office.store;
    let token = place.token("root", &["read-metrics"]).await;
    let profile = &place.profiles[0].id;
    let requests = format!("markwarden_confirmed_hit_requests{{profile={profile}}}");
    assert!(!read(&place.metrics(&token).await.1).contains_key(&requests), "nothing is divided by nothing");
    let rows = store.page(&Filter { state: Some(HitState::Open), ..Filter::default() }, None, 2).await.unwrap().rows;
    let by = AccountName::new("lin").unwrap();
    for row in &rows {
        let lease = store.claim_one(row.hit.id, &by, Duration::from_secs(60)).await.unwrap().unwrap().lease;
        let decision = Decision {
            verdict: Verdict::Confirm,
            reason: Reason::Counterfeit,
            by: by.clone(),
            at: place.office.clock.now(),
            note: String::new(),
            looked_ms: 90_000,
            second: false,
            act: None,
            precedent: None,
        };
        store.complete(&lease, decision).await.unwrap();
    }
    let found = read(&place.metrics(&token).await.1);
    let spent = (report.pages + report.redirects + report.retries) as f64;
    let confirmed = store.counts().await.unwrap().confirmed as f64;
    assert!(confirmed > 0.0);
    assert_eq!(found[&requests], spent / confirmed);
    assert_eq!(found[&format!("markwarden_confirmed_hit_reviewer_minutes{{profile={profile}}}")], 1.5);
    let root = Visitor::signed_in(&place.office, "root", Role::Admin).await;
    for path in ["/sources".to_owned(), format!("/sources/{profile}")] {
        let page = root.page_in(&path, "en").await;
        assert!(page.contains(&format!("{:.1} requests", spent / confirmed)), "{page}");
    }
    place.market.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_paused_and_let_go_on_by_buttons_and_charts_lead_to_their_addresses() {
    let place = Place::open().await;
    let (first, second) = (place.profiles[0].id.clone(), place.profiles[1].id.clone());
    let report = place.crawl(0).await;
    let root = Visitor::signed_in(&place.office, "root", Role::Admin).await;
    let audit = Visitor::signed_in(&place.office, "audit", Role::Auditor).await;
    let pause = format!("/sources/{second}/pause");
    let form = [("why", "their sale"), ("hours", "12")];
    assert_eq!(audit.send(&Method::POST, &pause).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(root.post(&pause, &form).await.status(), StatusCode::SEE_OTHER);
    let page = root.page_in(&format!("/sources/{second}"), "en").await;
    assert!(page.contains("their sale") && page.contains("/continue"), "{page}");
    let paused = place.crawl(1).await;
    assert_eq!((paused.pages, paused.interrupted), (0, true));
    for (hours, why) in [("0", ""), ("99999", ""), ("soon", ""), ("", &*"为".repeat(501))] {
        let form = [("why", why), ("hours", hours)];
        assert_eq!(root.post(&pause, &form).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{hours}");
    }
    assert_eq!(root.post(&format!("/sources/{second}/continue"), &form).await.status(), StatusCode::SEE_OTHER);
    assert!(place.crawl(1).await.pages > 0);
    let noted = place.office.noted().await;
    assert!(noted.contains(&"profile.pause".to_owned()) && noted.contains(&"profile.continue".to_owned()), "{noted:?}");

    let page = root.page_in(&format!("/sources/{first}"), "en").await;
    let behind = format!("/sources/{first}/addresses?run=1");
    assert!(page.contains(&behind) && page.contains("outcome=listing"), "{page}");
    let addresses = root.page_in(&behind, "en").await;
    assert!(addresses.contains(&format!("{} addresses", report.listings)), "{addresses}");
    for wrong in ["?seen=yesterday", "?run=x"] {
        let answer = root.get(&format!("/sources/{first}/addresses{wrong}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(root.get("/sources/nobody").await.status(), StatusCode::NOT_FOUND);
    place.market.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_stand_on_the_desk_until_their_reason_goes_and_say_who_looks_after_them() {
    let place = Place::open().await;
    let root = Visitor::signed_in(&place.office, "root", Role::Admin).await;
    assert!(root.page_in("/alarms", "en").await.contains("Nothing to look after"));
    // The site is gone: the run asks and has nothing.
    let gone = place.profiles[0].clone();
    place.market.stop().await;
    let report = crawl::run(&gone, &place.services, &*place.monitor).await.unwrap();
    assert!(report.failed.contains_key("robots_unreachable"), "{report:?}");
    place.works.heed(&*place.office.store).await.unwrap();
    let page = root.page_in("/alarms", "en").await;
    assert!(page.contains("A source fails") && page.contains(&gone.id), "{page}");
    let ready: serde_json::Value = root.get("/readyz").await.json().await.unwrap();
    assert_eq!(ready["warnings"]["failing"], 1, "{ready}");
    assert!(!ready.to_string().contains(&gone.id), "strangers are told no names: {ready}");

    let key = format!("failing:{}", gone.id);
    let form =
        |alarm: &str| vec![("csrf", root.csrf.clone()), ("alarm", alarm.to_owned()), ("why", "I called them".into())];
    let send = |alarm: &str| {
        let form = form(alarm);
        let root = &root;
        async move {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            root.post("/alarms/acknowledge", &form).await.status()
        }
    };
    assert_eq!(send("failing:nobody").await, StatusCode::NOT_FOUND);
    assert_eq!(send(&key).await, StatusCode::SEE_OTHER);
    let page = root.page_in("/alarms", "en").await;
    assert!(page.contains("I called them"), "{page}");
    let ready: serde_json::Value = root.get("/readyz").await.json().await.unwrap();
    assert!(ready["warnings"].as_object().unwrap().is_empty(), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_pause_ends_goes_on_where_it_was() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        "/list" => Reply::list((0..40).map(|n| format!("/p/{n}")), None),
        path => Reply::listing(path),
    })
    .await;
    let crawler = Arc::new(Crawler::new(Settings::default()).keeping_coverage());
    let profile = shop.profile("/list", "delay = \"20ms\"\nconcurrency = 1", "");
    let desk = Arc::new(Desk::default());
    let running = {
        let (crawler, profile, desk) = (Arc::clone(&crawler), profile.clone(), Arc::clone(&desk));
        tokio::spawn(async move { crawler.run(&profile, &desk).await })
    };
    shop.has_served(10).await;
    crawler.services.paused.set(BTreeMap::from([("shop".to_owned(), None)]));
    let report = running.await.unwrap();
    assert!(report.interrupted && report.left > 0 && report.pages < 41, "{report:?}");
    let asked = shop.asked().len();
    assert_eq!(crawler.run(&profile, &desk).await.pages, 0);
    assert_eq!(shop.asked().len(), asked, "nothing is asked while it rests");
    crawler.services.paused.set(BTreeMap::new());
    let rest = crawler.run(&profile, &desk).await;
    assert!(!rest.interrupted && rest.resumed > 0, "{rest:?}");
    for n in 0..40 {
        assert_eq!(shop.times(&format!("/p/{n}")), 1, "each listing is asked for once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listings_page_names_the_same_goods_elsewhere_and_each_day_leads_to_its_hits() {
    let place = Place::open().await;
    place.crawl(0).await;
    let store = &place.office.store;
    let hits = store.page(&Filter::default(), None, 200).await.unwrap().rows;
    let listing = hits.into_iter().map(|row| row.hit.what.listing).max_by_key(|listing| {
        listing.title.chars().count() + listing.description.as_deref().unwrap_or_default().chars().count()
    });
    let listing = listing.unwrap();
    let page = format!("/listings/{:016x}", review::listing_key(&listing));
    let root = Visitor::signed_in(&place.office, "root", Role::Admin).await;
    let before = root.page_in(&page, "en").await;
    assert!(before.contains("No other listing of the same goods is known."), "{before}");
    let elsewhere = Listing {
        id: "elsewhere:1".into(),
        platform: Some("elsewhere".into()),
        url: Some("https://elsewhere.example/p/1".into()),
        seller: Some(Seller { name: Some("另一家店<b>".into()), ..Seller::default() }),
        ..listing.clone()
    };
    let write = Write::Listing { id: ListingId::new(&elsewhere.id).unwrap(), listing: elsewhere, capture: None };
    store.apply(Batch { actor: "test".into(), writes: vec![write] }).await.unwrap();
    let after = root.page_in(&page, "en").await;
    for words in ["Also seen as", "https://elsewhere.example/p/1", "另一家店&#60;b&#62;", "another seller", "100%"]
    {
        assert!(after.contains(words), "{words}: {after}");
    }
    // The chart has numbers on its axis, the same as a table, and leads to the day.
    let day = format!("{page}?day=2026-11-20");
    assert!(after.contains("axis-text") && after.contains("As a table") && after.contains(&day), "{after}");
    assert!(root.page_in(&day, "en").await.contains("/hits/"));
    assert!(!root.page_in(&format!("{page}?day=2020-01-01"), "en").await.contains("href=\"/hits/"));
    assert_eq!(root.get(&format!("{page}?day=today")).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    place.market.stop().await;
}
