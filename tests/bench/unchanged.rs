//! What a page costs that did not change, as a share of fetching, reading and matching it whole.
//!
//! `cargo bench --bench unchanged -- [--pages N] [--marks N] [--rounds N]`. A shop on loopback with pages of 35 KB (JSON-LD and a
//! description of 600 characters) is crawled by the engine itself, with robots, frontier and coverage: once when nothing is
//! known, and again when nothing changed, where the shop answers 304 to its entity tags, and where it sends the same bytes
//! again. Three times: matched only, written to the store, and with a WARC record for each answer too. The shop's thread does
//! not count. Nothing is asserted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

#[path = "evasion/generator.rs"]
#[allow(dead_code)]
mod generator;

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::Response,
};
use fastrand::Rng;
use generator::{Evasions, Language, mark_texts, marks};
use markwarden::{
    crawl::{Coverage, Fetched, Fetcher, Hosts, Profile, Renderer, RunReport, Services, Settings, Sink, SinkError},
    evidence::{CRAWLED, Options, WarcWriter},
    matcher,
    model::SystemClock,
    monitor::Monitor,
    rules::RuleSet,
    store::{self, Batch, SledStore, Store, Write},
};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAGE_BYTES: usize = 35_000;
const DESCRIPTION_CHARS: usize = 600;

fn asked(name: &str, usual: usize) -> usize {
    let words: Vec<String> = std::env::args().collect();
    let value = words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    value.map_or(usual, |text| text.parse().unwrap())
}

/// What becomes of a page once it is fetched.
#[derive(Debug, Clone, Copy)]
enum Way {
    Matched,
    Stored,
    Kept,
}

fn main() {
    let (pages, rounds) = (asked("--pages", 2000), asked("--rounds", 3));
    let language = Language::new();
    let texts: Vec<String> = mark_texts(&language, &Evasions::new(), asked("--marks", 10_000))
        .into_iter()
        .filter(|text| text.chars().count() > 2)
        .collect();
    let shop = Shop::open(pages, &language);
    println!(
        "{pages} pages of {PAGE_BYTES} bytes, {} marks and the built-in rules; CPU seconds per 1,000 pages",
        texts.len()
    );
    for (way, words) in [
        (Way::Matched, "matched, no store"),
        (Way::Stored, "matched and stored"),
        (Way::Kept, "matched, stored, a WARC record each"),
    ] {
        let mut figures: [Vec<f64>; 4] = Default::default();
        for _ in 0..rounds {
            let tagged = crawl(&shop, "tagged", pages, way, &texts);
            let plain = crawl(&shop, "plain", pages, way, &texts);
            for (figures, figure) in figures.iter_mut().zip([tagged, plain].concat()) {
                figures.push(figure);
            }
        }
        let [whole, unchanged, again, same] = figures.map(middle);
        let share = |part: f64, whole: f64| 100.0 * part / whole;
        println!("{words}");
        println!("  whole {whole:.3}; 304 {unchanged:.3}: {:.0} %", share(unchanged, whole));
        println!("  whole {again:.3}; 200 with the same bytes {same:.3}: {:.0} %", share(same, again));
    }
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU seconds per 1,000 pages of a first run and of a second.
fn crawl(shop: &Shop, kind: &str, pages: usize, way: Way, texts: &[String]) -> [f64; 2] {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = Arc::new(SystemClock);
    let store = SledStore::open(&folder.path().join("data"), &store::Settings::default(), clock.clone()).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let writes: Vec<Write> = marks(texts).into_iter().map(Write::Mark).collect();
    for part in writes.chunks(1000) {
        runtime.block_on(store.apply(Batch { actor: "bench".into(), writes: part.to_vec() })).unwrap();
    }
    let rules = Some(Arc::new(RuleSet::builtin().unwrap()));
    let monitor = Monitor::new(Arc::clone(&store), clock.clone(), rules, matcher::Settings::default());
    let desk = Desk { monitor: runtime.block_on(monitor).unwrap(), way };
    let settings = Settings::default();
    let (_stop, stopped) = watch::channel(false);
    let warc = matches!(way, Way::Kept).then(|| {
        let options =
            Options { folder: folder.path().join("warc"), max_bytes: 1 << 30, software: "bench".into(), name: CRAWLED };
        Arc::new(WarcWriter::open(options, clock.clone()).unwrap())
    });
    let services = Services {
        renderer: Arc::new(Renderer::new(
            settings.browser.clone(),
            settings.user_agent(),
            folder.path().join("browser"),
        )),
        fetcher: Arc::new(Fetcher::new(Arc::new(settings), clock.clone()).unwrap()),
        store,
        warc,
        coverage: Some(Arc::new(Coverage::open(&folder.path().join("coverage")).unwrap())),
        clock,
        hosts: Arc::new(Hosts::default()),
        paused: Arc::default(),
        meters: Arc::default(),
        frontier: folder.path().join("frontier"),
        worker: "bench".into(),
        stop: stopped,
    };
    let profile = shop.profile(kind, pages);
    let run = || {
        let before = shop.own_cpu();
        let report: RunReport = runtime.block_on(markwarden::crawl::run(&profile, &services, &desk)).unwrap();
        let spent = shop.own_cpu() - before;
        (spent.as_secs_f64() * 1000.0 / pages as f64, report)
    };
    let (whole, first) = run();
    assert_eq!(first.listings, pages as u64, "{first:?}");
    let (again, second) = run();
    assert_eq!(second.unchanged, pages as u64, "{second:?}");
    [whole, again]
}

/// Matches what comes, and writes it down where that is asked.
struct Desk {
    monitor: Monitor,
    way: Way,
}

#[async_trait]
impl Sink for Desk {
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError> {
        match self.way {
            Way::Matched => {
                if let Some(listing) = &page.listing {
                    std::hint::black_box(self.monitor.would_queue(listing));
                }
                Ok(())
            }
            Way::Stored | Way::Kept => self.monitor.fetched(page).await,
        }
    }

    fn looks_with(&self) -> String {
        self.monitor.looks_with()
    }
}

/// A shop on a thread of its own.
struct Shop {
    address: std::net::SocketAddr,
    spent_ns: Arc<AtomicU64>,
}

struct Shelves {
    pages: Vec<Vec<u8>>,
    spent_ns: Arc<AtomicU64>,
}

impl Shop {
    fn open(pages: usize, language: &Language) -> Self {
        let spent_ns = Arc::new(AtomicU64::new(0));
        let random = &mut Rng::with_seed(11);
        let pages = (0..pages).map(|number| page(number, random, language)).collect();
        let shelves = Arc::new(Shelves { pages, spent_ns: Arc::clone(&spent_ns) });
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, Router::new().fallback(serve).with_state(shelves)).await.unwrap();
            });
        });
        Self { address: told.recv().unwrap(), spent_ns }
    }

    /// What this process has used, without the shop.
    fn own_cpu(&self) -> Duration {
        let all = time(ClockId::ProcessCPUTime);
        all.saturating_sub(Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed)))
    }

    fn profile(&self, kind: &str, pages: usize) -> Profile {
        let start: Vec<String> =
            (0..pages.div_ceil(1000)).map(|list| format!("\"http://{}/{kind}/list/{list}\"", self.address)).collect();
        let text = format!(
            "format = 1\nid = \"shop\"\nname = \"shop\"\nplatform = \"shop\"\nstart = [{}]\nallow_loopback = true\n\
             [pace]\ndelay = 0\nconcurrency = 16\nmax_pages = 10000000\n[[list]]\nmatch = \"/{kind}/list/\"\nitems = \"a.item\"\n\
             [listing]\nmatch = [\"/{kind}/p/\"]\nid = '/p/(\\w+)'\n",
            start.join(", ")
        );
        Profile::parse("shop.toml", &text).unwrap()
    }
}

fn time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// A page as shops have it: facts in its head, then a body that nobody reads.
fn page(number: usize, random: &mut Rng, language: &Language) -> Vec<u8> {
    let facts = serde_json::json!({
        "@context": "https://schema.org", "@type": "Product", "name": language.text(random, 24), "sku": format!("S-{number}"),
        "description": language.text(random, DESCRIPTION_CHARS),
        "offers": {"price": "199.00", "priceCurrency": "CNY", "availability": "https://schema.org/InStock"},
    });
    let mut page = format!(
        "<!doctype html><html><head><title>{number}</title><script type=\"application/ld+json\">{facts}</script></head><body>"
    );
    while page.len() < PAGE_BYTES {
        write!(page, "<div class=\"row\"><a href=\"#\">{}</a></div>", language.text(random, 40)).unwrap();
    }
    page.push_str("</body></html>");
    page.into_bytes()
}

async fn serve(State(shelves): State<Arc<Shelves>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let html = |body: Vec<u8>| {
        Response::builder().header("content-type", "text/html; charset=utf-8").body(body.into()).unwrap()
    };
    let status = |status: u16| Response::builder().status(status).body(Body::empty()).unwrap();
    let answer = match parts[..] {
        [kind, "list", list] => {
            let first = list.parse::<usize>().unwrap() * 1000;
            let items = (first..(first + 1000).min(shelves.pages.len())).fold(String::new(), |items, number| {
                items + &format!("<a class=\"item\" href=\"/{kind}/p/{number}\">x</a>")
            });
            html(format!("<html><body>{items}</body></html>").into_bytes())
        }
        [kind, "p", number] => match shelves.pages.get(number.parse::<usize>().unwrap()) {
            Some(page) if kind == "tagged" => {
                let tag = format!("\"{number}\"");
                if request.headers().get("if-none-match").is_some_and(|asked| *asked == tag) {
                    status(304)
                } else {
                    let mut answer = html(page.clone());
                    answer.headers_mut().insert("etag", tag.parse().unwrap());
                    answer
                }
            }
            Some(page) => html(page.clone()),
            None => status(404),
        },
        _ => status(404),
    };
    let spent = time(ClockId::ThreadCPUTime);
    shelves.spent_ns.store(u64::try_from(spent.as_nanos()).unwrap(), Ordering::Relaxed);
    answer
}
