//! `markwarden listings`: bring listings in from files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::{Context, Done, context::visible};
use crate::{
    app::{self, App},
    intake::{self, Options, Origin, Row, RowError},
    model::Listing,
    monitor::Delivered,
    store::{Batch, Write},
};

/// Mistakes that are shown one by one.
const SHOWN: usize = 20;

/// Arguments of `listings`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring listings in from CSV, XLSX or JSON lines; matched and queued like crawled ones
    #[command(
        after_help = "Columns are known by their names, Chinese or English (标题, 价格, 店铺名称, url …); --map says what others hold.\n\
        Each row needs a title, and an id or an address. Rows with a mistake are told with their number and left out; the\n\
        others are taken. The same file again changes nothing. While `serve` runs, put files into the folder that [import]\n\
        names instead.\n\n\
        Facts: id platform url title subtitle description price currency sku brand availability seller seller_id\n\
        seller_license category images reviews captured_at attributes.NAME\n\n\
        Examples:\n  \
        markwarden listings import 商品.xlsx --platform xinghe --currency CNY\n  \
        markwarden listings import export.csv --map '到手=price' --map '材质=attributes.材质' --dry-run\n\n\
        Exit codes: 0 every row was taken · 1 some had a mistake · 2 usage or I/O."
    )]
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What a column holds whose name does not tell.
    #[arg(long, value_name = "COLUMN=FACT", value_parser = pair)]
    map: Vec<(String, String)>,
    /// The marketplace of listings that name none.
    #[arg(long)]
    platform: Option<String>,
    /// The currency of prices that name none (ISO 4217).
    #[arg(long)]
    currency: Option<String>,
    /// Say what would be taken, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take nothing of a file in which a row has a mistake.
    #[arg(long)]
    strict: bool,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (column, fact) = text.rsplit_once('=').ok_or("write COLUMN=FACT")?;
    Ok((column.trim().to_owned(), fact.trim().to_owned()))
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, or the store cannot be opened.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let Command::Import(args) = args.command;
    let map: BTreeMap<String, String> = args.map.into_iter().collect();
    let options = Options { platform: args.platform, currency: args.currency, map };
    let settings = context.settings()?;
    let rules = app::rules_or_builtin(&settings.rules)?;
    let keep = settings.crawl.warc;
    let app = if args.dry_run { App::temporary(settings)? } else { App::open(settings, args.data)? };
    let monitor = super::crawl::monitor_with(&app, rules, None, context)?;
    let warc = if keep && !args.dry_run { Some(app.evidence_writer()?) } else { None };
    let mut done = Done::Fine;
    for path in &args.files {
        let file = File::read(path, &options)?;
        file.tell(context);
        if !file.wrong.is_empty() {
            done = Done::Findings;
        }
        let (taken, wrong) = (file.rows.len(), file.wrong.len());
        let delivered = if args.dry_run {
            let new_hits = file.rows.iter().map(|(_, listing)| monitor.would_queue(listing) as u64).sum();
            Delivered { accepted: taken as u64, unchanged: 0, new_hits }
        } else if args.strict && wrong > 0 {
            Delivered::default()
        } else {
            let (origin, rows) = (file.origin.clone(), file.rows);
            let delivered = app.wait(monitor.deliver(rows, &origin, warc.as_ref()))?;
            app.wait(note(&**app.store(), &origin, delivered, wrong))?;
            delivered
        };
        let name = path.display().to_string();
        if context.json() {
            let mut line = serde_json::to_value(delivered)?;
            if let Some(line) = line.as_object_mut() {
                line.insert("file".into(), name.into());
                line.insert("rejected".into(), wrong.into());
                line.insert("sha256".into(), file.origin.sha256.into());
            }
            context.data(&line.to_string())?;
        } else {
            let Delivered { accepted, unchanged, new_hits } = delivered;
            let would = if args.dry_run { " (nothing was changed)" } else { "" };
            context.data(&format!(
                "{}: {accepted} listings taken, {unchanged} unchanged, {wrong} rows with a mistake, {new_hits} new hits{would}",
                visible(&name)
            ))?;
        }
    }
    Ok(done)
}

/// A file that was read.
pub(super) struct File {
    pub(super) origin: Origin,
    pub(super) rows: Vec<(u64, Listing)>,
    pub(super) wrong: Vec<RowError>,
    pub(super) unread: Vec<String>,
}

impl File {
    /// Reads a file of listings.
    pub(super) fn read(path: &Path, options: &Options) -> Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let shown = path.display();
        let length = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
        if length > intake::MAX_FILE_BYTES {
            bail!("{shown} has {length} bytes, more than {}: split it", intake::MAX_FILE_BYTES);
        }
        let bytes = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let (all, unread) = intake::read(&name, &bytes, options).with_context(|| format!("cannot read {shown}"))?;
        let (mut rows, mut wrong) = (Vec::new(), Vec::new());
        for row in all {
            match row {
                Row::Ok(row) => rows.push(row),
                Row::Err(error) => wrong.push(error),
            }
        }
        Ok(Self { origin: Origin::new("file", &name, &bytes), rows, wrong, unread })
    }

    fn tell(&self, context: &Context) {
        if !self.unread.is_empty() {
            let names: Vec<String> = self.unread.iter().map(|name| visible(name)).collect();
            context.say(&format!("columns that are not read: {} (--map COLUMN=FACT)", names.join(", ")));
        }
        for error in self.wrong.iter().take(SHOWN) {
            context.say(&format!("{}:{}: {}", visible(&self.origin.name), error.row, visible(&error.what)));
        }
        if self.wrong.len() > SHOWN {
            context.say(&format!("and {} more rows with a mistake", self.wrong.len() - SHOWN));
        }
    }
}

/// Notes in the journal that a file was brought in.
pub(super) async fn note(
    store: &dyn crate::store::Store,
    origin: &Origin,
    delivered: Delivered,
    rejected: usize,
) -> Result<()> {
    let mut details = Map::new();
    details.insert("file".into(), origin.name.clone().into());
    details.insert("sha256".into(), origin.sha256.clone().into());
    let Value::Object(counts) = json!(delivered) else { bail!("counts are no object") };
    details.extend(counts);
    details.insert("rejected".into(), rejected.into());
    let note = Write::Note { what: "import".into(), details };
    store.apply(Batch { actor: origin.kind.into(), writes: vec![note] }).await?;
    Ok(())
}
