//! Requests that are done once: the answer to an `Idempotency-Key` is kept for a day and given again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::model::{AccountName, Timestamp};

/// How long an answer is kept, how many are, and how long one may be in bytes.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const MAX_KEPT: usize = 10_000;
pub(super) const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 200;

type Key = (AccountName, String);

/// The answers that are kept.
#[derive(Debug, Default)]
pub(in super::super) struct Once(Mutex<HashMap<Key, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    request: [u8; 32],
    until: Timestamp,
    answer: Option<(StatusCode, Option<HeaderValue>, Bytes)>,
}

/// What is to be done with a request that has a key.
#[derive(Debug)]
pub(in super::super) enum Turn {
    /// It is the first: do it, then [`Once::keep`] or [`Once::forget`].
    First(Key),
    /// It was done: this was the answer.
    Again(Response),
    /// The key was used for another request.
    Other,
    /// The same is being done right now.
    Running,
    /// The key is too long or is no text.
    Bad,
}

impl Once {
    /// Asks whether the request `of` with this key was done before.
    pub(in super::super) fn begin(&self, account: &AccountName, key: &str, of: &[&[u8]], now: Timestamp) -> Turn {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Turn::Bad;
        }
        let request = of
            .iter()
            .fold(Sha256::new(), |hash, part| hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part));
        let request: [u8; 32] = request.finalize().into();
        let key = (account.clone(), key.to_owned());
        let mut kept = self.lock();
        match kept.get(&key).filter(|known| now < known.until) {
            Some(known) if known.request != request => Turn::Other,
            Some(Kept { answer: Some((status, kind, body)), .. }) => {
                let mut answer = Response::new(Body::from(body.clone()));
                *answer.status_mut() = *status;
                if let Some(kind) = kind {
                    answer.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
                }
                answer.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
                Turn::Again(answer)
            }
            Some(_) => Turn::Running,
            None => {
                if kept.len() >= MAX_KEPT {
                    kept.retain(|_, known| now < known.until);
                }
                if kept.len() >= MAX_KEPT
                    && let Some(first) = kept.iter().min_by_key(|(_, known)| known.until).map(|(key, _)| key.clone())
                {
                    kept.remove(&first);
                }
                let until = now.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
                kept.insert(key.clone(), Kept { request, until, answer: None });
                Turn::First(key)
            }
        }
    }

    /// Keeps the answer.
    pub(in super::super) fn keep(&self, key: Key, status: StatusCode, kind: Option<HeaderValue>, body: Bytes) {
        if let Some(known) = self.lock().get_mut(&key) {
            known.answer = Some((status, kind, body));
        }
    }

    /// Nothing was done: the key is free again.
    pub(in super::super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_answer_is_given_again_for_a_day_and_only_for_the_same_request() {
        let (once, lin) = (Once::default(), AccountName::new("lin").unwrap());
        let Turn::First(key) = once.begin(&lin, "k", &[b"POST", b"a"], at(0)) else { panic!() };
        assert!(matches!(once.begin(&lin, "k", &[b"POST", b"a"], at(0)), Turn::Running));
        once.keep(key, StatusCode::CREATED, None, Bytes::from_static(b"done"));
        let Turn::Again(answer) = once.begin(&lin, "k", &[b"POST", b"a"], at(86_399)) else { panic!() };
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert!(matches!(once.begin(&lin, "k", &[b"POSTa", b""], at(1)), Turn::Other));
        let wu = AccountName::new("wu").unwrap();
        assert!(matches!(once.begin(&wu, "k", &[b"b"], at(1)), Turn::First(_)), "another's keys are others");
        assert!(matches!(once.begin(&lin, "k", &[b"b"], at(86_400)), Turn::First(_)));
        assert!(matches!(once.begin(&lin, &"k".repeat(MAX_KEY_BYTES + 1), &[b"b"], at(0)), Turn::Bad));
        let Turn::First(key) = once.begin(&lin, "f", &[b"b"], at(0)) else { panic!() };
        once.forget(&key);
        assert!(matches!(once.begin(&lin, "f", &[b"c"], at(0)), Turn::First(_)));
    }

    #[test]
    fn more_keys_than_are_kept_push_out_the_first() {
        let (once, lin) = (Once::default(), AccountName::new("lin").unwrap());
        for number in 0..=MAX_KEPT {
            once.begin(&lin, &number.to_string(), &[b"a"], at(number as i64));
        }
        assert_eq!(once.lock().len(), MAX_KEPT);
        assert!(matches!(once.begin(&lin, "0", &[b"b"], at(1)), Turn::First(_)));
    }
}
