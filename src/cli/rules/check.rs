//! `markwarden rules check`: looks for mistakes.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{Context, Done, read, show};

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
    let errors = problems.iter().filter(|problem| !problem.warning).count();
    if errors > 0 {
        context.say(&format!("{errors} mistakes"));
        return Ok(Done::Findings);
    }
    context.say(&format!("{rules} rules, no mistakes, {} warnings", problems.len()));
    Ok(Done::Fine)
}
