//! `markwarden rules backtest`: what rules would find in listings that are known already.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde_json::json;

use super::{
    Context, Done,
    listings::{self, Look, Source, Wanted},
    only, with_set,
};
use crate::{
    archive::Verdicts,
    cli::notes::Notes,
    model::Listing,
    monitor::backtest_note,
    rules::{Backtest, Given, Rule, RuleReport, RuleSet},
    store::Write,
    text::FoldedSurface,
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
    markwarden rules backtest ad.absolute --record      notes the result in the journal\n\n\
    The store's listings are read from an archive that is made the first time and kept up after that. Ctrl-C ends the\n\
    trial and shows what was looked at so far (exit code 130); a partial trial lets no rule go live."
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
    fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: Given, verdicts: &Verdicts) {
        Backtest::see(self, listing, surfaces, given, |rule| verdicts.of(listing, rule));
    }

    fn skip(&mut self, listings: u64) {
        Backtest::skip(self, listings);
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
        let (paths, wanted, source) = (&args.rules, &args.wanted, &args.source);
        let trial = Trial { paths, set, wanted, source, samples: args.samples };
        let Tried { reports, listings, done } = trial.run(today, context)?;
        if args.record {
            let partial = done == Done::Stopped;
            let noted: Vec<Write> =
                reports.iter().filter_map(|report| backtest_note(report, set, listings, partial)).collect();
            Notes::open(&context.settings()?, args.source.data())?.note("", noted, context)?;
        }
        for report in &reports {
            show(report, listings, (args.seconds, done == Done::Stopped), context)?;
        }
        context.say(&format!("{listings} listings, {} rules", reports.len()));
        Ok(done)
    })
}

/// What a trial came to.
pub struct Tried {
    pub reports: Vec<RuleReport>,
    /// Listings that were looked at.
    pub listings: u64,
    pub done: Done,
}

/// What to try, and how.
pub struct Trial<'a> {
    /// Where the rules come from.
    pub paths: &'a [PathBuf],
    /// All rules there.
    pub set: &'a RuleSet,
    /// Those to try, by id; all that are not retired where empty.
    pub wanted: &'a [String],
    pub source: &'a Source,
    pub samples: usize,
}

impl Trial<'_> {
    /// Tries the rules; few of them are compiled by themselves and shown only listings that have their words.
    pub fn run(&self, today: Date, context: &Context) -> Result<Tried> {
        let few = if self.wanted.is_empty() { None } else { only(self.paths, self.wanted).ok() };
        let set = few.as_ref().unwrap_or(self.set);
        let names = (!self.wanted.is_empty()).then(|| self.wanted.to_vec());
        let needles = few.as_ref().and_then(|few| few.needles(|_| true));
        let make = || Backtest::new(set, names.clone(), self.samples);
        let named = |rule: &Rule| self.wanted.is_empty() || self.wanted.contains(&rule.id);
        let reaches = |category: &[&str]| set.may_reach(named, category);
        let wanted = Wanted::of(set, named, needles.as_ref()).within(&reaches);
        let looked = listings::look(self.source, context, today, wanted, make)?;
        let listings = looked.look.listings();
        let done = looked.tell(listings, context);
        Ok(Tried { reports: looked.look.finish(), listings, done })
    }
}

fn show(report: &RuleReport, listings: u64, (seconds, partial): (f64, bool), context: &Context) -> Result<()> {
    let share = report.listings as f64 / listings.max(1) as f64;
    let hours = report.listings as f64 * seconds / 3600.0;
    let precision = report.judged.precision();
    if context.json() {
        let mut value = serde_json::to_value(report)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("of".into(), listings.into());
            object.insert("partial".into(), partial.into());
            object.insert("share".into(), share.into());
            object.insert("review_hours".into(), hours.into());
            let precision = precision.map(|(share, low, high)| json!({"share": share, "low": low, "high": high}));
            object.insert("precision".into(), precision.into());
        }
        return context.data(&value.to_string());
    }
    let judged = super::told(report.judged).unwrap_or_else(|| "none of them decided".to_owned());
    context.data(&format!(
        "{:28} v{} {:8} {:>7} listings ({:.2} %), {} findings, {} set aside; {judged}; {hours:.1} h of review",
        report.rule,
        report.version,
        report.status.word(),
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
