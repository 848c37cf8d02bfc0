//! All hits as the board keeps them, and what is found over them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Entry, MAX_COMPARED, MAX_GROUP,
    entry::{Before, Prepared, Rest, Row, number},
    remarks::Remarks,
    symbols::{ByKey, Symbols},
    texts::Texts,
};
use crate::{
    model::{AccountName, Handling, Hit, HitId, HitState, Verdict},
    review::Record,
};

/// Longest name of a seller that is kept, in characters.
const MAX_SELLER_CHARS: usize = 200;

/// Every hit, by its number: a row and the rest in the same place of two lists. Hits that share something are chained from
/// the newest to the oldest.
#[derive(Debug)]
pub(super) struct State {
    pub rows: Vec<Row>,
    pub rests: Vec<Rest>,
    pub symbols: Symbols,
    pub texts: Texts,
    /// The first stands for nobody.
    pub sellers: Vec<Seller>,
    /// What reviewers said of each of them.
    pub records: Vec<Record>,
    seller_of: ByKey<u32>,
    /// The newest hit of each listing.
    listing: ByKey<u32>,
    /// The newest hit with each set of findings.
    found: ByKey<u32>,
    /// Hits by the marks and rules found in them.
    pub by_reference: HashMap<u32, Vec<u32>>,
    /// Hits whose newest decision is a part of that act.
    pub acts: HashMap<Arc<str>, BTreeSet<u32>>,
    /// The dismissals by a person that are good for the same again.
    remembered: ByKey<u32>,
    /// Dismissals that repeat one.
    pub repeated: HashMap<u32, BTreeSet<u32>>,
    /// Hits that were new since the last time someone asked.
    pub fresh: Vec<u32>,
    pub remarks: Remarks,
}

#[derive(Debug, Default)]
pub(super) struct Seller {
    pub key: u64,
    pub name: String,
    pub platform: u32,
    newest: u32,
}

/// A seller as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerView {
    /// Its key.
    pub key: u64,
    /// Its name.
    pub name: String,
    /// Where it sells.
    pub platform: String,
    /// What reviewers said of its hits.
    pub record: Record,
}

/// What a page gathers hits of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A seller.
    Seller(u64),
    /// A listing.
    Listing(u64),
    /// A mark or a rule.
    Reference(String),
}

impl Default for State {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            rests: Vec::new(),
            symbols: Symbols::default(),
            texts: Texts::default(),
            sellers: vec![Seller::default()],
            records: vec![Record::default()],
            seller_of: ByKey::default(),
            listing: ByKey::default(),
            found: ByKey::default(),
            by_reference: HashMap::new(),
            acts: HashMap::new(),
            remembered: ByKey::default(),
            repeated: HashMap::new(),
            fresh: Vec::new(),
            remarks: Remarks::default(),
        }
    }
}

impl State {
    pub fn entry(&self, id: HitId) -> Option<Entry> {
        self.numbered(number(id)?)
    }

    pub fn numbered(&self, id: u32) -> Option<Entry> {
        self.rests.get(id as usize)?.entry(id, self.rows.get(id as usize)?)
    }

    /// Makes room for so many hits.
    pub fn reserve(&mut self, hits: u64) {
        let hits = usize::try_from(hits).unwrap_or(0) + 1;
        self.rows.reserve(hits);
        self.rests.reserve(hits);
    }

    /// Takes a hit in as it stands now; those beyond four billion are not taken in.
    pub fn put(&mut self, hit: Prepared) {
        let Some(id) = number(hit.hit.id) else { return };
        if !self.stands(&hit.hit) {
            self.take_in(id, &hit);
            self.stands(&hit.hit);
        }
    }

    /// Takes over where a hit stands; false where it is not known.
    pub fn stands(&mut self, hit: &Hit) -> bool {
        let Some(id) = number(hit.id) else { return true };
        let place = id as usize;
        if self.rows.get(place).is_none_or(|row| row.state.is_none()) {
            return false;
        }
        self.forget_decision(id);
        let act = hit.decisions.last().and_then(|made| made.act.as_deref()).map(|act| self.act(act));
        let (row, rest) = (&mut self.rows[place], &mut self.rests[place]);
        rest.stands(row, hit, act, &mut self.symbols);
        self.note_decision(id, hit);
        true
    }

    /// One name for an act, however many hits share it.
    fn act(&self, name: &str) -> Arc<str> {
        self.acts.get_key_value(name).map_or_else(|| Arc::from(name), |(known, _)| Arc::clone(known))
    }

    fn take_in(&mut self, id: u32, Prepared { hit, like, text }: &Prepared) {
        let (what, place) = (&hit.what, id as usize);
        let handling = Handling::of(&what.findings);
        if self.rows.len() <= place {
            self.rows.resize(place + 1, Row::NONE);
            self.rests.resize(place + 1, Rest::NONE);
        }
        let platform = self.symbols.add(what.listing.platform.as_deref().unwrap_or(""));
        for finding in &what.findings {
            let symbol = self.symbols.add(&finding.reference);
            let hits = self.by_reference.entry(symbol).or_default();
            if hits.last() != Some(&id) {
                hits.push(id);
            }
        }
        let seller = self.seller_of(hit, like.seller, platform);
        let before = Before {
            listing: self.listing.insert(like.listing, id).unwrap_or(0),
            found: self.found.insert(like.found, id).unwrap_or(0),
            seller: std::mem::replace(&mut self.sellers[seller as usize].newest, id),
        };
        self.rows[place] = Row {
            found: what.found_at.as_microsecond(),
            seller,
            family: self.symbols.add(&what.family),
            platform,
            by: 0,
            // None is 0; a rule's own time is a minute at least.
            sla_minutes: handling.sla_minutes.map_or(0, |own| own.max(1)),
            state: Some(HitState::Open),
            severity: what.severity,
            priority: what.priority,
            second_approval: handling.second_approval,
        };
        self.rests[place] = Rest { like: *like, text: self.texts.add(id, text), before, ..Rest::NONE };
        self.fresh.push(id);
    }

    /// The place of a hit's seller among all; 0 where nothing names one.
    fn seller_of(&mut self, hit: &Hit, key: u64, platform: u32) -> u32 {
        if key == 0 {
            return 0;
        }
        if let Some(&known) = self.seller_of.get(&key) {
            return known;
        }
        let named = hit.what.listing.seller.as_ref();
        let name = named.and_then(|named| named.name.as_deref().or(named.id.as_deref())).unwrap_or("");
        let Ok(place) = u32::try_from(self.sellers.len()) else { return 0 };
        let name = name.chars().take(MAX_SELLER_CHARS).collect();
        self.sellers.push(Seller { key, name, platform, newest: 0 });
        self.records.push(Record::default());
        self.seller_of.insert(key, place);
        place
    }

    fn forget_decision(&mut self, id: u32) {
        let (row, rest) = (self.rows[id as usize], &self.rests[id as usize]);
        if let Some(act) = &rest.act
            && let Some(hits) = self.acts.get_mut(act)
        {
            hits.remove(&id);
            if hits.is_empty() {
                self.acts.remove(act);
            }
        }
        if let Some(repeats) = self.repeated.get_mut(&rest.precedent) {
            repeats.remove(&id);
        }
        if self.remembered.get(&rest.like.same) == Some(&id) {
            self.remembered.remove(&rest.like.same);
        }
        if row.seller == 0 {
            return;
        }
        let record = &mut self.records[row.seller as usize];
        match row.state {
            Some(HitState::Confirmed) => record.confirmed = record.confirmed.saturating_sub(1),
            Some(HitState::Dismissed) => record.dismissed = record.dismissed.saturating_sub(1),
            _ => {}
        }
    }

    fn note_decision(&mut self, id: u32, hit: &Hit) {
        let (row, rest) = (self.rows[id as usize], &self.rests[id as usize]);
        if let Some(act) = &rest.act {
            self.acts.entry(Arc::clone(act)).or_default().insert(id);
        }
        if rest.precedent > 0 {
            self.repeated.entry(rest.precedent).or_default().insert(id);
        }
        let by_person = hit.decisions.last().is_some_and(|made| made.verdict == Verdict::Dismiss);
        if row.state == Some(HitState::Dismissed) && rest.precedent == 0 && by_person && row.seller != 0 {
            self.remembered.insert(rest.like.same, id);
        }
        if row.seller == 0 {
            return;
        }
        let record = &mut self.records[row.seller as usize];
        match row.state {
            Some(HitState::Confirmed) => record.confirmed += 1,
            Some(HitState::Dismissed) => record.dismissed += 1,
            _ => {}
        }
    }

    /// A new hit that says to the letter what a person dismissed before, with that dismissal.
    pub fn remembered(&self, id: u32) -> Option<(Entry, HitId)> {
        let (row, rest) = (self.rows.get(id as usize)?, self.rests.get(id as usize)?);
        if row.state != Some(HitState::Open) || rest.decisions > 0 || row.seller == 0 {
            return None;
        }
        let precedent = *self.remembered.get(&rest.like.same)?;
        if self.rests.get(precedent as usize)?.decided > Some(row.found) {
            return None;
        }
        Some((self.numbered(id)?, HitId(u64::from(precedent))))
    }

    pub fn group(&self, id: HitId) -> Vec<u32> {
        let Some(lead) = number(id) else { return Vec::new() };
        let Some((row, rest)) = self.rows.get(lead as usize).zip(self.rests.get(lead as usize)) else {
            return Vec::new();
        };
        let newest = self.found.get(&rest.like.found).copied().unwrap_or(0);
        let others = self.chain(newest, |before| before.found).take(MAX_COMPARED);
        let mut members: Vec<(u32, u32)> = others
            .filter(|&other| other != lead && self.rows[other as usize].state == row.state)
            .map(|other| (&self.rests[other as usize].like, other))
            .filter(|(like, _)| rest.like.is_near(like))
            .map(|(like, other)| (rest.like.distance(like), other))
            .collect();
        members.sort_unstable();
        members.truncate(MAX_GROUP);
        members.into_iter().map(|(_, id)| id).collect()
    }

    /// A chain of hits from `newest` on.
    fn chain<'s>(&'s self, newest: u32, next: impl Fn(&Before) -> u32 + 's) -> impl Iterator<Item = u32> + 's {
        let rests = &self.rests;
        let known = move |id: u32| (id > 0 && (id as usize) < rests.len()).then_some(id);
        std::iter::successors(known(newest), move |&id| known(next(&rests[id as usize].before)))
    }

    /// The keys of the listings that have hits.
    pub fn listings(&self) -> impl Iterator<Item = u64> {
        self.listing.keys().copied()
    }

    /// The hits of each listing, by where they stand.
    pub fn states_by_listing(&self) -> impl Iterator<Item = impl Iterator<Item = HitState>> {
        let states = |id: u32| self.rows.get(id as usize).and_then(|row| row.state);
        self.listing.values().map(move |&newest| self.chain(newest, |before| before.listing).filter_map(states))
    }

    /// The hits of a seller, by its place among all.
    pub fn of_seller(&self, place: u32) -> impl Iterator<Item = u32> {
        let newest = if place == 0 { 0 } else { self.sellers.get(place as usize).map_or(0, |seller| seller.newest) };
        self.chain(newest, |before| before.seller)
    }

    pub fn seller(&self, key: u64) -> Option<SellerView> {
        let place = *self.seller_of.get(&key)? as usize;
        let seller = self.sellers.get(place)?;
        let (name, platform) = (seller.name.clone(), self.symbols.name(seller.platform).to_owned());
        Some(SellerView { key: seller.key, name, platform, record: self.records[place] })
    }

    /// What reviewers said of a seller's hits.
    pub fn record(&self, key: u64) -> Record {
        let place = self.seller_of.get(&key).copied().unwrap_or(0);
        self.records.get(place as usize).copied().unwrap_or_default()
    }

    pub fn about(&self, subject: &Subject) -> Vec<u32> {
        match subject {
            Subject::Seller(key) => self.of_seller(self.seller_of.get(key).copied().unwrap_or(0)).collect(),
            Subject::Listing(key) => {
                self.chain(self.listing.get(key).copied().unwrap_or(0), |before| before.listing).collect()
            }
            Subject::Reference(name) => {
                let symbol = self.symbols.find(name);
                symbol.and_then(|symbol| self.by_reference.get(&symbol)).cloned().unwrap_or_default()
            }
        }
    }

    /// What is written of `who`.
    pub fn is_by(&self, by: u32, who: &AccountName) -> bool {
        self.symbols.name(by) == who.as_str()
    }
}
