//! Any bytes may be handed over as a stored record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::evidence::Record;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::read(bytes, 1 << 20) {
        let _ = record.http();
    }
});
