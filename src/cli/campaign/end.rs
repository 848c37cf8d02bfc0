//! `markwarden campaign end`: a person ends a campaign; its own rules retire.

use std::fs;

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use serde_json::json;

use super::{
    Context, Decision, Done, named, path, read,
    start::{refuse, take_back},
};
use crate::{
    campaign::{Stage, with_stage},
    cli::{
        notes::{Notes, person},
        rules::{Change, promoted, replace},
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
        context.say(&format!("{} has ended already", campaign.id));
        return Ok(Done::Fine);
    }
    let notes = Notes::open(&context.settings()?, args.place.data.clone())?;
    let mut changes: Vec<Change> = Vec::new();
    // A rule that another campaign still needs goes on there.
    let needed = |rule: &String| {
        let mut others = campaigns.all().iter().filter(|other| other.id != campaign.id && other.stage == Stage::On);
        others.any(|other| other.rules.contains(rule))
    };
    for rule in campaign.rules.iter().filter(|rule| !needed(rule)) {
        let sources = match RuleSource::read_all(std::slice::from_ref(&args.place.rules)) {
            Ok(sources) => sources,
            Err(problems) => return refuse(&changes, &args.place, &problems, context),
        };
        match Change::prepare(&sources, rule, Status::Retired, today) {
            Ok(Ok(change)) => {
                change.write(&args.place.rules)?;
                changes.push(change);
            }
            Ok(Err(problems)) => return refuse(&changes, &args.place, &problems, context),
            Err(error) => {
                take_back(&changes, &args.place)?;
                return Err(error);
            }
        }
    }
    let file = path(&args.place.rules, &campaign.id);
    let before = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    replace(&file.display().to_string(), &with_stage(&before, Stage::Ended)?)?;
    let mut writes: Vec<Write> =
        changes.iter().map(|change| promoted(change, Status::Retired, &by, &args.why)).collect();
    writes.push(note("campaign.ended", json!({"campaign": campaign.id, "by": by, "why": args.why, "on": today})));
    notes.note(&by, writes, context)?;
    context
        .say(&format!("{} has ended; `markwarden campaign report {}` says what came of it", campaign.id, campaign.id));
    Ok(Done::Fine)
}
