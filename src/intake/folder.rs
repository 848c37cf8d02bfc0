//! A watched folder: files that are put there are taken once they are whole, and end in `done` or `failed` with a report.
//!
//! A file is whole when it did not change between two looks. Hidden files, and names that programs give to what they are
//! still writing, are left alone; so are links and folders.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

/// Where files go whose rows were all taken.
pub const DONE: &str = "done";
/// Where files go of which something could not be taken.
pub const FAILED: &str = "failed";
/// Files taken in one look.
const MAX_FILES: usize = 100;
/// Files that are remembered from one look to the next.
const MAX_SEEN: usize = 10_000;
/// Endings of files that somebody is still writing.
const PARTIAL: [&str; 6] = ["tmp", "part", "partial", "crdownload", "filepart", "swp"];
/// Files of one name that may stand in the way.
const MAX_NAME_TRIES: u32 = 10_000;

/// A folder that is watched.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seen: BTreeMap<PathBuf, (u64, SystemTime)>,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Where it lies.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Folder {
    /// Watches `path`, which is made with its subfolders when it is not there.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(path: &Path) -> io::Result<Self> {
        for folder in [DONE, FAILED] {
            fs::create_dir_all(path.join(folder))?;
        }
        Ok(Self { path: path.to_owned(), seen: BTreeMap::new() })
    }

    /// Files that did not change since the last look, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn look(&mut self) -> io::Result<Vec<Waiting>> {
        let mut now = BTreeMap::new();
        let mut whole = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !is_meant(&name) || now.len() >= MAX_SEEN {
                continue;
            }
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            if !about.is_file() {
                continue;
            }
            let state = (about.len(), about.modified()?);
            if self.seen.get(&path) == Some(&state) {
                whole.push(Waiting { path: path.clone(), name, bytes: state.0 });
            }
            now.insert(path, state);
        }
        self.seen = now;
        whole.sort_by(|left, right| left.name.cmp(&right.name));
        whole.truncate(MAX_FILES);
        Ok(whole)
    }

    /// Moves a file to where it ends, and writes its report beside it.
    ///
    /// # Errors
    /// When the disk says no; then it lies where it was, and may be taken again.
    pub fn finish(&mut self, file: &Waiting, done: bool, report: &Value) -> io::Result<PathBuf> {
        let folder = self.path.join(if done { DONE } else { FAILED });
        for number in 0..MAX_NAME_TRIES {
            let name = if number == 0 { file.name.clone() } else { format!("{number}-{}", file.name) };
            let to = folder.join(&name);
            let told = folder.join(format!("{name}.report.json"));
            if to.exists() || told.exists() {
                continue;
            }
            fs::write(&told, serde_json::to_vec_pretty(report).map_err(io::Error::other)?)?;
            fs::rename(&file.path, &to)?;
            self.seen.remove(&file.path);
            return Ok(to);
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

fn is_meant(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.starts_with(['.', '~']) && !PARTIAL.iter().any(|partial| ending.eq_ignore_ascii_case(partial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_when_it_no_longer_changes() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(&place.path().join("in")).unwrap();
        let at = |name: &str| place.path().join("in").join(name);
        fs::write(at("b.csv"), "title").unwrap();
        for name in [".hidden.csv", "~$a.xlsx", "c.csv.part"] {
            fs::write(at(name), "x").unwrap();
        }
        assert_eq!(folder.look().unwrap(), []);
        fs::write(at("b.csv"), "title,id").unwrap();
        assert_eq!(folder.look().unwrap(), []);
        let whole = folder.look().unwrap();
        assert_eq!(whole.iter().map(|file| (file.name.as_str(), file.bytes)).collect::<Vec<_>>(), [("b.csv", 8)]);
        let report = serde_json::json!({"accepted": 1});
        assert_eq!(folder.finish(&whole[0], true, &report).unwrap(), at("done/b.csv"));
        assert_eq!(fs::read_to_string(at("done/b.csv")).unwrap(), "title,id");
        // The same name again does not take the place of the first.
        fs::write(at("b.csv"), "other").unwrap();
        folder.look().unwrap();
        let whole = folder.look().unwrap();
        assert_eq!(folder.finish(&whole[0], true, &report).unwrap(), at("done/1-b.csv"));
        assert_eq!(folder.look().unwrap(), []);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let secret = place.path().join("secret");
        fs::write(&secret, "x").unwrap();
        let mut folder = Folder::open(&place.path().join("in")).unwrap();
        std::os::unix::fs::symlink(&secret, place.path().join("in/a.csv")).unwrap();
        folder.look().unwrap();
        assert_eq!(folder.look().unwrap(), []);
    }
}
