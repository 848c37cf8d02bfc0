//! Listings that are known already, for the commands that try rules on them.

use std::{
    collections::{BTreeMap, HashMap},
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use jiff::{civil::Date, tz::TimeZone};

use crate::{
    cli::{Context, check},
    model::{HitState, Listing, SystemClock},
    rules::Judged,
    store::{Filter, Settings, SledStore, Store},
};

/// Listings that are handed out together.
const CHUNK: usize = 4096;
/// Decided hits that are read at once.
const PAGE: usize = 500;

/// Which listings to look at.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    /// Listings as JSON lines, instead of the store's; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    listings: Option<PathBuf>,
    /// The data folder whose listings and decisions are looked at; the settings' when absent.
    #[arg(long, value_name = "DIR", conflicts_with = "listings")]
    data: Option<PathBuf>,
    /// The day whose law applies to listings without `captured_at`; today when absent.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

impl Source {
    /// The data folder that was named.
    pub fn data(&self) -> Option<PathBuf> {
        self.data.clone()
    }
}

/// What reviewers said of the hits of a listing, by listing and rule.
#[derive(Debug, Default)]
pub struct Verdicts(HashMap<String, HashMap<String, bool>>);

impl Verdicts {
    /// Whether reviewers confirmed the hit of a listing by a rule.
    pub fn of(&self, listing: &str, rule: &str) -> Option<bool> {
        self.0.get(listing)?.get(rule).copied()
    }
}

/// Something that looks at listings, in parts that are put together.
pub trait Look: Send {
    /// Looks at one listing under the law of a day.
    fn see(&mut self, listing: &Listing, on: Date, verdicts: &Verdicts);
    /// Takes in what another part looked at.
    fn merge(&mut self, other: Self);
}

/// Shows every listing of `source` to looks made by `make`, on all cores.
///
/// # Errors
/// When the listings cannot be read.
pub fn look<L: Look>(source: &Source, context: &Context, today: Date, make: impl Fn() -> L + Sync) -> Result<L> {
    let bar = context.progress(0, "listings");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all = make();
    let mut waiting: Vec<Listing> = Vec::with_capacity(CHUNK);
    let day = source.on.unwrap_or(today);
    let mut work = |waiting: &mut Vec<Listing>, verdicts: &Verdicts| {
        let part = waiting.len().div_ceil(threads).max(1);
        let done: Vec<L> = thread::scope(|scope| {
            let workers: Vec<_> = waiting
                .chunks(part)
                .map(|part| {
                    let make = &make;
                    scope.spawn(move || {
                        let mut look = make();
                        for listing in part {
                            let on = listing.captured_at.map_or(day, |at| at.to_zoned(TimeZone::UTC).date());
                            look.see(listing, on, verdicts);
                        }
                        look
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|wrong| resume_unwind(wrong))).collect()
        });
        done.into_iter().for_each(|part| all.merge(part));
        bar.inc(waiting.len() as u64);
        waiting.clear();
    };
    if let Some(path) = &source.listings {
        let none = Verdicts::default();
        check::each_listing(path, &mut |listing| {
            waiting.push(listing.clone());
            if waiting.len() == CHUNK {
                work(&mut waiting, &none);
            }
        })?;
        work(&mut waiting, &none);
    } else {
        let config = context.settings()?;
        let folder = source.data.clone().unwrap_or_else(|| config.data.clone());
        let store = SledStore::open(&folder, &config.store, Arc::new(SystemClock))?;
        let verdicts = verdicts(&store, &folder)?;
        store.each_listing(&mut |stored| {
            waiting.push(stored.listing);
            if waiting.len() == CHUNK {
                work(&mut waiting, &verdicts);
            }
        })?;
        work(&mut waiting, &verdicts);
    }
    bar.finish_and_clear();
    Ok(all)
}

/// How often reviewers confirmed and dismissed hits of each rule; nothing when there is no store.
///
/// # Errors
/// When the store cannot be read.
pub fn judged(folder: &Path, settings: &Settings) -> Result<BTreeMap<String, Judged>> {
    let mut judged: BTreeMap<String, Judged> = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(judged);
    }
    let store = SledStore::open(folder, settings, Arc::new(SystemClock))?;
    each_decided(&store, folder, &mut |_, rule, confirmed| {
        judged.entry(rule.to_owned()).or_default().add(Some(confirmed));
    })?;
    Ok(judged)
}

/// What reviewers said, of every decided hit.
fn verdicts(store: &SledStore, folder: &Path) -> Result<Verdicts> {
    let mut verdicts = Verdicts::default();
    each_decided(store, folder, &mut |listing, rule, confirmed| {
        verdicts.0.entry(listing.to_owned()).or_default().insert(rule.to_owned(), confirmed);
    })?;
    Ok(verdicts)
}

/// Hands over listing, rule or mark and verdict of every decided hit, each once.
fn each_decided(store: &SledStore, folder: &Path, act: &mut dyn FnMut(&str, &str, bool)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (state, confirmed) in [(HitState::Confirmed, true), (HitState::Dismissed, false)] {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let mut cursor = None;
        loop {
            let page = runtime
                .block_on(store.page(&filter, cursor, PAGE))
                .with_context(|| format!("reading decided hits of {}", folder.display()))?;
            for row in page.rows {
                let what = row.hit.what;
                let mut rules: Vec<&str> = what.findings.iter().map(|finding| finding.reference.as_str()).collect();
                rules.sort_unstable();
                rules.dedup();
                rules.into_iter().for_each(|rule| act(&what.listing.id, rule, confirmed));
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}
