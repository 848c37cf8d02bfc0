//! One browser: its process, and the DevTools protocol over a pair of pipes.
//!
//! Pipes, not a port: nobody else on the machine can reach the browser, and it ends by itself when they close, however this
//! process ended. Messages are JSON, each behind a zero byte's end.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
};

use super::RenderError;

/// Longest message of the browser, in bytes: a document is the longest of them.
const MAX_MESSAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Longest time the browser may take to start, and to do one thing: longer than any page is given.
const START_TIME: Duration = Duration::from_secs(30);
const CALL_TIME: Duration = Duration::from_secs(150);
/// Longest path of a folder in which sockets can be made.
const SOCKET_PATH: usize = 60;
/// Events of a page that may wait to be looked at; a page that makes more is given up.
const MAX_EVENTS: usize = 4096;
/// Commands that may wait to be written.
const MAX_COMMANDS: usize = 256;
/// Memory one page's scripts may take, in MiB.
const SCRIPT_MEBIBYTES: u32 = 512;
/// How often and how long it is tried to remove the folder of a browser that ends.
const REMOVE_TRIES: u32 = 250;
const REMOVE_WAIT: Duration = Duration::from_millis(20);

/// What a browser is called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What every browser is started with: it shows nothing, asks nobody for anything, and finds no way out.
const FLAGS: [&str; 26] = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--disable-client-side-phishing-detection",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-pings",
    "--no-default-browser-check",
    "--dns-prefetch-disable",
    "--block-new-web-contents",
    "--remote-debugging-pipe",
    // No name is found, and every address, this machine's too, lies behind a proxy that is none.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://0.0.0.0:1",
    "--proxy-bypass-list=<-loopback>",
    // The one protocol that would pass the proxy by.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
];
/// The same for peer connections, in the form that the browser keeps it in.
const PREFERENCES: &str = r#"{"webrtc":{"ip_handling_policy":"disable_non_proxied_udp","multiple_routes_enabled":false,"nonproxied_udp_enabled":false}}"#;

/// How pages are rendered on this machine: the `[crawl.browser]` table of `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrowserSettings {
    /// The browser's program; Chromium as the system has it when empty.
    pub program: PathBuf,
    /// Whether the browser's own sandbox is kept. It does not work for root, nor in most containers.
    pub sandbox: bool,
    /// Pages after which a browser is ended and another started.
    pub pages: u32,
    /// Pages that are shown at the same time.
    pub tabs: usize,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        Self { program: PathBuf::new(), sandbox: false, pages: 200, tabs: 2 }
    }
}

/// The browser's program: the one that is set, else the first on the path.
///
/// # Errors
/// When there is none.
pub fn find_browser(settings: &BrowserSettings) -> Result<PathBuf, RenderError> {
    if !settings.program.as_os_str().is_empty() {
        let there = settings.program.is_file();
        let missing = || RenderError::Missing { looked_for: settings.program.display().to_string() };
        return there.then(|| settings.program.clone()).ok_or_else(missing);
    }
    NAMES
        .iter()
        .find_map(|name| on_path(name))
        .ok_or_else(|| RenderError::Missing { looked_for: format!("{} on PATH", NAMES.join(", ")) })
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A browser that runs.
pub(super) struct Browser {
    commands: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    shown: AtomicU32,
    // Dropped in this order: the processes end, then their folder goes.
    _helpers: Option<Group>,
    _process: Child,
    _folder: Folder,
}

/// Who waits for what the browser says.
#[derive(Default)]
struct Waiting {
    gone: AtomicBool,
    calls: Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>,
    sessions: Mutex<HashMap<String, mpsc::Sender<Event>>>,
}

/// Something that happened on a page.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) method: String,
    pub(super) params: Value,
}

/// A message of the browser.
#[derive(Debug, Deserialize)]
struct Said {
    id: Option<u64>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<Problem>,
    #[serde(rename = "sessionId")]
    session: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
}

/// A browser's process and those it started, which end together: one that outlives it writes into its folder a while longer.
struct Group(rustix::process::Pid);

impl Group {
    /// The group that `leader`, which runs, was started to lead.
    fn of(leader: &Child) -> Option<Self> {
        let id = i32::try_from(leader.id()?).ok()?;
        rustix::process::Pid::from_raw(id).map(Self)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The leader is not waited for before this, so the number is still its own. None left is as good as ended.
        let _ended = rustix::process::kill_process_group(self.0, rustix::process::Signal::KILL);
    }
}

/// A folder that goes with its browser.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        for _ in 0..REMOVE_TRIES {
            match std::fs::remove_dir_all(&self.0) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                // Its last processes write a moment longer.
                Err(_) => std::thread::sleep(REMOVE_WAIT),
            }
        }
        tracing::warn!(folder = %self.0.display(), "the folder of a browser that ended cannot be removed");
    }
}

impl Browser {
    /// Starts a browser with an empty profile in `folder`.
    pub(super) async fn start(settings: &BrowserSettings, agent: &str, folder: PathBuf) -> Result<Self, RenderError> {
        let program = find_browser(settings)?;
        let failed = |what: String| RenderError::Start { program: program.display().to_string(), what };
        let in_folder = |source| RenderError::Folder { path: folder.display().to_string(), source };
        std::fs::create_dir_all(folder.join("Default")).map_err(in_folder)?;
        let kept = Folder(folder.clone());
        std::fs::write(folder.join("Default/Preferences"), PREFERENCES).map_err(in_folder)?;
        let mut process = command(settings, agent, &program, &folder)
            .await
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let helpers = Group::of(&process);
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(failed("it has no pipes".into()));
        };
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(write(stdin, inbox));
        tokio::spawn(read(stdout, Arc::clone(&waiting)));
        let browser = Self {
            commands,
            waiting,
            next: AtomicU64::new(1),
            shown: AtomicU32::new(0),
            _helpers: helpers,
            _process: process,
            _folder: kept,
        };
        let version = tokio::time::timeout(START_TIME, browser.call(None, "Browser.getVersion", json!({}))).await;
        let version = version.map_err(|_| failed(format!("it says nothing for {} s", START_TIME.as_secs())))?;
        let version = version.map_err(|error| failed(error.to_string()))?;
        tracing::debug!(product = version["product"].as_str(), "a browser was started");
        Ok(browser)
    }

    /// Whether it ended.
    pub(super) fn is_gone(&self) -> bool {
        self.waiting.gone.load(Ordering::Relaxed)
    }

    /// Counts a page.
    pub(super) fn shows(&self) {
        self.shown.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it has shown as many pages as one browser should.
    pub(super) fn is_worn(&self, pages: u32) -> bool {
        self.shown.load(Ordering::Relaxed) >= pages.max(1)
    }

    /// Does something, of a page's `session` or of the browser, and waits until it is done.
    pub(super) async fn call(
        &self,
        session: Option<&str>,
        method: &'static str,
        params: Value,
    ) -> Result<Value, RenderError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, result) = oneshot::channel();
        lock(&self.waiting.calls).insert(id, done);
        let _forget = Forget { waiting: &self.waiting, id };
        if self.is_gone() {
            return Err(RenderError::Broken("it has ended".into()));
        }
        let gone = |_| RenderError::Broken(format!("it ended during {method}"));
        self.commands.send(message(id, session, method, params)).await.map_err(|_| gone(()))?;
        let result = tokio::time::timeout(CALL_TIME, result).await;
        match result {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(what))) => Err(RenderError::Refused { method, what }),
            Ok(Err(_)) => Err(gone(())),
            Err(_) => Err(RenderError::Broken(format!("{method} is not done after {} s", CALL_TIME.as_secs()))),
        }
    }

    /// Does something without waiting for it; nothing where too much waits already.
    pub(super) fn tell(&self, session: Option<&str>, method: &str, params: Value) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self.commands.try_send(message(id, session, method, params)).is_err() {
            tracing::debug!(method, "the browser was not told");
        }
    }

    /// What happens in a session from now on.
    pub(super) fn listen(&self, session: &str) -> mpsc::Receiver<Event> {
        let (events, inbox) = mpsc::channel(MAX_EVENTS);
        lock(&self.waiting.sessions).insert(session.to_owned(), events);
        inbox
    }

    pub(super) fn forget(&self, session: &str) {
        lock(&self.waiting.sessions).remove(session);
    }
}

/// Takes back who waits when nobody does any more.
struct Forget<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.waiting.calls).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command that starts the browser, in a network of its own without any way out where the system lets everybody make one.
async fn command(settings: &BrowserSettings, agent: &str, program: &Path, folder: &Path) -> Command {
    let mut alone = Command::new("unshare");
    alone.args(["--map-root-user", "--net", "--"]);
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--net", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    let isolated = !settings.sandbox && tried.is_ok_and(|status| status.success());
    let mut command = if isolated {
        alone.arg("sh");
        alone
    } else {
        Command::new("sh")
    };
    // The protocol's pipes are the browser's third and fourth file, which a shell can place without unsafe code.
    command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(program).args(FLAGS);
    if !settings.sandbox {
        command.arg("--no-sandbox");
    }
    command
        .arg(format!("--user-agent={agent}"))
        .arg(format!("--user-data-dir={}", folder.display()))
        .arg(format!("--js-flags=--max-old-space-size={SCRIPT_MEBIBYTES}"))
        .env_clear()
        .env("HOME", folder)
        .envs(
            ["PATH", "LANG", "LC_ALL", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
    if folder.as_os_str().len() <= SOCKET_PATH {
        command.env("TMPDIR", folder);
    }
    tracing::debug!(isolated, "a browser is being started");
    command
}

fn message(id: u64, session: Option<&str>, method: &str, params: Value) -> Vec<u8> {
    let mut message = json!({ "id": id, "method": method, "params": params });
    if let (Some(session), Some(fields)) = (session, message.as_object_mut()) {
        fields.insert("sessionId".into(), session.into());
    }
    let mut bytes = message.to_string().into_bytes();
    bytes.push(0);
    bytes
}

async fn write(mut pipe: ChildStdin, mut inbox: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = inbox.recv().await {
        if let Err(error) = pipe.write_all(&bytes).await {
            tracing::debug!(%error, "a browser takes no commands any more");
            return;
        }
    }
}

async fn read(pipe: ChildStdout, waiting: Arc<Waiting>) {
    let mut pipe = BufReader::with_capacity(256 * 1024, pipe);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = (&mut pipe).take(MAX_MESSAGE_BYTES).read_until(0, &mut bytes).await;
        if !matches!(read, Ok(1..)) || bytes.pop() != Some(0) {
            break;
        }
        match serde_json::from_slice::<Said>(&bytes) {
            Ok(said) => waiting.take(said),
            Err(error) => tracing::debug!(%error, "a browser says what cannot be read"),
        }
    }
    waiting.gone.store(true, Ordering::Relaxed);
    lock(&waiting.calls).clear();
    lock(&waiting.sessions).clear();
}

impl Waiting {
    fn take(&self, said: Said) {
        if let Some(id) = said.id {
            let result = said.error.map_or(Ok(said.result), |problem| Err(problem.message));
            if let Some(done) = lock(&self.calls).remove(&id) {
                // Who asked may have stopped waiting.
                drop(done.send(result));
            }
            return;
        }
        let (Some(session), Some(method)) = (said.session, said.method) else { return };
        let mut sessions = lock(&self.sessions);
        let sent = sessions.get(&session).map(|events| events.try_send(Event { method, params: said.params }));
        if matches!(sent, Some(Err(_))) {
            // Its page ends when nothing is heard any more.
            sessions.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_is_not_there_is_told_with_what_to_do() {
        let settings = BrowserSettings { program: "/nowhere/chromium".into(), ..BrowserSettings::default() };
        let said = find_browser(&settings).unwrap_err().to_string();
        assert!(said.contains("/nowhere/chromium") && said.contains("[crawl.browser] program"), "{said}");
    }

    #[tokio::test]
    async fn a_program_that_is_no_browser_does_not_start_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        for program in ["/bin/true", "/bin/cat"] {
            let settings = BrowserSettings { program: program.into(), ..BrowserSettings::default() };
            let folder = place.path().join("browser");
            let started = Browser::start(&settings, "test", folder.clone()).await;
            assert!(matches!(started, Err(RenderError::Start { .. })), "{program}");
            assert!(!folder.exists());
        }
    }

    #[tokio::test]
    async fn a_page_that_floods_is_heard_no_more() {
        let waiting = Waiting::default();
        let (events, mut inbox) = mpsc::channel(2);
        lock(&waiting.sessions).insert("a".into(), events);
        let said = || Said {
            id: None,
            method: Some("Page.x".into()),
            params: Value::Null,
            result: Value::Null,
            error: None,
            session: Some("a".into()),
        };
        (0..3).for_each(|_| waiting.take(said()));
        assert!(lock(&waiting.sessions).is_empty());
        assert!(inbox.recv().await.is_some() && inbox.recv().await.is_some() && inbox.recv().await.is_none());
    }
}
