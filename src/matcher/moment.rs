//! When in a live room a finding stands, and what was pinned then at which price.

use super::score::plain_step;
use crate::model::{Finding, Goods, Listing, Moment, Money, Step};

/// Stable name of the step that tells the moment.
const CODE: &str = "live.moment";

/// Notes the moment of every finding that stands on the timeline of `listing`.
pub(super) fn note(listing: &Listing, findings: &mut [Finding]) {
    if listing.timeline.is_empty() {
        return;
    }
    for finding in findings {
        // What was said over several captions was said when the last one came.
        let last = finding.continues.last().map_or(&finding.surface, |span| &span.surface);
        if let Some(entry) = listing.timeline_entry(last) {
            tell(finding, listing.moment(entry.at_ms));
        }
    }
}

/// Notes `moment` at `finding`, in place of another that stood there.
pub(super) fn tell(finding: &mut Finding, moment: Moment) {
    finding.explanation.retain(|step| step.code != CODE);
    finding.explanation.insert(0, step(&moment));
    finding.moment = Some(moment);
}

fn step(moment: &Moment) -> Step {
    let clock = moment.clock();
    let (mut zh, mut en) = (format!("直播 {clock}"), format!("at {clock} of the broadcast"));
    match &moment.goods {
        Some(goods) => {
            let title = if goods.title.is_empty() { &goods.id } else { &goods.title };
            zh.push_str(&format!("，正在讲解“{title}”"));
            en.push_str(&format!(", while “{title}” was pinned"));
            for (price, zh_word, en_word) in prices(goods) {
                zh.push_str(&format!("，{zh_word} {price}"));
                en.push_str(&format!(", {en_word} {price}"));
            }
        }
        None => {
            zh.push_str("，没有讲解中的商品");
            en.push_str(", with nothing pinned");
        }
    }
    plain_step(CODE, 1.0, &zh, &en)
}

fn prices(goods: &Goods) -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let shelf = goods.price.as_ref().map(|price| (money(price), "货架价", "the shelf says"));
    let page = goods.page_price.as_ref().map(|price| (money(price), "商品页", "its page says"));
    shelf.into_iter().chain(page)
}

/// An amount with its currency, as people write it.
pub(super) fn money(price: &Money) -> String {
    match price.currency.as_str() {
        "CNY" | "" => format!("¥{}", price.amount),
        currency => format!("{currency} {}", price.amount),
    }
}
