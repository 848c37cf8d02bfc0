//! Registrations as a register hands them over: CSV with a header, or JSON lines, in the columns of a marks file.
//!
//! They are read one by one, so that a file may be as large as it likes; only a row has a bound.

use std::{
    borrow::Cow,
    io::{self, BufRead, Read},
};

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    delta::{Change, MAX_SPELLINGS},
    registration::{NiceClasses, Registration},
};
use crate::{
    marks::{
        MAX_UNITS,
        import::{Mistake, classes, columns, date, list, status},
    },
    model::MarkStatus,
    text::fold,
};

/// Longest row, in bytes.
pub const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Why a row, or everything from there on, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A row has a mistake; those after it can be read.
    #[error("{name}:{line}: {what}: {mend}")]
    Row {
        /// The file.
        name: String,
        /// Its line.
        line: u64,
        /// What is wrong.
        what: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// The columns cannot be told.
    #[error("{name}:1: {what}: {mend}")]
    Header {
        /// The file.
        name: String,
        /// What is wrong.
        what: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// A row that does not end.
    #[error("{name}:{line}: the row has more than {MAX_ROW_BYTES} bytes: is a quote missing?")]
    TooLong {
        /// The file.
        name: String,
        /// Its line.
        line: u64,
    },
    /// The disk said no.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The file.
        name: String,
        /// What the disk said.
        source: io::Error,
    },
}

/// One registration of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it is registered.
    pub jurisdiction: String,
    /// The registration number.
    pub number: String,
    /// Who owns it.
    pub holder: String,
    /// The Nice classes it stands for.
    pub classes: NiceClasses,
    /// Whether it is in force.
    pub status: MarkStatus,
    /// Last day of protection.
    pub expires_on: Option<Date>,
    /// What it is found by, folded, each once. None when its words fold to nothing or are longer than can be found.
    pub spellings: Vec<String>,
}

impl Row {
    /// The registration.
    pub fn registration(&self) -> Registration<'_> {
        Registration {
            jurisdiction: &self.jurisdiction,
            number: &self.number,
            holder: &self.holder,
            classes: self.classes,
            status: self.status,
            expires_on: self.expires_on,
        }
    }

    /// What was known of the registration is this from now on.
    pub fn change(&self) -> Change<'_> {
        Change { registration: self.registration(), spellings: self.spellings.iter().map(String::as_str).collect() }
    }
}

/// Reads rows, one after the other.
#[derive(Debug)]
pub struct Rows<R> {
    name: String,
    source: Source<R>,
}

#[derive(Debug)]
enum Source<R> {
    Csv { reader: Box<csv::Reader<Bounded<R>>>, columns: Box<Columns>, record: csv::StringRecord },
    Json { reader: R, line: u64, bytes: Vec<u8> },
}

impl<R: BufRead> Rows<R> {
    /// Reads `reader`, which `name` stands for in messages: JSON lines when it begins with a brace, else CSV, whose header must
    /// have `required` among its columns.
    ///
    /// # Errors
    /// When the header has a mistake or cannot be read.
    pub fn new(name: &str, mut reader: R, required: &[&str]) -> Result<Self, RowError> {
        let name = name.to_owned();
        let begin = match reader.fill_buf() {
            Ok(begin) => begin,
            Err(source) => return Err(RowError::Read { name, source }),
        };
        let begin = begin.strip_prefix(BYTE_ORDER_MARK).unwrap_or(begin).trim_ascii_start();
        if begin.starts_with(b"{") {
            return Ok(Self { name, source: Source::Json { reader, line: 0, bytes: Vec::new() } });
        }
        let bounded = Bounded { reader, left: MAX_ROW_BYTES };
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.flexible(true).trim(csv::Trim::All).buffer_capacity(BUFFER_BYTES).from_reader(bounded);
        let header = reader.headers().cloned();
        let header = header.map_err(|error| failed(&name, 1, error, reader.get_ref().left == 0))?;
        let columns =
            columns(&header, required).map_err(|(what, mend)| RowError::Header { name: name.clone(), what, mend })?;
        let columns = Box::new(Columns::new(&columns));
        Ok(Self { name, source: Source::Csv { reader: Box::new(reader), columns, record: csv::StringRecord::new() } })
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, result) = (&self.name, self.source.next(&self.name)?);
        Some(
            result.and_then(|(line, row)| {
                row.map_err(|(what, mend)| RowError::Row { name: name.clone(), line, what, mend })
            }),
        )
    }
}

/// Where a row stands, and the row.
type Numbered = (u64, Result<Row, Mistake>);

impl<R: BufRead> Source<R> {
    fn next(&mut self, name: &str) -> Option<Result<Numbered, RowError>> {
        match self {
            Self::Csv { reader, columns, record } => {
                reader.get_mut().left = MAX_ROW_BYTES;
                match reader.read_record(record) {
                    Ok(false) => None,
                    Ok(true) => {
                        let line = record.position().map_or(0, csv::Position::line);
                        Some(Ok((line, columns.row(record))))
                    }
                    Err(error) => {
                        let line = error.position().map_or_else(|| reader.position().line(), csv::Position::line);
                        Some(Err(failed(name, line, error, reader.get_ref().left == 0)))
                    }
                }
            }
            Self::Json { reader, line, bytes } => loop {
                bytes.clear();
                *line += 1;
                match reader.by_ref().take(MAX_ROW_BYTES as u64 + 1).read_until(b'\n', bytes) {
                    Ok(0) => return None,
                    Ok(length) if length > MAX_ROW_BYTES => {
                        return Some(Err(RowError::TooLong { name: name.to_owned(), line: *line }));
                    }
                    Ok(_) => {}
                    Err(source) => return Some(Err(RowError::Read { name: name.to_owned(), source })),
                }
                let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
                if !text.is_empty() {
                    return Some(Ok((*line, Line::read(text))));
                }
            },
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const BUFFER_BYTES: usize = 64 * 1024;

fn failed(name: &str, line: u64, error: csv::Error, too_long: bool) -> RowError {
    let name = name.to_owned();
    let what = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(_) if too_long => RowError::TooLong { name, line },
        csv::ErrorKind::Io(source) => RowError::Read { name, source },
        csv::ErrorKind::Utf8 { .. } => {
            let what = "the row is not UTF-8".to_owned();
            RowError::Row { name, line, what, mend: "save the file as “CSV UTF-8”" }
        }
        _ => RowError::Row { name, line, what, mend: "quote cells that hold a comma or a line break" },
    }
}

/// Gives so many bytes and no more until it is told again how many.
#[derive(Debug)]
struct Bounded<R> {
    reader: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the row does not end"));
        }
        let most = buffer.len().min(self.left);
        let read = self.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read;
        Ok(read)
    }
}

/// Where a CSV has what is kept of a row.
#[derive(Debug)]
struct Columns {
    count: usize,
    text: Option<usize>,
    aliases: Option<usize>,
    jurisdiction: Option<usize>,
    number: Option<usize>,
    holder: Option<usize>,
    nice_classes: Option<usize>,
    status: Option<usize>,
    expires_on: Option<usize>,
}

impl Columns {
    fn new(names: &[&str]) -> Self {
        let place = |name: &str| names.iter().position(|column| *column == name);
        Self {
            count: names.len(),
            text: place("text"),
            aliases: place("aliases"),
            jurisdiction: place("jurisdiction"),
            number: place("number"),
            holder: place("holder"),
            nice_classes: place("nice_classes"),
            status: place("status"),
            expires_on: place("expires_on"),
        }
    }

    fn row(&self, record: &csv::StringRecord) -> Result<Row, Mistake> {
        if record.len() > self.count {
            let what = format!("the row has {} cells, the header {}", record.len(), self.count);
            return Err((what, "quote cells that hold a comma; separate lists by ;"));
        }
        let cell = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or("");
        let aliases = list(cell(self.aliases));
        let words = std::iter::once(cell(self.text)).chain(aliases.iter().map(String::as_str));
        checked(Row {
            jurisdiction: cell(self.jurisdiction).to_owned(),
            number: cell(self.number).to_owned(),
            holder: cell(self.holder).to_owned(),
            classes: classes(cell(self.nice_classes))?.into_iter().collect(),
            status: status(cell(self.status))?,
            expires_on: date("expires_on", cell(self.expires_on))?,
            spellings: spellings(words),
        })
    }
}

/// A line of JSON, as `marks list --format json` prints it; what is not kept is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    aliases: Vec<String>,
    jurisdiction: String,
    number: String,
    holder: String,
    nice_classes: Vec<u8>,
    status: MarkStatus,
    expires_on: Option<Date>,
}

impl Line<'_> {
    fn read(bytes: &[u8]) -> Result<Row, Mistake> {
        let mistake =
            |error: serde_json::Error| (error.to_string(), "each line is one JSON object with the columns as keys");
        let line: Line<'_> = serde_json::from_slice(bytes).map_err(mistake)?;
        if let Some(class) = line.nice_classes.iter().find(|class| !(1..=45).contains(*class)) {
            return Err((format!("`{class}` is no Nice class"), "classes are numbers from 1 to 45"));
        }
        let words = std::iter::once(&*line.text).chain(line.aliases.iter().map(String::as_str));
        checked(Row {
            spellings: spellings(words),
            jurisdiction: line.jurisdiction,
            number: line.number,
            holder: line.holder,
            classes: line.nice_classes.into_iter().collect(),
            status: line.status,
            expires_on: line.expires_on,
        })
    }
}

fn checked(row: Row) -> Result<Row, Mistake> {
    if row.number.is_empty() {
        return Err(("the registration has no number".to_owned(), "fill the column `number`"));
    }
    if row.spellings.len() > MAX_SPELLINGS {
        let what = format!("the registration has {} spellings, {MAX_SPELLINGS} are kept", row.spellings.len());
        return Err((what, "leave the less distinctive aliases out"));
    }
    match row.registration().fault() {
        Some(what) => Err((what, "other columns may be as long as they like")),
        None => Ok(row),
    }
}

/// The words that can be found, folded, each once.
fn spellings<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut spellings: Vec<String> = Vec::new();
    for word in words {
        let folded = fold(word);
        if (1..=MAX_UNITS).contains(&folded.chars().count()) && !spellings.contains(&folded) {
            spellings.push(folded);
        }
    }
    spellings
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Result<Row, RowError>>, RowError> {
        Ok(Rows::new("register", text, &["text", "number"])?.collect())
    }

    #[test]
    fn a_row_says_the_same_in_both_forms() {
        let csv = "\u{feff}id,text,aliases,jurisdiction,number,holder,nice_classes,status,expires_on\r\n\
                   m1,雲雀,YUNQUE；云雀,CN,123,\"云雀, 有限公司\",25;18,已注册,2036/05/06\r\n";
        let json = r#"{"id":"m1","text":"雲雀","aliases":["YUNQUE","云雀"],"jurisdiction":"CN","number":"123","holder":"云雀, 有限公司","nice_classes":[25,18],"status":"registered","registered_on":null,"expires_on":"2036-05-06","goods":[]}"#;
        let expected = Row {
            jurisdiction: "CN".into(),
            number: "123".into(),
            holder: "云雀, 有限公司".into(),
            classes: [18, 25].into_iter().collect(),
            status: MarkStatus::Registered,
            expires_on: Some(date(2036, 5, 6)),
            spellings: vec!["云雀".into(), "yunque".into()],
        };
        for text in [csv.to_owned(), format!("{json}\n"), format!("\u{feff} {json}\n\n")] {
            let rows = rows(text.as_bytes()).unwrap();
            assert_eq!(rows.len(), 1, "{text}");
            assert_eq!(*rows[0].as_ref().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_row_with_a_mistake_is_named_with_its_line_and_the_next_is_read() {
        let csv = b"text,number,nice_classes\na,1,25\nb,2,99\n\xff,3,\n\"c\nc\",,\nd,5,1,2\ne,6,\n";
        let json = b"{\"text\":\"a\",\"number\":\"1\"}\n{\"text\":1}\n\n{\"number\":\"3\",\"nice_classes\":[46]}\n{\"text\":\"\xff\"}\nx\n{\"number\":\"6\"}\n";
        for (text, lines) in [(csv.as_slice(), vec![3, 4, 5, 7]), (json.as_slice(), vec![2, 4, 5, 6])] {
            let (good, wrong): (Vec<_>, Vec<_>) = rows(text).unwrap().into_iter().partition(Result::is_ok);
            assert_eq!(good.len(), 2);
            let at: Vec<u64> = wrong
                .iter()
                .map(|wrong| match wrong {
                    Err(RowError::Row { line, .. }) => *line,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(at, lines);
        }
    }

    #[test]
    fn a_mark_without_a_word_that_can_be_found_is_a_row_without_spellings() {
        let long = "云".repeat(MAX_UNITS + 1);
        let text = format!("text,number\n★★,1\n,2\n{long},3\n");
        assert!(rows(text.as_bytes()).unwrap().into_iter().all(|row| row.unwrap().spellings.is_empty()));
    }

    #[test]
    fn a_row_that_does_not_end_is_refused_without_reading_on() {
        let csv = [b"text,number\n\"".as_slice(), &vec![b'a'; 3 * MAX_ROW_BYTES]].concat();
        let json = [b"{\"text\":\"".as_slice(), &vec![b'a'; 3 * MAX_ROW_BYTES]].concat();
        for text in [csv, json] {
            let first = rows(&text).unwrap().remove(0);
            assert!(matches!(first, Err(RowError::TooLong { .. })), "{first:?}");
        }
        let header = vec![b'a'; 3 * MAX_ROW_BYTES];
        assert!(matches!(rows(&header), Err(RowError::TooLong { .. })));
    }

    #[test]
    fn a_column_that_is_missing_or_unknown_is_named() {
        assert!(rows(b"text\na\n").unwrap_err().to_string().contains("`number`"));
        assert!(rows(b"txt,number\na\n").unwrap_err().to_string().contains("`txt`"));
        assert!(Rows::new("gone", b"number\n1\n".as_slice(), &["number"]).unwrap().all(|row| row.is_ok()));
    }

    #[test]
    fn too_many_spellings_are_refused() {
        let aliases: Vec<String> = (0..MAX_SPELLINGS).map(|number| format!("x{number}")).collect();
        let text = |more: &str| format!("text,number,aliases\na,1,{}{more}\n", aliases[1..].join(";"));
        assert!(rows(text("").as_bytes()).unwrap()[0].is_ok());
        assert!(rows(text(";y").as_bytes()).unwrap()[0].is_err());
    }
}
