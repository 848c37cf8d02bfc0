//! The desk: the pages where people review hits, and the program's only door to them.
//!
//! [`Desk`] joins a store, accounts and a clock; [`router`] gives the pages, [`serve`] runs them on a
//! listener. Every card is rendered here, once: the island in `assets/review.js` only moves cards, so
//! all of it works without it. What may be decided belongs to `review`, what lasts to `store`.

mod accounts;
mod acts;
mod assets;
mod bulk;
mod card;
mod checks;
mod door;
mod evidence;
mod follow;
mod frame;
mod gathered;
mod guard;
mod hit;
mod lists;
mod problem;
mod quality;
mod query;
mod queue;
mod saved;
mod spans;
mod subjects;
mod throttle;
mod tokens;
mod visit;
mod words;

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    model::{Account, Clock},
    monitor::Monitor,
    review,
    store::Store,
};

pub use accounts::{Accounts, AccountsError, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, generate_password};
pub use evidence::{EvidenceReader, Verification};
pub use problem::WebError;
pub use words::Language;

use throttle::Throttle;
use tokens::{Links, Sessions};

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
    zone: jiff::tz::TimeZone,
    sessions: Sessions,
    links: Links,
    board: review::Board,
    orders: follow::Orders,
    frozen: bulk::Frozen,
    issued: checks::Issued,
    throttle: Throttle,
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
    /// What matches crawled pages, where this server crawls.
    pub monitor: Option<Arc<Monitor>>,
}

impl Desk {
    /// A desk with nobody signed in.
    ///
    /// # Errors
    /// When the time zone of the settings is not known.
    pub fn new(parts: Parts) -> Result<Self, WebError> {
        let zone = jiff::tz::TimeZone::get(&parts.settings.time_zone)
            .map_err(|_| WebError::TimeZone(parts.settings.time_zone.clone()))?;
        let Parts { store, accounts, clock, settings, review, evidence, monitor } = parts;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                accounts,
                clock,
                settings,
                review,
                evidence,
                monitor,
                zone,
                sessions: Sessions::default(),
                links: Links::default(),
                board: review::Board::default(),
                orders: follow::Orders::default(),
                frozen: bulk::Frozen::default(),
                issued: checks::Issued::default(),
                throttle: Throttle::default(),
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

/// The desk's pages.
pub fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(door::home))
        .route("/healthz", get(door::health))
        .route("/readyz", get(door::ready))
        .route("/assets/{hash}/{name}", get(assets::asset))
        .route("/sign-in", get(door::sign_in_page).post(door::sign_in))
        .route("/sign-out", post(door::sign_out))
        .route("/enter/{token}", get(door::enter))
        .route("/preferences", post(door::preferences))
        .route("/help", get(door::help))
        .route("/queue", get(queue::page))
        .route("/review", get(hit::next))
        .route("/review/claim", post(hit::claim))
        .route("/review/release", post(hit::release))
        .route("/hits/{id}", get(hit::page))
        .route("/hits/{id}/claim", post(hit::claim_one))
        .route("/hits/{id}/decide", post(hit::decide))
        .route("/hits/{id}/skip", post(hit::skip))
        .route("/hits/{id}/undo", post(hit::undo))
        .route("/hits/{id}/gold", post(checks::gold))
        .route("/acts/{act}", get(acts::page))
        .route("/acts/{act}/undo", post(acts::undo))
        .route("/bulk", post(bulk::freeze))
        .route("/bulk/{name}", get(bulk::page))
        .route("/bulk/{name}/decide", post(bulk::decide))
        .route("/sellers/{key}", get(subjects::seller))
        .route("/sellers/{key}/notes", post(subjects::note))
        .route("/listings/{key}", get(subjects::listing))
        .route("/references/{name}", get(subjects::reference))
        .route("/filters", post(saved::filters))
        .route("/keys", get(saved::keys).post(saved::set_keys))
        .route("/quality", get(quality::page))
        .fallback(door::nothing_here)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
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
    let keeping = tokio::spawn(desk.clone().keep_up());
    let served = axum::serve(listener, router(desk)).with_graceful_shutdown(shutdown).await.map_err(WebError::Serve);
    keeping.abort();
    // Whoever waits for the server to end may open the store next.
    drop(keeping.await);
    served
}
