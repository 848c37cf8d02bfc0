//! Pages of a run that are shown to a browser first, and what they ask for on the way.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, header::ACCEPT};
use url::Url;

use super::{
    CrawlError, Run,
    read::{Kind, kind_of},
    visit::record,
};
use crate::{
    crawl::{
        Exchange, Extra, FetchError, Pace, Refusal, Render,
        fetch::host_of,
        frontier::Purpose,
        render::{Document, RenderError, Supply},
    },
    evidence::Written,
};

/// What a rendered document is kept as.
const RENDERED: &str = "text/html; charset=utf-8";
/// How often a page's own request is tried again.
const RETRIES: u32 = 1;

/// A page to be read: its bytes, and their media type.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) body: Bytes,
    pub(super) content_type: Option<String>,
}

impl Shown {
    /// The page as it came.
    pub(super) fn plain(page: &Exchange) -> Self {
        Self { body: page.body.clone(), content_type: page.header("content-type").map(str::to_owned) }
    }
}

impl Run<'_> {
    /// How the page at `url` is rendered, if it is.
    pub(super) fn renders(&self, url: &Url, purpose: &Purpose) -> Option<&Render> {
        let render = self.profile.render.as_ref().filter(|_| *purpose == Purpose::Page)?;
        match kind_of(&self.compiled, url) {
            Kind::Listing => Some(render),
            Kind::List if render.lists => Some(render),
            _ => None,
        }
    }

    /// The page as a browser shows it, where the profile asks for one and the page is HTML; else none.
    pub(super) async fn shown(&self, page: &Exchange, purpose: &Purpose) -> Result<Option<Shown>, RenderError> {
        let html = page.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("html"));
        let Some(render) = self.renders(&page.url, purpose).filter(|_| html) else { return Ok(None) };
        let headers = page
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let document = Document { url: page.url.clone(), headers: headers.collect(), body: page.body.clone() };
        let supplies = Supplies { run: self, page: &page.url, left: AtomicU64::new(render.max_bytes) };
        let html = self.crawl.renderer.show(&document, render, &supplies).await?;
        self.tally().rendered();
        Ok(Some(Shown { body: html.into(), content_type: Some(RENDERED.into()) }))
    }

    /// Keeps a rendered page beside the answer it was made of.
    pub(super) async fn record_shown(
        &self,
        shown: &Shown,
        of: Option<&Written>,
        page: &Exchange,
    ) -> Result<Option<Written>, CrawlError> {
        let (Some(warc), Some(of)) = (&self.crawl.warc, of) else { return Ok(None) };
        Ok(Some(warc.write_conversion(&of.capture, RENDERED, &shown.body, page.finished).await?))
    }
}

/// What a page's requests are answered with: the crawl's own fetch.
struct Supplies<'r, 'a> {
    run: &'r Run<'a>,
    page: &'r Url,
    /// Bytes that the page may still be sent.
    left: AtomicU64,
}

impl Supply for Supplies<'_, '_> {
    async fn supply(&self, url: Url, accept: Option<String>) -> Result<Exchange, String> {
        let run = self.run;
        let lane = run.by_host.get(&host_of(&url)).copied();
        let Some(lane) = lane else { return Err(Refusal::Scope { host: host_of(&url) }.to_string()) };
        if !run.charge(lane) {
            return Err("the run's budget is spent".into());
        }
        let mut extra = run.extra(&url, Extra { stay: true, ..Extra::default() }, None);
        if url.origin() != self.page.origin() {
            extra.secret.clear();
        }
        if let Some(accept) = accept.and_then(|accept| HeaderValue::from_str(&accept).ok()) {
            extra.headers.insert(ACCEPT, accept);
        }
        let pace = &run.profile.pace;
        let limits = Pace {
            max_body_bytes: pace.max_body_bytes.min(self.left.load(Ordering::Relaxed)),
            retries: pace.retries.min(RETRIES),
            ..pace.clone()
        };
        let answer = run.crawl.fetcher.fetch_with(&url, &extra, &limits, run.guard, run).await;
        let exchange = match answer {
            Ok(answer) => answer.last,
            Err(error) => {
                if !matches!(error, FetchError::Refused(Refusal::Stopping)) {
                    run.tally().page_refused(error.kind(), &url, &error.to_string());
                }
                return Err(error.to_string());
            }
        };
        let taken = exchange.body.len() as u64;
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(taken)));
        run.tally().page_request(exchange.raw.len(), exchange.body.len());
        if let Some(lane) = run.lanes.get(lane) {
            lane.came(exchange.raw.len() as u64);
        }
        let kept = async {
            let written = record(run.crawl, &exchange).await?;
            run.hand_over(&exchange, Vec::new(), written).await
        };
        if let Err(error) = kept.await {
            let why = error.to_string();
            run.fail(error);
            return Err(why);
        }
        Ok(exchange)
    }
}
