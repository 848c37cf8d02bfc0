//! `markwarden rules archive`: the archive of the store's listings, brought up to date.

use std::{fs, path::PathBuf, time::Instant};

use anyhow::Result;
use serde_json::json;

use super::{Context, Done, listings};
use crate::{
    archive::{ARCHIVE, Archive},
    cli::context::on_interrupt,
};

/// Arguments of `rules archive`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`rules backtest`, `rules diff` and `campaign new` read the archive and bring it up to date themselves;\n\
    a running server does so every ten minutes. It holds nothing that the store does not: it may be removed at any time."
)]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Build it anew.
    #[arg(long)]
    rebuild: bool,
}

/// Runs the command.
///
/// # Errors
/// When the store or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let folder = args.data.clone().unwrap_or(context.settings()?.data).join(ARCHIVE);
    if args.rebuild && folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    let begun = Instant::now();
    let archive = listings::open(args.data, &*on_interrupt()?, context)?;
    let (manifest, seconds, bytes) = (archive.manifest(), begun.elapsed().as_secs_f64(), Archive::bytes(&folder)?);
    if context.json() {
        let (listings, seq) = (manifest.listings, manifest.seq);
        let value = json!({
            "listings": listings, "outdated": manifest.outdated, "seq": seq, "segments": manifest.segments.len(),
            "bytes": bytes, "seconds": seconds,
        });
        context.data(&value.to_string())?;
    } else {
        context.data(&format!(
            "{} listings up to sequence {} in {} segments, {:.1} MB, {seconds:.1} s",
            manifest.listings,
            manifest.seq,
            manifest.segments.len(),
            bytes as f64 / 1e6,
        ))?;
    }
    Ok(Done::Fine)
}
