//! Every address of the desk's table, asked as everybody who must not: other tenants, other roles, other sites, strangers.

use markwarden::{
    marks::import_csv,
    model::{Account, Permission, Role, Scope},
    monitor::Portfolio,
    store::{Batch, Write},
    web::{Needs, Route, routes},
};
use reqwest::{Method, Response, StatusCode};

use crate::{
    desk::Visitor,
    desk_shop::{PASSWORD, Shop, account},
};

/// Whose hit is number 2; all others belong to somebody else.
const OWN: &str = "诺瓦声学股份有限公司";
/// What only the others' hits, marks and accounts say.
const FOREIGN: [&str; 11] = [
    "云雀",
    "Skylark",
    "莆仙优品",
    "苦荞茶",
    "康源草本",
    "收纳箱",
    "简居生活",
    "源头工厂",
    "ad.food",
    "m-yunque",
    "鹿鸣",
];

/// The table's path with names of things that exist and belong to others.
fn foreign(route: &Route) -> String {
    let path = route.path.replace("{hash}", "0000000000000000").replace("{token}", "0").replace("{name}", "audit");
    let path = path.replace("{what}", "hits.csv").replace("{*file}", "index.html").replace("{act}", "submit");
    path.replace("{id}", "1")
}

async fn ask(visitor: &Visitor<'_>, route: &Route, path: &str) -> Response {
    if route.method == Method::GET { visitor.get(path).await } else { visitor.send(&route.method, path).await }
}

#[test]
fn the_table_names_each_address_once_and_strangers_reach_only_the_door() {
    let mut seen = std::collections::BTreeSet::new();
    for route in routes() {
        assert!(seen.insert((route.method.to_string(), route.path)), "{} {} stands twice", route.method, route.path);
        let door = ["/healthz", "/readyz", "/assets/", "/sign-in", "/enter/", "/preferences"];
        let at_door = door.iter().any(|place| route.path.starts_with(place));
        assert_eq!(route.needs == Needs::Nothing, at_door, "{} {}", route.method, route.path);
    }
    assert!(seen.len() > 25, "{}", seen.len());
}

#[tokio::test]
async fn no_address_tells_a_tenant_anything_of_another() {
    let shop = Shop::open().await;
    let file = "id,holder,text,number\n1,云雀体育用品有限公司,鹿鸣,77\n";
    let foreign_mark = import_csv("marks.csv", file).unwrap().remove(0);
    let draft = Portfolio::default().draft(&foreign_mark).unwrap();
    let writes = vec![Write::Mark(foreign_mark), draft];
    shop.store.apply(Batch { actor: "root".into(), writes }).await.unwrap();
    for role in Role::ALL {
        let who = Account { scope: Scope::of_holders([OWN]), ..account("hu", role) };
        let hu = Visitor::signed_in_as(&shop, who.clone()).await;
        for route in routes().filter(|route| route.path != "/sign-out") {
            let (path, place) = (foreign(route), format!("{} {} as {role:?}", route.method, route.path));
            let answer = ask(&hu, route, &path).await;
            let status = answer.status();
            let body = answer.text().await.unwrap();
            match route.needs {
                Needs::May(permission) if !who.may(permission) => assert_eq!(status, StatusCode::FORBIDDEN, "{place}"),
                Needs::May(_) if route.path.contains("{id}") || route.path.contains("{name}") => {
                    assert_eq!(status, StatusCode::NOT_FOUND, "{place}")
                }
                _ => assert!(!status.is_server_error(), "{place}: {status}"),
            }
            for words in FOREIGN {
                assert!(!body.contains(words), "{place} tells of {words}: {body}");
            }
        }
    }
    assert!(shop.hit(1).await.decisions.is_empty());
}

#[tokio::test]
async fn a_tenant_finds_its_own_hits_and_no_count_of_others() {
    let shop = Shop::open().await;
    let who = Account { scope: Scope::of_holders([OWN]), ..account("hu", Role::Holder) };
    let hu = Visitor::signed_in_as(&shop, who).await;
    let queue = hu.page("/queue").await;
    assert!(queue.contains("/hits/2") && queue.contains("<span class=\"count\">1</span>"), "{queue}");
    assert!(hu.page("/hits/2").await.contains("降噪耳机"));
    assert_eq!(
        hu.get("/hits/999").await.text().await.unwrap(),
        hu.get("/hits/1").await.text().await.unwrap().replace("/hits/1", "/hits/999")
    );
}

#[tokio::test]
async fn every_role_reaches_what_it_may_and_nothing_else() {
    let shop = Shop::open().await;
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Holder) {
        let who = account("wu", role);
        let wu = Visitor::signed_in_as(&shop, who.clone()).await;
        for route in routes().filter(|route| route.path != "/sign-out") {
            let Needs::May(permission) = route.needs else { continue };
            let path = foreign(route).replace("/1", "/999").replace("/accounts/audit", "/accounts/nobody");
            let status = ask(&wu, route, &path).await.status();
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !who.may(permission), "{} {} as {role:?}: {status}", route.method, route.path);
        }
    }
    assert!(account("wu", Role::Admin).may(Permission::ManageAccounts));
}

#[tokio::test]
async fn nothing_changes_for_other_sites_forged_tokens_and_ended_sessions() {
    let shop = Shop::open().await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let late = Visitor::signed_in(&shop, "late", Role::Admin).await;
    let changing: Vec<&Route> =
        routes().filter(|route| route.method != Method::GET && route.path != "/sign-out").collect();
    assert!(changing.len() > 15);
    for route in &changing {
        let path = foreign(route);
        let place = format!("{} {}", route.method, route.path);
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            let answer = root.raw(&route.method, &path, &root.csrf, origin).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{place} from {origin}");
        }
        if route.path.starts_with("/sign-in") {
            continue;
        }
        for token in ["", "0", late.csrf.as_str(), &"0".repeat(64)] {
            let answer = root.raw(&route.method, &path, token, &shop.address).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{place} with the token {token}");
        }
    }
    let before = shop.listed().await;
    shop.clock.advance(jiff::SignedDuration::from_hours(13));
    for route in &changing {
        if matches!(route.needs, Needs::May(_)) {
            let answer = late.raw(&route.method, &foreign(route), &late.csrf, &shop.address).await;
            let refused = answer.status() == StatusCode::SEE_OTHER || answer.status() == StatusCode::UNAUTHORIZED;
            assert!(refused, "{} {}: {}", route.method, route.path, answer.status());
        }
    }
    assert_eq!(shop.listed().await, before);
}

#[tokio::test]
async fn of_ten_thousand_wrong_sign_ins_none_gets_in_and_unknown_names_look_like_known_ones() {
    let shop = Shop::open_with(Vec::new()).await;
    let stranger = Visitor::stranger(&shop);
    let (mut asked_to_wait, mut wrong) = (0, 0);
    for round in 0..5_000 {
        let password = format!("wrong password {round}");
        let mut told = Vec::new();
        for name in ["lin", "nil"] {
            let answer = stranger.post("/sign-in", &[("name", name), ("password", &password)]).await;
            assert!(answer.headers().get("set-cookie").is_none());
            let (status, wait) = (answer.status(), answer.headers().get("retry-after").cloned());
            let shown = format!("value=\"{name}\"");
            told.push((status, wait, answer.text().await.unwrap().replace(&shown, "")));
        }
        assert_eq!(told[0], told[1], "round {round}");
        match told[0].0 {
            StatusCode::TOO_MANY_REQUESTS => asked_to_wait += 1,
            StatusCode::UNAUTHORIZED => wrong += 1,
            other => panic!("{other}"),
        }
        shop.clock.advance(jiff::SignedDuration::from_secs(10));
    }
    assert!(asked_to_wait > 4_000 && wrong > 100, "{asked_to_wait} waits, {wrong} checked");
    shop.clock.advance(jiff::SignedDuration::from_secs(300));
    let answer = stranger.post("/sign-in", &[("name", "lin"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "who knows it gets in");
}

#[tokio::test]
async fn accounts_are_managed_and_sessions_end_with_their_reasons() {
    let shop = Shop::open_with(Vec::new()).await;
    let mut lin = Visitor::stranger(&shop);
    lin.sign_in("lin", PASSWORD).await;
    let mut elsewhere = Visitor::stranger(&shop);
    elsewhere.sign_in("lin", PASSWORD).await;
    assert!(lin.page("/account").await.contains("name=\"session\" value=\"others\""));
    let wrong = lin.post("/account/password", &[("password", "no"), ("new_password", "another password")]).await;
    assert!(wrong.text().await.unwrap().contains("class=\"problem\""));
    lin.post("/account/password", &[("password", PASSWORD), ("new_password", "another password")]).await;
    assert_eq!(elsewhere.get("/queue").await.status(), StatusCode::SEE_OTHER, "other browsers are signed out");
    assert_eq!(lin.get("/queue").await.status(), StatusCode::OK);

    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let form = [("name", "胡 & Co"), ("role", "holder"), ("role", "reviewer"), ("holders", "诺瓦; 云雀")];
    let made = root.post("/accounts", &form).await.text().await.unwrap();
    assert!(made.contains("胡 &#38; Co") || made.contains("胡 &amp; Co"), "{made}");
    assert_eq!(root.post("/accounts", &form).await.status(), StatusCode::CONFLICT);
    let nothing = root.post("/accounts", &[("name", "x"), ("role", "holder")]).await;
    assert_eq!(nothing.status(), StatusCode::UNPROCESSABLE_ENTITY);
    root.post("/accounts/lin/roles", &[("role", "auditor")]).await;
    assert_eq!(lin.post("/hits/1/decide", &[]).await.status(), StatusCode::FORBIDDEN, "at once");
    root.post("/accounts/lin/sign-out", &[]).await;
    assert_eq!(lin.get("/queue").await.status(), StatusCode::SEE_OTHER);
    root.post("/accounts/%E8%83%A1%20%26%20Co/remove", &[]).await;
    assert!(!root.page("/accounts").await.contains("胡"));
    assert_eq!(root.post("/accounts/root/remove", &[]).await.status(), StatusCode::CONFLICT, "the last admin stays");
    let noted = shop.noted().await;
    for what in ["account.sign-in", "account.added", "account.roles", "account.password", "account.removed"] {
        assert!(noted.contains(&what.to_owned()), "{what} in {noted:?}");
    }
}

/// A code of an authenticator app, by an implementation of its own (RFC 6238).
fn code(secret: &str, second: i64) -> String {
    let bits: String = secret
        .bytes()
        .map(|letter| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(char::from(letter)).unwrap())
        .map(|value| format!("{value:05b}"))
        .collect();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = ring::hmac::sign(&key, &(second / 30).to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let number = tag.as_ref()[offset..offset + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_counts_once() {
    let shop = Shop::open_with(Vec::new()).await;
    let mut lin = Visitor::stranger(&shop);
    lin.sign_in("lin", PASSWORD).await;
    let page = lin.page("/account").await;
    let secret = page.split("name=\"secret\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let now = |shop: &Shop| markwarden::model::Clock::now(&*shop.clock).as_second();
    let form = |code: &str| [("secret", secret.clone()), ("code", code.to_owned()), ("password", PASSWORD.to_owned())];
    let wrong = form("000000");
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(lin.post("/account/second", &wrong).await.text().await.unwrap().contains("class=\"problem\""));
    let right = form(&code(&secret, now(&shop)));
    let right: Vec<(&str, &str)> = right.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let set = lin.post("/account/second", &right).await.text().await.unwrap();
    let recovery = set
        .split("class=\"codes\"")
        .nth(1)
        .unwrap()
        .split("<code>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();

    shop.clock.advance(jiff::SignedDuration::from_secs(90));
    let ask = async |given: &str| {
        let mut visitor = Visitor::stranger(&shop);
        let asked = visitor.post("/sign-in", &[("name", "lin"), ("password", PASSWORD)]).await;
        assert!(asked.headers().get("set-cookie").is_none(), "the password alone is not enough");
        let page = asked.text().await.unwrap();
        let ticket = page.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let answer = visitor.post("/sign-in/code", &[("ticket", &ticket), ("code", given)]).await;
        let status = answer.status();
        let again = visitor.post("/sign-in/code", &[("ticket", &ticket), ("code", given)]).await;
        assert!(again.headers().get("set-cookie").is_none(), "a ticket and a code count once");
        visitor.csrf.clear();
        status
    };
    let fresh = code(&secret, now(&shop));
    assert_eq!(ask("123456").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&fresh).await, StatusCode::SEE_OTHER);
    assert_eq!(ask(&fresh).await, StatusCode::UNAUTHORIZED, "used up");
    shop.clock.advance(jiff::SignedDuration::from_secs(600));
    assert_eq!(ask(&recovery).await, StatusCode::SEE_OTHER);
    shop.clock.advance(jiff::SignedDuration::from_secs(600));
    assert_eq!(ask(&recovery).await, StatusCode::UNAUTHORIZED);
}
