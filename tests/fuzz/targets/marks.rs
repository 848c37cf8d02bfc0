//! Any text may be handed over as a marks file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::marks::{Register, import_csv};

fuzz_target!(|text: &str| {
    match import_csv("marks.csv", text) {
        Ok(marks) => drop(Register::new(marks)),
        Err(mistakes) => drop(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
});
