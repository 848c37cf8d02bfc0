//! What stands visibly on a page without structured data: headline, price near it, stock words, labelled numbers.
//!
//! Guesses, believed last. Everything is judged by its place: after the headline, and not in a part of the page that
//! is about something else (related products, navigation, reviews).

mod amount;
mod labels;
mod marks;
mod number;
mod stock;

use url::Url;

use super::{
    draft::Draft,
    page::{Page, clean},
};

use self::marks::{Mark, Marks};

/// What is seen of a page that other places did not say; `known` is what they said.
pub(super) fn read(page: &Page<'_>, url: &Url, known: &Draft) -> Draft {
    let view = View::new(page);
    let mut draft = Draft { title: view.title(), ..Draft::default() };
    if known.price.is_none() || known.currency.is_none() {
        let found = amount::read(&view);
        // A currency seen beside another price is still the page's currency.
        draft.price = found.as_ref().map(|found| found.amount);
        draft.currency = found.and_then(|found| found.currency);
    }
    labels::read(&view, &mut draft);
    if known.sku.is_none() {
        draft.sku = number::read(&view, url, known.number.as_deref());
    }
    if known.availability.is_none() {
        let offered = known.price.is_some() || draft.price.is_some();
        draft.availability = stock::read(&view, offered).map(str::to_owned);
    }
    draft
}

/// The article number that stands after its label, or in an element marked as one.
pub(super) fn labelled_sku(page: &Page<'_>) -> Option<String> {
    number::labelled(&View::new(page))
}

/// A page, where its main part lies, and what its elements say of themselves.
pub(super) struct View<'p, 'a> {
    /// The page.
    pub page: &'p Page<'a>,
    /// Short visible texts near the headline, in document order.
    pub texts: Vec<ShortText>,
    headline: Option<usize>,
    marks: Vec<Marks>,
}

/// A short visible text of the main part.
pub(super) struct ShortText {
    /// Its node; a button's element, when the text is its value.
    pub index: usize,
    /// Cleaned.
    pub text: String,
    /// In small letters.
    pub lower: String,
}

/// How far from the headline short texts are collected, in nodes.
const REACH: usize = 3_000;
/// Longest short text, in bytes.
const SHORT_BYTES: usize = 400;

impl<'p, 'a> View<'p, 'a> {
    fn new(page: &'p Page<'a>) -> Self {
        let headline = headline(page);
        let marks = marks::read(page, headline);
        let mut view = Self { page, texts: Vec::new(), headline, marks };
        view.texts = (0..page.nodes.len()).filter_map(|index| view.short_text(index)).collect();
        view
    }

    fn title(&self) -> Option<String> {
        let of = |at: usize| Some(self.page.text(at)).filter(|text| !text.is_empty());
        self.headline.and_then(|at| self.headline_text(at)).or_else(|| {
            let title = self.page.nodes.iter().position(|node| node.name == "title").and_then(of)?;
            let cut = [" | ", " - ", " – ", " — ", "_"]
                .iter()
                .filter_map(|sign| title.split_once(sign))
                .map(|(head, _)| head);
            Some(cut.filter(|head| head.chars().count() > 3).min_by_key(|head| head.len()).unwrap_or(&title).to_owned())
        })
    }

    /// The headline's text; where it was never closed, what stands before the next block.
    fn headline_text(&self, headline: usize) -> Option<String> {
        let inside = self.page.inside(headline);
        let blocks = ["div", "p", "table", "ul", "form", "section"];
        let block = inside.clone().find(|&at| blocks.iter().any(|name| self.page.is(at, name))).unwrap_or(inside.end);
        let before = self.page.text_where(headline, |at| at < block);
        Some(if before.is_empty() { self.page.text(headline) } else { before }).filter(|text| !text.is_empty())
    }

    fn short_text(&self, index: usize) -> Option<ShortText> {
        let node = self.page.node(index)?;
        let raw = if node.is_text() {
            node.raw_text()
        } else if node.name == "input" && matches!(node.raw_attribute("type"), Some("submit" | "button")) {
            node.raw_attribute("value").unwrap_or("")
        } else {
            return None;
        };
        let is_short = (2..SHORT_BYTES).contains(&raw.len()) && !raw.trim().is_empty() && self.distance(index) < REACH;
        if !is_short || self.has(index, Mark::Elsewhere) || self.has(index, Mark::Hidden) {
            return None;
        }
        let text = clean(raw);
        let lower = text.to_lowercase();
        Some(ShortText { index, text, lower })
    }

    /// How far after the headline a node stands, in nodes; before it, counted four times.
    pub fn distance(&self, index: usize) -> usize {
        match self.headline {
            Some(headline) if index >= headline => index - headline,
            Some(headline) => (headline - index).saturating_mul(4),
            None => index,
        }
    }

    /// What an element says of itself; a text, what its element says.
    pub fn has(&self, index: usize, mark: Mark) -> bool {
        self.marks.get(index).is_some_and(|marks| marks.has(mark))
    }

    /// Whether an element or one around it, up to `levels`, carries a mark.
    pub fn is_marked(&self, index: usize, levels: usize, mark: Mark) -> bool {
        std::iter::once(index).chain(self.page.ancestors(index).take(levels)).any(|at| self.has(at, mark))
    }
}

/// The headline: of several, the one that shares most words with the page's title; the first of equals.
fn headline(page: &Page<'_>) -> Option<usize> {
    let title = page
        .nodes
        .iter()
        .position(|node| node.name == "title")
        .map(|at| page.text(at))
        .unwrap_or_default()
        .to_lowercase();
    let score =
        |text: &str| text.split(' ').filter(|word| word.chars().count() > 2 && title.contains(word)).count().min(6);
    let headlines =
        (0..page.nodes.len()).filter(|&at| page.is(at, "h1")).take(20).map(|at| (at, page.text(at).to_lowercase()));
    let named = headlines.filter(|(_, text)| text.chars().count() > 1);
    named.map(|(at, text)| (score(&text), std::cmp::Reverse(at))).max().map(|(_, at)| at.0)
}
