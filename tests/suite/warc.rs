//! WARC files from outside: `evidence verify`, and an independent reader.

use std::{path::Path, process::Command, sync::Arc};

use markwarden::{
    evidence::{Http, Options, WarcWriter},
    model::SystemClock,
};

fn write_some(folder: &Path) {
    let options = Options {
        folder: folder.to_owned(),
        max_bytes: 2000,
        software: "markwarden test".into(),
        name: markwarden::evidence::CRAWLED,
    };
    let writer = WarcWriter::open(options, Arc::new(SystemClock)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bodies: [&[u8]; 5] = [b"<h1>one</h1>", b"", &[0; 70_000], "标卫".as_bytes(), b"a\r\n\r\nb"];
    for body in bodies {
        let http = Http {
            url: "http://shop.example/p/1?x=云",
            request_head: b"GET /p/1?x=%E4%BA%91 HTTP/1.1\r\nhost: shop.example\r\n\r\n",
            response_head: b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nx-orig-transfer-encoding: chunked\r\n\r\n",
            body,
            remote: Some("2606:4700::1111".parse().unwrap()),
            protocol: Some("h2"),
            at: "2026-11-23T08:00:00.123456789Z".parse().unwrap(),
        };
        runtime.block_on(writer.write(&http, 200, http.at)).unwrap();
    }
}

fn warcs(folder: &Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(".gz")).collect()
}

#[test]
fn an_independent_reader_accepts_every_record() {
    let program = std::env::var_os("MARKWARDEN_WARCIO").unwrap_or_else(|| "warcio".into());
    if Command::new(&program).arg("--version").output().is_err() {
        eprintln!("skipped: `warcio` is absent; install it from PyPI or set MARKWARDEN_WARCIO");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_some(folder.path());
    let output = Command::new(&program).args(["check", "-v"]).args(warcs(folder.path())).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // Five responses and five requests; a file's warcinfo has a digest too.
    assert!(text.matches("digest pass").count() >= 10, "{text}");
    assert!(!text.contains("no digest to check") && !text.contains("failed"), "{text}");
}

#[test]
fn evidence_verify_tells_sound_files_from_changed_ones() {
    let folder = tempfile::tempdir().unwrap();
    write_some(folder.path());
    let verify = |path: &Path| {
        let program = env!("CARGO_BIN_EXE_markwarden");
        let output = Command::new(program).args(["evidence", "verify"]).arg(path).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = verify(folder.path());
    assert!(code == 0 && out.lines().all(|line| line.starts_with("verified\t")), "{out}");
    let path = warcs(folder.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, out) = verify(folder.path());
    assert!(code == 1 && out.contains("broken\t") && out.contains("problem\t"), "{out}");
    assert_eq!(verify(&folder.path().join("none.warc.gz")).0, 2);
}
