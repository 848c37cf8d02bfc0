//! The JSON schema (draft 2020-12) of rule files, for editors. It comes from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{Key, LOOKS, RULE, STATUTE, Sort};

/// The schema of a rule file.
pub fn schema() -> Value {
    let mut schema = table(RULE);
    let gate = json!({ "kind": { "const": "product_gate" } });
    let more = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Markwarden rule",
        "if": { "properties": gate },
        "then": { "required": ["gate"] },
        "else": { "properties": { "gate": false } },
    });
    merge(&mut schema, more);
    schema
}

/// The schema of a statute file.
pub fn statute_schema() -> Value {
    let mut schema = table(STATUTE);
    let more = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Markwarden statute" });
    merge(&mut schema, more);
    schema
}

fn merge(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

fn table(keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut value = of(key.sort);
        merge(&mut value, json!({ "description": key.says }));
        properties.insert(key.name.to_owned(), value);
    }
    let needed: Vec<&str> = keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    let mut schema =
        json!({ "type": "object", "properties": properties, "required": needed, "additionalProperties": false });
    if LOOKS.iter().all(|look| keys.iter().any(|key| key.name == *look)) {
        let ways: Vec<Value> = LOOKS.iter().map(|look| json!({ "required": [look] })).collect();
        merge(&mut schema, json!({ "oneOf": ways }));
    }
    schema
}

fn of(sort: Sort) -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    match sort {
        Sort::Text => json!({ "type": "string" }),
        Sort::Short(most) => json!({ "type": "string", "maxLength": most }),
        Sort::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Sort::Number => json!({ "type": "number" }),
        Sort::Flag => json!({ "type": "boolean" }),
        Sort::Day => json!({ "type": "string", "format": "date" }),
        Sort::Texts => texts,
        Sort::OneOf(names) => json!({ "enum": names }),
        Sort::SomeOf(names) => json!({ "type": "array", "items": { "enum": names } }),
        Sort::Both => table(sort.keys()),
        Sort::Table(keys) => table(keys),
        Sort::Named(keys) => json!({ "type": "object", "additionalProperties": table(keys) }),
        Sort::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
        Sort::Side => json!({ "anyOf": [{ "type": "string" }, texts] }),
        Sort::Listing => json!({ "type": "object" }),
    }
}
