//! `markwarden campaign list`: the campaigns, one a line.

use anyhow::Result;
use jiff::civil::Date;

use super::{Context, Done, Place, read};
use crate::{
    campaign::{Campaign, Stage},
    cli::context::visible,
};

/// Arguments of `campaign list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let Some(campaigns) = read(&args.place.rules, context)? else { return Ok(Done::Findings) };
    for campaign in campaigns.all() {
        if context.json() {
            context.data(&serde_json::to_string(campaign)?)?;
        } else {
            let title = visible(&campaign.title.zh);
            context.data(&format!(
                "{:24} {:8} {} … {}  {} rules  {title}",
                campaign.id,
                now(campaign, today),
                campaign.from,
                campaign.to,
                campaign.rules.len() + campaign.also.len()
            ))?;
        }
    }
    context.say(&format!("{} campaigns", campaigns.all().len()));
    Ok(Done::Fine)
}

/// Where a campaign stands today.
pub(super) fn now(campaign: &Campaign, today: Date) -> &'static str {
    match campaign.stage {
        Stage::On if campaign.runs_on(today) => "running",
        Stage::On if today < campaign.from => "waiting",
        Stage::On => "over",
        stage => stage.word(),
    }
}
