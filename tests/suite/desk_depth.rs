//! The desk in depth, over HTTP: filters, groups, many at once, what is remembered, second persons, notes, checks.

use markwarden::{
    model::{HitState, NewHit, Role, Verdict},
    review::{SecondApproval, Settings},
};
use proptest::prelude::*;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    desk::{Visitor, location},
    desk_shop::{Shop, hits},
};

/// A hit of a template: listing `n` of `seller`, written from the same words.
fn clone_of(n: u32, seller: &str, words: &str) -> NewHit {
    let title = format!("2026新款 云雀 气垫跑鞋 男女同款 工厂直发 {n}码");
    let listing = json!({
        "id": format!("星集:{n}"), "title": title, "description": words, "platform": "星河商城", "seller": {"name": seller}
    });
    let finding = json!({
        "kind": "mark", "ref": "m-yunque-25", "family": "云雀体育用品有限公司", "surface": "title", "start": 7, "end": 9,
        "text": "云雀", "word": "云雀", "channels": [], "score": 0.9, "severity": "high", "citation": "", "explanation": []
    });
    serde_json::from_value(json!({
        "dedupe": format!("{:032x}", 7000 + n), "family": "云雀体育用品有限公司", "listing": listing, "severity": "high",
        "findings": [finding], "priority": 180, "capture": null, "evidence": null, "matched_with": "g7",
        "found_at": "2026-11-20T08:00:00Z"
    }))
    .unwrap()
}

const WORDS: &str = "云雀同厂同料，鞋底防滑耐磨，尺码齐全，拍下备注颜色，工厂直发，支持验货，七天无理由退换。";

pub fn clones(count: u32) -> Vec<NewHit> {
    (1..=count).map(|n| clone_of(n, "莆仙优品鞋业", WORDS)).collect()
}

async fn states(shop: &Shop, ids: std::ops::RangeInclusive<u64>) -> Vec<HitState> {
    let mut states = Vec::new();
    for id in ids {
        states.push(shop.hit(id).await.state);
    }
    states
}

#[tokio::test]
async fn words_to_leave_out_and_fields_narrow_the_queue_and_a_saved_filter_can_be_shared() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let page = lin.page("/queue?text=%E4%BA%91%E9%9B%80+-%E8%A1%A8%E5%B8%A6+-seller%3A%E8%8E%86%E4%BB%99").await;
    assert!(!page.contains("\"/hits/7") && !page.contains("\"/hits/1?") && page.contains("\"/hits/4?"), "{page}");
    let page = lin.page("/queue?text=ref%3Aad.superlative").await;
    assert!(page.contains("\"/hits/3?") && !page.contains("\"/hits/1?"));
    let form = [("name", "<b>食品</b>"), ("query", "state=open&text=ref%3Aad.superlative"), ("shared", "on")];
    let answer = lin.post("/filters", &form).await;
    assert_eq!(location(&answer), "/queue?state=open&text=ref%3Aad.superlative");
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    let page = wu.page("/queue").await;
    assert!(page.contains("text=ref%3Aad.superlative") && page.contains("&#60;b&#62;食品"), "{page}");
    let key =
        lin.page("/queue").await.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(wu.post("/filters", &[("key", &key)]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    lin.post("/filters", &[("key", &key)]).await;
    assert!(!wu.page("/queue").await.contains("食品&#60;/b"));
}

#[tokio::test]
async fn what_is_late_comes_first_and_says_so() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    assert!(!lin.page("/queue").await.contains("due-over"));
    shop.clock.advance(jiff::SignedDuration::from_hours(6));
    let page = lin.page("/queue?text=due%3Aover").await;
    assert!(page.contains("due-over") && page.contains("\"/hits/1?") && !page.contains("\"/hits/7"), "{page}");
}

#[tokio::test]
async fn near_identical_hits_are_decided_once_split_and_undone_as_one() {
    let mut all = clones(12);
    all.push(clone_of(99, "别家", "食品级内胆，倒置不漏，送清洁刷与杯套一只，学生水杯。"));
    let shop = Shop::open_with(all).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let page = lin.page("/hits/1").await;
    assert_eq!(page.matches("name=\"member\"").count(), 11, "the others of the template, and not the other shop's");
    // The third is taken out.
    let members: Vec<String> = (2..=12).filter(|id| *id != 3).map(|id| format!("{id}:0")).collect();
    let mut form = vec![("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0"), ("group", "on")];
    form.extend(members.iter().map(|member| ("member", member.as_str())));
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    let act = shop.hit(1).await.decisions[0].act.clone().unwrap();
    for id in 1..=13 {
        let state = if id == 3 || id == 13 { HitState::Open } else { HitState::Confirmed };
        assert_eq!(shop.hit(id).await.state, state, "hit {id}");
    }
    let changes = shop.store.changes_since(0, 1000).await.unwrap();
    assert_eq!(changes.iter().filter(|change| change.what.get("settled").is_some()).count(), 1, "one act of the store");
    // Two are split off later; the rest is undone as one.
    let part = [("what", "part"), ("member", "4"), ("member", "5")];
    assert_eq!(location(&lin.post(&format!("/acts/{act}/undo"), &part).await), format!("/acts/{act}"));
    assert_eq!(states(&shop, 4..=6).await, [HitState::Open, HitState::Open, HitState::Confirmed]);
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    assert_eq!(wu.post(&format!("/acts/{act}/undo"), &[]).await.status(), StatusCode::FORBIDDEN);
    lin.post(&format!("/acts/{act}/undo"), &[]).await;
    assert!(states(&shop, 1..=13).await.iter().all(|state| *state == HitState::Open));
}

#[tokio::test]
async fn a_frozen_list_takes_nothing_new_in_leaves_what_changed_and_is_undone_as_one() {
    let shop = Shop::open_with(clones(30)).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let at = location(&lin.post("/bulk", &[("filter", "text=云雀")]).await).to_owned();
    let page = lin.page(&at).await;
    assert!(page.contains("30"), "{page}");
    // Meanwhile one is decided elsewhere, and a new one comes.
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    wu.page("/hits/7").await;
    wu.post("/hits/7/decide", &[("reason", "dismiss:authorised"), ("fence", "1"), ("seen", "0")]).await;
    shop.bring(vec![clone_of(500, "莆仙优品鞋业", WORDS)]).await;
    assert_eq!(
        wu.post(&format!("{at}/decide"), &[("reason", "confirm:counterfeit")]).await.status(),
        StatusCode::NOT_FOUND
    );
    lin.post(&format!("{at}/decide"), &[("reason", "confirm:counterfeit")]).await;
    let mut page = String::new();
    for _ in 0..500 {
        page = lin.page(&at).await;
        if page.contains("/undo\"") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(page.contains("29"), "{page}");
    assert_eq!(shop.hit(7).await.state, HitState::Dismissed);
    assert_eq!(shop.hit(31).await.state, HitState::Open);
    lin.post(&format!("/acts/{}/undo", at.rsplit('/').next().unwrap()), &[]).await;
    let open = states(&shop, 1..=31).await.into_iter().filter(|state| *state == HitState::Open).count();
    assert_eq!(open, 30, "all but the one that somebody else decided");
}

#[tokio::test]
async fn many_at_once_ask_for_their_number() {
    let shop = Shop::open_with(clones(501)).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let at = location(&lin.post("/bulk", &[("filter", "")]).await).to_owned();
    for count in ["", "500", "x"] {
        let answer = lin.post(&format!("{at}/decide"), &[("reason", "dismiss:common-word"), ("count", count)]).await;
        assert!(answer.text().await.unwrap().contains("role=\"alert\""), "{count}");
    }
    assert_eq!(shop.hit(1).await.state, HitState::Open);
    let answer = lin.post(&format!("{at}/decide"), &[("reason", "dismiss:common-word"), ("count", "501")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_same_content_is_dismissed_as_before_until_it_changes() {
    let same = |n: u32, words: &str| {
        let mut hit = clone_of(7, "莆仙优品鞋业", words);
        hit.dedupe = format!("{:032x}", 9000 + n);
        hit.listing.id = format!("星集:{n}");
        hit.found_at = "2026-11-20T10:00:00Z".parse().unwrap();
        hit
    };
    let shop = Shop::open_with(vec![clone_of(7, "莆仙优品鞋业", WORDS)]).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "dismiss:authorised"), ("fence", "1"), ("seen", "0")]).await;
    shop.clock.advance(jiff::SignedDuration::from_hours(1));
    shop.bring(vec![same(1, WORDS), same(2, "换了内容")]).await;
    let page = lin.page("/queue?state=dismissed").await;
    assert!(page.contains("\"/hits/2") && page.contains("#1"), "{page}");
    assert_eq!(states(&shop, 1..=3).await, [HitState::Dismissed, HitState::Dismissed, HitState::Open]);
    let made = shop.hit(2).await.decisions.pop().unwrap();
    assert_eq!((made.precedent.map(|id| id.0), made.by.as_str()), (Some(1), "desk-memory"));
    assert!(lin.page("/hits/2").await.contains("href=\"/hits/1\""));
    // Taken back, it takes back what rests on it.
    lin.post("/hits/1/undo", &[]).await;
    assert_eq!(states(&shop, 1..=2).await, [HitState::Open, HitState::Open]);
    lin.page("/queue").await;
    assert_eq!(shop.hit(2).await.state, HitState::Open, "and it stays open");
}

#[tokio::test]
async fn a_second_person_must_agree_and_it_is_never_the_first() {
    let review = Settings { second_approval: SecondApproval::Critical, ..Settings::default() };
    let shop = Shop::open_as(hits(), review).await;
    let (lin, wu) =
        (Visitor::signed_in(&shop, "lin", Role::Reviewer).await, Visitor::signed_in(&shop, "wu", Role::Reviewer).await);
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    assert_eq!(shop.hit(1).await.state, HitState::Proposed);
    let form = [("reason", "approve:second-agrees"), ("fence", "2"), ("seen", "1")];
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::CONFLICT);
    assert!(!lin.page("/hits/1").await.contains("approve:second-agrees"));
    assert_eq!(location(&wu.get("/review?state=proposed").await), "/hits/1?state=proposed");
    assert!(wu.page("/hits/1").await.contains("approve:second-agrees"));
    assert_eq!(wu.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(shop.hit(1).await.state, HitState::Confirmed);
    // What is not that bad needs one.
    lin.page("/hits/8").await;
    lin.post("/hits/8/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    assert_eq!(shop.hit(8).await.state, HitState::Confirmed);
}

/// The hits of a shop in which the rule of the first asks for more than the desk does.
fn asking(handling: serde_json::Value) -> Vec<NewHit> {
    let mut asking = clones(3);
    asking[0].findings[0].handling = serde_json::from_value(handling).unwrap();
    asking
}

#[tokio::test]
async fn a_rule_that_wants_a_second_person_gets_one_by_key_and_in_bulk_and_others_do_not() {
    let shop = Shop::open_with(asking(json!({"second_approval": true}))).await;
    let (lin, wu) =
        (Visitor::signed_in(&shop, "lin", Role::Reviewer).await, Visitor::signed_in(&shop, "wu", Role::Reviewer).await);
    for hit in ["1", "2"] {
        lin.page(&format!("/hits/{hit}")).await;
        let form = [("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")];
        lin.post(&format!("/hits/{hit}/decide"), &form).await;
    }
    assert_eq!(states(&shop, 1..=2).await, [HitState::Proposed, HitState::Confirmed]);
    let form = [("reason", "approve:second-agrees"), ("fence", "2"), ("seen", "1")];
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::CONFLICT);
    wu.page("/hits/1").await;
    assert_eq!(wu.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(shop.hit(1).await.state, HitState::Confirmed);

    let shop = Shop::open_with(asking(json!({"second_approval": true}))).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.page("/hits/1").await;
    let mut form = vec![("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0"), ("group", "on")];
    form.extend([("member", "2:0"), ("member", "3:0")]);
    lin.post("/hits/1/decide", &form).await;
    assert_eq!(states(&shop, 1..=3).await, [HitState::Proposed, HitState::Confirmed, HitState::Confirmed]);
}

#[tokio::test]
async fn a_rules_own_time_to_decide_counts_where_it_is_shorter() {
    for (sla_minutes, over) in [(120, true), (60_000, false)] {
        let shop = Shop::open_with(asking(json!({"sla_minutes": sla_minutes}))).await;
        let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
        shop.clock.advance(jiff::SignedDuration::from_hours(3));
        let late = lin.page("/queue?text=due%3Aover").await;
        assert_eq!(late.contains("due-over") && late.contains("\"/hits/1?"), over, "{late}");
        assert!(!late.contains("\"/hits/2"), "{late}");
        assert_eq!(lin.page("/hits/1").await.contains("due-over"), over);
    }
}

#[tokio::test]
async fn what_is_escalated_goes_to_another_person() {
    let shop = Shop::open().await;
    let (lin, wu) =
        (Visitor::signed_in(&shop, "lin", Role::Reviewer).await, Visitor::signed_in(&shop, "wu", Role::Reviewer).await);
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "escalate:needs-senior"), ("fence", "1"), ("seen", "0")]).await;
    assert_eq!(shop.hit(1).await.state, HitState::Escalated);
    let idle = lin.get("/review?state=escalated").await;
    assert_eq!(idle.status(), StatusCode::OK, "not back to who escalated");
    assert_eq!(location(&wu.get("/review?state=escalated").await), "/hits/1?state=escalated");
    wu.post("/hits/1/decide", &[("reason", "dismiss:authorised"), ("fence", "2"), ("seen", "1")]).await;
    assert_eq!(shop.hit(1).await.state, HitState::Dismissed);
}

#[tokio::test]
async fn a_note_follows_the_seller() {
    let shop = Shop::open_with(clones(2)).await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let page = lin.page("/hits/1").await;
    let seller = page.split("href=\"/sellers/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let note = [("text", "曾被投诉 <script>alert(1)</script>"), ("back", "1")];
    assert_eq!(location(&lin.post(&format!("/sellers/{seller}/notes"), &note).await), "/hits/1");
    for path in ["/hits/2".to_owned(), format!("/sellers/{seller}")] {
        let page = lin.page(&path).await;
        assert!(page.contains("曾被投诉 &#60;script&#62;"), "{path}");
    }
    let long = "字".repeat(2001);
    let answer = lin.post(&format!("/sellers/{seller}/notes"), &[("text", &long)]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let audit = Visitor::signed_in(&shop, "audit", Role::Auditor).await;
    assert_eq!(audit.post(&format!("/sellers/{seller}/notes"), &note).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(lin.get("/sellers/00").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(lin.get("/sellers/x").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_share_of_decisions_comes_to_a_second_person_unmarked_and_disagreement_shows() {
    let review = Settings { second_look_one_in: 1, ..Settings::default() };
    let shop = Shop::open_as(hits(), review).await;
    let (lin, wu) =
        (Visitor::signed_in(&shop, "lin", Role::Reviewer).await, Visitor::signed_in(&shop, "wu", Role::Reviewer).await);
    lin.page("/hits/2").await;
    lin.post("/hits/2/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    let claimed = wu.post("/review/claim", &[]).await.json::<serde_json::Value>().await.unwrap();
    let card = claimed.as_array().unwrap().iter().find(|item| item["id"] == 2).expect("it comes among others");
    let html = card["html"].as_str().unwrap();
    assert!(
        html.contains("data-state=\"open\"") && !html.contains(">lin<") && html.contains("name=\"reason\""),
        "{html}"
    );
    let form = [("reason", "dismiss:authorised"), ("fence", "1"), ("seen", "0")];
    assert_eq!(wu.post("/hits/2/decide", &form).await.status(), StatusCode::SEE_OTHER);
    let hit = shop.hit(2).await;
    assert_eq!((hit.state, hit.decisions.len()), (HitState::Confirmed, 1), "an opinion decides nothing");
    let page = lin.page("/quality").await;
    assert!(page.contains("意见不一</span><strong>1</strong>") && page.contains("wu"), "{page}");
    assert!(!page.contains("href=\"/hits/2\""), "what each said is for nobody who may have to settle it");
    // It can be taken back like a decision.
    assert_eq!(location(&wu.post("/hits/2/undo", &[]).await), "/hits/2");
    assert!(lin.page("/quality").await.contains("意见不一</span><strong>0</strong>"));
}

#[tokio::test]
async fn a_known_answer_is_asked_for_and_counted() {
    let review = Settings { second_look_one_in: 0, gold_one_in: 1, ..Settings::default() };
    let shop = Shop::open_as(hits(), review).await;
    let (lin, wu) =
        (Visitor::signed_in(&shop, "lin", Role::Reviewer).await, Visitor::signed_in(&shop, "wu", Role::Reviewer).await);
    lin.page("/hits/2").await;
    lin.post("/hits/2/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    lin.post("/hits/2/gold", &[("gold", "on")]).await;
    wu.page("/hits/1").await;
    wu.post("/hits/1/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    let claimed = wu.post("/review/claim", &[]).await.json::<serde_json::Value>().await.unwrap();
    assert!(claimed.as_array().unwrap().iter().any(|item| item["id"] == 2), "{claimed}");
    wu.post("/hits/2/decide", &[("reason", "confirm:mark-infringed"), ("fence", "1"), ("seen", "0")]).await;
    let page = lin.page("/quality").await;
    assert!(page.contains("1/1") && page.contains("wu"), "{page}");
}

#[tokio::test]
async fn own_keys_are_checked_and_kept() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    assert_eq!(location(&lin.post("/keys", &[("dismiss", "d"), ("skip", "q")]).await), "/keys");
    let page = lin.page("/hits/1").await;
    assert!(page.contains("dismiss:d") && page.contains("aria-keyshortcuts=\"q\""), "{page}");
    for form in
        [[("dismiss", "s"), ("skip", "s")], [("dismiss", "1"), ("skip", "q")], [("dismiss", "字"), ("skip", "q")]]
    {
        assert!(lin.post("/keys", &form).await.text().await.unwrap().contains("role=\"alert\""), "{form:?}");
    }
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    assert!(wu.page("/hits/1").await.contains("data-keymap=\"\""));
}

#[tokio::test]
async fn the_new_pages_lack_no_word_and_show_hostile_text_as_text() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.page("/hits/4").await;
    lin.post("/hits/4/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    let card = lin.page("/hits/4").await;
    let link = |start: &str| card.split(start).nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let seller = format!("/sellers/{}", link("href=\"/sellers/").unwrap());
    let listing = format!("/listings/{}", link("href=\"/listings/").unwrap());
    let bulk = location(&lin.post("/bulk", &[("filter", "")]).await).to_owned();
    for path in [&seller, &listing, &bulk, "/references/m-yunque-25", "/quality", "/keys", "/queue?state=escalated"] {
        for language in ["zh-CN", "en"] {
            let page = lin.page_in(path, language).await;
            assert!(!page.contains('⟦'), "{path} in {language}: {page}");
            for hostile in ["<script>alert", "<img src=x", "<svg onload", "\u{202E}"] {
                assert!(!page.contains(hostile), "{path} contains {hostile}");
            }
        }
    }
    assert_eq!(lin.get("/references/nothing").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(lin.get("/acts/nothing").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_clears_a_queue_and_nothing_is_lost_or_decided_twice() {
    let count = std::env::var("MARKWARDEN_CROWD_HITS").ok().and_then(|text| text.parse().ok()).unwrap_or(160);
    let shop = Shop::open_with(clones(count)).await;
    let names = ["lin", "wu", "zhao", "qian"];
    let visitors =
        futures_util::future::join_all(names.map(|name| Visitor::signed_in(&shop, name, Role::Reviewer))).await;
    let clear = async |visitor: &Visitor<'_>, seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        loop {
            let claimed = visitor.post("/review/claim", &[]).await.json::<serde_json::Value>().await.unwrap();
            let items: Vec<(u64, u64)> = claimed
                .as_array()
                .unwrap()
                .iter()
                .map(|item| (item["id"].as_u64().unwrap(), item["fence"].as_u64().unwrap()))
                .collect();
            if items.is_empty() {
                break;
            }
            for (id, fence) in items {
                let (reason, fence) =
                    ([("confirm:counterfeit"), ("dismiss:authorised")][random.usize(..2)], fence.to_string());
                let seen = shop.hit(id).await.decisions.len().to_string();
                let form = [("reason", reason), ("fence", fence.as_str()), ("seen", seen.as_str())];
                visitor.post(&format!("/hits/{id}/decide"), &form).await;
                // Some change their mind, and leave the hit to whoever comes.
                if random.u8(..10) == 0 {
                    visitor.post(&format!("/hits/{id}/undo"), &[]).await;
                }
            }
        }
    };
    futures_util::future::join_all(visitors.iter().zip(1..).map(|(visitor, seed)| clear(visitor, seed))).await;
    for id in 1..=u64::from(count) {
        let hit = shop.hit(id).await;
        assert!(!hit.state.waits(), "hit {id} was lost: {:?}", hit.decisions);
        let mut open = true;
        for made in &hit.decisions {
            assert_eq!(
                open,
                made.verdict != Verdict::Reopen,
                "hit {id} was decided while it was decided: {:?}",
                hit.decisions
            );
            open = made.verdict == Verdict::Reopen;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_searched_for_is_answered(text in ".{0,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::open().await;
            let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
            let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("text", &text).finish();
            let page = lin.get(&format!("/queue?{query}")).await;
            assert_eq!(page.status(), StatusCode::OK, "{text:?}");
        });
    }
}
