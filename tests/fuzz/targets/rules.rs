//! Any text may be handed over as a rule file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::rules::{RuleSet, RuleSource};

fuzz_target!(|text: &str| {
    let source = RuleSource { path: "ad.fuzz.toml".into(), text: text.to_owned() };
    if let Err(mistakes) = RuleSet::parse(vec![source]) {
        drop(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
});
