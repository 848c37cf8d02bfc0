//! `markwarden rules check`: looks for mistakes.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{Context, Done, read, show};
use crate::model::Diagnostic;

/// Arguments of `rules check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rule files or folders of them.
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
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
    Ok(Done::Fine)
}
