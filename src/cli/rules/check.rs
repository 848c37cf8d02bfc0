//! `markwarden rules check`: looks for mistakes.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{
    Context, Done,
    listings::{Look, Source, Wanted, look},
    read, show, with_set,
};
use crate::{
    archive::Verdicts,
    model::{Diagnostic, Listing},
    rules::{Given, Survey},
    text::FoldedSurface,
};

/// Arguments of `rules check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rule files or folders of them.
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Ask the archive of the store's listings too: which rules never hit, hit too much, or say what another says.
    #[arg(long)]
    archive: bool,
    /// The data folder of the archive; the settings' when absent.
    #[arg(long, value_name = "DIR", requires = "archive")]
    data: Option<PathBuf>,
}

impl Look for Survey<'_> {
    fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: Given, _: &Verdicts) {
        Survey::see(self, listing, surfaces, given);
    }

    fn skip(&mut self, listings: u64) {
        Survey::skip(self, listings);
    }

    fn merge(&mut self, other: Self) {
        Survey::merge(self, other);
    }
}

/// What the archive says of the rules; warnings, which stop nothing.
fn survey(args: &Args, today: Date, context: &Context) -> Result<Done> {
    with_set(&args.paths, context, |set| {
        let looked =
            look(&Source::of(args.data.clone()), context, today, Wanted::of(set, |_| true, None), || Survey::new(set))?;
        let listings = looked.look.listings();
        let done = looked.tell(listings, context);
        let remarks = looked.look.finish();
        for remark in &remarks {
            if context.json() {
                context.data(&serde_json::to_string(remark)?)?;
            } else {
                let [zh, en] = remark.told();
                context.data(&format!("{en}\n  {zh}"))?;
            }
        }
        context.say(&format!("{} remarks on {listings} listings", remarks.len()));
        Ok(done)
    })
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let (problems, rules) = match read(&args.paths) {
        Ok(set) => {
            let mut problems = set.warnings().to_vec();
            problems.extend(set.calendar(today));
            problems.extend(set.todos(today));
            (problems, set.rules().len())
        }
        Err(problems) => (problems, 0),
    };
    show(&problems, context)?;
    // A draft may be tried without its tests, and is still not done.
    let undone = |problem: &&Diagnostic| !problem.warning || problem.code == "rule.too-few-tests";
    let errors = problems.iter().filter(undone).count();
    if errors > 0 {
        context.say(&format!("{errors} mistakes"));
        return Ok(Done::Findings);
    }
    context.say(&format!("{rules} rules, no mistakes, {} warnings", problems.len()));
    if args.archive { survey(&args, today, context) } else { Ok(Done::Fine) }
}
