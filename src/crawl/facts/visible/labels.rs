//! Names and values that stand side by side: rows of tables, definition lists, `Brand: Acme`.

use serde_json::Value;

use super::{
    super::{draft::Draft, words},
    Mark, View,
};

/// Longest name of a property, in characters.
const NAME_CHARS: usize = 40;
/// Most rows looked at.
const ROWS: usize = 2_000;
/// How far from the headline a brand may stand, in nodes.
const BRAND_REACH: usize = 150;
/// Longest value, in characters.
const VALUE_CHARS: usize = 300;

/// Adds the named properties of the page, and the brand among them.
pub(super) fn read(view: &View<'_, '_>, draft: &mut Draft) {
    for (name, value) in
        (0..view.page.nodes.len()).filter(|&index| is_row(view, index)).take(ROWS).filter_map(|index| pair(view, index))
    {
        let lower = name.to_lowercase();
        if draft.brand.is_none() && words::BRAND_LABELS.contains(&lower.as_str()) && value.chars().count() <= 60 {
            draft.brand = Some(value.clone());
        }
        draft.attribute(&name, Value::String(value));
    }
    if draft.brand.is_none() {
        draft.brand = marked_brand(view);
    }
}

/// A short text near the headline in an element whose class says brand.
fn marked_brand(view: &View<'_, '_>) -> Option<String> {
    let near = view
        .texts
        .iter()
        .filter(|short| view.distance(short.index) < BRAND_REACH && short.text.chars().count() <= NAME_CHARS);
    let marked = near.filter(|short| view.is_marked(short.index, 1, Mark::Brand));
    let is_label =
        |text: &str| words::BRAND_LABELS.contains(&text.trim_end_matches([':', '：', ' ']).to_lowercase().as_str());
    marked.filter(|short| !is_label(&short.text)).find_map(|short| words::brand(&short.text))
}

fn is_row(view: &View<'_, '_>, index: usize) -> bool {
    view.page.node(index).is_some_and(|node| matches!(node.name, "tr" | "dt" | "li"))
        && !view.has(index, Mark::Elsewhere)
}

/// The name and value that a row of two cells, or a term and its description, state.
fn pair(view: &View<'_, '_>, index: usize) -> Option<(String, String)> {
    let node = view.page.node(index)?;
    let cells: Vec<usize> = match node.name {
        "tr" => children(view, index, &["th", "td"]),
        "dt" => {
            let next = (node.end..view.page.nodes.len()).take(3).find(|&at| view.page.is(at, "dd"))?;
            vec![index, next]
        }
        "li" => labelled_item(view, index)?,
        _ => return None,
    };
    let [name, value] = cells.as_slice() else { return None };
    let name = view.page.text(*name);
    let value = if node.name == "li" {
        view.page.text(index).strip_prefix(&name)?.trim().to_owned()
    } else {
        view.page.text(*value)
    };
    let name = name.trim_end_matches([':', '：', ' ']).to_owned();
    let fits = (1..=NAME_CHARS).contains(&name.chars().count()) && (1..=VALUE_CHARS).contains(&value.chars().count());
    (fits && name.chars().any(char::is_alphabetic)).then_some((name, value))
}

fn children(view: &View<'_, '_>, index: usize, names: &[&str]) -> Vec<usize> {
    let is_child =
        |&at: &usize| view.page.node(at).is_some_and(|node| node.parent == index && names.contains(&node.name));
    view.page.inside(index).filter(is_child).take(3).collect()
}

/// `<li><strong>Brand:</strong> Acme</li>`
fn labelled_item(view: &View<'_, '_>, index: usize) -> Option<Vec<usize>> {
    let first = view
        .page
        .inside(index)
        .find(|&at| view.page.node(at).is_some_and(|node| node.raw_text().trim() != "" || !node.is_text()))?;
    let node = view.page.node(first)?;
    let is_label = matches!(node.name, "strong" | "b" | "span" | "label" | "em") && node.parent == index;
    (is_label && view.page.text(first).trim_end().ends_with([':', '：'])).then(|| vec![first, index])
}
