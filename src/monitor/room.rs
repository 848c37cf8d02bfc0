//! A live room under watch: what is heard is matched at once, and becomes hits in one act with the records it stands in.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::{civil::Date, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::{Monitor, hits, quota};
use crate::{
    live::{Event, ListenError, Listener, Room},
    matcher::{Heard, RoomMatcher},
    model::{Capture, CaptureId, Finding, Goods, Listing, ListingId, Money, NewHit, Seller},
    store::{Batch, StoreError, Write},
};

/// Hits of one room that are remembered, so that none is written again; the store knows all.
const REMEMBERED: usize = 10_000;
/// Goods whose pages are remembered.
const PAGES: usize = 1000;

/// Watches one room for as long as it is listened to.
pub struct WatchedRoom {
    monitor: Arc<Monitor>,
    id: ListingId,
    matcher: RoomMatcher,
    /// Hits that wait to be written.
    waiting: Vec<NewHit>,
    /// Notes that go with them.
    notes: Vec<Write>,
    told: HashSet<String>,
    pages: HashMap<String, Option<Money>>,
    /// Whether the room itself was written.
    known: bool,
    new_hits: u64,
    /// Shows what was found as it is found.
    show: Option<Show>,
}

/// Is shown what was found.
pub type Show = Box<dyn FnMut(&Heard) + Send>;

/// A room's facts as a listing without a timeline.
#[must_use]
pub fn room_listing(room: &Room, now: crate::model::Timestamp) -> Listing {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    Listing {
        id: room.listing_id(),
        platform: text(&room.platform),
        url: text(&room.page),
        title: if room.title.is_empty() { room.id.clone() } else { room.title.clone() },
        seller: text(&room.seller).map(|name| Seller { name: Some(name), ..Seller::default() }),
        category: room.category.clone(),
        captured_at: Some(now),
        ..Listing::default()
    }
}

impl Monitor {
    /// Watches `room`; `show` is told what is found.
    ///
    /// # Errors
    /// When the room's name is no identity.
    pub fn watch(self: &Arc<Self>, room: &Room, show: Option<Show>) -> Result<WatchedRoom, StoreError> {
        let listing = room_listing(room, self.clock.now());
        let id = ListingId::new(&listing.id).map_err(|error| StoreError::Refused(error.to_string()))?;
        let matcher = RoomMatcher::new(listing);
        Ok(WatchedRoom {
            monitor: Arc::clone(self),
            id,
            matcher: if self.shadow.is_some() { matcher.with_shadow() } else { matcher },
            waiting: Vec::new(),
            notes: Vec::new(),
            told: HashSet::new(),
            pages: HashMap::new(),
            known: false,
            new_hits: 0,
            show,
        })
    }
}

impl WatchedRoom {
    /// How many hits were new.
    pub fn new_hits(&self) -> u64 {
        self.new_hits
    }

    /// Matches one event; the hits it makes wait for [`keep`](Listener::keep). True when there are some.
    pub async fn take(&mut self, event: Event, capture: Option<&CaptureId>) -> bool {
        let mut entry = event.into_entry();
        if let Some(goods) = &mut entry.goods {
            goods.page_price = self.page_price(goods).await;
        }
        let now = self.monitor.clock.now();
        let on = now.to_zoned(TimeZone::UTC).date();
        let matcher = self.monitor.matcher();
        let mut heard = self.matcher.hear(&matcher, entry, on);
        self.monitor.count_shadow(&matcher, &heard.excerpt, &heard.shadow, now);
        if heard.findings.is_empty() {
            return false;
        }
        heard.findings.retain(|finding| !self.told.contains(&dedupe_of(&self.id, finding, on)));
        if heard.findings.is_empty() {
            return false;
        }
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        self.told.extend(heard.findings.iter().map(|finding| dedupe_of(&self.id, finding, on)));
        if let Some(show) = &mut self.show {
            show(&heard);
        }
        let learnt = self.monitor.learnt();
        let Heard { findings, suppressed, excerpt, .. } = heard;
        let mut findings = crate::model::Findings { id: excerpt.id.clone(), findings, suppressed, risk: 0.0 };
        self.notes.extend(self.monitor.hold_to_quota(&matcher, &excerpt, &mut findings, now));
        let new = hits(&self.id, &excerpt, &findings, (matcher.version(), &learnt), now);
        self.waiting.extend(new.into_iter().map(|mut hit| {
            hit.dedupe = hit.findings.first().map(|first| dedupe_of(&self.id, first, on)).unwrap_or(hit.dedupe);
            hit.capture = capture.cloned();
            hit
        }));
        true
    }

    /// What the page of `goods` asked when it was last read, where it was.
    async fn page_price(&mut self, goods: &Goods) -> Option<Money> {
        let key = if goods.id.is_empty() { goods.url.clone().unwrap_or_default() } else { goods.id.clone() };
        if let Some(known) = self.pages.get(&key) {
            return known.clone();
        }
        let platform = self.matcher.room().platform.clone().unwrap_or_default();
        let names = [Some(format!("{platform}:{}", goods.id)), Some(goods.id.clone()), goods.url.clone()];
        let mut price = None;
        for id in names.into_iter().flatten().filter_map(|name| ListingId::new(&name).ok()) {
            // A store that cannot be read will say so when it is written.
            if let Ok(Some(stored)) = self.monitor.store.listing(&id).await {
                price = stored.listing.price;
                break;
            }
        }
        if self.pages.len() >= PAGES {
            self.pages.clear();
        }
        self.pages.insert(key, price.clone());
        price
    }
}

/// The same words about the same goods in one room on one day are the same hit, however often they are said.
fn dedupe_of(id: &ListingId, finding: &Finding, on: Date) -> String {
    let goods = finding.moment.as_ref().and_then(|moment| moment.goods.as_ref());
    let goods = goods.map_or("", |goods| if goods.id.is_empty() { &goods.title } else { &goods.id });
    let on = on.to_string();
    let mut hasher = Sha256::new();
    for part in [id.as_str(), &on, &finding.family, &finding.reference, &finding.word, goods] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Listener for WatchedRoom {
    async fn hear(&mut self, event: Event, capture: Option<&CaptureId>) -> bool {
        self.take(event, capture).await
    }

    async fn keep(&mut self, captures: Vec<Capture>, messages: Option<CaptureId>) -> Result<(), ListenError> {
        let newest = messages.clone().or_else(|| captures.last().map(|capture| capture.id.clone()));
        let mut writes: Vec<Write> = captures.into_iter().map(Write::Capture).collect();
        let mut room = (!self.known).then(|| self.matcher.room().clone());
        for mut hit in std::mem::take(&mut self.waiting) {
            hit.capture = hit.capture.or_else(|| messages.clone());
            room = Some(hit.listing.clone());
            writes.push(Write::Hit(hit));
        }
        if let Some(listing) = room {
            writes.push(Write::Listing { id: self.id.clone(), listing, capture: newest });
            self.known = true;
        }
        if writes.is_empty() {
            return Ok(());
        }
        writes.append(&mut self.notes);
        let made = quota::rules_of(&writes);
        let batch = Batch { actor: "monitor".into(), writes };
        let receipt =
            self.monitor.store.apply(batch).await.map_err(|error: StoreError| ListenError(Box::new(error)))?;
        self.monitor.quota().count(&made, &receipt.hits);
        self.new_hits += receipt.hits.iter().filter(|hit| hit.new).count() as u64;
        Ok(())
    }
}
