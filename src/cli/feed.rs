//! `markwarden feed`: who may push listings to the server.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{Context, Done};
use crate::{app, intake::Feeds, model::Timestamp};

/// Arguments of `feed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "A feed pushes JSON lines, one listing a line, each with an \"id\" and a \"title\":\n  \
    curl -H \"Authorization: Bearer $TOKEN\" -H \"Content-Type: application/x-ndjson\" -H \"Idempotency-Key: 2026-11-28-1\" \\\n  \
    --data-binary @listings.jsonl http://127.0.0.1:8420/feeds/listings\n\
    At most 8 MiB and 5000 listings at a time. A running server takes changes of feeds over at once.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The data folder; the settings' when absent.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a feed and print its token, once
    Add {
        /// Its name.
        name: String,
        /// The marketplace its listings belong to.
        #[arg(long)]
        platform: String,
    },
    /// List feeds
    List,
    /// Remove a feed: its token no longer works
    Remove {
        /// Its name.
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the file of feeds cannot be read or written.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    std::fs::create_dir_all(&data)?;
    let feeds = Feeds::open(&data.join(app::FEEDS))?;
    match args.command {
        Command::Add { name, platform } => {
            let token = feeds.add(&name, &platform, Timestamp::now())?;
            context.data(&token)?;
            context.say("this token is shown once; only its hash is kept");
        }
        Command::List => {
            for feed in feeds.list()? {
                if context.json() {
                    let line = serde_json::json!({"name": feed.name, "platform": feed.platform, "created_at": feed.created_at});
                    context.data(&line.to_string())?;
                } else {
                    context.data(&format!("{}\t{}\t{}", feed.name, feed.platform, feed.created_at))?;
                }
            }
        }
        Command::Remove { name } => {
            if !feeds.remove(&name)? {
                bail!("there is no feed {name}: `markwarden feed list` names them");
            }
        }
    }
    Ok(Done::Fine)
}
