//! Links of a list page, from HTML by selectors or from a JSON document by pointers.

use scraper::{Html, Selector};
use serde_json::Value;
use url::Url;

use super::{
    super::profile::{JsonList, ListPage},
    bounded, entities,
    selectors::is_safe,
};

/// Most links taken from one list.
pub const LINKS: usize = 2_000;
/// Longest address made, in bytes.
const ADDRESS_BYTES: usize = 4_096;

/// What a list names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Addresses of listings, in page order, each once.
    pub items: Vec<Url>,
    /// The list's next page.
    pub next: Option<Url>,
}

/// Reads the list at `base`, as `list` says it is made.
#[must_use]
pub fn links(text: &str, base: &Url, list: &ListPage) -> Links {
    let text = bounded(text);
    match &list.json {
        Some(json) => from_json(text, base, json),
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
    find(&list.items).into_iter().for_each(|url| links.item(url));
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
    let items = document.pointer(&list.items).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for item in items.iter().take(LINKS) {
        if let Some(url) = filled(&list.link, item).and_then(|address| page_address(&address, base)) {
            links.item(url);
        }
    }
    let next = list
        .next
        .as_deref()
        .and_then(|pointer| document.pointer(pointer))
        .and_then(plain)
        .filter(|next| !next.is_empty());
    links.next = next.and_then(|next| {
        let address = match &list.next_link {
            Some(template) => template.replace("{}", &escape(&next)),
            None => next,
        };
        page_address(&address, base)
    });
    links
}

/// A template with each `{/pointer}` replaced by the item's value there; none when one is missing.
fn filled(template: &str, item: &Value) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{") {
        let (pointer, after) = after.split_once('}')?;
        out.push_str(before);
        let value = item.pointer(pointer).and_then(plain)?;
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

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn escape(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Links {
    fn item(&mut self, url: Url) {
        if self.items.len() < LINKS && !self.items.contains(&url) {
            self.items.push(url);
        }
    }
}
