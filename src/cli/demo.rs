//! `markwarden demo`: everything, on a fictional marketplace of this machine.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use futures_util::future::join_all;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch};

use super::{Context, Done, context::visible, serve};
use crate::{
    app::{self, App},
    config::Config,
    crawl::{self, Fetched, Profile, RunReport, Services, Sink, SinkError},
    demo::{LiveRoom, Market, Measure, RoomScore, Score, SitePace, pace_report, room_score, score},
    live, marks,
    matcher::Heard,
    model::{Account, AccountName, Finding, Role},
    monitor::{Monitor, Works},
    store::{Batch, Counts, Write},
    web,
};

/// How long the demonstration's sign-in link works.
const LINK: Duration = Duration::from_secs(24 * 60 * 60);

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Three invented shops with some 200 listings are served on loopback ports and crawled politely, then a live\n\
    room is listened to; what is found is queued and compared with what is there to be found. Then the desk opens: follow the printed link.\n\
    Nothing outside this machine is touched, and nothing stays when it ends.\n\n\
    Examples:\n  \
    markwarden demo\n  \
    markwarden demo --once --format json"
)]
pub struct Args {
    /// Print what was found and end, without opening the desk.
    #[arg(long)]
    once: bool,
    /// Where the desk listens; a free port of this machine when absent.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// What the demonstration shows.
#[derive(Debug, Serialize)]
struct Report {
    counts: Counts,
    score: Parts,
    pace: Pace,
    crawl: Vec<RunReport>,
    details: Score,
    /// What was heard in the live room, beside what is there to be heard.
    room: RoomScore,
    heard: live::RoomReport,
}

/// The score by what a newcomer asks: plain marks, disguised marks, rules.
#[derive(Debug, Serialize)]
struct Parts {
    plain: Measure,
    claimed_disguises: Measure,
    rules: Measure,
    not_claimed: Measure,
}

#[derive(Debug, Serialize)]
struct Pace {
    sites: Vec<SitePace>,
    disallowed_requests: usize,
}

/// Runs the command.
///
/// # Errors
/// When no port or temporary folder can be had, or a crawl cannot go on.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let rules = app::builtin_rules()?;
    let app = App::demonstration(Config::default())?;
    let market = app.wait(Market::start())?;
    let profiles = market.profiles()?;
    register(&app, &market)?;
    let monitor = app.monitor(rules)?;
    let (stop, stopped) = watch::channel(false);
    let services = app.crawler(stopped, true)?;
    let bar = context.progress(market.listings().count() as u64, "listings read");
    let found = Collecting { monitor: &monitor, bar: &bar, found: Mutex::default() };
    let crawls = app.wait(crawl_all(&profiles, &services, &found))?;
    bar.finish_and_clear();
    let (room, heard) = app.wait(listen(&app, &monitor, services.stop.clone()))?;
    let sites = pace_report(&market.log(), &profiles, market.truth());
    let details = score(market.truth(), &found.found.into_inner().unwrap_or_else(PoisonError::into_inner));
    let report = Report {
        counts: app.wait(app.store().counts())?,
        score: Parts::of(&details),
        pace: Pace { disallowed_requests: sites.iter().map(|site| site.disallowed.len()).sum(), sites },
        crawl: crawls,
        details,
        room,
        heard,
    };
    if context.json() {
        context.data(&serde_json::to_string(&report)?)?;
    } else {
        table(context, &report)?;
    }
    if !args.once {
        let known = profiles.iter().map(|profile| (profile.id.clone(), Arc::new(profile.clone()))).collect();
        let works = app.works(known, Vec::new(), &services, Arc::default())?;
        drop(services);
        app.wait(open_desk(&app, (&monitor, works), args.listen, context))?;
    }
    stop.send_replace(true);
    app.wait(market.stop());
    Ok(Done::Fine)
}

fn register(app: &App, market: &Market) -> Result<()> {
    let marks = marks::import_csv("fixtures/market/marks.csv", market.marks_csv())
        .map_err(|wrong| anyhow::anyhow!(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let writes = marks.into_iter().map(Write::Mark).collect();
    app.wait(app.store().apply(Batch { actor: "demo".into(), writes }))?;
    Ok(())
}

async fn crawl_all(profiles: &[Profile], services: &Services, sink: &dyn Sink) -> Result<Vec<RunReport>> {
    let runs = profiles.iter().map(|profile| crawl::run(profile, services, sink));
    join_all(runs).await.into_iter().map(|report| report.context("the crawl of the marketplace ended early")).collect()
}

/// Listens to the market's live room from its beginning to its end.
async fn listen(
    app: &App,
    monitor: &Arc<Monitor>,
    stopped: watch::Receiver<bool>,
) -> Result<(RoomScore, live::RoomReport)> {
    let on_air = LiveRoom::start().await?;
    let found: Arc<Mutex<Vec<Finding>>> = Arc::default();
    let into = Arc::clone(&found);
    let show = move |heard: &Heard| {
        into.lock().unwrap_or_else(PoisonError::into_inner).extend(heard.findings.iter().cloned());
    };
    let room = on_air.room();
    let mut watched = monitor.watch(&room, Some(Box::new(show)))?;
    let report = live::watch(&room, &app.listener(stopped, true)?, &mut watched).await?;
    let score = room_score(on_air.truth(), &found.lock().unwrap_or_else(PoisonError::into_inner));
    on_air.stop();
    Ok((score, report))
}

/// Hands pages to the monitor, and keeps what it found.
struct Collecting<'a> {
    monitor: &'a Monitor,
    bar: &'a ProgressBar,
    found: Mutex<BTreeMap<String, Vec<Finding>>>,
}

#[async_trait]
impl Sink for Collecting<'_> {
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError> {
        let id = page.listing.as_ref().and(page.listing_id.as_ref()).map(|id| id.as_str().to_owned());
        let seen = self.monitor.see(page).await.map_err(|error| SinkError(Box::new(error)))?;
        if let Some(id) = id {
            self.bar.inc(1);
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(id, seen.findings.findings);
        }
        Ok(())
    }
}

impl Parts {
    fn of(score: &Score) -> Self {
        let (plain, disguised): (Vec<_>, Vec<_>) =
            score.marks_by_channel.iter().partition(|(writing, _)| writing.to_string() == "plain");
        Self {
            plain: Measure::sum(plain.into_iter().map(|(_, measure)| measure)),
            claimed_disguises: Measure::sum(disguised.into_iter().map(|(_, measure)| measure)),
            rules: score.rules,
            not_claimed: Measure::sum(score.unclaimed.values()),
        }
    }
}

fn table(context: &Context, report: &Report) -> Result<()> {
    let counts = report.counts;
    context.data(&format!(
        "{} listings, {} captures, {} marks, {} hits to review\n",
        counts.listings, counts.captures, counts.marks, counts.open
    ))?;
    context
        .data(&format!("{:<34}{:>10}{:>10}{:>8}{:>8}{:>8}", "", "precision", "recall", "found", "missed", "wrong"))?;
    let row = |name: &str, measure: &Measure| {
        let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        context.data(&format!(
            "{name:<34}{:>10}{:>10}{:>8}{:>8}{:>8}",
            share(measure.precision),
            share(measure.recall),
            measure.true_positives,
            measure.false_negatives,
            measure.false_positives
        ))
    };
    row("marks, plain", &report.score.plain)?;
    row("marks, in a disguise we undo", &report.score.claimed_disguises)?;
    for (writing, measure) in &report.details.marks_by_channel {
        if writing.to_string() != "plain" {
            row(&format!("    {writing}"), measure)?;
        }
    }
    row("rules", &report.score.rules)?;
    row("rules, in a disguise not undone yet", &report.score.not_claimed)?;
    context.data("")?;
    for site in &report.pace.sites {
        context.data(&format!(
            "{:<10} {} requests, at least {:.0} ms apart (asked for: {:.0} ms), {} on a forbidden path",
            site.site,
            site.requests,
            site.smallest_gap_ms.unwrap_or(0.0),
            site.required_ms,
            site.disallowed.len()
        ))?;
    }
    let (room, heard) = (&report.room, &report.heard);
    context.data(&format!(
        "live room  {} captions, {} comments, {} shelf changes; {} of {} promises found at their second and price, {} wrong",
        heard.captions,
        heard.comments,
        heard.shelf,
        room.right,
        room.right + room.missed.len(),
        room.wrong.len()
    ))?;
    for miss in &room.missed {
        context.say(&format!("  not heard at second {}: {} ({})", miss.second, miss.reference, miss.why));
    }
    for wrong in &room.wrong {
        context.say(&format!("  wrongly heard: {}", visible(wrong)));
    }
    for miss in report.details.misses.iter().filter(|miss| miss.claimed) {
        context.say(&format!("  missed {} {}: {}", miss.listing, miss.reference, visible(&miss.why)));
    }
    for alarm in &report.details.false_alarms {
        context.say(&format!(
            "  wrong {} {} “{}”: {}",
            alarm.listing,
            alarm.reference,
            visible(&alarm.text),
            visible(&alarm.why)
        ));
    }
    Ok(())
}

async fn open_desk(
    app: &App,
    (monitor, works): (&Arc<Monitor>, Arc<Works>),
    listen: Option<SocketAddr>,
    context: &Context,
) -> Result<()> {
    let listen = listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    monitor.learn().await?;
    let desk = app.desk(Some(Arc::clone(monitor)), Some(works))?;
    let account = Account::new(AccountName::new("demo")?, Role::Admin);
    let link = desk.one_time_link(account, LINK)?;
    context.say(&format!(
        "\nthe desk is open; this link signs you in, once:\n\n  http://{address}{link}\n\n\
         Press ? on any page for the keys. Ctrl-C ends the demonstration and removes what it made."
    ));
    web::serve(listener, desk, serve::stop_signal()).await?;
    Ok(())
}
