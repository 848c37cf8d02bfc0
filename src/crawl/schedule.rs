//! When a profile runs next: its cron expression, in its time zone, put off by chance.

use std::str::FromStr;

use croner::Cron;
use jiff::{SignedDuration, tz::TimeZone};

use super::Schedule;
use crate::model::Timestamp;

/// Why a schedule has no next time.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Not a cron expression.
    #[error("`{cron}` is no cron expression: {what}; write five fields, as in `0 */6 * * *`")]
    Cron {
        /// The expression.
        cron: String,
        /// What is wrong.
        what: String,
    },
    /// Not a time zone.
    #[error("`{zone}` is no time zone: write an IANA name, as in Asia/Shanghai")]
    Zone {
        /// The name.
        zone: String,
    },
    /// A day that never comes.
    #[error("`{cron}` never comes")]
    Never {
        /// The expression.
        cron: String,
    },
}

/// The next time after `after`; `chance` from 0 to 1 says how much of the jitter is added.
///
/// A run that was missed is made up for once: whoever runs what is due asks for the next time after
/// now, not after the time that was missed.
///
/// # Errors
/// When the expression or the zone cannot be read, or the time never comes.
pub fn next_run(schedule: &Schedule, after: Timestamp, chance: f64) -> Result<Timestamp, ScheduleError> {
    let cron = schedule.cron.trim();
    let wrong = |what: String| ScheduleError::Cron { cron: cron.to_owned(), what };
    let pattern = Cron::from_str(cron).map_err(|error| wrong(error.to_string()))?;
    let zone = TimeZone::get(&schedule.zone).map_err(|_| ScheduleError::Zone { zone: schedule.zone.clone() })?;
    let next = pattern
        .find_next_occurrence(&after.to_zoned(zone), false)
        .map_err(|_| ScheduleError::Never { cron: cron.to_owned() })?
        .timestamp();
    let jitter = SignedDuration::try_from(schedule.jitter.mul_f64(chance.clamp(0.0, 1.0))).unwrap_or_default();
    Ok(next.checked_add(jitter).unwrap_or(next))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn schedule(cron: &str, zone: &str, jitter: u64) -> Schedule {
        Schedule { cron: cron.into(), zone: zone.into(), jitter: Duration::from_secs(jitter) }
    }

    fn next(schedule: &Schedule, after: &str) -> String {
        next_run(schedule, after.parse().unwrap(), 0.0).unwrap().to_string()
    }

    #[test]
    fn the_expression_is_read_in_its_zone() {
        let daily = schedule("30 9 * * *", "Asia/Shanghai", 0);
        assert_eq!(next(&daily, "2026-11-23T00:00:00Z"), "2026-11-23T01:30:00Z");
        assert_eq!(next(&daily, "2026-11-23T01:30:00Z"), "2026-11-24T01:30:00Z");
        let leap = schedule("0 0 29 2 *", "UTC", 0);
        assert_eq!(next(&leap, "2026-11-23T00:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn an_hour_that_is_skipped_or_comes_twice_runs_once() {
        let early = schedule("30 2 * * *", "Europe/Berlin", 0);
        let skipped = next(&early, "2026-03-28T12:00:00Z");
        assert!(skipped.starts_with("2026-03-29T"), "{skipped}");
        let twice = next(&early, "2026-10-24T12:00:00Z");
        let after = next(&early, &twice);
        assert!(twice.starts_with("2026-10-25T") && after.starts_with("2026-10-26T"), "{twice} {after}");
    }

    #[test]
    fn jitter_only_puts_off() {
        let hourly = schedule("0 * * * *", "UTC", 600);
        let after = "2026-11-23T00:10:00Z".parse().unwrap();
        assert_eq!(next_run(&hourly, after, 0.5).unwrap().to_string(), "2026-11-23T01:05:00Z");
        assert_eq!(next_run(&hourly, after, 9.0).unwrap().to_string(), "2026-11-23T01:10:00Z");
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        let now = Timestamp::UNIX_EPOCH;
        for (cron, zone, words) in [
            ("every day", "UTC", "no cron expression"),
            ("0 0 * * *", "Mars/Base", "Mars/Base"),
            ("0 0 31 2 *", "UTC", "never"),
        ] {
            let error = next_run(&schedule(cron, zone, 0), now, 0.0).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
