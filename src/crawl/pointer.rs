//! Where something stands in a JSON document: a JSON pointer (RFC 6901) whose step `*` over an array means each element.
//!
//! In an object `*` is the member of that name, as the standard has it.

use serde_json::Value;

/// Steps of a pointer that are followed.
const MAX_STEPS: usize = 32;
/// Values one pointer finds at most.
pub const MAX_FOUND: usize = 10_000;

/// Whether `text` can be a pointer: empty, or beginning with `/`, of a bounded number of steps.
pub fn is_pointer(text: &str) -> bool {
    text.is_empty() || (text.starts_with('/') && text.split('/').count() <= MAX_STEPS + 1)
}

/// What stands at `pointer` in `document`, in the document's order; at most [`MAX_FOUND`] values.
pub fn find<'v>(document: &'v Value, pointer: &str) -> Vec<&'v Value> {
    if !is_pointer(pointer) {
        return Vec::new();
    }
    let mut found = vec![document];
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let mut next = Vec::new();
        for value in found {
            match value {
                Value::Array(elements) if step == "*" => next.extend(elements.iter().take(MAX_FOUND)),
                Value::Array(elements) => next.extend(index(step).and_then(|index| elements.get(index))),
                Value::Object(members) => next.extend(members.get(&name)),
                _ => {}
            }
            if next.len() >= MAX_FOUND {
                break;
            }
        }
        next.truncate(MAX_FOUND);
        found = next;
    }
    found
}

/// The first of what stands at `pointer`.
pub fn first<'v>(document: &'v Value, pointer: &str) -> Option<&'v Value> {
    find(document, pointer).into_iter().next()
}

/// A text or a number as text; nothing for anything else.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An array's index as the standard writes it: no sign, no leading zero.
fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { step.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_found() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
        });
        assert_eq!(find(&document, ""), [&document]);
        for (pointer, expected) in [
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(first(&document, pointer), Some(&expected), "{pointer}");
        }
        for pointer in ["/foo/01", "/foo/-", "/foo/+1", "/foo/2", "foo", "/nothing/there"] {
            assert_eq!(first(&document, pointer), None, "{pointer}");
        }
    }

    #[test]
    fn a_star_over_an_array_is_each_element_and_in_an_object_a_name() {
        let document = json!({"list": [{"goods": [1, 2]}, {"goods": [3]}, {"none": 4}], "*": "star"});
        assert_eq!(find(&document, "/list/*/goods/*"), [&json!(1), &json!(2), &json!(3)]);
        assert_eq!(first(&document, "/*"), Some(&json!("star")));
    }

    #[test]
    fn what_is_found_is_bounded() {
        let many = json!({"rows": vec![json!([1, 2, 3]); MAX_FOUND]});
        assert_eq!(find(&many, "/rows/*/*").len(), MAX_FOUND);
        assert!(!is_pointer(&"/a".repeat(MAX_STEPS + 1)) && is_pointer(&"/a".repeat(MAX_STEPS)));
    }

    proptest! {
        #[test]
        fn without_a_star_it_is_the_pointer_of_the_standard(pointer in "(/[ab~0-9]{0,2}){0,4}") {
            let document = json!({"a": [{"b": 1}, [2, {"a": 3}]], "b": {"a": {"b": "x"}}, "0": [0], "": {"": 1}});
            prop_assert_eq!(first(&document, &pointer), document.pointer(&pointer));
        }
    }
}
