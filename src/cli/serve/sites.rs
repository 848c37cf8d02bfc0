//! The profiles a running server crawls by: read from their folder, and taken over when they change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::crawl::{Profile, ProfileError};

/// The profiles of a folder as they are in use.
///
/// A file that changed is read aside and takes the place of what it was, or is refused with its mistake told once, and what it
/// was stays in use. A crawl under way goes on as it began.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// None where nothing is crawled.
    folder: Option<PathBuf>,
    files: BTreeMap<PathBuf, Seen>,
    profiles: BTreeMap<String, Arc<Profile>>,
}

/// A file as it was read the last time.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    changed: Option<SystemTime>,
    length: u64,
    /// The profile that it is, where it could be read.
    id: Option<String>,
}

impl Sites {
    /// Reads all profiles of `folder`; none where there is no folder yet.
    ///
    /// # Errors
    /// On the first file that cannot be read or has a mistake.
    pub(super) fn open(folder: &Path) -> Result<Self, ProfileError> {
        if folder.is_dir() {
            // Before the first crawl a mistake ends the server instead of being told once.
            Profile::read_folder(folder)?;
        }
        let mut sites = Self { folder: Some(folder.to_owned()), ..Self::default() };
        sites.look();
        Ok(sites)
    }

    /// The profiles in use, by id.
    pub(super) fn profiles(&self) -> &BTreeMap<String, Arc<Profile>> {
        &self.profiles
    }

    /// Takes over what changed since the last look; gives the ids of the profiles that are new, others, or gone.
    pub(super) fn look(&mut self) -> BTreeSet<String> {
        let Some(folder) = self.folder.clone().filter(|folder| folder.is_dir()) else { return BTreeSet::new() };
        let found = match toml_files(&folder) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "cannot look for changed profiles");
                return BTreeSet::new();
            }
        };
        let mut changed = BTreeSet::new();
        let gone: Vec<PathBuf> = self.files.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in gone {
            if let Some(id) = self.files.remove(&path).and_then(|seen| seen.id) {
                tracing::info!(profile = id, "a profile is gone");
                self.profiles.remove(&id);
                changed.insert(id);
            }
        }
        for (path, (at, length)) in found {
            let known = self.files.get(&path);
            if known.is_some_and(|known| known.changed == at && known.length == length) {
                continue;
            }
            let before = known.and_then(|known| known.id.clone());
            let id = match Profile::read(&path) {
                Ok(profile) => {
                    let id = profile.id.clone();
                    if let Some(renamed) = before.filter(|before| *before != id) {
                        self.profiles.remove(&renamed);
                        changed.insert(renamed);
                    }
                    tracing::info!(profile = id, file = %path.display(), "a profile is in use");
                    self.profiles.insert(id.clone(), Arc::new(profile));
                    changed.insert(id.clone());
                    Some(id)
                }
                Err(mistake) => {
                    tracing::warn!(file = %path.display(), %mistake, "a changed profile is refused; what it was stays in use");
                    before
                }
            };
            self.files.insert(path, Seen { changed: at, length, id });
        }
        changed
    }
}

/// When each profile's file changed, and its length.
fn toml_files(folder: &Path) -> io::Result<BTreeMap<PathBuf, (Option<SystemTime>, u64)>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        // One that goes in between is gone.
        if let Ok(about) = fs::metadata(&path) {
            found.insert(path, (about.modified().ok(), about.len()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str, name: &str) -> String {
        format!(
            "format = 1\nid = \"{id}\"\nname = \"{name}\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n\
             [listing]\nmatch = [\"/p/\"]\n"
        )
    }

    #[test]
    fn a_changed_profile_is_taken_over_and_a_broken_one_leaves_what_it_was() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("sites");
        let mut sites = Sites::open(&folder).unwrap();
        assert!(sites.look().is_empty());
        fs::create_dir(&folder).unwrap();
        let file = folder.join("a.toml");
        fs::write(&file, text("a", "one")).unwrap();
        assert_eq!(sites.look(), BTreeSet::from(["a".to_owned()]));
        assert!(sites.look().is_empty());
        fs::write(&file, text("a", "another")).unwrap();
        assert_eq!((sites.look().len(), sites.profiles()["a"].name.as_str()), (1, "another"));
        fs::write(&file, "format = 1\nid =").unwrap();
        assert_eq!((sites.look().len(), sites.profiles()["a"].name.as_str()), (0, "another"));
        assert!(Sites::open(&folder).is_err(), "nothing is in use yet");
        fs::write(&file, text("b", "renamed")).unwrap();
        assert_eq!(sites.look(), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert_eq!(sites.profiles().len(), 1);
        fs::remove_file(&file).unwrap();
        assert_eq!(sites.look(), BTreeSet::from(["b".to_owned()]));
        assert!(sites.profiles().is_empty());
    }
}
