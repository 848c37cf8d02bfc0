//! Queries: questions put to a site, keyword by region by sort, page after page.
//!
//! A query makes requests; the `[[list]]` whose pattern fits its address says how the answers are read.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Longest keyword, region or sort, in characters.
pub const MAX_WORD_CHARS: usize = 100;
/// Most questions (keyword, region and sort) that one run asks, over all queries of a profile.
pub const MAX_QUESTIONS: usize = 100_000;
/// Most keywords of one query.
pub const MAX_KEYWORDS: usize = 50_000;
/// Largest file of keywords, in bytes.
pub const MAX_KEYWORDS_BYTES: u64 = 4 * 1024 * 1024;
/// What stands for the words of the register's marks among keywords.
pub const MARKS: &str = "@marks";
/// What a query's address and body may have filled in.
const HOLES: [&str; 6] = ["{keyword}", "{region}", "{sort}", "{page}", "{offset}", "{cursor}"];

/// A question put to a site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Its name in the coverage ledger.
    pub id: String,
    /// Address with `{keyword}`, `{region}`, `{sort}`, `{page}`, `{offset}` and `{cursor}` where they belong.
    pub url: String,
    /// Words to ask for; `@marks` stands for every mark of the register.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// A file of further words, one a line, read when a run begins.
    #[serde(default)]
    pub keywords_file: Option<PathBuf>,
    /// Regions to ask for each word in, as the site writes them.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Orders to ask for each word in, as the site writes them.
    #[serde(default)]
    pub sorts: Vec<String>,
    /// The charset in which words are escaped; UTF-8 when absent.
    #[serde(default)]
    pub charset: Option<String>,
    /// The number of the first page.
    #[serde(default = "one")]
    pub first_page: u32,
    /// What `{offset}` grows by from page to page.
    #[serde(default = "one")]
    pub page_size: u32,
    /// Most pages of each question.
    #[serde(default = "twenty")]
    pub max_pages: u32,
    /// How it is asked. POST is used nowhere else.
    #[serde(default)]
    pub method: Method,
    /// A body in JSON, filled in; a text that is nothing but `{page}` or `{offset}` becomes a number.
    #[serde(default)]
    pub json: Option<Map<String, Value>>,
    /// A body as forms send it.
    #[serde(default)]
    pub form: Option<BTreeMap<String, String>>,
    /// A GraphQL document; by GET it goes into the address.
    #[serde(default)]
    pub graphql: Option<String>,
    /// Its variables, filled in as `json` is; `{cursor}` is null on the first page.
    #[serde(default)]
    pub variables: Map<String, Value>,
}

fn one() -> u32 {
    1
}

fn twenty() -> u32 {
    20
}

/// How a query is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Everything stands in the address.
    #[default]
    Get,
    /// With a body.
    Post,
}

/// One page of one question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// The query's id.
    pub query: String,
    /// The word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub keyword: String,
    /// The region.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The order.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sort: String,
    /// Pages asked for before this one.
    pub page: u32,
    /// What the page before told to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The address that the page before named as the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A request made of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where.
    pub url: Url,
    /// What is sent along, with its media type.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Query {
    /// The first page of every question with these keywords, regions within keywords, sorts within regions.
    pub fn asks<'q>(&'q self, keywords: &'q [String]) -> impl Iterator<Item = Ask> + 'q {
        fn or_none(words: &[String]) -> impl Iterator<Item = &str> + Clone {
            let none = words.is_empty().then_some("");
            words.iter().map(String::as_str).chain(none)
        }
        or_none(keywords).flat_map(move |keyword| {
            or_none(&self.regions).flat_map(move |region| {
                or_none(&self.sorts).map(move |sort| Ask {
                    query: self.id.clone(),
                    keyword: keyword.to_owned(),
                    region: region.to_owned(),
                    sort: sort.to_owned(),
                    ..Ask::default()
                })
            })
        })
    }

    /// The page after `ask`, where the answer named `cursor` and `next`; none when there is none.
    pub fn next(&self, ask: &Ask, cursor: Option<&str>, next: Option<&Url>) -> Option<Ask> {
        let base = Ask { page: ask.page + 1, cursor: None, next: None, ..ask.clone() };
        if self.has("{cursor}") {
            return cursor.map(|cursor| Ask { cursor: Some(cursor.to_owned()), ..base });
        }
        if self.counts() {
            return Some(base);
        }
        next.map(|next| Ask { next: Some(next.to_string()), ..base })
    }

    /// Whether pages are asked for by number, which goes on until one has nothing.
    pub fn counts(&self) -> bool {
        self.has("{page}") || self.has("{offset}")
    }

    /// The request for `ask`; none when what is filled in makes no address.
    pub fn request(&self, ask: &Ask) -> Option<Asked> {
        if let Some(next) = &ask.next {
            return Some(Asked { url: Url::parse(next).ok()?, body: None });
        }
        let encoding = self.charset.as_deref().and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
        let encoding = encoding.unwrap_or(encoding_rs::UTF_8);
        let mut url = Url::parse(&self.filled(&self.url, ask, &|text| escape(text, encoding))).ok()?;
        let body = match (&self.graphql, &self.json, &self.form) {
            (Some(document), _, _) => {
                let variables = self.filled_map(&self.variables, ask);
                if self.method == Method::Get {
                    let variables = Value::Object(variables).to_string();
                    url.query_pairs_mut().append_pair("query", document).append_pair("variables", &variables);
                    return Some(Asked { url, body: None });
                }
                let body = serde_json::json!({"query": document, "variables": variables});
                ("application/json", body.to_string().into_bytes())
            }
            (None, Some(json), _) => {
                ("application/json", Value::Object(self.filled_map(json, ask)).to_string().into_bytes())
            }
            (None, None, Some(form)) => {
                let pair = |(name, value): (&String, &String)| {
                    let value = self.filled(value, ask, &str::to_owned);
                    format!("{}={}", escape(name, encoding), escape(&value, encoding))
                };
                let pairs: Vec<String> = form.iter().map(pair).collect();
                ("application/x-www-form-urlencoded", pairs.join("&").into_bytes())
            }
            (None, None, None) => return Some(Asked { url, body: None }),
        };
        Some(Asked { url, body: Some(body) })
    }

    /// What is wrong with it: the text that is wrong, why, and what helps.
    pub(super) fn mistake(&self) -> Option<(String, String, &'static str)> {
        let wrong = |at: &str, why: String, help| Some((at.to_owned(), why, help));
        let sample = Ask { keyword: "a".into(), region: "a".into(), sort: "a".into(), ..Ask::default() };
        let plain = self.filled(&self.url, &sample, &str::to_owned);
        if !Url::parse(&plain).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return wrong(
                &self.url,
                format!("`{}` is no http address", self.url),
                "write https://host/search?q={keyword}",
            );
        }
        if let Some(label) = &self.charset
            && encoding_rs::Encoding::for_label(label.as_bytes()).is_none()
        {
            return wrong(label, format!("`{label}` is no charset"), "write charset = \"gbk\" or leave it out");
        }
        let has_body = self.json.is_some() || self.form.is_some();
        if has_body && self.method == Method::Get {
            return wrong(
                "[[query]]",
                format!("the query {} has a body and is asked by GET", self.id),
                "add method = \"POST\"",
            );
        }
        if self.method == Method::Post && !has_body && self.graphql.is_none() {
            return wrong(
                "POST",
                format!("the query {} is asked by POST without a body", self.id),
                "add json, form or graphql",
            );
        }
        for (words, hole, name) in [
            (&self.regions, "{region}", "regions"),
            (&self.sorts, "{sort}", "sorts"),
            (&self.keywords, "{keyword}", "keywords"),
        ] {
            if !words.is_empty() && !self.has(hole) {
                return wrong(
                    name,
                    format!("the query {} has {name} and no {hole}", self.id),
                    "put it where the site wants it",
                );
            }
            if let Some(word) = words.iter().find(|word| word.chars().count() > MAX_WORD_CHARS) {
                return wrong(
                    name,
                    format!("a word of more than {MAX_WORD_CHARS} characters: {word:.40}"),
                    "ask for fewer words",
                );
            }
        }
        let words = self.keywords.is_empty() && self.keywords_file.is_none();
        if words && self.has("{keyword}") {
            return wrong(
                "{keyword}",
                format!("the query {} has no keywords", self.id),
                "add keywords or keywords_file",
            );
        }
        let places = self.regions.len().max(1).saturating_mul(self.sorts.len().max(1));
        if places > 1000 || self.max_pages == 0 || self.max_pages > 1000 {
            return wrong(
                "[[query]]",
                format!("the query {} asks for too much", self.id),
                "at most 1000 regions by sorts, and 1 to 1000 pages",
            );
        }
        None
    }

    fn has(&self, hole: &str) -> bool {
        let in_map = |map: &Map<String, Value>| Value::Object(map.clone()).to_string().contains(hole);
        self.url.contains(hole)
            || self.json.as_ref().is_some_and(in_map)
            || self.form.as_ref().is_some_and(|form| form.values().any(|value| value.contains(hole)))
            || in_map(&self.variables)
    }

    fn value(&self, hole: &str, ask: &Ask) -> String {
        match hole {
            "{keyword}" => ask.keyword.clone(),
            "{region}" => ask.region.clone(),
            "{sort}" => ask.sort.clone(),
            "{page}" => self.first_page.saturating_add(ask.page).to_string(),
            "{offset}" => ask.page.saturating_mul(self.page_size).to_string(),
            _ => ask.cursor.clone().unwrap_or_default(),
        }
    }

    /// `template` with what belongs into its holes; what was filled in is not looked at again.
    fn filled(&self, template: &str, ask: &Ask, escape: &dyn Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            match HOLES.into_iter().find(|hole| from.starts_with(hole)) {
                Some(hole) => {
                    out.push_str(&escape(&self.value(hole, ask)));
                    rest = from.get(hole.len()..).unwrap_or_default();
                }
                None => {
                    out.push('{');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn filled_map(&self, map: &Map<String, Value>, ask: &Ask) -> Map<String, Value> {
        map.iter().map(|(name, value)| (name.clone(), self.filled_value(value, ask))).collect()
    }

    fn filled_value(&self, value: &Value, ask: &Ask) -> Value {
        match value {
            Value::String(text) => match text.as_str() {
                "{page}" => self.first_page.saturating_add(ask.page).into(),
                "{offset}" => ask.page.saturating_mul(self.page_size).into(),
                "{cursor}" => ask.cursor.clone().map_or(Value::Null, Value::String),
                _ => Value::String(self.filled(text, ask, &str::to_owned)),
            },
            Value::Array(elements) => elements.iter().map(|element| self.filled_value(element, ask)).collect(),
            Value::Object(map) => Value::Object(self.filled_map(map, ask)),
            other => other.clone(),
        }
    }
}

/// Percent-encoding of a part in a charset; what the charset lacks becomes a character reference, as in browsers.
fn escape(text: &str, encoding: &'static encoding_rs::Encoding) -> String {
    let (bytes, _, _) = encoding.encode(text);
    url::form_urlencoded::byte_serialize(&bytes).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(toml: &str) -> Query {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn every_keyword_is_asked_for_in_every_region_and_order() {
        let query = query(
            "id = 'search'\nurl = 'http://h/s?q={keyword}&r={region}&o={sort}&p={page}'\nregions = ['京', '沪']\nsorts = ['new', 'sales']",
        );
        assert_eq!(query.mistake().map(|(_, why, _)| why), Some("the query search has no keywords".into()));
        let words = ["云雀".to_owned(), "a&b".into()];
        let urls: Vec<String> = query.asks(&words).map(|ask| query.request(&ask).unwrap().url.to_string()).collect();
        assert_eq!(urls.len(), 8);
        assert_eq!(urls[1], "http://h/s?q=%E4%BA%91%E9%9B%80&r=%E4%BA%AC&o=sales&p=1");
        assert_eq!(urls[4], "http://h/s?q=a%26b&r=%E4%BA%AC&o=new&p=1");
    }

    #[test]
    fn words_are_escaped_in_the_sites_charset() {
        let query = query("id = 's'\nurl = 'http://h/s?q={keyword}'\nkeywords = ['云雀']\ncharset = 'gbk'");
        let ask = Ask { keyword: "云雀 {page}😀".into(), ..Ask::default() };
        assert_eq!(query.request(&ask).unwrap().url.as_str(), "http://h/s?q=%D4%C6%C8%B8%20%7Bpage%7D%26%23128512%3B");
        assert!(query.mistake().is_none());
    }

    #[test]
    fn bodies_are_filled_in_and_cannot_be_broken_out_of() {
        let graphql = query(
            "id = 'g'\nurl = 'http://h/graphql'\nmethod = 'POST'\nkeywords = ['x']\ngraphql = 'query($q: String, $after: String) { goods(q: $q) { id } }'\n\
             variables = { q = '{keyword}', first = 40, after = '{cursor}', skip = '{offset}' }\npage_size = 40",
        );
        assert!(graphql.mistake().is_none());
        let first = Ask { keyword: "\"}, evil: {\"".into(), page: 2, ..Ask::default() };
        let (kind, body) = graphql.request(&first).unwrap().body.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(kind, "application/json");
        assert_eq!(
            body["variables"],
            serde_json::json!({"q": "\"}, evil: {\"", "first": 40, "after": null, "skip": 80})
        );
        let next = graphql.next(&first, Some("c2"), None).unwrap();
        assert_eq!((next.page, next.cursor.as_deref()), (3, Some("c2")));
        assert_eq!(graphql.next(&first, None, None), None);
        let form = query(
            "id = 'f'\nurl = 'http://h/s'\nmethod = 'POST'\nkeywords = ['x']\nform = { q = '{keyword}', p = '{page}' }\ncharset = 'gbk'",
        );
        let (_, body) = form.request(&Ask { keyword: "云&".into(), ..Ask::default() }).unwrap().body.unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), "p=1&q=%D4%C6%26");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (text, expected) in [
            ("id = 'a'\nurl = 'ftp://h/{keyword}'\nkeywords = ['x']", "no http address"),
            ("id = 'a'\nurl = 'http://h/'\nkeywords = ['x']", "no {keyword}"),
            ("id = 'a'\nurl = 'http://h/{keyword}'\nkeywords = ['x']\ncharset = 'utf-99'", "no charset"),
            ("id = 'a'\nurl = 'http://h/'\njson = { a = 1 }", "by GET"),
            ("id = 'a'\nurl = 'http://h/'\nmethod = 'POST'", "without a body"),
            ("id = 'a'\nurl = 'http://h/'\nmax_pages = 0", "too much"),
        ] {
            let (_, why, _) = query(text).mistake().unwrap();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
