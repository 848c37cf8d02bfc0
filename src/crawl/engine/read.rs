//! What a page yields: a listing, links, or both. Pure; large pages are read beside the runtime.

use std::sync::Arc;

use url::Url;

use super::render::Shown;
use crate::{
    crawl::{
        CompiledProfile, Item, Links, PageText, decode, extract, frontier::Purpose, links, listing_of, sitemap::Sitemap,
    },
    model::Listing,
};

/// Pages up to this size are read in place; handing them over would cost more than it saves.
const IN_PLACE_BYTES: usize = 256 * 1024;

/// What a page yields.
#[derive(Debug, Default)]
pub(super) struct Yield {
    pub(super) kind: Kind,
    pub(super) listing: Option<Listing>,
    /// Listings whose facts a list carries, each with its address where it names one.
    pub(super) listings: Vec<(Listing, Option<Url>)>,
    /// What it names, besides the list's next page.
    pub(super) pages: Vec<Item>,
    pub(super) next: Option<Url>,
    /// What a query's next page is asked with.
    pub(super) cursor: Option<String>,
    pub(super) sitemaps: Vec<Url>,
    /// Something was left out over a limit.
    pub(super) truncated: bool,
}

/// What a page is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    Listing,
    List,
    Sitemap,
    /// Neither, by the profile's patterns.
    #[default]
    Unmatched,
}

impl Kind {
    /// What became of such a page, in a word.
    pub(super) fn word(self, has_facts: bool) -> &'static str {
        match self {
            Self::Listing if has_facts => "listing",
            Self::Listing => "no_facts",
            Self::List => "list",
            Self::Sitemap => "sitemap",
            Self::Unmatched => "unmatched",
        }
    }
}

/// What the profile's patterns say of an address.
pub(super) fn kind_of(profile: &CompiledProfile, url: &Url) -> Kind {
    let profile = profile.profile();
    if profile.listing.patterns.iter().any(|pattern| pattern.matches(url)) {
        Kind::Listing
    } else if profile.lists.iter().any(|list| list.pattern.matches(url)) {
        Kind::List
    } else {
        Kind::Unmatched
    }
}

/// Reads a page that was fetched for `purpose`.
pub(super) async fn read(
    profile: &Arc<CompiledProfile>,
    url: &Url,
    shown: &Shown,
    purpose: &Purpose,
    limit: u64,
) -> Yield {
    let job = Job {
        profile: Arc::clone(profile),
        url: url.clone(),
        body: shown.body.clone(),
        content_type: shown.content_type.clone(),
        purpose: purpose.clone(),
        limit,
    };
    if shown.body.len() <= IN_PLACE_BYTES {
        return job.read();
    }
    // Only a panic ends the task without a result, and the panic hook has reported it.
    tokio::task::spawn_blocking(move || job.read()).await.unwrap_or_default()
}

struct Job {
    profile: Arc<CompiledProfile>,
    url: Url,
    body: bytes::Bytes,
    content_type: Option<String>,
    purpose: Purpose,
    limit: u64,
}

impl Job {
    fn read(&self) -> Yield {
        if self.purpose == Purpose::Sitemap {
            let Sitemap { pages, sitemaps, truncated } = Sitemap::parse(&self.body, &self.url, self.limit);
            return Yield { kind: Kind::Sitemap, pages, sitemaps, truncated, ..Yield::default() };
        }
        let kind = kind_of(&self.profile, &self.url);
        let lists = || self.profile.profile().lists.iter().filter(|list| list.pattern.matches(&self.url));
        if kind == Kind::Unmatched {
            return Yield::default();
        }
        let decoded = decode(&self.body, self.content_type.as_deref());
        let mut yielded = Yield { kind, ..Yield::default() };
        if kind == Kind::Listing {
            let page = PageText { url: &self.url, text: &decoded.text };
            yielded.listing = extract(&page, Some(&self.profile));
        }
        for list in lists() {
            let Links { items, next, cursor, listings } = links(&decoded.text, &self.url, list);
            yielded.next = yielded.next.or(next);
            yielded.cursor = yielded.cursor.or(cursor);
            yielded.pages.extend(items);
            let Some(facts) = list.json.as_ref().and_then(|json| json.facts.as_ref()) else { continue };
            for (item, url) in listings {
                let listing = listing_of(&item, facts, url.as_ref().unwrap_or(&self.url), &self.profile);
                // Without an identity or an address of its own, one would take the place of another.
                let own = |listing: &Listing| url.is_some() || facts.id.is_some() && !listing.id.is_empty();
                yielded.listings.extend(listing.filter(own).map(|listing| (listing, url)));
            }
        }
        yielded
    }
}
