//! The fictional marketplace: its files fit together, and its shops do what they are said to do.

mod files;
mod shops;

use std::collections::BTreeMap;

use markwarden::{
    demo::{Market, Style},
    model::Listing,
};

/// A browser that follows nothing and unpacks nothing by itself.
fn browser() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("market-test/1")
        .build()
        .unwrap()
}

struct Got {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// An open market and a browser that walks it.
struct Visit {
    market: Market,
    browser: reqwest::Client,
}

impl std::ops::Deref for Visit {
    type Target = Market;
    fn deref(&self) -> &Market {
        &self.market
    }
}

async fn open() -> Visit {
    Visit { market: Market::start().await.unwrap(), browser: browser() }
}

async fn get(market: &Visit, style: Style, path: &str) -> Got {
    let response = market.browser.get(format!("{}{path}", market.address(style))).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

fn style(site: &str) -> Style {
    Style::ALL.into_iter().find(|style| style.id() == site).unwrap()
}

fn listings(market: &Visit) -> BTreeMap<String, &Listing> {
    market.listings().map(|listing| (listing.id.clone(), listing)).collect()
}

fn decoded(site: Style, body: &[u8]) -> String {
    if site == Style::Laojie {
        assert!(std::str::from_utf8(body).is_err(), "GBK is no UTF-8");
        let (text, _, wrong) = encoding_rs::GBK.decode(body);
        assert!(!wrong, "the page is not GBK");
        return text.into_owned();
    }
    String::from_utf8(body.to_vec()).unwrap()
}
