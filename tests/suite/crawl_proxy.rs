//! What a profile sends along, and the proxies it goes by: recorded peers on loopback see what really went out.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use markwarden::crawl::{CrawlError, Profile, Settings, run};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::shop::{Crawler, Desk, Reply, Shop};

pub type Seen = Arc<Mutex<Vec<String>>>;

/// A SOCKS5 server that asks for `login` and notes where it was asked to go.
pub async fn socks(login: Option<(&'static str, &'static str)>) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_socks(stream, login, Arc::clone(&noted)));
        }
    });
    (address, seen)
}

async fn serve_socks(mut stream: TcpStream, login: Option<(&str, &str)>, seen: Seen) -> std::io::Result<()> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut methods = vec![0; head[1] as usize];
    stream.read_exact(&mut methods).await?;
    if let Some((name, word)) = login {
        stream.write_all(&[5, 2]).await?;
        stream.read_exact(&mut head).await?;
        let mut user = vec![0; head[1] as usize + 1];
        stream.read_exact(&mut user).await?;
        let mut password = vec![0; *user.last().unwrap() as usize];
        stream.read_exact(&mut password).await?;
        let fits = user[..user.len() - 1] == *name.as_bytes() && password == word.as_bytes();
        stream.write_all(&[1, u8::from(!fits)]).await?;
        if !fits {
            return Ok(());
        }
    } else {
        stream.write_all(&[5, 0]).await?;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    if request[3] != 1 {
        seen.lock().unwrap().push(format!("a name (kind {})", request[3]));
        return Ok(());
    }
    let mut address = [0; 6];
    stream.read_exact(&mut address).await?;
    let target = SocketAddr::from((
        [address[0], address[1], address[2], address[3]],
        u16::from_be_bytes([address[4], address[5]]),
    ));
    seen.lock().unwrap().push(target.to_string());
    let mut peer = TcpStream::connect(target).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut peer).await.map(drop)
}

/// A proxy that speaks HTTP: it notes the first lines of requests, and sends them on to `shop`.
async fn http_proxy(shop: String) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (noted, shop) = (Arc::clone(&noted), shop.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let line = head.lines().next().unwrap_or_default().to_owned();
                let login = head.lines().find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization"));
                noted.lock().unwrap().push(format!("{line} {}", login.unwrap_or("-")));
                let mut peer = TcpStream::connect(&shop).await?;
                let path =
                    line.split(' ').nth(1).and_then(|url| url::Url::parse(url).ok()).map(|url| url.path().to_owned());
                let request =
                    format!("GET {} HTTP/1.1\r\nhost: {shop}\r\nconnection: close\r\n\r\n", path.unwrap_or_default());
                peer.write_all(request.as_bytes()).await?;
                tokio::io::copy(&mut peer, &mut stream).await
            });
        }
    });
    (address, seen)
}

fn profile(start: &str, hosts: &str, request: &str) -> Profile {
    let text = format!(
        "format = 1\nid = \"shop\"\nname = \"shop\"\nplatform = \"shop\"\nstart = [{start:?}]\nhosts = [{hosts}]\n\
         allow_loopback = true\n[pace]\ndelay = 0\nretries = 0\n[request]\n{request}\n[listing]\nmatch = [\"/p/\"]\n"
    );
    Profile::parse("shop.toml", &text).unwrap()
}

fn settings() -> Settings {
    let addresses = [("shop.example", [127, 0, 0, 1]), ("inside.example", [10, 0, 0, 1])];
    let addresses: BTreeMap<String, IpAddr> =
        addresses.into_iter().map(|(name, octets)| (name.to_owned(), IpAddr::from(octets))).collect();
    Settings { addresses, ..Settings::default() }
}

#[cfg(unix)]
fn secret(folder: &std::path::Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    format!("{{ file = {path:?} }}")
}

#[cfg(unix)]
#[tokio::test]
async fn secrets_go_to_the_site_and_into_no_record() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        _ => Reply::listing("one").with("set-cookie", "session=renewed-s3cret; Path=/"),
    })
    .await;
    let crawler = Crawler::new(Settings::default()).keeping_evidence();
    let (key, cookie) =
        (secret(crawler.folder.path(), "key", "tok-s3cret\n"), secret(crawler.folder.path(), "cookie", "sess-s3cret"));
    let request = format!(
        "headers = {{ x-region = \"31\" }}\ncookies = {{ lang = \"zh\" }}\nsecret_headers = {{ authorization = {key} }}\nsecret_cookies = {{ session = {cookie} }}"
    );
    let profile = profile(&shop.url("/p/1"), "", &request);
    let desk = Desk::default();
    crawler.run(&profile, &desk).await;
    assert_eq!(shop.header("/p/1", "authorization"), "tok-s3cret");
    assert_eq!(shop.header("/p/1", "cookie"), "lang=zh; session=sess-s3cret");
    assert_eq!(shop.header("/p/1", "x-region"), "31");
    assert_eq!(
        (shop.header("/robots.txt", "authorization"), shop.header("/robots.txt", "cookie")),
        (String::new(), String::new())
    );
    let capture = desk.pages.lock().unwrap()[0].capture.clone().unwrap();
    let file = std::fs::read(crawler.folder.path().join("warc").join(&capture.file)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&*file), &mut text).unwrap();
    assert!(
        text.contains("authorization: withheld")
            && text.contains("set-cookie: withheld")
            && text.contains("x-region: 31")
    );
    assert!(!text.contains("s3cret"), "{text}");
    assert!(!format!("{profile:?}").contains("s3cret"));
    // A secret that others can read, or that is not there, begins no run.
    std::fs::set_permissions(crawler.folder.path().join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let error = run(&profile, &crawler.services, &desk).await.unwrap_err();
    assert!(
        matches!(&error, CrawlError::Request { .. }) && !format!("{error} {error:?}").contains("s3cret"),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_socks_proxy_is_given_an_address_that_was_admitted_and_never_a_name() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        "/p/1" => Reply::listing("one"),
        _ => Reply::moved("http://inside.example/p/2"),
    })
    .await;
    let port = shop.host.rsplit_once(':').unwrap().1.to_owned();
    let crawler = Crawler::new(settings());
    let (address, seen) = socks(Some(("li", "pa:ss"))).await;
    let login = secret(crawler.folder.path(), "login", "li:pa:ss");
    let request = format!("proxy = {{ url = \"socks5://{address}\", secret = {login} }}");
    let hosts = format!("\"shop.example:{port}\", \"inside.example\"");
    let desk = Desk::default();
    let report = crawler.run(&profile(&format!("http://shop.example:{port}/p/1"), &hosts, &request), &desk).await;
    assert_eq!((desk.titles(), report.pages), (vec!["one".to_owned()], 1), "{report:?}");
    assert!(seen.lock().unwrap().iter().all(|target| *target == format!("127.0.0.1:{port}")), "{seen:?}");
    let before = seen.lock().unwrap().len();
    // A name and a redirect to a private address, by the same proxy: it hears of neither.
    let report = crawler.run(&profile("http://inside.example/p/1", &hosts, &request), &desk).await;
    assert_eq!(
        report.failed.get("private_address").or(report.failed.get("robots_unreachable")),
        Some(&1),
        "{report:?}"
    );
    let report = crawler.run(&profile(&format!("http://shop.example:{port}/p/9"), &hosts, &request), &desk).await;
    assert_eq!(report.failed["private_address"], 1, "{report:?}");
    assert!(seen.lock().unwrap()[before..].iter().all(|target| target.starts_with("127.0.0.1")), "{seen:?}");
}

#[tokio::test]
async fn an_http_proxy_hears_of_no_private_host() {
    let shop = Shop::open(|path, _| match path {
        "/robots.txt" => Reply::status(404),
        _ => Reply::listing("one"),
    })
    .await;
    let (address, seen) = http_proxy(shop.host.clone()).await;
    let crawler = Crawler::new(settings());
    let request = format!("proxy = {{ url = \"http://{address}\" }}");
    let desk = Desk::default();
    crawler.run(&profile("http://shop.example/p/1", "", &request), &desk).await;
    assert_eq!(desk.titles(), ["one"]);
    assert_eq!(
        *seen.lock().unwrap(),
        ["GET http://shop.example/robots.txt HTTP/1.1 -", "GET http://shop.example/p/1 HTTP/1.1 -"]
    );
    for start in ["http://inside.example/p/1", "http://10.0.0.1/p/1", "http://0xa9fea9fe/p/1"] {
        crawler.run(&profile(start, "", &request), &desk).await;
    }
    assert_eq!(seen.lock().unwrap().len(), 2, "{seen:?}");
}
