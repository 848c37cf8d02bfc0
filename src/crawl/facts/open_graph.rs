//! Product facts from `meta` elements: OpenGraph, its product and price words, and Twitter's labels.

use super::{super::price, draft::Draft, page::Page, words};

/// Words for the price, the one that is paid first.
const PRICE: &[&str] = &[
    "product:sale_price:amount",
    "product:price:amount",
    "og:price:amount",
    "og:product:price:amount",
    "product:price",
];
const CURRENCY: &[&str] = &[
    "product:sale_price:currency",
    "product:price:currency",
    "og:price:currency",
    "og:product:price:currency",
    "og:currency",
];
const AVAILABILITY: &[&str] = &["product:availability", "og:availability", "og:product:availability"];
const NUMBER: &[&str] =
    &["product:retailer_item_id", "product:retailer_part_no", "product:mfr_part_no", "og:product:id"];

/// What the `meta` elements of a page say of its product.
pub(super) fn read(page: &Page<'_>) -> Draft {
    let metas = metas(page);
    let get = |name: &str| {
        metas.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.clone())
    };
    let first = |names: &[&str]| names.iter().find_map(|name| get(name));
    let currency = first(CURRENCY);
    let found = first(PRICE)
        .or_else(|| labelled(&metas, "price"))
        .and_then(|text| price::parse_machine(&text, currency.as_deref()));
    let found = found.filter(|found| found.amount.ten_thousandths() > 0);
    Draft {
        title: get("og:title").map(|title| without_site(&title, get("og:site_name").as_deref())),
        description: first(&["og:description", "description", "twitter:description"]),
        price: found.as_ref().map(|found| found.amount),
        currency: currency
            .as_deref()
            .and_then(price::currency_code)
            .map(str::to_owned)
            .or_else(|| found.and_then(|found| found.currency)),
        sku: get("product:sku"),
        number: first(NUMBER),
        brand: first(&["product:brand", "og:brand"]),
        availability: first(AVAILABILITY)
            .or_else(|| labelled(&metas, "availability"))
            .and_then(|text| words::availability(&text))
            .map(str::to_owned),
        images: metas
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "og:image" | "og:image:url"))
            .map(|(_, url)| url.clone())
            .collect(),
        category: get("product:category")
            .filter(|path| !path.chars().all(|c| c.is_ascii_digit()))
            .map(|path| words::category(&path))
            .unwrap_or_default(),
        ..Draft::default()
    }
}

/// Every `meta` with a name and a content.
fn metas(page: &Page<'_>) -> Vec<(String, String)> {
    let read = |node: &super::page::Node<'_>| {
        let name = ["property", "name", "itemprop"].iter().find_map(|key| node.attribute(key))?;
        Some((name.to_ascii_lowercase(), node.attribute("content")?))
    };
    page.nodes.iter().filter(|node| node.name == "meta").filter_map(read).take(500).collect()
}

/// `twitter:data1` whose `twitter:label1` is `label`.
fn labelled(metas: &[(String, String)], label: &str) -> Option<String> {
    let (name, _) = metas
        .iter()
        .find(|(name, value)| name.starts_with("twitter:label") && value.trim().eq_ignore_ascii_case(label))?;
    let data = name.replace("label", "data");
    metas.iter().find(|(name, _)| *name == data).map(|(_, value)| value.clone())
}

/// A title without the name of its site at the end.
fn without_site(title: &str, site: Option<&str>) -> String {
    let trimmed = site
        .and_then(|site| title.strip_suffix(site))
        .map(|rest| rest.trim_end_matches([' ', '|', '-', '–', '—', '·', ':']));
    trimmed.filter(|rest| !rest.is_empty()).unwrap_or(title).to_owned()
}
