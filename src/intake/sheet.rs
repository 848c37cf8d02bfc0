//! The first sheet of an XLSX workbook, cell by cell.
//!
//! A workbook is a zip file: all of it is unpacked once into nothing, to know that it is no bomb, before it is read. Cells
//! are read as a stream, for a sheet may name its last possible cell.

use std::{
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{DataRef, Reader, Xlsx};

use super::rows::{Cells, MAX_COLUMNS, MAX_ROWS, RowError};

/// Most files in a workbook.
const MAX_PARTS: usize = 2000;
/// Bytes that all of them may have unpacked.
const MAX_UNPACKED_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of text in the cells, shared texts counted each time they stand somewhere.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;
/// Days from the workbook's first day to 1970.
const DAYS_TO_1970: f64 = 25_569.0;

/// Cells of the first sheet, and what was left out.
pub(super) fn cells(bytes: &[u8]) -> Result<(Cells, Vec<RowError>), String> {
    measured(bytes)?;
    // The reader is somebody else's, and this file too.
    catch_unwind(AssertUnwindSafe(|| read(bytes))).unwrap_or_else(|_| Err("it breaks its reader".into()))
}

fn measured(bytes: &[u8]) -> Result<(), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    if archive.len() > MAX_PARTS {
        return Err(format!("{} files in it; at most {MAX_PARTS} are read", archive.len()));
    }
    let mut left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| error.to_string())?;
        let unpacked =
            std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|error| error.to_string())?;
        left =
            left.checked_sub(unpacked).ok_or_else(|| format!("it unpacks to more than {MAX_UNPACKED_BYTES} bytes"))?;
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<(Cells, Vec<RowError>), String> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(|error: calamine::XlsxError| error.to_string())?;
    let name = workbook.sheet_names().first().cloned().ok_or("it has no sheet")?;
    let mut reader = workbook.worksheet_cells_reader(&name).map_err(|error| error.to_string())?;
    let (mut cells, mut wrong) = (Cells::new(), Vec::new());
    let mut room = MAX_TEXT_BYTES;
    while let Some(cell) = reader.next_cell().map_err(|error| error.to_string())? {
        let (row, column) = cell.get_position();
        let (row, column) = (u64::from(row) + 1, column as usize);
        let text = text_of(cell.get_value());
        if text.trim().is_empty() {
            continue;
        }
        if column >= MAX_COLUMNS {
            let what = format!("column {}; at most {MAX_COLUMNS} are read", column + 1);
            if wrong.last().is_none_or(|last: &RowError| last.row != row) && wrong.len() < MAX_ROWS {
                wrong.push(RowError { row, what });
            }
            continue;
        }
        if cells.last().is_none_or(|(last, _)| *last != row) {
            if cells.len() > MAX_ROWS {
                wrong.push(RowError { row, what: format!("the sheet has more than {MAX_ROWS} rows: split it") });
                break;
            }
            cells.push((row, Vec::new()));
        }
        room = room.checked_sub(text.len()).ok_or_else(|| format!("more than {MAX_TEXT_BYTES} bytes of text"))?;
        if let Some((_, line)) = cells.last_mut() {
            if line.len() <= column {
                line.resize(column + 1, String::new());
            }
            if let Some(place) = line.get_mut(column) {
                *place = text;
            }
        }
    }
    Ok((cells, wrong))
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        // Long numbers, such as articles', are kept as floating ones.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(at) => time_of(at.as_f64()),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        _ => String::new(),
    }
}

/// A day and time as a workbook counts them, which knows no time zone.
fn time_of(days: f64) -> String {
    let seconds = ((days - DAYS_TO_1970) * 86_400.0).round();
    if !(-1e11..1e11).contains(&seconds) {
        return String::new();
    }
    #[allow(clippy::cast_possible_truncation, reason = "it was looked at")]
    let at = jiff::Timestamp::from_second(seconds as i64);
    at.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::intake::{Options, read};

    /// A workbook whose only sheet is `sheet` (the inside of `sheetData`).
    pub(crate) fn workbook(sheet: &str, shared: &str) -> Vec<u8> {
        let parts = [
            ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#.to_owned()),
            ("_rels/.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
            ("xl/workbook.xml", r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="商品" sheetId="1" r:id="r1"/></sheets></workbook>"#.to_owned()),
            ("xl/_rels/workbook.xml.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#.to_owned()),
            ("xl/sharedStrings.xml", format!(r#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{shared}</sst>"#)),
            ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{sheet}</sheetData></worksheet>"#)),
        ];
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_sheet_is_read_with_shared_texts_and_numbers() {
        let sheet = r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>售价</t></is></c></row>
            <row r="3"><c r="A3"><v>123456789012</v></c><c r="B3" t="s"><v>2</v></c><c r="C3"><v>19.9</v></c></row>
            <row r="4"><c r="A4"><v>5</v></c></row>"#;
        let shared = "<si><t>商品ID</t></si><si><t>标题</t></si><si><r><t xml:space=\"preserve\">云雀 </t></r><r><t>跑鞋</t></r></si>";
        let options = Options { platform: Some("p".into()), currency: Some("CNY".into()), ..Options::default() };
        let (rows, _) = read("a.xlsx", &workbook(sheet, shared), &options).unwrap();
        let (row, listing) = rows[0].as_ref().unwrap();
        assert_eq!((*row, listing.id.as_str(), listing.title.as_str()), (3, "p:123456789012", "云雀 跑鞋"));
        assert_eq!(listing.price.as_ref().unwrap().amount.to_string(), "19.9");
        assert_eq!(rows[1].as_ref().unwrap_err().row, 4);
        assert_eq!(time_of(46_327.5), "2026-11-01 12:00:00");
    }

    #[test]
    fn a_sheet_that_names_its_last_cell_costs_nothing_and_a_bomb_is_refused() {
        let far = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#;
        let (rows, _) = read("a.xlsx", &workbook(far, ""), &Options::default()).unwrap();
        assert_eq!(rows[0].as_ref().unwrap_err().row, 1_048_576);
        let bomb = workbook(&" ".repeat(MAX_UNPACKED_BYTES as usize), "");
        assert!(bomb.len() < 2 << 20);
        let wrong = read("a.xlsx", &bomb, &Options::default()).unwrap_err().to_string();
        assert!(wrong.contains("unpacks to more"), "{wrong}");
    }
}
