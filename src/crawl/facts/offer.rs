//! What an offer of JSON-LD says: price, currency, availability, seller.

use serde_json::{Map, Value};
use url::Url;

use super::{
    super::price::{self, Price},
    draft::{Draft, MANY},
    json_ld::{get, list, name, scalar, text},
    words,
};

/// Offers inside offers are followed this deep.
const DEPTH: usize = 4;

/// The facts of an offer, a list of offers or an aggregate; of several, the first that can be bought.
pub(super) fn read(offers: &Value, url: &Url) -> Draft {
    let mut all = Vec::new();
    flatten(offers, 0, &mut all);
    let mut read: Vec<Draft> = all.iter().map(|offer| one(offer)).collect();
    let here = all.iter().position(|offer| all.len() > 1 && is_here(offer, url));
    let priced = |draft: &Draft| draft.price.is_some_and(|amount| amount.ten_thousandths() > 0);
    let in_stock = |draft: &Draft| draft.availability.as_deref() == Some("InStock");
    let best = here
        .filter(|&at| read.get(at).is_some_and(priced))
        .or_else(|| read.iter().position(|draft| priced(draft) && in_stock(draft)))
        .or_else(|| read.iter().position(priced))
        .unwrap_or(0);
    if read.is_empty() {
        return Draft::default();
    }
    let mut draft = read.swap_remove(best.min(read.len() - 1));
    for other in read {
        draft.currency = draft.currency.or(other.currency);
        draft.availability = draft.availability.or(other.availability);
        draft.price = draft.price.or(other.price);
    }
    draft
}

fn flatten<'v>(value: &'v Value, depth: usize, out: &mut Vec<&'v Map<String, Value>>) {
    for object in list(value).into_iter().filter_map(Value::as_object) {
        if depth > DEPTH || out.len() >= MANY {
            return;
        }
        out.push(object);
        if let Some(inner) = get(object, "offers") {
            flatten(inner, depth + 1, out);
        }
    }
}

fn is_here(offer: &Map<String, Value>, url: &Url) -> bool {
    text(offer, "url")
        .and_then(|text| url.join(&text).ok())
        .is_some_and(|at| at.path() == url.path() && at.query() == url.query())
}

fn one(offer: &Map<String, Value>) -> Draft {
    let currency = text(offer, "priceCurrency").or_else(|| text(offer, "currency"));
    let found = ["price", "lowPrice"].iter().find_map(|key| amount(get(offer, key)?, currency.as_deref(), 0));
    let found = found.or_else(|| specification(offer, currency.as_deref()));
    Draft {
        price: found.as_ref().map(|found| found.amount),
        currency: found
            .and_then(|found| found.currency)
            .or_else(|| currency.as_deref().and_then(price::currency_code).map(str::to_owned)),
        availability: text(offer, "availability").and_then(|text| words::availability(&text)).map(str::to_owned),
        sku: text(offer, "sku"),
        seller: crate::model::Seller {
            name: get(offer, "seller").or_else(|| get(offer, "offeredBy")).and_then(name),
            ..crate::model::Seller::default()
        },
        ..Draft::default()
    }
}

/// A price: a number, a text, or an object some template printed whole.
fn amount(value: &Value, currency: Option<&str>, depth: usize) -> Option<Price> {
    if let Some(found) = scalar(value).and_then(|text| price::parse_machine(&text, currency)) {
        return Some(found);
    }
    let object = value.as_object().filter(|_| depth < DEPTH)?;
    let currency = text(object, "currency").or_else(|| currency.map(str::to_owned));
    ["price", "sales", "value", "amount", "min"]
        .iter()
        .find_map(|key| amount(get(object, key)?, currency.as_deref(), depth + 1))
}

/// The price in `priceSpecification`: one that is paid, not a list price.
fn specification(offer: &Map<String, Value>, currency: Option<&str>) -> Option<Price> {
    let all = get(offer, "priceSpecification").map(list)?;
    let objects: Vec<&Map<String, Value>> = all.into_iter().filter_map(Value::as_object).collect();
    let is_list = |object: &&&Map<String, Value>| {
        let kind = text(object, "priceType").unwrap_or_default().to_ascii_lowercase();
        ["listprice", "strikethrough", "msrp", "srp", "regular"].iter().any(|word| kind.contains(word))
    };
    let read = |object: &&Map<String, Value>| {
        let own = text(object, "priceCurrency").or_else(|| currency.map(str::to_owned));
        ["price", "minPrice"].iter().find_map(|key| amount(get(object, key)?, own.as_deref(), 0))
    };
    objects.iter().filter(|object| !is_list(object)).find_map(read).or_else(|| objects.iter().find_map(read))
}
