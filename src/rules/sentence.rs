//! The listings of tests, in their short form: `{ title = "…", category = "食品", price = 99 }`.
//!
//! Short forms are `category` as one text, `price` as a number, and `picture_text`, `review`,
//! `spoken`, `danmaku`, `shelf` and `seller_name` for the surfaces of those kinds. Everything else
//! is as in listings files.

use serde_json::{Map, Value, json};

use crate::model::Listing;

/// The fields a test may use besides the short forms.
const PLAIN: [&str; 11] =
    ["id", "title", "subtitle", "description", "attributes", "brand", "category", "seller", "platform", "url", "sku"];

/// Makes a listing of its short form.
pub(super) fn listing(table: &toml::Table) -> Result<Listing, String> {
    let mut object = Map::new();
    object.insert("title".to_owned(), Value::String(String::new()));
    let mut timeline = Vec::new();
    for (key, value) in table {
        let value = serde_json::to_value(value).map_err(|error| format!("`{key}`: {error}"))?;
        match key.as_str() {
            "picture_text" => insert(&mut object, "images", json!([{ "text": value }])),
            "review" => insert(&mut object, "reviews", json!([{ "text": value }])),
            "seller_name" => insert(&mut object, "seller", json!({ "name": value })),
            "spoken" => timeline.push(json!({ "text": value, "kind": "caption" })),
            "danmaku" => timeline.push(json!({ "text": value, "kind": "danmaku" })),
            "shelf" => timeline.push(json!({ "text": value, "kind": "shelf" })),
            "price" => insert(&mut object, "price", json!({ "amount": value, "currency": "CNY" })),
            plain if PLAIN.contains(&plain) => insert(&mut object, plain, value),
            other => return Err(format!("a test's listing has no field `{other}`")),
        }
    }
    if !timeline.is_empty() {
        insert(&mut object, "timeline", Value::Array(timeline));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| format!("this is no listing: {error}"))
}

fn insert(object: &mut Map<String, Value>, key: &str, value: Value) {
    object.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_a_listing() {
        let table: toml::Table = toml::from_str(
            "title = \"茶\"\ncategory = \"食品\"\nprice = 9.5\nspoken = \"说\"\nreview = \"好\"\nseller_name = \"店\"\nattributes = { \"产地\" = \"云南\" }\n",
        )
        .unwrap();
        let listing = listing(&table).unwrap();
        assert_eq!(listing.category, ["食品"]);
        assert_eq!(listing.price.as_ref().map(|price| price.amount.to_string()).as_deref(), Some("9.5"));
        assert_eq!(listing.surfaces().len(), 5);
        assert!(super::listing(&toml::from_str("asr = \"x\"").unwrap()).is_err());
    }
}
