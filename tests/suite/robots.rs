//! `markwarden robots`, and the published cases of RFC 9309.

use std::{io::Write, path::PathBuf, process::Command};

fn real(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MARKWARDEN_REAL")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/real"), PathBuf::from);
    Some(folder.join(name)).filter(|path| path.exists())
}

#[test]
fn the_published_cases_are_decided_as_expected() {
    let Some(path) = real("robots-rfc.json") else {
        eprintln!("skipped: robots-rfc.json is absent; set MARKWARDEN_REAL to its folder");
        return;
    };
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let text = |field: &str| case[field].as_str().unwrap().to_owned();
        let robots = markwarden::crawl::Robots::parse(text("robots").as_bytes());
        if robots.check(&text("user_agent"), &text("url")).allowed != case["expected_allowed"].as_bool().unwrap() {
            wrong.push(text("id"));
        }
    }
    assert!(cases.len() >= 72 && wrong.is_empty(), "{} cases, wrong: {wrong:?}", cases.len());
}

fn robots(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const FILE: &str = "User-agent: *\nAllow: /x/public\nDisallow: /x\n";

#[test]
fn each_address_gets_a_line_with_the_deciding_line() {
    let (code, out, _) =
        robots(&["robots", "--agent", "Mark", "--file", "-", "http://h/x", "http://h/x/public/1", "http://h/y"], FILE);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "deny\thttp://h/x\t3: Disallow: /x\nallow\thttp://h/x/public/1\t2: Allow: /x/public\nallow\thttp://h/y\t-: no rule matches\n"
    );
    let (code, out, _) = robots(&["robots", "--format", "json", "--agent", "Mark", "--file", "-", "http://h/y"], FILE);
    assert_eq!((code, out.trim()), (0, r#"{"url":"http://h/y","allowed":true,"rule":null}"#));
}

#[test]
fn a_missing_file_or_an_address_that_is_none_is_a_usage_mistake() {
    let (code, out, words) = robots(&["robots", "--agent", "a", "--file", "/nowhere/robots.txt", "http://h/"], "");
    assert!(code == 2 && out.is_empty() && words.contains("/nowhere/robots.txt"), "{words}");
    let (code, out, words) = robots(&["robots", "--agent", "a", "--file", "-", "h/x"], FILE);
    assert!(code == 2 && out.is_empty() && words.contains("`h/x` is no address"), "{words}");
}
