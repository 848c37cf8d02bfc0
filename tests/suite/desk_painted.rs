//! From a key to the next card on the screen, with a slow network in between: measured in the browser, printed, not judged.
//!
//! What is asserted is that speed costs nothing: each hit of the queue is decided once, with the reason whose key was pressed.

use std::{collections::VecDeque, time::Duration};

use markwarden::model::{HitState, Role};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    time::{Instant, sleep_until},
};

use crate::{
    desk_browser::Browser,
    desk_shop::{Shop, hits},
    store_writers::announce,
};

/// Half of it each way.
const ROUND_TRIP: Duration = Duration::from_millis(80);
const HITS: u32 = 240;
/// Longest that the queue is worked at; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(180);

/// From each digit key's event to the frame after the one that shows another card.
const WATCH: &str = r"
    addEventListener('keydown', event => {
        if (!/^[1-9]$/.test(event.key)) return;
        const shown = () => document.querySelector('#card')?.dataset.id, before = shown(), begun = event.timeStamp;
        const look = () => requestAnimationFrame(() => {
            const after = new MessageChannel();
            after.port1.onmessage = () => {
                if (shown() === before) return look();
                const known = JSON.parse(sessionStorage.painted || '[]');
                sessionStorage.painted = JSON.stringify([...known, performance.now() - begun]);
            };
            after.port2.postMessage(0);
        });
        look();
    }, true);";

/// Presses the first key by itself, each time as soon as another card stands there.
const PRESS: &str = r"
    if (window.pressing) return;
    window.pressing = true;
    const shown = () => document.querySelector('#card')?.dataset.id;
    const next = before => {
        if (shown() === before || !shown()) return requestAnimationFrame(() => next(before));
        const now = shown();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '1', code: 'Digit1', bubbles: true }));
        requestAnimationFrame(() => next(now));
    };
    next('');";

/// A way to `to` on which everything takes its time; where it begins.
async fn slow_way(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to.trim_start_matches("http://")).await else { return };
            drop((near.set_nodelay(true), far.set_nodelay(true)));
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            tokio::spawn(late(from_near, to_far));
            tokio::spawn(late(from_far, to_near));
        }
    });
    address
}

/// Hands on what comes, each piece half a round trip later.
async fn late(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    let (mut waiting, mut ended) = (VecDeque::<(Instant, Vec<u8>)>::new(), false);
    let mut buffer = vec![0; 64 << 10];
    while !(ended && waiting.is_empty()) {
        let due = waiting.front().map_or_else(|| Instant::now() + ROUND_TRIP, |(due, _)| *due);
        tokio::select! {
            read = from.read(&mut buffer), if !ended => match read {
                Ok(length) if length > 0 => waiting.push_back((Instant::now() + ROUND_TRIP / 2, buffer[..length].to_vec())),
                _ => ended = true,
            },
            () = sleep_until(due), if !waiting.is_empty() => {
                let Some((_, bytes)) = waiting.pop_front() else { continue };
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn queue() -> Vec<markwarden::model::NewHit> {
    let one = |number: u32| {
        let mut hit = hits().swap_remove((number % 8) as usize);
        hit.dedupe = format!("{:032x}", 100 + number);
        hit
    };
    (0..HITS).map(one).collect()
}

/// How keys come, and over what.
#[derive(Clone, Copy, PartialEq)]
enum Run {
    /// By the browser's driver, as from a keyboard.
    Typed { slow: bool },
    /// By a script in the page.
    Scripted,
}

async fn run(name: &str, test: &str, run: Run) -> bool {
    let Some(browser) = Browser::start(test).await else { return false };
    let shop = Shop::open_with(queue()).await;
    let address =
        if run == (Run::Typed { slow: true }) { slow_way(shop.address.clone()).await } else { shop.address.clone() };
    browser.watch(WATCH).await;
    browser.open(&shop.link("lin", Role::Reviewer).replace(&shop.address, &address)).await;
    browser.open(&format!("{address}/review")).await;
    // Somebody reads the first card before a key is pressed.
    let filled =
        "performance.getEntriesByType('resource').some(one => one.name.includes('/review/claim') && one.responseEnd)";
    browser.until(filled).await;
    let begun = Instant::now();
    let idle = "Boolean(document.querySelector('[data-screen=idle]'))";
    loop {
        assert!(begun.elapsed() < PATIENCE, "{name}: the queue does not end");
        match run {
            Run::Typed { .. } => browser.press("1").await,
            Run::Scripted => drop(browser.said(PRESS).await),
        }
        if !browser
            .settled(&format!("{idle} || (document.querySelector('#card') && document.documentElement.dataset.ready)"))
            .await
            || browser.said(&format!("return {idle}")).await == Value::Bool(true)
        {
            break;
        }
    }
    browser.until(idle).await;
    let minute = f64::from(HITS) / begun.elapsed().as_secs_f64() * 60.0;
    for id in 1..=u64::from(HITS) {
        let hit = shop.hit(id).await;
        assert_eq!((hit.state, hit.decisions.len()), (HitState::Confirmed, 1), "hit {id}");
    }
    let painted = browser.said("return JSON.parse(sessionStorage.painted || '[]')").await;
    let mut painted: Vec<f64> = painted.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(painted.len() >= HITS as usize / 2, "{} keys were measured", painted.len());
    painted.sort_by(f64::total_cmp);
    let at = |share: f64| painted[((painted.len() - 1) as f64 * share) as usize];
    announce(&format!(
        "key to painted, {name}: p50 {:.0} p95 {:.0} p99 {:.0} most {:.0} ms over {} keys; {minute:.0} decisions a minute",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        painted.len()
    ));
    browser.close().await;
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_shows_the_next_card_at_once_however_slow_the_network_in_browser() {
    let test = "a_key_shows_the_next_card_at_once_however_slow_the_network_in_browser";
    if run("loopback", test, Run::Typed { slow: false }).await {
        run(&format!("{} ms of network", ROUND_TRIP.as_millis()), test, Run::Typed { slow: true }).await;
        run("loopback, by a script", test, Run::Scripted).await;
    }
}
