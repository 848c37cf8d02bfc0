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
use crate::model::{Account, Role, Saying};

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
    if !form.key.is_empty() {
        desk.forget_filter(account, form.key).await?;
        return Ok(Redirect::to("/queue").into_response());
    }
    let (to, _) = desk.save_filter(account, &form.name, &form.query, form.shared == "on").await?;
    Ok(Redirect::to(&to).into_response())
}

impl Desk {
    /// Saves a filter: where it leads, and its key; none where it has no name or there are as many as one account sees.
    pub(super) async fn save_filter(
        &self,
        account: &Account,
        name: &str,
        query: &str,
        shared: bool,
    ) -> Result<(String, Option<String>), WebError> {
        let query = Query::parse(query);
        query.ask()?;
        let to = join("/queue", &[format!("state={}", query.state), query.kept()]);
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
        if name.is_empty() || self.inner.board.saved(&account.name).len() >= MAX_SAVED {
            return Ok((to, None));
        }
        let key = format!("filter:{}", super::acts::act_name("")?);
        let query = to.strip_prefix("/queue?").unwrap_or_default().to_owned();
        let says = Saying::SavedFilter { name, query, shared };
        self.say(account, key.clone(), says).await?;
        Ok((to, Some(key)))
    }

    /// Forgets a filter of the account's own, or of anybody's where it manages accounts.
    pub(super) async fn forget_filter(&self, account: &Account, key: String) -> Result<(), WebError> {
        self.follow(true).await?;
        let known = self.inner.board.remark(&key).filter(|remark| matches!(remark.says, Saying::SavedFilter { .. }));
        if known.ok_or(WebError::NotFound)?.by != account.name && !account.roles.has(Role::Admin) {
            return Err(WebError::Field("key"));
        }
        self.say(account, key, Saying::Gone).await
    }

    /// Keeps an account's keys, by command; the usual one where none is sent. The key that cannot be is given back.
    pub(super) async fn keep_keys(
        &self,
        account: &Account,
        sent: impl Fn(&str) -> Option<String>,
    ) -> Result<Result<(), String>, WebError> {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        for &(command, usual, _) in COMMANDS {
            let sent = sent(command).map(|key| key.trim().to_lowercase()).filter(|key| !key.is_empty());
            let key = sent.unwrap_or_else(|| usual.to_owned());
            let one = key.chars().count() == 1
                && key.chars().all(|c| c.is_ascii_graphic() && !c.is_ascii_digit() && c != '?' && c != '/');
            if !one || keys.values().any(|known| *known == key) {
                return Ok(Err(key));
            }
            keys.insert(command.to_owned(), key);
        }
        self.say(account, format!("keys:{}", account.name), Saying::Keys { keys }).await?;
        Ok(Ok(()))
    }
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
    let reset = form.contains_key("reset");
    let sent = |command: &str| form.get(command).filter(|_| !reset).cloned();
    if let Err(key) = desk.keep_keys(visit.account()?, sent).await? {
        let words = visit.words.with("own-keys-refused", &[("key", &key.chars().take(8).collect::<String>())]);
        return Ok(keys_page(&visit, Some(words))?.into_response());
    }
    Ok(Redirect::to("/keys").into_response())
}
