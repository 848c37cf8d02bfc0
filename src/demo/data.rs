//! The marketplace's files, embedded in the program, as values.

use serde::{Deserialize, de::DeserializeOwned};

use crate::model::Listing;

use super::{MarketError, Truth};

#[derive(rust_embed::Embed)]
#[folder = "fixtures/market/"]
struct Files;

/// One of the three shops; its name is the site's id, the profile's and the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// JSON-LD in an `@graph`, HTML lists, a sitemap index.
    Xinghe,
    /// Microdata in GBK pages.
    Laojie,
    /// Bare pages, the list a JSON endpoint, prices in fen.
    Jianpu,
}

impl Style {
    /// All shops.
    pub const ALL: [Self; 3] = [Self::Xinghe, Self::Laojie, Self::Jianpu];

    /// The site's id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Xinghe => "xinghe",
            Self::Laojie => "laojie",
            Self::Jianpu => "jianpu",
        }
    }
}

/// A listing of the market and how its page is made.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    #[serde(flatten)]
    pub(super) listing: Listing,
    pub(super) page: PageSpec,
}

impl Item {
    /// The item's number on its platform.
    pub(super) fn number(&self) -> &str {
        self.listing.id.rsplit(':').next().unwrap_or_default()
    }

    /// The address that lists link to.
    pub(super) fn link(&self) -> &str {
        self.page.link.as_deref().unwrap_or(&self.page.path)
    }
}

/// How a listing's page is made; `fixtures/market/README.md` says what each field does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageSpec {
    pub(super) path: String,
    #[serde(default)]
    pub(super) link: Option<String>,
    #[serde(default)]
    pub(super) form: Form,
    #[serde(default)]
    pub(super) price_text: Option<String>,
    #[serde(default)]
    pub(super) charset: Option<CharsetLie>,
    #[serde(default)]
    pub(super) broken: bool,
    #[serde(default)]
    pub(super) unlisted: bool,
    #[serde(default)]
    pub(super) private: bool,
}

/// How the JSON-LD of a page is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    #[default]
    Graph,
    Array,
    Comment,
    Cdata,
    Control,
}

/// What lies about a page's charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CharsetLie {
    HeaderLies,
    MetaLies,
}

/// What a site does at one address besides serving a listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Behavior {
    pub(super) site: Style,
    pub(super) path: String,
    pub(super) does: Does,
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) linked_from: Option<usize>,
    /// For people who read the file.
    #[serde(rename = "why")]
    pub(super) _why: String,
}

/// The kinds of behavior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Does {
    Redirect,
    Hang,
    Oversize,
    Missing,
    BusyOnce,
    Duplicate,
}

#[derive(Deserialize)]
struct Behaviors {
    behavior: Vec<Behavior>,
}

/// Everything the market is made of.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) items: Vec<(Style, Vec<Item>)>,
    pub(super) behaviors: Vec<Behavior>,
    pub(super) truth: Truth,
    pub(super) marks_csv: String,
}

impl Data {
    pub(super) fn load() -> Result<Self, MarketError> {
        let behaviors: Behaviors = toml::from_str(&text("behaviors.toml")?)
            .map_err(|error| wrong("behaviors.toml", error.message().to_owned()))?;
        let mut items = Vec::new();
        for style in Style::ALL {
            items.push((style, listings(style)?));
        }
        Ok(Self {
            items,
            behaviors: behaviors.behavior,
            truth: json("truth.json", &text("truth.json")?)?,
            marks_csv: text("marks.csv")?,
        })
    }
}

/// One embedded file as text.
pub(super) fn text(file: &str) -> Result<String, MarketError> {
    let found = Files::get(file).ok_or_else(|| wrong(file, "it is not in the program".into()))?;
    String::from_utf8(found.data.into_owned()).map_err(|error| wrong(file, error.to_string()))
}

fn listings(style: Style) -> Result<Vec<Item>, MarketError> {
    let file = format!("listings/{}.jsonl", style.id());
    let lines = text(&file)?;
    lines.lines().enumerate().map(|(index, line)| json(&format!("{file}:{}", index + 1), line)).collect()
}

fn json<T: DeserializeOwned>(place: &str, text: &str) -> Result<T, MarketError> {
    serde_json::from_str(text).map_err(|error| wrong(place, error.to_string()))
}

fn wrong(file: &str, what: String) -> MarketError {
    MarketError::Data { file: file.to_owned(), what }
}
