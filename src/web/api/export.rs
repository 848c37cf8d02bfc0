//! Exports by streaming: hits, decisions and marks as CSV, JSON lines or Parquet. No more than a page is held at once, of
//! Parquet no more than a row group.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, Uri, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use parquet::errors::ParquetError;

use super::{
    columns, hits,
    shape::{HitLine, HitWhole, Problem},
    table::Table,
};
use crate::{
    marks,
    model::{Hit, Mark, Permission},
    store::{Cursor, Filter},
    web::{Desk, WebError, tenant, visit::Visit},
};

/// Hits read at once.
const PAGE: usize = 100;
const HIT_COLUMNS: [&str; 11] =
    ["id", "state", "priority", "severity", "family", "title", "platform", "url", "seller", "found_at", "found"];
const DECISION_COLUMNS: [&str; 9] = ["hit", "family", "title", "verdict", "reason", "by", "at", "note", "looked_ms"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Hits,
    Decisions,
    Marks,
}

/// Streams `hits`, `decisions` or `marks`, with `.csv`, `.jsonl` or `.parquet` behind.
#[utoipa::path(
    get, path = "/api/v1/exports/{what}", tag = "exports",
    params(("what" = String, Path, description = "hits, decisions or marks, and .csv, .jsonl or .parquet behind it")),
    responses((status = 200, description = "rows", content_type = "text/csv"), (status = 404, body = Problem))
)]
pub(super) async fn export(
    State(desk): State<Desk>,
    visit: Visit,
    Path(file): Path<String>,
    uri: Uri,
) -> Result<Response, WebError> {
    let (name, form) = file.rsplit_once('.').ok_or(WebError::NotFound)?;
    if !matches!(form, "csv" | "jsonl" | "parquet") {
        return Err(WebError::NotFound);
    }
    let csv = form == "csv";
    let (what, columns): (What, &[&str]) = match name {
        "hits" => (What::Hits, &HIT_COLUMNS),
        "decisions" => (What::Decisions, &DECISION_COLUMNS),
        "marks" if visit.may(Permission::ReadMarks) => (What::Marks, &marks::COLUMNS),
        "marks" => return Err(WebError::MayNot),
        _ => return Err(WebError::NotFound),
    };
    if form == "parquet" {
        let body = parquet(&desk, &visit, what, &uri).await?;
        return Ok(attached(body, "application/vnd.apache.parquet", &file));
    }
    // A byte order mark, so that spreadsheets read UTF-8.
    let head =
        if csv { format!("\u{feff}{}", row(columns.iter().map(|name| (*name).to_owned()))) } else { String::new() };
    let head = stream::iter([Ok::<Bytes, WebError>(Bytes::from(head))]);
    let body = if what == What::Marks {
        let marks = tenant::marks(&desk, visit.account()?).await?;
        let rows = marks.into_values().map(move |mark| Ok(Bytes::from(mark_row(&mark, csv))));
        Body::from_stream(head.chain(stream::iter(rows)))
    } else {
        let (filter, _, _) = hits::filter(uri.query().unwrap_or_default(), visit.account()?)?;
        let pages = stream::try_unfold(Some(None), move |place| next(desk.clone(), filter.clone(), place));
        let rows = pages.map(move |page| {
            page.map(|hits| Bytes::from(hits.iter().map(|hit| hit_rows(hit, what, csv)).collect::<String>()))
        });
        Body::from_stream(head.chain(rows))
    };
    Ok(attached(body, if csv { "text/csv; charset=utf-8" } else { "application/jsonl" }, &file))
}

fn attached(body: Body, kind: &'static str, file: &str) -> Response {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"markwarden-{file}\"")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    answer
}

/// What is left to be written of a Parquet file.
enum Rest {
    Hits(Place, What, Box<Filter>),
    Marks(std::vec::IntoIter<Mark>),
}

async fn parquet(desk: &Desk, visit: &Visit, what: What, uri: &Uri) -> Result<Body, WebError> {
    let account = visit.account()?;
    let columns = match what {
        What::Hits => columns::HITS,
        What::Decisions => columns::DECISIONS,
        What::Marks => columns::MARKS,
    };
    let table = Table::new(columns).map_err(unwritten)?;
    let rest = if what == What::Marks {
        let marks: Vec<Mark> = tenant::marks(desk, account).await?.into_values().collect();
        Rest::Marks(marks.into_iter())
    } else {
        let (filter, _, _) = hits::filter(uri.query().unwrap_or_default(), account)?;
        Rest::Hits(Some(None), what, Box::new(filter))
    };
    let desk = desk.clone();
    let groups = stream::try_unfold(Some((table, rest)), move |state| group(desk.clone(), state));
    Ok(Body::from_stream(groups))
}

/// The next row group as bytes, or the file's end.
async fn group(desk: Desk, state: Option<(Table, Rest)>) -> Result<Option<(Bytes, Option<(Table, Rest)>)>, WebError> {
    let Some((mut table, mut rest)) = state else { return Ok(None) };
    let mut more = true;
    while more && !table.is_full() {
        match &mut rest {
            Rest::Marks(marks) => match marks.next() {
                Some(mark) => table.push(columns::mark(&mark)),
                None => more = false,
            },
            Rest::Hits(place, what, filter) => match next(desk.clone(), (**filter).clone(), place.take()).await? {
                Some((hits, after)) => {
                    *place = after;
                    for hit in &hits {
                        match what {
                            What::Decisions => columns::decisions(hit).for_each(|row| table.push(row)),
                            _ => table.push(columns::hit(hit)),
                        }
                    }
                }
                None => more = false,
            },
        }
    }
    // Packing a row group takes a while, which no other request should wait for.
    let packed = tokio::task::spawn_blocking(move || {
        if more { table.flush().map(|bytes| (bytes, Some(table))) } else { table.finish().map(|bytes| (bytes, None)) }
    });
    let (bytes, table) = packed.await.map_err(|error| WebError::Check(error.to_string()))?.map_err(unwritten)?;
    Ok(Some((Bytes::from(bytes), table.map(|table| (table, rest)))))
}

fn unwritten(error: ParquetError) -> WebError {
    WebError::Check(error.to_string())
}

type Place = Option<Option<Cursor>>;

/// The hits from `place` on, and where the next begin.
async fn next(desk: Desk, filter: Filter, place: Place) -> Result<Option<(Vec<Hit>, Place)>, WebError> {
    let Some(cursor) = place else { return Ok(None) };
    let page = desk.inner.store.page(&filter, cursor, PAGE).await?;
    let hits = page.rows.into_iter().map(|row| row.hit).collect();
    Ok(Some((hits, page.next.map(Some))))
}

fn hit_rows(hit: &Hit, what: What, csv: bool) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    if what == What::Decisions {
        return hit
            .decisions
            .iter()
            .map(|made| {
                if !csv {
                    let mut line = serde_json::to_value(made).unwrap_or_default();
                    if let Some(line) = line.as_object_mut() {
                        line.insert("hit".into(), hit.id.0.into());
                        line.insert("family".into(), hit.what.family.clone().into());
                    }
                    return format!("{line}\n");
                }
                row([
                    hit.id.to_string(),
                    hit.what.family.clone(),
                    hit.what.listing.title.clone(),
                    word(serde_json::to_value(made.verdict).unwrap_or_default()),
                    made.reason.code().to_owned(),
                    made.by.to_string(),
                    made.at.to_string(),
                    made.note.clone(),
                    made.looked_ms.to_string(),
                ])
            })
            .collect();
    }
    if !csv {
        return serde_json::to_string(&HitWhole::from(hit.clone())).unwrap_or_default() + "\n";
    }
    let line = HitLine::from(crate::store::HitRow { hit: hit.clone(), held_by: None });
    let line = serde_json::to_value(line).unwrap_or_default();
    row(HIT_COLUMNS.iter().map(|name| match line.get(*name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(parts)) => {
            parts.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join("; ")
        }
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }))
}

fn mark_row(mark: &Mark, csv: bool) -> String {
    let line = serde_json::to_value(mark).unwrap_or_default();
    if !csv {
        return format!("{line}\n");
    }
    row(marks::COLUMNS.iter().map(|name| match line.get(*name) {
        Some(serde_json::Value::Object(price)) => {
            let part = |name: &str| price.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
            format!("{} {}", part("amount"), part("currency"))
        }
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(parts)) => {
            let part = |part: &serde_json::Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
            parts.iter().map(part).collect::<Vec<_>>().join(";")
        }
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }))
}

/// A row of CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub(in super::super) fn row(cells: impl IntoIterator<Item = String>) -> String {
    let mut out = String::new();
    for (number, cell) in cells.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push('"');
        let begin = cell.trim_start_matches([' ', '\u{feff}', '\u{200b}', '\u{a0}']);
        if begin.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
            out.push('\'');
        }
        for c in cell.chars() {
            match c {
                '"' => out.push_str("\"\""),
                // Nothing that moves a terminal's cursor or turns text around.
                '\n' | '\t' => out.push(c),
                c if c.is_control()
                    || matches!(c as u32, 0x202A..=0x202E | 0x2066..=0x2069 | 0x200E | 0x200F | 0x61C) =>
                {
                    out.push('\u{FFFD}');
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_moves_a_terminal() {
        for (cell, written) in [
            ("=1+1", "\"'=1+1\"\r\n"),
            (" @SUM(A1)", "\"' @SUM(A1)\"\r\n"),
            ("-2", "\"'-2\"\r\n"),
            ("a\u{1b}[31m\u{202e}", "\"a\u{FFFD}[31m\u{FFFD}\"\r\n"),
            ("a\"b,c\nd", "\"a\"\"b,c\nd\"\r\n"),
        ] {
            assert_eq!(row([cell.to_owned()]), written);
        }
    }

    proptest! {
        #[test]
        fn rows_are_read_back_by_another_reader(cells in prop::collection::vec("\\PC{0,20}", 1..6)) {
            let text = row(cells.clone());
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(read.len(), cells.len());
            for (read, cell) in read.iter().zip(&cells) {
                prop_assert!(read.chars().count() <= cell.chars().count() + 1);
                prop_assert!(!read.starts_with(['=', '+', '-', '@']));
            }
        }
    }
}
