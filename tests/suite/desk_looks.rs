//! Every page of the desk in a real browser: accessible in light and dark, Chinese and English, narrow and wide; nothing
//! scrolls sideways at 320 pixels or at 200 % zoom; no error, no report, nothing asked of another origin. The pages are held
//! against the table of routes, so that a new one is looked at too. Pictures go to `target/screenshots`.

use std::{collections::BTreeSet, sync::Arc};

use markwarden::{
    model::{Reason, Role, Verdict},
    web::routes,
};
use reqwest::Method;
use serde_json::json;
use thirtyfour::Cookie;

use crate::{
    desk::{Visitor, location},
    desk_browser::Browser,
    desk_depth::clones,
    desk_shop::{Shop, hits},
    operate::Place,
};

/// Addresses that answer with something other than a page of the desk, and what.
const NO_PAGES: &[(&str, &str)] = &[
    ("/", "leads to the queue"),
    ("/healthz", "one word"),
    ("/readyz", "JSON"),
    ("/assets/{hash}/{name}", "a style, a script or an icon"),
    ("/enter/{token}", "leads to the queue"),
    ("/imports/{name}/mistakes.csv", "a file"),
    ("/marks/template.csv", "a file"),
    ("/documents/{id}", "a file"),
    ("/metrics", "text for programs"),
    ("/recall/next", "leads to a listing of a sample"),
    ("/sign-in/oidc", "leads to the provider"),
    ("/sign-in/oidc/back", "leads on, or to the sign-in"),
    ("/sign-in/oidc/out", "leads to the provider"),
    ("/audit/export", "a file"),
];

/// Pages that `desk_quality` looks at, where there is an archive and a disagreement.
const ELSEWHERE: &[&str] = &["/disputes/{id}", "/recall/{name}/{id}"];

/// A page: its route, a name for pictures, its address.
pub type Page = (&'static str, &'static str, String);

/// How a page is looked at: scheme, width, magnification, whether axe looks and a picture is kept, by language.
struct Look {
    scheme: &'static str,
    width: u32,
    zoom: u32,
    examined: &'static [&'static str],
    pictured: &'static [&'static str],
}

const BOTH: &[&str] = &["zh-CN", "en"];
const LOOKS: &[Look] = &[
    Look { scheme: "light", width: 1280, zoom: 1, examined: &["zh-CN"], pictured: &["zh-CN"] },
    Look { scheme: "dark", width: 1280, zoom: 1, examined: &["en"], pictured: &["en"] },
    // 200 % of 1280 pixels.
    Look { scheme: "light", width: 640, zoom: 2, examined: &[], pictured: &[] },
    Look { scheme: "dark", width: 320, zoom: 1, examined: BOTH, pictured: &["en"] },
    Look { scheme: "light", width: 320, zoom: 1, examined: BOTH, pictured: &["zh-CN"] },
];

/// A desk with something on every page.
struct World {
    place: Place,
    pages: Vec<Page>,
}

impl World {
    async fn open() -> Self {
        let place = Place::open().await;
        place.crawl(0).await;
        place.crawl(0).await;
        let shop = &place.office;
        let before = shop.store.counts().await.unwrap().hits();
        let mut more = hits();
        more.extend(clones(30));
        shop.bring(more).await;
        let root = Visitor::signed_in(shop, "root", Role::Admin).await;
        let mut pages = subjects(shop, &root, before).await;
        pages.extend(holders(&root).await);
        let rules = root.page("/rules").await;
        let source = format!("/sources/{}", place.profiles[0].id);
        pages.extend([
            ("/sources", "sources", "/sources".to_owned()),
            ("/sources/{name}/addresses", "addresses", format!("{source}/addresses?run=1")),
            ("/sources/{name}", "source", source),
            ("/rules/{id}", "rule", format!("/rules/{}", between(&rules, "href=\"/rules/", "\""))),
        ]);
        let plain = [
            "/help",
            "/queue",
            "/keys",
            "/quality",
            "/disputes",
            "/recall",
            "/account",
            "/marks",
            "/seller-lists",
            "/alerts",
            "/documents",
            "/rules",
            "/alarms",
            "/audit",
            "/accounts",
        ];
        pages.extend(plain.map(|path| (path, path.trim_start_matches('/'), path.to_owned())));
        pages.push(("/marks/new", "mark-new", "/marks/new".to_owned()));
        Self { place, pages }
    }
}

fn between(page: &str, before: &str, after: &str) -> String {
    let rest = page.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {page}"));
    rest.split(after).next().unwrap().to_owned()
}

/// Pages about hits: each layout, each state, and what is around them.
async fn subjects(shop: &Shop, root: &Visitor<'_>, before: u64) -> Vec<Page> {
    // In the order of `hits`.
    let [disguised, letters, advert, hostile, long, live, _, decided] = std::array::from_fn(|n| before + 1 + n as u64);
    let decide = |id: u64, verdict: Verdict, reason: Reason| {
        let said = if verdict == Verdict::Dismiss { "dismiss" } else { "confirm" };
        let form = [("reason", format!("{said}:{}", reason.code())), ("fence", "0".into()), ("seen", "0".into())];
        async move {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert!(root.post(&format!("/hits/{id}/decide"), &form).await.status().is_redirection());
        }
    };
    decide(decided, Verdict::Dismiss, Reason::CommonWord).await;
    decide(letters, Verdict::Confirm, Reason::Counterfeit).await;
    root.post(&format!("/hits/{decided}/gold"), &[("gold", "on")]).await;
    let bulk = location(&root.post("/bulk", &[("filter", "text=男女同款+工厂直发")]).await).to_owned();
    let page = root.page(&format!("/hits/{disguised}")).await;
    let seller = format!("/sellers/{}", between(&page, "href=\"/sellers/", "\""));
    root.post(&format!("{seller}/notes"), &[("text", "上次的发票是伪造的，见 2026-09-12 的来函。")]).await;
    let listing = format!("/listings/{}", between(&page, "href=\"/listings/", "\""));
    let act = acted(shop, root).await;
    let hit = |id: u64| format!("/hits/{id}");
    vec![
        ("/review", "review", "/review".to_owned()),
        ("/hits/{id}", "hit", hit(disguised)),
        ("/hits/{id}", "advertising", hit(advert)),
        ("/hits/{id}", "hostile", hit(hostile)),
        ("/hits/{id}", "long", hit(long)),
        ("/hits/{id}", "live", hit(live)),
        ("/hits/{id}", "decided", hit(decided)),
        ("/queue", "filtered", "/queue?text=%E4%BA%91%E9%9B%80+-%E8%A1%A8%E5%B8%A6&order=oldest".to_owned()),
        ("/queue", "history", "/queue?state=dismissed".to_owned()),
        ("/queue", "escalated", "/queue?state=escalated".to_owned()),
        ("/queue", "empty", "/queue?text=nothing".to_owned()),
        ("/review", "idle", "/review?text=nothing".to_owned()),
        ("/bulk/{name}", "bulk", bulk),
        ("/acts/{act}", "act", act),
        ("/sellers/{key}", "seller", seller),
        ("/listings/{key}", "listing", listing),
        ("/references/{name}", "reference", "/references/m-yunque-25".to_owned()),
        ("", "not-found", "/nowhere".to_owned()),
    ]
}

/// One decision on several members of a group; its page.
async fn acted(shop: &Shop, root: &Visitor<'_>) -> String {
    let last = shop.store.counts().await.unwrap().hits();
    let members: Vec<String> = (last - 5..last).map(|id| format!("{id}:0")).collect();
    let mut form = vec![("reason", "confirm:counterfeit"), ("fence", "0"), ("seen", "0"), ("group", "on")];
    form.extend(members.iter().map(|member| ("member", member.as_str())));
    assert!(root.post(&format!("/hits/{last}/decide"), &form).await.status().is_redirection());
    format!("/acts/{}", shop.hit(last).await.decisions[0].act.clone().unwrap())
}

/// Pages of rights holders.
async fn holders(root: &Visitor<'_>) -> Vec<Page> {
    let file = "id,holder,text,jurisdiction,number,nice_classes,expires_on\n\
                CN-1,诺瓦声学股份有限公司,Novalent,CN,1,9,2027-01-01\nCN-2,云雀体育用品有限公司,云雀,CN,2,25,2035-01-01";
    let sent = root.upload("/imports", &[], Some(("file", "marks.csv", file.as_bytes()))).await;
    root.post(&format!("{}/draft", location(&sent)), &[]).await;
    root.post("/marks/CN-1/submit", &[]).await;
    let wrong = root.upload("/imports", &[("text", "商标,注册号,类别,备注\n栖木,7,25,新\n云雀,2,99,\n")], None).await;
    let import = location(&wrong).to_owned();
    root.post("/seller-lists", &[("list", "deny"), ("seller", "莆仙优品鞋业"), ("why", "一再出售假货")]).await;
    let letter = [("kind", "letter"), ("holder", "云雀体育用品有限公司"), ("until", "2026-12-31")];
    root.upload("/documents", &letter, Some(("file", "授权书.pdf", b"%PDF-1.7"))).await;
    let webhook = [("name", "新命中"), ("kind", "webhook"), ("to", "http://127.0.0.1:1/"), ("when", "now")];
    root.post("/alerts", &webhook).await;
    vec![("/imports/{name}", "import", import), ("/marks/{id}", "mark", "/marks/CN-1".to_owned())]
}

/// Looks at `pages` in every way.
pub async fn look_at(browser: &Browser, shop: &Shop, axe: Option<&str>, pages: &[Page]) {
    for language in BOTH {
        let mut cookie = Cookie::new("lang", *language);
        cookie.set_path("/");
        browser.driver.add_cookie(cookie).await.unwrap();
        for (route, name, path) in pages {
            browser.open(&format!("{}{path}", shop.address)).await;
            if let Some(axe) = axe {
                browser.driver.execute(axe, Vec::new()).await.unwrap();
            }
            for look in LOOKS {
                browser.look_at(look.width, 900 / look.zoom, look.zoom, look.scheme).await;
                let place = format!("{name}-{language}-{}-{}", look.scheme, look.width);
                let over = browser.said("return document.documentElement.scrollWidth - innerWidth").await;
                assert!(over.as_i64().unwrap() <= 0, "{place} scrolls sideways by {over}: {}", widest(browser).await);
                if axe.is_some() && look.examined.contains(language) {
                    accessible(browser, &place).await;
                }
                if look.pictured.contains(language) {
                    browser.picture(&place).await;
                }
            }
            // A page that is not there is an error in the console, as it should be.
            if route.is_empty() {
                drop(browser.driver.browser_log().await);
            }
            browser.nothing_amiss(shop).await;
        }
    }
}

/// What reaches over the right edge, for whoever mends it.
async fn widest(browser: &Browser) -> serde_json::Value {
    browser
        .said(
            "return [...document.querySelectorAll('body *')].filter(node => node.getBoundingClientRect().right > innerWidth)
               .slice(0, 5).map(node => node.outerHTML.slice(0, 160))",
        )
        .await
}

/// Asks axe-core about the page as it stands.
async fn accessible(browser: &Browser, place: &str) {
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
                           resultTypes: ['violations'], performanceTimer: false})
          .then(found => done(found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join(' | '))),
                error => done(['axe failed: ' + error]));";
    let found = browser.driver.execute_async(run, Vec::new()).await.unwrap();
    assert_eq!(found.json(), &json!([]), "{place}");
}

/// axe-core, where it is.
pub fn axe(test: &str) -> Option<String> {
    let axe = std::env::var("MARKWARDEN_AXE").ok().map(|path| std::fs::read_to_string(path).unwrap());
    if axe.is_none() {
        assert!(std::env::var_os("MARKWARDEN_REQUIRE_BROWSER").is_none(), "MARKWARDEN_AXE does not name axe.min.js");
        eprintln!("skipped: axe-core in {test}: MARKWARDEN_AXE does not name axe.min.js; pictures and widths only");
    }
    axe
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_page_is_accessible_in_every_look_language_and_width_in_browser() {
    let test = "every_page_is_accessible_in_every_look_language_and_width_in_browser";
    let Some(stranger) = Browser::start(test).await else { return };
    let axe: Option<Arc<str>> = axe(test).map(Into::into);
    let world = Arc::new(World::open().await);
    let door = [("/sign-in", "sign-in", "/sign-in".to_owned())];
    stranger.open(&format!("{}/sign-in", world.place.office.address)).await;
    look_at(&stranger, &world.place.office, axe.as_deref(), &door).await;
    stranger.close().await;

    let looked: BTreeSet<&str> = world.pages.iter().chain(&door).map(|(route, ..)| *route).collect();
    let pages = routes().filter(|route| route.method == Method::GET && !route.path.starts_with("/api/"));
    for route in pages {
        let elsewhere = ELSEWHERE.contains(&route.path);
        let known = elsewhere || looked.contains(route.path) || NO_PAGES.iter().any(|(path, _)| *path == route.path);
        assert!(known, "{} is a page that nobody looks at: name it in `World::open`, or in NO_PAGES", route.path);
    }
    // Two at once, on alternate pages.
    let halves: Vec<_> = (0..2)
        .map(|half| {
            let (world, axe) = (Arc::clone(&world), axe.clone());
            tokio::spawn(async move {
                let browser = Browser::start(test).await.unwrap();
                browser.open(&world.place.office.link("root", Role::Admin)).await;
                let own: Vec<Page> = world.pages.iter().skip(half).step_by(2).cloned().collect();
                look_at(&browser, &world.place.office, axe.as_deref(), &own).await;
                browser.close().await;
            })
        })
        .collect();
    for half in halves {
        half.await.unwrap();
    }
}
