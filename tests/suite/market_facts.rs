//! What is read from the fictional marketplace's pages is what its shops know.

use markwarden::{
    crawl::{CompiledProfile, PageText, decode, extract, links},
    demo::{Market, Style},
    model::Listing,
};

async fn body(browser: &reqwest::Client, url: &str) -> (String, Vec<u8>) {
    for _ in 0..2 {
        let response = browser.get(url).send().await.unwrap();
        if response.status().is_success() {
            let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
            return (kind, response.bytes().await.unwrap().to_vec());
        }
    }
    panic!("{url} is not served");
}

fn browser() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Line breaks inside a text are the page's, not the fact's.
fn squeezed(text: Option<&str>) -> String {
    text.unwrap_or("").split_whitespace().collect::<Vec<_>>().join("")
}

fn differences(read: &Listing, known: &Listing) -> Vec<String> {
    let mut out = Vec::new();
    let mut text = |what: &str, read: Option<&str>, known: Option<&str>| {
        if squeezed(read) != squeezed(known) {
            out.push(format!("{what}: {read:?} for {known:?}"));
        }
    };
    text("id", Some(&read.id), Some(&known.id));
    text("title", Some(&read.title), Some(&known.title));
    text("subtitle", read.subtitle.as_deref(), known.subtitle.as_deref());
    text("description", read.description.as_deref(), known.description.as_deref());
    text("sku", read.sku.as_deref(), known.sku.as_deref());
    text("brand", read.brand.as_deref(), known.brand.as_deref());
    text("availability", read.availability.as_deref(), known.availability.as_deref());
    let (of_read, of_known) = (read.seller.clone().unwrap_or_default(), known.seller.clone().unwrap_or_default());
    text("seller", of_read.name.as_deref(), of_known.name.as_deref());
    text("seller id", of_read.id.as_deref(), of_known.id.as_deref());
    text("license", of_read.license.as_deref(), of_known.license.as_deref());
    text("category", Some(&read.category.join("/")), Some(&known.category.join("/")));
    let price = |listing: &Listing| listing.price.as_ref().map(|p| (p.amount.ten_thousandths(), p.currency.clone()));
    if price(read) != price(known) {
        out.push(format!("price: {:?} for {:?}", price(read), price(known)));
    }
    if read.attributes != known.attributes {
        out.push(format!("attributes: {:?} for {:?}", read.attributes, known.attributes));
    }
    if read.reviews != known.reviews {
        out.push(format!("reviews: {:?} for {:?}", read.reviews, known.reviews));
    }
    if read.images.len() != known.images.len() {
        out.push(format!("images: {:?} for {:?}", read.images, known.images));
    }
    out
}

#[tokio::test]
async fn every_listing_page_gives_the_facts_its_shop_knows() {
    let (market, browser) = (Market::start().await.unwrap(), browser());
    let profiles = market.profiles().unwrap();
    let mut wrong = Vec::new();
    for known in market.listings() {
        let expected = &market.truth().listings[&known.id];
        let style = Style::ALL.into_iter().find(|style| style.id() == expected.site).unwrap();
        let profile = profiles.iter().find(|profile| profile.id == expected.site).unwrap();
        let compiled = CompiledProfile::new(profile);
        let url = format!("{}{}", market.address(style), expected.path);
        let (kind, bytes) = body(&browser, &url).await;
        let text = decode(&bytes, Some(&kind)).text;
        let url = url::Url::parse(&url).unwrap();
        match extract(&PageText { url: &url, text: &text }, Some(&compiled)) {
            Some(read) => {
                wrong.extend(differences(&read, known).into_iter().map(|what| format!("{} {what}", known.id)))
            }
            None => wrong.push(format!("{} gives no facts", known.id)),
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    market.stop().await;
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let (market, browser) = (Market::start().await.unwrap(), browser());
    for profile in market.profiles().unwrap() {
        let (mut next, mut items, mut pages) = (Some(profile.start[0].clone()), Vec::new(), 0);
        while let Some(address) = next {
            let url = url::Url::parse(&address).unwrap();
            let list = profile.lists.iter().find(|list| list.pattern.matches(&url)).expect("a list's address");
            let (kind, bytes) = body(&browser, &address).await;
            let found = links(&decode(&bytes, Some(&kind)).text, &url, list);
            items.extend(found.items);
            next = found.next.map(String::from);
            pages += 1;
        }
        let listed = market.truth().listings.values().filter(|listing| listing.site == profile.id).count();
        assert_eq!(pages, 6, "{}", profile.id);
        assert!(items.len() + 6 >= listed, "{}: {} of {listed}", profile.id, items.len());
    }
    market.stop().await;
}
