//! `markwarden crawl versions`: what changed in a listing, and when.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Context, Done, Question, visible};
use crate::{
    cli::notes::Notes,
    crawl::{CompiledProfile, Coverage, Profile, Version},
    model::{ListingId, Timestamp},
    store::StoredListing,
};

/// Arguments of `crawl versions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each time a crawl finds other facts than those that are stored, what is other is noted in the journal with\n\
    the new ones. Long values are cut.\n\n\
    Examples:\n  \
    markwarden crawl versions xinghe:7\n  \
    markwarden crawl versions https://xinghe.example/p/7"
)]
pub struct Args {
    /// A listing's identity, or its address.
    #[arg(value_name = "ID|URL")]
    listing: String,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A listing from its first version to its newest.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct History {
    listing: ListingId,
    title: String,
    first_seen: Timestamp,
    last_seen: Timestamp,
    versions: Vec<Version>,
}

/// The store's word on a listing, once the coverage has followed its journal.
pub(in crate::cli) type Seen<'a> = &'a dyn Fn(&Coverage, &ListingId) -> Result<Option<StoredListing>>;

/// Runs the command.
///
/// # Errors
/// When there is no such listing, or what is kept cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let question = Question::Versions { listing: args.listing.clone() };
    let seen = |coverage: &Coverage, id: &ListingId| {
        let notes = Notes::open(&settings, args.data.clone())?;
        let Some(store) = notes.store() else { bail!("{} is in use", notes.data().display()) };
        notes.wait(coverage.follow(&**store))?;
        Ok(notes.wait(crate::store::Store::listing(&**store, id))?)
    };
    let sites = &settings.crawl.sites;
    let history = super::gathered(&settings, args.data.as_deref(), question, |coverage| {
        gather(&args.listing, sites, coverage, &seen)
    })?;
    if context.json() {
        context.data(&serde_json::to_string(&history)?)?;
        return Ok(Done::Fine);
    }
    let History { listing, title, first_seen, last_seen, versions } = history;
    context.data(&format!("{}  {}", visible(listing.as_str()), visible(&title)))?;
    context.data(&format!("first seen {first_seen}, last {last_seen}; other facts {} times since", versions.len()))?;
    for version in versions {
        context.data(&version.at.to_string())?;
        for change in version.changes {
            let told = |value: Option<String>| value.map_or_else(|| "nothing".to_owned(), |value| visible(&value));
            context.data(&format!(
                "  {:<24} {} → {}",
                visible(&change.path),
                told(change.before),
                told(change.after)
            ))?;
        }
    }
    Ok(Done::Fine)
}

/// What is known of the versions of `listing`, an identity or an address.
pub(super) fn gather(listing: &str, sites: &Path, coverage: Option<&Coverage>, seen: Seen<'_>) -> Result<History> {
    let Some(coverage) = coverage else { bail!("nothing was crawled yet: `markwarden crawl` begins") };
    let id = match Url::parse(listing).ok().filter(Url::has_host) {
        Some(url) => at(&url, sites, coverage)?.with_context(|| format!("no crawl has read a listing at {url}"))?,
        None => ListingId::new(listing)?,
    };
    let stored = seen(coverage, &id)?.with_context(|| format!("there is no listing {id}"))?;
    let versions = coverage.versions(&id)?;
    let StoredListing { listing, first_seen, last_seen, .. } = stored;
    Ok(History { listing: id, title: listing.title, first_seen, last_seen, versions })
}

/// The listing that was read at `url`.
fn at(url: &Url, sites: &Path, coverage: &Coverage) -> Result<Option<ListingId>> {
    let profiles = if sites.is_dir() { Profile::read_folder(sites)? } else { Default::default() };
    let mut known: Vec<_> = coverage.of(url)?.into_iter().map(|(_, known)| known).collect();
    for (id, profile) in &profiles {
        known.extend(coverage.get(id, &CompiledProfile::new(profile).key(url))?);
    }
    Ok(known.into_iter().find_map(|known| ListingId::new(&known.stands.listing).ok()))
}
