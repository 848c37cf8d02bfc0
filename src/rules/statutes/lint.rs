//! What is wrong between articles: one name twice, and days on which a topic has two articles or none.

use std::collections::{BTreeMap, HashMap};

use super::file::Written;
use crate::model::Diagnostic;

/// Mistakes between the articles of all statutes.
pub(super) fn statutes(written: &[Written<'_>]) -> Vec<Diagnostic> {
    let mut problems = names(written);
    let mut topics: BTreeMap<&str, Vec<&Written<'_>>> = BTreeMap::new();
    for one in written {
        topics.entry(&one.article.topic).or_default().push(one);
    }
    for (topic, mut articles) in topics {
        articles.sort_by_key(|one| one.article.valid_from);
        for pair in articles.windows(2) {
            if let [earlier, later] = pair {
                problems.extend(between(topic, earlier, later));
            }
        }
    }
    problems
}

fn names(written: &[Written<'_>]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut first: HashMap<&str, &Written<'_>> = HashMap::new();
    for one in written {
        if let Some(other) = first.insert(&one.article.id, one) {
            let message = format!("the article `{}` stands in {} too", one.article.id, other.source.path);
            problems.push(at(one, "statute.duplicate-id", message, "give one of them another id"));
        }
    }
    for one in written {
        if first.contains_key(one.article.topic.as_str()) && one.article.topic != one.article.id {
            let message = format!("the topic `{}` is the id of another article", one.article.topic);
            problems.push(at(one, "statute.duplicate-id", message, "a rule that cites it must know which is meant"));
        }
    }
    problems
}

/// What is wrong where `later` follows `earlier` in one topic.
fn between(topic: &str, earlier: &Written<'_>, later: &Written<'_>) -> Option<Diagnostic> {
    let (before, after) = (&earlier.article, &later.article);
    let from = after.valid_from;
    match (before.valid_to, from) {
        (Some(end), Some(from)) if end < from => {
            let message = format!("from {end} until {from} no article of the topic `{topic}` is in force");
            let help = "let the dates adjoin, or write the article that stood between";
            Some(dates(later, "statute.gap", message, help).as_warning())
        }
        (Some(end), Some(from)) if end == from => None,
        _ => {
            let message = format!("`{}` and `{}` are in force on the same days", before.id, after.id);
            let help = "end the earlier on the day the later begins, or give one of them a topic of its own";
            Some(dates(later, "statute.overlap", message, help))
        }
    }
}

fn at(one: &Written<'_>, code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(&one.source.path, &one.source.text, one.id.clone(), code, message, help)
}

fn dates(one: &Written<'_>, code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(&one.source.path, &one.source.text, one.dates.clone(), code, message, help)
}
