//! The market as a whole: three shops bound to loopback ports, until it is stopped or dropped.

use std::{io, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    crawl::Profile,
    model::{Diagnostic, Listing},
};

use super::{
    Request, Style, Truth,
    data::{self, Data},
    log::Log,
    shop::Shop,
};

/// How long open connections may take to end when the market stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why the market cannot open.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// No port.
    #[error(
        "cannot open the shop {site} on 127.0.0.1: {source}. Allow programs to listen on loopback, then start again"
    )]
    Bind {
        /// Which shop.
        site: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file of `fixtures/market` does not fit.
    #[error("fixtures/market/{file} cannot be used: {what}")]
    Data {
        /// Which, with its line where known.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A profile of `fixtures/market/sites` has a mistake.
    #[error("{0}")]
    Profile(Box<Diagnostic>),
}

/// The three shops, open.
#[derive(Debug)]
pub struct Market {
    data: Arc<Data>,
    shops: Vec<Open>,
    log: Arc<Log>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Open {
    shop: Arc<Shop>,
    task: JoinHandle<()>,
}

impl Market {
    /// Opens the three shops, each on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had, or the marketplace's files do not fit together.
    pub async fn start() -> Result<Self, MarketError> {
        let data = Arc::new(Data::load()?);
        let log = Arc::new(Log::new());
        let (stop, stopped) = watch::channel(false);
        let mut shops = Vec::new();
        for style in Style::ALL {
            let site = style.id();
            let listener = bind().await.map_err(|source| MarketError::Bind { site, source })?;
            let address = listener.local_addr().map_err(|source| MarketError::Bind { site, source })?;
            let base = format!("http://{address}");
            let shop = Arc::new(Shop::new(style, base, Arc::clone(&data), Arc::clone(&log), stopped.clone())?);
            let task = tokio::spawn(Arc::clone(&shop).serve(listener, stopped.clone()));
            shops.push(Open { shop, task });
        }
        Ok(Self { data, shops, log, stop })
    }

    /// The shops' profiles, with the addresses they are bound to.
    ///
    /// # Errors
    /// When one has a mistake.
    pub fn profiles(&self) -> Result<Vec<Profile>, MarketError> {
        Style::ALL.into_iter().map(|style| self.profile(style)).collect()
    }

    fn profile(&self, style: Style) -> Result<Profile, MarketError> {
        let file = format!("sites/{}.toml", style.id());
        let mut text = data::text(&file)?;
        for open in &self.shops {
            text = text.replace(&format!("{{{}}}", open.shop.style.id()), &open.shop.base);
        }
        Profile::parse(&file, &text).map_err(MarketError::Profile)
    }

    /// Where a shop stands, such as `http://127.0.0.1:40123`.
    pub fn address(&self, style: Style) -> &str {
        self.shops.iter().find(|open| open.shop.style == style).map_or("", |open| &open.shop.base)
    }

    /// The invented holders' marks, in the form of marks files.
    pub fn marks_csv(&self) -> &str {
        &self.data.marks_csv
    }

    /// What is true of every listing.
    pub fn truth(&self) -> &Truth {
        &self.data.truth
    }

    /// The listings as the shops know them: what an extractor should read from their pages.
    pub fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.data.items.iter().flat_map(|(_, items)| items.iter().map(|item| &item.listing))
    }

    /// What the shops were asked, in the order of arrival.
    pub fn log(&self) -> Vec<Request> {
        self.log.requests()
    }

    /// Closes the shops; connections still open are cut after a moment.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for mut open in self.shops {
            if tokio::time::timeout(FAREWELL, &mut open.task).await.is_err() {
                open.task.abort();
            }
        }
    }
}

async fn bind() -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await
}
