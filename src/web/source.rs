//! One source: how it runs, what it brought, charts whose parts lead to the addresses behind them; and its pause.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use jiff::{SignedDuration, civil::Date};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Desk, WebError,
    alarms::{self, AlarmView},
    card::{time_words, visible},
    chart::{Chart, Point, Shows},
    frame::Frame,
    visit::Visit,
    words::Words,
};
use crate::{
    crawl::{Coverage, Ended, Known, Profile},
    model::{Permission, Timestamp},
    monitor::{Cost, MAX_WHY_CHARS, Said, Works, continue_note, pause_note},
    store::{Batch, Write},
};

/// Addresses of a source that are looked through for one page, and shown of them.
const MAX_LOOKED: usize = 300_000;
const SHOWN: usize = 300;
/// Days and runs that charts show.
const DAYS: i64 = 30;
const RUNS: usize = 30;
/// Longest pause that is asked for in hours.
const MAX_HOURS: u32 = 24 * 366;

/// The page of a source.
pub(super) fn href(profile: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(profile.as_bytes()).collect();
    format!("/sources/{}", name.replace('+', "%20"))
}

#[derive(Template)]
#[template(path = "desk/source.html")]
struct SourcePage {
    f: Frame,
    name: String,
    path: String,
    next: String,
    paused: String,
    may: bool,
    cost: String,
    alarms: Vec<AlarmView>,
    charts: Vec<Chart>,
    shares: Vec<Shares>,
    rooms: Vec<RoomView>,
    cut: bool,
}

/// Shares of a whole, each with its words.
struct Shares {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    words: String,
    width: f64,
    href: String,
}

struct RoomView {
    id: String,
    words: String,
}

/// What addresses tell, in one look.
#[derive(Default)]
struct Told {
    outcomes: BTreeMap<String, u64>,
    seen: BTreeMap<Date, u64>,
    changed: BTreeMap<Date, u64>,
    looked: usize,
    cut: bool,
}

/// The page.
pub(super) async fn page(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
) -> Result<Html<String>, WebError> {
    let (works, profile) = known(&desk, &name)?;
    let store = &*desk.inner.store;
    let now = desk.inner.clock.now();
    let zone = &desk.inner.zone;
    let (told, runs) = match works.coverage.clone() {
        Some(coverage) => {
            let (id, zone) = (name.clone(), zone.clone());
            let work = move || Ok::<_, WebError>((tell(&coverage, &id, &zone)?, coverage.newest_runs(&id, RUNS)?));
            tokio::task::spawn_blocking(work).await.map_err(|error| WebError::Check(error.to_string()))??
        }
        None => (Told::default(), Vec::new()),
    };
    let path = href(&name);
    let words = visit.words;
    let costs = works.costs(store).await?;
    let alarms = desk.alarms().await?;
    let page = SourcePage {
        next: store.next_due(&name).await?.map(|at| time_words(at, zone)).unwrap_or_default(),
        paused: works
            .operating
            .known()
            .pause(&name, now)
            .map(|said| pause_words(said, &desk, words))
            .unwrap_or_default(),
        may: visit.may(Permission::RunSources),
        cost: costs.get(&name).map(|cost| cost_words(cost, words)).unwrap_or_default(),
        alarms: alarms
            .iter()
            .filter(|alarm| alarm.subject == name)
            .map(|alarm| alarms::view(&desk, &visit, alarm))
            .collect(),
        charts: vec![
            runs_chart(&runs, &path, &desk, words),
            days_chart(words.say("source-seen"), &told.seen, now, (&desk, &path, "seen"), words),
            days_chart(words.say("source-changed"), &told.changed, now, (&desk, &path, "changed"), words),
        ],
        shares: vec![outcomes(&told, &path, words), fill(&runs, &path, words)],
        rooms: rooms(works, &profile, now, words),
        cut: told.cut,
        name: visible(&name),
        path,
        f: Frame::new(&visit, "sources"),
    };
    Ok(Html(page.render()?))
}

/// A profile that this server knows.
fn known<'a>(desk: &'a Desk, name: &str) -> Result<(&'a Works, Arc<Profile>), WebError> {
    let works = desk.inner.works.as_ref().ok_or(WebError::NotFound)?;
    let profile = works.profiles().get(name).cloned().ok_or(WebError::NotFound)?;
    Ok((works, profile))
}

/// Who paused it, when, until when and why.
pub(super) fn pause_words(said: &Said, desk: &Desk, words: Words) -> String {
    let zone = &desk.inner.zone;
    let (by, at) = (visible(&said.by), time_words(said.at, zone));
    let until = said.until.map_or_else(|| words.say("source-no-end"), |until| time_words(until, zone));
    words.with("source-paused", &[("by", &by), ("at", &at), ("until", &until), ("why", &visible(&said.why))])
}

/// What a confirmed hit of the source's platform cost.
pub(super) fn cost_words(cost: &Cost, words: Words) -> String {
    let megabytes = |bytes: f64| format!("{:.2}", bytes / 1e6);
    let (confirmed, decided) = (cost.confirmed.to_string(), cost.decided.to_string());
    match &cost.each {
        Some(each) => words.with(
            "source-cost",
            &[
                ("confirmed", &confirmed),
                ("decided", &decided),
                ("requests", &format!("{:.1}", each.requests)),
                ("megabytes", &megabytes(each.bytes)),
                ("fetching", &format!("{:.2}", each.fetching_s)),
                ("handling", &format!("{:.2}", each.handling_s)),
                ("minutes", &format!("{:.1}", each.reviewer_minutes)),
            ],
        ),
        None => words.with(
            "source-cost-none",
            &[("requests", &cost.spent.requests.to_string()), ("megabytes", &megabytes(cost.spent.bytes as f64))],
        ),
    }
}

fn tell(coverage: &Coverage, profile: &str, zone: &jiff::tz::TimeZone) -> Result<Told, WebError> {
    let mut told = Told::default();
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    for known in coverage.addresses(profile) {
        if told.looked == MAX_LOOKED {
            told.cut = true;
            break;
        }
        let known = known?;
        told.looked += 1;
        if known.facts.is_some() {
            *told.seen.entry(day(known.last.at)).or_default() += 1;
        }
        if let Some(at) = known.changed_at {
            *told.changed.entry(day(at)).or_default() += 1;
        }
        *told.outcomes.entry(known.last.kind).or_default() += 1;
    }
    Ok(told)
}

fn runs_chart(runs: &[Ended], path: &str, desk: &Desk, words: Words) -> Chart {
    let point = |run: &Ended| Point {
        label: format!("{} · {}", run.run, time_words(run.at, &desk.inner.zone)),
        short: run.run.to_string(),
        value: run.report.listings + run.report.unchanged,
        part: 0,
        href: format!("{path}/addresses?run={}", run.run),
    };
    let shows = Shows {
        title: words.say("source-runs"),
        counts: words.say("chart-listings"),
        over: words.say("chart-run-number"),
        part: None,
    };
    Chart::of(shows, runs.iter().map(point).collect(), words)
}

fn days_chart(
    title: String,
    days: &BTreeMap<Date, u64>,
    now: Timestamp,
    of: (&Desk, &str, &str),
    words: Words,
) -> Chart {
    let (desk, path, what) = of;
    let today = now.to_zoned(desk.inner.zone.clone()).date();
    let shown = (0..DAYS).rev().filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok());
    let point = |day: Date| Point {
        label: day.to_string(),
        short: day.strftime("%m-%d").to_string(),
        value: days.get(&day).copied().unwrap_or(0),
        part: 0,
        href: format!("{path}/addresses?{what}={day}"),
    };
    let (counts, over) = (words.say("chart-listings"), words.say("chart-day"));
    Chart::of(Shows { title, counts, over, part: None }, shown.map(point).collect(), words)
}

fn share_row(name: String, number: u64, of: u64, href: String) -> Row {
    let share = number as f64 / of.max(1) as f64;
    Row { name, words: format!("{number} · {:.0} %", share * 100.0), width: (share * 200.0).max(1.0), href }
}

fn outcomes(told: &Told, path: &str, words: Words) -> Shares {
    let mut rows: Vec<(&String, &u64)> = told.outcomes.iter().collect();
    rows.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let row = |(kind, number): (&String, &u64)| {
        let asked: String = url::form_urlencoded::byte_serialize(kind.as_bytes()).collect();
        share_row(visible(kind), *number, told.looked as u64, format!("{path}/addresses?outcome={asked}"))
    };
    Shares { title: words.say("source-outcomes"), rows: rows.into_iter().map(row).collect() }
}

/// In how many listings of the newest run that had some each field stood.
fn fill(runs: &[Ended], path: &str, words: Words) -> Shares {
    let title = words.say("source-fill");
    let Some(run) = runs.iter().rev().find(|run| run.report.fill.listings > 0.0) else {
        return Shares { title, rows: Vec::new() };
    };
    let (fill, behind) = (&run.report.fill, format!("{path}/addresses?run={}", run.run));
    let of = fill.listings.round() as u64;
    let row = |(field, number): (&String, &f64)| share_row(visible(field), number.round() as u64, of, behind.clone());
    Shares { title, rows: fill.filled.iter().map(row).collect() }
}

/// The live rooms of the source's platform.
fn rooms(works: &Works, profile: &Profile, now: Timestamp, words: Words) -> Vec<RoomView> {
    let heard = works.air.rooms();
    let own = works.rooms.iter().filter(|room| room.platform == profile.platform);
    own.map(|room| RoomView {
        id: visible(&room.id),
        words: match heard.get(&room.id) {
            Some(heard) => {
                let ago = now.as_millisecond().saturating_sub(heard.last_ms).max(0) / 1000;
                let (lag, ago) = (heard.lag_ms.to_string(), ago.to_string());
                words.with("source-room-heard", &[("lag", &lag), ("ago", &ago)])
            }
            None => words.say("source-room-silent"),
        },
    })
    .collect()
}

/// Which addresses are meant.
#[derive(Debug, Default)]
struct Wanted {
    outcome: Option<String>,
    seen: Option<Date>,
    changed: Option<Date>,
    run: Option<u64>,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, WebError> {
        let mut wanted = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(16) {
            let day = || value.parse().map_err(|_| WebError::Field("day"));
            match name.as_ref() {
                "outcome" => wanted.outcome = Some(value.chars().take(80).collect()),
                "seen" => wanted.seen = Some(day()?),
                "changed" => wanted.changed = Some(day()?),
                "run" => wanted.run = Some(value.parse().map_err(|_| WebError::Field("run"))?),
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn admits(&self, known: &Known, zone: &jiff::tz::TimeZone) -> bool {
        let is_on = |at: Timestamp, day: Date| at.to_zoned(zone.clone()).date() == day;
        self.outcome.as_ref().is_none_or(|kind| known.last.kind == *kind)
            && self.seen.is_none_or(|day| known.facts.is_some() && is_on(known.last.at, day))
            && self.changed.is_none_or(|day| known.changed_at.is_some_and(|at| is_on(at, day)))
            && self.run.is_none_or(|run| known.facts.is_some() && known.was_had_in(run))
    }
}

#[derive(Template)]
#[template(path = "desk/addresses.html")]
struct AddressesPage {
    f: Frame,
    name: String,
    path: String,
    count: String,
    rows: Vec<AddressView>,
    cut: bool,
}

struct AddressView {
    url: String,
    at: String,
    kind: String,
    detail: String,
    visits: u32,
    changes: u32,
}

/// The addresses behind a number.
pub(super) async fn addresses(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, WebError> {
    let (works, _) = known(&desk, &name)?;
    let wanted = Wanted::parse(&query.unwrap_or_default())?;
    let coverage = works.coverage.clone().ok_or(WebError::NotFound)?;
    let (id, zone) = (name.clone(), desk.inner.zone.clone());
    let look = move || {
        let (mut found, mut count, mut cut) = (Vec::new(), 0_usize, false);
        for (place, known) in coverage.addresses(&id).enumerate() {
            if place == MAX_LOOKED {
                cut = true;
                break;
            }
            let known = known?;
            if wanted.admits(&known, &zone) {
                count += 1;
                if found.len() < SHOWN {
                    found.push(known);
                }
            }
        }
        Ok::<_, WebError>((found, count, cut))
    };
    let looked = tokio::task::spawn_blocking(look).await.map_err(|error| WebError::Check(error.to_string()))?;
    let (mut found, count, cut) = looked?;
    found.sort_by(|a, b| b.last.at.cmp(&a.last.at).then_with(|| a.url.cmp(&b.url)));
    let row = |known: Known| AddressView {
        url: visible(&known.url),
        at: time_words(known.last.at, &desk.inner.zone),
        kind: visible(&known.last.kind),
        detail: visible(&known.last.detail),
        visits: known.visits,
        changes: known.changes,
    };
    let page = AddressesPage {
        rows: found.into_iter().map(row).collect(),
        count: visit.words.count("source-addresses", count as u64),
        cut: cut || count > SHOWN,
        path: href(&name),
        name: visible(&name),
        f: Frame::new(&visit, "sources"),
    };
    Ok(Html(page.render()?))
}

/// What the form sends, or a program.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    why: String,
    /// How long, in hours; empty for no end.
    hours: String,
}

async fn say(desk: &Desk, visit: &Visit, name: &str, sent: &Sent, rests: bool) -> Result<(), WebError> {
    let (works, _) = known(desk, name)?;
    let why = sent.why.trim();
    if why.chars().count() > MAX_WHY_CHARS {
        return Err(WebError::Field("why"));
    }
    let by = &visit.account()?.name;
    let write: Write = if rests {
        pause_note(name, by.as_str(), why, until(desk, &sent.hours)?)
    } else {
        continue_note(name, by.as_str(), why)
    };
    desk.inner.store.apply(Batch { actor: by.to_string(), writes: vec![write] }).await?;
    Ok(works.heed(&*desk.inner.store).await?)
}

fn until(desk: &Desk, hours: &str) -> Result<Option<Timestamp>, WebError> {
    let hours = hours.trim();
    if hours.is_empty() {
        return Ok(None);
    }
    let hours: u32 = hours.parse().map_err(|_| WebError::Field("hours"))?;
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(WebError::Field("hours"));
    }
    let until = desk.inner.clock.now().checked_add(SignedDuration::from_hours(i64::from(hours)));
    until.map(Some).map_err(|_| WebError::Field("hours"))
}

/// Pauses it by the form.
pub(super) async fn pause(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    say(&desk, &visit, &name, &sent, true).await?;
    Ok(Redirect::to(&href(&name)).into_response())
}

/// Lets it go on by the form.
pub(super) async fn go_on(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    say(&desk, &visit, &name, &sent, false).await?;
    Ok(Redirect::to(&href(&name)).into_response())
}

fn standing(desk: &Desk, name: &str) -> Result<Json<Value>, WebError> {
    let (works, _) = known(desk, name)?;
    let operations = works.operating.known();
    Ok(Json(json!({"profile": name, "paused": operations.pause(name, desk.inner.clock.now())})))
}

/// Pauses a profile: a run under way ends at the next page, and none begins.
#[utoipa::path(
    post, path = "/api/v1/sources/{name}/pause", tag = "operators", params(("name" = String, Path)),
    request_body(content = Object, description = "`{\"why\": \"their sale\", \"hours\": \"24\"}`; without hours it has no end"),
    responses((status = 200, body = Object), (status = 404, body = super::api::Problem))
)]
pub(super) async fn pause_by_program(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
    Json(sent): Json<Sent>,
) -> Result<Json<Value>, WebError> {
    say(&desk, &visit, &name, &sent, true).await?;
    standing(&desk, &name)
}

/// Lets a paused profile go on where it was.
#[utoipa::path(
    post, path = "/api/v1/sources/{name}/continue", tag = "operators", params(("name" = String, Path)),
    request_body(content = Object, description = "`{\"why\": \"it is over\"}`"),
    responses((status = 200, body = Object), (status = 404, body = super::api::Problem))
)]
pub(super) async fn go_on_by_program(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    visit: Visit,
    Json(sent): Json<Sent>,
) -> Result<Json<Value>, WebError> {
    say(&desk, &visit, &name, &sent, false).await?;
    standing(&desk, &name)
}
