//! `markwarden backup`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use super::{Context, Done, context::visible};
use crate::{
    model::SystemClock,
    store::{Access, BackupId, BackupReport, Flaw, Place, Target, Vault, backup},
};

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "The store may be in use meanwhile. Everything it had acknowledged is in the backup: the journal, \
                        the bodies, the evidence, and a manifest with the SHA-256 of each file. Keep the manifest's own \
                        hash elsewhere: it proves the whole backup.\n\n\
                        A vault keeps many backups and each file once, by its hash: a backup sends only what is not there. \
                        A backup is listed when all of it is there; one that was interrupted is not, and the next goes on.\n\n\
                        For s3:// the environment says who and where: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                        AWS_SESSION_TOKEN if there is one, AWS_REGION, and AWS_ENDPOINT_URL for a store that is not Amazon's \
                        (with AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true where it wants the bucket in the host's name). They are \
                        never arguments, and never printed."
)]
pub struct Args {
    /// Where the backup goes: a folder that is new or empty, or a vault: s3://BUCKET/PREFIX, vault:DIR, file:///DIR.
    #[arg(long, value_name = "WHERE", required = true)]
    to: Option<OsString>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Let AWS_ENDPOINT_URL be a plain http address of another machine.
    #[arg(long)]
    allow_http: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the backups in a vault, oldest first.
    List(ListArgs),
    /// Read every object of a backup in a vault and compare its hash. Exits with 1 when something is wrong.
    Verify(VerifyArgs),
}

/// A vault that is read.
#[derive(Debug, clap::Args)]
struct From {
    /// The vault: s3://BUCKET/PREFIX, vault:DIR or file:///DIR.
    #[arg(long, value_name = "VAULT")]
    from: OsString,
    /// Let AWS_ENDPOINT_URL be a plain http address of another machine.
    #[arg(long)]
    allow_http: bool,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    from: From,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    from: From,
    /// Which backup, as `backup list` names it; the newest when absent.
    #[arg(long, value_name = "ID")]
    at: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no store, its journal is damaged, the target is not empty or no vault, or the disk says no.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.command {
        Some(Command::List(args)) => list(&args, context),
        Some(Command::Verify(args)) => verify(&args, context),
        None => take(args, context),
    }
}

fn take(args: Args, context: &Context) -> Result<Done> {
    let target = Target::parse(&args.to.unwrap_or_default())?;
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let bar = context.progress(1, "backup");
    let progress = &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    match &target {
        Target::Folder(folder) => {
            let report = backup(&data, folder, progress);
            bar.finish_and_clear();
            print(&report?, context)?;
        }
        Target::Vault(place) => {
            let report = open(place, args.allow_http, true)?.backup(&data, &SystemClock, progress);
            bar.finish_and_clear();
            let report = report?;
            if context.json() {
                context.data(&serde_json::to_string(&report)?)?;
            } else {
                context.data(&format!("{:<17} {}", "backup", report.id))?;
                print(&report.backup, context)?;
                context.data(&format!("{:<17} {}", "new objects", report.new_objects))?;
                context.data(&format!("{:<17} {}", "new bytes", report.new_bytes))?;
            }
        }
    }
    context.say(&format!("backed up {} to {target}", data.display()));
    Ok(Done::Fine)
}

fn list(args: &ListArgs, context: &Context) -> Result<Done> {
    let backups = vault(&args.from)?.backups()?;
    for id in &backups {
        if context.json() {
            let line = serde_json::json!({"id": id.to_string(), "taken_at": id.taken_at, "seq": id.seq});
            context.data(&line.to_string())?;
        } else {
            context.data(&format!("{id}  up to sequence {}", id.seq))?;
        }
    }
    if backups.is_empty() {
        context.say("it holds no backup");
    }
    Ok(Done::Fine)
}

fn verify(args: &VerifyArgs, context: &Context) -> Result<Done> {
    let (vault, at) = (vault(&args.from)?, args.at.as_deref().map(read_id).transpose()?);
    let bar = context.progress(1, "verify");
    let found = vault.verify(at, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (id, report, flaws) = found?;
    for flaw in &flaws {
        context.data(&line(flaw, context)?)?;
    }
    let all = report.files;
    if flaws.is_empty() {
        context.say(&format!("{id}: all {all} files are there, with the hashes of the manifest"));
        return Ok(Done::Fine);
    }
    context.say(&format!(
        "{id}: {} of {all} files are broken. Remove their objects: the next backup puts them there again, if the store still \
         has them",
        flaws.len()
    ));
    Ok(Done::Findings)
}

fn line(flaw: &Flaw, context: &Context) -> Result<String> {
    if context.json() {
        return Ok(serde_json::to_string(flaw)?);
    }
    Ok(format!("broken\t{}\t{}\t{}", visible(&flaw.path), flaw.object, visible(&flaw.what)))
}

/// The vault that was named to read from.
fn vault(from: &From) -> Result<Vault> {
    match Target::parse(&from.from)? {
        Target::Vault(place) => open(&place, from.allow_http, false),
        Target::Folder(folder) => {
            bail!("{} is a plain folder: name a vault, such as vault:{0}", folder.display())
        }
    }
}

/// Opens a vault; makes its folder when it is new and `make` says so.
pub(super) fn open(place: &Place, allow_http: bool, make: bool) -> Result<Vault> {
    match place {
        Place::Folder(folder) => Ok(Vault::in_folder(folder, make)?),
        Place::Bucket { bucket, prefix } => {
            let access = Access::from_environment(|name| std::env::var(name).ok(), allow_http)?;
            Ok(Vault::in_bucket(bucket, prefix, access)?)
        }
    }
}

/// Reads the name of a backup.
pub(super) fn read_id(text: &str) -> Result<BackupId> {
    let id = BackupId::parse(text);
    id.with_context(|| format!("`{:.80}` names no backup: `markwarden backup list` shows the names", visible(text)))
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
