//! Every unit of a fold maps back to whole characters, and folding again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::text::{Folded, fold};

fuzz_target!(|text: &str| {
    let folded = Folded::new(text);
    assert_eq!(folded.len(), folded.text().chars().count());
    for unit in 0..folded.len() {
        let span = folded.span(unit..unit + 1);
        assert!(text.get(span.bytes).is_some_and(|part| part.chars().count() == 1));
    }
    let once = fold(text);
    assert_eq!(fold(&once), once);
    let _ = folded.steps(text, 0..folded.len());
});
