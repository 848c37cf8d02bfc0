//! What a site sends where a crawl begins: feeds, and JSON documents looked into by pointers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::{LINKS, feed, find_pointer};
use url::Url;

fuzz_target!(|text: &str| {
    let base = Url::parse("http://shop.example/feed").expect("an address");
    assert!(feed(text, &base).items.len() <= LINKS);
    if let Some((pointer, document)) = text.split_once('\n')
        && let Ok(document) = serde_json::from_str::<serde_json::Value>(document)
    {
        let found = find_pointer(&document, pointer);
        if !pointer.contains('*') && pointer.split('/').count() < 30 {
            assert_eq!(found.first().copied(), document.pointer(pointer));
        }
    }
});
