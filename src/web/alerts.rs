//! Alerts of an account: on which filter, to where, how often; what became of each message; and the round that sends them.

use std::sync::Arc;

use askama::Template;
use axum::{
    Form,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Desk, WebError, acts,
    card::{time_words, visible},
    frame::Frame,
    noted::note,
    query::Query,
    tenant,
    visit::Visit,
};
use crate::{
    alert::{Book, Item, Outcome, SHOWN, SendError, Sender, Subscription, Target, When, new_secret},
    model::{Account, HitId, HitState, Permission},
    review::BoardAsk,
};

/// Longest name of an alert, and longest title in a message, in characters.
const MAX_NAME_CHARS: usize = 60;
const MAX_TITLE_CHARS: usize = 120;
/// Messages that are sent at the same time.
const AT_ONCE: usize = 8;
/// Attempts that the page shows.
const ATTEMPTS: usize = 5;

/// Who wants to be told, and how messages leave.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Who wants to be told of what.
    pub book: Arc<Book>,
    /// Sends messages.
    pub sender: Sender,
}

impl Desk {
    /// One round: what is new for each alert becomes messages, and what is due is sent. One at a time.
    ///
    /// # Errors
    /// When the store or the file of alerts cannot be read or written; what was not sent is sent in the next round.
    pub async fn send_alerts(&self) -> Result<(), WebError> {
        let Some(Alerts { book, sender }) = self.inner.alerts.clone() else { return Ok(()) };
        let _one = self.inner.alert_round.lock().await;
        self.offer(&book).await?;
        let due = book.due(self.inner.clock.now());
        for part in due.chunks(AT_ONCE) {
            let sent = part.iter().map(|(subscription, message)| sender.send(subscription, message));
            let sent = join_all(sent).await;
            for ((subscription, message), result) in part.iter().zip(sent) {
                let outcome = match result {
                    Ok(()) => Outcome::Delivered,
                    Err(error) => Outcome::Failed(error.to_string()),
                };
                let stopped = book.ended(&subscription.id, &message.id, &outcome, self.inner.clock.now())?;
                if stopped {
                    let details = [("alert", Value::from(subscription.id.as_str()))];
                    note(self, &subscription.owner, "alert.stopped", &details).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks for each alert at the hits that are new since it looked last, as its owner sees them.
    async fn offer(&self, book: &Book) -> Result<(), WebError> {
        let subscriptions = book.sending();
        if subscriptions.is_empty() {
            return Ok(());
        }
        self.follow(true).await?;
        let (board, now) = (&self.inner.board, self.inner.clock.now());
        let newest = board.newest().0;
        for one in subscriptions {
            let mut found = (Vec::new(), 0);
            if newest > one.seen {
                // Who was removed, or may no longer be told, is told nothing.
                let Some(owner) =
                    self.inner.accounts.find(&one.owner)?.filter(|owner| owner.may(Permission::UseAlerts))
                else {
                    continue;
                };
                let ask = BoardAsk { within: owner.sees(), ..Query::parse(&one.query).ask()? };
                let mut ids = board.select(&ask, &self.inner.review.deadline_hours, now);
                ids.retain(|id| (one.seen + 1..=newest).contains(&id.0));
                let named: Vec<HitId> = ids.iter().copied().take(SHOWN).collect();
                let rows = self.inner.store.rows(&named).await?;
                let rows = rows.into_iter().filter(|row| tenant::sees(&owner, &row.hit));
                found.1 = ids.len().saturating_sub(named.len()) as u64;
                found.0 = rows
                    .map(|row| {
                        let what = row.hit.what;
                        let short = |text: &str| visible(&text.chars().take(MAX_TITLE_CHARS).collect::<String>());
                        Item {
                            hit: row.hit.id.0,
                            title: short(&what.listing.title),
                            family: short(&what.family),
                            severity: what.severity,
                            platform: short(what.listing.platform.as_deref().unwrap_or_default()),
                        }
                    })
                    .collect();
            }
            book.offer(&one.id, newest.max(one.seen), found, now)?;
        }
        Ok(())
    }
}

#[derive(Template)]
#[template(path = "desk/alerts.html")]
struct AlertsPage {
    f: Frame,
    rows: Vec<Row>,
    filters: Vec<(String, String, bool)>,
    whens: Vec<(&'static str, String)>,
    mails: bool,
    made: Option<(String, String)>,
    problem: Option<String>,
}

struct Row {
    id: String,
    name: String,
    href: String,
    to: String,
    kind: String,
    when: String,
    waiting: u64,
    stopped: Option<String>,
    under_way: Option<String>,
    log: Vec<(String, String, Option<String>)>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    pub name: String,
    pub query: String,
    pub kind: String,
    pub to: String,
    pub when: String,
}

/// An account's alerts.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    let raw = raw.unwrap_or_default();
    let query = url::form_urlencoded::parse(raw.as_bytes()).take(8).find(|(name, _)| name == "query");
    let query = query.map(|(_, value)| value.into_owned()).unwrap_or_default();
    show(&desk, &visit, &query, None, None).await
}

async fn show(
    desk: &Desk,
    visit: &Visit,
    query: &str,
    made: Option<(String, String)>,
    problem: Option<String>,
) -> Result<Html<String>, WebError> {
    let (account, words) = (visit.account()?, visit.words);
    desk.follow(true).await?;
    let given = Query::parse(query).kept();
    let mut filters = vec![(String::new(), words.say("alert-all"), given.is_empty())];
    let saved = desk.inner.board.saved(&account.name).into_iter();
    filters.extend(saved.map(|saved| {
        let kept = Query::parse(&saved.query).kept();
        (kept.clone(), visible(&saved.name), !given.is_empty() && kept == given)
    }));
    if !filters.iter().any(|(_, _, chosen)| *chosen) {
        filters.push((given.clone(), visible(&given), true));
    }
    let (own, mails) = match &desk.inner.alerts {
        Some(alerts) => (alerts.book.of(&account.name), alerts.sender.mails()),
        None => (Vec::new(), false),
    };
    let page = AlertsPage {
        rows: own.into_iter().map(|one| row(desk, visit, one)).collect(),
        filters,
        whens: When::ALL.into_iter().map(|when| (when.code(), words.say(&format!("when-{}", when.code())))).collect(),
        mails,
        made,
        problem,
        f: Frame::new(visit, "alerts"),
    };
    Ok(Html(page.render()?))
}

fn row(desk: &Desk, visit: &Visit, one: Subscription) -> Row {
    let words = visit.words;
    let time = |at| time_words(at, &desk.inner.zone);
    let (kind, to) = match &one.to {
        Target::Mail { to } => ("alert-mail", visible(to)),
        Target::Webhook { url, .. } => ("alert-webhook", visible(url)),
    };
    Row {
        id: one.id,
        name: visible(&one.name),
        href: format!("/queue?{}", one.query),
        to,
        kind: words.say(kind),
        when: words.say(&format!("when-{}", one.when.code())),
        waiting: one.waiting.len() as u64 + one.waiting_more,
        stopped: one.stopped.as_deref().map(visible),
        under_way: one
            .under_way
            .filter(|_| one.stopped.is_none())
            .map(|message| words.with("alert-next", &[("at", &time(message.next_at))])),
        log: one
            .log
            .into_iter()
            .take(ATTEMPTS)
            .map(|tried| {
                let hits = words.count("alert-hits", tried.hits);
                (time(tried.at), hits, tried.failed.map(|why| visible(&why)))
            })
            .collect(),
    }
}

/// Adds an alert of `account`; or says, for a person, why its messages cannot be sent.
pub(super) async fn subscribe(
    desk: &Desk,
    account: &Account,
    sent: &Sent,
) -> Result<Result<Subscription, String>, WebError> {
    let alerts = desk.inner.alerts.clone().ok_or(WebError::NotFound)?;
    let query = Query::parse(&sent.query);
    if query.ask()?.state != Some(HitState::Open) {
        return Err(WebError::Field("query"));
    }
    let name: String = sent.name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    if name.is_empty() {
        return Err(WebError::Field("name"));
    }
    let to = sent.to.trim().to_owned();
    let to = match sent.kind.as_str() {
        "mail" => Target::Mail { to },
        "webhook" => Target::Webhook { url: to, secret: new_secret()? },
        _ => return Err(WebError::Field("kind")),
    };
    if let Err(error) = alerts.sender.check(&to) {
        return Ok(Err(match error {
            SendError::Settings(what) => what,
            other => other.to_string(),
        }));
    }
    desk.follow(true).await?;
    let subscription = Subscription {
        id: acts::act_name("")?,
        owner: account.name.clone(),
        name,
        query: query.kept(),
        to,
        when: When::from_code(&sent.when).ok_or(WebError::Field("when"))?,
        // What is there already is in the queue.
        seen: desk.inner.board.newest().0,
        waiting: Vec::new(),
        waiting_more: 0,
        told_at: None,
        under_way: None,
        stopped: None,
        log: Vec::new(),
    };
    let details = [("alert", Value::from(subscription.id.as_str())), ("kind", Value::from(sent.kind.as_str()))];
    alerts.book.add(subscription.clone())?;
    note(desk, &account.name, "alert.added", &details).await?;
    Ok(Ok(subscription))
}

/// Adds an alert from the page; the key of a webhook is shown this once.
pub(super) async fn add(State(desk): State<Desk>, visit: Visit, Form(sent): Form<Sent>) -> Result<Response, WebError> {
    match subscribe(&desk, visit.account()?, &sent).await? {
        Err(why) => Ok(show(&desk, &visit, &sent.query, None, Some(visible(&why))).await?.into_response()),
        Ok(Subscription { to: Target::Webhook { secret, .. }, name, .. }) => {
            Ok(show(&desk, &visit, "", Some((visible(&name), secret)), None).await?.into_response())
        }
        Ok(_) => Ok(Redirect::to("/alerts").into_response()),
    }
}

/// Tries, stops, starts or removes one of the visitor's alerts.
pub(super) async fn go(desk: &Desk, visit: &Visit, id: &str, act: &str) -> Result<(), WebError> {
    let account = visit.account()?;
    let Alerts { book, .. } = desk.inner.alerts.clone().ok_or(WebError::NotFound)?;
    desk.follow(true).await?;
    let newest = desk.inner.board.newest().0;
    match act {
        "test" => {
            book.test(&account.name, id, desk.inner.clock.now())?;
            desk.send_alerts().await?;
        }
        "stop" => book.set_stopped(&account.name, id, Some(visit.words.say("alert-by-hand")), newest)?,
        "start" => book.set_stopped(&account.name, id, None, newest)?,
        "remove" => {
            book.remove(&account.name, id)?;
            note(desk, &account.name, "alert.removed", &[("alert", Value::from(id))]).await?;
        }
        _ => return Err(WebError::NotFound),
    }
    Ok(())
}

/// The same, from the page.
pub(super) async fn act(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<Redirect, WebError> {
    go(&desk, &visit, &id, &act).await?;
    Ok(Redirect::to("/alerts"))
}
