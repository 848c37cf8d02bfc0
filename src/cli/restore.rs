//! `markwarden restore`.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, Done};
use crate::store::restore;

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every file's SHA-256 is compared with the manifest; then the store is opened and its sequence, last \
                        hash and counters are held against it. Point `data` in config.toml at the folder afterwards. \
                        Accounts are not in a backup: make them again with `markwarden account add`."
)]
pub struct Args {
    /// The backup: a folder made by `markwarden backup`.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The new data folder, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the backup is damaged or newer, the target is not empty, or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let bar = context.progress(1, "restore");
    let report = restore(&args.from, &args.to, &context.settings()?.store, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    super::backup::print(&report?, context)?;
    context.say(&format!("restored {} to {}, proved by equal hashes", args.from.display(), args.to.display()));
    Ok(Done::Fine)
}
