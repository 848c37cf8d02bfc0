//! `markwarden crawl pause`, and `resume` of a profile: whether it runs.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;

use super::{Context, Done, visible};
use crate::{
    app,
    cli::notes::{Notes, person},
    crawl::{Coverage, Profile},
    model::Timestamp,
    monitor::{
        Alarm, Cost, Disk, Halted, Looked, MAX_WHY_CHARS, Operations, Risk, Works, alarms, continue_note, costs,
        pause_note,
    },
};

/// Longest pause with an end: ten years.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// Arguments of `crawl pause`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running `serve` or `crawl` obeys within seconds: a run under way ends at its next page and keeps what waits; none\n\
    begins. When the profile goes on, a run that the pause ended goes on where it was, and what was missed runs once.\n\n\
    Examples:\n  \
    markwarden crawl pause xinghe --by li --why 'their sale: their servers are busy' --until 12h\n  \
    markwarden crawl pause xinghe --by li --until 2026-12-01T08:00:00+08:00\n  \
    markwarden crawl resume xinghe --by li"
)]
pub struct Args {
    /// The profile's id.
    profile: String,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for whoever asks later.
    #[arg(long, visible_alias = "reason", default_value = "")]
    why: String,
    /// Until when: a time, or how long from now, as in 12h or 3d; until it is resumed, when absent.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such profile, the time cannot be read, or it cannot be noted.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let file = settings.crawl.sites.join(format!("{}.toml", args.profile));
    let plain = !args.profile.contains(['/', '\\']);
    ensure!(plain && file.is_file(), "there is no profile {}: looked for {}", visible(&args.profile), file.display());
    let until = args.until.as_deref().map(|text| when(text, Timestamp::now())).transpose()?;
    let notes = Notes::open(&settings, args.data)?;
    let by = person(&args.by)?;
    notes.note(&by, vec![pause_note(&args.profile, &by, why(&args.why)?, until)], context)?;
    known(&notes)?;
    let end = until.map_or("until it is resumed".to_owned(), |until| format!("until {until}"));
    context.data(&format!("{} rests {end}", args.profile))?;
    Ok(Done::Fine)
}

/// Lets the profile `name` go on, where it rests; false where it does not.
pub(super) fn go_on(name: &str, by: &str, reason: &str, notes: &Notes, context: &Context) -> Result<bool> {
    if known(notes)?.pause(name, Timestamp::now()).is_none() {
        return Ok(false);
    }
    notes.note(by, vec![continue_note(name, by, why(reason)?)], context)?;
    known(notes)?;
    context.data(&format!("{name} goes on"))?;
    Ok(true)
}

fn why(text: &str) -> Result<&str> {
    let text = text.trim();
    ensure!(text.chars().count() <= MAX_WHY_CHARS, "a reason has at most {MAX_WHY_CHARS} characters");
    Ok(text)
}

/// A time, or one so long after `now`.
fn when(text: &str, now: Timestamp) -> Result<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            // Days have a day's hours here: no zone is said.
            let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<i64>().ok());
            let long = match days {
                Some(days) => SignedDuration::from_hours(days.saturating_mul(24).min(i64::from(i32::MAX))),
                None => text.parse::<SignedDuration>().with_context(|| {
                    format!("`{}` is no time: write 12h, 3d or 2026-12-01T08:00:00+08:00", visible(text))
                })?,
            };
            now.checked_add(long).context("that is too far away")?
        }
    };
    ensure!(at > now, "{at} is over already");
    ensure!(at.duration_since(now) <= LONGEST, "{at} is too far away: leave --until out for a pause without an end");
    Ok(at)
}

/// What is noted of profiles and alarms, what waits for the server taken in.
pub(super) fn known(notes: &Notes) -> Result<Operations> {
    let path = notes.data().join(app::OPERATIONS);
    notes.caught_up(Operations::open(&path), &path)
}

/// How things stand beside what coverage knows: what people said, what is due, what hits say.
pub(in crate::cli) struct Stands {
    /// What people said of profiles and alarms.
    pub operations: Operations,
    halted: Halted,
    due: BTreeMap<String, Option<Timestamp>>,
    risk: Risk,
    disk: Option<Disk>,
    profiles: Vec<Profile>,
}

impl Stands {
    /// As the running server knows it.
    pub fn of(works: &Works, due: BTreeMap<String, Option<Timestamp>>, risk: Risk) -> Self {
        Self {
            operations: works.operating.known(),
            halted: works.halting.known(),
            due,
            risk,
            disk: works.disk(),
            profiles: works.profiles().values().map(|profile| Profile::clone(profile)).collect(),
        }
    }

    /// As the store says, which no server has open.
    pub(super) fn read(notes: &Notes, profiles: Vec<Profile>) -> Result<Self> {
        let (operations, halted) = (known(notes)?, super::halt::known(notes)?);
        let (mut risk, mut due) = (Risk::default(), BTreeMap::new());
        if let Some(store) = notes.store() {
            notes.wait(risk.catch_up(&**store))?;
            for profile in profiles.iter().filter(|profile| profile.schedule.is_some()) {
                due.insert(profile.id.clone(), notes.wait(crate::store::Store::next_due(&**store, &profile.id))?);
            }
        }
        Ok(Self { operations, halted, due, risk, disk: None, profiles })
    }

    /// The alarms that are about `profile`, or about all.
    pub(super) fn alarms(&self, profile: &str, coverage: &Coverage) -> Result<Vec<Alarm>> {
        let profiles = BTreeMap::from([(profile.to_owned(), self.due.get(profile).copied().flatten())]);
        Ok(alarms(&Looked {
            now: Timestamp::now(),
            profiles: &profiles,
            coverage: Some(coverage),
            operations: &self.operations,
            halted: &self.halted,
            disk: self.disk,
            gold: None,
        })?)
    }

    /// What confirmed hits of the profile's platform cost; none where the profile is not known.
    pub(super) fn cost(&self, profile: &str, coverage: &Coverage) -> Result<Option<Cost>> {
        Ok(costs(self.profiles.iter(), coverage, &self.risk)?.remove(profile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_so_long_from_now_and_never_past() {
        let now: Timestamp = "2026-11-28T00:00:00Z".parse().unwrap();
        for (text, at) in [
            ("12h", "2026-11-28T12:00:00Z"),
            ("3d", "2026-12-01T00:00:00Z"),
            ("90m", "2026-11-28T01:30:00Z"),
            ("2026-12-01T08:00:00+08:00", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(when(text, now).unwrap(), at.parse::<Timestamp>().unwrap(), "{text}");
        }
        for text in ["", "soon", "-3h", "0d", "2026-11-27T00:00:00Z", "99999999999999d", "9999999999999999999h"] {
            assert!(when(text, now).is_err(), "{text}");
        }
    }
}
