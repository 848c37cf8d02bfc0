//! `markwarden evidence`: do the records still say what was fetched.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Context, Done};
use crate::evidence::{WarcReport, verify_warc};

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
        Exit codes: 0 everything verifies · 1 something does not · 2 usage or I/O.")]
    Verify {
        /// WARC files (`.warc.gz`), or folders of them.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read, or holds no WARC file.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.what {
        What::Verify { paths } => verify(&paths, context),
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
