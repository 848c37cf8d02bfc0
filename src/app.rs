//! Assembly: opens the rooms over one data folder and joins them.

mod records;

use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use crate::{
    alert::{Book, Sender},
    archive::{ARCHIVE, Keeper},
    campaign::{CAMPAIGNS, Campaigns},
    config::Config,
    crawl::{Coverage, Fetcher, Hosts, Meters, Paused, Profile, Renderer, Services},
    evidence::{CRAWLED, LIVE, Options, WarcWriter},
    live::{self, OnAir, Room},
    model::{Clock, Diagnostic, SystemClock},
    monitor::{Gate, Halting, Monitor, Operating, Risk, Sellers, Works},
    rules::{LOCK_FILE, RuleSet},
    store::{MemoryStore, SledStore, Store},
    web::{Accounts, Alerts, Desk, Oidc, Parts},
};

/// Folder of WARC files inside the data folder.
pub const EVIDENCE: &str = "evidence";
/// What rules in shadow have found, in the data folder.
pub const SHADOW: &str = "shadow.json";
/// What the journal says of rules, in the data folder; the journal says it again.
pub const STANDING: &str = "rules.json";
/// What the journal says of stopped hosts, in the data folder; the journal says it again.
pub const HALTED: &str = "halted.json";
/// What the journal says of paused profiles and seen alarms, in the data folder; the journal says it again.
pub const OPERATIONS: &str = "operations.json";
/// Who is told of new hits, in the data folder; not part of a backup, because it holds the keys of webhooks.
pub const ALERTS: &str = "alerts.json";
/// Lists of sellers and documents, in the data folder; the journal says them again.
pub const SELLERS: &str = "sellers.json";
/// The registry's folder in the data folder.
pub const REGISTRY: &str = "registry";
/// File of accounts inside the data folder; not part of a backup, because it holds password hashes.
pub const ACCOUNTS: &str = "accounts.json";
/// File of who may push listings, in the data folder; not part of a backup, because it holds the hashes of tokens.
pub const FEEDS: &str = "feeds.json";
/// Folder of what a browser keeps while it runs, below the data folder.
pub const BROWSER: &str = "browser";
/// Folder of what became of every address, below the data folder.
pub const COVERAGE: &str = "coverage";

/// The rooms over one data folder, and the runtime they wait on.
pub struct App {
    runtime: tokio::runtime::Runtime,
    config: Config,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    /// The hosts this process asks.
    hosts: Arc<Hosts>,
    /// The profiles that rest, what is counted, and the rooms on the air.
    paused: Arc<Paused>,
    meters: Arc<Meters>,
    air: Arc<OnAir>,
    /// Who is on which list of sellers.
    sellers: Arc<Sellers>,
    /// The store, where it lies on this machine's disk.
    kept: Option<Arc<SledStore>>,
    /// The archive of its listings.
    archive: Option<Arc<Keeper>>,
    /// Kept only to be dropped with the app: its folder is gone then.
    _scratch: Option<Scratch>,
}

/// A folder that is removed when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove a temporary folder");
        }
    }
}

impl App {
    /// Opens the store of `data`, or of the settings' data folder.
    ///
    /// # Errors
    /// When the folder cannot be opened: it is in use, damaged, or written by a newer program.
    pub fn open(mut config: Config, data: Option<PathBuf>) -> Result<Self> {
        if let Some(data) = data {
            config.data = data;
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let kept = Arc::new(SledStore::open(&config.data, &config.store, Arc::clone(&clock))?);
        let store: Arc<dyn Store> = Arc::clone(&kept) as _;
        let sellers = Arc::new(Sellers::open(config.data.join(SELLERS)).context("reading the lists of sellers")?);
        let archive = Arc::new(Keeper::new(config.data.join(ARCHIVE), Arc::clone(&kept)));
        Ok(Self { sellers, kept: Some(kept), archive: Some(archive), ..Self::of(runtime()?, config, clock, store) })
    }

    /// An app whose store and frontiers are gone when it ends.
    ///
    /// # Errors
    /// When there is no temporary folder.
    pub fn temporary(mut config: Config) -> Result<Self> {
        let scratch = scratch()?;
        config.data.clone_from(&scratch.0);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        Ok(Self { _scratch: Some(scratch), ..Self::of(runtime()?, config, clock, store) })
    }

    fn of(runtime: tokio::runtime::Runtime, config: Config, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Self {
        Self {
            runtime,
            config,
            clock,
            store,
            hosts: Arc::default(),
            paused: Arc::default(),
            meters: Arc::default(),
            air: Arc::default(),
            sellers: Arc::default(),
            kept: None,
            archive: None,
            _scratch: None,
        }
    }

    /// An app with a real store in a folder that is removed when it ends.
    ///
    /// # Errors
    /// When there is no temporary folder or the store cannot be opened.
    pub fn demonstration(config: Config) -> Result<Self> {
        let scratch = scratch()?;
        let mut app = Self::open(config, Some(scratch.0.clone()))?;
        app._scratch = Some(scratch);
        Ok(app)
    }

    /// Waits for `work` on the runtime.
    pub fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock everything is told the time by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The store, where it lies on this machine's disk.
    pub fn kept(&self) -> Option<&Arc<SledStore>> {
        self.kept.as_ref()
    }

    /// The archive of the store's listings, where it lies on this machine's disk.
    pub fn archive(&self) -> Option<&Arc<Keeper>> {
        self.archive.as_ref()
    }

    /// The monitor over this store, with `rules` as far as the gate lets them go live.
    ///
    /// # Errors
    /// When the marks or the notes of rules cannot be read.
    pub fn monitor(&self, mut rules: RuleSet) -> Result<Arc<Monitor>> {
        let folder = self.config.rules.clone();
        // The built-in rules have the record of versions that was built in.
        let has_record = !folder.is_dir() || folder.join(LOCK_FILE).is_file();
        let gate = Gate::open(self.config.data.join(STANDING), &*self.store, &rules, has_record);
        let gate = self.wait(gate).context("reading what is noted of rules")?;
        let held = gate.hold(&mut rules);
        let monitor = Monitor::new(Arc::clone(&self.store), self.clock(), Some(Arc::new(rules)), self.config.matcher);
        let campaigns = Campaigns::read_folder(&folder).map_err(|mistakes| told(CAMPAIGNS, &mistakes))?;
        let monitor =
            self.wait(monitor)?.with_rulebook(folder, campaigns, held).with_gate(gate, self.config.monitor.floor());
        let monitor = monitor.with_meters(Arc::clone(&self.meters));
        let shadow = self.config.data.join(SHADOW);
        let monitor = monitor.with_shadow(shadow.clone()).with_context(|| format!("reading {}", shadow.display()))?;
        let monitor = self.wait(monitor.with_sellers(Arc::clone(&self.sellers)))?;
        if !self.config.matcher.registry {
            return Ok(Arc::new(monitor));
        }
        Ok(Arc::new(monitor.with_registry(self.config.data.join(REGISTRY)).context("opening the registry")?))
    }

    /// Which hosts a person stopped, in force for crawls and live rooms of this process from now on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn halting(&self) -> Result<Halting> {
        let halting = Halting::open(self.config.data.join(HALTED), Arc::clone(&self.hosts));
        self.wait(halting.follow(&*self.store)).context("reading which hosts are stopped")?;
        Ok(halting)
    }

    /// Which profiles a person paused, in force for crawls of this process from now on; and which alarms somebody has seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn operating(&self) -> Result<Operating> {
        let operating = Operating::open(self.config.data.join(OPERATIONS), Arc::clone(&self.paused));
        self.wait(operating.follow(&*self.store)).context("reading which profiles rest")?;
        Ok(operating)
    }

    /// What runs behind the desk: `profiles` with what `services` keep of them, and the live `rooms`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn works(
        &self,
        profiles: BTreeMap<String, Arc<Profile>>,
        rooms: Vec<Room>,
        services: &Services,
        risk: Arc<tokio::sync::Mutex<Risk>>,
    ) -> Result<Arc<Works>> {
        Ok(Arc::new(Works {
            known: RwLock::new(Arc::new(profiles)),
            rooms,
            coverage: services.coverage.clone(),
            meters: Arc::clone(&self.meters),
            air: Arc::clone(&self.air),
            operating: Arc::new(self.operating()?),
            halting: Arc::new(self.halting()?),
            risk,
            data: self.config.data.clone(),
            least_free: self.config.monitor.least_free_mib << 20,
            clock: self.clock(),
            gathered: tokio::sync::Mutex::default(),
        }))
    }

    /// What crawls share. `stop` becomes true when they are to end; WARC files are written where `evidence` says so.
    ///
    /// # Errors
    /// When the settings make no User-Agent, or the evidence folder cannot be written.
    pub fn crawler(&self, stop: watch::Receiver<bool>, evidence: bool) -> Result<Services> {
        let settings = Arc::new(self.config.crawl.clone());
        let warc = if evidence { Some(Arc::new(self.evidence_writer()?)) } else { None };
        Ok(Services {
            fetcher: Arc::new(Fetcher::new(settings, self.clock())?),
            store: Arc::clone(&self.store),
            warc,
            coverage: Some(Arc::new(Coverage::open(&self.config.data.join(COVERAGE))?)),
            clock: self.clock(),
            renderer: Arc::new(self.renderer()),
            hosts: Arc::clone(&self.hosts),
            paused: Arc::clone(&self.paused),
            meters: Arc::clone(&self.meters),
            frontier: self.config.data.join("frontier"),
            worker: "crawler".into(),
            stop,
        })
    }

    /// Shows pages to a browser, which is started only when a profile asks for it.
    fn renderer(&self) -> Renderer {
        let crawl = &self.config.crawl;
        Renderer::new(crawl.browser.clone(), crawl.user_agent(), self.config.data.join(BROWSER))
    }

    /// Writes evidence of what is fetched or handed in.
    ///
    /// # Errors
    /// When the evidence folder cannot be written.
    pub fn evidence_writer(&self) -> Result<WarcWriter> {
        let options = Options {
            folder: self.config.data.join(EVIDENCE),
            max_bytes: self.config.crawl.warc_max_bytes,
            software: self.config.crawl.user_agent(),
            name: CRAWLED,
        };
        Ok(WarcWriter::open(options, self.clock())?)
    }

    /// What live rooms share. `stop` becomes true when they are to be left; WARC files are written where `evidence` says so.
    ///
    /// # Errors
    /// When the settings make no User-Agent, or the evidence folder cannot be written.
    pub fn listener(&self, stop: watch::Receiver<bool>, evidence: bool) -> Result<live::Services> {
        let settings = Arc::new(self.config.crawl.clone());
        let options = Options {
            folder: self.config.data.join(EVIDENCE),
            max_bytes: self.config.live.warc_max_bytes,
            software: settings.user_agent(),
            name: LIVE,
        };
        let warc = if evidence { Some(Arc::new(WarcWriter::open(options, self.clock())?)) } else { None };
        Ok(live::Services {
            fetcher: Arc::new(Fetcher::new(settings, self.clock())?),
            hosts: Arc::clone(&self.hosts),
            warc,
            clock: self.clock(),
            air: Arc::clone(&self.air),
            stop,
        })
    }

    /// The desk over this store; `monitor` is the one that crawls feed and `works` what runs behind it, where there is one.
    ///
    /// # Errors
    /// When the accounts cannot be read or the settings name no known time zone.
    pub fn desk(&self, monitor: Option<Arc<Monitor>>, works: Option<Arc<Works>>) -> Result<Desk> {
        let accounts = Accounts::open(&self.config.data.join(ACCOUNTS))?;
        let kept = self.kept.as_ref().map(|store| Arc::new(records::Journal::new(Arc::clone(store))));
        Ok(Desk::new(Parts {
            store: Arc::clone(&self.store),
            accounts: Arc::new(accounts),
            clock: self.clock(),
            settings: self.config.desk.clone(),
            review: self.config.review.clone(),
            evidence: Some(Arc::new(records::Records::new(self.config.data.join(EVIDENCE)))),
            journal: kept.clone().map(|kept| kept as _),
            listings: kept.map(|kept| kept as _),
            archive: self.archive.clone(),
            oidc: self.oidc()?,
            content: self.kept.as_ref().map(|kept| kept.content().clone()),
            sellers: Arc::clone(&self.sellers),
            alerts: Some(self.alerts()?),
            monitor,
            works,
        })?)
    }
}

impl App {
    fn oidc(&self) -> Result<Option<Arc<Oidc>>> {
        let Some(settings) = self.config.desk.oidc.clone() else { return Ok(None) };
        let fetcher = Arc::new(Fetcher::new(Arc::new(self.config.crawl.clone()), self.clock())?);
        Ok(Some(Arc::new(Oidc::new(settings, fetcher, self.clock()))))
    }

    fn alerts(&self) -> Result<Alerts> {
        let settings = self.config.alerts.clone();
        let book = Book::open(self.config.data.join(ALERTS)).context("reading who is told of new hits")?;
        let fetcher = Arc::new(Fetcher::new(Arc::new(self.config.crawl.clone()), self.clock())?);
        Ok(Alerts { book: Arc::new(book), sender: Sender::new(settings, fetcher, self.clock()) })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

fn scratch() -> Result<Scratch> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let folder = std::env::temp_dir().join(format!("markwarden-{:016x}", u64::from_le_bytes(random)));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make the temporary folder {}", folder.display()))?;
    Ok(Scratch(folder))
}

/// The rules of `folder`; the built-in ones when there is no such folder.
///
/// # Errors
/// Every mistake in them, rendered.
pub fn rules_or_builtin(folder: &Path) -> Result<RuleSet> {
    if folder.is_dir() { rules(folder) } else { builtin_rules() }
}

/// The rules that come with the program.
///
/// # Errors
/// When they have a mistake, rendered.
pub fn builtin_rules() -> Result<RuleSet> {
    RuleSet::builtin().map_err(|mistakes| told("the built-in rules", &mistakes))
}

/// The rules of `folder`.
///
/// # Errors
/// Every mistake in them, rendered; or that there is no such folder.
pub fn rules(folder: &Path) -> Result<RuleSet> {
    anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    RuleSet::read_folder(folder).map_err(|mistakes| told(&folder.display().to_string(), &mistakes))
}

fn told(place: &str, mistakes: &[Diagnostic]) -> anyhow::Error {
    let shown: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("{} mistakes in {place}\n\n{}", mistakes.len(), shown.join("\n\n"))
}
