//! A crawl of real product pages, served from loopback under their own hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};

type Pages = Arc<BTreeMap<String, Vec<u8>>>;

/// Host and path → page, as recorded; nothing when the folder is absent.
fn pages() -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = std::env::var_os("MARKWARDEN_REAL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real")), PathBuf::from)
        .join("pages");
    let Ok(truth) = std::fs::read_to_string(folder.join("truth.json")) else {
        println!("skipped: no real pages in {}", folder.display());
        return None;
    };
    let truth: BTreeMap<String, serde_json::Value> = serde_json::from_str(&truth).unwrap();
    let read = |(id, facts): (String, serde_json::Value)| {
        let file = std::fs::File::open(folder.join(format!("{id}.html.gz"))).unwrap();
        let mut page = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut page).unwrap();
        let url = url::Url::parse(facts["url"].as_str().unwrap()).unwrap();
        (format!("{}{}", url.host_str().unwrap(), url.path()), page)
    };
    Some(truth.into_iter().map(read).collect())
}

async fn serve_page(State(pages): State<Pages>, headers: HeaderMap, uri: Uri) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let host = host.split(':').next().unwrap_or("");
    match pages.get(&format!("{host}{}", uri.path())) {
        Some(page) => Html(page.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_of_real_pages_ends_with_listings_in_the_store() {
    let Some(pages) = pages() else { return };
    let addresses: Vec<String> = pages.keys().cloned().collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().fallback(serve_page).with_state(Arc::new(pages));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let place = tempfile::tempdir().unwrap();
    let start: Vec<String> = addresses
        .iter()
        .map(|address| {
            let (host, path) = address.split_once('/').unwrap();
            format!("http://{host}:{port}/{path}")
        })
        .collect();
    let hosts: BTreeSet<&str> = addresses.iter().map(|address| address.split('/').next().unwrap()).collect();
    let hosts: Vec<String> = hosts.into_iter().map(|host| format!("{host:?} = \"127.0.0.1\"")).collect();
    let profile = format!(
        "format = 1\nid = \"real\"\nname = \"real\"\nplatform = \"real\"\nallow_loopback = true\nstart = {start:?}\n\
         [pace]\ndelay = \"0s\"\nretries = 0\n[listing]\nmatch = [\"/\"]\n"
    );
    std::fs::write(place.path().join("real.toml"), profile).unwrap();
    std::fs::write(place.path().join("config.toml"), format!("[crawl.addresses]\n{}\n", hosts.join("\n"))).unwrap();
    let output = tokio::task::spawn_blocking({
        let folder = place.path().to_owned();
        move || {
            Command::new(env!("CARGO_BIN_EXE_markwarden"))
                .args(["crawl", "--format", "json", "real.toml"])
                .current_dir(folder)
                .output()
                .unwrap()
        }
    })
    .await
    .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    let report: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(report["pages"].as_u64(), Some(addresses.len() as u64), "{out}");
    assert!(report["store"]["listings"].as_u64().unwrap() >= 34, "{out}");
}
