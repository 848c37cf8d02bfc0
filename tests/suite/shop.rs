//! A small shop on loopback that answers as it is told and remembers who asked for what, and when.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use markwarden::{
    crawl::{Coverage, Fetched, Fetcher, Hosts, Profile, Renderer, RunReport, Services, Settings, Sink, SinkError},
    evidence::{Options, WarcWriter},
    model::SystemClock,
    store::MemoryStore,
};
use tokio::sync::{Notify, watch};

/// What the shop answers.
pub enum Reply {
    Page(u16, Vec<(&'static str, String)>, Vec<u8>),
    Never,
}

impl Reply {
    pub fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::Page(200, vec![("content-type", "text/html; charset=utf-8".into())], body.into())
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::Page(200, vec![("content-type", "application/json".into())], body.to_string().into_bytes())
    }

    pub fn status(status: u16) -> Self {
        Self::Page(status, Vec::new(), Vec::new())
    }

    pub fn moved(to: &str) -> Self {
        Self::Page(302, vec![("location", to.to_owned())], Vec::new())
    }

    pub fn listing(title: &str) -> Self {
        Self::html(format!(
            r#"<html><head><script type="application/ld+json">{{"@type":"Product","name":"{title}","offers":{{"price":"9.90","priceCurrency":"CNY"}}}}</script></head><body><h1>{title}</h1></body></html>"#
        ))
    }

    pub fn list(items: impl IntoIterator<Item = String>, next: Option<&str>) -> Self {
        let items: String = items.into_iter().map(|item| format!(r#"<a class="item" href="{item}">x</a>"#)).collect();
        let next = next.map(|next| format!(r#"<a class="next" href="{next}">next</a>"#)).unwrap_or_default();
        Self::html(format!("<html><body>{items}{next}</body></html>"))
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Page(_, headers, _) = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

pub struct Asked {
    pub path: String,
    pub at: Instant,
    pub headers: HeaderMap,
}

type Answers = dyn Fn(&str, usize) -> Reply + Send + Sync;

struct Counter {
    answers: Box<Answers>,
    log: Mutex<Vec<Asked>>,
    came: Notify,
}

/// The shop.
pub struct Shop {
    pub host: String,
    counter: Arc<Counter>,
}

impl Shop {
    /// Opens the shop; `answers` gets the path with its query (for JSON by POST: `POST`, the path and the body), and how often it
    /// was asked for before.
    pub async fn open(answers: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let counter = Arc::new(Counter { answers: Box::new(answers), log: Mutex::default(), came: Notify::new() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&counter));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, counter }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// Paths asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.counter.log.lock().unwrap().iter().map(|asked| asked.path.clone()).collect()
    }

    pub fn times(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == path).count()
    }

    /// Returns when so many requests have come.
    pub async fn has_served(&self, count: usize) {
        while self.asked().len() < count {
            self.counter.came.notified().await;
        }
    }

    /// Shortest time between two requests.
    pub fn shortest_gap(&self) -> Duration {
        let log = self.counter.log.lock().unwrap();
        log.windows(2).map(|pair| pair[1].at - pair[0].at).min().unwrap()
    }

    /// A header of the first request for `path`; empty where it had none.
    pub fn header(&self, path: &str, name: &str) -> String {
        let log = self.counter.log.lock().unwrap();
        let asked = log.iter().find(|asked| asked.path == path).unwrap();
        asked.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    /// A profile of this shop: lists under `/list`, listings under `/p/`; `more` are further lines of its file.
    pub fn profile(&self, start: &str, pace: &str, more: &str) -> Profile {
        Profile::parse("shop.toml", &self.profile_file(start, pace, more)).unwrap()
    }

    /// The same as a file.
    pub fn profile_file(&self, start: &str, pace: &str, more: &str) -> String {
        let text = format!(
            "format = 1\nid = \"shop\"\nname = \"shop\"\nplatform = \"shop\"\nstart = [{start:?}]\n\
             allow_loopback = true\n{more}\n[pace]\ndelay = 0\nbackoff = \"10ms\"\ntimeout = \"5s\"\n{pace}\n\
             [[list]]\nmatch = \"/list\"\nitems = \"a.item\"\nnext = \"a.next\"\n\
             [listing]\nmatch = [\"/p/\"]\nid = '/p/(\\w+)'\n",
            start = self.url(start)
        );
        let text = if pace.contains("delay =") { text.replacen("delay = 0\n", "", 1) } else { text };
        if pace.contains("timeout =") { text.replacen("timeout = \"5s\"\n", "", 1) } else { text }
    }
}

async fn serve(State(counter): State<Arc<Counter>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut path = parts.uri.path_and_query().unwrap().to_string();
    let is_json = parts.headers.get("content-type").is_some_and(|kind| kind == "application/json");
    if parts.method == "POST" && is_json {
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        path = format!("POST {path} {}", String::from_utf8_lossy(&body));
    }
    let before = {
        let mut log = counter.log.lock().unwrap();
        let before = log.iter().filter(|asked| asked.path == path).count();
        log.push(Asked { path: path.clone(), at: Instant::now(), headers: parts.headers.clone() });
        before
    };
    counter.came.notify_one();
    match (counter.answers)(&path, before) {
        Reply::Never => std::future::pending().await,
        Reply::Page(status, headers, body) => {
            let asked_with = parts.headers.get("if-none-match").and_then(|tag| tag.to_str().ok());
            let unchanged = headers.iter().any(|(name, value)| *name == "etag" && asked_with == Some(value.as_ref()));
            let (status, body) = if unchanged { (304, Vec::new()) } else { (status, body) };
            let response = Response::builder().status(status);
            let response = headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
            response.body(body.into()).unwrap()
        }
    }
}

/// A crawler with everything it needs in a temporary folder.
pub struct Crawler {
    pub services: Services,
    pub folder: tempfile::TempDir,
    pub stop: watch::Sender<bool>,
}

impl Crawler {
    pub fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let (stop, stopped) = watch::channel(false);
        let browser = folder.path().join("browser");
        let renderer = Arc::new(Renderer::new(settings.browser.clone(), settings.user_agent(), browser));
        let services = Services {
            fetcher: Arc::new(Fetcher::new(Arc::new(settings), clock.clone()).unwrap()),
            store: Arc::new(MemoryStore::new(clock.clone())),
            warc: None,
            coverage: None,
            clock,
            renderer,
            hosts: Arc::new(Hosts::default()),
            paused: Arc::default(),
            meters: Arc::default(),
            frontier: folder.path().join("frontier"),
            worker: "test".into(),
            stop: stopped,
        };
        Self { services, folder, stop }
    }

    pub fn keeping_evidence(mut self) -> Self {
        let options = Options {
            folder: self.folder.path().join("warc"),
            max_bytes: 1 << 20,
            software: "test".into(),
            name: markwarden::evidence::CRAWLED,
        };
        self.services.warc = Some(Arc::new(WarcWriter::open(options, Arc::new(SystemClock)).unwrap()));
        self
    }

    pub fn keeping_coverage(mut self) -> Self {
        self.services.coverage = Some(Arc::new(Coverage::open(&self.folder.path().join("coverage")).unwrap()));
        self
    }

    pub async fn run(&self, profile: &Profile, desk: &Desk) -> RunReport {
        markwarden::crawl::run(profile, &self.services, desk).await.unwrap()
    }
}

/// Takes what a crawl yields.
#[derive(Default)]
pub struct Desk {
    pub pages: Mutex<Vec<Fetched>>,
    /// Refuses every page after this many.
    pub most: Option<usize>,
    /// What listings are looked at with.
    pub looks_with: String,
    pub taken: Notify,
}

impl Desk {
    /// Titles of the listings taken, sorted.
    pub fn titles(&self) -> Vec<String> {
        let pages = self.pages.lock().unwrap();
        let mut titles: Vec<String> =
            pages.iter().filter_map(|page| Some(page.listing.as_ref()?.title.clone())).collect();
        titles.sort();
        titles
    }

    pub fn len(&self) -> usize {
        self.pages.lock().unwrap().len()
    }
}

#[async_trait]
impl Sink for Desk {
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError> {
        let mut pages = self.pages.lock().unwrap();
        if self.most.is_some_and(|most| pages.len() >= most) {
            return Err(SinkError("the desk is full".into()));
        }
        pages.push(page);
        self.taken.notify_one();
        Ok(())
    }

    fn looks_with(&self) -> String {
        self.looks_with.clone()
    }
}
