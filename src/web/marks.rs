//! Marks of holders: register them, have them verified by a second person, see what one would find before it is watched.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{civil::Date, tz::TimeZone};
use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard},
};

use super::{Desk, WebError, api::today, tenant, visit::Visit};
use crate::{
    archive::{ArchiveError, Keeper, Scan},
    marks::{COLUMNS, Table, WrongRow, import_csv, import_xml, name_by_office},
    matcher::{Preview, Previewer},
    model::{Account, Channel, Diagnostic, HitId, HitState, Mark, MarkId, Permission},
    monitor::{Act, Entry, Follower, Portfolio, a_month_before},
    review::Subject,
    store::{Batch, StoreError, StoredListing, Write},
};

/// Longest file of marks that is sent, in bytes.
pub(super) const MAX_MARKS_BYTES: usize = 8 << 20;
/// Marks written in one act.
const BATCH: usize = 500;
/// How long a trial may look at listings: the page must come before requests are given up.
const TRIAL: Duration = Duration::from_secs(20);
/// How long it may wait until the archive is up to the store.
const BUILDING: Duration = Duration::from_secs(5);
/// Newest hits of a mark that are counted by way of writing.
const LOOKED_AT: usize = 2000;
/// Listings that are shown of a trial.
const SAMPLES: usize = 12;
/// Seconds that a reviewer is taken to need for one hit.
const SECONDS_A_HIT: u64 = 15;

/// Shows the listings a store knows, one after the other.
pub trait ListingReader: Send + Sync {
    /// Shows each listing until `show` says false.
    ///
    /// # Errors
    /// Why the store cannot be read.
    fn each(&self, show: &mut dyn FnMut(&StoredListing) -> bool) -> Result<(), String>;
}

/// Where the marks stand, as the desk follows it.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<Option<Portfolio>>);

/// Where all marks that `account` sees stand: those that went the steps, and those that came by a file.
pub(super) async fn known(desk: &Desk, account: &Account) -> Result<BTreeMap<MarkId, Entry>, WebError> {
    let sees = account.sees();
    let portfolio = follow(desk).await?;
    let watched = tenant::marks(desk, account).await?;
    let mut entries: BTreeMap<MarkId, Entry> =
        watched.into_iter().map(|(id, mark)| (id, Entry::imported(mark))).collect();
    let own = portfolio.entries().iter().filter(|(_, entry)| sees.has_holder(&entry.mark.holder));
    entries.extend(own.map(|(id, entry)| (id.clone(), entry.clone())));
    Ok(entries)
}

/// Where one of them stands.
pub(super) async fn one(desk: &Desk, account: &Account, id: &str) -> Result<Entry, WebError> {
    let id = MarkId::new(id).map_err(|_| WebError::NotFound)?;
    known(desk, account).await?.remove(&id).ok_or(WebError::NotFound)
}

async fn follow(desk: &Desk) -> Result<Portfolio, WebError> {
    let standing = caught_up(desk).await?;
    Ok((*standing).clone().unwrap_or_default())
}

/// Reads on in the journal, so that no page waits for it.
pub(super) async fn keep_up(desk: &Desk) -> Result<(), WebError> {
    caught_up(desk).await.map(drop)
}

/// On a thread of its own: the first time there may be a million hits between the notes.
async fn caught_up(desk: &Desk) -> Result<MutexGuard<'_, Option<Portfolio>>, WebError> {
    let mut standing = desk.inner.standing.0.lock().await;
    let (known, store) = (standing.take(), Arc::clone(&desk.inner.store));
    let (path, runtime) = (desk.inner.accounts.beside("portfolio.json"), Handle::current());
    let read = move || -> Result<(Portfolio, Result<bool, StoreError>), std::io::Error> {
        let mut portfolio = known.map_or_else(|| Portfolio::remembered(&path), Ok)?;
        let caught_up = runtime.block_on(portfolio.follow(&*store));
        if matches!(caught_up, Ok(true))
            && let Err(error) = portfolio.remember(&path)
        {
            tracing::warn!(%error, "cannot write where marks stand; the journal says it again");
        }
        Ok((portfolio, caught_up))
    };
    let broken = |error: &dyn std::fmt::Display| WebError::Check(error.to_string());
    let read = tokio::task::spawn_blocking(read).await.map_err(|error| broken(&error))?;
    let (portfolio, caught_up) = read.map_err(|error| broken(&error))?;
    *standing = Some(portfolio);
    caught_up?;
    Ok(standing)
}

/// Reads a file of marks, CSV or the XML of an office, for `account`. The id of a mark that names none is its office and number, so that the same mark
/// never comes twice.
pub(super) fn read(account: &Account, text: &str) -> Result<Vec<Mark>, Vec<Diagnostic>> {
    let xml = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).starts_with('<');
    let mut marks = if xml { import_xml("marks.xml", text)? } else { import_csv("marks.csv", text)? };
    let mut foreign = Vec::new();
    for mark in &mut marks {
        if mark.id.as_str() == mark.text {
            name_by_office(mark);
        }
        if let Err(message) = own(account, mark) {
            let at = text.find(mark.text.as_str()).unwrap_or(0);
            let end = text.get(at..).and_then(|rest| rest.find(['\r', '\n'])).map_or(text.len(), |length| at + length);
            foreign.push(Diagnostic::error("marks.csv", text, at..end, "marks.holder", message, NAME_YOUR_OWN));
        }
    }
    if foreign.is_empty() { Ok(marks) } else { Err(foreign) }
}

const NAME_YOUR_OWN: &str = "name one of your own holders";

/// Whoever has one holder need not name it; what belongs to others is refused, in words.
fn own(account: &Account, mark: &mut Mark) -> Result<(), String> {
    let sees = account.sees();
    if mark.holder == mark.text
        && let Some(holders) = sees.holders.as_ref().filter(|holders| holders.len() == 1)
        && let Some(holder) = holders.first()
    {
        mark.holder.clone_from(holder);
    }
    if sees.has_holder(&mark.holder) {
        return Ok(());
    }
    Err(format!("`{:.80}` belongs to `{:.80}`, which is none of your holders", mark.text, mark.holder))
}

/// A table of marks held against what is known.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Not known yet.
    pub new: Vec<Mark>,
    /// Known otherwise, with the columns that differ.
    pub changed: Vec<(Mark, Vec<&'static str>)>,
    /// How many stand here as they are sent.
    pub same: usize,
    /// What cannot be taken, by row.
    pub wrong: Vec<WrongRow>,
}

/// Holds the marks of a table against what stands here: new, changed, the same, and none of `account`'s business.
pub(super) async fn sort(desk: &Desk, account: &Account, table: Table) -> Result<Sorted, WebError> {
    let portfolio = follow(desk).await?;
    let watched = desk.inner.store.marks_since(0).await?.put;
    let watched: BTreeMap<&MarkId, &Mark> = watched.iter().map(|mark| (&mark.id, mark)).collect();
    let mut sorted = Sorted { wrong: table.wrong, ..Sorted::default() };
    for (row, mut mark) in table.marks {
        let mut refuse = |what: String, help: &'static str| {
            sorted.wrong.push(WrongRow { row, what, help });
        };
        if let Err(what) = own(account, &mut mark) {
            refuse(what, NAME_YOUR_OWN);
            continue;
        }
        let entry = portfolio.entries().get(&mark.id);
        let known = entry.map(|entry| &entry.mark).or_else(|| watched.get(&mark.id).copied());
        // Files do not say which ways of writing are watched.
        if let Some(known) = known {
            mark.unwatched.clone_from(&known.unwatched);
        }
        match known {
            None => sorted.new.push(mark),
            Some(known) if *known == mark => sorted.same += 1,
            // Whose it is, is not told.
            Some(known) if !account.sees().has_holder(&known.holder) => {
                refuse(format!("the id `{:.80}` is taken", mark.id.as_str()), "give the mark another id");
            }
            Some(known) => match portfolio.draft(&mark) {
                Ok(_) => {
                    let differs = differences(known, &mark);
                    sorted.changed.push((mark, differs));
                }
                Err(error) => refuse(error.to_string(), "then send it again"),
            },
        }
    }
    sorted.wrong.sort_by_key(|wrong| wrong.row);
    Ok(sorted)
}

/// The columns in which two forms of a mark differ.
fn differences(known: &Mark, sent: &Mark) -> Vec<&'static str> {
    let facts = |mark: &Mark| serde_json::to_value(mark).unwrap_or_default();
    let (known, sent) = (facts(known), facts(sent));
    COLUMNS.into_iter().filter(|column| known.get(column) != sent.get(column)).collect()
}

/// Writes marks down as drafts; those that stand here already as they are sent are left alone. Returns how many are new or
/// changed.
pub(super) async fn draft(desk: &Desk, account: &Account, marks: &[Mark]) -> Result<usize, WebError> {
    let portfolio = follow(desk).await?;
    let foreign = |mark: &Mark| {
        portfolio.entries().get(&mark.id).is_some_and(|entry| !account.sees().has_holder(&entry.mark.holder))
    };
    let watched = desk.inner.store.marks_since(0).await?.put;
    let watched: BTreeMap<&MarkId, &Mark> = watched.iter().map(|mark| (&mark.id, mark)).collect();
    let mut writes = Vec::new();
    for mark in marks {
        let entry = portfolio.entries().get(&mark.id).map(|entry| &entry.mark);
        if entry.or_else(|| watched.get(&mark.id).copied()) == Some(mark) {
            continue;
        }
        if foreign(mark) || watched.get(&mark.id).is_some_and(|known| !account.sees().has_holder(&known.holder)) {
            return Err(WebError::Field("id"));
        }
        let unwatched = entry.or_else(|| watched.get(&mark.id).copied()).map(|known| known.unwatched.clone());
        writes.push(portfolio.draft(&Mark { unwatched: unwatched.unwrap_or_default(), ..mark.clone() })?);
    }
    let many = writes.len();
    for part in writes.chunks(BATCH) {
        let batch = Batch { actor: account.name.to_string(), writes: part.to_vec() };
        desk.inner.store.apply(batch).await?;
    }
    Ok(many)
}

/// Takes one step with a mark that `account` sees.
pub(super) async fn step(desk: &Desk, visit: &Visit, id: &str, act: Act) -> Result<(), WebError> {
    if !visit.may(needs(act)) {
        return Err(WebError::MayNot);
    }
    let account = visit.account()?;
    let entry = one(desk, account, id).await?;
    let writes: Vec<Write> = follow(desk).await?.step(&entry.mark.id, act, &account.name, today(desk))?;
    desk.inner.store.apply(Batch { actor: account.name.to_string(), writes }).await?;
    Ok(())
}

/// Watches a mark that `account` sees for every way of writing but those `unwatched`.
pub(super) async fn watch(desk: &Desk, visit: &Visit, id: &str, unwatched: &[Channel]) -> Result<(), WebError> {
    let account = visit.account()?;
    let entry = one(desk, account, id).await?;
    let live = desk.inner.store.mark(&entry.mark.id).await?.is_some();
    let writes = Portfolio::watch(&entry.mark, unwatched, live);
    desk.inner.store.apply(Batch { actor: account.name.to_string(), writes }).await?;
    Ok(())
}

/// What became of a mark's hits in one way of writing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub waiting: usize,
    pub confirmed: u64,
    pub dismissed: u64,
}

/// What became of the newest hits of a mark, by way of writing; those written plainly under none.
pub(super) async fn by_channel(
    desk: &Desk,
    account: &Account,
    mark: &MarkId,
) -> Result<BTreeMap<Option<Channel>, Told>, WebError> {
    desk.follow(true).await?;
    let about = desk.inner.board.about(&Subject::Reference(mark.as_str().to_owned()));
    let ids: Vec<HitId> = about.iter().take(LOOKED_AT).map(|entry| entry.id).collect();
    let mut told: BTreeMap<Option<Channel>, Told> = BTreeMap::new();
    for row in desk.inner.store.rows(&ids).await? {
        if !tenant::sees(account, &row.hit) {
            continue;
        }
        let of_mark = row.hit.what.findings.iter().filter(|finding| finding.reference == mark.as_str());
        let mut ways: BTreeSet<Option<Channel>> = BTreeSet::new();
        for finding in of_mark {
            ways.extend(finding.channels.iter().copied().map(Some));
            if finding.channels.is_empty() {
                ways.insert(None);
            }
        }
        for way in ways {
            let told = told.entry(way).or_default();
            match row.hit.state {
                HitState::Confirmed => told.confirmed += 1,
                HitState::Dismissed => told.dismissed += 1,
                _ => told.waiting += 1,
            }
        }
    }
    Ok(told)
}

/// What this step needs.
pub(super) fn needs(act: Act) -> Permission {
    match act {
        Act::Submit | Act::Activate | Act::Withdraw => Permission::ChangeMarks,
        Act::Verify | Act::Return => Permission::VerifyMarks,
    }
}

/// What marks would have found in the listings of the last 30 days.
#[derive(Debug, serde::Serialize)]
pub(super) struct Trial {
    /// The first day that was looked at.
    pub since: String,
    /// Whether all listings were looked at, or only those that could be within the time.
    pub whole: bool,
    /// Hours of review that the hits would take, at 15 seconds each.
    pub hours: f64,
    pub previews: Vec<Preview>,
}

/// Tries marks on the listings of the last 30 days that `account`'s platforms have; nothing is written.
pub(super) async fn try_out(desk: &Desk, account: &Account, marks: Vec<Mark>) -> Result<Trial, WebError> {
    let (day, sees) = (today(desk), account.sees());
    let since = a_month_before(day);
    desk.inner.sellers.follow(&*desk.inner.store).await?;
    let lists = desk.inner.sellers.lists();
    let make = move || Previewer::new(marks.clone(), SAMPLES).with_sellers(Arc::clone(&lists));
    let wanted = move |platform: Option<&str>, seen_on: Date| {
        seen_on >= since && sees.platforms.as_ref().is_none_or(|all| platform.is_some_and(|one| all.contains(one)))
    };
    let (archive, reader) = (desk.inner.archive.clone(), desk.inner.listings.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let archived = archive.map(|keeper| of_archive(&keeper, begun, &make, &wanted, day));
        match (archived, reader) {
            (Some(Ok(looked)), _) => Ok(looked),
            // It has not been built yet, or must be anew.
            (Some(Err(ArchiveError::Stopped)) | None, Some(reader)) => {
                of_store(&*reader, begun, make(), wanted).map_err(WebError::Check)
            }
            (Some(Err(error)), _) => Err(WebError::Check(error.to_string())),
            (None, None) => Err(WebError::NotFound),
        }
    });
    let (previews, whole) = looked.await.map_err(|error| WebError::Check(error.to_string()))??;
    let queued: u64 = previews.iter().map(|preview| preview.queued as u64).sum();
    let hours = (queued * SECONDS_A_HIT) as f64 / 3600.0;
    Ok(Trial { since: since.to_string(), whole, hours, previews })
}

/// On all cores, as the store stood when the archive was brought up to it; a listing was seen when it was captured.
fn of_archive(
    keeper: &Keeper,
    begun: Instant,
    make: impl Fn() -> Previewer + Sync,
    wanted: impl Fn(Option<&str>, Date) -> bool + Sync,
    day: Date,
) -> Result<(Vec<Preview>, bool), ArchiveError> {
    let stop = AtomicBool::new(false);
    let end_after = |limit: Duration| {
        if begun.elapsed() >= limit {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let archive = keeper.fresh(0, &stop, &|_| end_after(BUILDING))?;
    let watch = |_| end_after(TRIAL);
    let scan = Scan { needles: None, reaches: None, stop: &stop, progress: &watch, threads: 0 };
    let (looks, covered) = archive.scan(scan, &make, |look, listing| {
        let seen_on = listing.captured_on().unwrap_or(day);
        if wanted(listing.platform.as_deref(), seen_on) {
            look.see(listing, seen_on);
        }
    })?;
    let mut all = make();
    looks.into_iter().for_each(|look| all.merge(look));
    Ok((all.finish(), !covered.partial))
}

/// One after the other, where there is no archive.
fn of_store(
    reader: &dyn ListingReader,
    begun: Instant,
    mut look: Previewer,
    wanted: impl Fn(Option<&str>, Date) -> bool,
) -> Result<(Vec<Preview>, bool), String> {
    let mut whole = true;
    reader.each(&mut |stored| {
        let seen_on = stored.last_seen.to_zoned(TimeZone::UTC).date();
        if wanted(stored.listing.platform.as_deref(), seen_on) {
            look.see(&stored.listing, stored.listing.captured_on().unwrap_or(seen_on));
        }
        whole = begun.elapsed() < TRIAL;
        whole
    })?;
    Ok((look.finish(), whole))
}
