//! How well decisions hold: known answers, second opinions, and the precision of marks and rules, each down to its hits.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Html};

use super::{Desk, WebError, card::visible, frame::Frame, visit::Visit, words::Words};
use crate::{
    model::{AccountName, Check, Verdict},
    review::{Opinion, Share, kappa},
};

/// Marks and rules listed, those with the most decisions.
const SHOWN: usize = 60;
/// Disagreements listed.
const DISPUTED: usize = 50;
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
    disputed: Vec<Dispute>,
    gold: usize,
}

struct ReviewerView {
    name: String,
    gold: Bar,
    second: Bar,
    kappa: String,
}

struct ReferenceView {
    name: String,
    href: String,
    bar: Bar,
}

/// A share with its interval, as a picture and in words.
struct Bar {
    words: String,
    any: bool,
    low: f64,
    width: f64,
    at: f64,
}

struct Dispute {
    hit: u64,
    one: String,
    other: String,
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
}

/// The page.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let (board, words) = (&desk.inner.board, visit.words);
    let opinions = board.opinions();
    let seconds: Vec<&Opinion> = opinions.iter().filter(|opinion| opinion.check == Check::Second).collect();
    let mut disputed: Vec<&&Opinion> = seconds.iter().filter(|opinion| opinion.verdict != opinion.against).collect();
    disputed.sort_by_key(|opinion| std::cmp::Reverse(opinion.at));
    let dispute = |opinion: &&&Opinion| Dispute {
        hit: opinion.hit.0,
        one: format!("{}: {}", opinion.of, super::card::verdict_words(opinion.against, words)),
        other: format!("{}: {}", opinion.by, super::card::verdict_words(opinion.verdict, words)),
    };
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
        reviewers: reviewers(&opinions, words),
        references: references.collect(),
        disputed: disputed.iter().take(DISPUTED).map(dispute).collect(),
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

fn reviewers(opinions: &[Opinion], words: Words) -> Vec<ReviewerView> {
    let mut by: BTreeMap<&AccountName, Vec<&Opinion>> = BTreeMap::new();
    for opinion in opinions {
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
    by.into_iter()
        .map(|(name, given)| {
            let seconds: Vec<&Opinion> =
                given.iter().copied().filter(|opinion| opinion.check == Check::Second).collect();
            ReviewerView {
                gold: share(&given, Check::Gold, name),
                second: share(&given, Check::Second, name),
                kappa: kappa_words(&seconds),
                name: name.to_string(),
            }
        })
        .collect()
}
