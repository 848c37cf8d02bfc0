//! Looks at known listings again, where profiles say how often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    crawl::{self, Coverage, Plan, Profile, Services},
    model::Timestamp,
    monitor::{Monitor, Risk},
    store::Store,
};

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Planning takes no more than one part in so many of the time.
const PLANNING_SHARE: u32 = 20;
/// Listings of one look: a part of a day's budget, and no more than this.
const MOST_AT_ONCE: u64 = 10_000;

/// When a profile's listings are looked at next.
#[derive(Debug, Default)]
pub(super) struct Turn {
    next: Option<Instant>,
    /// How long planning took the last time, in milliseconds.
    planning_ms: Arc<AtomicU64>,
}

impl Turn {
    /// Whether it is time; then the next time is put off.
    pub(super) fn comes(&mut self) -> bool {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        let planning = Duration::from_millis(self.planning_ms.load(Ordering::Relaxed));
        self.next = Some(now + LOOK_EVERY.max(planning * PLANNING_SHARE));
        true
    }

    /// Where it is noted how long planning took.
    pub(super) fn planning_ms(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.planning_ms)
    }
}

/// Looks at the listings of `profile` that are due, as far as the budget goes by now; notes how long planning took.
pub(super) async fn look(
    profile: Arc<Profile>,
    services: Services,
    (monitor, risk): (Arc<Monitor>, Arc<Mutex<Risk>>),
    planning_ms: Arc<AtomicU64>,
) {
    let Some(coverage) = services.coverage.clone() else { return };
    let begun = Instant::now();
    let risk = match caught_up(&risk, &*services.store).await {
        Ok(risk) => risk,
        Err(error) => {
            tracing::warn!(%error, "what hits say of listings cannot be read");
            return;
        }
    };
    let (asked, now) = (Arc::clone(&profile), services.clock.now());
    let planned = tokio::task::spawn_blocking(move || plan(&coverage, &asked, now, &risk)).await;
    let listings = match planned {
        Ok(Ok(Some(plan))) => due(&profile, &plan, now),
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return tracing::warn!(profile = profile.id, %error, "what is due cannot be planned"),
        Err(error) => return tracing::error!(profile = profile.id, %error, "planning broke off"),
    };
    planning_ms.store(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    if !listings.is_empty() {
        let many = listings.len();
        match crawl::look_again(&profile, listings, &services, &*monitor).await {
            Ok(report) => tracing::info!(
                profile = profile.id,
                listings = many,
                changed_or_whole = report.listings,
                unchanged = report.unchanged,
                "listings were looked at again"
            ),
            Err(error) => tracing::warn!(profile = profile.id, %error, "looking at listings again ended early"),
        }
    }
}

/// What hits say, up to now.
pub(super) async fn caught_up(risk: &Mutex<Risk>, store: &dyn Store) -> Result<Risk, crate::store::StoreError> {
    let mut risk = risk.lock().await;
    risk.catch_up(store).await?;
    Ok(risk.clone())
}

fn plan(
    coverage: &Coverage,
    profile: &Profile,
    now: Timestamp,
    risk: &Risk,
) -> Result<Option<Plan>, crawl::CoverageError> {
    let most = usize::try_from(MOST_AT_ONCE).unwrap_or(usize::MAX);
    crawl::plan(coverage, profile, (now, now), most, &|known| risk.weight(&known.stands))
}

/// Those of `plan` that the budget of the day allows by now: it is spent evenly, a 24th of it at once at most.
fn due(profile: &Profile, plan: &Plan, now: Timestamp) -> Vec<Url> {
    let Some(recrawl) = &profile.recrawl else { return Vec::new() };
    let budget = u64::from(recrawl.budget_per_day);
    let time = now.to_zoned(TimeZone::UTC).time();
    let minutes = u64::from(time.hour().unsigned_abs()) * 60 + u64::from(time.minute().unsigned_abs()) + 1;
    let spent = budget - plan.left_today.min(budget);
    let earned = (budget * minutes).div_ceil(24 * 60).saturating_sub(spent);
    let most = earned.min(budget.div_ceil(24)).min(MOST_AT_ONCE);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    plan.next.iter().take(most).filter_map(|visit| Url::parse(&visit.url).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crawl::Visit;

    #[test]
    fn a_days_budget_is_spent_evenly_and_never_twice() {
        let text = "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n\
                    [recrawl]\nbudget_per_day = 240\n[listing]\nmatch = [\"/p/\"]\n";
        let profile = Profile::parse("s.toml", text).unwrap();
        let at = |time: &str| format!("2026-11-23T{time}:00Z").parse::<Timestamp>().unwrap();
        let visit = |n: u32| Visit {
            url: format!("https://s.example/p/{n}"),
            due: at("00:00"),
            rate: 1.0,
            seen: 1,
            weight: 1.0,
            interval: 1.0,
            sign: None,
        };
        let plan = |left_today| Plan { listings: 500, per_day: 240.0, left_today, next: (0..500).map(visit).collect() };
        let many = |left, time| due(&profile, &plan(left), at(time)).len();
        assert_eq!((many(240, "00:05"), many(239, "00:05")), (1, 0));
        assert_eq!((many(240, "12:00"), many(120, "12:00"), many(119, "12:00")), (10, 1, 0));
        assert_eq!((many(4, "23:59"), many(0, "23:59")), (4, 0));
    }
}
