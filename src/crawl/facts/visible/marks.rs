//! What elements say of themselves by class, id and style, read once for the whole page.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::super::{
    page::{Node, Page},
    words,
};

/// Something an element says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(in crate::crawl::facts) enum Mark {
    /// It is a price.
    Price = 1,
    /// It is the price one pays.
    Paid = 2,
    /// It is a price one does not pay.
    NotPaid = 4,
    /// It is about stock.
    Stock = 8,
    /// It belongs to a part of the page about something else. Inherited.
    Elsewhere = 16,
    /// It is kept from sight. Inherited.
    Hidden = 32,
    /// It is struck through. Inherited.
    Struck = 64,
    /// It is a link, or stands in one. Inherited.
    Link = 128,
    /// It is an article number.
    Number = 256,
    /// It is a brand.
    Brand = 512,
}

/// The marks of one element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::crawl::facts) struct Marks(u16);

impl Marks {
    /// Whether `mark` is among them.
    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark as u16 != 0
    }

    fn add(&mut self, mark: Mark) {
        self.0 |= mark as u16;
    }
}

/// Attributes whose words tell what an element is.
const TELLING: &[&str] =
    &["class", "id", "itemprop", "data-testid", "data-test", "data-qa", "data-qa-qualifier", "data-hook", "data-auto"];
/// Longest value looked at, in bytes.
const VALUE_BYTES: usize = 200;
/// Marks that everything inside an element shares.
const INHERITED: u16 = Mark::Elsewhere as u16 | Mark::Hidden as u16 | Mark::Struck as u16 | Mark::Link as u16;

struct Known {
    parts: Option<AhoCorasick>,
    marks: Vec<Mark>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let tables = [
        (words::PRICE_CLASS, Mark::Price),
        (words::PAID_CLASS, Mark::Paid),
        (words::NOT_PAID_CLASS, Mark::NotPaid),
        (words::STOCK_CLASS, Mark::Stock),
        (words::NUMBER_CLASS, Mark::Number),
        (words::BRAND_CLASS, Mark::Brand),
        (words::ELSEWHERE, Mark::Elsewhere),
    ];
    let all: Vec<(&str, Mark)> =
        tables.iter().flat_map(|(parts, mark)| parts.iter().map(|part| (*part, *mark))).collect();
    let parts = AhoCorasick::builder().ascii_case_insensitive(true).build(all.iter().map(|(part, _)| part)).ok();
    Known { parts, marks: all.into_iter().map(|(_, mark)| mark).collect() }
});

/// The marks of every node. An element around the headline is never about something else.
pub(super) fn read(page: &Page<'_>, headline: Option<usize>) -> Vec<Marks> {
    let mut out: Vec<Marks> = Vec::with_capacity(page.nodes.len());
    for (index, node) in page.nodes.iter().enumerate() {
        let around =
            if node.parent == index { Marks::default() } else { out.get(node.parent).copied().unwrap_or_default() };
        if node.is_text() {
            out.push(around);
            continue;
        }
        let mut marks = own(node);
        marks.0 |= around.0 & INHERITED;
        if headline.is_some_and(|at| at >= index && at < node.end) {
            marks.0 &= !(Mark::Elsewhere as u16);
        }
        out.push(marks);
    }
    out
}

fn own(node: &Node<'_>) -> Marks {
    let mut marks = Marks::default();
    match node.name {
        "del" | "s" | "strike" => marks.add(Mark::Struck),
        "template" | "script" | "style" | "title" | "option" | "textarea" => marks.add(Mark::Hidden),
        "nav" | "footer" | "select" | "noscript" => marks.add(Mark::Elsewhere),
        "a" => marks.add(Mark::Link),
        _ => {}
    }
    for (name, value) in node.attributes() {
        if name.eq_ignore_ascii_case("style") {
            style(&mut marks, value);
        } else if name.eq_ignore_ascii_case("hidden") {
            marks.add(Mark::Hidden);
        } else if TELLING.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            classes(&mut marks, value, node.name);
        }
    }
    marks
}

fn style(marks: &mut Marks, value: &str) {
    let value: String =
        value.chars().filter(|c| !c.is_whitespace()).take(VALUE_BYTES).flat_map(char::to_lowercase).collect();
    if value.contains("display:none") {
        marks.add(Mark::Hidden);
    }
    if value.contains("line-through") {
        marks.add(Mark::Struck);
    }
}

fn classes(marks: &mut Marks, value: &str, element: &str) {
    let is_part = matches!(
        element,
        "div" | "section" | "ul" | "ol" | "aside" | "table" | "li" | "article" | "header" | "unknown"
    );
    let bytes = value.as_bytes();
    let bytes = bytes.get(..bytes.len().min(VALUE_BYTES)).unwrap_or(bytes);
    let Some(parts) = &KNOWN.parts else { return };
    for found in parts.find_overlapping_iter(bytes) {
        let Some(&mark) = KNOWN.marks.get(found.pattern().as_usize()) else { continue };
        if mark != Mark::Elsewhere || is_part {
            marks.add(mark);
        }
    }
}
