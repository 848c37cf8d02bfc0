//! `markwarden rules backtest`: what rules would find in listings that are known already.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::{
    Context, Done,
    archive::{self, Look, Source, Verdicts},
    with_set,
};
use crate::{
    app::App,
    cli::context::visible,
    model::Listing,
    rules::{Backtest, RuleReport, RuleSet},
    store::{Batch, Write},
};

/// Seconds that a reviewer needs for a hit, unless told otherwise.
const SECONDS_A_HIT: f64 = 30.0;

/// Arguments of `rules backtest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Rules in any status can be tried; without a name all that are not retired. Nothing is queued.\n\
    With the store's listings, decisions that reviewers made say how often a rule was right.\n\n\
    Examples:\n  \
    markwarden rules backtest ad.absolute --samples 10\n  \
    markwarden rules backtest --listings listings.jsonl --format json\n  \
    markwarden rules backtest ad.absolute --record      notes the result in the journal"
)]
pub struct Args {
    /// The rules to try, by id.
    #[arg(value_name = "RULE")]
    wanted: Vec<String>,
    /// Rule files or folders of them.
    #[arg(long, value_name = "DIR|FILE")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    source: Source,
    /// Listings shown of each rule.
    #[arg(long, default_value_t = 3, value_name = "N")]
    samples: usize,
    /// Seconds a reviewer needs for a hit, for the hours that are expected.
    #[arg(long, default_value_t = SECONDS_A_HIT, value_name = "SECONDS")]
    seconds: f64,
    /// Note the result in the journal of the data folder, so that it can be shown later what was known.
    #[arg(long, conflicts_with = "listings")]
    record: bool,
}

impl Look for Backtest<'_> {
    fn see(&mut self, listing: &Listing, on: Date, verdicts: &Verdicts) {
        Backtest::see(self, listing, on, |rule| verdicts.of(&listing.id, rule));
    }

    fn merge(&mut self, other: Self) {
        Backtest::merge(self, other);
    }
}

/// Runs the command.
///
/// # Errors
/// When a rule is not there, listings cannot be read, or the journal cannot be written.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    with_set(&args.rules, context, |set| {
        if let Some(unknown) = args.wanted.iter().find(|wanted| set.rule(wanted).is_none()) {
            bail!("there is no rule `{unknown}`: `markwarden rules list` shows them");
        }
        let wanted = (!args.wanted.is_empty()).then(|| args.wanted.clone());
        let tried = archive::look(&args.source, context, today, || Backtest::new(set, wanted.clone(), args.samples))?;
        let listings = tried.listings();
        let reports = tried.finish();
        if args.record {
            record(&args, set, listings, &reports, context)?;
        }
        for report in &reports {
            show(report, listings, args.seconds, context)?;
        }
        context.say(&format!("{listings} listings, {} rules", reports.len()));
        Ok(Done::Fine)
    })
}

fn show(report: &RuleReport, listings: u64, seconds: f64, context: &Context) -> Result<()> {
    let share = report.listings as f64 / listings.max(1) as f64;
    let hours = report.listings as f64 * seconds / 3600.0;
    let precision = report.judged.precision();
    if context.json() {
        let mut value = serde_json::to_value(report)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("of".into(), listings.into());
            object.insert("share".into(), share.into());
            object.insert("review_hours".into(), hours.into());
            let precision = precision.map(|(share, low, high)| json!({"share": share, "low": low, "high": high}));
            object.insert("precision".into(), precision.into());
        }
        return context.data(&value.to_string());
    }
    let judged = super::judged(report.judged).unwrap_or_else(|| "none of them decided".to_owned());
    context.data(&format!(
        "{:28} v{} {:8} {:>7} listings ({:.2} %), {} findings, {} set aside; {judged}; {hours:.1} h of review",
        report.rule,
        report.version,
        super::status(report.status),
        report.listings,
        100.0 * share,
        report.findings,
        report.set_aside,
    ))?;
    for sample in &report.samples {
        context.data(&super::shown(sample))?;
    }
    Ok(())
}

/// Notes each rule's result with the hash of the set it was made with.
fn record(args: &Args, set: &RuleSet, listings: u64, reports: &[RuleReport], context: &Context) -> Result<()> {
    let app = App::open(context.settings()?, args.source.data())?;
    let writes = reports
        .iter()
        .map(|report| {
            let details = json!({
                "rule": visible(&report.rule), "version": report.version, "set": set.hash(), "of": listings,
                "listings": report.listings, "findings": report.findings, "set_aside": report.set_aside,
                "confirmed": report.judged.confirmed, "dismissed": report.judged.dismissed,
            });
            let details: Map<String, Value> = details.as_object().cloned().unwrap_or_default();
            Write::Note { what: "rules.backtest".into(), details }
        })
        .collect();
    app.wait(app.store().apply(Batch { actor: "cli".into(), writes }))?;
    Ok(())
}
