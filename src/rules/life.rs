//! The life of a rule, draft → shadow → active → retired: what a change of status does to its file and to the record of versions.
//!
//! Pure: texts in, texts out. Whether a rule may go live, `monitor` says, which knows what the journal says of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Value};

use super::{
    file::{QualityFile, Status},
    folder::RuleSource,
    lint,
    rule::Rule,
    set::RuleSet,
};

/// Which state of a rule is meant: its version, and the hash of what it finds, which tells apart two states of one version
/// that nobody recorded in the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// The version in the rule's file.
    pub version: u32,
    /// Sixteen hex digits that change with what the rule finds; word lists are not in it.
    pub logic: String,
}

/// The longest time to decide that a rule may name, in hours.
const MAX_SLA_HOURS: u32 = 366 * 24;

/// Minutes of a time to decide such as `48h` or `2d`; none where it is no such time, shorter than an hour or longer than a year.
pub(super) fn sla_minutes(written: &str) -> Option<u32> {
    let (number, unit) = written.trim().split_at_checked(written.trim().len().checked_sub(1)?)?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        _ => return None,
    };
    let plain = (1..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let hours = number.parse::<u32>().ok().filter(|_| plain)?.checked_mul(hours)?;
    (1..=MAX_SLA_HOURS).contains(&hours).then_some(hours * 60)
}

/// What reviewers must find a rule to be, or it goes back to shadow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// The least share of its hits that is confirmed, 0 to 1; at 0 nothing happens.
    pub min_precision: f64,
    /// Decisions before it counts.
    pub min_decisions: u64,
}

/// What a rule's own `[quality]` says; what it leaves open the settings say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// See [`Floor::min_precision`].
    pub min_precision: Option<f64>,
    /// See [`Floor::min_decisions`].
    pub min_decisions: Option<u64>,
    /// New hits a day, beyond which the rule only counts.
    pub max_hits_per_day: Option<u64>,
}

impl Quality {
    /// The floor where `usual` is that of rules that say nothing.
    pub fn floor(self, usual: Floor) -> Floor {
        Floor {
            min_precision: self.min_precision.unwrap_or(usual.min_precision),
            min_decisions: self.min_decisions.unwrap_or(usual.min_decisions).max(1),
        }
    }
}

impl From<&QualityFile> for Quality {
    fn from(file: &QualityFile) -> Self {
        Self {
            min_precision: file.min_precision,
            min_decisions: file.min_decisions,
            max_hits_per_day: file.max_hits_per_day,
        }
    }
}

impl RuleSet {
    /// Which state the rule named `id` is in.
    pub fn edition(&self, id: &str) -> Option<Edition> {
        let rule = self.rule(id)?;
        let logic = lint::logic(&self.source(&rule.path)?.text);
        Some(Edition { version: rule.version, logic })
    }

    /// Rules that make findings and stand in the record of versions as they are, where there is such a record.
    pub fn recorded(&self) -> impl Iterator<Item = &Rule> {
        let unrecorded: BTreeSet<&str> = self
            .warnings()
            .iter()
            .filter(|problem| problem.code == "rule.unrecorded")
            .map(|problem| problem.file.as_str())
            .collect();
        let active = self.rules().iter().map(AsRef::as_ref).filter(|rule: &&Rule| rule.status == Status::Active);
        active.filter(move |rule| !unrecorded.contains(rule.path.as_str()))
    }

    /// The rules that come with the program, as its record of versions has them.
    pub fn shipped() -> BTreeMap<String, Edition> {
        super::folder::builtin_lock().map(|lock| lint::recorded(&lock.text)).unwrap_or_default()
    }
}

/// The text of a rule's file with another status; comments and order stay.
///
/// # Errors
/// When it is no TOML.
pub fn with_status(text: &str, status: Status) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if let Some(value) = document.get_mut("status").and_then(toml_edit::Item::as_value_mut) {
        let decor = value.decor().clone();
        *value = Value::from(status.word());
        *value.decor_mut() = decor;
    } else {
        document.insert("status", toml_edit::value(status.word()));
    }
    Ok(document.to_string())
}

impl Status {
    /// As files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// The lock file `before` with the line of the rule in `source` as it is now; other lines stay.
pub fn relock(before: &str, source: &RuleSource) -> String {
    let fresh = lint::lock(std::slice::from_ref(source));
    let line = fresh.lines().find(|line| line.starts_with('"'));
    let key = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let Some(id) = line.and_then(key) else { return before.to_owned() };
    let mut lines: Vec<&str> = before.lines().filter(|line| key(line).as_deref() != Some(&id)).collect();
    let at = lines.iter().position(|other| key(other).is_some_and(|other| other > id)).unwrap_or(lines.len());
    lines.insert(at, line.unwrap_or_default());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = include_str!("../../fixtures/rules/test.word.toml");

    #[test]
    fn a_status_changes_and_comments_stay() {
        let text = RULE.replace("status = \"active\"", "# tried since May\nstatus = \"shadow\"   # for now");
        let live = with_status(&text, Status::Active).unwrap();
        assert_eq!(live, text.replace("\"shadow\"", "\"active\""));
        assert!(with_status("status = ", Status::Active).is_err());
    }

    #[test]
    fn a_rule_that_was_held_is_active_again_once_nothing_holds_it_though_its_file_is_the_same() {
        let source = || vec![RuleSource { path: "rules/test.word.toml".into(), text: RULE.into() }];
        let mut set = RuleSet::parse(source()).unwrap();
        set.hold(|id| id == "test.word");
        assert_eq!(set.rule("test.word").unwrap().status, Status::Shadow);
        let read_anew = RuleSet::parse_after(source(), &set).unwrap();
        assert_eq!(read_anew.rule("test.word").unwrap().status, Status::Active);
    }

    #[test]
    fn a_time_to_decide_is_hours_or_days_within_a_year() {
        assert_eq!([sla_minutes("48h"), sla_minutes("2d"), sla_minutes(" 1h ")], [Some(2880), Some(2880), Some(60)]);
        for wrong in ["", "h", "0h", "48", "48m", "-1h", "+1h", "367d", "99999h", "100000h", "1.5d", "２d", "2天"] {
            assert_eq!(sla_minutes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_line_of_the_lock_changes_and_stands_in_its_place() {
        let source = RuleSource { path: "rules/test.word.toml".into(), text: RULE.into() };
        let lock = "# head\n\"a.b\" = { version = 1, logic = \"0\" }\n\"test.word\" = { version = 0, logic = \"1\" }\n\"z\" = { version = 3, logic = \"2\" }\n";
        let after = relock(lock, &source);
        let lines: Vec<&str> = after.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[2].starts_with("\"test.word\" = { version = 1, logic = \""), "{after}");
        assert_eq!((lines[1], lines[3]), (lock.lines().nth(1).unwrap(), lock.lines().nth(3).unwrap()));
        let set = RuleSet::parse(vec![source.clone()]).unwrap();
        assert!(lines[2].contains(&set.edition("test.word").unwrap().logic));
        assert_eq!(relock("", &source).lines().count(), 1);
    }

    #[test]
    fn the_shipped_rules_are_those_of_the_lock_that_was_built_in() {
        let (set, shipped) = (RuleSet::builtin().unwrap(), RuleSet::shipped());
        assert!(set.recorded().count() > 60);
        for rule in set.recorded() {
            assert_eq!(set.edition(&rule.id).as_ref(), shipped.get(&rule.id), "{}", rule.id);
        }
    }
}
