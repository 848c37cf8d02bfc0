//! A crowd before the desk while everything is killed: browsers clear a queue on the real program, and the program and the
//! browsers are ended with -9 at random moments. Afterwards the store is asked: no hit is lost, none is decided twice, what
//! was acknowledged stands, and every undo is honoured.
//!
//! All of the crowd are real browsers, eight unless `MARKWARDEN_CROWD_BROWSERS` says otherwise. `MARKWARDEN_CROWD_HITS` sets
//! how many hits they clear: 240 here, 10,000 when there is time.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use markwarden::{
    model::{Hit, HitId, HitState, NewHit, Role, SystemClock, Verdict},
    store::{Batch, Settings, SledStore, Store, Write},
    web::Accounts,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    desk_browser::Browser,
    desk_shop::{PASSWORD, account},
    program::{Server, markwarden},
    store_writers::{announce, number},
};

const BROWSERS: usize = 8;
const HITS: usize = 240;
/// The server is killed each time so many acts were acknowledged, and a browser each time so many others were.
const ACTS_A_SERVER: usize = 60;
const ACTS_A_BROWSER: usize = 80;
/// Of how many decisions one is taken back.
const UNDO_ONE_IN: usize = 8;
/// Longest wait for a hit to go on; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(180);
const RESTART: Duration = Duration::from_secs(60);

/// Writes down what the server acknowledged, over pages, and whether it asked to sign in again.
const WATCH: &str = r"
    const plain = window.fetch;
    window.fetch = async (path, init) => {
        const answer = await plain(path, init);
        try {
            if (answer.ok && init && init.method === 'POST') {
                const known = JSON.parse(sessionStorage.acknowledged || '[]');
                known.push([String(path), String(init.body)]);
                sessionStorage.acknowledged = JSON.stringify(known);
            }
        } catch {}
        return answer;
    };";

/// Where the page stands; what was acknowledged since is handed out once.
const LOOK: &str = r"
    const known = JSON.parse(sessionStorage.acknowledged || '[]');
    delete sessionStorage.acknowledged;
    const card = document.querySelector('#card');
    return {
        ready: document.documentElement.dataset.ready === 'true',
        door: Boolean(document.querySelector('.door form input[name=password]')) && document.readyState === 'complete',
        idle: Boolean(document.querySelector('[data-screen=idle]')),
        open: document.querySelector('.tabs .count')?.textContent ?? '',
        card: card && card.querySelector('#decide') ? [card.dataset.id, card.dataset.seen] : null,
        acknowledged: known,
    };";

/// What the crowd and those who kill share.
struct Crowd {
    place: tempfile::TempDir,
    address: String,
    acts: AtomicUsize,
    kills: AtomicUsize,
    browser_kills: AtomicUsize,
    /// Whether the server answers.
    up: watch::Sender<bool>,
    begun: Instant,
}

impl Crowd {
    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn in_time(&self) {
        assert!(self.begun.elapsed() < PATIENCE * (1 + number("MARKWARDEN_CROWD_HITS", HITS) as u32 / 500), "too slow");
    }
}

/// A hit like no other, of a seller of its own.
fn hit(n: usize) -> NewHit {
    let title = format!("云雀 第{n}款 跑鞋 {}", "甲乙丙丁戊己庚辛壬癸".chars().nth(n % 10).unwrap());
    let finding = json!({
        "kind": "mark", "ref": "m-yunque-25", "family": "云雀体育", "surface": "title", "start": 0, "end": 2, "text": "云雀",
        "word": "云雀", "channels": [], "score": 0.9, "severity": "high", "citation": "", "explanation": []
    });
    serde_json::from_value(json!({
        "dedupe": format!("{n:032x}"), "family": "云雀体育", "severity": "high", "findings": [finding], "priority": n % 200,
        "listing": {"id": format!("c:{n}"), "title": title, "platform": "简铺", "seller": {"name": format!("铺{n}")}},
        "capture": null, "evidence": null, "matched_with": "g1", "found_at": "2026-11-20T08:00:00Z"
    }))
    .unwrap()
}

fn store(data: &Path) -> SledStore {
    SledStore::open(data, &Settings::default(), Arc::new(SystemClock)).unwrap()
}

/// Starts the program on `listen`; where it is.
fn start(place: &Path, listen: &str) -> (Server, String) {
    let mut server =
        markwarden(place).args(["serve", "--no-crawl", "--listen", listen]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let at =
        |line: String| line.split_once("the desk is at http://").map(|(_, at)| at.trim_end_matches('/').to_owned());
    let address = said.by_ref().map_while(Result::ok).find_map(at).expect("the server says where it is");
    std::thread::spawn(move || said.for_each(drop));
    (Server(server), address)
}

async fn prepared(hits: usize, browsers: usize) -> (Crowd, Server) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("config.toml"), "[review]\nsecond_look_one_in = 0\ngold_one_in = 0\n").unwrap();
    // One rule is read faster than all of them, each time the server starts.
    std::fs::create_dir(place.path().join("rules")).unwrap();
    let rule = include_str!("../../fixtures/rules/test.word.toml");
    std::fs::write(place.path().join("rules/test.word.toml"), rule).unwrap();
    let data = place.path().join("data");
    {
        let store = store(&data);
        for first in (0..hits).step_by(200) {
            let writes = (first..hits.min(first + 200)).map(|n| Write::Hit(hit(n))).collect();
            store.apply(Batch { actor: "test".into(), writes }).await.unwrap();
        }
    }
    let accounts = Accounts::open(&data.join("accounts.json")).unwrap();
    for n in 0..browsers {
        accounts.add(&account(&format!("r{n}"), Role::Reviewer), PASSWORD).unwrap();
    }
    let (server, address) = start(place.path(), "127.0.0.1:0");
    let (acts, kills, browser_kills) = Default::default();
    let (up, begun) = (watch::Sender::new(true), Instant::now());
    (Crowd { place, address, acts, kills, browser_kills, up, begun }, server)
}

/// Kills the server each time enough was acknowledged, and starts it again where it was.
async fn kill_servers(crowd: Arc<Crowd>, mut server: Server, mut ended: watch::Receiver<bool>) -> Server {
    loop {
        let next = (crowd.kills.load(Relaxed) + 1) * ACTS_A_SERVER + fastrand::usize(0..20);
        while crowd.acts.load(Relaxed) < next {
            if tokio::time::timeout(Duration::from_millis(20), ended.wait_for(|end| *end)).await.is_ok() {
                return server;
            }
        }
        crowd.up.send_replace(false);
        drop(server);
        crowd.kills.fetch_add(1, Relaxed);
        let again = Arc::clone(&crowd);
        server = tokio::task::spawn_blocking(move || start(again.place.path(), &again.address).0).await.unwrap();
        crowd.up.send_replace(true);
    }
}

/// What one reviewer knows was acknowledged: by hit, how often decided and how often taken back.
type Known = BTreeMap<u64, (usize, usize)>;

async fn review(crowd: Arc<Crowd>, n: usize) -> Known {
    let (test, name) = ("a_crowd_clears_the_queue_while_everything_is_killed", format!("r{n}"));
    let (mut known, mut life) = (Known::new(), n);
    loop {
        let browser = Browser::start(test).await.unwrap();
        browser.watch(WATCH).await;
        let lives = (life + 1) * ACTS_A_BROWSER;
        life += BROWSERS;
        loop {
            crowd.in_time();
            if turn(&crowd, &browser, &name, &mut known).await {
                browser.close().await;
                return known;
            }
            if crowd.acts.load(Relaxed) >= lives {
                crowd.browser_kills.fetch_add(1, Relaxed);
                browser.kill();
                break;
            }
        }
    }
}

/// Looks, and does what a person would do next; true when nothing is open any more.
async fn turn(crowd: &Crowd, browser: &Browser, name: &str, known: &mut Known) -> bool {
    let seen = browser.said(LOOK).await;
    note(crowd, &seen, known);
    let go = async |path: &str| {
        drop(tokio::time::timeout(RESTART, crowd.up.subscribe().wait_for(|up| *up)).await.expect("the server is back"));
        drop(browser.driver.goto(format!("http://{}{path}", crowd.address)).await);
    };
    if seen["door"] == true {
        browser.said("document.querySelector('.door input[name=name]').select()").await;
        let keys = format!("{name}\t{PASSWORD}\u{E007}");
        drop(browser.driver.action_chain().send_keys(keys).perform().await);
        browser.settled("!document.querySelector('.door form input[name=password]')").await;
    } else if let Some([id, _]) = seen["card"].as_array().map(Vec::as_slice) {
        decide(browser, id.as_str().unwrap()).await;
    } else if seen["open"] == "0" {
        return true;
    } else if seen["idle"] == true {
        go("/queue").await;
    } else {
        go("/review").await;
    }
    false
}

/// Decides the card that is shown, and sometimes takes it back at once.
async fn decide(browser: &Browser, id: &str) {
    let keys = if fastrand::bool() { format!("{}", fastrand::u8(1..=5)) } else { format!("x{}", fastrand::u8(1..=6)) };
    drop(browser.driver.action_chain().send_keys(keys).perform().await);
    browser.settled(&format!("document.querySelector('#card')?.dataset.id !== '{id}'")).await;
    if fastrand::usize(0..UNDO_ONE_IN) == 0 {
        drop(browser.driver.action_chain().send_keys("z").perform().await);
        browser.settled(&format!("document.querySelector('#card')?.dataset.id === '{id}'")).await;
    }
}

/// Writes down what the server acknowledged.
fn note(crowd: &Crowd, seen: &Value, known: &mut Known) {
    for act in seen["acknowledged"].as_array().into_iter().flatten() {
        let path = act[0].as_str().unwrap();
        let path = path.split('?').next().unwrap();
        let mut parts = path.trim_start_matches("/hits/").split('/');
        let (Some(Ok(id)), Some(what)) = (parts.next().map(str::parse::<u64>), parts.next()) else { continue };
        let entry = known.entry(id).or_default();
        match what {
            "decide" => entry.0 += 1,
            "undo" => entry.1 += 1,
            _ => continue,
        }
        crowd.acts.fetch_add(1, Relaxed);
    }
}

/// The hit's decisions are a decision, then none or more times an undo and a decision; and all that was acknowledged to
/// somebody is among them.
fn hold(hit: &Hit, known: &[Known]) {
    assert!(matches!(hit.state, HitState::Confirmed | HitState::Dismissed), "{} is {:?}", hit.id, hit.state);
    for (at, made) in hit.decisions.iter().enumerate() {
        assert_eq!(made.verdict == Verdict::Reopen, at % 2 == 1, "{} was decided twice: {:?}", hit.id, hit.decisions);
    }
    for (n, known) in known.iter().enumerate() {
        let (decided, undone) = known.get(&hit.id.0).copied().unwrap_or_default();
        let by = |undo: bool| {
            let name = format!("r{n}");
            let made = hit.decisions.iter().filter(|made| made.by.as_str() == name);
            made.filter(|made| (made.verdict == Verdict::Reopen) == undo).count()
        };
        assert!(by(false) >= decided, "{}: a decision of r{n} was lost: {:?}", hit.id, hit.decisions);
        assert!(by(true) >= undone, "{}: an undo of r{n} was lost: {:?}", hit.id, hit.decisions);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_clears_the_queue_while_everything_is_killed_in_browser() {
    let test = "a_crowd_clears_the_queue_while_everything_is_killed_in_browser";
    let Some(first) = Browser::start(test).await else { return };
    first.close().await;
    let (hits, browsers) = (number("MARKWARDEN_CROWD_HITS", HITS), number("MARKWARDEN_CROWD_BROWSERS", BROWSERS));
    let (crowd, server) = prepared(hits, browsers).await;
    let (crowd, (end, ended)) = (Arc::new(crowd), watch::channel(false));
    let killing = tokio::spawn(kill_servers(Arc::clone(&crowd), server, ended));
    let reviewing: Vec<_> = (0..browsers).map(|n| tokio::spawn(review(Arc::clone(&crowd), n))).collect();
    let mut known = Vec::new();
    for reviewer in reviewing {
        known.push(reviewer.await.unwrap());
    }
    let took = crowd.begun.elapsed();
    end.send_replace(true);
    drop(killing.await.unwrap());

    let store = store(&crowd.data());
    let mut decisions = 0;
    for id in 1..=hits as u64 {
        let hit = store.hit(HitId(id)).await.unwrap().unwrap_or_else(|| panic!("hit {id} is lost"));
        hold(&hit, &known);
        decisions += hit.decisions.len();
    }
    let (mut journal, mut from) = (0, 0);
    loop {
        let changes = store.changes_since(from, 1000).await.unwrap();
        let Some(last) = changes.last() else { break };
        from = last.seq;
        journal += changes.iter().map(|change| change.decided().len()).sum::<usize>();
    }
    assert_eq!(journal, decisions, "every decision and every undo is in the journal, once");
    let undone = known.iter().flat_map(Known::values).map(|(_, undone)| undone).sum::<usize>();
    let (kills, ended) = (crowd.kills.load(Relaxed), crowd.browser_kills.load(Relaxed));
    assert!(kills > 0 && ended > 0 && undone > 0, "{kills} kills of the server, {ended} of browsers, {undone} undone");
    announce(&format!(
        "crowd: {hits} hits, {browsers} browsers, server killed {kills} times, browsers {ended} times; {decisions} decisions \
         and undos, {undone} undos acknowledged; 0 lost, 0 twice; {:.0} s",
        took.as_secs_f64()
    ));
}
