//! Diagnostics as SARIF 2.1.0, which code scanners and editors read: places, kinds of mistake, fixes.

use std::ops::Range;

use serde_json::{Value, json};

use super::codes::CODES;
use crate::model::Diagnostic;

/// `problems` as one run of this program.
pub fn sarif(problems: &[Diagnostic]) -> Value {
    let rules: Vec<Value> = CODES
        .iter()
        .map(|code| {
            json!({
                "id": code.id,
                "shortDescription": { "text": code.en },
                "fullDescription": { "text": format!("{} / {}", code.en, code.zh) },
            })
        })
        .collect();
    let results: Vec<Value> = problems.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "markwarden", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(problem: &Diagnostic) -> Value {
    let file = json!({ "uri": uri(&problem.file) });
    let mut result = json!({
        "ruleId": problem.code,
        "level": if problem.warning { "warning" } else { "error" },
        "message": { "text": format!("{}\n{}", problem.message, problem.help) },
        "locations": [{
            "physicalLocation": { "artifactLocation": file, "region": region(problem, &problem.span) },
        }],
    });
    let index = CODES.iter().position(|code| code.id == problem.code);
    let fix = problem.fix.as_ref().map(|fix| {
        let replacements: Vec<Value> = fix
            .edits
            .iter()
            .map(|(span, text)| json!({ "deletedRegion": region(problem, span), "insertedContent": { "text": text } }))
            .collect();
        json!([{
            "description": { "text": problem.help },
            "artifactChanges": [{ "artifactLocation": file, "replacements": replacements }],
        }])
    });
    if let Value::Object(object) = &mut result {
        object.extend(index.map(|index| ("ruleIndex".to_owned(), json!(index))));
        object.extend(fix.map(|fix| ("fixes".to_owned(), fix)));
    }
    result
}

fn region(problem: &Diagnostic, span: &Range<usize>) -> Value {
    let ((line, column), (end_line, end_column)) = (problem.place(span.start), problem.place(span.end));
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// A path as a relative URI reference: what is no plain character is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
