//! `markwarden trim`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;

use super::{Context, Done, backup::open, backup::read_id};
use crate::store::{Kept, KeptInFolder, KeptInVault, Target, TrimReport, bring_back, trim};

/// Arguments of `trim`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A segment leaves only when both snapshots reach behind it, every record of it is whole, and the backup \
                        has the very same bytes, read again. The journal then says where it begins and which record came \
                        before, so the chain of hashes goes on in the backup: keep that backup. The store may be in use \
                        meanwhile. Proofs and exports of records that have left need them back: --bring-back."
)]
pub struct Args {
    /// The backup that has the segments: a folder made by `markwarden backup`, or a vault (s3://BUCKET/PREFIX, vault:DIR).
    #[arg(long, value_name = "WHERE")]
    kept_in: OsString,
    /// Which backup of a vault, as `backup list` names it; the newest when absent.
    #[arg(long, value_name = "ID")]
    at: Option<String>,
    /// Let AWS_ENDPOINT_URL be a plain http address of another machine.
    #[arg(long)]
    allow_http: bool,
    /// Say what would leave, and leave everything where it is.
    #[arg(long, conflicts_with = "bring_back")]
    dry_run: bool,
    /// Bring segments back that have left.
    #[arg(long)]
    bring_back: bool,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When there is no store, the backup cannot be read, a segment is damaged, or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let kept: Box<dyn Kept> = match Target::parse(&args.kept_in)? {
        Target::Folder(folder) => Box::new(KeptInFolder::open(&folder)?),
        Target::Vault(place) => {
            let at = args.at.as_deref().map(read_id).transpose()?;
            Box::new(KeptInVault::open(open(&place, args.allow_http, false)?, at)?)
        }
    };
    let bar = context.progress(1, "segments");
    let progress = &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report =
        if args.bring_back { bring_back(&data, &*kept, progress) } else { trim(&data, &*kept, args.dry_run, progress) };
    bar.finish_and_clear();
    let report = report?;
    if context.json() {
        context.data(&serde_json::to_string(&report)?)?;
    } else {
        let TrimReport { segments, bytes, begins_behind, .. } = &report;
        context.data(&format!("{:<17} {segments}", "segments"))?;
        context.data(&format!("{:<17} {bytes}", "bytes"))?;
        context.data(&format!("{:<17} {begins_behind}", "begins behind"))?;
    }
    let verb = match (args.bring_back, args.dry_run) {
        (true, _) => "came back from",
        (_, true) => "would leave for",
        _ => "left for",
    };
    let stop = if report.because.is_empty() { String::new() } else { format!("; no more, since {}", report.because) };
    context.say(&format!("{} segments {verb} {}{stop}", report.segments, kept.name()));
    Ok(Done::Fine)
}
