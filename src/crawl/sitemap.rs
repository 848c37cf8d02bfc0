//! Sitemaps: XML files and their indexes, gzip or not, and plain lists of addresses.
//!
//! Read as a stream; entities other than the predefined ones are never expanded.

use bytes::Bytes;
use quick_xml::{Reader, events::Event};
use url::Url;

use super::{facts::Item, feed::moment, fetch::gunzipped};

/// Addresses read from one file; the protocol allows no more.
pub const MAX_ENTRIES: usize = 50_000;
/// Elements inside one another.
const MAX_DEPTH: usize = 16;
/// Longest address, in bytes.
const MAX_LOC_BYTES: usize = 4096;

/// A sitemap, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sitemap {
    /// Pages it names, with when they changed where it says so: `lastmod`, or for news their date of publication.
    pub pages: Vec<Item>,
    /// Further sitemaps it names.
    pub sitemaps: Vec<Url>,
    /// Whether something was left out: over a limit, or behind broken XML.
    pub truncated: bool,
}

impl Sitemap {
    /// Reads the file that came from `base`; gzip is undone to at most `limit` bytes.
    pub fn parse(body: &Bytes, base: &Url, limit: u64) -> Self {
        let plain = if body.starts_with(&[0x1f, 0x8b]) { gunzipped(body, limit) } else { Some(body.clone()) };
        let Some(plain) = plain else { return Self { truncated: true, ..Self::default() } };
        let text = String::from_utf8_lossy(plain.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&plain));
        if text.trim_start().starts_with('<') { xml(&text, base) } else { lines(&text, base) }
    }

    fn add(&mut self, base: &Url, loc: &str, index: bool) {
        if self.pages.len() + self.sitemaps.len() >= MAX_ENTRIES {
            self.truncated = true;
            return;
        }
        // An address that is none leaves the rest of the file as it is.
        let Ok(mut url) = base.join(loc.trim()) else { return };
        url.set_fragment(None);
        if index { self.sitemaps.push(url) } else { self.pages.push(Item { url, updated: None }) }
    }
}

/// One address a line.
fn lines(text: &str, base: &Url) -> Sitemap {
    let mut sitemap = Sitemap::default();
    for line in text.lines().map(str::trim).filter(|line| line.len() <= MAX_LOC_BYTES) {
        if line.starts_with("http://") || line.starts_with("https://") {
            sitemap.add(base, line, false);
        }
    }
    sitemap
}

fn xml(text: &str, base: &Url) -> Sitemap {
    let mut sitemap = Sitemap::default();
    let mut reader = Reader::from_str(text);
    let mut depth = 0;
    let mut in_sitemap = false;
    let mut loc: Option<String> = None;
    let mut day: Option<String> = None;
    let (mut changed, mut named) = (None, usize::MAX);
    while !sitemap.truncated {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                depth += 1;
                sitemap.truncated = depth > MAX_DEPTH;
                match element.name().as_ref() {
                    // The prefix of another namespace (image:loc) names something else.
                    "loc" => loc = Some(String::new()),
                    "lastmod" | "news:publication_date" => day = Some(String::new()),
                    "sitemap" => in_sitemap = true,
                    "url" => (in_sitemap, changed, named) = (false, None, usize::MAX),
                    _ => {}
                }
            }
            Ok(Event::End(element)) => {
                depth = depth.saturating_sub(1);
                match element.name().as_ref() {
                    "loc" => {
                        named = sitemap.pages.len();
                        loc.take().iter().for_each(|loc| sitemap.add(base, loc, in_sitemap));
                    }
                    "lastmod" => changed = day.take().as_deref().and_then(moment).or(changed),
                    "news:publication_date" => changed = changed.or(day.take().as_deref().and_then(moment)),
                    "url" => {
                        if let Some(page) = sitemap.pages.get_mut(named) {
                            page.updated = changed;
                        }
                    }
                    _ => {}
                }
            }
            Ok(Event::Text(part)) => extend([&mut loc, &mut day], &part.xml10_content()),
            Ok(Event::CData(part)) => extend([&mut loc, &mut day], &part.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                let char = reference.resolve_char_ref().ok().flatten().or_else(|| predefined(&reference));
                extend([&mut loc, &mut day], char.map(String::from).as_deref().unwrap_or_default());
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => sitemap.truncated = true,
        }
    }
    sitemap
}

fn extend(open: [&mut Option<String>; 2], part: &str) {
    for element in open {
        if let Some(text) = element {
            text.push_str(part);
            if text.len() > MAX_LOC_BYTES {
                *element = None;
            }
        }
    }
}

pub(super) fn predefined(name: &str) -> Option<char> {
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')]
        .into_iter()
        .find_map(|(known, char)| (known == name).then_some(char))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn parse(text: impl Into<Bytes>) -> Sitemap {
        Sitemap::parse(&text.into(), &Url::parse("http://h/sitemap.xml").unwrap(), 10_000_000)
    }

    fn texts(pages: &[Item]) -> Vec<&str> {
        pages.iter().map(|page| page.url.as_str()).collect()
    }

    const PAGES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://i">
 <url><loc> http://h/p?a=1&amp;b=&#x32; </loc><lastmod>2026-01-01</lastmod>
  <image:image><image:loc>http://h/i.jpg</image:loc></image:image></url>
 <url><loc><![CDATA[/p/2]]></loc></url>
</urlset>"#;

    #[test]
    fn pages_are_read_with_their_entities() {
        let sitemap = parse(PAGES);
        assert_eq!(texts(&sitemap.pages), ["http://h/p?a=1&b=2", "http://h/p/2"]);
        assert!(sitemap.sitemaps.is_empty() && !sitemap.truncated);
        let changed: Vec<Option<String>> =
            sitemap.pages.iter().map(|page| page.updated.map(|at| at.to_string())).collect();
        assert_eq!(changed, [Some("2026-01-01T23:59:59Z".into()), None]);
    }

    #[test]
    fn a_news_sitemap_tells_when_a_page_was_published() {
        let sitemap = parse(
            r#"<urlset xmlns:news="n"><url><loc>/a</loc><news:news><news:publication><news:name>x</news:name></news:publication>
            <news:publication_date>2026-11-01T08:00:00+08:00</news:publication_date><news:title>新品</news:title></news:news></url>
            <url><lastmod>2026-11-03T00:00:00Z</lastmod><loc>/b</loc><news:news><news:publication_date>2026-11-01</news:publication_date></news:news></url></urlset>"#,
        );
        let changed: Vec<String> = sitemap.pages.iter().map(|page| page.updated.unwrap().to_string()).collect();
        assert_eq!(changed, ["2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"]);
    }

    #[test]
    fn an_index_names_sitemaps() {
        let sitemap = parse("<sitemapindex><sitemap><loc>http://h/a.xml.gz</loc></sitemap></sitemapindex>");
        assert_eq!(sitemap.sitemaps, [Url::parse("http://h/a.xml.gz").unwrap()]);
    }

    #[test]
    fn gzip_and_plain_lists_are_read_too() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(PAGES.as_bytes()).unwrap();
        assert_eq!(parse(encoder.finish().unwrap()).pages.len(), 2);
        assert_eq!(texts(&parse("http://h/1\r\nnonsense\nhttps://h/2").pages), ["http://h/1", "https://h/2"]);
    }

    #[test]
    fn what_is_over_a_limit_is_left_out_and_said_so() {
        let many = "<url><loc>http://h/1</loc></url>".repeat(MAX_ENTRIES + 1);
        let sitemap = parse(format!("<urlset>{many}</urlset>"));
        assert!(sitemap.truncated && sitemap.pages.len() == MAX_ENTRIES);
        assert!(parse("<a>".repeat(MAX_DEPTH + 1)).truncated);
        let long = format!("<urlset><url><loc>http://h/{}</loc></url></urlset>", "a".repeat(MAX_LOC_BYTES));
        assert!(parse(long).pages.is_empty());
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 20_000_000]).unwrap();
        assert!(parse(encoder.finish().unwrap()).truncated);
    }

    #[test]
    fn entities_are_never_expanded() {
        let laughs = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<urlset><url><loc>http://h/&b;x</loc></url></urlset>"#;
        assert_eq!(texts(&parse(laughs).pages), ["http://h/x"]);
    }

    #[test]
    fn broken_xml_yields_what_stands_before_the_break() {
        let sitemap = parse("<urlset><url><loc>http://h/1</loc></url><url><loc>http://h/2</lo");
        assert_eq!((texts(&sitemap.pages), sitemap.truncated), (vec!["http://h/1"], true));
    }
}
