//! One visit: fetch, keep, read, hand over, and only then record it as done.

use std::{sync::atomic::Ordering, time::Instant};

use reqwest::StatusCode;
use url::Url;

use super::{
    Aim, CrawlError, Fetched, Run, Services,
    read::{Kind, Yield, kind_of, read},
    render::Shown,
};
use crate::{
    crawl::{
        Answer, Exchange, Extra, FetchError, Item, Known, Refusal,
        coverage::Facts,
        fetch::host_of,
        frontier::{Entry, Purpose},
    },
    evidence::{EvidenceError, Http, WarcWriter, Written},
    model::{Listing, ListingId},
};

/// Sitemap indexes inside one another.
const MAX_SITEMAP_DEPTH: u16 = 4;

impl Run<'_> {
    /// Visits one address; says whether that queued others.
    pub(super) async fn visit(&self, lane: usize, entry: Entry) -> bool {
        let Ok(url) = Url::parse(&entry.url) else {
            self.frontier().done(entry.id);
            return false;
        };
        if !self.charge(lane) {
            self.frontier().put_back(lane, entry);
            return false;
        }
        let question = self.question(&entry);
        if question.is_none() && matches!(entry.purpose, Purpose::Query(_)) {
            // The profile was changed since it was queued.
            self.frontier().done(entry.id);
            return false;
        }
        let known = self.known(&url);
        let body = question.and_then(|question| question.asked.body);
        let extra = self.extra(&url, Extra::unless_changed(&self.validators(&url, known.as_ref())), body);
        match self.crawl.fetcher.fetch_with(&url, &extra, &self.profile.pace, self.guard, self).await {
            Ok(answer) => {
                let begun = Instant::now();
                let accepted = self.accept(&entry, &url, known, answer).await;
                self.tally().handled(begun.elapsed());
                match accepted {
                    Ok(added) => return added,
                    Err(error) => {
                        self.frontier().put_back(lane, entry);
                        self.fail(error);
                    }
                }
            }
            Err(error) => self.unfetched(lane, entry, &url, error),
        }
        false
    }

    /// What the profile sends with every request, `with` what goes to this one. Secrets go in the clear to nobody but this
    /// machine.
    pub(super) fn extra(&self, url: &Url, with: Extra, body: Option<(&'static str, Vec<u8>)>) -> Extra {
        let parts = &self.parts;
        let safe = url.scheme() == "https" || self.guard.allow_loopback;
        Extra {
            headers: parts.headers.clone(),
            secret: if safe { parts.secret.clone() } else { Default::default() },
            post: body.map(|(kind, body)| (kind, body.into())),
            via: parts.via.clone(),
            ..with
        }
    }

    /// Takes a page from the budgets of the run and of the host; false when one is spent.
    pub(super) fn charge(&self, lane: usize) -> bool {
        let pace = &self.profile.pace;
        let bytes = self.tally().bytes();
        let spent = self.charged.fetch_add(1, Ordering::Relaxed) >= pace.max_pages
            || bytes >= pace.max_bytes
            || self.begun.elapsed() >= pace.max_time;
        if spent {
            self.spent.store(true, Ordering::Relaxed);
            return false;
        }
        let Some(lane) = self.lanes.get(lane) else { return false };
        if !lane.charge(pace.max_host_pages, pace.max_host_bytes) {
            let why = "its budget is spent: raise pace.max_host_pages or pace.max_host_bytes to read more";
            if lane.close(why) {
                tracing::warn!(host = lane.host, "{why}; the rest is left for a later run");
            }
            return false;
        }
        true
    }

    /// Decides what becomes of an address that was not fetched: done with, or left for the next run.
    fn unfetched(&self, lane: usize, entry: Entry, url: &Url, error: FetchError) {
        let later = match &error {
            FetchError::Refused(Refusal::Stopping) | FetchError::Stopped => {
                self.frontier().put_back(lane, entry);
                return;
            }
            FetchError::Client(_) | FetchError::UserAgent { .. } => {
                self.frontier().put_back(lane, entry);
                self.fail(error.into());
                return;
            }
            FetchError::Refused(Refusal::Unreachable { host, .. } | Refusal::Halted { host })
            | FetchError::AskedToWait { host, .. } => {
                // A redirect to a host that is unwell says nothing about the one that sent us there.
                self.lanes.get(lane).is_some_and(|lane| lane.host == *host)
            }
            _ => false,
        };
        self.unanswered(&entry, error.kind(), &error.to_string());
        self.canary_unfetched(url, &error);
        if !later {
            self.missed(url, entry.depth, error.kind(), &error.to_string());
            self.frontier().done(entry.id);
            return;
        }
        self.frontier().put_back(lane, entry);
        let closed = self.lanes.get(lane).is_some_and(|lane| lane.close(&error.to_string()));
        if closed {
            tracing::warn!(%error, "the rest of this host is left for a later run");
            self.tally().failed(error.kind(), url, &error.to_string());
        }
    }

    /// Keeps, reads and hands over what was fetched.
    async fn accept(
        &self,
        entry: &Entry,
        asked: &Url,
        known: Option<Known>,
        answer: Answer,
    ) -> Result<bool, CrawlError> {
        for hop in &answer.hops {
            self.tally().redirects += 1;
            self.tally().answered(hop);
            if let Some(written) = record(self.crawl, hop).await? {
                self.hand_over(hop, Vec::new(), Some(written)).await?;
            }
        }
        let page = &answer.last;
        let written = record(self.crawl, page).await?;
        self.tally().fetched(page.raw.len(), page.body.len());
        self.tally().answered(page);
        if let Some(lane) = self.by_host.get(&host_of(&page.url)).and_then(|&lane| self.lanes.get(lane)) {
            lane.came(page.raw.len() as u64);
        }
        // Where a redirect leads, if that is another page than the one asked for.
        let moved = (!answer.hops.is_empty()).then(|| self.compiled.key(&page.url));
        let moved = moved.filter(|key| *key != self.compiled.key(asked));
        if moved.as_ref().is_some_and(|key| self.frontier().knows(key.as_str())) {
            // Where it leads is visited under its own address.
            self.hand_over(page, Vec::new(), written).await?;
            self.tally().moved_to_known += 1;
            self.canary_without_page(asked, &format!("it leads to {}", page.url));
            self.note(asked, entry.depth, "moved", &format!("leads to {}, which is visited anyway", page.url));
            self.frontier().done(entry.id);
            return Ok(false);
        }
        let direct = known.as_ref().filter(|_| answer.hops.is_empty() && entry.purpose == Purpose::Page);
        let same = |known: &&Known| {
            page.status == StatusCode::NOT_MODIFIED || page.status.is_success() && self.is_same_page(asked, known, page)
        };
        if let Some(known) = direct.filter(same) {
            self.hand_over(page, Vec::new(), written).await?;
            self.had_again(known.clone(), page);
            self.frontier().done(entry.id);
            return Ok(false);
        }
        if !page.status.is_success() {
            self.hand_over(page, Vec::new(), written).await?;
            let status = page.status.as_u16();
            self.canary_without_page(asked, &format!("its host answered {status}"));
            self.unanswered(entry, &format!("status_{status}"), &format!("answered {status}"));
            self.missed(asked, entry.depth, &format!("status_{status}"), &format!("answered {status}"));
            self.frontier().done(entry.id);
            return Ok(false);
        }
        let (shown, written) = match self.shown(page, &entry.purpose).await {
            Ok(None) => (Shown::plain(page), written),
            Ok(Some(shown)) => {
                let rendered = self.record_shown(&shown, written.as_ref(), page).await?;
                self.hand_over(page, Vec::new(), written).await?;
                (shown, rendered)
            }
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => {
                self.hand_over(page, Vec::new(), written).await?;
                self.canary_without_page(asked, &error.to_string());
                self.missed(asked, entry.depth, "render", &error.to_string());
                self.frontier().done(entry.id);
                return Ok(false);
            }
        };
        let limit = self.profile.pace.max_body_bytes;
        let mut yielded = read(&self.compiled, &page.url, &shown, &entry.purpose, limit).await;
        self.tally().read(&yielded, &page.url);
        self.canary_read(asked, yielded.listing.as_ref());
        let question = self.question(entry);
        let asked_on = question.is_some_and(|question| self.answered(entry, &question, &yielded, page.finished));
        // A question's next page is asked for as its query says.
        let next = yielded.next.take().filter(|_| !matches!(entry.purpose, Purpose::Query(_)));
        let Yield { kind, listing, listings, mut pages, sitemaps, .. } = yielded;
        pages.splice(0..0, next.map(|url| Item { url, updated: None }));
        let covered = self.crawl.coverage.is_some();
        let facts = listing.as_ref().filter(|_| covered).map(|listing| Facts::of(listing, &page.url));
        let capture = written.as_ref().map(|written| written.capture.id.clone());
        let carried = self.changed(listings, page);
        self.tally().carried(carried.len());
        let news = listing.into_iter().chain(carried.iter().map(|(listing, _)| listing.clone())).collect();
        self.hand_over(page, news, written).await?;
        for (listing, known) in carried {
            if let Some(mut known) = known {
                let url = Url::parse(&known.url).unwrap_or_else(|_| page.url.clone());
                known.capture.clone_from(&capture);
                self.had(known, page, "listing", Some(Facts::of(&listing, &url)));
            }
        }
        if covered {
            let mut known = known.unwrap_or_else(|| Known::new(asked, entry.depth, page.finished));
            known.capture = capture;
            self.had(known, page, kind.word(facts.is_some()), facts);
        }
        let added = self.queue(entry, &pages, &sitemaps) || asked_on;
        let mut frontier = self.frontier();
        if let Some(key) = moved {
            frontier.add_done(page.url.as_str(), key.as_str());
        }
        frontier.done(entry.id);
        Ok(added)
    }

    pub(super) async fn hand_over(
        &self,
        page: &Exchange,
        mut listings: Vec<Listing>,
        written: Option<Written>,
    ) -> Result<(), CrawlError> {
        for listing in &mut listings {
            listing.captured_at.get_or_insert(page.finished);
        }
        let mut listings = listings.into_iter();
        let listing = listings.next();
        let (capture, record) = written.map_or((None, Vec::new()), |written| (Some(written.capture), written.record));
        let listing_id = listing.as_ref().and_then(|listing| ListingId::new(&listing.id).ok());
        let fetched = Fetched {
            profile: self.profile.id.clone(),
            url: page.url.to_string(),
            status: page.status.as_u16(),
            listing,
            listing_id,
            others: listings.collect(),
            capture,
            record,
        };
        Ok(self.sink.fetched(fetched).await?)
    }

    /// Queues what a page names; says whether anything was new.
    fn queue(&self, entry: &Entry, pages: &[Item], sitemaps: &[Url]) -> bool {
        // A visit to look at a listing again discovers nothing.
        if !matches!(self.aim, Aim::Site) {
            return false;
        }
        let depth = entry.depth.saturating_add(1);
        let mut added = false;
        for url in sitemaps {
            if depth < MAX_SITEMAP_DEPTH {
                added |= self.add(url, depth, Purpose::Sitemap);
            } else {
                self.dropped("depth", url, depth);
            }
        }
        for item in pages {
            let url = &item.url;
            if u32::from(depth) > self.profile.pace.max_depth {
                self.dropped("depth", url, depth);
            } else if kind_of(&self.compiled, url) == Kind::Unmatched {
                self.dropped("unmatched", url, depth);
            } else if self.is_left_to_recrawl(item) {
                self.tally().left_to_recrawl(url);
            } else if self.is_news(item) {
                added |= self.add(url, depth, Purpose::Page);
            }
        }
        added
    }
}

/// Writes an exchange's records, where records are kept.
pub(super) async fn record(crawl: &Services, exchange: &Exchange) -> Result<Option<Written>, EvidenceError> {
    let Some(warc) = &crawl.warc else { return Ok(None) };
    write_down(warc, exchange).await.map(Some)
}

/// Writes an exchange's records.
///
/// # Errors
/// When they could not be written.
pub async fn write_down(warc: &WarcWriter, exchange: &Exchange) -> Result<Written, EvidenceError> {
    let http = Http {
        url: exchange.url.as_str(),
        request_head: &exchange.request(),
        response_head: &exchange.response_head(),
        body: &exchange.raw,
        remote: exchange.remote.map(|remote| remote.ip()),
        protocol: (exchange.version == http::Version::HTTP_2).then_some("h2"),
        at: exchange.started,
    };
    warc.write(&http, exchange.status.as_u16(), exchange.finished).await
}
