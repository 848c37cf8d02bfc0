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
use crate::model::{Account, AccountName, Timestamp};

/// Most sessions at once; the one that ends first makes room.
const MAX_SESSIONS: usize = 10_000;
/// Most unused one-time links at once.
const MAX_LINKS: usize = 1_000;

pub(super) type Hash = [u8; 32];

/// One signed-in browser.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub account: Account,
    /// The token every form carries.
    pub csrf: String,
    /// Signed in by a one-time link: the account need not be in the file.
    pub by_link: bool,
    /// Names the session where it is shown; nothing can be done with it but ending it.
    pub id: String,
    /// Since when.
    pub since: Timestamp,
    /// What the browser calls itself.
    pub agent: String,
    until: Timestamp,
}

impl Session {
    /// For the length of a request that a program sent with a token: there is no form, and nothing to end.
    pub(super) fn of_token(account: Account, now: Timestamp) -> Self {
        let (csrf, id, agent) = (String::new(), String::new(), String::new());
        Self { account, csrf, by_link: false, id, since: now, agent, until: now }
    }
}

/// Who signs in, and how.
#[derive(Debug)]
pub(super) struct Arrival {
    pub account: Account,
    /// By a one-time link.
    pub by_link: bool,
    /// What the browser calls itself.
    pub agent: String,
}

/// Sign-ins whose password was right and whose second factor is still asked for.
#[derive(Debug, Default)]
pub(super) struct Halfway(Mutex<HashMap<Hash, Waiting>>);

#[derive(Debug)]
struct Waiting {
    account: Account,
    tries: u32,
    until: Timestamp,
}

/// How long a sign-in may wait for its code, and how many codes may be tried.
const HALFWAY: Duration = Duration::from_secs(300);
const CODE_TRIES: u32 = 5;
/// Longest name of a browser that is kept, in characters.
const MAX_AGENT_CHARS: usize = 160;

impl Halfway {
    /// A ticket for `account`, whose password was right.
    pub(super) fn begin(&self, account: Account, now: Timestamp) -> Result<String, WebError> {
        let ticket = random_token()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| now < one.until);
        if waiting.len() >= MAX_LINKS
            && let Some(first) = waiting.iter().min_by_key(|(_, one)| one.until).map(|(hash, _)| *hash)
        {
            waiting.remove(&first);
        }
        waiting.insert(hash(&ticket), Waiting { account, tries: 0, until: after(now, HALFWAY) });
        Ok(ticket)
    }

    /// Whose ticket it is, for one more try.
    pub(super) fn take_try(&self, ticket: &str, now: Timestamp) -> Option<Account> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = waiting.get_mut(&hash(ticket)).filter(|one| now < one.until && one.tries < CODE_TRIES)?;
        one.tries += 1;
        Some(one.account.clone())
    }

    /// The ticket is used up.
    pub(super) fn end(&self, ticket: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(ticket));
    }
}

/// Who is signed in, by the hash of their cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Hash, Session>>);

/// One-time links not used yet, by the hash of their token.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<HashMap<Hash, (Account, Timestamp)>>);

impl Sessions {
    /// Signs somebody in until `lifetime` has passed; returns the cookie's value.
    pub(super) fn start(&self, who: Arrival, now: Timestamp, lifetime: Duration) -> Result<String, WebError> {
        let (cookie, csrf, id) = (random_token()?, random_token()?, random_token()?.chars().take(16).collect());
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.until);
        if sessions.len() >= MAX_SESSIONS
            && let Some(first) = sessions.iter().min_by_key(|(_, session)| session.until).map(|(hash, _)| *hash)
        {
            sessions.remove(&first);
        }
        let agent = who.agent.chars().take(MAX_AGENT_CHARS).collect();
        let Arrival { account, by_link, .. } = who;
        let session = Session { account, csrf, by_link, id, since: now, agent, until: after(now, lifetime) };
        sessions.insert(hash(&cookie), session);
        Ok(cookie)
    }

    /// The sessions of `name`, the newest first.
    pub(super) fn of(&self, name: &AccountName, now: Timestamp) -> Vec<Session> {
        let sessions = self.lock();
        let own = sessions.values().filter(|session| session.account.name == *name && now < session.until);
        let mut own: Vec<Session> = own.cloned().collect();
        own.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.id.cmp(&b.id)));
        own
    }

    /// Ends those sessions of `name` that are meant; returns how many.
    pub(super) fn end_of(&self, name: &AccountName, meant: impl Fn(&Session) -> bool) -> usize {
        let mut sessions = self.lock();
        let before = sessions.len();
        sessions.retain(|_, session| session.account.name != *name || !meant(session));
        before - sessions.len()
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
pub(super) fn random_token() -> Result<String, WebError> {
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

pub(super) fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

pub(super) fn after(now: Timestamp, lifetime: Duration) -> Timestamp {
    SignedDuration::try_from(lifetime).ok().and_then(|step| now.checked_add(step).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn lin() -> Account {
        Account::new(AccountName::new("lin").unwrap(), Role::Reviewer)
    }

    fn arrival() -> Arrival {
        Arrival { account: lin(), by_link: true, agent: "a".repeat(MAX_AGENT_CHARS + 1) }
    }

    #[test]
    fn sessions_are_listed_and_ended_by_their_names() {
        let sessions = Sessions::default();
        let first = sessions.start(arrival(), at(0), Duration::from_secs(60)).unwrap();
        sessions.start(arrival(), at(1), Duration::from_secs(60)).unwrap();
        let shown = sessions.of(&lin().name, at(2));
        assert_eq!((shown.len(), shown[0].since, shown[0].agent.len()), (2, at(1), MAX_AGENT_CHARS));
        assert_eq!(sessions.end_of(&AccountName::new("wu").unwrap(), |_| true), 0);
        assert_eq!(sessions.end_of(&lin().name, |session| session.id == shown[0].id), 1);
        assert!(sessions.find(&first, at(2)).is_some());
        assert_eq!(sessions.of(&lin().name, at(60)).len(), 0);
    }

    #[test]
    fn a_code_may_be_tried_a_few_times_and_not_for_long() {
        let halfway = Halfway::default();
        let ticket = halfway.begin(lin(), at(0)).unwrap();
        for _ in 0..CODE_TRIES {
            assert!(halfway.take_try(&ticket, at(1)).is_some());
        }
        assert!(halfway.take_try(&ticket, at(1)).is_none());
        let late = halfway.begin(lin(), at(0)).unwrap();
        assert!(halfway.take_try(&late, at(300)).is_none() && halfway.take_try("", at(0)).is_none());
        let used = halfway.begin(lin(), at(0)).unwrap();
        halfway.end(&used);
        assert!(halfway.take_try(&used, at(1)).is_none());
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_ends_when_its_time_is_over_or_the_person_leaves() {
        let sessions = Sessions::default();
        let cookie = sessions.start(arrival(), at(0), Duration::from_secs(60)).unwrap();
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
        let first = sessions.start(arrival(), at(0), Duration::from_secs(10)).unwrap();
        for _ in 0..MAX_SESSIONS {
            let (csrf, id, agent) = (String::new(), String::new(), String::new());
            let session = Session { account: lin(), csrf, by_link: true, id, since: at(0), agent, until: at(60) };
            let number = sessions.lock().len();
            sessions.lock().insert(hash(&number.to_string()), session);
        }
        sessions.start(arrival(), at(0), Duration::from_secs(60)).unwrap();
        assert!(sessions.find(&first, at(1)).is_none());
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "ab") && !same("", "a"));
    }
}
