//! Where rule files come from: a folder, single files, or the set built into the program.
//!
//! Main type: [`RuleSource`]. This is the only part of the room that reads the disk.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use rust_embed::RustEmbed;

use crate::model::Diagnostic;

use super::{
    limits::{MAX_FILES, MAX_LIST_BYTES, MAX_RULE_BYTES},
    set::RuleSet,
};

/// What records the version and the logic of each rule, in a rule folder.
pub const LOCK_FILE: &str = "versions.lock";

#[derive(RustEmbed)]
#[folder = "rules/"]
struct Builtin;

/// A file of a rule folder: a rule, a word list, the sectors, a statute or the lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleSource {
    /// Its path, as shown in diagnostics.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl RuleSource {
    /// Its name without folder and ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit(['/', '\\']).next().unwrap_or(&self.path);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// Its name without folder and ending: a rule's id.
    pub fn name(&self) -> &str {
        self.stem()
    }

    /// The files of a folder of campaigns.
    ///
    /// # Errors
    /// What cannot be read, or is larger than a bound.
    pub fn read_campaigns(folder: &Path) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let mut files = listed(folder, "toml")?;
        files.sort();
        files.iter().map(|file| read(file, MAX_RULE_BYTES)).collect()
    }

    /// The rules built into the program, with their record of versions.
    pub fn builtin() -> Vec<Self> {
        let mut files = builtin_files("");
        files.retain(Self::is_rule);
        files.extend(builtin_files(LOCK_FILE));
        files
    }

    /// Whether it stands in `lists/`.
    pub fn is_list(&self) -> bool {
        self.path.rsplit(['/', '\\']).nth(1) == Some("lists")
    }

    pub(super) fn is_toml(&self) -> bool {
        self.path.ends_with(".toml")
    }

    /// Whether it is a rule, and no list, statute or lock beside the rules.
    pub fn is_rule(&self) -> bool {
        !self.is_list() && !self.is_statute() && !self.is_lock()
    }

    /// Whether it stands in `statutes/`.
    pub fn is_statute(&self) -> bool {
        self.path.rsplit(['/', '\\']).nth(1) == Some("statutes")
    }

    fn is_lock(&self) -> bool {
        self.path.ends_with(LOCK_FILE)
    }

    /// Reads rule files and folders together; a file brings `lists/`, `statutes/` and the lock beside it.
    ///
    /// # Errors
    /// What cannot be read, or is larger than a bound.
    pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let mut sources = Vec::new();
        let mut folders: Vec<PathBuf> = Vec::new();
        for path in paths {
            let folder = if path.is_dir() {
                let mut files = listed(path, "toml")?;
                files.sort();
                for file in files {
                    sources.push(read(&file, MAX_RULE_BYTES)?);
                }
                path.clone()
            } else {
                sources.push(read(path, MAX_RULE_BYTES)?);
                path.parent().unwrap_or(Path::new("")).to_owned()
            };
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        for folder in folders {
            for (shelf, ending) in [("lists", "txt"), ("lists", "toml"), ("statutes", "toml")] {
                let shelf = folder.join(shelf);
                let mut files = if shelf.is_dir() { listed(&shelf, ending)? } else { Vec::new() };
                files.sort();
                for file in files {
                    sources.push(read(&file, MAX_LIST_BYTES)?);
                }
            }
            let lock = folder.join(LOCK_FILE);
            if lock.is_file() {
                sources.push(read(&lock, MAX_LIST_BYTES)?);
            }
        }
        Ok(sources)
    }
}

/// Files of a folder by what they are, the built-in lists and statutes behind those that it has itself.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    pub rules: Vec<RuleSource>,
    pub lists: Vec<RuleSource>,
    pub statutes: Vec<RuleSource>,
    pub lock: Option<RuleSource>,
}

impl Shelves {
    pub fn sort(files: Vec<RuleSource>) -> Self {
        let mut shelves = Self::default();
        let (mut lists, mut statutes) = (builtin_files("lists/"), builtin_files("statutes/"));
        for file in files {
            if file.is_list() {
                lists.push(file);
            } else if file.is_statute() {
                statutes.push(file);
            } else if file.is_lock() {
                shelves.lock = Some(file);
            } else {
                shelves.rules.push(file);
            }
        }
        shelves.lists = last_of_each(lists);
        shelves.statutes = last_of_each(statutes);
        shelves
    }
}

/// Of files with one name the last.
fn last_of_each(files: Vec<RuleSource>) -> Vec<RuleSource> {
    let mut named: BTreeMap<(String, bool), RuleSource> = BTreeMap::new();
    for file in files {
        named.insert((file.stem().to_owned(), file.is_toml()), file);
    }
    named.into_values().collect()
}

impl RuleSet {
    /// The rules built into the program.
    ///
    /// # Errors
    /// Never, unless a broken rule was built in; the tests of the project see to that.
    pub fn builtin() -> Result<Self, Vec<Diagnostic>> {
        Self::parse(RuleSource::builtin())
    }

    /// Reads the rules of a folder, with its `lists/`.
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read_folder(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&[folder.to_owned()])
    }

    /// The same, where `before` is in use; see [`parse_after`](Self::parse_after).
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read_folder_after(folder: &Path, before: &Self) -> Result<Self, Vec<Diagnostic>> {
        RuleSource::read_all(&[folder.to_owned()]).and_then(|files| Self::parse_after(files, before))
    }

    /// Reads rule files and folders together; a file brings `lists/`, `statutes/` and the lock beside it.
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Vec<Diagnostic>> {
        RuleSource::read_all(paths).and_then(Self::parse)
    }
}

/// The record of versions built into the program.
pub(super) fn builtin_lock() -> Option<RuleSource> {
    builtin_files(LOCK_FILE).pop()
}

/// The built-in files whose name in the folder begins with `start`, papers left out.
fn builtin_files(start: &str) -> Vec<RuleSource> {
    let mut names: Vec<_> = Builtin::iter().filter(|name| name.starts_with(start) && !name.ends_with(".md")).collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| {
            let file = Builtin::get(&name)?;
            let text = String::from_utf8_lossy(&file.data).into_owned();
            Some(RuleSource { path: format!("rules/{name}"), text })
        })
        .collect()
}

fn listed(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Vec<Diagnostic>> {
    let unreadable = |error: &io::Error| vec![unreadable(folder, error)];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(&error))? {
        let path = entry.map_err(|error| unreadable(&error))?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            let message = format!("the folder holds more than {MAX_FILES} .{ending} files");
            let shown = folder.display().to_string();
            return Err(vec![Diagnostic::error(&shown, "", 0..0, "rule.too-many", message, "split the folder")]);
        }
    }
    Ok(files)
}

/// Reads at most `limit` bytes, so that a huge file costs nothing.
fn read(path: &Path, limit: u64) -> Result<RuleSource, Vec<Diagnostic>> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| vec![unreadable(path, &error)])?;
    if bytes.len() as u64 > limit {
        return Err(vec![too_large(&shown, limit)]);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(RuleSource { path: shown, text }),
        Err(_) => {
            let help = "save it as UTF-8";
            Err(vec![Diagnostic::error(&shown, "", 0..0, "rule.encoding", "the file is not UTF-8", help)])
        }
    }
}

pub(super) fn too_large(path: &str, limit: u64) -> Diagnostic {
    let message = format!("the file is larger than {limit} bytes");
    Diagnostic::error(path, "", 0..0, "rule.too-large", message, "a list this long belongs to the register of marks")
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("cannot read {}: {error}", path.display());
    Diagnostic::error(&path.display().to_string(), "", 0..0, "rule.read", message, "check the path and its permissions")
}
