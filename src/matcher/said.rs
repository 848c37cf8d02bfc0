//! Said, shown, sold: what a live room says over time, held against its shelf and the pages of its goods.
//!
//! [`Said`] remembers promises by goods: a price below the shelf's, the lowest price while the page asks less, the last three
//! pieces said again and again, a countdown that begins anew when it has run out. The wording stands in `said.toml`; one
//! sentence alone is the rules' business.

mod number;

use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

use jiff::civil::Date;
use regex::Regex;
use serde::Deserialize;

use super::{moment, score::plain_step};
use crate::{
    model::{Finding, FindingKind, Goods, Handling, Moment, Money, Severity, Span, Step, TimelineEntry},
    rules::RuleSet,
};

/// A number as it is said.
const NUMBER: &str = r"[0-9]{1,6}(?:\.[0-9]{1,2})?|[零一二两三四五六七八九十百千万]{1,9}";
/// Goods whose promises are remembered.
const GOODS: usize = 200;
/// Goods that were pinned just now may not be what is spoken of yet, in milliseconds.
const SETTLED_MS: u64 = 10_000;
/// A price below the shelf's by less is rounding.
const CHEAPER: f64 = 0.97;
/// A promise made again after this is another one, in milliseconds.
const AGAIN_MS: u64 = 60_000;
/// Stock that goes down so many times over was counted, not invented.
const TIMES: u32 = 3;
/// After a countdown has run out, what is said within this still belongs to it, in milliseconds.
const GRACE_MS: u64 = 20_000;
/// Longest countdown that is a promise, in milliseconds.
const MAX_COUNTDOWN_MS: u64 = 3_600_000;
/// What is left of the chance when a coupon may explain the price.
const EXCUSED: f64 = 0.4;

#[derive(Debug, Deserialize)]
struct Check {
    id: String,
    family: String,
    severity: Severity,
    score: f64,
    title: Title,
    cites: Vec<String>,
    words: Vec<String>,
    #[serde(default)]
    not_near: Vec<String>,
    #[serde(default)]
    excused: Vec<String>,
    #[serde(skip)]
    regexes: Vec<Regex>,
}

#[derive(Debug, Deserialize)]
struct Title {
    zh: String,
    en: String,
}

static CHECKS: LazyLock<BTreeMap<String, Check>> = LazyLock::new(|| {
    let mut checks: BTreeMap<String, Check> = toml::from_str(include_str!("said.toml")).unwrap_or_default();
    for check in checks.values_mut() {
        let words = check.words.iter().map(|words| words.replace("NUM", NUMBER));
        check.regexes = words.filter_map(|words| Regex::new(&words).ok()).collect();
    }
    checks
});

/// The moment that is heard, with what was said just before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recent<'a> {
    /// What was said before, and at the end what is said now.
    pub(super) timeline: &'a [TimelineEntry],
    /// What is pinned now.
    pub(super) moment: &'a Moment,
    /// For how long it has been, in milliseconds.
    pub(super) pinned_ms: u64,
}

/// What a room has promised so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    goods: BTreeMap<String, Promises>,
}

/// What was promised of one piece of goods.
#[derive(Debug, Default, Clone)]
struct Promises {
    heard_at: u64,
    /// When stock was said to run out last, how much was left, and how often that was said.
    scarcity: Option<(u64, u64, u32)>,
    /// When a countdown was begun, and when it was to end.
    countdown: Option<(u64, u64)>,
    /// Checks that have told already.
    told: Vec<&'static str>,
}

/// Words of a check that were said now.
struct Words {
    /// Characters of the joined text.
    span: Range<usize>,
    hundredths: Option<u64>,
    unit: String,
}

impl Said {
    /// What the newest moment contradicts; each contradiction of one piece of goods is told once.
    pub(super) fn hear(&mut self, recent: &Recent<'_>, rules: Option<&RuleSet>, on: Date) -> Vec<Finding> {
        let Some(now) = recent.timeline.last() else { return Vec::new() };
        let key = recent.moment.goods.as_ref().map(|goods| goods.id.clone()).unwrap_or_default();
        // Viewers promise nothing.
        if now.kind == "danmaku" || now.kind == "shelf" {
            return Vec::new();
        }
        let speech = Speech::new(recent.timeline);
        self.make_room();
        let promises = self.goods.entry(key).or_default();
        promises.heard_at = now.at_ms;
        let mut told: Vec<(&'static str, Words, Vec<Step>, f64)> = Vec::new();
        if let Some(goods) = recent.moment.goods.as_ref().filter(|_| recent.pinned_ms >= SETTLED_MS) {
            told.extend(cheaper_said(&speech, goods));
            told.extend(lowest_said(&speech, goods));
        }
        told.extend(promises.scarcity(&speech, now.at_ms));
        told.extend(promises.countdown(&speech, now.at_ms));
        told.retain(|(name, ..)| !promises.told.contains(name));
        // What may be explained is set aside, and does not hide what may not.
        promises.told.extend(told.iter().filter(|(.., factor)| *factor >= 1.0).map(|(name, ..)| *name));
        told.into_iter()
            .filter_map(|(name, words, steps, factor)| {
                let mut finding = speech.finding(CHECKS.get(name)?, &words, steps, factor, (rules, on))?;
                moment::tell(&mut finding, recent.moment.clone());
                Some(finding)
            })
            .collect()
    }

    /// Forgets the goods that were spoken of longest ago when there are too many.
    fn make_room(&mut self) {
        if self.goods.len() < GOODS {
            return;
        }
        let mut heard: Vec<u64> = self.goods.values().map(|promises| promises.heard_at).collect();
        heard.sort_unstable();
        let middle = heard.get(heard.len() / 2).copied().unwrap_or(0);
        self.goods.retain(|_, promises| promises.heard_at > middle);
    }
}

type Contradiction = (&'static str, Words, Vec<Step>, f64);

/// A price was said that is below what the shelf asks.
fn cheaper_said(speech: &Speech, goods: &Goods) -> Option<Contradiction> {
    let price = goods.price.as_ref()?;
    let shelf = price.amount.ten_thousandths() / 100;
    let check = CHECKS.get("price-said")?;
    let words = speech.words(check)?;
    let said = words.hundredths.filter(|said| *said > 0 && (*said as f64) < shelf as f64 * CHEAPER)?;
    let said = Money { amount: crate::model::Amount::from_hundredths(said), currency: price.currency.clone() };
    let (said, asked) = (moment::money(&said), moment::money(price));
    let mut steps = vec![compared(
        "live.said-shown",
        &said,
        &asked,
        "口播价与货架价不一致",
        "what is said is not what the shelf asks",
    )];
    let excused = check.excused.iter().any(|word| speech.text.contains(word.as_str()));
    if excused {
        steps.push(plain_step("live.coupon", EXCUSED, "可能是领券或凑单后的价格", "may be the price with a coupon"));
    }
    Some(("price-said", words, steps, if excused { EXCUSED } else { 1.0 }))
}

/// The lowest price was claimed while the goods' own page asks less.
fn lowest_said(speech: &Speech, goods: &Goods) -> Option<Contradiction> {
    let (shelf, page) = (goods.price.as_ref()?, goods.page_price.as_ref()?);
    if shelf.currency != page.currency || page.amount.as_f64() >= shelf.amount.as_f64() * CHEAPER {
        return None;
    }
    let words = speech.words(CHECKS.get("price-page")?)?;
    let (shelf, page) = (moment::money(shelf), moment::money(page));
    let step = compared(
        "live.shown-sold",
        &shelf,
        &page,
        "商品页的价格低于直播货架",
        "the page of the goods asks less than the shelf",
    );
    Some(("price-page", words, vec![step], 1.0))
}

impl Promises {
    /// Stock that was about to run out is so again, and not less of it.
    fn scarcity(&mut self, speech: &Speech, now: u64) -> Option<Contradiction> {
        let words = speech.words(CHECKS.get("scarcity")?)?;
        let left = words.hundredths? / 100;
        let Some((before, before_left, times)) = self.scarcity else {
            self.scarcity = Some((now, left, 1));
            return None;
        };
        if now.saturating_sub(before) < AGAIN_MS {
            // The same breath; less may be left meanwhile.
            self.scarcity = Some((before, before_left.min(left), times));
            return None;
        }
        self.scarcity = Some((now, left, times + 1));
        if left < before_left && times + 1 < TIMES {
            return None;
        }
        let zh = format!("{} 已说只剩 {before_left}，现在又说剩 {left}", clock(before));
        let en = format!("at {} {before_left} were left, now {left} are said to be", clock(before));
        Some(("scarcity", words, vec![plain_step("live.said-before", 1.0, &zh, &en)], 1.0))
    }

    /// A countdown has run out, and another begins for the same goods.
    fn countdown(&mut self, speech: &Speech, now: u64) -> Option<Contradiction> {
        let words = speech.words(CHECKS.get("countdown")?)?;
        let unit = if words.unit == "分钟" { 60_000 } else { 1000 };
        let length = (words.hundredths? / 100).checked_mul(unit).filter(|length| *length <= MAX_COUNTDOWN_MS)?;
        let begun = self.countdown;
        match begun {
            Some((_, end)) if now <= end.saturating_add(GRACE_MS) => None,
            Some((before, end)) => {
                self.countdown = Some((now, now.saturating_add(length)));
                let zh = format!("{} 的倒计时应在 {} 结束，现在又重新开始", clock(before), clock(end));
                let en = format!("the countdown of {} was to end at {}, and begins anew", clock(before), clock(end));
                Some(("countdown", words, vec![plain_step("live.said-before", 1.0, &zh, &en)], 1.0))
            }
            None => {
                self.countdown = Some((now, now.saturating_add(length)));
                None
            }
        }
    }
}

fn clock(at_ms: u64) -> String {
    Moment { at_ms, goods: None }.clock()
}

fn compared(code: &str, before: &str, after: &str, zh: &str, en: &str) -> Step {
    let mut step = plain_step(code, 1.0, zh, en);
    (step.before, step.after) = (before.to_owned(), after.to_owned());
    step
}

/// What was said now, joined to what was said just before.
struct Speech {
    /// Signs of full width and variants of 块 as the checks write them, one for one.
    text: String,
    /// Number in the timeline, first character in the text, and the entry's own text.
    parts: Vec<(usize, usize, String)>,
    /// The first character of what is said now.
    now: usize,
}

impl Speech {
    fn new(timeline: &[TimelineEntry]) -> Self {
        let (mut text, mut parts, mut length, mut now) = (String::new(), Vec::new(), 0, 0);
        for (number, entry) in timeline.iter().enumerate() {
            now = length;
            parts.push((number, length, entry.text.clone()));
            text.extend(entry.text.chars().map(plain));
            length += entry.text.chars().count();
        }
        Self { text, parts, now }
    }

    /// The first words of `check` that end in what is said now.
    fn words(&self, check: &Check) -> Option<Words> {
        let found = check.regexes.iter().flat_map(|regex| regex.captures_iter(&self.text));
        found
            .filter_map(|captures| {
                let whole = captures.get(0)?;
                let before = self.text.get(..whole.start())?;
                let start = before.chars().count();
                let end = start + whole.as_str().chars().count();
                if end <= self.now || self.means_another(check, before, whole.as_str()) {
                    return None;
                }
                let number = captures.name("n").and_then(|number| number::hundredths(number.as_str()));
                // 九块九 is nine and nine tenths.
                let tenths = captures.name("m").and_then(|tenths| {
                    number::hundredths(&tenths.as_str().chars().take(1).collect::<String>()).map(|tenths| tenths / 10)
                });
                let unit = captures.name("u").map_or("", |unit| unit.as_str()).to_owned();
                Some(Words { span: start..end, hundredths: number.map(|n| n + tenths.unwrap_or(0)), unit })
            })
            .next()
    }

    /// Whether words right in front say that another amount is meant: 立减 20 元.
    fn means_another(&self, check: &Check, before: &str, inside: &str) -> bool {
        let near: String = before.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let phrase = near.rsplit(['，', ',', '。', ' ']).next().unwrap_or("");
        check.not_near.iter().any(|word| phrase.contains(word.as_str()) || inside.contains(word.as_str()))
    }

    fn finding(
        &self,
        check: &Check,
        words: &Words,
        mut steps: Vec<Step>,
        factor: f64,
        (rules, on): (Option<&RuleSet>, Date),
    ) -> Option<Finding> {
        let mut spans = self.spans(words.span.clone()).into_iter();
        let first = spans.next()?;
        let score = super::score::rounded(check.score * factor);
        let mut found = plain_step("rule.clause", 1.0, &check.title.zh, &check.title.en);
        found.score = Some(check.score);
        steps.insert(0, found);
        if let Some(last) = steps.last_mut().filter(|_| factor < 1.0) {
            last.score = Some(score);
        }
        Some(Finding {
            kind: FindingKind::Rule,
            reference: check.id.clone(),
            version: None,
            campaign: None,
            family: check.family.clone(),
            surface: first.surface,
            start: first.start,
            end: first.end,
            text: first.text,
            continues: spans.collect(),
            moment: None,
            word: check.title.zh.clone(),
            channels: Vec::new(),
            score,
            severity: check.severity,
            citation: citation(rules, &check.cites, on),
            explanation: steps,
            suppressed: None,
            handling: Handling::default(),
        })
    }

    /// Where the characters `span` of the joined text stand.
    fn spans(&self, span: Range<usize>) -> Vec<Span> {
        let spans = self.parts.iter().filter_map(|(number, first, text)| {
            let length = text.chars().count();
            let (start, end) = (span.start.max(*first), span.end.min(first + length));
            (start < end).then(|| Span {
                surface: format!("timeline[{number}].text"),
                start: start - first,
                end: end - first,
                text: text.chars().skip(start - first).take(end - start).collect(),
            })
        });
        spans.collect()
    }
}

/// Full width digits and letters, and 塊, as the checks write them.
fn plain(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '塊' => '块',
        '剩' | '賸' => '剩',
        '後' => '后',
        '価' | '價' => '价',
        other => other,
    }
}

/// The articles of `topics` in force on the day, as they are cited.
fn citation(rules: Option<&RuleSet>, topics: &[String], on: Date) -> String {
    let Some(rules) = rules else { return String::new() };
    let articles = topics.iter().flat_map(|topic| rules.statutes().cited(topic));
    let cited: Vec<String> =
        articles.filter(|article| article.in_force(on)).map(|article| article.citation()).collect();
    cited.join("；")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a room says, one caption a line (`seconds text`), while `goods` is pinned.
    fn told(goods: &str, said: &[(u64, &str)]) -> Vec<(String, String)> {
        let goods: Goods = serde_json::from_str(goods).unwrap();
        let rules = RuleSet::builtin().unwrap();
        let mut room = Said::default();
        let mut all = Vec::new();
        for (second, text) in said {
            let at_ms = second * 1000;
            let entry =
                TimelineEntry { at_ms, text: (*text).into(), kind: "caption".into(), ..TimelineEntry::default() };
            let moment = Moment { at_ms, goods: Some(goods.clone()) };
            let recent = Recent { timeline: &[entry], moment: &moment, pinned_ms: at_ms };
            for finding in room.hear(&recent, Some(&rules), "2026-11-23".parse().unwrap()) {
                assert!(
                    finding.citation.contains("直播电商监督管理办法") || finding.citation.contains("价格"),
                    "{finding:?}"
                );
                all.push((finding.reference, finding.text));
            }
        }
        all
    }

    const SHOES: &str =
        r#"{"id":"7","price":{"amount":"199.00","currency":"CNY"},"page_price":{"amount":"159.00","currency":"CNY"}}"#;

    fn one(reference: &str, text: &str) -> (String, String) {
        (reference.into(), text.into())
    }

    #[test]
    fn the_table_is_read() {
        assert_eq!(CHECKS.len(), 4);
        let rules = RuleSet::builtin().unwrap();
        for check in CHECKS.values() {
            assert_eq!(check.regexes.len(), check.words.len(), "{}", check.id);
            assert!(check.cites.iter().all(|topic| !rules.statutes().cited(topic).is_empty()), "{}", check.id);
        }
    }

    #[test]
    fn a_price_said_below_the_shelfs_is_told_once() {
        for (said, text) in [
            ("姐妹们今天只要99块", "今天只要99块"),
            ("到手价一百二十九元", "到手价一百二十九元"),
            ("九块九包邮", "九块九包邮"),
            ("直播间价是 １２９元", "直播间价是 １２９元"),
        ] {
            assert_eq!(told(SHOES, &[(60, said), (90, said)]), [one("live.price-said", text)], "{said}");
        }
    }

    #[test]
    fn other_amounts_are_no_price() {
        for said in [
            "今天只要199块",
            "今天只要两百块",
            "下单立减20元",
            "满300元减50元到手",
            "今天只要99号链接",
            "运费只要8元",
            "只要你喜欢",
        ] {
            assert_eq!(told(SHOES, &[(60, said)]), [], "{said}");
        }
        // Goods that were pinned just now may not be what is spoken of yet.
        assert_eq!(told(SHOES, &[(5, "今天只要99块")]), []);
    }

    #[test]
    fn a_coupon_may_explain_a_price() {
        let goods: Goods = serde_json::from_str(SHOES).unwrap();
        let speech = |text: &str| {
            Speech::new(&[TimelineEntry { text: text.into(), kind: "caption".into(), ..TimelineEntry::default() }])
        };
        let (_, _, _, plain) = cheaper_said(&speech("今天只要99块"), &goods).unwrap();
        let (_, _, _, excused) = cheaper_said(&speech("领券以后只要99块"), &goods).unwrap();
        assert!(excused < plain);
        // What a coupon explains does not hide what none does.
        let both = told(SHOES, &[(60, "领券以后只要99块"), (90, "今天只要99块"), (120, "今天只要99块")]);
        assert_eq!(both, [one("live.price-said", "只要99块"), one("live.price-said", "今天只要99块")]);
    }

    #[test]
    fn the_lowest_price_is_held_against_the_page() {
        assert_eq!(told(SHOES, &[(60, "全网最低价了家人们")]), [one("live.lowest-said", "全网最低价了")]);
        let dear = SHOES.replace("159.00", "299.00");
        assert_eq!(told(&dear, &[(60, "全网最低价了家人们")]), []);
    }

    #[test]
    fn the_last_pieces_said_again_are_told_when_they_are_not_fewer() {
        let again = one("live.scarcity-repeated", "只剩三件");
        assert_eq!(told(SHOES, &[(60, "只剩三件"), (62, "只剩三件"), (300, "只剩三件")]), [again]);
        assert_eq!(told(SHOES, &[(60, "最后5单"), (300, "最后2单")]), []);
        let third = told(SHOES, &[(60, "最后5单"), (300, "最后4单"), (600, "最后3单")]);
        assert_eq!(third, [one("live.scarcity-repeated", "最后3单")]);
    }

    #[test]
    fn a_countdown_that_begins_anew_is_told() {
        let said = [(60, "最后30秒下架"), (80, "最后10秒下架"), (200, "最后30秒下架")];
        assert_eq!(told(SHOES, &said), [one("live.countdown-restarted", "最后30秒下架")]);
        assert_eq!(told(SHOES, &[(60, "还有5分钟恢复原价"), (200, "还有2分钟恢复原价")]), []);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_said_spans_point_at_it(said in proptest::collection::vec("[今天只要九块99元剩三件最后秒，]{0,12}", 1..6)) {
            let goods: Goods = serde_json::from_str(SHOES).unwrap();
            let mut room = Said::default();
            let on = "2026-11-23".parse().unwrap();
            for number in 0..said.len() {
                let entry = |text: &String| TimelineEntry { at_ms: 100_000 * number as u64, text: text.clone(), kind: "caption".into(), ..TimelineEntry::default() };
                let timeline: Vec<_> = said[..=number].iter().map(entry).collect();
                let moment = Moment { at_ms: 100_000 * number as u64, goods: Some(goods.clone()) };
                for finding in room.hear(&Recent { timeline: &timeline, moment: &moment, pinned_ms: 20_000 }, None, on) {
                    let spans = std::iter::once((&finding.surface, finding.start, finding.end, &finding.text));
                    let more = finding.continues.iter().map(|span| (&span.surface, span.start, span.end, &span.text));
                    for (surface, start, end, text) in spans.chain(more) {
                        let index: usize = surface.trim_start_matches("timeline[").split(']').next().unwrap().parse().unwrap();
                        let there: String = timeline[index].text.chars().skip(start).take(end - start).collect();
                        proptest::prop_assert_eq!(&there, text);
                    }
                }
            }
        }
    }
}
