//! A page as a flat list of elements and texts in document order.
//!
//! Made in one pass and in time linear in the page, whatever the page is: unlike a browser's tree
//! builder it never copies formatting elements or walks deep stacks. It is enough for microdata and
//! for what stands visibly on a page; a profile's selectors get a full document instead.

mod builder;

use super::entities;

/// Most elements and texts kept of one page.
pub(super) const NODES: usize = 200_000;
/// Elements nested deeper are kept as if they stood at this depth.
pub(super) const DEPTH: usize = 256;
/// Most attributes looked at in one element.
const ATTRIBUTES: usize = 64;
/// Most nodes whose text is joined into one.
const TEXT_NODES: usize = 4_000;
/// Longest text collected from one element, in bytes.
pub(super) const TEXT_BYTES: usize = 20_000;

/// Elements that begin a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "button",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "label",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];

/// An element or a text of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    /// Lowercase name of the element; empty for a text.
    pub name: &'a str,
    /// A text as it stands in the page, or an element's attributes as they stand in its tag.
    raw: &'a str,
    /// Index of the element around it; its own index at the root.
    pub parent: usize,
    /// Index after its last descendant.
    pub end: usize,
}

/// A page, flat.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    /// Elements and texts in document order.
    pub nodes: Vec<Node<'a>>,
    /// The deepest nesting met, before it was cut at [`DEPTH`].
    pub deepest: usize,
    /// Formatting elements left open.
    pub open_formatting: usize,
    /// Whether the page had more than [`NODES`].
    pub cut: bool,
}

impl<'a> Page<'a> {
    /// The element or text at `index`.
    pub(super) fn node(&self, index: usize) -> Option<&Node<'a>> {
        self.nodes.get(index)
    }

    /// Whether the node is the element `name`.
    pub(super) fn is(&self, index: usize, name: &str) -> bool {
        self.nodes.get(index).is_some_and(|node| node.name == name)
    }

    /// The elements around a node, innermost first.
    pub(super) fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let mut at = index;
        std::iter::from_fn(move || {
            let parent = self.nodes.get(at)?.parent;
            if parent == at {
                return None;
            }
            at = parent;
            Some(at)
        })
    }

    /// The nodes inside an element, in order.
    pub(super) fn inside(&self, index: usize) -> std::ops::Range<usize> {
        index + 1..self.nodes.get(index).map_or(index + 1, |node| node.end).max(index + 1)
    }

    /// The visible text of a node, spaces collapsed and entities decoded.
    pub(super) fn text(&self, index: usize) -> String {
        self.text_where(index, |_| true)
    }

    /// The same, of those texts inside that `keep` admits.
    pub(super) fn text_where(&self, index: usize, keep: impl Fn(usize) -> bool) -> String {
        let mut raw = String::new();
        let Some(node) = self.nodes.get(index) else { return raw };
        let mut blocks: Vec<usize> = Vec::new();
        for at in (index..node.end.min(self.nodes.len())).take(TEXT_NODES) {
            let node = &self.nodes[at];
            while blocks.pop_if(|end| *end <= at).is_some() {
                raw.push(' ');
            }
            if node.is_text() {
                if keep(at) && self.nodes.get(node.parent).is_none_or(|parent| !is_hidden_text(parent.name)) {
                    raw.push_str(node.raw);
                }
            } else if node.name == "sup" && raw.trim_end().ends_with(|c: char| c.is_ascii_digit()) {
                // Cents are often set small and high: 12<sup>99</sup>.
                raw.push('.');
            } else if BLOCKS.binary_search(&node.name).is_ok() {
                raw.push(' ');
                blocks.push(node.end);
            }
            if raw.len() > TEXT_BYTES {
                break;
            }
        }
        clean(&raw)
    }
}

impl<'a> Node<'a> {
    /// Whether it is a text.
    pub(super) fn is_text(&self) -> bool {
        self.name.is_empty()
    }

    /// A text as it stands in the page; empty for an element.
    pub(super) fn raw_text(&self) -> &'a str {
        if self.is_text() { self.raw } else { "" }
    }

    /// The element's attributes: name as written and value with entities undecoded.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = if self.is_text() { "" } else { self.raw };
        std::iter::from_fn(move || next_attribute(&mut rest)).take(ATTRIBUTES)
    }

    /// The attribute `name`, entities undecoded.
    pub(super) fn raw_attribute(&self, name: &str) -> Option<&'a str> {
        if self.raw.len() < name.len() {
            return None;
        }
        self.attributes().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The attribute `name`, decoded and trimmed.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.raw_attribute(name).map(clean)
    }
}

/// Entities decoded, white space collapsed, ends trimmed.
pub(super) fn clean(raw: &str) -> String {
    let decoded = entities::decode(raw);
    let mut out = String::with_capacity(decoded.len());
    for word in decoded.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn is_hidden_text(name: &str) -> bool {
    matches!(name, "script" | "style" | "template" | "iframe" | "noembed" | "noframes" | "xmp")
}

fn next_attribute<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    let text = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    let name_end = text.find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/').unwrap_or(text.len());
    if text.is_empty() {
        return None;
    }
    // A stray `=` is no name, and must be stepped over.
    let (name, after) = text.split_at(if name_end == 0 { 1 } else { name_end });
    let spaced = after.trim_start();
    let Some(value) = spaced.strip_prefix('=') else {
        *rest = after;
        return Some((name, ""));
    };
    let value = value.trim_start();
    let (value, after) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let body = value.get(1..).unwrap_or("");
            body.split_once(quote).unwrap_or((body, ""))
        }
        _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
    };
    *rest = after;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(html: &str) -> String {
        let page = Page::read(html);
        let depth = |index| page.ancestors(index).count();
        let show = |(index, node): (usize, &Node<'_>)| {
            let what = if node.is_text() { clean(node.raw) } else { format!("<{}>", node.name) };
            format!("{}{what}", depth(index))
        };
        page.nodes.iter().enumerate().filter(|(_, n)| n.raw_text() != " ").map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn elements_and_texts_keep_their_place() {
        assert_eq!(outline("<DIV class=a><p>x<p>y</div>z"), "0<div> 1<p> 2x 1<p> 2y 0z");
        assert_eq!(outline("<ul><li>a<li><b>b</b></ul>c"), "0<ul> 1<li> 2a 1<li> 2<b> 3b 0c");
        assert_eq!(outline("<script>a<b</script><!-- <p> -->t<br>u"), "0<script> 1a<b 0t 0<br> 0u");
        assert_eq!(outline("1 < 2 <"), "01 0< 02 0<");
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(BLOCKS.is_sorted());
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let page = Page::read("<input a=1 B='x > y' c = \"&amp;&#20113;\" d e=f/>t");
        let node = page.node(0).unwrap();
        let value = |name| node.attribute(name);
        assert_eq!((value("a"), value("b"), value("C")), (Some("1".into()), Some("x > y".into()), Some("&云".into())));
        assert_eq!((value("d"), value("z")), (Some(String::new()), None));
        assert_eq!(page.node(1).unwrap().raw_text(), "t");
    }

    #[test]
    fn visible_text_is_joined_as_it_is_seen() {
        let page = Page::read("<div>云雀&nbsp; <b>跑</b>鞋<script>no</script><p>1</p>12<sup>99</sup></div>");
        assert_eq!(page.text(0), "云雀 跑鞋 1 12.99");
    }

    #[test]
    fn a_page_nested_without_end_costs_linear_time_and_is_cut() {
        let html = "<div><b>".repeat(NODES);
        let page = Page::read(&html);
        assert!(page.cut && page.nodes.len() <= NODES + 1);
        assert!(page.ancestors(page.nodes.len() - 1).count() <= DEPTH);
        assert!(page.deepest > DEPTH && page.open_formatting > DEPTH);
    }
}
