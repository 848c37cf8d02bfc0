//! `markwarden marks`: bring marks into the register, list them, and search all that are registered.

use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use jiff::tz::TimeZone;

use super::{Context, Done, context::visible, registry};
use crate::{
    app::App,
    intake,
    marks::{self, Columns},
    matcher::{Preview, Previewer},
    model::{Listing, Mark, MarkStatus, SystemClock, Timestamp},
    store::{Batch, SledStore, Write},
};

/// Marks written in one act.
const BATCH: usize = 500;
/// Mistakes of a table that are shown one by one.
const SHOWN: usize = 50;

/// Arguments of `marks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring marks from CSV, XLSX, or the XML of an office (WIPO ST.66, ST.96, USPTO), into the register.
    #[command(
        after_help = "Columns are known by their names, Chinese or English (商标名称, 注册号, 国际分类, owner …); --map says what others\n\
        hold. Of a workbook the first sheet is read.\n\n\
        Columns: id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,\n\
        well_known,aliases,goods,authorised_sellers,usual_price (lists separated by ;). Only \"text\" is required.\n\
        A file with a mistake is refused whole: every mistake is named with its line.\n\n\
        Examples:\n  \
        markwarden marks import 商标.xlsx --dry-run\n  \
        markwarden marks import export.csv --map '名=text' --map '客户=holder'"
    )]
    Import {
        /// The data folder; the settings' when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// What a column holds whose name does not tell.
        #[arg(long, value_name = "COLUMN=FACT", value_parser = super::listings::pair)]
        map: Vec<(String, String)>,
        /// Say what would be imported, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// The file.
        file: PathBuf,
    },
    /// List the marks of the register.
    List {
        /// The data folder; the settings' when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Only this holder's.
        #[arg(long)]
        holder: Option<String>,
    },
    /// Say what marks would find in the listings seen so far, before they go live; nothing is changed.
    #[command(
        after_help = "Prints for each mark in how many listings it would be queued and in how many it would only be set aside,\n\
        the first that would be queued, and a warning where the mark is a word of everyday language.\n\n\
        Examples:\n  \
        markwarden marks dry-run new-marks.csv\n  \
        markwarden marks dry-run new-marks.csv --against listings.jsonl --samples 3 --format json"
    )]
    DryRun {
        /// The data folder whose listings are looked at; the settings' when absent.
        #[arg(long, value_name = "DIR", conflicts_with = "against")]
        data: Option<PathBuf>,
        /// Listings (JSON lines) to look at instead.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Listings shown for each mark.
        #[arg(long, default_value_t = 5, value_name = "N")]
        samples: usize,
        /// What a column holds whose name does not tell.
        #[arg(long, value_name = "COLUMN=FACT", value_parser = super::listings::pair)]
        map: Vec<(String, String)>,
        /// The marks (CSV, XLSX, or XML).
        file: PathBuf,
    },
    /// All registered words of a jurisdiction, tens of millions: build, change and search them. Needs no store.
    Registry(registry::Args),
}

/// Runs the command.
///
/// # Errors
/// When the file has a mistake or the store cannot be opened.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.command {
        Command::Import { data, dry_run, map, file } => {
            import(context, data, dry_run, read_mapped(&file, map, context)?)
        }
        Command::List { data, holder } => list(context, data, holder.as_deref()),
        Command::DryRun { data, against, samples, map, file } => {
            dry_run(context, data, against.as_deref(), samples, read_mapped(&file, map, context)?)
        }
        Command::Registry(args) => registry::run(args, context),
    }
}

/// Reads a marks file; prints every mistake on stderr.
pub(super) fn read(path: &Path, context: &Context) -> Result<Vec<Mark>> {
    read_mapped(path, Vec::new(), context)
}

/// The same, where `map` says what columns hold. Workbooks and files with such columns are read as tables.
fn read_mapped(path: &Path, map: Vec<(String, String)>, context: &Context) -> Result<Vec<Mark>> {
    let name = path.display().to_string();
    let size = fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if size > marks::MAX_FILE_BYTES as u64 {
        bail!("{name} has {size} bytes, more than {}: split it", marks::MAX_FILE_BYTES);
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let is_workbook = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"));
    if is_workbook || !map.is_empty() {
        return read_table(&name, &bytes, &map.into_iter().collect(), context);
    }
    let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{name} is not UTF-8: save it as “CSV UTF-8”"))?;
    let read = if text.trim_start().starts_with('<') { marks::import_xml } else { marks::import_csv };
    read(&name, &text).map_err(|wrong| {
        for mistake in &wrong {
            context.say(&mistake.render(context.color));
        }
        anyhow::anyhow!("{name}: {} mistakes; nothing was imported", wrong.len())
    })
}

/// Marks of a table; rows that are none refuse it whole.
fn read_table(name: &str, bytes: &[u8], map: &BTreeMap<String, String>, context: &Context) -> Result<Vec<Mark>> {
    let (mut rows, left_out) = intake::cells(name, bytes).with_context(|| format!("cannot read {name}"))?;
    if rows.is_empty() {
        bail!("{name} is empty: its first row names the columns");
    }
    let (_, header) = rows.remove(0);
    let columns = Columns::with_map(&header, map).map_err(|what| anyhow::anyhow!("{name}: {what}"))?;
    if !columns.has_text() {
        bail!(
            "{name}: no column holds the registered words: name it, as in --map '{}=text'",
            visible(header.first().map_or("COLUMN", String::as_str))
        );
    }
    let table = marks::import_rows(&columns, &rows);
    let told = left_out.iter().map(|row| (row.row, row.what.clone()));
    let told = told.chain(table.wrong.iter().map(|wrong| (wrong.row, format!("{}: {}", wrong.what, wrong.help))));
    let told: Vec<(u64, String)> = told.collect();
    for (row, what) in told.iter().take(SHOWN) {
        context.say(&format!("{name}, row {row}: {}", visible(what)));
    }
    if !told.is_empty() {
        bail!("{name}: {} mistakes; nothing was imported", told.len());
    }
    Ok(table.marks.into_iter().map(|(_, mark)| mark).collect())
}

fn import(context: &Context, data: Option<PathBuf>, dry_run: bool, mut marks: Vec<Mark>) -> Result<Done> {
    let count = marks.len();
    if dry_run {
        context.say(&format!("{count} marks would be imported; nothing was changed"));
        return Ok(Done::Fine);
    }
    let app = App::open(context.settings()?, data)?;
    let bar = context.progress(count as u64, "marks");
    let before = app.wait(app.store().counts())?.marks;
    let known = app.wait(app.store().marks_since(0))?.put;
    let unwatched: BTreeMap<_, _> = known.into_iter().map(|mark| (mark.id, mark.unwatched)).collect();
    // Files do not say which ways of writing are watched.
    for mark in &mut marks {
        mark.unwatched = unwatched.get(&mark.id).cloned().unwrap_or_default();
    }
    for part in marks.chunks(BATCH) {
        let writes = part.iter().cloned().map(Write::Mark).collect();
        app.wait(app.store().apply(Batch { actor: "cli".into(), writes }))?;
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    let after = app.wait(app.store().counts())?.marks;
    if context.json() {
        context.data(&serde_json::json!({"read": count, "new": after - before, "marks": after}).to_string())?;
    } else {
        context.data(&format!("{count} marks read, {} new, {after} in the register", after - before))?;
    }
    Ok(Done::Fine)
}

fn dry_run(
    context: &Context,
    data: Option<PathBuf>,
    against: Option<&Path>,
    samples: usize,
    marks: Vec<Mark>,
) -> Result<Done> {
    let mut previewer = Previewer::new(marks, samples);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let bar = context.progress(0, "listings");
    let mut see = |listing: &Listing| {
        let on = listing.captured_at.map_or(today, |at| at.to_zoned(TimeZone::UTC).date());
        previewer.see(listing, on);
        bar.inc(1);
    };
    if let Some(path) = against {
        super::check::each_listing(path, &mut |listing| {
            see(listing);
            ControlFlow::Continue(())
        })?;
    } else {
        let config = context.settings()?;
        let folder = data.unwrap_or(config.data);
        let store = SledStore::open(&folder, &config.store, Arc::new(SystemClock))?;
        store.each_listing(&mut |stored| see(&stored.listing))?;
    }
    bar.finish_and_clear();
    for preview in previewer.finish() {
        if context.json() {
            context.data(&serde_json::to_string(&preview)?)?;
        } else {
            show(context, &preview)?;
        }
    }
    Ok(Done::Fine)
}

fn show(context: &Context, preview: &Preview) -> Result<()> {
    let Preview { reference, text, listings, queued, set_aside, .. } = preview;
    let (reference, text) = (visible(reference), visible(text));
    context
        .data(&format!("{text} ({reference}): queued in {queued} of {listings} listings, set aside in {set_aside}"))?;
    if let Some(warning) = &preview.warning {
        context.data(&format!("  warning: {warning}"))?;
    }
    for sample in &preview.samples {
        let (found, title) = (visible(&sample.finding.text), visible(&sample.title));
        context.data(&format!("  {:.2} “{found}” in {title} [{}]", sample.finding.score, visible(&sample.id)))?;
    }
    Ok(())
}

fn list(context: &Context, data: Option<PathBuf>, holder: Option<&str>) -> Result<Done> {
    let app = App::open(context.settings()?, data)?;
    let delta = app.wait(app.store().marks_since(0))?;
    for mark in delta.put.iter().filter(|mark| holder.is_none_or(|holder| mark.holder == holder)) {
        if context.json() {
            context.data(&serde_json::to_string(mark)?)?;
        } else {
            let classes: Vec<String> = mark.nice_classes.iter().map(u8::to_string).collect();
            let status = match mark.status {
                MarkStatus::Registered => "registered",
                MarkStatus::Pending => "pending",
                MarkStatus::Dead => "dead",
            };
            let expires = mark.expires_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
            let line = [mark.id.as_str(), &mark.text, &mark.holder, &classes.join(";"), status, &expires].join("\t");
            context.data(&visible(&line))?;
        }
    }
    Ok(Done::Fine)
}
