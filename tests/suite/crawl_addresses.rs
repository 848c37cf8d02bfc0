//! However an address that is not public is spelled, and however one is led there: no connection is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use markwarden::{
    crawl::{Fetcher, Gate, Guard, Pace, Refusal, Settings},
    model::SystemClock,
};
use url::Url;

use crate::shop::{Reply, Shop};

/// Addresses of machines that a crawl must not reach: this one, private networks, carriers', links', clouds' metadata.
const PRIVATE: [Ipv4Addr; 14] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 255, 255, 254),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 255, 255, 255),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 1),
    Ipv4Addr::new(192, 168, 1, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(198, 18, 0, 1),
    Ipv4Addr::new(255, 255, 255, 255),
];

/// Names that stand for such addresses, as a resolver would tell.
const NAMES: [(&str, [u8; 4]); 8] = [
    ("metadata.google.internal", [169, 254, 169, 254]),
    ("metadata.tencentyun.com", [169, 254, 0, 23]),
    ("instance-data.ec2.internal", [169, 254, 169, 254]),
    ("localtest.example", [127, 0, 0, 1]),
    ("intranet.example", [10, 1, 2, 3]),
    ("router.example", [192, 168, 0, 1]),
    ("127.0.0.1.nip.example", [127, 0, 0, 1]),
    ("rebound.example", [172, 16, 9, 9]),
];

const OTHERS: [&str; 44] = [
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:c0a8:101::1]",
    "[2002:a9fe:a9fe::]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[3ffe::1]",
    "[5f00::1]",
    "[100::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[ff01::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[::2]",
    "[1::1]",
    "[4000::1]",
    "[8000::1]",
    "[c000::1]",
    "[e000::1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::100.100.100.200]",
    "localhost",
    "LOCALHOST.",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "%31%32%37.0.0.1",
];

/// Every spelling of an IPv4 address that something or other takes for it.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let number = address.to_bits();
    let v6 = address.to_ipv6_mapped().segments();
    vec![
        address.to_string(),
        format!("{address}."),
        number.to_string(),
        format!("{number:#x}"),
        format!("0x{number:08X}"),
        format!("0{number:o}"),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0000{a:o}.0x{b:x}.{c}.0{d:o}"),
        format!("{a}.{b}.0x{:x}", number & 0xffff),
        format!("%{:02x}{}", format!("{a}").as_bytes()[0], &address.to_string()[1..]),
        format!("user:word@{address}"),
        format!("shop.example@{address}"),
        format!("[::ffff:{address}]"),
        format!("[::ffff:{:x}:{:x}]", v6[6], v6[7]),
        format!("[0:0:0:0:0:ffff:{:x}:{:x}]", v6[6], v6[7]),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b::{:x}:{:x}]", v6[6], v6[7]),
        format!("[2002:{:x}:{:x}::1]", v6[6], v6[7]),
        format!("[::{address}]"),
    ]
}

fn table() -> Vec<String> {
    let mut hosts: Vec<String> = PRIVATE.into_iter().flat_map(spellings).collect();
    hosts.extend(OTHERS.map(str::to_owned));
    for (name, _) in NAMES {
        hosts.extend([name.to_owned(), format!("{name}."), name.to_uppercase(), format!("user@{name}")]);
    }
    hosts
}

/// Lets everything through: only the guard stands in the way.
struct Open;

impl Gate for Open {
    async fn admit(&self, _: &Url) -> Result<(), Refusal> {
        Ok(())
    }

    fn retrying(&self, _: &Url, _: Duration, _: bool) {}
}

fn fetcher() -> Fetcher {
    let addresses: BTreeMap<String, IpAddr> =
        NAMES.into_iter().map(|(name, octets)| (name.to_owned(), IpAddr::from(octets))).collect();
    Fetcher::new(Arc::new(Settings { addresses, ..Settings::default() }), Arc::new(SystemClock)).unwrap()
}

fn limits() -> Pace {
    Pace { timeout: Duration::from_secs(5), retries: 0, ..Pace::default() }
}

/// A listener on every address of this machine that counts who comes.
async fn canary() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, came)
}

#[tokio::test]
async fn no_spelling_of_an_address_that_is_not_public_is_connected_to() {
    let (port, came) = canary().await;
    let (table, fetcher) = (table(), fetcher());
    assert!(table.iter().collect::<BTreeSet<_>>().len() >= 300, "{} spellings", table.len());
    for host in &table {
        let Ok(url) = Url::parse(&format!("http://{host}:{port}/latest/meta-data/")) else { continue };
        let error = fetcher
            .fetch(&url, &limits(), Guard { allow_loopback: false, allow_private: false }, &Open)
            .await
            .unwrap_err();
        assert!(matches!(error.kind(), "private_address" | "refused"), "{host} as {url}: {error}");
    }
    // The canary sings when somebody comes.
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    while came.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(came.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_redirect_leads_to_one() {
    let (port, _) = canary().await;
    let guard = Guard { allow_loopback: true, allow_private: false };
    let at_home = |url: &Url| guard.check_host(url).is_ok() && url.username().is_empty() && is_loopback(url);
    let table: Vec<String> = table();
    let targets = table.clone();
    let shop = Shop::open(move |path, _| {
        let number: usize = path.trim_start_matches("/p/").parse().unwrap();
        Reply::moved(&format!("http://{}:{port}/", targets[number]))
    })
    .await;
    let (fetcher, mut led) = (fetcher(), 0);
    for (number, host) in table.iter().enumerate() {
        let target = Url::parse(&format!("http://{host}:{port}/"));
        // A profile for this machine may be led around on it.
        if target.as_ref().is_ok_and(at_home) {
            continue;
        }
        led += 1;
        let url = Url::parse(&shop.url(&format!("/p/{number}"))).unwrap();
        let error = fetcher.fetch(&url, &limits(), guard, &Open).await.unwrap_err();
        assert!(matches!(error.kind(), "private_address" | "refused" | "redirects"), "{host}: {error}");
    }
    assert!(led >= 250, "{led}");
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || NAMES.iter().any(|(known, octets)| *known == name && octets[0] == 127)
        }
        None => false,
    }
}
