//! The price that stands visibly on a page.

use super::{
    super::super::price::{self, Price},
    Mark, View,
};

/// Longest text that is taken for a price, in characters.
const PRICE_CHARS: usize = 60;
/// The highest score there is, at the headline.
const BEST: i64 = 26;
/// Most candidates judged.
const CANDIDATES: usize = 2_000;

/// The likeliest price.
pub(super) fn read(view: &View<'_, '_>) -> Option<Price> {
    let all = (0..view.page.nodes.len()).filter(|&index| may_be_price(view, index)).take(CANDIDATES);
    let (far, near): (Vec<usize>, Vec<usize>) = all.partition(|&index| view.has(index, Mark::Elsewhere));
    likeliest(view, &near).or_else(|| likeliest(view, &far))
}

fn likeliest(view: &View<'_, '_>, candidates: &[usize]) -> Option<Price> {
    let mut best: Option<(i64, Price)> = None;
    for &index in candidates {
        // Too far away to be better than what is known, whatever it says.
        let reachable = BEST - far(view, index);
        if best.as_ref().is_some_and(|(known, _)| *known >= reachable) {
            continue;
        }
        let Some((score, price)) = judge(view, index) else { continue };
        if best.as_ref().is_none_or(|(known, _)| score > *known) {
            best = Some((score, price));
        }
    }
    best.filter(|(score, _)| *score > 0).map(|(_, price)| price)
}

/// Whether a node is a short text with a digit, or an element that carries its price in an attribute.
fn may_be_price(view: &View<'_, '_>, index: usize) -> bool {
    let Some(node) = view.page.node(index) else { return false };
    if node.is_text() {
        let raw = node.raw_text();
        return raw.len() < 400 && raw.bytes().any(|byte| byte.is_ascii_digit()) && !view.has(index, Mark::Hidden);
    }
    node.raw_attribute("data-price").or_else(|| node.raw_attribute("data-price-amount")).is_some()
}

fn judge(view: &View<'_, '_>, index: usize) -> Option<(i64, Price)> {
    let node = view.page.node(index)?;
    let (element, found, written) = if node.is_text() {
        let (element, text) = whole(view, node.parent, index);
        if text.chars().count() > PRICE_CHARS {
            return None;
        }
        (element, price::parse(&text, None)?, text)
    } else {
        let text = node.attribute("data-price").or_else(|| node.attribute("data-price-amount"))?;
        (index, price::parse_machine(&text, None)?, String::new())
    };
    if found.amount.ten_thousandths() == 0 {
        return None;
    }
    if found.currency.is_none() && !view.is_marked(element, 2, Mark::Price) {
        return None;
    }
    let letters = written.chars().filter(|c| c.is_alphabetic()).count();
    let score =
        place(view, element) + if found.currency.is_some() { 6 } else { 0 } - i64::try_from(letters / 10).unwrap_or(9);
    Some((score - far(view, index), found))
}

/// What the place of an element says for and against its being the price.
fn place(view: &View<'_, '_>, element: usize) -> i64 {
    let named = match (view.has(element, Mark::Price), view.is_marked(element, 2, Mark::Price)) {
        (true, _) => 8,
        (false, true) => 5,
        (false, false) => 0,
    };
    let others = [
        (view.is_marked(element, 1, Mark::Paid), 2),
        (view.is_marked(element, 2, Mark::NotPaid), -9),
        (view.has(element, Mark::Struck), -20),
        (view.has(element, Mark::Elsewhere), -25),
        (view.has(element, Mark::Link), -4),
    ];
    10 + named + others.iter().filter(|(says, _)| *says).map(|(_, weight)| weight).sum::<i64>()
}

/// What distance from the headline takes from a score.
fn far(view: &View<'_, '_>, index: usize) -> i64 {
    i64::try_from(view.distance(index) / 40).unwrap_or(i64::MAX).min(30)
}

/// The element whose whole text is the price, when a price is split over several (`$`, `12`, `99`), and that text.
fn whole(view: &View<'_, '_>, parent: usize, text: usize) -> (usize, String) {
    // A price that stands beside the struck one is read without it.
    let struck = view.has(parent, Mark::Struck);
    let seen = |at: usize| {
        view.page.text_where(at, |text| !view.has(text, Mark::Hidden) && view.has(text, Mark::Struck) == struck)
    };
    let own = seen(parent);
    let has_currency = |text: &str| price::parse(text, None).is_some_and(|found| found.currency.is_some());
    if own.chars().count() > PRICE_CHARS {
        return (parent, view.page.text(text));
    }
    if has_currency(&own) {
        return (parent, own);
    }
    for outer in view.page.ancestors(parent).take(2) {
        let around = seen(outer);
        if around.chars().count() > PRICE_CHARS / 2 {
            break;
        }
        if has_currency(&around) {
            return (outer, around);
        }
    }
    (parent, own)
}
