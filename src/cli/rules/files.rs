//! How the commands that change rule files read, show and write them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use similar::TextDiff;

/// The paths a person named, or the folder `rules`.
pub fn or_rules(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    if paths.is_empty() { vec![PathBuf::from("rules")] } else { paths }
}

/// What changes from `before` to `after`, as a unified diff.
pub fn difference(path: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(1).header(path, path).to_string()
}

/// Writes the file anew: whole, or as it was.
pub fn replace(path: &str, text: &str) -> Result<()> {
    crate::files::replace(Path::new(path), text.as_bytes()).with_context(|| format!("cannot write {path}"))
}
