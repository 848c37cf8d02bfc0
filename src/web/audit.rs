//! The audit log: the journal, read backwards, filtered, verified and handed out. It is never anything else than the journal.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use jiff::civil::Date;
use serde_json::Value;

use super::{
    Desk, JournalVerdict, WebError, api,
    card::{time_words, visible},
    frame::Frame,
    visit::Visit,
};
use crate::store::Change;

/// Rows of a page, entries read at once, and most entries one page looks through.
const ROWS: usize = 50;
const CHUNK: u64 = 500;
const MAX_READ: u64 = 20_000;
/// Most entries of one export; it says where the next begins.
const MAX_EXPORTED: usize = 10_000;
/// Longest filter, and longest text of an entry that is shown, in characters.
const MAX_FIELD_CHARS: usize = 200;
const MAX_SHOWN_CHARS: usize = 4_000;

/// Which entries are meant; empty fields mean all.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub actor: String,
    pub act: String,
    pub object: String,
    pub day: Option<Date>,
    /// Only entries before this sequence.
    pub before: Option<u64>,
}

/// An entry, and what was done in a word or two.
pub(super) struct Entry {
    pub change: Change,
    pub act: String,
}

/// Entries, the newest first.
pub(super) struct Found {
    pub entries: Vec<Entry>,
    /// Where to go on; none at the journal's beginning.
    pub before: Option<u64>,
}

impl Wanted {
    /// Reads an address's query.
    pub(super) fn parse(query: &str) -> Result<Self, WebError> {
        let mut wanted = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(32) {
            let value: String = value.trim().chars().take(MAX_FIELD_CHARS).collect();
            match name.as_ref() {
                "actor" => wanted.actor = value,
                "act" => wanted.act = value,
                "object" => wanted.object = value,
                "day" if !value.is_empty() => wanted.day = Some(value.parse().map_err(|_| WebError::Field("day"))?),
                "before" if !value.is_empty() => {
                    wanted.before = Some(value.parse().map_err(|_| WebError::Field("before"))?);
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The filter without its place, as a part of an address.
    pub(super) fn kept(&self) -> String {
        let day = self.day.map(|day| day.to_string()).unwrap_or_default();
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("actor", &self.actor), ("act", &self.act), ("object", &self.object), ("day", &day)] {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }

    fn admits(&self, desk: &Desk, entry: &Entry) -> bool {
        let change = &entry.change;
        (self.actor.is_empty() || change.actor == self.actor)
            && (self.act.is_empty() || entry.act.split(' ').any(|act| act.starts_with(&self.act)))
            && self.day.is_none_or(|day| change.at.to_zoned(desk.inner.zone.clone()).date() == day)
            && (self.object.is_empty() || names(&change.what, &self.object))
    }
}

/// Whether a text or number in `value` is `wanted`.
fn names(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Array(parts) => parts.iter().any(|part| names(part, wanted)),
        Value::Object(parts) => parts.iter().any(|(name, part)| name == wanted || names(part, wanted)),
        Value::Bool(_) | Value::Null => false,
    }
}

/// Entries that are meant, at most `rows`; a page that has read enough is short and says where to go on.
pub(super) async fn read(desk: &Desk, wanted: &Wanted, rows: usize) -> Result<Found, WebError> {
    let newest = desk.inner.store.counts().await?.seq;
    let mut end = wanted.before.map_or(newest, |before| before.saturating_sub(1).min(newest));
    let mut entries = Vec::new();
    let floor = end.saturating_sub(MAX_READ);
    while end > floor && entries.len() < rows {
        let begin = end.saturating_sub(CHUNK).max(floor);
        let most = usize::try_from(end - begin).unwrap_or(usize::MAX);
        let changes = match desk.inner.store.changes_since(begin, most).await {
            // What has left for a backup is not here to be shown.
            Err(crate::store::StoreError::Away { seq, .. }) if seq < end && seq > begin => {
                desk.inner.store.changes_since(seq, most).await?
            }
            Err(crate::store::StoreError::Away { .. }) => return Ok(Found { entries, before: None }),
            changes => changes?,
        };
        for change in changes.into_iter().rev() {
            end = change.seq;
            let entry = Entry { act: act(&change.what), change };
            if wanted.admits(desk, &entry) {
                entries.push(entry);
                if entries.len() == rows {
                    break;
                }
            }
        }
        end = end.saturating_sub(1);
    }
    Ok(Found { entries, before: (end > 0).then_some(end + 1) })
}

/// What an entry says was done: the words of its notes, or what was written.
fn act(what: &Value) -> String {
    let writes = what.as_array().or_else(|| what.get("applied")?.get("writes")?.as_array());
    if let Some(writes) = writes {
        let acts: BTreeSet<&str> = writes
            .iter()
            .filter_map(|write| match write.get("write")?.as_str()? {
                "note" => write.get("what")?.as_str(),
                kind => Some(kind),
            })
            .collect();
        return acts.into_iter().take(8).collect::<Vec<_>>().join(" ");
    }
    let (kind, event) =
        what.as_object().and_then(|event| event.iter().next()).map_or(("", None), |(k, e)| (k.as_str(), Some(e)));
    let verdict = event.and_then(|event| event.get("decision")?.get("verdict")?.as_str());
    match (kind, verdict) {
        ("completed", Some(verdict)) => format!("decide.{verdict}"),
        (kind, _) => kind.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "desk/audit.html")]
struct AuditPage {
    f: Frame,
    actor: String,
    act: String,
    object: String,
    day: String,
    rows: Vec<Row>,
    older: Option<String>,
    first: Option<String>,
    export: String,
    verdict: Option<Verdict>,
    can_verify: bool,
}

struct Row {
    seq: u64,
    at: String,
    actor: String,
    act: String,
    text: String,
}

struct Verdict {
    good: bool,
    words: String,
    head: String,
    checkpoint: String,
}

/// The audit log's page.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    show(&desk, &visit, &Wanted::parse(&raw.unwrap_or_default())?, None).await
}

/// Verifies the whole journal, and shows the page with what came of it.
pub(super) async fn verify(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    let found = verified(&desk).await?;
    show(&desk, &visit, &Wanted::default(), Some(verdict(found, &visit))).await
}

/// What the whole journal is worth, or what of it does not fit.
pub(super) async fn verified(desk: &Desk) -> Result<Result<JournalVerdict, String>, WebError> {
    let journal = desk.inner.journal.clone().ok_or(WebError::NotFound)?;
    let found = tokio::task::spawn_blocking(move || journal.verify()).await;
    found.map_err(|error| WebError::Check(error.to_string()))
}

fn verdict(found: Result<JournalVerdict, String>, visit: &Visit) -> Verdict {
    let words = visit.words;
    match found {
        Ok(found) => Verdict {
            good: true,
            words: words.count("audit-good", found.records),
            head: found.head,
            checkpoint: found
                .checkpoint
                .map_or_else(|| words.say("audit-no-checkpoint"), |size| words.count("audit-checkpoint", size)),
        },
        Err(why) => Verdict {
            good: false,
            words: words.with("audit-bad", &[("why", &visible(&why))]),
            head: String::new(),
            checkpoint: String::new(),
        },
    }
}

async fn show(desk: &Desk, visit: &Visit, wanted: &Wanted, verdict: Option<Verdict>) -> Result<Html<String>, WebError> {
    let found = read(desk, wanted, ROWS).await?;
    let kept = wanted.kept();
    let at = |before: u64| super::queue::join("/audit", &[kept.clone(), format!("before={before}")]);
    let rows = found.entries.into_iter().map(|Entry { change, act }| Row {
        seq: change.seq,
        at: time_words(change.at, &desk.inner.zone),
        actor: visible(&change.actor),
        act: visible(&act),
        text: short(&change.what),
    });
    let page = AuditPage {
        rows: rows.collect(),
        older: found.before.map(at),
        first: wanted.before.map(|_| super::queue::join("/audit", std::slice::from_ref(&kept))),
        export: super::queue::join("/audit/export", std::slice::from_ref(&kept)),
        actor: wanted.actor.clone(),
        act: wanted.act.clone(),
        object: wanted.object.clone(),
        day: wanted.day.map(|day| day.to_string()).unwrap_or_default(),
        verdict,
        can_verify: desk.inner.journal.is_some(),
        f: Frame::new(visit, "audit"),
    };
    Ok(Html(page.render()?))
}

/// An entry's JSON for reading: indented, cut, with nothing invisible in it.
fn short(what: &Value) -> String {
    let text = serde_json::to_string_pretty(what).unwrap_or_default();
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.split('\n').map(|line| super::card::visible_up_to(line, MAX_SHOWN_CHARS)).collect::<Vec<_>>().join("\n")
}

/// The entries that are meant, as JSON lines, the newest first.
pub(super) async fn export(State(desk): State<Desk>, RawQuery(raw): RawQuery) -> Result<Response, WebError> {
    let wanted = Wanted::parse(&raw.unwrap_or_default())?;
    let found = read(&desk, &wanted, MAX_EXPORTED).await?;
    let lines: String = found
        .entries
        .iter()
        .filter_map(|entry| serde_json::to_string(&entry.change).ok())
        .map(|line| line + "\n")
        .collect();
    let mut answer = lines.into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    let name = HeaderValue::from_static("attachment; filename=\"markwarden-audit.jsonl\"");
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    if let Some(before) = found.before {
        let next = super::queue::join("/audit/export", &[wanted.kept(), format!("before={before}")]);
        api::put_link(&mut answer, &format!("<{next}>; rel=\"next\""));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_says_in_a_word_what_was_done() {
        for (what, said) in [
            (json!([{"write": "note", "what": "account.sign-in"}]), "account.sign-in"),
            (json!({"applied": {"writes": [{"write": "hit"}, {"write": "listing"}, {"write": "hit"}]}}), "hit listing"),
            (json!({"completed": {"hit": 1, "decision": {"verdict": "confirm"}}}), "decide.confirm"),
            (json!({"reopened": {"hit": 1}}), "reopened"),
            (json!("odd"), ""),
        ] {
            assert_eq!(act(&what), said);
        }
        assert!(names(&json!({"hit": 7, "a": ["m-1"]}), "7") && names(&json!({"a": ["m-1"]}), "m-1"));
        assert!(!names(&json!({"hit": 71}), "7"));
    }

    #[test]
    fn a_filter_has_bounds_and_stays_in_the_address() {
        let wanted = Wanted::parse("actor=%E6%9E%97&act=decide&object=7&day=2026-11-28&before=9").unwrap();
        assert_eq!(
            (wanted.kept().as_str(), wanted.before),
            ("actor=%E6%9E%97&act=decide&object=7&day=2026-11-28", Some(9))
        );
        assert!(Wanted::parse("day=yesterday").is_err() && Wanted::parse("before=x").is_err());
        assert_eq!(Wanted::parse(&format!("actor={}", "a".repeat(500))).unwrap().actor.len(), MAX_FIELD_CHARS);
    }
}
