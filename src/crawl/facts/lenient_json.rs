//! JSON as shops write it: comments, control characters, trailing commas, quotes inside texts, wrong
//! nesting, an end that never comes.
//!
//! What is right is read as it is; only what is wrong is mended, once, in one pass.

use std::borrow::Cow;

use serde_json::Value;

use super::entities;

/// Most values read from one script.
const VALUES: usize = 16;
/// Deeper nesting is given up.
const DEPTH: usize = 100;

/// The values in `raw`, mended where they must be.
pub(super) fn read(raw: &str) -> Vec<Value> {
    let raw = raw.trim().trim_start_matches('\u{FEFF}');
    if let Ok(value) = serde_json::from_str(raw) {
        return vec![value];
    }
    let text =
        if raw.contains("&quot;") && raw.matches('"').count() < 2 { entities::decode(raw) } else { Cow::Borrowed(raw) };
    let mended = Mender::default().mend(&text);
    let values = serde_json::Deserializer::from_str(&mended).into_iter::<Value>();
    values.take(VALUES).map_while(Result::ok).collect()
}

#[derive(Default)]
struct Mender {
    out: String,
    open: Vec<char>,
    /// The last character that meant something, outside texts; `"` after a text.
    last: char,
    /// Whether the last text was the name of a member.
    named: bool,
}

impl Mender {
    fn mend(mut self, text: &str) -> String {
        self.out.reserve(text.len() + 16);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = comment(rest) {
                rest = after;
                continue;
            }
            let after = rest.get(c.len_utf8()..).unwrap_or("");
            rest = match c {
                '"' | '\'' => self.text(c, after),
                '{' | '[' if self.open.len() < DEPTH => {
                    self.separate();
                    self.open.push(if c == '{' { '}' } else { ']' });
                    self.put(c);
                    after
                }
                '{' | '[' => break,
                '}' | ']' => {
                    self.close(c);
                    after
                }
                ',' if matches!(self.last, ',' | '{' | '[' | ':') => after,
                // An entity or a stray sign between values.
                ';' | '\\' | '<' | '>' => after,
                c if c.is_whitespace() || c.is_control() => {
                    self.out.push(' ');
                    after
                }
                c => {
                    self.put(c);
                    after
                }
            };
        }
        while let Some(closer) = self.open.pop() {
            self.end_member(closer);
            self.put(closer);
        }
        self.out
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.last = c;
    }

    /// A comma where two values touch.
    fn separate(&mut self) {
        if !self.open.is_empty() && matches!(self.last, '}' | ']' | '"') {
            self.put(',');
        }
    }

    fn drop_comma(&mut self) {
        if self.last == ',' {
            let kept = self.out.trim_end().trim_end_matches(',').len();
            self.out.truncate(kept);
            self.last = self.out.chars().next_back().unwrap_or(' ');
        }
    }

    /// Ends what stands before `closer`: no comma, and no name without a value.
    fn end_member(&mut self, closer: char) {
        self.drop_comma();
        let lonely = closer == '}' && self.named && self.last == '"';
        if lonely {
            self.out.push(':');
        }
        if lonely || self.last == ':' {
            self.out.push_str("null");
        }
    }

    /// Closes what is open up to `closer`; an end without a beginning is dropped.
    fn close(&mut self, closer: char) {
        if !self.open.contains(&closer) {
            return;
        }
        while let Some(open) = self.open.pop() {
            self.end_member(open);
            self.put(open);
            if open == closer {
                break;
            }
        }
    }

    /// A text that began with `quote`; gives what follows it.
    fn text<'a>(&mut self, quote: char, text: &'a str) -> &'a str {
        self.separate();
        self.named = self.open.last() == Some(&'}') && matches!(self.last, '{' | ',');
        self.out.push('"');
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or("");
            rest = match c {
                '\\' => self.escape(after),
                c if c == quote && ends_text(after) => {
                    self.put('"');
                    return after;
                }
                '"' => {
                    self.out.push_str("\\\"");
                    after
                }
                c if c.is_control() => {
                    self.out.push(' ');
                    after
                }
                c => {
                    self.out.push(c);
                    after
                }
            };
        }
        self.put('"');
        rest
    }

    fn escape<'a>(&mut self, after: &'a str) -> &'a str {
        let Some(c) = after.chars().next() else { return after };
        let rest = after.get(c.len_utf8()..).unwrap_or("");
        let hex = || after.get(1..5).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match c {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => self.out.extend(['\\', c]),
            'u' if hex() => self.out.push_str("\\u"),
            '\'' => self.out.push('\''),
            c if c.is_control() => self.out.push(' '),
            c => {
                self.out.push_str("\\\\");
                self.out.push(c);
            }
        }
        rest
    }
}

/// Whether a quote before `after` ends its text: a sign of structure follows, or another text on a line of its own.
fn ends_text(after: &str) -> bool {
    let next = after.trim_start();
    let space = after.get(..after.len() - next.len()).unwrap_or("");
    next.is_empty() || next.starts_with([',', ':', '}', ']']) || next.starts_with('"') && space.contains('\n')
}

/// What follows the comment that `text` begins with.
fn comment(text: &str) -> Option<&str> {
    for (open, close) in [("/*", "*/"), ("<!--", "\n"), ("//", "\n")] {
        if let Some(body) = text.strip_prefix(open) {
            // `<!--` at the start of a script hides the rest of its line from old browsers, nothing more.
            if open == "<!--" {
                return Some(body);
            }
            if let Some(cdata) = body.strip_prefix("<![CDATA[").or_else(|| body.strip_prefix("]]>")) {
                return Some(cdata);
            }
            return Some(body.split_once(close).map_or("", |(_, rest)| rest));
        }
    }
    ["-->", "<![CDATA[", "]]>"].iter().find_map(|mark| text.strip_prefix(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(raw: &str) -> String {
        let values = read(raw);
        assert_eq!(values.len(), 1, "{raw} {values:?}");
        values[0].to_string()
    }

    #[test]
    fn what_shops_get_wrong_is_mended() {
        for (raw, expected) in [
            ("{\"a\":1,}", r#"{"a":1}"#),
            ("[1,,2,]", "[1,2]"),
            ("<!-- \n{\"a\":\"x\ty\n\"}\n//-->", r#"{"a":"x y "}"#),
            ("//<![CDATA[\n{\"a\":1}\n//]]>", r#"{"a":1}"#),
            ("/* c */{\"a\": /* d */ \"http://x/*y*/\"};", r#"{"a":"http://x/*y*/"}"#),
            ("{\"a\":\"5\" monitor\",\"b\":2}", r#"{"a":"5\" monitor","b":2}"#),
            ("{\"a\":\"it\\'s \\x\"}", r#"{"a":"it's \\x"}"#),
            ("{\"a\":[1,2}", r#"{"a":[1,2]}"#),
            ("{\"a\":{\"b\":\"cut o", r#"{"a":{"b":"cut o"}}"#),
            ("{\"a\":1}}", r#"{"a":1}"#),
            ("{\"a\":1,\"b", r#"{"a":1,"b":null}"#),
            ("{\"a\":{\"b\":", r#"{"a":{"b":null}}"#),
            ("{\"a\":\"1\"\n\"b\":2}", r#"{"a":"1","b":2}"#),
            ("{&quot;a&quot;:&quot;b&quot;}", r#"{"a":"b"}"#),
            ("{'a':'b'}", r#"{"a":"b"}"#),
        ] {
            assert_eq!(one(raw), expected, "{raw}");
        }
    }

    #[test]
    fn several_values_in_one_script_are_all_read() {
        assert_eq!(read("{\"a\":1}\n{\"b\":2}").len(), 2);
        assert!(read("").is_empty() && read("nonsense").is_empty());
    }

    #[test]
    fn nesting_past_the_bound_is_given_up_without_harm() {
        assert!(read(&"[".repeat(100_000)).len() <= 1);
        assert!(read(&"{\"a\":".repeat(DEPTH + 1)).len() <= 1);
    }
}
