//! The flow that joins the rooms: captures become listings, findings and hits.
//!
//! [`Monitor`] takes what a crawl fetched, matches it, and writes capture, listing and hits in one act.
//! It decides nothing: a hit waits for a person.

mod alarm;
mod alike;
mod cost;
mod deliver;
mod follow;
mod gate;
mod group;
mod halt;
mod handed;
mod learnt;
mod operations;
mod portfolio;
mod quota;
mod retention;
mod risk;
mod room;
mod rulebook;
mod sellers;
mod settings;
mod shadow;
mod standing;
mod works;

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use async_trait::async_trait;
use jiff::{civil::Date, tz::TimeZone};

pub use alarm::{Alarm, AlarmKind, Disk, Gold, Looked, alarms};
pub use alike::{SeenAs, same_goods};
pub use cost::{Cost, Each, cost};
pub use deliver::{DeliverError, Delivered};
pub use follow::Follower;
pub use gate::{Gate, GateError};
pub use group::{dedupe_key, hits, priority};
pub use halt::{Halt, Halted, Halting, RESUMED, STOPPED, host};
pub use handed::{HANDED, Handed, hand_over, waiting};
pub use learnt::Learnt;
pub use operations::{
    ACKNOWLEDGED, CONTINUED, MAX_WHY_CHARS, Operating, Operations, PAUSED, Said, acknowledge_note, continue_note,
    pause_note,
};
pub use portfolio::{Act, Entry, MARK_NOTES, Portfolio, REMINDERS, Stage, StepError, a_month_before};
pub use quota::LIMITED;
pub use risk::{OfPlatform, Risk};
pub use room::{Show, WatchedRoom, room_listing};
pub use rulebook::{Refused, RulesState};
pub use sellers::{Sellers, file, list, set_state, unlist};
pub use settings::Settings;
pub use shadow::{Shadow, ShadowCount, ShadowSample};
pub use standing::{BACKTEST, DEMOTED, Demotion, Held, PROMOTED, Standing, Tried, WITHDRAWN, Why, backtest_note, note};
pub use works::{Works, WorksError, costs};

use quota::Quota;
use rulebook::{Look, Rulebook};

use crate::{
    campaign::Campaigns,
    crawl::{Fetched, LISTING_CHANGED, Meters, Sink, SinkError},
    marks::{
        Register,
        registry::{Reader, RegistryError},
    },
    matcher::{self, Matcher},
    model::{CaptureId, Clock, Finding, Findings, Listing, ListingId, Mark, MarkId, MarkStatus, Timestamp},
    rules::{Floor, RuleSet},
    store::{Batch, Receipt, Store, StoreError, Write},
};

/// Joins crawl, matcher and store.
pub struct Monitor {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The folder of the rules, when they may change.
    rulebook: Option<Rulebook>,
    /// What stands before rules that want to go live.
    gate: Option<Gate>,
    /// What rules must reach that name nothing themselves.
    floor: Floor,
    /// What rules in shadow find, and the file that keeps it.
    shadow: Option<(PathBuf, Mutex<Shadow>)>,
    /// The registry's folder, and the registry once there is one.
    registry: Option<(PathBuf, Mutex<Option<Reader>>)>,
    current: RwLock<Current>,
    learnt: RwLock<Arc<Learnt>>,
    /// Who is on which list of sellers.
    sellers: Option<Arc<Sellers>>,
    /// New hits of today, by rule.
    quota: Mutex<Quota>,
    meters: Option<Arc<Meters>>,
}

/// The matcher in use, and the marks it was made of.
struct Current {
    generation: u64,
    marks: Vec<Mark>,
    matcher: Arc<Matcher>,
}

/// What became of one listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// What was found and set aside.
    pub findings: Findings,
    /// How many hits are new.
    pub new_hits: usize,
}

impl Seen {
    /// Counts what was found in a listing; of several, what was found in all of them.
    fn add(&mut self, found: Findings) {
        if self.findings == Findings::default() {
            self.findings = found;
        } else {
            self.findings.risk = self.findings.risk.max(found.risk);
            self.findings.findings.extend(found.findings);
            self.findings.suppressed.extend(found.suppressed);
        }
    }
}

impl Monitor {
    /// A monitor over `store`'s marks; evidence stays in the WARC files that captures name.
    ///
    /// # Errors
    /// When the marks cannot be read.
    pub async fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        rules: Option<Arc<RuleSet>>,
        settings: matcher::Settings,
    ) -> Result<Self, StoreError> {
        let matcher = Arc::new(Matcher::new(Arc::new(Register::default()), rules, settings));
        let current = RwLock::new(Current { generation: 0, marks: Vec::new(), matcher });
        let (rulebook, gate, shadow, registry, sellers) = (None, None, None, None, None);
        let (floor, learnt) = (Settings::default().floor(), RwLock::default());
        let monitor = Self {
            store,
            clock,
            rulebook,
            gate,
            floor,
            shadow,
            registry,
            current,
            learnt,
            sellers,
            quota: Mutex::default(),
            meters: None,
        };
        monitor.refresh().await?;
        Ok(monitor)
    }

    /// Takes over changes of the rules in `folder` when [`reload_rules`](Self::reload_rules) is asked; `held` are active
    /// rules there that are only counted, `campaigns` those beside them.
    #[must_use]
    pub fn with_rulebook(mut self, folder: PathBuf, campaigns: Campaigns, held: Vec<Held>) -> Self {
        let campaigns = Arc::new(campaigns);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.matcher = Arc::new(Matcher::clone(&current.matcher).with_campaigns(Arc::clone(&campaigns)));
        let matcher = Arc::clone(&current.matcher);
        drop(current);
        if let Some(rules) = matcher.rules() {
            self.rulebook = Some(Rulebook::new(folder, (rules, campaigns), held, self.clock.now()));
        }
        self
    }

    /// Counts new hits by profile in `meters`.
    #[must_use]
    pub fn with_meters(mut self, meters: Arc<Meters>) -> Self {
        self.meters = Some(meters);
        self
    }

    /// Lets no rule go live that `gate` holds, and sends those back that fall below `floor`.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate, floor: Floor) -> Self {
        self.gate = Some(gate);
        self.floor = floor;
        self
    }

    /// Takes in what was noted of rules since the last time. One caller at a time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn follow_rules(&self) -> Result<(), StoreError> {
        match &self.gate {
            Some(gate) => gate.follow(&*self.store).await,
            None => Ok(()),
        }
    }

    /// The newest backtest of a rule that is noted, as far as notes were taken in.
    pub fn last_tried(&self, rule: &str) -> Option<Tried> {
        self.gate.as_ref().and_then(|gate| gate.known().last_tried(rule).cloned())
    }

    /// Sends active rules back to shadow that reviewers find right too seldom, by what [`learn`](Self::learn) took in last;
    /// returns how many. It shows once [`follow_rules`](Self::follow_rules) and [`reload_rules`](Self::reload_rules) were
    /// asked.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub async fn hold_to_floor(&self) -> Result<usize, StoreError> {
        let Some((gate, rules)) = self.gate.as_ref().zip(self.matcher().rules().cloned()) else { return Ok(0) };
        let writes = gate.below_floor(&rules, &self.learnt(), self.floor);
        let many = writes.len();
        if many > 0 {
            self.store.apply(Batch { actor: "monitor".into(), writes }).await?;
        }
        Ok(many)
    }

    /// Writes down what is known of rules.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn save_gate(&self) -> io::Result<()> {
        self.gate.as_ref().map_or(Ok(()), Gate::save)
    }

    /// Counts what rules in shadow find, in the file at `path`.
    ///
    /// # Errors
    /// When there is such a file and it cannot be read.
    pub fn with_shadow(mut self, path: PathBuf) -> io::Result<Self> {
        let shadow = Shadow::open(&path)?;
        self.shadow = Some((path, Mutex::new(shadow)));
        Ok(self)
    }

    /// Writes down what was counted of rules in shadow.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn save_shadow(&self) -> io::Result<()> {
        let Some((path, shadow)) = &self.shadow else { return Ok(()) };
        shadow.lock().unwrap_or_else(PoisonError::into_inner).save(path)
    }

    /// Looks whether rules have changed; a set that has no mistake and passes its tests is taken over whole.
    ///
    /// Says what is in use when there was a change, taken over or refused. It takes as long as reading and testing them.
    pub fn reload_rules(&self) -> Option<RulesState> {
        let rulebook = self.rulebook.as_ref()?;
        let now = self.clock.now();
        let in_use = self.matcher().rules().cloned().unwrap_or_default();
        match rulebook.look(&in_use, now.to_zoned(TimeZone::UTC).date(), now, self.gate.as_ref()) {
            Look::Same => return None,
            Look::Refused => {}
            Look::New(rules, campaigns) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                current.matcher = Arc::new(current.matcher.with_rules(Some(rules)).with_campaigns(campaigns));
            }
        }
        Some(rulebook.state())
    }

    /// Which rules are in use, where they may change.
    pub fn rules_state(&self) -> Option<RulesState> {
        self.rulebook.as_ref().map(Rulebook::state)
    }

    /// Obeys the lists of sellers too, as they stand and as they change.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn with_sellers(mut self, sellers: Arc<Sellers>) -> Result<Self, StoreError> {
        self.sellers = Some(sellers);
        self.refresh_sellers(true).await?;
        Ok(self)
    }

    async fn refresh_sellers(&self, anyway: bool) -> Result<(), StoreError> {
        let Some(sellers) = &self.sellers else { return Ok(()) };
        sellers.follow(&*self.store).await?;
        let lists = sellers.lists();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // The desk may have followed them before.
        if anyway || !Arc::ptr_eq(&lists, current.matcher.sellers()) {
            current.matcher = Arc::new(Matcher::clone(&current.matcher).with_sellers(lists));
        }
        Ok(())
    }

    /// Asks the registry in `folder` too, from when there is one.
    ///
    /// # Errors
    /// When it is damaged or of a newer program.
    pub fn with_registry(mut self, folder: PathBuf) -> Result<Self, RegistryError> {
        self.registry = Some((folder, Mutex::default()));
        self.refresh_registry()?;
        Ok(self)
    }

    /// Takes up what was changed in the registry since the last time.
    ///
    /// # Errors
    /// When it cannot be read; what it said before stays in use.
    pub fn refresh_registry(&self) -> Result<(), RegistryError> {
        let Some((folder, reader)) = &self.registry else { return Ok(()) };
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match &*reader {
            Some(reader) => reader.refresh()?,
            None => match Reader::open(folder) {
                Ok(opened) => reader.insert(opened).view().base().spellings() > 0,
                Err(RegistryError::Missing { .. }) => false,
                Err(error) => return Err(error),
            },
        };
        if let Some(reader) = reader.as_ref().filter(|_| changed) {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.matcher = Arc::new(Matcher::clone(&current.matcher).with_registry(reader.view()));
        }
        Ok(())
    }

    /// Takes over marks and lists of sellers that changed since the last time; the matcher is built aside and swapped.
    ///
    /// # Errors
    /// When the marks cannot be read; the matcher in use stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.refresh_sellers(false).await?;
        let generation = self.current.read().unwrap_or_else(PoisonError::into_inner).generation;
        let delta = self.store.marks_since(generation).await?;
        if delta.generation == generation {
            return Ok(());
        }
        let mut marks = self.current.read().unwrap_or_else(PoisonError::into_inner).marks.clone();
        let replaced: BTreeSet<&MarkId> = delta.removed.iter().chain(delta.put.iter().map(|mark| &mark.id)).collect();
        marks.retain(|mark| !replaced.contains(&mark.id));
        marks.extend(delta.put.iter().cloned());
        let register = Arc::new(Register::new(marks.clone()));
        // Rules and registry may have changed meanwhile: they are those in use now.
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let matcher = Arc::new(current.matcher.with_register(register));
        *current = Current { generation: delta.generation, marks, matcher };
        Ok(())
    }

    /// Takes in what reviewers decided since the last time. One caller at a time; others see the old until it is done.
    ///
    /// # Errors
    /// When decisions cannot be read; what was learnt before stays.
    pub async fn learn(&self) -> Result<(), StoreError> {
        let learnt = self.learnt();
        if self.store.counts().await?.seq == learnt.seq() {
            return Ok(());
        }
        let mut learnt = (*learnt).clone();
        learnt.catch_up(&*self.store).await?;
        *self.learnt.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(learnt);
        Ok(())
    }

    /// What decisions have taught.
    pub fn learnt(&self) -> Arc<Learnt> {
        self.learnt.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The matcher in use.
    pub fn matcher(&self) -> Arc<Matcher> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).matcher.clone()
    }

    /// How many hits `listing` would make, were it written.
    pub fn would_queue(&self, listing: &Listing) -> usize {
        let found = match_listing(&self.matcher(), listing, self.clock.now());
        let families: BTreeSet<&str> = found.findings.iter().map(|finding| finding.family.as_str()).collect();
        families.len()
    }

    /// Matches what was fetched and writes capture, listing and hits in one act.
    ///
    /// # Errors
    /// When the store cannot write; then nothing was acknowledged.
    pub async fn see(&self, page: Fetched) -> Result<Seen, StoreError> {
        let capture_id = page.capture.as_ref().map(|capture| capture.id.clone());
        let mut writes: Vec<Write> = page.capture.into_iter().map(Write::Capture).collect();
        let mut seen = Seen::default();
        let first = identified(page.listing_id, page.listing);
        let others = page.others.into_iter().filter_map(|listing| identified(None, Some(listing)));
        for (id, listing) in first.into_iter().chain(others) {
            let now = self.clock.now();
            let matcher = self.matcher();
            let mut found = self.look(&matcher, &listing, now);
            let learnt = self.learnt();
            writes.extend(self.hold_to_quota(&matcher, &listing, &mut found, now));
            let hits = hits(&id, &listing, &found, (matcher.version(), &learnt), now);
            seen.add(found);
            writes.extend(hits.into_iter().map(|mut hit| {
                hit.capture.clone_from(&capture_id);
                Write::Hit(hit)
            }));
            writes.extend(self.changed(&id, &listing, capture_id.as_ref()).await?);
            writes.push(Write::Listing { id, listing, capture: capture_id.clone() });
        }
        if !writes.is_empty() {
            let made = quota::rules_of(&writes);
            let receipt: Receipt = self.store.apply(Batch { actor: "monitor".into(), writes }).await?;
            self.quota().count(&made, &receipt.hits);
            seen.new_hits = receipt.hits.iter().filter(|hit| hit.new).count();
            if let Some(meters) = self.meters.as_ref().filter(|_| seen.new_hits > 0) {
                meters.hits(&page.profile, seen.new_hits as u64);
            }
        }
        Ok(seen)
    }
}

impl Monitor {
    /// A note of what is other in `listing` than in the facts that are stored.
    async fn changed(
        &self,
        id: &ListingId,
        listing: &Listing,
        capture: Option<&CaptureId>,
    ) -> Result<Option<Write>, StoreError> {
        let Some(before) = self.store.listing(id).await? else { return Ok(None) };
        let changes = listing.differences(&before.listing);
        if changes.is_empty() {
            return Ok(None);
        }
        let details = [
            ("listing", serde_json::to_value(id)),
            ("capture", serde_json::to_value(capture)),
            ("changes", serde_json::to_value(changes)),
        ];
        let details = details.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.ok()?))).collect();
        Ok(Some(Write::Note { what: LISTING_CHANGED.into(), details }))
    }

    /// Matches `listing`, and counts what rules in shadow find where that is kept.
    fn look(&self, matcher: &Matcher, listing: &Listing, now: Timestamp) -> Findings {
        if self.shadow.is_none() {
            return match_listing(matcher, listing, now);
        }
        let (standing, findings) = matcher.check_with_shadow(listing, day_of(listing, now));
        self.count_shadow(matcher, listing, &findings, now);
        standing
    }

    /// Counts what is found and not queued, where that is kept.
    fn count_shadow(&self, matcher: &Matcher, listing: &Listing, findings: &[Finding], now: Timestamp) {
        let Some((_, shadow)) = self.shadow.as_ref().filter(|_| !findings.is_empty()) else { return };
        let version = |rule: &str| matcher.rules().and_then(|rules| rules.rule(rule)).map_or(0, |rule| rule.version);
        let day = now.to_zoned(TimeZone::UTC).date();
        shadow.lock().unwrap_or_else(PoisonError::into_inner).count(day, listing, findings, version);
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out of `findings` what rules found that have made their hits of today, and counts it; gives what is to be noted.
    fn hold_to_quota(
        &self,
        matcher: &Matcher,
        listing: &Listing,
        findings: &mut Findings,
        now: Timestamp,
    ) -> Vec<Write> {
        let day = now.to_zoned(TimeZone::UTC).date();
        let (held, notes) = self.quota().hold(day, matcher.rules().map(AsRef::as_ref), findings);
        self.count_shadow(matcher, listing, &held, now);
        notes
    }
}

fn day_of(listing: &Listing, now: Timestamp) -> Date {
    listing.captured_at.unwrap_or(now).to_zoned(TimeZone::UTC).date()
}

/// Under the law of the day the facts were captured.
fn match_listing(matcher: &Matcher, listing: &Listing, now: Timestamp) -> Findings {
    matcher.check(listing, day_of(listing, now))
}

fn identified(id: Option<ListingId>, listing: Option<Listing>) -> Option<(ListingId, Listing)> {
    let listing = listing?;
    let id = id.or_else(|| ListingId::new(&listing.id).ok())?;
    Some((id, listing))
}

#[async_trait]
impl Sink for Monitor {
    async fn fetched(&self, page: Fetched) -> Result<(), SinkError> {
        self.see(page).await.map(drop).map_err(|error| SinkError(Box::new(error)))
    }

    fn words(&self) -> Vec<String> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let alive = current.marks.iter().filter(|mark| mark.status != MarkStatus::Dead);
        let words: BTreeSet<&str> = alive.map(|mark| mark.text.as_str()).collect();
        words.into_iter().map(str::to_owned).collect()
    }

    fn looks_with(&self) -> String {
        self.matcher().version().to_owned()
    }
}
