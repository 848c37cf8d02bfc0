//! `markwarden rules stats`: what rules in shadow have found day by day, and what reviewers say of active ones.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use jiff::{ToSpan, civil::Date};
use serde::Serialize;

use super::{Context, Done, listings, with_set};
use crate::{
    app,
    monitor::{Shadow, ShadowSample},
    rules::{Judged, Rule, Status},
};

/// Arguments of `rules stats`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rule files or folders of them.
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// So many days back.
    #[arg(long, default_value_t = 30, value_name = "N")]
    days: u16,
}

#[derive(Debug, Serialize)]
struct Stats<'a> {
    rule: &'a str,
    version: u32,
    status: Status,
    /// Listings that it would have queued in these days, while it was in shadow.
    shadow_listings: u64,
    shadow_days: BTreeMap<Date, u64>,
    samples: Vec<ShadowSample>,
    judged: Judged,
    precision: Option<(f64, f64, f64)>,
}

/// Runs the command.
///
/// # Errors
/// When the store or the counts cannot be read.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let config = context.settings()?;
    let data = args.data.clone().unwrap_or_else(|| config.data.clone());
    let path = data.join(app::SHADOW);
    let shadow = Shadow::open(&path).with_context(|| format!("reading {}", path.display()))?;
    let judged = listings::judged(&data, &config.store)?;
    let from = today.checked_sub(i64::from(args.days).days()).unwrap_or(today);
    with_set(&args.paths, context, |set| {
        for rule in set.rules().iter().filter(|rule| rule.status != Status::Retired) {
            show(&stats(rule, &shadow, from, judged.get(&rule.id).copied().unwrap_or_default()), context)?;
        }
        Ok(Done::Fine)
    })
}

fn stats<'a>(rule: &'a Rule, shadow: &Shadow, from: Date, judged: Judged) -> Stats<'a> {
    let days = shadow.days().range(from..).filter_map(|(day, rules)| Some((*day, rules.get(&rule.id)?)));
    let (mut shadow_days, mut samples) = (BTreeMap::new(), Vec::new());
    for (day, count) in days {
        shadow_days.insert(day, count.listings);
        samples.clone_from(&count.samples);
    }
    Stats {
        rule: &rule.id,
        version: rule.version,
        status: rule.status,
        shadow_listings: shadow_days.values().sum(),
        shadow_days,
        samples,
        precision: judged.precision(),
        judged,
    }
}

fn show(stats: &Stats<'_>, context: &Context) -> Result<()> {
    if context.json() {
        return context.data(&serde_json::to_string(stats)?);
    }
    let judged = super::told(stats.judged).map_or_else(String::new, |judged| format!("; {judged}"));
    context.data(&format!(
        "{:28} v{} {:8} in shadow {} listings on {} days{judged}",
        stats.rule,
        stats.version,
        stats.status.word(),
        stats.shadow_listings,
        stats.shadow_days.len()
    ))?;
    let visible = crate::cli::context::visible;
    for sample in &stats.samples {
        context.data(&format!(
            "   “{}” in {} [{}]",
            visible(&sample.text),
            visible(&sample.title),
            visible(&sample.listing)
        ))?;
    }
    Ok(())
}
