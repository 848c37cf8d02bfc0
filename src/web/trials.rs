//! Backtests of rules: a rule looks through the archive away from every request, says how far it is, can be stopped, and what
//! it came to is noted in the journal, where the gate before going live looks for it.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use jiff::civil::Date;

use super::{
    Desk, WebError,
    api::{set, today},
    jobs::Job,
    visit::Visit,
};
use crate::{
    archive::{ArchiveError, Keeper, Scan},
    model::AccountName,
    monitor,
    rules::{Backtest, Edition, Given, Rule, RuleReport, RuleSet},
    store::Batch,
    text::fold_surfaces,
};

/// Listings that are kept of what a rule finds.
const SAMPLES: usize = 20;
/// Seconds that a reviewer is taken to need for a hit.
const SECONDS_A_HIT: f64 = 30.0;

/// What a backtest came to.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub report: RuleReport,
    /// Of which state of the rule.
    pub edition: Edition,
    /// Listings that were looked at.
    pub of: u64,
    /// Whether it was stopped before the end; then nothing is noted.
    pub partial: bool,
    /// How long it took.
    pub seconds: f64,
}

impl Tried {
    /// The share of listings that it makes a hit of.
    pub(super) fn share(&self) -> f64 {
        self.report.listings as f64 / self.of.max(1) as f64
    }

    /// Hours of review that its hits would take.
    pub(super) fn hours(&self) -> f64 {
        self.report.listings as f64 * SECONDS_A_HIT / 3600.0
    }
}

impl Desk {
    /// Begins a backtest of the rule in use that `id` names; one runs at a time.
    pub(super) fn try_rule(&self, who: &AccountName, id: &str) -> Result<Arc<Job<Tried>>, WebError> {
        let rules = set(self);
        let rule = rules.rule(id).ok_or(WebError::NotFound)?;
        let edition = rules.edition(&rule.id).ok_or(WebError::NotFound)?;
        let keeper = self.inner.archive.clone().ok_or(WebError::NoArchive)?;
        let job = self.inner.trials.begin(&rule.id, who.clone(), self.inner.clock.now())?;
        let id = rule.id.clone();
        tokio::spawn(carry_out(self.clone(), Arc::clone(&job), keeper, (rules, id, edition)));
        Ok(job)
    }

    async fn note_trial(&self, who: &AccountName, tried: &Tried, rules: &RuleSet) -> Result<(), WebError> {
        let note = monitor::backtest_note(&tried.report, rules, tried.of, tried.partial);
        let writes = note.into_iter().collect();
        self.inner.store.apply(Batch { actor: who.to_string(), writes }).await?;
        Ok(())
    }
}

async fn carry_out(
    desk: Desk,
    job: Arc<Job<Tried>>,
    keeper: Arc<Keeper>,
    (rules, id, edition): (Arc<RuleSet>, String, Edition),
) {
    let (day, looking, trying) = (today(&desk), Arc::clone(&job), Arc::clone(&rules));
    let looked = tokio::task::spawn_blocking(move || look(&keeper, &looking, &trying, (id, edition), day));
    let ended = match looked.await {
        Ok(Ok(tried)) if tried.partial => Ok(tried),
        Ok(Ok(tried)) => match desk.note_trial(&job.by, &tried, &rules).await {
            Ok(()) => Ok(tried),
            Err(error) => Err(error.to_string()),
        },
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    job.end(ended);
}

/// On half of the cores: crawls and reviewers want the others.
fn look(
    keeper: &Keeper,
    job: &Job<Tried>,
    rules: &RuleSet,
    (id, edition): (String, Edition),
    day: Date,
) -> Result<Tried, ArchiveError> {
    let begun = Instant::now();
    let archive = keeper.fresh(1, &job.stop, &|listings| job.advance(listings))?;
    job.count_to(archive.manifest().listings);
    let needles = rules.needles(|rule| rule.id == id);
    let progress = |listings| job.advance(listings);
    let threads = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let named = |rule: &Rule| rule.id == id;
    let reaches = |category: &[&str]| rules.may_reach(named, category);
    let scan =
        Scan { needles: needles.as_ref(), reaches: Some(&reaches), stop: &job.stop, progress: &progress, threads };
    let usual_price = rules.rules().iter().any(|rule| named(rule) && rule.asks_usual_price());
    let finder = usual_price.then(|| archive.prices().finder());
    let make = || Backtest::new(rules, Some(vec![id.clone()]), SAMPLES);
    let verdicts = archive.verdicts();
    let (parts, covered) = archive.scan(scan, make, |look, listing| {
        let on = listing.captured_on().unwrap_or(day);
        let surfaces = fold_surfaces(listing);
        let usual_price = finder.as_ref().and_then(|finder| finder.usual(listing, &surfaces, on));
        look.see(listing, &surfaces, Given { day: on, usual_price }, |rule| verdicts.of(listing, rule));
    })?;
    let mut all = make();
    parts.into_iter().for_each(|part| all.merge(part));
    all.skip(covered.listings - covered.shown);
    let (of, partial) = (all.listings(), covered.partial);
    let report = all.finish().pop().ok_or(ArchiveError::Missing)?;
    Ok(Tried { report, edition, of, partial, seconds: begun.elapsed().as_secs_f64() })
}

/// Begins a backtest.
pub(super) async fn begin(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Redirect, WebError> {
    desk.try_rule(&visit.account()?.name, &id)?;
    Ok(Redirect::to(&format!("/rules/{id}#backtest")))
}

/// Stops it.
pub(super) async fn stop(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Redirect, WebError> {
    let rules = set(&desk);
    let rule = rules.rule(&id).ok_or(WebError::NotFound)?;
    desk.inner.trials.stop(&rule.id);
    Ok(Redirect::to(&format!("/rules/{id}#backtest")))
}
