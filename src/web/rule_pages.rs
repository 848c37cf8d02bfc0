//! Rules, for their authors: what is in use, what became of its hits, its text and tests, and a playground on the same
//! engine that says why and why not.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::Html,
};
use serde::Deserialize;

use super::{
    Desk, WebError,
    api::{set, today},
    card::{time_words, visible},
    chart::Chart,
    days,
    frame::Frame,
    quality::share_words,
    trials::Tried,
    visit::Visit,
    words::{Language, Words},
};
use crate::{
    model::{Listing, Permission},
    review::{Share, Subject},
    rules::{Bilingual, Rule, RuleSet, Trial, wilson},
};

/// Longest text that is tried, in bytes.
const MAX_TRIED_BYTES: usize = 32 * 1024;
/// Lines of an explanation that are shown.
const MAX_LINES: usize = 400;

#[derive(Template)]
#[template(path = "desk/rules.html")]
struct RulesPage {
    f: Frame,
    rows: Vec<RuleRow>,
    /// A sentence of what is in use.
    state: String,
}

struct RuleRow {
    id: String,
    title: String,
    status: String,
    version: u32,
    owner: String,
    hits: u64,
    precision: String,
    held: String,
}

#[derive(Template)]
#[template(path = "desk/rule.html")]
struct RulePage {
    f: Frame,
    row: RuleRow,
    note: String,
    citation: String,
    confirmed: u64,
    dismissed: u64,
    /// Ends of the interval of its precision, in percent.
    low: u32,
    width: u32,
    text: String,
    tests: Vec<TestRow>,
    failed: usize,
    tries: bool,
    tried: String,
    lines: Vec<String>,
    hits: Option<bool>,
    chart: Chart,
    /// Whether there is an archive to try it on.
    keeps: bool,
    /// How far a backtest is that runs, and of how much; the second is 0 while the archive is brought up.
    running: Option<(u64, u64)>,
    broke_off: Option<String>,
    backtest: Option<BacktestView>,
    /// The newest backtest that is noted, in a sentence.
    recorded: Option<String>,
}

/// What the newest backtest came to.
struct BacktestView {
    facts: Vec<(String, String)>,
    partial: bool,
    samples: Vec<(String, String, String)>,
}

struct TestRow {
    name: String,
    passed: bool,
    expect: String,
    found: String,
    line: usize,
}

/// What the playground's form sends.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    text: String,
}

fn say(both: &Bilingual, words: Words) -> String {
    if words.0 == Language::Chinese { both.zh.clone() } else { both.en.clone() }
}

fn row(desk: &Desk, rule: &Rule, words: Words) -> RuleRow {
    let (confirmed, dismissed) = judged(desk, rule);
    let state = desk.inner.monitor.as_ref().and_then(|monitor| monitor.rules_state());
    let held = state.into_iter().flat_map(|state| state.held).find(|held| held.rule == rule.id);
    let (low, high) = wilson(confirmed, confirmed + dismissed);
    let status = serde_json::to_value(rule.status).ok();
    let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or("draft");
    RuleRow {
        id: rule.id.clone(),
        title: visible(&say(&rule.title, words)),
        status: words.say(&format!("rule-{status}")),
        version: rule.version,
        owner: visible(&rule.owner),
        hits: confirmed + dismissed,
        precision: if confirmed + dismissed == 0 {
            "–".to_owned()
        } else {
            format!("{:.0}–{:.0} %", 100.0 * low, 100.0 * high)
        },
        held: held
            .map(|held| {
                let [zh, en] = held.told();
                if words.0 == Language::Chinese { zh } else { en }
            })
            .unwrap_or_default(),
    }
}

fn judged(desk: &Desk, rule: &Rule) -> (u64, u64) {
    let monitor = desk.inner.monitor.as_ref();
    monitor.map(|monitor| monitor.learnt().of_rule(&rule.id, rule.version)).unwrap_or_default()
}

/// All rules.
pub(super) async fn list(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    let words = visit.words;
    let set = set(&desk);
    let mut rows: Vec<RuleRow> = set.rules().iter().map(|rule| row(&desk, rule, words)).collect();
    rows.sort_by(|a, b| b.hits.cmp(&a.hits).then_with(|| a.id.cmp(&b.id)));
    let state = desk.inner.monitor.as_ref().and_then(|monitor| monitor.rules_state());
    let state = state.map(|state| {
        let (active, shadow) = (state.active.to_string(), state.shadow.to_string());
        words.with(
            "rules-state",
            &[("active", &active), ("shadow", &shadow), ("hash", state.hash.get(..12).unwrap_or_default())],
        )
    });
    let page = RulesPage { rows, state: state.unwrap_or_default(), f: Frame::new(&visit, "rules") };
    Ok(Html(page.render()?))
}

/// One rule.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Html<String>, WebError> {
    show(&desk, &visit, id, None).await
}

/// One rule, tried on a text.
pub(super) async fn tried(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
    Form(Sent { text }): Form<Sent>,
) -> Result<Html<String>, WebError> {
    if text.len() > MAX_TRIED_BYTES {
        return Err(WebError::TooLong);
    }
    show(&desk, &visit, id, Some(text)).await
}

/// What became of the rule's backtest, in words.
fn backtest_view(tried: &Tried, words: Words) -> BacktestView {
    let judged = &tried.report.judged;
    let share = Share::new(judged.confirmed, judged.confirmed + judged.dismissed);
    let facts = [
        ("backtest-looked", tried.of.to_string()),
        ("backtest-listings", format!("{} ({:.2} %)", tried.report.listings, 100.0 * tried.share())),
        ("backtest-findings", tried.report.findings.to_string()),
        ("backtest-aside", tried.report.set_aside.to_string()),
        ("backtest-judged", share_words(&share, words)),
        ("backtest-hours", format!("{:.1}", tried.hours())),
        ("backtest-seconds", format!("{:.1}", tried.seconds)),
    ];
    BacktestView {
        facts: facts.into_iter().map(|(key, value)| (words.say(key), value)).collect(),
        partial: tried.partial,
        samples: tried
            .report
            .samples
            .iter()
            .map(|sample| (visible(&sample.text), visible(&sample.title), visible(&sample.surface)))
            .collect(),
    }
}

/// The newest backtest that is noted, and whether it is of the state in use.
fn recorded(desk: &Desk, rule: &Rule, set: &RuleSet, words: Words) -> Option<String> {
    let tried = desk.inner.monitor.as_ref()?.last_tried(&rule.id)?;
    let at = time_words(tried.at, &desk.inner.zone);
    let (of, listings, version) = (tried.of.to_string(), tried.listings.to_string(), tried.edition.version.to_string());
    let is_this = set.edition(&rule.id).is_some_and(|edition| edition == tried.edition);
    let key = if is_this { "backtest-recorded" } else { "backtest-recorded-other" };
    Some(words.with(key, &[("at", &at), ("of", &of), ("listings", &listings), ("version", &version)]))
}

async fn show(desk: &Desk, visit: &Visit, id: String, text: Option<String>) -> Result<Html<String>, WebError> {
    desk.follow(false).await?;
    let (set, day, words) = (set(desk), today(desk), visit.words);
    let listing = text.as_deref().map(read).transpose()?;
    let asked = set.clone();
    let done = tokio::task::spawn_blocking(move || {
        let rule = asked.rule(&id)?;
        let explained = listing.map(|listing| asked.explain(rule, &listing, day));
        Some((rule.id.clone(), asked.trials_of(rule, day), explained))
    });
    let done = done.await.map_err(|error| WebError::Check(error.to_string()))?;
    let (id, trials, explained) = done.ok_or(WebError::NotFound)?;
    let rule = set.rule(&id).ok_or(WebError::NotFound)?;
    let (confirmed, dismissed) = judged(desk, rule);
    let (low, high) = wilson(confirmed, confirmed + dismissed);
    let lines = explained
        .as_ref()
        .map(|explained| explained.lines.iter().take(MAX_LINES).map(|line| visible(&say(line, words))).collect());
    if let Some(monitor) = &desk.inner.monitor {
        monitor.follow_rules().await?;
    }
    let entries = desk.inner.board.about(&Subject::Reference(rule.id.clone()));
    let chart = days::chart(desk, &super::card::reference_href(&rule.id), &entries, visit.words);
    let job = desk.inner.trials.find(&rule.id);
    let ended = job.as_ref().and_then(|job| job.ended());
    let page = RulePage {
        chart,
        keeps: desk.inner.archive.is_some(),
        running: job.as_ref().filter(|job| job.ended().is_none()).map(|job| job.progress()),
        broke_off: ended.and_then(|ended| ended.as_ref().err()).map(|why| visible(why)),
        backtest: ended.and_then(|ended| ended.as_ref().ok()).map(|tried| backtest_view(tried, words)),
        recorded: recorded(desk, rule, &set, words),
        row: row(desk, rule, words),
        note: visible(&say(&rule.note, words)),
        citation: rule.citation(day),
        confirmed,
        dismissed,
        low: (low * 300.0) as u32,
        width: ((high - low) * 300.0).max(2.0) as u32,
        text: source(&set, rule),
        failed: trials.iter().filter(|trial| trial.failed()).count(),
        tests: trials.iter().map(test_row).collect(),
        tries: visit.may(Permission::TryRules),
        tried: text.unwrap_or_default(),
        lines: lines.unwrap_or_default(),
        hits: explained.map(|explained| explained.hits),
        f: Frame::new(visit, "rules"),
    };
    Ok(Html(page.render()?))
}

fn source(set: &RuleSet, rule: &Rule) -> String {
    set.text(rule).split('\n').map(|line| super::card::visible_up_to(line, 4000)).collect::<Vec<_>>().join("\n")
}

/// A title, or a whole listing as JSON.
fn read(text: &str) -> Result<Listing, WebError> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|_| WebError::Field("listing"));
    }
    Ok(Listing { title: text.to_owned(), ..Listing::default() })
}

fn test_row(trial: &Trial) -> TestRow {
    let expect = serde_json::to_value(trial.expect).ok();
    TestRow {
        name: visible(&trial.name),
        passed: trial.passed,
        expect: expect.as_ref().and_then(|expect| expect.as_str()).unwrap_or_default().to_owned(),
        found: trial.found.iter().map(|text| visible(text)).collect::<Vec<_>>().join(" / "),
        line: trial.line,
    }
}
