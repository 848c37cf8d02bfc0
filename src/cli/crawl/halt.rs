//! `markwarden crawl stop`, `resume` and `stopped`: which hosts nothing is asked of.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::json;

use super::{Context, Done, visible};
use crate::{
    app,
    cli::notes::{Notes, person},
    monitor::{self, Halted, RESUMED, STOPPED, note},
};

/// Arguments of `crawl stop` and `crawl resume`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running `serve` or `crawl` obeys within seconds: no request to the host begins any more, in crawls and live rooms;\n\
    what waited is left for a later run. Who said so, when and why is in the journal.\n\n\
    Examples:\n  \
    markwarden crawl stop xinghe.example --by li --why 'their operator asked'\n  \
    markwarden crawl stopped\n  \
    markwarden crawl resume xinghe.example --by li"
)]
pub struct Args {
    /// The host, such as xinghe.example; with a port, that port alone. `resume` also takes the id of a paused profile.
    host: String,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for whoever asks later.
    #[arg(long, default_value = "")]
    why: String,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Arguments of `crawl stopped`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs `stop`, or `resume`.
///
/// # Errors
/// When the host is none, or it cannot be noted.
pub fn run(args: Args, resume: bool, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let notes = Notes::open(&settings, args.data)?;
    if resume && super::pause::go_on(&args.host, &person(&args.by)?, &args.why, &notes, context)? {
        return Ok(Done::Fine);
    }
    let Some(host) = monitor::host(&args.host) else {
        bail!("`{}` is no host: write it as xinghe.example", visible(&args.host))
    };
    let (by, why) = (person(&args.by)?, args.why.trim());
    if why.chars().count() > 500 {
        bail!("a reason has at most 500 characters");
    }
    let what = if resume { RESUMED } else { STOPPED };
    notes.note(&by, vec![note(what, json!({"host": host, "why": why, "by": by}))], context)?;
    known(&notes)?;
    context.data(&if resume {
        format!("{host} may be visited again")
    } else {
        format!("nothing is asked of {host} from now on")
    })?;
    Ok(Done::Fine)
}

/// What is noted of hosts, what waits for the server taken in.
pub(super) fn known(notes: &Notes) -> Result<Halted> {
    let path = notes.data().join(app::HALTED);
    notes.caught_up(Halted::open(&path), &path)
}

/// Runs `stopped`.
///
/// # Errors
/// When neither the journal nor what is remembered of it can be read.
pub fn list(args: ListArgs, context: &Context) -> Result<Done> {
    let halted = known(&Notes::open(&context.settings()?, args.data)?)?;
    for (host, halt) in halted.hosts() {
        if context.json() {
            let line = json!({"host": host, "at": halt.at, "by": halt.by, "why": halt.why});
            context.data(&line.to_string())?;
        } else {
            context.data(&visible(&format!("{host}\t{}\t{}\t{}", halt.at, halt.by, halt.why)))?;
        }
    }
    Ok(Done::Fine)
}
