//! `markwarden rules`: the commands of those who write rules, one file each.

mod archive;
mod backtest;
mod check;
mod diff;
mod explain;
mod files;
mod fix;
mod fmt;
mod law;
mod list;
mod listings;
mod lock;
mod new;
mod schema;
mod stats;
mod status;
mod test;

pub(super) use files::replace;
pub(super) use listings::{Look, Source, Wanted, look, open as open_archive};
pub(super) use status::{Change, is_proved, promoted};

use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Zoned;
use serde_json::json;

use super::{Context, Done, Format};
use crate::{
    model::Diagnostic,
    rules::{Judged, RuleSample, RuleSet, RuleSource, Status, sarif},
};

/// Arguments of `rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without a folder: `rules/` when it exists, else the rules built into the program.\n\
                        Exit codes: 0 all is well · 1 mistakes or failed tests · 2 usage.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write a draft from a few words, and say which tests it still needs.
    New(new::Args),
    /// Look for mistakes; each is shown with file, line, column and how to mend it.
    Check(check::Args),
    /// Run every sentence of every rule and say which do not hold, and why.
    Test(test::Args),
    /// Show the rules, one a line.
    List(list::Args),
    /// Say why a rule hits a text, and why it does not.
    Explain(explain::Args),
    /// Show what the law says, since when, what a breach costs and which rules rest on it.
    Law(law::Args),
    /// Make the changes that mend a mistake and nothing else.
    Fix(fix::Args),
    /// Try rules on listings that are known already: hits, samples, how often they were right, hours of review.
    Backtest(backtest::Args),
    /// Compare two sets of rules on the same listings: what the newer finds more and less.
    Diff(diff::Args),
    /// Set a rule live whose very version was tried.
    Promote(status::Args),
    /// Send a rule to shadow: what it finds is counted, never queued.
    Shadow(status::Args),
    /// Retire a rule: it finds nothing any more and is kept for the record.
    Retire(status::Args),
    /// Bring the archive of the store's listings up to date, which trials read; say what it holds.
    Archive(archive::Args),
    /// What rules in shadow have found, and what reviewers say of active ones.
    Stats(stats::Args),
    /// Put the files into their one form; comments stay.
    Fmt(fmt::Args),
    /// Print the JSON schema of rule files, for editors.
    Schema(schema::Args),
    /// Record each rule's version, so that a change without a new one is seen.
    Lock(lock::Args),
}

impl Args {
    /// Whether the command can say what it has to say in SARIF.
    pub fn takes_sarif(&self) -> bool {
        matches!(self.what, What::Check(_))
    }
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed, or the command says why.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let today = Zoned::now().date();
    match args.what {
        What::New(args) => new::run(args, today, context),
        What::Check(args) => check::run(args, today, context),
        What::Test(args) => test::run(args, today, context),
        What::List(args) => list::run(args, today, context),
        What::Explain(args) => explain::run(args, today, context),
        What::Law(args) => law::run(args, context),
        What::Fix(args) => fix::run(args, today, context),
        What::Backtest(args) => backtest::run(args, today, context),
        What::Diff(args) => diff::run(args, today, context),
        What::Archive(args) => archive::run(args, context),
        What::Promote(args) => status::run(args, Status::Active, today, context),
        What::Shadow(args) => status::run(args, Status::Shadow, today, context),
        What::Retire(args) => status::run(args, Status::Retired, today, context),
        What::Stats(args) => stats::run(args, today, context),
        What::Fmt(args) => fmt::run(args, context),
        What::Schema(args) => schema::run(args, context),
        What::Lock(args) => lock::run(args, context),
    }
}

/// How often reviewers found a rule right; none where they decided nothing.
pub(super) fn told(judged: Judged) -> Option<String> {
    let (share, low, high) = judged.precision()?;
    let (share, low, high) = (100.0 * share, 100.0 * low, 100.0 * high);
    let Judged { confirmed, dismissed } = judged;
    Some(format!("{confirmed} confirmed, {dismissed} dismissed: right {share:.0} % [{low:.0}, {high:.0}]"))
}

/// A line for a listing in which a rule finds something.
pub(super) fn shown(sample: &RuleSample) -> String {
    let visible = crate::cli::context::visible;
    let (text, title) = (visible(&sample.text), visible(&sample.title));
    format!("   {:.2} {} “{text}” in {title} [{}]", sample.score, visible(&sample.surface), visible(&sample.listing))
}

fn read(paths: &[PathBuf]) -> Result<RuleSet, Vec<Diagnostic>> {
    let folder = Path::new("rules");
    match paths {
        [] if folder.is_dir() => RuleSet::read_folder(folder),
        [] => RuleSet::builtin(),
        paths => RuleSet::read(paths),
    }
}

/// Runs `act` on the set, or shows what is wrong with it.
fn with_set(paths: &[PathBuf], context: &Context, act: impl FnOnce(&RuleSet) -> Result<Done>) -> Result<Done> {
    match read(paths) {
        Ok(set) => act(&set),
        Err(problems) => {
            show(&problems, context)?;
            Ok(Done::Findings)
        }
    }
}

/// The rules of `paths` that `wanted` names, and no other.
fn only(paths: &[PathBuf], wanted: &[String]) -> Result<RuleSet, Vec<Diagnostic>> {
    let folder = Path::new("rules");
    let mut sources = match paths {
        [] if folder.is_dir() => RuleSource::read_all(&[folder.to_owned()])?,
        [] => RuleSource::builtin(),
        paths => RuleSource::read_all(paths)?,
    };
    sources.retain(|source| !source.is_rule() || wanted.iter().any(|wanted| source.name() == wanted));
    RuleSet::parse(sources)
}

pub(super) fn show(problems: &[Diagnostic], context: &Context) -> Result<()> {
    if context.format == Format::Sarif {
        return context.data(&serde_json::to_string_pretty(&sarif(problems))?);
    }
    for problem in problems {
        if context.json() {
            let (line, column) = problem.line_column();
            let value = json!({
                "file": problem.file, "line": line, "column": column, "code": problem.code,
                "message": problem.message, "help": problem.help,
                "level": if problem.warning { "warning" } else { "error" },
                "fix": problem.fix.as_ref().map(|fix| fix.edits.iter().map(|(span, text)| json!({
                    "from": problem.place(span.start), "to": problem.place(span.end), "text": text,
                })).collect::<Vec<_>>()),
            });
            context.data(&value.to_string())?;
        } else {
            context.data(&format!("{}\n", problem.render(context.color)))?;
        }
    }
    Ok(())
}
