//! Recorded pages: pages as they came once, beside the facts that must be read from them.
//!
//! They stand in a folder beside the profile that has its name (`sites/xinghe/` for `sites/xinghe.toml`). A recorded page is two
//! files: `NAME.html`, its bytes without their transfer's encoding, and `NAME.toml`, its address and its facts. Reading needs
//! neither network nor store.

use std::{
    fs::{self, File},
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table};
use url::Url;

use super::{
    CompiledProfile, Difference, Expected, FACTS, PAGE_BYTES, PageText, ProfileError, decode, expected::object_of,
    extract,
};
use crate::model::{Diagnostic, Listing, Timestamp};

/// Recorded pages of a profile that are read; more are a mistake.
pub const MAX_RECORDED: usize = 1000;
/// Longest file of expected facts, in bytes.
const MAX_FACTS_BYTES: u64 = 1024 * 1024;
/// Longest name of a recorded page, in bytes.
const MAX_NAME_BYTES: usize = 80;

/// A page that was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// Its file of facts, as it is named in messages.
    pub file: String,
    /// The page's bytes.
    pub page: Vec<u8>,
    text: String,
    written: Written,
    expected: Expected,
}

/// The form of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where the page stood, after redirects.
    url: Url,
    /// The `Content-Type` it came with.
    #[serde(default)]
    content_type: Option<String>,
    /// When it was recorded; for people.
    #[serde(default, rename = "recorded")]
    _recorded: Option<String>,
    /// Facts that must not be read.
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    facts: Map<String, Value>,
}

/// What is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Where the page stands, after redirects.
    pub url: &'a Url,
    /// The `Content-Type` it came with.
    pub content_type: Option<&'a str>,
    /// Its bytes, without a Content-Encoding.
    pub body: &'a [u8],
    /// When it was had.
    pub at: Timestamp,
}

/// The folder of the recorded pages of the profile at `profile`.
pub fn recorded_folder(profile: &Path) -> PathBuf {
    profile.with_extension("")
}

impl Recorded {
    /// Reads every recorded page of a folder, by name; none where there is no folder.
    ///
    /// # Errors
    /// When one cannot be read or has a mistake.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, ProfileError> {
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let unreadable = |source| ProfileError::Unreadable { path: folder.display().to_string(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
            if files.len() > MAX_RECORDED {
                let many = std::io::Error::other(format!("more than {MAX_RECORDED} pages are recorded"));
                return Err(unreadable(many));
            }
        }
        files.sort();
        files.iter().map(|path| Self::read(path)).collect()
    }

    /// Reads one, by its file of facts.
    ///
    /// # Errors
    /// When it cannot be read or has a mistake.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = String::from_utf8(bounded(path, MAX_FACTS_BYTES)?).map_err(|error| ProfileError::Unreadable {
            path: path.display().to_string(),
            source: std::io::Error::other(error),
        })?;
        let page = bounded(&path.with_extension("html"), u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX))?;
        Self::parse(&path.display().to_string(), text, page).map_err(ProfileError::Wrong)
    }

    /// A recorded page from the text of its file of facts and its bytes; `file` names it in messages.
    ///
    /// # Errors
    /// A mistake, with its line and column.
    pub fn parse(file: &str, text: String, page: Vec<u8>) -> Result<Self, Box<Diagnostic>> {
        let written: Written = toml::from_str(&text).map_err(|error| {
            let help = "CONTRIBUTING.md shows a recorded page; `crawl profile record` writes one";
            Diagnostic::toml(file, &text, &error, "recorded.syntax", help)
        })?;
        let expected = Expected::new(&written.facts, &[], &written.absent).map_err(|(at, why)| {
            let span = span_of(&text, &["facts"], &at)
                .or_else(|| text.find(&at).map(|start| start..start + at.len()))
                .unwrap_or(0..0);
            Diagnostic::error(file, &text, span, "recorded.fact", why, "facts are written as `extract` prints them")
        })?;
        if expected.is_empty() {
            let why = "nothing is expected of this page";
            let help = "write its facts under [facts], as `extract` prints them";
            return Err(Box::new(Diagnostic::error(file, &text, 0..0, "recorded.fact", why, help)));
        }
        Ok(Self { file: file.to_owned(), page, text, written, expected })
    }

    /// Reads the page with `profile`; gives a mistake for each fact that is read otherwise than expected.
    pub fn check(&self, profile: &CompiledProfile) -> Vec<Diagnostic> {
        let decoded = decode(&self.page, self.written.content_type.as_deref());
        let listing = extract(&PageText { url: &self.written.url, text: &decoded.text }, Some(profile));
        if listing.is_none() {
            let help = "look at the page with `markwarden extract --profile`; its title is not found";
            let span = span_of(&self.text, &["facts"], "title").unwrap_or(0..0);
            let why = "no listing is read from this page: it has no title";
            return vec![Diagnostic::error(&self.file, &self.text, span, "recorded.no-facts", why, help)];
        }
        let differences = self.expected.differences(listing.as_ref());
        differences.iter().map(|difference| differs(&self.file, &self.text, &["facts"], difference)).collect()
    }
}

/// A difference as a mistake in the file whose table at `table` states the facts.
pub fn differs(file: &str, text: &str, table: &[&str], difference: &Difference) -> Diagnostic {
    let span = span_of(text, table, &difference.path)
        .or_else(|| text.find(&difference.path).map(|start| start..start + difference.path.len()))
        .unwrap_or(0..0);
    let help = "change the profile's selectors, or this fact if the page says otherwise";
    Diagnostic::error(file, text, span, "profile.fact", difference.words(), help)
}

/// Where the fact at `path` is stated inside the table at `table`; steps of `table` that are numbers go into arrays of tables.
/// As deep as it goes.
fn span_of(text: &str, table: &[&str], path: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut at: &DeValue<'_> = &DeValue::Table(document.into_inner());
    for step in table {
        at = match at {
            DeValue::Table(table) => table.iter().find(|(key, _)| key.get_ref() == step)?.1.get_ref(),
            DeValue::Array(array) => array.get(step.parse::<usize>().ok()?)?.get_ref(),
            _ => return None,
        };
    }
    let mut found = None;
    for step in steps(path) {
        let next = match at {
            DeValue::Table(table) => table.iter().find(|(key, _)| key.get_ref() == &step).map(|(_, value)| value),
            DeValue::Array(array) => step.parse::<usize>().ok().and_then(|index| array.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        found = Some(next.span());
        at = next.get_ref();
    }
    found
}

/// `reviews[0].text` is `reviews`, `0`, `text`; an attribute's name is one step, whatever stands in it.
fn steps(path: &str) -> Vec<String> {
    if let Some(name) = path.strip_prefix("attributes.") {
        return vec!["attributes".into(), name.into()];
    }
    path.split(['.', '[']).map(|step| step.trim_end_matches(']').to_owned()).collect()
}

/// The file of facts of a page that is recorded: what is read now, for a person to correct.
pub fn facts_file(taken: &Taken<'_>, listing: &Listing) -> String {
    let facts = object_of(listing);
    let mut document = DocumentMut::new();
    document["url"] = toml_edit::value(taken.url.as_str());
    if let Some(kind) = taken.content_type {
        document["content_type"] = toml_edit::value(kind);
    }
    document["recorded"] = toml_edit::value(taken.at.to_string());
    let absent: Array = FACTS.into_iter().filter(|name| !facts.contains_key(*name)).collect();
    document["absent"] = toml_edit::value(absent);
    let mut table = Table::new();
    // Plain values before the table of attributes, which would take them in.
    for name in FACTS {
        let Some(value) = facts.get(name) else { continue };
        let item = match (name, value) {
            ("attributes", Value::Object(attributes)) => {
                let rows = attributes.iter().map(|(name, value)| (name.as_str(), Item::Value(toml_value(value))));
                Item::Table(rows.collect())
            }
            (_, value) => Item::Value(toml_value(value)),
        };
        table.insert(name, item);
    }
    document["facts"] = Item::Table(table);
    format!(
        "# What must be read from the page beside this file; `markwarden crawl profile check` does so.\n\
         # Correct what was read wrongly. What is stated must be so, what stands under `absent` must not be read.\n{document}"
    )
}

fn toml_value(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.to_string().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => toml_edit::Value::Array(values.iter().map(toml_value).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), toml_value(value)));
            toml_edit::Value::InlineTable(fields.collect::<InlineTable>())
        }
    }
}

/// A name for the recorded page of a listing: what stands of its identity in a file's name.
pub fn name_of(listing: &Listing) -> String {
    let id = listing.id.rsplit([':', '/']).next().unwrap_or_default();
    let name: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let name: String = name.chars().take(MAX_NAME_BYTES).collect();
    if name.is_empty() { "page".into() } else { name }
}

/// Whether a recorded page may have this name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(unreadable(std::io::Error::other(format!("it is longer than {limit} bytes"))));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crawl::Profile;

    const PAGE: &str =
        "<html><body><h1>云雀 耳机</h1><p class='sub'>轻便</p><b class='price'>￥199.00</b></body></html>";

    fn profile(subtitle: &str) -> CompiledProfile {
        let text = format!(
            "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n\
             [listing]\nmatch = [\"/p/\"]\nid = '/p/(\\d+)'\ncurrency = \"CNY\"\n\
             [listing.select]\ntitle = \"h1\"\nsubtitle = \"{subtitle}\"\nprice = \".price\"\n"
        );
        CompiledProfile::new(&Profile::parse("s.toml", &text).unwrap())
    }

    fn record() -> String {
        let url = Url::parse("https://s.example/p/7").unwrap();
        let listing = extract(&PageText { url: &url, text: PAGE }, Some(&profile(".sub"))).unwrap();
        let taken =
            Taken { url: &url, content_type: Some("text/html"), body: PAGE.as_bytes(), at: Timestamp::UNIX_EPOCH };
        facts_file(&taken, &listing)
    }

    #[test]
    fn a_recorded_page_is_read_as_it_was_recorded_and_tells_where_it_differs() {
        let text = record();
        let recorded = Recorded::parse("s/7.toml", text.clone(), PAGE.into()).unwrap();
        assert_eq!(recorded.check(&profile(".sub")), []);
        let found = recorded.check(&profile(".gone"));
        assert_eq!(found.len(), 1);
        let line = text.lines().position(|line| line.starts_with("subtitle")).unwrap() + 1;
        assert_eq!((found[0].line_column().0, found[0].code), (line, "profile.fact"));
        assert!(found[0].message.contains("subtitle is not read; it should be “轻便”"), "{}", found[0].message);
        let corrected = text.replace("\"199.00\"", "\"188.00\"");
        let found = Recorded::parse("s/7.toml", corrected, PAGE.into()).unwrap().check(&profile(".sub"));
        assert!(found[0].message.contains("price.amount is read as “199.00”, not “188.00”"), "{}", found[0].message);
        assert!(found[0].source[found[0].span.clone()].contains("188.00"));
    }

    #[test]
    fn a_page_without_any_listing_and_a_file_without_facts_are_mistakes() {
        let recorded = Recorded::parse("s/7.toml", record(), b"<p>gone</p>".to_vec()).unwrap();
        assert_eq!(recorded.check(&profile(".sub"))[0].code, "recorded.no-facts");
        for text in ["url = \"https://s.example/p/7\"\n", "url = \"x\"\n", "[facts]\ntitle = 1\n"] {
            assert!(Recorded::parse("s/7.toml", text.into(), Vec::new()).is_err(), "{text}");
        }
        let misspelt = "url = \"https://s.example/p/7\"\n[facts]\ntitel = \"x\"\n";
        let wrong = Recorded::parse("s/7.toml", misspelt.into(), Vec::new()).unwrap_err();
        assert_eq!((wrong.line_column().0, wrong.code), (3, "recorded.fact"));
    }

    #[test]
    fn files_over_their_limits_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7.toml");
        fs::write(&path, record()).unwrap();
        assert!(Recorded::read_folder(folder.path()).is_err(), "its page is missing");
        fs::write(path.with_extension("html"), vec![b' '; PAGE_BYTES + 1]).unwrap();
        assert!(Recorded::read_folder(folder.path()).is_err());
        fs::write(path.with_extension("html"), PAGE).unwrap();
        assert_eq!(Recorded::read_folder(folder.path()).unwrap().len(), 1);
        fs::write(&path, vec![b'#'; MAX_FACTS_BYTES as usize + 1]).unwrap();
        assert!(Recorded::read_folder(folder.path()).is_err());
        assert!(Recorded::read_folder(&folder.path().join("none")).unwrap().is_empty());
        assert!(is_name("a-1_b") && !is_name("../x") && !is_name("") && !is_name(&"x".repeat(81)));
    }

    proptest! {
        #[test]
        fn no_file_and_no_page_make_it_panic(text in "\\PC{0,200}", page in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(recorded) = Recorded::parse("x.toml", text, page.clone()) {
                recorded.check(&profile(".sub"));
            }
            let recorded = Recorded::parse("x.toml", record(), page).unwrap();
            recorded.check(&profile(".sub"));
        }

        #[test]
        fn any_listing_can_be_recorded(title in "\\PC{1,20}", key in "\\PC{1,9}", value in "\\PC{1,9}") {
            let facts = serde_json::json!({"id": "s:1", "title": title, "attributes": {key: value}});
            let listing: Listing = serde_json::from_value(facts).unwrap();
            let url = Url::parse("https://s.example/p/7").unwrap();
            let taken = Taken { url: &url, content_type: None, body: b"", at: Timestamp::UNIX_EPOCH };
            let text = facts_file(&taken, &listing);
            let recorded = Recorded::parse("x.toml", text, Vec::new()).unwrap();
            prop_assert_eq!(recorded.expected.differences(Some(&listing)), []);
        }
    }
}
