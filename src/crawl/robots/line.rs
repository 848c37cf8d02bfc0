//! The lines of a robots.txt: key, value, number, however they end.

/// What a line speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    UserAgent,
    Allow,
    Disallow,
    CrawlDelay,
    Sitemap,
    Other,
}

/// Keys as people write them; the misspelled ones are widespread and meant seriously.
const KEYS: [(&str, Key); 13] = [
    ("user-agent", Key::UserAgent),
    ("useragent", Key::UserAgent),
    ("user agent", Key::UserAgent),
    ("allow", Key::Allow),
    ("disallow", Key::Disallow),
    ("dissallow", Key::Disallow),
    ("dissalow", Key::Disallow),
    ("disalow", Key::Disallow),
    ("diasllow", Key::Disallow),
    ("disallaw", Key::Disallow),
    ("crawl-delay", Key::CrawlDelay),
    ("sitemap", Key::Sitemap),
    ("site-map", Key::Sitemap),
];

/// One line with a key.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) key: Key,
    /// Without its comment, trimmed.
    pub(super) value: Vec<u8>,
    /// From 1.
    pub(super) number: usize,
    /// The whole line.
    pub(super) text: Vec<u8>,
}

/// The lines of `bytes` that have a key, each cut to `max` bytes.
pub(super) fn lines(bytes: &[u8], max: usize) -> impl Iterator<Item = Line> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    Split { rest: Some(bytes) }.enumerate().filter_map(move |(index, line)| {
        let line = line.get(..max).unwrap_or(line);
        let content = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
        let (key, value) = key_and_value(content)?;
        Some(Line { key: key_of(key), value: value.to_vec(), number: index + 1, text: line.to_vec() })
    })
}

/// Splits at CR, LF and CR LF.
struct Split<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let Some(at) = memchr::memchr2(b'\r', b'\n', rest) else {
            self.rest = None;
            return Some(rest);
        };
        let (line, end) = rest.split_at(at);
        let skip = if end.starts_with(b"\r\n") { 2 } else { 1 };
        self.rest = end.get(skip..);
        Some(line)
    }
}

/// `key: value`; `key value` where there is no colon and nothing else.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(at) = memchr::memchr(b':', line) {
        let (key, value) = line.split_at(at);
        return Some((key.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()));
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(key), Some(value), None) => Some((key, value)),
        _ => None,
    }
}

fn key_of(key: &[u8]) -> Key {
    KEYS.iter().find(|(name, _)| key.eq_ignore_ascii_case(name.as_bytes())).map_or(Key::Other, |&(_, key)| key)
}
