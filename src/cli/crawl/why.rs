//! `markwarden crawl why`: what became of an address.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Context, Done, Question, visible};
use crate::crawl::{CompiledProfile, Coverage, Known, Profile, part_of};

/// Arguments of `crawl why`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An address is the same however it is spelled: without its fragment and what follows a visitor.\n\n\
    Examples:\n  \
    markwarden crawl why https://xinghe.example/p/7\n  \
    markwarden --format json crawl why https://xinghe.example/p/7\n\n\
    Exit codes: 0 a crawl has had it · 1 none has · 2 usage or I/O."
)]
pub struct Args {
    /// The address.
    url: Url,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What one profile has to say of an address.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    profile: String,
    /// What a run would make of it now; none when the profile is gone.
    part: Option<String>,
    known: Option<Known>,
}

/// Runs the command.
///
/// # Errors
/// When profiles or coverage cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let sites = settings.crawl.sites.clone();
    let question = Question::Why { url: args.url.clone() };
    let answers =
        super::gathered(&settings, args.data.as_deref(), question, |coverage| gather(&args.url, &sites, coverage))?;
    let had = answers.iter().any(|answer| answer.known.as_ref().is_some_and(|known| known.visits > 0));
    if context.json() {
        context.data(&serde_json::to_string(&answers).context("writing the answer")?)?;
    } else if answers.is_empty() {
        context.data("no crawl has ever named it, and there is no profile: CONTRIBUTING.md shows how to write one")?;
    } else {
        for answer in &answers {
            context.data(&words(answer))?;
        }
    }
    Ok(if had { Done::Fine } else { Done::Findings })
}

/// What every profile has to say of `url`.
pub(super) fn gather(url: &Url, sites: &Path, coverage: Option<&Coverage>) -> Result<Vec<Answer>> {
    let mut profiles = if sites.is_dir() { Profile::read_folder(sites)? } else { Default::default() };
    let known = coverage.map(|coverage| coverage.of(url)).transpose()?.unwrap_or_default();
    let known = known.into_iter().map(|(profile, known)| (profile, Some(known)));
    let mut known: BTreeMap<String, Option<Known>> = known.collect();
    // A site may know the page under another address.
    for (id, profile) in &profiles {
        let key = CompiledProfile::new(profile).key(url);
        if let Some(coverage) = coverage.filter(|_| !known.contains_key(id) && key != *url)
            && let Some(found) = coverage.get(id, &key)?
        {
            known.insert(id.clone(), Some(found));
        }
    }
    let part = |profile: &Profile| part_of(profile, url).to_owned();
    let mut answers: Vec<Answer> = known
        .into_iter()
        .map(|(profile, known)| {
            let part = profiles.remove(&profile).as_ref().map(part);
            Answer { profile, part, known }
        })
        .collect();
    let others = profiles.into_iter();
    answers.extend(others.map(|(profile, read)| Answer { profile, part: Some(part(&read)), known: None }));
    Ok(answers)
}

fn words(answer: &Answer) -> String {
    let name = &answer.profile;
    let Some(known) = &answer.known else {
        return match answer.part.as_deref() {
            Some("scope") => format!("{name}: not its business: the host is none of the profile's"),
            Some("unmatched") => {
                format!("{name}: never named, and never to be visited: neither a list nor a listing by its patterns")
            }
            Some(part) => format!(
                "{name}: never named by a start page, a list or a sitemap; it would be visited as a {part} if one did"
            ),
            None => format!("{name}: never named"),
        };
    };
    let mut lines = vec![format!("{name}: {} at {}", of(&known.last.kind), known.last.at)];
    if !known.last.detail.is_empty() {
        lines.push(format!("  why      {}", visible(&known.last.detail)));
    }
    lines.push(format!("  named    first at {}, {} steps from a start page", known.since, known.depth));
    if known.visits > 0 {
        let changed = known.changed_at.map_or(String::new(), |at| format!(", last at {at}"));
        lines.push(format!(
            "  had      {} times, the last in run {}; its facts changed {} times{changed}",
            known.visits, known.run, known.changes
        ));
        let asked = match (&known.validators.etag, &known.validators.last_modified) {
            (Some(tag), _) => format!("by its entity tag {}", visible(tag)),
            (None, Some(date)) => format!("by its date {}", visible(date)),
            (None, None) => "whole: its host sends nothing to ask by".to_owned(),
        };
        lines.push(format!("  next     asked for {asked}"));
    }
    lines.join("\n")
}

/// A fate's kind, in words.
fn of(kind: &str) -> String {
    match kind {
        "listing" => "read as a listing".into(),
        "list" => "read as a list".into(),
        "sitemap" => "read as a sitemap".into(),
        "unchanged" => "had not changed".into(),
        "robots" => "not visited: robots.txt forbids it".into(),
        "scope" => "not visited: its host is none of the profile's".into(),
        "unmatched" => "not visited: neither a list nor a listing by the profile's patterns".into(),
        "depth" => "not visited: too many steps from a start page ([pace] max_depth)".into(),
        "too_long" => "not visited: the address is too long".into(),
        "no_facts" => "visited, but no product facts could be read: check the profile's selectors".into(),
        "moved" => "moved".into(),
        other => match other.strip_prefix("status_") {
            Some(status) => format!("not read: the host answered {status}"),
            None => format!("not read: {other}"),
        },
    }
}
