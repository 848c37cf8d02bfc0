//! Any page is read without a panic, with and without a profile.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::{CompiledProfile, PageText, Profile, decode, extract};
use url::Url;

static PROFILE: LazyLock<Option<CompiledProfile>> = LazyLock::new(|| {
    let text = include_str!("../../../fixtures/market/sites/jianpu.toml").replace("{jianpu}", "http://shop.example");
    Profile::parse("jianpu.toml", &text).ok().map(|profile| CompiledProfile::new(&profile))
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(url) = Url::parse("http://shop.example/g/1") else { return };
    let decoded = decode(bytes, None);
    let page = PageText { url: &url, text: &decoded.text };
    let _ = extract(&page, None);
    let _ = extract(&page, PROFILE.as_ref());
});
