//! Style, script and icon: part of the program, addressed by their content, kept by browsers for good.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{WebError, tokens};

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    hash: String,
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset_of("desk.css", "text/css; charset=utf-8", include_str!("assets/desk.css")),
        asset_of("portal.css", "text/css; charset=utf-8", include_str!("assets/portal.css")),
        asset_of("review.js", "text/javascript; charset=utf-8", include_str!("assets/review.js")),
        asset_of("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
});

fn asset_of(name: &'static str, kind: &'static str, text: &'static str) -> Asset {
    let hash = tokens::hex(&Sha256::digest(text.as_bytes()));
    Asset { name, kind, text, hash: hash.chars().take(16).collect() }
}

/// The address of an asset, with its content's hash.
pub(super) fn address(name: &str) -> String {
    let hash = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.hash.as_str());
    format!("/assets/{hash}/{name}")
}

/// Serves an asset; an address with another hash is another content's.
pub(super) async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.text,
        )
            .into_response(),
        None => WebError::NotFound.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_stays_small() {
        let script = ASSETS.iter().find(|asset| asset.name == "review.js").unwrap();
        assert!(script.text.len() < 20_000, "{} bytes", script.text.len());
    }
}
