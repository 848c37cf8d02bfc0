//! What somebody must look after, in one list with what to do; each is acknowledged by a person with a note.

use askama::Template;
use axum::{
    Form, Json,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Desk, WebError,
    card::{time_words, visible},
    frame::Frame,
    visit::Visit,
};
use crate::{
    model::{Check, Permission},
    monitor::{Alarm, Gold, MAX_WHY_CHARS, acknowledge_note},
    store::Batch,
};

/// The newest known answers, which are held against all before.
const NEWEST_ANSWERS: usize = 30;

/// What figures of alarms are called in the locale files.
const FIGURES: [&str; 13] =
    ["field", "now", "usual", "of", "bad", "good", "kind", "due", "free", "all", "by", "right", "before"];

#[derive(Template)]
#[template(path = "desk/alarms.html")]
struct AlarmsPage {
    f: Frame,
    alarms: Vec<AlarmView>,
    may: bool,
}

/// An alarm as pages show it.
pub(super) struct AlarmView {
    pub key: String,
    pub title: String,
    pub subject: String,
    pub href: String,
    pub words: String,
    pub advice: String,
    pub since: String,
    pub seen: String,
}

/// What the form sends, or a program.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    alarm: String,
    #[serde(default)]
    why: String,
}

impl Desk {
    /// What stands now; nothing where nothing runs behind the desk.
    pub(super) async fn alarms(&self) -> Result<Vec<Alarm>, WebError> {
        let Some(works) = &self.inner.works else { return Ok(Vec::new()) };
        Ok(works.alarms(&*self.inner.store, self.gold()).await?)
    }

    /// How answers that are known were given.
    fn gold(&self) -> Option<Gold> {
        let mut given: Vec<_> =
            self.inner.board.opinions().into_iter().filter(|opinion| opinion.check == Check::Gold).collect();
        given.sort_by_key(|opinion| opinion.at);
        let (before, newest) = given.split_at(given.len().saturating_sub(NEWEST_ANSWERS));
        let right = |given: &[crate::review::Opinion]| {
            (given.iter().filter(|opinion| opinion.verdict == opinion.against).count() as u64, given.len() as u64)
        };
        (!before.is_empty()).then(|| Gold { newest: right(newest), before: right(before) })
    }
}

/// An alarm in the visitor's words.
pub(super) fn view(desk: &Desk, visit: &Visit, alarm: &Alarm) -> AlarmView {
    let (words, code, zone) = (visit.words, alarm.kind.code(), &desk.inner.zone);
    let values = FIGURES.map(|name| alarm.figures.get(name).map(|value| visible(value)).unwrap_or_default());
    let figures: Vec<(&'static str, &str)> = FIGURES.into_iter().zip(values.iter().map(String::as_str)).collect();
    let is_profile = desk.inner.works.as_ref().is_some_and(|works| works.profiles().contains_key(&alarm.subject));
    AlarmView {
        key: alarm.key.clone(),
        title: words.say(&format!("alarm-{code}")),
        subject: visible(&alarm.subject),
        href: if is_profile { super::source::href(&alarm.subject) } else { String::new() },
        words: words.with(&format!("alarm-{code}-words"), &figures),
        advice: words.say(&format!("alarm-{code}-advice")),
        since: alarm.since.map(|at| time_words(at, zone)).unwrap_or_default(),
        seen: alarm.seen.as_ref().map_or_else(String::new, |said| {
            let why = if said.why.is_empty() { String::new() } else { format!(" · {}", visible(&said.why)) };
            format!("{} · {}{why}", visible(&said.by), time_words(said.at, zone))
        }),
    }
}

/// The page.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    desk.follow(false).await?;
    let alarms = desk.alarms().await?.iter().map(|alarm| view(&desk, &visit, alarm)).collect();
    let may = visit.may(Permission::RunSources);
    Ok(Html(AlarmsPage { alarms, may, f: Frame::new(&visit, "alarms") }.render()?))
}

/// Notes that who asks has seen an alarm that stands.
pub(super) async fn acknowledge(desk: &Desk, visit: &Visit, seen: &Seen) -> Result<(), WebError> {
    let works = desk.inner.works.as_ref().ok_or(WebError::NotFound)?;
    let why = seen.why.trim();
    if why.chars().count() > MAX_WHY_CHARS {
        return Err(WebError::Field("why"));
    }
    if !desk.alarms().await?.iter().any(|alarm| alarm.key == seen.alarm) {
        return Err(WebError::NotFound);
    }
    let by = &visit.account()?.name;
    let writes = vec![acknowledge_note(&seen.alarm, by.as_str(), why)];
    desk.inner.store.apply(Batch { actor: by.to_string(), writes }).await?;
    Ok(works.heed(&*desk.inner.store).await?)
}

/// The form's answer.
pub(super) async fn acknowledged(
    State(desk): State<Desk>,
    visit: Visit,
    Form(seen): Form<Seen>,
) -> Result<Response, WebError> {
    acknowledge(&desk, &visit, &seen).await?;
    Ok(Redirect::to("/alarms").into_response())
}

/// The alarms that stand, for programs.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "operators", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<serde_json::Value>, WebError> {
    desk.follow(false).await?;
    Ok(Json(json!(desk.alarms().await?)))
}

/// Acknowledges the alarm `alarm` with the note `why`.
#[utoipa::path(
    post, path = "/api/v1/alarms/acknowledge", tag = "operators",
    request_body(content = Object, description = "`{\"alarm\": \"drift:shop:price\", \"why\": \"being mended\"}`"),
    responses((status = 200, body = Vec<Object>), (status = 404, body = super::api::Problem))
)]
pub(super) async fn acknowledged_by_program(
    State(desk): State<Desk>,
    visit: Visit,
    Json(seen): Json<Seen>,
) -> Result<Json<serde_json::Value>, WebError> {
    acknowledge(&desk, &visit, &seen).await?;
    Ok(Json(json!(desk.alarms().await?)))
}
