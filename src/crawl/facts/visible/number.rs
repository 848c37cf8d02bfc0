//! The article number that stands visibly on a page, in its data attributes, its form or its address.

use url::Url;

use super::{
    super::{
        page::{Node, clean},
        sku, words,
    },
    Mark, ShortText, View,
};

/// Most numbers compared of one script.
const SCRIPT_NUMBERS: usize = 200;
/// The rank, among labels, of a class that names a number.
const MARKED_RANK: usize = 20;
/// Longest article number, in characters.
const NUMBER_CHARS: usize = 40;

/// The article number; `other` is a product number the page states elsewhere, believed less than a label.
pub(super) fn read(view: &View<'_, '_>, url: &Url, other: Option<&str>) -> Option<String> {
    labelled(view)
        .or_else(|| other.filter(|number| !sku::is_global(number)).map(str::to_owned))
        .or_else(|| item_of_known_path(url))
        .or_else(|| in_script(view))
        .or_else(|| attribute(view, url))
        .or_else(|| from_address(url))
}

/// The `sku` that the page's scripts name most often.
fn in_script(view: &View<'_, '_>) -> Option<String> {
    let mut seen: Vec<(String, usize)> = Vec::new();
    let scripts = view.page.nodes.iter().filter(|node| view.page.is(node.parent, "script")).map(Node::raw_text);
    for script in scripts {
        for (at, key) in script.match_indices("sku").take(SCRIPT_NUMBERS) {
            let Some(value) = script.get(at + key.len()..).and_then(after_key) else { continue };
            if let Some((_, count)) = seen.iter_mut().find(|(known, _)| *known == value) {
                *count += 1;
            } else if seen.len() < SCRIPT_NUMBERS {
                seen.push((value, 1));
            }
        }
    }
    seen.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// The text or number after `"sku` in a script.
fn after_key(rest: &str) -> Option<String> {
    let value = rest.strip_prefix(['"', '\''])?.trim_start().strip_prefix(':')?.trim_start();
    let quoted = value.strip_prefix(['"', '\'']);
    let end = quoted.unwrap_or(value).find(['"', '\'', ',', '}', '\\']).filter(|end| *end <= NUMBER_CHARS)?;
    plausible(quoted.unwrap_or(value).get(..end)?)
}

/// The value after the label, or in the element marked as a number, nearest to the headline.
pub(super) fn labelled(view: &View<'_, '_>) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for (at, short) in view.texts.iter().enumerate() {
        let Some((rank, value)) =
            label(short).and_then(|(rank, rest)| Some((rank, value(view, at, rest)?))).or_else(|| marked(view, short))
        else {
            continue;
        };
        let cost = view.distance(short.index) + rank * 20;
        if best.as_ref().is_none_or(|(known, _)| cost < *known) {
            best = Some((cost, value));
        }
    }
    best.map(|(_, value)| value)
}

/// A text that is a number, in an element whose class says that it is one.
fn marked(view: &View<'_, '_>, short: &ShortText) -> Option<(usize, String)> {
    let text = strip(&short.text);
    let is_number = view.is_marked(short.index, 1, Mark::Number) && !text.contains(' ');
    is_number.then(|| plausible(text)).flatten().map(|value| (MARKED_RANK, value))
}

/// Which label a text begins with, longest first, and what follows it.
fn label(short: &ShortText) -> Option<(usize, &str)> {
    let (text, lower) = (&short.text, &short.lower);
    if lower.len() != text.len() {
        return None;
    }
    let found = words::SKU_LABELS
        .iter()
        .enumerate()
        .filter(|(_, label)| lower.starts_with(**label))
        .max_by_key(|(_, label)| label.len())?;
    let (rank, label) = found;
    let rest = text.get(label.len()..)?;
    let ended = label.ends_with(|c: char| !c.is_alphanumeric())
        || !rest.starts_with(char::is_alphanumeric)
        || !label.is_ascii() && label.chars().all(|c| c > '\u{2E80}');
    ended.then_some((rank, rest))
}

/// The value in `rest`, or in the texts that follow.
fn value(view: &View<'_, '_>, at: usize, rest: &str) -> Option<String> {
    let own = strip(rest);
    if !own.is_empty() {
        // After a label a sentence may go on; a value comes after a sign or stands alone.
        let signed = rest.trim_start().starts_with([':', '：', '#', '.', '№', '-', '=']);
        let single = !own.contains(' ');
        return if signed || single { plausible(own) } else { None };
    }
    let next =
        view.texts.get(at + 1..)?.iter().take(3).map(|short| strip(&short.text)).find(|text| !text.is_empty())?;
    plausible(next)
}

fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                ':' | '：' | '#' | '№' | '(' | ')' | '=' | '.' | ',' | '-' | '–' | '|' | '\u{200E}' | '\u{200F}'
            )
    })
}

/// A number has a digit, no sentence, no price and no date.
fn plausible(text: &str) -> Option<String> {
    let first = text.split([' ', '|', ',', ';', '(']).next().unwrap_or("");
    let chosen = if first.chars().any(|c| c.is_ascii_digit()) && first.len() >= 3 || text.chars().count() > 24 {
        first
    } else {
        text
    };
    let chosen = strip(chosen);
    let length = chosen.chars().count();
    let digits = chosen.chars().filter(char::is_ascii_digit).count();
    let fits =
        (3..=NUMBER_CHARS).contains(&length) && digits > 0 && digits * 4 >= length && chosen.matches(' ').count() <= 3;
    let is_other = chosen.contains(['€', '$', '£', '¥', '%', '@', '?', '&'])
        || chosen.starts_with("http")
        || chosen.contains("://");
    (fits && !is_other).then(|| chosen.to_owned())
}

/// The identity in paths that shops share: `/dp/B0…`, `/itm/123`.
fn item_of_known_path(url: &Url) -> Option<String> {
    let segments: Vec<&str> = url.path_segments()?.collect();
    let at = segments.iter().position(|segment| matches!(*segment, "dp" | "itm" | "listing"))?;
    let after = segments.get(at + 1..)?;
    after
        .iter()
        .rev()
        .find(|segment| {
            segment.len() >= 5
                && segment.bytes().any(|b| b.is_ascii_digit())
                && segment.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        .map(|s| (*s).to_owned())
}

/// A number in an attribute or form field; one that the address names too is believed first.
fn attribute(view: &View<'_, '_>, url: &Url) -> Option<String> {
    let mut first: Option<(usize, String)> = None;
    for (index, node) in view.page.nodes.iter().enumerate() {
        if node.is_text() || view.has(index, Mark::Elsewhere) {
            continue;
        }
        let Some((rank, value)) = carried(node) else { continue };
        let in_address = url.as_str().contains(&value) && value.len() >= 4;
        let cost = rank * 50 + view.distance(index) / 4 + if in_address { 0 } else { 2_000 };
        if first.as_ref().is_none_or(|(known, _)| cost < *known) {
            first = Some((cost, value));
        }
    }
    first.map(|(_, value)| value)
}

fn carried(node: &Node<'_>) -> Option<(usize, String)> {
    if node.name == "input" {
        let name = node.attribute("name")?.to_lowercase();
        let rank = words::SKU_FIELDS.iter().position(|known| *known == name)?;
        return Some((rank, plausible(&node.attribute("value")?)?));
    }
    let named = |(name, value): (&str, &str)| {
        let rank = words::SKU_ATTRIBUTES.iter().position(|known| name.eq_ignore_ascii_case(known))?;
        Some((rank, plausible(&clean(value))?))
    };
    node.attributes().filter(|(name, _)| name.len() > 7).filter_map(named).min_by_key(|(rank, _)| *rank)
}

/// The number in the address: a parameter that carries one, or the last long number of the path.
fn from_address(url: &Url) -> Option<String> {
    let parameter = |wanted: &&str| {
        url.query_pairs().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| plausible(&value))
    };
    if let Some(found) = words::SKU_PARAMETERS.iter().find_map(parameter) {
        return Some(found);
    }
    let mut last = None;
    for segment in url.path_segments()? {
        let name = segment.rsplit_once('.').map_or(segment, |(name, _)| name);
        for run in name.split(|c: char| !c.is_ascii_alphanumeric()) {
            let digits = run.bytes().filter(u8::is_ascii_digit).count();
            if digits >= 5 && run.len() <= 20 {
                let number = run.trim_start_matches(|c: char| !c.is_ascii_digit());
                last = Some(if number.len() == digits { number.to_owned() } else { run.to_owned() });
            }
        }
    }
    last
}
