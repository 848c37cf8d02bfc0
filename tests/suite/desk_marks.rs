//! Marks of holders at the desk: registered, verified by a second person, tried before they go live.

use std::{fmt::Write as _, time::Instant};

use markwarden::{
    model::{Account, Role, Scope},
    store::Store,
};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    desk::Visitor,
    desk_shop::{Shop, account},
};

const HOLDER: &str = "诺瓦声学股份有限公司";

async fn holder<'a>(shop: &'a Shop, name: &str, of: &str) -> Visitor<'a> {
    let who = Account { scope: Scope::of_holders([of]), ..account(name, Role::Holder) };
    Visitor::signed_in_as(shop, who).await
}

#[tokio::test]
async fn a_holder_registers_a_mark_and_a_second_person_lets_it_go_live() {
    let shop = Shop::open().await;
    let hu = holder(&shop, "hu", HOLDER).await;
    let form = [
        ("text", "Novalent"),
        ("holder", HOLDER),
        ("jurisdiction", "CN"),
        ("number", "12345"),
        ("nice_classes", "9"),
        ("expires_on", "2027-02-01"),
        ("go", "draft"),
    ];
    let saved = hu.post("/marks/new", &form).await;
    assert_eq!(saved.headers()["location"], "/marks?stage=draft&added=1");
    let again = hu.post("/marks/new", &form).await;
    assert_eq!(again.headers()["location"], "/marks?stage=draft&added=0", "the same again changes nothing");
    let page = hu.page("/marks/CN-12345").await;
    assert!(page.contains("/marks/CN-12345/submit") && !page.contains("/marks/CN-12345/activate"), "{page}");

    let trial = hu.post("/marks/CN-12345/trial", &[]).await.text().await.unwrap();
    assert!(trial.contains("降噪耳机") && !trial.contains("苦荞茶"), "only what it would find: {trial}");

    assert_eq!(hu.post("/marks/CN-12345/activate", &[]).await.status(), StatusCode::CONFLICT);
    hu.post("/marks/CN-12345/submit", &[]).await;
    assert_eq!(hu.post("/marks/CN-12345/verify", &[]).await.status(), StatusCode::FORBIDDEN, "no second person");
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    assert_eq!(root.post("/marks/CN-12345/verify", &[]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(shop.store.counts().await.unwrap().marks, 0);
    hu.post("/marks/CN-12345/activate", &[]).await;
    assert_eq!(shop.store.counts().await.unwrap().marks, 1);
    assert!(hu.page("/marks?stage=expiring").await.contains("Novalent"));

    let other = holder(&shop, "she", "云雀体育用品有限公司").await;
    for path in ["/marks/CN-12345", "/api/v1/marks/CN-12345"] {
        assert_eq!(other.get(path).await.status(), StatusCode::NOT_FOUND);
    }
    assert!(!other.page("/marks").await.contains("Novalent"));
    let foreign = form.map(|(name, value)| if name == "number" { (name, "999") } else { (name, value) });
    let refused = other.post("/marks/new", &foreign).await.text().await.unwrap();
    assert!(refused.contains("class=\"problem\""), "a mark of another holder is not registered");
    hu.post("/marks/CN-12345/withdraw", &[]).await;
    assert_eq!(shop.store.counts().await.unwrap().marks, 0);
}

#[tokio::test]
async fn who_registers_a_mark_does_not_verify_it() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    root.post("/marks/new", &[("csv", "id,holder,text\nm1,云雀公司,云雀记"), ("go", "draft")]).await;
    root.post("/marks/m1/submit", &[]).await;
    assert_eq!(root.post("/marks/m1/verify", &[]).await.status(), StatusCode::FORBIDDEN);
    let wu = Visitor::signed_in(&shop, "wu", Role::Approver).await;
    assert_eq!(wu.post("/marks/m1/return", &[]).await.status(), StatusCode::SEE_OTHER);
    assert!(wu.page("/marks/m1").await.contains("stage-draft"));
}

#[tokio::test]
async fn a_file_is_looked_at_first_and_every_mistake_names_its_line() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let hostile = "id,holder,text\nm1,<script>alert(1)</script>,\"云雀\u{202e}<b>\"";
    let shown = root.post("/marks/new", &[("csv", hostile), ("go", "preview")]).await.text().await.unwrap();
    assert!(!shown.contains("<script>alert") && !shown.contains("云雀\u{202e}</bdi>"), "{shown}");
    assert!(root.page("/marks").await.contains("markwarden marks import"), "nothing was registered");
    let wrong = root.post("/marks/new", &[("csv", "text,nice_classes\n云雀,99\n栖木,25\n,1"), ("go", "draft")]).await;
    let wrong = wrong.text().await.unwrap();
    assert!(wrong.contains("2: ") && wrong.contains("4: ") && wrong.contains("99"), "{wrong}");
    let body = "x".repeat(9 << 20);
    assert_eq!(root.post("/marks/new", &[("csv", &body)]).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn ten_thousand_marks_are_registered_in_ten_seconds_and_again_in_none() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let mut file = "id,holder,text,jurisdiction,number,nice_classes\n".to_owned();
    for number in 0..10_000 {
        writeln!(file, "CN-{number},权利人{},标{number}记,CN,{number},{}", number % 50, 1 + number % 45).unwrap();
    }
    let begun = Instant::now();
    for new in [10_000, 0] {
        let request = root.client.post(format!("{}/api/v1/marks", shop.address)).header("cookie", &root.cookie);
        let request = request.header("origin", &shop.address).header("x-csrf-token", &root.csrf).body(file.clone());
        let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!((answer["read"].as_u64(), answer["new"].as_u64()), (Some(10_000), Some(new)));
    }
    let took = begun.elapsed();
    println!("10,000 marks registered, and sent again: {took:?}");
    assert!(took.as_secs() < 20, "{took:?} in a debug build");
    assert!(root.page("/marks?text=%E6%A0%879999").await.contains("标9999记"));
}
