//! `markwarden export` and `markwarden import`: the whole store as lines of JSON.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{Context, Done};
use crate::store::{TransferReport, export, import};

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One header, one line for each entry of the journal, one for each body it cites or holds, one footer \
                        with the SHA-256 of it all. The store may be in use meanwhile. WARC files are not in it: they are \
                        files of a standard format below `evidence` in the data folder; copy them beside.\n\
                        Exit codes: 0 everything is in it · 1 a cited body was missing · 2 usage or I/O."
)]
pub struct ExportArgs {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A new file; stdout when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The new journal has the same hashes as the old one; that is compared entry by entry. Point `data` in \
                        config.toml at the folder afterwards, and copy the `evidence` folder beside."
)]
pub struct ImportArgs {
    /// The export; `-` is stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The new data folder, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs `export`.
///
/// # Errors
/// When there is no store, its journal is damaged, the file is there already, or the disk says no.
pub fn run_export(args: ExportArgs, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let bar = context.progress(1, "export");
    let progress = &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = match &args.out {
        Some(path) => {
            let file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
            let report = export(&data, BufWriter::new(&file), progress)?;
            file.sync_all().with_context(|| format!("cannot sync {}", path.display()))?;
            print(&report, context)?;
            report
        }
        None => export(&data, BufWriter::new(io::stdout().lock()), progress)?,
    };
    bar.finish_and_clear();
    context.say(&format!("exported {} entries and {} bodies of {}", report.seq, report.bodies, data.display()));
    for hash in &report.missing {
        context.say(&format!("the body {hash} is cited and missing: bring it back from a backup"));
    }
    Ok(if report.missing.is_empty() { Done::Fine } else { Done::Findings })
}

/// Runs `import`.
///
/// # Errors
/// When the export is damaged or newer, the target is not empty, or the disk says no.
pub fn run_import(args: ImportArgs, context: &Context) -> Result<Done> {
    let settings = context.settings()?.store;
    let bar = context.progress(1, "import");
    let progress = &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = if args.file == Path::new("-") {
        import(io::stdin().lock(), &args.to, &settings, progress)
    } else {
        let file = File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
        import(BufReader::new(file), &args.to, &settings, progress)
    };
    bar.finish_and_clear();
    print(&report?, context)?;
    context.say(&format!("imported {} to {}, proved by equal hashes", args.file.display(), args.to.display()));
    Ok(Done::Fine)
}

fn print(report: &TransferReport, context: &Context) -> Result<()> {
    if context.json() {
        return context.data(&serde_json::to_string(report)?);
    }
    let rows = [
        ("sequence", report.seq.to_string()),
        ("last hash", report.hash.clone()),
        ("bodies", report.bodies.to_string()),
        ("bodies missing", report.missing.len().to_string()),
        ("export SHA-256", report.sha256.clone()),
    ];
    rows.iter().try_for_each(|(name, value)| context.data(&format!("{name:<17} {value}")))
}
