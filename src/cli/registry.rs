//! `markwarden marks registry`: all registered words of a jurisdiction, built from the register's file and searched.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Context, Done, context::visible};
use crate::app::REGISTRY as FOLDER;
use crate::{
    marks::registry::{Change, NiceClasses, Reader, Registration, Registry, RegistryError, Row, RowError, Rows, View},
    model::MarkStatus,
    text::Folded,
};

/// Mistakes that are named; the others are counted.
const MAX_MISTAKES: usize = 50;
/// Most registrations that are changed at once.
const MAX_UPDATE_ROWS: usize = 1_000_000;
/// Longest text that is searched, in bytes.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;
const COLUMNS: &str = "Files are CSV with a header or JSON lines, in the columns of `marks import`: id,holder,text,jurisdiction,\
    number,nice_classes,status,registered_on,expires_on,well_known,aliases,goods,authorised_sellers.\n\
    \"text\" and \"number\" are required; - is stdin. Jurisdiction and number together name a registration.";

/// Arguments of `marks registry`.
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
    /// Build the registry of a register's files; the one that was there is replaced when the new one is whole.
    #[command(after_help = format!("{COLUMNS}\nA file with a mistake is refused whole.\n\n\
        Exit codes: 0 built · 1 rows were refused · 2 usage or I/O.\n\nExample:\n  \
        markwarden marks registry build register-*.csv"))]
    Build {
        /// Leave rows with mistakes out instead of refusing the file.
        #[arg(long)]
        skip_mistakes: bool,
        /// The register's files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Change registrations without building anew; the same file again changes nothing.
    #[command(after_help = format!("{COLUMNS}\nA registration that is known already becomes as its rows say. \
        A file with a mistake is refused whole.\n\n\
        Exit codes: 0 changed · 1 rows were refused · 2 usage or I/O.\n\nExample:\n  \
        markwarden marks registry update new-this-week.csv --gone cancelled.csv"))]
    Update {
        /// Registrations that are gone, by their columns `number` and `jurisdiction`.
        #[arg(long, value_name = "FILE")]
        gone: Vec<PathBuf>,
        /// Take all changes into the base afterwards, so that opening is fast again.
        #[arg(long)]
        compact: bool,
        /// Registrations that are new or changed.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List the registered words in a text, and who registered them.
    Find {
        /// Only the text as a whole, not the words in it.
        #[arg(long)]
        whole: bool,
        /// Only registrations for this Nice class; may be given more than once.
        #[arg(long, value_name = "CLASS", value_parser = clap::value_parser!(u8).range(1..=45))]
        class: Vec<u8>,
        /// Most registrations that are listed of a word.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
        /// The text; stdin when absent or `-`.
        text: Option<String>,
    },
    /// Read the whole registry and hold it against its checksums.
    #[command(after_help = "Exit codes: 0 sound · 1 damaged: build it again · 2 usage or I/O.")]
    Check,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, there is no registry, or it cannot be changed.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = match args.data {
        Some(data) => data,
        None => context.settings()?.data,
    };
    let folder = data.join(FOLDER);
    match args.what {
        What::Build { skip_mistakes, files } => build(&folder, &files, skip_mistakes, context),
        What::Update { gone, compact, files } => update(&folder, &files, &gone, compact, context),
        What::Find { whole, class, limit, text } => {
            let reader = Reader::open(&folder).map_err(|error| advised(error, &folder))?;
            let wanted = Wanted { whole, classes: class.into_iter().collect(), limit };
            find(&reader.view(), &text_of(text)?, &wanted, context)
        }
        What::Check => check(&folder, context),
    }
}

/// What the registry in a data folder says now.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(super) fn read(data: &Path) -> Result<Arc<View>> {
    let folder = data.join(FOLDER);
    Ok(Reader::open(&folder).map_err(|error| advised(error, &folder))?.view())
}

fn build(folder: &Path, files: &[PathBuf], skip_mistakes: bool, context: &Context) -> Result<Done> {
    let bar = context.progress(0, "registrations");
    let mut input = Input { context, bar, skip_mistakes, read: 0, without_words: 0, mistakes: 0 };
    let built = Registry::build(folder, |builder| {
        for file in files {
            input.each(file, &["text", "number"], |row| {
                row.spellings.iter().try_for_each(|spelling| Ok(builder.add(spelling, &row.registration())?))
            })?;
        }
        input.bar.set_message("writing the registry of registrations");
        input.stop_at_mistakes()
    });
    input.bar.finish_and_clear();
    let registry = match built {
        Ok(registry) => registry,
        Err(error) if error.is::<Refused>() => return Ok(Done::Findings),
        Err(error) => return Err(error),
    };
    let view = registry.view();
    if context.json() {
        let said = json!({"read": input.read, "without_words": input.without_words, "mistakes": input.mistakes,
            "spellings": view.base().spellings(), "registrations": view.base().registrations()});
        context.data(&said.to_string())?;
    } else {
        let (spellings, without) = (view.base().spellings(), input.without_words);
        context.data(&format!(
            "{} registrations read, {without} without a word that can be found, {spellings} spellings",
            input.read
        ))?;
    }
    Ok(if input.mistakes > 0 { Done::Findings } else { Done::Fine })
}

fn update(folder: &Path, files: &[PathBuf], gone: &[PathBuf], compact: bool, context: &Context) -> Result<Done> {
    if files.is_empty() && gone.is_empty() && !compact {
        bail!("there is nothing to change: name a file, --gone FILE or --compact");
    }
    let registry = Registry::open(folder).map_err(|error| advised(error, folder))?;
    let bar = context.progress(0, "registrations");
    let mut input = Input { context, bar, skip_mistakes: false, read: 0, without_words: 0, mistakes: 0 };
    let mut rows = BTreeMap::new();
    let read = read_changes(&mut input, files, gone, &mut rows);
    input.bar.set_message("changing registrations");
    match read {
        Err(error) if error.is::<Refused>() => return Ok(Done::Findings),
        read => read?,
    }
    let changes: Vec<Change<'_>> = rows.values().map(Row::change).collect();
    registry.apply(&changes)?;
    if compact {
        input.bar.set_message("writing the registry of registrations");
        registry.compact()?;
    }
    input.bar.finish_and_clear();
    let differ = registry.view().delta().len();
    if context.json() {
        context.data(&json!({"read": input.read, "changed": changes.len(), "differ_from_base": differ}).to_string())?;
    } else {
        context.data(&format!("{} registrations changed; {differ} differ from the base", changes.len()))?;
    }
    Ok(Done::Fine)
}

/// Reads what changes, by jurisdiction and number; several rows of one registration are joined.
fn read_changes(
    input: &mut Input<'_>,
    files: &[PathBuf],
    gone: &[PathBuf],
    rows: &mut BTreeMap<(String, String), Row>,
) -> Result<()> {
    let room = |rows: &BTreeMap<_, _>| match rows.len() {
        0..=MAX_UPDATE_ROWS => Ok(()),
        _ => bail!(
            "more than {MAX_UPDATE_ROWS} registrations would change at once: split the files, or build the registry anew"
        ),
    };
    for file in files {
        input.each(file, &["text", "number"], |row| {
            let name = (row.jurisdiction.clone(), row.number.clone());
            let joined = match rows.remove(&name) {
                Some(known) => joined(known, row),
                None => row,
            };
            rows.insert(name, joined);
            room(rows)
        })?;
    }
    for file in gone {
        input.each(file, &["number"], |row| {
            let name = (row.jurisdiction.clone(), row.number.clone());
            if rows.get(&name).is_some_and(|known| !known.spellings.is_empty()) {
                bail!("the registration {} is both changed and gone: take it out of one file", row.number);
            }
            rows.insert(name, Row { spellings: Vec::new(), ..row });
            room(rows)
        })?;
    }
    input.stop_at_mistakes()
}

/// Two rows of one registration: spellings and classes of both, everything else of the later one.
fn joined(known: Row, mut later: Row) -> Row {
    later.classes = known.classes.iter().chain(later.classes.iter()).collect();
    let more = known.spellings.into_iter().filter(|spelling| !later.spellings.contains(spelling)).collect::<Vec<_>>();
    later.spellings.extend(more);
    later
}

/// The files were refused: what is wrong with them has been said.
#[derive(Debug, thiserror::Error)]
#[error("rows were refused")]
struct Refused;

/// Files of rows, and what was read of them.
struct Input<'a> {
    context: &'a Context,
    bar: ProgressBar,
    skip_mistakes: bool,
    read: u64,
    without_words: u64,
    mistakes: u64,
}

impl Input<'_> {
    /// Reads a file; a row with a mistake is named, and the next one read.
    fn each(&mut self, path: &Path, required: &[&str], mut take: impl FnMut(Row) -> Result<()>) -> Result<()> {
        let (name, reader): (String, Box<dyn BufRead>) = if path.as_os_str() == "-" {
            ("stdin".into(), Box::new(BufReader::new(io::stdin())))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
            (name, Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
        };
        for row in Rows::new(&name, reader, required)? {
            match row {
                Ok(row) => {
                    self.read += 1;
                    self.without_words += u64::from(row.spellings.is_empty());
                    take(row)?;
                }
                Err(wrong @ RowError::Row { .. }) => self.mistake(&wrong)?,
                Err(wrong) => return Err(wrong.into()),
            }
            self.bar.inc(1);
        }
        Ok(())
    }

    fn mistake(&mut self, wrong: &RowError) -> Result<()> {
        self.mistakes += 1;
        if self.mistakes <= MAX_MISTAKES as u64 {
            self.bar.suspend(|| self.context.say(&visible(&wrong.to_string())));
        } else if !self.skip_mistakes {
            return self.stop_at_mistakes();
        }
        Ok(())
    }

    /// Ends the reading when rows had mistakes that are not to be skipped.
    fn stop_at_mistakes(&self) -> Result<()> {
        if self.mistakes == 0 {
            return Ok(());
        }
        let more = if self.mistakes > MAX_MISTAKES as u64 { ", of which the first were named" } else { "" };
        let count = self.mistakes;
        if self.skip_mistakes {
            self.context.say(&format!("{count} rows with mistakes were left out{more}"));
            return Ok(());
        }
        self.context.say(&format!("{count} mistakes; nothing was changed"));
        Err(Refused.into())
    }
}

/// What is to be listed.
struct Wanted {
    whole: bool,
    /// All when empty.
    classes: NiceClasses,
    limit: usize,
}

impl Wanted {
    /// The registrations that are listed, and how many there are.
    fn of<'a>(&self, registrations: impl Iterator<Item = Registration<'a>>) -> (Vec<Registration<'a>>, usize) {
        let all = self.classes == NiceClasses::default();
        let mut listed = Vec::new();
        let mut count = 0;
        for registration in registrations.filter(|one| all || one.classes.meets(self.classes)) {
            count += 1;
            if listed.len() < self.limit {
                listed.push(registration);
            }
        }
        (listed, count)
    }
}

fn find(view: &View, text: &str, wanted: &Wanted, context: &Context) -> Result<Done> {
    let folded = Folded::new(text);
    let mut found = view.find(&folded);
    found.retain(|word| !wanted.whole || word.units == (0..folded.len()));
    found.sort_by_key(|word| (word.units.start, word.units.end));
    for word in found {
        let (registrations, count) = wanted.of(word.registrations());
        if count == 0 {
            continue;
        }
        let span = folded.span(word.units.clone());
        let original = text.get(span.bytes).unwrap_or_default();
        if context.json() {
            let registrations: Vec<Value> = registrations.iter().map(value).collect();
            let line = json!({"start": span.chars.start, "end": span.chars.end, "text": original, "spelling": word.spelling(),
                "count": count, "registrations": registrations});
            context.data(&line.to_string())?;
            continue;
        }
        context.data(&visible(&format!(
            "{}..{}\t{original}\t{}",
            span.chars.start,
            span.chars.end,
            word.spelling()
        )))?;
        for registration in &registrations {
            context.data(&visible(&line(registration)))?;
        }
        if count > registrations.len() {
            context.data(&format!("\tand {} more", count - registrations.len()))?;
        }
    }
    Ok(Done::Fine)
}

fn value(registration: &Registration<'_>) -> Value {
    let classes: Vec<u8> = registration.classes.iter().collect();
    json!({"jurisdiction": registration.jurisdiction, "number": registration.number, "holder": registration.holder,
        "nice_classes": classes, "status": registration.status, "expires_on": registration.expires_on})
}

fn line(registration: &Registration<'_>) -> String {
    let classes: Vec<String> = registration.classes.iter().map(|class| class.to_string()).collect();
    let status = match registration.status {
        MarkStatus::Registered => "registered",
        MarkStatus::Pending => "pending",
        MarkStatus::Dead => "dead",
    };
    let expires = registration.expires_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let cells =
        [registration.jurisdiction, registration.number, registration.holder, &classes.join(";"), status, &expires];
    format!("\t{}", cells.join("\t"))
}

fn text_of(text: Option<String>) -> Result<String> {
    let text = match text {
        Some(text) if text != "-" => text,
        _ => {
            let mut text = String::new();
            let most = MAX_TEXT_BYTES as u64 + 1;
            io::stdin().take(most).read_to_string(&mut text).context("cannot read the text from stdin")?;
            text
        }
    };
    if text.len() > MAX_TEXT_BYTES {
        bail!("the text has more than {MAX_TEXT_BYTES} bytes: search a part of it");
    }
    Ok(text)
}

fn check(folder: &Path, context: &Context) -> Result<Done> {
    let verified = Reader::open(folder).and_then(|reader| {
        let view = reader.view();
        view.base().verify().map(|()| view)
    });
    let view = match verified {
        Ok(view) => view,
        Err(wrong @ (RegistryError::Damaged { .. } | RegistryError::Newer { .. })) => {
            if context.json() {
                context.data(&json!({"sound": false, "what": wrong.to_string()}).to_string())?;
            }
            context.say(&visible(&wrong.to_string()));
            return Ok(Done::Findings);
        }
        Err(error) => return Err(advised(error, folder)),
    };
    let (base, sizes) = (view.base(), view.base().sizes());
    let (spellings, registrations, differ) = (base.spellings(), base.registrations(), view.delta().len());
    if context.json() {
        let said = json!({"sound": true, "generation": base.generation(), "spellings": spellings, "registrations": registrations,
            "differ_from_base": differ, "index_bytes": sizes.index, "spelling_bytes": sizes.spellings,
            "registration_bytes": sizes.registrations});
        context.data(&said.to_string())?;
    } else {
        context.data(&format!(
            "sound: {spellings} spellings, {registrations} registrations, {differ} differ from the base"
        ))?;
        let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
        let (index, text, rest) = (mebibytes(sizes.index), mebibytes(sizes.spellings), mebibytes(sizes.registrations));
        context.data(&format!("index {index:.1} MiB, spellings {text:.1} MiB, registrations {rest:.1} MiB"))?;
    }
    Ok(Done::Fine)
}

/// Says of a registry that is not there how to make one.
fn advised(error: RegistryError, folder: &Path) -> anyhow::Error {
    match error {
        RegistryError::Missing { .. } => {
            let folder = folder.display();
            anyhow::anyhow!("there is no registry in {folder}: build one with `markwarden marks registry build FILE`")
        }
        error => error.into(),
    }
}
