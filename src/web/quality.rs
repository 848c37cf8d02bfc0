//! How well decisions hold: known answers, second opinions, and the precision of marks and rules, each down to its hits.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Html};

use super::{
    Desk, WebError,
    card::visible,
    frame::Frame,
    recall::{self, RecallView},
    visit::Visit,
    words::Words,
};
use crate::{
    model::{AccountName, Check, Permission, Verdict},
    review::{Opinion, Settlement, Share, kappa},
};

/// Marks and rules listed, those with the most decisions.
const SHOWN: usize = 60;
/// Settled disagreements listed.
const SETTLED: usize = 50;
/// The width of a chart's bar, in its own units.
const WIDE: f64 = 200.0;

#[derive(Template)]
#[template(path = "desk/quality.html")]
struct QualityPage {
    f: Frame,
    kappa: String,
    pairs: String,
    reviewers: Vec<ReviewerView>,
    references: Vec<ReferenceView>,
    /// Disagreements that wait for a third person.
    waiting: usize,
    settles: bool,
    settled: Vec<SettledView>,
    first_right: Bar,
    recall: Option<RecallView>,
    gold: usize,
}

struct ReviewerView {
    name: String,
    gold: Bar,
    second: Bar,
    settled: Bar,
    kappa: String,
}

struct ReferenceView {
    name: String,
    href: String,
    bar: Bar,
}

/// A share with its interval, as a picture and in words.
pub(super) struct Bar {
    pub words: String,
    pub any: bool,
    pub low: f64,
    pub width: f64,
    pub at: f64,
}

/// A disagreement that a third person settled.
struct SettledView {
    hit: u64,
    one: String,
    other: String,
    third: String,
}

/// A share in words, with its interval.
pub(super) fn share_words(share: &Share, words: Words) -> String {
    if share.of == 0 {
        return words.say("share-none");
    }
    let percent = |value: f64| format!("{:.0}%", value * 100.0);
    let (value, low, high) = (percent(share.value()), percent(share.low), percent(share.high));
    let (yes, of) = (share.yes.to_string(), share.of.to_string());
    words.with("share", &[("value", &value), ("low", &low), ("high", &high), ("yes", &yes), ("of", &of)])
}

impl Bar {
    fn of(share: Share, words: Words) -> Self {
        Self {
            words: share_words(&share, words),
            any: share.of > 0,
            low: (share.low * WIDE).round(),
            width: ((share.high - share.low) * WIDE).round().max(1.0),
            at: (share.value() * WIDE).round(),
        }
    }

    /// An estimate with the ends of its interval.
    pub(super) fn of_interval([value, low, high]: [f64; 3], words: Words) -> Self {
        let percent = |value: f64| format!("{:.1}%", value * 100.0);
        let told = [("value", percent(value)), ("low", percent(low)), ("high", percent(high))];
        let told: Vec<(&'static str, &str)> = told.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Self { words: words.with("estimate", &told), ..Self::drawn([value, low, high]) }
    }

    /// The same of what was counted: so many of so many.
    pub(super) fn of_counted(estimate: [f64; 3], (yes, of): (u64, u64), words: Words) -> Self {
        let (yes, of) = (yes.to_string(), of.to_string());
        let percent: Vec<String> = estimate.iter().map(|value| format!("{:.1}%", value * 100.0)).collect();
        let [value, low, high] = [0, 1, 2].map(|at| percent.get(at).map_or("", String::as_str));
        let told = words.with("share", &[("value", value), ("low", low), ("high", high), ("yes", &yes), ("of", &of)]);
        Self { words: told, ..Self::drawn(estimate) }
    }

    fn drawn([value, low, high]: [f64; 3]) -> Self {
        let place = |value: f64| (value * WIDE).round();
        Self { words: String::new(), any: true, low: place(low), width: place(high - low).max(1.0), at: place(value) }
    }
}

/// The page.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let (board, words) = (&desk.inner.board, visit.words);
    let opinions = board.opinions();
    let seconds: Vec<&Opinion> = opinions.iter().filter(|opinion| opinion.check == Check::Second).collect();
    let settlements = board.settlements();
    let told = |name: &AccountName, verdict| format!("{name}: {}", super::card::verdict_words(verdict, words));
    let settled = |one: &Settlement| SettledView {
        hit: one.hit.0,
        one: told(&one.first.0, one.first.1),
        other: told(&one.second.0, one.second.1),
        third: told(&one.by, one.verdict),
    };
    let upheld = settlements.iter().filter(|one| one.first.1 == one.verdict).count() as u64;
    let recall = desk.samples().into_iter().find_map(|known| known.recall);
    let references = board.references().into_iter().take(SHOWN).map(|(name, confirmed, dismissed)| ReferenceView {
        href: format!(
            "/references/{}",
            url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
        ),
        name: visible(&name),
        bar: Bar::of(Share::new(confirmed, confirmed + dismissed), words),
    });
    let page = QualityPage {
        kappa: kappa_words(&seconds),
        pairs: words.count("quality-pairs", seconds.len() as u64),
        reviewers: reviewers(&opinions, &settlements, words),
        references: references.collect(),
        waiting: board.disputes().len(),
        settles: visit.may(Permission::LeadReview),
        settled: settlements.iter().take(SETTLED).map(settled).collect(),
        first_right: Bar::of(Share::new(upheld, settlements.len() as u64), words),
        recall: recall.map(|recall| recall::view(&recall, words)),
        gold: board.gold().len(),
        f: Frame::new(&visit, "quality"),
    };
    Ok(Html(page.render()?))
}

fn kappa_words(seconds: &[&Opinion]) -> String {
    let yes = |verdict| verdict == Verdict::Confirm;
    kappa(seconds.iter().map(|opinion| (yes(opinion.against), yes(opinion.verdict))))
        .map_or_else(|| "–".to_owned(), |kappa| format!("{kappa:.2}"))
}

fn reviewers(opinions: &[Opinion], settlements: &[Settlement], words: Words) -> Vec<ReviewerView> {
    let mut by: BTreeMap<&AccountName, Vec<&Opinion>> = BTreeMap::new();
    // What a third person says has no place of its own here: the settlement has.
    for opinion in opinions.iter().filter(|opinion| opinion.check != Check::Third) {
        by.entry(&opinion.by).or_default().push(opinion);
        if opinion.check == Check::Second {
            by.entry(&opinion.of).or_default().push(opinion);
        }
    }
    let share = |given: &[&Opinion], check: Check, who: &AccountName| {
        let of: Vec<_> = given
            .iter()
            .filter(|opinion| opinion.check == check && (check == Check::Second || opinion.by == *who))
            .collect();
        let right = of.iter().filter(|opinion| opinion.verdict == opinion.against).count();
        Bar::of(Share::new(right as u64, of.len() as u64), words)
    };
    // Who was one of two that differed, and was right in the end.
    let settled = |who: &AccountName| {
        let of: Vec<bool> = settlements.iter().filter_map(|one| one.was_right(who)).collect();
        Bar::of(Share::new(of.iter().filter(|right| **right).count() as u64, of.len() as u64), words)
    };
    by.into_iter()
        .map(|(name, given)| {
            let seconds: Vec<&Opinion> =
                given.iter().copied().filter(|opinion| opinion.check == Check::Second).collect();
            ReviewerView {
                gold: share(&given, Check::Gold, name),
                second: share(&given, Check::Second, name),
                settled: settled(name),
                kappa: kappa_words(&seconds),
                name: name.to_string(),
            }
        })
        .collect()
}
