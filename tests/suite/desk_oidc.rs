//! Sign-in at a provider of OpenID Connect: a provider on loopback with keys made at run time, and everything that must not
//! let anybody in.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use markwarden::{model::Clock, web::OidcSettings};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    desk::{Visitor, location},
    desk_shop::Shop,
};

/// How the provider signs.
enum Signs {
    Elliptic(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signs {
    fn elliptic() -> Self {
        let random = SystemRandom::new();
        let bytes = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::Elliptic(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes.as_ref(), &random).unwrap())
    }

    /// ring makes no such keys; openssl does.
    fn rsa() -> Self {
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"]);
        let made = command.output().expect("openssl makes the key; tests/run installs it");
        let key = made.stdout;
        Self::Rsa(RsaKeyPair::from_pkcs8(&key).or_else(|_| RsaKeyPair::from_der(&key)).unwrap())
    }

    fn key(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Elliptic(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": id, "use": "sig", "n": text(&public.n), "e": text(&public.e) })
            }
        }
    }

    fn sign(&self, id: &str, claims: &Value) -> String {
        let random = SystemRandom::new();
        let alg = if matches!(self, Self::Rsa(_)) { "RS256" } else { "ES256" };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": alg, "kid": id })), part(claims));
        let signature = match self {
            Self::Elliptic(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the provider does.
struct Acts {
    signs: Signs,
    key_id: String,
    /// What it says of who signs in, over what is usual.
    says: BTreeMap<&'static str, Value>,
    /// The nonce and the challenge of the sign-in under way.
    asked: BTreeMap<String, String>,
    redeemed: usize,
    /// Bytes of its description.
    padding: usize,
    second: i64,
}

#[derive(Clone)]
struct Provider {
    address: String,
    acts: Arc<Mutex<Acts>>,
}

async fn describe(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.address);
    let padding = "x".repeat(provider.acts.lock().unwrap().padding);
    Json(json!({
        "issuer": provider.address, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "end_session_endpoint": at("/out"), "code_challenge_methods_supported": ["S256"],
        "padding": padding
    }))
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let acts = provider.acts.lock().unwrap();
    Json(json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }, acts.signs.key(&acts.key_id)] }))
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let mut acts = provider.acts.lock().unwrap();
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let good = basic == Some("Basic bWFya3dhcmRlbjpzJTNBM2NyZXQ=")
        && form["grant_type"] == "authorization_code"
        && form["code"] == "the code"
        && form["redirect_uri"] == acts.asked["redirect_uri"]
        && challenge == acts.asked["code_challenge"];
    if !good {
        return Err(StatusCode::BAD_REQUEST);
    }
    acts.redeemed += 1;
    let mut claims = json!({
        "iss": provider.address, "aud": "markwarden", "sub": "lin", "nonce": acts.asked["nonce"],
        "iat": acts.second, "exp": acts.second + 300
    });
    for (name, value) in &acts.says {
        claims[*name] = value.clone();
    }
    let id = acts.key_id.clone();
    Ok(Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": acts.signs.sign(&id, &claims) })))
}

impl Provider {
    async fn open(signs: Signs) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let acts = Acts {
            signs,
            key_id: "1".into(),
            says: BTreeMap::new(),
            asked: BTreeMap::new(),
            redeemed: 0,
            padding: 0,
            second: 0,
        };
        let provider = Self { address, acts: Arc::new(Mutex::new(acts)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        provider
    }

    fn settings(&self, folder: &std::path::Path) -> OidcSettings {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.join("secret");
        std::fs::write(&file, "s:3cret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        serde_json::from_value(json!({
            "issuer": self.address, "client_id": "markwarden", "client_secret": { "file": file },
            "desk": "http://desk.example", "allow_private": true
        }))
        .unwrap()
    }

    fn says(&self, name: &'static str, value: Value) {
        self.acts.lock().unwrap().says = BTreeMap::from([(name, value)]);
    }

    /// Follows a browser to the provider: what it was sent there with.
    fn take(&self, shop: &Shop, to: &str) -> BTreeMap<String, String> {
        let (place, query) = to.split_once('?').unwrap();
        assert_eq!(place, format!("{}/authorize", self.address));
        let asked: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut acts = self.acts.lock().unwrap();
        acts.asked.clone_from(&asked);
        acts.second = shop.clock.now().as_second();
        asked
    }
}

/// Begins a sign-in; the browser keeps the cookie.
async fn begin(shop: &Shop, provider: &Provider, visitor: &mut Visitor<'_>) -> String {
    let answer = visitor.get("/sign-in/oidc?back=/rules").await;
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("Path=/sign-in/oidc"), "{cookie}");
    visitor.cookie = cookie.split(';').next().unwrap().to_owned();
    let asked = provider.take(shop, location(&answer));
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", "markwarden"));
    assert_eq!(asked["redirect_uri"], "http://desk.example/sign-in/oidc/back");
    assert_eq!(asked["code_challenge_method"], "S256");
    asked["state"].clone()
}

async fn come_back(visitor: &Visitor<'_>, state: &str) -> reqwest::Response {
    visitor.get(&format!("/sign-in/oidc/back?code=the+code&state={state}")).await
}

fn is_in(answer: &reqwest::Response) -> bool {
    let cookies = answer.headers().get_all("set-cookie");
    cookies.iter().any(|cookie| cookie.to_str().unwrap().starts_with("desk="))
}

#[tokio::test]
async fn whom_the_provider_names_is_signed_in_with_the_roles_of_the_account_here() {
    for signs in [Signs::elliptic(), Signs::rsa()] {
        let provider = Provider::open(signs).await;
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::open_with_provider(provider.settings(folder.path())).await;
        let mut browser = Visitor::stranger(&shop);
        assert!(browser.page("/sign-in?back=/rules").await.contains("href=\"/sign-in/oidc?back=%2Frules\""));
        let state = begin(&shop, &provider, &mut browser).await;
        // The provider may call its users admins: that says nothing here.
        provider.says("roles", json!(["admin"]));
        let answer = come_back(&browser, &state).await;
        assert!(is_in(&answer) && location(&answer) == "/rules", "{answer:?}");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        assert!(browser.page("/queue").await.contains(">lin<"));
        assert_eq!(browser.get("/accounts").await.status(), 403, "lin is a reviewer");
        let noted = shop.noted().await;
        assert!(noted.contains(&"account.identified".to_owned()) && noted.contains(&"account.sign-in".to_owned()));
        let csrf = browser.page("/queue").await;
        browser.csrf = csrf.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let out = browser.post("/sign-out", &[]).await;
        assert_eq!(location(&out), "/sign-in?out=1");
        let stranger = Visitor::stranger(&shop);
        assert!(stranger.page("/sign-in?out=1").await.contains("/sign-in/oidc/out"));
        let there = stranger.get("/sign-in/oidc/out").await;
        assert!(location(&there).starts_with(&format!("{}/out?client_id=markwarden", provider.address)));
    }
}

#[tokio::test]
async fn nobody_is_let_in_or_added_who_is_not_named_properly() {
    let provider = Provider::open(Signs::elliptic()).await;
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_with_provider(provider.settings(folder.path())).await;
    let before = shop.listed().await;
    let second = shop.clock.now().as_second();
    for (claim, value) in [
        ("sub", json!("nobody")),
        ("sub", json!("Root")),
        ("sub", json!(7)),
        ("aud", json!("another")),
        ("iss", json!("https://evil.example")),
        ("nonce", json!("of another sign-in")),
        ("exp", json!(second - 100)),
        ("iat", json!(second - 7200)),
    ] {
        let mut browser = Visitor::stranger(&shop);
        let state = begin(&shop, &provider, &mut browser).await;
        provider.says(claim, value.clone());
        let answer = come_back(&browser, &state).await;
        assert_eq!((answer.status().as_u16(), is_in(&answer)), (401, false), "{claim} = {value}");
        assert!(answer.text().await.unwrap().contains("class=\"problem\""));
    }
    provider.says("sub", json!("lin"));
    // Another browser comes back with the state, as one that was lured would.
    let mut browser = Visitor::stranger(&shop);
    let state = begin(&shop, &provider, &mut browser).await;
    assert!(!is_in(&come_back(&Visitor::stranger(&shop), &state).await));
    assert!(!is_in(&come_back(&browser, &state).await), "and then it is used up");
    // A code that was refused, a state that was made up, one that is too old, one that was used.
    let state = begin(&shop, &provider, &mut browser).await;
    let denied = browser.get(&format!("/sign-in/oidc/back?error=access_denied&state={state}")).await;
    assert_eq!((denied.status().as_u16(), is_in(&denied)), (401, false));
    assert!(!is_in(&come_back(&browser, "0").await));
    let state = begin(&shop, &provider, &mut browser).await;
    shop.clock.advance(jiff::SignedDuration::from_secs(601));
    assert!(!is_in(&come_back(&browser, &state).await), "too late");
    let state = begin(&shop, &provider, &mut browser).await;
    assert!(is_in(&come_back(&browser, &state).await), "all is well with a good one");
    assert!(!is_in(&come_back(&browser, &state).await), "once");
    assert_eq!(shop.listed().await, before, "nobody was added");
}

#[tokio::test]
async fn keys_that_change_are_read_anew_and_foreign_ones_are_not_believed() {
    let provider = Provider::open(Signs::elliptic()).await;
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_with_provider(provider.settings(folder.path())).await;
    let mut browser = Visitor::stranger(&shop);
    let state = begin(&shop, &provider, &mut browser).await;
    // Signed by a key of the same name that the provider never showed.
    let known = std::mem::replace(&mut provider.acts.lock().unwrap().signs, Signs::elliptic());
    assert!(!is_in(&come_back(&browser, &state).await));
    provider.acts.lock().unwrap().signs = known;
    shop.clock.advance(jiff::SignedDuration::from_secs(61));
    let state = begin(&shop, &provider, &mut browser).await;
    {
        let mut acts = provider.acts.lock().unwrap();
        (acts.signs, acts.key_id) = (Signs::elliptic(), "2".into());
    }
    assert!(is_in(&come_back(&browser, &state).await), "the new key is asked for");
}

#[tokio::test]
async fn a_mail_address_counts_only_when_it_is_verified_and_listed() {
    let provider = Provider::open(Signs::elliptic()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = provider.settings(folder.path());
    settings.claim = "email".into();
    settings.accounts = BTreeMap::from([("li.lan@example.com".to_owned(), "lin".to_owned())]);
    let shop = Shop::open_with_provider(settings).await;
    let address = json!("li.lan@example.com");
    for (says, lets_in) in [
        (vec![("email", address.clone())], false),
        (vec![("email", address.clone()), ("email_verified", json!("true"))], false),
        (vec![("email", json!("root")), ("email_verified", json!(true))], false),
        (vec![("email", address), ("email_verified", json!(true))], true),
    ] {
        let mut browser = Visitor::stranger(&shop);
        let state = begin(&shop, &provider, &mut browser).await;
        provider.acts.lock().unwrap().says = says.clone().into_iter().collect();
        assert_eq!(is_in(&come_back(&browser, &state).await), lets_in, "{says:?}");
    }
}

#[tokio::test]
async fn a_provider_that_says_too_much_or_must_not_be_asked_lets_nobody_in() {
    let provider = Provider::open(Signs::elliptic()).await;
    provider.acts.lock().unwrap().padding = 300 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = provider.settings(folder.path());
    let shop = Shop::open_with_provider(settings.clone()).await;
    let visitor = Visitor::stranger(&shop);
    assert_eq!(visitor.get("/sign-in/oidc").await.status(), 401, "its description is too long");
    provider.acts.lock().unwrap().padding = 0;
    assert_eq!(visitor.get("/sign-in/oidc").await.status(), 303);
    settings.allow_private = false;
    let shop = Shop::open_with_provider(settings).await;
    assert_eq!(Visitor::stranger(&shop).get("/sign-in/oidc").await.status(), 401, "this machine is not asked");
    let none = Shop::open_with(Vec::new()).await;
    let stranger = Visitor::stranger(&none);
    assert_eq!(stranger.get("/sign-in/oidc").await.status(), 404);
    assert!(!stranger.page("/sign-in").await.contains("/sign-in/oidc"));
}
