//! Whether and when a request is repeated.

use std::time::Duration;

use reqwest::{StatusCode, header::RETRY_AFTER};

use super::{Answer, FetchError};
use crate::{crawl::Pace, model::Timestamp};

/// Longest wait of our own making between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(120);

/// A wait before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    pub(super) time: Duration,
    /// Whether the host asked for it.
    pub(super) asked: bool,
}

/// How long to wait before attempt `attempt + 1`; none when the result stands.
pub(super) fn wait(result: &Result<Answer, FetchError>, limits: &Pace, attempt: u32, now: Timestamp) -> Option<Wait> {
    let again = match result {
        Ok(answer) => worth_repeating(answer.last.status),
        Err(error) => error.retry(),
    };
    if !again || attempt >= limits.retries {
        return None;
    }
    let asked = result.as_ref().ok().and_then(|answer| {
        let text = answer.last.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after(text, now)
    });
    Some(match asked {
        Some(time) => Wait { time, asked: true },
        None => Wait { time: backoff(limits.backoff, attempt), asked: false },
    })
}

fn worth_repeating(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Doubles with each attempt; between half and all of it by chance, so that crawlers do not march in step.
fn backoff(first: Duration, attempt: u32) -> Duration {
    let full = first.saturating_mul(2_u32.saturating_pow(attempt)).min(MAX_BACKOFF);
    full.mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// `Retry-After` in seconds or as a date; a date gone by means now.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 08:02:00 GMT", Some(120)),
            ("Mon, 23 Nov 2026 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(retry_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn waits_double_up_to_a_cap() {
        for (attempt, most) in [(0, 1), (1, 2), (3, 8), (30, 120)] {
            let wait = backoff(Duration::from_secs(1), attempt);
            let most = Duration::from_secs(most);
            assert!(wait <= most && wait >= most / 2, "{attempt}: {wait:?}");
        }
    }
}
