//! Whether a page says that its product can be bought.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{super::words, Mark, View};

/// Longest text that is a statement about stock, in characters.
const STOCK_CHARS: usize = 60;

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Out,
    In,
    Buy,
}

struct Known {
    phrases: Option<AhoCorasick>,
    says: Vec<Says>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let tables = [(words::OUT, Says::Out), (words::IN, Says::In), (words::BUY, Says::Buy)];
    let all: Vec<(&str, Says)> =
        tables.iter().flat_map(|(phrases, says)| phrases.iter().map(|phrase| (*phrase, *says))).collect();
    Known {
        phrases: AhoCorasick::new(all.iter().map(|(phrase, _)| phrase)).ok(),
        says: all.into_iter().map(|(_, says)| says).collect(),
    }
});

/// schema.org's word; `offered` says that the page names a price. A price with nothing said against it is an offer.
pub(super) fn read(view: &View<'_, '_>, offered: bool) -> Option<&'static str> {
    let mut stated = None;
    let (mut out, mut buy, mut there) = (false, false, offered);
    for short in view.texts.iter().filter(|short| short.lower.chars().count() <= STOCK_CHARS) {
        let marked = view.is_marked(short.index, 2, Mark::Stock);
        match says(&short.lower, marked) {
            Some(Says::Buy) => buy = true,
            Some(says) => {
                out |= says == Says::Out;
                there |= says == Says::In;
                stated = stated.or(marked.then_some(says));
            }
            None => {}
        }
    }
    match (stated, buy, out) {
        (Some(Says::Out), ..) | (None, false, true) => Some("OutOfStock"),
        (Some(_), ..) | (None, true, _) => Some("InStock"),
        (None, false, false) => there.then_some("InStock"),
    }
}

/// What a statement says: at its start, or anywhere where its place says it is about stock. Out wins over in, as
/// `not available` contains `available`.
fn says(text: &str, marked: bool) -> Option<Says> {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    if text.contains("not sold") {
        return Some(Says::In);
    }
    let fits = |start: usize, end: usize, says: Says| match says {
        Says::Buy => start == 0 && text.len() <= end + 16,
        _ => marked || start == 0 && text.len() <= end + 12,
    };
    let found = KNOWN.phrases.as_ref()?.find_overlapping_iter(text).filter_map(|found| {
        let says = *KNOWN.says.get(found.pattern().as_usize())?;
        fits(found.start(), found.end(), says).then_some(says)
    });
    found.min_by_key(|says| *says as u8)
}
