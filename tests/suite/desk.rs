//! The desk over HTTP on loopback: who gets in, what is refused, what is escaped.

use markwarden::model::{Account, HitState, Role, Verdict};
use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};

use crate::desk_shop::{PASSWORD, Shop, account};

/// A browser without its eyes.
pub struct Visitor<'a> {
    shop: &'a Shop,
    pub client: Client,
    pub cookie: String,
    pub csrf: String,
}

impl<'a> Visitor<'a> {
    pub fn stranger(shop: &'a Shop) -> Self {
        // Another test may have installed it before.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { shop, client, cookie: String::new(), csrf: String::new() }
    }

    pub async fn signed_in(shop: &'a Shop, name: &str, role: Role) -> Self {
        Self::signed_in_as(shop, account(name, role)).await
    }

    /// Signed in by a one-time link.
    pub async fn signed_in_as(shop: &'a Shop, who: Account) -> Self {
        let mut visitor = Self::stranger(shop);
        let answer = visitor.client.get(shop.link_as(who)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        visitor.keep_cookie(&answer);
        visitor.keep_csrf().await;
        visitor
    }

    async fn keep_csrf(&mut self) {
        let page = self.get("/account").await.text().await.unwrap();
        self.csrf = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_eq!(self.csrf.len(), 64);
    }

    /// Signs in with a password.
    pub async fn sign_in(&mut self, name: &str, password: &str) {
        let answer = self.post("/sign-in", &[("name", name), ("password", password)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        self.keep_cookie(&answer);
        self.keep_csrf().await;
    }

    /// Asks for `path` with an empty form, as a page of the desk would.
    pub async fn send(&self, method: &Method, path: &str) -> Response {
        self.raw(method, path, &self.csrf, &self.shop.address).await
    }

    /// Asks for `path` with that form token, from that origin; the API is sent what it takes.
    pub async fn raw(&self, method: &Method, path: &str, token: &str, origin: &str) -> Response {
        let request = self
            .client
            .request(method.clone(), format!("{}{path}", self.shop.address))
            .header("cookie", &self.cookie)
            .header("origin", origin);
        if path.starts_with("/api/") {
            let body = match path.rsplit('/').next().unwrap() {
                "decide" => r#"{"verdict":"confirm","reason":"counterfeit","fence":1}"#,
                "renew" | "release" | "skip" => r#"{"fence":1}"#,
                "channels" => r#"{"unwatched":[]}"#,
                "tokens" => r#"{"label":"x","scope":["read-hits"],"days":1}"#,
                "check" | "explain" => r#"{"text":"x"}"#,
                _ => "{}",
            };
            let request = request.header("content-type", "application/json").header("x-csrf-token", token).body(body);
            return request.send().await.unwrap();
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("csrf={token}")).send().await.unwrap()
    }

    fn keep_cookie(&mut self, answer: &Response) {
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    /// The whole address of `path`.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.shop.address)
    }

    pub async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.shop.address);
        self.client.get(url).header("cookie", &self.cookie).send().await.unwrap()
    }

    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    pub async fn page_in(&self, path: &str, language: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.shop.address)).header("cookie", &self.cookie);
        let answer = request.header("accept-language", language).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    fn posting(&self, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.client
            .post(format!("{}{path}", self.shop.address))
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Sends a form with files, as a browser does.
    pub async fn upload(&self, path: &str, fields: &[(&str, &str)], file: Option<(&str, &str, &[u8])>) -> Response {
        let mut body: Vec<u8> = Vec::new();
        for (name, text) in fields.iter().copied().chain([("csrf", self.csrf.as_str())]) {
            let part = format!("--W\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
            body.extend(part.as_bytes());
        }
        if let Some((name, file_name, bytes)) = file {
            let head = format!(
                "--W\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            );
            body.extend(head.as_bytes());
            body.extend(bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--W--\r\n");
        let request = self.client.post(format!("{}{path}", self.shop.address)).header("cookie", &self.cookie);
        let request = request.header("content-type", "multipart/form-data; boundary=W").body(body);
        request.header("origin", &self.shop.address).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let mut form = form.to_vec();
        form.push(("csrf", &self.csrf));
        self.posting(path, &form).header("origin", &self.shop.address).send().await.unwrap()
    }
}

pub fn location(answer: &Response) -> &str {
    answer.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn nothing_is_shown_to_strangers() {
    let shop = Shop::open_with(Vec::new()).await;
    let stranger = Visitor::stranger(&shop);
    for path in ["/", "/queue", "/review", "/hits/1", "/help", "/no-such-page"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(location(&answer).starts_with("/sign-in"), "{path}");
    }
    let acts = [
        "/sign-out",
        "/review/claim",
        "/review/release",
        "/hits/1/decide",
        "/hits/1/skip",
        "/hits/1/undo",
        "/hits/1/claim",
    ];
    for path in acts {
        let answer = stranger.post(path, &[]).await;
        assert_eq!(location(&answer), "/sign-in", "{path}");
        let json = stranger.posting(path, &[]).header("origin", &shop.address).header("accept", "application/json");
        assert_eq!(json.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(stranger.page("/healthz").await, "ok\n");
}

#[tokio::test]
async fn a_password_signs_in_and_a_wrong_one_does_not() {
    let shop = Shop::open_with(Vec::new()).await;
    let mut visitor = Visitor::stranger(&shop);
    let form = |name, password| [("name", name), ("password", password), ("back", "/queue?severity=high")];
    for (name, password) in [("lin", "wrong password"), ("nobody", PASSWORD), ("lin", "")] {
        let answer = visitor.post("/sign-in", &form(name, password)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().get("set-cookie").is_none());
    }
    let answer = visitor.post("/sign-in", &form("lin", PASSWORD)).await;
    assert_eq!(location(&answer), "/queue?severity=high");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    visitor.keep_cookie(&answer);
    assert!(visitor.page("/queue").await.contains("lin"));
    shop.clock.advance(jiff::SignedDuration::from_hours(12));
    assert_eq!(visitor.get("/queue").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down_for_known_and_unknown_names_alike() {
    let shop = Shop::open_with(Vec::new()).await;
    let visitor = Visitor::stranger(&shop);
    for name in ["lin", "nobody"] {
        for _ in 0..5 {
            let answer = visitor.post("/sign-in", &[("name", name), ("password", "")]).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        }
        let answer = visitor.post("/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "1");
    }
    shop.clock.advance(jiff::SignedDuration::from_secs(1));
    let answer = visitor.post("/sign-in", &[("name", "lin"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_one_time_link_works_once() {
    let shop = Shop::open_with(Vec::new()).await;
    let visitor = Visitor::stranger(&shop);
    let link = shop.link("demo", Role::Admin);
    assert_eq!(visitor.client.get(&link).send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(visitor.client.get(&link).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let late = shop.link("demo", Role::Admin);
    shop.clock.advance(jiff::SignedDuration::from_secs(601));
    assert_eq!(visitor.client.get(&late).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let other = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    for token in ["", "0", other.csrf.as_str()] {
        let form = [("reason", "confirm:counterfeit"), ("csrf", token)];
        let answer = lin.posting("/hits/1/decide", &form).header("origin", &shop.address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(shop.hit(1).await.state, HitState::Open);
}

#[tokio::test]
async fn a_request_from_another_site_changes_nothing() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let form = [("reason", "confirm:counterfeit"), ("csrf", lin.csrf.as_str())];
    for (name, value) in [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = lin.posting("/hits/1/decide", &form).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert_eq!(lin.posting("/hits/1/decide", &form).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let rebound = lin.client.get(format!("{}/queue", shop.address)).header("host", "evil.example").send();
    assert_eq!(rebound.await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(shop.hit(1).await.state, HitState::Open);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    for path in ["/queue", "/hits/1", "/hits/999", "/sign-in", "/no-such-page"] {
        let answer = lin.get(path).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
    }
    let page = lin.page("/queue").await;
    let sheet = page.split("href=\"").find(|part| part.contains("desk.css")).unwrap().split('"').next().unwrap();
    let answer = lin.get(sheet).await;
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(lin.get("/assets/0000000000000000/desk.css").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_listing_says_is_shown_as_text() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    for path in ["/queue", "/hits/4", "/queue?text=%3Cscript%3Ealert(9)%3C/script%3E&platform=%22%3E%3Cb%3E"] {
        let page = lin.page(path).await;
        for hostile in
            ["<script>alert", "<img src=x", "<svg onload", "<style>body", "\" onmouseover=\"", "\"><b>", "\u{202E}"]
        {
            assert!(!page.contains(hostile), "{path} contains {hostile}");
        }
    }
    let page = lin.page("/hits/4").await;
    assert!(page.contains(">RLO</span>"), "{page}");
    assert!(!page.contains("href=\"javascript:"));
    assert!(lin.page("/hits/1").await.contains(">ZWSP</span>"));
    assert!(lin.page("/hits/1").await.contains("rel=\"noopener noreferrer nofollow\""));
}

#[tokio::test]
async fn no_page_lacks_a_word_in_either_language() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.post("/hits/8/decide", &[("reason", "dismiss:common-word"), ("seen", "0")]).await;
    let paths =
        ["/queue", "/queue?state=confirmed", "/queue?state=dismissed", "/queue?text=nothing", "/help", "/sign-in"];
    let hits = (1..=8).map(|id| format!("/hits/{id}"));
    for path in paths.into_iter().map(str::to_owned).chain(hits).chain(["/hits/999".into(), "/queue?state=odd".into()])
    {
        for language in ["zh-CN", "en"] {
            let request = lin.client.get(format!("{}{path}", shop.address)).header("cookie", &lin.cookie);
            let page = request.header("accept-language", language).send().await.unwrap().text().await.unwrap();
            assert!(!page.contains('⟦'), "{path} in {language}");
            if page.contains("<html") {
                assert!(page.contains(&format!("<html lang=\"{language}\"")), "{path} in {language}");
            }
        }
    }
}

#[tokio::test]
async fn without_script_a_hit_is_decided_undone_and_skipped_by_forms() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    assert_eq!(location(&lin.get("/review").await), "/hits/1");
    let page = lin.page("/hits/1").await;
    let fence = page.split("name=\"fence\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form =
        [("reason", "confirm:disguised"), ("fence", fence), ("seen", "0"), ("note", "零宽空格"), ("looked_ms", "4200")];
    let answer = lin.post("/hits/1/decide", &form).await;
    assert_eq!(location(&answer), "/review?done=1");
    let made = shop.hit(1).await.decisions.pop().unwrap();
    assert_eq!((made.verdict, made.note.as_str(), made.looked_ms), (Verdict::Confirm, "零宽空格", 4200));
    assert_eq!(location(&lin.get("/review?done=1").await), "/hits/2?done=1");
    assert!(lin.page("/hits/2?done=1").await.contains("action=\"/hits/1/undo\""));
    assert_eq!(location(&lin.post("/hits/1/undo", &[]).await), "/hits/1");
    assert_eq!(shop.hit(1).await.state, HitState::Open);
    for id in [1, 2] {
        lin.post(&format!("/hits/{id}/skip"), &[("fence", "0")]).await;
    }
    assert_eq!(location(&lin.get("/review").await), "/hits/3");
    shop.clock.advance(jiff::SignedDuration::from_hours(11));
    assert_eq!(
        location(&lin.get("/review").await),
        "/hits/3",
        "what was skipped does not come back to the same person"
    );
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    assert_eq!(location(&wu.get("/review").await), "/hits/1", "another person is given it");
}

#[tokio::test]
async fn two_reviewers_never_decide_the_same_hit() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let wu = Visitor::signed_in(&shop, "wu", Role::Reviewer).await;
    lin.page("/hits/1").await;
    assert!(!wu.page("/hits/1").await.contains("action=\"/hits/1/decide\""));
    let form = [("reason", "dismiss:wrong-match"), ("fence", "1"), ("seen", "0")];
    assert_eq!(wu.post("/hits/1/decide", &form).await.status(), StatusCode::CONFLICT);
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::SEE_OTHER, "sent twice by a bad line");
    assert_eq!(wu.post("/hits/1/undo", &[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(shop.hit(1).await.decisions.len(), 1);
}

#[tokio::test]
async fn an_auditor_reads_and_decides_nothing() {
    let shop = Shop::open().await;
    let audit = Visitor::signed_in(&shop, "audit", Role::Auditor).await;
    assert!(!audit.page("/hits/1").await.contains("action=\"/hits/1/decide\""));
    for path in ["/hits/1/decide", "/review/claim", "/hits/1/undo"] {
        let answer = audit.post(path, &[("reason", "confirm:counterfeit"), ("seen", "0")]).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    assert_eq!(shop.hit(1).await.state, HitState::Open);
}

#[tokio::test]
async fn filters_stand_in_the_address_and_pages_follow_each_other() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let page = lin.page("/queue?platform=%E8%80%81%E8%A1%97%E9%9B%86%E5%B8%82&severity=high").await;
    assert!(page.contains("/hits/2?") && page.contains("/hits/8?") && !page.contains("/hits/1?"));
    let rest = lin.page("/queue?after=165-6").await;
    assert!(rest.contains("\"/hits/8\"") && !rest.contains("\"/hits/6\""));
    assert_eq!(lin.get("/queue?after=nonsense").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn too_long_a_form_is_refused() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    let note = "a".repeat(70_000);
    assert_eq!(lin.post("/hits/1/decide", &[("note", note.as_str())]).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let form = [("reason", "confirm:counterfeit"), ("seen", "0"), ("note", &note[..2001])];
    assert_eq!(lin.post("/hits/1/decide", &form).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn who_was_removed_is_signed_out_at_once() {
    let shop = Shop::open_with(Vec::new()).await;
    let mut visitor = Visitor::stranger(&shop);
    let answer = visitor.post("/sign-in", &[("name", "lin"), ("password", PASSWORD)]).await;
    visitor.keep_cookie(&answer);
    assert_eq!(visitor.get("/queue").await.status(), StatusCode::OK);
    shop.remove_account("lin");
    assert_eq!(visitor.get("/queue").await.status(), StatusCode::SEE_OTHER);
}
