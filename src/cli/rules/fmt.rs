//! `markwarden rules fmt`: puts rule and statute files into their one form; comments stay.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, Done, files, show};
use crate::rules::{RuleSource, format};

/// Arguments of `rules fmt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rule files or folders of them; `rules/` without one.
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Change nothing; name the files that are not in their form, and exit with 1.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be written, or stdout is closed.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let sources = match RuleSource::read_all(&files::or_rules(args.paths)) {
        Ok(sources) => sources,
        Err(problems) => {
            show(&problems, context)?;
            return Ok(Done::Findings);
        }
    };
    let mut changed = 0;
    for source in sources.iter().filter(|source| source.is_rule() || source.is_statute()) {
        let made = format(&source.text, source.is_statute());
        if made == source.text {
            continue;
        }
        changed += 1;
        if args.check {
            context.data(&source.path)?;
        } else {
            files::replace(&source.path, &made)?;
        }
    }
    let done = if args.check { "are not in their form" } else { "changed" };
    context.say(&format!("{changed} files {done}"));
    Ok(if args.check && changed > 0 { Done::Findings } else { Done::Fine })
}
