//! `markwarden rules list`: shows the rules, one a line.

use std::path::PathBuf;

use anyhow::Result;
use jiff::civil::Date;
use serde_json::json;

use super::{Context, Done, with_set};
use crate::rules::{Rule, RuleSet};

/// Arguments of `rules list`.
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
    with_set(&args.paths, context, |set| list(set, today, context))
}

fn list(set: &RuleSet, today: Date, context: &Context) -> Result<Done> {
    for rule in set.rules() {
        if context.json() {
            let value = json!({
                "id": rule.id, "version": rule.version, "family": rule.family, "kind": rule.kind,
                "status": rule.status, "severity": rule.severity, "score": rule.score,
                "title": rule.title, "owner": rule.owner, "citation": rule.citation(today),
                "tests": rule.tests.len(),
            });
            context.data(&value.to_string())?;
        } else {
            context.data(&human(rule, today))?;
        }
    }
    Ok(Done::Fine)
}

fn human(rule: &Rule, today: Date) -> String {
    format!(
        "{:28} {:12} {:>3} tests  {} · {}  [{}]",
        rule.id,
        rule.family,
        rule.tests.len(),
        rule.title.zh,
        rule.title.en,
        rule.citation(today)
    )
}
