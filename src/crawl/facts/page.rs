//! A page as a flat list of elements and texts in document order.
//!
//! Made in one pass and in time linear in the page, whatever the page is: unlike a browser's tree
//! builder it never copies formatting elements or walks deep stacks. It is enough for microdata and
//! for what stands visibly on a page; a profile's selectors get a full document instead.

use super::entities;

/// Most elements and texts kept of one page.
pub(super) const NODES: usize = 200_000;
/// Elements nested deeper are kept as if they stood at this depth.
pub(super) const DEPTH: usize = 256;
/// Most attributes looked at in one element.
const ATTRIBUTES: usize = 64;
/// Longest text collected from one element, in bytes.
pub(super) const TEXT_BYTES: usize = 20_000;

/// Elements without an end tag.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements whose text is not markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];
/// Elements that an end tag of an outer element does not close.
const SCOPES: &[&str] = &["table", "td", "th", "caption", "template", "object", "marquee", "applet"];
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

struct Builder<'a> {
    page: Page<'a>,
    open: Vec<usize>,
    too_deep: usize,
}

impl<'a> Page<'a> {
    /// Reads `html`.
    pub(super) fn read(html: &'a str) -> Self {
        let mut builder = Builder { page: Page::default(), open: Vec::new(), too_deep: 0 };
        let mut rest = html;
        while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
            let (text, markup) = rest.split_at(at);
            builder.text(text);
            rest = builder.markup(markup);
            if builder.page.nodes.len() >= NODES {
                builder.page.cut = true;
                break;
            }
        }
        if !builder.page.cut {
            builder.text(rest);
        }
        builder.finish()
    }

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
        for at in index..node.end.min(self.nodes.len()) {
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

impl<'a> Builder<'a> {
    fn push(&mut self, name: &'a str, raw: &'a str) -> usize {
        let index = self.page.nodes.len();
        let parent = self.open.last().copied().unwrap_or(index);
        self.page.nodes.push(Node { name, raw, parent, end: index + 1 });
        index
    }

    fn text(&mut self, raw: &'a str) {
        if !raw.trim().is_empty() {
            self.push("", raw);
        } else if !raw.is_empty() && self.page.nodes.last().is_some_and(|node| node.is_text() || !node.name.is_empty())
        {
            // White space between two inline elements separates words.
            self.push("", " ");
        }
    }

    /// Reads what begins with `<`, and gives what follows it.
    fn markup(&mut self, markup: &'a str) -> &'a str {
        let after = markup.get(1..).unwrap_or("");
        if let Some(comment) = after.strip_prefix("!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        match after.bytes().next() {
            Some(b'!' | b'?') => after.split_once('>').map_or("", |(_, rest)| rest),
            Some(b'/') => {
                let (tag, rest) = after.get(1..).unwrap_or("").split_once('>').unwrap_or((after, ""));
                self.close(element_name(tag));
                rest
            }
            Some(byte) if byte.is_ascii_alphabetic() => self.open_tag(after),
            _ => {
                self.push("", markup.get(..1).unwrap_or(""));
                after
            }
        }
    }

    fn open_tag(&mut self, after: &'a str) -> &'a str {
        let end = tag_end(after);
        let tag = after.get(..end).unwrap_or(after);
        let rest = after.get(end + 1..).unwrap_or("");
        let (written, attributes) =
            tag.split_at(tag.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(tag.len()));
        let name = element_name(written);
        self.close_implied(name);
        let index = self.push(if name.is_empty() { "unknown" } else { name }, attributes);
        if VOID.binary_search(&name).is_ok() || (attributes.ends_with('/') && is_foreign(name)) {
            return rest;
        }
        if RAW.contains(&name) {
            return self.raw(index, name, rest);
        }
        self.page.deepest = self.page.deepest.max(self.open.len() + self.too_deep);
        self.page.open_formatting += usize::from(is_formatting(name));
        if self.open.len() < DEPTH {
            self.open.push(index)
        } else {
            self.too_deep += 1
        }
        rest
    }

    /// The text of a script, style or title, up to its end tag.
    fn raw(&mut self, index: usize, name: &str, rest: &'a str) -> &'a str {
        let bytes = rest.as_bytes();
        let mut from = 0;
        let (text, after) = loop {
            let Some(at) = bytes.get(from..).and_then(|tail| memchr::memmem::find(tail, b"</")) else {
                break (rest, "");
            };
            let close = from + at;
            let named =
                rest.get(close + 2..close + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
            if named {
                let tail = rest.get(close..).unwrap_or("");
                break (rest.get(..close).unwrap_or(""), tail.split_once('>').map_or("", |(_, rest)| rest));
            }
            from = close + 2;
        };
        if !text.trim().is_empty() {
            let at = self.page.nodes.len();
            self.page.nodes.push(Node { name: "", raw: text, parent: index, end: at + 1 });
        }
        let end = self.page.nodes.len();
        if let Some(node) = self.page.nodes.get_mut(index) {
            node.end = end;
        }
        after
    }

    /// Closes what a start tag of `name` closes without saying so.
    fn close_implied(&mut self, name: &str) {
        let closes: &[&str] = match name {
            "li" => &["li", "p"],
            "dt" | "dd" => &["dt", "dd", "p"],
            "tr" => &["td", "th", "tr", "p"],
            "td" | "th" => &["td", "th", "p"],
            "option" => &["option"],
            "p" | "div" | "ul" | "ol" | "table" | "h1" | "h2" | "h3" | "section" | "form" | "dl" => &["p"],
            _ => return,
        };
        while self
            .open
            .last()
            .is_some_and(|&at| self.page.nodes.get(at).is_some_and(|node| closes.contains(&node.name)))
        {
            self.pop();
        }
    }

    fn close(&mut self, name: &str) {
        if is_formatting(name) {
            self.page.open_formatting = self.page.open_formatting.saturating_sub(1);
        }
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let passes_scopes = SCOPES.contains(&name) || matches!(name, "tr" | "tbody" | "body" | "html");
        let found = self.open.iter().rev().take_while_inclusive_scope(&self.page, name, passes_scopes);
        for _ in 0..found {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let end = self.page.nodes.len();
        if let Some(node) = self.open.pop().and_then(|index| self.page.nodes.get_mut(index)) {
            node.end = end;
        }
    }

    fn finish(mut self) -> Page<'a> {
        while !self.open.is_empty() {
            self.pop();
        }
        self.page
    }
}

/// How many open elements an end tag closes.
trait ScopedSearch {
    fn take_while_inclusive_scope(self, page: &Page<'_>, name: &str, passes_scopes: bool) -> usize;
}

impl<'o, I: Iterator<Item = &'o usize>> ScopedSearch for I {
    fn take_while_inclusive_scope(self, page: &Page<'_>, name: &str, passes_scopes: bool) -> usize {
        for (count, &index) in self.enumerate() {
            let open = page.nodes.get(index).map_or("", |node| node.name);
            if open == name {
                return count + 1;
            }
            if !passes_scopes && SCOPES.contains(&open) {
                return 0;
            }
        }
        0
    }
}

/// Where a tag ends: at the first `>` outside quotes.
fn tag_end(tag: &str) -> usize {
    let bytes = tag.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr3(b'>', b'"', b'\'', rest)) {
        let position = at + found;
        let byte = bytes.get(position).copied().unwrap_or(b'>');
        // A quote opens a value only after `=`.
        let opens = bytes.get(..position).is_some_and(|before| before.trim_ascii_end().ends_with(b"="));
        if byte == b'>' {
            return position;
        }
        at = position + 1;
        if opens {
            match bytes.get(at..).and_then(|rest| memchr::memchr(byte, rest)) {
                Some(close) => at += close + 1,
                // The quote is never closed: the tag ends at the next `>`.
                None => {
                    return bytes
                        .get(at..)
                        .and_then(|rest| memchr::memchr(b'>', rest))
                        .map_or(tag.len(), |end| at + end);
                }
            }
        }
    }
    tag.len()
}

/// A known lowercase name for a tag's name, without allocating.
fn element_name(written: &str) -> &'static str {
    const NAMES: &[&str] = &[
        "a",
        "abbr",
        "address",
        "applet",
        "area",
        "article",
        "aside",
        "b",
        "base",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "body",
        "br",
        "button",
        "canvas",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "data",
        "dd",
        "del",
        "details",
        "dfn",
        "dialog",
        "div",
        "dl",
        "dt",
        "em",
        "embed",
        "fieldset",
        "figcaption",
        "figure",
        "font",
        "footer",
        "form",
        "frame",
        "g",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "i",
        "iframe",
        "img",
        "input",
        "ins",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "map",
        "mark",
        "marquee",
        "menu",
        "meta",
        "nav",
        "nobr",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "ol",
        "optgroup",
        "option",
        "p",
        "param",
        "path",
        "picture",
        "pre",
        "s",
        "samp",
        "script",
        "section",
        "select",
        "small",
        "source",
        "span",
        "strike",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "svg",
        "table",
        "tbody",
        "td",
        "template",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "track",
        "tt",
        "u",
        "ul",
        "use",
        "var",
        "video",
        "wbr",
        "xmp",
    ];
    let written = written.trim();
    let mut buffer = [0_u8; 12];
    let Some(lower) = buffer.get_mut(..written.len()) else { return "unknown" };
    lower.copy_from_slice(written.as_bytes());
    lower.make_ascii_lowercase();
    let lower: &[u8] = lower;
    NAMES
        .binary_search_by(|name| name.as_bytes().cmp(lower))
        .ok()
        .and_then(|at| NAMES.get(at))
        .copied()
        .unwrap_or("unknown")
}

fn is_foreign(name: &str) -> bool {
    matches!(name, "path" | "g" | "use" | "svg" | "unknown")
}

fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "a" | "b" | "big" | "code" | "em" | "font" | "i" | "nobr" | "s" | "small" | "strike" | "strong" | "tt" | "u"
    )
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
        assert!(VOID.is_sorted() && BLOCKS.is_sorted());
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
