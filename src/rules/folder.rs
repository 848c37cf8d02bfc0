//! Where rule files come from: a folder, single files, or the set built into the program.
//!
//! Main type: [`RuleSource`]. This is the only part of the room that reads the disk.

use std::{
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

#[derive(RustEmbed)]
#[folder = "rules/"]
struct Builtin;

/// A file of a rule folder: a rule, a word list or the sectors.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Whether it stands in `lists/`.
    pub(super) fn is_list(&self) -> bool {
        self.path.rsplit(['/', '\\']).nth(1) == Some("lists")
    }

    pub(super) fn is_toml(&self) -> bool {
        self.path.ends_with(".toml")
    }
}

impl RuleSet {
    /// The rules built into the program.
    ///
    /// # Errors
    /// Never, unless a broken rule was built in; the tests of the project see to that.
    pub fn builtin() -> Result<Self, Vec<Diagnostic>> {
        Self::parse(builtin_files(|name| name.ends_with(".toml") && !name.contains('/')))
    }

    /// Reads the rules of a folder, with its `lists/`.
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read_folder(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&[folder.to_owned()])
    }

    /// Reads rule files and folders together; a file brings the `lists/` beside it.
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Vec<Diagnostic>> {
        let mut sources = Vec::new();
        let mut shelves: Vec<PathBuf> = Vec::new();
        for path in paths {
            let shelf = if path.is_dir() {
                let mut files = listed(path, "toml")?;
                files.sort();
                for file in files {
                    sources.push(read(&file, MAX_RULE_BYTES)?);
                }
                path.join("lists")
            } else {
                sources.push(read(path, MAX_RULE_BYTES)?);
                path.parent().unwrap_or(Path::new("")).join("lists")
            };
            if shelf.is_dir() && !shelves.contains(&shelf) {
                shelves.push(shelf);
            }
        }
        for shelf in shelves {
            for ending in ["txt", "toml"] {
                for file in listed(&shelf, ending)? {
                    sources.push(read(&file, MAX_LIST_BYTES)?);
                }
            }
        }
        Self::parse(sources)
    }
}

/// The built-in word lists and sectors.
pub(super) fn builtin_lists() -> Vec<RuleSource> {
    builtin_files(|name| name.starts_with("lists/"))
}

fn builtin_files(wanted: impl Fn(&str) -> bool) -> Vec<RuleSource> {
    let mut names: Vec<_> = Builtin::iter().filter(|name| wanted(name)).collect();
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
