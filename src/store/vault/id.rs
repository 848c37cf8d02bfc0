//! The name of one backup in a vault: when it was taken, and how far its journal goes.

use std::fmt;

use jiff::{civil::DateTime, tz::TimeZone};

use crate::model::Timestamp;

/// Names one backup: `20260315T120000.000Z-42`. Orders by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId {
    /// When it was taken, in whole milliseconds.
    pub taken_at: Timestamp,
    /// The newest sequence in its journal.
    pub seq: u64,
}

impl BackupId {
    /// The name of a backup taken at `at` that ends with sequence `seq`.
    pub fn new(at: Timestamp, seq: u64) -> Self {
        Self { taken_at: Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at), seq }
    }

    /// Reads a name; none when it is not written exactly as one.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, seq) = text.rsplit_once('-')?;
        let time = DateTime::strptime("%Y%m%dT%H%M%S%.fZ", time).ok()?;
        let taken_at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let id = Self { taken_at, seq: seq.parse().ok()? };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.taken_at.strftime("%Y%m%dT%H%M%S%.3fZ"), self.seq)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_order_by_time_and_read_like_one() {
        let at = |text: &str| BackupId::new(text.parse().unwrap(), 42);
        let (first, second) = (at("2026-03-15T12:00:00.0009Z"), at("2026-03-15T12:00:00.001Z"));
        assert_eq!(first.to_string(), "20260315T120000.000Z-42");
        assert!(first < second && first.to_string() < second.to_string());
    }

    #[test]
    fn what_is_not_written_exactly_as_a_name_is_none() {
        for text in [
            "",
            "-",
            "20260315T120000.000Z",
            "20260315T120000.000Z-",
            "20260315T120000Z-42",
            "20260315T120000.000Z-042",
            "20260315T120000.000Z-+42",
            "20260315T250000.000Z-42",
            "20260315T120000.000Z-42/../../x",
            "../20260315T120000.000Z-42",
        ] {
            assert_eq!(BackupId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_read_back(ms in 0_i64..4_000_000_000_000, seq: u64) {
            let id = BackupId::new(Timestamp::from_millisecond(ms).unwrap(), seq);
            prop_assert_eq!(BackupId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn no_text_is_read_as_another_name(text in ".{0,40}") {
            if let Some(id) = BackupId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
