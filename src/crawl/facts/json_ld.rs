//! Product facts from JSON-LD, found by a scan of the text: no document is built.
//!
//! A page may describe many products (related ones, variants, a list); [`read`] chooses the one the
//! page is about: by its address, by having an offer, by not standing in a list.

use memchr::memmem;
use serde_json::{Map, Value};
use url::Url;

use super::{
    super::price,
    draft::{Draft, MANY},
    lenient_json, offer,
    page::clean,
    words,
};

/// Most scripts read of one page.
pub(super) const SCRIPTS: usize = 64;
/// Most places looked at where JSON-LD is mentioned.
const MENTIONS: usize = 256;
/// How far before its type a script's tag may begin, in bytes.
const TAG_BYTES: usize = 2_048;
/// Longest script read, in bytes.
pub(super) const SCRIPT_BYTES: usize = 1024 * 1024;
/// Most objects looked at.
const OBJECTS: usize = 5_000;
/// Deepest nesting looked at.
const DEPTH: usize = 24;

type Object = Map<String, Value>;

/// What the JSON-LD of a page says of its product; an empty draft if nothing.
pub(super) fn read(html: &str, url: &Url) -> Draft {
    let values: Vec<Value> = scripts(html).flat_map(lenient_json::read).collect();
    let mut found = Found { url, candidates: Vec::new(), breadcrumbs: Vec::new(), seen: 0 };
    for value in &values {
        found.walk(value, 0, false);
    }
    let mut draft = found.best().unwrap_or_default();
    if draft.category.is_empty() {
        draft.category = found.breadcrumbs;
    }
    draft
}

/// The contents of the page's JSON-LD scripts.
fn scripts(html: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let found = std::iter::from_fn(move || {
        let rest = html.as_bytes().get(from..)?;
        let at = from + memmem::find(rest, b"ld+json").or_else(|| escaped(rest))?;
        let script = script_at(html, at);
        from = script.as_ref().map_or(at + 7, |script| script.end);
        Some(script)
    });
    found
        .take(MENTIONS)
        .flatten()
        .filter(|script| script.len() <= SCRIPT_BYTES)
        .take(SCRIPTS)
        .filter_map(|script| html.get(script))
}

/// The content of the script in whose tag `at` stands, if it stands in one.
fn script_at(html: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let bytes = html.as_bytes();
    let tag = bytes.get(at.saturating_sub(TAG_BYTES)..at)?;
    let name = tag.get(memchr::memrchr(b'<', tag)? + 1..)?;
    if !name.get(..6)?.eq_ignore_ascii_case(b"script") {
        return None;
    }
    let start = at + memchr::memchr(b'>', bytes.get(at..)?)? + 1;
    Some(start..start + end_of_script(bytes.get(start..)?))
}

/// `application/ld&#x2B;json`, as some servers escape it.
fn escaped(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"ld&#x2B;json").or_else(|| memmem::find(bytes, b"ld&#43;json"))
}

fn end_of_script(bytes: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memmem::find(rest, b"</")) {
        let tag = from + at;
        if bytes.get(tag + 2..tag + 8).is_some_and(|name| name.eq_ignore_ascii_case(b"script")) {
            return tag;
        }
        from = tag + 2;
    }
    bytes.len()
}

struct Found<'v> {
    url: &'v Url,
    candidates: Vec<(i32, &'v Object)>,
    breadcrumbs: Vec<String>,
    seen: usize,
}

impl<'v> Found<'v> {
    fn walk(&mut self, value: &'v Value, depth: usize, listed: bool) {
        self.seen += 1;
        if depth > DEPTH || self.seen > OBJECTS {
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, depth + 1, listed)),
            Value::Object(object) => self.object(object, depth, listed),
            _ => {}
        }
    }

    fn object(&mut self, object: &'v Object, depth: usize, listed: bool) {
        if has_type(object, &["breadcrumblist"]) {
            if self.breadcrumbs.is_empty() {
                self.breadcrumbs = breadcrumbs(object);
            }
            return;
        }
        let weight = weight(object);
        if weight > 0 {
            self.candidates.push((weight + self.fit(object) - if listed { 12 } else { 0 }, object));
            return;
        }
        let in_list = listed || has_type(object, &["itemlist", "offercatalog", "collectionpage", "searchresultspage"]);
        for (key, value) in object {
            if words::JSON_LD_PATHS.iter().any(|path| key.eq_ignore_ascii_case(path)) {
                self.walk(value, depth + 1, in_list);
            }
        }
    }

    /// How much speaks for an object being what the page is about.
    fn fit(&self, object: &Object) -> i32 {
        let offers = get(object, "offers").is_some_and(|value| !value.is_null());
        let named = get(object, "name").is_some();
        let here =
            ["url", "@id", "mainEntityOfPage"].iter().filter_map(|key| get(object, key)).any(|v| self.is_here(v));
        i32::from(offers) * 3 + i32::from(named) * 2 + i32::from(here) * 8
    }

    fn is_here(&self, value: &Value) -> bool {
        let text = value.as_str().or_else(|| get(value.as_object()?, "@id")?.as_str()).unwrap_or("");
        self.url.join(text).is_ok_and(|other| !text.is_empty() && same_page(self.url, &other))
    }

    /// The best candidate, completed by others that describe the same product.
    fn best(&self) -> Option<Draft> {
        let (score, best) = self.candidates.iter().rev().max_by_key(|(score, _)| *score)?;
        if *score < 0 && self.candidates.len() > 1 {
            return None;
        }
        let mut draft = product(best, self.url);
        for (_, other) in self.candidates.iter().filter(|(_, other)| !std::ptr::eq(*other, *best)) {
            let other = product(other, self.url);
            let same_name = other.title.is_some() && other.title == draft.title;
            let same_sku = other.sku.is_some() && other.sku == draft.sku;
            if same_name || same_sku {
                draft.complete(other);
            }
        }
        Some(draft)
    }
}

/// Whether two addresses are of one page, whatever follows the path.
fn same_page(left: &Url, right: &Url) -> bool {
    let trim = |url: &Url| url.path().trim_end_matches('/').to_ascii_lowercase();
    let paths = trim(left) == trim(right) && (!trim(left).is_empty() || left.query() == right.query());
    let queries = right.query().is_none() || left.query().is_none() || left.query() == right.query();
    paths && queries
}

/// How surely an object is a product, by its type; 0 if it is none.
fn weight(object: &Object) -> i32 {
    let strongest = |types: &[&str]| has_type(object, types);
    if strongest(&["product", "productgroup", "individualproduct", "someproducts"]) {
        6
    } else if strongest(&["productmodel", "vehicle", "car", "motorcycle", "book"]) {
        5
    } else if get(object, "offers").is_some_and(|offers| !offers.is_null()) && get(object, "name").is_some() {
        2
    } else {
        0
    }
}

fn has_type(object: &Object, types: &[&str]) -> bool {
    let is = |name: &str| {
        let name = name.rsplit(['/', '#', ':']).next().unwrap_or("");
        types.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    match get(object, "@type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

/// The facts of one product.
fn product(object: &Object, url: &Url) -> Draft {
    let mut draft = facts(object, url);
    let variants = get(object, "hasVariant").map(list).unwrap_or_default();
    let variants: Vec<&Object> = variants.into_iter().filter_map(Value::as_object).take(MANY).collect();
    let here = |variant: &&&Object| {
        let addresses = [text(variant, "url"), text(variant, "@id")];
        addresses
            .into_iter()
            .flatten()
            .any(|at| url.join(&at).is_ok_and(|at| at.query() == url.query() && same_page(url, &at)))
    };
    if let Some(variant) = variants.iter().find(here).or(variants.first()) {
        draft.complete(facts(variant, url));
    }
    draft
}

fn facts(object: &Object, url: &Url) -> Draft {
    let mut draft = Draft {
        title: text(object, "name").or_else(|| text(object, "title")).or_else(|| text(object, "headline")),
        description: text(object, "description").map(|text| plain(&text)),
        sku: text(object, "sku").map(|sku| identifier(&sku)),
        number: ["productID", "identifier", "mpn"]
            .iter()
            .find_map(|key| text(object, key))
            .map(|number| identifier(&number)),
        brand: get(object, "brand")
            .and_then(name)
            .or_else(|| get(object, "manufacturer").and_then(name))
            .and_then(|text| words::brand(&text)),
        images: get(object, "image").map(images).unwrap_or_default(),
        category: text(object, "category").map(|path| words::category(&path)).unwrap_or_default(),
        reviews: get(object, "review").or_else(|| get(object, "reviews")).map(reviews).unwrap_or_default(),
        ..Draft::default()
    };
    for key in ["color", "material", "size", "model", "pattern", "gtin13", "gtin", "mpn"] {
        if let Some(value) = text(object, key) {
            draft.attribute(key, Value::String(value));
        }
    }
    for property in
        get(object, "additionalProperty").map(list).unwrap_or_default().into_iter().filter_map(Value::as_object)
    {
        if let (Some(name), Some(value)) = (text(property, "name"), text(property, "value")) {
            draft.attribute(&name, Value::String(value));
        }
    }
    draft.seller.name = get(object, "seller").and_then(name);
    if let Some(offers) = get(object, "offers") {
        draft.complete(offer::read(offers, url));
    }
    if draft.price.is_none()
        && let Some(value) = get(object, "price")
    {
        let found = price::parse_machine(&scalar(value).unwrap_or_default(), text(object, "priceCurrency").as_deref());
        draft.price = found.as_ref().map(|found| found.amount);
        draft.currency = found.and_then(|found| found.currency);
    }
    draft
}

/// `key` of an object, whatever its case.
pub(super) fn get<'v>(object: &'v Object, key: &str) -> Option<&'v Value> {
    object.get(key).or_else(|| object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

/// A value as a list of values.
pub(super) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// A text, a number, or what stands in `@value` or first in a list.
pub(super) fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => clean(text),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => return items.first().filter(|item| !item.is_array()).and_then(scalar),
        Value::Object(object) => {
            let inner = object.get("@value").or_else(|| object.get("value"))?;
            return if inner.is_object() || inner.is_array() { None } else { scalar(inner) };
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The text of `key`.
pub(super) fn text(object: &Object, key: &str) -> Option<String> {
    get(object, key).and_then(scalar)
}

/// A name: a text, or the `name` of an object.
pub(super) fn name(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) => text(object, "name").or_else(|| text(object, "@value")),
        Value::Array(items) => items.iter().filter(|item| !item.is_array()).find_map(name),
        other => scalar(other),
    }
}

/// `sku:123` is 123.
pub(super) fn identifier(text: &str) -> String {
    let known = |prefix: &&str| {
        ["sku", "mpn", "id", "isbn", "gtin", "upc", "ean"].contains(&prefix.to_ascii_lowercase().as_str())
    };
    match text.split_once(':') {
        Some((prefix, rest)) if known(&prefix.trim()) && !rest.trim().is_empty() => rest.trim().to_owned(),
        _ => text.to_owned(),
    }
}

/// A long text without the tags that some shops put into it.
pub(super) fn plain(text: &str) -> String {
    if text.contains('<') { super::page::Page::read(&format!("<div>{text}</div>")).text(0) } else { clean(text) }
}

fn images(value: &Value) -> Vec<String> {
    let address = |item: &Value| match item {
        Value::Object(object) => ["contentUrl", "url", "@id"].iter().find_map(|key| text(object, key)),
        other => scalar(other),
    };
    list(value).into_iter().filter_map(address).take(MANY).collect()
}

fn reviews(value: &Value) -> Vec<String> {
    let words = |item: &Value| {
        let object = item.as_object()?;
        text(object, "reviewBody").or_else(|| text(object, "description")).map(|words| plain(&words))
    };
    list(value).into_iter().filter_map(words).take(MANY).collect()
}

fn breadcrumbs(object: &Object) -> Vec<String> {
    let crumb = |item: &Value| {
        let item = item.as_object()?;
        text(item, "name").or_else(|| get(item, "item").and_then(name).filter(|name| !name.starts_with("http")))
    };
    get(object, "itemListElement").map(list).unwrap_or_default().into_iter().filter_map(crumb).take(MANY).collect()
}
