//! Pages that gather what is known of a seller, a listing, a mark or a rule: its hits, decisions and notes over time.

use askama::Template;
use axum::{
    Form,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use jiff::civil::Date;
use serde::Deserialize;

use super::{
    Desk, WebError,
    alike::{AlsoSeen, also_seen},
    card::{visible, visible_up_to},
    chart::Chart,
    days,
    frame::Frame,
    lists::{Line, lines},
    visit::Visit,
};
use crate::{
    model::{Account, HitId, HitState, ListingId, MarkId, Remark, Saying},
    review::{Entry, ReviewError, Share, Subject},
    store::{Batch, Write},
};

/// Hits listed on a page.
const SHOWN: usize = 100;
/// Longest note on a seller, in characters.
const MAX_NOTE_CHARS: usize = 2_000;
/// Most notes on one seller.
const MAX_NOTES: usize = 200;

#[derive(Template)]
#[template(path = "desk/subject.html")]
struct SubjectPage {
    f: Frame,
    kind: String,
    title: String,
    facts: Vec<(String, String)>,
    counts: Vec<(String, usize)>,
    precision: String,
    chart: Chart,
    /// The day whose hits are listed, and where all are; none where all are.
    day: Option<(String, String)>,
    hits: Vec<Line>,
    more: usize,
    /// Where notes go; none where none are taken.
    notes_to: Option<String>,
    may_write: bool,
    notes: Vec<NoteView>,
    /// Where else the same goods are offered; none where that is not looked for.
    also: Option<AlsoSeen>,
}

/// A note as pages show it.
pub(super) struct NoteView {
    pub by: String,
    pub at: String,
    pub text: String,
}

/// The notes on a seller, newest first.
pub(super) fn notes(desk: &Desk, seller: u64) -> Vec<NoteView> {
    let view = |note: crate::review::Note| NoteView {
        by: note.by.to_string(),
        at: note.at.to_zoned(desk.inner.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        text: visible_up_to(&note.text, MAX_NOTE_CHARS),
    };
    desk.inner.board.notes(seller).into_iter().map(view).collect()
}

/// A seller.
pub(super) async fn seller(
    State(desk): State<Desk>,
    visit: Visit,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, WebError> {
    let number = u64::from_str_radix(&key, 16).map_err(|_| WebError::NotFound)?;
    desk.follow(true).await?;
    let seller = desk.inner.board.seller(number).ok_or(WebError::NotFound)?;
    let facts = vec![(visit.words.say("fact-platform"), visible(&seller.platform))];
    let notes_to = Some(format!("/sellers/{key}/notes"));
    let page = Page {
        kind: "subject-seller",
        title: visible(&seller.name),
        facts,
        notes_to,
        notes: notes(&desk, number),
        also: None,
    };
    page.show(&desk, &visit, (&Subject::Seller(number), format!("/sellers/{number:016x}"), day_of(query)?)).await
}

/// A listing, over all its captures.
pub(super) async fn listing(
    State(desk): State<Desk>,
    visit: Visit,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, WebError> {
    let number = u64::from_str_radix(&key, 16).map_err(|_| WebError::NotFound)?;
    desk.follow(true).await?;
    let newest = desk.inner.board.about(&Subject::Listing(number)).first().map(|entry| entry.id);
    let hit = match newest {
        Some(id) => desk.inner.store.hit(id).await?.ok_or(WebError::NotFound)?,
        None => return Err(WebError::NotFound),
    };
    let listing = &hit.what.listing;
    let facts = [("fact-platform", listing.platform.clone()), ("fact-link", listing.url.clone())];
    let facts = facts.into_iter().filter_map(|(key, value)| Some((visit.words.say(key), visible(&value?)))).collect();
    let also = match ListingId::new(&listing.id) {
        Ok(id) => also_seen(&desk, &visit, &id).await?,
        Err(_) => None,
    };
    let (title, notes) = (visible(&listing.title), Vec::new());
    let page = Page { kind: "subject-listing", title, facts, notes_to: None, notes, also };
    page.show(&desk, &visit, (&Subject::Listing(number), format!("/listings/{number:016x}"), day_of(query)?)).await
}

/// A mark or a rule, by its id.
pub(super) async fn reference(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let mark = match MarkId::new(&name) {
        Ok(id) => desk.inner.store.mark(&id).await?,
        Err(_) => None,
    };
    let facts = mark.as_ref().map(|mark| super::card::mark_facts(mark, visit.words)).unwrap_or_default();
    let (kind, title) = match &mark {
        Some(mark) => ("kind-mark", visible(&mark.text)),
        None => ("subject-reference", visible(&name)),
    };
    let page = Page { kind, title, facts, notes_to: None, notes: Vec::new(), also: None };
    let path = super::card::reference_href(&name);
    page.show(&desk, &visit, (&Subject::Reference(name), path, day_of(query)?)).await
}

/// What differs from subject to subject.
struct Page {
    kind: &'static str,
    title: String,
    facts: Vec<(String, String)>,
    notes_to: Option<String>,
    notes: Vec<NoteView>,
    also: Option<AlsoSeen>,
}

impl Page {
    /// The page of a subject at `path`, its hits those of `day` where one is asked for.
    async fn show(
        self,
        desk: &Desk,
        visit: &Visit,
        (subject, path, day): (&Subject, String, Option<Date>),
    ) -> Result<Html<String>, WebError> {
        let entries = desk.inner.board.about(subject);
        if entries.is_empty() {
            return Err(WebError::NotFound);
        }
        let words = visit.words;
        let count = |state| entries.iter().filter(|entry| entry.state == state).count();
        let counts = HitState::ALL.map(|state| (words.say(super::card::state_key(state)), count(state)));
        let (confirmed, dismissed) = (count(HitState::Confirmed) as u64, count(HitState::Dismissed) as u64);
        let on = |entry: &&Entry| day.is_none_or(|day| entry.found_at.to_zoned(desk.inner.zone.clone()).date() == day);
        let listed: Vec<HitId> = entries.iter().filter(on).map(|entry| entry.id).collect();
        let ids = listed.get(..SHOWN).unwrap_or(&listed);
        let page = SubjectPage {
            f: Frame::new(visit, ""),
            kind: words.say(self.kind),
            title: self.title,
            facts: self.facts,
            counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            precision: super::quality::share_words(&Share::new(confirmed, confirmed + dismissed), words),
            chart: days::chart(desk, &path, &entries, words),
            day: day.map(|day| (day.to_string(), path)),
            hits: lines(desk, visit, ids).await?,
            more: listed.len().saturating_sub(SHOWN),
            may_write: visit.may(crate::model::Permission::DecideMany),
            notes_to: self.notes_to,
            notes: self.notes,
            also: self.also,
        };
        Ok(Html(page.render()?))
    }
}

/// The day that `query` asks for.
fn day_of(query: Option<String>) -> Result<Option<Date>, WebError> {
    let query = query.unwrap_or_default();
    let day = url::form_urlencoded::parse(query.as_bytes()).take(16).find(|(name, _)| name == "day");
    day.map(|(_, day)| day.parse().map_err(|_| WebError::Field("day"))).transpose()
}

/// What the note form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Noted {
    text: String,
    /// A hit to go back to.
    back: u64,
}

/// Leaves a note on a seller.
pub(super) async fn note(
    State(desk): State<Desk>,
    visit: Visit,
    Path(key): Path<String>,
    Form(form): Form<Noted>,
) -> Result<Response, WebError> {
    let number = u64::from_str_radix(&key, 16).map_err(|_| WebError::NotFound)?;
    desk.note_seller(visit.account()?, number, &form.text).await?;
    let to = if form.back > 0 { format!("/hits/{}", form.back) } else { format!("/sellers/{key}") };
    Ok(Redirect::to(&to).into_response())
}

impl Desk {
    /// Leaves a note on a seller; an empty one, and one beyond the most that are kept, says nothing.
    pub(super) async fn note_seller(&self, account: &Account, number: u64, text: &str) -> Result<(), WebError> {
        if !account.decides() {
            return Err(ReviewError::MayNotDecide(account.name.to_string()).into());
        }
        self.follow(true).await?;
        self.inner.board.seller(number).ok_or(WebError::NotFound)?;
        let text = text.trim().to_owned();
        let length = text.chars().count();
        if length > MAX_NOTE_CHARS {
            return Err(ReviewError::LongNote(length).into());
        }
        if text.is_empty() || self.inner.board.notes(number).len() >= MAX_NOTES {
            return Ok(());
        }
        let says = Saying::SellerNote { seller: format!("{number:016x}"), text };
        let key = format!("note:{number:016x}:{}", super::acts::act_name("")?);
        self.say(account, key, says).await
    }

    /// Keeps what `account` says now.
    pub(super) async fn say(&self, account: &Account, key: String, says: Saying) -> Result<(), WebError> {
        self.remark(Remark { key, by: account.name.clone(), at: self.inner.clock.now(), says }).await
    }

    /// Keeps what somebody left behind.
    pub(super) async fn remark(&self, remark: Remark) -> Result<(), WebError> {
        let actor = remark.by.as_str().to_owned();
        self.inner.store.apply(Batch { actor, writes: vec![Write::Remark(remark)] }).await?;
        self.follow(true).await
    }
}
