//! Feeds: RSS 2.0, RSS 1.0 (RDF), Atom and JSON Feed. What they name, when it changed, and their next page (RFC 5005).
//!
//! A feed is known by what stands in it, not by its media type, which servers get wrong. XML is read as a stream; entities
//! other than the predefined ones are never expanded.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::Value;
use url::Url;

use super::{
    facts::{Item, LINKS, Links},
    pointer::plain,
};
use crate::model::Timestamp;

/// Elements inside one another.
const MAX_DEPTH: usize = 64;
/// Longest text of one element that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// Reads the feed that came from `base`; what is broken ends it, and what stands before counts.
#[must_use]
pub fn feed(text: &str, base: &Url) -> Links {
    let text = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    if text.starts_with('{') { json(text, base) } else { xml(text, base) }
}

/// A day and time as feeds and sitemaps write them: RFC 3339, RFC 822, or a day, which is over at its end.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    if let Ok(at) = jiff::fmt::rfc2822::parse(text) {
        return Some(at.timestamp());
    }
    // Minutes without seconds, which W3C's profile allows.
    if let Some((day, time)) = text.split_once('T')
        && let Some((clock, zone)) = time.find(['Z', '+', '-']).map(|at| time.split_at(at))
        && clock.len() == 5
    {
        return format!("{day}T{clock}:00{zone}").parse().ok();
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    let end = day.at(23, 59, 59, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(end.timestamp())
}

fn json(text: &str, base: &Url) -> Links {
    let mut links = Links::default();
    let Ok(document) = serde_json::from_str::<Value>(text) else { return links };
    let items = document.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for item in items.iter().take(LINKS) {
        let text = |name: &str| item.get(name).and_then(plain);
        let address = text("url").or_else(|| text("external_url")).or_else(|| {
            // Old feeds say where an item stands by its identity alone.
            text("id").filter(|id| id.starts_with("http://") || id.starts_with("https://"))
        });
        let updated = text("date_modified").or_else(|| text("date_published")).as_deref().and_then(moment);
        if let Some(url) = address.and_then(|address| joined(base, &address)) {
            links.item(Item { url, updated });
        }
    }
    links.next = document.get("next_url").and_then(plain).and_then(|next| joined(base, &next));
    links
}

fn joined(base: &Url, address: &str) -> Option<Url> {
    if address.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut url = base.join(address.trim()).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// One entry in the making.
#[derive(Default)]
struct Entry {
    /// Where it stands, and how well that is said: the alternate page in HTML, any alternate, an identity.
    link: Option<(u8, Url)>,
    updated: Option<Timestamp>,
    published: Option<Timestamp>,
}

impl Entry {
    fn link(&mut self, rank: u8, url: Option<Url>) {
        if let Some(url) = url
            && self.link.as_ref().is_none_or(|(known, _)| *known < rank)
        {
            self.link = Some((rank, url));
        }
    }

    fn finish(self) -> Option<Item> {
        let (_, url) = self.link?;
        Some(Item { url, updated: self.updated.or(self.published) })
    }
}

/// What is open while a feed is read.
struct Feed<'b> {
    base: &'b Url,
    /// The bases that `xml:base` set, with the depth each began at.
    bases: Vec<(usize, Url)>,
    depth: usize,
    entry: Option<Entry>,
    /// The text of the element that is read, where it counts.
    text: Option<String>,
    /// Whether the identity of an RSS item is its address.
    permanent: bool,
    links: Links,
}

fn xml(text: &str, base: &Url) -> Links {
    let mut reader = Reader::from_str(text);
    let (bases, links) = (Vec::new(), Links::default());
    let mut feed = Feed { base, bases, depth: 0, entry: None, text: None, permanent: true, links };
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                feed.depth += 1;
                if feed.depth > MAX_DEPTH || feed.links.items.len() >= LINKS {
                    break;
                }
                feed.begin(&element);
            }
            Ok(Event::Empty(element)) => {
                feed.depth += 1;
                feed.begin(&element);
                feed.end(element.local_name().as_ref());
            }
            Ok(Event::End(element)) => feed.end(element.local_name().as_ref()),
            Ok(Event::Text(part)) => feed.more(&part.xml10_content()),
            Ok(Event::CData(part)) => feed.more(&part.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                let char = reference.resolve_char_ref().ok().flatten();
                let char = char.or_else(|| super::sitemap::predefined(&reference));
                feed.more(char.map(String::from).as_deref().unwrap_or_default());
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    feed.links
}

impl Feed<'_> {
    fn base(&self) -> &Url {
        self.bases.last().map_or(self.base, |(_, base)| base)
    }

    fn begin(&mut self, element: &BytesStart<'_>) {
        if let Some(inner) = attribute(element, "base").and_then(|base| joined(self.base(), &base)) {
            self.bases.push((self.depth, inner));
        }
        let name = element.local_name();
        let name: &str = name.as_ref();
        // An extension's elements (media:title, itunes:link) mean something else, except the dates and Atom in RSS.
        let prefix = element.name().as_ref().split_once(':').map(|(prefix, _)| prefix.to_owned());
        let own = prefix.as_deref().is_none_or(|prefix| matches!(prefix, "atom" | "rss" | "dc" | "dcterms" | "a10"));
        if !own {
            self.text = None;
            return;
        }
        match name {
            "item" | "entry" => {
                let mut entry = Entry::default();
                // In RSS 1.0 the item itself says what it is about.
                entry.link(1, attribute(element, "about").and_then(|about| joined(self.base(), &about)));
                self.entry = Some(entry);
            }
            "link" => {
                self.text = Some(String::new());
                if let Some(address) = attribute(element, "href") {
                    self.text = None;
                    self.linked(element, &address);
                }
            }
            "guid" => {
                self.permanent = attribute(element, "isPermaLink").is_none_or(|value| value != "false");
                self.text = Some(String::new());
            }
            "id" | "updated" | "modified" | "published" | "issued" | "pubDate" | "date" => {
                self.text = Some(String::new());
            }
            _ => self.text = None,
        }
    }

    /// A link as Atom writes it.
    fn linked(&mut self, element: &BytesStart<'_>, address: &str) {
        let url = joined(self.base(), address);
        let relation = attribute(element, "rel").unwrap_or_else(|| "alternate".into());
        let kind = attribute(element, "type").unwrap_or_default();
        match (&mut self.entry, relation.as_str()) {
            (Some(entry), "alternate") => {
                let html = kind.is_empty() || kind.contains("html");
                entry.link(if html { 4 } else { 2 }, url);
            }
            (None, "next") if self.links.next.is_none() => self.links.next = url,
            _ => {}
        }
    }

    fn more(&mut self, part: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(part);
            if text.len() > MAX_TEXT_BYTES {
                self.text = None;
            }
        }
    }

    fn end(&mut self, name: &str) {
        if matches!(name, "item" | "entry") {
            if let Some(item) = self.entry.take().and_then(Entry::finish) {
                self.links.item(item);
            }
        } else if let Some(text) = self.text.take().filter(|text| !text.trim().is_empty()) {
            let address = joined(self.base(), &text);
            if let Some(entry) = &mut self.entry {
                match name {
                    "link" => entry.link(3, address),
                    "guid" if self.permanent && absolute(&text) => entry.link(1, address),
                    "id" if absolute(&text) => entry.link(0, address),
                    "updated" | "modified" | "date" => entry.updated = moment(&text),
                    "published" | "issued" | "pubDate" => entry.published = moment(&text),
                    _ => {}
                }
            }
        }
        self.bases.pop_if(|(depth, _)| *depth >= self.depth);
        self.depth = self.depth.saturating_sub(1);
    }
}

fn absolute(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("http://") || text.starts_with("https://")
}

/// An attribute's value by its name without a prefix, entities undone.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).take(MAX_DEPTH).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    let value: &str = found.value.as_ref();
    if value.len() > MAX_TEXT_BYTES {
        return None;
    }
    quick_xml::escape::unescape(value).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Links {
        feed(text, &Url::parse("http://h/feeds/new.xml").unwrap())
    }

    fn told(links: &Links) -> Vec<(&str, String)> {
        let item = |item: &Item| item.updated.map_or(String::new(), |at| at.to_string());
        links.items.iter().map(|named| (named.url.as_str(), item(named))).collect()
    }

    #[test]
    fn rss_2_is_read_with_relative_links_and_dates() {
        let links = read(
            r#"<?xml version="1.0"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://m"><channel>
            <title>新品</title><link>http://h/</link><atom:link rel="next" href="/feeds/new.xml?page=2"/>
            <item><title>a</title><link>/p/1?a=1&amp;b=2</link><pubDate>Mon, 23 Nov 2026 08:00:00 +0800</pubDate></item>
            <item><guid>http://h/p/2</guid><media:content url="http://h/i.jpg"/></item>
            <item><guid isPermaLink="false">http://h/p/3</guid></item>
            <item><link><![CDATA[http://h/p/4#top]]></link><guid>http://h/other</guid></item>
            </channel></rss>"#,
        );
        assert_eq!(
            told(&links),
            [
                ("http://h/p/1?a=1&b=2", "2026-11-23T00:00:00Z".into()),
                ("http://h/p/2", String::new()),
                ("http://h/p/4", String::new())
            ]
        );
        assert_eq!(links.next.unwrap().as_str(), "http://h/feeds/new.xml?page=2");
    }

    #[test]
    fn atom_is_read_with_bases_media_types_and_what_changed_last() {
        let links = read(
            r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://h/shop/">
            <link rel="self" href="feed"/><link rel="next" href="feed?2"/><id>http://h/feed</id><updated>2026-01-01T00:00:00Z</updated>
            <entry xml:base="goods/"><link type="application/json" href="1.json"/><link type="text/html" href="1.html"/>
              <link rel="edit" href="x"/><published>2026-11-01T00:00:00Z</published><updated>2026-11-02T00:00:00Z</updated></entry>
            <entry><link href="2.html"/><published>2026-11-03T00:00:00+08:00</published></entry>
            <entry><id>http://h/p/3</id><title>no link</title></entry></feed>"#,
        );
        assert_eq!(
            told(&links),
            [
                ("http://h/shop/goods/1.html", "2026-11-02T00:00:00Z".into()),
                ("http://h/shop/2.html", "2026-11-02T16:00:00Z".into()),
                ("http://h/p/3", String::new())
            ]
        );
        assert_eq!(links.next.unwrap().as_str(), "http://h/shop/feed?2");
    }

    #[test]
    fn rss_1_and_json_feed_are_read_too() {
        let rdf = read(
            r#"<rdf:RDF xmlns:rdf="r" xmlns="http://purl.org/rss/1.0/" xmlns:dc="d"><channel rdf:about="http://h/"/>
            <item rdf:about="http://h/p/1"><link>http://h/p/one</link><dc:date>2026-11-01</dc:date></item>
            <item rdf:about="http://h/p/2"><title>b</title></item></rdf:RDF>"#,
        );
        assert_eq!(told(&rdf), [("http://h/p/one", "2026-11-01T23:59:59Z".into()), ("http://h/p/2", String::new())]);
        let json = read(
            "\u{FEFF}{\"version\":\"https://jsonfeed.org/version/1.1\",\"next_url\":\"?2\",\"items\":[\
             {\"id\":\"1\",\"url\":\"/p/1\",\"date_modified\":\"2026-11-01T08:00+08:00\"},{\"id\":\"http://h/p/2\"},{\"id\":\"3\"},\
             {\"id\":4,\"external_url\":\"http://h/p/4\"},{\"url\":\"javascript:x\"}]}",
        );
        assert_eq!(
            told(&json),
            [
                ("http://h/p/1", "2026-11-01T00:00:00Z".into()),
                ("http://h/p/2", String::new()),
                ("http://h/p/4", String::new())
            ]
        );
        assert_eq!(json.next.unwrap().as_str(), "http://h/feeds/new.xml?2");
    }

    #[test]
    fn what_is_over_a_limit_is_left_out() {
        let many: String = (0..=LINKS).map(|number| format!("<item><link>/p/{number}</link></item>")).collect();
        assert_eq!(read(&format!("<rss><channel>{many}</channel></rss>")).items.len(), LINKS);
        let deep = format!("<rss>{}<item><link>/p/1</link></item>", "<a>".repeat(MAX_DEPTH));
        assert!(read(&deep).items.is_empty());
        let long = format!("<rss><item><link>/{}</link></item></rss>", "a".repeat(MAX_TEXT_BYTES));
        assert!(read(&long).items.is_empty());
    }

    #[test]
    fn a_billion_laughs_are_no_address() {
        let laughs = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
            <rss><item><link>http://h/&b;p</link></item></rss>"#;
        assert_eq!(told(&read(laughs)), [("http://h/p", String::new())]);
    }

    #[test]
    fn moments_are_read_in_every_form() {
        for (text, expected) in [
            ("2026-11-23T08:00:00+08:00", Some("2026-11-23T00:00:00Z")),
            ("2026-11-23T08:00+08:00", Some("2026-11-23T00:00:00Z")),
            ("Mon, 23 Nov 2026 08:00:00 GMT", Some("2026-11-23T08:00:00Z")),
            ("2026-11-23", Some("2026-11-23T23:59:59Z")),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_the_bounds(text in "(<(rss|item|entry|link|guid|/item|/entry|/link|a)( href=\"[a-z:/&;]{0,6}\")?/?>|[a-z&;<!\\[\\]]{0,6}){0,40}") {
            let links = read(&text);
            prop_assert!(links.items.len() <= LINKS);
            prop_assert!(links.items.iter().all(|item| matches!(item.url.scheme(), "http" | "https")));
        }
    }
}
