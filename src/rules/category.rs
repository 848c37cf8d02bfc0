//! Sectors: from a listing's free category path, or failing that its title, to the few sectors the
//! law tells apart.
//!
//! Main types: [`Sectors`], read from `lists/sectors.toml`, and [`SectorSet`]. A listing that no word
//! places is of unknown sector: rules for certain sectors still look at it, with less weight, and
//! say so; guards answer that it is in none.

use std::{collections::BTreeMap, fmt, sync::Arc};

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::nearest::nearest;
use crate::{model::Listing, text::fold};

/// Which words place a listing in which sector.
#[derive(Debug, Default)]
pub(super) struct Sectors {
    names: Arc<[String]>,
    category: Words,
    title: Words,
}

/// The sectors of one listing; empty when unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SectorSet {
    names: Arc<[String]>,
    found: Vec<usize>,
}

impl SectorSet {
    pub fn has(&self, sector: &str) -> bool {
        self.known().any(|known| known == sector)
    }

    /// Whether the sector with this number is among them.
    pub fn has_number(&self, number: usize) -> bool {
        self.found.contains(&number)
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        self.found.iter().filter_map(|&index| self.names.get(index)).map(String::as_str)
    }

    pub fn is_unknown(&self) -> bool {
        self.found.is_empty()
    }

    #[cfg(test)]
    pub fn of(sectors: &[&str]) -> Self {
        Self { names: sectors.iter().map(|&sector| sector.to_owned()).collect(), found: (0..sectors.len()).collect() }
    }
}

impl fmt::Display for SectorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = self.known().collect();
        f.write_str(if known.is_empty() { "unknown" } else { "" })?;
        f.write_str(&known.join(", "))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SectorFile {
    /// Words of category paths.
    category: Vec<String>,
    /// Words of titles, asked only where no category word answers.
    #[serde(default)]
    title: Vec<String>,
}

#[derive(Debug, Default)]
struct Words {
    automaton: Option<AhoCorasick>,
    sector_of: Vec<usize>,
}

impl Words {
    fn new(words: Vec<(String, usize)>) -> Self {
        let words: Vec<_> = words.into_iter().filter(|(word, _)| !word.is_empty()).collect();
        let automaton = AhoCorasick::new(words.iter().map(|(word, _)| word.as_str())).ok();
        Self { automaton, sector_of: words.into_iter().map(|(_, sector)| sector).collect() }
    }

    fn sectors(&self, folded: &str) -> Vec<usize> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let mut found: Vec<usize> = automaton
            .find_overlapping_iter(folded)
            .filter_map(|hit| self.sector_of.get(hit.pattern().as_usize()).copied())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Sectors {
    /// Reads the sectors file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let file: BTreeMap<String, SectorFile> = toml::from_str(text)?;
        let mut names = Vec::new();
        let (mut category, mut title) = (Vec::new(), Vec::new());
        for (index, (name, words)) in file.into_iter().enumerate() {
            names.push(name);
            category.extend(words.category.iter().map(|word| (fold(word), index)));
            title.extend(words.title.iter().map(|word| (fold(word), index)));
        }
        Ok(Self { names: names.into(), category: Words::new(category), title: Words::new(title) })
    }

    pub fn knows(&self, sector: &str) -> bool {
        self.number(sector).is_some()
    }

    /// The number of the sector named so.
    pub fn number(&self, sector: &str) -> Option<usize> {
        self.names.iter().position(|name| name == sector)
    }

    /// The sector that `written` was probably meant to be.
    pub fn nearest(&self, written: &str) -> Option<&str> {
        nearest(written, self.names.iter().map(String::as_str))
    }

    /// The sectors of `listing`: by its category, else by its title.
    pub fn of(&self, listing: &Listing) -> SectorSet {
        let mut found: Vec<usize> =
            listing.category.iter().flat_map(|part| self.category.sectors(&fold(part))).collect();
        if found.is_empty() {
            found = self.title.sectors(&fold(&listing.title));
        }
        found.sort_unstable();
        found.dedup();
        SectorSet { names: Arc::clone(&self.names), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_category_decides_and_the_title_only_where_it_is_silent() {
        let sectors = Sectors::parse(
            "[food]\ncategory = [\"食品\", \"茶\"]\ntitle = [\"绿茶\"]\n[home]\ncategory = [\"家居\"]\ntitle = []\n",
        )
        .unwrap();
        let of = |text: &str| sectors.of(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"title":"绿茶杯","category":["家居","杯具"]}"#).to_string(), "home");
        assert_eq!(of(r#"{"title":"绿茶","category":["其他"]}"#).to_string(), "food");
        assert_eq!(of(r#"{"title":"x","category":"食品/茶 / 家居"}"#).to_string(), "food, home");
        assert!(of(r#"{"title":"铁锤"}"#).is_unknown());
        assert!(sectors.knows("home") && !sectors.knows("houses"));
    }
}
