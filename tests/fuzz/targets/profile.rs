//! Any text may be handed over as a site profile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::{CompiledProfile, Profile};

fuzz_target!(|text: &str| {
    match Profile::parse("site.toml", text) {
        Ok(profile) => drop(CompiledProfile::new(&profile)),
        Err(mistake) => drop(mistake.to_string()),
    }
});
