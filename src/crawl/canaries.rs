//! How the canaries of a profile were read, and the alarms that stand because of them.

use serde::{Deserialize, Serialize};

use super::{Canary, Difference};
use crate::model::{Listing, Timestamp};

/// How a canary ended in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sung {
    /// It was read as it must be.
    Well,
    /// It was read otherwise, is no listing any more, or may not be asked for.
    Wrong,
    /// Its host did not answer, which says nothing about the profile.
    Unanswered,
}

/// What a run read of one canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReading {
    /// Its address.
    pub url: String,
    /// How it ended.
    pub sung: Sung,
    /// Why, where facts alone do not say it.
    pub why: String,
    /// Facts that were read otherwise than they must be.
    pub differences: Vec<Difference>,
}

/// A canary that is not read as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryAlarm {
    /// Its address.
    pub url: String,
    /// Why, where facts alone do not say it.
    pub why: String,
    /// Facts that were read otherwise.
    pub differences: Vec<Difference>,
    /// Since when.
    pub since: Timestamp,
}

impl CanaryReading {
    /// What was read where an answer came: `listing`, or none.
    pub fn of(canary: &Canary, listing: Option<&Listing>) -> Self {
        let differences = canary.expected().differences(listing);
        let (sung, why) = match listing {
            None => (Sung::Wrong, "no listing is read from it"),
            Some(_) if differences.is_empty() => (Sung::Well, ""),
            Some(_) => (Sung::Wrong, ""),
        };
        Self { url: canary.url.clone(), sung, why: why.into(), differences }
    }

    /// A canary of which nothing was read.
    pub fn without_page(canary: &Canary, sung: Sung, why: &str) -> Self {
        Self { url: canary.url.clone(), sung, why: why.to_owned(), differences: Vec::new() }
    }
}

impl CanaryAlarm {
    /// Each thing that is wrong, in words.
    pub fn words(&self) -> Vec<String> {
        words(&self.why, &self.differences)
    }
}

impl CanaryReading {
    /// Each thing that is wrong, in words.
    pub fn words(&self) -> Vec<String> {
        words(&self.why, &self.differences)
    }
}

fn words(why: &str, differences: &[Difference]) -> Vec<String> {
    let why = Some(why.to_owned()).filter(|why| !why.is_empty());
    // Without a listing every fact is missing, which its reason says already.
    let facts = differences.iter().filter(|_| why.is_none()).map(Difference::words);
    why.clone().into_iter().chain(facts).collect()
}

/// The alarms that stand after `readings`, and those of them that are new: a canary that was not answered stays as it was, one
/// that the profile does not name any more goes.
pub(super) fn after(
    before: Vec<CanaryAlarm>,
    canaries: &[Canary],
    readings: &[CanaryReading],
    at: Timestamp,
) -> (Vec<CanaryAlarm>, Vec<CanaryAlarm>) {
    let (mut standing, mut raised) = (Vec::new(), Vec::new());
    for canary in canaries {
        let known = before.iter().find(|alarm| alarm.url == canary.url);
        match readings.iter().find(|reading| reading.url == canary.url) {
            Some(CanaryReading { sung: Sung::Well, .. }) => {}
            Some(CanaryReading { sung: Sung::Wrong, url, why, differences }) => {
                let since = known.map_or(at, |known| known.since);
                let alarm = CanaryAlarm { url: url.clone(), why: why.clone(), differences: differences.clone(), since };
                if known.is_none() {
                    raised.push(alarm.clone());
                }
                standing.push(alarm);
            }
            Some(CanaryReading { sung: Sung::Unanswered, .. }) | None => standing.extend(known.cloned()),
        }
    }
    (standing, raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_raised_once_and_ends_when_the_canary_is_read_well() {
        let canary: Canary = toml::from_str("url = \"https://s.example/p/1\"\n[facts]\ntitle = \"a\"\n").unwrap();
        let canaries = [canary];
        let at = |second| Timestamp::from_second(second).unwrap();
        let listing = |title: &str| Listing { title: title.into(), ..Listing::default() };
        let wrong = CanaryReading::of(&canaries[0], Some(&listing("b")));
        let (standing, raised) = after(Vec::new(), &canaries, std::slice::from_ref(&wrong), at(1));
        assert_eq!(
            (standing.len(), raised.len(), raised[0].words()[0].as_str()),
            (1, 1, "title is read as “b”, not “a”")
        );
        let silent = CanaryReading::without_page(&canaries[0], Sung::Unanswered, "timeout");
        let (standing, raised) = after(standing, &canaries, &[silent], at(2));
        assert_eq!((standing.len(), raised.len()), (1, 0));
        let (standing, raised) = after(standing, &canaries, &[wrong], at(3));
        assert_eq!((standing[0].since, raised.len()), (at(1), 0));
        let well = CanaryReading::of(&canaries[0], Some(&listing("a")));
        assert_eq!(after(standing.clone(), &canaries, &[well], at(4)), (Vec::new(), Vec::new()));
        assert_eq!(after(standing, &[], &[], at(4)), (Vec::new(), Vec::new()));
        let none = CanaryReading::of(&canaries[0], None);
        assert_eq!((none.sung, none.words()), (Sung::Wrong, vec!["no listing is read from it".to_owned()]));
    }
}
