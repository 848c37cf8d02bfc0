//! Where the marks of holders stand, from a draft to the day they lapse. The journal says it in notes; this follows it.
//!
//! Main type: [`Portfolio`]. A mark is watched only once it is active, which takes a second person: who registers it, and who
//! verifies it. [`Act`] is one step; [`Portfolio::step`] says whether it may be taken and what is written for it.

use std::collections::BTreeMap;

use jiff::{SpanRound, ToSpan, Unit, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::follow::Follower;
use crate::{
    model::{AccountName, Channel, Mark, MarkId, MarkStatus, Timestamp},
    store::Write,
};

/// Notes of marks in the journal.
pub const MARK_NOTES: &str = "mark.";
/// The note that says which ways of writing are not watched.
const CHANNELS: &str = "channels";
/// The form of the file.
const FORMAT: u32 = 1;
/// Days before the end of protection on which a holder is reminded; from the first of them on the mark is expiring.
pub const REMINDERS: [i32; 4] = [180, 90, 30, 7];

/// Where a mark stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Written down; may be changed.
    Draft,
    /// Waits for a second person.
    Submitted,
    /// A second person has seen that it is right.
    Verified,
    /// It is watched.
    Active,
    /// It is watched, and its protection ends within half a year.
    Expiring,
    /// Its protection has ended: it makes no new hits.
    Lapsed,
    /// Taken back by its holder.
    Withdrawn,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 7] =
        [Self::Draft, Self::Submitted, Self::Verified, Self::Active, Self::Expiring, Self::Lapsed, Self::Withdrawn];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Verified => "verified",
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A step in a mark's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Hand it in for verification.
    Submit,
    /// Be the second person who finds it right.
    Verify,
    /// Send it back to its holder.
    Return,
    /// Watch it.
    Activate,
    /// Take it back; it is watched no longer.
    Withdraw,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Submit, Self::Verify, Self::Return, Self::Activate, Self::Withdraw];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Verify => "verify",
            Self::Return => "return",
            Self::Activate => "activate",
            Self::Withdraw => "withdraw",
        }
    }

    /// The act that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    fn to(self) -> Stage {
        match self {
            Self::Submit => Stage::Submitted,
            Self::Verify => Stage::Verified,
            Self::Return => Stage::Draft,
            Self::Activate => Stage::Active,
            Self::Withdraw => Stage::Withdrawn,
        }
    }

    fn is_from(self, stage: Stage) -> bool {
        match self {
            Self::Submit => stage == Stage::Draft,
            Self::Verify => stage == Stage::Submitted,
            Self::Return => matches!(stage, Stage::Submitted | Stage::Verified),
            Self::Activate => stage == Stage::Verified,
            Self::Withdraw => stage != Stage::Withdrawn,
        }
    }
}

/// Why a step may not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// There is no such mark here.
    #[error("there is no mark {0} here")]
    Unknown(String),
    /// The mark stands elsewhere.
    #[error("the mark {mark} is {stage}: it cannot {act} now")]
    NotNow {
        /// Which.
        mark: String,
        /// Where it stands.
        stage: &'static str,
        /// What was asked.
        act: &'static str,
    },
    /// The second person is the first.
    #[error("{0} registered this mark: a second person must verify it")]
    SamePerson(String),
    /// It is watched, or waits: it cannot be written over.
    #[error("the mark {0} is no draft: send it back or withdraw it first")]
    NotDraft(String),
}

/// One mark, where it stands, and who took which step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The mark as it was last written down.
    pub mark: Mark,
    /// The last stage that a person brought it to.
    stage: Stage,
    /// Every step: what, who, when.
    pub steps: Vec<(String, String, Timestamp)>,
}

impl Entry {
    /// A mark that came by a file, not through the steps: it is watched.
    pub fn imported(mark: Mark) -> Self {
        Self { mark, stage: Stage::Active, steps: Vec::new() }
    }

    /// Where it stands on `day`.
    pub fn stage(&self, day: Date) -> Stage {
        if self.stage != Stage::Active {
            return self.stage;
        }
        match self.days_left(day) {
            _ if self.mark.status == MarkStatus::Dead => Stage::Lapsed,
            Some(left) if left < 0 => Stage::Lapsed,
            Some(left) if left <= REMINDERS[0] => Stage::Expiring,
            _ => Stage::Active,
        }
    }

    /// Days until its protection ends, as seen on `day`; negative afterwards.
    pub fn days_left(&self, day: Date) -> Option<i32> {
        let left = day.until((Unit::Day, self.mark.expires_on?)).ok()?;
        left.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()).ok().map(|left| left.get_days())
    }

    /// Who handed it in for verification, and so must not verify it.
    pub fn registered_by(&self) -> Option<&str> {
        self.steps.iter().rev().find(|(what, ..)| what == "submit").map(|(_, who, _)| who.as_str())
    }
}

/// The marks of holders, and where they stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolio {
    format: u32,
    /// The sequence of the journal it reaches.
    seq: u64,
    entries: BTreeMap<MarkId, Entry>,
}

impl Default for Portfolio {
    fn default() -> Self {
        Self { format: FORMAT, seq: 0, entries: BTreeMap::new() }
    }
}

impl Follower for Portfolio {
    const MAX_BYTES: u64 = 256 << 20;

    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }

    fn take(&mut self, what: &str, details: &Map<String, Value>, (at, who): (Timestamp, &str)) -> bool {
        what.strip_prefix(MARK_NOTES).is_some_and(|note| self.note(note, details, who, at))
    }

    fn is_of_this_form(&self) -> bool {
        self.format == FORMAT
    }
}

impl Portfolio {
    fn note(&mut self, note: &str, details: &Map<String, Value>, who: &str, at: Timestamp) -> bool {
        if note == "draft" {
            let mark = details.get("mark").cloned().and_then(|mark| serde_json::from_value::<Mark>(mark).ok());
            let Some(mark) = mark else { return false };
            let known = self.entries.remove(&mark.id);
            let mut steps = known.map(|known| known.steps).unwrap_or_default();
            steps.push(("draft".to_owned(), who.to_owned(), at));
            self.entries.insert(mark.id.clone(), Entry { mark, stage: Stage::Draft, steps });
            return true;
        }
        let id = details.get("mark").and_then(Value::as_str).and_then(|id| MarkId::new(id).ok());
        if note == CHANNELS {
            let unwatched = details.get("unwatched").cloned().and_then(|value| serde_json::from_value(value).ok());
            let (Some(unwatched), Some(entry)) = (unwatched, id.and_then(|id| self.entries.get_mut(&id))) else {
                return false;
            };
            entry.mark.unwatched = unwatched;
            entry.steps.push((note.to_owned(), who.to_owned(), at));
            return true;
        }
        let (Some(act), Some(entry)) = (Act::from_code(note), id.and_then(|id| self.entries.get_mut(&id))) else {
            return false;
        };
        entry.stage = act.to();
        entry.steps.push((note.to_owned(), who.to_owned(), at));
        true
    }

    /// All of them, by id.
    pub fn entries(&self) -> &BTreeMap<MarkId, Entry> {
        &self.entries
    }

    /// What is written so that `mark` is a draft.
    ///
    /// # Errors
    /// When it stands here already and is no draft.
    pub fn draft(&self, mark: &Mark) -> Result<Write, StepError> {
        let free = |entry: &Entry| matches!(entry.stage, Stage::Draft | Stage::Withdrawn);
        if self.entries.get(&mark.id).is_some_and(|entry| !free(entry)) {
            return Err(StepError::NotDraft(mark.id.to_string()));
        }
        Ok(note("draft", serde_json::to_value(mark).unwrap_or_default()))
    }

    /// What is written when `who` takes the step `act` with the mark `id`.
    ///
    /// # Errors
    /// When the mark does not stand where the step begins, or the second person is the first.
    pub fn step(&self, id: &MarkId, act: Act, who: &AccountName, day: Date) -> Result<Vec<Write>, StepError> {
        let entry = self.entries.get(id).ok_or_else(|| StepError::Unknown(id.to_string()))?;
        if !act.is_from(entry.stage) || (act == Act::Activate && entry.days_left(day).is_some_and(|left| left < 0)) {
            let stage = entry.stage(day).code();
            return Err(StepError::NotNow { mark: id.to_string(), stage, act: act.code() });
        }
        if act == Act::Verify && entry.registered_by() == Some(who.as_str()) {
            return Err(StepError::SamePerson(who.to_string()));
        }
        let mut writes = vec![note(act.code(), Value::from(id.as_str()))];
        match act {
            Act::Activate => writes.push(Write::Mark(entry.mark.clone())),
            Act::Withdraw if entry.stage == Stage::Active => writes.push(Write::RemoveMark { id: id.clone() }),
            _ => {}
        }
        Ok(writes)
    }

    /// What is written so that `mark` is watched for every way of writing but those `unwatched`; `live` says that it is
    /// watched now.
    pub fn watch(mark: &Mark, unwatched: &[Channel], live: bool) -> Vec<Write> {
        let details = json!({"mark": mark.id, "unwatched": unwatched});
        let mut writes = vec![super::note(&format!("{MARK_NOTES}{CHANNELS}"), details)];
        if live {
            writes.push(Write::Mark(Mark { unwatched: unwatched.to_vec(), ..mark.clone() }));
        }
        writes
    }

    /// The reminders that are due by `day`: the mark, the days that are left, and the threshold that was passed.
    pub fn reminders(&self, day: Date) -> Vec<(&Entry, i32, i32)> {
        let due = |entry: &Entry| {
            let left = entry.days_left(day).filter(|left| *left >= 0)?;
            let threshold = REMINDERS.into_iter().rev().find(|threshold| left <= *threshold)?;
            (entry.stage == Stage::Active).then_some((left, threshold))
        };
        let mut due: Vec<_> =
            self.entries.values().filter_map(|entry| due(entry).map(|(left, past)| (entry, left, past))).collect();
        due.sort_by_key(|(entry, left, _)| (*left, entry.mark.id.clone()));
        due
    }
}

fn note(what: &str, mark: Value) -> Write {
    let details: Map<String, Value> = [("mark".to_owned(), mark)].into_iter().collect();
    Write::Note { what: format!("{MARK_NOTES}{what}"), details }
}

/// The first day of which listings a trial of 30 days looks at.
pub fn a_month_before(day: Date) -> Date {
    day.checked_sub(30.days()).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        marks::import_csv,
        model::ManualClock,
        store::{Batch, MemoryStore, Store},
    };

    const DAY: &str = "2026-11-28";

    fn day() -> Date {
        DAY.parse().unwrap()
    }

    fn who(name: &str) -> AccountName {
        AccountName::new(name).unwrap()
    }

    fn mark() -> Mark {
        import_csv("m", "id,holder,text,expires_on\nm1,云雀公司,云雀,2027-03-01\n").unwrap().remove(0)
    }

    async fn act(store: &MemoryStore, portfolio: &mut Portfolio, act: Act, name: &str) -> Result<(), StepError> {
        let writes = portfolio.step(&mark().id, act, &who(name), day())?;
        store.apply(Batch { actor: name.into(), writes }).await.unwrap();
        portfolio.follow(store).await.unwrap();
        Ok(())
    }

    #[tokio::test]
    async fn a_mark_is_watched_only_after_a_second_person_and_no_longer_when_it_is_withdrawn() {
        let store = MemoryStore::new(Arc::new(ManualClock::new("2026-11-28T00:00:00Z".parse().unwrap())));
        let mut portfolio = Portfolio::default();
        let draft = portfolio.draft(&mark()).unwrap();
        store.apply(Batch { actor: "hu".into(), writes: vec![draft] }).await.unwrap();
        assert!(portfolio.follow(&store).await.unwrap());
        assert!(matches!(act(&store, &mut portfolio, Act::Activate, "hu").await, Err(StepError::NotNow { .. })));
        act(&store, &mut portfolio, Act::Submit, "hu").await.unwrap();
        assert_eq!(act(&store, &mut portfolio, Act::Verify, "hu").await, Err(StepError::SamePerson("hu".into())));
        assert!(matches!(portfolio.draft(&mark()), Err(StepError::NotDraft(_))));
        act(&store, &mut portfolio, Act::Verify, "wu").await.unwrap();
        assert_eq!(store.counts().await.unwrap().marks, 0);
        act(&store, &mut portfolio, Act::Activate, "hu").await.unwrap();
        assert_eq!(store.counts().await.unwrap().marks, 1);
        let entry = &portfolio.entries()[&mark().id];
        assert_eq!((entry.stage(day()), entry.days_left(day()), entry.steps.len()), (Stage::Expiring, Some(93), 4));
        assert_eq!(entry.stage("2027-03-02".parse().unwrap()), Stage::Lapsed);
        assert_eq!(portfolio.reminders(day()).first().map(|(_, left, past)| (*left, *past)), Some((93, 180)));
        act(&store, &mut portfolio, Act::Withdraw, "hu").await.unwrap();
        assert_eq!(store.counts().await.unwrap().marks, 0);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portfolio.json");
        portfolio.remember(&path).unwrap();
        let mut kept = Portfolio::remembered(&path).unwrap();
        assert!(!kept.follow(&store).await.unwrap());
        assert_eq!(kept.entries(), portfolio.entries());
        let mut again = Portfolio::default();
        again.follow(&store).await.unwrap();
        assert_eq!(again.entries(), portfolio.entries(), "the journal says it all again");
    }
}
