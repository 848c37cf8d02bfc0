//! `/metrics`: what the program counts, in the text format of Prometheus. Who asks needs a permission of its own, by a token.
//!
//! Labels are bounded by what is configured: profiles, rooms, states, kinds.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};
use std::sync::atomic::AtomicU64;

use super::{Desk, WebError};
use crate::{
    model::Timestamp,
    monitor::{Each, Works},
    store::Counts,
};

/// What stands before every name.
const PREFIX: &str = "markwarden";

/// A gauge of a real number for each of a few words.
type Reals<L> = Family<L, Gauge<f64, AtomicU64>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProfile {
    profile: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoom {
    room: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
    seen: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rules {
    hash: String,
    active: String,
    shadow: String,
}

/// The page.
pub(super) async fn page(State(desk): State<Desk>) -> Result<Response, WebError> {
    desk.follow(false).await?;
    let counts = desk.inner.store.counts().await?;
    let now = desk.inner.clock.now();
    let mut registry = Registry::with_prefix(PREFIX);
    queue(&mut registry, &desk, &counts, now);
    rules(&mut registry, &desk, &counts);
    process(&mut registry);
    if let Some(works) = &desk.inner.works {
        works.meters.register(&mut registry);
        sources(&mut registry, &desk, works, now).await?;
        rooms(&mut registry, works, now);
        storage(&mut registry, works, &counts);
    }
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).map_err(|error| WebError::Metrics(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response())
}

fn gauge(registry: &mut Registry, name: &str, words: &str, value: f64) {
    registry.register(name, words, ConstGauge::new(value));
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn queue(registry: &mut Registry, desk: &Desk, counts: &Counts, now: Timestamp) {
    let states: Family<InState, Gauge> = Family::default();
    for (state, number) in [
        ("open", counts.open),
        ("proposed", counts.proposed),
        ("escalated", counts.escalated),
        ("confirmed", counts.confirmed),
        ("dismissed", counts.dismissed),
    ] {
        states.get_or_create(&InState { state }).set(whole(number));
    }
    registry.register("queue_hits", "Hits by state", states);
    let oldest = desk.inner.board.oldest_open().map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
    let words = "How long the oldest open hit has waited; 0 where none waits";
    registry.register_with_unit("queue_oldest_open", words, Unit::Seconds, ConstGauge::new(oldest));
    gauge(registry, "listings", "Listings known", counts.listings as f64);
    gauge(registry, "captures", "Captures recorded", counts.captures as f64);
}

fn rules(registry: &mut Registry, desk: &Desk, counts: &Counts) {
    gauge(registry, "marks_watched", "Marks watched", counts.marks as f64);
    let Some(state) = desk.inner.monitor.as_ref().and_then(|monitor| monitor.rules_state()) else { return };
    let (active, shadow) = (state.active.to_string(), state.shadow.to_string());
    registry.register("rules", "The set of rules in use", Info::new(Rules { hash: state.hash, active, shadow }));
    gauge(registry, "rules_active", "Rules that make hits", state.active as f64);
    gauge(registry, "rules_held", "Active rules that are only counted until they are tried", state.held.len() as f64);
}

async fn sources(registry: &mut Registry, desk: &Desk, works: &Works, now: Timestamp) -> Result<(), WebError> {
    let store = &*desk.inner.store;
    let (due, late) = (Reals::<OfProfile>::default(), Family::<OfProfile, Gauge>::default());
    let paused: Family<OfProfile, Gauge> = Family::default();
    let operations = works.operating.known();
    for (profile, next) in works.due(store).await? {
        let rests = operations.pause(&profile, now).is_some();
        let of = OfProfile { profile };
        paused.get_or_create(&of).set(i64::from(rests));
        if let Some(next) = next {
            due.get_or_create(&of).set(next.as_second() as f64);
            late.get_or_create(&of).set(i64::from(next < now && !rests));
        }
    }
    registry.register_with_unit("schedule_due_timestamp", "When a profile runs next (Unix time)", Unit::Seconds, due);
    registry.register("schedule_late", "1 where a run should have begun already", late);
    registry.register("profile_paused", "1 where a person paused the profile", paused);
    let costs = works.costs(store).await?;
    let part = |name: &str, words: &str, of: fn(&Each) -> f64, registry: &mut Registry| {
        let family = Reals::<OfProfile>::default();
        for (profile, cost) in &costs {
            if let Some(each) = &cost.each {
                family.get_or_create(&OfProfile { profile: profile.clone() }).set(of(each));
            }
        }
        registry.register(name, words, family);
    };
    part("confirmed_hit_requests", "Requests for each confirmed hit of its platform", |each| each.requests, registry);
    part("confirmed_hit_bytes", "Bytes over the wire for each confirmed hit", |each| each.bytes, registry);
    let words = "Seconds of fetching for each confirmed hit";
    part("confirmed_hit_fetching_seconds", words, |each| each.fetching_s, registry);
    let words = "Seconds of reading, matching and keeping for each confirmed hit";
    part("confirmed_hit_handling_seconds", words, |each| each.handling_s, registry);
    let words = "Minutes of reviewers for each confirmed hit";
    part("confirmed_hit_reviewer_minutes", words, |each| each.reviewer_minutes, registry);
    let standing: Family<OfKind, Gauge> = Family::default();
    for alarm in desk.alarms().await? {
        let seen = if alarm.seen.is_some() { "yes" } else { "no" };
        standing.get_or_create(&OfKind { kind: alarm.kind.code(), seen }).inc();
    }
    registry.register("alarms", "Alarms that stand, by kind and whether somebody has seen them", standing);
    Ok(())
}

fn rooms(registry: &mut Registry, works: &Works, now: Timestamp) {
    let heard = works.air.rooms();
    let (on_air, lag) = (Family::<OfRoom, Gauge>::default(), Reals::<OfRoom>::default());
    let silent = Reals::<OfRoom>::default();
    for room in &works.rooms {
        let of = OfRoom { room: room.id.clone() };
        let found = heard.get(&room.id);
        on_air.get_or_create(&of).set(i64::from(found.is_some()));
        if let Some(found) = found {
            lag.get_or_create(&of).set(found.lag_ms as f64 / 1000.0);
            let since = now.as_millisecond().saturating_sub(found.last_ms).max(0);
            silent.get_or_create(&of).set(since as f64 / 1000.0);
        }
    }
    registry.register("live_room_on_air", "1 where a live room is heard", on_air);
    let words = "From the arrival of a room's newest message to its being matched";
    registry.register_with_unit("live_room_lag", words, Unit::Seconds, lag);
    registry.register_with_unit("live_room_silent", "Since a room's newest message", Unit::Seconds, silent);
}

fn storage(registry: &mut Registry, works: &Works, counts: &Counts) {
    gauge(registry, "journal_sequence", "The journal's newest record", counts.seq as f64);
    let bytes = std::fs::read_dir(works.data.join("journal")).into_iter().flatten();
    let bytes: u64 = bytes.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum();
    registry.register_with_unit("journal", "Size of the journal", Unit::Bytes, ConstGauge::new(bytes as f64));
    if let Some(disk) = works.disk() {
        registry.register_with_unit(
            "disk_free",
            "Free on the data folder's disk",
            Unit::Bytes,
            ConstGauge::new(disk.free as f64),
        );
        registry.register_with_unit("disk", "The data folder's disk", Unit::Bytes, ConstGauge::new(disk.all as f64));
    }
}

fn process(registry: &mut Registry) {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
    let words = "Processor time of this process";
    registry.register_with_unit("process_cpu", words, Unit::Seconds, ConstCounter::new(seconds));
    // Pages, the second number; there is none where the system keeps no such file.
    let resident = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = resident.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(pages) = resident {
        let bytes = pages.saturating_mul(rustix::param::page_size() as u64) as f64;
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of this process",
            Unit::Bytes,
            ConstGauge::new(bytes),
        );
    }
}
