//! How well the desk judges and how much it finds: disagreements that a third person settles, samples of listings without
//! hits, and backtests of rules with their result in the journal.

use std::time::Duration;

use markwarden::{
    model::{AccountName, Check, HitId, HitState, Listing, NewHit, Reason, Remark, Role, Saying, Verdict},
    review::Settings,
    rules::{RuleSet, RuleSource},
    store::{Batch, Write},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    desk::{Visitor, location},
    desk_browser::Browser,
    desk_looks::{Page, axe, look_at},
    desk_shop::{Shop, hits},
};

const RULE: &str = include_str!("../../fixtures/rules/test.word.toml");

/// A shop where every decision is looked at by a second person.
async fn careful() -> Shop {
    Shop::open_as(hits(), Settings { second_look_one_in: 1, gold_one_in: 0, ..Settings::default() }).await
}

async fn send(visitor: &Visitor<'_>, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let shop = visitor.csrf.clone();
    let answer = visitor
        .client
        .request(method, visitor.address(path))
        .header("cookie", &visitor.cookie)
        .header("origin", visitor.address(""))
        .header("x-csrf-token", shop)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

/// lin confirms hit 1, and wu, who is shown it unmarked, dismisses it.
async fn disagree(shop: &Shop) {
    let lin = Visitor::signed_in(shop, "lin", Role::Reviewer).await;
    let wu = Visitor::signed_in(shop, "wu", Role::Reviewer).await;
    lin.page("/hits/1").await;
    let form = [("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0"), ("note", "吊牌不符")];
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    let cards = wu.post("/review/claim", &[]).await.text().await.unwrap();
    assert!(cards.contains("\"id\":1,"), "the second person is handed it among others: {cards:.200}");
    let form = [("reason", "dismiss:authorised"), ("fence", "1"), ("seen", "0")];
    assert_eq!(wu.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(shop.hit(1).await.state, HitState::Confirmed, "an opinion changes nothing");
}

#[tokio::test]
async fn a_disagreement_is_settled_by_a_third_person_who_says_first_what_they_see() {
    let shop = careful().await;
    disagree(&shop).await;
    let (lin, hu) =
        (Visitor::signed_in(&shop, "lin", Role::Approver).await, Visitor::signed_in(&shop, "hu", Role::Approver).await);
    assert!(!lin.page("/disputes").await.contains("/disputes/1\""), "never one of the two");
    assert_eq!(lin.get("/disputes/1").await.status(), StatusCode::FORBIDDEN);
    assert!(hu.page("/disputes").await.contains("/disputes/1\""));
    let unseen = hu.page("/disputes/1").await;
    assert!(unseen.contains("action=\"/disputes/1/view\"") && !unseen.contains("吊牌不符"), "{unseen}");
    assert!(!unseen.contains(">lin<") && !unseen.contains(">wu<"), "nothing tells who said what");
    let form = [("reason", "dismiss:authorised"), ("note", "有授权书")];
    assert_eq!(hu.post("/disputes/1/decide", &form).await.status(), StatusCode::CONFLICT, "the own view comes first");
    assert_eq!(shop.hit(1).await.state, HitState::Confirmed);
    assert_eq!(location(&hu.post("/disputes/1/view", &form).await), "/disputes/1");
    let seen = hu.page("/disputes/1").await;
    assert!(seen.contains("吊牌不符") && seen.contains(">lin<") && seen.contains(">wu<"), "{seen}");
    assert_eq!(hu.post("/disputes/1/decide", &[("reason", "escalate:needs-senior")]).await.status(), 422);
    assert_eq!(location(&hu.post("/disputes/1/decide", &form).await), "/disputes");
    // Overruled: taken back by a reversing decision, and decided anew.
    let hit = shop.hit(1).await;
    let made: Vec<(Verdict, &str)> = hit.decisions.iter().map(|made| (made.verdict, made.by.as_str())).collect();
    assert_eq!(made, [(Verdict::Confirm, "lin"), (Verdict::Reopen, "hu"), (Verdict::Dismiss, "hu")]);
    assert_eq!(hit.state, HitState::Dismissed);
    assert_eq!(hu.get("/disputes/1").await.status(), StatusCode::NOT_FOUND, "it is settled");
    let page = hu.page_in("/quality", "en").await;
    assert!(page.contains("0% (0%–79%, 0 of 1)") && page.contains("100% (21%–100%, 1 of 1)"), "{page}");
    // All of it stands in the journal: another board reads the same.
    let board = markwarden::review::Board::default();
    board.follow(&*shop.store, true).await.unwrap();
    let settled = board.settlements().remove(0);
    assert_eq!((settled.by.as_str(), settled.verdict, settled.note.as_str()), ("hu", Verdict::Dismiss, "有授权书"));
    assert_eq!((settled.first.0.as_str(), settled.second.0.as_str()), ("lin", "wu"));
    assert!(board.disputes().is_empty());
}

#[tokio::test]
async fn what_is_upheld_stays_as_it_is_and_programs_settle_too() {
    let shop = careful().await;
    disagree(&shop).await;
    let hu = Visitor::signed_in(&shop, "hu", Role::Approver).await;
    let (_, list) = send(&hu, Method::GET, "/api/v1/disputes", json!({})).await;
    assert_eq!((&list[0]["hit"], &list[0]["viewed"]), (&json!(1), &json!(false)));
    let (_, whole) = send(&hu, Method::GET, "/api/v1/disputes/1", json!({})).await;
    assert_eq!((&whole["views"], &whole["hit"]["decisions"]), (&json!([]), &json!([])));
    let said = json!({ "verdict": "confirm", "reason": "counterfeit" });
    let (status, _) = send(&hu, Method::POST, "/api/v1/disputes/1/decide", said.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, whole) = send(&hu, Method::POST, "/api/v1/disputes/1/view", said.clone()).await;
    assert_eq!((&whole["views"][0]["by"], &whole["views"][1]["by"]), (&json!("lin"), &json!("wu")));
    // What is said now, knowing, does not change what was seen first.
    let other = json!({ "verdict": "dismiss", "reason": "common-word" });
    let (_, whole) = send(&hu, Method::POST, "/api/v1/disputes/1/view", other).await;
    assert_eq!(whole["views"][2]["verdict"], "confirm");
    let (status, _) = send(&hu, Method::POST, "/api/v1/disputes/1/decide", said).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(shop.hit(1).await.decisions.len(), 1, "nothing was taken back");
    let (status, _) = send(&hu, Method::GET, "/api/v1/disputes/1", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_disagreement_ends_when_the_decision_is_taken_back() {
    let shop = careful().await;
    disagree(&shop).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let hu = Visitor::signed_in(&shop, "hu", Role::Approver).await;
    hu.page("/disputes/1").await;
    lin.post("/hits/1/undo", &[]).await;
    assert_eq!(hu.get("/disputes/1").await.status(), StatusCode::NOT_FOUND);
    let form = [("reason", "dismiss:authorised")];
    assert_eq!(hu.post("/disputes/1/view", &form).await.status(), StatusCode::NOT_FOUND);
}

fn rule() -> RuleSet {
    let mut sources = RuleSource::builtin();
    sources.retain(|source| !source.is_rule());
    sources.push(RuleSource { path: "test.word.toml".into(), text: RULE.into() });
    RuleSet::parse(sources).unwrap()
}

fn listing(n: usize, platform: &str, title: &str) -> Listing {
    let (id, title) = (format!("{platform}:{n}"), format!("{title} {n}"));
    Listing { id, title, platform: Some(platform.to_owned()), ..Listing::default() }
}

/// Forty listings of two platforms; the first of each has a hit, and one of the larger says what no rule has.
fn listings() -> Vec<Listing> {
    let large = (0..30).map(|n| listing(n, "星河商城", if n == 7 { "仿玺塔 摆件" } else { "琉璃塔 摆件" }));
    large.chain((0..10).map(|n| listing(n, "老街集市", "宝塔 香炉"))).collect()
}

fn hit_of(listing: &Listing, number: u32) -> NewHit {
    let finding = json!({
        "kind": "rule", "ref": "test.word", "family": "TEST", "surface": "title", "start": 0, "end": 3,
        "text": "琉璃塔", "word": "琉璃塔", "channels": [], "score": 0.5, "severity": "low", "citation": "", "explanation": []
    });
    serde_json::from_value(json!({
        "dedupe": format!("{number:032x}"), "family": "TEST", "listing": listing, "severity": "low",
        "findings": [finding], "priority": 100, "capture": null, "evidence": null, "matched_with": "g1",
        "found_at": "2026-11-20T08:00:00Z"
    }))
    .unwrap()
}

async fn kept() -> Shop {
    let all = listings();
    let hits = vec![hit_of(&all[0], 1), hit_of(&all[30], 2)];
    Shop::open_kept(hits, all, rule()).await
}

/// Asks until `until` says that it is there.
async fn ask_until(visitor: &Visitor<'_>, path: &str, until: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let (_, value) = send(visitor, Method::GET, path, json!({})).await;
        if until(&value) {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{path} never came to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_without_hits_are_drawn_looked_at_and_tell_the_recall() {
    let shop = kept().await;
    let hu = Visitor::signed_in(&shop, "hu", Role::Approver).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    for size in ["9", "501", "x", ""] {
        let answer = hu.post("/recall", &[("size", size)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{size}");
    }
    assert_eq!(lin.post("/recall", &[("size", "20")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(location(&hu.post("/recall", &[("size", "20"), ("seed", "7")]).await), "/recall");
    let drawn = |value: &Value| value.as_array().is_some_and(|all| !all.is_empty());
    let samples = ask_until(&hu, "/api/v1/samples", drawn).await;
    let (name, strata) = (samples[0]["name"].as_str().unwrap().to_owned(), samples[0]["strata"].as_array().unwrap());
    let counted: Vec<u64> = strata.iter().map(|stratum| stratum["listings"].as_u64().unwrap()).collect();
    assert_eq!((samples[0]["seed"].as_str(), counted.iter().sum::<u64>()), (Some("7"), 38), "two have hits: {samples}");
    let (_, whole) = send(&hu, Method::GET, &format!("/api/v1/samples/{name}"), json!({})).await;
    let drawn: Vec<&str> =
        whole["listings"].as_array().unwrap().iter().map(|one| one["listing"].as_str().unwrap()).collect();
    assert!(drawn.len() == 20 && !drawn.contains(&"星河商城:0") && !drawn.contains(&"老街集市:0"), "{drawn:?}");

    // A reviewer goes through them by the page; another is handed other ones.
    let first = location(&lin.get("/recall/next").await).to_owned();
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    assert_ne!(location(&wu.get("/recall/next").await), first);
    let page = lin.page_in(&first, "en").await;
    assert!(page.contains("Does anything stand here?") && page.contains("value=\"test.word\""), "{page}");
    let wrong = [("found", "yes"), ("words", "不在其中"), ("reference", "test.word")];
    assert_eq!(lin.post(&first, &wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "words that stand there");
    let wrong = [("found", "yes"), ("words", "塔"), ("reference", "no.such")];
    assert_eq!(lin.post(&first, &wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "a rule that there is");
    let miss = [("found", "yes"), ("words", "塔"), ("reference", "test.word")];
    assert!(location(&lin.post(&first, &miss).await).starts_with("/recall/next?done="));
    assert_eq!(wu.post(&first, &[("found", "no")]).await.status(), StatusCode::CONFLICT, "who looked first says it");
    assert_eq!(wu.post(&format!("{first}/undo"), &[]).await.status(), StatusCode::FORBIDDEN);
    assert!(lin.page("/recall").await.contains("test.word"), "the miss is listed with what should have found it");
    lin.post(&format!("{first}/undo"), &[]).await;
    for number in 1..=20 {
        let missed = if number == 3 { json!({ "missed": { "words": "塔", "reference": "" } }) } else { json!({}) };
        let (status, _) = send(&lin, Method::POST, &format!("/api/v1/samples/{name}/{number}"), missed).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{number}");
    }
    assert_eq!(location(&lin.get("/recall/next").await), "/recall", "all are looked at");
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "confirm:false-advertising"), ("fence", "1"), ("seen", "0")]).await;
    let (_, samples) = send(&hu, Method::GET, "/api/v1/samples", json!({})).await;
    let recall = &samples[0]["recall"];
    assert_eq!((&recall["looked"], &recall["missed"], &recall["listings"]), (&json!(20), &json!(1), &json!(38)));
    let rate: Vec<f64> = serde_json::from_value(recall["rate"].clone()).unwrap();
    let told: Vec<f64> = serde_json::from_value(recall["recall"].clone()).unwrap();
    assert!(rate[1] < rate[0] && rate[0] < rate[2] && (0.03..0.09).contains(&rate[0]), "{rate:?}");
    // One is confirmed and one waits, which counts as right as the decided one: two found.
    assert!(
        (told[0] - 2.0 / (2.0 + 38.0 * rate[0])).abs() < 1e-9 && told[1] < told[0] && told[0] < told[2],
        "{told:?}"
    );
    let page = hu.page_in("/quality", "en").await;
    assert!(page.contains("Of 38 listings without a hit") && page.contains("Assumed:"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_over_the_same_listings_draws_the_same() {
    let shop = kept().await;
    let hu = Visitor::signed_in(&shop, "hu", Role::Approver).await;
    let mut drawn: Vec<Value> = Vec::new();
    for round in 1..=2 {
        let asked = json!({ "size": 12, "seed": 99 });
        let (status, _) = send(&hu, Method::POST, "/api/v1/samples", asked).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let has = |value: &Value| value.as_array().is_some_and(|all| all.len() == round);
        ask_until(&hu, "/api/v1/samples", has).await;
    }
    let (_, samples) = send(&hu, Method::GET, "/api/v1/samples", json!({})).await;
    for sample in samples.as_array().unwrap() {
        let path = format!("/api/v1/samples/{}", sample["name"].as_str().unwrap());
        let (_, whole) = send(&hu, Method::GET, &path, json!({})).await;
        drawn.push(whole["listings"].as_array().unwrap().iter().map(|one| one["listing"].clone()).collect());
    }
    assert_eq!(drawn[0], drawn[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_tried_on_the_archive_and_its_result_lets_it_go_live() {
    let shop = kept().await;
    let monitor = shop.monitor.clone().unwrap();
    assert!(monitor.last_tried("test.word").is_none());
    let author = Visitor::signed_in(&shop, "author", Role::Author).await;
    let reader = Visitor::signed_in(&shop, "audit", Role::Auditor).await;
    assert_eq!(reader.post("/rules/test.word/backtest", &[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(author.post("/rules/no.such/backtest", &[]).await.status(), StatusCode::NOT_FOUND);
    assert!(author.page_in("/rules/test.word", "en").await.contains("No backtest is noted."));
    let begun = author.post("/rules/test.word/backtest", &[]).await;
    assert_eq!(location(&begun), "/rules/test.word#backtest");
    let path = "/api/v1/rules/test.word/backtest";
    let done = ask_until(&author, path, |value| value["state"] == "done").await;
    assert_eq!((&done["result"]["of"], &done["result"]["listings"]), (&json!(40), &json!(29)), "{done}");
    assert_eq!((&done["recorded"]["current"], &done["recorded"]["listings"]), (&json!(true), &json!(29)), "{done}");
    let noted = shop.store.changes_since(0, 1000).await.unwrap();
    let note = noted.iter().rev().find(|change| change.notes().any(|(what, _)| what == "rules.backtest")).unwrap();
    assert_eq!(note.actor, "author");
    assert!(monitor.last_tried("test.word").is_some());
    let page = author.page_in("/rules/test.word", "en").await;
    assert!(page.contains("29 of 40 listings") && page.contains("琉璃塔 摆件") && page.contains("<svg"), "{page}");
    let (_, days) = send(&author, Method::GET, "/api/v1/rules/test.word/days", json!({})).await;
    let last = days.as_array().unwrap().last().unwrap().clone();
    assert_eq!((days.as_array().unwrap().len(), &last["hits"]), (30, &json!(2)), "{last}");
    let (status, _) = send(&author, Method::DELETE, path, json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing runs");
}

#[tokio::test]
async fn a_desk_without_an_archive_says_so() {
    let shop = Shop::open_with_rules().await;
    let hu = Visitor::signed_in(&shop, "root", Role::Admin).await;
    assert_eq!(hu.post("/recall", &[("size", "20")]).await.status(), StatusCode::CONFLICT);
    assert_eq!(hu.post("/rules/ad.absolute/backtest", &[]).await.status(), StatusCode::CONFLICT);
    for language in ["zh-CN", "en"] {
        for path in ["/recall", "/disputes", "/rules/ad.absolute", "/quality"] {
            assert!(!hu.page_in(path, language).await.contains('⟦'), "{path} has all its words in {language}");
        }
    }
}

/// wu, who did not know, would have dismissed hit 1.
async fn saw_otherwise(shop: &Shop) {
    let (lin, wu) = (AccountName::new("lin").unwrap(), AccountName::new("wu").unwrap());
    let says = Saying::Opinion {
        hit: HitId(1),
        verdict: Verdict::Dismiss,
        reason: Reason::LawfulWording,
        check: Check::Second,
        against: Verdict::Confirm,
        of: lin,
    };
    let at = "2026-11-20T09:00:00Z".parse().unwrap();
    let remark = Remark { key: "opinion:1:wu".into(), by: wu, at, says };
    shop.store.apply(Batch { actor: "wu".into(), writes: vec![Write::Remark(remark)] }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disagreements_and_samples_need_no_mouse_and_are_accessible_in_browser() {
    let name = "disagreements_and_samples_need_no_mouse_and_are_accessible_in_browser";
    let Some(browser) = Browser::start(name).await else { return };
    let axe = axe(name);
    let shop = kept().await;
    let hu = Visitor::signed_in(&shop, "hu", Role::Admin).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "confirm:false-advertising"), ("fence", "1"), ("seen", "0")]).await;
    saw_otherwise(&shop).await;
    hu.post("/recall", &[("size", "12")]).await;
    let samples = ask_until(&hu, "/api/v1/samples", |all| all.as_array().is_some_and(|all| !all.is_empty())).await;
    hu.post("/rules/test.word/backtest", &[]).await;
    ask_until(&hu, "/api/v1/rules/test.word/backtest", |value| value["state"] == "done").await;
    let sample = samples[0]["name"].as_str().unwrap();
    let missed = json!({ "missed": { "words": "塔", "reference": "test.word" } });
    let first = format!("/api/v1/samples/{sample}/1");
    assert_eq!(send(&hu, Method::POST, &first, missed).await.0, StatusCode::NO_CONTENT);
    browser.open(&shop.link("root", Role::Admin)).await;
    let pages: Vec<Page> = vec![
        ("/disputes", "disputes", "/disputes".to_owned()),
        ("/disputes/{id}", "dispute", "/disputes/1".to_owned()),
        ("/recall", "recall", "/recall".to_owned()),
        ("/recall/{name}/{id}", "recall-task", format!("/recall/{sample}/2")),
        ("/rules/{id}", "rule-backtest", "/rules/test.word".to_owned()),
        ("/quality", "quality-recall", "/quality".to_owned()),
    ];
    look_at(&browser, &shop, axe.as_deref(), &pages).await;
    // First the own view, then the last word, by the same keys as in the queue.
    browser.open(&format!("{}/disputes/1", shop.address)).await;
    browser.press("x").await;
    browser.press("5").await;
    browser.until("document.querySelector('#decide').action.endsWith('/disputes/1/decide')").await;
    browser.until("document.documentElement.dataset.ready === 'true'").await;
    browser.press("x").await;
    browser.press("5").await;
    browser.until("location.pathname === '/disputes'").await;
    assert_eq!(shop.hit(1).await.state, HitState::Dismissed);
    browser.open(&format!("{}/recall/next", shop.address)).await;
    let at = "document.querySelector('#undo-hit') && document.documentElement.dataset.ready === 'true'";
    browser.press("1").await;
    browser.until(at).await;
    let (_, samples) = send(&hu, Method::GET, "/api/v1/samples", json!({})).await;
    assert_eq!(samples[0]["looked"], 2);
    browser.press("z").await;
    browser.until("!document.querySelector('#undo-hit') && document.documentElement.dataset.ready === 'true'").await;
    let (_, samples) = send(&hu, Method::GET, "/api/v1/samples", json!({})).await;
    assert_eq!(samples[0]["looked"], 1, "taken back");
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}
