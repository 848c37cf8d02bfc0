//! What a reviewer types into the search field: read within its bounds, whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::review::{MAX_TERMS, Search};

fuzz_target!(|text: &str| {
    let terms = Search::parse(text).terms;
    assert!(terms.len() <= MAX_TERMS);
    assert!(terms.iter().all(|term| !term.word.trim().is_empty()));
});
