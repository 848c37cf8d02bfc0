//! Marks from a CSV file with a header; every mistake is named with its line.

use jiff::civil::Date;

use super::{MAX_UNITS, columns::named};
use crate::{
    model::{Amount, Diagnostic, Mark, MarkId, MarkStatus, Money},
    text::fold,
};

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 256 * 1024 * 1024;
/// Longest cell, in bytes.
pub const MAX_CELL_BYTES: usize = 64 * 1024;
/// Most marks in one file.
pub const MAX_MARKS: usize = 1_000_000;
/// Most mistakes listed before giving up.
const MAX_MISTAKES: usize = 50;

/// The columns of a register's file, in the order in which it is written.
pub const COLUMNS: [&str; 14] = [
    "id",
    "holder",
    "text",
    "jurisdiction",
    "number",
    "nice_classes",
    "status",
    "registered_on",
    "expires_on",
    "well_known",
    "aliases",
    "goods",
    "authorised_sellers",
    "usual_price",
];

/// Reads marks from `text`; `file` names it in messages. Only the column `text` is required: `id` and
/// `holder` are the text itself where absent, everything else is empty.
///
/// # Errors
/// Every mistake, up to 50, with its line; then nothing is imported.
pub fn import_csv(file: &str, text: &str) -> Result<Vec<Mark>, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = |message: String, help: &str| {
        vec![Diagnostic::error(file, text, 0..line_end(text, 0), "marks.file", message, help)]
    };
    if text.len() > MAX_FILE_BYTES {
        return Err(whole(format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len()), "split it"));
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header =
        reader.headers().map_err(|error| whole(error.to_string(), "the first line names the columns"))?.clone();
    let columns = columns(&header, &["text"]).map_err(|(message, help)| whole(message, help))?;
    let mut marks: Vec<Mark> = Vec::new();
    let mut wrong = Vec::new();
    let mut seen = std::collections::HashMap::new();
    let mut record = csv::StringRecord::new();
    loop {
        if wrong.len() >= MAX_MISTAKES {
            return Err(wrong);
        }
        let start = reader.position().byte() as usize;
        let place = |at: usize| at..line_end(text, at);
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                wrong.push(Diagnostic::error(
                    file,
                    text,
                    place(start),
                    "marks.row",
                    error.to_string(),
                    "quote cells that hold a comma or a line break",
                ));
                continue;
            }
        }
        let at = record.position().map_or(start, |position| position.byte() as usize);
        let at = at + text.get(at..).map_or(0, |rest| rest.len() - rest.trim_start_matches(['\r', '\n']).len());
        if record.len() > columns.len() {
            let message = format!("the row has {} cells, the header {}", record.len(), columns.len());
            wrong.push(Diagnostic::error(
                file,
                text,
                place(at),
                "marks.row",
                message,
                "quote cells that hold a comma; separate lists by ;",
            ));
            continue;
        }
        let cell = |name: &str| {
            let index = columns.iter().position(|column| *column == name);
            index.and_then(|index| record.get(index)).unwrap_or("").trim()
        };
        match mark(&cell, record.iter()) {
            Ok(mark) => {
                if let Some(first) = seen.insert(mark.id.clone(), marks.len() + 2) {
                    let message = format!("the id `{}` was used before, in row {first}", mark.id);
                    wrong.push(Diagnostic::error(
                        file,
                        text,
                        place(at),
                        "marks.duplicate",
                        message,
                        "give every mark its own id",
                    ));
                }
                marks.push(mark);
            }
            Err((message, help)) => wrong.push(Diagnostic::error(file, text, place(at), "marks.row", message, help)),
        }
        if marks.len() > MAX_MARKS {
            return Err(whole(format!("more than {MAX_MARKS} marks"), "split the file"));
        }
    }
    if wrong.is_empty() { Ok(marks) } else { Err(wrong) }
}

/// What is wrong with a row, and how to mend it.
pub(super) type Mistake = (String, &'static str);

fn line_end(text: &str, from: usize) -> usize {
    text.get(from..).and_then(|rest| rest.find(['\r', '\n'])).map_or(text.len(), |length| from + length)
}

/// The columns that a header names, all of `required` among them.
pub(super) fn columns(header: &csv::StringRecord, required: &[&str]) -> Result<Vec<&'static str>, Mistake> {
    let columns: Vec<&'static str> = header
        .iter()
        .map(|name| {
            named(name).ok_or_else(|| {
                (format!("the column `{}` is not known", name.trim()), "columns: id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,well_known,aliases,goods,authorised_sellers,usual_price")
            })
        })
        .collect::<Result<_, _>>()?;
    if let Some(missing) = required.iter().find(|name| !columns.contains(name)) {
        return Err((
            format!("there is no column `{missing}`"),
            "the first line names the columns; `text` holds the registered words",
        ));
    }
    Ok(columns)
}

/// The mark whose facts `cell` gives by their names, from a row of these `cells`.
pub(super) fn mark<'c>(
    cell: &dyn Fn(&str) -> &'c str,
    mut cells: impl Iterator<Item = &'c str>,
) -> Result<Mark, Mistake> {
    if cells.any(|cell| cell.len() > MAX_CELL_BYTES) {
        return Err((format!("a cell has more than {MAX_CELL_BYTES} bytes"), "is a quote missing?"));
    }
    let text = cell("text");
    if text.is_empty() {
        return Err(("the mark has no text".into(), "fill the column `text`"));
    }
    let units = fold(text).chars().count();
    if units == 0 || units > MAX_UNITS {
        return Err((
            format!("`{text}` has {units} letters once folded; 1 to {MAX_UNITS} can be watched"),
            "watch the distinctive words of a figurative or long mark",
        ));
    }
    let or_text = |value: &str| if value.is_empty() { text.to_owned() } else { value.to_owned() };
    Ok(Mark {
        id: MarkId::new(&or_text(cell("id"))).map_err(|error| (error.to_string(), "fill the column `id`"))?,
        holder: or_text(cell("holder")),
        text: text.to_owned(),
        jurisdiction: cell("jurisdiction").to_owned(),
        number: cell("number").to_owned(),
        nice_classes: classes(cell("nice_classes"))?,
        status: status(cell("status"))?,
        registered_on: date("registered_on", cell("registered_on"))?,
        expires_on: date("expires_on", cell("expires_on"))?,
        well_known: truth(cell("well_known"))?,
        aliases: list(cell("aliases")),
        goods: list(cell("goods")),
        authorised_sellers: list(cell("authorised_sellers")),
        usual_price: price(cell("usual_price"))?,
        unwatched: Vec::new(),
    })
}

/// An amount with its currency before or behind it, yuan where none is named: `899`, `99.50 USD`.
fn price(cell: &str) -> Result<Option<Money>, Mistake> {
    if cell.is_empty() {
        return Ok(None);
    }
    let is_code = |part: &&str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut parts: Vec<&str> = cell.split_whitespace().collect();
    let currency = parts.iter().position(is_code).map_or("CNY", |at| parts.remove(at));
    match parts[..] {
        [amount] if amount.parse::<Amount>().is_ok_and(|amount| amount.as_f64() > 0.0) => {
            let amount =
                amount.parse().map_err(|_| (format!("`{cell}` is no price"), "write it like 899 or 99.50 USD"))?;
            Ok(Some(Money { amount, currency: currency.to_owned() }))
        }
        _ => Err((format!("`{cell}` is no price"), "write it like 899 or 99.50 USD")),
    }
}

pub(super) fn list(cell: &str) -> Vec<String> {
    cell.split([';', '；']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

pub(super) fn classes(cell: &str) -> Result<Vec<u8>, Mistake> {
    cell.split([';', '；', ',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse().ok().filter(|class| (1..=45).contains(class)).ok_or_else(|| {
                (format!("`{part}` is no Nice class"), "classes are numbers from 1 to 45, separated by ;")
            })
        })
        .collect()
}

pub(super) fn status(cell: &str) -> Result<MarkStatus, Mistake> {
    match cell.to_ascii_lowercase().as_str() {
        "" | "registered" | "active" | "live" | "valid" | "有效" | "注册" | "已注册" => {
            Ok(MarkStatus::Registered)
        }
        "pending" | "applied" | "申请" | "申请中" => Ok(MarkStatus::Pending),
        "dead" | "expired" | "lapsed" | "cancelled" | "canceled" | "refused" | "invalid" | "无效" | "失效" | "注销" => {
            Ok(MarkStatus::Dead)
        }
        _ => Err((format!("the status `{cell}` is not known"), "write registered, pending or dead")),
    }
}

pub(super) fn date(column: &str, cell: &str) -> Result<Option<Date>, Mistake> {
    if cell.is_empty() {
        return Ok(None);
    }
    // A workbook's days come with the hour at which they begin.
    cell.trim_end_matches(" 00:00:00")
        .replace(['/', '.', '年', '月'], "-")
        .trim_end_matches('日')
        .parse()
        .map(Some)
        .map_err(|_| (format!("`{cell}` in {column} is no date"), "write 2026-11-23"))
}

fn truth(cell: &str) -> Result<bool, Mistake> {
    match cell.to_ascii_lowercase().as_str() {
        "" | "false" | "0" | "no" | "否" => Ok(false),
        "true" | "1" | "yes" | "是" => Ok(true),
        _ => Err((format!("`{cell}` in well_known is neither true nor false"), "write true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_row_and_a_bare_one_are_read() {
        let marks = import_csv(
            "marks.csv",
            "\u{feff}id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,well_known,aliases,goods,authorised_sellers\r\n\
             m1,云雀公司,云雀,CN,123,25;18,registered,2016-05-07,2036/05/06,true,YUNQUE;云雀儿,鞋;帽,云雀旗舰店\r\n",
        )
        .unwrap();
        assert_eq!(marks[0].nice_classes, [25, 18]);
        assert_eq!(marks[0].aliases, ["YUNQUE", "云雀儿"]);
        assert!(marks[0].well_known);
        let bare = import_csv("m.csv", "text\nVorlune\n").unwrap();
        assert_eq!((bare[0].id.as_str(), bare[0].holder.as_str()), ("Vorlune", "Vorlune"));
    }

    #[test]
    fn every_bad_row_is_named_with_its_line_and_nothing_is_imported() {
        let wrong = import_csv("marks.csv", "id,text,nice_classes\na,云雀,25\nb,,25\nc,栖木,99\na,鹿鸣,1\nd,x,1,2\n")
            .unwrap_err();
        let lines: Vec<usize> = wrong.iter().map(|wrong| wrong.line_column().0).collect();
        assert_eq!(lines, [3, 4, 5, 6]);
        assert!(wrong[1].to_string().contains("marks.csv:4:1") && wrong[1].message.contains("99"), "{}", wrong[1]);
    }

    #[test]
    fn an_unknown_column_and_a_missing_text_column_are_refused() {
        assert!(import_csv("m.csv", "id,txt\n1,a\n").unwrap_err()[0].message.contains("txt"));
        assert!(import_csv("m.csv", "id,holder\n1,a\n").unwrap_err()[0].message.contains("text"));
    }

    #[test]
    fn cells_and_marks_that_are_too_long_are_refused() {
        let cell = format!("text,goods\n云雀,{}\n", "x".repeat(MAX_CELL_BYTES + 1));
        assert!(import_csv("m.csv", &cell).is_err());
        let text = format!("text\n{}\n", "云".repeat(MAX_UNITS + 1));
        assert!(import_csv("m.csv", &text).is_err());
        assert!(import_csv("m.csv", "text\n★★★\n").is_err());
    }
}
