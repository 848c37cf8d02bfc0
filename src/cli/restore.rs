//! `markwarden restore`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Result, bail};

use super::{Context, Done, backup};
use crate::store::{Target, Vault, restore};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every file's SHA-256 is compared with the manifest; then the store is opened and its sequence, last \
                        hash and counters are held against it. Point `data` in config.toml at the folder afterwards. \
                        Accounts are not in a backup: make them again with `markwarden account add`."
)]
pub struct Args {
    /// The backup: a folder made by `markwarden backup`, or a vault: s3://BUCKET/PREFIX, vault:DIR, file:///DIR.
    #[arg(long, value_name = "WHERE")]
    from: OsString,
    /// Which backup of a vault, as `backup list` names it; the newest when absent.
    #[arg(long, value_name = "ID")]
    at: Option<String>,
    /// Let AWS_ENDPOINT_URL be a plain http address of another machine.
    #[arg(long)]
    allow_http: bool,
    /// The new data folder, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the backup is damaged or newer, the target is not empty, or the disk or the vault's place says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let from = Target::parse(&args.from)?;
    let settings = context.settings()?.store;
    let at = args.at.as_deref().map(backup::read_id).transpose()?;
    let bar = context.progress(1, "restore");
    let progress = &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let restored = match &from {
        Target::Folder(_) if at.is_some() => {
            bail!("--at chooses among the backups of a vault; {from} is a plain folder")
        }
        Target::Folder(folder) if Vault::is_in(folder) => bail!("{from} is a vault: name it as vault:{from}"),
        Target::Folder(folder) => restore(folder, &args.to, &settings, progress).map(|report| (String::new(), report)),
        Target::Vault(place) => backup::open(place, args.allow_http, false)?
            .restore(at, &args.to, &settings, progress)
            .map(|(id, report)| (format!("{id} of "), report)),
    };
    bar.finish_and_clear();
    let (which, report) = restored?;
    backup::print(&report, context)?;
    context.say(&format!("restored {which}{from} to {}, proved by equal hashes", args.to.display()));
    Ok(Done::Fine)
}
