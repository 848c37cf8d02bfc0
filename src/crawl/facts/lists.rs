//! What a list names: from HTML by selectors, from a JSON document by pointers, or from a feed.

use scraper::{Html, Selector};
use serde_json::Value;
use url::Url;

use super::{
    super::{
        feed::feed,
        pointer::{self, plain},
        profile::{JsonList, ListPage},
    },
    bounded, entities,
    selectors::is_safe,
};
use crate::model::Timestamp;

/// Most links taken from one list.
pub const LINKS: usize = 2_000;
/// Longest address made, in bytes.
const ADDRESS_BYTES: usize = 4_096;

/// An address that a list, a feed or a sitemap names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it stands.
    pub url: Url,
    /// When it changed last, where that is said.
    pub updated: Option<Timestamp>,
}

/// What a list names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Links {
    /// Listings, in page order, each address once.
    pub items: Vec<Item>,
    /// The list's next page.
    pub next: Option<Url>,
    /// What stands at the pointer to the next page, which a query's `{cursor}` stands for.
    pub cursor: Option<String>,
    /// The listings of a JSON document that carries their facts, each with its address where it names one.
    pub listings: Vec<(Value, Option<Url>)>,
}

/// Reads the list at `base`, as `list` says it is made.
#[must_use]
pub fn links(text: &str, base: &Url, list: &ListPage) -> Links {
    let text = bounded(text);
    match &list.json {
        Some(json) => from_json(text, base, json),
        None if list.feed => feed(text, base),
        None => from_html(text, base, list),
    }
}

fn from_html(text: &str, base: &Url, list: &ListPage) -> Links {
    if !is_safe(text) {
        return Links::default();
    }
    let document = Html::parse_document(text);
    let base = document_base(&document, base);
    let find = |css: &Option<String>| -> Vec<Url> {
        let Some(selector) = css.as_deref().and_then(|css| Selector::parse(css).ok()) else { return Vec::new() };
        let address = |element: scraper::ElementRef<'_>| {
            let inner = || element.descendent_elements().find_map(|inner| inner.attr("href"));
            element.attr("href").or_else(inner).and_then(|href| page_address(href, &base))
        };
        document.select(&selector).filter_map(address).take(LINKS).collect()
    };
    let mut links = Links::default();
    find(&list.items).into_iter().for_each(|url| links.item(Item { url, updated: None }));
    links.next = find(&list.next).into_iter().next();
    links
}

fn document_base(document: &Html, base: &Url) -> Url {
    let href = Selector::parse("base[href]")
        .ok()
        .and_then(|selector| document.select(&selector).next()?.attr("href").map(str::to_owned));
    href.and_then(|href| base.join(href.trim()).ok()).unwrap_or_else(|| base.clone())
}

fn page_address(href: &str, base: &Url) -> Option<Url> {
    if href.len() > ADDRESS_BYTES {
        return None;
    }
    let mut url = base.join(entities::decode(href).trim()).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}

fn from_json(text: &str, base: &Url, list: &JsonList) -> Links {
    let Ok(document) = serde_json::from_str::<Value>(text.trim_start_matches('\u{FEFF}')) else {
        return Links::default();
    };
    let mut links = Links::default();
    for item in items(&document, &list.items) {
        let address = list.link.as_deref().and_then(|link| filled(link, item));
        let url = address.and_then(|address| page_address(&address, base));
        if list.facts.is_some() {
            links.listings.push((item.clone(), url.clone()));
        }
        if let Some(url) = url.filter(|_| list.facts.is_none() || list.visit) {
            links.item(Item { url, updated: None });
        }
    }
    let ends = |more: &str| !pointer::first(&document, more).is_some_and(is_yes);
    if list.more.as_deref().is_some_and(ends) {
        return links;
    }
    let next = list.next.as_deref().and_then(|at| pointer::first(&document, at)).and_then(plain);
    links.cursor = next.filter(|next| !next.is_empty() && next.len() <= ADDRESS_BYTES);
    links.next = links.cursor.as_ref().and_then(|next| {
        let address = match &list.next_link {
            Some(template) => template.replace("{}", &escape(next)),
            None => next.clone(),
        };
        page_address(&address, base)
    });
    links
}

/// What stands at the pointer to the items: the elements of an array, or each of what a `*` finds.
fn items<'v>(document: &'v Value, pointer: &str) -> Vec<&'v Value> {
    let found = pointer::find(document, pointer).into_iter();
    let elements = found.flat_map(|value| match value {
        Value::Array(elements) => elements.iter().collect(),
        other if pointer.contains('*') => vec![other],
        _ => Vec::new(),
    });
    elements.take(LINKS).collect()
}

/// Whether a value says that there is more: `true`, a number above zero, a text that is not empty.
fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0" | "false"),
        _ => false,
    }
}

/// A template with each `{/pointer}` replaced by the item's value there; none when one is missing.
fn filled(template: &str, item: &Value) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{") {
        let (pointer, after) = after.split_once('}')?;
        out.push_str(before);
        let value = pointer::first(item, pointer).and_then(plain)?;
        // A template that is nothing but a pointer stands for an address, not for a part of one.
        if template.len() == pointer.len() + 2 {
            out.push_str(&value)
        } else {
            out.push_str(&escape(&value))
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn escape(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Links {
    /// Adds an item, unless its address is there or there are [`LINKS`].
    pub(in crate::crawl) fn item(&mut self, item: Item) {
        if self.items.len() < LINKS && !self.items.iter().any(|known| known.url == item.url) {
            self.items.push(item);
        }
    }
}
