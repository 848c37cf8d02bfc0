//! What is other in one state of a listing than in the one before.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Listing;

/// Differences that are told one by one.
const MOST: usize = 40;
/// Longest value that is told, in characters.
const VALUE_CHARS: usize = 300;
/// Deepest value that is looked into; what lies deeper is compared whole.
const DEPTH: usize = 8;

/// One fact that is other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which, as surfaces are named: `title`, `attributes.品牌`, `images[0].url`.
    pub path: String,
    /// What it was, cut where it is long; none where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is; none where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Listing {
    /// What is other here than in `before`, apart from when and where it was read; the first forty in the order of the facts.
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let facts = |listing: &Self| {
            let facts = Self { captured_at: None, url: None, ..listing.clone() };
            serde_json::to_value(facts).unwrap_or_default()
        };
        let mut found = Vec::new();
        compare(String::new(), Some(&facts(before)), Some(&facts(self)), DEPTH, &mut found);
        found
    }
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, depth: usize, found: &mut Vec<Difference>) {
    if before == after || found.len() >= MOST {
        return;
    }
    let inside = |value: Option<&Value>| value.is_none_or(|value| value.is_object());
    let listed = |value: Option<&Value>| value.is_none_or(|value| value.is_array());
    if depth > 0 && inside(before) && inside(after) {
        let (before, after) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
        let gone = before.into_iter().flatten().map(|(name, _)| name);
        let new = after.into_iter().flatten().map(|(name, _)| name);
        let new = new.filter(|name| !before.is_some_and(|before| before.contains_key(*name)));
        for name in gone.chain(new) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let of = |facts: Option<&serde_json::Map<String, Value>>| facts.and_then(|facts| facts.get(name)).cloned();
            compare(path, of(before).as_ref(), of(after).as_ref(), depth - 1, found);
        }
    } else if depth > 0 && listed(before) && listed(after) {
        let (before, after) = (before.and_then(Value::as_array), after.and_then(Value::as_array));
        let long = before.map_or(0, Vec::len).max(after.map_or(0, Vec::len));
        for index in 0..long {
            let of = |items: Option<&Vec<Value>>| items.and_then(|items| items.get(index)).cloned();
            compare(format!("{path}[{index}]"), of(before).as_ref(), of(after).as_ref(), depth - 1, found);
        }
    } else {
        found.push(Difference { path, before: before.map(told), after: after.map(told) });
    }
}

fn told(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(VALUE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(text: &str) -> Listing {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_fact_that_is_other_is_told_by_its_path() {
        let before = listing(
            r#"{"title":"云雀 跑鞋","price":{"amount":"199","currency":"CNY"},"attributes":{"品牌":"云雀","色":"红"},"images":[{"url":"a"}],"captured_at":"2026-11-23T00:00:00Z"}"#,
        );
        let after = listing(
            r#"{"title":"云雀 跑鞋","price":{"amount":"99","currency":"CNY"},"attributes":{"色":"红","码":"42"},"images":[{"url":"a"},{"url":"b"}],"captured_at":"2026-11-24T00:00:00Z","url":"https://x.example/"}"#,
        );
        let told: Vec<_> =
            after.differences(&before).into_iter().map(|one| (one.path, one.before, one.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("attributes.品牌".to_owned(), some("云雀"), None),
                ("attributes.码".to_owned(), None, some("42")),
                ("price.amount".to_owned(), some("199"), some("99")),
                ("images[1].url".to_owned(), None, some("b")),
            ]
        );
        assert_eq!(after.differences(&after), []);
    }

    #[test]
    fn endless_differences_and_values_are_cut() {
        let many: serde_json::Map<String, Value> =
            (0..1000).map(|n| (n.to_string(), "x".repeat(5000).into())).collect();
        let (before, after) = (Listing::default(), Listing { attributes: many, ..Listing::default() });
        let told = after.differences(&before);
        assert_eq!(told.len(), MOST);
        assert!(told.iter().all(|one| one.after.as_ref().unwrap().len() == VALUE_CHARS));
    }

    proptest! {
        #[test]
        fn listings_differ_where_their_facts_do(a in "\\PC{0,8}", b in "\\PC{0,8}", key in "\\PC{1,4}") {
            let of = |text: &str| {
                let attributes = [(key.clone(), Value::from(text))].into_iter().collect();
                Listing { title: text.into(), attributes, ..Listing::default() }
            };
            prop_assert_eq!(of(&a).differences(&of(&b)).len(), if a == b { 0 } else { 2 });
        }
    }
}
