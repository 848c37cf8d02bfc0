//! The pages of marks: the list with what is due, registration by form and by file, one mark with its steps and its trial.

use askama::Template;
use axum::{
    Form,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk, WebError,
    api::{row as csv_row, today},
    card::{channel_words, time_words, visible},
    frame::Frame,
    marks::{self, Trial},
    visit::Visit,
    words::Words,
};
use crate::{
    matcher::variants,
    model::{Channel, Mark, Permission},
    monitor::{Act, Entry, Stage},
    review::Share,
};

/// Rows of a page, and mistakes that are shown.
const ROWS: usize = 100;
const MISTAKES: usize = 50;

#[derive(Template)]
#[template(path = "desk/marks.html")]
struct MarksPage {
    f: Frame,
    changes: bool,
    text: String,
    stage: String,
    stages: Vec<(&'static str, String, usize, bool)>,
    rows: Vec<MarkRow>,
    more: usize,
    due: Vec<(String, String)>,
    added: Option<String>,
}

struct MarkRow {
    href: String,
    text: String,
    holder: String,
    number: String,
    classes: String,
    stage: String,
    code: &'static str,
    expires: String,
}

#[derive(Template)]
#[template(path = "desk/mark_new.html")]
struct NewPage {
    f: Frame,
    holders: Vec<String>,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "desk/mark.html")]
struct MarkPage {
    f: Frame,
    row: MarkRow,
    path: String,
    facts: Vec<(String, String)>,
    steps: Vec<(String, String, String)>,
    acts: Vec<(&'static str, String)>,
    can_try: bool,
    hits: String,
    ways: Vec<WayView>,
    may_watch: bool,
    trial: Option<TrialView>,
}

struct WayView {
    /// Empty for the way it is registered, which is always watched.
    code: String,
    words: String,
    meaning: String,
    watched: bool,
    examples: Vec<String>,
    figures: String,
}

struct TrialView {
    summary: String,
    whole: bool,
    warning: String,
    share: u32,
    channels: Vec<(String, usize)>,
    samples: Vec<(String, String, String)>,
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    text: String,
    holder: String,
    jurisdiction: String,
    number: String,
    nice_classes: String,
    registered_on: String,
    expires_on: String,
    aliases: String,
    goods: String,
    authorised_sellers: String,
}

fn path_of(entry: &Entry) -> String {
    let id: String = url::form_urlencoded::byte_serialize(entry.mark.id.as_str().as_bytes()).collect();
    format!("/marks/{}", id.replace('+', "%20"))
}

fn row(desk: &Desk, entry: &Entry, words: Words) -> MarkRow {
    let stage = entry.stage(today(desk));
    let mark = &entry.mark;
    MarkRow {
        href: path_of(entry),
        text: visible(&mark.text),
        holder: visible(&mark.holder),
        number: visible(&format!("{} {}", mark.jurisdiction, mark.number)),
        classes: mark.nice_classes.iter().map(u8::to_string).collect::<Vec<_>>().join("、"),
        stage: words.say(&format!("stage-{}", stage.code())),
        code: stage.code(),
        expires: mark.expires_on.map(|day| day.to_string()).unwrap_or_default(),
    }
}

/// The list.
pub(super) async fn list(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    let raw = raw.unwrap_or_default();
    let pair = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(raw.as_bytes()).take(32);
        let found = pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default();
        found.chars().take(200).collect::<String>()
    };
    let (text, stage) = (pair("text"), pair("stage"));
    let (words, day) = (visit.words, today(&desk));
    let known = marks::known(&desk, visit.account()?).await?;
    let count = |stage: Stage| known.values().filter(|entry| entry.stage(day) == stage).count();
    let stages = Stage::ALL
        .into_iter()
        .map(|one| (one.code(), words.say(&format!("stage-{}", one.code())), count(one), one.code() == stage))
        .collect();
    let needle = text.to_lowercase();
    let fits = |entry: &&Entry| {
        let mark = &entry.mark;
        let has = |part: &str| part.to_lowercase().contains(&needle);
        (stage.is_empty() || entry.stage(day).code() == stage)
            && (needle.is_empty() || has(&mark.text) || has(&mark.holder) || has(&mark.number))
    };
    let found: Vec<&Entry> = known.values().filter(fits).collect();
    let mut due: Vec<(i32, &Entry)> = known
        .values()
        .filter(|entry| entry.stage(day) == Stage::Expiring)
        .filter_map(|entry| Some((entry.days_left(day)?, entry)))
        .collect();
    due.sort_by_key(|(left, entry)| (*left, entry.mark.id.clone()));
    let due = due.into_iter().take(20).map(|(left, entry)| {
        let left = words.count("mark-days-left", u64::try_from(left).unwrap_or(0));
        (path_of(entry), format!("{} · {left}", visible(&entry.mark.text)))
    });
    let added = pair("added").parse().ok().map(|added: u64| words.count("marks-added", added));
    let page = MarksPage {
        changes: visit.may(Permission::ChangeMarks),
        stages,
        due: due.collect(),
        more: found.len().saturating_sub(ROWS),
        rows: found.into_iter().take(ROWS).map(|entry| row(&desk, entry, words)).collect(),
        text,
        stage,
        added,
        f: Frame::new(&visit, "marks"),
    };
    Ok(Html(page.render()?))
}

/// The page that registers marks.
pub(super) async fn new(visit: Visit) -> Result<Response, WebError> {
    show_new(&visit, Vec::new())
}

/// The same, with what was wrong.
pub(super) fn show_new(visit: &Visit, problems: Vec<String>) -> Result<Response, WebError> {
    let holders = visit.account()?.sees().holders.unwrap_or_default().into_iter().collect();
    Ok(Html(NewPage { holders, problems, f: Frame::new(visit, "marks") }.render()?).into_response())
}

/// Registers one mark as a draft.
pub(super) async fn add(State(desk): State<Desk>, visit: Visit, Form(sent): Form<Sent>) -> Result<Response, WebError> {
    let account = visit.account()?;
    match marks::read(account, &form_row(&sent)) {
        Ok(marks) => {
            let added = marks::draft(&desk, account, &marks).await?;
            Ok(Redirect::to(&format!("/marks?stage=draft&added={added}")).into_response())
        }
        Err(mistakes) => {
            let problems = mistakes.iter().take(MISTAKES);
            show_new(&visit, problems.map(|wrong| format!("{} — {}", visible(&wrong.message), wrong.help)).collect())
        }
    }
}

/// The form as a file of one mark, so that both are checked by the same rules.
fn form_row(sent: &Sent) -> String {
    let head =
        "text,holder,jurisdiction,number,nice_classes,registered_on,expires_on,aliases,goods,authorised_sellers\r\n";
    let cells = [
        &sent.text,
        &sent.holder,
        &sent.jurisdiction,
        &sent.number,
        &sent.nice_classes,
        &sent.registered_on,
        &sent.expires_on,
        &sent.aliases,
        &sent.goods,
        &sent.authorised_sellers,
    ];
    let cells = cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\"").replace(['\r', '\n'], ";")));
    format!("{head}{}\r\n", cells.join(","))
}

/// One mark.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Html<String>, WebError> {
    let entry = marks::one(&desk, visit.account()?, &id).await?;
    show(&desk, &visit, &entry, None).await
}

/// Chooses the ways of writing that a mark is watched for: `watch` for each.
pub(super) async fn channels(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Redirect, WebError> {
    let entry = marks::one(&desk, visit.account()?, &id).await?;
    let watched: Option<Vec<Channel>> =
        sent.iter().filter(|(name, _)| name == "watch").map(|(_, name)| Channel::from_name(name)).collect();
    let watched = watched.ok_or(WebError::Field("watch"))?;
    let unwatched: Vec<Channel> = Channel::ALL.into_iter().filter(|channel| !watched.contains(channel)).collect();
    marks::watch(&desk, &visit, &id, &unwatched).await?;
    Ok(Redirect::to(&format!("{}#ways", path_of(&entry))))
}

/// One mark, tried on what was seen in the last 30 days.
pub(super) async fn try_out(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Html<String>, WebError> {
    let entry = marks::one(&desk, visit.account()?, &id).await?;
    let trial = marks::try_out(&desk, visit.account()?, vec![entry.mark.clone()]).await?;
    show(&desk, &visit, &entry, Some(trial)).await
}

/// Takes a step with a mark.
pub(super) async fn step(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<Redirect, WebError> {
    let act = Act::from_code(&act).ok_or(WebError::NotFound)?;
    let entry = marks::one(&desk, visit.account()?, &id).await?;
    marks::step(&desk, &visit, &id, act).await?;
    Ok(Redirect::to(&path_of(&entry)))
}

async fn show(desk: &Desk, visit: &Visit, entry: &Entry, trial: Option<Trial>) -> Result<Html<String>, WebError> {
    let (words, day) = (visit.words, today(desk));
    let mark = &entry.mark;
    let ways = ways(desk, visit, mark).await?;
    let list = |parts: &[String]| parts.iter().map(|part| visible(part)).collect::<Vec<_>>().join("；");
    let facts = [
        ("mark-id", visible(mark.id.as_str())),
        ("mark-holder", visible(&mark.holder)),
        ("mark-number", visible(&format!("{} {}", mark.jurisdiction, mark.number))),
        ("mark-classes", mark.nice_classes.iter().map(u8::to_string).collect::<Vec<_>>().join("、")),
        ("mark-from", mark.registered_on.map(|day| day.to_string()).unwrap_or_default()),
        ("mark-until", mark.expires_on.map(|day| day.to_string()).unwrap_or_default()),
        ("mark-aliases", list(&mark.aliases)),
        ("mark-goods", list(&mark.goods)),
        ("mark-sellers", list(&mark.authorised_sellers)),
    ];
    let (stage, own) = (entry.stage(day), visit.account()?.name.as_str());
    let open = |act: &Act| match act {
        Act::Submit => stage == Stage::Draft,
        Act::Verify => stage == Stage::Submitted && entry.registered_by() != Some(own),
        Act::Return => matches!(stage, Stage::Submitted | Stage::Verified),
        Act::Activate => stage == Stage::Verified,
        Act::Withdraw => stage != Stage::Withdrawn && !entry.steps.is_empty(),
    };
    let family: String = url::form_urlencoded::byte_serialize(mark.holder.as_bytes()).collect();
    let page = MarkPage {
        row: row(desk, entry, words),
        path: path_of(entry),
        facts: facts
            .into_iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(key, value)| (words.say(key), value))
            .collect(),
        steps: entry
            .steps
            .iter()
            .rev()
            .take(50)
            .map(|(what, who, at)| {
                (words.say(&format!("step-{what}")), visible(who), time_words(*at, &desk.inner.zone))
            })
            .collect(),
        acts: Act::ALL
            .into_iter()
            .filter(|act| open(act) && visit.may(marks::needs(*act)))
            .map(|act| (act.code(), words.say(&format!("act-{}", act.code()))))
            .collect(),
        can_try: visit.may(Permission::ChangeMarks) && desk.inner.listings.is_some(),
        hits: format!("/queue?family={family}"),
        ways,
        may_watch: visit.may(Permission::ChangeMarks),
        trial: trial.map(|trial| trial_view(trial, words)),
        f: Frame::new(visit, "marks"),
    };
    Ok(Html(page.render()?))
}

/// Every way of writing: whether it is watched, what it would look like, and what became of its hits.
async fn ways(desk: &Desk, visit: &Visit, mark: &Mark) -> Result<Vec<WayView>, WebError> {
    let words = visit.words;
    let told = marks::by_channel(desk, visit.account()?, &mark.id).await?;
    let copy = mark.clone();
    let examples = tokio::task::spawn_blocking(move || variants(&copy)).await;
    let mut examples = examples.map_err(|error| WebError::Check(error.to_string()))?;
    let figures = |way: Option<Channel>| {
        let Some(told) = told.get(&way) else { return String::new() };
        let share = Share::new(told.confirmed, told.confirmed + told.dismissed);
        let percent = |part: f64| format!("{:.0}", 100.0 * part);
        words.with(
            if share.of == 0 { "way-waiting" } else { "way-figures" },
            &[
                ("waiting", &told.waiting.to_string()),
                ("confirmed", &told.confirmed.to_string()),
                ("dismissed", &told.dismissed.to_string()),
                ("low", &percent(share.low)),
                ("high", &percent(share.high)),
            ],
        )
    };
    let plain = WayView {
        code: String::new(),
        words: words.say("channel-plain"),
        meaning: words.say("way-always"),
        watched: true,
        examples: vec![visible(&mark.text)],
        figures: figures(None),
    };
    let others = Channel::ALL.into_iter().map(|channel| WayView {
        code: channel.to_string(),
        words: channel_words(channel, words),
        meaning: words.say(&format!("channel-{channel}-meaning")),
        watched: !mark.unwatched.contains(&channel),
        examples: examples.remove(&channel).unwrap_or_default().iter().map(|one| visible(one)).collect(),
        figures: figures(Some(channel)),
    });
    Ok(std::iter::once(plain).chain(others).collect())
}

fn trial_view(mut trial: Trial, words: Words) -> TrialView {
    let preview = trial.previews.pop();
    let (queued, aside, listings) =
        preview.as_ref().map_or((0, 0, 0), |preview| (preview.queued, preview.set_aside, preview.listings));
    let number = |number: usize| number.to_string();
    let summary = words.with(
        "trial-summary",
        &[
            ("since", &trial.since),
            ("listings", &number(listings)),
            ("queued", &number(queued)),
            ("aside", &number(aside)),
            ("hours", &format!("{:.1}", trial.hours)),
        ],
    );
    let found = (queued + aside).max(1);
    TrialView {
        summary,
        whole: trial.whole,
        share: u32::try_from(300 * aside / found).unwrap_or(0),
        warning: match preview.as_ref().and_then(|preview| preview.warning.as_ref()) {
            Some(_) => words.say("trial-generic"),
            None => String::new(),
        },
        channels: preview
            .iter()
            .flat_map(|preview| &preview.by_channel)
            .map(|(channel, many)| {
                (channel.map_or_else(|| words.say("channel-plain"), |one: Channel| channel_words(one, words)), *many)
            })
            .collect(),
        samples: preview
            .into_iter()
            .flat_map(|preview| preview.samples)
            .map(|sample| (visible(&sample.title), visible(&sample.finding.text), visible(&sample.platform)))
            .collect(),
    }
}

/// A template of a file, for spreadsheets.
pub(super) async fn template() -> Response {
    let body = format!("\u{feff}{}", csv_row(crate::marks::COLUMNS.map(str::to_owned)));
    (
        [
            (http::header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (http::header::CONTENT_DISPOSITION, "attachment; filename=\"marks.csv\""),
        ],
        body,
    )
        .into_response()
}
