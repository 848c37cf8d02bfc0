//! The same questions as people ask them: over HTTP on loopback, with pages rendered.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use markwarden::{
    model::{Account, AccountName, Role, SystemClock},
    monitor::Sellers,
    review,
    store::SledStore,
    web::{Accounts, Desk, Parts, Settings, serve},
};

use super::times;

/// Reviewers at once.
const REVIEWERS: usize = 8;
/// How long they decide.
const REVIEW_FOR: Duration = Duration::from_secs(20);
const MARKS: usize = 10_000;

struct Visitor {
    address: String,
    client: reqwest::Client,
    cookie: String,
    csrf: String,
}

impl Visitor {
    async fn enter(address: &str, path: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let answer = client.get(format!("{address}{path}")).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut visitor = Self { address: address.to_owned(), client, cookie, csrf: String::new() };
        let page = visitor.page("/account").await;
        visitor.csrf = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        visitor
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.address)).header("cookie", &self.cookie).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn post(&self, path: &str, form: &str) -> String {
        let request = self.client.post(format!("{}{path}", self.address)).header("cookie", &self.cookie);
        let request = request.header("x-csrf-token", &self.csrf).header("accept", "application/json");
        let request = request.header("origin", &self.address);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Sends a file of marks; where it is shown.
    async fn upload(&self, file: &str) -> String {
        let body = format!(
            "--W\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n--W\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"marks.csv\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--W--\r\n",
            self.csrf
        );
        let request = self.client.post(format!("{}/imports", self.address)).header("cookie", &self.cookie);
        let request = request.header("origin", &self.address);
        let answer = request.header("content-type", "multipart/form-data; boundary=W").body(body).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    }
}

/// Opens a desk over `store` and asks it.
pub async fn questions(store: Arc<SledStore>, folder: &Path) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let accounts = Arc::new(Accounts::open(&folder.join("accounts.json")).unwrap());
    let desk = Desk::new(Parts {
        store: store.clone(),
        accounts,
        clock: Arc::new(SystemClock),
        settings: Settings::default(),
        review: review::Settings { second_look_one_in: 0, gold_one_in: 0, ..review::Settings::default() },
        evidence: None,
        journal: None,
        listings: None,
        content: None,
        sellers: Arc::new(Sellers::open(folder.join("sellers.json")).unwrap()),
        alerts: None,
        monitor: None,
        works: None,
        archive: None,
        oidc: None,
    })
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, desk.clone(), async { drop(stopped.await) }));
    let link = |name: &str, role| {
        desk.one_time_link(Account::new(AccountName::new(name).unwrap(), role), Duration::from_secs(3600)).unwrap()
    };
    let root = Visitor::enter(&address, &link("root", Role::Admin)).await;
    let begun = Instant::now();
    // The board is read meanwhile; a page that waits too long says so.
    while !root.get("/queue").await.status().is_success() {}
    println!("{:<44} {:.1?}", "from start to the first page of the queue", begun.elapsed());
    pages(&root).await;
    let mut reviewers = Vec::new();
    for n in 0..REVIEWERS {
        reviewers.push(Visitor::enter(&address, &link(&format!("r{n}"), Role::Reviewer)).await);
    }
    review_all(reviewers).await;
    marks(&root).await;
    drop(stop);
    serving.await.unwrap().unwrap();
}

async fn pages(root: &Visitor) {
    for (what, path) in [
        ("the queue", "/queue"),
        ("one platform, high", "/queue?platform=%E7%AE%80%E9%93%BA&severity=high"),
        ("oldest first", "/queue?order=oldest"),
        ("a word of a sixth", "/queue?text=%E4%BA%91%E9%9B%80"),
        ("a rare word", "/queue?text=%E7%AC%AC77777%E6%AC%BE"),
        ("one hit", "/hits/4711"),
    ] {
        let mut took = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            root.page(path).await;
            took.push(begun.elapsed());
        }
        times(&format!("page: {what}"), took);
    }
}

/// Every reviewer claims 20 hits and decides them one after the other, as fast as answers come.
async fn review_all(reviewers: Vec<Visitor>) {
    let begun = Instant::now();
    let working: Vec<_> =
        reviewers.into_iter().map(|reviewer| tokio::spawn(review(reviewer, begun + REVIEW_FOR))).collect();
    let (mut claims, mut decisions) = (Vec::new(), Vec::new());
    for reviewer in working {
        let (claimed, decided) = reviewer.await.unwrap();
        claims.extend(claimed);
        decisions.extend(decided);
    }
    let minute = decisions.len() as f64 / begun.elapsed().as_secs_f64() * 60.0;
    println!("{:<44} {minute:.0}", format!("decisions a minute, {REVIEWERS} at once"));
    times("claim of 20 over HTTP, cards rendered", claims);
    times("decision over HTTP", decisions);
}

async fn review(reviewer: Visitor, until: Instant) -> (Vec<Duration>, Vec<Duration>) {
    let (mut claims, mut decisions) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let begun = Instant::now();
        let items = reviewer.post("/review/claim", "").await;
        claims.push(begun.elapsed());
        let items: Vec<serde_json::Value> = serde_json::from_str(&items).unwrap();
        for item in items {
            let form = format!("reason=dismiss%3Acommon-word&fence={}&seen=0&looked_ms=1", item["fence"]);
            let begun = Instant::now();
            reviewer.post(&format!("/hits/{}/decide", item["id"]), &form).await;
            decisions.push(begun.elapsed());
        }
    }
    (claims, decisions)
}

/// A file of 10,000 marks with a mistake: shown, then without it, written.
async fn marks(root: &Visitor) {
    let mut file = "id,holder,text,jurisdiction,number,nice_classes,status,registered_on\n".to_owned();
    for n in 0..MARKS {
        let text: String = (0..3)
            .map(|place| char::from_u32(0x4e00 + ((n * 7919 + place * 104_729) % 20_000) as u32).unwrap())
            .collect();
        file.push_str(&format!("B-{n},持有人{},{text},CN,{n},25;9,registered,2020-01-01\n", n % 500));
    }
    let begun = Instant::now();
    let shown = root.upload(&file).await;
    root.page(&shown).await;
    let read = begun.elapsed();
    let form = format!("csrf={}", root.csrf);
    let request = root.client.post(format!("{}{shown}/draft", root.address)).header("cookie", &root.cookie);
    let request = request.header("origin", &root.address);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap();
    assert!(answer.status().is_redirection(), "{}", answer.status());
    println!(
        "{:<44} {:.2?}, of it {read:.2?} until it is shown",
        format!("{MARKS} marks imported by the desk"),
        begun.elapsed()
    );
}
