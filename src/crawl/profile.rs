//! A profile says how to read a site: where to start, what is a list, what is a listing, how fast.
//!
//! Profiles are TOML files, one a site, file name = id. `CONTRIBUTING.md` explains how to write one.

mod canary;
mod query;
mod render;
mod request;

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Deserializer};

use super::{Addresses, pointer::is_pointer};
use crate::model::Diagnostic;

pub use canary::{Canary, MAX_CANARIES};
pub use query::{Ask, Asked, MARKS, MAX_KEYWORDS, MAX_KEYWORDS_BYTES, MAX_QUESTIONS, MAX_WORD_CHARS, Method, Query};
pub use render::Render;
pub use request::{PartsError, Proxy, RequestParts};

pub(super) use request::Ready;

/// Shortest time after which a listing may be looked at again.
const LEAST_RECRAWL: Duration = Duration::from_secs(900);

/// How to read one site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Version of this format: 1.
    pub format: u32,
    /// Its name in commands; also the file's name without `.toml`.
    pub id: String,
    /// The site's name for people.
    pub name: String,
    /// What listings of it carry as `platform`.
    pub platform: String,
    /// Pages to begin with: lists, listings or JSON endpoints.
    #[serde(default)]
    pub start: Vec<String>,
    /// Sitemaps or sitemap indexes to read; those of robots.txt are read too when `sitemaps_from_robots` is set.
    #[serde(default)]
    pub sitemaps: Vec<String>,
    /// Whether sitemaps named in robots.txt are read.
    #[serde(default)]
    pub sitemaps_from_robots: bool,
    /// Whether times of change in sitemaps and feeds are believed: a listing that was had since is not asked for.
    #[serde(default)]
    pub trust_updated: bool,
    /// Hosts (`host` or `host:port`) the crawl may visit; the hosts of `start` and `sitemaps` when empty.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Allows addresses of this machine: for demonstrations and tests only.
    #[serde(default)]
    pub allow_loopback: bool,
    /// When `serve` runs it; never by itself when absent.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// How often known listings are looked at again by `serve`; whenever a list names them, when absent.
    #[serde(default)]
    pub recrawl: Option<Recrawl>,
    /// How the site writes its addresses.
    #[serde(default)]
    pub address: Addresses,
    /// How fast and how much.
    #[serde(default)]
    pub pace: Pace,
    /// What goes with every request.
    #[serde(default)]
    pub request: RequestParts,
    /// Whether pages of listings are shown to a browser before they are read, and how.
    #[serde(default, deserialize_with = "render::render")]
    pub render: Option<Render>,
    /// Known listings that each run asks for first, and what must be read of them.
    #[serde(default, rename = "canary")]
    pub canaries: Vec<Canary>,
    /// Questions to put to the site.
    #[serde(default, rename = "query")]
    pub queries: Vec<Query>,
    /// What is a list, and how to read it.
    #[serde(default, rename = "list")]
    pub lists: Vec<ListPage>,
    /// What is a listing, and how to read it.
    pub listing: ListingPage,
}

/// When a profile runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five-field cron expression.
    pub cron: String,
    /// IANA time zone of the expression.
    #[serde(default = "shanghai")]
    pub zone: String,
    /// Each run is put off by a random time up to this.
    #[serde(default, deserialize_with = "duration")]
    pub jitter: Duration,
}

/// How often known listings are looked at again: by their changes and their weight, under a budget.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recrawl {
    /// Most listings looked at again in a day (UTC).
    pub budget_per_day: u32,
    /// No sooner than this after the last time; an hour when absent, a quarter of one at least.
    #[serde(default = "hour", deserialize_with = "duration")]
    pub min: Duration,
    /// No later than this, as far as the budget allows; 30 days when absent.
    #[serde(default = "month", deserialize_with = "duration")]
    pub max: Duration,
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

fn month() -> Duration {
    Duration::from_secs(30 * 86_400)
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

/// How fast a site is read, and when to stop.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// From the start of one request to a host to the next; a longer crawl-delay of robots.txt wins.
    #[serde(deserialize_with = "duration")]
    pub delay: Duration,
    /// Requests to a host at the same time.
    pub concurrency: usize,
    /// Longest time for one request, redirects and body included.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// How often a failed request is tried again.
    pub retries: u32,
    /// First wait before a retry; doubles each time. `Retry-After` wins.
    #[serde(deserialize_with = "duration")]
    pub backoff: Duration,
    /// Longest body after decoding, in bytes.
    pub max_body_bytes: u64,
    /// Most pages a run fetches.
    pub max_pages: u64,
    /// Most pages a run fetches from one host; the rest is left for the next.
    pub max_host_pages: u64,
    /// Most bytes of bodies a run fetches, as they come.
    pub max_bytes: u64,
    /// Most of them from one host.
    pub max_host_bytes: u64,
    /// Longest time of a run.
    #[serde(deserialize_with = "duration")]
    pub max_time: Duration,
    /// Most steps from a start page.
    pub max_depth: u32,
    /// Most redirects followed for one page.
    pub max_redirects: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            concurrency: 1,
            timeout: Duration::from_secs(30),
            retries: 3,
            backoff: Duration::from_secs(1),
            max_body_bytes: 8 * 1024 * 1024,
            max_pages: 100_000,
            max_host_pages: 100_000,
            max_bytes: 100 * 1024 * 1024 * 1024,
            max_host_bytes: 100 * 1024 * 1024 * 1024,
            max_time: Duration::from_secs(24 * 3600),
            max_depth: 64,
            max_redirects: 5,
        }
    }
}

/// A page that names listings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPage {
    /// Which addresses it stands at.
    #[serde(rename = "match")]
    pub pattern: UrlPattern,
    /// CSS selector of links to listings.
    #[serde(default)]
    pub items: Option<String>,
    /// CSS selector of the link to the next page.
    #[serde(default)]
    pub next: Option<String>,
    /// For a JSON endpoint instead.
    #[serde(default)]
    pub json: Option<JsonList>,
    /// Whether it is a feed: RSS, Atom or JSON Feed.
    #[serde(default)]
    pub feed: bool,
}

/// A list that is a JSON document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonList {
    /// JSON pointer (RFC 6901) to the array of items; a step `*` over an array means each of its elements.
    pub items: String,
    /// Address of an item: `{/pointer}` is replaced by the item's value there, as in `/goods?id={/id}`.
    #[serde(default)]
    pub link: Option<String>,
    /// Where the facts of an item stand; its page is not needed then.
    #[serde(default)]
    pub facts: Option<JsonFacts>,
    /// Whether pages of items are visited though their facts stand here.
    #[serde(default)]
    pub visit: bool,
    /// JSON pointer to whether there is a next page at all.
    #[serde(default)]
    pub more: Option<String>,
    /// JSON pointer to the next page's address or number; the last page has null or nothing there.
    #[serde(default)]
    pub next: Option<String>,
    /// Address of the next page: `{}` is replaced by the value at `next`; the value itself when absent.
    #[serde(default)]
    pub next_link: Option<String>,
}

/// Where the facts of an item stand in a JSON document: pointers into the item, as [`JsonList::items`] are written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the facts of a listing, and documented there")]
pub struct JsonFacts {
    pub title: Place,
    pub id: Option<Place>,
    pub subtitle: Option<Place>,
    pub description: Option<Place>,
    pub price: Option<Place>,
    pub currency: Option<Place>,
    pub sku: Option<Place>,
    pub brand: Option<Place>,
    pub availability: Option<Place>,
    pub seller: Option<Place>,
    pub seller_id: Option<Place>,
    pub seller_license: Option<Place>,
    pub images: Option<Place>,
    pub category: Option<Place>,
    pub reviews: Option<Place>,
    /// Named properties: rows, and in each its name and value, all by pointers.
    pub attributes: Option<AttributeRows>,
}

/// One fact's place in a JSON document: a pointer, or a pointer and that the value counts hundredths (分).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// JSON pointer.
    pub at: String,
    /// The value is an integer in hundredths (分).
    pub fen: bool,
}

/// A page that is a listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListingPage {
    /// Which addresses it stands at.
    #[serde(rename = "match")]
    pub patterns: Vec<UrlPattern>,
    /// Regular expression on the address whose first group is the item's identity on the platform.
    #[serde(default)]
    pub id: Option<String>,
    /// Where the facts stand in the page; they complete, and win over, JSON-LD, microdata and OpenGraph.
    #[serde(default)]
    pub select: Selectors,
    /// Currency where the page does not say.
    #[serde(default)]
    pub currency: Option<String>,
    /// Whether JSON-LD, microdata and OpenGraph are read; on by default.
    #[serde(default = "yes")]
    pub structured: bool,
}

fn yes() -> bool {
    true
}

/// Where each fact stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selectors {
    /// The headline.
    pub title: Option<Select>,
    /// The line under it.
    pub subtitle: Option<Select>,
    /// The long text.
    pub description: Option<Select>,
    /// The price, as people write it.
    pub price: Option<Select>,
    /// The currency.
    pub currency: Option<Select>,
    /// The article number.
    pub sku: Option<Select>,
    /// The brand.
    pub brand: Option<Select>,
    /// Whether it can be bought.
    pub availability: Option<Select>,
    /// The shop's name.
    pub seller: Option<Select>,
    /// The platform's identity of the shop.
    pub seller_id: Option<Select>,
    /// The shop's licence number.
    pub seller_license: Option<Select>,
    /// Pictures.
    pub images: Option<Select>,
    /// The path of categories.
    pub category: Option<Select>,
    /// What buyers wrote.
    pub reviews: Option<Select>,
    /// Named properties.
    pub attributes: Option<AttributeRows>,
}

/// One fact's place: a CSS selector, or a selector with what to take from it.
#[derive(Debug, Clone)]
pub struct Select {
    /// CSS selector.
    pub css: String,
    /// Attribute to take instead of the text.
    pub attr: Option<String>,
    /// The value is an integer in hundredths (分).
    pub fen: bool,
}

impl Selectors {
    /// The place of one of the fields that [`MENDED`](super::MENDED) names.
    pub fn place(&self, field: &str) -> Option<&Select> {
        match field {
            "title" => self.title.as_ref(),
            "subtitle" => self.subtitle.as_ref(),
            "price" => self.price.as_ref(),
            "sku" => self.sku.as_ref(),
            "brand" => self.brand.as_ref(),
            "seller" => self.seller.as_ref(),
            _ => None,
        }
    }

    /// Puts the place of one of the fields that [`MENDED`](super::MENDED) names; others stay as they are.
    pub fn put(&mut self, field: &str, css: &str, attr: Option<String>) {
        let place = match field {
            "title" => &mut self.title,
            "subtitle" => &mut self.subtitle,
            "price" => &mut self.price,
            "sku" => &mut self.sku,
            "brand" => &mut self.brand,
            "seller" => &mut self.seller,
            _ => return,
        };
        *place = Some(Select { css: css.to_owned(), attr, fen: false });
    }
}

/// A table of named properties.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeRows {
    /// CSS selector of the rows.
    pub rows: String,
    /// CSS selector of the name inside a row.
    pub name: String,
    /// CSS selector of the value inside a row.
    pub value: String,
}

impl<'de> Deserialize<'de> for Select {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            css: String,
            #[serde(default)]
            attr: Option<String>,
            #[serde(default)]
            fen: bool,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Short(String),
            Full(Full),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Short(css) => Self { css, attr: None, fen: false },
            Either::Full(Full { css, attr, fen }) => Self { css, attr, fen },
        })
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            at: String,
            #[serde(default)]
            fen: bool,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Short(String),
            Full(Full),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Short(at) => Self { at, fen: false },
            Either::Full(Full { at, fen }) => Self { at, fen },
        })
    }
}

/// A pattern on an address's path and query, as robots.txt writes them: a prefix, `*` for any run, `$` for the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct UrlPattern(pub String);

impl UrlPattern {
    /// Whether the path and query of `url` match.
    pub fn matches(&self, url: &url::Url) -> bool {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        wildcard(self.0.as_bytes(), target.as_bytes())
    }
}

/// Prefix match with `*` and a final `$`, in time linear in the product of both lengths at worst.
pub(super) fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (pattern, anchored) = match pattern.split_last() {
        Some((b'$', rest)) => (rest, true),
        _ => (pattern, false),
    };
    let mut parts = pattern.split(|&byte| byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut open_end = !anchored;
    let parts: Vec<&[u8]> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        if last && anchored {
            open_end = true;
            if !rest.ends_with(part) {
                return false;
            }
        } else if let Some(at) = memchr::memmem::find(rest, part) {
            rest = rest.get(at + part.len()..).unwrap_or(&[]);
        } else {
            return false;
        }
    }
    open_end || rest.is_empty()
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file or its folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A mistake in the file.
    #[error("{0}")]
    Wrong(Box<Diagnostic>),
}

impl Profile {
    /// Reads a profile from `text`; `file` names it in messages.
    ///
    /// # Errors
    /// A mistake, with its line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        let profile: Self = toml::from_str(text).map_err(|error| {
            Diagnostic::toml(file, text, &error, "profile.syntax", "CONTRIBUTING.md shows a complete profile")
        })?;
        profile.check(file, text)?;
        Ok(profile)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When it cannot be read, or has a mistake.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ProfileError::Unreadable { path: name.clone(), source })?;
        let mut profile = Self::parse(&name, &text).map_err(ProfileError::Wrong)?;
        if let Some(folder) = path.parent() {
            // Files are meant from the profile's own folder.
            for file in profile.queries.iter_mut().filter_map(|query| query.keywords_file.as_mut()) {
                *file = folder.join(&*file);
            }
        }
        Ok(profile)
    }

    /// Reads every `*.toml` of a folder, by id.
    ///
    /// # Errors
    /// On the first file that cannot be read or has a mistake.
    pub fn read_folder(folder: &Path) -> Result<BTreeMap<String, Self>, ProfileError> {
        let unreadable = |source| ProfileError::Unreadable { path: folder.display().to_string(), source };
        let mut profiles = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let profile = Self::read(&path)?;
                profiles.insert(profile.id.clone(), profile);
            }
        }
        Ok(profiles)
    }

    fn check(&self, file: &str, text: &str) -> Result<(), Box<Diagnostic>> {
        let wrong = |needle: &str, message: String, help: &str| {
            let at = text.find(needle).unwrap_or(0);
            Err(Box::new(Diagnostic::error(file, text, at..at + needle.len(), "profile.value", message, help)))
        };
        if self.format != 1 {
            return wrong("format", format!("format {} is not known", self.format), "this program reads format = 1");
        }
        for address in self.start.iter().chain(&self.sitemaps) {
            if !url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return wrong(
                    address,
                    format!("`{address}` is no http address"),
                    "write http://host/path or https://host/path",
                );
            }
        }
        if self.start.is_empty() && self.sitemaps.is_empty() && self.queries.is_empty() {
            return wrong(
                "id",
                "the profile has no place to begin".into(),
                "add start = [\"https://…\"], sitemaps = [\"https://…\"] or a [[query]]",
            );
        }
        if let Some(recrawl) = &self.recrawl {
            if recrawl.budget_per_day == 0 {
                let help = "write how many listings a day may be looked at again, or leave [recrawl] away";
                return wrong("budget_per_day", "a budget of no visits".into(), help);
            }
            if recrawl.min < LEAST_RECRAWL || recrawl.min > recrawl.max {
                return wrong(
                    "recrawl",
                    format!("listings cannot be looked at again after {:?} to {:?}", recrawl.min, recrawl.max),
                    "min is 15 minutes at least, and no longer than max",
                );
            }
        }
        if let Some((message, help)) = self.address.mistake(self.listing.id.is_some()) {
            return wrong("[address]", message, help);
        }
        if let Some((at, why, help)) = self.queries.iter().find_map(Query::mistake) {
            return wrong(&at, why, help);
        }
        let unread = |query: &&Query| {
            let sample = Ask { keyword: "a".into(), region: "a".into(), sort: "a".into(), ..Ask::default() };
            let reads = |url: &url::Url| self.lists.iter().any(|list| list.pattern.matches(url));
            !query.request(&sample).is_some_and(|asked| reads(&asked.url))
        };
        if let Some(query) = self.queries.iter().find(unread) {
            let why = format!("no list reads the answers of the query {}", query.id);
            return wrong(&query.url, why, "add a [[list]] whose match fits its address");
        }
        let twice = |(place, query): (usize, &Query)| self.queries.iter().take(place).any(|known| known.id == query.id);
        if self.queries.iter().enumerate().any(twice) {
            return wrong("[[query]]", "two queries have one id".into(), "give each its own");
        }
        if let Some((at, why)) = self.render.as_ref().and_then(Render::mistake) {
            return wrong(&at, why, "see `[render]` in CONTRIBUTING.md");
        }
        if let Some((at, why)) = self.canary_mistake() {
            return wrong(&at, why, "see `[[canary]]` in CONTRIBUTING.md");
        }
        if let Some((at, why)) = self.request.mistake() {
            return wrong(&at, why, "see `[request]` in CONTRIBUTING.md");
        }
        let open = |address: &&String| address.starts_with("http://") && self.request.has_secrets();
        if let Some(address) = self.start.iter().chain(&self.sitemaps).find(open).filter(|_| !self.allow_loopback) {
            return wrong(address, format!("`{address}` would be told secrets in the clear"), "use https");
        }
        for list in &self.lists {
            let Some(json) = &list.json else { continue };
            if json.link.is_none() && json.facts.is_none() {
                return wrong(&json.items, "a list of JSON names no listing".into(), "add link or [list.json.facts]");
            }
            if let Some(pointer) = json.pointers().into_iter().find(|pointer| !is_pointer(pointer)) {
                return wrong(
                    pointer,
                    format!("`{pointer}` is no JSON pointer"),
                    "write it as /data/list or /data/*/id",
                );
            }
        }
        for css in self.selectors() {
            if let Err(error) = scraper::Selector::parse(css) {
                return wrong(css, format!("`{css}` is no CSS selector: {error}"), "try it in a browser's inspector");
            }
        }
        if let Some(pattern) = &self.listing.id
            && let Err(error) = regex::Regex::new(pattern)
        {
            return wrong(
                pattern,
                format!("`{pattern}` is no regular expression: {error}"),
                "write it in '…' so that backslashes stay",
            );
        }
        Ok(())
    }

    fn selectors(&self) -> impl Iterator<Item = &str> {
        let s = &self.listing.select;
        let facts = [
            &s.title,
            &s.subtitle,
            &s.description,
            &s.price,
            &s.currency,
            &s.sku,
            &s.brand,
            &s.availability,
            &s.seller,
            &s.seller_id,
            &s.seller_license,
            &s.images,
            &s.category,
            &s.reviews,
        ];
        let rows = s.attributes.iter().flat_map(|rows| [rows.rows.as_str(), rows.name.as_str(), rows.value.as_str()]);
        let lists = self.lists.iter().flat_map(|list| [list.items.as_deref(), list.next.as_deref()]).flatten();
        facts.into_iter().flatten().map(|select| select.css.as_str()).chain(rows).chain(lists)
    }
}

impl JsonList {
    fn pointers(&self) -> Vec<&str> {
        let lists = [Some(&self.items), self.next.as_ref(), self.more.as_ref()];
        let mut pointers: Vec<&str> = lists.into_iter().flatten().map(String::as_str).collect();
        let Some(facts) = &self.facts else { return pointers };
        let optional = [
            &facts.id,
            &facts.subtitle,
            &facts.description,
            &facts.price,
            &facts.currency,
            &facts.sku,
            &facts.brand,
            &facts.availability,
            &facts.seller,
            &facts.seller_id,
            &facts.seller_license,
            &facts.images,
            &facts.category,
            &facts.reviews,
        ];
        let places = optional.into_iter().flatten().chain(std::iter::once(&facts.title));
        pointers.extend(places.map(|place| place.at.as_str()));
        let rows = facts.attributes.iter();
        pointers.extend(rows.flat_map(|rows| [rows.rows.as_str(), rows.name.as_str(), rows.value.as_str()]));
        pointers
    }
}

/// Reads `"1s"`, `"500ms"`, `"5m"`, or a number of seconds.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Seconds(f64),
    }
    match Either::deserialize(deserializer)? {
        Either::Text(text) => {
            let signed: jiff::SignedDuration = text.parse().map_err(serde::de::Error::custom)?;
            Duration::try_from(signed).map_err(|_| serde::de::Error::custom("a duration must not be negative"))
        }
        Either::Seconds(seconds) => Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
format = 1
id = "xinghe"
name = "星河商城"
platform = "xinghe"
start = ["http://xinghe.example/list/1"]
schedule = { cron = "0 */6 * * *", jitter = "5m" }
pace = { delay = "250ms", concurrency = 2 }
[[list]]
match = "/list/"
items = "a.item"
next = "a.next"
[listing]
match = ["/p/*.html$"]
id = '/p/(\d+)'
[listing.select]
title = "h1"
price = { css = ".price", attr = "data-fen", fen = true }
attributes = { rows = "table.spec tr", name = "th", value = "td" }
"#;

    #[test]
    fn a_profile_is_read_with_its_defaults() {
        let profile = Profile::parse("xinghe.toml", SMALL).unwrap();
        assert_eq!(profile.pace.delay, Duration::from_millis(250));
        assert_eq!(profile.pace.timeout, Duration::from_secs(30));
        assert!(profile.listing.select.price.as_ref().unwrap().fen);
        assert!(!profile.allow_loopback);
    }

    #[test]
    fn mistakes_name_line_and_place() {
        for (from, to, line) in [
            ("start = [\"http://xinghe.example/list/1\"]", "start = [\"ftp://x/\"]", 6),
            ("items = \"a.item\"", "items = \"a[\"", 11),
            ("id = '/p/(\\d+)'", "id = '/p/('", 15),
            ("name = \"星河商城\"", "nome = \"x\"", 4),
        ] {
            let wrong = Profile::parse("x.toml", &SMALL.replace(from, to)).unwrap_err();
            assert_eq!(wrong.line_column().0, line, "{wrong}");
        }
    }

    #[test]
    fn patterns_match_as_robots_txt_writes_them() {
        let url = |path: &str| url::Url::parse("http://h").unwrap().join(path).unwrap();
        for (pattern, path, expected) in [
            ("/p/", "/p/1.html", true),
            ("/p/*.html$", "/p/1.html", true),
            ("/p/*.html$", "/p/1.html?x=1", false),
            ("/p/*.html", "/p/1.html?x=1", true),
            ("/api/list?page=*", "/api/list?page=2", true),
            ("/$", "/", true),
            ("/$", "/a", false),
            ("/a*b*c$", "/a-b-b-c", true),
            ("/a*b*c$", "/a-c-b", false),
            ("/a$", "/ab", false),
        ] {
            assert_eq!(UrlPattern(pattern.into()).matches(&url(path)), expected, "{pattern} {path}");
        }
    }
}
