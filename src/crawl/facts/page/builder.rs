//! From markup to the flat list: tags, attributes' bounds, what closes what.

use super::{DEPTH, NODES, Node, Page};

/// Elements without an end tag.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements whose text is not markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];
/// Elements that an end tag of an outer element does not close.
const SCOPES: &[&str] = &["table", "td", "th", "caption", "template", "object", "marquee", "applet"];

struct Builder<'a> {
    page: Page<'a>,
    open: Vec<usize>,
    too_deep: usize,
}

impl<'a> Page<'a> {
    /// Reads `html`.
    pub(in crate::crawl::facts) fn read(html: &'a str) -> Self {
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
        for _ in 0..self.closed_by(name, passes_scopes) {
            self.pop();
        }
    }

    /// How many open elements an end tag closes.
    fn closed_by(&self, name: &str, passes_scopes: bool) -> usize {
        for (count, &index) in self.open.iter().rev().enumerate() {
            let open = self.page.nodes.get(index).map_or("", |node| node.name);
            if open == name {
                return count + 1;
            }
            if !passes_scopes && SCOPES.contains(&open) {
                return 0;
            }
        }
        0
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

/// Names of elements that are told apart.
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

/// A known lowercase name for a tag's name, without allocating.
fn element_name(written: &str) -> &'static str {
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

    #[test]
    fn the_tables_are_sorted() {
        assert!(VOID.is_sorted());
        assert!(NAMES.is_sorted());
    }
}
