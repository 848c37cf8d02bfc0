//! Secrets that travel: session cookies, form tokens, one-time links. Only hashes are kept.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::WebError;
use crate::model::{Account, Timestamp};

/// Most sessions at once; the one that ends first makes room.
const MAX_SESSIONS: usize = 10_000;
/// Most unused one-time links at once.
const MAX_LINKS: usize = 1_000;

type Hash = [u8; 32];

/// One signed-in browser.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub account: Account,
    /// The token every form carries.
    pub csrf: String,
    /// Signed in by a one-time link: the account need not be in the file.
    pub by_link: bool,
    until: Timestamp,
}

/// Who is signed in, by the hash of their cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Hash, Session>>);

/// One-time links not used yet, by the hash of their token.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<HashMap<Hash, (Account, Timestamp)>>);

impl Sessions {
    /// Signs `account` in until `lifetime` has passed; returns the cookie's value.
    pub(super) fn start(
        &self,
        account: Account,
        by_link: bool,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, WebError> {
        let (cookie, csrf) = (random_token()?, random_token()?);
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.until);
        if sessions.len() >= MAX_SESSIONS
            && let Some(first) = sessions.iter().min_by_key(|(_, session)| session.until).map(|(hash, _)| *hash)
        {
            sessions.remove(&first);
        }
        sessions.insert(hash(&cookie), Session { account, csrf, by_link, until: after(now, lifetime) });
        Ok(cookie)
    }

    /// The session a cookie names, while it lasts.
    pub(super) fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        self.lock().get(&hash(cookie)).filter(|session| now < session.until).cloned()
    }

    /// Ends a session.
    pub(super) fn end(&self, cookie: &str) {
        self.lock().remove(&hash(cookie));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    /// A new link's token.
    pub(super) fn issue(&self, account: Account, now: Timestamp, lifetime: Duration) -> Result<String, WebError> {
        let token = random_token()?;
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, (_, until)| now < *until);
        if links.len() >= MAX_LINKS
            && let Some(first) = links.iter().min_by_key(|(_, (_, until))| *until).map(|(hash, _)| *hash)
        {
            links.remove(&first);
        }
        links.insert(hash(&token), (account, after(now, lifetime)));
        Ok(token)
    }

    /// Whom a token signs in; it is used up.
    pub(super) fn redeem(&self, token: &str, now: Timestamp) -> Option<Account> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.remove(&hash(token)).filter(|(_, until)| now < *until).map(|(account, _)| account)
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// 256 random bits in hex.
fn random_token() -> Result<String, WebError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| WebError::Random(error.to_string()))?;
    Ok(hex(&random))
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn after(now: Timestamp, lifetime: Duration) -> Timestamp {
    SignedDuration::try_from(lifetime).ok().and_then(|step| now.checked_add(step).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, Role};

    fn lin() -> Account {
        Account { name: AccountName::new("lin").unwrap(), role: Role::Reviewer }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_ends_when_its_time_is_over_or_the_person_leaves() {
        let sessions = Sessions::default();
        let cookie = sessions.start(lin(), false, at(0), Duration::from_secs(60)).unwrap();
        assert_eq!(cookie.len(), 64);
        assert!(sessions.find(&cookie, at(59)).is_some());
        assert!(sessions.find(&cookie, at(60)).is_none());
        assert!(sessions.find("", at(0)).is_none());
        sessions.end(&cookie);
        assert!(sessions.find(&cookie, at(1)).is_none());
    }

    #[test]
    fn a_link_signs_in_once_and_not_after_its_time() {
        let links = Links::default();
        let token = links.issue(lin(), at(0), Duration::from_secs(60)).unwrap();
        assert!(links.redeem(&token, at(1)).is_some());
        assert!(links.redeem(&token, at(1)).is_none());
        let late = links.issue(lin(), at(0), Duration::from_secs(60)).unwrap();
        assert!(links.redeem(&late, at(60)).is_none());
    }

    #[test]
    fn more_links_and_sessions_than_are_kept_push_out_the_first_to_end() {
        let (links, sessions) = (Links::default(), Sessions::default());
        let first = links.issue(lin(), at(0), Duration::from_secs(10)).unwrap();
        for _ in 0..MAX_LINKS {
            links.issue(lin(), at(0), Duration::from_secs(60)).unwrap();
        }
        assert!(links.redeem(&first, at(1)).is_none());
        let first = sessions.start(lin(), true, at(0), Duration::from_secs(10)).unwrap();
        for _ in 0..MAX_SESSIONS {
            let session = Session { account: lin(), csrf: String::new(), by_link: true, until: at(60) };
            let number = sessions.lock().len();
            sessions.lock().insert(hash(&number.to_string()), session);
        }
        sessions.start(lin(), true, at(0), Duration::from_secs(60)).unwrap();
        assert!(sessions.find(&first, at(1)).is_none());
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "ab") && !same("", "a"));
    }
}
