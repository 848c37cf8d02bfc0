//! `markwarden rules explain`: says why a rule hits a text, and why it does not.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde_json::json;

use super::{Context, Done, with_set};
use crate::{model::Listing, rules::RuleSet};

/// Arguments of `rules explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rule's id.
    rule: String,
    /// A title; or a whole listing as JSON.
    text: String,
    /// Rule files or folders of them.
    #[arg(long, value_name = "DIR|FILE")]
    rules: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed, the rule does not exist, or the listing cannot be read.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    with_set(&args.rules, context, |set| explain(set, &args.rule, &args.text, today, context))
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
    let explained = set.explain(rule, &listing, today);
    if context.json() {
        context.data(&json!({ "rule": id, "hits": explained.hits, "lines": explained.lines }).to_string())?;
        return Ok(Done::Fine);
    }
    let chinese = speaks_chinese();
    for line in explained.lines {
        context.data(if chinese { &line.zh } else { &line.en })?;
    }
    Ok(Done::Fine)
}

/// Whether the person's terminal is set to Chinese.
pub(super) fn speaks_chinese() -> bool {
    let set =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    set.is_some_and(|value| value.to_string_lossy().starts_with("zh"))
}
