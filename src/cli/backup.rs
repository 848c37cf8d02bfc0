//! `markwarden backup`.

use std::path::PathBuf;

use anyhow::Result;

use super::{Context, Done};
use crate::store::{BackupReport, backup};

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The store may be in use meanwhile. Everything it had acknowledged is in the backup: the journal, \
                        the bodies, the evidence, and a manifest with the SHA-256 of each file. Keep the manifest's own \
                        hash elsewhere: it proves the whole backup."
)]
pub struct Args {
    /// Where the backup goes: a folder that is new or empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When there is no store, its journal is damaged, the target is not empty, or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let bar = context.progress(1, "backup");
    let report = backup(&data, &args.to, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    print(&report?, context)?;
    context.say(&format!("backed up {} to {}", data.display(), args.to.display()));
    Ok(Done::Fine)
}

/// Prints what a backup holds.
pub(super) fn print(report: &BackupReport, context: &Context) -> Result<()> {
    if context.json() {
        return context.data(&serde_json::to_string(report)?);
    }
    let counts = &report.counts;
    let rows = [
        ("files", report.files.to_string()),
        ("bytes", report.bytes.to_string()),
        ("sequence", report.seq.to_string()),
        ("listings", counts.listings.to_string()),
        ("captures", counts.captures.to_string()),
        ("marks", counts.marks.to_string()),
        ("hits open", counts.open.to_string()),
        ("hits confirmed", counts.confirmed.to_string()),
        ("hits dismissed", counts.dismissed.to_string()),
        ("last hash", report.hash.clone()),
        ("manifest SHA-256", report.manifest_sha256.clone()),
    ];
    rows.iter().try_for_each(|(name, value)| context.data(&format!("{name:<17} {value}")))
}
