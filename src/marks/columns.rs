//! Which column of a table holds which fact of a mark: by its name, Chinese or English, or because a person says so.

use std::{collections::BTreeMap, sync::LazyLock};

use super::import::COLUMNS;

/// The names of columns, by fact.
static NAMES: LazyLock<BTreeMap<String, Vec<String>>> =
    LazyLock::new(|| toml::from_str(include_str!("columns.toml")).unwrap_or_default());

/// Which column holds which fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    fields: Vec<Option<&'static str>>,
}

impl Columns {
    /// What the names of a header tell; of two columns for one fact the first holds it.
    pub fn guess(header: &[String]) -> Self {
        Self::of(header.iter().map(|name| named(name)))
    }

    /// What the names tell, and before them what `map` says of headers.
    ///
    /// # Errors
    /// When a header of `map` is not there, or a fact of it is not known.
    pub fn with_map(header: &[String], map: &BTreeMap<String, String>) -> Result<Self, String> {
        for (name, fact) in map {
            if !header.iter().any(|known| known.trim() == name) {
                return Err(format!("there is no column `{name}`; there are {}", header.join(", ")));
            }
            fact_named(fact)
                .ok_or_else(|| format!("`{fact}` is no fact of a mark; known are {}", COLUMNS.join(", ")))?;
        }
        let told = |fact: &&'static str| !map.values().any(|mapped| mapped == fact);
        Ok(Self::of(header.iter().map(|name| match map.get(name.trim()) {
            Some(fact) => fact_named(fact),
            None => named(name).filter(told),
        })))
    }

    /// What a person chose: a fact, or nothing, for each column; of two columns for one fact the first holds it.
    pub fn of(facts: impl IntoIterator<Item = Option<&'static str>>) -> Self {
        let mut fields: Vec<Option<&'static str>> = Vec::new();
        for fact in facts {
            let new = fact.filter(|fact| !fields.iter().flatten().any(|known| known == fact));
            fields.push(new);
        }
        Self { fields }
    }

    /// By column, what it holds.
    pub fn facts(&self) -> &[Option<&'static str>] {
        &self.fields
    }

    /// Whether one holds the registered words, without which nothing is a mark.
    pub fn has_text(&self) -> bool {
        self.fields.contains(&Some("text"))
    }

    /// The cell of `cells` that holds `fact`, trimmed; empty where none does.
    pub(super) fn cell<'c>(&self, cells: &'c [String], fact: &str) -> &'c str {
        let at = self.fields.iter().position(|known| *known == Some(fact));
        at.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim())
    }
}

/// The fact of a mark that is called `fact` in files.
pub fn fact_named(fact: &str) -> Option<&'static str> {
    COLUMNS.into_iter().find(|known| *known == fact)
}

/// The fact that a header names.
pub(super) fn named(header: &str) -> Option<&'static str> {
    let header = plain(header);
    let fact = NAMES.iter().find(|(_, names)| names.iter().any(|name| plain(name) == header));
    fact.and_then(|(fact, _)| fact_named(fact))
}

/// A header without case, spaces, `_`, `-` and what stands in brackets.
fn plain(header: &str) -> String {
    let outside = header.split(['(', '（', '[', '【']).next().unwrap_or_default();
    let kept = outside.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '.' | '/' | '\u{FEFF}'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_table_of_names_holds_facts_alone_and_each_name_once() {
        let mut known = BTreeMap::new();
        assert_eq!(NAMES.len(), COLUMNS.len());
        for (fact, names) in &*NAMES {
            assert!(fact_named(fact).is_some(), "{fact}");
            assert_eq!(named(fact), fact_named(fact), "the form in which files are written is read");
            for name in names {
                assert_eq!(known.insert(plain(name), fact), None, "{name}");
            }
        }
    }

    #[test]
    fn columns_are_known_by_their_names_in_both_languages_or_told() {
        let names = header(&["商标名称", " Reg. No. ", "国际分类（类）", "备注", "Owner", "注册人"]);
        let columns = Columns::guess(&names);
        let expected = [Some("text"), Some("number"), Some("nice_classes"), None, Some("holder"), None];
        assert_eq!(columns.facts(), expected);
        let map = BTreeMap::from([("备注".to_owned(), "holder".to_owned())]);
        let told = Columns::with_map(&names, &map).unwrap();
        assert_eq!(told.facts()[3..], [Some("holder"), None, None]);
        assert!(
            Columns::with_map(&names, &BTreeMap::from([("x".into(), "text".into())]))
                .unwrap_err()
                .contains("no column")
        );
        assert!(
            Columns::with_map(&names, &BTreeMap::from([("备注".into(), "x".into())])).unwrap_err().contains("no fact")
        );
    }
}
