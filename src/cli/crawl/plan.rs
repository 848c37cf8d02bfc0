//! `markwarden crawl plan`: what runs when, and why.

use std::path::PathBuf;

use anyhow::Result;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Context, Done, Question};
use crate::{
    cli::{context::visible, notes::Notes},
    crawl::{self, Coverage, Plan, Profile, next_run},
    model::Timestamp,
    monitor::{Operations, Risk, Said},
};

/// How far ahead visits are planned.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Most visits that are named for a profile.
const MOST_LISTINGS: usize = 10_000;

/// Arguments of `crawl plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`serve` runs profiles by their [schedule]; a run that was missed while nothing ran is made up for once.\n\
    Where a profile has [recrawl], known listings are looked at again by how often their facts changed and how much\n\
    they matter (hits, seller, section), under its budget; then lists are read for what is new alone.\n\n\
    Examples:\n  \
    markwarden crawl plan\n  \
    markwarden --format json crawl plan xinghe"
)]
pub struct Args {
    /// Profile ids or files; every profile of the sites folder when absent.
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Listings that are named, those that are due first.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    listings: usize,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Planned {
    profile: String,
    next: Option<Timestamp>,
    why: String,
    last: Option<Timestamp>,
    /// Addresses that are known, and listings among them that are asked for only if they changed.
    known: u64,
    asked_if_changed: u64,
    max_pages: u64,
    /// Who paused it, where it rests.
    #[serde(default)]
    paused: Option<Said>,
    /// When its listings are looked at again.
    recrawl: Option<Plan>,
}

/// Runs the command.
///
/// # Errors
/// When a profile or the coverage cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let profiles = super::profiles(&args.profiles, &settings.crawl.sites)?;
    // The server may have been started in another folder.
    let names = args.profiles.iter().map(|name| match std::fs::canonicalize(name) {
        Ok(path) if name.contains('.') => path.display().to_string(),
        _ => name.clone(),
    });
    let question = Question::Plan { profiles: names.collect(), listings: args.listings };
    let risk = || {
        let notes = Notes::open(&settings, args.data.clone())?;
        let mut risk = Risk::default();
        if let Some(store) = notes.store() {
            notes.wait(risk.catch_up(&**store))?;
        }
        Ok(risk)
    };
    let plans = super::gathered(&settings, args.data.as_deref(), question, |coverage| {
        let operations = super::pause::known(&Notes::open(&settings, args.data.clone())?)?;
        gather(profiles, args.listings, (coverage, &operations), &risk)
    })?;
    if context.json() {
        context.data(&serde_json::to_string(&plans)?)?;
        return Ok(Done::Fine);
    }
    for plan in plans {
        let next = plan.next.map_or("never by itself".to_owned(), |next| next.to_string());
        context.data(&format!("{:<20} {next:<22} {}", plan.profile, plan.why))?;
        let last = plan.last.map_or("no run has ended yet".to_owned(), |last| format!("last ended {last}"));
        context.data(&format!(
            "{:<20} {last}; {} addresses known, {} of them listings that are asked for only if they changed; at most {} pages",
            "", plan.known, plan.asked_if_changed, plan.max_pages
        ))?;
        if let Some(said) = &plan.paused {
            context.data(&visible(&format!("{:<20} {}", "", super::status::pause_words(said))))?;
        }
        let Some(recrawl) = plan.recrawl else { continue };
        context.data(&format!(
            "{:<20} {} listings are looked at again, {:.0} a day; {} left of today's budget",
            "", recrawl.listings, recrawl.per_day, recrawl.left_today
        ))?;
        for visit in recrawl.next {
            let due = visit.due.strftime("%Y-%m-%d %H:%M:%S");
            context.data(&format!("{:<20} {due}  {}  {}", "", visible(&visit.url), visit.why()))?;
        }
    }
    Ok(Done::Fine)
}

/// What `profiles` do next, with so many of their listings; `risk` is asked where that matters.
pub(super) fn gather(
    profiles: Vec<Profile>,
    listings: usize,
    (coverage, operations): (Option<&Coverage>, &Operations),
    risk: &dyn Fn() -> Result<Risk>,
) -> Result<Vec<Planned>> {
    let now = Timestamp::now();
    let until = now.saturating_add(AHEAD)?;
    let weighed = profiles.iter().any(|profile| profile.recrawl.is_some()) && coverage.is_some();
    let risk = if weighed { risk()? } else { Risk::default() };
    let mut plans = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let (mut known, mut asked_if_changed, mut last, mut recrawl) = (0, 0, None, None);
        if let Some(coverage) = coverage {
            last = coverage.runs(&profile.id)?.last().map(|run| run.at);
            for address in coverage.addresses(&profile.id) {
                let address = address?;
                known += 1;
                asked_if_changed += u64::from(address.facts.is_some() && !address.validators.is_empty());
            }
            let weigh = |known: &crawl::Known| risk.weight(&known.stands);
            recrawl = crawl::plan(coverage, &profile, (now, until), listings.min(MOST_LISTINGS), &weigh)?;
        }
        let (next, why) = next(&profile, now);
        let max_pages = profile.pace.max_pages;
        let paused = operations.pause(&profile.id, now).cloned();
        let profile = profile.id;
        plans.push(Planned { profile, next, why, last, known, asked_if_changed, max_pages, paused, recrawl });
    }
    plans.sort_by_key(|plan| (plan.next.is_none(), plan.next));
    Ok(plans)
}

/// When a profile runs next, and why then.
fn next(profile: &Profile, now: Timestamp) -> (Option<Timestamp>, String) {
    let Some(schedule) = &profile.schedule else {
        return (None, format!("no [schedule]: `markwarden crawl {}` runs it", profile.id));
    };
    match next_run(schedule, now, 0.0) {
        Ok(next) => {
            let jitter = schedule.jitter.as_secs();
            let later = if jitter > 0 { format!(", put off by up to {jitter} s") } else { String::new() };
            (Some(next), format!("`{}` in {}{later}", schedule.cron, schedule.zone))
        }
        Err(error) => (None, error.to_string()),
    }
}
