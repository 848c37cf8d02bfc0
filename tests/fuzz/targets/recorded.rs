//! Any text may stand in a file of expected facts, and any bytes in the page beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::{CompiledProfile, PageText, Profile, Recorded, sketch};

const PROFILE: &str = "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n\
    [listing]\nmatch = [\"/p/\"]\n[listing.select]\ntitle = \"h1\"\n";

fuzz_target!(|parts: (String, Vec<u8>)| {
    let (facts, page) = parts;
    let Ok(profile) = Profile::parse("s.toml", PROFILE) else { return };
    if let Ok(url) = url::Url::parse("https://s.example/p/7") {
        drop(sketch(&PageText { url: &url, text: &String::from_utf8_lossy(&page) }));
    }
    if let Ok(recorded) = Recorded::parse("s/7.toml", facts, page) {
        drop(recorded.check(&CompiledProfile::new(&profile)));
    }
});
