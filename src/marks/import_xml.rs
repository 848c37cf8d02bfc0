//! Marks from the XML of offices: WIPO ST.66, WIPO ST.96 and the daily files of the USPTO.
//!
//! Read as a stream; entities other than the predefined ones are never expanded. Elements are known by their names without
//! prefix ([`ELEMENTS`]); what a record says becomes a row of the CSV form, so that both are checked by the same rules.

use quick_xml::{Reader, events::Event};

use super::{MAX_CELL_BYTES, MAX_FILE_BYTES, MAX_MARKS, import_csv};
use crate::model::{Diagnostic, Mark};

/// Elements inside one another.
const MAX_DEPTH: usize = 64;
/// What begins a record, and the office it comes from where that is known.
const RECORDS: [(&str, &str); 3] = [("Trademark", ""), ("TradeMark", ""), ("case-file", "US")];
/// Elements around a name that is not the holder's.
const NOT_HOLDERS: [&str; 4] = ["Representative", "Correspondence", "Attorney", "Staff"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Text,
    Number,
    Application,
    Office,
    From,
    Until,
    Class,
    Holder,
    Status,
    Ended,
    Goods,
}

/// What elements hold.
const ELEMENTS: &[(&str, Field)] = &[
    ("MarkVerbalElementText", Field::Text),
    ("MarkSignificantVerbalElementText", Field::Text),
    ("mark-identification", Field::Text),
    ("RegistrationNumber", Field::Number),
    ("registration-number", Field::Number),
    ("ApplicationNumber", Field::Application),
    ("ApplicationNumberText", Field::Application),
    ("serial-number", Field::Application),
    ("RegistrationOfficeCode", Field::Office),
    ("RegistrationDate", Field::From),
    ("registration-date", Field::From),
    ("ExpiryDate", Field::Until),
    ("ExpirationDate", Field::Until),
    ("ClassNumber", Field::Class),
    ("international-code", Field::Class),
    ("EntityName", Field::Holder),
    ("OrganizationStandardName", Field::Holder),
    ("OrganizationName", Field::Holder),
    ("LastName", Field::Holder),
    ("party-name", Field::Holder),
    ("MarkCurrentStatusCode", Field::Status),
    ("MarkCurrentStatusCategory", Field::Status),
    ("cancellation-date", Field::Ended),
    ("abandonment-date", Field::Ended),
    ("GoodsServicesDescription", Field::Goods),
    ("GoodsServicesDescriptionText", Field::Goods),
];

/// A record as far as it was read.
#[derive(Debug, Default)]
struct Record {
    office: String,
    text: String,
    number: String,
    application: String,
    from: String,
    until: String,
    classes: Vec<String>,
    holder: String,
    status: String,
    ended: bool,
    goods: Vec<String>,
}

/// Reads marks from an office's `text`; `file` names it in messages. Lines in mistakes count records, the first being 2.
///
/// # Errors
/// What is no XML of these forms, or every mistake in a record; then nothing is imported.
pub fn import_xml(file: &str, text: &str) -> Result<Vec<Mark>, Vec<Diagnostic>> {
    let whole = |message: String, help: &str| vec![Diagnostic::error(file, text, 0..0, "marks.xml", message, help)];
    if text.len() > MAX_FILE_BYTES {
        return Err(whole(format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len()), "split it"));
    }
    let rows = rows(text).map_err(|message| whole(message, "send XML of WIPO ST.66, WIPO ST.96 or the USPTO"))?;
    if rows.is_empty() {
        return Err(whole(
            "there is no trademark in it".into(),
            "records are Trademark, TradeMark or case-file elements",
        ));
    }
    import_csv(file, &csv(&rows))
}

fn rows(text: &str) -> Result<Vec<Record>, String> {
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut path: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    let mut record: Option<(usize, Record)> = None;
    let mut field: Option<(Field, String)> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                let name = local(element.name().as_ref()).to_owned();
                if path.len() >= MAX_DEPTH {
                    return Err(format!("elements stand more than {MAX_DEPTH} deep"));
                }
                let begins = RECORDS.iter().find(|(record, _)| *record == name);
                if let (None, Some((_, office))) = (&record, begins) {
                    record = Some((path.len(), Record { office: (*office).to_owned(), ..Record::default() }));
                }
                if record.is_some() {
                    let known = ELEMENTS.iter().find(|(known, _)| *known == name);
                    field = known.map(|(_, field)| (*field, String::new()));
                }
                path.push(name);
            }
            Ok(Event::End(_)) => {
                path.pop();
                if let (Some((what, text)), Some((_, record))) = (field.take(), &mut record) {
                    record.take(what, text.trim(), &path);
                }
                if record.as_ref().is_some_and(|(depth, _)| *depth == path.len())
                    && let Some((_, done)) = record.take()
                {
                    rows.push(done);
                }
                if rows.len() > MAX_MARKS {
                    return Err(format!("more than {MAX_MARKS} marks"));
                }
            }
            Ok(Event::Text(part)) => extend(&mut field, &part.xml10_content()),
            Ok(Event::CData(part)) => extend(&mut field, &part.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                let char = reference.resolve_char_ref().ok().flatten().or_else(|| predefined(&reference));
                extend(&mut field, char.map(String::from).as_deref().unwrap_or_default());
            }
            Ok(Event::Eof) if path.is_empty() => return Ok(rows),
            Ok(Event::Eof) => return Err("it ends in the middle of an element".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("at byte {}: {error}", reader.error_position())),
        }
    }
}

impl Record {
    fn take(&mut self, what: Field, text: &str, around: &[String]) {
        if text.is_empty() {
            return;
        }
        let first = |place: &mut String| {
            if place.is_empty() {
                text.clone_into(place);
            }
        };
        match what {
            Field::Text => first(&mut self.text),
            // The USPTO writes zeros where there is none yet.
            Field::Number if text.bytes().all(|byte| byte == b'0') => {}
            Field::Number => first(&mut self.number),
            Field::Application => first(&mut self.application),
            Field::Office => first(&mut self.office),
            Field::From => first(&mut self.from),
            Field::Until => first(&mut self.until),
            Field::Class => self.classes.push(text.trim_start_matches('0').to_owned()),
            Field::Holder => {
                let other = around.iter().any(|name| NOT_HOLDERS.iter().any(|not| name.contains(not)));
                if !other {
                    first(&mut self.holder);
                }
            }
            Field::Status => first(&mut self.status),
            Field::Ended => self.ended = true,
            Field::Goods => self.goods.push(text.replace([';', '；'], ",")),
        }
    }

    fn status(&self) -> &'static str {
        let says = self.status.to_lowercase();
        let ended = ["expired", "cancel", "dead", "withdrawn", "refus", "abandon", "lapsed", "invalid", "surrender"];
        if self.ended || ended.iter().any(|word| says.contains(word)) {
            "dead"
        } else if self.number.is_empty() || says.contains("filed") || says.contains("pending") {
            "pending"
        } else {
            "registered"
        }
    }

    fn cells(&self) -> [String; 9] {
        let number = if self.number.is_empty() { &self.application } else { &self.number };
        let id = if number.is_empty() { String::new() } else { format!("{}-{number}", self.office) };
        // Classes beyond 45 are an office's own for certification and collective marks.
        let nice = |class: &&String| class.parse::<u8>().is_ok_and(|class| (1..=45).contains(&class));
        let mut classes: Vec<String> = self.classes.iter().filter(nice).cloned().collect();
        classes.sort();
        classes.dedup();
        [
            id.trim_start_matches('-').to_owned(),
            self.holder.clone(),
            self.text.clone(),
            self.office.clone(),
            number.clone(),
            classes.join(";"),
            self.status().to_owned(),
            day(&self.from),
            day(&self.until),
        ]
    }
}

/// `20021105`, `2002-11-05` or `2002-11-05-04:00` as `2002-11-05`.
fn day(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(8).collect();
    match (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => text.to_owned(),
    }
}

fn csv(rows: &[Record]) -> String {
    let mut out = "id,holder,text,jurisdiction,number,nice_classes,status,registered_on,expires_on,goods\n".to_owned();
    for record in rows {
        let goods = record.goods.join(";");
        let cells = record.cells();
        for (number, cell) in cells.iter().chain(std::iter::once(&goods)).enumerate() {
            if number > 0 {
                out.push(',');
            }
            out.push('"');
            // One record is one line, so that mistakes can count them.
            out.push_str(&cell.replace('"', "\"\"").replace(['\r', '\n'], " "));
            out.push('"');
        }
        out.push('\n');
    }
    out
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn extend(field: &mut Option<(Field, String)>, part: &str) {
    if let Some((_, text)) = field
        && text.len() + part.len() <= MAX_CELL_BYTES
    {
        text.push_str(part);
    }
}

fn predefined(name: &str) -> Option<char> {
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')]
        .into_iter()
        .find_map(|(known, char)| (known == name).then_some(char))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::MarkStatus;

    const ST96: &str = include_str!("../../fixtures/marks/st96.xml");
    const ST66: &str = include_str!("../../fixtures/marks/st66.xml");
    const USPTO: &str = include_str!("../../fixtures/marks/uspto.xml");

    #[test]
    fn the_forms_of_three_offices_are_read() {
        let mark = &import_xml("st96.xml", ST96).unwrap()[0];
        assert_eq!(
            (mark.id.as_str(), mark.text.as_str(), mark.holder.as_str()),
            ("EM-018000001", "云雀 SKYLARK & CO", "Yunque Sports Co., Ltd.")
        );
        assert_eq!(
            (mark.nice_classes.as_slice(), mark.expires_on.unwrap().to_string()),
            (&[18, 25][..], "2031-05-06".into())
        );
        let marks = import_xml("st66.xml", ST66).unwrap();
        assert_eq!((marks.len(), marks[0].number.as_str(), marks[0].status), (2, "30112233", MarkStatus::Registered));
        assert_eq!(marks[1].status, MarkStatus::Dead);
        let marks = import_xml("uspto.xml", USPTO).unwrap();
        assert_eq!((marks[0].id.as_str(), marks[0].jurisdiction.as_str()), ("US-7654321", "US"));
        assert_eq!(marks[0].registered_on.unwrap().to_string(), "2023-04-18");
        assert_eq!((marks[1].number.as_str(), marks[1].status), ("98000002", MarkStatus::Pending));
    }

    #[test]
    fn what_is_no_such_file_is_refused_and_nothing_is_expanded() {
        for text in ["", "<a/>", "<Trademark>", "<Trademark></b>", "text"] {
            assert!(import_xml("m.xml", text).is_err(), "{text}");
        }
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        assert!(import_xml("m.xml", &deep).unwrap_err()[0].message.contains("deep"));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;\">]><Trademark><MarkVerbalElementText>x&c;y</MarkVerbalElementText></Trademark>";
        assert_eq!(import_xml("m.xml", bomb).unwrap()[0].text, "xy");
        let long = format!(
            "<Trademark><MarkVerbalElementText>{}</MarkVerbalElementText></Trademark>",
            "a".repeat(MAX_CELL_BYTES + 1)
        );
        assert!(import_xml("m.xml", &long).is_err(), "a text beyond the bound is none");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(<(Trademark|a|/a|/Trademark|RegistrationNumber|/RegistrationNumber)>|&[a-z]{1,3};|[a-z0-9\"\\n]{0,5}){0,30}") {
            let _ = import_xml("m.xml", &text);
        }
    }
}
