//! Any bytes may be handed in as a file of listings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::intake::{MAX_ROWS, Options, read};

fuzz_target!(|bytes: &[u8]| {
    let options = Options { platform: Some("p".into()), ..Options::default() };
    for name in ["a.csv", "a.xlsx", "a.jsonl"] {
        let Ok((rows, _)) = read(name, bytes, &options) else { continue };
        assert!(rows.len() <= MAX_ROWS + 1);
        assert!(rows.iter().flatten().all(|(_, listing)| !listing.title.is_empty() && !listing.id.is_empty()));
    }
});
