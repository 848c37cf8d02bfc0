//! A body that unpacks to a gigabyte costs next to nothing. A child process is bombed, and looks at its own memory.

use std::{
    io::Write,
    process::Command,
    sync::{Arc, LazyLock},
    time::Duration,
};

use markwarden::{
    crawl::{Fetcher, Gate, Guard, Pace, Refusal, Settings},
    model::SystemClock,
};
use url::Url;

use crate::shop::{Reply, Shop};

/// What each kind may add to the resident memory, in KiB.
const MOST_KIB: u64 = 8 * 1024;
const GIB: usize = 1 << 30;
/// A gigabyte of zeros in Brotli.
const BROTLI: &[u8] = include_bytes!("../../fixtures/bombs/zeros.br");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gigabyte of zeros: a thousand members of a megabyte each, which is one gzip file.
static GZIP: LazyLock<Vec<u8>> = LazyLock::new(|| gzip(&vec![0; 1 << 20]).repeat(GIB >> 20));
static ZSTD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(23).unwrap();
    let part = vec![0; 1 << 20];
    (0..GIB >> 20).for_each(|_| encoder.write_all(&part).unwrap());
    encoder.finish().unwrap()
});

fn bomb(path: &str) -> Reply {
    let (encoding, body) = match path {
        "/gzip" => ("gzip", GZIP.clone()),
        "/br" => ("br", BROTLI.to_vec()),
        "/zstd" => ("zstd", ZSTD.clone()),
        "/nested" => ("gzip, gzip", gzip(&GZIP)),
        "/deep" => ("zstd, br, gzip, gzip, gzip", gzip(b"x")),
        "/warm/gzip" | "/warm/nested" | "/warm/deep" => ("gzip", gzip(b"harmless")),
        // A window of 64 KiB, one block as it stands, and the end.
        "/warm/br" => ("br", vec![0x20, 0x00, 0x10, b'a', b'b', b'c', 0x03]),
        "/warm/zstd" => ("zstd", zstd::stream::encode_all(&b"harmless"[..], 3).unwrap()),
        _ => return Reply::listing("harmless"),
    };
    Reply::html(body).with("content-encoding", encoding)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_each_kind_adds_less_than_eight_mebibytes() {
    LazyLock::force(&GZIP);
    assert!(GZIP.len() <= 2 << 20 && ZSTD.len() <= 1 << 20, "{} {}", GZIP.len(), ZSTD.len());
    let shop = Shop::open(|path, _| bomb(path)).await;
    for kind in ["gzip", "br", "zstd", "nested", "deep"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "crawl_bombs::the_child_that_is_bombed",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
        child
            .env("MARKWARDEN_BOMB", shop.url(&format!("/{kind}")))
            .env("MARKWARDEN_WARM", shop.url(&format!("/warm/{kind}")));
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{kind}: {said}{}", String::from_utf8_lossy(&output.stderr));
        let grown: u64 = said.split("grown ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        println!("{kind}: {grown} KiB");
        assert!(grown <= MOST_KIB, "{kind}: {grown} KiB");
    }
}

struct Open;

impl Gate for Open {
    async fn admit(&self, _: &Url) -> Result<(), Refusal> {
        Ok(())
    }

    fn retrying(&self, _: &Url, _: Duration, _: bool) {}
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn the_child_that_is_bombed() {
    let fetcher = Fetcher::new(Arc::new(Settings::default()), Arc::new(SystemClock)).unwrap();
    let guard = Guard { allow_loopback: true, allow_private: false };
    let limits = Pace { retries: 0, ..Pace::default() };
    let get = |name: &str| Url::parse(&std::env::var(name).unwrap()).unwrap();
    // What any answer in such an encoding costs, the code that is read in for it above all, is not the bomb's.
    fetcher.fetch(&get("MARKWARDEN_WARM"), &limits, guard, &Open).await.unwrap();
    let before = peak_kib();
    let error = fetcher.fetch(&get("MARKWARDEN_BOMB"), &limits, guard, &Open).await.unwrap_err();
    assert!(matches!(error.kind(), "undecodable" | "too_large"), "{error}");
    println!("grown {} KiB", peak_kib() - before);
}
