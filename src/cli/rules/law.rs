//! `markwarden rules law`: shows an article, its days, what a breach costs, how it was checked and who cites it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Context, Done, explain::speaks_chinese, with_set};
use crate::rules::{Article, RuleSet};

/// Arguments of `rules law`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A statute, a topic or an article, such as `trademark-law.infringement`; all without one.
    name: Option<String>,
    /// Only what is in force on this day.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Rule files or folders of them.
    #[arg(long, value_name = "DIR|FILE")]
    rules: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed, or nothing has that name.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    with_set(&args.rules, context, |set| law(set, &args, context))
}

fn law(set: &RuleSet, args: &Args, context: &Context) -> Result<Done> {
    let statutes = set.statutes();
    let named = |article: &Article| {
        args.name.as_ref().is_none_or(|name| [&article.id, &article.topic, &article.statute.id].contains(&name))
    };
    let found: Vec<&Article> = statutes.articles().filter(|article| named(article)).collect();
    if let (true, Some(name)) = (found.is_empty(), &args.name) {
        match statutes.nearest(name) {
            Some(meant) => bail!("there is no article `{name}`; did you mean `{meant}`?"),
            None => bail!("there is no article `{name}`; `markwarden rules law` shows all"),
        }
    }
    let in_force = |article: &&Article| args.on.is_none_or(|day| article.in_force(day));
    let shown: Vec<&Article> = found.into_iter().filter(in_force).collect();
    for article in &shown {
        let rules: Vec<&str> =
            set.rules().iter().filter(|rule| rule.rests_on(article)).map(|rule| rule.id.as_str()).collect();
        if context.json() {
            let mut value = serde_json::to_value(article)?;
            if let Value::Object(object) = &mut value {
                object.insert("citation".to_owned(), json!(article.citation()));
                object.insert("rules".to_owned(), json!(rules));
            }
            context.data(&value.to_string())?;
        } else if args.name.is_some() {
            whole(article, &rules, context)?;
        } else {
            context.data(&format!("{:44} {}  {}", article.topic, article.citation(), days(article)))?;
        }
    }
    if shown.is_empty() {
        context.say("no such article is in force on that day");
        return Ok(Done::Findings);
    }
    Ok(Done::Fine)
}

/// An article with all that is known of it.
fn whole(article: &Article, rules: &[&str], context: &Context) -> Result<()> {
    let chinese = speaks_chinese();
    let pick = |zh: String, en: String| if chinese { zh } else { en };
    let said = |zh: &str, en: &str| pick(zh.to_owned(), en.to_owned());
    let mut lines = vec![format!("{}  [{}]", article.citation(), article.id)];
    lines.push(pick(article.summary.zh.clone(), format!("{}: {}", article.statute.name.en, article.summary.en)));
    lines.push(format!("{}: {}", said("主题", "topic"), article.topic));
    lines.push(format!("{}: {}", said("有效期", "in force"), days(article)));
    lines.extend(penalty(article, chinese));
    let checked = match article.verified.caution() {
        None => said("已核对原文", "the text was read"),
        Some(caution) => pick(caution.zh, caution.en),
    };
    lines.push(format!("{}: {checked}", said("核对", "checked")));
    let citing = if rules.is_empty() { said("无", "none") } else { rules.join(", ") };
    lines.push(format!("{}: {citing}", said("引用的规则", "cited by")));
    context.data(&(lines.join("\n    ") + "\n"))
}

fn penalty(article: &Article, chinese: bool) -> Option<String> {
    let penalty = article.penalty.as_ref()?;
    let amount = match (penalty.min, penalty.max) {
        (Some(min), Some(max)) => format!(" {min}–{max}"),
        (None, Some(max)) => format!(" ≤ {max}"),
        (Some(min), None) => format!(" ≥ {min}"),
        (None, None) => String::new(),
    };
    let note = penalty.note.as_ref().map(|note| if chinese { &note.zh } else { &note.en });
    let (what, yuan) = if chinese { ("罚则", " 元") } else { ("penalty", " yuan") };
    let amount = if amount.is_empty() { amount } else { amount + yuan };
    Some(format!("{what}: {}{amount}  {}", penalty.article, note.map_or("", String::as_str)))
}

fn days(article: &Article) -> String {
    let from = article.valid_from.map_or_else(|| "…".to_owned(), |day| day.to_string());
    let to = article.valid_to.map_or_else(|| "…".to_owned(), |day| day.to_string());
    format!("[{from}, {to})")
}
