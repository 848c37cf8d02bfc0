//! `markwarden rules fix`: makes the changes that are safe, or shows them.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{Context, Done, files, show};
use crate::rules::{RuleSource, fix};

/// Arguments of `rules fix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rule files or folders of them; `rules/` without one.
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Show what would change and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be written, or stdout is closed.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let sources = match RuleSource::read_all(&files::or_rules(args.paths)) {
        Ok(sources) => sources,
        Err(problems) => {
            show(&problems, context)?;
            return Ok(Done::Findings);
        }
    };
    let fixed = fix(&sources, today);
    for source in &fixed.sources {
        let before = sources.iter().find(|before| before.path == source.path).map_or("", |before| before.text.as_str());
        if args.dry_run {
            context.data(&files::difference(&source.path, before, &source.text))?;
        } else {
            files::replace(&source.path, &source.text)?;
        }
    }
    let done = if args.dry_run { "would be mended" } else { "mended" };
    context.say(&format!("{} mistakes {done} in {} files", fixed.mended, fixed.sources.len()));
    Ok(Done::Fine)
}
