//! `markwarden bodies`: check, hold and let go of what the content store keeps.

use std::{path::PathBuf, sync::Arc};

use anyhow::Result;

use super::{Context, Done};
use crate::{
    model::SystemClock,
    store::{Batch, SledStore, Store, StoreError, Write},
};

/// Arguments of `bodies`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Hash bodies again, going on where the last check ended.
    #[command(after_help = "Exit codes: 0 all sound · 1 something is damaged · 2 usage or I/O.")]
    Check {
        /// How many at most.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
    /// List what is held, since when, by whom and why.
    Holds,
    /// Hold a body: it never goes until it is released.
    Hold {
        /// Its SHA-256.
        sha256: String,
        /// Why, for whoever asks later.
        #[arg(long)]
        why: String,
    },
    /// Release a held body; the policy applies to it again.
    Release {
        /// Its SHA-256.
        sha256: String,
        /// Why, for whoever asks later.
        #[arg(long)]
        why: String,
    },
    /// Let go of bodies that nobody cites, holds or uses.
    Sweep {
        /// Only those that nobody put in so many days, one at least.
        #[arg(long, value_name = "DAYS")]
        retain_days: u32,
        /// Only say what would go.
        #[arg(long)]
        trial: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be opened, or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let config = context.settings()?;
    let data = args.data.unwrap_or(config.data);
    if !data.join("journal").exists() {
        let what = format!("{} holds no store: name its data folder with --data", data.display());
        return Err(StoreError::Refused(what).into());
    }
    let store = SledStore::open(&data, &config.store, Arc::new(SystemClock))?;
    match args.what {
        What::Check { limit } => check(&store, limit, context),
        What::Holds => holds(&store, context),
        What::Hold { sha256, why } => {
            let known = store.content().get(&sha256)?.is_some();
            write(&store, Write::Hold { sha256, hold: true, why })?;
            context.say(if known { "held" } else { "held, though there is no such body yet" });
            Ok(Done::Fine)
        }
        What::Release { sha256, why } => {
            write(&store, Write::Hold { sha256, hold: false, why })?;
            context.say("released");
            Ok(Done::Fine)
        }
        What::Sweep { retain_days, trial } => sweep(&store, retain_days, trial, context),
    }
}

fn check(store: &SledStore, limit: usize, context: &Context) -> Result<Done> {
    let report = store.content().scrub(limit)?;
    if context.json() {
        context.data(&serde_json::to_string(&report)?)?;
    } else {
        for hash in &report.damaged {
            context.data(&format!("damaged\t{hash}"))?;
        }
        let end = if report.finished { "the last one was reached" } else { "there are more: run it again" };
        context.data(&format!("{} bodies checked; {end}", report.checked))?;
    }
    if report.damaged.is_empty() {
        return Ok(Done::Fine);
    }
    context.say("bring damaged bodies back from a backup: their files lie under content/sha256 there");
    Ok(Done::Findings)
}

fn holds(store: &SledStore, context: &Context) -> Result<Done> {
    for (sha256, hold) in store.holds()? {
        let line = if context.json() {
            serde_json::json!({"sha256": sha256, "by": hold.by, "since": hold.since, "why": hold.why}).to_string()
        } else {
            format!("{sha256}\t{}\t{}\t{}", hold.since, hold.by, super::context::visible(&hold.why))
        };
        context.data(&line)?;
    }
    Ok(Done::Fine)
}

fn sweep(store: &SledStore, retain_days: u32, trial: bool, context: &Context) -> Result<Done> {
    let report = store.sweep(retain_days, trial)?;
    if context.json() {
        context.data(&serde_json::to_string(&report)?)?;
        return Ok(Done::Fine);
    }
    let rows = [
        ("cited", report.cited),
        ("held", report.held),
        ("used by the index", report.indexed),
        ("young", report.young),
        (if trial { "would go" } else { "removed" }, report.removed),
        ("bytes", report.removed_bytes),
    ];
    rows.iter().try_for_each(|(name, count)| context.data(&format!("{name:<17} {count}")))?;
    Ok(Done::Fine)
}

fn write(store: &SledStore, write: Write) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(store.apply(Batch { actor: "cli".into(), writes: vec![write] }))?;
    Ok(())
}
