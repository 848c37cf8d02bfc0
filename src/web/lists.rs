//! Short lines of hits, as pages about something list them.

use super::{
    Desk, WebError,
    card::{self, age_words, severity_words, state_code, visible},
    spans::severity_code,
    visit::Visit,
};
use crate::model::{Hit, HitId};

/// A hit in a short list.
pub(super) struct Line {
    pub id: u64,
    pub title: String,
    pub family: String,
    pub severity: String,
    pub severity_code: &'static str,
    pub severity_sign: &'static str,
    pub state: String,
    pub state_code: &'static str,
    pub decided: String,
    pub seller: String,
    pub seller_href: String,
    pub age: String,
    /// The decision that it repeats.
    pub precedent: Option<u64>,
}

/// The lines of these hits, in their order.
pub(super) async fn lines(desk: &Desk, visit: &Visit, ids: &[HitId]) -> Result<Vec<Line>, WebError> {
    let rows = desk.inner.store.rows(ids).await?;
    Ok(rows.iter().map(|row| line(desk, visit, &row.hit)).collect())
}

fn line(desk: &Desk, visit: &Visit, hit: &Hit) -> Line {
    let (words, what) = (visit.words, &hit.what);
    let newest = hit.decisions.last();
    let seller = what.listing.seller.as_ref().and_then(|seller| seller.name.as_deref()).unwrap_or("");
    Line {
        id: hit.id.0,
        title: visible(&what.listing.title),
        family: visible(&what.family),
        severity: severity_words(what.severity, words),
        severity_code: severity_code(what.severity),
        severity_sign: card::severity_sign(what.severity),
        state: words.say(card::state_key(hit.state)),
        state_code: state_code(hit.state),
        decided: newest
            .map(|made| format!("{} · {}", card::reason_words(made.reason, words), made.by))
            .unwrap_or_default(),
        seller: visible(seller),
        seller_href: card::seller_href(&what.listing),
        age: age_words(desk.inner.clock.now().duration_since(what.found_at).as_mins(), words),
        precedent: newest.and_then(|made| made.precedent).map(|id| id.0),
    }
}
