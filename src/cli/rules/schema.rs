//! `markwarden rules schema`: prints the JSON schema of rule files, for editors.

use anyhow::Result;

use super::{Context, Done};
use crate::rules::{schema, statute_schema};

/// Arguments of `rules schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schema of statute files instead.
    #[arg(long)]
    statutes: bool,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let schema = if args.statutes { statute_schema() } else { schema() };
    context.data(&serde_json::to_string_pretty(&schema)?)?;
    Ok(Done::Fine)
}
