//! A listing whose facts stand in a JSON document, at the pointers of a profile.

use serde_json::Value;
use url::Url;

use super::{
    super::{
        pointer::{self, plain},
        price,
        profile::{JsonFacts, Place},
    },
    CompiledProfile,
    draft::{Draft, MANY},
    page::{TEXT_BYTES, clean},
    words,
};
use crate::model::{Amount, Listing, Seller};

/// The listing that `item` is, as `facts` say where its facts stand; `url` is its address, or that of the answer it came
/// in. None without a title.
#[must_use]
pub fn listing_of(item: &Value, facts: &JsonFacts, url: &Url, profile: &CompiledProfile) -> Option<Listing> {
    let one = |place: &Option<Place>| place.as_ref().and_then(|place| texts(item, &place.at).into_iter().next());
    let many = |place: &Option<Place>| place.as_ref().map(|place| texts(item, &place.at)).unwrap_or_default();
    let mut draft = Draft {
        title: one(&Some(facts.title.clone())),
        subtitle: one(&facts.subtitle),
        description: one(&facts.description),
        currency: one(&facts.currency).and_then(|text| price::currency_code(&text)).map(str::to_owned),
        sku: one(&facts.sku),
        brand: one(&facts.brand),
        availability: one(&facts.availability).map(|text| words::availability(&text).map_or(text, str::to_owned)),
        seller: Seller {
            id: one(&facts.seller_id),
            name: one(&facts.seller),
            license: one(&facts.seller_license),
            ..Seller::default()
        },
        images: many(&facts.images),
        category: match many(&facts.category).as_slice() {
            [path] => words::category(path),
            path => path.to_vec(),
        },
        reviews: many(&facts.reviews),
        ..Draft::default()
    };
    if let Some(place) = &facts.price {
        put_price(&mut draft, item, place, profile.profile().listing.currency.as_deref());
    }
    if let Some(rows) = &facts.attributes {
        for row in pointer::find(item, &rows.rows).into_iter().flat_map(elements).take(MANY) {
            let text = |at: &str| texts(row, at).into_iter().next();
            if let Some((name, value)) = text(&rows.name).zip(text(&rows.value)) {
                draft.attribute(&name, Value::String(value));
            }
        }
    }
    let mut listing = profile.finish(draft, url)?;
    if let Some(id) = one(&facts.id) {
        listing.id = format!("{}:{id}", profile.profile().platform);
    }
    Some(listing)
}

/// The texts at a pointer, in order, cleaned; an array there stands for its elements.
fn texts(item: &Value, at: &str) -> Vec<String> {
    let values = pointer::find(item, at).into_iter().flat_map(elements);
    let texts = values.filter_map(plain).map(|text| match text.char_indices().nth(TEXT_BYTES) {
        Some((end, _)) => clean(text.get(..end).unwrap_or_default()),
        None => clean(&text),
    });
    texts.filter(|text| !text.is_empty()).take(MANY).collect()
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().take(MANY).collect(),
        other => vec![other],
    }
}

fn put_price(draft: &mut Draft, item: &Value, place: &Place, currency: Option<&str>) {
    let Some(value) = pointer::first(item, &place.at) else { return };
    let hint = draft.currency.clone().or_else(|| currency.map(str::to_owned));
    let found = match (value, plain(value)) {
        (_, Some(text)) if place.fen => text.trim().parse().ok().map(|fen| (Amount::from_hundredths(fen), None)),
        (Value::Number(_), Some(text)) => {
            price::parse_machine(&text, hint.as_deref()).map(|found| (found.amount, found.currency))
        }
        (_, Some(text)) => price::parse(&text, hint.as_deref()).map(|found| (found.amount, found.currency)),
        (_, None) => None,
    };
    if let Some((amount, own)) = found {
        draft.price = Some(amount);
        draft.currency = draft.currency.take().or(own).or(hint);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crawl::Profile;

    fn profile() -> CompiledProfile {
        let text = r#"
format = 1
id = "shop"
name = "shop"
platform = "shop"
start = ["http://shop.example/api"]
[[list]]
match = "/api"
[list.json]
items = "/data/*/goods"
link = "/p/{/id}"
[list.json.facts]
id = "/id"
title = "/name"
price = { at = "/price", fen = true }
brand = "/brand"
seller = "/shop/name"
images = "/pics/*/src"
category = "/path"
attributes = { rows = "/props", name = "/k", value = "/v" }
[listing]
match = ["/p/"]
currency = "CNY"
"#;
        CompiledProfile::new(&Profile::parse("shop.toml", text).unwrap())
    }

    #[test]
    fn facts_are_read_where_the_profile_says() {
        let profile = profile();
        let facts = profile.profile().lists[0].json.as_ref().unwrap().facts.clone().unwrap();
        let item = json!({"id": 7, "name": " 云雀&nbsp;跑鞋 ", "price": 19900, "brand": null, "shop": {"name": "云雀店"},
            "pics": [{"src": "/i/1.jpg"}, {"src": "javascript:x"}], "path": ["鞋靴", "跑鞋"],
            "props": [{"k": "材质", "v": "网布"}, {"k": "空", "v": ""}, 5]});
        let url = Url::parse("http://shop.example/p/7").unwrap();
        let listing = listing_of(&item, &facts, &url, &profile).unwrap();
        assert_eq!((listing.id.as_str(), listing.title.as_str()), ("shop:7", "云雀 跑鞋"));
        let price = listing.price.unwrap();
        assert_eq!((price.amount.to_string().as_str(), price.currency.as_str()), ("199.00", "CNY"));
        assert_eq!(listing.seller.unwrap().name.as_deref(), Some("云雀店"));
        assert_eq!(
            (listing.images.len(), listing.category, listing.brand),
            (1, vec!["鞋靴".to_owned(), "跑鞋".into()], None)
        );
        assert_eq!(listing.attributes.len(), 1);
        assert!(listing_of(&json!({"id": 8}), &facts, &url, &profile).is_none());
    }
}
