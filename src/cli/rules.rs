//! `markwarden rules`: check rule files, run the tests inside them, list and explain them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::{Zoned, civil::Date};
use serde_json::json;

use super::{Context, Done};
use crate::{
    model::{Diagnostic, Listing},
    rules::{Rule, RuleSet, Trial},
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
    /// Look for mistakes; each is shown with file, line, column and how to mend it.
    Check {
        /// Rule files or folders of them.
        #[arg(value_name = "DIR|FILE")]
        paths: Vec<PathBuf>,
    },
    /// Run every sentence of every rule and say which do not hold, and why.
    Test {
        /// Rule files or folders of them.
        #[arg(value_name = "DIR|FILE")]
        paths: Vec<PathBuf>,
    },
    /// Show the rules, one a line.
    List {
        /// Rule files or folders of them.
        #[arg(value_name = "DIR|FILE")]
        paths: Vec<PathBuf>,
    },
    /// Say why a rule hits a text, and why it does not.
    Explain {
        /// The rule's id.
        rule: String,
        /// A title; or a whole listing as JSON.
        text: String,
        /// Rule files or folders of them.
        #[arg(long, value_name = "DIR|FILE")]
        rules: Vec<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed, or the rule to explain does not exist.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let today = Zoned::now().date();
    match args.what {
        What::Check { paths } => check(&paths, today, context),
        What::Test { paths } => with_set(&paths, context, |set| test(set, today, context)),
        What::List { paths } => with_set(&paths, context, |set| list(set, today, context)),
        What::Explain { rule, text, rules } => {
            with_set(&rules, context, |set| explain(set, &rule, &text, today, context))
        }
    }
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

fn check(paths: &[PathBuf], today: Date, context: &Context) -> Result<Done> {
    let (problems, rules) = match read(paths) {
        Ok(set) => {
            let mut problems = set.warnings().to_vec();
            problems.extend(set.calendar(today));
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

fn show(problems: &[Diagnostic], context: &Context) -> Result<()> {
    for problem in problems {
        if context.json() {
            let (line, column) = problem.line_column();
            let value = json!({
                "file": problem.file, "line": line, "column": column, "code": problem.code,
                "message": problem.message, "help": problem.help,
                "level": if problem.warning { "warning" } else { "error" },
            });
            context.data(&value.to_string())?;
        } else {
            context.data(&format!("{}\n", problem.render(context.color)))?;
        }
    }
    Ok(())
}

fn test(set: &RuleSet, today: Date, context: &Context) -> Result<Done> {
    let trials = set.trials(today);
    let failed: Vec<&Trial> = trials.iter().filter(|trial| trial.failed()).collect();
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
                context.data(&format!("    {line}"))?;
            }
        }
        let line = format!("{} rules, {} tests, {} failed", set.rules().len(), trials.len(), failed.len());
        context.data(&line)?;
    }
    Ok(if failed.is_empty() { Done::Fine } else { Done::Findings })
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

fn explain(set: &RuleSet, id: &str, text: &str, today: Date, context: &Context) -> Result<Done> {
    let Some(rule) = set.rule(id) else {
        bail!("there is no rule `{id}`; `markwarden rules list` shows them");
    };
    let listing = if text.trim_start().starts_with('{') {
        serde_json::from_str(text)?
    } else {
        Listing { title: text.to_owned(), ..Listing::default() }
    };
    let lines = set.explain(rule, &listing, today);
    if context.json() {
        context.data(&json!({ "rule": id, "lines": lines }).to_string())?;
    } else {
        for line in lines {
            context.data(&line)?;
        }
    }
    Ok(Done::Fine)
}
