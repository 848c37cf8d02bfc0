//! `markwarden campaign`: dated packs of rules, one file a command.

mod end;
mod list;
mod new;
mod report;
mod show;
mod start;

use std::path::{Path, PathBuf};

pub use report::gather;

use anyhow::{Result, bail};
use jiff::Zoned;

use super::{Context, Done, rules::show as show_mistakes};
use crate::campaign::{CAMPAIGNS, Campaign, Campaigns};

/// Arguments of `campaign`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A campaign is a file in the rule folder's `campaigns/`: its own rules find nothing outside its days, sectors, regions\n\
    and platforms; what is found inside carries its id.\n\n\
    Examples:\n  \
    markwarden campaign new 长江野生鱼 --words 长江野生鱼,江鲜野生 --sector food --from 2026-12-01 --to 2027-02-28\n  \
    markwarden campaign start c20261201 --by 'Li Lan'\n  \
    markwarden campaign report c20261201 --format csv"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// From a few words to a tested rule, tried on the archive, and, once a person says so, live.
    New(Box<new::Args>),
    /// Show the campaigns, one a line.
    List(list::Args),
    /// Show one campaign: its days, scope, rules, and what is missing before it can start.
    Show(show::Args),
    /// Set a campaign and its rules live: a person's decision, which is noted.
    Start(Decision),
    /// End a campaign and retire its own rules: a person's decision, which is noted.
    End(Decision),
    /// What came of a campaign: listings, hits, decisions, sellers.
    Report(report::Args),
}

/// Where rules and data are.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The rule folder.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    rules: PathBuf,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What a person decides about a campaign.
#[derive(Debug, clap::Args)]
pub struct Decision {
    /// The campaign.
    #[arg(value_name = "ID")]
    id: String,
    /// Who decides.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for whoever asks later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed, or the command says why.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let today = Zoned::now().date();
    match args.what {
        What::New(args) => new::run(*args, today, context),
        What::List(args) => list::run(args, today, context),
        What::Show(args) => show::run(args, context),
        What::Start(args) => start::run(args, today, context),
        What::End(args) => end::run(args, today, context),
        What::Report(args) => report::run(args, today, context),
    }
}

/// The campaigns of a rule folder; none, and the mistakes shown, where they cannot be read.
fn read(folder: &Path, context: &Context) -> Result<Option<Campaigns>> {
    match Campaigns::read_folder(folder) {
        Ok(campaigns) => Ok(Some(campaigns)),
        Err(problems) => {
            show_mistakes(&problems, context)?;
            Ok(None)
        }
    }
}

/// The campaign named `id`.
fn named<'a>(campaigns: &'a Campaigns, id: &str) -> Result<&'a Campaign> {
    match campaigns.get(id) {
        Some(campaign) => Ok(campaign),
        None => bail!("there is no campaign `{id:.80}`: `markwarden campaign list` shows them"),
    }
}

/// The file of a campaign.
fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(CAMPAIGNS).join(format!("{id}.toml"))
}
