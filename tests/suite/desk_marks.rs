//! Marks of holders at the desk: registered, verified by a second person, tried before they go live.

use std::{fmt::Write as _, time::Instant};

use markwarden::model::{Account, Role, Scope};
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
async fn the_ways_of_writing_that_a_mark_is_watched_for_are_chosen_and_shown_with_examples() {
    let shop = Shop::open_with_rules().await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let file = "id,holder,text,nice_classes\nm-yunque-25,云雀体育用品有限公司,云雀,25\n";
    let writes =
        markwarden::marks::import_csv("m", file).unwrap().into_iter().map(markwarden::store::Write::Mark).collect();
    shop.store.apply(markwarden::store::Batch { actor: "root".into(), writes }).await.unwrap();
    let page = root.page_in("/marks/m-yunque-25", "en").await;
    assert!(page.contains("雲雀") && page.contains("yun雀") && page.contains("waiting"), "{page}");
    let watched: Vec<(&str, &str)> = ["width", "traditional", "invisible"].map(|name| ("watch", name)).to_vec();
    assert_eq!(root.post("/marks/m-yunque-25/channels", &watched).await.status(), StatusCode::SEE_OTHER);
    shop.monitor.as_ref().unwrap().refresh().await.unwrap();
    let check = |title: &str| {
        let listing = markwarden::model::Listing { title: title.into(), ..Default::default() };
        let found = shop.monitor.as_ref().unwrap().matcher().check(&listing, "2026-11-20".parse().unwrap());
        found.findings.iter().any(|finding| finding.reference == "m-yunque-25")
    };
    assert!(check("云\u{200B}雀 跑鞋") && !check("云🔥雀 跑鞋"));
    let again = root.upload("/imports", &[("text", file)], None).await;
    let again = root.page_in(again.headers()["location"].to_str().unwrap(), "en").await;
    assert!(again.contains("<strong>1</strong>The same"), "a file does not change what is watched: {again}");
    let wrong = root.post("/marks/m-yunque-25/channels", &[("watch", "smoke")]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn who_registers_a_mark_does_not_verify_it() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    root.post("/marks/new", &[("text", "云雀记"), ("holder", "云雀公司"), ("number", "m1")]).await;
    root.post("/marks/m1/submit", &[]).await;
    assert_eq!(root.post("/marks/m1/verify", &[]).await.status(), StatusCode::FORBIDDEN);
    let wu = Visitor::signed_in(&shop, "wu", Role::Approver).await;
    assert_eq!(wu.post("/marks/m1/return", &[]).await.status(), StatusCode::SEE_OTHER);
    assert!(wu.page("/marks/m1").await.contains("stage-draft"));
}

#[tokio::test]
async fn a_file_is_looked_at_first_and_every_mistake_names_its_row() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let hostile = "id,holder,text\nm1,<script>alert(1)</script>,\"云雀\u{202e}<b>\"";
    let place = import(&root, "商标.csv", hostile.as_bytes()).await;
    let shown = root.page(&place).await;
    assert!(!shown.contains("<script>alert") && !shown.contains("云雀\u{202e}</bdi>"), "{shown}");
    assert!(root.page("/marks").await.contains("markwarden marks import"), "nothing was registered");
    let place = import(&root, "a.csv", "text,nice_classes,备注\n云雀,99,=1+1\n栖木,25,\n,1,\n".as_bytes()).await;
    let shown = root.page(&place).await;
    assert!(
        shown.contains("<strong>2</strong>") && shown.contains("<strong>4</strong>") && shown.contains("99"),
        "{shown}"
    );
    let wrong = root.page(&format!("{place}/mistakes.csv")).await;
    assert!(wrong.contains("\"云雀\",\"99\",\"'=1+1\",\"2\"") && !wrong.contains("栖木"), "{wrong}");
    let saved = root.post(&format!("{place}/draft"), &[]).await;
    assert_eq!(saved.headers()["location"], place.as_str(), "what is wrong can still be had");
    assert!(root.page("/marks").await.contains("栖木"));
    let wu = Visitor::signed_in(&shop, "wu", Role::Admin).await;
    assert_eq!(wu.get(&place).await.status(), StatusCode::NOT_FOUND, "a file is its sender's");
    let body = vec![b'x'; 9 << 20];
    assert_eq!(send(&root, "a.csv", &body).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for (name, bytes) in [("a.pdf", &b"%PDF-1.7"[..]), ("a.xlsx", b"PK\x03\x04"), ("a.csv", b""), ("a.xml", b"<x")] {
        assert!(send(&root, name, bytes).await.text().await.unwrap().contains("class=\"problem\""), "{name}");
    }
    let many = format!("text\n{}", "a\n".repeat(50_001));
    assert!(send(&root, "a.csv", many.as_bytes()).await.text().await.unwrap().contains("50000"));
}

#[tokio::test]
async fn columns_with_other_names_are_chosen_and_the_same_file_changes_nothing() {
    let shop = Shop::open_with(Vec::new()).await;
    let hu = holder(&shop, "hu", HOLDER).await;
    let file = format!("词,Reg. No.,谁\nNovalent,1,{HOLDER}\nNovabeat,2,{HOLDER}\nSkylark,3,云雀公司\n");
    let (file, _, _) = encoding_rs::GBK.encode(&file);
    let place = import(&hu, "品牌.csv", &file).await;
    let page = hu.page(&place).await;
    assert!(page.contains("role=\"alert\"") && page.contains("Novabeat"), "the first rows are shown: {page}");
    hu.post(&format!("{place}/columns"), &[("column0", "text"), ("column2", "holder")]).await;
    let page = hu.page_in(&place, "en").await;
    assert!(page.contains("<strong>2</strong>New") && page.contains("<strong>1</strong>Wrong"), "{page}");
    hu.post(&format!("{place}/draft"), &[]).await;
    let listed = hu.page("/marks?stage=draft").await;
    assert!(listed.contains("Novalent") && !listed.contains("Skylark"), "{listed}");
    let page = hu.page_in(&place, "en").await;
    assert!(page.contains("<strong>2</strong>The same"), "{page}");
    let changed = format!("text,number,holder,class\nNovalent,1,{HOLDER},9\nNovabeat,2,{HOLDER},\n");
    hu.post("/marks/2/submit", &[]).await;
    let place = import(&hu, "again.csv", changed.as_bytes()).await;
    let page = hu.page_in(&place, "en").await;
    assert!(page.contains("<strong>1</strong>Changed") && page.contains("<strong>1</strong>The same"), "{page}");
    assert!(page.contains("Nice classes</span>"), "what differs is named: {page}");
    let locked = format!("text,number,holder,class\nNovabeat,2,{HOLDER},9\n");
    let place = import(&hu, "again.csv", locked.as_bytes()).await;
    assert!(hu.page(&place).await.contains("no draft"), "what waits for a second person is not written over");
    assert_eq!(
        hu.post(&format!("{place}/columns"), &[("column0", "colour")]).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

/// Sends a file as a browser does.
async fn send(visitor: &Visitor<'_>, name: &str, bytes: &[u8]) -> reqwest::Response {
    visitor.upload("/imports", &[], Some(("file", name, bytes))).await
}

/// The same; where the file can be looked at.
async fn import(visitor: &Visitor<'_>, name: &str, bytes: &[u8]) -> String {
    let answer = send(visitor, name, bytes).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn ten_thousand_marks_of_a_workbook_are_imported_in_ten_seconds() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let cell = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let mut sheet = format!("<row>{}</row>", ["商标名称", "注册号", "权利人", "类别"].map(cell).concat());
    for number in 0..10_000 {
        let cells = [
            format!("标{number}记"),
            number.to_string(),
            format!("权利人{}", number % 50),
            (1 + number % 45).to_string(),
        ];
        write!(sheet, "<row>{}</row>", cells.map(|text| cell(&text)).concat()).unwrap();
    }
    let workbook = crate::desk_shop::workbook(&sheet);
    let begun = Instant::now();
    let place = import(&root, "商标.xlsx", &workbook).await;
    assert!(root.page_in(&place, "en").await.contains("<strong>10000</strong>New"));
    let looked = begun.elapsed();
    assert_eq!(root.post(&format!("{place}/draft"), &[]).await.headers()["location"], "/marks?stage=draft&added=10000");
    let took = begun.elapsed();
    println!("10,000 marks of a workbook: looked at in {looked:?}, registered in {took:?} (debug build)");
    let place = import(&root, "商标.xlsx", &workbook).await;
    assert!(root.page_in(&place, "en").await.contains("<strong>10000</strong>The same"));
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
