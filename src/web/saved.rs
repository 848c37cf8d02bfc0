//! What an account keeps for itself: filters under a name, and its own keys.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk, WebError,
    frame::{COMMANDS, Frame},
    query::Query,
    queue::join,
    visit::Visit,
};
use crate::model::{Remark, Role, Saying};

/// Longest name of a filter, in characters.
const MAX_NAME_CHARS: usize = 60;
/// Most filters that one account sees.
const MAX_SAVED: usize = 100;

/// What the forms of filters send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    name: String,
    query: String,
    shared: String,
    key: String,
}

/// Saves a filter, or forgets one.
pub(super) async fn filters(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<Sent>,
) -> Result<Response, WebError> {
    let account = visit.account()?;
    let (by, at) = (account.name.clone(), desk.inner.clock.now());
    if !form.key.is_empty() {
        desk.follow(true).await?;
        let known =
            desk.inner.board.remark(&form.key).filter(|remark| matches!(remark.says, Saying::SavedFilter { .. }));
        let known = known.ok_or(WebError::NotFound)?;
        if known.by != by && !account.roles.has(Role::Admin) {
            return Err(WebError::Field("key"));
        }
        desk.remark(Remark { key: form.key, by, at, says: Saying::Gone }).await?;
        return Ok(Redirect::to("/queue").into_response());
    }
    let query = Query::parse(&form.query);
    query.ask()?;
    let to = join("/queue", &[format!("state={}", query.state), query.kept()]);
    let name: String = form.name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    if !name.is_empty() && desk.inner.board.saved(&by).len() < MAX_SAVED {
        let (key, shared) = (format!("filter:{}", super::acts::act_name("")?), form.shared == "on");
        let query = to.strip_prefix("/queue?").unwrap_or_default().to_owned();
        desk.remark(Remark { key, by, at, says: Saying::SavedFilter { name, query, shared } }).await?;
    }
    Ok(Redirect::to(&to).into_response())
}

#[derive(Template)]
#[template(path = "desk/own_keys.html")]
struct KeysPage {
    f: Frame,
    rows: Vec<KeyRow>,
    problem: Option<String>,
}

struct KeyRow {
    command: &'static str,
    words: String,
    key: String,
    usual: &'static str,
}

/// An account's keys.
pub(super) async fn keys(visit: Visit) -> Result<Html<String>, WebError> {
    keys_page(&visit, None)
}

fn keys_page(visit: &Visit, problem: Option<String>) -> Result<Html<String>, WebError> {
    let f = Frame::new(visit, "help");
    let rows = COMMANDS.iter().map(|&(command, usual, words)| KeyRow {
        command,
        words: visit.words.say(words),
        key: f.key(command),
        usual,
    });
    Ok(Html(KeysPage { rows: rows.collect(), f, problem }.render()?))
}

/// Changes an account's keys: one character each, no two alike, no digits.
pub(super) async fn set_keys(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, WebError> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for &(command, usual, _) in COMMANDS {
        let sent = form.get(command).map_or("", |key| key.trim()).to_lowercase();
        let key = if sent.is_empty() || form.contains_key("reset") { usual.to_owned() } else { sent };
        let one = key.chars().count() == 1
            && key.chars().all(|c| c.is_ascii_graphic() && !c.is_ascii_digit() && c != '?' && c != '/');
        if !one || keys.values().any(|known| *known == key) {
            let words = visit.words.with("own-keys-refused", &[("key", &key.chars().take(8).collect::<String>())]);
            return Ok(keys_page(&visit, Some(words))?.into_response());
        }
        keys.insert(command.to_owned(), key);
    }
    let by = visit.account()?.name.clone();
    let remark = Remark { key: format!("keys:{by}"), by, at: desk.inner.clock.now(), says: Saying::Keys { keys } };
    desk.remark(remark).await?;
    Ok(Redirect::to("/keys").into_response())
}
