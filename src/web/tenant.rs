//! What somebody sees of the store: every page asks here for a hit, a listing, a capture or a mark by its id. What lies
//! outside an account's scope is not there, whatever it is asked for by.

use std::collections::BTreeMap;

use super::{Desk, WebError};
use crate::{
    model::{Account, Capture, CaptureId, Hit, HitId, HitState, ListingId, Mark, MarkId},
    store::{Counts, Filter, StoredListing},
};

/// Most hits of a state that are counted for who sees a part of them: the store keeps counters of the whole only.
const COUNTED: usize = 200;

/// The hit, if `account` sees it.
pub(super) async fn hit(desk: &Desk, account: &Account, id: HitId) -> Result<Hit, WebError> {
    let hit = desk.inner.store.hit(id).await?;
    hit.filter(|hit| sees(account, hit)).ok_or(WebError::NotFound)
}

/// Whether `account` sees a hit.
pub(super) fn sees(account: &Account, hit: &Hit) -> bool {
    account.sees().has(&hit.what.family, hit.what.listing.platform.as_deref())
}

/// `filter`, and of that only what `account` sees.
pub(super) fn within(account: &Account, filter: Filter) -> Filter {
    Filter { within: account.sees(), ..filter }
}

/// The listing, if `account` sees all tenants, or one of its hits is among the first hits that name it.
pub(super) async fn listing(desk: &Desk, account: &Account, id: &ListingId) -> Result<StoredListing, WebError> {
    let found = desk.inner.store.listing(id).await?.ok_or(WebError::NotFound)?;
    if !account.sees().is_everything() {
        let filter = within(account, Filter { text: Some(found.listing.title.clone()), ..Filter::default() });
        let page = desk.inner.store.page(&filter, None, COUNTED).await?;
        let own = page.rows.iter().any(|row| row.hit.what.listing.id == found.listing.id);
        if found.listing.id.is_empty() || !own {
            return Err(WebError::NotFound);
        }
    }
    Ok(found)
}

/// The capture of a hit that `account` sees.
pub(super) async fn capture(desk: &Desk, account: &Account, hit_id: HitId) -> Result<Capture, WebError> {
    let hit = hit(desk, account, hit_id).await?;
    let id: CaptureId = hit.what.capture.ok_or(WebError::NotFound)?;
    desk.inner.store.capture(&id).await?.ok_or(WebError::NotFound)
}

/// The marks that `account` sees, by id.
pub(super) async fn marks(desk: &Desk, account: &Account) -> Result<BTreeMap<MarkId, Mark>, WebError> {
    let sees = account.sees();
    let marks = desk.inner.store.marks_since(0).await?.put;
    Ok(marks.into_iter().filter(|mark| sees.has_holder(&mark.holder)).map(|mark| (mark.id.clone(), mark)).collect())
}

/// Counters of what `account` sees; for a part of the whole none is more than 200 and nothing else is told.
pub(super) async fn counts(desk: &Desk, account: &Account) -> Result<Counts, WebError> {
    if account.sees().is_everything() {
        return Ok(desk.inner.store.counts().await?);
    }
    let mut counts = Counts::default();
    for (state, count) in [
        (HitState::Open, &mut counts.open),
        (HitState::Proposed, &mut counts.proposed),
        (HitState::Escalated, &mut counts.escalated),
        (HitState::Confirmed, &mut counts.confirmed),
        (HitState::Dismissed, &mut counts.dismissed),
    ] {
        let filter = within(account, Filter { state: Some(state), ..Filter::default() });
        *count = desk.inner.store.page(&filter, None, COUNTED).await?.rows.len() as u64;
    }
    counts.marks = marks(desk, account).await?.len() as u64;
    Ok(counts)
}
