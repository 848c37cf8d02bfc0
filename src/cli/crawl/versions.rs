//! `markwarden crawl versions`: what changed in a listing, and when; and where else the same goods stand.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Context, Done, Question, visible};
use crate::{
    cli::notes::Notes,
    crawl::{CompiledProfile, Coverage, Profile, Version},
    model::{ListingId, Timestamp},
    monitor::SeenAs,
    store::StoredListing,
};

/// Arguments of `crawl versions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each time a crawl finds other facts than those that are stored, what is other is noted in the journal with\n\
    the new ones. Long values are cut.\n\
    Below stands where else the same goods are offered: listings that read almost alike (three of 64 bits of a\n\
    fingerprint of the folded text at most) and whose brands and numbers agree, under other addresses or by others.\n\n\
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
    /// Other listings of the same goods, those that read most alike first.
    #[serde(default)]
    also_seen_as: Vec<SeenAs>,
    /// Whether more read alike than were looked at.
    #[serde(default)]
    more_alike: bool,
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
    // Opened when it is asked first, and once: every listing that reads alike is asked for.
    let opened = RefCell::new(None);
    let seen = |coverage: &Coverage, id: &ListingId| {
        let mut opened = opened.borrow_mut();
        let notes = match &mut *opened {
            Some(notes) => notes,
            none => none.insert(Notes::open(&settings, args.data.clone())?),
        };
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
    let History { listing, title, first_seen, last_seen, versions, also_seen_as, more_alike } = history;
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
    if !also_seen_as.is_empty() {
        context.data("also seen as")?;
    }
    for other in also_seen_as {
        let seller = other.seller.as_deref().map_or_else(|| "no seller named".to_owned(), visible);
        let whose = match other.same_seller {
            Some(true) => " (the same seller)",
            Some(false) => " (another seller)",
            None => "",
        };
        let place = visible(other.url.as_deref().unwrap_or_default());
        context.data(&format!("  {:<24} {}", visible(other.listing.as_str()), visible(&other.title)))?;
        context.data(&format!("  {:<24} {:.0} % alike, {seller}{whose}  {place}", "", 100.0 * other.share))?;
    }
    if more_alike {
        context.data("more listings read alike than were looked at")?;
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
    let near = coverage.near_copies(&id)?;
    let mut also_seen_as = Vec::new();
    for alike in near.listings {
        let other = seen(coverage, &alike.listing)?;
        also_seen_as.extend(other.and_then(|other| SeenAs::of(&listing, &alike.listing, &other)));
    }
    also_seen_as.sort_by(|one, other| other.share.total_cmp(&one.share));
    let (title, more_alike) = (listing.title, near.more);
    Ok(History { listing: id, title, first_seen, last_seen, versions, also_seen_as, more_alike })
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
