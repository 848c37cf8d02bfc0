//! Listings that are known already, for the commands that try rules on them.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use jiff::{civil::Date, tz::TimeZone};

use crate::{
    archive::{ARCHIVE, Archive, Reaches, Scan, Verdicts, refresh},
    cli::{Context, Done, check, context::on_interrupt, notes::Notes},
    model::{HitState, Listing, SystemClock},
    rules::{Given, Judged, Needles, Rule, RuleSet},
    store::{Filter, Settings, SledStore, Store, each_hit},
    text::{FoldedSurface, fold_surfaces},
};

/// Listings that are handed out together.
const CHUNK: usize = 4096;

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
    /// The store's listings, of the data folder `data` or of the settings'.
    pub fn of(data: Option<PathBuf>) -> Self {
        Self { listings: None, data, on: None }
    }

    /// The data folder that was named.
    pub fn data(&self) -> Option<PathBuf> {
        self.data.clone()
    }
}

/// Something that looks at listings, in parts that are put together.
pub trait Look: Send {
    /// Looks at one listing, whose folded surfaces are `surfaces`.
    fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: Given, verdicts: &Verdicts);
    /// Counts listings that need not be looked at: nothing can be found in them.
    fn skip(&mut self, listings: u64);
    /// Takes in what another part looked at.
    fn merge(&mut self, other: Self);
}

/// What listings must have, and what must be known of them.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// What listings must have to be shown; none to show all.
    pub needles: Option<&'a Needles>,
    /// Which categories can matter; none when all can.
    pub reaches: Option<&'a Reaches<'a>>,
    /// Whether what goods of their marks usually cost is looked up.
    pub usual_price: bool,
}

impl<'a> Wanted<'a> {
    /// What the rules of `set` that are wanted want.
    pub fn of(set: &RuleSet, wanted: impl Fn(&Rule) -> bool, needles: Option<&'a Needles>) -> Self {
        let usual_price = set.rules().iter().any(|rule| wanted(rule) && rule.asks_usual_price());
        Self { needles, reaches: None, usual_price }
    }

    /// The same, of these categories.
    #[must_use]
    pub fn within(self, reaches: &'a Reaches<'a>) -> Self {
        Self { reaches: Some(reaches), ..self }
    }
}

/// What a look at listings came to.
#[derive(Debug)]
pub struct Looked<L> {
    /// The look.
    pub look: L,
    /// Listings that there are, where that is known.
    pub of: Option<u64>,
    /// Whether it was stopped before the end.
    pub partial: bool,
}

impl<L> Looked<L> {
    /// Says how far it came, when it was stopped.
    pub fn tell(&self, listings: u64, context: &Context) -> Done {
        if !self.partial {
            return Done::Fine;
        }
        let of = self.of.map_or_else(String::new, |of| format!(" of {of}"));
        context.say(&format!("stopped: {listings}{of} listings were looked at; what is shown is of these and partial"));
        Done::Stopped
    }
}

/// Shows the listings of `source` to looks made by `make`, on all cores; of the store's those that `wanted` lets matter.
/// Ctrl-C ends it cleanly.
///
/// # Errors
/// When the listings cannot be read.
pub fn look<L: Look>(
    source: &Source,
    context: &Context,
    today: Date,
    wanted: Wanted<'_>,
    make: impl Fn() -> L + Sync,
) -> Result<Looked<L>> {
    let stop = on_interrupt()?;
    let day = source.on.unwrap_or(today);
    let day_of = move |listing: &Listing| listing.captured_at.map_or(day, |at| at.to_zoned(TimeZone::UTC).date());
    if let Some(path) = &source.listings {
        return look_at_file(path, context, &stop, day_of, make);
    }
    let archive = open(source.data.clone(), &stop, context)?;
    let verdicts = archive.verdicts();
    let of = archive.manifest().listings;
    let bar = context.progress(of, "listings");
    let finder = wanted.usual_price.then(|| archive.prices().finder());
    let scan = Scan {
        needles: wanted.needles,
        reaches: wanted.reaches,
        stop: &stop,
        progress: &|listings| bar.inc(listings),
        threads: 0,
    };
    let see = |look: &mut L, listing: &Listing| {
        let (surfaces, day) = (fold_surfaces(listing), day_of(listing));
        let usual_price = finder.as_ref().and_then(|finder| finder.usual(listing, &surfaces, day));
        look.see(listing, &surfaces, Given { day, usual_price }, verdicts);
    };
    let (parts, covered) = archive.scan(scan, &make, see)?;
    bar.finish_and_clear();
    let mut all = make();
    parts.into_iter().for_each(|part| all.merge(part));
    all.skip(covered.listings - covered.shown);
    Ok(Looked { look: all, of: Some(of), partial: covered.partial })
}

/// The archive of a data folder, brought up to its store; while a server has the store open, as that last left it.
///
/// # Errors
/// When it can neither be made nor read.
pub fn open(data: Option<PathBuf>, stop: &AtomicBool, context: &Context) -> Result<Archive> {
    let config = context.settings()?;
    let notes = Notes::open(&config, data)?;
    let folder = notes.data().join(ARCHIVE);
    let Some(store) = notes.store() else {
        let archive = Archive::open(&folder).with_context(|| {
            format!("a server has {} open and has made no archive of its listings yet", notes.data().display())
        })?;
        context.say("the server has the store open: listings and decisions are those it archived last");
        return Ok(archive);
    };
    let listings = notes.wait(store.counts())?.listings;
    let bar = context.progress(listings, "listings archived");
    let archive = refresh(&folder, store, 0, stop, &|listings| bar.inc(listings));
    bar.finish_and_clear();
    Ok(archive?)
}

fn look_at_file<L: Look>(
    path: &Path,
    context: &Context,
    stop: &AtomicBool,
    day_of: impl Fn(&Listing) -> Date + Sync,
    make: impl Fn() -> L + Sync,
) -> Result<Looked<L>> {
    let bar = context.progress(0, "listings");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (mut all, none) = (make(), Verdicts::default());
    let mut waiting: Vec<Listing> = Vec::with_capacity(CHUNK);
    let (make, day_of, none) = (&make, &day_of, &none);
    let mut work = |waiting: &mut Vec<Listing>| {
        let part = waiting.len().div_ceil(threads).max(1);
        let done: Vec<L> = thread::scope(|scope| {
            let workers: Vec<_> = waiting
                .chunks(part)
                .map(|part| {
                    scope.spawn(move || {
                        let mut look = make();
                        for listing in part {
                            look.see(listing, &fold_surfaces(listing), day_of(listing).into(), none);
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
    check::each_listing(path, &mut |listing| {
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        waiting.push(listing.clone());
        if waiting.len() == CHUNK {
            work(&mut waiting);
        }
        ControlFlow::Continue(())
    })?;
    let partial = stop.load(Ordering::Relaxed);
    work(&mut waiting);
    bar.finish_and_clear();
    Ok(Looked { look: all, of: None, partial })
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

/// Hands over listing, rule or mark and verdict of every decided hit, each once.
fn each_decided(store: &SledStore, folder: &Path, act: &mut dyn FnMut(&str, &str, bool)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (state, confirmed) in [(HitState::Confirmed, true), (HitState::Dismissed, false)] {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let shown = each_hit(store, &filter, |hit| {
            let what = hit.what;
            let mut rules: Vec<&str> = what.findings.iter().map(|finding| finding.reference.as_str()).collect();
            rules.sort_unstable();
            rules.dedup();
            rules.into_iter().for_each(|rule| act(&what.listing.id, rule, confirmed));
        });
        runtime.block_on(shown).with_context(|| format!("reading decided hits of {}", folder.display()))?;
    }
    Ok(())
}
