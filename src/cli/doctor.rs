//! `markwarden doctor`.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, Done};
use crate::store::{Ailment, Gravity, doctor, rebuild_index};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads everything: the journal's chain of hashes, the index against the journal, each body against its \
                        hash, and whether cited evidence is there. Changes nothing without --repair, and never the journal.\n\
                        Exit codes: 0 nothing wrong · 1 something is wrong · 2 usage or I/O."
)]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Set the index aside and rebuild it from the journal, then examine again.
    #[arg(long)]
    repair: bool,
}

/// Runs the command.
///
/// # Errors
/// When the folder cannot be examined, or not repaired.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let config = context.settings()?;
    let (data, settings) = (args.data.unwrap_or(config.data), config.store);
    if args.repair {
        let counts = rebuild_index(&data, &settings)?;
        context.say(&format!("the index was rebuilt from the journal up to sequence {}", counts.seq));
    }
    let bar = context.progress(1, "examining");
    let ailments = doctor(&data, &settings, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let ailments = ailments?;
    for ailment in &ailments {
        context.data(&line(ailment, context)?)?;
    }
    let wrong = ailments.iter().any(|ailment| ailment.gravity > Gravity::Note);
    context.say(if wrong { "something is wrong" } else { "nothing is wrong" });
    Ok(if wrong { Done::Findings } else { Done::Fine })
}

fn line(ailment: &Ailment, context: &Context) -> Result<String> {
    if context.json() {
        return Ok(serde_json::to_string(ailment)?);
    }
    let gravity = match ailment.gravity {
        Gravity::Note => "note",
        Gravity::Warning => "warning",
        Gravity::Error => "error",
    };
    Ok(format!("{gravity}: {}\n  {}", ailment.what, ailment.advice))
}
