//! `markwarden serve`: the desk and the scheduled crawls, until stopped.

mod again;
mod inbox;
mod sites;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    task::JoinHandle,
};
use url::Url;

use self::{inbox::Inbox, sites::Sites};
use super::{
    Context, Done,
    asking::{Counter, Question},
    crawl::{Stands, Stored},
};
use crate::{
    app::{self, App},
    archive::{ArchiveError, Keeper},
    crawl::{self, Coverage, Profile, RunReport, Services, Sung, next_run},
    intake::Feeds,
    live::{self, Room},
    model::{Account, AccountName, CaptureId, ListingId, Role},
    monitor::{self, Halting, Monitor, Operating, Risk, RulesState, Works},
    store::{Batch, Store, Write},
    web::{self, Accounts},
};

/// How often schedules, leases and marks are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often what was decided is taken in.
const LEARN_EVERY: Duration = Duration::from_secs(60);
/// Changes of listings that are taken in at once: nobody waits for them.
const FOLLOWED_AT_ONCE: usize = 1_000;
/// How often the rules' folder is looked at.
const REREAD_EVERY: Duration = Duration::from_secs(1);
/// How often the archive is brought up to the store.
const ARCHIVE_EVERY: Duration = Duration::from_secs(600);
/// Runs that may be due at once.
const MAX_DUE: usize = 1000;
/// Leases ended in one look.
const MAX_EXPIRED: usize = 1000;
/// How often old evidence of rooms is looked for.
const RETIRE_EVERY: Duration = Duration::from_secs(3600);
/// After this a room that ended is listened to again.
const OFF_AIR: Duration = Duration::from_secs(60);
/// How long the first sign-in link works.
const FIRST_LINK: Duration = Duration::from_secs(15 * 60);

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Profiles with a schedule run at their time; runs that were missed while the server was down run once.\n\
    Live rooms of the settings ([[live.room]]) are listened to all the time.\n\
    Files put into the folder of [import] are taken; feeds push to POST /feeds/listings (see `feed`).\n\
    Rules that change are taken over without a restart when their tests hold; GET /readyz says which are in use.\n\
    Profiles that change, as by `crawl mend --accept`, are taken over for the next run; one with a mistake is not.\n\
    Stop it with Ctrl-C: crawls under way end cleanly and go on next time.\n\
    While no account exists, a one-time sign-in for an administrator is printed."
)]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the desk listens; the settings' when absent.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// Run no crawls and listen to no rooms.
    #[arg(long)]
    no_crawl: bool,
}

/// Runs the command.
///
/// # Errors
/// When a profile or rule has a mistake, the store cannot be opened, or the address is taken.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let mut settings = context.settings()?;
    if let Some(listen) = args.listen {
        settings.desk.listen = listen;
    }
    let listen = settings.desk.listen;
    let sites = &settings.crawl.sites;
    let sites = if args.no_crawl { Sites::default() } else { Sites::open(sites)? };
    let rules = app::rules_or_builtin(&settings.rules)?;
    let app = App::open(settings, args.data)?;
    let monitor = app.monitor(rules)?;
    let (stop, stopped) = watch::channel(false);
    let services = app.crawler(stopped.clone(), app.config().crawl.warc)?;
    let rooms = if args.no_crawl { Vec::new() } else { app.config().live.rooms.clone() };
    let listening = (!rooms.is_empty()).then(|| app.listener(stopped.clone(), app.config().crawl.warc)).transpose()?;
    let risk = Arc::new(Mutex::new(Risk::default()));
    let works = app.works(sites.profiles().clone(), rooms.clone(), &services, Arc::clone(&risk))?;
    let desk = app.desk(Some(Arc::clone(&monitor)), Some(Arc::clone(&works)))?;
    let feeds = web::PushParts {
        feeds: Feeds::open(&app.config().data.join(app::FEEDS))?,
        monitor: Arc::clone(&monitor),
        store: Arc::clone(app.store()),
        warc: services.warc.clone(),
        clock: app.clock(),
        settings: app.config().import.clone(),
    };
    let inbox = (!app.config().import.folder.as_os_str().is_empty())
        .then(|| Inbox::open(&app, Arc::clone(&monitor), services.warc.clone()))
        .transpose()?;
    let no_account = Accounts::open(&app.config().data.join(app::ACCOUNTS))?.list()?.is_empty();
    app.wait(async {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}: choose another with --listen or [desk] listen"))?;
        let address = listener.local_addr()?;
        context.say(&format!("the desk is at http://{address}/"));
        if no_account {
            let first = Account::new(AccountName::new("first")?, Role::Admin);
            let link = desk.one_time_link(first, FIRST_LINK)?;
            context.say(&format!(
                "no account exists yet; this link signs in once, within 15 minutes:\n  http://{address}{link}\n\
                 make your own there, under /accounts"
            ));
        }
        tokio::spawn(async move {
            stop_signal().await;
            stop.send_replace(true);
        });
        let scheduled = sites.profiles().values().filter(|profile| profile.schedule.is_some()).count();
        context.say(&format!("{scheduled} of {} profiles have a schedule", sites.profiles().len()));
        if !rooms.is_empty() {
            context.say(&format!("listening to {} live rooms", rooms.len()));
        }
        let answering = answering(&app, &services, &works).await?;
        let ticking =
            tokio::spawn(tick(sites, services, (Arc::clone(&monitor), risk, Arc::clone(&works)), stopped.clone()));
        let learning = tokio::spawn(learn(Arc::clone(&monitor)));
        let rereading =
            tokio::spawn(reread(Arc::clone(&monitor), Arc::clone(app.store()), app.config().data.clone(), works));
        let taking = inbox.map(|inbox| tokio::spawn(inbox.watch(stopped.clone())));
        let ending = Arc::new(AtomicBool::new(false));
        let archiving = app.archive().map(|keeper| tokio::spawn(archive(Arc::clone(keeper), Arc::clone(&ending))));
        let rooms = listening.map(|listener| tokio::spawn(listen_to_all(listener, rooms, Arc::clone(&monitor))));
        let live_days = app.config().live.retain_days;
        let retiring = tokio::spawn(retire(Arc::clone(&monitor), app.config().data.join(app::EVIDENCE), live_days));
        let mut ended = stopped;
        let shutdown = async move {
            // The sender lives in the signal task: an error would mean that it is gone, which is a stop too.
            drop(ended.wait_for(|stop| *stop).await);
        };
        web::serve_routes(listener, desk.clone(), web::router(desk).merge(web::push(feeds)), shutdown).await?;
        ticking.await.context("the schedule ended")?;
        if let Some(rooms) = rooms {
            rooms.await.context("the live rooms ended")?;
        }
        if let Some(taking) = taking {
            taking.await.context("the watched folder ended")?;
        }
        learning.abort();
        rereading.abort();
        answering.abort();
        retiring.abort();
        ending.store(true, Ordering::Relaxed);
        if let Some(archiving) = archiving {
            archiving.abort();
        }
        monitor.save_shadow().context("writing what rules in shadow found")?;
        monitor.save_gate().context("writing what is noted of rules")?;
        Ok(Done::Fine)
    })
}

/// Ctrl-C, or a polite request to end.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Answers what other commands ask about crawls and campaigns.
async fn answering(app: &App, services: &Services, works: &Arc<Works>) -> Result<JoinHandle<()>> {
    let counter = Counter::open(&app.config().data).await?;
    let (sites, coverage, works) = (app.config().crawl.sites.clone(), services.coverage.clone(), Arc::clone(works));
    let services = services.clone();
    let (store, runtime) = (Arc::clone(app.store()), tokio::runtime::Handle::current());
    let evidence = app.config().data.join(app::EVIDENCE);
    let answer = move |question| {
        if let Question::Campaign { campaign, families } = &question {
            let gathered = super::campaign::gather(&*store, campaign, families, coverage.as_deref());
            return Ok(serde_json::to_value(runtime.block_on(gathered)?)?);
        }
        let coverage = coverage.as_ref().context("this server keeps no coverage")?;
        let risk = runtime.block_on(again::caught_up(&works.risk, &*store))?;
        let seen = |coverage: &Coverage, id: &ListingId| {
            runtime.block_on(coverage.follow(&*store))?;
            Ok(runtime.block_on(store.listing(id))?)
        };
        let capture = |id: &CaptureId| Ok(runtime.block_on(store.capture(id))?);
        let stored = Stored { seen: &seen, capture: &capture, evidence: &evidence };
        let look = |profile: &Profile, url: &Url| Ok(runtime.block_on(crawl::look_at(profile, url, &services))?);
        let stands = || Ok(Stands::of(&works, runtime.block_on(works.due(&*store))?, risk.clone()));
        super::crawl::answer(question, &sites, coverage, (&risk, stored, &stands), &look)
    };
    Ok(tokio::spawn(counter.answer(answer)))
}

/// Takes in what reviewers decide, for the places of hits to come, for as long as it is let.
async fn learn(monitor: Arc<Monitor>) {
    loop {
        match monitor.learn().await {
            Ok(()) => tracing::debug!(decided = monitor.learnt().decided(), "took in what was decided"),
            Err(error) => tracing::warn!(%error, "cannot take in what was decided"),
        }
        if let Err(error) = monitor.hold_to_floor().await {
            tracing::warn!(%error, "cannot note that rules are right too seldom");
        }
        if let Err(error) = monitor.save_gate() {
            tracing::warn!(%error, "cannot write what is noted of rules");
        }
        if let Err(error) = monitor.save_shadow() {
            tracing::warn!(%error, "cannot write what rules in shadow found");
        }
        tokio::time::sleep(LEARN_EVERY).await;
    }
}

/// Takes what commands handed over into the journal; gives the files that are done with.
pub(super) async fn take_handed(data: &Path, store: &dyn Store) -> Vec<PathBuf> {
    let mut done = Vec::new();
    let waiting = monitor::waiting(data).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look for what commands handed over");
        Vec::new()
    });
    for (file, handed) in waiting {
        match handed {
            Ok(handed) => match store.apply(handed.batch()).await {
                Ok(_) => done.push(file),
                Err(error) => tracing::warn!(%error, "cannot note what a command handed over"),
            },
            Err(reason) => {
                tracing::warn!(file = %file.display(), reason, "what was handed over is refused");
                drop(fs::rename(&file, file.with_extension("refused")));
            }
        }
    }
    done
}

/// Keeps the archive of the listings up to the store, for commands that try rules while this runs.
async fn archive(keeper: Arc<Keeper>, stop: Arc<AtomicBool>) {
    loop {
        let (keeper, stop) = (Arc::clone(&keeper), Arc::clone(&stop));
        // One thread: nobody waits for it, and crawls and reviewers want the others.
        match tokio::task::spawn_blocking(move || keeper.fresh(1, &stop, &|_| {})).await {
            Ok(Ok(archive)) => {
                tracing::debug!(listings = archive.manifest().listings, "the archive is up to the store")
            }
            Ok(Err(ArchiveError::Stopped)) => return,
            Ok(Err(error)) => tracing::warn!(%error, "cannot bring the archive up to the store"),
            Err(error) => tracing::error!(%error, "bringing the archive up to the store broke off"),
        }
        tokio::time::sleep(ARCHIVE_EVERY).await;
    }
}

/// Takes over which hosts are stopped and which profiles rest.
pub(super) async fn obey(halting: &Halting, operating: &Operating, store: &dyn Store) {
    if let Err(error) = halting.follow(store).await {
        tracing::warn!(%error, "cannot take in which hosts are stopped");
    }
    if let Err(error) = operating.follow(store).await {
        tracing::warn!(%error, "cannot take in which profiles rest");
    }
}

/// Tells the owners of rules that are only counted.
fn tell(state: &RulesState) {
    for held in &state.held {
        let [_, words] = held.told();
        tracing::warn!(rule = held.rule, version = held.version, owner = held.owner, "{words}");
    }
}

/// Takes over changed rules and what is noted of them, for as long as it is let.
async fn reread(monitor: Arc<Monitor>, store: Arc<dyn Store>, data: PathBuf, works: Arc<Works>) {
    monitor.rules_state().iter().for_each(tell);
    loop {
        tokio::time::sleep(REREAD_EVERY).await;
        let done = take_handed(&data, &*store).await;
        obey(&works.halting, &works.operating, &*store).await;
        if let Err(error) = monitor.follow_rules().await {
            tracing::warn!(%error, "cannot take in what is noted of rules");
        }
        if let Some(coverage) = &works.coverage
            && let Err(error) = coverage.follow_some(&*store, FOLLOWED_AT_ONCE).await
        {
            tracing::warn!(%error, "cannot take in what the journal says of listings");
        }
        // They go once a command finds it said elsewhere; what is noted twice says the same.
        done.iter().for_each(|file| drop(fs::remove_file(file)));
        let asked = Arc::clone(&monitor);
        // Reading and testing hundreds of rules takes a while, which no request should wait for.
        match tokio::task::spawn_blocking(move || asked.reload_rules()).await {
            Ok(None) => {}
            Ok(Some(state)) => match &state.refused {
                Some(refused) => {
                    tracing::warn!(
                        reasons = refused.reasons.join("\n"),
                        "changed rules are refused; the old ones stay"
                    );
                }
                None => {
                    tracing::info!(hash = state.hash, active = state.active, "changed rules are in use");
                    tell(&state);
                }
            },
            Err(error) => tracing::error!(%error, "reading the rules broke off"),
        }
    }
}

/// Runs what is due, ends leases that ran out, and takes over changed profiles and marks, until stopped.
async fn tick(
    mut sites: Sites,
    services: Services,
    (monitor, risk, works): (Arc<Monitor>, Arc<Mutex<Risk>>, Arc<Works>),
    mut stopped: watch::Receiver<bool>,
) {
    let mut runs: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut turns: BTreeMap<String, again::Turn> = BTreeMap::new();
    let mut schedules: BTreeMap<String, String> = BTreeMap::new();
    loop {
        if !sites.look().is_empty() {
            works.take_over(sites.profiles().clone());
        }
        plan_anew(&sites, &mut schedules, &services).await;
        if let Err(error) = services.store.expire(MAX_EXPIRED).await {
            tracing::warn!(%error, "cannot end leases");
        }
        if let Err(error) = monitor.refresh().await {
            tracing::warn!(%error, "cannot take over changed marks");
        }
        if let Err(error) = monitor.refresh_registry() {
            tracing::warn!(%error, "cannot take over the changed registry");
        }
        for due in services.store.due(MAX_DUE).await.unwrap_or_default() {
            let scheduled = sites.profiles().get(&due.id).filter(|profile| profile.schedule.is_some());
            let Some(profile) = scheduled else { continue };
            // What is due meanwhile runs once when it goes on.
            let rests = services.paused.is_paused(&due.id, services.clock.now());
            if rests || runs.get(&due.id).is_some_and(|run| !run.is_finished()) {
                continue;
            }
            tracing::info!(profile = due.id, due_at = %due.due_at, "a crawl is due");
            plan(profile, &services).await;
            let run = tokio::spawn(crawl_one(Arc::clone(profile), services.clone(), Arc::clone(&monitor)));
            runs.insert(due.id, run);
        }
        for profile in sites.profiles().values().filter(|profile| profile.recrawl.is_some()) {
            let busy = runs.get(&profile.id).is_some_and(|run| !run.is_finished());
            let turn = turns.entry(profile.id.clone()).or_default();
            let rests = services.paused.is_paused(&profile.id, services.clock.now());
            if !busy && !rests && turn.comes() {
                let parts = (Arc::clone(&monitor), Arc::clone(&risk));
                let look = again::look(Arc::clone(profile), services.clone(), parts, turn.planning_ms());
                runs.insert(profile.id.clone(), tokio::spawn(look));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    for (profile, run) in runs {
        if let Err(error) = run.await {
            tracing::error!(profile, %error, "a crawl broke off");
        }
    }
}

/// Plans profiles whose schedule is new, or another than it was; `schedules` are those in force. A run that was missed while the
/// server was down stays due.
async fn plan_anew(sites: &Sites, schedules: &mut BTreeMap<String, String>, services: &Services) {
    schedules.retain(|id, _| sites.profiles().contains_key(id));
    for profile in sites.profiles().values() {
        let Some(schedule) = &profile.schedule else {
            schedules.remove(&profile.id);
            continue;
        };
        let schedule = format!("{schedule:?}");
        let before = schedules.get(&profile.id);
        if before == Some(&schedule) {
            continue;
        }
        if before.is_some() || matches!(services.store.next_due(&profile.id).await, Ok(None)) {
            plan(profile, services).await;
        }
        schedules.insert(profile.id.clone(), schedule);
    }
}

/// Notes when `profile` runs next, counted from now: a missed run is made up for once.
async fn plan(profile: &Profile, services: &Services) {
    let Some(schedule) = &profile.schedule else { return };
    match next_run(schedule, services.clock.now(), fastrand::f64()) {
        Ok(next_due) => {
            let write = Write::Schedule { id: profile.id.clone(), next_due };
            if let Err(error) = services.store.apply(Batch { actor: "schedule".into(), writes: vec![write] }).await {
                tracing::warn!(profile = profile.id, %error, "cannot note the next run");
            }
        }
        Err(error) => {
            tracing::warn!(profile = profile.id, %error, "the schedule cannot be read; the profile does not run")
        }
    }
}

/// Listens to every room, again after a while when it is not on the air, until stopped.
async fn listen_to_all(services: live::Services, rooms: Vec<Room>, monitor: Arc<Monitor>) {
    join_all(rooms.iter().map(|room| listen_to(room, &services, &monitor))).await;
}

/// Lets evidence of rooms go whose time is over, for as long as it is let.
async fn retire(monitor: Arc<Monitor>, folder: PathBuf, days: u32) {
    loop {
        match monitor.retire_live_evidence(&folder, days).await {
            Ok(retired) if retired.is_empty() => {}
            Ok(retired) => tracing::info!(files = retired.len(), "evidence of live rooms went, its time was over"),
            Err(error) => tracing::warn!(%error, "cannot let old evidence of live rooms go"),
        }
        tokio::time::sleep(RETIRE_EVERY).await;
    }
}

async fn listen_to(room: &Room, services: &live::Services, monitor: &Arc<Monitor>) {
    let mut stop = services.stop.clone();
    while !*stop.borrow() {
        match monitor.watch(room, None) {
            Ok(mut watched) => match live::watch(room, services, &mut watched).await {
                Ok(report) => {
                    let new_hits = watched.new_hits();
                    tracing::info!(room = room.id, captions = report.captions, new_hits, "a live room ended");
                }
                Err(error) => tracing::warn!(room = room.id, %error, "a live room cannot be heard"),
            },
            Err(error) => {
                tracing::warn!(room = room.id, %error, "a live room cannot be watched");
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(OFF_AIR) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Addresses of the canaries that a run did not read as they must be.
fn failing(report: &RunReport) -> Vec<String> {
    let wrong = report.canaries.iter().filter(|reading| reading.sung == Sung::Wrong);
    wrong.map(|reading| reading.url.clone()).collect()
}

async fn crawl_one(profile: Arc<Profile>, services: Services, monitor: Arc<Monitor>) {
    match crawl::run(&profile, &services, &*monitor).await {
        Ok(report) => {
            tracing::info!(profile = profile.id, pages = report.pages, listings = report.listings, "a crawl ended");
            let details = [
                ("profile", serde_json::Value::from(profile.id.clone())),
                ("pages", report.pages.into()),
                ("listings", report.listings.into()),
                ("denied_by_robots", report.denied_by_robots.into()),
                ("interrupted", report.interrupted.into()),
                ("canaries", failing(&report).into()),
                ("drift", report.alarms.iter().map(|alarm| alarm.field.clone()).collect::<Vec<_>>().into()),
            ];
            let details = details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let mut writes = vec![Write::Note { what: "crawl".into(), details }];
            let now = services.clock.now();
            // A run that a pause ended is due at once: it goes on where it was when the profile does.
            if report.interrupted && services.paused.is_paused(&profile.id, now) {
                writes.push(Write::Schedule { id: profile.id.clone(), next_due: now });
            }
            if let Err(error) = services.store.apply(Batch { actor: "crawl".into(), writes }).await {
                tracing::warn!(profile = profile.id, %error, "cannot note a crawl");
            }
        }
        Err(error) => tracing::warn!(profile = profile.id, %error, "a crawl ended early; the next run goes on"),
    }
}
