//! One decision on all hits of a filter: frozen first, looked at, then made, and taken back as one.
//!
//! What is frozen is a list of hits as they stood at that moment. New hits are never swept in; a hit that changed meanwhile
//! is left as it is, and told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk, WebError, acts,
    card::{Choice, choices, severity_words},
    frame::Frame,
    lists::{Line, lines},
    query::Query,
    spans::severity_code,
    visit::Visit,
};
use crate::{
    model::{Account, AccountName, Decision, HitId, Severity, Timestamp, Verdict},
    review::{self, Entry},
    store::MAX_AT_ONCE,
};

/// Most hits frozen at once.
const MAX_FROZEN: usize = 100_000;
/// Most lists kept; the oldest goes.
const MAX_LISTS: usize = 32;
/// How long a list is kept, in seconds.
const KEPT_SECONDS: i64 = 3600;
/// Random members shown.
const SAMPLE: usize = 20;
/// Members shown that are least like the others.
const OUTLIERS: usize = 8;
/// From how many hits on their number must be typed.
const TYPED_ABOVE: usize = 500;

/// Lists that wait for a decision.
#[derive(Debug, Default)]
pub(super) struct Frozen(Mutex<HashMap<String, Arc<List>>>);

#[derive(Debug)]
struct List {
    owner: AccountName,
    at: Timestamp,
    entries: Vec<Entry>,
    begun: AtomicBool,
    done: AtomicUsize,
    left: AtomicUsize,
}

impl Frozen {
    fn keep(&self, name: String, list: List) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|_, known| list.at.duration_since(known.at).as_secs() < KEPT_SECONDS);
        while lists.len() >= MAX_LISTS {
            let Some(oldest) = lists.iter().min_by_key(|(_, known)| known.at).map(|(name, _)| name.clone()) else {
                break;
            };
            lists.remove(&oldest);
        }
        lists.insert(name, Arc::new(list));
    }

    fn find(&self, name: &str, owner: &AccountName) -> Result<Arc<List>, WebError> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(name).filter(|list| list.owner == *owner).cloned().ok_or(WebError::NotFound)
    }
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    filter: String,
    reason: String,
    count: String,
    note: String,
}

#[derive(Template)]
#[template(path = "desk/bulk.html")]
struct BulkPage {
    f: Frame,
    title: String,
    name: String,
    total: usize,
    frozen_words: String,
    parts: Vec<PartView>,
    sample: Vec<Line>,
    outliers: Vec<Line>,
    typed: bool,
    problem: Option<String>,
    confirm: Vec<Choice>,
    dismiss: Vec<Choice>,
    /// Set once it was begun.
    begun: bool,
    finished: bool,
    handled: usize,
    done_words: String,
    left_words: String,
}

struct PartView {
    words: String,
    code: &'static str,
    count: usize,
    percent: usize,
}

/// Freezes what `query` means for `account`; returns the list's name.
pub(super) async fn freeze_for(desk: &Desk, account: &Account, query: &Query) -> Result<String, WebError> {
    if !account.decides() {
        return Err(review::ReviewError::MayNotDecide(account.name.to_string()).into());
    }
    desk.follow(true).await?;
    let (board, at) = (&desk.inner.board, desk.inner.clock.now());
    let ids = board.select(&query.ask()?, &desk.inner.review.deadline_hours, at);
    let waits = ids.into_iter().filter_map(|id| board.entry(id)).filter(|entry| entry.state.waits());
    let entries: Vec<Entry> = waits.take(MAX_FROZEN).collect();
    let name = acts::act_name("")?;
    let owner = account.name.clone();
    let (begun, done, left) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    desk.inner.frozen.keep(name.clone(), List { owner, at, entries, begun, done, left });
    Ok(name)
}

/// A frozen list as programs see it.
pub(super) struct Standing {
    /// Hits of each severity, the worst first.
    pub parts: Vec<(Severity, usize)>,
    pub total: usize,
    pub begun: bool,
    pub done: usize,
    pub left: usize,
    /// Members at random, and those least like the rest.
    pub sample: Vec<HitId>,
    pub outliers: Vec<HitId>,
}

/// How a list of `account`'s stands.
pub(super) fn standing(desk: &Desk, account: &Account, name: &str) -> Result<Standing, WebError> {
    let list = desk.inner.frozen.find(name, &account.name)?;
    let (sample, outliers) = picked(&list.entries);
    let mut parts: BTreeMap<Severity, usize> = BTreeMap::new();
    list.entries.iter().for_each(|entry| *parts.entry(entry.severity).or_default() += 1);
    Ok(Standing {
        parts: parts.into_iter().rev().collect(),
        total: list.entries.len(),
        begun: list.begun.load(Ordering::Relaxed),
        done: list.done.load(Ordering::Relaxed),
        left: list.left.load(Ordering::Relaxed),
        sample,
        outliers,
    })
}

/// Begins to make `ask` the decision on a list of `account`'s, once; false where its number had to be said and was not.
pub(super) fn decide_for(
    desk: &Desk,
    account: &Account,
    (name, count): (&str, Option<usize>),
    ask: review::Ask,
) -> Result<bool, WebError> {
    let list = desk.inner.frozen.find(name, &account.name)?;
    let total = list.entries.len();
    if total > TYPED_ABOVE && count != Some(total) {
        return Ok(false);
    }
    let mut decision = review::decide(account, desk.inner.clock.now(), ask)?;
    decision.act = Some(name.to_owned());
    if !list.begun.swap(true, Ordering::Relaxed) {
        tokio::spawn(carry_out(desk.clone(), list, decision));
    }
    Ok(true)
}

/// Freezes what a filter means.
pub(super) async fn freeze(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<Sent>,
) -> Result<Response, WebError> {
    let name = freeze_for(&desk, visit.account()?, &Query::parse(&form.filter)).await?;
    Ok(Redirect::to(&format!("/bulk/{name}")).into_response())
}

/// What is frozen, and what became of it.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Html<String>, WebError> {
    let list = desk.inner.frozen.find(&name, &visit.account()?.name)?;
    shown(&desk, &visit, name, &list, None).await
}

async fn shown(
    desk: &Desk,
    visit: &Visit,
    name: String,
    list: &List,
    problem: Option<String>,
) -> Result<Html<String>, WebError> {
    let words = visit.words;
    let total = list.entries.len();
    let (done, left) = (list.done.load(Ordering::Relaxed), list.left.load(Ordering::Relaxed));
    let (random, odd) = picked(&list.entries);
    let page = BulkPage {
        f: Frame::new(visit, "queue"),
        title: words.count("bulk-title", total as u64),
        frozen_words: words.say("bulk-frozen"),
        parts: parts(&list.entries, visit),
        sample: lines(desk, visit, &random).await?,
        outliers: lines(desk, visit, &odd).await?,
        typed: total > TYPED_ABOVE,
        problem,
        confirm: choices(Verdict::Confirm, words),
        dismiss: choices(Verdict::Dismiss, words),
        begun: list.begun.load(Ordering::Relaxed),
        finished: done + left >= total,
        handled: done + left,
        done_words: words.count("bulk-done", done as u64),
        left_words: if left > 0 { words.count("bulk-left", left as u64) } else { String::new() },
        name,
        total,
    };
    Ok(Html(page.render()?))
}

/// Members at random (the same for the same list), and those least like the rest.
fn picked(entries: &[Entry]) -> (Vec<HitId>, Vec<HitId>) {
    let mixed = |id: HitId| id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let mut random: Vec<HitId> = entries.iter().map(|entry| entry.id).collect();
    random.sort_by_key(|id| mixed(*id));
    random.truncate(SAMPLE);
    let mut sellers: HashMap<u64, usize> = HashMap::new();
    let mut bits = [0_usize; 64];
    for entry in entries {
        *sellers.entry(entry.like.seller).or_default() += 1;
        bits.iter_mut().enumerate().for_each(|(bit, sum)| *sum += usize::from(entry.like.reads.0 >> bit & 1 == 1));
    }
    let middle =
        bits.iter().enumerate().fold(0_u64, |all, (bit, &sum)| all | u64::from(sum * 2 > entries.len()) << bit);
    // Of a seller that is rare here, and reads otherwise than most.
    let odd = |entry: &Entry| {
        let rare = sellers.get(&entry.like.seller).map_or(0, |&count| 32 * (entries.len() - count) / entries.len());
        let reads = (entry.like.reads.0 ^ middle).count_ones() as usize;
        std::cmp::Reverse((rare + reads + usize::from(entry.severity == Severity::Critical) * 8, entry.id))
    };
    let mut outliers: Vec<&Entry> = entries.iter().filter(|entry| !random.contains(&entry.id)).collect();
    outliers.sort_by_key(|entry| odd(entry));
    (random, outliers.into_iter().take(OUTLIERS).map(|entry| entry.id).collect())
}

fn parts(entries: &[Entry], visit: &Visit) -> Vec<PartView> {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    entries.iter().for_each(|entry| *counts.entry(entry.severity).or_default() += 1);
    let view = |(severity, count): (Severity, usize)| PartView {
        words: severity_words(severity, visit.words),
        code: severity_code(severity),
        count,
        percent: count * 100 / entries.len().max(1),
    };
    counts.into_iter().rev().map(view).collect()
}

/// Makes the decision on what was frozen.
pub(super) async fn decide(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    Form(form): Form<Sent>,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    let list = desk.inner.frozen.find(&name, &account.name)?;
    let (verdict, reason) = super::hit::spoken(&form.reason)?;
    let ask = review::Ask { verdict, reason, note: form.note, looked_ms: 0 };
    if !decide_for(&desk, account, (&name, form.count.trim().parse().ok()), ask)? {
        let words = visit.words.count("bulk-type-count", list.entries.len() as u64);
        return Ok(shown(&desk, &visit, name, &list, Some(words)).await?.into_response());
    }
    Ok(Redirect::to(&format!("/bulk/{name}")).into_response())
}

async fn carry_out(desk: Desk, list: Arc<List>, decision: Decision) {
    let second = |entry: &&Entry| {
        decision.verdict == Verdict::Confirm
            && desk.inner.review.wants_second(entry.severity, entry.handling.second_approval)
    };
    let (seconded, plain): (Vec<&Entry>, Vec<&Entry>) = list.entries.iter().partition(second);
    for (entries, second) in [(plain, false), (seconded, true)] {
        for part in entries.chunks(MAX_AT_ONCE) {
            let part: Vec<Entry> = part.iter().map(|&entry| entry.clone()).collect();
            match desk.settle(Decision { second, ..decision.clone() }, &part).await {
                Ok((done, left)) => {
                    list.done.fetch_add(done, Ordering::Relaxed);
                    list.left.fetch_add(left, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::error!(%error, hits = part.len(), "a decision on many hits was not recorded");
                    list.left.fetch_add(part.len(), Ordering::Relaxed);
                }
            }
        }
    }
}
