//! Settings: one file, each room's own part; everything has a default.
//!
//! `config.toml` at the top of the repository is the complete default, explained.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{alert, crawl, evidence, intake, live, matcher, model::Diagnostic, monitor, review, store, web};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "config.toml";

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the store and the evidence.
    pub data: PathBuf,
    /// Folder of rule files; the built-in rules when it does not exist.
    pub rules: PathBuf,
    /// How findings are made.
    pub matcher: matcher::Settings,
    /// What rules are held to.
    pub monitor: monitor::Settings,
    /// How the store keeps things.
    pub store: store::Settings,
    /// How evidence is proven.
    pub evidence: evidence::Settings,
    /// How the crawler behaves.
    pub crawl: crawl::Settings,
    /// Listings that are handed in.
    pub import: intake::Settings,
    /// Live rooms.
    pub live: live::Settings,
    /// How hits are lent to reviewers.
    pub review: review::Settings,
    /// How people are told of new hits.
    pub alerts: alert::Settings,
    /// The desk.
    pub desk: web::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "data".into(),
            rules: "rules".into(),
            matcher: matcher::Settings::default(),
            monitor: monitor::Settings::default(),
            store: store::Settings::default(),
            evidence: evidence::Settings::default(),
            crawl: crawl::Settings::default(),
            import: intake::Settings::default(),
            live: live::Settings::default(),
            review: review::Settings::default(),
            alerts: alert::Settings::default(),
            desk: web::Settings::default(),
        }
    }
}

impl Config {
    /// Reads the named file; else `config.toml` in the working folder; else the defaults.
    ///
    /// Relative folders are meant from the file's own folder.
    ///
    /// # Errors
    /// When the file cannot be read, or has a mistake: its line and column.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let path = match file {
            Some(path) => path,
            None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
            None => return Ok(Self::default()),
        };
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read the settings file {name}"))?;
        let mut config = Self::parse(&name, &text)?;
        if let Some(folder) = path.parent() {
            for path in [&mut config.data, &mut config.rules, &mut config.crawl.sites] {
                *path = folder.join(&*path);
            }
            if !config.import.folder.as_os_str().is_empty() {
                config.import.folder = folder.join(&config.import.folder);
            }
        }
        Ok(config)
    }

    /// Reads settings from `text`; `file` names it in messages.
    ///
    /// # Errors
    /// A mistake, with its line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        toml::from_str(text).map_err(|error| {
            let help = "config.toml of the distribution shows every key with its default";
            Box::new(Diagnostic::toml(file, text, &error, "config.syntax", help))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../config.toml");

    #[test]
    fn the_shipped_file_is_the_complete_default() {
        let shipped = Config::parse("config.toml", SHIPPED).unwrap();
        assert_eq!(shipped, Config::default());
        let written: serde_json::Value = serde_json::to_value(toml::from_str::<toml::Table>(SHIPPED).unwrap()).unwrap();
        let known = serde_json::to_value(Config::default()).unwrap();
        assert_eq!(keys("", &known), keys("", &written), "every key is in config.toml, and no other");
    }

    fn keys(prefix: &str, value: &serde_json::Value) -> std::collections::BTreeSet<String> {
        match value.as_object() {
            Some(table) => table.iter().flat_map(|(key, value)| keys(&format!("{prefix}.{key}"), value)).collect(),
            None => [prefix.to_owned()].into(),
        }
    }

    #[test]
    fn the_example_of_a_live_room_in_the_shipped_file_can_be_used() {
        let example = SHIPPED.lines().skip_while(|line| *line != "# [[live.room]]").take_while(|line| !line.is_empty());
        let example: Vec<&str> = example.map(|line| line.trim_start_matches("# ")).collect();
        let room = Config::parse("config.toml", &example.join("\n")).unwrap().live.rooms.remove(0);
        assert_eq!((room.sources.len(), room.robots, room.allow_loopback), (2, true, false));
    }

    #[test]
    fn an_unknown_key_names_its_line() {
        let wrong = Config::parse("config.toml", "data = \"data\"\n\n[crawl]\nagent_nme = \"x\"\n").unwrap_err();
        assert_eq!(wrong.line_column(), (4, 1));
        assert!(wrong.to_string().contains("config.toml:4:1"), "{wrong}");
    }
}
