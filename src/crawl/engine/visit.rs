//! One visit: fetch, keep, read, hand over, and only then record it as done.

use std::sync::atomic::Ordering;

use reqwest::StatusCode;
use url::Url;

use super::{
    CrawlError, Fetched, Run, Services,
    read::{Kind, Yield, kind_of, read},
};
use crate::{
    crawl::{
        Answer, Exchange, Extra, FetchError, Known, Refusal,
        coverage::{Facts, Standing, facts_of},
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
        if self.charged.fetch_add(1, Ordering::Relaxed) >= self.profile.pace.max_pages {
            self.spent.store(true, Ordering::Relaxed);
            self.frontier().put_back(lane, entry);
            return false;
        }
        let known = self.known(&url);
        let unless = Extra::unless_changed(&self.validators(&url, known.as_ref()));
        match self.crawl.fetcher.fetch_with(&url, &unless, &self.profile.pace, self.guard, self).await {
            Ok(answer) => match self.accept(&entry, &url, known, answer).await {
                Ok(added) => return added,
                Err(error) => {
                    self.frontier().put_back(lane, entry);
                    self.fail(error);
                }
            },
            Err(error) => self.unfetched(lane, entry, &url, error),
        }
        false
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
            FetchError::Refused(Refusal::Unreachable { host, .. }) | FetchError::AskedToWait { host, .. } => {
                // A redirect to a host that is unwell says nothing about the one that sent us there.
                self.lanes.get(lane).is_some_and(|lane| lane.host == *host)
            }
            _ => false,
        };
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
            if let Some(written) = record(self.crawl, hop).await? {
                self.hand_over(hop, None, Some(written)).await?;
            }
        }
        let page = &answer.last;
        let written = record(self.crawl, page).await?;
        self.tally().fetched(page.raw.len(), page.body.len());
        // Where a redirect leads, if that is another page than the one asked for.
        let moved = (!answer.hops.is_empty()).then(|| self.compiled.key(&page.url));
        let moved = moved.filter(|key| *key != self.compiled.key(asked));
        if moved.as_ref().is_some_and(|key| self.frontier().knows(key.as_str())) {
            // Where it leads is visited under its own address.
            self.hand_over(page, None, written).await?;
            self.tally().moved_to_known += 1;
            self.note(asked, entry.depth, "moved", &format!("leads to {}, which is visited anyway", page.url));
            self.frontier().done(entry.id);
            return Ok(false);
        }
        if page.status == StatusCode::NOT_MODIFIED
            && answer.hops.is_empty()
            && let Some(known) = known.clone()
        {
            self.hand_over(page, None, written).await?;
            self.tally().unchanged();
            self.had(known, page, "unchanged", None);
            self.frontier().done(entry.id);
            return Ok(false);
        }
        if !page.status.is_success() {
            self.hand_over(page, None, written).await?;
            let status = page.status.as_u16();
            self.missed(asked, entry.depth, &format!("status_{status}"), &format!("answered {status}"));
            self.frontier().done(entry.id);
            return Ok(false);
        }
        let yielded = read(&self.compiled, page, entry.purpose, self.profile.pace.max_body_bytes).await;
        self.tally().read(&yielded, &page.url);
        let Yield { kind, listing, pages, sitemaps, .. } = yielded;
        let covered = self.crawl.coverage.is_some();
        let facts = listing
            .as_ref()
            .filter(|_| covered)
            .map(|listing| Facts { hash: facts_of(listing), stands: Standing::of(listing, &page.url) });
        let capture = written.as_ref().map(|written| written.capture.id.clone());
        self.hand_over(page, listing, written).await?;
        if covered {
            let mut known = known.unwrap_or_else(|| Known::new(asked, entry.depth, page.finished));
            known.capture = capture;
            self.had(known, page, kind.word(facts.is_some()), facts);
        }
        let added = self.queue(entry, &pages, &sitemaps);
        let mut frontier = self.frontier();
        if let Some(key) = moved {
            frontier.add_done(page.url.as_str(), key.as_str());
        }
        frontier.done(entry.id);
        Ok(added)
    }

    async fn hand_over(
        &self,
        page: &Exchange,
        listing: Option<Listing>,
        written: Option<Written>,
    ) -> Result<(), CrawlError> {
        let listing = listing.map(|mut listing| {
            listing.captured_at.get_or_insert(page.finished);
            listing
        });
        let (capture, record) = written.map_or((None, Vec::new()), |written| (Some(written.capture), written.record));
        let listing_id = listing.as_ref().and_then(|listing| ListingId::new(&listing.id).ok());
        let fetched = Fetched {
            profile: self.profile.id.clone(),
            url: page.url.to_string(),
            status: page.status.as_u16(),
            listing,
            listing_id,
            capture,
            record,
        };
        Ok(self.sink.fetched(fetched).await?)
    }

    /// Queues what a page names; says whether anything was new.
    fn queue(&self, entry: &Entry, pages: &[Url], sitemaps: &[Url]) -> bool {
        // A visit to look at a listing again discovers nothing.
        if self.again {
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
        for url in pages {
            if u32::from(depth) > self.profile.pace.max_depth {
                self.dropped("depth", url, depth);
            } else if kind_of(&self.compiled, url) == Kind::Unmatched {
                self.dropped("unmatched", url, depth);
            } else if self.is_left_to_recrawl(url) {
                self.tally().left_to_recrawl(url);
            } else {
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
        request_head: &exchange.request_head(),
        response_head: &exchange.response_head(),
        body: &exchange.raw,
        remote: exchange.remote.map(|remote| remote.ip()),
        protocol: (exchange.version == http::Version::HTTP_2).then_some("h2"),
        at: exchange.started,
    };
    warc.write(&http, exchange.status.as_u16(), exchange.finished).await
}
