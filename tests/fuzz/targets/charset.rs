//! Any bytes are decoded, whatever the header says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::decode;

fuzz_target!(|bytes: &[u8]| {
    let _ = decode(bytes, None);
    let _ = decode(bytes, Some("text/html; charset=gbk"));
});
