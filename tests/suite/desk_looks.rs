//! The pages beside the queue in a real browser: accessible in both looks, languages and widths, without complaint.

use markwarden::model::Role;

use crate::{
    desk::Visitor,
    desk_browser::{Browser, every_look},
    desk_shop::Shop,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_beside_the_queue_is_accessible_in_browser() {
    let test = "every_page_beside_the_queue_is_accessible_in_browser";
    let Some(browser) = Browser::start(test).await else { return };
    let axe = std::env::var("MARKWARDEN_AXE").ok().map(|path| std::fs::read_to_string(path).unwrap());
    assert!(axe.is_some() || std::env::var_os("MARKWARDEN_REQUIRE_BROWSER").is_none(), "MARKWARDEN_AXE is not set");
    let shop = Shop::open_with_rules().await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let file = "id,holder,text,jurisdiction,number,nice_classes,expires_on\n\
                CN-1,诺瓦声学股份有限公司,Novalent,CN,1,9,2027-01-01\nCN-2,云雀体育用品有限公司,云雀,CN,2,25,2035-01-01";
    let sent = root.upload("/imports", &[], Some(("file", "marks.csv", file.as_bytes()))).await;
    let import = crate::desk::location(&sent).to_owned();
    root.post(&format!("{import}/draft"), &[]).await;
    root.post("/marks/CN-1/submit", &[]).await;
    let wrong = root.upload("/imports", &[("text", "商标,注册号,类别,备注\n栖木,7,25,新\n云雀,2,99,\n")], None).await;
    let import = crate::desk::location(&wrong).to_owned();
    root.post("/seller-lists", &[("list", "deny"), ("seller", "莆仙优品鞋业"), ("why", "一再出售假货")]).await;
    let letter = [("kind", "letter"), ("holder", "云雀体育用品有限公司"), ("until", "2026-12-31")];
    root.upload("/documents", &letter, Some(("file", "授权书.pdf", b"%PDF-1.7"))).await;
    let webhook = [("name", "新命中"), ("kind", "webhook"), ("to", "http://127.0.0.1:1/"), ("when", "now")];
    root.post("/alerts", &webhook).await;
    browser.open(&shop.link("root", Role::Admin)).await;
    let page = root.page("/rules").await;
    let rule = format!("/rules/{}", page.split("href=\"/rules/").nth(1).unwrap().split('"').next().unwrap());
    let pages = [
        ("account", "/account"),
        ("accounts", "/accounts"),
        ("audit", "/audit"),
        ("sources", "/sources"),
        ("rules", "/rules"),
        ("rule", rule.as_str()),
        ("seller-lists", "/seller-lists"),
        ("documents", "/documents"),
        ("alerts", "/alerts"),
        ("marks", "/marks"),
        ("mark", "/marks/CN-1"),
        ("mark-new", "/marks/new"),
        ("import", import.as_str()),
    ];
    every_look(&browser, &shop, axe.as_deref(), &pages).await;
    browser.nothing_amiss(&shop).await;
    browser.close().await;
}
