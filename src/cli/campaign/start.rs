//! `markwarden campaign start`: a person sets a campaign and its own rules live.

use std::fs;

use anyhow::{Context as _, Result, bail};
use jiff::civil::Date;
use serde_json::json;

use super::{Context, Decision, Done, Place, named, path, read};
use crate::{
    campaign::{Campaign, Stage, with_stage},
    cli::{
        notes::{Notes, person},
        rules::{Change, is_proved, promoted, replace},
    },
    monitor::note,
    rules::{RuleSource, Status},
    store::Write,
};

/// Runs the command.
///
/// # Errors
/// When there is no such campaign, or a file or the journal cannot be written.
pub fn run(args: Decision, today: Date, context: &Context) -> Result<Done> {
    let by = person(&args.by)?;
    let Some(campaigns) = read(&args.place.rules, context)? else { return Ok(Done::Findings) };
    let campaign = named(&campaigns, &args.id)?;
    if campaign.stage == Stage::Ended {
        bail!("{} has ended; make a new one of its rules", campaign.id);
    }
    let notes = Notes::open(&context.settings()?, args.place.data.clone())?;
    go_live(campaign, &args.place, (&by, &args.why), &notes, today, context)
}

/// Sets `campaign` and its own rules live, all or none, and notes who did it.
pub(super) fn go_live(
    campaign: &Campaign,
    place: &Place,
    (by, why): (&str, &str),
    notes: &Notes,
    today: Date,
    context: &Context,
) -> Result<Done> {
    let standing = notes.standing()?;
    let mut changes: Vec<Change> = Vec::new();
    for rule in &campaign.rules {
        // Each change is tried on the folder as the ones before it left it.
        let sources = match RuleSource::read_all(std::slice::from_ref(&place.rules)) {
            Ok(sources) => sources,
            Err(problems) => return refuse(&changes, place, &problems, context),
        };
        match Change::prepare(&sources, rule, Status::Active, today) {
            Ok(Ok(change)) if is_proved(&standing, &change, context) => {
                change.write(&place.rules)?;
                changes.push(change);
            }
            Ok(Ok(_)) => return refuse(&changes, place, &[], context),
            Ok(Err(problems)) => return refuse(&changes, place, &problems, context),
            Err(error) => {
                take_back(&changes, place)?;
                return Err(error);
            }
        }
    }
    let file = path(&place.rules, &campaign.id);
    let before = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    replace(&file.display().to_string(), &with_stage(&before, Stage::On)?)?;
    let mut writes: Vec<Write> = changes.iter().map(|change| promoted(change, Status::Active, by, why)).collect();
    writes.push(note(
        "campaign.started",
        json!({
            "campaign": campaign.id, "by": by, "why": why, "from": campaign.from, "to": campaign.to,
            "rules": campaign.rules, "also": campaign.also,
        }),
    ));
    if let Err(error) = notes.note(by, writes, context) {
        replace(&file.display().to_string(), &before)?;
        take_back(&changes, place)?;
        return Err(error.context("the campaign is as it was"));
    }
    context
        .say(&format!("{} is live: it runs from {} to {}, set live by {by}", campaign.id, campaign.from, campaign.to));
    Ok(Done::Fine)
}

pub(super) fn take_back(changes: &[Change], place: &Place) -> Result<()> {
    changes.iter().rev().try_for_each(|change| change.take_back(&place.rules))
}

/// Takes back what was written, and shows why.
pub(super) fn refuse(
    changes: &[Change],
    place: &Place,
    problems: &[crate::model::Diagnostic],
    context: &Context,
) -> Result<Done> {
    take_back(changes, place)?;
    super::show_mistakes(problems, context)?;
    Ok(Done::Findings)
}
