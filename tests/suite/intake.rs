//! Listings that are handed in: files, the watched folder of a server, and feeds that push.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::markwarden;

/// Longest wait for anything; crossing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);
const MARKS: &str = "id,holder,text,nice_classes\nm1,云雀运动,云雀运动鞋,25\n";
const FILE: &str =
    "商品ID,商品标题,价格,店铺名称,备注\n1,正品 云雀运动鞋 男,￥199,云雀店,x\n2,普通 袜子,9.9,袜店,\n,没有编号,1,,\n";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = markwarden(folder).args(arguments).output().unwrap();
    (output.status.code().unwrap(), said(&output))
}

/// A folder with a register of one mark.
fn office() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("marks.csv"), MARKS).unwrap();
    let (code, words) = run(place.path(), &["marks", "import", "marks.csv"]);
    assert_eq!(code, 0, "{words}");
    place
}

#[test]
fn a_file_is_taken_once_and_its_mistakes_are_told_by_row() {
    let place = office();
    std::fs::write(place.path().join("a.csv"), encoding_rs::GBK.encode(FILE).0).unwrap();
    let import = ["--format", "json", "listings", "import", "a.csv", "--platform", "xinghe", "--currency", "CNY"];
    let (code, words) = run(place.path(), &[&import[..], &["--dry-run"]].concat());
    assert!(code == 1 && words.contains("a.csv:4: it has neither an id nor an address"), "{words}");
    assert!(words.contains("columns that are not read: 备注"), "{words}");
    let counts = |words: &str| -> Value { serde_json::from_str(words.lines().next().unwrap()).unwrap() };
    let (code, words) = run(place.path(), &import);
    let first = counts(&words);
    assert_eq!(
        (code, &first["accepted"], &first["rejected"], &first["new_hits"]),
        (1, &2.into(), &1.into(), &1.into()),
        "{words}"
    );
    let (_, words) = run(place.path(), &import);
    let again = counts(&words);
    assert_eq!(
        (&again["accepted"], &again["unchanged"], &again["new_hits"]),
        (&0.into(), &2.into(), &0.into()),
        "{words}"
    );
    let (_, queue) = run(place.path(), &["queue", "--format", "json"]);
    assert!(queue.contains("云雀运动鞋"), "{queue}");
    // It says where it came from, in the store and in a record that verifies.
    let (_, export) = run(place.path(), &["export"]);
    let stamped = export.lines().find(|line| line.contains("\"row\":2")).unwrap();
    assert!(stamped.contains("\"provenance\"") && stamped.contains(first["sha256"].as_str().unwrap()), "{stamped}");
    let (code, words) = run(place.path(), &["evidence", "verify", "data/evidence", "--data", "data"]);
    assert_eq!(code, 0, "{words}");
    // A file with a mistake is refused whole when that is asked for.
    let (code, words) = run(place.path(), &["listings", "import", "a.csv", "--platform", "other", "--strict"]);
    assert!(code == 1 && words.contains("0 listings taken"), "{words}");
    let (code, words) = run(place.path(), &["listings", "import", "a.csv", "--map", "备注=colour"]);
    assert!(code == 2 && words.contains("no fact"), "{words}");
}

/// A server over the office's data.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(place: &Path) -> Self {
        let mut child = markwarden(place)
            .args(["serve", "--no-crawl", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let address = first.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Self { child, address }
    }

    /// Sends a request; the answer's status, headers and body.
    fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut head = format!("POST /feeds/listings HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered before it has read everything.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(ended.is_ok());
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_put_into_the_watched_folder_is_taken_and_moved_with_a_report() {
    let place = office();
    std::fs::write(place.path().join("config.toml"), "[import]\nfolder = \"in\"\nplatform = \"xinghe\"\n").unwrap();
    let server = Server::start(place.path());
    let at = |name: &str| place.path().join("in").join(name);
    let begun = Instant::now();
    let wait_for = |path: &Path| {
        while !path.exists() {
            assert!(begun.elapsed() < PATIENCE, "{}", path.display());
            std::thread::sleep(Duration::from_millis(50));
        }
        serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()
    };
    std::fs::write(at("some.csv"), FILE).unwrap();
    std::fs::write(at("whole.jsonl"), "{\"id\":\"7\",\"title\":\"云雀运动鞋 女\"}\n").unwrap();
    std::fs::write(at("broken.xlsx"), "no workbook").unwrap();
    let some = wait_for(&at("failed/some.csv.report.json"));
    assert_eq!(
        (&some["accepted"], &some["rejected"], &some["problems"][0]["row"]),
        (&2.into(), &1.into(), &4.into()),
        "{some}"
    );
    let whole = wait_for(&at("done/whole.jsonl.report.json"));
    assert_eq!((&whole["accepted"], &whole["new_hits"]), (&1.into(), &1.into()), "{whole}");
    assert!(wait_for(&at("failed/broken.xlsx.report.json"))["problem"].as_str().unwrap().contains("workbook"));
    drop(server);
    let (_, queue) = run(place.path(), &["queue", "--format", "json"]);
    assert_eq!(queue.lines().filter(|line| line.starts_with('{')).count(), 2, "{queue}");
}

#[test]
fn a_feed_pushes_its_own_listings_within_its_bounds_and_nobody_else_does() {
    let place = office();
    std::fs::write(
        place.path().join("config.toml"),
        "[import]\nfeed_requests_per_minute = 9\nfeed_listings_per_minute = 6\n",
    )
    .unwrap();
    let server = Server::start(place.path());
    // A feed that is made while the server runs.
    let made = markwarden(place.path()).args(["feed", "add", "xh", "--platform", "xinghe"]).output().unwrap();
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let bearer = format!("Bearer {token}");
    let kind = ("Content-Type", "application/x-ndjson");
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        [&[("Authorization", bearer.as_str()), kind], more].concat()
    };
    let body = "{\"id\":\"1\",\"title\":\"云雀运动鞋\"}\n{\"id\":\"2\",\"title\":\"袜子\"}\n{\"title\":\"x\",\"url\":\"http://h/1\"}\n{\"id\":\"laojie:3\",\"title\":\"y\",\"platform\":\"laojie\"}\nnonsense\n".as_bytes();

    for headers in
        [vec![kind], vec![("Authorization", "Bearer mwfeed_x"), kind], vec![("Authorization", "Basic eDp5"), kind]]
    {
        let (status, head, problem) = server.send(&headers, body);
        assert!(
            status == 401 && head.contains("www-authenticate: bearer") && head.contains("application/problem+json"),
            "{head}"
        );
        assert_eq!(problem["type"], "urn:markwarden:push-unauthorised");
    }
    let (status, _, answer) = server.send(&with(&[("Idempotency-Key", "one")]), body);
    assert_eq!(
        (status, &answer["accepted"], &answer["new_hits"], &answer["rejected"]),
        (200, &2.into(), &1.into(), &3.into()),
        "{answer}"
    );
    let lines: Vec<u64> =
        answer["problems"].as_array().unwrap().iter().map(|at| at["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5]);
    // The same request again has the same answer; the same listings again change nothing.
    let (_, _, again) = server.send(&with(&[("Idempotency-Key", "one")]), body);
    assert_eq!(again, answer);
    let (_, _, other) = server.send(&with(&[("Idempotency-Key", "two")]), body);
    assert_eq!((&other["accepted"], &other["unchanged"]), (&0.into(), &2.into()), "{other}");
    assert_eq!(server.send(&with(&[("Idempotency-Key", "one")]), b"{}").0, 422);
    assert_eq!(server.send(&[("Authorization", bearer.as_str())], body).0, 415);
    let (status, _, problem) = server.send(&with(&[]), &vec![b' '; (8 << 20) + 1]);
    assert!(status == 413 || status == 0, "{problem}");
    let many = "{\"id\":\"9\",\"title\":\"t\"}\n".repeat(4);
    let (status, head, _) = server.send(&with(&[]), many.as_bytes());
    assert!(status == 429 && head.contains("retry-after:"), "{head}");
    while server.send(&with(&[]), b"").0 == 200 {}
    assert_eq!(server.send(&with(&[]), b"").0, 429);
    let (code, words) = run(place.path(), &["feed", "remove", "xh"]);
    assert_eq!(code, 0, "{words}");
    assert_eq!(server.send(&with(&[]), b"").0, 401);
    drop(server);
    let (_, export) = run(place.path(), &["export"]);
    assert!(export.contains("\"what\":\"push\"") && !export.contains(&token), "the journal knows of it, and no token");
}
