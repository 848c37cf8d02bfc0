//! Sources and the queue's health, for operators: what each crawl brought, when the next is due, and how much waits.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Html};
use serde::Serialize;
use serde_json::Value;

use super::{
    Desk, WebError,
    audit::{self, Wanted},
    card::{time_words, visible},
    chart::{Chart, Point, Shows},
    frame::Frame,
    visit::Visit,
};
use crate::model::Timestamp;

/// Runs that are looked for, and shown of each source.
const MAX_RUNS: usize = 500;
const SHOWN: usize = 20;

/// One run of a crawl.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Run {
    pub at: Timestamp,
    pub pages: u64,
    pub listings: u64,
    pub denied_by_robots: u64,
    pub interrupted: bool,
}

/// What the journal says of one source.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Source {
    pub profile: String,
    /// The newest first.
    pub runs: Vec<Run>,
    pub next_due: Option<Timestamp>,
}

/// The sources whose crawls the newest part of the journal notes, by name.
pub(super) async fn known(desk: &Desk) -> Result<Vec<Source>, WebError> {
    let wanted = Wanted { act: "crawl".to_owned(), ..Wanted::default() };
    let found = audit::read(desk, &wanted, MAX_RUNS).await?;
    let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for entry in found.entries {
        for (_, details) in entry.change.notes() {
            let Some(profile) = details.get("profile").and_then(Value::as_str) else { continue };
            let number = |name: &str| details.get(name).and_then(Value::as_u64).unwrap_or(0);
            let of = runs.entry(profile.to_owned()).or_default();
            if of.len() < SHOWN {
                of.push(Run {
                    at: entry.change.at,
                    pages: number("pages"),
                    listings: number("listings"),
                    denied_by_robots: number("denied_by_robots"),
                    interrupted: details.get("interrupted").and_then(Value::as_bool).unwrap_or(false),
                });
            }
        }
    }
    if let Some(works) = &desk.inner.works {
        for profile in works.profiles().keys() {
            runs.entry(profile.clone()).or_default();
        }
    }
    let mut sources = Vec::new();
    for (profile, runs) in runs {
        let next_due = desk.inner.store.next_due(&profile).await?;
        sources.push(Source { profile, runs, next_due });
    }
    Ok(sources)
}

#[derive(Template)]
#[template(path = "desk/sources.html")]
struct SourcesPage {
    f: Frame,
    figures: Vec<Figure>,
    sources: Vec<SourceView>,
}

struct Figure {
    href: &'static str,
    words: String,
    number: u64,
}

struct SourceView {
    name: String,
    runs: Vec<RunView>,
    chart: Chart,
    next: String,
    href: String,
    page: String,
    paused: String,
    cost: String,
}

struct RunView {
    at: String,
    pages: u64,
    listings: u64,
    denied: u64,
    interrupted: bool,
}

/// The page: what runs here, and what the journal noted of others.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    let counts = desk.inner.store.counts().await?;
    let words = visit.words;
    let figure = |href, key: &str, number| Figure { href, words: words.say(key), number };
    let figures = vec![
        figure("/queue", "state-open", counts.open),
        figure("/queue?state=confirmed", "state-confirmed", counts.confirmed),
        figure("/queue?state=dismissed", "state-dismissed", counts.dismissed),
        figure("/marks", "nav-marks", counts.marks),
        figure("/queue", "figure-listings", counts.listings),
        figure("/audit?act=capture", "figure-captures", counts.captures),
    ];
    let zone = &desk.inner.zone;
    let works = desk.inner.works.as_ref();
    let costs = match works {
        Some(works) => works.costs(&*desk.inner.store).await?,
        None => BTreeMap::new(),
    };
    let operations = works.map(|works| works.operating.known()).unwrap_or_default();
    let (now, here) =
        (desk.inner.clock.now(), |name: &str| works.is_some_and(|works| works.profiles().contains_key(name)));
    let view = |source: Source| {
        let asked: String = url::form_urlencoded::byte_serialize(source.profile.as_bytes()).collect();
        let page = if here(&source.profile) { super::source::href(&source.profile) } else { String::new() };
        let noted = format!("/audit?act=crawl&object={asked}");
        let point = |run: &Run| Point {
            label: time_words(run.at, zone),
            short: run.at.to_zoned(zone.clone()).strftime("%m-%d").to_string(),
            value: run.listings,
            part: 0,
            href: if page.is_empty() { noted.clone() } else { page.clone() },
        };
        let shows = Shows {
            title: format!("{} {}", words.say("sources-chart"), visible(&source.profile)),
            counts: words.say("chart-listings"),
            over: words.say("chart-run-time"),
            part: None,
        };
        SourceView {
            chart: Chart::of(shows, source.runs.iter().rev().map(point).collect(), words),
            page,
            paused: operations
                .pause(&source.profile, now)
                .map(|said| super::source::pause_words(said, &desk, words))
                .unwrap_or_default(),
            cost: costs.get(&source.profile).map(|cost| super::source::cost_words(cost, words)).unwrap_or_default(),
            href: noted,
            name: visible(&source.profile),
            next: source.next_due.map(|at| time_words(at, zone)).unwrap_or_default(),
            runs: source
                .runs
                .iter()
                .take(5)
                .map(|run| RunView {
                    at: time_words(run.at, zone),
                    pages: run.pages,
                    listings: run.listings,
                    denied: run.denied_by_robots,
                    interrupted: run.interrupted,
                })
                .collect(),
        }
    };
    let sources = known(&desk).await?.into_iter().map(view).collect();
    Ok(Html(SourcesPage { figures, sources, f: Frame::new(&visit, "sources") }.render()?))
}
