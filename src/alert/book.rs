//! Who wants to be told of what, and what is on its way to them: one private file, written whole before anything is sent.
//!
//! Addresses and signing keys are in it, which is why it is no part of the journal. Each subscription has at most one message
//! under way; what is found meanwhile waits for the next. A message keeps its id over all attempts and restarts, so that who
//! gets it twice can tell.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    files,
    model::{AccountName, Severity, Timestamp},
};

/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most subscriptions of all accounts.
const MAX_ALL: usize = 2000;
/// Most subscriptions of one account.
pub const MAX_OF_ONE: usize = 20;
/// Hits that a message names; the rest is counted.
pub const SHOWN: usize = 30;
/// Deliveries that are remembered.
const REMEMBERED: usize = 20;
/// Longest reason of a failure that is kept, in characters.
const MAX_WHY_CHARS: usize = 200;
/// Waits between attempts: three days in all, as Standard Webhooks advises. Then the subscription is stopped.
pub const RETRIES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(300),
    Duration::from_secs(1800),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Target {
    /// A mail address.
    Mail {
        /// It.
        to: String,
    },
    /// An address that is posted to.
    Webhook {
        /// It.
        url: String,
        /// The key that signs, as Standard Webhooks writes it: `whsec_` and base64.
        secret: String,
    },
}

/// How often somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// As soon as there is something.
    Now,
    /// Once an hour.
    Hourly,
    /// Once a day.
    Daily,
}

impl When {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Now, Self::Hourly, Self::Daily];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
        }
    }

    /// What `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.code() == code)
    }

    fn hours(self) -> i64 {
        match self {
            Self::Now => 0,
            Self::Hourly => 1,
            Self::Daily => 24,
        }
    }
}

/// A hit in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    pub hit: u64,
    /// The listing's title, cut.
    pub title: String,
    /// Whose it is, or the family of rules.
    pub family: String,
    /// How bad it is if true.
    pub severity: Severity,
    /// Where it was seen.
    pub platform: String,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same over all attempts.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// Hits, at most [`SHOWN`].
    pub items: Vec<Item>,
    /// How many more there are.
    pub more: u64,
    /// Whether it only tries whether messages arrive.
    pub test: bool,
    /// Attempts so far.
    pub attempts: usize,
    /// When it is sent next.
    pub next_at: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it.
    Delivered,
    /// It did not, for this reason.
    Failed(String),
}

/// An attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The message.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// Which attempt, from 1.
    pub attempt: usize,
    /// Hits in it.
    pub hits: u64,
    /// Why it failed; none where it did not.
    pub failed: Option<String>,
}

/// One person's wish to be told of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its identity.
    pub id: String,
    /// Whose. They are told of what they see, as long as they may be.
    pub owner: AccountName,
    /// What they call it.
    pub name: String,
    /// The filter, as an address of the queue says it.
    pub query: String,
    /// Where it goes.
    pub to: Target,
    /// How often.
    pub when: When,
    /// The newest hit that was looked at.
    pub seen: u64,
    /// Hits that wait for a message.
    pub waiting: Vec<Item>,
    /// How many more wait.
    pub waiting_more: u64,
    /// When the last message was written.
    pub told_at: Option<Timestamp>,
    /// The message under way.
    pub under_way: Option<Message>,
    /// Why nothing is sent.
    pub stopped: Option<String>,
    /// The newest attempts, newest first.
    pub log: Vec<Delivery>,
}

/// Why the book cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The disk said no.
    #[error("the file of alerts: {0}")]
    Io(#[from] io::Error),
    /// There are as many as there may be.
    #[error("this account has {MAX_OF_ONE} alerts: remove one first")]
    TooMany,
    /// There is no such one.
    #[error("there is no such alert")]
    Unknown,
    /// A message is under way already.
    #[error("a message is under way: wait until it has arrived")]
    Busy,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// All subscriptions, and the file they are kept in.
#[derive(Debug, Default)]
pub struct Book {
    path: Option<PathBuf>,
    all: Mutex<BTreeMap<String, Subscription>>,
}

impl Book {
    /// Reads the file at `path`; empty when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read: what was to be sent must not be forgotten.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let all = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
            Ok(about) if about.len() > MAX_FILE_BYTES => {
                return Err(io::Error::other(format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display())));
            }
            Ok(_) => serde_json::from_slice(&fs::read(&path)?).map_err(io::Error::other)?,
        };
        Ok(Self { path: Some(path), all: Mutex::new(all) })
    }

    /// Those of `owner`, by name.
    pub fn of(&self, owner: &AccountName) -> Vec<Subscription> {
        let mut own: Vec<Subscription> = self.read().values().filter(|one| one.owner == *owner).cloned().collect();
        own.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        own
    }

    /// All of them that send.
    pub fn sending(&self) -> Vec<Subscription> {
        self.read().values().filter(|one| one.stopped.is_none()).cloned().collect()
    }

    /// Adds one.
    ///
    /// # Errors
    /// When there are too many, or the disk says no.
    pub fn add(&self, subscription: Subscription) -> Result<(), BookError> {
        let mut all = self.read();
        let own = all.values().filter(|one| one.owner == subscription.owner).count();
        if own >= MAX_OF_ONE || all.len() >= MAX_ALL {
            return Err(BookError::TooMany);
        }
        self.change(&mut all, |all| drop(all.insert(subscription.id.clone(), subscription)))
    }

    /// Removes one of `owner`'s.
    ///
    /// # Errors
    /// When it is none of theirs, or the disk says no.
    pub fn remove(&self, owner: &AccountName, id: &str) -> Result<(), BookError> {
        let mut all = self.read();
        all.get(id).filter(|one| one.owner == *owner).ok_or(BookError::Unknown)?;
        self.change(&mut all, |all| drop(all.remove(id)))
    }

    /// Stops one of `owner`'s, or lets it go on from `seen`: what was found while it stood still is not told.
    ///
    /// # Errors
    /// When it is none of theirs, or the disk says no.
    pub fn set_stopped(&self, owner: &AccountName, id: &str, why: Option<String>, seen: u64) -> Result<(), BookError> {
        self.of_owner(owner, id, |one| {
            one.under_way = None;
            (one.waiting, one.waiting_more) = (Vec::new(), 0);
            one.seen = one.seen.max(seen);
            one.stopped = why;
            Ok(())
        })
    }

    /// Puts a message on its way that only tries whether messages arrive.
    ///
    /// # Errors
    /// When it is none of theirs, another is under way, or the disk says no.
    pub fn test(&self, owner: &AccountName, id: &str, now: Timestamp) -> Result<(), BookError> {
        let message =
            Message { id: message_id()?, at: now, items: Vec::new(), more: 0, test: true, attempts: 0, next_at: now };
        self.of_owner(owner, id, |one| {
            if one.under_way.is_some() {
                return Err(BookError::Busy);
            }
            one.stopped = None;
            one.under_way = Some(message);
            Ok(())
        })
    }

    fn of_owner(
        &self,
        owner: &AccountName,
        id: &str,
        act: impl FnOnce(&mut Subscription) -> Result<(), BookError>,
    ) -> Result<(), BookError> {
        let mut all = self.read();
        let one = all.get(id).filter(|one| one.owner == *owner).ok_or(BookError::Unknown)?;
        let mut one = one.clone();
        act(&mut one)?;
        self.change(&mut all, |all| drop(all.insert(id.to_owned(), one)))
    }

    /// Takes in what a filter found up to hit `seen`: `items` name the first, `more` counts the others. When the time has
    /// come, what waits becomes a message.
    ///
    /// # Errors
    /// When the disk says no; then nothing was taken in.
    pub fn offer(&self, id: &str, seen: u64, (items, more): (Vec<Item>, u64), now: Timestamp) -> Result<(), BookError> {
        let mut all = self.read();
        let Some(known) = all.get(id) else { return Ok(()) };
        let mut one = known.clone();
        one.seen = one.seen.max(seen);
        for item in items {
            if one.waiting.len() < SHOWN { one.waiting.push(item) } else { one.waiting_more += 1 }
        }
        one.waiting_more += more;
        let due =
            one.told_at.is_none_or(|told| now.duration_since(told) >= SignedDuration::from_hours(one.when.hours()));
        if due && one.under_way.is_none() && !one.waiting.is_empty() {
            one.under_way = Some(Message {
                id: message_id()?,
                at: now,
                items: std::mem::take(&mut one.waiting),
                more: std::mem::take(&mut one.waiting_more),
                test: false,
                attempts: 0,
                next_at: now,
            });
            one.told_at = Some(now);
        }
        let changed =
            one.waiting != known.waiting || one.waiting_more != known.waiting_more || one.under_way != known.under_way;
        if changed {
            return self.change(&mut all, |all| drop(all.insert(id.to_owned(), one)));
        }
        // How far an idle one has looked is not worth a write: it would find nothing there again.
        all.insert(id.to_owned(), one);
        Ok(())
    }

    /// The messages to be sent at `now`, with whose they are.
    pub fn due(&self, now: Timestamp) -> Vec<(Subscription, Message)> {
        let all = self.read();
        let due = all.values().filter(|one| one.stopped.is_none()).filter_map(|one| {
            let message = one.under_way.as_ref().filter(|message| message.next_at <= now)?;
            Some((one.clone(), message.clone()))
        });
        due.collect()
    }

    /// Notes how an attempt ended. After the last one the subscription is stopped: true then.
    ///
    /// # Errors
    /// When the disk says no; then the message is sent again.
    pub fn ended(&self, id: &str, message: &str, outcome: &Outcome, now: Timestamp) -> Result<bool, BookError> {
        let mut all = self.read();
        let Some(mut one) = all.get(id).cloned() else { return Ok(false) };
        let Some(mut sent) = one.under_way.take().filter(|under_way| under_way.id == message) else { return Ok(false) };
        sent.attempts += 1;
        let failed = match outcome {
            Outcome::Delivered => None,
            Outcome::Failed(why) => Some(why.chars().filter(|c| !c.is_control()).take(MAX_WHY_CHARS).collect()),
        };
        one.log.insert(
            0,
            Delivery {
                message: sent.id.clone(),
                at: now,
                attempt: sent.attempts,
                hits: sent.items.len() as u64 + sent.more,
                failed: failed.clone(),
            },
        );
        one.log.truncate(REMEMBERED);
        if let Some(why) = failed {
            match RETRIES.get(sent.attempts - 1) {
                // A trial is tried once; who asked for it is looking.
                _ if sent.test => {}
                Some(wait) => {
                    let wait = wait.mul_f64(1.0 + 0.1 * fastrand::f64());
                    sent.next_at = now.checked_add(wait).unwrap_or(now);
                    one.under_way = Some(sent);
                }
                None => {
                    one.stopped = Some(why);
                    one.under_way = Some(sent);
                }
            }
        }
        let stopped = one.stopped.is_some();
        self.change(&mut all, |all| drop(all.insert(id.to_owned(), one)))?;
        Ok(stopped)
    }

    fn read(&self) -> MutexGuard<'_, BTreeMap<String, Subscription>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known only once it is written down.
    fn change(
        &self,
        all: &mut BTreeMap<String, Subscription>,
        act: impl FnOnce(&mut BTreeMap<String, Subscription>),
    ) -> Result<(), BookError> {
        let mut changed = all.clone();
        act(&mut changed);
        if let Some(path) = &self.path {
            files::replace_private(path, &serde_json::to_vec(&changed).map_err(io::Error::other)?)?;
        }
        *all = changed;
        Ok(())
    }
}

fn message_id() -> Result<String, BookError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| BookError::Random(error.to_string()))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("msg_{hex}"))
}

/// A new key that signs webhooks, as Standard Webhooks writes it.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_secret() -> Result<String, BookError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| BookError::Random(error.to_string()))?;
    Ok(format!("whsec_{}", STANDARD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(when: When) -> Subscription {
        Subscription {
            id: "s".into(),
            owner: AccountName::new("lin").unwrap(),
            name: "严重".into(),
            query: String::new(),
            to: Target::Mail { to: "lin@desk.example".into() },
            when,
            seen: 0,
            waiting: Vec::new(),
            waiting_more: 0,
            told_at: None,
            under_way: None,
            stopped: None,
            log: Vec::new(),
        }
    }

    fn item(hit: u64) -> Item {
        Item { hit, title: "跑鞋".into(), family: "云雀".into(), severity: Severity::High, platform: String::new() }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minutes).unwrap()
    }

    #[test]
    fn a_restart_loses_no_message_and_keeps_its_id_until_it_has_arrived() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.json");
        let book = Book::open(path.clone()).unwrap();
        book.add(subscription(When::Now)).unwrap();
        book.offer("s", 7, (vec![item(7)], 0), at(0)).unwrap();
        let (_, first) = book.due(at(0)).remove(0);
        drop(book);
        let book = Book::open(path.clone()).unwrap();
        let (known, again) = book.due(at(0)).remove(0);
        assert_eq!((&again, known.seen), (&first, 7));
        book.offer("s", 8, (vec![item(8)], 0), at(1)).unwrap();
        assert_eq!(book.due(at(1)).len(), 1, "one at a time");
        assert!(!book.ended("s", &first.id, &Outcome::Failed("busy\n".into()), at(1)).unwrap());
        assert!(book.due(at(1)).is_empty(), "not at once");
        let retry = book.due(at(2)).remove(0).1;
        assert_eq!((retry.id.as_str(), retry.attempts), (first.id.as_str(), 1));
        book.ended("s", &first.id, &Outcome::Delivered, at(2)).unwrap();
        assert!(Book::open(path).unwrap().due(at(2)).is_empty());
        book.offer("s", 8, (Vec::new(), 0), at(3)).unwrap();
        assert_eq!(book.due(at(3))[0].1.items, [item(8)], "what waited comes next");
    }

    #[test]
    fn digests_wait_for_their_hour_and_count_what_they_do_not_name() {
        let book = Book::default();
        book.add(subscription(When::Hourly)).unwrap();
        book.offer("s", 1, (vec![item(1)], 0), at(0)).unwrap();
        let first = book.due(at(0)).remove(0).1;
        book.ended("s", &first.id, &Outcome::Delivered, at(0)).unwrap();
        book.offer("s", 99, ((2..60).map(item).collect(), 40), at(30)).unwrap();
        assert!(book.due(at(59)).is_empty());
        book.offer("s", 99, (Vec::new(), 0), at(60)).unwrap();
        let second = book.due(at(60)).remove(0).1;
        assert_eq!((second.items.len(), second.more), (SHOWN, 28 + 40));
    }

    #[test]
    fn after_three_days_of_failures_a_subscription_is_stopped_and_a_trial_starts_it_again() {
        let book = Book::default();
        let lin = AccountName::new("lin").unwrap();
        book.add(subscription(When::Now)).unwrap();
        book.offer("s", 1, (vec![item(1)], 0), at(0)).unwrap();
        let (mut minutes, mut attempts) = (0, 0);
        while let Some((_, message)) = {
            while book.due(at(minutes)).is_empty() && minutes < 10_000 {
                minutes += 1
            }
            book.due(at(minutes)).pop()
        } {
            attempts += 1;
            if book.ended("s", &message.id, &Outcome::Failed("410".into()), at(minutes)).unwrap() {
                break;
            }
        }
        assert_eq!(attempts, RETRIES.len() + 1);
        assert!((72 * 60..90 * 60).contains(&minutes), "{minutes}");
        assert!(book.of(&lin)[0].stopped.is_some() && book.sending().is_empty());
        book.set_stopped(&lin, "s", None, 5).unwrap();
        book.test(&lin, "s", at(minutes)).unwrap();
        assert!(matches!(book.test(&lin, "s", at(minutes)), Err(BookError::Busy)));
        assert!(matches!(book.test(&AccountName::new("wu").unwrap(), "s", at(0)), Err(BookError::Unknown)));
        for number in 1..MAX_OF_ONE {
            book.add(Subscription { id: number.to_string(), ..subscription(When::Now) }).unwrap();
        }
        assert!(matches!(book.add(subscription(When::Now)), Err(BookError::TooMany)));
    }
}
