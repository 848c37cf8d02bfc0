//! Pages shown to a browser before they are read: Chromium from the system, driven over its DevTools protocol.
//!
//! The browser makes no request of its own. It stands behind a proxy that leads nowhere, resolves no name, and where the system
//! allows it has a network without any way out; every request of a page is handed to a [`Supply`], which is the crawl's fetch
//! with its robots, pace, guards and records. What comes back is the document as its scripts left it.

mod browser;
mod page;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::{Exchange, Render};
use browser::Browser;

pub use browser::{BrowserSettings, find_browser};

/// How often a page is tried when the browser breaks under it.
const TRIES: u32 = 2;

/// Why a page was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is no browser.
    #[error(
        "no browser is found ({looked_for}): install Chromium, or say in [crawl.browser] program where one is; \
         without one, leave `render` out of the profile"
    )]
    Missing {
        /// What was looked for.
        looked_for: String,
    },
    /// The browser does not start.
    #[error("the browser {program} does not start: {what}")]
    Start {
        /// Which.
        program: String,
        /// What happened.
        what: String,
    },
    /// Its folder cannot be made or removed.
    #[error("the browser's folder {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The browser, or the page's part of it, broke.
    #[error("the browser broke while it showed the page: {0}")]
    Broken(String),
    /// The browser refused a command.
    #[error("the browser does not do {method}: {what}")]
    Refused {
        /// The command.
        method: &'static str,
        /// What it said.
        what: String,
    },
    /// What is waited for did not come.
    #[error("`{css}` did not stand on the page within {seconds} s: raise time in [render], or wait for something else")]
    NotThere {
        /// The selector.
        css: String,
        /// How long it was waited.
        seconds: f64,
    },
    /// The page's scripts leave the browser no time.
    #[error("the page kept the browser busy for {seconds} s and cannot be read")]
    Busy {
        /// How long it was waited.
        seconds: f64,
    },
    /// The page showed something else in its place.
    #[error("the page went away to {0}")]
    Left(String),
    /// A document over the limit.
    #[error("the rendered document has {bytes} bytes, more than max_bytes in [render] allows")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

impl RenderError {
    /// Whether no page can be rendered at all.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Start { .. } | Self::Folder { .. })
    }
}

/// A page that was fetched and is to be shown.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// Answers the requests that a page makes.
pub(super) trait Supply: Sync {
    /// The answer to a GET for `url`, redirects not followed; why there is none.
    fn supply(&self, url: Url, accept: Option<String>) -> impl Future<Output = Result<Exchange, String>> + Send;
}

/// Shows pages to a browser, which is started when the first is and lives on for the next ones.
pub struct Renderer {
    settings: BrowserSettings,
    agent: String,
    folder: PathBuf,
    browser: Mutex<Option<Arc<Browser>>>,
    started: AtomicU32,
    tabs: Semaphore,
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Renderer {
    /// A renderer whose browsers say that they are `agent`, and keep what they must below `folder`, which is theirs alone and goes.
    pub fn new(settings: BrowserSettings, agent: String, folder: PathBuf) -> Self {
        let tabs = Semaphore::new(settings.tabs.clamp(1, 16));
        Self { settings, agent, folder, browser: Mutex::default(), started: AtomicU32::new(0), tabs }
    }

    /// What `document` looks like once its scripts have run, as HTML.
    ///
    /// # Errors
    /// When there is no browser, or the page does not come to what `render` waits for.
    pub(super) async fn show<S: Supply>(
        &self,
        document: &Document,
        render: &Render,
        supply: &S,
    ) -> Result<String, RenderError> {
        let _tab = self.tabs.acquire().await.map_err(|_| RenderError::Broken("it is being ended".into()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let browser = self.browser().await?;
            let shown = page::show(&browser, document, render, supply).await;
            let broken = matches!(shown, Err(RenderError::Broken(_)));
            if broken || browser.is_worn(self.settings.pages) {
                self.leave(&browser).await;
            }
            if !broken || tries >= TRIES {
                return shown;
            }
            tracing::debug!(url = %document.url, "the browser broke; the page is shown once more");
        }
    }

    /// Ends the browser, unless it is showing a page.
    pub(super) async fn rest(&self) {
        let mut browser = self.browser.lock().await;
        if browser.as_ref().is_some_and(|browser| Arc::strong_count(browser) == 1) {
            *browser = None;
        }
    }

    async fn browser(&self) -> Result<Arc<Browser>, RenderError> {
        let mut browser = self.browser.lock().await;
        if let Some(browser) = browser.as_ref().filter(|browser| !browser.is_gone()) {
            return Ok(Arc::clone(browser));
        }
        *browser = None;
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        if number == 0 && self.folder.exists() {
            // What a process that was killed left behind.
            let source = std::fs::remove_dir_all(&self.folder);
            source.map_err(|source| RenderError::Folder { path: self.folder.display().to_string(), source })?;
        }
        let folder = self.folder.join(number.to_string());
        let started = Arc::new(Browser::start(&self.settings, &self.agent, folder).await?);
        *browser = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Takes no new page to this browser; it ends when those that it shows are done.
    async fn leave(&self, worn: &Arc<Browser>) {
        let mut browser = self.browser.lock().await;
        if browser.as_ref().is_some_and(|browser| Arc::ptr_eq(browser, worn)) {
            *browser = None;
        }
    }
}
