//! Files of marks that are being imported: kept for an hour while a person says what columns hold and looks at what is new.
//!
//! Nothing is written before they say so; then the good rows become drafts, and the others are theirs to mend and send again.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::header;

use super::{
    Desk, WebError, acts,
    api::row as csv_row,
    card::visible,
    frame::Frame,
    marks::{self, Sorted},
    upload::Upload,
    visit::Visit,
    words::Words,
};
use crate::{
    intake,
    marks::{COLUMNS, Columns, Table, TableRow, WrongRow, fact_named, import_rows, import_xml, name_by_office},
    model::{AccountName, Mark, Timestamp},
};

/// Files kept at once, of all accounts and of one; the oldest goes.
const MAX_FILES: usize = 16;
const MAX_OF_ONE: usize = 2;
/// How long a file is kept, in seconds.
const KEPT_SECONDS: i64 = 3600;
/// Most rows of a file that is sent to the desk; longer ones are for the command line.
const MAX_ROWS: usize = 50_000;
/// Rows that are shown: of the file, of what is new, of what is wrong.
const FIRST_ROWS: usize = 5;
const SHOWN: usize = 20;
/// Longest cell that is shown, in characters.
const SHOWN_CHARS: usize = 60;
/// Columns that are shown for choosing.
const MAX_COLUMNS: usize = 60;

/// Files that wait for somebody's word.
#[derive(Debug, Default)]
pub(super) struct Files(Mutex<HashMap<String, File>>);

#[derive(Debug, Clone)]
struct File {
    owner: AccountName,
    at: Timestamp,
    /// What it is called.
    title: String,
    content: Arc<Content>,
    columns: Columns,
}

#[derive(Debug)]
enum Content {
    /// A table: its header, its rows, and rows that could not be read.
    Table { header: Vec<String>, rows: Vec<TableRow>, unread: Vec<WrongRow> },
    /// The XML of an office, whose facts have names.
    Marks(Vec<Mark>),
}

impl Files {
    fn keep(&self, name: String, file: File) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, known| file.at.duration_since(known.at).as_secs() < KEPT_SECONDS);
        let oldest = |files: &HashMap<String, File>, of: Option<&AccountName>| {
            let mut known: Vec<_> = files.iter().filter(|(_, file)| of.is_none_or(|of| file.owner == *of)).collect();
            known.sort_by_key(|(_, file)| file.at);
            (known.len(), known.first().map(|(name, _)| (*name).clone()))
        };
        for (of, most) in [(Some(&file.owner), MAX_OF_ONE), (None, MAX_FILES)] {
            while let (many, Some(oldest)) = oldest(&files, of)
                && many >= most
            {
                files.remove(&oldest);
            }
        }
        files.insert(name, file);
    }

    fn find(&self, name: &str, owner: &AccountName) -> Result<File, WebError> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(name).filter(|file| file.owner == *owner).cloned().ok_or(WebError::NotFound)
    }

    fn set_columns(&self, name: &str, columns: Columns) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get_mut(name) {
            file.columns = columns;
        }
    }

    fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Takes a file, or a table that was pasted, and asks what to do with it.
pub(super) async fn begin(State(desk): State<Desk>, visit: Visit, upload: Upload) -> Result<Response, WebError> {
    let pasted = upload.text("text");
    let (title, bytes) = match upload.file("file") {
        Some((title, bytes)) => (title.to_owned(), bytes.to_vec()),
        None if !pasted.trim().is_empty() => ("marks.csv".to_owned(), pasted.as_bytes().to_vec()),
        None => return super::mark_pages::show_new(&visit, vec![visit.words.say("import-no-file")]),
    };
    let told = title.clone();
    let read = tokio::task::spawn_blocking(move || content(&told, &bytes));
    let content = match read.await.map_err(|error| WebError::Check(error.to_string()))? {
        Ok(content) => content,
        Err(problem) => {
            return super::mark_pages::show_new(&visit, vec![format!("{title}: {}", visible(&problem))]);
        }
    };
    let columns = match &content {
        Content::Table { header, .. } => Columns::guess(header),
        Content::Marks(_) => Columns::default(),
    };
    let (owner, at, name) = (visit.account()?.name.clone(), desk.inner.clock.now(), acts::act_name("")?);
    desk.inner.files.keep(name.clone(), File { owner, at, title, content: Arc::new(content), columns });
    Ok(Redirect::to(&format!("/imports/{name}")).into_response())
}

/// What the file called `name` holds, or why nothing, for a person.
fn content(name: &str, bytes: &[u8]) -> Result<Content, String> {
    let begin = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if begin.starts_with(b"<") {
        let text = std::str::from_utf8(bytes).map_err(|_| "the XML is not UTF-8".to_owned())?;
        let marks = import_xml(name, text).map_err(|wrong| {
            let told = wrong.iter().take(3).map(|wrong| format!("{}: {}", wrong.line_column().0, wrong.message));
            told.collect::<Vec<_>>().join("; ")
        })?;
        return Ok(Content::Marks(marks)).and_then(bounded);
    }
    let (mut rows, left_out) = intake::cells(name, bytes).map_err(|error| error.to_string())?;
    if rows.is_empty() {
        return Err("it is empty: its first row names the columns".into());
    }
    let (_, header) = rows.remove(0);
    let unread =
        left_out.into_iter().map(|row| WrongRow { row: row.row, what: row.what, help: "the row could not be read" });
    bounded(Content::Table { header, rows, unread: unread.collect() })
}

fn bounded(content: Content) -> Result<Content, String> {
    let rows = match &content {
        Content::Table { rows, .. } => rows.len(),
        Content::Marks(marks) => marks.len(),
    };
    if rows > MAX_ROWS {
        return Err(format!(
            "{rows} rows; the desk takes {MAX_ROWS} at once: split the file, or use `markwarden marks import`"
        ));
    }
    Ok(content)
}

/// Reads the file as its columns are understood, and holds it against what is known.
async fn sorted(desk: &Desk, visit: &Visit, file: &File) -> Result<Sorted, WebError> {
    let (content, columns) = (Arc::clone(&file.content), file.columns.clone());
    let read = tokio::task::spawn_blocking(move || match &*content {
        Content::Table { rows, unread, .. } => {
            let mut table = import_rows(&columns, rows);
            table.wrong.extend(unread.iter().cloned());
            table
        }
        Content::Marks(marks) => {
            let (mut table, mut seen) = (Table::default(), HashSet::new());
            for (row, mark) in (1..).zip(marks) {
                let mut mark = mark.clone();
                if mark.id.as_str() == mark.text {
                    name_by_office(&mut mark);
                }
                if seen.insert(mark.id.clone()) {
                    table.marks.push((row, mark));
                }
            }
            table
        }
    });
    let table = read.await.map_err(|error| WebError::Check(error.to_string()))?;
    marks::sort(desk, visit.account()?, table).await
}

#[derive(Template)]
#[template(path = "desk/import.html")]
struct ImportPage {
    f: Frame,
    path: String,
    title: String,
    /// None for what has no columns to choose.
    columns: Vec<ColumnView>,
    facts: Vec<(&'static str, String)>,
    first_rows: Vec<Vec<String>>,
    complete: bool,
    figures: Vec<(String, usize)>,
    new: Vec<Line>,
    changed: Vec<Line>,
    wrong: Vec<(u64, String, &'static str)>,
    wrong_words: String,
    more_wrong: usize,
    savable: usize,
    save_words: String,
}

struct ColumnView {
    number: usize,
    header: String,
    fact: &'static str,
}

struct Line {
    text: String,
    holder: String,
    number: String,
    what: String,
}

/// What a file would do: its columns, what is new, changed and the same, and what is wrong.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Html<String>, WebError> {
    let file = desk.inner.files.find(&name, &visit.account()?.name)?;
    let (header, rows) = match &*file.content {
        Content::Table { header, rows, .. } => (&header[..], &rows[..]),
        Content::Marks(_) => (&[][..], &[][..]),
    };
    let complete = header.is_empty() || file.columns.has_text();
    let sorted = if complete { sorted(&desk, &visit, &file).await? } else { Sorted::default() };
    let words = visit.words;
    let savable = sorted.new.len() + sorted.changed.len();
    let figures = [
        ("import-new", sorted.new.len()),
        ("import-changed", sorted.changed.len()),
        ("import-same", sorted.same),
        ("import-wrong", sorted.wrong.len()),
    ];
    let columns = header.iter().zip(file.columns.facts()).enumerate().take(MAX_COLUMNS);
    let page = ImportPage {
        path: format!("/imports/{name}"),
        title: visible(&file.title),
        columns: columns
            .map(|(number, (header, fact))| ColumnView { number, header: short(header), fact: fact.unwrap_or("") })
            .collect(),
        facts: facts(words),
        first_rows: rows
            .iter()
            .take(FIRST_ROWS)
            .map(|(_, cells)| {
                let cell = |at: usize| cells.get(at).map(|cell| short(cell)).unwrap_or_default();
                (0..header.len().min(MAX_COLUMNS)).map(cell).collect()
            })
            .collect(),
        complete,
        figures: figures.into_iter().map(|(key, many)| (words.say(key), many)).collect(),
        new: sorted.new.iter().take(SHOWN).map(|mark| line(mark, String::new())).collect(),
        changed: sorted
            .changed
            .iter()
            .take(SHOWN)
            .map(|(mark, facts)| {
                let named = facts.iter().map(|fact| words.say(&format!("fact-{}", fact.replace('_', "-"))));
                line(mark, named.collect::<Vec<_>>().join("、"))
            })
            .collect(),
        wrong: sorted.wrong.iter().take(SHOWN).map(|wrong| (wrong.row, visible(&wrong.what), wrong.help)).collect(),
        wrong_words: words.count("import-wrong-rows", sorted.wrong.len() as u64),
        more_wrong: sorted.wrong.len().saturating_sub(SHOWN),
        savable,
        save_words: words.count("import-save", savable as u64),
        f: Frame::new(&visit, "marks"),
    };
    Ok(Html(page.render()?))
}

/// What a column may hold, in words.
fn facts(words: Words) -> Vec<(&'static str, String)> {
    COLUMNS.into_iter().map(|fact| (fact, words.say(&format!("fact-{}", fact.replace('_', "-"))))).collect()
}

fn short(cell: &str) -> String {
    let cut: String = cell.trim().chars().take(SHOWN_CHARS).collect();
    visible(&cut)
}

fn line(mark: &Mark, what: String) -> Line {
    Line {
        text: short(&mark.text),
        holder: short(&mark.holder),
        number: short(&format!("{} {}", mark.jurisdiction, mark.number)),
        what,
    }
}

/// Says what the columns hold: `column0` to `columnN`, each a fact or nothing.
pub(super) async fn columns(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    Form(sent): Form<BTreeMap<String, String>>,
) -> Result<Redirect, WebError> {
    let file = desk.inner.files.find(&name, &visit.account()?.name)?;
    let chosen = file.columns.facts().iter().enumerate().map(|(number, known)| {
        match sent.get(&format!("column{number}")).map(String::as_str) {
            None => Ok(*known),
            Some("") => Ok(None),
            Some(fact) => fact_named(fact).map(Some).ok_or(WebError::Field("column")),
        }
    });
    let columns = Columns::of(chosen.collect::<Result<Vec<_>, _>>()?);
    desk.inner.files.set_columns(&name, columns);
    Ok(Redirect::to(&format!("/imports/{name}")))
}

/// Makes drafts of what is new or changed; the same file again would change nothing.
pub(super) async fn save(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Redirect, WebError> {
    let account = visit.account()?;
    let file = desk.inner.files.find(&name, &account.name)?;
    let sorted = sorted(&desk, &visit, &file).await?;
    let wrong = sorted.wrong.len();
    let changed = sorted.changed.into_iter().map(|(mark, _)| mark);
    let marks: Vec<Mark> = sorted.new.into_iter().chain(changed).collect();
    let added = marks::draft(&desk, account, &marks).await?;
    if wrong > 0 {
        // What is wrong can still be had.
        return Ok(Redirect::to(&format!("/imports/{name}")));
    }
    desk.inner.files.forget(&name);
    Ok(Redirect::to(&format!("/marks?stage=draft&added={added}")))
}

/// The rows that are no marks, as they were sent, with what is wrong with each: to be mended and sent again.
pub(super) async fn mistakes(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, WebError> {
    let file = desk.inner.files.find(&name, &visit.account()?.name)?;
    let sorted = sorted(&desk, &visit, &file).await?;
    let (header, rows) = match &*file.content {
        Content::Table { header, rows, .. } => (header.clone(), &rows[..]),
        Content::Marks(_) => (Vec::new(), &[][..]),
    };
    let sent: HashMap<u64, &[String]> = rows.iter().map(|(row, cells)| (*row, &cells[..])).collect();
    let words = visit.words;
    let mut body = String::from("\u{feff}");
    let wide = header.len();
    body.push_str(&csv_row(
        header.into_iter().chain(["import-row", "import-what", "import-help"].map(|key| words.say(key))),
    ));
    for wrong in &sorted.wrong {
        let cells = sent.get(&wrong.row).copied().unwrap_or_default();
        let cells = (0..wide).map(|at| cells.get(at).cloned().unwrap_or_default());
        body.push_str(&csv_row(cells.chain([wrong.row.to_string(), wrong.what.clone(), wrong.help.to_owned()])));
    }
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
    Ok(([kind, (header::CONTENT_DISPOSITION, "attachment; filename=\"mistakes.csv\"")], body).into_response())
}
