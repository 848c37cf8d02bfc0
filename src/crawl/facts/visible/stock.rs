//! Whether a page says that its product can be bought.

use super::{
    super::{page::clean, words},
    View,
};

/// How far from the headline stock words are looked for, in nodes.
const REACH: usize = 2_500;
/// Longest text that is a statement about stock, in characters.
const STOCK_CHARS: usize = 60;
/// Parts of class names of statements about stock.
const STOCK_CLASS: &[&str] = &[
    "availab",
    "stock",
    "dostupn",
    "dispon",
    "verfueg",
    "lager",
    "skladem",
    "inventory",
    "sold-out",
    "soldout",
    "kucun",
];

/// schema.org's word; `offered` says that the page names a price. A price with nothing said against it is an offer.
pub(super) fn read(view: &View<'_, '_>, offered: bool) -> Option<&'static str> {
    let mut stated: Option<&'static str> = None;
    let mut out = false;
    let mut buy = false;
    for (index, node) in view.page.nodes.iter().enumerate() {
        let Some(text) = statement(view, index, node) else { continue };
        let at = node.parent;
        let marked = view.is_marked(at, 2, STOCK_CLASS);
        let word = says(&text, marked);
        buy |= is_buy(&text) && !view.is_marked(at, 2, &["disabled"]);
        if marked && stated.is_none() {
            stated = word;
        }
        out |= word.is_some_and(|word| word != "InStock");
    }
    if let Some(word) = stated {
        return Some(word);
    }
    match (out, buy) {
        (_, true) => Some("InStock"),
        (true, false) => Some("OutOfStock"),
        (false, false) => offered.then_some("InStock"),
    }
}

/// A short visible text near the headline, lowercase, or the value of a button.
fn statement(view: &View<'_, '_>, index: usize, node: &super::super::page::Node<'_>) -> Option<String> {
    if view.distance(index) > REACH || view.is_elsewhere(index) {
        return None;
    }
    let raw = if node.is_text() {
        node.raw_text()
    } else if node.name == "input" && matches!(node.raw_attribute("type"), Some("submit" | "button")) {
        node.raw_attribute("value").unwrap_or("")
    } else {
        return None;
    };
    if raw.trim().is_empty() || raw.len() > 400 {
        return None;
    }
    let parent = view.page.node(node.parent).map_or("", |parent| parent.name);
    if matches!(parent, "script" | "style" | "title" | "option" | "textarea") || view.is_hidden(node.parent) {
        return None;
    }
    let text = clean(raw).to_lowercase();
    (text.chars().count() <= STOCK_CHARS).then_some(text)
}

/// What a statement says: at its start, or anywhere where its place says it is about stock.
fn says(text: &str, marked: bool) -> Option<&'static str> {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    let has = |phrase: &&str| {
        if marked { text.contains(*phrase) } else { text.starts_with(*phrase) && text.len() <= phrase.len() + 12 }
    };
    if words::OUT.iter().any(|phrase| has(&phrase)) && !text.contains("not sold") {
        Some("OutOfStock")
    } else if words::IN.iter().any(|phrase| has(&phrase)) {
        Some("InStock")
    } else {
        None
    }
}

fn is_buy(text: &str) -> bool {
    words::BUY.iter().any(|phrase| text.starts_with(phrase) && text.len() <= phrase.len() + 16)
}
