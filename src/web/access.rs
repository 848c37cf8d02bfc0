//! Tokens of programs: made by a person, shown once, kept as hashes in a file beside the accounts.
//!
//! A token does what its account may do and its scope names, until it expires or is revoked.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{WebError, tokens};
use crate::{
    files,
    model::{AccountName, Permission, Timestamp},
};

/// What every token begins with, so that scanners of leaked secrets know it.
const PREFIX: &str = "mw_";
/// Longest label, in characters; most tokens of one account; longest life, in days.
const MAX_LABEL_CHARS: usize = 80;
const MAX_TOKENS: usize = 50;
const MAX_DAYS: u32 = 366;
/// Largest file read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// How old the kept time of last use may be, in seconds.
const USE_GRAIN: i64 = 60;

/// A token as it is kept and shown: never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessToken {
    /// Names it where it is shown.
    pub id: String,
    pub account: AccountName,
    /// What it is for.
    pub label: String,
    /// SHA-256 (hex).
    hash: String,
    /// What it may do, of what its account may.
    pub scope: BTreeSet<Permission>,
    pub made: Timestamp,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub label: String,
    pub scope: BTreeSet<Permission>,
    pub days: u32,
}

/// All tokens.
#[derive(Debug)]
pub(super) struct AccessTokens {
    path: PathBuf,
    known: Mutex<Vec<AccessToken>>,
}

impl AccessTokens {
    /// The tokens in the file at `path`; none when there is no file.
    pub(super) fn open(path: &Path) -> Result<Self, WebError> {
        let known = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(told(path, &error)),
            Ok(what) if what.len() > MAX_FILE_BYTES => {
                return Err(WebError::Tokens(format!("{} is too long", path.display())));
            }
            Ok(_) => fs::read(path)
                .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other))
                .map_err(|error| told(path, &error))?,
        };
        Ok(Self { path: path.to_owned(), known: Mutex::new(known) })
    }

    /// Makes a token for `account`; gives it, for showing once, and what is kept of it.
    pub(super) fn make(
        &self,
        account: &AccountName,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<(String, AccessToken), WebError> {
        let label = wanted.label.trim().to_owned();
        if label.is_empty() || label.chars().count() > MAX_LABEL_CHARS || label.chars().any(char::is_control) {
            return Err(WebError::Field("label"));
        }
        if wanted.scope.is_empty() {
            return Err(WebError::Field("scope"));
        }
        if !(1..=MAX_DAYS).contains(&wanted.days) {
            return Err(WebError::Field("days"));
        }
        let token = format!("{PREFIX}{}", tokens::random_token()?);
        let made = AccessToken {
            id: tokens::random_token()?.chars().take(12).collect(),
            account: account.clone(),
            label,
            hash: hash(&token),
            scope: wanted.scope,
            made: now,
            expires: now.saturating_add(SignedDuration::from_hours(i64::from(wanted.days) * 24)).unwrap_or(now),
            last_used: None,
        };
        let mut known = self.lock();
        known.retain(|other| now < other.expires);
        if known.iter().filter(|other| other.account == *account).count() >= MAX_TOKENS {
            return Err(WebError::TooManyTokens);
        }
        known.push(made.clone());
        self.save(&known)?;
        Ok((token, made))
    }

    /// What is kept of a token that is sent, while it lasts.
    pub(super) fn find(&self, token: &str, now: Timestamp) -> Option<AccessToken> {
        if !token.starts_with(PREFIX) || token.len() > 128 {
            return None;
        }
        let hash = hash(token);
        let mut known = self.lock();
        let found = known.iter_mut().find(|known| tokens::same(&known.hash, &hash) && now < known.expires)?;
        let stale = found.last_used.is_none_or(|at| now.duration_since(at).as_secs() >= USE_GRAIN);
        if stale {
            found.last_used = Some(now);
        }
        let found = found.clone();
        if stale && let Err(error) = self.save(&known) {
            tracing::warn!(%error, "cannot write when a token was last used");
        }
        Some(found)
    }

    /// The tokens of `account`, the newest first.
    pub(super) fn of(&self, account: &AccountName, now: Timestamp) -> Vec<AccessToken> {
        let known = self.lock();
        let mut own: Vec<AccessToken> =
            known.iter().filter(|token| token.account == *account && now < token.expires).cloned().collect();
        own.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| a.id.cmp(&b.id)));
        own
    }

    /// Revokes a token of `account`; false when it has none of that id.
    pub(super) fn revoke(&self, account: &AccountName, id: &str) -> Result<bool, WebError> {
        let mut known = self.lock();
        let before = known.len();
        known.retain(|token| token.account != *account || token.id != id);
        if known.len() == before {
            return Ok(false);
        }
        self.save(&known)?;
        Ok(true)
    }

    /// Revokes every token of `account`.
    pub(super) fn revoke_all(&self, account: &AccountName) -> Result<(), WebError> {
        let mut known = self.lock();
        known.retain(|token| token.account != *account);
        self.save(&known)
    }

    fn save(&self, known: &[AccessToken]) -> Result<(), WebError> {
        let written = || -> io::Result<()> {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            files::replace_private(&self.path, &serde_json::to_vec(known)?)
        };
        written().map_err(|error| told(&self.path, &error))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AccessToken>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(path: &Path, error: &io::Error) -> WebError {
    WebError::Tokens(format!("{}: {error}", path.display()))
}

fn hash(token: &str) -> String {
    tokens::hex(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wanted(label: &str, days: u32) -> Wanted {
        Wanted { label: label.into(), scope: BTreeSet::from([Permission::ReadHits]), days }
    }

    #[test]
    fn a_token_is_shown_once_lasts_its_days_and_is_found_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let lin = AccountName::new("lin").unwrap();
        let tokens = AccessTokens::open(&path).unwrap();
        let (token, made) = tokens.make(&lin, wanted("nightly", 1), at(0)).unwrap();
        assert!(token.starts_with("mw_") && token.len() == 67);
        assert!(!fs::read_to_string(&path).unwrap().contains(&token));
        let again = AccessTokens::open(&path).unwrap();
        assert_eq!(again.find(&token, at(86_399)).unwrap().last_used, Some(at(86_399)));
        for wrong in [token.as_str(), "mw_", "", &format!("{token}0"), &"mw_".repeat(100)] {
            assert!(again.find(wrong, at(86_400)).is_none());
        }
        let wu = AccountName::new("wu").unwrap();
        assert!(!again.revoke(&wu, &made.id).unwrap() && again.revoke(&lin, &made.id).unwrap());
        assert!(again.find(&token, at(1)).is_none());
    }

    #[test]
    fn what_is_asked_for_has_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = AccessTokens::open(&folder.path().join("tokens.json")).unwrap();
        let lin = AccountName::new("lin").unwrap();
        for (label, days) in
            [("", 1), (&*"a".repeat(MAX_LABEL_CHARS + 1), 1), ("a\u{1b}", 1), ("a", 0), ("a", MAX_DAYS + 1)]
        {
            assert!(matches!(tokens.make(&lin, wanted(label, days), at(0)), Err(WebError::Field(_))), "{label} {days}");
        }
        for _ in 0..MAX_TOKENS {
            tokens.make(&lin, wanted("a", 1), at(0)).unwrap();
        }
        assert!(matches!(tokens.make(&lin, wanted("a", 1), at(0)), Err(WebError::TooManyTokens)));
    }
}
