//! One page in a browser: a context of its own, its requests answered, its document taken.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{
    StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use url::Url;

use super::{Browser, Document, RenderError, Supply, browser::Event};
use crate::crawl::{Exchange, Render};

/// How often it is looked whether a page is as it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A page that has asked for nothing for so long is done.
const QUIET: Duration = Duration::from_millis(500);
/// How long a page may take to give its document.
const TAKE_TIME: Duration = Duration::from_secs(5);
/// How long the browser may take to let go of a page.
const DISPOSE_TIME: Duration = Duration::from_secs(5);
/// Longest address that is told, in characters.
const SHOWN_CHARS: usize = 200;
/// Longest `Accept` of a page's request that is sent on, in bytes.
const MAX_ACCEPT: usize = 200;

/// Headers of an answer that are not the page's business: of the transfer, of cookies, and what would have the browser ask for
/// something later.
const WITHHELD: [&str; 12] = [
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "link",
    "nel",
    "report-to",
    "reporting-endpoints",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
];

/// Runs in every document before its own scripts: what would ask by another way than the page's requests is not there.
const WITHOUT_OTHER_WAYS: &str = "for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel', 'WebTransport', \
    'WebSocket', 'WebSocketStream', 'EventSource', 'Worker', 'SharedWorker']) { try { delete globalThis[name]; } catch {} } \
    try { delete Navigator.prototype.serviceWorker; delete Navigator.prototype.sendBeacon; } catch {}";

/// Shows `document` as `render` says; its HTML once it is there.
pub(super) async fn show<S: Supply>(
    browser: &Browser,
    document: &Document,
    render: &Render,
    supply: &S,
) -> Result<String, RenderError> {
    browser.shows();
    let context = browser.call(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await?;
    let context = Context { browser, id: text(&context, "browserContextId"), disposed: false };
    let shown = in_context(&context, document, render, supply).await;
    context.dispose().await;
    shown
}

async fn in_context<S: Supply>(
    context: &Context<'_>,
    document: &Document,
    render: &Render,
    supply: &S,
) -> Result<String, RenderError> {
    let browser = context.browser;
    let denied = json!({ "behavior": "deny", "browserContextId": context.id });
    browser.call(None, "Browser.setDownloadBehavior", denied).await?;
    let target = json!({ "url": "about:blank", "browserContextId": context.id });
    let target = text(&browser.call(None, "Target.createTarget", target).await?, "targetId");
    let attached = browser.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
    let session = Session { browser, id: text(&attached, "sessionId") };
    let events = browser.listen(&session.id);
    for (method, params) in [
        ("Inspector.enable", json!({})),
        ("Page.enable", json!({})),
        ("Network.enable", json!({})),
        ("Network.setBypassServiceWorker", json!({ "bypass": true })),
        ("Network.setCacheDisabled", json!({ "cacheDisabled": true })),
        // Frames and workers with a process of their own are held before they run, and never let go.
        ("Target.setAutoAttach", json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })),
        ("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WITHOUT_OTHER_WAYS })),
        ("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })),
    ] {
        session.call(method, params).await?;
    }
    let page = Page { session: &session, frame: target, document, render, state: Mutex::default() };
    let pump = std::pin::pin!(page.pump(events, supply));
    let wait = std::pin::pin!(page.wait());
    match select(pump, wait).await {
        Either::Left((broken, _)) => Err(broken),
        Either::Right((taken, _)) => taken,
    }
}

/// A context of the browser: what one page leaves, no other finds.
struct Context<'b> {
    browser: &'b Browser,
    id: String,
    disposed: bool,
}

impl Context<'_> {
    async fn dispose(mut self) {
        self.disposed = true;
        let gone = json!({ "browserContextId": self.id });
        let gone = self.browser.call(None, "Target.disposeBrowserContext", gone);
        if !matches!(tokio::time::timeout(DISPOSE_TIME, gone).await, Ok(Ok(_))) {
            tracing::debug!("a browser does not let go of a page");
        }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if !self.disposed {
            self.browser.tell(None, "Target.disposeBrowserContext", json!({ "browserContextId": self.id }));
        }
    }
}

/// The page's session; heard no more when it is dropped.
struct Session<'b> {
    browser: &'b Browser,
    id: String,
}

impl Session<'_> {
    async fn call(&self, method: &'static str, params: Value) -> Result<Value, RenderError> {
        self.browser.call(Some(&self.id), method, params).await
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.browser.forget(&self.id);
    }
}

/// A page that is being shown.
struct Page<'a> {
    session: &'a Session<'a>,
    /// Its main frame.
    frame: String,
    document: &'a Document,
    render: &'a Render,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the browser was given the document, and whether it stands.
    given: bool,
    stands: bool,
    loaded: bool,
    requests: u32,
    bytes: u64,
    on_the_way: usize,
    /// Where it wanted to go, and was not let.
    away: Option<String>,
    /// When it asked for something, or was answered, the last time.
    busy_at: Option<Instant>,
}

/// What becomes of a request.
enum Ruling {
    /// The document itself.
    Document,
    /// Answered with nothing: what looks only matter to eyes.
    Empty,
    /// Fetched.
    Fetch(Url),
    /// Not made, for this reason of the protocol.
    Refused(&'static str),
}

impl Page<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what the page asks, until something ends it.
    async fn pump<S: Supply>(&self, mut events: mpsc::Receiver<Event>, supply: &S) -> RenderError {
        let mut answers: FuturesUnordered<BoxFuture<'_, (String, Option<Exchange>)>> = FuturesUnordered::new();
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                Some((request, answer)) = answers.next() => {
                    self.answered();
                    if let Err(error) = self.answer(&request, answer).await {
                        return error;
                    }
                    continue;
                }
            };
            let Some(event) = event else {
                return RenderError::Broken("it ended, or the page made more noise than can be heard".into());
            };
            match event.method.as_str() {
                "Fetch.requestPaused" => {
                    let request = text(&event.params, "requestId");
                    let done = match self.rule(&event.params) {
                        Ruling::Document => self.give(&request).await,
                        Ruling::Empty => {
                            self.fulfil(&request, 200, vec![header("content-type", "text/css")], &[]).await
                        }
                        Ruling::Refused(reason) => self.refuse(&request, reason).await,
                        Ruling::Fetch(url) => {
                            let accept = event.params["request"]["headers"]["Accept"].as_str();
                            let accept = accept.filter(|accept| accept.len() <= MAX_ACCEPT).map(str::to_owned);
                            answers.push(Box::pin(async move {
                                let answer = supply.supply(url.clone(), accept).await;
                                let answer = answer.map_err(|why| tracing::debug!(%url, why, "a page is not answered"));
                                (request, answer.ok())
                            }));
                            Ok(())
                        }
                    };
                    if let Err(error) = done {
                        return error;
                    }
                }
                "Page.frameNavigated" if event.params["frame"]["id"].as_str() == Some(&self.frame) => {
                    let url = text(&event.params["frame"], "url");
                    let mut state = self.state();
                    if state.stands || !self.is_document(&url) {
                        return RenderError::Left(url.chars().take(SHOWN_CHARS).collect());
                    }
                    state.stands = true;
                }
                "Page.loadEventFired" => {
                    let mut state = self.state();
                    state.loaded = state.stands;
                }
                "Page.javascriptDialogOpening" => {
                    self.session.browser.tell(
                        Some(&self.session.id),
                        "Page.handleJavaScriptDialog",
                        json!({ "accept": false }),
                    );
                }
                "Inspector.targetCrashed" | "Inspector.detached" => {
                    return RenderError::Broken("the page's process ended".into());
                }
                _ => {}
            }
        }
    }

    /// Decides on a request.
    fn rule(&self, paused: &Value) -> Ruling {
        let request = &paused["request"];
        let (url, kind) = (text(request, "url"), paused["resourceType"].as_str().unwrap_or_default());
        let mut state = self.state();
        state.busy_at = Some(Instant::now());
        if kind == "Document" {
            let main = paused["frameId"].as_str() == Some(&self.frame);
            if main && !state.given && self.is_document(&url) {
                state.given = true;
                return Ruling::Document;
            }
            if main {
                state.away.get_or_insert(url.chars().take(SHOWN_CHARS).collect());
            }
            // A page that is not answered stays as it is.
            return Ruling::Refused("Aborted");
        }
        if kind == "Stylesheet" {
            return Ruling::Empty;
        }
        let get = request["method"].as_str() == Some("GET");
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        match url {
            Some(mut url) if get && matches!(kind, "Script" | "XHR" | "Fetch") => {
                if state.requests >= self.render.max_requests || state.bytes >= self.render.max_bytes {
                    return Ruling::Refused("BlockedByClient");
                }
                state.requests += 1;
                state.on_the_way += 1;
                url.set_fragment(None);
                Ruling::Fetch(url)
            }
            _ => Ruling::Refused("BlockedByClient"),
        }
    }

    fn is_document(&self, url: &str) -> bool {
        let plain = |url: &str| url.split('#').next().unwrap_or_default().to_owned();
        plain(url) == plain(self.document.url.as_str())
    }

    fn answered(&self) {
        let mut state = self.state();
        state.on_the_way = state.on_the_way.saturating_sub(1);
        state.busy_at = Some(Instant::now());
    }

    async fn give(&self, request: &str) -> Result<(), RenderError> {
        let kept = self.document.headers.iter().filter(|(name, _)| is_for_the_page(name));
        let headers = kept.map(|(name, value)| header(name, value)).collect();
        self.fulfil(request, 200, headers, &self.document.body).await
    }

    async fn answer(&self, request: &str, answer: Option<Exchange>) -> Result<(), RenderError> {
        let Some(answer) = answer else { return self.refuse(request, "BlockedByClient").await };
        let over = {
            let mut state = self.state();
            state.bytes = state.bytes.saturating_add(answer.body.len() as u64);
            state.bytes > self.render.max_bytes
        };
        if over {
            return self.refuse(request, "BlockedByClient").await;
        }
        let headers = answer.headers.iter().filter(|(name, _)| is_for_the_page(name.as_str()));
        let headers = headers.filter_map(|(name, value)| Some(header(name.as_str(), value.to_str().ok()?))).collect();
        self.fulfil(request, answer.status.as_u16(), headers, &answer.body).await
    }

    async fn fulfil(&self, request: &str, status: u16, headers: Vec<Value>, body: &[u8]) -> Result<(), RenderError> {
        let params = json!({
            "requestId": request, "responseCode": status, "responseHeaders": headers, "body": STANDARD.encode(body),
        });
        self.settled(self.session.call("Fetch.fulfillRequest", params).await)
    }

    async fn refuse(&self, request: &str, reason: &str) -> Result<(), RenderError> {
        let params = json!({ "requestId": request, "errorReason": reason });
        self.settled(self.session.call("Fetch.failRequest", params).await)
    }

    /// A request may be gone by the time it is answered: its frame was taken away.
    fn settled(&self, done: Result<Value, RenderError>) -> Result<(), RenderError> {
        match done {
            Ok(_) | Err(RenderError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Goes to the page, waits until it is there, and takes its document.
    async fn wait(&self) -> Result<String, RenderError> {
        let seconds = self.render.time.as_secs_f64();
        let there = tokio::time::timeout(self.render.time, async {
            let gone_to = self.session.call("Page.navigate", json!({ "url": self.document.url.as_str() })).await?;
            if let Some(why) = gone_to["errorText"].as_str() {
                return Err(RenderError::Broken(format!("the page is not shown: {why}")));
            }
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let there = match &self.render.wait {
                    Some(css) => self.state().stands && self.has(css).await?,
                    None => self.is_quiet(),
                };
                if there {
                    return Ok(());
                }
            }
        })
        .await;
        match (there, &self.render.wait) {
            (Ok(there), _) => there?,
            (Err(_), Some(css)) => {
                // One that goes away while it loads is not loaded on.
                let away = self.state().away.take().map(RenderError::Left);
                return Err(away.unwrap_or_else(|| RenderError::NotThere { css: css.clone(), seconds }));
            }
            (Err(_), None) if !self.state().stands => return Err(RenderError::Busy { seconds }),
            // Some pages never stop to ask; what they show by now is what they show.
            (Err(_), None) => {}
        }
        let taken = tokio::time::timeout(TAKE_TIME, self.take()).await;
        taken.map_err(|_| RenderError::Busy { seconds })?
    }

    fn is_quiet(&self) -> bool {
        let state = self.state();
        state.loaded && state.on_the_way == 0 && state.busy_at.is_some_and(|at| at.elapsed() >= QUIET)
    }

    async fn root(&self) -> Result<Value, RenderError> {
        let document = self.session.call("DOM.getDocument", json!({ "depth": 0 })).await?;
        Ok(document["root"]["nodeId"].clone())
    }

    /// Whether an element stands on the page; the browser looks, not the page's scripts.
    async fn has(&self, css: &str) -> Result<bool, RenderError> {
        let node = json!({ "nodeId": self.root().await?, "selector": css });
        match self.session.call("DOM.querySelector", node).await {
            Ok(found) => Ok(found["nodeId"].as_u64().is_some_and(|id| id > 0)),
            // The document was replaced in between, or the selector is none of the browser's.
            Err(RenderError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn take(&self) -> Result<String, RenderError> {
        let node = json!({ "nodeId": self.root().await? });
        let mut taken = self.session.call("DOM.getOuterHTML", node).await?;
        let html = match taken["outerHTML"].take() {
            Value::String(html) => html,
            _ => String::new(),
        };
        if html.len() as u64 > self.render.max_bytes {
            return Err(RenderError::TooLarge { bytes: html.len() });
        }
        Ok(html)
    }
}

fn is_for_the_page(name: &str) -> bool {
    !WITHHELD.iter().any(|withheld| name.eq_ignore_ascii_case(withheld))
}

fn header(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
