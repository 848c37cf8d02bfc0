//! Where else the goods of a listing are offered, as its page shows it.

use super::{Desk, WebError, card, tenant, visit::Visit};
use crate::{
    crawl::VersionsError,
    model::{Listing, ListingId},
    monitor::SeenAs,
    review::{Subject, listing_key, seller_key},
};

/// Changes of the journal that are taken in before a page is shown; the server takes the rest in behind it.
const CHANGES: usize = 1_000;

/// Other listings of the same goods.
pub(super) struct AlsoSeen {
    pub rows: Vec<Row>,
    /// What is not all of it, in words; empty where it is.
    pub rest: String,
}

/// One of them.
pub(super) struct Row {
    pub title: String,
    /// Its page, where it has hits.
    pub href: String,
    pub platform: String,
    pub place: String,
    pub seller: String,
    /// The page of its seller, where the desk knows them.
    pub seller_href: String,
    /// `same`, `other`, or nothing.
    pub whose: String,
    /// Percent of the text that both have.
    pub share: String,
    share_exact: f64,
}

/// Other listings that offer what the listing `id` does, those that `visit` sees; nothing where no coverage is kept.
pub(super) async fn also_seen(desk: &Desk, visit: &Visit, id: &ListingId) -> Result<Option<AlsoSeen>, WebError> {
    let Some(coverage) = desk.inner.works.as_ref().and_then(|works| works.coverage.as_ref()) else { return Ok(None) };
    let account = visit.account()?;
    let own = match tenant::listing(desk, account, id).await {
        Ok(own) => own.listing,
        Err(WebError::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let whole = coverage.follow_some(&*desk.inner.store, CHANGES).await?;
    let near = coverage.near_copies(id)?;
    let mut rows = Vec::new();
    for alike in near.listings {
        let other = match tenant::listing(desk, account, &alike.listing).await {
            Ok(other) => other,
            Err(WebError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        if let Some(seen) = SeenAs::of(&own, &alike.listing, &other) {
            rows.push(row(desk, visit, seen, &other.listing));
        }
    }
    rows.sort_by(|one, other| other.share_exact.total_cmp(&one.share_exact));
    let rest = match (whole, near.more) {
        (false, _) => visit.words.say("also-behind"),
        (true, true) => visit.words.say("also-more"),
        (true, false) => String::new(),
    };
    Ok(Some(AlsoSeen { rows, rest }))
}

fn row(desk: &Desk, visit: &Visit, seen: SeenAs, listing: &Listing) -> Row {
    let board = &desk.inner.board;
    let key = listing_key(listing);
    let known = !board.about(&Subject::Listing(key)).is_empty();
    let sells = board.seller(seller_key(listing)).is_some();
    let whose = match seen.same_seller {
        Some(true) => visit.words.say("also-same-seller"),
        Some(false) => visit.words.say("also-other-seller"),
        None => String::new(),
    };
    Row {
        title: card::visible(&seen.title),
        href: if known { format!("/listings/{key:016x}") } else { String::new() },
        platform: card::visible(&seen.platform.unwrap_or_default()),
        place: card::visible(&seen.url.unwrap_or_else(|| seen.listing.to_string())),
        seller: card::visible(&seen.seller.unwrap_or_default()),
        seller_href: if sells { card::seller_href(listing) } else { String::new() },
        whose,
        share: format!("{:.0}%", 100.0 * seen.share),
        share_exact: seen.share,
    }
}

impl From<VersionsError> for WebError {
    fn from(error: VersionsError) -> Self {
        match error {
            VersionsError::Coverage(error) => error.into(),
            VersionsError::Store(error) => error.into(),
        }
    }
}
