//! `markwarden rules promote`, `rules shadow` and `rules retire`: a person changes the status of a rule, and that is noted.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::civil::Date;
use serde_json::json;

use super::{Context, Done, files, show};
use crate::{
    cli::notes::{Notes, person},
    monitor::{self, PROMOTED, Standing, WITHDRAWN},
    rules::{Edition, LOCK_FILE, RuleSet, RuleSource, Status, relock, with_status},
    store::Write,
};

/// Arguments of `rules promote`, `rules shadow` and `rules retire`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only a rule whose very version was tried goes live: `markwarden rules backtest RULE --record` notes a trial.\n\
    The file keeps its comments; the record of versions gets the rule's line; the journal keeps who did it and why.\n\
    A running server takes the change over within seconds.\n\n\
    Examples:\n  \
    markwarden rules backtest ad.wonder --record\n  \
    markwarden rules promote ad.wonder --by 'Li Lan' --why 'right in 96 of 100 decided'"
)]
pub struct Args {
    /// The rule.
    #[arg(value_name = "RULE")]
    rule: String,
    /// Who decides.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for whoever asks later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    why: String,
    /// The rule folder.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    rules: PathBuf,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Longest reason, in characters.
const MAX_WHY: usize = 2000;

/// Runs the command that gives the rule the status `to`.
///
/// # Errors
/// When the rule is not there, or its file or the journal cannot be written.
pub fn run(args: Args, to: Status, today: Date, context: &Context) -> Result<Done> {
    let by = person(&args.by)?;
    if args.why.chars().count() > MAX_WHY {
        bail!("give a reason of at most {MAX_WHY} characters");
    }
    let sources = match RuleSource::read_all(std::slice::from_ref(&args.rules)) {
        Ok(sources) => sources,
        Err(problems) => return refused(&problems, context),
    };
    let change = match Change::prepare(&sources, &args.rule, to, today)? {
        Ok(change) => change,
        Err(problems) => return refused(&problems, context),
    };
    let notes = Notes::open(&context.settings()?, args.data)?;
    let standing = notes.standing()?;
    if to == Status::Active && !is_proved(&standing, &change, context) {
        return Ok(Done::Findings);
    }
    if change.from == to && standing.demotion(&change.rule, &change.edition).is_none() {
        context.say(&format!("{} v{} is {} already", change.rule, change.edition.version, to.word()));
        return Ok(Done::Fine);
    }
    change.write(&args.rules)?;
    if let Err(error) = notes.note(&by, vec![promoted(&change, to, &by, &args.why)], context) {
        change.take_back(&args.rules)?;
        return Err(error.context("the rule is as it was"));
    }
    let version = change.edition.version;
    context.say(&format!("{} v{version}: {} → {}", change.rule, change.from.word(), to.word()));
    Ok(Done::Fine)
}

/// The note that a person gave a rule the status `to`.
pub fn promoted(change: &Change, to: Status, by: &str, why: &str) -> Write {
    let what = if to == Status::Active { PROMOTED } else { WITHDRAWN };
    let Edition { version, logic } = &change.edition;
    let (from, to) = (change.from.word(), to.word());
    let details = json!({
        "rule": change.rule, "version": version, "logic": logic, "from": from, "to": to, "by": by, "why": why,
    });
    monitor::note(what, details)
}

fn refused(problems: &[crate::model::Diagnostic], context: &Context) -> Result<Done> {
    show(problems, context)?;
    Ok(Done::Findings)
}

/// Whether this state of the rule was tried; says what is missing where it was not.
pub fn is_proved(standing: &Standing, change: &Change, context: &Context) -> bool {
    let (rule, edition) = (&change.rule, &change.edition);
    if let Some(tried) = standing.tried(rule, edition) {
        context.say(&format!(
            "{rule} v{} was tried on {} listings at {}: hits in {}",
            edition.version, tried.of, tried.at, tried.listings
        ));
        return true;
    }
    let last = match standing.last_tried(rule) {
        None => "none of any version is".to_owned(),
        Some(tried) if tried.edition.version == edition.version => {
            format!("what it finds has changed since version {} was tried at {}", edition.version, tried.at)
        }
        Some(tried) => format!("the last one is of version {}, at {}", tried.edition.version, tried.at),
    };
    context.say(&format!(
        "{rule} v{} cannot go live: no backtest of this version is recorded ({last}).\n\
         Try it and note the result:  markwarden rules backtest {rule} --record",
        edition.version
    ));
    false
}

/// A change of status that leaves the set without a mistake.
pub struct Change {
    pub rule: String,
    pub edition: Edition,
    pub from: Status,
    before: RuleSource,
    after: RuleSource,
    lock: Option<(String, String)>,
}

/// A change, or what stands against it.
type Prepared = Result<Change, Vec<crate::model::Diagnostic>>;

impl Change {
    /// Tries the change aside: the whole set must be without a mistake, and every sentence of the rule must hold.
    ///
    /// # Errors
    /// When there is no such rule or a sentence of it does not hold.
    pub fn prepare(sources: &[RuleSource], rule: &str, to: Status, today: Date) -> Result<Prepared> {
        let is_it = |source: &&RuleSource| source.is_rule() && source.name() == rule;
        let Some(before) = sources.iter().find(is_it) else {
            bail!("there is no rule `{rule}` in the folder: `markwarden rules list` shows the rules")
        };
        let text = with_status(&before.text, to)?;
        let after = RuleSource { path: before.path.clone(), text };
        let lock = sources.iter().find(|source| source.path.ends_with(LOCK_FILE));
        // A rule that is no draft any more stands in the record of versions.
        let lock = lock.map(|lock| (lock.text.clone(), relock(&lock.text, &after)));
        let mut changed = sources.to_vec();
        for source in &mut changed {
            if source.path == after.path {
                source.text.clone_from(&after.text);
            }
        }
        let set = match RuleSet::parse(changed) {
            Ok(set) => set,
            Err(problems) => return Ok(Err(problems)),
        };
        let failed: Vec<String> = set
            .trials(today)
            .into_iter()
            .filter(|trial| trial.rule == rule && trial.failed())
            .map(|trial| format!("{}:{}: {}", trial.path, trial.line, trial.name))
            .collect();
        if !failed.is_empty() && to != Status::Retired {
            bail!("{} sentences of {rule} do not hold:\n  {}", failed.len(), failed.join("\n  "));
        }
        let Some(edition) = set.edition(rule) else { bail!("{} holds no rule `{rule}`", after.path) };
        let from = RuleSet::parse(sources.to_vec()).ok().and_then(|set| set.rule(rule).map(|rule| rule.status));
        let from = from.unwrap_or(Status::Draft);
        Ok(Ok(Self { rule: rule.to_owned(), edition, from, before: before.clone(), after, lock }))
    }

    /// Writes the rule's file and its line in the record of versions.
    ///
    /// # Errors
    /// When the disk says no; then the rule's file is as it was.
    pub fn write(&self, folder: &Path) -> Result<()> {
        files::replace(&self.after.path, &self.after.text)?;
        if let Some((_, after)) = &self.lock
            && let Err(error) = files::replace(&folder.join(LOCK_FILE).display().to_string(), after)
        {
            files::replace(&self.before.path, &self.before.text)?;
            return Err(error);
        }
        Ok(())
    }

    /// Writes back what was there before.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn take_back(&self, folder: &Path) -> Result<()> {
        if let Some((before, _)) = &self.lock {
            files::replace(&folder.join(LOCK_FILE).display().to_string(), before)?;
        }
        files::replace(&self.before.path, &self.before.text)
    }
}
