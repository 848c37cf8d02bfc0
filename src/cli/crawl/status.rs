//! `markwarden crawl status`: what the runs of a profile did, and how much of its site is known.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Context, Done, Question, Stands, visible};
use crate::{
    cli::notes::Notes,
    crawl::{CanaryAlarm, Coverage, Ended, Estimate, estimate},
    monitor::{Alarm, Cost, Said},
};

/// Runs that are shown.
const SHOWN_RUNS: usize = 10;
/// Days that are shown.
const SHOWN_DAYS: usize = 3;

/// Arguments of `crawl status`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "How many listings no run has seen is estimated from the last two whole runs by capture and recapture\n\
    (Chapman). That assumes that none came or went between them and that being seen in one says nothing about\n\
    the other; what no list of the site names is not counted.\n\n\
    Examples:\n  \
    markwarden crawl status xinghe\n  \
    markwarden --format json crawl status xinghe"
)]
pub struct Args {
    /// The profile's id.
    profile: String,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Status {
    profile: String,
    runs: Vec<Ended>,
    /// Addresses by what became of them the last time.
    addresses: BTreeMap<String, u64>,
    /// Visits, and visits after which the facts were others.
    visits: u64,
    changes: u64,
    unseen: Option<Estimate>,
    /// What somebody must look after: of this profile, or of all.
    alarms: Vec<Alarm>,
    /// Canaries that are not read as they must be.
    canaries: Vec<CanaryAlarm>,
    /// Who paused it, where it rests.
    paused: Option<Said>,
    /// What a confirmed hit of its platform cost.
    cost: Option<Cost>,
    /// Listings looked at again, a day.
    looked_again: Vec<(Date, u64)>,
}

/// Runs the command.
///
/// # Errors
/// When nothing is known of the profile, or coverage cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let question = Question::Status { profile: args.profile.clone() };
    let status = super::gathered(&settings, args.data.as_deref(), question, |coverage| {
        let stands = || {
            let notes = Notes::open(&settings, args.data.clone())?;
            let profiles = if settings.crawl.sites.is_dir() {
                super::profiles(&[], &settings.crawl.sites)
            } else {
                Ok(Vec::new())
            };
            // One that cannot be read is `crawl plan`'s to tell.
            Stands::read(&notes, profiles.unwrap_or_default())
        };
        gather(args.profile.clone(), coverage, &stands)
    })?;
    if context.json() {
        context.data(&serde_json::to_string(&status)?)?;
        return Ok(Done::Fine);
    }
    context.data(&format!(
        "{:>5}  {:<22} {:>8} {:>9} {:>10} {:>7} {:>7}",
        "run", "ended", "pages", "listings", "unchanged", "failed", "left"
    ))?;
    for run in status.runs.iter().rev().take(SHOWN_RUNS) {
        let report = &run.report;
        let failed: u64 = report.failed.values().sum();
        context.data(&format!(
            "{:>5}  {:<22} {:>8} {:>9} {:>10} {failed:>7} {:>7}{}",
            run.run,
            run.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            report.pages,
            report.listings,
            report.unchanged,
            report.left,
            if report.interrupted { "  stopped early" } else { "" }
        ))?;
    }
    context.data("")?;
    context.data("addresses by what became of them the last time:")?;
    for (kind, count) in &status.addresses {
        context.data(&format!("  {kind:<16} {count:>9}"))?;
    }
    context
        .data(&format!("{} visits, after {} of them the product facts were others", status.visits, status.changes))?;
    if let Some(said) = &status.paused {
        context.data(&visible(&pause_words(said)))?;
    }
    if let Some(cost) = &status.cost {
        context.data(&cost.words())?;
    }
    for alarm in &status.alarms {
        let seen = alarm.seen.as_ref().map_or(String::new(), |said| format!(" (seen by {}: {})", said.by, said.why));
        context.data(&visible(&format!("ALARM  {}{seen}", alarm.words())))?;
    }
    for (day, visits) in status.looked_again.iter().rev().take(SHOWN_DAYS) {
        context.data(&format!("{day}: {visits} listings looked at again"))?;
    }
    if let Some(Estimate { earlier, later, both, all, error }) = status.unseen {
        context.data(&format!(
            "the last two whole runs saw {earlier} and {later} listings, {both} in both: about {all:.0} in all (standard error {error:.0}), were none new or gone"
        ))?;
    }
    Ok(Done::Fine)
}

/// What is kept of the runs of `profile`.
pub(super) fn gather(
    profile: String,
    coverage: Option<&Coverage>,
    stands: &dyn Fn() -> Result<Stands>,
) -> Result<Status> {
    let Some(coverage) = coverage else { bail!("nothing was crawled yet: `markwarden crawl {profile}` begins") };
    let runs = coverage.runs(&profile)?;
    let (mut addresses, mut visits, mut changes) = (BTreeMap::<String, u64>::new(), 0, 0);
    for known in coverage.addresses(&profile) {
        let known = known?;
        *addresses.entry(known.last.kind).or_default() += 1;
        visits += u64::from(known.visits);
        changes += u64::from(known.changes);
    }
    if runs.is_empty() && addresses.is_empty() {
        bail!("no run of {profile} is known: `markwarden crawl {profile}` begins one");
    }
    let (unseen, looked_again) = (estimate(coverage, &profile)?, coverage.looked_again(&profile)?);
    let stands = stands()?;
    let (alarms, cost) = (stands.alarms(&profile, coverage)?, stands.cost(&profile, coverage)?);
    let canaries = coverage.canary_alarms(&profile)?;
    let paused = stands.operations.pause(&profile, crate::model::Timestamp::now()).cloned();
    Ok(Status { profile, runs, addresses, visits, changes, unseen, alarms, canaries, paused, cost, looked_again })
}

/// Who lets a profile rest, since when, until when and why.
pub(super) fn pause_words(said: &Said) -> String {
    let until = said.until.map_or("until it is resumed".to_owned(), |until| format!("until {until}"));
    let why = if said.why.is_empty() { String::new() } else { format!(": {}", said.why) };
    format!("paused by {} at {}, {until}{why}", said.by, said.at)
}
