//! One act on many hits: its page, its undo, and splitting members off.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{
    Desk, WebError,
    card::{reason_words, verdict_words},
    frame::Frame,
    lists::{Line, lines},
    visit::Visit,
};
use crate::model::HitId;

/// Members shown of an act.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "desk/act.html")]
struct ActPage {
    f: Frame,
    title: String,
    said: String,
    act: String,
    members: Vec<Line>,
    more: usize,
    undoable: bool,
}

/// A name for an act: what the island chose, if it looks like one, else a new one.
pub(super) fn act_name(sent: &str) -> Result<String, WebError> {
    let given = (16..=64).contains(&sent.len()) && sent.bytes().all(|byte| byte.is_ascii_hexdigit());
    if given {
        return Ok(sent.to_ascii_lowercase());
    }
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| WebError::Random(error.to_string()))?;
    Ok(super::tokens::hex(&random))
}

/// The members of an act that still stand by it.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(act): Path<String>,
) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let entries = desk.inner.board.of_act(&act);
    let first = entries.first().ok_or(WebError::NotFound)?;
    let hit = desk.inner.store.hit(first.id).await?.ok_or(WebError::NotFound)?;
    let made = hit.decisions.last().ok_or(WebError::NotFound)?;
    let account = visit.account()?;
    let said = format!(
        "{} · {} · {}",
        verdict_words(made.verdict, visit.words),
        reason_words(made.reason, visit.words),
        made.by
    );
    let shown: Vec<HitId> = entries.iter().take(SHOWN).map(|entry| entry.id).collect();
    let page = ActPage {
        title: visit.words.count("act-title", entries.len() as u64),
        said,
        members: lines(&desk, &visit, &shown).await?,
        more: entries.len().saturating_sub(SHOWN),
        undoable: account.decides() && (account.roles.has(crate::model::Role::Admin) || made.by == account.name),
        f: Frame::new(&visit, "decided"),
        act,
    };
    Ok(Html(page.render()?))
}

/// Takes an act back: all of it, or the members that are named.
pub(super) async fn undo(
    State(desk): State<Desk>,
    visit: Visit,
    Path(act): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    desk.follow(true).await?;
    let members: Vec<HitId> =
        form.iter().filter(|(name, _)| name == "member").filter_map(|(_, id)| id.parse().ok().map(HitId)).collect();
    let part = form.iter().any(|(name, value)| name == "what" && value == "part");
    let (done, left) = desk.undo_act(visit.account()?, &act, part.then_some(&members)).await?;
    if visit.wants_json {
        return Ok(Json(serde_json::json!({ "done": done, "left": left })).into_response());
    }
    let to = if desk.inner.board.has_act(&act) { format!("/acts/{act}") } else { "/queue".to_owned() };
    Ok(Redirect::to(&to).into_response())
}
