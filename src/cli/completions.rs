//! `markwarden completions`: completions for a shell.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, Context, Done};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: markwarden completions bash > ~/.local/share/bash-completion/completions/markwarden")]
pub struct Args {
    /// Which shell.
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// When stdout is closed.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "markwarden", &mut script);
    context.data(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Done::Fine)
}
