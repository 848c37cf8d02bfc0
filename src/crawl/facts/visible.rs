//! What stands visibly on a page without structured data: headline, price near it, stock words, labelled numbers.
//!
//! Guesses, believed last. Everything is judged by its place: after the headline, and not in a part of the page that
//! is about something else (related products, navigation, reviews).

mod amount;
mod labels;
mod number;
mod stock;

use url::Url;

use super::{draft::Draft, page::Page, words};

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
        draft.sku = number::read(&view, url);
    }
    if known.availability.is_none() {
        let offered = known.price.is_some() || draft.price.is_some();
        draft.availability = stock::read(&view, offered).map(str::to_owned);
    }
    draft
}

/// A page and where its main part lies.
pub(super) struct View<'p, 'a> {
    /// The page.
    pub page: &'p Page<'a>,
    /// The headline element; none when the page has none.
    pub headline: Option<usize>,
    /// Which nodes stand in a part about something else.
    elsewhere: Vec<bool>,
}

impl<'p, 'a> View<'p, 'a> {
    fn new(page: &'p Page<'a>) -> Self {
        let title = page
            .nodes
            .iter()
            .position(|node| node.name == "title")
            .map(|at| page.text(at))
            .unwrap_or_default()
            .to_lowercase();
        let headlines = (0..page.nodes.len()).filter(|&at| page.is(at, "h1")).take(20);
        let score = |at: &usize| {
            let text = page.text(*at).to_lowercase();
            let shared = text.split(' ').filter(|word| word.chars().count() > 2 && title.contains(word)).count();
            (text.chars().count() > 2, shared.min(6), std::cmp::Reverse(*at))
        };
        let headline = headlines.max_by_key(score).filter(|&at| page.text(at).chars().count() > 1);
        let elsewhere = elsewhere(page, headline);
        Self { page, headline, elsewhere }
    }

    fn title(&self) -> Option<String> {
        let of = |at: usize| Some(self.page.text(at)).filter(|text| !text.is_empty());
        self.headline.and_then(of).or_else(|| {
            let title = self.page.nodes.iter().position(|node| node.name == "title").and_then(of)?;
            let cut = [" | ", " - ", " – ", " — ", "_"]
                .iter()
                .filter_map(|sign| title.split_once(sign))
                .map(|(head, _)| head);
            Some(cut.filter(|head| head.chars().count() > 3).min_by_key(|head| head.len()).unwrap_or(&title).to_owned())
        })
    }

    /// Whether a node stands in a part of the page about something else.
    pub fn is_elsewhere(&self, index: usize) -> bool {
        self.elsewhere.get(index).copied().unwrap_or(true)
    }

    /// How far after the headline a node stands, in nodes; before it, counted four times.
    pub fn distance(&self, index: usize) -> usize {
        match self.headline {
            Some(headline) if index >= headline => index - headline,
            Some(headline) => (headline - index).saturating_mul(4),
            None => index,
        }
    }

    /// Class, id and the like of an element, lowercase.
    pub fn marks(&self, index: usize) -> String {
        marks(self.page, index)
    }

    /// Whether an element or one around it, up to `levels`, carries one of `parts` in its class or id.
    pub fn is_marked(&self, index: usize, levels: usize, parts: &[&str]) -> bool {
        std::iter::once(index).chain(self.page.ancestors(index).take(levels)).any(|at| {
            let marks = self.marks(at);
            parts.iter().any(|part| marks.contains(part))
        })
    }

    /// Whether an element is kept from sight by its own tag.
    pub fn is_hidden(&self, index: usize) -> bool {
        std::iter::once(index).chain(self.page.ancestors(index)).any(|at| {
            let Some(node) = self.page.node(at) else { return false };
            let style = node.raw_attribute("style").unwrap_or("").to_ascii_lowercase();
            let hidden = node.attributes().any(|(name, _)| name.eq_ignore_ascii_case("hidden"));
            hidden || node.name == "template" || style.contains("display:none") || style.contains("display: none")
        })
    }
}

fn marks(page: &Page<'_>, index: usize) -> String {
    let Some(node) = page.node(index) else { return String::new() };
    let mut out = String::new();
    for (name, value) in node.attributes() {
        let telling =
            ["class", "id", "itemprop", "data-testid", "data-test", "data-qa", "data-hook", "data-auto", "name"];
        if telling.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            out.push_str(value.get(..value.len().min(200)).unwrap_or(""));
            out.push(' ');
        }
    }
    out.make_ascii_lowercase();
    out
}

/// For each node, whether it stands in a part about something else. An element around the headline never does.
fn elsewhere(page: &Page<'_>, headline: Option<usize>) -> Vec<bool> {
    let mut out = vec![false; page.nodes.len()];
    for index in 0..page.nodes.len() {
        let Some(node) = page.nodes.get(index) else { break };
        let inherited = node.parent != index && out.get(node.parent).copied().unwrap_or(false);
        let holds = headline.is_some_and(|at| at >= index && at < node.end);
        let own = || {
            matches!(node.name, "nav" | "footer" | "select" | "noscript")
                || matches!(
                    node.name,
                    "div" | "section" | "ul" | "aside" | "table" | "li" | "article" | "header" | "unknown"
                ) && {
                    let marks = marks(page, index);
                    words::ELSEWHERE.iter().any(|part| marks.contains(part))
                }
        };
        if let Some(slot) = out.get_mut(index) {
            *slot = !node.is_text() && !holds && (inherited || own()) || node.is_text() && inherited;
        }
    }
    out
}
