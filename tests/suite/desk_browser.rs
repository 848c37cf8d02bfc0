//! The desk in a real browser: by keyboard alone, without complaint, and accessible.
//!
//! Skipped with a visible line where Chromium is missing, unless `MARKWARDEN_REQUIRE_BROWSER=1`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use markwarden::model::{HitState, Reason, Role, Verdict};
use serde_json::{Value, json};
use thirtyfour::{
    ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, common::capabilities::chrome::ChromeCapabilities,
};

use crate::desk_shop::{PASSWORD, Shop, hits};

/// The key codes of WebDriver.
pub const ENTER: &str = "\u{E007}";
pub const ESCAPE: &str = "\u{E00C}";
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,900",
];

/// A browser of its own, ended with the test.
pub struct Browser {
    pub driver: WebDriver,
    server: String,
    process: Child,
    _profile: tempfile::TempDir,
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Browser {
    /// None, with a line that says so, where there is no Chromium.
    pub async fn start(test: &str) -> Option<Self> {
        let found = on_path("chromedriver").zip(on_path("chromium").or_else(|| on_path("google-chrome")));
        let Some((chromedriver, chromium)) = found else {
            assert!(
                std::env::var_os("MARKWARDEN_REQUIRE_BROWSER").is_none(),
                "chromium and chromedriver are not on PATH"
            );
            eprintln!("skipped: {test}: chromium and chromedriver are not on PATH");
            return None;
        };
        drop(rustls::crypto::ring::default_provider().install_default());
        let (process, server) = start_driver(&chromedriver);
        let profile = tempfile::tempdir().unwrap();
        let driver = WebDriver::new(&server, capabilities(&chromium, profile.path())).await.unwrap();
        Some(Self { driver, server, process, _profile: profile })
    }

    pub async fn cdp(&self, command: &str, params: Value) {
        let url = format!("{}/session/{}/goog/cdp/execute", self.server, self.driver.session_id());
        let body = json!({ "cmd": command, "params": params }).to_string();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(url).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{command}: {}", answer.text().await.unwrap());
    }

    /// Shows pages so large, so much magnified, in that scheme.
    pub async fn look_at(&self, width: u32, height: u32, zoom: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": width < 600});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        // Without transitions: a color half way is nobody's.
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}, still]});
        self.cdp("Emulation.setEmulatedMedia", media).await;
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
        self.until("document.documentElement.dataset.ready === 'true'").await;
    }

    /// Waits, frame by frame, until a condition holds in the page, also across a navigation.
    pub async fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1]; let left = 300;
             const look = () => {{ let holds = false; try {{ holds = Boolean({condition}); }} catch {{}}
               holds || !left-- ? done(holds) : requestAnimationFrame(look); }}; look();"
        );
        for _ in 0..10 {
            if let Ok(answer) = self.driver.execute_async(&script, Vec::new()).await
                && answer.json() == &Value::Bool(true)
            {
                return;
            }
        }
        let page = self.driver.source().await.unwrap_or_default();
        let at = self.driver.current_url().await.map(|url| url.to_string()).unwrap_or_default();
        panic!("{condition} did not become true at {at}: {}", page.chars().take(3000).collect::<String>());
    }

    /// Waits a while, frame by frame, for a condition that need not come true; whether it did.
    pub async fn settled(&self, condition: &str) -> bool {
        let script = format!(
            "const done = arguments[arguments.length - 1]; let left = 180;
             const look = () => {{ let holds = false; try {{ holds = Boolean({condition}); }} catch {{}}
               holds || !left-- ? done(holds) : requestAnimationFrame(look); }}; look();"
        );
        self.driver.execute_async(&script, Vec::new()).await.is_ok_and(|answer| answer.json() == &Value::Bool(true))
    }

    /// Presses keys. Where they lead to another page the driver may wait for the old one until it gives up; whoever presses
    /// waits for what the keys do, so that a lost key is noticed there.
    pub async fn press(&self, keys: &str) {
        match self.driver.action_chain().send_keys(keys).perform().await {
            Err(error) if error.to_string().contains("timeout") => eprintln!("the driver waited for `{keys}` too long"),
            pressed => pressed.unwrap(),
        }
    }

    /// Presses keys and waits for the card of `hit`.
    pub async fn press_for(&self, keys: &str, hit: u64) {
        self.press(keys).await;
        self.until(&format!("document.querySelector('#card').dataset.id === '{hit}'")).await;
    }

    /// No console error, no report, and nothing asked of another origin.
    pub async fn nothing_amiss(&self, shop: &Shop) {
        for entry in self.driver.browser_log().await.unwrap() {
            assert!(format!("{:?}", entry.level) != "Severe", "{}", entry.message);
        }
        let asked = "return performance.getEntries().map(entry => entry.name).filter(name => name.includes('://'))";
        for name in self.driver.execute(asked, Vec::new()).await.unwrap().json().as_array().unwrap() {
            assert!(name.as_str().unwrap().starts_with(&shop.address), "{name} is another origin");
        }
    }

    pub async fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// Runs `script` in every page before anything of the page does.
    pub async fn watch(&self, script: &str) {
        self.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
    }

    /// What a script returns; null where the browser does not answer.
    pub async fn said(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.map_or(Value::Null, |answer| answer.json().clone())
    }

    /// Ends the browser at once, as a crash would: its processes, then the driver.
    pub fn kill(self) {
        for child in children(self.process.id()) {
            drop(Command::new("kill").args(["-9", &child.to_string()]).status());
        }
        // The session would be asked to end where nobody answers any more.
        std::mem::forget(self.driver.clone());
    }

    pub async fn close(self) {
        // The process is ended by Drop even where the session does not answer.
        drop(self.driver.clone().quit().await);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The processes that `parent` started.
fn children(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

fn start_driver(chromedriver: &Path) -> (Child, String) {
    let mut process =
        Command::new(chromedriver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let started = lines.find_map(|line| line.ok().filter(|line| line.contains("successfully on port"))).unwrap();
    let port: String = started.rsplit("port").next().unwrap().chars().filter(char::is_ascii_digit).collect();
    // Whoever fills a pipe that nobody reads stands still.
    std::thread::spawn(move || lines.for_each(drop));
    (process, format!("http://127.0.0.1:{port}"))
}

fn capabilities(chromium: &Path, profile: &Path) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(chromium.to_str().unwrap()).unwrap();
    for flag in FLAGS {
        capabilities.add_arg(flag).unwrap();
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
    capabilities.set_browser_log_level(thirtyfour::LoggingPrefsLogLevel::All).unwrap();
    capabilities
}

/// Waits until the store says so: each turn is one frame of the browser.
pub async fn stored(browser: &Browser, shop: &Shop, id: u64, state: HitState) {
    for _ in 0..600 {
        if shop.hit(id).await.state == state {
            return;
        }
        browser.until("true").await;
    }
    panic!("hit {id} is {:?}, not {state:?}", shop.hit(id).await.state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewer_works_by_keyboard_alone() {
    let Some(browser) = Browser::start("a_reviewer_works_by_keyboard_alone").await else { return };
    let shop = Shop::open().await;
    browser.open(&shop.link("lin", Role::Reviewer)).await;

    browser.press("j").await;
    browser.until("document.activeElement.matches('.row-link')").await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('#card').dataset.id === '1' && document.documentElement.dataset.ready").await;

    browser.press_for("3", 2).await;
    stored(&browser, &shop, 1, HitState::Confirmed).await;
    browser.until("!document.querySelector('#toast').hidden && document.querySelector('#live').textContent").await;
    browser.picture("decided-toast").await;
    let made = shop.hit(1).await.decisions.pop().unwrap();
    assert_eq!((made.verdict, made.reason, made.by.as_str()), (Verdict::Confirm, Reason::Disguised, "lin"));

    browser.press_for("z", 1).await;
    stored(&browser, &shop, 1, HitState::Open).await;
    browser.until("document.querySelector('#card').dataset.seen === '2'").await;

    browser.press("x").await;
    browser.until("document.querySelector('#card').classList.contains('armed')").await;
    browser.picture("dismiss-armed").await;
    browser.press_for("4", 2).await;
    stored(&browser, &shop, 1, HitState::Dismissed).await;
    assert_eq!(shop.hit(1).await.decisions.last().unwrap().reason, Reason::CommonWord);

    browser.press_for("s", 3).await;
    browser.press_for("j", 4).await;
    browser.press_for("k", 3).await;
    assert_eq!(shop.hit(3).await.state, HitState::Open);
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_needs_no_mouse() {
    let Some(browser) = Browser::start("signing_in_needs_no_mouse").await else { return };
    let shop = Shop::open().await;
    browser.open(&format!("{}/hits/2", shop.address)).await;
    browser.press("lin\t").await;
    browser.press(PASSWORD).await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('#card').dataset.id === '2'").await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rest_while_somebody_types() {
    let Some(browser) = Browser::start("keys_rest_while_somebody_types").await else { return };
    let shop = Shop::open().await;
    browser.open(&shop.link("lin", Role::Reviewer)).await;
    browser.open(&format!("{}/hits/3", shop.address)).await;
    browser.press("n").await;
    browser.until("document.activeElement.id === 'note'").await;
    browser.press("1xs2").await;
    browser.until("document.querySelector('#note').value === '1xs2'").await;
    browser.press(ESCAPE).await;
    browser.until("document.activeElement.id !== 'note'").await;
    for event in ["{key: '1', isComposing: true}", "{key: 'Process', code: 'Digit1'}", "{key: '1', ctrlKey: true}"] {
        let script =
            format!("document.body.dispatchEvent(new KeyboardEvent('keydown', {{bubbles: true, ...{event}}}))");
        browser.driver.execute(&script, Vec::new()).await.unwrap();
    }
    browser.press("?").await;
    browser.until("document.querySelector('#help').open").await;
    browser.press("1").await;
    browser.press(ESCAPE).await;
    browser.until("!document.querySelector('#help').open && document.querySelector('#card').dataset.id === '3'").await;
    assert_eq!(shop.hit(3).await.state, HitState::Open);
    browser.press("1").await;
    stored(&browser, &shop, 3, HitState::Confirmed).await;
    assert_eq!(shop.hit(3).await.decisions[0].note, "1xs2");
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_cleared_to_the_end_as_fast_as_keys_come() {
    let Some(browser) = Browser::start("a_queue_is_cleared_to_the_end_as_fast_as_keys_come").await else { return };
    let many: Vec<_> = (0..60_u32)
        .map(|number| {
            let mut hit = hits().swap_remove((number % 8) as usize);
            hit.dedupe = format!("{:032x}", 100 + number);
            hit
        })
        .collect();
    let shop = Shop::open_with(many).await;
    browser.open(&shop.link("lin", Role::Reviewer)).await;
    browser.press("r").await;
    browser.until("document.querySelector('#card') && document.documentElement.dataset.ready").await;
    // A key that comes while the next cards are still on their way is lost, as a person would see.
    let idle = "return Boolean(document.querySelector('[data-screen=idle]'))";
    for _ in 0..300 {
        browser.press("1").await;
        browser.until("document.querySelector('#card, [data-screen=idle]')").await;
        if browser.driver.execute(idle, Vec::new()).await.unwrap().json() == &json!(true) {
            break;
        }
    }
    browser.until("document.querySelector('[data-screen=idle]') && document.documentElement.dataset.ready").await;
    for id in 1..=60 {
        assert_eq!(
            (shop.hit(id).await.state, shop.hit(id).await.decisions.len()),
            (HitState::Confirmed, 1),
            "hit {id}"
        );
    }
    browser.picture("idle").await;
    browser.press("gd").await;
    browser.until("location.search === '?state=confirmed' && document.querySelectorAll('.row').length === 50").await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_commands_and_own_keys_need_no_mouse() {
    let Some(browser) = Browser::start("groups_commands_and_own_keys_need_no_mouse").await else { return };
    let shop = Shop::open_with(crate::desk_depth::clones(6)).await;
    browser.open(&shop.link("lin", Role::Reviewer)).await;
    browser.press("r").await;
    browser
        .until("document.querySelector('#card')?.dataset.id === '1' && document.documentElement.dataset.ready")
        .await;
    // The group opens on its first member; Space takes it out; a number decides the rest with this one.
    browser.press("g").await;
    browser.until("document.activeElement.name === 'member' && document.querySelector('#group-on').checked").await;
    browser.picture("group-open").await;
    browser.press(" ").await;
    browser.until("!document.activeElement.checked").await;
    browser.press_for("2", 2).await;
    stored(&browser, &shop, 6, HitState::Confirmed).await;
    assert_eq!(shop.hit(2).await.state, HitState::Open, "what was taken out is left");
    browser.press_for("z", 1).await;
    stored(&browser, &shop, 6, HitState::Open).await;
    stored(&browser, &shop, 1, HitState::Open).await;
    browser.until("document.querySelector('#card').dataset.seen === '2'").await;
    // Escalated by its key; the next comes.
    browser.press("e").await;
    stored(&browser, &shop, 1, HitState::Escalated).await;
    // A page by the palette.
    browser
        .driver
        .action_chain()
        .key_down(thirtyfour::Key::Control)
        .send_keys("k")
        .key_up(thirtyfour::Key::Control)
        .perform()
        .await
        .unwrap();
    browser.until("document.querySelector('#palette').open").await;
    browser.picture("palette").await;
    browser.press(ESCAPE).await;
    browser.until("!document.querySelector('#palette').open").await;
    browser.open(&format!("{}/keys", shop.address)).await;
    browser.driver.execute("document.querySelector('input[name=skip]').select()", Vec::new()).await.unwrap();
    browser.press("q").await;
    browser.press(ENTER).await;
    browser.until("document.body.dataset.keymap.includes('skip:q') && document.documentElement.dataset.ready").await;
    browser.open(&format!("{}/review", shop.address)).await;
    let first = browser.driver.execute("return document.querySelector('#card').dataset.id", Vec::new()).await.unwrap();
    browser.press("q").await;
    browser
        .until(&format!("document.querySelector('#card').dataset.id !== '{}'", first.json().as_str().unwrap()))
        .await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}
