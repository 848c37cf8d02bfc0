//! Whatever a text is: what is found in it lies on whole characters, and every way to read it stays inside.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use markwarden::{
    marks::{Register, import_csv},
    model::{Surface, SurfaceKind},
    text::FoldedSurface,
};

static REGISTER: LazyLock<Register> = LazyLock::new(|| {
    let marks = "text,nice_classes\n耐克,25\n三只松鼠,29\n好妈妈,3\nvorlune,25\nNORTH FACE,25\n青鸟云海,25\n一生一世,14\nnike,25\n明月,3\n";
    Register::new(import_csv("marks.csv", marks).expect("the marks are well written"))
});

fuzz_target!(|text: &str| {
    let surface = FoldedSurface::new(Surface { path: String::new(), kind: SurfaceKind::Title, text });
    let folded = &surface.folded;
    let lattice = surface.lattice();
    for token in 0..lattice.tokens().len() {
        for reading in lattice.readings(token) {
            assert!(reading.start < reading.end);
            assert!(text.get(lattice.span(reading.start as usize..reading.end as usize).bytes).is_some());
        }
    }
    for occurrence in REGISTER.find(&surface, &[25, 3]) {
        let there = text.get(occurrence.span.bytes.clone());
        assert!(there.is_some_and(|there| there.chars().count() == occurrence.span.chars.len()));
        assert_eq!(text.get(..occurrence.span.bytes.start).map(|before| before.chars().count()), Some(occurrence.span.chars.start));
        let _ = occurrence.foreign_gaps(folded);
    }
});
