//! Product facts of saved pages: every `fixtures/pages/*.html` gives the listing in the `.json` beside it.
//!
//! The `.json` has `url`, `listing` (null for a page without a product), and where needed `content_type`
//! and `profile` (the name of a profile in the same folder).

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use markwarden::crawl::{CompiledProfile, ListPage, PageText, Profile, decode, extract, links};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    url: Url,
    content_type: Option<String>,
    profile: Option<String>,
    listing: Value,
}

#[test]
fn every_saved_page_gives_the_listing_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pages");
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let page = entry.unwrap().path();
        if page.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        seen += 1;
        let case: Case = serde_json::from_slice(&fs::read(page.with_extension("json")).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let profile = case.profile.map(|name| CompiledProfile::new(&Profile::read(&folder.join(name)).unwrap()));
        let text = decode(&fs::read(&page).unwrap(), case.content_type.as_deref()).text;
        let listing = extract(&PageText { url: &case.url, text: &text }, profile.as_ref());
        let found = serde_json::to_value(listing).unwrap();
        if found != case.listing {
            wrong.push_str(&format!("{}:\n{found}\nexpected\n{}\n\n", page.display(), case.listing));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(seen >= 12, "only {seen} pages");
}

fn list(toml: &str) -> ListPage {
    let profile = format!(
        "format = 1\nid = \"x\"\nname = \"x\"\nplatform = \"x\"\nstart = [\"http://x/\"]\n[listing]\nmatch = [\"/p\"]\n[[list]]\nmatch = \"/\"\n{toml}"
    );
    Profile::parse("x.toml", &profile).unwrap().lists.remove(0)
}

fn shown(list_page: &str, toml: &str) -> (Vec<String>, Option<String>) {
    let base = Url::parse("http://x.example/list/1?page=1").unwrap();
    let found = links(list_page, &base, &list(toml));
    (found.items.iter().map(|item| item.url.to_string()).collect(), found.next.map(|url| url.to_string()))
}

#[test]
fn an_html_list_names_its_items_once_and_its_next_page() {
    let page = "<div class=item><a href='/p/1.html?a=1&amp;b=2#x'>a</a></div><div class=item><a href=/p/1.html?a=1&b=2>a</a></div>\
                <a class=item href='javascript:void(0)'>x</a><a class=item href='mailto:a@b'>x</a><a rel=next href='?page=2'>下一页</a>";
    let (items, next) = shown(page, "items = \".item\"\nnext = \"a[rel=next]\"");
    assert_eq!(items, ["http://x.example/p/1.html?a=1&b=2"]);
    assert_eq!(next.as_deref(), Some("http://x.example/list/1?page=2"));
}

#[test]
fn a_json_list_is_read_by_pointers() {
    let page = r#"{"data":{"goods":[{"id":7},{"id":"a/b"},{"no":1}],"cursor":"q&1"}}"#;
    let toml = "json = { items = \"/data/goods\", link = \"/goods?id={/id}\", next = \"/data/cursor\", next_link = \"/api?after={}\" }";
    let (items, next) = shown(page, toml);
    assert_eq!(items, ["http://x.example/goods?id=7", "http://x.example/goods?id=a%2Fb"]);
    assert_eq!(next.as_deref(), Some("http://x.example/api?after=q%261"));
    let (items, next) = shown("{\"data\":", toml);
    assert!(items.is_empty() && next.is_none());
}

#[test]
fn a_list_longer_than_its_bound_is_cut() {
    let page: String = (0..3_000).map(|item| format!("<a href=/p/{item}>x</a>")).collect();
    assert_eq!(shown(&page, "items = \"a\"").0.len(), markwarden::crawl::LINKS);
}

#[test]
fn a_page_made_to_exhaust_a_document_builder_is_read_without_one() {
    let profile = Profile::parse(
        "x.toml",
        "format = 1\nid = \"x\"\nname = \"x\"\nplatform = \"x\"\nstart = [\"http://x/\"]\n[listing]\nmatch = [\"/p\"]\n[listing.select]\ntitle = \"h2\"",
    )
    .unwrap();
    let compiled = CompiledProfile::new(&profile);
    let url = Url::parse("http://x.example/p/1").unwrap();
    for hostile in [
        format!("<h1>云雀</h1>{}", "<div>".repeat(100_000)),
        format!(
            "<h1>云雀</h1>{}{}",
            (0..2_000).map(|n| format!("<b id={n}>")).collect::<String>(),
            "<p>x".repeat(20_000)
        ),
        format!("<h1>云雀</h1>{}", "<table><div></table>".repeat(10_000)),
    ] {
        let listing = extract(&PageText { url: &url, text: &hostile }, Some(&compiled)).unwrap();
        assert_eq!(listing.title, "云雀");
    }
}

/// Runs `extract` with `input` on stdin.
fn extracted(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(["--format", "json", "extract"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_page_from_stdin_plain_or_packed_is_printed_as_one_line_of_json() {
    let page = "<h1>云雀 跑鞋</h1><p class=price>￥199</p>".as_bytes();
    for input in [page.to_vec(), packed(page)] {
        let output = extracted(&["--url", "https://x.example/p/1?utm_source=a", "-"], &input);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1);
        let listing: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((listing["title"].as_str(), listing["price"]["amount"].as_str()), (Some("云雀 跑鞋"), Some("199")));
        assert_eq!(listing["url"], "https://x.example/p/1");
    }
}

#[test]
fn a_named_charset_is_used_whatever_the_page_says() {
    let page = encoding_rs::GBK.encode("<meta charset=utf-8><h1>云雀</h1>").0.into_owned();
    let output = extracted(&["--charset", "gbk", "-"], &page);
    assert!(String::from_utf8(output.stdout).unwrap().contains("云雀"));
    let output = extracted(&["--charset", "klingon", "-"], &page);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("`klingon` is no encoding"));
}

#[test]
fn exit_codes_tell_a_page_without_a_product_from_one_that_cannot_be_read() {
    let output = extracted(&["-"], b"<p>nothing</p>");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let output = extracted(&["/nowhere/page.html"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/page.html"));
}

#[test]
fn a_page_that_unpacks_past_the_bound_is_refused() {
    let bomb = packed(&vec![b' '; markwarden::crawl::PAGE_BYTES + 1]);
    assert!(bomb.len() < 100_000);
    let output = extracted(&["-"], &bomb);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("longer than 8 MiB"));
}

#[test]
fn a_profile_with_a_mistake_is_shown_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.toml");
    fs::write(&path, "format = 1\nid = \n").unwrap();
    let output = extracted(&["--profile", path.to_str().unwrap(), "-"], b"<h1>x</h1>");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("broken.toml:2:"));
}
