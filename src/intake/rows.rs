//! A file of listings, read: CSV in any charset, XLSX, or JSON lines; each row a listing, or what is wrong with it.

use std::collections::BTreeMap;

use super::{
    columns::{Columns, identified},
    sheet,
};
use crate::{crawl::decode, model::Listing};

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Most rows of one file.
pub const MAX_ROWS: usize = 200_000;
/// Longest line of JSON, in bytes.
pub const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;
/// Most columns.
pub(super) const MAX_COLUMNS: usize = 500;

/// How a file is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The marketplace of listings that name none.
    pub platform: Option<String>,
    /// The currency of prices that name none (ISO 4217).
    pub currency: Option<String>,
    /// What columns hold whose names do not tell: header to fact.
    pub map: BTreeMap<String, String>,
}

/// A row of a file, by its number in it: the line, or the row of a sheet, counted from 1.
pub type Row = Result<(u64, Listing), RowError>;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {what}")]
pub struct RowError {
    /// Its number.
    pub row: u64,
    /// What is wrong, for a person.
    pub what: String,
}

/// Why a file is not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Too large.
    #[error("it has more than {MAX_FILE_BYTES} bytes: split it")]
    TooLarge,
    /// Of no kind that is known.
    #[error("its name ends neither in .csv, .tsv, .xlsx nor .jsonl")]
    Kind,
    /// Of no kind that is a table.
    #[error("its name ends neither in .csv, .tsv nor .xlsx")]
    NoTable,
    /// Its header does not do.
    #[error("its header: {0}")]
    Header(String),
    /// A workbook that cannot be read.
    #[error("the workbook cannot be read: {0}")]
    Workbook(String),
}

/// A table's rows: each with its number and its cells.
pub type Cells = Vec<(u64, Vec<String>)>;

/// Reads the file called `name`; also tells the headers of columns that were not read.
///
/// # Errors
/// When nothing of it can be read. Rows with a mistake are among the rows.
pub fn read(name: &str, bytes: &[u8], options: &Options) -> Result<(Vec<Row>, Vec<String>), IntakeError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(IntakeError::TooLarge);
    }
    let ending = name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_ascii_lowercase());
    if matches!(ending.as_str(), "jsonl" | "ndjson") {
        return Ok((json_lines(bytes, options), Vec::new()));
    }
    match cells(name, bytes) {
        Err(IntakeError::NoTable) => Err(IntakeError::Kind),
        cells => table(cells?, options),
    }
}

/// The cells of the table called `name`, row by row, and the rows that were left out: CSV in any charset, or the first sheet
/// of a workbook.
///
/// # Errors
/// When nothing of it can be read, or it is no table.
pub fn cells(name: &str, bytes: &[u8]) -> Result<(Cells, Vec<RowError>), IntakeError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(IntakeError::TooLarge);
    }
    let ending = name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_ascii_lowercase());
    match ending.as_str() {
        "csv" | "tsv" | "txt" => Ok(csv_cells(&decode(bytes, None).text)),
        "xlsx" => sheet::cells(bytes).map_err(IntakeError::Workbook),
        _ => Err(IntakeError::NoTable),
    }
}

/// Reads JSON lines; blank ones count and say nothing.
pub fn json_lines(bytes: &[u8], options: &Options) -> Vec<Row> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rows = Vec::new();
    for (row, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: String| RowError { row, what };
        if rows.len() >= MAX_ROWS {
            rows.push(Err(wrong(format!("the file has more than {MAX_ROWS} rows: split it"))));
            break;
        }
        rows.push(if line.len() > MAX_LINE_BYTES {
            Err(wrong(format!("the line has more than {MAX_LINE_BYTES} bytes")))
        } else {
            let listing = serde_json::from_slice::<Listing>(line).map_err(|error| error.to_string());
            let listing = listing.and_then(|listing| identified(listing, options));
            listing.map(|listing| (row, listing)).map_err(wrong)
        });
    }
    rows
}

fn table(cells: (Cells, Vec<RowError>), options: &Options) -> Result<(Vec<Row>, Vec<String>), IntakeError> {
    let (cells, wrong) = cells;
    let mut cells = cells.into_iter();
    let Some((_, header)) = cells.next() else { return Err(IntakeError::Header("there is none".into())) };
    let columns = Columns::new(&header, &options.map).map_err(IntakeError::Header)?;
    let listing = |(row, cells): (u64, Vec<String>)| match columns.listing(&cells, options) {
        Ok(listing) => Ok((row, listing)),
        Err(what) => Err(RowError { row, what }),
    };
    let mut rows: Vec<Row> = cells.map(listing).collect();
    rows.extend(wrong.into_iter().map(Err));
    Ok((rows, columns.unread))
}

/// The cells of a text whose separator is the one its first line has most of.
fn csv_cells(text: &str) -> (Cells, Vec<RowError>) {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: &u8| first.bytes().filter(|byte| byte == separator).count();
    let separator = [b',', b'\t', b';'].into_iter().rev().max_by_key(count).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).delimiter(separator);
    let text = text.trim_start_matches('\u{FEFF}');
    let mut reader = reader.from_reader(text.as_bytes());
    let (mut cells, mut wrong) = (Cells::new(), Vec::new());
    for record in reader.records() {
        // A record's position is before the blank lines above it.
        let row = |position: Option<&csv::Position>| {
            let Some(position) = position else { return 0 };
            let from = usize::try_from(position.byte()).ok().and_then(|at| text.as_bytes().get(at..));
            let blank = from.unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
        };
        match record {
            Ok(record) if record.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok(record) if record.len() > MAX_COLUMNS => {
                let what = format!("{} columns; at most {MAX_COLUMNS} are read", record.len());
                wrong.push(RowError { row: row(record.position()), what });
            }
            Ok(record) if cells.len() > MAX_ROWS => {
                let what = format!("the file has more than {MAX_ROWS} rows: split it");
                wrong.push(RowError { row: row(record.position()), what });
                break;
            }
            Ok(record) => cells.push((row(record.position()), record.iter().map(str::to_owned).collect())),
            Err(error) => {
                wrong.push(RowError { row: row(error.position()), what: error.to_string() });
                break;
            }
        }
    }
    (cells, wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn titles(rows: &[Row]) -> Vec<(u64, &str)> {
        rows.iter().filter_map(|row| row.as_ref().ok()).map(|(row, listing)| (*row, listing.title.as_str())).collect()
    }

    #[test]
    fn tables_are_read_with_any_separator_and_charset() {
        let text = "编号,标题,价格\n1,\"云雀\n跑鞋\",99\n\n2,云雀 袜,9.9\n3,,1\n";
        let gbk = encoding_rs::GBK.encode(text).0.into_owned();
        for bytes in [text.as_bytes().to_vec(), gbk, format!("\u{FEFF}{}", text.replace(',', "\t")).into_bytes()] {
            let (rows, unread) = read("a.CSV", &bytes, &Options::default()).unwrap();
            assert_eq!(titles(&rows), [(2, "云雀\n跑鞋"), (5, "云雀 袜")]);
            assert_eq!(rows[2], Err(RowError { row: 6, what: "it has no title".into() }));
            assert!(unread.is_empty());
        }
    }

    #[test]
    fn lines_of_json_are_read_and_mistakes_numbered() {
        let text = "{\"title\":\"a\",\"id\":\"1\"}\n\n{\"id\":\"2\"}\nnonsense\n{\"title\":\"b\",\"url\":\"http://h/p/2?utm_source=x\"}";
        let rows = json_lines(text.as_bytes(), &Options { platform: Some("p".into()), ..Options::default() });
        assert_eq!(titles(&rows), [(1, "a"), (5, "b")]);
        let ids: Vec<&str> = rows.iter().flatten().map(|(_, listing)| listing.id.as_str()).collect();
        assert_eq!(ids, ["p:1", "http://h/p/2"]);
        let wrong: Vec<u64> = rows.iter().filter_map(|row| row.as_ref().err()).map(|error| error.row).collect();
        assert_eq!(wrong, [3, 4]);
    }

    #[test]
    fn what_is_over_a_limit_is_refused() {
        let options = Options::default();
        let long = vec![b' '; MAX_FILE_BYTES as usize + 1];
        assert_eq!(read("a.csv", &long, &options).unwrap_err(), IntakeError::TooLarge);
        let line = format!("{{\"title\":\"{}\"}}", "a".repeat(MAX_LINE_BYTES));
        assert!(json_lines(line.as_bytes(), &options)[0].as_ref().unwrap_err().what.contains("bytes"));
        let wide = format!("title\n{}", ",".repeat(MAX_COLUMNS + 1) + "x");
        assert!(read("a.csv", wide.as_bytes(), &options).unwrap().0[0].is_err());
        let many = format!("title,id\n{}", "a,1\n".repeat(MAX_ROWS + 2));
        let (rows, _) = read("a.csv", many.as_bytes(), &options).unwrap();
        assert_eq!((rows.len(), rows.iter().filter(|row| row.is_err()).count()), (MAX_ROWS + 1, 1));
        assert_eq!(read("a.pdf", b"", &options).unwrap_err(), IntakeError::Kind);
        assert!(matches!(read("a.csv", b"", &options), Err(IntakeError::Header(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), ending in "csv|xlsx|jsonl|tsv") {
            drop(read(&format!("a.{ending}"), &bytes, &Options::default()));
        }
    }
}
