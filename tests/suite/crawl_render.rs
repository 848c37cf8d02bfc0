//! Pages rendered by a real browser: what only scripts write is read, and nothing leaves but through the crawl's fetch.
//!
//! Skipped with a visible line where Chromium is missing, unless `MARKWARDEN_REQUIRE_BROWSER=1`.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use markwarden::{
    crawl::{BrowserSettings, CrawlError, Profile, RunReport, Settings, find_browser},
    evidence::{Record, verify_capture, verify_warc},
};

use crate::shop::{Crawler, Desk, Reply, Shop};

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is a browser; a line that says so where there is none.
fn has_browser(test: &str) -> bool {
    let found = find_browser(&BrowserSettings::default());
    if let Err(missing) = &found {
        assert!(std::env::var_os("MARKWARDEN_REQUIRE_BROWSER").is_none(), "{missing}");
        eprintln!("skipped: {test}: {missing}");
    }
    found.is_ok()
}

/// A page whose script does `more` and then writes its facts from a JSON endpoint of the same host.
fn page(more: &str) -> Reply {
    Reply::html(format!(
        "<html><head><title>x</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body><div id=\"app\"></div>\
         <img src=\"/picture.png\"><script>{more}</script><script src=\"/app.js\"></script></body></html>"
    ))
}

const APP: &str = "fetch('/api/goods.json').then(answer => answer.json()).then(goods => {\n\
    document.querySelector('#app').innerHTML = `<h1>${goods.title}</h1><b class=\"price\">￥${goods.price}</b>`; });";

/// A shop whose listings under `/p/` do what `more` gives for their address.
async fn shop(more: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Shop {
    Shop::open(move |path, _| match path {
        "/robots.txt" => Reply::html("user-agent: *\ndisallow: /closed\n"),
        "/list" => Reply::list(["/p/1".to_owned(), "/p/2".to_owned()], None),
        "/app.js" => {
            Reply::Page(200, vec![("content-type", "text/javascript; charset=utf-8".into())], APP.as_bytes().to_vec())
        }
        "/api/moved.json" => Reply::moved("/api/goods.json"),
        "/api/goods.json" => Reply::json(&serde_json::json!({"title": "云雀 蓝牙耳机", "price": "199.00"})),
        path => match more(path) {
            Some(more) if path.starts_with("/p/") => page(&more),
            Some(text) => Reply::html(text),
            None => Reply::status(404),
        },
    })
    .await
}

fn profile(shop: &Shop, start: &str, render: &str) -> Profile {
    let select = "currency = \"CNY\"\n[listing.select]\ntitle = \"h1\"\nprice = \".price\"\n";
    let text = shop.profile_file(start, "", "") + select + "[render]\n" + render;
    Profile::parse("shop.toml", &text).unwrap()
}

async fn rendered(shop: &Shop, start: &str, render: &str) -> (RunReport, Desk, Crawler) {
    let crawler = Crawler::new(Settings::default()).keeping_evidence().keeping_coverage();
    let desk = Desk::default();
    let report = crawler.run(&profile(shop, start, render), &desk).await;
    (report, desk, crawler)
}

const WAIT: &str = "wait = \".price\"\ntime = \"20s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_script_writes_is_read_and_the_rendered_page_is_the_evidence() {
    if !has_browser("what_only_a_script_writes") {
        return;
    }
    let shop = shop(|path| path.starts_with("/p/").then(String::new)).await;
    let (report, desk, crawler) = rendered(&shop, "/list", WAIT).await;
    assert_eq!((report.listings, report.rendered, report.page_requests), (2, 2, 4), "{report:?}");
    assert_eq!(desk.titles(), ["云雀 蓝牙耳机", "云雀 蓝牙耳机"]);
    // Everything came from the shop by the crawl's own fetch, which says who it is; what only eyes need was not asked for.
    assert_eq!((shop.times("/api/goods.json"), shop.times("/app.js"), shop.times("/p/1")), (2, 2, 1));
    assert_eq!((shop.times("/style.css"), shop.times("/picture.png"), shop.times("/favicon.ico")), (0, 0, 0));
    assert!(shop.header("/api/goods.json", "user-agent").starts_with("Markwarden/"));

    let folder = crawler.folder.path().join("warc");
    let pages = desk.pages.lock().unwrap();
    let listing = pages.iter().find(|page| page.listing.is_some()).unwrap();
    let capture = listing.capture.clone().unwrap();
    let record = verify_capture(&folder, &capture).unwrap();
    assert_eq!(record.header("WARC-Type"), Some("conversion"));
    assert!(String::from_utf8_lossy(record.payload().unwrap()).contains("<h1>云雀 蓝牙耳机</h1>"));
    assert_eq!(Record::read(&listing.record, 1 << 20).unwrap(), record);
    // It refers to the answer that it was made of, which is kept as it came.
    let of = record.header("WARC-Refers-To").unwrap().trim_matches(['<', '>']);
    let raw = pages.iter().filter_map(|page| page.capture.as_ref()).find(|capture| capture.id.as_str() == of).unwrap();
    let raw = verify_capture(&folder, raw).unwrap();
    assert!(!String::from_utf8_lossy(raw.payload().unwrap()).contains("云雀"));
    let json = pages
        .iter()
        .filter_map(|page| page.capture.as_ref())
        .filter(|capture| capture.url.ends_with("/api/goods.json"));
    assert_eq!(json.count(), 2, "what a page asked for is kept as well");
    assert!(verify_warc(&folder.join(&capture.file)).unwrap().sound());
    // Its last processes take a moment on a busy machine.
    let kept = crawler.folder.path().join("browser/0");
    for _ in 0..500 {
        if !kept.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!kept.exists(), "the browser's folder goes with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_something_to_wait_for_a_page_is_read_when_it_has_become_quiet() {
    if !has_browser("without_something_to_wait_for") {
        return;
    }
    let late =
        "setTimeout(() => fetch('/api/moved.json').then(a => a.json()).then(g => document.title = g.title), 200)";
    let shop = shop(move |path| path.starts_with("/p/").then(|| late.to_owned())).await;
    let (report, desk, _) = rendered(&shop, "/p/1", "time = \"20s\"\n").await;
    assert_eq!((report.listings, desk.titles()), (1, vec!["云雀 蓝牙耳机".to_owned()]), "{report:?}");
    // A redirect is the page's to follow, and each step is asked for like everything else.
    assert_eq!((shop.times("/api/moved.json"), shop.times("/api/goods.json")), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_never_ends_is_ended_and_the_next_one_is_shown() {
    if !has_browser("a_page_that_never_ends") {
        return;
    }
    let shop = shop(|path| match path {
        "/p/1" => Some("setTimeout(() => { for (;;) {} }, 50);".into()),
        "/p/2" => Some(String::new()),
        _ => None,
    })
    .await;
    let begun = Instant::now();
    let (report, desk, _) = rendered(&shop, "/list", "time = \"3s\"\nwait = \".price\"").await;
    assert!(begun.elapsed() < PATIENCE);
    let told: Vec<(&str, &str)> = report.fates.iter().map(|fate| (fate.kind.as_str(), fate.detail.as_str())).collect();
    assert_eq!((report.listings, report.failed["render"]), (1, 1), "{told:?}");
    assert_eq!(desk.titles(), ["云雀 蓝牙耳机"]);
    assert!(told.iter().any(|(kind, why)| *kind == "render" && why.contains("3 s")), "{told:?}");
    // Without anything to wait for it is known by not giving its document.
    let (report, _, _) = rendered(&shop, "/p/1", "time = \"1s\"").await;
    assert_eq!(report.failed["render"], 1, "{:?}", report.fates);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_comes_and_what_is_too_large_are_told() {
    if !has_browser("what_never_comes") {
        return;
    }
    let shop = shop(|path| match path {
        "/p/1" => Some("document.body.append('x'.repeat(100000))".into()),
        _ => None,
    })
    .await;
    let (report, _, _) = rendered(&shop, "/p/1", "time = \"1s\"\nwait = \".nothing\"").await;
    assert!(report.fates[0].detail.contains("`.nothing` did not stand on the page within 1 s"), "{:?}", report.fates);
    let (report, _, _) = rendered(&shop, "/p/1", "max_bytes = 50000").await;
    assert!(report.fates[0].detail.contains("more than max_bytes"), "{:?}", report.fates);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_leaves_but_through_the_crawls_fetch() {
    if !has_browser("no_request_leaves") {
        return;
    }
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    outside.set_nonblocking(true).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let (tcp, udp) = (outside.local_addr().unwrap(), datagrams.local_addr().unwrap());
    let script = format!(
        "const quiet = what => {{ try {{ what() }} catch (e) {{}} }};
         for (const url of ['http://{tcp}/a', 'http://10.0.0.1/b', 'http://169.254.169.254/c', 'http://[::1]/d', '/closed', 'file:///etc/passwd'])
            quiet(() => fetch(url).catch(() => 0));
         quiet(() => fetch('/api/posted', {{ method: 'POST', body: 'x' }}).catch(() => 0));
         quiet(() => new WebSocket('ws://{tcp}/'));
         quiet(() => new EventSource('http://{tcp}/events'));
         quiet(() => navigator.sendBeacon('http://{tcp}/beacon', 'x'));
         quiet(() => navigator.serviceWorker.register('/worker.js'));
         quiet(() => new Worker('/worker.js'));
         quiet(() => new Worker(URL.createObjectURL(new Blob([\"fetch('http://{tcp}/blob')\"]))));
         quiet(() => new SharedWorker('/worker.js'));
         quiet(() => window.open('/p/9'));
         quiet(() => {{ const frame = document.createElement('iframe'); frame.src = 'http://{tcp}/frame'; document.body.append(frame); }});
         quiet(() => {{ const frame = document.createElement('iframe'); document.body.append(frame);
            const inner = frame.contentWindow; new inner.WebSocket('ws://{tcp}/'); }});
         quiet(() => {{ const frame = document.createElement('iframe'); document.body.append(frame);
            const peer = new frame.contentWindow.RTCPeerConnection({{ iceServers: [{{ urls: 'stun:{udp}' }}] }});
            peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer)); }});
         quiet(() => {{ const peer = new RTCPeerConnection({{ iceServers: [{{ urls: 'stun:{udp}' }}] }});
            peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer)); }});
         quiet(() => {{ const link = document.createElement('a'); link.href = '/file.zip'; link.download = 'file.zip'; document.body.append(link); link.click(); }});
         quiet(() => {{ const hint = document.createElement('link'); hint.rel = 'prefetch'; hint.href = 'http://{tcp}/hint'; document.head.append(hint); }});
         quiet(() => {{ const image = new Image(); image.src = 'http://{tcp}/image.png'; }});"
    );
    let shop = shop(move |path| (path == "/p/1").then(|| script.clone())).await;
    let (report, desk, _) = rendered(&shop, "/p/1", "time = \"6s\"\n").await;
    // What it asked in vain changes nothing about what it shows.
    assert_eq!(desk.titles(), ["云雀 蓝牙耳机"], "{:?}", report.fates);
    let mut asked = shop.asked();
    asked.sort();
    assert_eq!(asked, ["/api/goods.json", "/app.js", "/p/1", "/robots.txt"]);
    assert!(outside.accept().is_err(), "a connection was made outside");
    assert!(datagrams.recv_from(&mut [0; 100]).is_err(), "a datagram was sent outside");
    let why: Vec<&str> = report.fates.iter().map(|fate| fate.kind.as_str()).collect();
    assert!(why.contains(&"page_robots"), "{:?}", report.fates);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_neither_go_away_nor_ask_without_end_nor_hold_the_browser_with_a_question() {
    if !has_browser("a_page_may_neither_go_away") {
        return;
    }
    let shop = shop(|path| match path {
        "/p/away" => Some("location = '/p/9';".into()),
        "/p/later" => Some("onload = () => setTimeout(() => { location.href = '/p/8' }, 50);".into()),
        "/p/blank" => Some("setTimeout(() => { location = 'about:blank' }, 300);".into()),
        "/p/alert" => Some("alert(1); confirm('sure?'); prompt('name'); onbeforeunload = () => 1;".into()),
        "/p/many" => Some(
            "for (let n = 0; n < 50; n++) fetch('/more/' + n).catch(() => 0); \
             setTimeout(() => fetch('/api/goods.json').catch(() => 0), 900)"
                .into(),
        ),
        path if path.starts_with("/more/") => Some("x".into()),
        _ => None,
    })
    .await;
    let (report, _, _) = rendered(&shop, "/p/away", "time = \"3s\"\nwait = \".price\"").await;
    assert!(report.fates[0].detail.contains("went away to http://") && shop.times("/p/9") == 0, "{:?}", report.fates);
    let (report, desk, _) = rendered(&shop, "/p/later", WAIT).await;
    assert_eq!((desk.titles().len(), shop.times("/p/8")), (1, 0), "{:?}", report.fates);
    let (report, _, _) = rendered(&shop, "/p/blank", "time = \"4s\"\nwait = \".nothing\"").await;
    assert!(report.fates[0].detail.contains("went away to about:blank"), "{:?}", report.fates);
    let (report, desk, _) = rendered(&shop, "/p/alert", WAIT).await;
    assert_eq!(desk.titles().len(), 1, "{:?}", report.fates);
    let (report, _, _) = rendered(&shop, "/p/many", "max_requests = 5\ntime = \"10s\"").await;
    assert_eq!(report.page_requests, 5, "{:?}", report.fates);
    assert!(shop.asked().iter().filter(|path| path.starts_with("/more/")).count() <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_started_anew_after_its_pages_and_when_it_broke() {
    if !has_browser("a_browser_is_started_anew") {
        return;
    }
    let shop = shop(|path| path.starts_with("/p/").then(String::new)).await;
    let browser = BrowserSettings { pages: 1, tabs: 1, ..BrowserSettings::default() };
    let crawler = Crawler::new(Settings { browser, ..Settings::default() });
    let desk = Desk::default();
    let report = crawler.run(&profile(&shop, "/list", WAIT), &desk).await;
    assert_eq!((report.rendered, desk.titles().len()), (2, 2), "{report:?}");

    // Killed while it shows a page, it is started again and the page shown once more.
    let script = "fetch('/api/slow.json').then(answer => answer.json()).then(goods => {
        document.querySelector('#app').innerHTML = `<h1>${goods.title}</h1><b class=\"price\">￥1</b>` })";
    let shop = Shop::open(move |path, before| match path {
        "/p/3" => Reply::html(format!("<div id=\"app\"></div><script>{script}</script>")),
        // The first time, the page is still waiting for it when the browser is killed.
        "/api/slow.json" if before == 0 => Reply::Never,
        "/api/slow.json" => Reply::json(&serde_json::json!({"title": "slow"})),
        _ => Reply::status(404),
    })
    .await;
    let slow = Profile { id: "slow".into(), ..profile(&shop, "/p/3", "wait = \".price\"\ntime = \"30s\"\n") };
    let folder = crawler.folder.path().join("browser");
    let killing = async {
        let begun = Instant::now();
        while shop.times("/api/slow.json") == 0 {
            assert!(begun.elapsed() < PATIENCE, "the page asks for nothing");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let pid = *processes_of(&folder).first().expect("the browser that shows the page");
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    };
    let desk = Desk::default();
    let (report, ()) = futures_util::future::join(crawler.run(&slow, &desk), killing).await;
    assert_eq!((desk.titles(), shop.times("/p/3")), (vec!["slow".to_owned()], 1), "{:?}", report.fates);
    assert_eq!(shop.times("/api/slow.json"), 2);
}

/// Processes that have this folder on their command line, the oldest first.
fn processes_of(folder: &Path) -> Vec<u32> {
    let named = format!("--user-data-dir={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&named) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_ends_with_the_program_however_that_ends() {
    if !has_browser("the_browser_ends_with_the_program") {
        return;
    }
    let shop = shop(|path| path.starts_with("/p/").then(|| "setInterval(() => 0, 1000)".to_owned())).await;
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("sites")).unwrap();
    let text = shop.profile_file("/p/1", "", "") + "[render]\nwait = \".nothing\"\ntime = \"100s\"\n";
    fs::write(place.path().join("sites/shop.toml"), text).unwrap();
    let mut crawl = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .current_dir(place.path())
        .args(["crawl", "shop"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let folder = Path::new("data").join("browser");
    let running = || {
        processes_of(&folder)
            .into_iter()
            .filter(|pid| {
                fs::read_link(format!("/proc/{pid}/cwd"))
                    .is_ok_and(|cwd| cwd.starts_with(place.path().canonicalize().unwrap()))
            })
            .count()
    };
    let begun = Instant::now();
    while running() == 0 || shop.times("/api/goods.json") == 0 {
        assert!(begun.elapsed() < PATIENCE, "no browser is seen");
        std::thread::sleep(Duration::from_millis(20));
    }
    crawl.kill().unwrap();
    crawl.wait().unwrap();
    let begun = Instant::now();
    while running() > 0 {
        assert!(begun.elapsed() < PATIENCE, "the browser lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_missing_browser_ends_the_run_and_says_what_to_do() {
    let shop = shop(|path| path.starts_with("/p/").then(String::new)).await;
    let browser = BrowserSettings { program: "/nowhere/chromium".into(), ..BrowserSettings::default() };
    let crawler = Crawler::new(Settings { browser, ..Settings::default() });
    let ended = markwarden::crawl::run(&profile(&shop, "/list", WAIT), &crawler.services, &Desk::default()).await;
    let error = ended.unwrap_err();
    assert!(matches!(error, CrawlError::Render(_)), "{error:?}");
    assert!(error.to_string().contains("install Chromium, or say in [crawl.browser] program"), "{error}");
    assert!(crawler.services.frontier.join("shop.log").exists(), "what was not shown is left for the next run");
}
