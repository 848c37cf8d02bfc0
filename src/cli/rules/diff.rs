//! `markwarden rules diff`: what a change of rules finds more and less.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{
    Context, Done,
    listings::{self, Look, Source, Wanted},
    with_set,
};
use crate::{
    archive::Verdicts,
    model::Listing,
    rules::{Changed, Comparison, Given, Needles, Rule, RuleChange, Side, Status},
    text::FoldedSurface,
};

/// Arguments of `rules diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Compares what active rules find. Rules that are the same in both are not run, and listings without a word of those\n\
    that changed are not read. Ctrl-C ends it and shows what was compared so far (exit code 130). Exit code 1 means that\n\
    something is found more or less.\n\n\
    Examples:\n  \
    markwarden rules diff rules-as-released rules\n  \
    markwarden rules diff old.toml new.toml --listings listings.jsonl --format json"
)]
pub struct Args {
    /// The rules before: a folder or a file.
    #[arg(value_name = "OLD")]
    before: PathBuf,
    /// The rules after.
    #[arg(value_name = "NEW")]
    after: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Listings shown of each side of each rule.
    #[arg(long, default_value_t = 3, value_name = "N")]
    samples: usize,
}

impl Look for Comparison<'_> {
    fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: Given, verdicts: &Verdicts) {
        Comparison::see(self, listing, surfaces, given, |rule| verdicts.of(listing, rule));
    }

    fn skip(&mut self, listings: u64) {
        Comparison::skip(self, listings);
    }

    fn merge(&mut self, other: Self) {
        Comparison::merge(self, other);
    }
}

/// Runs the command.
///
/// # Errors
/// When listings cannot be read.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    with_set(std::slice::from_ref(&args.before), context, |before| {
        with_set(std::slice::from_ref(&args.after), context, |after| {
            let changed = Changed::between(before, after);
            let runs = |rule: &Rule| rule.status == Status::Active && changed.has(&rule.id);
            // A listing matters where either set may find something.
            let needles = before.needles(runs).zip(after.needles(runs)).map(|(old, new)| Needles::either(old, new));
            let usual_price = [before, after].map(|set| Wanted::of(set, runs, None).usual_price).contains(&true);
            let reaches = |category: &[&str]| [before, after].iter().any(|set| set.may_reach(runs, category));
            let wanted = Wanted { needles: needles.as_ref(), usual_price, reaches: Some(&reaches) };
            let make = || Comparison::new((before, after), &changed, args.samples);
            let looked = listings::look(&args.source, context, today, wanted, make)?;
            let listings = looked.look.listings();
            let done = looked.tell(listings, context);
            let changes = looked.look.finish();
            let mut found = false;
            for change in &changes {
                found |= change.gained.listings + change.lost.listings > 0;
                show(change, context)?;
            }
            let same =
                after.rules().iter().filter(|rule| rule.status == Status::Active && !changed.has(&rule.id)).count();
            context.say(&format!(
                "{listings} listings, {} rules that changed; {same} others are the same and were not run",
                changes.len()
            ));
            Ok(if found && done == Done::Fine { Done::Findings } else { done })
        })
    })
}

fn show(change: &RuleChange, context: &Context) -> Result<()> {
    if context.json() {
        return context.data(&serde_json::to_string(change)?);
    }
    let version = |version: Option<u32>| version.map_or_else(|| "absent".to_owned(), |version| format!("v{version}"));
    context.data(&format!(
        "{:28} {} → {}: {} kept, {} gained, {} lost",
        change.rule,
        version(change.before),
        version(change.after),
        change.kept,
        change.gained.listings,
        change.lost.listings
    ))?;
    side("+", &change.gained, context)?;
    side("-", &change.lost, context)
}

fn side(sign: &str, side: &Side, context: &Context) -> Result<()> {
    if let Some((share, low, high)) = side.judged.precision() {
        let (confirmed, dismissed) = (side.judged.confirmed, side.judged.dismissed);
        let (share, low, high) = (100.0 * share, 100.0 * low, 100.0 * high);
        context.data(&format!(
            "{sign} reviewers confirmed {confirmed} and dismissed {dismissed} of these: {share:.0} % [{low:.0}, {high:.0}]"
        ))?;
    }
    for sample in &side.samples {
        context.data(&format!("{sign}{}", super::shown(sample)))?;
    }
    Ok(())
}
