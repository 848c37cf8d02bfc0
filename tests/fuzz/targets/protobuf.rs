//! What a room sends as Protocol Buffers, and paths that say where things stand in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::live::{FieldPath, Fields, Protobuf};

const MOST: usize = 10_000;

fn path(text: &str) -> FieldPath {
    FieldPath::try_from(text.to_owned()).unwrap_or_default()
}

fuzz_target!(|bytes: &[u8]| {
    let plain = Protobuf {
        payload: path("8"),
        messages: path("1"),
        kind: path("1"),
        body: path("2"),
        text: path("3"),
        viewer: path("2.1"),
        at: path("15"),
        goods_id: path("4.1"),
        goods_price: path("4.2"),
        ..Protobuf::default()
    };
    for contract in [Protobuf { gzip: true, ..plain.clone() }, plain, Protobuf { text: path("1"), ..Protobuf::default() }] {
        let Ok(messages) = contract.read(bytes) else { continue };
        assert!(messages.len() <= MOST);
        assert!(Fields::default().read_protobuf(&messages, "room").len() <= messages.len());
    }
    if let Ok(path) = FieldPath::try_from(String::from_utf8_lossy(bytes).into_owned()) {
        assert_eq!(FieldPath::try_from(path.to_string()), Ok(path));
    }
});
