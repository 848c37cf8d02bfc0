//! One page asked for by itself, as a run would ask for it: for who writes or checks a profile.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, select};
use url::Url;

use super::{Aim, CrawlError, Fetched, Run, Services, Sink, SinkError, hosts_of, lease::Leases, render::Shown};
use crate::crawl::{Extra, FetchError, Profile, Refusal, frontier::Purpose};

/// Longest wait for hosts that a crawl is visiting.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands at an address.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Where it stands, after redirects.
    pub url: Url,
    /// The answer's HTTP status.
    pub status: u16,
    /// Its media type and charset: as the host says, or of what a browser made of it where the profile asks for one.
    pub content_type: Option<String>,
    /// Its body, without a Content-Encoding.
    pub body: Bytes,
    /// Sitemaps that the host's robots.txt names.
    pub sitemaps: Vec<Url>,
}

/// Receives nothing, because nothing is handed over.
struct Nobody;

#[async_trait]
impl Sink for Nobody {
    async fn fetched(&self, _: Fetched) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Asks for the page at `url` as a run of `profile` would: its host leased, robots.txt asked, in its pace. Nothing of it is kept.
///
/// # Errors
/// When the page may not be asked for or does not come, or a crawl visits its host for longer than a minute.
pub async fn look_at(profile: &Profile, url: &Url, crawl: &Services) -> Result<Looked, CrawlError> {
    // A name of its own: who holds a lease already would be given it again.
    let worker = format!("look-{:016x}", fastrand::u64(..));
    let crawl = Services { worker, coverage: None, warc: None, ..crawl.clone() };
    let hosts = hosts_of(profile);
    let taken = tokio::time::timeout(PATIENCE, Leases::take(&crawl, &profile.id, &hosts)).await;
    let mut leases = match taken {
        Ok(taken) => taken?.ok_or(CrawlError::Fetch(FetchError::Refused(Refusal::Stopping)))?,
        Err(_) => return Err(CrawlError::Busy { profile: profile.id.clone() }),
    };
    let rests = leases.rests(crawl.clock.now());
    let run = match Run::new(profile, &crawl, &Nobody, Aim::Look) {
        Ok(run) => run,
        Err(error) => {
            leases.give_back(&crawl, &rests).await?;
            return Err(error);
        }
    };
    for (lane, rest) in run.lanes.iter().zip(rests) {
        lane.pace.hold(rest);
    }
    let looked = {
        let look = std::pin::pin!(run.look(url));
        let keep = std::pin::pin!(run.keep(&mut leases));
        match select(look, keep).await {
            Either::Left((looked, _)) => looked,
            Either::Right((lost, _)) => lost.and(Err(CrawlError::Busy { profile: profile.id.clone() })),
        }
    };
    crawl.renderer.rest().await;
    let rests: Vec<Duration> = run.lanes.iter().map(|lane| lane.pace.rest()).collect();
    leases.give_back(&crawl, &rests).await?;
    run.into_report(Duration::ZERO, false)?;
    looked
}

impl Run<'_> {
    async fn look(&self, url: &Url) -> Result<Looked, CrawlError> {
        let url = self.compiled.home(url);
        let extra = self.extra(&url, Extra::default(), None);
        let answer = self.crawl.fetcher.fetch_with(&url, &extra, &self.profile.pace, self.guard, self).await?;
        let page = answer.last;
        let sitemaps = self.sitemaps_of(&page.url).await;
        let shown = if page.status.is_success() { self.shown(&page, &Purpose::Page).await? } else { None };
        let Shown { body, content_type } = shown.unwrap_or_else(|| Shown::plain(&page));
        Ok(Looked { status: page.status.as_u16(), content_type, body, url: page.url, sitemaps })
    }
}
