//! Product facts: from the text of a page to a listing.
//!
//! [`extract`] asks, in this order, the profile's selectors, JSON-LD, microdata, OpenGraph and what
//! stands visibly on the page; a place that is believed more is completed by those believed less.
//! JSON-LD is found by a scan of the text: where it answers everything, no document is built.
//! [`links`] reads lists. Both are pure; fetching, robots and pace belong to the crawl around them.

mod draft;
mod entities;
mod json_item;
mod json_ld;
mod lenient_json;
mod lists;
mod mend;
mod microdata;
mod offer;
mod open_graph;
mod page;
mod selectors;
mod sketch;
mod sku;
mod visible;
mod words;

use url::Url;

use crate::model::Listing;

use self::{draft::Draft, page::Page};

pub use json_item::listing_of;
pub use lists::{Item, LINKS, Links, links};
pub use mend::{MENDED, Proposal, Sample, propose, value_of};
pub use selectors::CompiledProfile;
pub use sketch::{Shape, Sketch, shape_of, sketch};

/// Longest page read, in bytes; what follows is not looked at.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// A page to read: its address and its text.
#[derive(Debug, Clone, Copy)]
pub struct PageText<'a> {
    /// Where it was fetched, after redirects.
    pub url: &'a Url,
    /// Its text, decoded.
    pub text: &'a str,
}

/// Reads the product facts of a page; none when it has no title to be known by.
#[must_use]
pub fn extract(page: &PageText<'_>, profile: Option<&CompiledProfile>) -> Option<Listing> {
    let text = bounded(page.text);
    let mut draft = Draft::default();
    if let Some(profile) = profile {
        draft.complete(profile.read(text));
    }
    let chosen_sku = draft.sku.is_some();
    if profile.is_none_or(CompiledProfile::reads_structured) {
        draft.complete(json_ld::read(text, page.url));
        let complete = draft.is_complete();
        let doubtful = !chosen_sku && draft.sku.as_deref().is_some_and(|sku| sku::is_doubtful(text, sku));
        if !complete || doubtful {
            let flat = Page::read(text);
            if !complete {
                complete_from_markup(&mut draft, &flat, page.url);
            }
            if doubtful && let Some(sku) = visible::labelled_sku(&flat) {
                draft.sku = Some(sku);
            }
        }
    }
    match profile {
        Some(profile) => profile.finish(draft, page.url),
        None => draft.finish(page.url),
    }
}

/// Microdata, OpenGraph and what stands visibly.
fn complete_from_markup(draft: &mut Draft, page: &Page<'_>, url: &Url) {
    draft.complete(microdata::read(page));
    draft.complete(open_graph::read(page));
    let seen = visible::read(page, url, draft);
    draft.complete(seen);
}

fn bounded(text: &str) -> &str {
    let end = (0..=text.len().min(PAGE_BYTES)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests;
