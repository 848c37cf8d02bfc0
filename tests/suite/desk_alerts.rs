//! Alerts: who is told of which hits, how messages are signed, repeated and given up; and where they may not go.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use markwarden::{
    alert::{Book, Encryption, Message, Relay, Sender, Settings, Subscription, Target, When},
    crawl::{self, Fetcher},
    model::{Account, AccountName, Role, Scope, SystemClock, Timestamp},
};
use reqwest::StatusCode;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    desk::Visitor,
    desk_shop::{Shop, account, hits},
};

/// What a webhook was sent: its headers, lower case, and its body.
#[derive(Debug, Clone)]
struct Post {
    head: String,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} in {}", self.head))
    }
}

/// A webhook on this machine that keeps what it is sent and answers what it is told to.
struct Hook {
    url: String,
    posts: Arc<Mutex<Vec<Post>>>,
    answer: Arc<Mutex<&'static str>>,
}

impl Hook {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (posts, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new("204 No Content")));
        let (kept, answers) = (Arc::clone(&posts), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                tokio::spawn(async move {
                    let post = read(stream, &answers).await;
                    kept.lock().unwrap().push(post);
                });
            }
        });
        Self { url, posts, answer }
    }

    fn say(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = answer;
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

async fn read(stream: TcpStream, answer: &Mutex<&'static str>) -> Post {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0);
    }
    let mut post = Post { head: head.to_lowercase(), body: String::new() };
    let mut body = vec![0; post.header("content-length").trim().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    post.body = String::from_utf8(body).unwrap();
    let answer = format!("HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", answer.lock().unwrap());
    stream.write_all(answer.as_bytes()).await.unwrap();
    post
}

/// Adds an alert; gives the key that is shown once.
async fn add(visitor: &Visitor<'_>, query: &str, url: &str) -> String {
    let form = [("name", "新命中"), ("query", query), ("kind", "webhook"), ("to", url), ("when", "now")];
    let page = visitor.post("/alerts", &form).await.text().await.unwrap();
    page.split("whsec_").nth(1).unwrap_or_else(|| panic!("{page}")).split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn new_hits_are_told_signed_once_each_and_again_only_when_they_did_not_arrive() {
    let shop = Shop::open_with(hits().into_iter().take(2).collect()).await;
    let mut root = Visitor::stranger(&shop);
    root.sign_in("root", crate::desk_shop::PASSWORD).await;
    let hook = Hook::open().await;
    let key = add(&root, "severity=high", &hook.url).await;
    assert!(!root.page("/alerts").await.contains(&key), "the key is shown once");
    shop.desk.send_alerts().await.unwrap();
    assert!(hook.posts().is_empty(), "what was there before is in the queue");

    shop.bring(hits().into_iter().skip(2).collect()).await;
    hook.say("503 Service Unavailable");
    shop.desk.send_alerts().await.unwrap();
    shop.desk.send_alerts().await.unwrap();
    assert_eq!(hook.posts().len(), 1, "it is not sent again at once");
    assert!(root.page_in("/alerts", "en").await.contains("it answered 503"));
    hook.say("204 No Content");
    shop.clock.advance(SignedDuration::from_secs(6));
    shop.desk.send_alerts().await.unwrap();
    shop.desk.send_alerts().await.unwrap();
    let posts = hook.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!((posts[0].header("webhook-id"), &posts[0].body), (posts[1].header("webhook-id"), &posts[1].body));
    for post in &posts {
        let signed = format!("{}.{}.{}", post.header("webhook-id"), post.header("webhook-timestamp"), post.body);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &STANDARD.decode(&key).unwrap());
        let signature = post.header("webhook-signature").strip_prefix("v1,").unwrap();
        // The head was read in lower case, which base64 is not.
        let expected = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes())).to_lowercase();
        assert_eq!(signature, expected);
    }
    let told: serde_json::Value = serde_json::from_str(&posts[1].body).unwrap();
    assert_eq!(told["type"], "hits.found");
    let told = told["data"]["hits"].as_array().unwrap();
    assert!(!told.is_empty() && told.iter().all(|hit| hit["id"].as_u64().unwrap() > 2), "{told:?}");
    assert!(told.iter().all(|hit| ["high", "critical"].contains(&hit["severity"].as_str().unwrap())));
    assert!(root.page_in("/alerts", "en").await.contains("Arrived"));

    let page = root.page("/alerts").await;
    let id = page.split("/alerts/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    root.post(&format!("/alerts/{id}/test"), &[]).await;
    assert!(hook.posts()[2].body.contains("alert.test"));
    hook.say("302 Found\r\nLocation: http://127.0.0.1:1/");
    root.post(&format!("/alerts/{id}/test"), &[]).await;
    assert!(root.page_in("/alerts", "en").await.contains("it answered 302"), "nobody is sent elsewhere");
    root.post(&format!("/alerts/{id}/stop"), &[]).await;
    shop.bring(
        hits().into_iter().take(1).map(|hit| markwarden::model::NewHit { dedupe: "f".repeat(32), ..hit }).collect(),
    )
    .await;
    shop.desk.send_alerts().await.unwrap();
    assert_eq!(hook.posts().len(), 4);
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    assert_eq!(lin.post(&format!("/alerts/{id}/remove"), &[]).await.status(), StatusCode::NOT_FOUND);
    root.post(&format!("/alerts/{id}/remove"), &[]).await;
    assert!(!root.page("/alerts").await.contains(&id));
    let noted = shop.noted().await;
    assert!(noted.contains(&"alert.added".to_owned()) && noted.contains(&"alert.removed".to_owned()), "{noted:?}");
}

#[tokio::test]
async fn a_holder_is_told_of_their_own_hits_alone_and_who_was_removed_of_none() {
    let shop = Shop::open_with(Vec::new()).await;
    let who = Account { scope: Scope::of_holders(["诺瓦声学股份有限公司"]), ..account("hu", Role::Holder) };
    shop.keep_account(&who);
    let hu = Visitor::signed_in_as(&shop, who).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let (own, gone) = (Hook::open().await, Hook::open().await);
    add(&hu, "", &own.url).await;
    add(&root, "", &gone.url).await;
    shop.remove_account("root");
    shop.bring(hits()).await;
    shop.desk.send_alerts().await.unwrap();
    let posts = own.posts();
    assert_eq!(posts.len(), 1);
    assert!(posts[0].body.contains("降噪耳机") && !posts[0].body.contains("云雀"), "{}", posts[0].body);
    assert!(posts[0].body.contains("\"more\":0"), "no count of others: {}", posts[0].body);
    assert!(gone.posts().is_empty());
}

#[tokio::test]
async fn no_alert_goes_to_a_private_address_that_is_not_named_or_to_a_foreign_domain() {
    let shop = Shop::open_with(Vec::new()).await;
    let root = Visitor::signed_in(&shop, "root", Role::Admin).await;
    let long = format!("https://hook.example/{}", "x".repeat(2000));
    for to in [
        "http://hook.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "http://2130706433/",
        "ftp://127.0.0.1/",
        "https://user:word@hook.example/",
        "nonsense",
        long.as_str(),
    ] {
        let form = [("name", "a"), ("kind", "webhook"), ("to", to), ("when", "now")];
        let page = root.post("/alerts", &form).await.text().await.unwrap();
        // 2130706433 is 127.0.0.1, which is named.
        assert_eq!(page.contains("class=\"problem\""), to != "http://2130706433/", "{to}");
    }
    let mail = [("name", "a"), ("kind", "mail"), ("to", "a@desk.example"), ("when", "now")];
    assert!(root.post("/alerts", &mail).await.text().await.unwrap().contains("no mail relay"));
    for (name, value) in [("query", "state=dismissed"), ("when", "never"), ("kind", "pigeon"), ("name", " ")] {
        let mut form = vec![("name", "a"), ("kind", "webhook"), ("to", "http://127.0.0.1/"), ("when", "now")];
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        assert_eq!(root.post("/alerts", &form).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
}

/// A mail relay on this machine that keeps the one mail it is sent.
async fn relay() -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taking = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 relay ESMTP\r\n").await.unwrap();
        let (mut lines, mut in_mail) = (Vec::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return lines;
            }
            let line = line.trim_end().to_owned();
            let answer = match (in_mail, line.split(' ').next().unwrap_or_default()) {
                (true, ".") => {
                    in_mail = false;
                    "250 taken"
                }
                (true, _) => "",
                (false, "EHLO") => "250 relay",
                (false, "DATA") => {
                    in_mail = true;
                    "354 go on"
                }
                (false, "QUIT") => "221 bye",
                (false, _) => "250 ok",
            };
            lines.push(line);
            if !answer.is_empty() {
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
        }
    });
    (port, taking)
}

#[tokio::test]
async fn mail_goes_to_the_relay_and_only_to_domains_of_our_own() {
    let (port, taken) = relay().await;
    let mail = Relay {
        host: "127.0.0.1".into(),
        port,
        encryption: Encryption::None,
        user: String::new(),
        password: None,
        from: "标卫 <markwarden@desk.example>".into(),
        domains: vec!["legal.example".into()],
    };
    let settings = Settings { desk: "https://desk.example/".into(), mail: Some(mail), ..Settings::default() };
    let clock = Arc::new(SystemClock);
    let fetcher = Arc::new(Fetcher::new(Arc::new(crawl::Settings::default()), clock.clone()).unwrap());
    let sender = Sender::new(settings, fetcher, clock);
    let to = |to: &str| Target::Mail { to: to.into() };
    for (address, admitted) in [
        ("lin@desk.example", true),
        ("wu@LEGAL.example", true),
        ("shop@seller.example", false),
        ("lin@desk.example, x@seller.example", false),
        ("lin@desk.example\r\nRCPT TO:<x@seller.example>", false),
        ("", false),
    ] {
        assert_eq!(sender.check(&to(address)).is_ok(), admitted, "{address}");
    }
    let book = Book::default();
    let subscription = Subscription {
        id: "s".into(),
        owner: AccountName::new("lin").unwrap(),
        name: "严重\r\nBcc: x@seller.example".into(),
        query: String::new(),
        to: to("lin@desk.example"),
        when: When::Now,
        seen: 0,
        waiting: Vec::new(),
        waiting_more: 0,
        told_at: None,
        under_way: None,
        stopped: None,
        log: Vec::new(),
    };
    book.add(subscription).unwrap();
    let item = serde_json::json!({"hit": 7, "title": "云雀\u{202e}跑鞋", "family": "云雀", "severity": "high", "platform": ""});
    book.offer("s", 7, (vec![serde_json::from_value(item).unwrap()], 2), Timestamp::UNIX_EPOCH).unwrap();
    let (subscription, message): (Subscription, Message) = book.due(Timestamp::UNIX_EPOCH).remove(0);
    sender.send(&subscription, &message).await.unwrap();
    drop(sender);
    let lines = taken.await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.starts_with("RCPT TO:")).count(), 1, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with(&format!("Message-ID: <{}@desk.example>", message.id))));
    assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{lines:?}");
    let begin = lines.iter().position(String::is_empty).unwrap();
    let body = STANDARD.decode(lines[begin + 1..].iter().take_while(|line| *line != ".").cloned().collect::<String>());
    let body = String::from_utf8(body.unwrap()).unwrap();
    assert!(
        body.contains("https://desk.example/hits/7") && body.contains("云雀跑鞋") && body.contains("2 条 / more"),
        "{body}"
    );
}
