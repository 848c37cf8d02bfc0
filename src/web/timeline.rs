//! The live layout of a hit: what was said, written and sold around the second of its finding, and what was pinned then.

use super::{
    card::{marks_on, price_words, visible},
    spans::{self, Run},
    words::Words,
};
use crate::model::{Finding, Goods, Listing, Moment, TimelineEntry};

/// Most moments shown: as many before the finding's as after it.
const MAX_CUES: usize = 80;

/// A timeline as a card shows it.
pub(super) struct TimelineView {
    /// The finding's time in the broadcast.
    pub at: String,
    pub cues: Vec<CueView>,
    /// What was pinned, each once, in the order of the moments.
    pub pins: Vec<PinView>,
    /// Moments that are not shown, in words; empty where all are.
    pub left_out: String,
}

/// One moment.
pub(super) struct CueView {
    pub clock: String,
    /// `caption`, `danmaku` or `shelf`.
    pub kind: &'static str,
    pub kind_words: String,
    pub speaker: String,
    pub runs: Vec<Run>,
    pub price: String,
    pub found: bool,
    /// The one that is looked at first.
    pub current: bool,
    /// The place of what was pinned then among all.
    pub pin: usize,
}

/// What was pinned.
pub(super) struct PinView {
    /// Empty where nothing was.
    pub title: String,
    pub href: Option<String>,
    pub price: String,
    /// What the page of the listing asked, where it is another price.
    pub page_price: String,
    pub shown: bool,
}

impl TimelineView {
    /// Of a listing with a timeline; none where there is nothing on it.
    pub(super) fn of(listing: &Listing, findings: &[Finding], words: Words) -> Option<Self> {
        let mut order: Vec<(usize, &TimelineEntry)> = listing.timeline.iter().enumerate().collect();
        order.sort_by_key(|(index, entry)| (entry.at_ms, *index));
        let marks = |index: usize| marks_on(&path(index), findings);
        let strongest = findings.iter().find(|finding| listing.timeline_entry(&finding.surface).is_some());
        let middle = order
            .iter()
            .position(|(index, _)| strongest.is_some_and(|finding| finding.surface == path(*index)))
            .or_else(|| order.iter().position(|(index, _)| !marks(*index).is_empty()))
            .unwrap_or(0);
        let begin = middle.saturating_sub(MAX_CUES / 2).min(order.len().saturating_sub(MAX_CUES));
        let near = order.get(begin..order.len().min(begin + MAX_CUES))?;
        let at_ms = order.get(middle)?.1.at_ms;
        let told = strongest.and_then(|finding| finding.moment.clone());
        let mut pins: Vec<Option<Goods>> = Vec::new();
        let cues: Vec<CueView> = near
            .iter()
            .enumerate()
            .map(|(place, &(index, entry))| {
                let current = begin + place == middle;
                let moment = told.clone().filter(|_| current).unwrap_or_else(|| listing.moment(entry.at_ms));
                let pin = pins.iter().position(|known| *known == moment.goods).unwrap_or_else(|| {
                    pins.push(moment.goods);
                    pins.len() - 1
                });
                cue(entry, &marks(index), (current, pin), words)
            })
            .collect();
        let shown = cues.iter().find(|cue| cue.current).map_or(0, |cue| cue.pin);
        let left_out = (order.len() - near.len()) as u64;
        Some(Self {
            at: clock(at_ms),
            cues,
            pins: pins.iter().enumerate().map(|(at, goods)| pin(goods.as_ref(), at == shown)).collect(),
            left_out: if left_out > 0 { words.count("surfaces-left-out", left_out) } else { String::new() },
        })
    }
}

fn path(index: usize) -> String {
    format!("timeline[{index}].text")
}

fn clock(at_ms: u64) -> String {
    Moment { at_ms, goods: None }.clock()
}

fn cue(entry: &TimelineEntry, marks: &[spans::MarkedSpan], (current, pin): (bool, usize), words: Words) -> CueView {
    let (kind, name) = match entry.kind.as_str() {
        "danmaku" => ("danmaku", "surface-danmaku"),
        "shelf" => ("shelf", "surface-shelf"),
        _ => ("caption", "surface-spoken"),
    };
    let goods = entry.goods.as_ref();
    let text = if entry.text.is_empty() { goods.map_or("", |goods| goods.title.as_str()) } else { entry.text.as_str() };
    CueView {
        clock: clock(entry.at_ms),
        kind,
        kind_words: words.say(name),
        speaker: visible(entry.speaker.as_deref().unwrap_or("")),
        runs: spans::runs(text, marks, true, words),
        price: goods.and_then(|goods| goods.price.as_ref()).map(price_words).unwrap_or_default(),
        found: !marks.is_empty(),
        current,
        pin,
    }
}

fn pin(goods: Option<&Goods>, shown: bool) -> PinView {
    let Some(goods) = goods else {
        let (title, price, page_price) = Default::default();
        return PinView { title, href: None, price, page_price, shown };
    };
    let address = goods.url.as_deref().and_then(|address| url::Url::parse(address).ok());
    let other = goods.page_price.as_ref().filter(|price| Some(*price) != goods.price.as_ref());
    PinView {
        title: visible(if goods.title.is_empty() { &goods.id } else { &goods.title }),
        href: address.filter(|url| matches!(url.scheme(), "http" | "https")).map(String::from),
        price: goods.price.as_ref().map(price_words).unwrap_or_default(),
        page_price: other.map(price_words).unwrap_or_default(),
        shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::words::Language;

    fn found(surface: &str, text: &str) -> Finding {
        serde_json::from_value(serde_json::json!({
            "kind": "mark", "ref": "m", "family": "f", "surface": surface, "start": 0, "end": 2, "text": text, "word": "云雀",
            "channels": [], "score": 0.9, "severity": "high", "citation": "", "explanation": []
        }))
        .unwrap()
    }

    fn room(entries: serde_json::Value) -> Listing {
        serde_json::from_value(serde_json::json!({"title": "今晚八点", "timeline": entries})).unwrap()
    }

    #[test]
    fn each_moment_knows_what_was_pinned_then_and_the_finding_is_looked_at_first() {
        let goods = |id: &str, price: &str, state: &str| {
            serde_json::json!({"id": id, "title": format!("鞋{id}"), "state": state,
            "price": {"amount": price, "currency": "CNY"}})
        };
        let listing = room(serde_json::json!([
            {"at_ms": 9000, "kind": "caption", "text": "云雀 最后三双"},
            {"at_ms": 1000, "kind": "caption", "text": "大家好"},
            {"at_ms": 2000, "kind": "shelf", "text": "鞋1", "goods": goods("1", "199", "pinned")},
            {"at_ms": 5000, "kind": "danmaku", "speaker": "观众1", "text": "正品吗"},
            {"at_ms": 8000, "kind": "shelf", "text": "鞋1", "goods": goods("1", "89", "listed")}]));
        let view = TimelineView::of(&listing, &[found("timeline[0].text", "云雀")], Words(Language::English)).unwrap();
        let clocks: Vec<&str> = view.cues.iter().map(|cue| cue.clock.as_str()).collect();
        assert_eq!(clocks, ["00:00:01", "00:00:02", "00:00:05", "00:00:08", "00:00:09"]);
        let pinned: Vec<&str> = view.cues.iter().map(|cue| view.pins[cue.pin].price.as_str()).collect();
        assert_eq!(pinned, ["", "¥199", "¥199", "¥89", "¥89"]);
        let last = view.cues.last().unwrap();
        assert!(last.current && last.found && view.pins[last.pin].shown);
        assert_eq!((view.at.as_str(), view.left_out.as_str()), ("00:00:09", ""));
    }

    #[test]
    fn a_day_long_broadcast_is_shown_around_its_finding() {
        let entries: Vec<_> =
            (0..5_000).map(|n| serde_json::json!({"at_ms": n * 1000, "kind": "caption", "text": "云雀"})).collect();
        let listing = room(entries.into());
        let view =
            TimelineView::of(&listing, &[found("timeline[4000].text", "云雀")], Words(Language::English)).unwrap();
        assert_eq!(view.cues.len(), MAX_CUES);
        assert!(view.cues[MAX_CUES / 2].current && !view.left_out.is_empty());
        assert!(TimelineView::of(&room(serde_json::json!([])), &[], Words(Language::English)).is_none());
    }
}
