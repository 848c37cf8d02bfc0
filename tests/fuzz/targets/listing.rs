//! Any line may be handed over as a listing; what is read is matched, and spans point into it.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use markwarden::{
    marks::{Register, import_csv},
    matcher::{Matcher, Settings},
    model::Listing,
    rules::RuleSet,
};

static MATCHER: LazyLock<Matcher> = LazyLock::new(|| {
    let marks = import_csv("marks.csv", include_str!("../../../fixtures/market/marks.csv")).unwrap_or_default();
    let rules = RuleSet::builtin().ok().map(Arc::new);
    Matcher::new(Arc::new(Register::new(marks)), rules, Settings::default())
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(listing) = serde_json::from_slice::<Listing>(bytes) else { return };
    let Ok(day) = "2026-11-23".parse() else { return };
    let found = MATCHER.check(&listing, day);
    for finding in found.findings.iter().chain(&found.suppressed) {
        let text = listing.surface_text(&finding.surface).unwrap_or_default();
        let there: String = text.chars().skip(finding.start).take(finding.end - finding.start).collect();
        assert_eq!(there, finding.text);
    }
});
