//! Any text may be handed over as a statute, a word list or a lock; any rule file may be formatted and mended.
#![no_main]

use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use markwarden::rules::{RuleSet, RuleSource, fix, format};

fuzz_target!(|text: &str| {
    let day = date(2026, 11, 23);
    let source = |path: &str| RuleSource { path: path.to_owned(), text: text.to_owned() };
    let files = [source("ad.fuzz.toml"), source("statutes/fuzz.toml"), source("lists/fuzz.txt"), source("versions.lock")];
    for file in &files {
        let problems = RuleSet::problems(vec![file.clone()], day);
        drop(problems.iter().map(ToString::to_string).collect::<Vec<_>>());
        let _ = fix(std::slice::from_ref(file), day);
    }
    for is_statute in [false, true] {
        let once = format(text, is_statute);
        assert_eq!(format(&once, is_statute), once);
    }
});
