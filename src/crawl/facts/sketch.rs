//! What a page that nobody knows yet offers to a profile: which facts stand where, and which links lead to what.
//!
//! Pure. It proposes; a person decides.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use url::Url;

use super::{
    MENDED, PageText, bounded,
    draft::Draft,
    extract, json_ld, mend, microdata, open_graph,
    page::{Page, clean},
    selectors::is_safe,
    value_of,
};
use crate::{
    crawl::{FACTS, expected::object_of, price},
    model::Listing,
};

/// Links of a page that are looked at.
const LINKS: usize = 5000;
/// Shapes of links that are told.
const SHAPES: usize = 12;
/// Rows from which on something is a table of properties.
const ROWS: usize = 3;
/// Longest value that is shown, in characters.
const SHOWN: usize = 60;

/// What a page offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    /// The listing that is read without a profile; none where the page is none.
    pub listing: Option<Listing>,
    /// Facts with where they stand (`JSON-LD`, `microdata`, `OpenGraph`, `the visible page`) and what they are, cut.
    pub found: Vec<(String, &'static str, String)>,
    /// Facts that are not found.
    pub missing: Vec<String>,
    /// Places that give facts which nothing structured states: the fact, a CSS selector, the attribute to take.
    pub places: Vec<(String, String, Option<String>)>,
    /// A table of properties: selectors of its rows, names and values.
    pub rows: Option<[String; 3]>,
    /// Shapes of the links to the same host, the most frequent first: digits are `*`.
    pub shapes: Vec<Shape>,
    /// A CSS selector of the link to the next page.
    pub next: Option<String>,
}

/// Links that differ in numbers alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Path and query, runs of digits as `*`.
    pub shape: String,
    /// How many different ones.
    pub count: usize,
    /// One of them.
    pub example: Url,
}

/// What `page` offers.
#[must_use]
pub fn sketch(page: &PageText<'_>) -> Sketch {
    let text = bounded(page.text);
    let listing = extract(page, None);
    let flat = Page::read(text);
    let structured = [
        ("JSON-LD", facts_of(json_ld::read(text, page.url), page.url)),
        ("microdata", facts_of(microdata::read(&flat), page.url)),
        ("OpenGraph", facts_of(open_graph::read(&flat), page.url)),
        ("the visible page", listing.as_ref().map(object_of).unwrap_or_default()),
    ];
    let mut sketch = Sketch { listing, ..Sketch::default() };
    for name in FACTS.into_iter().filter(|name| !matches!(*name, "id" | "platform" | "url")) {
        let place = structured.iter().find_map(|(source, facts)| Some((*source, facts.get(name)?)));
        match place {
            Some((source, value)) => sketch.found.push((name.to_owned(), source, shown(value))),
            None => sketch.missing.push(name.to_owned()),
        }
    }
    if is_safe(text) {
        let document = Html::parse_document(text);
        sketch.places = places(&document, &sketch);
        sketch.rows = rows(&document).filter(|_| !sketch.has("attributes", "JSON-LD"));
        sketch.shapes = shapes(&document, page.url);
        sketch.next = next(&document);
    }
    sketch
}

impl Sketch {
    fn has(&self, fact: &str, source: &str) -> bool {
        self.found.iter().any(|(name, place, _)| name == fact && *place == source)
    }
}

fn facts_of(mut draft: Draft, url: &Url) -> serde_json::Map<String, Value> {
    let untitled = draft.title.is_none();
    draft.title.get_or_insert_with(|| "-".into());
    let mut facts = draft.finish(url).map(|listing| object_of(&listing)).unwrap_or_default();
    if untitled {
        facts.remove("title");
    }
    facts
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut cut: String = clean(&text).chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Selectors of the facts that only the visible page states.
fn places(document: &Html, sketch: &Sketch) -> Vec<(String, String, Option<String>)> {
    let mut places = Vec::new();
    for (field, _) in MENDED.into_iter().filter(|(field, _)| sketch.has(field, "the visible page")) {
        let Some(value) = sketch.listing.as_ref().and_then(|listing| value_of(listing, field)) else { continue };
        let is_value = |text: &str| {
            let text = clean(text);
            if field == "price" {
                price::parse(&text, None).is_some_and(|found| found.amount.to_string() == value)
            } else {
                text == clean(&value)
            }
        };
        let unambiguous = |(css, attr): &(String, Option<String>)| {
            let Ok(selector) = Selector::parse(css) else { return false };
            let mut all = document.select(&selector);
            let first = all.next().and_then(|element| match attr {
                Some(attr) => element.attr(attr).map(str::to_owned),
                None => Some(element.text().collect()),
            });
            first.is_some_and(|text| is_value(&text)) && all.next().is_none()
        };
        let mut found: Vec<_> = mend::places(document, &is_value).into_iter().filter(unambiguous).collect();
        found.sort_by_key(|(css, attr)| (attr.is_some(), css.len()));
        if let Some((css, attr)) = found.into_iter().next() {
            places.push((field.to_owned(), css, attr));
        }
    }
    places
}

/// A table or list of definitions that has a name and a value in each of its rows.
fn rows(document: &Html) -> Option<[String; 3]> {
    let of = |css: &str| Selector::parse(css).ok();
    for (whole, row, name, value) in [("table", "tr", "th", "td"), ("dl", "div", "dt", "dd")] {
        let (whole_css, row_css, name_css, value_css) = (of(whole)?, of(row)?, of(name)?, of(value)?);
        for table in document.select(&whole_css).take(100) {
            let has = |row: &ElementRef<'_>| row.select(&name_css).count() == 1 && row.select(&value_css).count() == 1;
            if table.select(&row_css).take(200).filter(has).count() < ROWS {
                continue;
            }
            let named = mend::names(table, None).into_iter().min_by_key(String::len).unwrap_or_else(|| whole.into());
            return Some([format!("{named} {row}"), name.to_owned(), value.to_owned()]);
        }
    }
    None
}

fn shapes(document: &Html, base: &Url) -> Vec<Shape> {
    let Ok(links) = Selector::parse("a[href]") else { return Vec::new() };
    let mut shapes: BTreeMap<String, (std::collections::BTreeSet<String>, Url)> = BTreeMap::new();
    for link in document.select(&links).take(LINKS) {
        let Some(Ok(mut url)) = link.attr("href").map(|href| base.join(href.trim())) else { continue };
        url.set_fragment(None);
        if url.origin() != base.origin() || url == *base {
            continue;
        }
        let entry = shapes.entry(shape_of(&url)).or_insert_with(|| (Default::default(), url.clone()));
        entry.0.insert(url.into());
    }
    let mut shapes: Vec<Shape> =
        shapes.into_iter().map(|(shape, (urls, example))| Shape { shape, count: urls.len(), example }).collect();
    shapes.sort_by(|a, b| b.count.cmp(&a.count).then(a.shape.cmp(&b.shape)));
    shapes.truncate(SHAPES);
    shapes
}

/// Path and query of an address, its runs of digits as `*`.
#[must_use]
pub fn shape_of(url: &Url) -> String {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut shape = String::with_capacity(target.len());
    for c in target.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('*') {
            shape.push('*');
        }
    }
    shape
}

fn next(document: &Html) -> Option<String> {
    ["a[rel=next]", "a.next", "li.next a", "a.xiayiye", "link[rel=next]"].into_iter().find_map(|css| {
        let selector = Selector::parse(css).ok()?;
        document.select(&selector).next().map(|_| css.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Sketch {
        sketch(&PageText { url: &Url::parse("https://s.example/p/7.html").unwrap(), text })
    }

    #[test]
    fn facts_are_told_with_where_they_stand() {
        let found = of(
            "<html><head><script type='application/ld+json'>{\"@type\":\"Product\",\"name\":\"云雀 耳机\",\"sku\":\"A-1\"}</script></head>\
             <body><h1 class='t'>云雀 耳机</h1><div class='price'>￥199.00</div>\
             <table class='spec'><tr><th>品牌</th><td>云雀</td></tr><tr><th>颜色</th><td>白</td></tr><tr><th>产地</th><td>杭州</td></tr></table>\
             <a href='/p/8.html'>a</a><a href='/p/9.html#x'>b</a><a href='/list/2'>c</a><a href='//other.example/p/1.html'>d</a></body></html>",
        );
        let source = |fact: &str| found.found.iter().find(|(name, _, _)| name == fact).map(|(_, source, _)| *source);
        assert_eq!((source("title"), source("sku")), (Some("JSON-LD"), Some("JSON-LD")));
        assert_eq!(source("price"), Some("the visible page"), "{found:?}");
        assert!(found.places.contains(&("price".into(), "div.price".into(), None)), "{:?}", found.places);
        assert_eq!(found.rows, Some(["table.spec tr".into(), "th".into(), "td".into()]));
        let shapes: Vec<(&str, usize)> = found.shapes.iter().map(|shape| (shape.shape.as_str(), shape.count)).collect();
        assert_eq!(shapes, [("/p/*.html", 2), ("/list/*", 1)]);
        assert!(found.missing.contains(&"reviews".to_owned()));
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(html in "[<>a-z0-9=\"'/ #.&;?-]{0,300}") {
            let found = of(&html);
            prop_assert!(found.shapes.len() <= SHAPES);
        }
    }
}
