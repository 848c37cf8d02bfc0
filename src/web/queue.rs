//! The queue: hits by priority, filtered by the address, a page at a time.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Html,
};

use super::{
    Desk, WebError,
    card::{
        self, age_words, channel_words, price_words, reason_words, severity_words, state_code, verdict_words, visible,
    },
    frame::Frame,
    query::Query,
    spans::{self, Piece, Run, severity_code},
    tenant,
    visit::Visit,
    words::{Language, Words},
};
use crate::{
    model::{AccountName, Channel, Finding, HitId, HitState, Listing, Permission, Severity, Timestamp},
    store::{Counts, HitRow},
};

/// Rows of one page.
const ROWS: usize = 50;
/// Rules held in shadow that are told one by one.
const HELD: usize = 5;
/// Longest title of a row, in characters.
const TITLE_CHARS: usize = 160;

#[derive(Template)]
#[template(path = "desk/queue.html")]
struct QueuePage {
    f: Frame,
    heading: String,
    can_review: bool,
    can_bulk: bool,
    orders: Vec<OrderChoice>,
    saved: Vec<SavedView>,
    total: usize,
    total_words: String,
    run: String,
    here: String,

    start: String,
    tabs: Vec<Tab>,
    state: &'static str,
    text: String,
    platform: String,
    family: String,
    severities: Vec<SeverityChoice>,
    filtered: bool,
    refused: Option<String>,
    /// Rules that are only counted, and why: for their owners.
    held: Vec<String>,
    rows: Vec<Row>,
    empty_title: String,
    empty_words: String,
    first: Option<String>,
    next: Option<String>,
}

struct Tab {
    href: String,
    words: String,
    count: u64,
    current: bool,
}

struct SeverityChoice {
    value: &'static str,
    words: String,
    chosen: bool,
}

/// A way to order.
struct OrderChoice {
    value: &'static str,
    words: String,
    chosen: bool,
}

/// A filter under a name.
struct SavedView {
    key: String,
    name: String,
    href: String,
    own: bool,
    shared_by: String,
    current: bool,
}

struct Row {
    href: String,
    priority: u32,
    due: Option<super::gathered::DueView>,
    like: usize,
    precedent: Option<u64>,
    act: Option<String>,
    title: Vec<Run>,
    family: String,
    badges: Vec<String>,
    severity: String,
    severity_code: &'static str,
    severity_sign: &'static str,
    price: String,
    seller: String,
    platform: String,
    age: String,
    verdict: Option<String>,
    held_by: Option<String>,
    /// The strongest finding, where it does not show in the title.
    found: Option<String>,
}

/// The queue's page.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    let query = Query::parse(&raw.unwrap_or_default());
    let state = query.hit_state()?;
    desk.follow(true).await?;
    let (words, now, kept) = (visit.words, desk.inner.clock.now(), query.kept());
    let account = visit.account()?;
    let ids = desk.order(account, &query)?;
    let begin = match query.place()? {
        Some(after) => ids.iter().position(|id| *id == after.id).map_or(after.rows, |at| at + 1),
        None => 0,
    };
    let shown: Vec<HitId> = ids.iter().skip(begin).take(ROWS).copied().collect();
    let found = desk.inner.store.rows(&shown).await?;
    let counts = tenant::counts(&desk, account).await?;
    let decides = account.decides();
    let at = |extra: String| join("/queue", &[format!("state={}", state_code(state)), kept.clone(), extra]);
    let (empty_title, empty_words) = empty(state, &query, counts, words);
    let run = query.run();
    let rows: Vec<Row> = found.iter().map(|row| row_view(&desk, row, &run, now, &visit)).collect();
    let more = begin + shown.len() < ids.len();
    let page = QueuePage {
        heading: words.say(if state.waits() { "queue-title" } else { "decided-title" }),
        can_review: decides && state.waits() && !rows.is_empty(),
        can_bulk: visit.may(Permission::DecideMany) && state == HitState::Open && ids.len() > 1,
        orders: orders(&query, words),
        saved: saved(&desk, &visit, &query, state),
        total: ids.len(),
        total_words: words.count("queue-total", ids.len() as u64),
        here: at(String::new()).strip_prefix("/queue?").unwrap_or_default().to_owned(),
        start: join("/review", std::slice::from_ref(&run)),
        run,
        tabs: tabs(state, &kept, counts, words),
        state: state_code(state),
        severities: severities(&query, words),
        filtered: query.narrows(),
        refused: None,
        held: if visit.may(Permission::ReadRules) { held(&desk, words) } else { Vec::new() },
        rows,
        empty_title,
        empty_words,
        first: (begin > 0).then(|| at(String::new())),
        next: shown.last().filter(|_| more).map(|last| at(format!("after={}-{}", begin + shown.len(), last))),
        text: query.text,
        platform: query.platform,
        family: query.family,
        f: Frame::new(&visit, if state.waits() { "queue" } else { "decided" }),
    };
    Ok(Html(page.render()?))
}

fn orders(query: &Query, words: Words) -> Vec<OrderChoice> {
    let chosen = if query.order.is_empty() { "priority" } else { query.order.as_str() };
    [("priority", "order-priority"), ("oldest", "order-oldest"), ("sample", "order-sample")]
        .into_iter()
        .map(|(value, key)| OrderChoice { value, words: words.say(key), chosen: value == chosen })
        .collect()
}

fn saved(desk: &Desk, visit: &Visit, query: &Query, state: HitState) -> Vec<SavedView> {
    let Ok(account) = visit.account() else { return Vec::new() };
    let here = format!("state={}&{}", state_code(state), query.kept());
    let view = |saved: crate::review::Saved| SavedView {
        own: saved.by == account.name,
        shared_by: if saved.by == account.name { String::new() } else { saved.by.to_string() },
        current: saved.query.trim_end_matches('&') == here.trim_end_matches('&'),
        href: format!("/queue?{}", saved.query),
        name: visible(&saved.name),
        key: saved.key,
    };
    let own = account.sees().is_everything();
    let saved = desk.inner.board.saved(&account.name).into_iter();
    // A shared filter tells by its words what others look for.
    saved.filter(|saved| own || saved.by == account.name).map(view).collect()
}

/// A sentence for each active rule that is held in shadow; beyond a few, how many more.
fn held(desk: &Desk, words: Words) -> Vec<String> {
    let state = desk.inner.monitor.as_ref().and_then(|monitor| monitor.rules_state());
    let held = state.map(|state| state.held).unwrap_or_default();
    let told = held.iter().take(HELD).map(|held| {
        let [zh, en] = held.told();
        if words.0 == Language::Chinese { zh } else { en }
    });
    let more = held.len().saturating_sub(HELD) as u64;
    told.chain((more > 0).then(|| words.count("rules-held-more", more))).collect()
}

/// `path` with the non-empty parts of a query.
pub(super) fn join(path: &str, parts: &[String]) -> String {
    let given: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    if given.is_empty() { path.to_owned() } else { format!("{path}?{}", given.join("&")) }
}

fn tabs(current: HitState, kept: &str, counts: Counts, words: Words) -> Vec<Tab> {
    [
        (HitState::Open, "state-open", counts.open),
        (HitState::Proposed, "state-proposed", counts.proposed),
        (HitState::Escalated, "state-escalated", counts.escalated),
        (HitState::Confirmed, "state-confirmed", counts.confirmed),
        (HitState::Dismissed, "state-dismissed", counts.dismissed),
    ]
    .into_iter()
    .map(|(state, key, count)| Tab {
        href: join("/queue", &[format!("state={}", state_code(state)), kept.to_owned()]),
        words: words.say(key),
        count,
        current: state == current,
    })
    .collect()
}

fn severities(query: &Query, words: Words) -> Vec<SeverityChoice> {
    let mut choices =
        vec![SeverityChoice { value: "", words: words.say("severity-any"), chosen: query.severity.is_empty() }];
    for severity in [Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        let value = severity_code(severity);
        let name = severity_words(severity, words);
        choices.push(SeverityChoice {
            value,
            words: words.with("severity-at-least", &[("severity", &name)]),
            chosen: query.severity == value,
        });
    }
    choices
}

/// What an empty list says: why it is empty, and what to do.
fn empty(state: HitState, query: &Query, counts: Counts, words: Words) -> (String, String) {
    let (title, say) = match state {
        _ if query.narrows() || !query.after.is_empty() => ("empty-filter-title", "empty-filter-words"),
        HitState::Open if counts.confirmed + counts.dismissed > 0 => ("empty-done-title", "empty-done-words"),
        HitState::Open if counts.listings > 0 => ("empty-clean-title", "empty-clean-words"),
        HitState::Open => ("empty-new-title", "empty-new-words"),
        _ => ("empty-decided-title", "empty-decided-words"),
    };
    (words.say(title), words.say(say))
}

fn row_view(desk: &Desk, row: &HitRow, kept: &str, now: Timestamp, visit: &Visit) -> Row {
    let words = visit.words;
    let other = |who: &&AccountName| visit.account().is_ok_and(|account| account.name != **who);
    let (hit, what) = (&row.hit, &row.hit.what);
    let (board, limits) = (&desk.inner.board, &desk.inner.review.deadline_hours);
    let listing = &what.listing;
    let title: String = listing.title.chars().take(TITLE_CHARS).collect();
    let mut channels: Vec<Channel> = what.findings.iter().flat_map(|finding| finding.channels.clone()).collect();
    channels.sort_unstable();
    channels.dedup();
    Row {
        href: join(&format!("/hits/{}", hit.id), &[kept.to_owned()]),
        priority: board
            .entry(hit.id)
            .map_or(u32::from(what.priority), |entry| board.weight(&entry, limits, now).points()),
        due: hit.state.waits().then(|| super::gathered::due(desk, hit, words)).filter(|due| due.code != "fine"),
        like: if hit.state == HitState::Open { board.group_size(hit.id) } else { 0 },
        precedent: hit.decisions.last().and_then(|made| made.precedent).map(|id| id.0),
        act: hit.decisions.last().and_then(|made| made.act.clone()),
        title: spans::runs(&title, &card::marks_on("title", &what.findings), false, words),
        family: visible(&what.family),
        badges: channels
            .into_iter()
            .filter(|channel| channel.is_disguise())
            .map(|channel| channel_words(channel, words))
            .collect(),
        severity: severity_words(what.severity, words),
        severity_code: severity_code(what.severity),
        severity_sign: card::severity_sign(what.severity),
        price: listing.price.as_ref().map(price_words).unwrap_or_default(),
        seller: listing.seller.as_ref().and_then(|seller| seller.name.as_deref()).map(visible).unwrap_or_default(),
        platform: listing.platform.as_deref().map(visible).unwrap_or_default(),
        age: age_words(now.duration_since(what.found_at).as_mins(), words),
        found: elsewhere(&what.findings, listing, words),
        verdict: hit.decisions.last().filter(|_| hit.state != HitState::Open).map(|made| {
            format!("{} · {} · {}", verdict_words(made.verdict, words), reason_words(made.reason, words), made.by)
        }),
        held_by: row.held_by.as_ref().filter(other).map(|who| words.with("held-by", &[("who", who.as_str())])),
    }
}

/// The strongest finding's text and place, where the title shows none.
fn elsewhere(findings: &[Finding], listing: &Listing, words: Words) -> Option<String> {
    if findings.iter().any(|finding| finding.surface == "title") {
        return None;
    }
    let first = findings.first()?;
    Some(format!("{} · {}", visible(&first.text), card::place_words(&first.surface, listing, words)))
}
