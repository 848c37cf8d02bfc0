//! `markwarden rules new`: writes a draft from a few words and says which tests are still to be written.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::civil::Date;

use super::{Context, Done, files, read, show};
use crate::rules::{Draft, RuleSet, RuleSource, Statutes};

/// Topics offered where a draft names no law.
const OFFERED: usize = 8;

/// Arguments of `rules new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rule's name, such as `ad.wonder`.
    id: String,
    /// Words it looks for.
    #[arg(long, value_delimiter = ',', required = true)]
    words: Vec<String>,
    /// Topics of the statutes it rests on; `rules law` shows them. Without one some are offered.
    #[arg(long, value_delimiter = ',')]
    cites: Vec<String>,
    /// The family its findings belong to.
    #[arg(long, default_value = "")]
    family: String,
    /// What people call it, in Chinese.
    #[arg(long, default_value = "")]
    title: String,
    /// What people call it, in English.
    #[arg(long, default_value = "")]
    title_en: String,
    /// Who answers for it.
    #[arg(long, default_value = "")]
    owner: String,
    /// Sectors it looks at; all without one.
    #[arg(long, value_delimiter = ',')]
    sectors: Vec<String>,
    /// A title it must hit; may be given again.
    #[arg(long = "hit", value_name = "TITLE")]
    hits: Vec<String>,
    /// A title it must miss; may be given again.
    #[arg(long = "miss", value_name = "TITLE")]
    misses: Vec<String>,
    /// The rule folder.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    folder: PathBuf,
    /// Print the draft and write no file.
    #[arg(long)]
    print: bool,
}

/// Runs the command.
///
/// # Errors
/// When the file is there already or cannot be written, or no law is named.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let known = match read(&[]) {
        Ok(set) => set,
        Err(_) => RuleSet::empty(),
    };
    if args.cites.is_empty() {
        offer(known.statutes(), &args, context)?;
        bail!("name the law the rule rests on with --cites TOPIC");
    }
    let path = args.folder.join(format!("{}.toml", args.id));
    let draft = Draft {
        id: args.id,
        words: args.words,
        cites: args.cites,
        family: args.family,
        title: [args.title, args.title_en],
        owner: args.owner,
        sectors: args.sectors,
        hits: args.hits,
        misses: args.misses,
    };
    let text = draft.write(known.statutes());
    let path_text = path.display().to_string();
    if args.print {
        context.data(text.trim_end())?;
    } else if path.exists() {
        bail!("{path_text} is there already; give the draft another name");
    } else {
        files::replace(&path_text, &text)?;
        context.say(&format!("wrote {path_text}"));
    }
    judge(&path_text, text, today, context)
}

/// Shows what is still wrong with the draft, and which of its sentences do not hold.
fn judge(path: &str, text: String, today: Date, context: &Context) -> Result<Done> {
    let source = RuleSource { path: path.to_owned(), text };
    let set = match RuleSet::parse(vec![source]) {
        Ok(set) => set,
        Err(problems) => {
            show(&problems, context)?;
            return Ok(Done::Findings);
        }
    };
    for problem in set.warnings() {
        context.say(&problem.render(context.color));
    }
    let failed: Vec<_> = set.trials(today).into_iter().filter(|trial| trial.failed()).collect();
    for trial in &failed {
        context.say(&format!("{path}:{} does not hold: {}", trial.line, trial.name));
    }
    Ok(if failed.is_empty() { Done::Fine } else { Done::Findings })
}

/// Topics that speak of the draft's words, or else of its title.
fn offer(statutes: &Statutes, args: &Args, context: &Context) -> Result<()> {
    let words = format!("{} {}", args.title, args.words.join(" "));
    for article in statutes.about(&words).into_iter().take(OFFERED) {
        context.data(&format!("{:44} {}  {}", article.topic, article.citation(), article.summary.zh))?;
    }
    Ok(())
}
