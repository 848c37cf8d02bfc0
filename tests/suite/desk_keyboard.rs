//! Every task of a reviewer in a real browser without one event of a mouse: the keys of the help, the command palette, and
//! what Tab, Space and Enter do everywhere.

use markwarden::{
    model::{HitState, Verdict},
    review::{SecondApproval, Settings},
};
use serde_json::json;
use thirtyfour::Key;

use crate::{
    desk_browser::{Browser, ENTER, ESCAPE, stored},
    desk_depth::clones,
    desk_shop::{PASSWORD, Shop, hits},
};

impl Browser {
    /// Opens the palette, types, and takes the first that fits.
    async fn command(&self, words: &str) {
        let keys = self.driver.action_chain().key_down(Key::Control).send_keys("k").key_up(Key::Control);
        keys.perform().await.unwrap();
        self.until("document.querySelector('#palette').open").await;
        self.press(words).await;
        self.until("document.querySelector('#palette-list [aria-selected=true]')").await;
        self.press(ENTER).await;
    }

    async fn ready(&self, condition: &str) {
        self.until(&format!("document.documentElement.dataset.ready === 'true' && ({condition})")).await;
    }

    async fn sign_in_by_keys(&self, shop: &Shop, name: &str) {
        self.open(&format!("{}/sign-in", shop.address)).await;
        self.press(&format!("{name}\t{PASSWORD}{ENTER}")).await;
        self.ready("location.pathname === '/queue'").await;
    }

    /// Presses Tab until something is focused.
    async fn tab_to(&self, selector: &str) {
        for _ in 0..200 {
            if self.said(&format!("return document.activeElement.matches('{selector}')")).await == json!(true) {
                return;
            }
            self.press("\u{E004}").await;
        }
        panic!("Tab does not reach {selector}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searching_reading_and_repeating_need_no_mouse_in_browser() {
    let Some(browser) = Browser::start("searching_reading_and_repeating_need_no_mouse_in_browser").await else {
        return;
    };
    let shop = Shop::open().await;
    browser.sign_in_by_keys(&shop, "lin").await;
    browser.press("/").await;
    browser.until("document.activeElement.id === 'search'").await;
    browser.press(&format!("云雀 -表带{ENTER}")).await;
    browser.ready("location.search.includes('text=') && document.querySelectorAll('.row').length === 5").await;
    // Under a name, for the next time.
    browser.tab_to(".save-filter summary").await;
    browser.press(ENTER).await;
    browser.tab_to(".save-filter input[name=name]").await;
    browser.press(&format!("云雀跑鞋{ENTER}")).await;
    browser.ready("document.querySelector('.saved a[aria-current]')?.textContent.includes('云雀跑鞋')").await;

    browser.press("r").await;
    browser.ready("document.querySelector('#card')?.dataset.id === '1'").await;
    browser.press("i").await;
    browser.until("document.activeElement.id === 'evidence'").await;
    browser.press("n").await;
    browser.press(&format!("吊牌是旧的{ESCAPE}")).await;
    browser.press_for("2", 4).await;
    stored(&browser, &shop, 1, HitState::Confirmed).await;
    assert_eq!(shop.hit(1).await.decisions[0].note, "吊牌是旧的");
    // The same decision on the next, then both taken back, the newest first.
    browser.press(".").await;
    stored(&browser, &shop, 4, HitState::Confirmed).await;
    assert_eq!(shop.hit(4).await.decisions[0].reason, shop.hit(1).await.decisions[0].reason);
    browser.press_for("z", 4).await;
    browser.press_for("z", 1).await;
    stored(&browser, &shop, 1, HitState::Open).await;
    stored(&browser, &shop, 4, HitState::Open).await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_room_is_read_moment_by_moment_without_a_mouse_in_browser() {
    let Some(browser) = Browser::start("a_live_room_is_read_moment_by_moment_without_a_mouse_in_browser").await else {
        return;
    };
    let mut hit = hits().swap_remove(5);
    let goods = |price: &str, state: &str| {
        json!({"at_ms": if state == "pinned" { 700_000 } else { 728_000 }, "kind": "shelf", "text": "男女同款跑鞋", "goods": {
            "id": "7", "title": "男女同款跑鞋", "state": state, "price": {"amount": price, "currency": "CNY"}}})
    };
    for entry in [goods("199", "pinned"), goods("89", "listed")] {
        hit.listing.timeline.push(serde_json::from_value(entry).unwrap());
    }
    let shop = Shop::open_with(vec![hit]).await;
    browser.sign_in_by_keys(&shop, "lin").await;
    browser.press("r").await;
    let at = |clock: &str, price: &str| {
        format!(
            "document.querySelector('.cue[aria-current] .cue-when').textContent === '{clock}'
             && document.querySelector('#pins > li:not([hidden])').textContent.includes('{price}')"
        )
    };
    // The finding's second first, with the price of that second; then the moments around it, each with its own.
    browser
        .ready(&format!("document.querySelector('#card')?.dataset.layout === 'live' && {}", at("00:12:05", "¥199")))
        .await;
    browser.picture("live-layout").await;
    browser.press("l").await;
    browser.until(&at("00:12:08", "¥89")).await;
    browser.press("l").await;
    browser.until(&at("00:12:11", "¥89")).await;
    browser.until("document.activeElement.matches('.cue[aria-current]')").await;
    browser.press("hhhh").await;
    browser.until("document.querySelector('.cue[aria-current] .cue-when').textContent === '00:01:01'").await;
    browser.until("document.querySelector('#pins > li:not([hidden]) .price') === null").await;
    browser.press("1").await;
    stored(&browser, &shop, 1, HitState::Confirmed).await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_approves_and_returns_without_a_mouse_in_browser() {
    let Some(browser) = Browser::start("a_second_person_approves_and_returns_without_a_mouse_in_browser").await else {
        return;
    };
    let settings = Settings { second_approval: SecondApproval::Low, ..Settings::default() };
    let shop = Shop::open_as(hits(), settings).await;
    browser.sign_in_by_keys(&shop, "lin").await;
    browser.press("r").await;
    browser.ready("document.querySelector('#card')?.dataset.id === '1'").await;
    browser.press_for("1", 2).await;
    browser.press_for("1", 3).await;
    stored(&browser, &shop, 1, HitState::Proposed).await;
    stored(&browser, &shop, 2, HitState::Proposed).await;
    browser.command("Sign out").await;
    browser.ready("location.pathname === '/sign-in'").await;
    browser.sign_in_by_keys(&shop, "root").await;
    let proposed = "return document.querySelectorAll('.tabs a')[1].firstChild.textContent.trim()";
    let proposed = browser.said(proposed).await.as_str().unwrap().to_owned();
    browser.command(&proposed).await;
    browser.ready("location.search.includes('state=proposed') && document.querySelectorAll('.row').length === 2").await;
    browser.press("r").await;
    browser.ready("document.querySelector('#card')?.dataset.id === '1'").await;
    browser.press_for("1", 2).await;
    stored(&browser, &shop, 1, HitState::Confirmed).await;
    browser.press("x1").await;
    stored(&browser, &shop, 2, HitState::Open).await;
    let made = shop.hit(2).await.decisions;
    assert_eq!((made[1].verdict, made[1].by.as_str()), (Verdict::Return, "root"));
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hits_are_decided_at_once_and_taken_back_without_a_mouse_in_browser() {
    let Some(browser) = Browser::start("many_hits_are_decided_at_once_and_taken_back_without_a_mouse_in_browser").await
    else {
        return;
    };
    let shop = Shop::open_with(clones(40)).await;
    browser.sign_in_by_keys(&shop, "root").await;
    browser.tab_to(".to-bulk button").await;
    browser.press(ENTER).await;
    browser.ready("location.pathname.startsWith('/bulk/')").await;
    browser.tab_to("button[name=reason][value^=\"dismiss:\"]").await;
    browser.press(ENTER).await;
    stored(&browser, &shop, 40, HitState::Dismissed).await;
    browser.ready("document.querySelector('#undo-act')").await;
    browser.press("z").await;
    stored(&browser, &shop, 40, HitState::Open).await;
    for id in 1..=40 {
        assert_eq!((shop.hit(id).await.state, shop.hit(id).await.decisions.len()), (HitState::Open, 2), "hit {id}");
    }
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}
