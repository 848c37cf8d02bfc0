//! `markwarden restore`.

use anyhow::{Result, bail};

use super::{Context, Done};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// When it cannot do its work.
pub fn run(_args: Args, _context: &Context) -> Result<Done> {
    bail!("restore is being built")
}
