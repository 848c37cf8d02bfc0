//! Any text may be handed over as a marks file, CSV or XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::marks::{Register, import_csv, import_xml};

fuzz_target!(|text: &str| {
    match import_csv("marks.csv", text) {
        Ok(marks) => drop(Register::new(marks)),
        Err(mistakes) => drop(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
    drop(import_xml("marks.xml", text));
});
