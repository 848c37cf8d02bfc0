//! What a room sends as packets, and what stands in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::live::{Fields, Framing, MAX_DECODED_BYTES, packet};

fuzz_target!(|bytes: &[u8]| {
    for framing in [Framing::None, Framing::Gzip, Framing::Bilibili] {
        if let Ok(messages) = framing.messages(bytes) {
            let length: usize = messages.iter().map(Vec::len).sum();
            assert!(length <= MAX_DECODED_BYTES + bytes.len());
            messages.iter().for_each(|message| drop(Fields::bilibili().read(message, "room")));
        }
    }
    let packed = packet(0, 5, bytes);
    assert_eq!(Framing::Bilibili.messages(&packed), Ok(vec![bytes.to_vec()]));
});
