//! `markwarden evidence`: do the records still say what was fetched; what is signed about the journal.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};

use super::{Context, Done, context::visible};
use crate::{
    app::{App, EVIDENCE},
    evidence::{
        EvidenceError, Ledger, PublicKey, Source, WarcReport, is_retired, make_bundle, read_bundle, verify_bundle,
        verify_capture, verify_warc,
    },
    model::{Capture, HitId, SystemClock},
    store::SledStore,
};

/// Changes of the journal read at once.
const CHANGES: usize = 1000;

/// Arguments of `evidence`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check every record of WARC files: whole, of the stated length, with the stated digests.
    #[command(after_help = "Prints one line a file, and one a problem.\n\
        With --data the journal's chain of hashes is verified as the store opens, and every capture\n\
        it names is held against its record: the same bytes, the same body.\n\n\
        Examples:\n  \
        markwarden evidence verify data/evidence\n  \
        markwarden evidence verify --data data\n\n\
        Exit codes: 0 everything verifies · 1 something does not · 2 usage or I/O.")]
    Verify {
        /// WARC files (`.warc.gz`), or folders of them.
        #[arg(required_unless_present = "data", value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// A data folder: its journal, and every capture the journal names.
        #[arg(long, value_name = "DIR", conflicts_with = "key")]
        data: Option<PathBuf>,
        /// A ledger's public key: PATHs are bundles, checked with it and nothing else.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Put all that proves one hit into a file that is verified with a public key alone.
    #[command(
        after_help = "Holds the hit, its capture's WARC record, the journal's records about it with proofs of inclusion, the\n\
        checkpoint they are in, its time stamp, and how to verify it all. The same data give the same bytes.\n\n\
        Examples:\n  \
        markwarden evidence bundle 17 --out hit-17.tar\n  \
        markwarden evidence verify hit-17.tar --key key.pub\n\n\
        Exit codes: 0 written · 2 usage or I/O, or the evidence does not hold."
    )]
    Bundle {
        /// The hit's number.
        hit: u64,
        /// The file to write; it must not exist yet.
        #[arg(long, value_name = "FILE.tar")]
        out: PathBuf,
        /// The data folder; the settings' when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Sign a checkpoint over the whole journal, and have it stamped where `[evidence] timestamp_url` is set.
    #[command(
        after_help = "Prints the signed checkpoint (C2SP tlog-checkpoint). Keep a copy elsewhere: it shows any later change of\n\
        what it covers. Nothing is signed when nothing was recorded since the newest one, or when the journal is not\n\
        the one that was signed before. The private key is made on first use, in the data folder, mode 0600.\n\n\
        Exit codes: 0 signed · 1 signed, but without the stamp · 2 usage or I/O, or the journal is not the one signed before."
    )]
    Checkpoint {
        /// The data folder; the settings' when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Print the public key that checks this ledger's checkpoints.
    Key {
        /// The data folder; the settings' when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read, or holds no WARC file.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.what {
        What::Verify { paths, key: Some(key), .. } => verify_bundles(&paths, &key, context),
        What::Bundle { hit, out, data } => bundle(HitId(hit), &out, data, context),
        What::Verify { paths, data, key: None } => {
            let files = verify(&paths, context)?;
            let captures = data.map_or(Ok(Done::Fine), |data| verify_captures(data, context))?;
            Ok(if files == Done::Fine { captures } else { files })
        }
        What::Checkpoint { data } => checkpoint(data, context),
        What::Key { data } => {
            let data = data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
            context.data(&Ledger::open(&data)?.public_key().to_string())?;
            Ok(Done::Fine)
        }
    }
}

/// The store and the ledger of a data folder.
struct Opened {
    data: PathBuf,
    store: SledStore,
    ledger: Ledger,
    timestamp_url: String,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    fn new(data: Option<PathBuf>, context: &Context) -> Result<Self> {
        let settings = context.settings()?;
        let data = data.unwrap_or(settings.data);
        let store = SledStore::open(&data, &settings.store, Arc::new(SystemClock))?;
        let ledger = Ledger::open(&data)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { data, store, ledger, timestamp_url: settings.evidence.timestamp_url, runtime })
    }
}

fn bundle(hit: HitId, out: &Path, data: Option<PathBuf>, context: &Context) -> Result<Done> {
    if out.exists() {
        bail!("{} is there already: choose another name", out.display());
    }
    let Opened { data, store, mut ledger, runtime, .. } = Opened::new(data, context)?;
    let source = Source { store: &store, ledger: &mut ledger, captures: &data.join(EVIDENCE) };
    let bytes = runtime.block_on(make_bundle(source, hit))?;
    std::fs::write(out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    context.say(&format!(
        "wrote {} ({} bytes); give it away with the key that `evidence key` prints",
        out.display(),
        bytes.len()
    ));
    Ok(Done::Fine)
}

fn verify_bundles(paths: &[PathBuf], key: &Path, context: &Context) -> Result<Done> {
    let text = std::fs::read_to_string(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let key: PublicKey = text.parse()?;
    let mut done = Done::Fine;
    for path in paths {
        let name = path.display();
        match (verify_bundle(&read_bundle(path)?, &key), context.json()) {
            (Ok(report), true) => {
                context.data(&serde_json::json!({"bundle": name.to_string(), "verified": report}).to_string())?
            }
            (Ok(report), false) => context.data(&format!(
                "verified\t{name}\thit {}, {} records in a checkpoint of {}, stamped {}",
                report.hit,
                report.records,
                report.checkpoint,
                visible(report.stamped_at.as_deref().unwrap_or("never"))
            ))?,
            (Err(error), json) => {
                done = Done::Findings;
                let problem = error.to_string();
                context.data(&if json {
                    serde_json::json!({"bundle": name.to_string(), "problem": problem}).to_string()
                } else {
                    format!("broken\t{name}\t{}", visible(&problem))
                })?;
            }
        }
    }
    Ok(done)
}

fn checkpoint(data: Option<PathBuf>, context: &Context) -> Result<Done> {
    let Opened { store, mut ledger, timestamp_url, runtime, .. } = Opened::new(data, context)?;
    let signed = runtime.block_on(ledger.checkpoint(&store))?;
    let stamp = match timestamp_url.as_str() {
        "" => None,
        url => Some(runtime.block_on(ledger.stamp(&signed, url))),
    };
    let at = stamp.as_ref().and_then(|stamp| stamp.as_ref().ok()).map(|stamp| stamp.at.as_str());
    if context.json() {
        let value = serde_json::json!({"size": signed.checkpoint.size, "checkpoint": signed.note, "stamped_at": at});
        context.data(&value.to_string())?;
    } else {
        context.data(signed.note.trim_end())?;
    }
    match &stamp {
        Some(Ok(stamp)) => context.say(&format!("stamped at {}", visible(&stamp.at))),
        Some(Err(error)) => context.say(&format!("warning: {error}")),
        None => context.say("not stamped: [evidence] timestamp_url names no authority"),
    }
    Ok(if matches!(stamp, Some(Err(_))) { Done::Findings } else { Done::Fine })
}

/// Holds every capture of the journal against its record.
fn verify_captures(data: PathBuf, context: &Context) -> Result<Done> {
    let folder = data.join(EVIDENCE);
    let app = App::open(context.settings()?, Some(data))?;
    let total = app.wait(app.store().counts())?.captures;
    let bar = context.progress(total, "captures");
    let (mut seq, mut verified, mut problems, mut retired) = (0, 0_u64, 0_u64, 0_u64);
    loop {
        let changes = app.wait(app.store().changes_since(seq, CHANGES))?;
        let Some(last) = changes.last() else { break };
        seq = last.seq;
        for capture in changes.iter().flat_map(|change| captures(&change.what)) {
            bar.inc(1);
            match verify_capture(&folder, &capture) {
                Ok(_) => verified += 1,
                Err(EvidenceError::Io { .. }) if is_retired(&folder, &capture.file) => retired += 1,
                Err(error) => {
                    problems += 1;
                    print_broken(context, &capture, &error)?;
                }
            }
        }
    }
    bar.finish_and_clear();
    if context.json() {
        context.data(
            &serde_json::json!({"journal": seq, "captures": verified, "problems": problems, "retired": retired})
                .to_string(),
        )?;
    } else {
        let gone = if retired > 0 { format!(", {retired} gone when their time was over") } else { String::new() };
        context.data(&format!(
            "journal whole to sequence {seq}; {verified} captures verified, {problems} problems{gone}"
        ))?;
    }
    Ok(if problems == 0 { Done::Fine } else { Done::Findings })
}

fn print_broken(context: &Context, capture: &Capture, error: &EvidenceError) -> Result<()> {
    if context.json() {
        let value = serde_json::json!({"capture": capture.id, "file": capture.file, "offset": capture.offset, "problem": error.to_string()});
        return context.data(&value.to_string());
    }
    context.data(&format!("problem\t{}\tat byte {}, record {}: {error}", capture.file, capture.offset, capture.id))
}

/// The captures a change of the journal records, wherever in it they stand.
fn captures(change: &serde_json::Value) -> Vec<Capture> {
    match change {
        serde_json::Value::Object(object) if object.get("write").is_some_and(|kind| kind == "capture") => {
            serde_json::from_value(change.clone()).into_iter().collect()
        }
        serde_json::Value::Object(object) => object.values().flat_map(captures).collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(captures).collect(),
        _ => Vec::new(),
    }
}

fn verify(paths: &[PathBuf], context: &Context) -> Result<Done> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(warc_files(path)?);
    }
    let bar = context.progress(files.len() as u64, "verifying");
    let mut done = Done::Fine;
    for file in files {
        let report = verify_warc(&file)?;
        if !report.sound() {
            done = Done::Findings;
        }
        bar.inc(1);
        if context.json() {
            context.data(&serde_json::to_string(&report)?)?;
        } else {
            for line in lines(&report) {
                context.data(&line)?;
            }
        }
    }
    bar.finish_and_clear();
    Ok(done)
}

fn warc_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let reading = || format!("cannot read the folder {}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(reading)? {
        let file = entry.with_context(reading)?.path();
        if file.to_string_lossy().ends_with(".warc.gz") {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{} holds no .warc.gz file: name the folder the crawl writes its evidence to", path.display());
    }
    files.sort();
    Ok(files)
}

fn lines(report: &WarcReport) -> Vec<String> {
    let word = if report.sound() { "verified" } else { "broken" };
    let mut lines = vec![format!(
        "{word}\t{}\t{} records, {} digests, {} problems",
        report.path, report.records, report.digests, report.problem_count
    )];
    lines.extend(report.problems.iter().map(|problem| {
        let record = problem.record.as_deref().unwrap_or("-");
        format!("problem\t{}\tat byte {}, record {record}: {}", report.path, problem.offset, problem.what)
    }));
    lines
}
