//! `markwarden campaign show`: one campaign, and what is missing before it can start.

use anyhow::Result;
use serde_json::json;

use super::{Context, Done, Place, named, read};
use crate::{
    cli::{context::visible, notes::Notes},
    rules::RuleSet,
};

/// Arguments of `campaign show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The campaign.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// When there is no such campaign, or the store cannot be opened.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let Some(campaigns) = read(&args.place.rules, context)? else { return Ok(Done::Findings) };
    let campaign = named(&campaigns, &args.id)?;
    let set = match RuleSet::read_folder(&args.place.rules) {
        Ok(set) => set,
        Err(problems) => {
            super::show_mistakes(&problems, context)?;
            return Ok(Done::Findings);
        }
    };
    let standing = Notes::open(&context.settings()?, args.place.data)?.standing()?;
    let rules: Vec<_> = campaign
        .rules
        .iter()
        .chain(&campaign.also)
        .map(|id| {
            let edition = set.edition(id);
            let tried = edition.as_ref().and_then(|edition| standing.tried(id, edition));
            let status = set.rule(id).map(|rule| rule.status.word());
            (id, edition.map(|edition| edition.version), status, tried)
        })
        .collect();
    if context.json() {
        let rules: Vec<_> = rules
            .iter()
            .map(|(id, version, status, tried)| {
                json!({"rule": id, "version": version, "status": status, "tried_at": tried.map(|tried| tried.at)})
            })
            .collect();
        context.data(&json!({"campaign": campaign, "rules": rules}).to_string())?;
        return Ok(Done::Fine);
    }
    let list = |names: &[String]| if names.is_empty() { "*".to_owned() } else { visible(&names.join(", ")) };
    context.data(&format!(
        "{}  {}  {} … {}\n{} / {}\n{}\nsectors {} · platforms {} · regions {}",
        campaign.id,
        campaign.stage.word(),
        campaign.from,
        campaign.to,
        visible(&campaign.title.zh),
        visible(&campaign.title.en),
        visible(&campaign.owner),
        list(&campaign.sectors),
        list(&campaign.platforms),
        list(&campaign.regions)
    ))?;
    for (id, version, status, tried) in rules {
        let tried = tried.map_or_else(
            || format!("not tried: markwarden rules backtest {id} --record"),
            |tried| format!("tried on {} listings at {}: hits in {}", tried.of, tried.at, tried.listings),
        );
        let version = version.map_or_else(|| "absent".to_owned(), |version| format!("v{version}"));
        context.data(&format!("  {id:28} {version} {:8} {tried}", status.unwrap_or("absent")))?;
    }
    Ok(Done::Fine)
}
