//! How often an account may ask: so many requests a minute, told in every answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header};

use crate::model::{AccountName, Timestamp};

/// Most accounts counted in one minute.
const MAX_ACCOUNTS: usize = 10_000;

/// Requests of the minute that runs.
#[derive(Debug, Default)]
pub(in super::super) struct Pace(Mutex<(i64, HashMap<AccountName, u32>)>);

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Left {
    most: u32,
    left: u32,
    seconds: i64,
}

impl Pace {
    /// Counts a request of `account`, which may ask `most` times a minute.
    pub(in super::super) fn count(&self, account: &AccountName, most: u32, now: Timestamp) -> Result<Left, Left> {
        let minute = now.as_second().div_euclid(60);
        let seconds = 60 - now.as_second().rem_euclid(60);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0 != minute {
            *counted = (minute, HashMap::new());
        }
        let known = counted.1.get(account).copied().unwrap_or(0);
        if known >= most || (known == 0 && counted.1.len() >= MAX_ACCOUNTS) {
            return Err(Left { most, left: 0, seconds });
        }
        counted.1.insert(account.clone(), known + 1);
        Ok(Left { most, left: most - known - 1, seconds })
    }
}

impl Left {
    /// Tells it in an answer's headers.
    pub(in super::super) fn tell(self, headers: &mut HeaderMap) {
        let Self { most, left, seconds } = self;
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        put("ratelimit", format!("\"minute\";r={left};t={seconds}"));
        put("ratelimit-policy", format!("\"minute\";q={most};w=60"));
        if left == 0 {
            put(header::RETRY_AFTER.as_str(), seconds.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_asks_so_often_a_minute_and_others_are_not_kept_back() {
        let pace = Pace::default();
        let (lin, wu) = (AccountName::new("lin").unwrap(), AccountName::new("wu").unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(pace.count(&lin, 2, at(0)), Ok(Left { most: 2, left: 1, seconds: 60 }));
        pace.count(&lin, 2, at(1)).unwrap();
        assert_eq!(pace.count(&lin, 2, at(30)), Err(Left { most: 2, left: 0, seconds: 30 }));
        assert!(pace.count(&wu, 2, at(30)).is_ok() && pace.count(&lin, 2, at(60)).is_ok());
    }
}
