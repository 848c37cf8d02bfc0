//! Who may push listings: named feeds, each with a token of which only the hash is kept, in one file readable by its owner.
//!
//! [`Feeds`] rereads the file when it changed, so that `markwarden feed` works beside a running server.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{files, model::Timestamp};

/// Most feeds.
pub const MAX_FEEDS: usize = 1000;
/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 64;
/// What tokens begin with, so that one that was published by mistake is known for what it is.
const PREFIX: &str = "mwfeed_";

/// Who may push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// The marketplace its listings belong to, and no other's.
    pub platform: String,
    /// SHA-256 of its token, in hex.
    token_sha256: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why feeds cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum FeedsError {
    /// The disk said no.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this program writes.
    #[error("cannot read feeds from {path}: {why}. Mend the file, or remove it and add the feeds again")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        why: String,
    },
    /// The name is taken, or no name.
    #[error("{0}")]
    Refused(String),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// The feeds of one file.
#[derive(Debug)]
pub struct Feeds {
    path: PathBuf,
    known: Mutex<(Option<SystemTime>, Vec<Feed>)>,
}

impl Feeds {
    /// The feeds in the file at `path`, which need not be there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self, FeedsError> {
        let feeds = Self { path: path.to_owned(), known: Mutex::default() };
        feeds.list()?;
        Ok(feeds)
    }

    /// Every feed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<Feed>, FeedsError> {
        let changed = match fs::metadata(&self.path) {
            Ok(about) => about.modified().ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(self.io("reading", source)),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.is_none() {
            *known = (None, Vec::new());
        } else if known.0 != changed {
            *known = (changed, self.read()?);
        }
        Ok(known.1.clone())
    }

    /// Makes a feed; returns its token, which is kept nowhere.
    ///
    /// # Errors
    /// When the name is taken or none, or the file cannot be written.
    pub fn add(&self, name: &str, platform: &str, now: Timestamp) -> Result<String, FeedsError> {
        let fits = |text: &str| {
            let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            !text.is_empty() && text.chars().count() <= MAX_NAME_CHARS && text.chars().all(good)
        };
        if !fits(name) || !fits(platform) {
            let most = format!("letters, digits, `-`, `_` and `.`, at most {MAX_NAME_CHARS}");
            return Err(FeedsError::Refused(format!("a feed's name and platform have {most}")));
        }
        let mut feeds = self.list()?;
        if feeds.iter().any(|feed| feed.name == name) {
            return Err(FeedsError::Refused(format!(
                "there is a feed {name}: remove it first to give it another token"
            )));
        }
        if feeds.len() >= MAX_FEEDS {
            return Err(FeedsError::Refused(format!("there are {MAX_FEEDS} feeds already")));
        }
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| FeedsError::Random(error.to_string()))?;
        let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        let token_sha256 = hash(&token);
        feeds.push(Feed { name: name.into(), platform: platform.into(), token_sha256, created_at: now });
        self.write(&feeds)?;
        Ok(token)
    }

    /// Removes a feed; false when there is none of that name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove(&self, name: &str) -> Result<bool, FeedsError> {
        let mut feeds = self.list()?;
        let before = feeds.len();
        feeds.retain(|feed| feed.name != name);
        if feeds.len() == before {
            return Ok(false);
        }
        self.write(&feeds)?;
        Ok(true)
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn whose(&self, token: &str) -> Result<Option<Feed>, FeedsError> {
        let hash = hash(token);
        // All are compared, each in the same time.
        let found = self.list()?.into_iter().fold(None, |found, feed| {
            let same = bool::from(feed.token_sha256.as_bytes().ct_eq(hash.as_bytes()));
            if same { Some(feed) } else { found }
        });
        Ok(found)
    }

    fn read(&self) -> Result<Vec<Feed>, FeedsError> {
        let mut text = String::new();
        let file = File::open(&self.path).map_err(|source| self.io("reading", source))?;
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|source| self.io("reading", source))?;
        let damaged = |why: String| FeedsError::Damaged { path: self.path.display().to_string(), why };
        let feeds: Vec<Feed> = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if feeds.len() > MAX_FEEDS {
            return Err(damaged(format!("more than {MAX_FEEDS} feeds")));
        }
        Ok(feeds)
    }

    fn write(&self, feeds: &[Feed]) -> Result<(), FeedsError> {
        let text = serde_json::to_vec_pretty(feeds).map_err(io::Error::other);
        let written = text.and_then(|text| files::replace_private(&self.path, &text));
        written.map_err(|source| self.io("writing", source))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (None, Vec::new());
        Ok(())
    }

    fn io(&self, doing: &'static str, source: io::Error) -> FeedsError {
        FeedsError::Io { doing, path: self.path.display().to_string(), source }
    }
}

fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_once_and_kept_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("feeds.json");
        let feeds = Feeds::open(&path).unwrap();
        let token = feeds.add("xinghe", "xinghe", Timestamp::UNIX_EPOCH).unwrap();
        assert!(feeds.add("xinghe", "other", Timestamp::UNIX_EPOCH).is_err());
        assert!(feeds.add("a b", "x", Timestamp::UNIX_EPOCH).is_err());
        let kept = fs::read_to_string(&path).unwrap();
        assert!(!kept.contains(token.strip_prefix(PREFIX).unwrap()));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        let again = Feeds::open(&path).unwrap();
        assert_eq!(again.whose(&token).unwrap().unwrap().name, "xinghe");
        assert_eq!(again.whose(&format!("{token}x")).unwrap(), None);
        assert!(feeds.remove("xinghe").unwrap() && !feeds.remove("xinghe").unwrap());
        assert_eq!(feeds.whose(&token).unwrap(), None);
    }
}
