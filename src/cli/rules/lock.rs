//! `markwarden rules lock`: records the version and the logic of each rule, so that a change without a new
//! version is seen.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, Done, files, show};
use crate::rules::{LOCK_FILE, RuleSource, lock};

/// Arguments of `rules lock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rule folder.
    #[arg(value_name = "DIR", default_value = "rules")]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the lock file cannot be written.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let sources = match RuleSource::read_all(std::slice::from_ref(&args.folder)) {
        Ok(sources) => sources,
        Err(problems) => {
            show(&problems, context)?;
            return Ok(Done::Findings);
        }
    };
    let rules: Vec<RuleSource> = sources.into_iter().filter(RuleSource::is_rule).collect();
    let path = args.folder.join(LOCK_FILE).display().to_string();
    files::replace(&path, &lock(&rules))?;
    context.say(&format!("{} rules read, their versions are in {path}", rules.len()));
    Ok(Done::Fine)
}
