//! Lists of sellers and the letters behind them: written at the desk, obeyed by the matcher, told to nobody else.

use markwarden::{
    marks::import_csv,
    model::{Account, Findings, Listing, Role, Scope, Seller},
    monitor::Sellers,
    store::{Batch, Write},
};
use reqwest::StatusCode;

use crate::{
    desk::Visitor,
    desk_shop::{Shop, account},
};

const HOLDER: &str = "诺瓦声学股份有限公司";
const PDF: &[u8] = b"%PDF-1.7\nletter";

async fn holder<'a>(shop: &'a Shop, name: &str, of: &str) -> Visitor<'a> {
    let who = Account { scope: Scope::of_holders([of]), ..account(name, Role::Holder) };
    Visitor::signed_in_as(shop, who).await
}

/// A desk whose monitor watches one mark.
async fn shop() -> Shop {
    let shop = Shop::open_with_rules().await;
    let mark = format!("id,holder,text,nice_classes,jurisdiction\nn1,{HOLDER},Novalent,9,CN\n");
    let writes = import_csv("m", &mark).unwrap().into_iter().map(Write::Mark).collect();
    shop.store.apply(Batch { actor: "root".into(), writes }).await.unwrap();
    shop.monitor.as_ref().unwrap().refresh().await.unwrap();
    shop
}

fn check(shop: &Shop, day: &str) -> Findings {
    let seller = Seller { name: Some("声之家旗舰店".into()), ..Seller::default() };
    let listing = Listing {
        title: "Novalent 降噪耳机".into(),
        platform: Some("星河商城".into()),
        seller: Some(seller),
        ..Listing::default()
    };
    shop.monitor.as_ref().unwrap().matcher().check(&listing, day.parse().unwrap())
}

/// The path of the newest document on the page.
async fn newest(visitor: &Visitor<'_>) -> String {
    let page = visitor.page("/documents").await;
    format!("/documents/{}", page.split("href=\"/documents/").nth(1).unwrap().split('"').next().unwrap())
}

#[tokio::test]
async fn a_seller_with_a_letter_is_set_aside_by_it_on_its_days_and_no_longer_when_it_is_withdrawn() {
    let shop = shop().await;
    let hu = holder(&shop, "hu", HOLDER).await;
    let before = check(&shop, "2026-11-20");
    assert_eq!((before.findings.len(), before.suppressed.len()), (1, 0));
    let fields = [("kind", "letter"), ("from", "2026-01-01"), ("until", "2026-12-31")];
    hu.upload("/documents", &fields, Some(("file", "授权书.pdf", PDF))).await;
    hu.upload("/documents", &fields, Some(("file", "授权书.pdf", PDF))).await;
    assert_eq!(hu.page("/documents").await.matches("<h2><a").count(), 1, "the same again is the one that is there");
    let letter = newest(&hu).await;
    let id = letter.rsplit('/').next().unwrap();
    let entry =
        [("list", "allow"), ("seller", "声之家旗舰店"), ("letter", id), ("classes", "9"), ("platforms", "星河商城")];
    assert_eq!(hu.post("/seller-lists", &entry).await.status(), StatusCode::SEE_OTHER);
    hu.post("/seller-lists", &entry).await;
    assert!(
        hu.page("/seller-lists").await.contains("<span class=\"count\">1</span>"),
        "the same again is no second entry"
    );

    let allowed = check(&shop, "2026-11-20");
    assert_eq!((allowed.findings.len(), allowed.suppressed.len()), (0, 1));
    assert!(allowed.suppressed[0].suppressed.as_ref().unwrap().contains("授权书.pdf"), "{allowed:?}");
    let late = check(&shop, "2027-01-02");
    assert_eq!(late.findings.len(), 1, "the letter did not hold on that day");
    assert!(late.findings[0].explanation.iter().any(|step| step.code == "seller.out-of-scope"));
    assert!(hu.page("/documents").await.contains("stage-expiring"));

    let kept = Sellers::default();
    kept.follow(&*shop.store).await.unwrap();
    assert_eq!(kept.lists().all().len(), 1, "the journal says it all again");

    assert_eq!(hu.post(&format!("{letter}/verify"), &[]).await.status(), StatusCode::FORBIDDEN, "no second person");
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    assert_eq!(root.post(&format!("{letter}/verify"), &[]).await.status(), StatusCode::SEE_OTHER);
    hu.post(&format!("{letter}/withdraw"), &[]).await;
    assert_eq!(check(&shop, "2026-11-20").findings.len(), 1);
}

#[tokio::test]
async fn a_denied_seller_weighs_more_and_lists_for_all_are_for_who_sees_all() {
    let shop = shop().await;
    let before = check(&shop, "2026-11-20").findings[0].score;
    let operator = Visitor::signed_in(&shop, "wei", Role::Operator).await;
    operator.post("/seller-lists", &[("list", "deny"), ("seller", "声之家旗舰店"), ("why", "=1+1<b>")]).await;
    assert!(check(&shop, "2026-11-20").findings[0].score > before);
    assert!(operator.page("/seller-lists").await.contains("=1+1&#60;b&#62;"));
    let hu = holder(&shop, "hu", HOLDER).await;
    assert!(!hu.page("/seller-lists").await.contains("声之家"), "what the desk knows is not a holder's");
    hu.post("/seller-lists", &[("list", "watch"), ("seller", "耳语小店")]).await;
    let she = holder(&shop, "she", "云雀体育用品有限公司").await;
    assert!(!she.page("/seller-lists").await.contains("耳语小店"));
    let page = hu.page("/seller-lists").await;
    let id = page.split("/seller-lists/").nth(1).unwrap().split('/').next().unwrap();
    let remove = format!("/seller-lists/{id}/remove");
    assert_eq!(she.post(&remove, &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(hu.post(&remove, &[]).await.status(), StatusCode::SEE_OTHER);
    assert!(!hu.page("/seller-lists").await.contains("耳语小店"));
    for wrong in [
        vec![("list", "allow")],
        vec![("list", "best"), ("seller", "x")],
        vec![("list", "allow"), ("seller", "x"), ("classes", "46")],
        vec![("list", "allow"), ("seller", "x"), ("from", "soon")],
        vec![("list", "allow"), ("seller", "x"), ("holder", "云雀体育用品有限公司")],
        vec![("list", "allow"), ("seller", "x"), ("letter", "0")],
    ] {
        assert_eq!(hu.post("/seller-lists", &wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    }
    let (long, many) = ("长".repeat(201), (0..51).map(|n| format!("{n};")).collect::<String>());
    assert_eq!(
        hu.post("/seller-lists", &[("list", "allow"), ("seller", &long)]).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let many = [("list", "allow"), ("seller", "x"), ("goods", many.as_str())];
    assert_eq!(hu.post("/seller-lists", &many).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn documents_are_files_of_their_holder_and_of_known_kinds_alone() {
    let shop = shop().await;
    let hu = holder(&shop, "hu", HOLDER).await;
    for (name, bytes) in
        [("a.pdf", &b"<html>"[..]), ("a.svg", b"<svg onload=alert(1)>"), ("a.png", b"PNG"), ("a.pdf", b"")]
    {
        let answer = hu.upload("/documents", &[("kind", "letter")], Some(("file", name, bytes))).await;
        assert!(answer.text().await.unwrap().contains("class=\"problem\""), "{name}");
    }
    let large = [PDF, &vec![b' '; 11 << 20]].concat();
    let answer = hu.upload("/documents", &[("kind", "letter")], Some(("file", "a.pdf", &large))).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let hostile = "../<b>\u{202e}.pdf";
    let answer =
        hu.upload("/documents", &[("kind", "certificate"), ("mark", "n1")], Some(("file", hostile, PDF))).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(!hu.page("/documents").await.contains("<b>"));
    let path = newest(&hu).await;
    let file = hu.get(&path).await;
    let header = |name: &str| file.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/pdf");
    assert!(header("content-disposition").starts_with("attachment; filename=\"document.pdf\"; filename*=UTF-8''"));
    assert!(header("content-security-policy").starts_with("sandbox") && header("x-content-type-options") == "nosniff");
    assert_eq!(&file.bytes().await.unwrap()[..], PDF);
    let she = holder(&shop, "she", "云雀体育用品有限公司").await;
    assert_eq!(she.get(&path).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(she.post(&format!("{path}/withdraw"), &[]).await.status(), StatusCode::NOT_FOUND);
    let foreign =
        she.upload("/documents", &[("kind", "certificate"), ("mark", "n1")], Some(("file", "a.pdf", PDF))).await;
    assert_eq!(foreign.status(), StatusCode::UNPROCESSABLE_ENTITY, "of a mark that is not theirs");
    assert_eq!(hu.post(&format!("{path}/refuse"), &[]).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_file_of_sellers_is_taken_whole_or_not_at_all_and_again_changes_nothing() {
    let shop = shop().await;
    let hu = holder(&shop, "hu", HOLDER).await;
    let csv = "卖家,名单,类别,至\n声之家旗舰店,获授权,9,2026-12-31\n山寨数码,黑名单,,\n";
    let answer =
        hu.upload("/seller-lists/file", &[("list", "watch")], Some(("file", "卖家.csv", csv.as_bytes()))).await;
    assert_eq!(crate::desk::location(&answer), "/seller-lists?added=2");
    assert_eq!(check(&shop, "2026-11-20").suppressed.len(), 1, "the matcher obeys at once");
    let again = hu.upload("/seller-lists/file", &[("list", "watch")], Some(("file", "卖家.csv", csv.as_bytes()))).await;
    assert_eq!(crate::desk::location(&again), "/seller-lists?added=0");
    let wrong = "seller,list,classes\n新店,allow,9\n另一店,allow,99\n第三店,nowhere,\n";
    let answer = hu.upload("/seller-lists/file", &[], Some(("file", "a.csv", wrong.as_bytes()))).await;
    let page = answer.text().await.unwrap();
    assert!(page.contains("3: `classes`") && page.contains("4: `list`"), "{page}");
    assert!(!hu.page("/seller-lists").await.contains("新店"), "nothing of it was taken");
    let foreign = "seller,list,holder\n新店,allow,云雀体育用品有限公司\n";
    let answer = hu.upload("/seller-lists/file", &[], Some(("file", "a.csv", foreign.as_bytes()))).await;
    assert!(answer.text().await.unwrap().contains("2: `holder`"));
    let rows = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>seller</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>表格里的店</t></is></c></row>"#;
    let book = crate::desk_shop::workbook(rows);
    let answer = hu.upload("/seller-lists/file", &[("list", "watch")], Some(("file", "卖家.xlsx", &book))).await;
    assert_eq!(crate::desk::location(&answer), "/seller-lists?added=1");
    let large = vec![b'x'; (4 << 20) + 1];
    let answer = hu.upload("/seller-lists/file", &[], Some(("file", "a.csv", &large))).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn programs_do_what_the_portals_pages_do() {
    let shop = shop().await;
    let hu = holder(&shop, "hu", HOLDER).await;
    let ask = async |method: reqwest::Method, path: &str, kind: &str, body: Vec<u8>| {
        let request = hu.client.request(method, hu.address(path)).header("cookie", &hu.cookie);
        let request = request.header("origin", hu.address("")).header("x-csrf-token", &hu.csrf);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).unwrap_or_default())
    };
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    // A letter of three megabytes, which pages take too.
    let mut letter = PDF.to_vec();
    letter.resize(3 << 20, b' ');
    let path = "/api/v1/documents?kind=letter&title=%E6%8E%88%E6%9D%83%E4%B9%A6&until=2026-12-31";
    let (status, filed) = ask(post.clone(), path, "application/pdf", letter).await;
    assert_eq!((status, filed["state"].as_str()), (StatusCode::OK, Some("filed")), "{filed}");
    let (status, _) = ask(post.clone(), path, "application/pdf", b"no document".to_vec()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let id = filed["id"].as_str().unwrap();
    let listed = serde_json::json!({ "list": "allow", "seller": "声之家旗舰店", "letter": id, "classes": [9] });
    let (status, listed) =
        ask(post.clone(), "/api/v1/seller-lists", "application/json", listed.to_string().into()).await;
    assert_eq!((status, listed["holder"].as_str()), (StatusCode::OK, Some(HOLDER)), "{listed}");
    assert_eq!(check(&shop, "2026-11-20").suppressed.len(), 1);
    let own = format!("/api/v1/documents/{id}/verify");
    assert_eq!(
        ask(post.clone(), &own, "application/json", Vec::new()).await.0,
        StatusCode::FORBIDDEN,
        "a second person"
    );
    let li = Visitor::signed_in(&shop, "li", Role::Approver).await;
    let answer = li.send(&post, &own).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let (_, all) = ask(get.clone(), "/api/v1/documents", "application/json", Vec::new()).await;
    assert_eq!(all[0]["state"], "verified", "{all}");
    let file = hu.get(&format!("/api/v1/documents/{id}/file")).await;
    assert_eq!(file.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(file.bytes().await.unwrap().len(), 3 << 20);
    let gone = format!("/api/v1/seller-lists/{}", listed["id"].as_str().unwrap());
    assert_eq!(ask(reqwest::Method::DELETE, &gone, "application/json", Vec::new()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(check(&shop, "2026-11-20").suppressed.len(), 0);
    // Ways of writing.
    let ways = "/api/v1/marks/n1/channels";
    let body = serde_json::json!({ "unwatched": ["homophone"] }).to_string();
    assert_eq!(ask(reqwest::Method::PUT, ways, "application/json", body.into()).await.0, StatusCode::NO_CONTENT);
    let (_, told) = ask(get.clone(), ways, "application/json", Vec::new()).await;
    let homophone = told.as_array().unwrap().iter().find(|way| way["channel"] == "homophone").unwrap();
    assert_eq!((&homophone["watched"], &told[0]["watched"]), (&false.into(), &true.into()));
    let stranger = holder(&shop, "other", "云雀体育用品有限公司").await;
    for path in [ways, &format!("/api/v1/documents/{id}"), &format!("/api/v1/documents/{id}/file")] {
        assert_eq!(stranger.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
