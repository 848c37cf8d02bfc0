//! One run of a profile: [`run`] visits what the frontier holds and hands every page to the [`Sink`].
//!
//! The order of things, for each host: its lease, its robots.txt, then pages in its pace. An address is
//! done only after the sink accepted what it yielded, so a run that is killed goes on with it.
//! What a listing means, and where it is kept, is the sink's business.

mod canary;
mod cover;
mod gate;
mod lane;
mod lease;
mod look;
mod queries;
mod read;
mod render;
mod report;
mod visit;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::future::{join_all, select};
use jiff::tz::TimeZone;
use tokio::sync::{Notify, watch};
use url::Url;

use self::{lane::Lane, lease::Leases, report::Tally};
use super::{
    CompiledProfile, Coverage, CoverageError, FetchError, Fetcher, FrontierError, Guard, Hosts, Meter, Meters,
    PartsError, Paused, Profile, RenderError, Renderer,
    coverage::short_hash,
    fetch::{MAX_URL_BYTES, host_of},
    frontier::{Frontier, Purpose},
    profile::Ready,
};
use crate::{
    evidence::{EvidenceError, WarcWriter},
    model::{Capture, Clock, Listing, ListingId},
    store::{Store, StoreError},
};
pub use look::{Looked, look_at};
pub use report::{Fate, RunReport};
pub use visit::write_down;

/// Most requests to one host at the same time, whatever the profile says.
const MAX_CONCURRENCY: usize = 256;
/// Most hosts of one profile.
const MAX_HOSTS: usize = 1000;
/// How long pages on the way may take to arrive once the run was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What runs share.
#[derive(Clone)]
pub struct Services {
    /// Makes the requests.
    pub fetcher: Arc<Fetcher>,
    /// Lends the hosts.
    pub store: Arc<dyn Store>,
    /// Keeps the pages; none where they are not kept.
    pub warc: Option<Arc<WarcWriter>>,
    /// What became of every address in earlier runs; none where that is not kept.
    pub coverage: Option<Arc<Coverage>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Shows pages to a browser, where profiles ask for it.
    pub renderer: Arc<Renderer>,
    /// When each host may be asked next: one for the whole process.
    pub hosts: Arc<Hosts>,
    /// Profiles that rest: one for the whole process.
    pub paused: Arc<Paused>,
    /// What is counted as runs go: one for the whole process.
    pub meters: Arc<Meters>,
    /// Where frontiers stand.
    pub frontier: PathBuf,
    /// This crawler's name among those that share the store; the same after a restart.
    pub worker: String,
    /// Becomes true when runs are to stop.
    pub stop: watch::Receiver<bool>,
}

/// Receives what a run fetches.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Takes one page; when this returns, nothing of it may be lost. The same page may come again after a crash.
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError>;

    /// What `@marks` stands for among the keywords of a query.
    fn words(&self) -> Vec<String> {
        Vec::new()
    }

    /// What listings are looked at with now. While it stays the same, a listing that did not change need not come again.
    fn looks_with(&self) -> String {
        String::new()
    }
}

/// A page that was fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The profile it was fetched for.
    pub profile: String,
    /// Its address, after redirects.
    pub url: String,
    /// The answer's HTTP status.
    pub status: u16,
    /// The listing it is, where it is one.
    pub listing: Option<Listing>,
    /// That listing's identity.
    pub listing_id: Option<ListingId>,
    /// Further listings of the same answer: a list that carries their facts.
    pub others: Vec<Listing>,
    /// Where its record lies, where records are kept.
    pub capture: Option<Capture>,
    /// The record itself, a gzip member; empty where none is kept.
    pub record: Vec<u8>,
}

/// Why a sink did not take a page.
#[derive(Debug, thiserror::Error)]
#[error("the page was not accepted: {0}")]
pub struct SinkError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why a run ended early. What it did until then is kept; the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum CrawlError {
    /// Nobody can be reached about a crawl of the open web.
    #[error(
        "the crawl of {profile} says to nobody who runs it: set crawl.contact in config.toml to a web or mail address"
    )]
    NoContact {
        /// The profile.
        profile: String,
    },
    /// No host to crawl, or too many.
    #[error("the profile {profile} names {count} hosts, 1 to {MAX_HOSTS} can be crawled")]
    HostCount {
        /// The profile.
        profile: String,
        /// How many.
        count: usize,
    },
    /// A query's keywords cannot be read.
    #[error("reading the keywords {path}: {source}")]
    Keywords {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// What the profile sends with every request is not there, or cannot be sent.
    #[error("the requests of {profile}: {source}")]
    Request {
        /// The profile.
        profile: String,
        /// Why.
        source: PartsError,
    },
    /// Another crawler took over a host.
    #[error("the lease of {host} was lost to another crawler; the next run goes on")]
    LeaseLost {
        /// The host.
        host: String,
    },
    /// A crawl visits the hosts.
    #[error("the hosts of {profile} are being crawled: ask again when that has ended")]
    Busy {
        /// The profile.
        profile: String,
    },
    /// The frontier cannot go on.
    #[error(transparent)]
    Frontier(#[from] FrontierError),
    /// Evidence cannot be written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sink refused.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What became of addresses cannot be kept.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
    /// No page can be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// No request can be made at all.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Crawls `profile` until nothing is left, its budget is spent, or it is asked to stop.
///
/// # Errors
/// When it cannot go on; what was accepted by then stays accepted.
pub async fn run(profile: &Profile, crawl: &Services, sink: &dyn Sink) -> Result<RunReport, CrawlError> {
    whole(Run::new(profile, crawl, sink, Aim::Site)?, profile, crawl).await
}

/// Looks at `listings` of `profile` again, and at nothing else. It is no run that coverage counts: what it saw stands with
/// the addresses, and what it cost with the day.
///
/// # Errors
/// When it cannot go on; what was accepted by then stays accepted.
pub async fn look_again(
    profile: &Profile,
    listings: Vec<Url>,
    crawl: &Services,
    sink: &dyn Sink,
) -> Result<RunReport, CrawlError> {
    if let Some(coverage) = &crawl.coverage {
        let day = crawl.clock.now().to_zoned(TimeZone::UTC).date();
        coverage.look_again(&profile.id, day, listings.len() as u64)?;
    }
    whole(Run::new(profile, crawl, sink, Aim::Again(listings))?, profile, crawl).await
}

/// What a run visits.
enum Aim {
    /// The site, from where the profile begins.
    Site,
    /// Known listings, and nothing else.
    Again(Vec<Url>),
    /// Nothing by itself: one page is asked for.
    Look,
}

async fn whole(run: Run<'_>, profile: &Profile, crawl: &Services) -> Result<RunReport, CrawlError> {
    let begun = Instant::now();
    let hosts: Vec<String> = run.lanes.iter().map(|lane| lane.host.clone()).collect();
    let Some(mut leases) = Leases::take(crawl, &profile.id, &hosts).await? else {
        return run.into_report(begun.elapsed(), true);
    };
    for (lane, rest) in run.lanes.iter().zip(leases.rests(crawl.clock.now())) {
        // A run that was killed could not say when it asked last.
        let unknown = if run.frontier().resumed() > 0 { profile.pace.delay } else { Duration::ZERO };
        lane.pace.hold(rest.max(unknown));
    }
    let kept = {
        let work = std::pin::pin!(run.work());
        let keep = std::pin::pin!(run.keep(&mut leases));
        match select(work, keep).await {
            futures_util::future::Either::Left(((), _)) => Ok(()),
            futures_util::future::Either::Right((ended, _)) => ended,
        }
    };
    crawl.renderer.rest().await;
    let rests: Vec<Duration> = run.lanes.iter().map(|lane| lane.pace.rest()).collect();
    leases.give_back(crawl, &rests).await?;
    if let Some(error) = kept.err().or_else(|| run.take_failure()) {
        run.into_report(begun.elapsed(), true)?;
        return Err(error);
    }
    let stopped = run.stopping();
    run.into_report(begun.elapsed(), stopped)
}

/// A run in progress.
struct Run<'a> {
    profile: &'a Profile,
    crawl: &'a Services,
    sink: &'a dyn Sink,
    compiled: Arc<CompiledProfile>,
    /// What the sink looks with, and this run's number.
    looks_with: String,
    number: u64,
    /// What facts are read with.
    reads_with: String,
    aim: Aim,
    guard: Guard,
    /// What goes with every request.
    parts: Ready,
    begun: Instant,
    lanes: Vec<Lane>,
    by_host: HashMap<String, usize>,
    frontier: Mutex<Frontier>,
    tally: Mutex<Tally>,
    meter: Meter,
    failure: Mutex<Option<CrawlError>>,
    failed: AtomicBool,
    /// Pages the budget was charged for.
    charged: AtomicU64,
    spent: AtomicBool,
    on_the_way: AtomicUsize,
    wake: Notify,
}

impl<'a> Run<'a> {
    fn new(profile: &'a Profile, crawl: &'a Services, sink: &'a dyn Sink, aim: Aim) -> Result<Self, CrawlError> {
        if !profile.allow_loopback && crawl.fetcher.settings().contact.is_empty() {
            return Err(CrawlError::NoContact { profile: profile.id.clone() });
        }
        let lanes: Vec<Lane> =
            hosts_of(profile).into_iter().map(|host| Lane::new(crawl.hosts.get(&host), host)).collect();
        if lanes.is_empty() || lanes.len() > MAX_HOSTS {
            return Err(CrawlError::HostCount { profile: profile.id.clone(), count: lanes.len() });
        }
        let by_host: HashMap<String, usize> =
            lanes.iter().enumerate().map(|(index, lane)| (lane.host.clone(), index)).collect();
        let compiled = Arc::new(CompiledProfile::new(profile));
        let kind = match aim {
            Aim::Site => "",
            Aim::Again(_) => "again.",
            Aim::Look => "look.",
        };
        let path = crawl.frontier.join(format!("{}.{kind}log", profile.id));
        let frontier = Frontier::open(&path, lanes.len(), |url| {
            let url = Url::parse(url).ok()?;
            Some((*by_host.get(&host_of(&url))?, compiled.key(&url).into()))
        })?;
        let parts = profile.request.ready();
        let parts = parts.map_err(|source| CrawlError::Request { profile: profile.id.clone(), source })?;
        let counted = crawl.coverage.as_ref().filter(|_| matches!(aim, Aim::Site));
        let number = counted.map_or(Ok(0), |coverage| coverage.next_run(&profile.id))?;
        let meter = crawl.meters.of(&profile.id);
        let tally = Tally::new(profile, frontier.resumed(), crawl.fetcher.settings().max_fates, meter.clone());
        Ok(Self {
            profile,
            crawl,
            sink,
            compiled,
            looks_with: sink.looks_with(),
            number,
            reads_with: short_hash(format!("{:?}{:?}", profile.listing, profile.render).as_bytes()),
            aim,
            guard: Guard { allow_loopback: profile.allow_loopback, allow_private: false },
            parts,
            begun: Instant::now(),
            lanes,
            by_host,
            frontier: Mutex::new(frontier),
            tally: Mutex::new(tally),
            meter,
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            charged: AtomicU64::new(0),
            spent: AtomicBool::new(false),
            on_the_way: AtomicUsize::new(0),
            wake: Notify::new(),
        })
    }

    /// All workers until nothing is left; soon after the stop, without those that dawdle.
    async fn work(&self) {
        let working = async {
            self.begin().await;
            let concurrency = self.profile.pace.concurrency.clamp(1, MAX_CONCURRENCY);
            let lanes = (0..self.lanes.len()).flat_map(|lane| std::iter::repeat_n(lane, concurrency));
            join_all(lanes.map(|lane| self.worker(lane))).await;
        };
        let stopped = async {
            self.asked_to_stop().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        select(std::pin::pin!(working), std::pin::pin!(stopped)).await;
    }

    /// Queues where the profile says to begin.
    async fn begin(&self) {
        match &self.aim {
            Aim::Site => {}
            Aim::Again(listings) => {
                for url in listings {
                    self.add(url, 0, Purpose::Page);
                }
                return;
            }
            Aim::Look => return,
        }
        self.begin_canaries();
        let sitemaps = self.profile.sitemaps.iter().map(|url| (url, Purpose::Sitemap));
        let starts = self.profile.start.iter().map(|url| (url, Purpose::Page));
        let begin: Vec<(Url, Purpose)> =
            sitemaps.chain(starts).filter_map(|(url, purpose)| Some((Url::parse(url).ok()?, purpose))).collect();
        for (url, purpose) in &begin {
            self.add(url, 0, purpose.clone());
        }
        if let Err(error) = self.begin_queries() {
            self.fail(error);
        }
        if !self.profile.sitemaps_from_robots {
            return;
        }
        let mut origins: BTreeMap<String, &Url> = BTreeMap::new();
        for (url, _) in &begin {
            origins.entry(url.origin().ascii_serialization()).or_insert(url);
        }
        for url in origins.into_values() {
            for sitemap in self.sitemaps_of(url).await {
                self.add(&sitemap, 0, Purpose::Sitemap);
            }
        }
    }

    /// Visits addresses of one host until none is left anywhere.
    async fn worker(&self, index: usize) {
        let Some(lane) = self.lanes.get(index) else { return };
        loop {
            let woken = self.wake.notified();
            if self.stopping() || self.spent.load(Ordering::Relaxed) || lane.is_closed() {
                break;
            }
            let next = self.frontier().next(index);
            match next {
                Ok(Some(entry)) => {
                    self.on_the_way.fetch_add(1, Ordering::Relaxed);
                    let added = self.visit(index, entry).await;
                    self.meter.waiting(self.frontier().left());
                    let last = self.on_the_way.fetch_sub(1, Ordering::Relaxed) == 1;
                    if added || last {
                        self.wake.notify_waiters();
                    }
                }
                Ok(None) if self.idle() => break,
                Ok(None) => woken.await,
                Err(error) => self.fail(error.into()),
            }
        }
        self.wake.notify_waiters();
    }

    /// Whether nothing is on the way and nothing waits that could be visited.
    fn idle(&self) -> bool {
        self.on_the_way.load(Ordering::Relaxed) == 0 && {
            let frontier = self.frontier();
            self.lanes.iter().enumerate().all(|(index, lane)| lane.is_closed() || frontier.waiting(index) == 0)
        }
    }

    /// Queues `url` if it is of the profile's hosts and new; says whether it was.
    fn add(&self, url: &Url, depth: u16, purpose: Purpose) -> bool {
        let url = &self.compiled.home(url);
        let Some(&lane) = self.by_host.get(&host_of(url)) else {
            self.dropped("scope", url, depth);
            return false;
        };
        if url.as_str().len() > MAX_URL_BYTES {
            self.dropped("too_long", url, depth);
            return false;
        }
        let mut plain = url.clone();
        plain.set_fragment(None);
        self.frontier().add(lane, depth, purpose, plain.as_str(), self.compiled.key(url).as_str())
    }

    fn frontier(&self) -> MutexGuard<'_, Frontier> {
        self.frontier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run because of `error`; the first one counts.
    fn fail(&self, error: CrawlError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Relaxed);
    }

    fn take_failure(&self) -> Option<CrawlError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn stopping(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
            || *self.crawl.stop.borrow()
            || self.crawl.paused.is_paused(&self.profile.id, self.crawl.clock.now())
    }

    /// Returns when the run is asked to stop; never when nobody can ask any more.
    async fn asked_to_stop(&self) {
        let mut stop = self.crawl.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends the run's books: removes the frontier when nothing is left, keeps it otherwise.
    fn into_report(self, duration: Duration, interrupted: bool) -> Result<RunReport, CrawlError> {
        let frontier = self.frontier.into_inner().unwrap_or_else(PoisonError::into_inner);
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let left = frontier.left();
        self.meter.waiting(0);
        let spent = self.spent.into_inner();
        if interrupted || (left > 0 && !spent) {
            frontier.keep()?;
        } else {
            frontier.finish()?;
        }
        let mut report = tally.finish(duration, interrupted, spent, left);
        if let Some(coverage) = &self.crawl.coverage {
            report.alarms = coverage.drift(&report, &self.reads_with, self.crawl.clock.now())?;
            for alarm in &report.alarms {
                let (field, usual, now) = (alarm.field.as_str(), alarm.usual, alarm.now);
                tracing::warn!(
                    profile = self.profile.id,
                    field,
                    usual,
                    now,
                    "a field is hardly found any more: the site may have changed its markup"
                );
            }
        }
        if let Some(coverage) = &self.crawl.coverage {
            coverage.spend(&report, self.crawl.clock.now())?;
        }
        if let Some(coverage) = self.crawl.coverage.as_ref().filter(|_| matches!(self.aim, Aim::Site)) {
            report.canary_alarms = coverage.canaries(&report, &self.profile.canaries, self.crawl.clock.now())?;
            for alarm in &report.canary_alarms {
                tracing::warn!(
                    profile = self.profile.id,
                    url = alarm.url,
                    why = alarm.words().join("; "),
                    "a canary is not read as it must be"
                );
            }
            coverage.ended(self.number, self.crawl.clock.now(), &report)?;
        }
        Ok(report)
    }
}

/// What a run of `profile` makes of `url`, in a word: `scope` when its host is none of the profile's, else `listing`, `list`
/// or `unmatched`.
pub fn part_of(profile: &Profile, url: &Url) -> &'static str {
    let compiled = CompiledProfile::new(profile);
    let url = compiled.home(url);
    if !hosts_of(profile).contains(&host_of(&url)) {
        return "scope";
    }
    read::kind_of(&compiled, &url).word(true)
}

/// The hosts a profile may visit: those it names, else those it begins at.
fn hosts_of(profile: &Profile) -> Vec<String> {
    let begin = profile.start.iter().chain(&profile.sitemaps);
    let mut hosts: Vec<String> = if profile.hosts.is_empty() {
        let begin = begin.filter_map(|url| Url::parse(url).ok()).map(|url| host_of(&url));
        begin.chain(profile.queries.iter().filter_map(queries::host_of_query)).collect()
    } else {
        profile.hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect()
    };
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
