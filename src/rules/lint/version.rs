//! Versions: a rule whose logic changed has a new one. What was last recorded stands in the lock file.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::{Spanned, Table, Value};

use crate::{
    model::{Diagnostic, Fix},
    rules::{Edition, RuleSource, file::Status},
};

/// Keys of a rule that decide what it finds and how much that counts; the rest is for people.
const LOGIC: [&str; 8] = ["family", "kind", "severity", "score", "sectors", "match", "clause", "except"];

/// What a lock file keeps of rules.
#[derive(Debug, Default, Deserialize)]
struct Recorded(BTreeMap<String, Edition>);

/// The parts of a rule file that matter here; whether the rest is right, others say.
#[derive(Debug, Deserialize)]
struct Head {
    id: Spanned<String>,
    version: Spanned<u32>,
    status: Status,
}

/// The lock file of `rules`: each one's version and the hash of its logic. Drafts are not recorded.
pub fn lock(rules: &[RuleSource]) -> String {
    let mut lines =
        vec!["# Written by `markwarden rules lock`: the version of each rule, and a hash of what it finds.".to_owned()];
    let mut known: Vec<(String, u32, String)> = rules
        .iter()
        .filter_map(|source| {
            let head = head(source)?;
            (head.status != Status::Draft)
                .then(|| (head.id.into_inner(), head.version.into_inner(), logic(&source.text)))
        })
        .collect();
    known.sort();
    known.dedup_by(|one, other| one.0 == other.0);
    for (id, version, logic) in known {
        lines.push(format!("\"{id}\" = {{ version = {version}, logic = \"{logic}\" }}"));
    }
    lines.join("\n") + "\n"
}

/// Rules whose logic is not what was recorded under their version.
pub(in crate::rules) fn versions(rules: &[RuleSource], lock: &RuleSource) -> Vec<Diagnostic> {
    let Recorded(recorded) = match toml::from_str(&lock.text) {
        Ok(recorded) => recorded,
        Err(error) => {
            let help = "`markwarden rules lock` writes it anew";
            return vec![Diagnostic::toml(&lock.path, &lock.text, &error, "lock.syntax", help)];
        }
    };
    rules
        .iter()
        .filter_map(|source| {
            let head = head(source)?;
            compare(source, &head, recorded.get(head.id.as_ref()))
        })
        .collect()
}

/// What a lock file keeps, by rule; nothing where it cannot be read.
pub(in crate::rules) fn recorded(lock: &str) -> BTreeMap<String, Edition> {
    toml::from_str::<Recorded>(lock).unwrap_or_default().0
}

/// Whether a diagnostic says something of what is recorded.
pub(in crate::rules) fn is_of_version(problem: &Diagnostic) -> bool {
    matches!(problem.code, "rule.version" | "rule.unrecorded")
}

fn compare(source: &RuleSource, head: &Head, recorded: Option<&Edition>) -> Option<Diagnostic> {
    let at = |span: Range<usize>, code, message: String, help: &str| {
        Diagnostic::error(&source.path, &source.text, span, code, message, help)
    };
    let (version, place) = (*head.version.as_ref(), head.version.span());
    let last = recorded.map_or(0, |recorded| recorded.version);
    let same = recorded.is_some_and(|recorded| recorded.logic == logic(&source.text));
    if version < last {
        let message = format!("version {last} of this rule is recorded already");
        let fix = Fix::replace(place.clone(), (last + u32::from(!same)).to_string());
        return Some(at(place, "rule.version", message, "a version never goes back").with_fix(fix));
    }
    if version == last && !same {
        let message = format!("what the rule finds has changed since version {last} was recorded");
        let help = "raise the version, so that findings tell the old rule from the new one";
        let fix = Fix::replace(place.clone(), last.saturating_add(1).to_string());
        return Some(at(place, "rule.version", message, help).with_fix(fix));
    }
    if version > last && head.status != Status::Draft {
        let message = format!("version {version} of this rule is not recorded");
        return Some(at(place, "rule.unrecorded", message, "run `markwarden rules lock`").as_warning());
    }
    None
}

fn head(source: &RuleSource) -> Option<Head> {
    toml::from_str(&source.text).ok()
}

/// Sixteen hex digits that change with what the rule finds, not with comments, order or words for people.
pub(in crate::rules) fn logic(text: &str) -> String {
    let table: Table = toml::from_str(text).unwrap_or_default();
    let mut plain = String::new();
    for key in LOGIC {
        if let Some(value) = table.get(key) {
            plain.push_str(key);
            write(value, &mut plain);
        }
    }
    Sha256::digest(plain).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A value in one form whatever its order: tables by key, reasons left out.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Table(table) => {
            let sorted: BTreeMap<&String, &Value> = table.iter().filter(|(key, _)| *key != "why").collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(key);
                out.push('=');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&serde_json::to_string(other).unwrap_or_default()),
    }
}
