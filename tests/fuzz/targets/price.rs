//! Any text may stand where a price is expected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::parse_price;

fuzz_target!(|text: &str| {
    let _ = parse_price(text, None);
    let _ = parse_price(text, Some("CNY"));
});
