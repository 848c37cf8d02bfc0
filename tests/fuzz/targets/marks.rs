//! Any text may be handed over as a marks file, CSV or XML, and any table of it be read with the columns that its header names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::{
    intake,
    marks::{Columns, Register, import_csv, import_rows, import_xml},
};

fuzz_target!(|text: &str| {
    match import_csv("marks.csv", text) {
        Ok(marks) => drop(Register::new(marks)),
        Err(mistakes) => drop(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
    drop(import_xml("marks.xml", text));
    let Ok((rows, _)) = intake::cells("marks.csv", text.as_bytes()) else { return };
    let Some(((_, header), rows)) = rows.split_first() else { return };
    let table = import_rows(&Columns::guess(header), rows);
    assert!(table.marks.len() + table.wrong.len() <= rows.len());
});
