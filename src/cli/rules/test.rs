//! `markwarden rules test`: runs every sentence of every rule.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;

use super::{Context, Done, explain::speaks_chinese, with_set};
use crate::rules::{RuleSet, Trial};

/// Arguments of `rules test`.
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
    with_set(&args.paths, context, |set| test(set, today, context))
}

fn test(set: &RuleSet, today: Date, context: &Context) -> Result<Done> {
    let trials = set.trials(today);
    let failed: Vec<&Trial> = trials.iter().filter(|trial| trial.failed()).collect();
    let chinese = speaks_chinese();
    let shown = trials.iter().filter(|trial| !trial.passed);
    if context.json() {
        for trial in &trials {
            context.data(&serde_json::to_string(trial)?)?;
        }
    } else {
        for trial in shown {
            let kind = if trial.failed() { "FAILED" } else { "todo" };
            let expect = serde_json::to_value(trial.expect)?;
            let expect = expect.as_str().unwrap_or("").to_owned();
            context.data(&format!(
                "{kind} {}:{} {} expected a {expect}: {}",
                trial.path, trial.line, trial.rule, trial.name
            ))?;
            for line in &trial.why {
                context.data(&format!("    {}", if chinese { &line.zh } else { &line.en }))?;
            }
        }
        let line = format!("{} rules, {} tests, {} failed", set.rules().len(), trials.len(), failed.len());
        context.data(&line)?;
    }
    Ok(if failed.is_empty() { Done::Fine } else { Done::Findings })
}
