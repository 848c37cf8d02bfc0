//! The facts that a page must give, as a person wrote them; and where what was read differs.
//!
//! Pure. What is stated must be so; what is not stated may be anything. Inside `price`, `seller` and `attributes` too only
//! what is named is compared; lists are compared whole.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Listing;

/// The facts that can be expected, in the order they are written in.
pub const FACTS: [&str; 15] = [
    "id",
    "platform",
    "url",
    "title",
    "subtitle",
    "description",
    "price",
    "sku",
    "brand",
    "availability",
    "seller",
    "category",
    "images",
    "reviews",
    "attributes",
];
/// Differences of one page that are told.
const MAX_DIFFERENCES: usize = 50;
/// Longest value that is told, in characters.
const VALUE_CHARS: usize = 120;
/// Most facts that one page states as present or absent by name.
const MAX_NAMES: usize = 100;

/// What a page must give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Facts as a listing writes them.
    facts: Map<String, Value>,
    /// Facts that must stand, whatever their value: `price`, `attributes.品牌`.
    has: Vec<String>,
    /// Facts that must not stand.
    absent: Vec<String>,
}

/// A fact that was read otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which, such as `price.amount` or `attributes.品牌`.
    pub path: String,
    /// What it should be; none where nothing should stand.
    pub expected: Option<String>,
    /// What was read; none where nothing stood.
    pub read: Option<String>,
}

impl Difference {
    /// The same in words.
    pub fn words(&self) -> String {
        match (&self.expected, &self.read) {
            (Some(expected), Some(read)) => format!("{} is read as {read}, not {expected}", self.path),
            (Some(expected), None) => format!("{} is not read; it should be {expected}", self.path),
            (None, Some(read)) => format!("{} is read as {read}, where nothing should stand", self.path),
            (None, None) => format!("{} is read otherwise", self.path),
        }
    }
}

impl Expected {
    /// The facts as a person wrote them, in the form in which a listing holds them.
    ///
    /// # Errors
    /// With the fact that is none, and why.
    pub fn new(facts: &Map<String, Value>, has: &[String], absent: &[String]) -> Result<Self, (String, String)> {
        let known = |name: &str| FACTS.contains(&first_step(name));
        for name in facts.keys().chain(has).chain(absent) {
            if !known(name) {
                return Err((name.clone(), format!("`{name:.80}` is no fact of a listing: {}", FACTS.join(", "))));
            }
        }
        if let Some(name) = has.iter().chain(absent).nth(MAX_NAMES) {
            return Err((name.clone(), format!("more than {MAX_NAMES} facts are named")));
        }
        if let Some(name) = absent.iter().find(|name| has.contains(name) || facts.contains_key(*name)) {
            return Err((name.clone(), format!("`{name}` can hardly be there and not be there")));
        }
        let mut whole = facts.clone();
        whole.entry("title").or_insert_with(|| "".into());
        // One by one, so that the one that is wrong can be named.
        for (name, value) in facts {
            let mut one = Map::from_iter([("title".to_owned(), Value::from(""))]);
            one.insert(name.clone(), value.clone());
            if let Err(error) = serde_json::from_value::<Listing>(Value::Object(one)) {
                return Err((name.clone(), format!("`{name}` cannot be so: {error}")));
            }
        }
        let listing: Listing =
            serde_json::from_value(Value::Object(whole)).map_err(|error| ("facts".to_owned(), error.to_string()))?;
        let mut facts_of = object_of(&listing);
        facts_of.retain(|name, _| facts.contains_key(name));
        if let Some(name) = facts.keys().find(|name| !facts_of.contains_key(*name)) {
            return Err((name.clone(), format!("`{name}` is empty: name it under `absent` if it must not stand")));
        }
        Ok(Self { facts: facts_of, has: has.to_vec(), absent: absent.to_vec() })
    }

    /// Whether nothing is expected at all.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.has.is_empty() && self.absent.is_empty()
    }

    /// What of `listing` differs, the first fifty; all of it where no listing was read.
    pub fn differences(&self, listing: Option<&Listing>) -> Vec<Difference> {
        let read = Value::Object(listing.map(object_of).unwrap_or_default());
        let mut found = Vec::new();
        for (name, expected) in &self.facts {
            compare(name, expected, read.get(name), &mut found);
        }
        for name in &self.has {
            if at(&read, name).is_none() {
                found.push(Difference { path: name.clone(), expected: Some("something".into()), read: None });
            }
        }
        for name in &self.absent {
            if let Some(value) = at(&read, name) {
                found.push(Difference { path: name.clone(), expected: None, read: Some(shown(value)) });
            }
        }
        found.truncate(MAX_DIFFERENCES);
        found
    }
}

/// The facts of a listing, without when it was read.
pub(super) fn object_of(listing: &Listing) -> Map<String, Value> {
    match serde_json::to_value(listing) {
        Ok(Value::Object(mut facts)) => {
            facts.retain(|name, value| FACTS.contains(&name.as_str()) && !is_nothing(value));
            facts
        }
        _ => Map::new(),
    }
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str() == Some("")
}

/// `attributes.品牌` is under `attributes`.
fn first_step(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

fn at<'v>(facts: &'v Value, path: &str) -> Option<&'v Value> {
    let found = match path.split_once('.') {
        Some((first, rest)) => facts.get(first)?.get(rest),
        None => facts.get(path),
    };
    found.filter(|value| !is_nothing(value))
}

fn compare(path: &str, expected: &Value, read: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, read) {
        (Value::Object(expected), Some(Value::Object(read))) => {
            for (name, value) in expected {
                compare(&format!("{path}.{name}"), value, read.get(name), found);
            }
        }
        (Value::Array(expected), Some(Value::Array(read))) => {
            for index in 0..expected.len().max(read.len()) {
                let path = format!("{path}[{index}]");
                match (expected.get(index), read.get(index)) {
                    (Some(value), read) => compare(&path, value, read, found),
                    (None, read) => found.push(Difference { path, expected: None, read: read.map(shown) }),
                }
            }
        }
        (expected, read) if Some(expected) == read => {}
        (expected, read) => {
            found.push(Difference { path: path.to_owned(), expected: Some(shown(expected)), read: read.map(shown) });
        }
    }
}

/// A value for a person, not too long.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("“{text}”"),
        other => other.to_string(),
    };
    let mut cut: String = text.chars().take(VALUE_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn expected(facts: Value, has: &[&str], absent: &[&str]) -> Result<Expected, (String, String)> {
        let Value::Object(facts) = facts else { panic!("no object") };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Expected::new(&facts, &owned(has), &owned(absent))
    }

    fn listing(value: Value) -> Listing {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_stated_must_be_so_and_the_rest_may_be_anything() {
        let wanted =
            json!({"title": "云雀 耳机", "price": {"amount": 199, "currency": "CNY"}, "attributes": {"品牌": "云雀"}});
        let wanted = expected(wanted, &["seller", "attributes.产地"], &["subtitle"]).unwrap();
        let right = listing(json!({"title": "云雀 耳机", "price": {"amount": "199", "currency": "CNY"}, "sku": "7",
            "attributes": {"品牌": "云雀", "产地": "杭州"}, "seller": {"name": "店"}}));
        assert_eq!(wanted.differences(Some(&right)), []);
        let wrong =
            listing(json!({"title": "云雀 耳机", "subtitle": "x", "price": {"amount": "99", "currency": "CNY"},
            "attributes": {"产地": ""}}));
        let words: Vec<String> = wanted.differences(Some(&wrong)).iter().map(Difference::words).collect();
        assert_eq!(
            words,
            [
                "attributes.品牌 is not read; it should be “云雀”",
                "price.amount is read as “99”, not “199”",
                "seller is not read; it should be something",
                "attributes.产地 is not read; it should be something",
                "subtitle is read as “x”, where nothing should stand",
            ]
        );
        assert_eq!(wanted.differences(None).len(), 5);
    }

    #[test]
    fn lists_are_compared_whole() {
        let wanted = expected(json!({"category": ["a", "b"]}), &[], &[]).unwrap();
        let more = listing(json!({"title": "t", "category": ["a", "c", "d"]}));
        let paths: Vec<String> = wanted.differences(Some(&more)).into_iter().map(|one| one.path).collect();
        assert_eq!(paths, ["category[1]", "category[2]"]);
    }

    #[test]
    fn what_is_no_fact_is_refused_and_named() {
        for (facts, has, absent, named) in [
            (json!({"titel": "x"}), &[][..], &[][..], "titel"),
            (json!({"price": {"amount": "-1"}}), &[], &[], "price"),
            (json!({"subtitle": null}), &[], &[], "subtitle"),
            (json!({}), &["prise"], &[], "prise"),
            (json!({"sku": "1"}), &[], &["sku"], "sku"),
            (json!({"timeline": []}), &[], &[], "timeline"),
        ] {
            assert_eq!(expected(facts, has, absent).unwrap_err().0, named);
        }
        let many = vec!["attributes.x"; MAX_NAMES + 1];
        assert!(expected(json!({}), &many, &[]).is_err());
    }

    proptest! {
        #[test]
        fn a_listing_is_what_its_own_facts_expect(title in "\\PC{1,20}", sku in proptest::option::of("\\PC{1,9}"), amount in 0_u32..9999, attributes in proptest::collection::btree_map("\\PC{0,6}", "\\PC{1,6}", 0..5)) {
            let read = listing(json!({"title": title, "sku": sku, "price": {"amount": amount, "currency": "CNY"}, "attributes": attributes}));
            let own = Expected::new(&object_of(&read), &[], &[]).unwrap();
            prop_assert_eq!(own.differences(Some(&read)), []);
        }
    }
}
