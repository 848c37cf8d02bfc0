//! Finds where a fact stands in markup that changed, by its value: what was known of listings is looked for in their new pages.
//!
//! Pure. An element whose text, or an attribute of it, is the known value suggests selectors for it; each is tried on all pages,
//! and the one that gives the known value most often is proposed. Who accepts it is a person.

use std::collections::HashMap;

use scraper::{ElementRef, Html, Selector};
use serde::{Deserialize, Serialize};

use super::{bounded, page::clean, selectors::is_safe};
use crate::{crawl::price, model::Listing};

/// Pages that suggest selectors.
const SUGGESTING: usize = 12;
/// Selectors that are tried, those that were suggested most often.
const TRIED: usize = 200;
/// Elements of a page that are looked at.
const ELEMENTS: usize = 50_000;
/// Pages below which nothing is proposed, and the least share of them that must give the known value.
const FEWEST: usize = 3;
const LEAST_SHARE: f64 = 0.8;
/// Longest value that is looked for, in characters: the journal cuts longer ones.
const VALUE_CHARS: usize = 299;
/// Longest name of a class or attribute in a selector.
const NAME_BYTES: usize = 64;

/// The fields a place can be found for: their name in a profile's `[listing.select]`, and their path in a listing.
pub const MENDED: [(&str, &str); 6] = [
    ("title", "title"),
    ("subtitle", "subtitle"),
    ("price", "price.amount"),
    ("sku", "sku"),
    ("brand", "brand"),
    ("seller", "seller.name"),
];

/// A page, and what is known to stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The page's text.
    pub text: String,
    /// The value.
    pub value: String,
}

/// A place where a field stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The field, as in a profile's `[listing.select]`.
    pub field: String,
    /// CSS selector.
    pub css: String,
    /// Attribute to take instead of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr: Option<String>,
    /// Pages where it gives the known value, and pages that were looked at.
    pub right: usize,
    /// See `right`.
    pub of: usize,
}

/// What a listing says of a field in [`MENDED`], as it is looked for.
pub fn value_of(listing: &Listing, field: &str) -> Option<String> {
    let value = match field {
        "title" => Some(listing.title.clone()),
        "subtitle" => listing.subtitle.clone(),
        "price" => listing.price.as_ref().map(|price| price.amount.to_string()),
        "sku" => listing.sku.clone(),
        "brand" => listing.brand.clone(),
        "seller" => listing.seller.as_ref().and_then(|seller| seller.name.clone()),
        _ => None,
    };
    value.filter(|value| !value.is_empty())
}

/// The place where the known values of `field` stand in these pages; none where no selector finds enough of them.
pub fn propose(field: &str, currency: Option<&str>, samples: &[Sample]) -> Option<Proposal> {
    let usable = |sample: &&Sample| sample.value.chars().count() <= VALUE_CHARS && is_safe(bounded(&sample.text));
    let samples: Vec<&Sample> = samples.iter().filter(usable).collect();
    if samples.len() < FEWEST {
        return None;
    }
    let is_value = |text: &str, value: &str| {
        let text = clean(text);
        if field == "price" {
            price::parse(&text, currency).is_some_and(|found| found.amount.to_string() == value)
        } else {
            text == clean(value)
        }
    };
    let mut suggested: HashMap<(String, Option<String>), usize> = HashMap::new();
    for sample in samples.iter().take(SUGGESTING) {
        let document = Html::parse_document(bounded(&sample.text));
        for place in places(&document, &|text| is_value(text, &sample.value)) {
            *suggested.entry(place).or_default() += 1;
        }
    }
    let mut tried: Vec<_> = suggested.into_iter().collect();
    tried.sort_by(|((a, _), many), ((b, _), more)| more.cmp(many).then(a.len().cmp(&b.len())).then(a.cmp(b)));
    tried.truncate(TRIED);
    let mut tried: Vec<(Selector, String, Option<String>, usize)> =
        tried.into_iter().filter_map(|((css, attr), _)| Some((Selector::parse(&css).ok()?, css, attr, 0))).collect();
    for sample in &samples {
        let document = Html::parse_document(bounded(&sample.text));
        for (selector, _, attr, right) in &mut tried {
            let first = document.select(selector).next();
            let found = first.and_then(|element| match attr {
                Some(attr) => element.attr(attr).map(str::to_owned),
                None => Some(element.text().collect()),
            });
            *right += usize::from(found.is_some_and(|text| is_value(&text, &sample.value)));
        }
    }
    // Text before attributes, short before long.
    let rank = |(_, css, attr, right): &(Selector, String, Option<String>, usize)| {
        (*right, attr.is_none(), std::cmp::Reverse(css.len()), std::cmp::Reverse(css.clone()))
    };
    let (_, css, attr, right) = tried.into_iter().max_by_key(rank)?;
    let of = samples.len();
    (right as f64 >= LEAST_SHARE * of as f64).then(|| Proposal { field: field.to_owned(), css, attr, right, of })
}

/// Selectors of the elements that hold the value, and the attribute where it is one.
pub(super) fn places(document: &Html, is_value: &dyn Fn(&str) -> bool) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for element in document.root_element().descendent_elements().take(ELEMENTS) {
        if matches!(element.value().name(), "html" | "head" | "body" | "script" | "style" | "template") {
            continue;
        }
        let holding = element.value().attrs().find(|(name, value)| is_name(name) && is_value(value));
        let attr = holding.map(|(name, _)| name.to_owned());
        let text: String = element.text().take(64).flat_map(str::chars).take(4 * VALUE_CHARS).collect();
        if is_value(&text) {
            found.extend(selectors(element, None).into_iter().map(|css| (css, None)));
        }
        if let Some(attr) = attr {
            let places = selectors(element, Some(&attr));
            found.extend(places.into_iter().map(|css| (css, Some(attr.clone()))));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Selectors that reach `element`: by itself, and by its parent; never by the attribute `value` that holds what is looked for.
fn selectors(element: ElementRef<'_>, value: Option<&str>) -> Vec<String> {
    let mut own = names(element, value);
    if let Some(parent) = element.parent().and_then(ElementRef::wrap) {
        let tag = element.value().name();
        let by_parent: Vec<String> = names(parent, None).into_iter().map(|name| format!("{name} > {tag}")).collect();
        own.extend(by_parent);
    }
    own
}

/// An element's names that may be the same on every page: id, classes, attributes that say what it is.
pub(super) fn names(element: ElementRef<'_>, value: Option<&str>) -> Vec<String> {
    let tag = element.value().name();
    let mut names = Vec::new();
    for (name, content) in element.value().attrs() {
        match name {
            "id" if is_name(content) && !content.bytes().any(|byte| byte.is_ascii_digit()) => {
                names.push(format!("{tag}#{content}"));
            }
            "class" => {
                let classes = content.split_ascii_whitespace().filter(|class| is_name(class)).take(8);
                names.extend(classes.map(|class| format!("{tag}.{class}")));
            }
            "itemprop" | "property" | "name" | "role" if is_name(content) => {
                names.push(format!("{tag}[{name}=\"{content}\"]"));
            }
            _ if name.starts_with("data-") && is_name(name) => {
                names.push(format!("{tag}[{name}]"));
                if value != Some(name) && is_name(content) {
                    names.push(format!("{tag}[{name}=\"{content}\"]"));
                }
            }
            _ => {}
        }
    }
    names
}

/// Whether this can stand in a selector as it is.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(n: usize, value: &str) -> Sample {
        let text = format!(
            "<html><body><h1>item {n}</h1><div class='box b{n}'><span class='label'>price</span>\
             <em class='now x-{n}'>￥ {value}</em><del class='was'>￥ 9{n}9</del></div>\
             <b data-sku='S-{n}'>buy</b></body></html>"
        );
        Sample { text, value: value.to_owned() }
    }

    #[test]
    fn a_known_price_is_found_where_it_stands_now() {
        let samples: Vec<Sample> = (1..=8).map(|n| sample(n, &format!("{n}1.5"))).collect();
        let value = |sample: &Sample| price::parse(&sample.value, None).unwrap().amount.to_string();
        let samples: Vec<Sample> = samples.iter().map(|one| Sample { value: value(one), ..one.clone() }).collect();
        let found = propose("price", Some("CNY"), &samples).unwrap();
        assert_eq!((found.css.as_str(), found.attr, found.right, found.of), ("em.now", None, 8, 8));
    }

    #[test]
    fn a_value_in_an_attribute_is_found_there() {
        let samples: Vec<Sample> = (1..=4).map(|n| Sample { value: format!("S-{n}"), ..sample(n, "1") }).collect();
        let found = propose("sku", None, &samples).unwrap();
        assert_eq!((found.css.as_str(), found.attr.as_deref()), ("b[data-sku]", Some("data-sku")));
    }

    #[test]
    fn too_few_pages_or_values_that_stand_nowhere_propose_nothing() {
        let few: Vec<Sample> = (1..3).map(|n| Sample { value: format!("item {n}"), ..sample(n, "1") }).collect();
        assert_eq!(propose("title", None, &few), None);
        let strange: Vec<Sample> = (1..9).map(|n| Sample { value: "nowhere".into(), ..sample(n, "1") }).collect();
        assert_eq!(propose("title", None, &strange), None);
        let long: Vec<Sample> = (1..9).map(|n| Sample { value: "x".repeat(5000), ..sample(n, "1") }).collect();
        assert_eq!(propose("title", None, &long), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_page_makes_it_panic(html in "[<>a-z=\"'/ #.&;-]{0,200}", value in "\\PC{0,12}") {
            let samples = vec![Sample { text: html, value }; 3];
            for (field, _) in MENDED {
                if let Some(found) = propose(field, None, &samples) {
                    prop_assert!(Selector::parse(&found.css).is_ok() && found.right <= found.of);
                }
            }
        }
    }
}
