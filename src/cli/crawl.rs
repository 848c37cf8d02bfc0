//! `markwarden crawl`: crawl one or more profiles now, and ask what became of addresses.

mod halt;
mod mend;
mod pause;
mod plan;
mod profile;
mod queries;
mod status;
mod versions;
mod why;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use futures_util::future::join_all;
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Context, Done,
    asking::{self, Question},
    context::visible,
};
use crate::{
    app::{self, App},
    config::Config,
    crawl::{self, Alarm, CanaryAlarm, Coverage, CoverageError, Fetched, Profile, RunReport, Sink, SinkError},
    monitor::{Halting, Monitor, Operating, Risk},
    rules::RuleSet,
    store::{Batch, Store, Write},
};

/// How often it is looked whether a host was stopped.
const OBEY_EVERY: Duration = Duration::from_secs(1);
/// Addresses that yielded nothing and are shown one by one.
const SHOWN_FATES: usize = 10;

pub(super) use mend::Stored;
pub(super) use pause::Stands;

/// Arguments of `crawl`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A profile says how to read a site; CONTRIBUTING.md shows one. Give its id (a file in the folder\n\
    that [crawl] sites names), or the path of a .toml file. All are crawled at the same time, each host at its\n\
    own pace; robots.txt is obeyed. A crawl that was stopped or killed goes on where it was.\n\n\
    Examples:\n  \
    markwarden crawl xinghe\n  \
    markwarden crawl ./xinghe.toml --dry-run      fetch and match, keep nothing\n  \
    markwarden crawl plan                         what runs when, and why\n  \
    markwarden crawl status xinghe                what its runs did, how much of the site is known\n  \
    markwarden crawl queries xinghe               which questions it asked, and what each gave\n  \
    markwarden crawl profile check                read the recorded pages of all profiles; nothing is fetched\n  \
    markwarden crawl pause xinghe --by li        no runs until it is resumed\n  \
    markwarden crawl stop xinghe.example --by li  ask nothing of a host any more, at once\n  \
    markwarden crawl why https://xinghe.example/p/7\n  \
    markwarden crawl versions xinghe:7            what changed in a listing, and when\n\n\
    Exit codes: 0 every run came to its end · 1 one was stopped early · 2 usage or I/O."
)]
pub struct Args {
    #[command(subcommand)]
    about: Option<About>,
    /// Profile ids or files; every profile of the sites folder when absent.
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    data: Option<PathBuf>,
    /// Fetch and match, but keep nothing; the register's marks are not read, `--marks` names some.
    #[arg(long)]
    dry_run: bool,
    /// Marks to match in a dry run (CSV).
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    marks: Option<PathBuf>,
    /// Write no WARC files.
    #[arg(long)]
    no_evidence: bool,
}

/// What can be asked about crawls.
#[derive(Debug, clap::Subcommand)]
enum About {
    /// Ask nothing of a host any more, at once
    Stop(halt::Args),
    /// Let a profile rest: runs end at the next page, none begins
    Pause(pause::Args),
    /// Let a paused profile go on, or a stopped host be visited again
    Resume(halt::Args),
    /// Show which hosts are stopped, by whom and why
    Stopped(halt::ListArgs),
    /// Show where fields stand that a profile does not find any more, and change the profile
    Mend(mend::Args),
    /// Show what runs when, and why
    Plan(plan::Args),
    /// Draft, check and record what says how to read a site
    Profile(profile::Args),
    /// Show which questions a profile put to its site, what each gave, and why it stopped
    Queries(queries::Args),
    /// Show what the runs of a profile did, and how much of its site is known
    Status(status::Args),
    /// Say what became of an address, in every profile
    Why(why::Args),
    /// Show what changed in a listing, and when
    Versions(versions::Args),
}

/// Runs the command.
///
/// # Errors
/// When a profile has a mistake, the store cannot be opened, or a run cannot go on.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.about {
        Some(About::Stop(args)) => return halt::run(args, false, context),
        Some(About::Resume(args)) => return halt::run(args, true, context),
        Some(About::Pause(args)) => return pause::run(args, context),
        Some(About::Stopped(args)) => return halt::list(args, context),
        Some(About::Plan(args)) => return plan::run(args, context),
        Some(About::Profile(args)) => return profile::run(args, context),
        Some(About::Queries(args)) => return queries::run(args, context),
        Some(About::Status(args)) => return status::run(args, context),
        Some(About::Mend(args)) => return mend::run(args, context),
        Some(About::Why(args)) => return why::run(args, context),
        Some(About::Versions(args)) => return versions::run(args, context),
        None => {}
    }
    let settings = context.settings()?;
    let profiles = profiles(&args.profiles, &settings.crawl.sites)?;
    let rules = app::rules_or_builtin(&settings.rules)?;
    let evidence = settings.crawl.warc && !args.no_evidence && !args.dry_run;
    let app = if args.dry_run { App::temporary(settings)? } else { App::open(settings, args.data)? };
    let monitor = monitor_with(&app, rules, args.marks.as_deref(), context)?;
    let (stop, stopped) = watch::channel(false);
    let (halting, operating) = (app.halting()?, app.operating()?);
    let services = app.crawler(stopped, evidence)?;
    let bar = context.progress(0, "pages");
    let reports = app.wait(async {
        let interrupt = tokio::spawn(async move {
            // Without a signal handler a second way to stop remains: the frontier survives a kill.
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.send_replace(true);
            }
        });
        let (store, data) = (Arc::clone(app.store()), app.config().data.clone());
        let listening = tokio::spawn(async move { obey(&halting, &operating, &*store, &data).await });
        let runs = profiles.iter().map(|profile| async {
            let sink = Counting { monitor: &monitor, bar: &bar, keep: !args.dry_run, new_hits: AtomicU64::new(0) };
            let report = crawl::run(profile, &services, &sink).await;
            (profile.id.clone(), report, sink.new_hits.into_inner())
        });
        let reports = join_all(runs).await;
        interrupt.abort();
        listening.abort();
        reports
    });
    bar.finish_and_clear();
    if !args.dry_run {
        monitor.save_shadow().context("writing what rules in shadow found")?;
        monitor.save_gate().context("writing what is noted of rules")?;
    }
    let mut done = Done::Fine;
    let mut failure = None;
    for (profile, report, new_hits) in reports {
        match report {
            Ok(report) => {
                if report.interrupted {
                    done = Done::Findings;
                }
                print(context, &app, &report, new_hits)?;
            }
            Err(error) => failure = Some(anyhow::Error::new(error).context(format!("the crawl of {profile} ended"))),
        }
    }
    failure.map_or(Ok(done), Err)
}

/// A monitor over the app's store, to which `marks` (CSV) are added first, that has learnt from decisions.
pub(super) fn monitor_with(app: &App, rules: RuleSet, marks: Option<&Path>, context: &Context) -> Result<Arc<Monitor>> {
    if let Some(marks) = marks {
        let writes = super::marks::read(marks, context)?.into_iter().map(Write::Mark).collect();
        app.wait(app.store().apply(Batch { actor: "cli".into(), writes }))?;
    }
    let monitor = app.monitor(rules)?;
    app.wait(monitor.learn())?;
    Ok(monitor)
}

/// Takes over what commands say about hosts and profiles, for as long as it is let.
async fn obey(halting: &Halting, operating: &Operating, store: &dyn Store, data: &Path) {
    loop {
        tokio::time::sleep(OBEY_EVERY).await;
        let done = super::serve::take_handed(data, store).await;
        super::serve::obey(halting, operating, store).await;
        done.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }
}

/// The named profiles; all of the folder when none is named.
pub(super) fn profiles(names: &[String], folder: &Path) -> Result<Vec<Profile>> {
    if names.is_empty() {
        let all: Vec<Profile> = Profile::read_folder(folder)?.into_values().collect();
        if all.is_empty() {
            bail!("there is no profile in {}: CONTRIBUTING.md shows how to write one", folder.display());
        }
        return Ok(all);
    }
    names
        .iter()
        .map(|name| {
            let path = place(name, folder);
            Profile::read(&path).with_context(|| format!("the profile {name}"))
        })
        .collect()
}

/// Where a profile stands that is given by its id, or by its file.
fn place(name: &str, folder: &Path) -> PathBuf {
    if Path::new(name).extension().is_some() { PathBuf::from(name) } else { folder.join(format!("{name}.toml")) }
}

/// What `own` makes of the coverage in the data folder `data`, else the settings'; where the server has that open, what it
/// answers to `question`. There is no coverage before the first crawl.
fn gathered<T: DeserializeOwned>(
    settings: &Config,
    data: Option<&Path>,
    question: Question,
    own: impl FnOnce(Option<&Coverage>) -> Result<T>,
) -> Result<T> {
    let data = data.unwrap_or(&settings.data);
    let folder = data.join(app::COVERAGE);
    if !folder.is_dir() {
        return own(None);
    }
    match Coverage::open(&folder) {
        Ok(coverage) => own(Some(&coverage)),
        Err(CoverageError::InUse { .. }) => asking::ask(data, question),
        Err(error) => Err(error.into()),
    }
}

/// An alarm, in words.
fn drift_words(alarm: &Alarm) -> String {
    format!(
        "ALARM  {} stands in {:.0} % of {} listings, where {:.0} % was usual, since {}: the site may have changed its markup",
        alarm.field,
        100.0 * alarm.now,
        alarm.of,
        100.0 * alarm.usual,
        alarm.since.strftime("%Y-%m-%d %H:%M")
    )
}

/// A canary that sings wrong, in words.
fn canary_words(alarm: &CanaryAlarm) -> String {
    format!(
        "ALARM  the canary {} since {}: {}",
        visible(&alarm.url),
        alarm.since.strftime("%Y-%m-%d %H:%M"),
        visible(&alarm.words().join("; "))
    )
}

/// The server's answer to `question`.
pub(super) fn answer(
    question: Question,
    sites: &Path,
    coverage: &Coverage,
    (risk, stored, stands): (&Risk, Stored<'_>, &dyn Fn() -> Result<Stands>),
    look: &profile::Look<'_>,
) -> Result<Value> {
    Ok(match question {
        Question::Why { url } => serde_json::to_value(why::gather(&url, sites, Some(coverage))?)?,
        Question::Plan { profiles: names, listings } => {
            let stands = stands()?;
            let known = (Some(coverage), &stands.operations);
            let plans = plan::gather(profiles(&names, sites)?, listings, known, &|| Ok(risk.clone()))?;
            serde_json::to_value(plans)?
        }
        Question::Versions { listing } => {
            serde_json::to_value(versions::gather(&listing, sites, Some(coverage), stored.seen)?)?
        }
        Question::Mend { profile } => {
            let profile = Profile::read(&sites.join(format!("{profile}.toml")))?;
            serde_json::to_value(mend::gather(&profile, coverage, stored)?)?
        }
        Question::Archived { profile, url } => {
            serde_json::to_value(profile::archived(&profile, &url, coverage, stored)?)?
        }
        Question::Look { file, text, url } => serde_json::to_value(profile::looked(&file, &text, &url, look)?)?,
        Question::Queries { profile } => serde_json::to_value(queries::gather(&profile, Some(coverage))?)?,
        Question::Campaign { campaign, .. } => bail!("the campaign {campaign} is no question about crawls"),
        Question::Status { profile } => serde_json::to_value(status::gather(profile, Some(coverage), stands)?)?,
    })
}

/// Hands pages to the monitor, and counts.
struct Counting<'a> {
    monitor: &'a Monitor,
    bar: &'a ProgressBar,
    /// Whether what is seen is written to the store.
    keep: bool,
    new_hits: AtomicU64,
}

#[async_trait]
impl Sink for Counting<'_> {
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError> {
        let new_hits = if self.keep {
            self.monitor.see(page).await.map_err(|error| SinkError(Box::new(error)))?.new_hits
        } else {
            let listings = page.listing.iter().chain(&page.others);
            listings.map(|listing| self.monitor.would_queue(listing)).sum()
        };
        self.new_hits.fetch_add(new_hits as u64, Ordering::Relaxed);
        self.bar.inc(1);
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        self.monitor.words()
    }

    fn looks_with(&self) -> String {
        self.monitor.looks_with()
    }
}

fn print(context: &Context, app: &App, report: &RunReport, new_hits: u64) -> Result<()> {
    let counts = app.wait(app.store().counts())?;
    if context.json() {
        let mut value = serde_json::to_value(report)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("new_hits".into(), new_hits.into());
            object.insert("store".into(), serde_json::to_value(counts)?);
        }
        return context.data(&value.to_string());
    }
    context.data(&format!(
        "{}: {} pages, {} listings, {} unchanged, {new_hits} new hits in {:.1} s{}",
        report.profile,
        report.pages,
        report.listings,
        report.unchanged,
        report.duration_ms as f64 / 1000.0,
        if report.interrupted { " (stopped early; the next run goes on)" } else { "" }
    ))?;
    for alarm in &report.alarms {
        context.say(&drift_words(alarm));
    }
    for alarm in &report.canary_alarms {
        context.say(&canary_words(alarm));
    }
    for fate in report.fates.iter().take(SHOWN_FATES) {
        context.say(&format!("  {:<12} {}  {}", fate.kind, visible(&fate.url), visible(&fate.detail)));
    }
    let more = (report.fates.len() as u64 + report.fates_left_out).saturating_sub(SHOWN_FATES as u64);
    if more > 0 {
        context.say(&format!("  and {more} more; --format json lists them"));
    }
    Ok(())
}
