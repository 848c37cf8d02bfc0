//! One listing of a sample: does anything stand here?

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};

use super::Known;
use crate::{
    model::{AccountName, MarkStatus, Permission, Timestamp},
    review::Sampled,
    store::StoredListing,
    web::{
        Desk, WebError,
        api::{set, today},
        card::{Fact, Shown, SurfaceView, listing_facts, visible},
        frame::Frame,
        spans::{Piece, Run},
        visit::Visit,
    },
};

/// How long a listing that was handed to somebody is not handed to another, in minutes.
const HELD_MINUTES: i64 = 10;
/// Marks and rules that are offered by name.
const OFFERED: usize = 500;

/// Listings that somebody looks at now; after a restart two may look at one, and the first word counts.
#[derive(Debug, Default)]
pub(in crate::web) struct Handed(Mutex<HashMap<(String, usize), (AccountName, Timestamp)>>);

impl Handed {
    /// Hands a listing to `who`; false while another has it.
    fn take(&self, sample: &str, number: usize, who: &AccountName, now: Timestamp) -> bool {
        let mut handed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handed.retain(|_, (_, at)| now.duration_since(*at).as_mins() < HELD_MINUTES);
        let key = (sample.to_owned(), number);
        if handed.get(&key).is_some_and(|(other, _)| other != who) {
            return false;
        }
        handed.insert(key, (who.clone(), now));
        true
    }

    pub(in crate::web) fn close(&self, sample: &str, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(sample.to_owned(), number));
    }
}

#[derive(Template)]
#[template(path = "desk/recall_task.html")]
struct TaskPage {
    f: Frame,
    at: String,
    count: String,
    title: Vec<Run>,
    plain_title: String,
    facts: Vec<Fact>,
    surfaces: Vec<SurfaceView>,
    attributes: Vec<SurfaceView>,
    left_out: String,
    /// Whether the visitor may say something.
    looks: bool,
    /// What was said: by whom, the words, the mark or rule.
    said: Option<(String, String, String)>,
    own: bool,
    references: Vec<(String, String)>,
    done: Option<String>,
}

impl Desk {
    /// The next listing that nobody looked at or looks at now: its sample and number.
    pub(in crate::web) async fn next_task(&self, who: &AccountName) -> Result<Option<(String, usize)>, WebError> {
        self.follow(true).await?;
        let now = self.inner.clock.now();
        for Known { sample, listings, .. } in self.samples() {
            for one in listings.iter().filter(|one| one.looked.is_none()) {
                // What has left the store cannot be looked at.
                if self.inner.handed.take(&sample.name, one.number, who, now)
                    && self.inner.store.listing(&one.listing).await?.is_some()
                {
                    return Ok(Some((sample.name, one.number)));
                }
            }
        }
        Ok(None)
    }
}

/// The next listing, or the page of all samples when there is none.
pub(in crate::web) async fn next(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Response, WebError> {
    let done = raw.unwrap_or_default();
    let done = url::form_urlencoded::parse(done.as_bytes()).find(|(name, _)| name == "done").map(|(_, value)| value);
    let done = done.filter(|done| done.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let to = match desk.next_task(&visit.account()?.name).await? {
        Some((sample, number)) => {
            format!("/recall/{sample}/{number}{}", done.map(|done| format!("?done={done}")).unwrap_or_default())
        }
        None => "/recall".to_owned(),
    };
    Ok(Redirect::to(&to).into_response())
}

/// One listing.
pub(in crate::web) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path((name, number)): Path<(String, usize)>,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let account = visit.account()?;
    let known = desk.sample(&name)?;
    let of = known.listings.len();
    let one: Sampled = known.listings.into_iter().find(|one| one.number == number).ok_or(WebError::NotFound)?;
    let StoredListing { listing, .. } = desk.inner.store.listing(&one.listing).await?.ok_or(WebError::NotFound)?;
    let words = visit.words;
    let shown = Shown::of(&listing, &[], words);
    let own = one.looked.as_ref().is_some_and(|(by, _, _)| *by == account.name);
    let done = raw.unwrap_or_default();
    let done = url::form_urlencoded::parse(done.as_bytes())
        .find(|(name, _)| name == "done")
        .and_then(|(_, done)| done.rsplit_once('-').map(|(sample, number)| format!("/recall/{sample}/{number}/undo")))
        .filter(|path| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/'));
    let page = TaskPage {
        at: format!("/recall/{name}/{number}"),
        count: format!("{number} / {of}"),
        title: shown.title,
        plain_title: visible(&listing.title),
        facts: listing_facts(&listing, words, &desk.inner.zone),
        surfaces: shown.surfaces,
        attributes: shown.attributes,
        left_out: if shown.left_out > 0 { words.count("surfaces-left-out", shown.left_out) } else { String::new() },
        looks: visit.may(Permission::DecideMany) && one.looked.is_none(),
        said: one.looked.map(|(by, _, missed)| {
            let missed = missed.map(|missed| (visible(&missed.words), visible(&missed.reference)));
            let (words, reference) = missed.unwrap_or_default();
            (by.to_string(), words, reference)
        }),
        own,
        references: references(&desk).await?,
        done,
        f: Frame::new(&visit, "recall"),
    };
    Ok(Html(page.render()?))
}

/// What could have found something: rules and marks, by id, each with its words.
async fn references(desk: &Desk) -> Result<Vec<(String, String)>, WebError> {
    let day = today(desk);
    let rules = set(desk);
    let rules = rules.rules().iter().map(|rule| (rule.id.clone(), visible(&rule.title.zh)));
    let marks = desk.inner.store.marks_since(0).await?.put.into_iter();
    let marks = marks.filter(|mark| mark.status != MarkStatus::Dead && mark.expires_on.is_none_or(|last| last >= day));
    let marks = marks.map(|mark| (mark.id.to_string(), visible(&mark.text)));
    Ok(rules.chain(marks).take(OFFERED).collect())
}

/// Takes back what was said.
pub(in crate::web) async fn undo(
    State(desk): State<Desk>,
    visit: Visit,
    Path((sample, number)): Path<(String, usize)>,
) -> Result<Response, WebError> {
    desk.unlook(visit.account()?, &sample, number).await?;
    Ok(Redirect::to(&format!("/recall/{sample}/{number}")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_with_one_person_until_its_time_is_over() {
        let handed = Handed::default();
        let (lin, wu) = (AccountName::new("lin").unwrap(), AccountName::new("wu").unwrap());
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        assert!(handed.take("a", 1, &lin, at(0)) && handed.take("a", 1, &lin, at(1)));
        assert!(!handed.take("a", 1, &wu, at(2)) && handed.take("a", 2, &wu, at(2)));
        assert!(handed.take("a", 1, &wu, at(1 + HELD_MINUTES)));
        handed.close("a", 1);
        assert!(handed.take("a", 1, &lin, at(12)));
    }
}
