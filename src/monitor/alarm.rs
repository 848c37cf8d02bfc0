//! What somebody who looks after the program must know of, gathered from what the rooms keep. Pure: it reads what it is
//! handed, and ends nothing; an alarm goes when its reason does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Halted, Operations, Said};
use crate::{
    crawl::{Coverage, CoverageError, Ended},
    model::Timestamp,
    review::Share,
};

/// A run that is so long past its time is late, in minutes.
const LATE_MINUTES: i64 = 15;
/// Answers of which fewer say nothing about a source.
const FEWEST_FAILURES: u64 = 3;
/// An alarm whose beginning nothing tells comes back so many hours after somebody has seen it.
const SEEN_HOURS: i64 = 24;
/// Runs that are looked back for when a source began to fail.
const LOOKED_RUNS: usize = 20;
/// What kinds of failures are the host's.
const BROKEN: [&str; 8] =
    ["timeout", "network", "undecodable", "too_large", "redirects", "robots_unreachable", "asked_to_wait", "no_facts"];

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// A field of a profile's listings is hardly found any more.
    Drift,
    /// A canary of a profile is not read as it must be.
    Canary,
    /// Most of what a source was asked for in its last run was not had.
    Failing,
    /// A run should have begun long ago.
    Late,
    /// The disk of the data folder is nearly full.
    Disk,
    /// A person stopped a host.
    Stopped,
    /// Known answers are given right less often than before.
    Gold,
}

impl AlarmKind {
    /// Its stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Canary => "canary",
            Self::Failing => "failing",
            Self::Late => "late",
            Self::Disk => "disk",
            Self::Stopped => "stopped",
            Self::Gold => "gold",
        }
    }
}

/// Something to look after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it is known by: the same while it stands.
    pub key: String,
    /// What it is about.
    pub kind: AlarmKind,
    /// The profile or host it is about; empty where it is about all.
    pub subject: String,
    /// Figures by their name, for the words around them.
    pub figures: BTreeMap<String, String>,
    /// When it began, where that is known.
    pub since: Option<Timestamp>,
    /// Who has seen it, and what they said.
    pub seen: Option<Said>,
}

impl Alarm {
    fn new<const N: usize>(
        kind: AlarmKind,
        of: (&str, &str),
        since: Option<Timestamp>,
        figures: [(&str, String); N],
    ) -> Self {
        let (subject, part) = of;
        let colon = if part.is_empty() { "" } else { ":" };
        Self {
            key: format!("{}:{subject}{colon}{part}", kind.code()),
            kind,
            subject: subject.to_owned(),
            figures: figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            since,
            seen: None,
        }
    }

    /// What it says and what to do, in English, for a terminal.
    #[must_use]
    pub fn words(&self) -> String {
        let figure = |name: &str| self.figures.get(name).map_or("?", String::as_str);
        let subject = &self.subject;
        match self.kind {
            AlarmKind::Drift => format!(
                "{subject}: {} stands in {} of {} listings, {} was usual; see `markwarden crawl mend {subject}`",
                figure("field"),
                figure("now"),
                figure("of"),
                figure("usual")
            ),
            AlarmKind::Canary => format!("the canary {} since {}: {}", figure("url"), figure("since"), figure("why")),
            AlarmKind::Failing => format!(
                "{subject}: {} failures against {} answers in its last run, mostly {}; see `markwarden crawl status {subject}`",
                figure("bad"),
                figure("good"),
                figure("kind")
            ),
            AlarmKind::Late => {
                format!(
                    "{subject}: a run is late since {}; look whether the server crawls and what it waits for",
                    figure("due")
                )
            }
            AlarmKind::Disk => format!(
                "{} MiB of {} MiB are free: trim, move evidence, or enlarge the disk before writes fail",
                figure("free"),
                figure("all")
            ),
            AlarmKind::Stopped => format!(
                "{subject}: stopped by {}; `markwarden crawl resume {subject}` lets it be visited again",
                figure("by")
            ),
            AlarmKind::Gold => format!(
                "known answers: {} of the newest {} right, {} before; look at the quality page",
                figure("right"),
                figure("of"),
                figure("before")
            ),
        }
    }
}

/// How full the disk of the data folder is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Free for this program.
    pub free: u64,
    /// All of it.
    pub all: u64,
    /// Below this, it is nearly full.
    pub least: u64,
}

/// How answers that are known were given, the newest and those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gold {
    /// Right ones among the newest, and how many those are.
    pub newest: (u64, u64),
    /// The same of all before.
    pub before: (u64, u64),
}

/// What alarms are gathered from.
#[derive(Debug)]
pub struct Looked<'a> {
    /// Now.
    pub now: Timestamp,
    /// The profiles that run here, each with when its next run is due.
    pub profiles: &'a BTreeMap<String, Option<Timestamp>>,
    /// What became of addresses, where that is kept.
    pub coverage: Option<&'a Coverage>,
    /// What people said of profiles and alarms.
    pub operations: &'a Operations,
    /// Stopped hosts.
    pub halted: &'a Halted,
    /// The disk, where it can be asked.
    pub disk: Option<Disk>,
    /// Known answers, where there is a desk.
    pub gold: Option<Gold>,
}

/// All that stands, what nobody has seen first.
///
/// # Errors
/// When coverage cannot be read.
pub fn alarms(looked: &Looked<'_>) -> Result<Vec<Alarm>, CoverageError> {
    let mut all = Vec::new();
    for (profile, due) in looked.profiles {
        if let Some(coverage) = looked.coverage {
            all.extend(drifted(profile, coverage)?);
            all.extend(misread(profile, coverage)?);
            all.extend(failing(profile, &coverage.newest_runs(profile, LOOKED_RUNS)?));
        }
        let rests = looked.operations.pause(profile, looked.now).is_some();
        all.extend(due.filter(|_| !rests).and_then(|due| late(profile, due, looked.now)));
    }
    all.extend(looked.halted.hosts().map(|(host, halt)| {
        let figures = [("by", halt.by.clone()), ("why", halt.why.clone())];
        Alarm::new(AlarmKind::Stopped, (host, ""), Some(halt.at), figures)
    }));
    all.extend(looked.disk.filter(|disk| disk.free < disk.least).map(|disk| {
        let mebi = |bytes: u64| (bytes >> 20).to_string();
        Alarm::new(AlarmKind::Disk, ("", ""), None, [("free", mebi(disk.free)), ("all", mebi(disk.all))])
    }));
    all.extend(looked.gold.and_then(falling));
    for alarm in &mut all {
        alarm.seen = looked.operations.acknowledged(&alarm.key, alarm.since, looked.now, SEEN_HOURS).cloned();
    }
    all.sort_by(|a, b| (a.seen.is_some(), a.kind, &a.key).cmp(&(b.seen.is_some(), b.kind, &b.key)));
    Ok(all)
}

fn drifted(profile: &str, coverage: &Coverage) -> Result<Vec<Alarm>, CoverageError> {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let found = coverage.alarms(profile)?.into_iter().map(|drift| {
        let (now, usual, of) = (percent(drift.now), percent(drift.usual), drift.of.to_string());
        let figures = [("field", drift.field.clone()), ("now", now), ("usual", usual), ("of", of)];
        Alarm::new(AlarmKind::Drift, (profile, &drift.field), Some(drift.since), figures)
    });
    Ok(found.collect())
}

fn misread(profile: &str, coverage: &Coverage) -> Result<Vec<Alarm>, CoverageError> {
    let found = coverage.canary_alarms(profile)?.into_iter().map(|canary| {
        let since = canary.since.strftime("%Y-%m-%d %H:%M").to_string();
        let figures = [("url", canary.url.clone()), ("why", canary.words().join("; ")), ("since", since)];
        Alarm::new(AlarmKind::Canary, (profile, &canary.url), Some(canary.since), figures)
    });
    Ok(found.collect())
}

/// Failures of the host and answers that were of use, in one run; and the most frequent failure.
fn outcome(run: &Ended) -> (u64, u64, String) {
    let report = &run.report;
    let broken: Vec<(&String, u64)> = report
        .failed
        .iter()
        .filter(|(kind, _)| BROKEN.contains(&kind.as_str()) || kind.starts_with("status"))
        .map(|(kind, count)| (kind, *count))
        .collect();
    let most = broken.iter().max_by_key(|(_, count)| *count).map_or(String::new(), |(kind, _)| (*kind).clone());
    let good = report.listings + report.unchanged + report.lists + report.sitemaps;
    (broken.iter().map(|(_, count)| count).sum(), good, most)
}

/// An alarm where the last run failed more often than not, since the first of those that did so one after another.
fn failing(profile: &str, runs: &[Ended]) -> Option<Alarm> {
    let fails = |run: &&Ended| {
        let (bad, good, _) = outcome(run);
        bad > good && bad >= FEWEST_FAILURES || good == 0 && bad > 0 && !run.report.interrupted
    };
    let last = runs.last().filter(fails)?;
    let since = runs.iter().rev().take_while(fails).last().map(|run| run.at);
    let (bad, good, kind) = outcome(last);
    let figures = [("bad", bad.to_string()), ("good", good.to_string()), ("kind", kind)];
    Some(Alarm::new(AlarmKind::Failing, (profile, ""), since, figures))
}

fn late(profile: &str, due: Timestamp, now: Timestamp) -> Option<Alarm> {
    let is_late = now.duration_since(due).as_mins() >= LATE_MINUTES;
    is_late.then(|| Alarm::new(AlarmKind::Late, (profile, ""), Some(due), [("due", due.to_string())]))
}

/// An alarm where even the upper bound of the newest answers lies below the lower one of those before.
fn falling(gold: Gold) -> Option<Alarm> {
    let (newest, before) = (Share::new(gold.newest.0, gold.newest.1), Share::new(gold.before.0, gold.before.1));
    let falls = newest.of > 0 && before.of > 0 && newest.high < before.low;
    let percent = |share: &Share| format!("{:.0} %", 100.0 * share.value());
    falls.then(|| {
        let figures = [("right", newest.yes.to_string()), ("of", newest.of.to_string()), ("before", percent(&before))];
        Alarm::new(AlarmKind::Gold, ("", ""), None, figures)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crawl::RunReport;
    use crate::monitor::Follower;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    fn run(minute: i64, listings: u64, failed: &[(&str, u64)]) -> Ended {
        let failed = failed.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        Ended { run: 1, at: at(minute), report: RunReport { listings, failed, ..RunReport::default() } }
    }

    #[test]
    fn a_source_fails_since_the_first_run_that_did_and_what_robots_forbid_is_no_failure() {
        let runs = [
            run(0, 0, &[("timeout", 9)]),
            run(1, 50, &[]),
            run(2, 1, &[("status_503", 40)]),
            run(3, 2, &[("network", 7), ("timeout", 3)]),
        ];
        let alarm = failing("shop", &runs).unwrap();
        assert_eq!((alarm.key.as_str(), alarm.since), ("failing:shop", Some(at(2))));
        assert_eq!((&*alarm.figures["bad"], &*alarm.figures["kind"]), ("10", "network"));
        assert!(failing("shop", &[run(0, 3, &[("robots", 900), ("unmatched", 40)])]).is_none());
        assert!(failing("shop", &[run(0, 100, &[("timeout", 90)])]).is_none());
        assert!(failing("shop", &[run(0, 0, &[("robots_unreachable", 1)])]).is_some());
        assert!(failing("shop", &[]).is_none());
    }

    #[test]
    fn what_somebody_has_seen_stands_last_until_it_begins_anew() {
        let mut operations = Operations::default();
        let note = |alarm: &str| json!({"alarm": alarm, "why": "known"}).as_object().unwrap().clone();
        operations.take(super::super::ACKNOWLEDGED, &note("late:shop"), (at(100), "li"));
        operations.take(super::super::ACKNOWLEDGED, &note("disk:"), (at(100), "li"));
        let disk = Some(Disk { free: 1 << 20, all: 1 << 40, least: 1 << 30 });
        let gold = Some(Gold { newest: (2, 30), before: (95, 100) });
        let halted = Halted::default();
        let told = |due, now| {
            let profiles = BTreeMap::from([("shop".to_owned(), Some(due))]);
            let looked = Looked {
                now,
                profiles: &profiles,
                coverage: None,
                operations: &operations,
                halted: &halted,
                disk,
                gold,
            };
            let found = alarms(&looked).unwrap();
            found.into_iter().map(|alarm| (alarm.kind.code(), alarm.seen.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(told(at(80), at(101)), [("gold", false), ("late", true), ("disk", true)]);
        // A later run that is late is another; what has no beginning comes back the next day.
        assert_eq!(told(at(120), at(140)), [("late", false), ("gold", false), ("disk", true)]);
        assert_eq!(told(at(2000), at(2010)), [("disk", false), ("gold", false)]);
    }

    #[test]
    fn a_profile_that_rests_is_not_late_and_small_numbers_are_no_fall() {
        let mut operations = Operations::default();
        let details = json!({"profile": "shop"}).as_object().unwrap().clone();
        operations.take(super::super::PAUSED, &details, (at(0), "li"));
        let profiles = BTreeMap::from([("shop".to_owned(), Some(at(0)))]);
        let halted = Halted::default();
        let gold = Some(Gold { newest: (1, 2), before: (9, 10) });
        let looked = Looked {
            now: at(900),
            profiles: &profiles,
            coverage: None,
            operations: &operations,
            halted: &halted,
            disk: None,
            gold,
        };
        assert_eq!(alarms(&looked).unwrap(), []);
    }
}
