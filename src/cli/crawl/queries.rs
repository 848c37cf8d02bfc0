//! `markwarden crawl queries`: which questions a profile put to its site.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{Context, Done, Question, visible};
use crate::crawl::{Asking, Coverage, CoverageError};

/// Arguments of `crawl queries`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A question stops when an answer names no next page (no_next), names nothing (empty) or nothing new\n\
    (nothing_new), when its [[query]] allows no more pages (max_pages), or when something stood in the way. With\n\
    --format json, each has its finds in the order of their places.\n\n\
    Examples:\n  \
    markwarden crawl queries xinghe\n  \
    markwarden crawl queries xinghe --keyword 云雀\n  \
    markwarden --format json crawl queries xinghe"
)]
pub struct Args {
    /// The profile's id.
    profile: String,
    /// Only questions with this word.
    #[arg(long, value_name = "WORD")]
    keyword: Option<String>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When nothing was crawled yet, or coverage cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let question = Question::Queries { profile: args.profile.clone() };
    let mut askings: Vec<Asking> =
        super::gathered(&settings, args.data.as_deref(), question, |coverage| gather(&args.profile, coverage))?;
    askings.retain(|asking| args.keyword.as_ref().is_none_or(|word| *word == asking.keyword));
    if context.json() {
        for asking in &askings {
            context.data(&serde_json::to_string(asking)?)?;
        }
        return Ok(Done::Fine);
    }
    context.data(&format!("{:>5} {:>6} {:>9} {:>7}  {:<12} question", "run", "pages", "listings", "new", "stopped"))?;
    for asking in &askings {
        let parts = [&asking.query, &asking.keyword, &asking.region, &asking.sort];
        let parts: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| visible(part)).collect();
        context.data(&format!(
            "{:>5} {:>6} {:>9} {:>7}  {:<12} {}",
            asking.run,
            asking.pages,
            asking.listings,
            asking.new,
            asking.last.kind,
            parts.join(" · ")
        ))?;
    }
    Ok(Done::Fine)
}

/// The questions of `profile`, by query and words.
pub(super) fn gather(profile: &str, coverage: Option<&Coverage>) -> Result<Vec<Asking>> {
    let Some(coverage) = coverage else { bail!("nothing was crawled yet: `markwarden crawl {profile}` begins") };
    let mut askings: Vec<Asking> = coverage.askings(profile).collect::<Result<_, CoverageError>>()?;
    askings.sort_by_key(|asking| [&asking.query, &asking.keyword, &asking.region, &asking.sort].map(Clone::clone));
    Ok(askings)
}
