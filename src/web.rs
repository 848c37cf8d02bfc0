//! The desk: the pages where people review hits, and the program's only door to them.
//!
//! [`Desk`] joins a store, accounts and a clock; [`router`] gives the pages, [`serve`] runs them on a
//! listener. Every card is rendered here, once: the island in `assets/review.js` only moves cards, so
//! all of it works without it. What may be decided belongs to `review`, what lasts to `store`.

mod access;
mod accounts;
mod acts;
mod alarms;
mod alerts;
mod alike;
mod api;
mod assets;
mod audit;
mod bulk;
mod card;
mod chart;
mod checks;
mod days;
mod disputes;
mod documents;
mod door;
mod evidence;
mod follow;
mod frame;
mod gathered;
mod guard;
mod hit;
mod imports;
mod jobs;
mod lists;
mod mark_pages;
mod marks;
mod me;
mod metrics;
mod noted;
mod oidc;
mod people;
mod problem;
mod push;
mod quality;
mod query;
mod queue;
mod recall;
mod routes;
mod rule_pages;
mod saved;
mod seller_file;
mod seller_lists;
mod source;
mod sources;
mod spans;
mod subjects;
mod tenant;
mod throttle;
mod timeline;
mod tokens;
mod totp;
mod trials;
mod upload;
mod visit;
mod words;

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    archive::Keeper,
    model::{Account, Clock},
    monitor::{Monitor, Sellers, Works},
    review,
    store::{ContentStore, Store},
};

pub use accounts::{Accounts, AccountsError, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PasswordCost, generate_password};
pub use alerts::Alerts;
pub use api::document as api_document;
pub use evidence::{EvidenceReader, JournalReader, JournalVerdict, Verification};
pub use marks::ListingReader;
pub use oidc::{Oidc, Settings as OidcSettings};
pub use problem::WebError;
pub use push::{MAX_PUSH_BYTES, MAX_PUSH_LISTINGS, PushParts, push};
pub use routes::{Needs, Route, router, routes};
pub use words::Language;

use access::AccessTokens;
use throttle::Throttle;
use tokens::{Halfway, Links, Sessions};

/// Longest request body accepted, in bytes: forms only.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How many passwords are checked at once: each check takes 19 MiB and a core.
const MAX_CHECKS_AT_ONCE: usize = 2;

/// How the desk runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Host names it answers to besides `localhost` and plain addresses; guards against DNS rebinding.
    pub hosts: Vec<String>,
    /// How long a person stays signed in, in hours.
    pub session_hours: u32,
    /// The language where neither the person nor the browser says.
    pub language: Language,
    /// Set where people reach the desk by https only: the cookie is then sent over https alone.
    pub secure_cookie: bool,
    /// The time zone of times on pages (IANA).
    pub time_zone: String,
    /// Requests that one account may send to the API in a minute.
    pub api_per_minute: u32,
    /// A provider of OpenID Connect where people may sign in too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8420)),
            hosts: Vec::new(),
            session_hours: 12,
            language: Language::Chinese,
            secure_cookie: false,
            time_zone: "Asia/Shanghai".to_owned(),
            api_per_minute: 600,
            oidc: None,
        }
    }
}

/// The desk: what its pages read and write. Cheap to clone; clones share sessions.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    review: review::Settings,
    evidence: Option<Arc<dyn EvidenceReader>>,
    monitor: Option<Arc<Monitor>>,
    works: Option<Arc<Works>>,
    zone: jiff::tz::TimeZone,
    sessions: Sessions,
    links: Links,
    halfway: Halfway,
    access: AccessTokens,
    once: api::Once,
    pace: api::Pace,
    docs: Arc<utoipa_swagger_ui::Config<'static>>,
    journal: Option<Arc<dyn JournalReader>>,
    listings: Option<Arc<dyn ListingReader>>,
    content: Option<ContentStore>,
    sellers: Arc<Sellers>,
    alerts: Option<Alerts>,
    /// Held while messages are sent.
    alert_round: tokio::sync::Mutex<()>,
    standing: marks::Standing,
    board: review::Board,
    orders: follow::Orders,
    archive: Option<Arc<Keeper>>,
    draws: jobs::Jobs<String>,
    trials: jobs::Jobs<trials::Tried>,
    handed: recall::Handed,
    frozen: bulk::Frozen,
    files: imports::Files,
    issued: checks::Issued,
    throttle: Throttle,
    oidc: Option<Arc<Oidc>>,
    checks: Semaphore,
}

/// What a [`Desk`] is made of.
pub struct Parts {
    /// Where hits live.
    pub store: Arc<dyn Store>,
    /// Who may sign in with a password.
    pub accounts: Arc<Accounts>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How the desk runs.
    pub settings: Settings,
    /// How review runs.
    pub review: review::Settings,
    /// Verifies evidence records where there are any.
    pub evidence: Option<Arc<dyn EvidenceReader>>,
    /// Verifies the journal, where it lies on this machine's disk.
    pub journal: Option<Arc<dyn JournalReader>>,
    /// Shows the listings that are known, for trials of marks.
    pub listings: Option<Arc<dyn ListingReader>>,
    /// The archive of the listings, for trials of rules and samples for recall, where there is one.
    pub archive: Option<Arc<Keeper>>,
    /// Where the bytes of documents lie, if they are kept on this machine's disk.
    pub content: Option<ContentStore>,
    /// The lists of sellers, and the documents behind them.
    pub sellers: Arc<Sellers>,
    /// Who is told of new hits, and how.
    pub alerts: Option<Alerts>,
    /// Sign-in at a provider, where the settings name one.
    pub oidc: Option<Arc<Oidc>>,
    /// What matches crawled pages, where this server crawls.
    pub monitor: Option<Arc<Monitor>>,
    /// What runs behind it, where this server crawls.
    pub works: Option<Arc<Works>>,
}

impl Desk {
    /// A desk with nobody signed in.
    ///
    /// # Errors
    /// When the time zone of the settings is not known, or the file of tokens cannot be read.
    pub fn new(parts: Parts) -> Result<Self, WebError> {
        let zone = jiff::tz::TimeZone::get(&parts.settings.time_zone)
            .map_err(|_| WebError::TimeZone(parts.settings.time_zone.clone()))?;
        let Parts { store, accounts, clock, settings, review, evidence, journal, listings, .. } = parts;
        let Parts { archive, content, sellers, alerts, monitor, works, oidc, .. } = parts;
        let access = AccessTokens::open(&accounts.beside("tokens.json"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                accounts,
                clock,
                settings,
                review,
                evidence,
                monitor,
                works,
                zone,
                sessions: Sessions::default(),
                links: Links::default(),
                halfway: Halfway::default(),
                access,
                once: api::Once::default(),
                pace: api::Pace::default(),
                docs: Arc::new(api::docs_settings()),
                journal,
                listings,
                content,
                sellers,
                alerts,
                alert_round: tokio::sync::Mutex::default(),
                standing: marks::Standing::default(),
                board: review::Board::default(),
                orders: follow::Orders::default(),
                archive,
                draws: jobs::Jobs::default(),
                trials: jobs::Jobs::default(),
                handed: recall::Handed::default(),
                frozen: bulk::Frozen::default(),
                files: imports::Files::default(),
                issued: checks::Issued::default(),
                throttle: Throttle::default(),
                oidc,
                checks: Semaphore::new(MAX_CHECKS_AT_ONCE),
            }),
        })
    }

    /// A path that signs `account` in once, within `lifetime`; only its hash is kept.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn one_time_link(&self, account: Account, lifetime: Duration) -> Result<String, WebError> {
        let token = self.inner.links.issue(account, self.inner.clock.now(), lifetime)?;
        Ok(format!("/enter/{token}"))
    }
}

/// Serves the desk on `listener` until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    desk: Desk,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WebError> {
    let routes = router(desk.clone());
    serve_routes(listener, desk, routes, shutdown).await
}

/// Serves `routes`, such as the desk's with others beside, in the same way.
///
/// # Errors
/// When the listener fails.
pub async fn serve_routes(
    listener: TcpListener,
    desk: Desk,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WebError> {
    let keeping = tokio::spawn(desk.clone().keep_up());
    let alerting = tokio::spawn(desk.clone().keep_alerting());
    let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown).await.map_err(WebError::Serve);
    keeping.abort();
    // Whoever looks through the archive would keep the server from ending.
    desk.inner.trials.stop_all();
    desk.inner.draws.stop_all();
    alerting.abort();
    // Whoever waits for the server to end may open the store next.
    drop((keeping.await, alerting.await));
    served
}
