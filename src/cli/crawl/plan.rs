//! `markwarden crawl plan`: what runs when, and why.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::{Context, Done};
use crate::{
    crawl::{Profile, next_run},
    model::Timestamp,
};

/// Arguments of `crawl plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`serve` runs profiles by their [schedule]; a run that was missed while nothing ran is made up for once.\n\n\
    Examples:\n  \
    markwarden crawl plan\n  \
    markwarden --format json crawl plan xinghe"
)]
pub struct Args {
    /// Profile ids or files; every profile of the sites folder when absent.
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Planned {
    profile: String,
    next: Option<Timestamp>,
    why: String,
    last: Option<Timestamp>,
    /// Addresses that are known, and listings among them that are asked for only if they changed.
    known: u64,
    asked_if_changed: u64,
    max_pages: u64,
}

/// Runs the command.
///
/// # Errors
/// When a profile or the coverage cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let profiles = super::profiles(&args.profiles, &settings.crawl.sites)?;
    let coverage = super::coverage(&settings, args.data.as_deref())?;
    let now = Timestamp::now();
    let mut plans = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let (mut known, mut asked_if_changed, mut last) = (0, 0, None);
        if let Some(coverage) = &coverage {
            last = coverage.runs(&profile.id)?.last().map(|run| run.at);
            for address in coverage.addresses(&profile.id) {
                let address = address?;
                known += 1;
                asked_if_changed += u64::from(address.facts.is_some() && !address.validators.is_empty());
            }
        }
        let (next, why) = next(&profile, now);
        let max_pages = profile.pace.max_pages;
        plans.push(Planned { profile: profile.id, next, why, last, known, asked_if_changed, max_pages });
    }
    plans.sort_by_key(|plan| (plan.next.is_none(), plan.next));
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
    }
    Ok(Done::Fine)
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
