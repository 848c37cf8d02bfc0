//! A hit's place in the queue now: severity × confidence × deadline × the seller's record × age, each shown.

use serde::{Deserialize, Serialize};

use crate::model::{Severity, Timestamp};

/// Within how many hours hits are to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// Of severity critical.
    pub critical: u32,
    /// Of severity high.
    pub high: u32,
    /// Of severity medium.
    pub medium: u32,
    /// Of severity low.
    pub low: u32,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { critical: 12, high: 24, medium: 72, low: 168 }
    }
}

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Time enough.
    Fine,
    /// Less than a quarter of the time is left.
    Soon,
    /// It has passed.
    Over,
}

impl Deadlines {
    /// Minutes that a hit of `severity` may wait, where its rules' own time to decide is `sla_minutes`: the shorter counts.
    pub fn minutes(&self, severity: Severity, sla_minutes: Option<u32>) -> i64 {
        let hours = match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        };
        let usual = i64::from(hours.max(1)) * 60;
        sla_minutes.map_or(usual, |own| usual.min(i64::from(own.max(1))))
    }

    /// How the deadline of a hit stands that has waited so many minutes.
    pub fn due(&self, severity: Severity, sla_minutes: Option<u32>, waited: i64) -> Due {
        let minutes = self.minutes(severity, sla_minutes);
        match waited {
            waited if waited >= minutes => Due::Over,
            waited if waited * 4 >= minutes * 3 => Due::Soon,
            _ => Due::Fine,
        }
    }
}

/// What reviewers said of a seller's hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Confirmed.
    pub confirmed: u32,
    /// Dismissed.
    pub dismissed: u32,
}

/// The factors of a hit's place, and their product on a scale to 255 (and beyond, when late).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// How bad it is if true, 0 to 1.
    pub severity: f64,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// 1 when new, growing to 1.5 at the deadline, 1.75 after it.
    pub deadline: f64,
    /// .75 for a seller whose hits are always dismissed, 1.25 where they are always confirmed.
    pub seller: f64,
    /// 1, growing by a tenth in five days.
    pub age: f64,
}

/// What a hit was queued with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// How bad it is if true.
    pub severity: Severity,
    /// Severity times confidence, to 255.
    pub priority: u8,
    /// Its rules' own time to decide.
    pub sla_minutes: Option<u32>,
}

impl Weight {
    /// Of a hit that has waited for `waited` minutes since it was queued.
    pub fn of(queued: Queued, waited: i64, record: Record, deadlines: &Deadlines) -> Self {
        let Queued { severity, priority, sla_minutes } = queued;
        let bad = match severity {
            Severity::Low => 0.25,
            Severity::Medium => 0.5,
            Severity::High => 0.8,
            Severity::Critical => 1.0,
        };
        let used = (waited.max(0) as f64 / deadlines.minutes(severity, sla_minutes) as f64).min(1.0);
        let decided = f64::from(record.confirmed) + f64::from(record.dismissed);
        Self {
            severity: bad,
            confidence: (f64::from(priority) / 255.0 / bad).clamp(0.0, 1.0),
            deadline: if used >= 1.0 { 1.75 } else { 1.0 + 0.5 * used * used },
            seller: 0.75 + 0.5 * (f64::from(record.confirmed) + 1.0) / (decided + 2.0),
            age: 1.0 + 0.1 * (waited.max(0) as f64 / (5.0 * 1440.0)).min(1.0),
        }
    }

    /// Where it stands: more comes first.
    pub fn points(&self) -> u32 {
        let product = self.severity * self.confidence * self.deadline * self.seller * self.age;
        (product * 255.0).round() as u32
    }
}

/// Minutes from `found_at` to `now`, never less than none.
pub fn waited(found_at: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(found_at).as_mins().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_or_of_a_seller_with_a_record_comes_first() {
        let limits = Deadlines::default();
        let queued = Queued { severity: Severity::High, priority: 150, sla_minutes: None };
        let points =
            |waited, confirmed| Weight::of(queued, waited, Record { confirmed, dismissed: 0 }, &limits).points();
        assert_eq!(points(0, 0), 150);
        assert!(points(600, 0) > points(0, 0));
        assert!(points(24 * 60, 0) > points(24 * 60 - 1, 0));
        assert!(points(0, 5) > points(0, 0));
        let dismissed = Record { confirmed: 0, dismissed: 9 };
        assert!(Weight::of(queued, 0, dismissed, &limits).points() < 150);
        let sooner = Queued { sla_minutes: Some(120), ..queued };
        assert!(Weight::of(sooner, 110, Record::default(), &limits).points() > points(110, 0));
    }

    #[test]
    fn a_deadline_is_fine_then_near_then_over() {
        let limits = Deadlines::default();
        let due = |minutes| limits.due(Severity::Critical, None, minutes);
        assert_eq!(
            [due(0), due(539), due(540), due(719), due(720)],
            [Due::Fine, Due::Fine, Due::Soon, Due::Soon, Due::Over]
        );
        let own = |sla, minutes| limits.due(Severity::Critical, Some(sla), minutes);
        assert_eq!(
            [own(60, 59), own(60, 60), own(60_000, 719), own(60_000, 720)],
            [Due::Soon, Due::Over, Due::Soon, Due::Over]
        );
    }
}
